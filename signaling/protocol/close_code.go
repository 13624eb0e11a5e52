package protocol

// CloseCode is the status code of a WebSocket close frame (RFC 6455, section 7.4.2:
// 4000 to 4999 belong to the application). They are Discord's where one exists.
type CloseCode int

// Close codes the server sends.
const (
	// CloseTooLarge is RFC 6455's own: a frame of more than MaxFrameBytes.
	CloseTooLarge CloseCode = 1009

	CloseUnknown          CloseCode = 4000
	CloseOpcode           CloseCode = 4001
	CloseDecode           CloseCode = 4002
	CloseNotAuthenticated CloseCode = 4003
	CloseAuthFailed       CloseCode = 4004
	CloseBadSequence      CloseCode = 4007
	CloseRateLimited      CloseCode = 4008
	CloseTimedOut         CloseCode = 4009
	CloseVersion          CloseCode = 4012
	CloseKicked           CloseCode = 4014
	CloseRestarting       CloseCode = 4015
	CloseBanned           CloseCode = 4018
	CloseReplaced         CloseCode = 4019
	CloseSlowConsumer     CloseCode = 4023
	CloseDraining         CloseCode = 4024
)

// NextStep is what a client does after its connection was closed.
type NextStep int

// What a client may do after a close code.
const (
	// Reidentify: connect again, after a back-off, with the same token.
	Reidentify NextStep = iota
	// Stop: do not come back by yourself; a person has to change something.
	Stop
)

// Next says what a client should do after the connection was closed with c. Codes this
// version does not know, such as a proxy's, mean Reidentify.
func (c CloseCode) Next() NextStep {
	switch c {
	case CloseTooLarge, CloseOpcode, CloseDecode, CloseAuthFailed, CloseBadSequence, CloseVersion, CloseReplaced,
		CloseKicked, CloseBanned:
		return Stop
	default:
		return Reidentify
	}
}

// String returns the reason text the server puts beside the code when it has no more
// particular one.
func (c CloseCode) String() string {
	switch c {
	case CloseTooLarge:
		return "frame too large"
	case CloseOpcode:
		return "frame without an integer op"
	case CloseDecode:
		return "frame is not a JSON object in UTF-8 text"
	case CloseNotAuthenticated:
		return "no IDENTIFY in time"
	case CloseAuthFailed:
		return "authentication failed"
	case CloseBadSequence:
		return "heartbeat names an event that was never sent"
	case CloseRateLimited:
		return "too many requests"
	case CloseTimedOut:
		return "session timed out"
	case CloseVersion:
		return "unsupported protocol version"
	case CloseKicked:
		return "removed by a moderator"
	case CloseBanned:
		return "banned"
	case CloseRestarting:
		return "server is restarting"
	case CloseReplaced:
		return "replaced by a newer session of the same user"
	case CloseSlowConsumer:
		return "slow consumer: the egress queue is full"
	case CloseDraining:
		return "server is about to go: come back later"
	case CloseUnknown:
		return "internal error"
	default:
		return "closed"
	}
}

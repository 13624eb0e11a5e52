// Package protocol defines what travels over the signalling WebSocket: opcodes,
// payloads, error and close codes, and the codec between them and JSON text frames.
//
// It is the one description of the wire shared by the server and the Go client and
// imports only the standard library. It holds no state: every function may be called
// from any goroutine. PROTOCOL.md at the root of the repository is its prose.
package protocol

// Version is the protocol version this package speaks; IDENTIFY carries it as "v".
const Version = 1

// Limits of the frame itself. They bound what a stranger can make the server hold
// before it is authenticated.
const (
	// MaxFrameBytes is the largest text frame either side may send, in bytes. An SDP
	// offer with 33 audio lines, the largest request there is, takes about 40 KiB.
	MaxFrameBytes = 64 << 10
	// MaxIDBytes is the longest request id, in bytes. The id is echoed on the reply,
	// so it bounds what a client can make the server repeat.
	MaxIDBytes = 64
	// MaxSDPBytes is the largest session description accepted in CHANNEL_JOIN, in
	// bytes: a full offer of 33 audio lines plus slack, checked before any parser runs.
	MaxSDPBytes = 56 << 10
	// MaxCandidateBytes is the longest candidate line accepted in ICE_CANDIDATE, in
	// bytes. Real ones take about 150.
	MaxCandidateBytes = 1 << 10
	// MaxChannelIDBytes is the longest channel_id, in bytes (it is ASCII).
	MaxChannelIDBytes = 64
	// MaxChannelNameChars is the longest channel_name, in Unicode code points.
	MaxChannelNameChars = 100
	// MaxUserNameChars is the longest display name of a person, in Unicode code points.
	MaxUserNameChars = 64
	// MaxUserIDBytes is the longest user_id (the token's subject), in bytes.
	MaxUserIDBytes = 128
	// MaxNonceBytes is the longest nonce of a message, MaxMessageIDBytes the longest message_id, in bytes.
	MaxNonceBytes     = 64
	MaxMessageIDBytes = 64
	// MaxHistory is the most messages that HISTORY asks for, DefaultHistory how many when it does not say.
	MaxHistory     = 100
	DefaultHistory = 50
	// MaxSearch is the most messages that SEARCH asks for, DefaultSearch how many when it does not say.
	MaxSearch     = 50
	DefaultSearch = 20
	// MaxQueryChars is the longest query of SEARCH, in Unicode code points.
	MaxQueryChars = 200
	// MaxSlots is the most receiving audio lines a client may offer, whatever the
	// server is configured to.
	MaxSlots = 32
	// MaxPins is how many people may be pinned: no more are ever heard at once.
	MaxPins = MaxSlots
	// MaxExclusions is how many people one may exclude from being heard.
	MaxExclusions = 256
)

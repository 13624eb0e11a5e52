package protocol

import "fmt"

// ErrorCode says why a request failed; it travels in the "code" of an ERROR packet.
type ErrorCode uint16

// Error codes. 1xxx concern the session, 2xxx channels, 3xxx messages, 4xxx media, 5xxx the floor.
const (
	CodeNotAuthenticated   ErrorCode = 1000
	CodeInvalidToken       ErrorCode = 1001
	CodeAlreadyIdentified  ErrorCode = 1002
	CodeInvalidOpcode      ErrorCode = 1003
	CodeInvalidPayload     ErrorCode = 1004
	CodeRateLimited        ErrorCode = 1008
	CodeUnsupportedVersion ErrorCode = 1009
	CodeBanned             ErrorCode = 1010
	CodeSiteRefused        ErrorCode = 1011
	CodeDraining           ErrorCode = 1012
	CodeNameTaken          ErrorCode = 1013
	CodeInvite             ErrorCode = 1014
	CodeUserNotFound       ErrorCode = 1015
	CodeRejoin             ErrorCode = 1016

	CodeChannelNotFound  ErrorCode = 2000
	CodeChannelFull      ErrorCode = 2001
	CodeAccessDenied     ErrorCode = 2002
	CodeAlreadyInChannel ErrorCode = 2003
	CodeNotInChannel     ErrorCode = 2004
	CodeChannelExists    ErrorCode = 2005
	CodeMuted            ErrorCode = 2006
	CodeOwnsTooMany      ErrorCode = 2007
	CodeChannelNameTaken ErrorCode = 2008
	CodeNegotiating      ErrorCode = 2010

	CodeEmptyMessage     ErrorCode = 3000
	CodeMessageTooLong   ErrorCode = 3001
	CodeMessageElsewhere ErrorCode = 3002
	CodeMessageNotFound  ErrorCode = 3003
	CodeNotYourMessage   ErrorCode = 3004

	CodeBadSDP           ErrorCode = 4001
	CodeUnsupportedMedia ErrorCode = 4002

	CodeFloorDenied    ErrorCode = 5001
	CodeNotHolder      ErrorCode = 5002
	CodeFloorQueueFull ErrorCode = 5003

	CodeInternal  ErrorCode = 9000
	CodeStorage   ErrorCode = 9001
	CodeUnsettled ErrorCode = 9002
)

// String returns a short name of the code in the words of PROTOCOL.md.
func (c ErrorCode) String() string {
	switch c {
	case CodeNotAuthenticated:
		return "not authenticated"
	case CodeInvalidToken:
		return "invalid token"
	case CodeAlreadyIdentified:
		return "already identified"
	case CodeInvalidOpcode:
		return "invalid opcode"
	case CodeInvalidPayload:
		return "invalid payload"
	case CodeRateLimited:
		return "rate limited"
	case CodeUnsupportedVersion:
		return "unsupported version"
	case CodeBanned:
		return "banned"
	case CodeMuted:
		return "muted by a moderator"
	case CodeSiteRefused:
		return "site refused"
	case CodeDraining:
		return "server is about to go"
	case CodeNameTaken:
		return "name taken"
	case CodeInvite:
		return "invite cannot be used"
	case CodeUserNotFound:
		return "no such person"
	case CodeRejoin:
		return "rejoin ticket not taken"
	case CodeChannelNotFound:
		return "channel not found"
	case CodeChannelFull:
		return "channel full"
	case CodeAccessDenied:
		return "access denied"
	case CodeAlreadyInChannel:
		return "already in a channel"
	case CodeNotInChannel:
		return "not in the channel"
	case CodeChannelExists:
		return "channel exists"
	case CodeChannelNameTaken:
		return "channel name taken"
	case CodeOwnsTooMany:
		return "too many channels of your own"
	case CodeNegotiating:
		return "negotiation in progress"
	case CodeEmptyMessage:
		return "empty message"
	case CodeMessageTooLong:
		return "message too long"
	case CodeMessageElsewhere:
		return "not a member of the message's channel"
	case CodeMessageNotFound:
		return "message not found"
	case CodeNotYourMessage:
		return "not your message"
	case CodeBadSDP:
		return "bad SDP"
	case CodeUnsupportedMedia:
		return "unsupported media"
	case CodeFloorDenied:
		return "floor denied"
	case CodeNotHolder:
		return "not the holder of the floor"
	case CodeFloorQueueFull:
		return "floor queue full"
	case CodeInternal:
		return "internal error"
	case CodeStorage:
		return "storage trouble"
	case CodeUnsettled:
		return "unsettled"
	default:
		return fmt.Sprintf("error %d", uint16(c))
	}
}

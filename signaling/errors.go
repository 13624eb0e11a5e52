package signaling

import (
	"errors"
	"fmt"
	"time"

	"github.com/mini-livechat/mini-livechat/sfu"
	"github.com/mini-livechat/mini-livechat/signaling/auth"
	"github.com/mini-livechat/mini-livechat/signaling/people"
	"github.com/mini-livechat/mini-livechat/signaling/protocol"
	"github.com/mini-livechat/mini-livechat/signaling/store"
)

// Sentinel errors of the handlers; those of sfu, peer and auth join them in errorCodes.
var (
	errNotAuthenticated   = errors.New("send IDENTIFY first")
	errAlreadyIdentified  = errors.New("this session is identified already")
	errInvalidOpcode      = errors.New("no such request")
	errUnsupportedVersion = errors.New("unsupported protocol version")
	errUserMismatch       = errors.New("user_id is not the token's subject")
	errAccessDenied       = people.ErrAccessDenied
	errEmptyMessage       = errors.New("content is empty")
	errMessageTooLong     = errors.New("content is too long")
	errMessageElsewhere   = errors.New("not a member of that channel")
	errMessageNotFound    = errors.New("message not found")
	errNotYourMessage     = errors.New("not your message")
	errMuted              = errors.New("a moderator has muted you")
	// errDraining: the server was told to end.
	errDraining = errors.New("server is about to go; come back later")
	// errRejoin: the ticket lets nobody go on here.
	errRejoin = errors.New("rejoin ticket not taken")
	// errDetached: there is nobody to answer, the connection has ended or its session goes on
	// elsewhere.
	errDetached = errors.New("the connection is not the session's")
)

// rateLimitError: a request came too soon.
type rateLimitError struct{ retryAfter time.Duration }

// milliseconds is rounded up: who waits that long is welcome.
func (e *rateLimitError) milliseconds() int64 {
	return int64((e.retryAfter + time.Millisecond - 1) / time.Millisecond)
}

func (e *rateLimitError) Error() string {
	return fmt.Sprintf("too many requests; the next one is welcome in %d ms", e.milliseconds())
}

// errorCodes is the one table from errors to the codes of the wire. The first match
// counts.
//
//nolint:gochecknoglobals // a constant in all but the language
var errorCodes = []struct {
	err  error
	code protocol.ErrorCode
}{
	{errNotAuthenticated, protocol.CodeNotAuthenticated},
	{auth.ErrInvalidToken, protocol.CodeInvalidToken},
	{errUserMismatch, protocol.CodeInvalidToken},
	{errAlreadyIdentified, protocol.CodeAlreadyIdentified},
	{errInvalidOpcode, protocol.CodeInvalidOpcode},
	{protocol.ErrPayload, protocol.CodeInvalidPayload},
	{errDraining, protocol.CodeDraining},
	{errRejoin, protocol.CodeRejoin},
	{store.ErrBehind, protocol.CodeDraining},
	{errMuted, protocol.CodeMuted},
	{people.ErrNameTaken, protocol.CodeNameTaken},
	{people.ErrInvite, protocol.CodeInvite},
	{people.ErrUnknown, protocol.CodeUserNotFound},
	{people.ErrNotAllowed, protocol.CodeAccessDenied},
	{people.ErrBadRequest, protocol.CodeInvalidPayload},
	{errUnsupportedVersion, protocol.CodeUnsupportedVersion},
	{sfu.ErrChannelNotFound, protocol.CodeChannelNotFound},
	{sfu.ErrChannelFull, protocol.CodeChannelFull},
	{sfu.ErrTooManyChannels, protocol.CodeChannelFull},
	{errAccessDenied, protocol.CodeAccessDenied},
	{sfu.ErrListenOnly, protocol.CodeAccessDenied},
	{sfu.ErrAlreadyInChannel, protocol.CodeAlreadyInChannel},
	{sfu.ErrNotInChannel, protocol.CodeNotInChannel},
	{sfu.ErrEnded, protocol.CodeNotInChannel},
	{sfu.ErrChannelExists, protocol.CodeChannelExists},
	{sfu.ErrNameTaken, protocol.CodeChannelNameTaken},
	{sfu.ErrNegotiating, protocol.CodeNegotiating},
	{sfu.ErrOwnsTooMany, protocol.CodeOwnsTooMany},
	{store.ErrUnsettled, protocol.CodeUnsettled},
	{store.ErrTrouble, protocol.CodeStorage},
	{errEmptyMessage, protocol.CodeEmptyMessage},
	{errMessageTooLong, protocol.CodeMessageTooLong},
	{errMessageElsewhere, protocol.CodeMessageElsewhere},
	{errMessageNotFound, protocol.CodeMessageNotFound},
	{errNotYourMessage, protocol.CodeNotYourMessage},
	{sfu.ErrBadListen, protocol.CodeInvalidPayload},
	{sfu.ErrNoFloor, protocol.CodeFloorDenied},
	{sfu.ErrFloorSilent, protocol.CodeFloorDenied},
	{sfu.ErrFloorBusy, protocol.CodeFloorDenied},
	{sfu.ErrFloorQueueFull, protocol.CodeFloorQueueFull},
	{sfu.ErrFloorUnsettled, protocol.CodeUnsettled},
	{sfu.ErrNotHolder, protocol.CodeNotHolder},
	{sfu.ErrNobodyHolds, protocol.CodeNotHolder},
	{sfu.ErrBadSDP, protocol.CodeBadSDP},
	{sfu.ErrUnsupportedMedia, protocol.CodeUnsupportedMedia},
}

// unsettledAgainAfter is when what most of the servers did not hear of is worth another try: they choose another leader meanwhile.
const unsettledAgainAfter = 2 * time.Second

// errorPayload is the ERROR a client gets for err. What is in no table is the server's
// own trouble, of which the client learns only that.
func errorPayload(op protocol.Op, err error) protocol.Error {
	refusal := refusalOf(op, err)
	// What somebody sent may stand in it, and be as long as a frame.
	if reason := []rune(refusal.Reason); len(reason) > maxErrorReason {
		refusal.Reason = string(reason[:maxErrorReason]) + "…"
	}
	return refusal
}

// maxErrorReason is how many characters of a reason are told: many more than any that is not made of what was sent.
const maxErrorReason = 500

func refusalOf(op protocol.Op, err error) protocol.Error {
	if refused, ok := errors.AsType[*refusedError](err); ok {
		refused.refusal.Op = op
		return refused.refusal
	}
	if unkept, ok := errors.AsType[*unkeptError](err); ok {
		unkept.refusal.Op = op
		return unkept.refusal
	}
	if limited, ok := errors.AsType[*rateLimitError](err); ok {
		return protocol.Error{
			Op: op, Code: protocol.CodeRateLimited, Reason: err.Error(),
			RetryAfterMS: limited.milliseconds(),
		}
	}
	if banned, ok := errors.AsType[*people.BannedError](err); ok {
		return protocol.Error{Op: op, Code: protocol.CodeBanned, Reason: err.Error(), RetryAfterMS: banned.Left.Milliseconds()}
	}
	for _, known := range errorCodes {
		if errors.Is(err, known.err) {
			refusal := protocol.Error{Op: op, Code: known.code, Reason: err.Error()}
			switch known.code {
			case protocol.CodeNegotiating:
				refusal.RetryAfterMS = sfu.NegotiateAgainAfter.Milliseconds()
			case protocol.CodeDraining:
				refusal.RetryAfterMS = drainedAgainAfter.Milliseconds()
			case protocol.CodeUnsettled:
				refusal.RetryAfterMS = unsettledAgainAfter.Milliseconds()
			default:
			}
			return refusal
		}
	}
	return protocol.Error{Op: op, Code: protocol.CodeInternal, Reason: "internal error"}
}

// payloadError makes a protocol.ErrPayload that says what is wrong with a field.
func payloadError(format string, args ...any) error {
	return fmt.Errorf("%w: "+format, append([]any{protocol.ErrPayload}, args...)...)
}

// errorTally is under which name a refusal is counted; "" for those that happen in
// ordinary use.
func errorTally(code protocol.ErrorCode) string {
	switch code {
	case protocol.CodeInvalidToken:
		return "token_refused"
	case protocol.CodeRejoin:
		return "rejoin_refused"
	case protocol.CodeRateLimited:
		return "request_rate_limited"
	case protocol.CodeChannelFull:
		return "channel_full"
	case protocol.CodeBadSDP, protocol.CodeUnsupportedMedia:
		return "offer_refused"
	case protocol.CodeInternal:
		return "internal_error"
	case protocol.CodeStorage:
		return "storage_trouble"
	case protocol.CodeUnsettled:
		return "unsettled"
	default:
		return ""
	}
}

// closeTally is under which name an end of a connection is counted; "" for those that
// happen in ordinary use.
func closeTally(code protocol.CloseCode) string {
	switch code {
	case protocol.CloseTooLarge, protocol.CloseOpcode, protocol.CloseDecode, protocol.CloseBadSequence:
		return "closed_bad_frame"
	case protocol.CloseUnknown:
		return "closed_internal_error"
	case protocol.CloseNotAuthenticated:
		return "closed_not_identified"
	case protocol.CloseRateLimited:
		return "closed_rate_limited"
	case protocol.CloseTimedOut:
		return "closed_timed_out"
	case protocol.CloseReplaced:
		return "closed_replaced"
	case protocol.CloseSlowConsumer:
		return "closed_slow_consumer"
	default:
		return ""
	}
}

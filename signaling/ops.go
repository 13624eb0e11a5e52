package signaling

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"time"

	"go.uber.org/zap"

	"github.com/mini-livechat/mini-livechat/signaling/protocol"
)

// handler carries out one request: it either answers it through the request and returns
// nil, or returns an error, which becomes the answer. It runs on the session's reader.
type handler func(ctx context.Context, s *Session, r *request) error

// op is a row of the op table.
type op struct {
	handle handler
	// anonymous requests are allowed before IDENTIFY.
	anonymous bool
}

// ops is the op table.
//
//nolint:gochecknoglobals // a constant in all but the language
var ops = map[protocol.Op]op{
	protocol.OpHeartbeat:     {handle: heartbeat, anonymous: true},
	protocol.OpIdentify:      {handle: identify, anonymous: true},
	protocol.OpChannelCreate: {handle: channelCreate},
	protocol.OpChannelJoin:   {handle: channelJoin},
	protocol.OpChannelLeave:  {handle: channelLeave},
	protocol.OpChannelUpdate: {handle: channelUpdate},
	protocol.OpChannelDelete: {handle: channelDelete},
	protocol.OpChannelList:   {handle: channelList},
	protocol.OpChannelInfo:   {handle: channelInfo},
	protocol.OpICECandidate:  {handle: iceCandidate},
	protocol.OpMediaProbe:    {handle: mediaProbe},
	protocol.OpMessageCreate: {handle: messageCreate},
	protocol.OpVoiceState:    {handle: voiceState},
	protocol.OpSubscribe:     {handle: subscribe},
}

// request is a frame that wants exactly one reply.
type request struct {
	frame   protocol.Frame
	session *Session
	replied bool
}

// reply answers with an op of its own, ack with ACK. Only the first answer is sent.
func (r *request) reply(op protocol.Op, d any) {
	if r.replied {
		r.session.log.Error("second reply suppressed", zap.Stringer("op", r.frame.Op))
		return
	}
	r.replied = true
	r.session.send(op, r.frame.ID, d)
}

func (r *request) ack(data any) {
	r.reply(protocol.OpAck, protocol.Ack{Op: r.frame.Op, Data: data})
}

func (r *request) fail(err error) {
	r.reply(protocol.OpError, errorPayload(r.frame.Op, err))
}

// closeError is a handler's error after which the session ends.
type closeError struct {
	err  error
	code protocol.CloseCode
}

func (e *closeError) Error() string { return e.err.Error() }
func (e *closeError) Unwrap() error { return e.err }

// dispatch decodes one frame, runs its handler and sees to it that it is answered.
func (s *Session) dispatch(ctx context.Context, data []byte) {
	frame, err := protocol.Decode(data)
	r := &request{frame: frame, session: s}
	switch {
	case errors.Is(err, protocol.ErrDecode):
		s.close(protocol.CloseDecode)
		return
	case errors.Is(err, protocol.ErrOpcode):
		s.close(protocol.CloseOpcode)
		return
	case err == nil:
		err = s.handle(ctx, r)
	}
	if err == nil && !r.replied {
		err = fmt.Errorf("%s was not answered", frame.Op)
	}
	if err == nil {
		return
	}
	if errorPayload(frame.Op, err).Code == protocol.CodeInternal {
		s.log.Error("request failed", zap.Stringer("op", frame.Op), zap.Error(err))
	}
	if !r.replied {
		r.fail(err)
	}
	if ending, ok := errors.AsType[*closeError](err); ok {
		s.close(ending.code)
	}
}

// handle runs the handler. A panic in it ends this session and no other.
func (s *Session) handle(ctx context.Context, r *request) (err error) {
	defer func() {
		if cause := recover(); cause != nil {
			s.log.Error("panic", zap.Stringer("op", r.frame.Op), zap.Any("cause", cause),
				zap.ByteString("stack", debug.Stack()))
			err = &closeError{fmt.Errorf("panic: %v", cause), protocol.CloseUnknown}
		}
	}()
	if err := s.limit(time.Now()); err != nil {
		return err
	}
	op, ok := ops[r.frame.Op]
	switch {
	case !ok:
		return fmt.Errorf("%w: %d", errInvalidOpcode, int(r.frame.Op))
	case s.user == nil && !op.anonymous:
		return errNotAuthenticated
	}
	return op.handle(ctx, s, r)
}

// limit refuses a request that comes too soon, and ends the session of a client that
// does not listen to it.
func (s *Session) limit(now time.Time) error {
	reservation := s.limiter.ReserveN(now, 1)
	delay := reservation.DelayFrom(now)
	if delay == 0 {
		s.refused = 0
		return nil
	}
	reservation.CancelAt(now)
	s.refused++
	limited := &rateLimitError{retryAfter: delay}
	if s.refused > s.gw.cfg.RequestBurst {
		return &closeError{limited, protocol.CloseRateLimited}
	}
	return limited
}

package signaling

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"go.uber.org/zap"

	"github.com/mini-livechat/mini-livechat/signaling/admission"
	"github.com/mini-livechat/mini-livechat/signaling/protocol"
)

// request is a frame that wants exactly one reply.
type request struct {
	frame   protocol.Frame
	conn    *Conn
	row     op
	replied bool
}

// reply answers with an op of its own, ack with ACK. Only the first answer is sent.
func (r *request) reply(op protocol.Op, d any) {
	body, err := protocol.EncodeBody(op, d)
	if err != nil {
		r.lost(err)
		return
	}
	r.replyBody(body)
}

// lost ends the connection, since there can be no answer.
func (r *request) lost(err error) {
	r.conn.log.Error("reply lost", zap.Error(err))
	r.conn.close(protocol.CloseUnknown)
}

// replyBody answers with what is encoded already.
func (r *request) replyBody(body *protocol.Body) {
	if r.replied {
		r.conn.log.Error("second reply suppressed", zap.Stringer("op", r.frame.Op))
		return
	}
	r.replied = true
	if r.row.reads {
		// The longer the answer was, the later the next is welcome.
		r.conn.gw.cfg.Admission.Take(time.Now(), r.conn.caller(),
			admission.Charge{Kind: admission.List, Cost: float64(body.Len() / listBytesPerCost)})
	}
	r.conn.sendReply(body, r.frame.ID, r.frame.Op, r.row.kept(r.frame.ID))
}

func (r *request) ack(data any) {
	r.reply(protocol.OpAck, protocol.Ack{Op: r.frame.Op, Data: data})
}

// refuse answers with an error, unless there was an answer.
func (r *request) refuse(err error) {
	refusal := errorPayload(r.frame.Op, err)
	if name := errorTally(refusal.Code); name != "" {
		r.conn.gw.cfg.Tally.Count(name)
	}
	if refusal.Code == protocol.CodeInternal {
		r.conn.log.Error("request failed", zap.Stringer("op", r.frame.Op), zap.Error(err))
	}
	if !r.replied {
		r.reply(protocol.OpError, refusal)
	}
}

// done answers that something was done, or that it was and is not kept.
func (r *request) done(data any, unkept error) {
	if unkept != nil {
		r.refuse(unkept)
		return
	}
	r.ack(data)
}

// closeError is a handler's error after which the connection ends.
type closeError struct {
	err  error
	code protocol.CloseCode
}

func (e *closeError) Error() string { return e.err.Error() }
func (e *closeError) Unwrap() error { return e.err }

// dispatch decodes one frame, runs its handler and sees to it that it is answered.
func (c *Conn) dispatch(ctx context.Context, data []byte) {
	if c.unconfirmed {
		c.unconfirmed = false
		c.session.confirm(c)
	}
	frame, err := protocol.Decode(data)
	c.gw.traces.request(c, &frame, data)
	r := &request{frame: frame, conn: c}
	switch {
	case errors.Is(err, protocol.ErrDecode):
		c.close(protocol.CloseDecode)
		return
	case errors.Is(err, protocol.ErrOpcode):
		c.close(protocol.CloseOpcode)
		return
	default:
		err = c.handle(ctx, r, len(data), err)
	}
	if errors.Is(err, errDetached) {
		return // nobody is there to be answered
	}
	if err == nil && !r.replied {
		err = fmt.Errorf("%s was not answered", frame.Op)
	}
	if err == nil {
		return
	}
	err = c.patience(err, len(data))
	r.refuse(err)
	if ending, ok := errors.AsType[*closeError](err); ok {
		c.close(ending.code)
	}
}

// handle runs the handler of a request that came in so many bytes, if it is not broken. A panic in it ends this session and no other.
func (c *Conn) handle(ctx context.Context, r *request, size int, broken error) (err error) {
	defer func() {
		if cause := recover(); cause != nil {
			c.gw.panicked(c.log, r.frame.Op.String(), cause)
			err = &closeError{fmt.Errorf("panic: %v", cause), protocol.CloseUnknown}
		}
	}()
	row, ok := ops[r.frame.Op]
	if !ok {
		row.charges = costs(1)
	}
	who := c.caller()
	if r.frame.Op == protocol.OpHeartbeat {
		who.Network = netip.Prefix{} // nobody is to be taken for dead because of a neighbour
	}
	if err := c.admitAs(who, row.charged(size)); err != nil {
		return err
	}
	if broken != nil {
		return broken
	}
	r.row = row
	switch {
	case !ok:
		return fmt.Errorf("%w: %d", errInvalidOpcode, int(r.frame.Op))
	case row.open != nil:
		return row.open(ctx, c, r)
	case c.session == nil:
		return errNotAuthenticated
	}
	return c.session.carryOut(ctx, c, row, r)
}

// patience is what is left with a client that was refused for coming too soon: who does not listen to that is closed.
func (c *Conn) patience(err error, size int) error {
	limited, ok := errors.AsType[*rateLimitError](err)
	if !ok || c.meter.Refused(time.Now(), limited.retryAfter, size) {
		return err
	}
	return &closeError{err, protocol.CloseRateLimited}
}

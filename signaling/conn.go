package signaling

import (
	"context"
	"errors"
	"io"
	"runtime/debug"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gorilla/websocket"
	"github.com/oklog/ulid/v2"
	"go.uber.org/zap"

	"github.com/mini-livechat/mini-livechat/signaling/admission"
	"github.com/mini-livechat/mini-livechat/signaling/protocol"
)

const (
	// lingerTimeout is how long a closed connection is still read from, so that the close
	// frame is not lost to a TCP reset over unread bytes.
	lingerTimeout = time.Second
	// rudeTimeout is how long a connection lasts after it was closed for sending or leaving unread too much.
	rudeTimeout = 1500 * time.Millisecond
	// lingerBytes bounds what is read and thrown away meanwhile.
	lingerBytes = 1 << 20
	// writeBuffer is where frames are put together, in bytes; larger ones grow it.
	writeBuffer = 1 << 10
	// maxWriteBuffer is the largest buffer that is kept for later frames, in bytes.
	maxWriteBuffer = 64 << 10
)

// Conn is one WebSocket. Until it identifies, its one goroutine, the reader, answers by
// itself; then a writer writes what its Session has to say. close and wake may be called
// from any goroutine, everything else belongs to the reader, or, where said, to the writer.
type Conn struct {
	gw     *Gateway
	log    *zap.Logger
	via    Arrival
	opened time.Time
	// seen is when the client last gave a sign of life, in nanoseconds since opened: by the
	// monotonic clock, because a step of the other would make everybody silent at once.
	seen atomic.Int64
	// queued has a token when the session has something to say that the writer may not know of,
	// pings when it is to send a WebSocket ping.
	queued, pings chan struct{}

	closing sync.Mutex // guards ws, code and the closing of done
	ws      *websocket.Conn
	code    protocol.CloseCode // 0: close without a frame, the other side is gone
	reason  string
	done    chan struct{}
	// detached is closed when the session has let go of the connection.
	detached chan struct{}

	// The reader's own.
	session *Session // nil until the client has identified
	// unconfirmed: the session was resumed, and nothing has come since.
	unconfirmed bool
	// farewell: the client closed the WebSocket in order, and does not come back.
	farewell bool
	meter    *admission.Meter
	writing  sync.WaitGroup
}

func newConn(g *Gateway, via Arrival) *Conn {
	c := &Conn{
		gw: g, via: via, opened: time.Now(),
		queued: make(chan struct{}, 1), pings: make(chan struct{}, 1),
		done: make(chan struct{}), detached: make(chan struct{}),
		meter: g.cfg.Admission.NewMeter(),
	}
	c.log = g.log.With(zap.String("conn", ulid.Make().String()))
	return c
}

// run serves the connection and returns when nothing of it is left. Its session may
// outlive it.
func (c *Conn) run(ctx context.Context, ws *websocket.Conn) {
	c.closing.Lock()
	c.ws = ws
	c.closing.Unlock()
	c.log.Debug("connected", zap.Stringer("remote", ws.RemoteAddr()))
	defer func() { _ = ws.Close() }()
	c.guard("reader", func() { c.readLoop(ctx) })
	c.close(0)
	if c.session == nil {
		c.guard("close", func() { c.writeClose(time.Now().Add(c.gw.cfg.WriteTimeout)) })
	} else {
		c.leaveSession()
	}
	c.writing.Wait()
	if c.session != nil {
		c.session.out.detach(c) // not before the writer has taken what was left
	}
	c.linger()
}

// leaveSession detaches the connection from its session, which may end with it.
func (c *Conn) leaveSession() {
	defer close(c.detached)
	c.session.detach(c)
}

// guard runs a part of the connection. A panic in it ends the connection, and with it its
// session, and nothing else.
func (c *Conn) guard(part string, run func()) {
	defer func() {
		if cause := recover(); cause != nil {
			c.gw.panicked(c.log, part, cause)
			c.close(protocol.CloseUnknown)
		}
	}()
	run()
}

// panicked reports a panic that was stopped.
func (g *Gateway) panicked(log *zap.Logger, part string, cause any) {
	g.cfg.Tally.Count("panic")
	log.Error("panic", zap.String("in", part), zap.Any("cause", cause), zap.ByteString("stack", debug.Stack()))
}

// close asks the connection to end with this code; the first call counts. It does not wait.
func (c *Conn) close(code protocol.CloseCode) { c.closeBecause(code, code.String()) }

// closeBecause is close with a reason in other words than the code's own.
func (c *Conn) closeBecause(code protocol.CloseCode, reason string) {
	c.closing.Lock()
	defer c.closing.Unlock()
	select {
	case <-c.done:
		return
	default:
	}
	c.code, c.reason = code, reason
	close(c.done)
	if code == protocol.CloseSlowConsumer || code == protocol.CloseRateLimited {
		// Who does not read, or does not stop, would hold us up for as long as a write and a farewell may take.
		time.AfterFunc(rudeTimeout, c.cut)
	}
	if name := closeTally(code); name != "" {
		c.gw.cfg.Tally.Count(name)
	}
	if c.ws != nil {
		// Wakes the reader. Unlike the websocket's own, the net.Conn's deadline may be set
		// from any goroutine.
		_ = c.ws.NetConn().SetReadDeadline(time.Now())
	}
}

// broken is called when nothing can be written any more. The reader ends the connection, once it has read what came before:
// a client that closes its WebSocket in order, and the socket right behind, leaves us its farewell and a connection reset.
func (c *Conn) broken() {
	c.closing.Lock()
	defer c.closing.Unlock()
	if !c.closed() {
		_ = c.ws.NetConn().SetReadDeadline(time.Now().Add(lingerTimeout))
	}
}

// cut closes the socket under whoever reads or writes it.
func (c *Conn) cut() {
	c.closing.Lock()
	defer c.closing.Unlock()
	if c.ws != nil {
		_ = c.ws.NetConn().Close()
	}
}

func (c *Conn) closed() bool {
	select {
	case <-c.done:
		return true
	default:
		return false
	}
}

// ended returns with which code the connection was closed, once it was.
func (c *Conn) ended() (code protocol.CloseCode, reason string) {
	c.closing.Lock()
	defer c.closing.Unlock()
	return c.code, c.reason
}

// wake tells the writer that its session has something to say.
func (c *Conn) wake() { signal(c.queued) }

// ping has a WebSocket ping sent. It may be called from any goroutine.
func (c *Conn) ping() { signal(c.pings) }

func signal(to chan struct{}) {
	select {
	case to <- struct{}{}:
	default:
	}
}

// touch notes a sign of life.
func (c *Conn) touch(now time.Time) { c.seen.Store(int64(now.Sub(c.opened))) }

// LastSeen returns when the client last gave a sign of life, for the monotonic clock. It may
// be called from any goroutine.
func (c *Conn) LastSeen() time.Time { return c.opened.Add(time.Duration(c.seen.Load())) }

// readLoop reads frames and runs their handlers until the connection ends.
func (c *Conn) readLoop(ctx context.Context) {
	deadline := time.AfterFunc(c.gw.cfg.IdentifyTimeout, func() { c.close(protocol.CloseNotAuthenticated) })
	defer deadline.Stop()
	c.hello()
	c.ws.SetReadLimit(protocol.MaxFrameBytes)
	c.ws.SetPingHandler(func(data string) error {
		if err := c.controlled(); err != nil {
			return err
		}
		_ = c.ws.WriteControl(websocket.PongMessage, []byte(data), time.Now().Add(c.gw.cfg.WriteTimeout))
		return nil
	})
	c.ws.SetPongHandler(func(string) error { return c.controlled() })
	for !c.closed() {
		kind, data, err := c.ws.ReadMessage()
		if err != nil {
			c.readEnded(err)
			return
		}
		c.touch(time.Now())
		if kind != websocket.TextMessage {
			c.close(protocol.CloseDecode)
			return
		}
		c.dispatch(ctx, data)
		if c.session != nil {
			deadline.Stop()
		}
	}
}

// controlled notes that a control frame has come; its error is that there are too many.
func (c *Conn) controlled() error {
	now := time.Now()
	c.touch(now)
	if !c.meter.Control(now) {
		return &floodError{"pings and pongs"}
	}
	return nil
}

// readEnded closes the connection as what ended the reading asks for.
func (c *Conn) readEnded(err error) {
	c.log.Debug("read ended", zap.Error(err))
	if flood, ok := errors.AsType[*floodError](err); ok {
		c.closeBecause(protocol.CloseRateLimited, flood.Error())
	}
	if errors.Is(err, websocket.ErrReadLimit) { // the library has said so
		c.close(protocol.CloseTooLarge)
	}
	c.farewell = websocket.IsCloseError(err,
		websocket.CloseNormalClosure, websocket.CloseGoingAway, websocket.CloseNoStatusReceived)
}

// hello says HELLO, as if something had been asked.
func (c *Conn) hello() {
	r := &request{conn: c}
	r.reply(protocol.OpHello, protocol.Hello{
		HeartbeatInterval: c.gw.cfg.HeartbeatInterval.Milliseconds(),
		V:                 []int{protocol.Version},
		Server:            c.gw.cfg.Server,
		Features:          c.gw.features(),
	})
}

// features are what HELLO names beside the protocol's version.
func (g *Gateway) features() []string {
	features := []string{
		protocol.FeaturePresence, protocol.FeatureHistory, protocol.FeatureInvites, protocol.FeatureModeration, protocol.FeatureStage,
		protocol.FeatureFloor, protocol.FeatureListen, protocol.FeatureSpeaks, protocol.FeatureWhy,
	}
	if g.cfg.ResumeWindow > 0 {
		features = append(features, protocol.FeatureResume)
	}
	if g.Several() {
		features = append(features, protocol.FeatureNodes)
	}
	return features
}

// sendReply sends the reply to a request of this op and id: through the session's outbox or,
// where there is none yet, by itself.
func (c *Conn) sendReply(body *protocol.Body, id string, op protocol.Op, kept keeping) {
	if c.session != nil {
		c.session.out.reply(c, body, id, op, kept)
		return
	}
	e := entry{body: body, to: &asked{id: id, op: op}}
	c.gw.traces.entry(nil, &e)
	if err := c.writeText(e.append(nil), time.Now().Add(c.gw.cfg.WriteTimeout)); err != nil {
		c.log.Debug("write ended", zap.Error(err))
		c.close(0)
	}
}

// serve makes s the session of the connection, and starts its writer.
func (c *Conn) serve(s *Session) {
	c.session = s
	c.gw.strangers.Leave(c)
	c.log = s.log
	c.writing.Go(func() { c.guard("writer", func() { c.writeLoop(s.out) }) })
	c.wake()
}

// buffers are where writers put frames together; a quiet connection holds none.
//
//nolint:gochecknoglobals // a cache without state of its own, like the pools inside net/http
var buffers = sync.Pool{New: func() any { return new(make([]byte, 0, writeBuffer)) }}

// writeLoop writes what the session says until the connection ends, then what is left of
// it and the close frame.
func (c *Conn) writeLoop(out *outbox) {
	for {
		select {
		case <-c.done:
			c.awaitDetached()
			c.writeEnd(out)
			return
		case <-c.pings:
			_ = c.ws.WriteControl(websocket.PingMessage, nil, time.Now().Add(c.gw.cfg.WriteTimeout))
			continue
		case <-c.queued:
		}
		buf, _ := buffers.Get().(*[]byte)
		for !c.closed() { // what still waits then is writeEnd's
			e, ok := out.pop(c)
			if !ok {
				break
			}
			c.gw.traces.entry(c.session, &e)
			*buf = e.append((*buf)[:0])
			if err := c.writeText(*buf, time.Now().Add(c.gw.cfg.WriteTimeout)); err != nil {
				c.log.Debug("write ended", zap.Error(err))
				c.broken()
				return
			}
		}
		if cap(*buf) <= maxWriteBuffer {
			buffers.Put(buf)
		}
	}
}

func (c *Conn) writeText(frame []byte, deadline time.Time) error {
	if err := c.ws.SetWriteDeadline(deadline); err != nil {
		return err
	}
	return c.ws.WriteMessage(websocket.TextMessage, frame)
}

// awaitDetached waits until the session has let go of the connection: a client that is told of its session's end ends its
// media at once, and the others would hear that it has left, not that it is gone. A request that is still being carried
// out holds the end up for one WriteTimeout at most.
func (c *Conn) awaitDetached() {
	limit := time.NewTimer(c.gw.cfg.WriteTimeout)
	defer limit.Stop()
	select {
	case <-c.detached:
	case <-limit.C:
	}
}

// writeEnd writes what was queued before the end and the close frame, all within one
// WriteTimeout.
func (c *Conn) writeEnd(out *outbox) {
	deadline := time.Now().Add(c.gw.cfg.WriteTimeout)
	if code, _ := c.ended(); code != 0 {
		for queued := out.waiting(); queued > 0; queued-- {
			e, ok := out.pop(c)
			if !ok {
				break
			}
			c.gw.traces.entry(c.session, &e)
			if err := c.writeText(e.append(nil), deadline); err != nil {
				return
			}
		}
	}
	c.writeClose(deadline)
}

func (c *Conn) writeClose(deadline time.Time) {
	if code, reason := c.ended(); code != 0 {
		_ = c.ws.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(int(code), cutReason(reason)), deadline)
	}
}

// linger reads until the client has closed its side or had time to.
func (c *Conn) linger() {
	conn := c.ws.NetConn()
	if half, ok := conn.(interface{ CloseWrite() error }); ok {
		_ = half.CloseWrite()
	}
	_ = conn.SetReadDeadline(time.Now().Add(lingerTimeout))
	_, err := io.CopyN(io.Discard, conn, lingerBytes)
	if err != nil && !errors.Is(err, io.EOF) {
		c.log.Debug("linger ended", zap.Error(err))
	}
}

// maxReason is the longest reason that a close frame holds, in bytes (RFC 6455, section 5.5).
const maxReason = 123

// cutReason returns as much of a reason as a close frame holds.
func cutReason(reason string) string {
	if len(reason) <= maxReason {
		return reason
	}
	return strings.ToValidUTF8(reason[:maxReason], "")
}

package signaling

import (
	"context"
	"errors"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gorilla/websocket"
	"github.com/oklog/ulid/v2"
	"go.uber.org/zap"
	"golang.org/x/time/rate"

	"github.com/mini-livechat/mini-livechat/sfu"
	"github.com/mini-livechat/mini-livechat/signaling/protocol"
)

const (
	// lingerTimeout is how long a closed connection is still read from, so that the close
	// frame is not lost to a TCP reset over unread bytes.
	lingerTimeout = time.Second
	// lingerBytes bounds what is read and thrown away meanwhile.
	lingerBytes = 1 << 20
	// writeBuffer is where a frame is put together, in bytes; larger ones grow it once.
	writeBuffer = 1 << 10
)

// Session is one WebSocket. close may be called from any goroutine; everything else
// belongs to the reader, or, where said, to the writer.
type Session struct {
	id  string
	via Arrival
	gw  *Gateway
	log *zap.Logger
	out *egress
	// events is how many events the writer has numbered.
	events atomic.Uint64

	closing sync.Mutex // guards conn, code and the closing of done
	conn    *websocket.Conn
	code    protocol.CloseCode // 0: close without a frame, the other side is gone
	done    chan struct{}
	// gone is closed when the session is out of every hub.
	gone chan struct{}

	probes probes

	// The reader's own.
	user               *User       // nil until IDENTIFY
	member             *sfu.Member // of the last channel joined; may be out of it again
	selfMute, selfDeaf bool
	pin, exclude       []string
	limiter            *rate.Limiter
	refused            int // requests refused in a row
}

func newSession(g *Gateway, via Arrival) *Session {
	s := &Session{
		id: ulid.Make().String(), via: via, gw: g,
		done: make(chan struct{}), gone: make(chan struct{}),
		limiter: rate.NewLimiter(rate.Limit(g.cfg.RequestRate), g.cfg.RequestBurst),
	}
	s.log = g.log.With(zap.String("session", s.id))
	s.out = newEgress(g.cfg.EgressQueue, func() { s.close(protocol.CloseSlowConsumer) })
	return s
}

// run serves the connection and returns when nothing of the session is left.
func (s *Session) run(ctx context.Context, conn *websocket.Conn) {
	s.closing.Lock()
	s.conn = conn
	s.closing.Unlock()
	s.log.Debug("connected", zap.Stringer("remote", conn.RemoteAddr()))

	s.send(protocol.OpHello, "", protocol.Hello{
		HeartbeatInterval: s.gw.cfg.HeartbeatInterval.Milliseconds(),
		V:                 []int{protocol.Version},
		Server:            s.gw.cfg.Server,
	})
	deadline := time.AfterFunc(s.gw.cfg.IdentifyTimeout, func() { s.close(protocol.CloseNotAuthenticated) })
	defer deadline.Stop()

	var writing sync.WaitGroup
	writing.Go(s.writeLoop)
	s.readLoop(ctx, deadline)
	s.close(0)
	s.detach()
	writing.Wait()
	s.linger()
	_ = conn.Close()
}

// detach takes the session out of every hub; the others are told.
func (s *Session) detach() {
	if s.member != nil {
		s.member.Leave(sfu.LeaveGone)
	}
	s.probes.close()
	if s.user != nil {
		s.gw.users.Unregister(s.user)
	}
	s.gw.cfg.Relay.Revoke(s.id)
	close(s.gone)
}

// close asks the session to end with this code; the first call counts. It does not wait.
func (s *Session) close(code protocol.CloseCode) {
	s.closing.Lock()
	defer s.closing.Unlock()
	select {
	case <-s.done:
		return
	default:
	}
	s.code = code
	close(s.done)
	if s.conn != nil {
		// Wakes the reader. Unlike the websocket's own, the net.Conn's deadline may be set
		// from any goroutine.
		_ = s.conn.NetConn().SetReadDeadline(time.Now())
	}
}

func (s *Session) closed() bool {
	select {
	case <-s.done:
		return true
	default:
		return false
	}
}

// readLoop reads frames and runs their handlers until the connection or the session ends.
func (s *Session) readLoop(ctx context.Context, deadline *time.Timer) {
	s.conn.SetReadLimit(protocol.MaxFrameBytes)
	s.conn.SetPongHandler(func(string) error {
		s.touch()
		return nil
	})
	for !s.closed() {
		kind, data, err := s.conn.ReadMessage()
		if err != nil {
			s.log.Debug("read ended", zap.Error(err))
			return
		}
		s.touch()
		if kind != websocket.TextMessage {
			s.close(protocol.CloseDecode)
			return
		}
		s.dispatch(ctx, data)
		if s.user != nil {
			deadline.Stop()
		}
	}
}

func (s *Session) touch() {
	if s.user != nil {
		s.user.touch(time.Now())
	}
}

// send queues a reply. A queue that is full ends the session by itself.
func (s *Session) send(op protocol.Op, id string, d any) {
	frame, err := protocol.EncodeReply(op, id, d)
	if err != nil {
		s.log.Error("reply lost", zap.Error(err))
		s.close(protocol.CloseUnknown)
		return
	}
	s.out.push(&outbound{reply: frame})
}

// writeLoop writes what is queued until the session ends, then what is left of it and
// the close frame.
func (s *Session) writeLoop() {
	buf := make([]byte, 0, writeBuffer)
	for {
		select {
		case <-s.done:
			s.writeEnd(buf)
			return
		case <-s.out.ready:
		}
		for !s.closed() { // what is still queued then is writeEnd's
			frame := s.out.pop()
			if frame == nil {
				break
			}
			var err error
			if buf, err = s.write(buf, frame, time.Now().Add(s.gw.cfg.WriteTimeout)); err != nil {
				s.log.Debug("write ended", zap.Error(err))
				s.close(0)
				return
			}
		}
	}
}

// write writes one frame, using buf as scratch, which it returns.
func (s *Session) write(buf []byte, frame *outbound, deadline time.Time) ([]byte, error) {
	if frame.reply == nil && frame.event == nil {
		return buf, s.conn.WriteControl(websocket.PingMessage, nil, deadline)
	}
	data := frame.reply
	if frame.event != nil {
		number := uint64(0)
		if !frame.event.Droppable() {
			// Counted before it is written: a heartbeat may name it as soon as it arrives.
			number = s.events.Add(1)
		}
		buf = frame.event.Append(buf[:0], number)
		data = buf
	}
	if err := s.conn.SetWriteDeadline(deadline); err != nil {
		return buf, err
	}
	return buf, s.conn.WriteMessage(websocket.TextMessage, data)
}

// writeEnd writes what was queued before the end, unless it is the queue itself that is
// too long, and the close frame, all within one WriteTimeout.
func (s *Session) writeEnd(buf []byte) {
	s.closing.Lock()
	code := s.code
	s.closing.Unlock()
	if code == 0 {
		return
	}
	deadline := time.Now().Add(s.gw.cfg.WriteTimeout)
	for queued := s.out.len(); queued > 0 && code != protocol.CloseSlowConsumer; queued-- {
		var err error
		if buf, err = s.write(buf, s.out.pop(), deadline); err != nil {
			return
		}
	}
	message := websocket.FormatCloseMessage(int(code), code.String())
	_ = s.conn.WriteControl(websocket.CloseMessage, message, deadline)
}

// linger reads until the client has closed its side or had time to.
func (s *Session) linger() {
	conn := s.conn.NetConn()
	if half, ok := conn.(interface{ CloseWrite() error }); ok {
		_ = half.CloseWrite()
	}
	_ = conn.SetReadDeadline(time.Now().Add(lingerTimeout))
	_, err := io.CopyN(io.Discard, conn, lingerBytes)
	if err != nil && !errors.Is(err, io.EOF) {
		s.log.Debug("linger ended", zap.Error(err))
	}
}

package client

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"sync"
	"time"

	"github.com/gorilla/websocket"

	"github.com/mini-livechat/mini-livechat/signaling/protocol"
)

// drainTimeout is how long, after the last write, the reader waits for a close frame
// that says why.
const drainTimeout = time.Second

// link is one WebSocket to the gateway, from HELLO until it breaks. A Client that comes back
// gets a new one. One goroutine reads; any may write.
type link struct {
	gateway  string
	conn     *websocket.Conn
	hello    protocol.Hello
	patience time.Duration // see linkPatience
	openedIn time.Duration // until HELLO
	alive    time.Duration // how long nothing may come

	writeMu sync.Mutex // held while a frame is written

	mu       sync.Mutex
	writeErr error // the first failure to write; guarded by mu
}

// openLink connects to the gateway and reads HELLO.
func openLink(ctx context.Context, gateway string, dialer *websocket.Dialer) (*link, error) {
	began := time.Now()
	conn, err := connect(ctx, gateway, dialer)
	if err != nil {
		return nil, err
	}
	conn.SetReadLimit(maxReadBytes)
	l := &link{gateway: gateway, conn: conn}
	if err = l.during(ctx, l.greet); err != nil {
		_ = conn.Close()
		return nil, err
	}
	l.openedIn = time.Since(began)
	l.patience = min(max(linkPatience, l.openedIn), maxLinkPatience)
	l.alive = 2 * l.heartbeatInterval() // the acks of heartbeats alone come every one
	if l.several() {
		l.alive = min(l.alive, aliveLimit)
	}
	return l, nil
}

// during runs a part of the handshake, whose reads and writes end when ctx does.
func (l *link) during(ctx context.Context, part func() error) error {
	stop := context.AfterFunc(ctx, func() { _ = l.conn.NetConn().SetDeadline(time.Unix(1, 0)) })
	err := part()
	if !stop() && err == nil {
		err = ctx.Err() // the deadline was pulled, the connection is unusable
	}
	return err
}

func (l *link) greet() error {
	f, err := l.read()
	if err != nil {
		return err
	}
	if f.Op != protocol.OpHello {
		return fmt.Errorf("%w: %s before HELLO", ErrProtocol, f.Op)
	}
	if err = f.Bind(&l.hello); err != nil {
		return fmt.Errorf("%w: HELLO: %w", ErrProtocol, err)
	}
	if !slices.Contains(l.hello.V, protocol.Version) {
		return ErrVersion
	}
	if l.hello.HeartbeatInterval <= 0 {
		return fmt.Errorf("%w: heartbeat interval of %d ms", ErrProtocol, l.hello.HeartbeatInterval)
	}
	return nil
}

// resumes reports whether a session on this link can be resumed on another.
func (l *link) resumes() bool { return slices.Contains(l.hello.Features, protocol.FeatureResume) }

func (l *link) heartbeatInterval() time.Duration {
	return time.Duration(l.hello.HeartbeatInterval) * time.Millisecond
}

func (l *link) read() (protocol.Frame, error) {
	_, data, err := l.conn.ReadMessage()
	if err != nil {
		closed, ok := errors.AsType[*websocket.CloseError](err)
		if ok && closed.Code != websocket.CloseAbnormalClosure {
			return protocol.Frame{}, &CloseError{Code: protocol.CloseCode(closed.Code), Reason: closed.Text}
		}
		return protocol.Frame{}, fmt.Errorf("connection lost: %w", err)
	}
	f, err := protocol.Decode(data)
	if err != nil {
		return protocol.Frame{}, fmt.Errorf("%w: %w", ErrProtocol, err)
	}
	return f, nil
}

// write sends one encoded frame. After a failure the link is unusable, and its reader finds
// out soon.
func (l *link) write(data []byte) error {
	l.writeMu.Lock()
	defer l.writeMu.Unlock()
	_ = l.conn.SetWriteDeadline(time.Now().Add(writeTimeout))
	if err := l.conn.WriteMessage(websocket.TextMessage, data); err != nil {
		err = fmt.Errorf("connection lost: %w", err)
		l.failWrite(err)
		return err
	}
	return nil
}

// ask sends one request of the handshake.
func (l *link) ask(op protocol.Op, d any) error {
	data, err := protocol.EncodeRequest(op, "", d)
	if err != nil {
		return fmt.Errorf("%w: %w", errEncode, err)
	}
	return l.write(data)
}

// failWrite remembers that the connection cannot be written to any more and leaves the
// reader a moment to find the close frame that says why.
func (l *link) failWrite(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.writeErr == nil {
		l.writeErr = err
		_ = l.conn.SetReadDeadline(time.Now().Add(drainTimeout))
	}
}

// extendReadDeadline gives the server time to say something. After a failed write it has only drainTimeout.
func (l *link) extendReadDeadline() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.writeErr == nil {
		_ = l.conn.SetReadDeadline(time.Now().Add(l.alive))
	}
}

// cause picks the most telling reason for the end of the link: the server's close code, a
// failed write that came first, or what ended the reading.
func (l *link) cause(err error) error {
	if _, closed := errors.AsType[*CloseError](err); closed {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.writeErr != nil {
		return l.writeErr
	}
	return err
}

// bye tells the server that nobody will come back, and leaves the reader a moment to hear that the server has heard it. Were
// the connection closed at once, with something unread, the server would find it broken and the session would wait for us.
func (l *link) bye() {
	message := websocket.FormatCloseMessage(websocket.CloseNormalClosure, "")
	_ = l.conn.WriteControl(websocket.CloseMessage, message, time.Now().Add(drainTimeout))
	l.failWrite(ErrClosed) // nothing is written after it
}

// close ends the link and wakes its reader.
func (l *link) close() { _ = l.conn.Close() }

// withCause prefers the context's error where it is what made err.
func withCause(ctx context.Context, err error) error {
	var netErr net.Error
	if ctx.Err() != nil && errors.As(err, &netErr) && netErr.Timeout() {
		return ctx.Err()
	}
	return err
}

package client

import (
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gorilla/websocket"

	"github.com/mini-livechat/mini-livechat/signaling/protocol"
)

// drainTimeout is how long, after a write failed, the reader waits for a close frame
// that says why.
const drainTimeout = time.Second

// Client is one identified session. Make one with Dial and end it with Close. Its
// methods may be called from any goroutine.
type Client struct {
	conn   *websocket.Conn
	log    *slog.Logger
	engine *Engine
	events *eventQueue // written by the reading goroutine only

	// Set during the handshake, read-only afterwards.
	hello protocol.Hello
	ready protocol.Ready

	seen atomic.Uint64 // number of the last event
	// iceServers are for the next call: READY's, or those of a later ICE_SERVERS.
	iceServers atomic.Pointer[[]protocol.ICEServer]
	done       chan struct{}  // closed when the session has ended
	wg         sync.WaitGroup // reader, heartbeats and calls; added to under mu, before err is set

	writeMu sync.Mutex // held while a frame is written

	mu       sync.Mutex
	err      error               // why the session ended; guarded by mu
	writeErr error               // the first failure to write; guarded by mu
	nextID   uint64              // guarded by mu
	pending  map[string]*pending // requests without a reply; guarded by mu
	call     *Call               // from before its CHANNEL_JOIN until it ended; guarded by mu
}

func newClient(conn *websocket.Conn, opts Options) *Client {
	log := opts.Logger
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	return &Client{
		conn:    conn,
		log:     log,
		engine:  opts.Engine,
		events:  newEventQueue(opts.EventBuffer),
		done:    make(chan struct{}),
		pending: make(map[string]*pending),
	}
}

func (c *Client) start() {
	c.wg.Add(2)
	go c.readLoop()
	go c.heartbeatLoop()
}

// Ready returns what the server said at the end of the handshake: who the client is, the
// session and the server's limits. Its ICE servers are those of then; see ICEServers.
func (c *Client) Ready() protocol.Ready { return c.ready }

// ICEServers returns how the server's TURN relay is reached, with the newest credentials.
// Join uses them by itself. The slice must not be changed.
func (c *Client) ICEServers() []protocol.ICEServer {
	if servers := c.iceServers.Load(); servers != nil {
		return *servers
	}
	return c.ready.ICEServers
}

// UserID returns the token's subject.
func (c *Client) UserID() string { return c.ready.UserID }

// Events returns the stream of events, closed when the session ends. It holds
// Options.EventBuffer of them; while it is full new events are discarded, and a Missed
// says how many. A client that never reads it misses nothing else.
func (c *Client) Events() <-chan Event { return c.events.ch }

// Done is closed when the session has ended; Err then says why.
func (c *Client) Done() <-chan struct{} { return c.done }

// Err returns why the session ended: ErrClosed, a *CloseError from the server or a
// network error. It is nil while the session lasts.
func (c *Client) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err
}

// Call returns the call the client is in, or nil.
func (c *Client) Call() *Call {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.call == nil || !c.call.joined.Load() {
		return nil
	}
	return c.call
}

// Close ends the session, and the call if there is one, and returns when all goroutines
// of both have ended. The other members see the cause "gone"; call Leave first to leave
// politely. Closing twice is fine. The error is always nil.
func (c *Client) Close() error {
	c.end(ErrClosed)
	c.wg.Wait()
	return nil
}

// end ends the session with err unless it has ended already.
func (c *Client) end(err error) {
	c.mu.Lock()
	if c.err != nil {
		c.mu.Unlock()
		return
	}
	c.err = err
	call := c.call
	c.call = nil
	close(c.done)
	c.mu.Unlock()

	if errors.Is(err, ErrClosed) { // after err is set, since the server's answer ends the session too
		bye := websocket.FormatCloseMessage(websocket.CloseNormalClosure, "")
		_ = c.conn.WriteControl(websocket.CloseMessage, bye, time.Now().Add(drainTimeout))
	}
	_ = c.conn.Close() // wakes the reading goroutine
	if call != nil {
		call.end(err)
	}
}

func (c *Client) heartbeatInterval() time.Duration {
	return time.Duration(c.hello.HeartbeatInterval) * time.Millisecond
}

// heartbeatLoop sends a HEARTBEAT every interval, the first after a random part of one,
// so that clients that came together do not beat together.
func (c *Client) heartbeatLoop() {
	defer c.wg.Done()
	interval := c.heartbeatInterval()
	timer := time.NewTimer(rand.N(interval)) //nolint:gosec // spreads load, hides nothing
	defer timer.Stop()
	for {
		select {
		case <-c.done:
			return
		case <-timer.C:
		}
		timer.Reset(interval)
		if err := c.writeFrame(protocol.OpHeartbeat, "", protocol.Heartbeat{S: c.seen.Load()}); err != nil {
			return // the reader ends the session
		}
	}
}

// readLoop handles every frame until the connection ends.
func (c *Client) readLoop() {
	defer c.wg.Done()
	defer c.events.close()
	for {
		c.extendReadDeadline()
		f, err := c.readFrame()
		if err == nil {
			err = c.handle(f)
		}
		if err != nil {
			c.end(c.sessionError(err))
			return
		}
	}
}

// extendReadDeadline gives the server two heartbeat intervals to say something: the acks
// of heartbeats alone arrive every one. After a failed write it has only drainTimeout.
func (c *Client) extendReadDeadline() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.writeErr == nil {
		_ = c.conn.SetReadDeadline(time.Now().Add(2 * c.heartbeatInterval()))
	}
}

// failWrite remembers that the connection cannot be written to any more and leaves the
// reader a moment to find the close frame that says why.
func (c *Client) failWrite(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.writeErr == nil {
		c.writeErr = err
		_ = c.conn.SetReadDeadline(time.Now().Add(drainTimeout))
	}
}

// sessionError picks the most telling reason for the end of the session: the server's
// close code, a failed write that came first, or what ended the reading.
func (c *Client) sessionError(err error) error {
	if _, closed := errors.AsType[*CloseError](err); closed {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.writeErr != nil {
		return c.writeErr
	}
	return err
}

func (c *Client) readFrame() (protocol.Frame, error) {
	_, data, err := c.conn.ReadMessage()
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

// errEncode marks a request that could not be encoded; nothing was sent.
var errEncode = errors.New("request cannot be encoded")

// writeFrame encodes and sends one frame. After a failure other than errEncode the
// connection is unusable and the reader ends the session soon.
func (c *Client) writeFrame(op protocol.Op, id string, d any) error {
	data, err := protocol.EncodeRequest(op, id, d)
	if err != nil {
		return fmt.Errorf("%w: %w", errEncode, err)
	}
	c.writeMu.Lock()
	defer c.writeMu.Unlock()
	_ = c.conn.SetWriteDeadline(time.Now().Add(writeTimeout))
	if err := c.conn.WriteMessage(websocket.TextMessage, data); err != nil {
		err = fmt.Errorf("connection lost: %w", err)
		c.failWrite(err)
		return err
	}
	return nil
}

func isReply(op protocol.Op) bool {
	switch op {
	case protocol.OpAck, protocol.OpError, protocol.OpHeartbeatAck, protocol.OpReady:
		return true
	default:
		return false
	}
}

// handle deals with one frame: a reply, or an event.
func (c *Client) handle(f protocol.Frame) error {
	if isReply(f.Op) {
		c.reply(f)
		return nil
	}
	if f.S != 0 {
		if want := c.seen.Load() + 1; f.S != want {
			return fmt.Errorf("%w: event %d where %d was due", ErrProtocol, f.S, want)
		}
		c.seen.Store(f.S)
	}
	payload, err := eventPayload(f)
	if err != nil {
		return fmt.Errorf("%w: %s: %w", ErrProtocol, f.Op, err)
	}
	if servers, ok := payload.(*protocol.ICEServers); ok {
		c.iceServers.Store(&servers.ICEServers)
	}
	c.mu.Lock()
	call := c.call
	c.mu.Unlock()
	if call != nil {
		call.apply(payload)
	}
	c.events.put(Event{Op: f.Op, S: f.S, Payload: payload})
	return nil
}

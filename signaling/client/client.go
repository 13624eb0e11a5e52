package client

import (
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/mini-livechat/mini-livechat/signaling/protocol"
)

// Client is somebody who has identified: a session. Make one with Dial and end it with Close.
// When its connection breaks, the client comes back by itself, as PROTOCOL.md says: it resumes
// the session, or, where that is gone, identifies anew and joins its channel again. Its
// methods may be called from any goroutine.
type Client struct {
	// gateway is that of the node that has the session, nodes are the URLs of the others, and ticket is by which one goes on there; openedIn
	// is how long the link there took to open. The running goroutine's own.
	gateway  string
	nodes    []string
	ticket   string
	openedIn time.Duration
	token    string // the last one that was taken
	serving  *link
	moving   chan *arrival // brings the session at another node, or nil; nil while none is being made

	opts   Options
	log    *slog.Logger
	engine *Engine     // guarded by mu until it is set
	events *eventQueue // written by the running goroutine only

	ready atomic.Pointer[protocol.Ready]
	// resumeToken is that of READY or the last RESUMED; "" when there is nothing to resume.
	// The running goroutine's own.
	resumeToken string
	// reconnect is the server's wish for when the client comes back after the end of this link;
	// nil: none. The running goroutine's own.
	reconnect *protocol.Reconnect
	seen      atomic.Uint64 // number of the last event
	online    atomic.Bool   // there is a connection, and it has the session
	// iceServers are for the next call: READY's, or those of a later ICE_SERVERS.
	iceServers atomic.Pointer[[]protocol.ICEServer]
	done       chan struct{}  // closed when the session has ended
	wg         sync.WaitGroup // the running goroutine and calls; added to under mu, before err is set

	// sending is held while requests are written or kept, so that they leave in the order
	// of their ids on whatever link.
	sending sync.Mutex
	link    *link // nil while there is none; guarded by sending

	mu         sync.Mutex
	err        error               // why the session ended; guarded by mu
	nextID     uint64              // guarded by mu
	pending    map[string]*pending // requests without a reply; guarded by mu
	call       *Call               // from before its CHANNEL_JOIN until it ended; guarded by mu
	voice      protocol.VoiceState // what was last asked for; guarded by mu
	subscribed protocol.Subscribe  // likewise; guarded by mu
	watching   bool                // likewise, of presences; guarded by mu
}

func newClient(gateway string, opts Options) *Client {
	log := opts.Logger
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	return &Client{
		gateway: gateway,
		opts:    opts,
		log:     log,
		engine:  opts.Engine,
		events:  newEventQueue(opts.EventBuffer),
		done:    make(chan struct{}),
		pending: make(map[string]*pending),
	}
}

// Ready returns what the server said when the client last identified: who it is, the
// session and the server's limits. Its ICE servers are those of then; see ICEServers.
func (c *Client) Ready() protocol.Ready { return *c.ready.Load() }

// ICEServers returns how the server's TURN relay is reached, with the newest credentials.
// Join uses them by itself. The slice must not be changed.
func (c *Client) ICEServers() []protocol.ICEServer {
	if servers := c.iceServers.Load(); servers != nil {
		return *servers
	}
	return c.Ready().ICEServers
}

// UserID returns the token's subject.
func (c *Client) UserID() string { return c.Ready().UserID }

// Events returns the stream of events, closed when the session ends. It holds
// Options.EventBuffer of them; while it is full new events are discarded, and a Missed
// says how many. A client that never reads it misses nothing else.
func (c *Client) Events() <-chan Event { return c.events.ch }

// Done is closed when the client has ended for good; Err then says why.
func (c *Client) Done() <-chan struct{} { return c.done }

// Err returns why the client ended: ErrClosed, a *CloseError after which there is no coming
// back, or, with Options.NoReconnect, whatever broke the connection. It is nil while the
// client lasts, also when it has no connection for a while.
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

// Close ends the session, and the call if there is one, and returns when the server has heard
// of it, or a second later, and all goroutines of both have ended. The other members see the cause "gone"; call Leave first to leave
// politely. Closing twice is fine. The error is always nil.
func (c *Client) Close() error {
	c.end(ErrClosed)
	c.wg.Wait()
	return nil
}

// end ends the client with err unless it has ended already.
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

	c.sending.Lock()
	l := c.link
	c.link = nil
	c.sending.Unlock()
	if l != nil {
		if errors.Is(err, ErrClosed) { // after err is set, since the server's answer ends the link
			l.bye()
		} else {
			l.close() // wakes the running goroutine
		}
	}
	if call != nil {
		call.end(err)
	}
}

// heart sends a HEARTBEAT every interval on one link, the first after a random part of one,
// so that clients that came together do not beat together.
type heart struct {
	client *Client
	link   *link

	mu      sync.Mutex  // held while one is sent
	timer   *time.Timer // guarded by mu
	stopped bool        // guarded by mu
}

func (c *Client) newHeart(l *link) *heart {
	h := &heart{client: c, link: l}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.timer = time.AfterFunc(rand.N(l.heartbeatInterval()), h.beat) //nolint:gosec // spreads load, hides nothing
	return h
}

func (h *heart) beat() {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.stopped {
		return
	}
	if h.link.ask(protocol.OpHeartbeat, protocol.Heartbeat{S: h.client.seen.Load()}) == nil { // else the reader finds out
		h.timer.Reset(h.link.heartbeatInterval())
	}
}

// stop returns when none is sent any more.
func (h *heart) stop() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.stopped = true
	h.timer.Stop()
}

// serve handles every frame until the link ends, and returns why it did.
func (c *Client) serve(l *link) error {
	c.serving = l
	beating := c.newHeart(l)
	defer beating.stop()
	defer l.close()
	for {
		l.extendReadDeadline()
		f, err := l.read()
		if err == nil {
			err = c.handle(f)
		}
		if err != nil {
			return l.cause(err)
		}
	}
}

// errEncode marks a request that could not be encoded; nothing was sent.
var errEncode = errors.New("request cannot be encoded")

func isReply(op protocol.Op) bool {
	switch op {
	case protocol.OpAck, protocol.OpError, protocol.OpHeartbeatAck, protocol.OpReady, protocol.OpResumed,
		protocol.OpFloorPong:
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
	switch d := payload.(type) {
	case *protocol.ICEServers:
		c.iceServers.Store(&d.ICEServers)
	case *protocol.Reconnect:
		if d.URL != "" {
			c.move(c.serving, d)
		} else {
			c.reconnect = d
		}
	case *protocol.PlaybackWanted:
		c.tellPlayback(d)
	case *protocol.Alive:
		if c.learn(d.Nodes, d.Rejoin); d.Alone == nil {
			return nil
		}
	default:
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

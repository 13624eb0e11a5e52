package signaling

import (
	"context"
	"math"
	"net/http"
	"net/netip"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gorilla/websocket"
	"go.uber.org/zap"

	"github.com/mini-livechat/mini-livechat/sfu"
	"github.com/mini-livechat/mini-livechat/sfu/bounded"
	"github.com/mini-livechat/mini-livechat/sfu/floor"
	"github.com/mini-livechat/mini-livechat/signaling/admission"
	"github.com/mini-livechat/mini-livechat/signaling/arbiter"
	"github.com/mini-livechat/mini-livechat/signaling/auth"
	"github.com/mini-livechat/mini-livechat/signaling/cluster"
	"github.com/mini-livechat/mini-livechat/signaling/mirror"
	"github.com/mini-livechat/mini-livechat/signaling/names"
	"github.com/mini-livechat/mini-livechat/signaling/people"
	"github.com/mini-livechat/mini-livechat/signaling/protocol"
	"github.com/mini-livechat/mini-livechat/signaling/store"
	"github.com/mini-livechat/mini-livechat/signaling/tally"
	"github.com/mini-livechat/mini-livechat/signaling/why"
)

// readBuffer is a WebSocket's, in bytes: a request that is no offer fits into it.
const readBuffer = 1 << 10

// fewStrangers is how many connections may wait to identify even on the smallest server. Elsewhere it is a quarter of all that
// there may be: then the one that has waited for longest gives way, so that whoever just opens connections keeps nobody out.
const fewStrangers = 16

// cutGrace is how long sessions may take to end once their sockets are closed: nothing of that
// waits for the network.
const cutGrace = 2 * time.Second

// Config is what a Gateway needs to know. Every field must be set unless it says
// otherwise.
type Config struct {
	// Server names this software in HELLO.
	Server string
	// HeartbeatInterval is how often clients have to send HEARTBEAT; the server pings as often.
	HeartbeatInterval time.Duration
	// ZombieTimeout is how long a session or media path may show no sign of life.
	ZombieTimeout time.Duration
	// ReaperInterval is how often zombies and idle channels are looked for.
	ReaperInterval time.Duration
	// ChannelIdle is how long a channel of a guest may be empty before it is deleted.
	ChannelIdle time.Duration
	// IdentifyTimeout is how long a connection may be anonymous.
	IdentifyTimeout time.Duration
	// ResumeWindow is how long a session waits for its client after its connection broke. 0: it
	// ends with the connection.
	ResumeWindow time.Duration
	// WriteTimeout is how long one frame may take to leave.
	WriteTimeout time.Duration
	// EgressQueue is how many frames, and EgressBytes how many bytes, may wait for one client.
	EgressQueue, EgressBytes int
	// MaxSessions is how many WebSockets may be open, identified or not.
	MaxSessions int
	// MessageLength is the longest text message, in code points.
	MessageLength int
	// Admission has all limits on what clients may do too often.
	Admission *admission.Book
	// Proxies are believed where a request comes from.
	Proxies admission.Proxies
	// ChannelCapacity is the most members a channel may have, MaxChannels the most
	// channels there may be.
	ChannelCapacity, MaxChannels int
	// ChannelsPerUser is the most channels one user may have made, ChannelsPerGuest one guest;
	// admins are excepted.
	ChannelsPerUser, ChannelsPerGuest int
	// Presets are the channels that exist from the start and stay.
	Presets []sfu.ChannelSpec
	// Floor is how the floor is given in channels that say nothing else.
	Floor floor.Config
	// Slots is the most recvonly lines an offer may have.
	Slots int
	// MediaAddrs are the addresses at which a client reaches the media port, the preferred
	// first. It may be called from any goroutine.
	MediaAddrs func(Arrival) []netip.AddrPort
	// Relay is the TURN server. Nil: there is none.
	Relay Relay
	// Store is what outlives the process.
	Store *store.Store
	// NoGuests: nobody is let in as a guest, though their token is good.
	NoGuests bool
	// People are those whom the store remembers.
	People *people.People
	// Keep says how much of a channel's chat is kept where the channel does not say so itself.
	Keep store.Limits
	// Observer is told what is to be counted. Nil: nobody.
	Observer Observer
	// Tally counts refusals, evictions and the like. Nil: nothing is counted.
	Tally *tally.Tally
	// Nodes are those that are one server with this one. Nil: it is alone. Voices, Hush and Wants are as in sfu.HubConfig.
	Nodes Nodes
	// Refuges returns the URLs of the nodes where people go on when this one is gone, sorted. Nil: those of Nodes.
	Refuges func() []string
	Voices  func(node, channelID, userID string) sfu.Voice
	Hush    func(node, channelID, userID string)
	Wants   func(channelID string, slots int, pins []string)
	// Links are those of this node to others, as an operator is shown them. Nil: there are none.
	Links func() []protocol.AdminLink
	// Ways says what is known of the way of somebody's voice to or from another node. Nil: nothing.
	Ways func(node cluster.NodeID, channelID, userID string, now time.Time) why.End
}

// Gateway accepts WebSockets, runs a Conn on each, and has the Sessions. Which web pages may
// connect is for httpapi.Sites to decide, before. Safe for concurrent use.
type Gateway struct {
	cfg      Config
	log      *zap.Logger
	auth     *auth.Authority
	users    *UserHub
	channels *sfu.ChannelHub
	answer   sfu.Answer
	peers    *sfu.MediaPeerHub
	journal  *journal
	upgrader websocket.Upgrader
	list     channelLists
	lookout  *lookout
	others   *others // nil: there are no other nodes
	traces   traces
	looks    looks
	// administering is held while a channel is made, changed or deleted and the store told; before ChannelHub.mu.
	administering sync.Mutex
	// followed is what other nodes decided.
	followed followed
	// amnesia: the channels that are remembered could not be read yet.
	amnesia atomic.Bool
	relayed relayed
	// strangers are the connections that have not identified.
	strangers *bounded.Line[*Conn]
	kicked    kicked
	tickets   usedTickets
	// seen remembers that somebody was here until now.
	seen func(userID string)

	// draining: nobody new is let in; see Drain.
	draining atomic.Bool
	// ending: Shutdown has begun, and nobody is told any more of others who go.
	ending atomic.Bool

	mu      sync.Mutex // guards the fields below
	conns   map[*Conn]struct{}
	closed  bool
	running sync.WaitGroup // one for each Conn and each Session
}

// NewGateway returns a Gateway with the preset channels. What answer makes is closed when
// Shutdown has returned.
func NewGateway(cfg Config, authority *auth.Authority, answer sfu.Answer, log *zap.Logger) (*Gateway, error) {
	if cfg.Relay == nil {
		cfg.Relay = noRelay{}
	}
	if cfg.Observer == nil {
		cfg.Observer = unobserved{}
	}
	g := &Gateway{
		cfg: cfg, log: log, auth: authority, answer: answer,
		users: NewUserHub(), followed: followed{wake: make(chan struct{}, 1)},
		conns: make(map[*Conn]struct{}), strangers: bounded.NewLine[*Conn](max(cfg.MaxSessions/4, fewStrangers)),
	}
	g.upgrader = websocket.Upgrader{
		HandshakeTimeout: cfg.WriteTimeout,
		ReadBufferSize:   readBuffer, // its own: what comes through the other is not metered
		WriteBufferPool:  new(sync.Pool),
		// httpapi.Sites has decided that (RFC 6455, section 10.2), with words.
		CheckOrigin: func(*http.Request) bool { return true },
	}
	g.lookout = newLookout(g)
	g.journal = &journal{log: log, tally: cfg.Tally, observer: cfg.Observer, ended: g.noteMediaEnd}
	g.peers = sfu.NewMediaPeerHub(g.journal)
	hub := sfu.HubConfig{
		Limits:   sfu.ChannelLimits{Capacity: cfg.ChannelCapacity, Channels: cfg.MaxChannels},
		NameKeys: names.Keys, Floor: cfg.Floor,
		Answer: answer, Peers: g.peers, Notifier: &notifier{gw: g}, Journal: g.journal,
		Voices: cfg.Voices, Hush: cfg.Hush, Wants: cfg.Wants,
	}
	if cfg.Nodes != nil {
		g.others = &others{gw: g, nodes: cfg.Nodes}
		g.others.mirror = mirror.New(cfg.Nodes, g.others, time.Now)
		g.others.floors = arbiter.New(cfg.Nodes, time.Now)
		hub.Spread, hub.Floors = g.others.mirror, g.others.floors
	}
	g.channels = sfu.NewChannelHub(hub)
	if cfg.Store.Shared() {
		cfg.Store.Follow(g.hearMessage)
		cfg.Store.Follow(g.followed.follows) // before the channels are read: what comes in between is carried out after
	}
	if err := g.restoreChannels(context.Background(), time.Now()); err != nil {
		return nil, err
	}
	g.seen = remembering(cfg.People)
	cfg.People.Watch(g.follow)
	if err := g.others.start(); err != nil {
		return nil, err
	}
	return g, nil
}

// now returns what time it is, for what is dated and compared with a date. What only lasts goes by the monotonic clock.
func (g *Gateway) now() time.Time { return g.cfg.Store.Now() }

// ServeHTTP upgrades the connection, which lives on when it has returned: while a request is
// served, net/http holds two buffers of 4 KiB, its header and a deep stack for it.
func (g *Gateway) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !websocket.IsWebSocketUpgrade(r) {
		http.Error(w, "this is the WebSocket endpoint: connect with ws:// or wss://", http.StatusUpgradeRequired)
		return
	}
	c := newConn(g, arrivalOf(r, g.cfg.Proxies))
	if wait := g.hold(c); wait > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(int(math.Ceil(wait.Seconds()))))
		http.Error(w, "too many connections from your address", http.StatusTooManyRequests)
		return
	}
	if refusal := g.add(c); refusal != "" {
		g.cfg.Admission.Release(c.via.Network)
		http.Error(w, refusal, http.StatusServiceUnavailable)
		return
	}
	ws, err := g.upgrader.Upgrade(meteredWriter{w, c}, r, nil)
	if err != nil {
		// Upgrade has answered.
		g.log.Debug("upgrade refused", zap.String("remote", r.RemoteAddr), zap.Error(err))
		g.remove(c)
		return
	}
	ctx := context.WithoutCancel(r.Context())
	go func() {
		defer g.remove(c)
		c.guard("connection", func() { c.run(ctx, ws) })
	}()
}

// Shutdown ends every connection and session with CloseRestarting, refuses new ones, and
// returns when all have cleaned up or ctx is done.
func (g *Gateway) Shutdown(ctx context.Context) error {
	g.draining.Store(true)
	g.ending.Store(true)
	g.mu.Lock()
	g.closed = true
	for c := range g.conns {
		c.close(protocol.CloseRestarting)
	}
	g.mu.Unlock()
	for _, s := range g.users.All() {
		s.end(protocol.CloseRestarting)
	}
	defer g.others.close()
	done := make(chan struct{})
	go func() {
		g.running.Wait()
		close(done)
	}()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
	}
	// Who does not read what it is told cannot be told more.
	g.mu.Lock()
	for c := range g.conns {
		c.cut()
	}
	g.mu.Unlock()
	grace := time.NewTimer(cutGrace)
	defer grace.Stop()
	select {
	case <-done:
		return nil
	case <-grace.C:
		return ctx.Err()
	}
}

// hold has a connection counted by its address, or returns how long it has to wait.
func (g *Gateway) hold(c *Conn) (wait time.Duration) {
	from := admission.Caller{Network: c.via.Network}
	wait = g.cfg.Admission.Allow(time.Now(), from, admission.Charge{Kind: admission.Connect, Cost: 1})
	if wait == 0 && !g.cfg.Admission.Hold(c.via.Network) {
		wait = heldPause
	}
	if wait > 0 {
		g.cfg.Tally.Count("connection_address_limited")
	}
	return wait
}

// heldPause is how long who has too many connections is told to wait: until one may have ended.
const heldPause = 10 * time.Second

// add notes a new connection, or says why there can be none.
func (g *Gateway) add(c *Conn) (refusal string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed {
		return "the server is going"
	}
	if len(g.conns) >= g.cfg.MaxSessions {
		g.cfg.Tally.Count("connection_no_room")
		return "the server has no room for another connection"
	}
	g.conns[c] = struct{}{}
	g.strangers.Enter(c, func() {
		g.cfg.Tally.Count("connection_gave_way")
		c.closeBecause(protocol.CloseNotAuthenticated, "too many wait to identify")
	})
	g.running.Add(1)
	return ""
}

func (g *Gateway) remove(c *Conn) {
	g.strangers.Leave(c)
	g.cfg.Admission.Release(c.via.Network)
	g.mu.Lock()
	delete(g.conns, c)
	g.mu.Unlock()
	g.running.Done()
}

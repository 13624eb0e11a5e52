package turn

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pion/logging"
	"github.com/pion/stun/v4"
	"github.com/pion/turn/v5"

	"github.com/mini-livechat/mini-livechat/sfu/bounded"
)

const (
	// DefaultTTL is how long credentials may start something.
	DefaultTTL = 10 * time.Minute
	// DefaultAllocationsPerSession is the most allocations of one session: a browser makes
	// one for every network interface and TURN URL, and twice that while it reconnects.
	DefaultAllocationsPerSession = 24
	// DefaultAllocations is the most allocations altogether. Each costs a socket and
	// about 16 KiB.
	DefaultAllocations = 4000
	// DefaultBytesPerSecond is the most that is relayed for one session, both directions
	// together: 32 voices of 64 kbit/s with all headers need two thirds of it.
	DefaultBytesPerSecond = 512 << 10

	// maxIdleConns is the most TCP connections without an allocation. Each may hold a
	// partial message of maxMessage bytes.
	maxIdleConns = 1000
	// maxChannels is the most channel bindings of one allocation (RFC 8656, section 12):
	// there is one peer, and a client may change its mind a few times.
	maxChannels = 16
)

// Config is what a Server needs. Media and one socket are required.
type Config struct {
	// Media is where this machine reaches the media port, at most one address of each
	// family. Relays lead there and nowhere else.
	Media []netip.AddrPort
	// PacketConns are UDP sockets and Listeners TCP or TLS ones on which TURN is spoken.
	// The Server closes them.
	PacketConns []net.PacketConn
	Listeners   []net.Listener

	// TTL is how long credentials may start something. Zero: DefaultTTL.
	TTL time.Duration
	// AllocationsPerSession and Allocations are the most at a time. Zero: the defaults.
	AllocationsPerSession, Allocations int
	// BytesPerSecond is the most that is relayed for one session. Zero: the default.
	BytesPerSecond int

	// OnAcceptError is told why a connection could not be accepted, each time it is tried in
	// vain. It may be called from any goroutine. Nil: nobody is told.
	OnAcceptError func(error)

	// Set by tests only.
	idleConns   int
	idleTimeout time.Duration
}

// Errors of Config.
var (
	errNoSocket = errors.New("turn: no socket to listen on")
	errMedia    = errors.New("turn: needs one or two addresses of the media port, each in a family of its own")
)

// withDefaults returns the configuration with its zero values filled in.
func (c Config) withDefaults() (Config, error) {
	if len(c.PacketConns)+len(c.Listeners) == 0 {
		return c, errNoSocket
	}
	if len(c.Media) == 0 || len(c.Media) > 2 || len(c.Media) == 2 && c.Media[0].Addr().Is4() == c.Media[1].Addr().Is4() {
		return c, errMedia
	}
	for _, addr := range c.Media {
		if !addr.IsValid() || addr.Addr().Is4In6() || addr.Addr().IsUnspecified() || addr.Port() == 0 {
			return c, fmt.Errorf("%w: %v", errMedia, addr)
		}
	}
	orDefault := func(n *int, def int) {
		if *n <= 0 {
			*n = def
		}
	}
	if c.TTL <= 0 {
		c.TTL = DefaultTTL
	}
	if c.idleTimeout <= 0 {
		c.idleTimeout = allocateTimeout
	}
	orDefault(&c.idleConns, maxIdleConns)
	orDefault(&c.AllocationsPerSession, DefaultAllocationsPerSession)
	orDefault(&c.Allocations, DefaultAllocations)
	orDefault(&c.BytesPerSecond, DefaultBytesPerSecond)
	return c, nil
}

// Stats counts what the server did since its start, Allocations excepted, which is how
// many there are now.
type Stats struct {
	Allocations int
	// Refused are packets and permissions for anything but the media port; Quota the
	// allocations refused over a quota; Throttled the packets over a session's rate.
	Refused, Quota, Throttled int64
	// Withheld are replies to strangers that would have outweighed their requests; Noise
	// datagrams that were not TURN; Crowded connections that gave way to newer ones.
	Withheld, Noise, Crowded int64
}

type counters struct{ refused, quota, throttled, withheld, noise, crowded atomic.Int64 }

// Server is a running TURN server.
type Server struct {
	cfg      Config
	minter   minter
	sessions *sessions
	streams  *streams
	stat     *counters
	pion     *turn.Server
	close    func() error
}

// New starts a server on the sockets of cfg. On an error they are left open.
func New(cfg Config) (*Server, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	s := &Server{cfg: cfg, minter: newMinter(), sessions: newSessions(cfg), stat: &counters{}}
	s.streams = &streams{
		timeout: cfg.idleTimeout, stat: s.stat, idle: bounded.NewLine[*stream](cfg.idleConns), conns: make(map[tuple]*stream),
	}
	s.close = sync.OnceValue(s.shutDown)

	relays := &generator{media: cfg.Media, sessions: s.sessions, stat: s.stat}
	config := turn.ServerConfig{
		Realm: realm, LoggerFactory: quietLogs(), AuthHandler: s.authenticate,
		QuotaHandler: s.withinQuota,
		// RFC 8656, section 7.2: without REQUESTED-ADDRESS-FAMILY an allocation is of IPv4. pion
		// by itself makes it of the family that the client came by, which is of more use, but
		// not where the media port has no IPv6.
		StrictAddressFamily: !slices.ContainsFunc(cfg.Media, func(a netip.AddrPort) bool { return a.Addr().Is6() }),
		EventHandler: turn.EventHandler{
			OnAllocationCreated: func(src, dst net.Addr, _, _, _ string, _ net.Addr, _ int) {
				s.streams.allocated(src, dst, +1)
			},
			OnAllocationDeleted: func(src, dst net.Addr, _, _, _ string) { s.streams.allocated(src, dst, -1) },
			OnChannelCreated: func(_, _ net.Addr, _, session, _ string, relayed, _ net.Addr, _ uint16) {
				s.sessions.channelCreated(session, relayed)
			},
		},
	}
	replies := newBudget()
	for _, conn := range cfg.PacketConns {
		config.PacketConnConfigs = append(config.PacketConnConfigs, turn.PacketConnConfig{
			PacketConn:            &guarded{PacketConn: conn, budget: replies, stat: s.stat},
			RelayAddressGenerator: relays, PermissionHandler: relays.permits,
		})
	}
	for _, l := range cfg.Listeners {
		config.ListenerConfigs = append(config.ListenerConfigs, turn.ListenerConfig{
			Listener:              &acceptor{Listener: l, streams: s.streams, failed: cfg.OnAcceptError},
			RelayAddressGenerator: relays, PermissionHandler: relays.permits,
		})
	}
	if s.pion, err = turn.NewServer(config); err != nil {
		return nil, fmt.Errorf("start the TURN server: %w", err)
	}
	return s, nil
}

// Admit makes the session live until Revoke. at are the addresses by which its client knows
// the media port, IPv4 not mapped into IPv6; of each family the first is the one that its
// relays lead to. Admitting it again replaces them, for allocations to come.
func (s *Server) Admit(session string, at []netip.AddrPort) { s.sessions.enter(session, at) }

// Mint returns credentials for the session, which are good for the configured TTL from now
// on, while the session is live.
func (s *Server) Mint(session string, now time.Time) Credentials {
	return s.minter.mint(session, now.Add(s.cfg.TTL))
}

// Revoke ends the session: its credentials are worth nothing from now on, and its
// allocations are closed when Revoke returns.
func (s *Server) Revoke(session string) { s.sessions.end(session) }

// Stats returns the present counts.
func (s *Server) Stats() Stats {
	return Stats{
		Allocations: s.sessions.count(),
		Refused:     s.stat.refused.Load(), Quota: s.stat.quota.Load(), Throttled: s.stat.throttled.Load(),
		Withheld: s.stat.withheld.Load(), Noise: s.stat.noise.Load(), Crowded: s.stat.crowded.Load(),
	}
}

// Close closes the sockets, all connections and all allocations. Closing twice is fine.
func (s *Server) Close() error { return s.close() }

func (s *Server) shutDown() error {
	err := s.pion.Close()
	s.sessions.endAll()
	s.streams.close()
	if err != nil {
		return fmt.Errorf("close the TURN server: %w", err)
	}
	return nil
}

// authenticate returns the key (RFC 8489, section 9.2.2) that a request has to be made
// with. pion asks for every request but Send, which needs a permission made by one of these.
func (s *Server) authenticate(r *turn.RequestAttributes) (userID string, key []byte, ok bool) {
	session, expires, ok := parseUsername(r.Username)
	if !ok || r.Realm != realm {
		return "", nil, false
	}
	now := time.Now()
	switch r.Method {
	case stun.MethodAllocate:
		ok = s.sessions.mayStart(session, expires, now)
	case stun.MethodRefresh, stun.MethodCreatePermission, stun.MethodChannelBind:
		ok = s.sessions.mayKeep(session, expires, now)
	default:
		ok = false
	}
	if !ok {
		return "", nil, false
	}
	return session, turn.GenerateAuthKey(r.Username, realm, s.minter.password(r.Username)), true
}

func (s *Server) withinQuota(session, _ string, _ net.Addr) bool {
	if s.sessions.room(session) {
		return true
	}
	s.stat.quota.Add(1)
	return false
}

// quietLogs turns pion's log off: what matters is counted.
func quietLogs() logging.LoggerFactory {
	factory := logging.NewDefaultLoggerFactory()
	factory.DefaultLogLevel = logging.LogLevelDisabled
	factory.ScopeLevels = map[string]logging.LogLevel{}
	return factory
}

// Package peer turns one SDP offer into one connection: it checks the offer, writes the
// answer, and hands the rest of the SFU a Source (what the client says) and Slots (what
// the client hears) that know nothing of WebRTC. Sockets, ICE, DTLS and SRTP are wire's;
// this package joins them to forward, and speaks RTCP.
//
// A Factory is made once per process; its methods may be called from any goroutine, and
// so may a Peer's.
package peer

import (
	"context"
	"fmt"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/mini-livechat/mini-livechat/sfu/wire"
)

// Config says where media is received and what is told of it.
type Config struct {
	// Listen is the UDP address for media. Port 0 takes any free one, no address all.
	Listen netip.AddrPort
	// MaxSlots is the most recvonly lines an offer may have, 1 to 32.
	MaxSlots int
	// MaxSDPBytes is the largest offer that is parsed.
	MaxSDPBytes int
	// ReportInterval is the time between two RTCP reports to a client; 0 means 5 s.
	ReportInterval time.Duration
	// ConnectTimeout is how long a client may take from its first check until media can flow;
	// 0 means 30 s.
	ConnectTimeout time.Duration
	// Observer is told what is to be counted. Nil: nobody.
	Observer Observer
	// OnPanic is told of a panic while a client's packet was handled; that client's
	// connection ends with ErrPanic. Nil: the panic goes on.
	OnPanic func(value any, stack []byte)
}

// Factory answers offers on one UDP port. Safe for concurrent use.
type Factory struct {
	cfg    Config
	engine *wire.Engine
	lastID atomic.Uint64

	stop    context.CancelFunc
	running sync.WaitGroup

	mu     sync.Mutex // guards the fields below
	peers  map[uint64]*Peer
	closed bool
	// totals are of the connections that were removed.
	totals Totals
}

// NewFactory opens the media port. The caller must Close
// it after every Peer it made.
func NewFactory(cfg Config) (*Factory, error) {
	if cfg.ReportInterval <= 0 {
		cfg.ReportInterval = defaultReportInterval
	}
	if cfg.Observer == nil {
		cfg.Observer = unobserved{}
	}
	listen := cfg.Listen
	if !listen.Addr().IsValid() {
		listen = netip.AddrPortFrom(netip.IPv6Unspecified(), listen.Port())
	}
	f := &Factory{cfg: cfg, peers: make(map[uint64]*Peer)}
	engine, err := wire.Listen(wire.Config{
		Addrs:          []netip.AddrPort{listen},
		ConnectTimeout: cfg.ConnectTimeout,
		Intake:         intake,
		OnPanic: func(endpoint *wire.Endpoint, value any, stack []byte) {
			f.panicked(value, stack)
			f.endOf(endpoint)
		},
	})
	if err != nil {
		return nil, fmt.Errorf("open the media port: %w", err)
	}
	ctx, stop := context.WithCancel(context.Background())
	f.engine, f.stop = engine, stop
	f.running.Go(func() { f.runReports(ctx) })
	return f, nil
}

// Addr returns the media port's address.
func (f *Factory) Addr() netip.AddrPort { return f.engine.LocalAddrs()[0] }

// Engine is the media port itself, for links to other servers.
func (f *Factory) Engine() *wire.Engine { return f.engine }

// Stats returns what was counted of the media port.
func (f *Factory) Stats() wire.Stats { return f.engine.Stats() }

// Mapped asks a STUN server, from the media port, at which address it sees that port. It
// takes until ctx is done, at most 40 s.
func (f *Factory) Mapped(ctx context.Context, server netip.AddrPort) (netip.AddrPort, error) {
	return f.engine.Mapped(ctx, server)
}

// Close closes the media port.
func (f *Factory) Close() error {
	f.mu.Lock()
	f.closed = true
	f.mu.Unlock()
	f.stop()
	f.running.Wait()
	return f.engine.Close()
}

func (f *Factory) add(p *Peer) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.peers[p.id] = p
}

// remove forgets a peer, but for what was counted of it.
func (f *Factory) remove(p *Peer) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.peers, p.id)
	f.totals.add(p)
}

package wire

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/pion/dtls/v3/pkg/crypto/selfsign"
	"github.com/pion/logging"

	"github.com/mini-livechat/mini-livechat/sfu/bounded"
)

// Engine is the media port: its sockets, the loops on them, and who is behind which address.
type Engine struct {
	cfg     Config
	start   time.Time
	groups  []*socketGroup
	lanes   []*lane
	table   table
	logins  logins
	strays  strays
	shaking *bounded.Line[*association]
	queries queries
	// fingerprint is of cfg.Certificate.
	fingerprint string
	logs        logging.LoggerFactory
	stat        engineCounters

	closing   atomic.Bool
	closeOnce sync.Once
	stop      chan struct{} // closed by Close; ends the lanes
	running   sync.WaitGroup
}

// socketGroup is one listen address and the sockets bound to it, between which the kernel spreads the flows: what Linux
// calls a reuseport group.
type socketGroup struct {
	index int
	addr  netip.AddrPort // as bound
	socks []*socket
}

// reaches reports whether packets to a remote address can leave by this group.
func (g *socketGroup) reaches(remote netip.Addr) bool {
	if remote.Is4() {
		return g.addr.Addr().Is4() || g.dual()
	}
	return g.addr.Addr().Is6()
}

// dual reports whether the sockets take IPv4 beside IPv6.
func (g *socketGroup) dual() bool { return g.addr.Addr().Is6() && g.addr.Addr().IsUnspecified() }

// Listen opens the sockets and starts the loops.
func Listen(cfg Config) (*Engine, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	cfg = cfg.withDefaults()
	e := &Engine{
		cfg: cfg, start: time.Now(), stop: make(chan struct{}),
		logins: logins{names: make(map[string]login)}, logs: noLogs(),
		shaking: bounded.NewLine[*association](cfg.MaxHandshakes),
	}
	if err := e.certify(); err != nil {
		return nil, err
	}
	if err := free(e.cfg.Addrs); err != nil {
		return nil, err
	}
	port := uint16(0)
	for i, a := range e.cfg.Addrs {
		if a.Port() == 0 {
			a = netip.AddrPortFrom(a.Addr(), port)
		}
		g, err := listen(i, a, e.cfg.Loops)
		if errors.Is(err, syscall.EAFNOSUPPORT) && a.Addr() == netip.IPv6Unspecified() { // a host without IPv6
			g, err = listen(i, netip.AddrPortFrom(netip.IPv4Unspecified(), a.Port()), e.cfg.Loops)
		}
		if err != nil {
			e.closeSockets()
			return nil, fmt.Errorf("wire: listening on %v: %w", a, err)
		}
		port = g.addr.Port()
		e.groups = append(e.groups, g)
	}
	for i := range e.cfg.Lanes {
		e.lanes = append(e.lanes, e.newLane(i))
	}
	for _, g := range e.groups {
		for i, s := range g.socks {
			lp := &loop{engine: e, group: g, sock: s, in: newRecvVec(), out: e.newBatch(i)}
			if i < len(e.lanes) {
				e.lanes[i].loops = append(e.lanes[i].loops, lp)
			}
			e.running.Go(lp.run)
		}
	}
	for _, ln := range e.lanes {
		e.running.Go(func() { ln.run(e.stop) })
	}
	e.running.Go(e.sweepLoop)
	return e, nil
}

// free reports whether nobody else has one of the addresses: SO_REUSEPORT would share the port with another server of
// the same user, each getting half of the packets. It looks before we have one ourselves.
func free(addrs []netip.AddrPort) error {
	for _, a := range addrs {
		if !reusePort || a.Port() == 0 {
			continue
		}
		probe, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(a))
		if err == nil {
			err = probe.Close()
		}
		if err != nil && !errors.Is(err, syscall.EAFNOSUPPORT) { // which is for listen to judge
			return fmt.Errorf("wire: listening on %v: %w", a, err)
		}
	}
	return nil
}

func listen(index int, addr netip.AddrPort, sockets int) (*socketGroup, error) {
	g := &socketGroup{index: index}
	for range sockets {
		s, bound, err := openSocket(addr)
		if err != nil {
			for _, s := range g.socks {
				s.close()
			}
			return nil, err
		}
		addr = bound // the first socket may have picked the port
		g.socks = append(g.socks, s)
	}
	g.addr = addr
	return g, nil
}

// certify makes the DTLS certificate, if none is configured, and its fingerprint.
func (e *Engine) certify() error {
	if len(e.cfg.Certificate.Certificate) == 0 {
		cert, err := selfsign.GenerateSelfSigned() // ECDSA, P-256
		if err != nil {
			return fmt.Errorf("wire: making a certificate: %w", err)
		}
		e.cfg.Certificate = cert
	}
	var err error
	e.fingerprint, err = fingerprintOf(&e.cfg.Certificate)
	return err
}

// Fingerprint is our certificate's, as the value of a=fingerprint (RFC 8122).
func (e *Engine) Fingerprint() string { return e.fingerprint }

// LocalAddrs are the addresses the sockets are bound to, in the order of Config.Addrs.
func (e *Engine) LocalAddrs() []netip.AddrPort {
	out := make([]netip.AddrPort, len(e.groups))
	for i, g := range e.groups {
		out[i] = g.addr
	}
	return out
}

// Close stops the loops and lanes, waits for them and closes the sockets. It must not be called by a Receiver or Job.
func (e *Engine) Close() error {
	e.closeOnce.Do(func() {
		e.closing.Store(true)
		close(e.stop)
		for _, ep := range e.logins.close() {
			ep.Close()
		}
		for _, g := range e.groups {
			for _, s := range g.socks {
				s.wake()
			}
		}
		e.running.Wait()
		for _, ln := range e.lanes { // what a loop deferred at the last moment
			ln.dropAll()
		}
		e.closeSockets()
	})
	return nil
}

func (e *Engine) closeSockets() {
	for _, g := range e.groups {
		for _, s := range g.socks {
			s.close()
		}
	}
}

// loop works off what comes to one socket. Its own goroutine waits for packets; a lane that is at work lends a hand,
// because Go asks its poller only every 10 ms while every processor has a goroutine to run.
type loop struct {
	engine *Engine
	group  *socketGroup
	sock   *socket

	mu  sync.Mutex // makes a turn one goroutine's; guards in and out
	in  *recvVec
	out *Batch
}

// run takes turns until the engine closes.
func (l *loop) run() {
	turn := l.turn
	for {
		err := l.sock.wait(turn)
		if l.engine.closing.Load() {
			return
		}
		if err != nil {
			l.engine.stat.readErrors.Add(1)
			time.Sleep(readErrorPause)
		}
	}
}

func (l *loop) turn() (bool, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.turnLocked()
}

// lend takes a turn if nobody else does. It never waits.
func (l *loop) lend() {
	if !l.mu.TryLock() { // which fails where read waits for packets, with mu held
		return
	}
	defer l.mu.Unlock()
	_, _ = l.turnLocked() // an error comes again when it is run's turn
}

// turnLocked reads a batch and works each packet to its end: it is decrypted, handed over and encrypted for its
// listeners before the next one is looked at, and all that came of the batch leaves at its end. It reports whether there
// was anything.
func (l *loop) turnLocked() (bool, error) {
	e := l.engine
	n, err := l.sock.read(l.in)
	if n == 0 || err != nil {
		return false, err
	}
	now := time.Now()
	l.out.budget = turnBudget
	for i := range n {
		packet, from, ok := l.in.packet(i)
		if !ok {
			e.stat.truncated.Add(1)
			continue
		}
		l.handle(packet, from, i, now)
	}
	l.out.Flush()
	e.stat.reads.Add(1)
	e.stat.received.Add(int64(n))
	return true, nil
}

// handle works off packet i of the last read.
func (l *loop) handle(packet []byte, from netip.AddrPort, i int, now time.Time) {
	e := l.engine
	k := classify(packet)
	switch k {
	case kindUnknown:
		e.stat.unknown.Add(1)
		return
	case kindSTUN:
		l.check(packet, from, l.in.local(i), now)
		return
	case kindRTP, kindRTCP, kindDTLS:
	}
	ep := e.table.lookup(flow{from, l.group.index})
	if ep == nil || ep.given && k == kindDTLS { // no peer has proved by a check that it is there
		if k != kindRTP || !l.stray(packet, from, now) {
			e.stat.unbound.Add(1)
		}
		return
	}
	if k == kindDTLS {
		ep.onDTLS(l.group, packet, from, l.in.local(i), now)
		return
	}
	l.deliver(ep, k, packet, now)
}

// rescue is deferred around what is called of a Receiver or a Job, which is then without an endpoint. A panic there ends
// the endpoint or the job, not the server, if somebody wants to be told.
func (e *Engine) rescue(ep *Endpoint) {
	if e.cfg.OnPanic == nil {
		return
	}
	if v := recover(); v != nil {
		e.stat.panics.Add(1)
		if ep != nil {
			ep.Close()
		}
		e.cfg.OnPanic(ep, v, debug.Stack())
	}
}

// deliver gives a packet to its endpoint, and reports whether it was an authentic one.
func (l *loop) deliver(ep *Endpoint, k kind, packet []byte, now time.Time) bool {
	defer l.engine.rescue(ep)
	if k == kindRTCP {
		return ep.onRTCP(l.out, packet, now)
	}
	return ep.onRTP(l.out, packet, now)
}

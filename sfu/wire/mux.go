package wire

import (
	"io"
	"net"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/pion/ice/v4"
)

// mux hands STUN, DTLS and SRTCP to pion's ICE agents. A binding request goes to the agent whose username fragment it
// names, everything else to the agent that last wrote to the address it comes from. (pion's own mux goes by address
// first; then a new peer at a known address, such as a client started anew on its port, talks to the old one's agent.)
type mux struct {
	engine *Engine
	bufs   sync.Pool // of *muxPacket

	mu     sync.RWMutex // guards all below
	closed bool
	names  map[muxName]*muxConn
	addrs  map[flow]*muxConn
}

// muxName is one local candidate kind of an agent: pion keeps IPv4 and IPv6 apart.
type muxName struct {
	ufrag    string
	listener int
	v6       bool
}

type muxPacket struct {
	n    int
	from netip.AddrPort
	data [packetBuffer]byte
}

var (
	_ ice.UDPMux               = (*mux)(nil)
	_ ice.AddrPortReaderWriter = (*muxHandle)(nil)
)

func newMux(e *Engine) *mux {
	return &mux{
		engine: e,
		bufs:   sync.Pool{New: func() any { return new(muxPacket) }},
		names:  make(map[muxName]*muxConn),
		addrs:  make(map[flow]*muxConn),
	}
}

// GetListenAddresses lists what pion offers as host candidates.
func (m *mux) GetListenAddresses() []net.Addr {
	var out []net.Addr
	for _, l := range m.engine.listeners {
		for _, a := range l.advertise {
			out = append(out, net.UDPAddrFromAddrPort(a))
		}
	}
	return out
}

// GetConn gives an agent its connection at one of our listen addresses. Several calls for the same share one connection,
// which ends when the last of them is closed.
func (m *mux) GetConn(ufrag string, addr net.Addr) (net.PacketConn, error) {
	udp, ok := addr.(*net.UDPAddr)
	if !ok {
		return nil, ErrBadAddress
	}
	local := canonical(udp.AddrPort())
	l := m.listenerAt(local)
	if l == nil {
		return nil, ErrBadAddress
	}
	name := muxName{ufrag, l.index, local.Addr().Is6()}

	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return nil, io.ErrClosedPipe
	}
	c := m.names[name]
	if c == nil {
		c = &muxConn{
			mux: m, name: name, listener: l,
			queue: make(chan *muxPacket, muxQueue), done: make(chan struct{}),
		}
		m.names[name] = c
	}
	c.refs++
	return &muxHandle{muxConn: c, local: udp, closed: make(chan struct{})}, nil
}

func (m *mux) listenerAt(local netip.AddrPort) *listener {
	for _, l := range m.engine.listeners {
		if slices.Contains(l.advertise, local) {
			return l
		}
	}
	return nil
}

// RemoveConnByUfrag ends an agent's connections.
func (m *mux) RemoveConnByUfrag(ufrag string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, l := range m.engine.listeners {
		for _, v6 := range []bool{false, true} {
			if c := m.names[muxName{ufrag, l.index, v6}]; c != nil {
				m.dropLocked(c)
			}
		}
	}
}

// Close does nothing: the mux ends with its Engine.
func (m *mux) Close() error { return nil }

func (m *mux) closeAll() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.closed = true
	for _, c := range m.names {
		m.dropLocked(c)
	}
}

// dropLocked ends a connection and forgets its addresses.
func (m *mux) dropLocked(c *muxConn) {
	if m.names[c.name] != c {
		return // a later connection has the name
	}
	delete(m.names, c.name)
	for _, a := range c.addrs {
		if f := (flow{a, c.listener.index}); m.addrs[f] == c {
			delete(m.addrs, f)
		}
	}
	c.addrs = nil
	close(c.done)
}

// claim makes c the receiver of what comes from addr.
func (m *mux) claim(c *muxConn, addr netip.AddrPort) {
	f := flow{addr, c.listener.index}
	m.mu.RLock()
	known := m.addrs[f] == c
	m.mu.RUnlock()
	if known {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.names[c.name] != c {
		return // ended meanwhile
	}
	m.addrs[f] = c
	if i := slices.Index(c.addrs, addr); i >= 0 {
		return
	}
	if len(c.addrs) >= muxAddresses { // a peer that probes from ever new addresses loses the oldest
		if old := (flow{c.addrs[0], c.listener.index}); m.addrs[old] == c {
			delete(m.addrs, old)
		}
		c.addrs = slices.Delete(c.addrs, 0, 1)
	}
	c.addrs = append(c.addrs, addr)
}

// listenerFor picks the listen address that a remote address is reached from: where an agent has spoken with it, or else
// the first that can reach it.
func (m *mux) listenerFor(remote netip.AddrPort) *listener {
	m.mu.RLock()
	defer m.mu.RUnlock()
	var first *listener
	for _, l := range m.engine.listeners {
		if !l.reaches(remote.Addr()) {
			continue
		}
		if m.addrs[flow{remote, l.index}] != nil {
			return l
		}
		if first == nil {
			first = l
		}
	}
	return first
}

// dispatch queues a copy of a packet for its agent.
func (m *mux) dispatch(l *listener, k kind, packet []byte, from netip.AddrPort) {
	ufrag, named := []byte(nil), false
	if k == kindSTUN {
		ufrag, named = stunUfrag(packet)
	}
	m.mu.RLock()
	var c *muxConn
	if named {
		c = m.names[muxName{string(ufrag), l.index, from.Addr().Is6()}]
	} else {
		c = m.addrs[flow{from, l.index}]
	}
	m.mu.RUnlock()
	if c == nil {
		m.engine.stat.muxUnknown.Add(1)
		return
	}
	p, ok := m.bufs.Get().(*muxPacket)
	if !ok {
		return
	}
	p.n, p.from = copy(p.data[:], packet), from
	select {
	case c.queue <- p:
	default:
		c.dropped.Add(1)
		m.engine.stat.muxFull.Add(1)
		m.bufs.Put(p)
	}
}

// muxConn is an agent's share of the port at one listen address.
type muxConn struct {
	mux      *mux
	name     muxName
	listener *listener
	queue    chan *muxPacket
	done     chan struct{} // closed when the connection ends
	dropped  atomic.Int64

	refs  int              // guarded by mux.mu
	addrs []netip.AddrPort // guarded by mux.mu: remote addresses claimed, oldest first
}

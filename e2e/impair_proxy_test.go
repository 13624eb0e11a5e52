package e2e

import (
	"container/heap"
	"net"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/pion/transport/v5"
	"github.com/stretchr/testify/require"
)

// proxy stands between one client and the server's media port and does to their packets
// what a bad network does. It begins by doing nothing.
type proxy struct {
	server netip.AddrPort
	front  *net.UDPConn // to which the client sends
	back   *net.UDPConn // from which the server is sent to

	up, down *pipe

	mu     sync.Mutex
	client netip.AddrPort // where the client's last packet came from; guarded by mu
	wg     sync.WaitGroup
}

// newProxy starts a proxy that runs until the end of the test.
func newProxy(tb testing.TB, server netip.AddrPort) *proxy {
	tb.Helper()
	listen := func() *net.UDPConn {
		conn, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
		require.NoError(tb, err)
		return conn
	}
	p := &proxy{server: server, front: listen(), back: listen()}
	p.up = newPipe(func(b []byte) { _, _ = p.back.WriteToUDPAddrPort(b, p.server) })
	p.down = newPipe(func(b []byte) {
		p.mu.Lock()
		client := p.client
		p.mu.Unlock()
		_, _ = p.front.WriteToUDPAddrPort(b, client)
	})
	p.wg.Go(func() { p.read(p.front, p.up) })
	p.wg.Go(func() { p.read(p.back, p.down) })
	p.wg.Go(p.up.run)
	p.wg.Go(p.down.run)
	tb.Cleanup(func() {
		_ = p.front.Close()
		_ = p.back.Close()
		p.up.close()
		p.down.close()
		p.wg.Wait()
	})
	return p
}

// impair changes what the network does from now on, to the server and from it.
func (p *proxy) impair(up, down impairment, seed uint64) {
	p.up.use(newLink(up, 2*seed))
	p.down.use(newLink(down, 2*seed+1))
}

func (p *proxy) addr() netip.AddrPort {
	return p.front.LocalAddr().(*net.UDPAddr).AddrPort() //nolint:forcetypeassert // a UDP socket
}

func (p *proxy) read(conn *net.UDPConn, into *pipe) {
	for {
		b := make([]byte, 2048)
		n, from, err := conn.ReadFromUDPAddrPort(b)
		if err != nil {
			return
		}
		if conn == p.front {
			p.mu.Lock()
			p.client = from
			p.mu.Unlock()
		}
		into.carry(b[:n], time.Now())
	}
}

// detour returns a client's network on which what is sent to the server goes to the proxy,
// and what the proxy sends seems to come from the server.
func (p *proxy) detour(system transport.Net) transport.Net { return &detour{Net: system, proxy: p} }

// detour is a network on which the server's address is the proxy's.
type detour struct {
	transport.Net

	proxy *proxy
}

func (d *detour) ListenUDP(network string, addr *net.UDPAddr) (transport.UDPConn, error) {
	conn, err := d.Net.ListenUDP(network, addr)
	if err != nil {
		return nil, err
	}
	return &detourConn{UDPConn: conn, proxy: d.proxy}, nil
}

type detourConn struct {
	transport.UDPConn

	proxy *proxy
}

func (c *detourConn) WriteTo(b []byte, addr net.Addr) (int, error) {
	if udp, ok := addr.(*net.UDPAddr); ok && udp.Port == int(c.proxy.server.Port()) {
		addr = net.UDPAddrFromAddrPort(c.proxy.addr())
	}
	return c.UDPConn.WriteTo(b, addr)
}

func (c *detourConn) ReadFrom(b []byte) (int, net.Addr, error) {
	n, addr, err := c.UDPConn.ReadFrom(b)
	if udp, ok := addr.(*net.UDPAddr); ok && udp.Port == int(c.proxy.addr().Port()) {
		addr = net.UDPAddrFromAddrPort(c.proxy.server)
	}
	return n, addr, err
}

// pipe is one direction of a proxy: it holds packets until they arrive.
type pipe struct {
	deliver func([]byte)
	wake    chan struct{}
	done    chan struct{}

	mu      sync.Mutex
	link    *link   // guarded by mu
	pending packets // guarded by mu
	count   uint64  // guarded by mu
}

func newPipe(deliver func([]byte)) *pipe {
	return &pipe{
		deliver: deliver, wake: make(chan struct{}, 1), done: make(chan struct{}), link: newLink(impairment{}, 0),
	}
}

func (p *pipe) use(l *link) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.link = l
}

func (p *pipe) close() { close(p.done) }

func (p *pipe) carry(b []byte, now time.Time) {
	p.mu.Lock()
	for _, at := range p.link.carry(now) {
		p.count++
		heap.Push(&p.pending, packet{b, at, p.count})
	}
	p.mu.Unlock()
	select {
	case p.wake <- struct{}{}:
	default:
	}
}

// run delivers packets when they are due.
func (p *pipe) run() {
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		p.mu.Lock()
		wait := time.Hour
		for len(p.pending) > 0 {
			if wait = time.Until(p.pending[0].at); wait > 0 {
				break
			}
			due, _ := heap.Pop(&p.pending).(packet)
			p.mu.Unlock()
			p.deliver(due.bytes)
			p.mu.Lock()
			wait = time.Hour
		}
		p.mu.Unlock()
		timer.Reset(wait)
		select {
		case <-timer.C:
		case <-p.wake:
		case <-p.done:
			return
		}
	}
}

// packet is one on its way. Those due at the same time arrive in the order of n.
type packet struct {
	bytes []byte
	at    time.Time
	n     uint64
}

// packets is a heap by time.
type packets []packet

func (p packets) Len() int { return len(p) }

func (p packets) Less(i, j int) bool {
	if p[i].at.Equal(p[j].at) {
		return p[i].n < p[j].n
	}
	return p[i].at.Before(p[j].at)
}
func (p packets) Swap(i, j int) { p[i], p[j] = p[j], p[i] }
func (p *packets) Push(x any)   { *p = append(*p, x.(packet)) } //nolint:forcetypeassert // by carry only

func (p *packets) Pop() any {
	last := len(*p) - 1
	x := (*p)[last]
	*p = (*p)[:last]
	return x
}

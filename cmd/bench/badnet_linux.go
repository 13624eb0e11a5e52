package bench

import (
	"io"
	"math/rand/v2"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pion/transport/v5"
)

// badNetwork stands between clients and a server on this machine, and does to what they send each other what a bad network does: all
// of it comes late, and datagrams get lost. Of a stream nothing is: what a lost segment costs is between two kernels, which is not here.
type badNetwork struct {
	// loss is the share of datagrams that get lost, in either direction; delay is how long everything takes one way.
	loss  float64
	delay time.Duration

	mu      sync.Mutex
	random  *rand.Rand  // guarded by mu
	open    []io.Closer // guarded by mu
	closed  bool        // guarded by mu
	running sync.WaitGroup
}

// newBadNetwork loses the same datagrams for the same seed, as far as they are sent in the same order.
func newBadNetwork(loss float64, delay time.Duration, seed uint64) *badNetwork {
	return &badNetwork{loss: loss, delay: delay, random: rand.New(rand.NewPCG(seed, seed))} //nolint:gosec // not a secret
}

// close ends everything that goes over the network.
func (n *badNetwork) close() {
	n.mu.Lock()
	n.closed = true
	for _, c := range n.open {
		_ = c.Close()
	}
	n.mu.Unlock()
	n.running.Wait()
}

// keep has close close c.
func (n *badNetwork) keep(c io.Closer) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.open = append(n.open, c); n.closed {
		_ = c.Close()
	}
}

func (n *badNetwork) loses() bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.random.Float64() < n.loss
}

// way is one direction of something. What goes in comes out in order, each after the delay.
type way chan late

type late struct {
	data []byte
	due  time.Time
}

// wayLength is more than is ever on its way.
const wayLength = 1024

// carry delivers what read returns, until that fails; then done is called.
func (n *badNetwork) carry(lossy bool, read func([]byte) (int, error), deliver func([]byte), done func()) {
	w := make(way, wayLength)
	n.running.Go(func() {
		defer close(w)
		buf := make([]byte, 64<<10)
		for {
			count, err := read(buf)
			if count > 0 && (!lossy || !n.loses()) {
				w <- late{append([]byte(nil), buf[:count]...), time.Now().Add(n.delay)}
			}
			if err != nil {
				return
			}
		}
	})
	n.running.Go(func() {
		for one := range w {
			time.Sleep(time.Until(one.due))
			deliver(one.data)
		}
		done()
	})
}

// streams listens for who wants to talk to the server by TCP, and returns where.
func (n *badNetwork) streams(server string) (addr string, err error) {
	listener, err := net.Listen("tcp4", "127.0.0.1:0") //nolint:noctx // closed by close
	if err != nil {
		return "", err
	}
	n.keep(listener)
	n.running.Go(func() {
		for {
			near, err := listener.Accept()
			if err != nil {
				return
			}
			n.keep(near)
			far, err := net.Dial("tcp4", server) //nolint:noctx // on this machine
			if err != nil {
				_ = near.Close()
				continue
			}
			n.keep(far)
			n.carry(false, near.Read, func(b []byte) { _, _ = far.Write(b) }, func() { _ = far.Close() })
			n.carry(false, far.Read, func(b []byte) { _, _ = near.Write(b) }, func() { _ = near.Close() })
		}
	})
	return listener.Addr().String(), nil
}

// detour is a client's network on which every datagram goes over the bad one.
func (n *badNetwork) detour(system transport.Net) transport.Net { return &detour{Net: system, bad: n} }

type detour struct {
	transport.Net

	bad *badNetwork
}

func (d *detour) ListenUDP(network string, addr *net.UDPAddr) (transport.UDPConn, error) {
	conn, err := d.Net.ListenUDP(network, addr)
	if err != nil {
		return nil, err //nolint:wrapcheck // pion's to judge
	}
	return d.bad.datagrams(conn)
}

// datagrams leads a client's socket around. It serves one server, that which is sent to last.
func (n *badNetwork) datagrams(conn transport.UDPConn) (transport.UDPConn, error) {
	listen := func() (*net.UDPConn, error) {
		c, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
		if err == nil {
			n.keep(c)
		}
		return c, err
	}
	front, err := listen()
	if err != nil {
		return nil, err
	}
	back, err := listen()
	if err != nil {
		return nil, err
	}
	d := &detourConn{UDPConn: conn, front: front, back: back}
	readFront := func(b []byte) (int, error) {
		count, from, err := front.ReadFromUDPAddrPort(b)
		if err == nil {
			d.client.Store(&from)
		}
		return count, err
	}
	n.carry(true, readFront, func(b []byte) { _, _ = back.WriteToUDPAddrPort(b, *d.server.Load()) }, func() {})
	n.carry(true, back.Read, func(b []byte) { _, _ = front.WriteToUDPAddrPort(b, *d.client.Load()) }, func() {})
	return d, nil
}

// detourConn is a client's socket, of which front takes the place of the server, and back that of the socket.
type detourConn struct {
	transport.UDPConn

	front, back    *net.UDPConn
	server, client atomic.Pointer[netip.AddrPort]
}

// WriteTo implements net.PacketConn.
func (c *detourConn) WriteTo(b []byte, addr net.Addr) (int, error) {
	if udp, ok := addr.(*net.UDPAddr); ok {
		to := udp.AddrPort()
		c.server.Store(&to)
		addr = c.front.LocalAddr()
	}
	return c.UDPConn.WriteTo(b, addr) //nolint:wrapcheck // pion's to judge
}

// ReadFrom implements net.PacketConn.
func (c *detourConn) ReadFrom(b []byte) (int, net.Addr, error) {
	count, addr, err := c.UDPConn.ReadFrom(b)
	if server := c.server.Load(); err == nil && server != nil {
		addr = net.UDPAddrFromAddrPort(*server)
	}
	return count, addr, err //nolint:wrapcheck // pion's to judge
}

// Close implements net.Conn.
func (c *detourConn) Close() error {
	_, _ = c.front.Close(), c.back.Close()
	return c.UDPConn.Close() //nolint:wrapcheck // pion's to judge
}

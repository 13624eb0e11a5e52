package relay

import (
	"math/rand/v2"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
)

// way is what lies between two nodes: two sockets that hand datagrams on, or lose some, by a seed.
type way struct {
	a, b *node
	// toA is where b sends, and from where a receives; toB likewise.
	toA, toB *net.UDPConn
	cut      atomic.Bool

	mu   sync.Mutex
	rand *rand.Rand
	loss float64
	lost int
}

func newWay(t *testing.T, a, b *node, loss float64) *way {
	t.Helper()
	w := &way{a: a, b: b, loss: loss, rand: rand.New(rand.NewPCG(1, 2))}
	open := func() *net.UDPConn {
		conn, err := net.ListenUDP("udp4", net.UDPAddrFromAddrPort(netip.MustParseAddrPort("127.0.0.1:0")))
		require.NoError(t, err)
		return conn
	}
	w.toA, w.toB = open(), open()
	var running sync.WaitGroup
	// What a sends to toB leaves by toA, from where b expects a.
	running.Go(func() { w.carry(w.toB, w.toA, b.engine.LocalAddrs()[0]) })
	running.Go(func() { w.carry(w.toA, w.toB, a.engine.LocalAddrs()[0]) })
	t.Cleanup(func() {
		_, _ = w.toA.Close(), w.toB.Close()
		running.Wait()
	})
	return w
}

func (w *way) carry(in, out *net.UDPConn, to netip.AddrPort) {
	packet := make([]byte, 2048)
	for {
		n, _, err := in.ReadFromUDPAddrPort(packet)
		if err != nil {
			return
		}
		if !w.loses() {
			_, _ = out.WriteToUDPAddrPort(packet[:n], to)
		}
	}
}

func (w *way) loses() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.cut.Load() || w.rand.Float64() < w.loss {
		w.lost++
		return true
	}
	return false
}

func (w *way) lostSoFar() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.lost
}

// meet has the nodes know each other by the way.
func (w *way) meet(t *testing.T) {
	t.Helper()
	w.a.relay.Put(w.b.id, []netip.AddrPort{w.toB.LocalAddr().(*net.UDPAddr).AddrPort()})
	w.b.relay.Put(w.a.id, []netip.AddrPort{w.toA.LocalAddr().(*net.UDPAddr).AddrPort()})
	awaitUp(t, w.a, w.b)
}

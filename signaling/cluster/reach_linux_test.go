package cluster

import (
	"io"
	"net"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// bridge is a way to an address that may be broken off. While it is, it refuses.
type bridge struct {
	t        *testing.T
	from, to string

	mu    sync.Mutex // guards the fields below
	door  net.Listener
	conns []net.Conn
	run   sync.WaitGroup
}

func (b *bridge) open() {
	door, err := new(net.ListenConfig).Listen(b.t.Context(), "tcp", b.from)
	require.NoError(b.t, err)
	b.mu.Lock()
	defer b.mu.Unlock()
	b.door = door
	b.run.Go(func() {
		for {
			near, err := door.Accept()
			if err != nil {
				return
			}
			far, err := net.Dial("tcp", b.to) //nolint:noctx // on loopback
			if err != nil {
				_ = near.Close()
				continue
			}
			b.mu.Lock()
			b.conns = append(b.conns, near, far)
			if b.door != door { // it was broken off meanwhile
				_, _ = near.Close(), far.Close()
			}
			b.mu.Unlock()
			for _, way := range [][2]net.Conn{{near, far}, {far, near}} {
				b.run.Go(func() {
					_, _ = io.Copy(way[0], way[1]) // it ends with either
					_, _ = near.Close(), far.Close()
				})
			}
		}
	})
}

func (b *bridge) breakOff() {
	b.mu.Lock()
	_ = b.door.Close()
	b.door = nil
	for _, conn := range b.conns {
		_ = conn.Close()
	}
	b.conns = nil
	b.mu.Unlock()
	b.run.Wait()
}

// A node that can be reached again is connected to without waiting for NATS to try it, and what was connected stays so. NATS may be quicker
// by chance, so it is done until it was not.
func TestNodeThatCanBeReachedAgain(t *testing.T) {
	tw := found(t, "a", "b", "c", "d") // d lends its address, and c another
	way := &bridge{t: t, from: tw.peers[3].Address, to: tw.peers[1].Address}
	over := slices.Clone(tw.peers[:3])
	over[1].Address = way.from
	way.open()
	a := tw.start("a", func(c *Config) { c.Peers = over })
	b := tw.start("b", func(c *Config) { // which cannot reach a by itself
		c.Peers = slices.Clone(tw.peers[:3])
		c.Peers[0].Address = net.JoinHostPort("127.0.0.1", "1")
	})
	tw.see(a, "b")
	said := func() int { return tw.logs["a"].FilterMessage("a node can be reached again").Len() }
	for deadline := time.Now().Add(4 * patience); said() == 0; {
		require.True(t, time.Now().Before(deadline), "it is NATS each time that connects")
		way.breakOff()
		tw.see(a)
		time.Sleep(2 * probeEvery) // in which it is tried in vain
		way.open()
		tw.see(a, "b")
		tw.see(b, "a")
	}
	require.True(t, a.Quorum())
	require.Zero(t, a.conn.Stats().Reconnects, "its own connection stays")
	way.breakOff()
}

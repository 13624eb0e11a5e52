package turn

import (
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"runtime"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/pion/stun/v4"
	"github.com/pion/turn/v5"
	"github.com/stretchr/testify/require"
)

// Nobody is sent more than one and a half times what came from their address, whatever it
// is that comes.
func TestRepliesDoNotAmplify(t *testing.T) {
	r := start(t)
	mac := stun.NewShortTermIntegrity("guess")
	for name, setters := range map[string][]stun.Setter{
		"Binding":              {stun.BindingRequest},
		"bare Allocate":        {stun.NewType(stun.MethodAllocate, stun.ClassRequest)},
		"Allocate":             {stun.NewType(stun.MethodAllocate, stun.ClassRequest), requestedTransport()},
		"Refresh":              {stun.NewType(stun.MethodRefresh, stun.ClassRequest)},
		"CreatePermission":     {stun.NewType(stun.MethodCreatePermission, stun.ClassRequest)},
		"ChannelBind":          {stun.NewType(stun.MethodChannelBind, stun.ClassRequest)},
		"stale nonce":          {stun.NewType(stun.MethodAllocate, stun.ClassRequest), stun.NewNonce("x"), mac},
		"no nonce":             {stun.NewType(stun.MethodAllocate, stun.ClassRequest), mac},
		"unknown attribute":    {stun.BindingRequest, raw(0x7ABC)},
		"many of them":         {stun.BindingRequest, raw(0x7ABC), raw(0x7ABD), raw(0x7ABE), raw(0x7ABF)},
		"indication":           {stun.NewType(stun.MethodSend, stun.ClassIndication)},
		"response":             {stun.BindingSuccess},
		"unknown method":       {stun.NewType(0x0F, stun.ClassRequest)},
		"ChannelData in vain":  nil,
		"Allocate over a TTL0": {stun.NewType(stun.MethodAllocate, stun.ClassRequest), requestedTransport(), lifetime(0)},
	} {
		t.Run(name, func(t *testing.T) {
			c := r.overUDP(Credentials{Username: "x"})
			sent, got, first := 0, 0, 0
			buf := make([]byte, 2048)
			for i := range 30 {
				p := []byte{0x40, 0, 0, 4, 1, 2, 3, 4}
				if setters != nil {
					p = stun.MustBuild(append([]stun.Setter{stun.TransactionID}, setters...)...).Raw
				}
				c.send(p)
				sent += len(p)
				for {
					_ = c.conn.SetReadDeadline(time.Now().Add(5 * time.Millisecond))
					n, _, err := c.conn.ReadFrom(buf)
					if err != nil {
						break
					}
					got += n
				}
				if i == 0 {
					first = got
				}
				require.LessOrEqual(t, 2*got, 3*sent, "after %d requests", i+1)
			}
			t.Logf("%d bytes of requests, %d of replies; the first brought %d", sent, got, first)
		})
	}
}

// A flood from more addresses than are remembered costs no memory that grows with it, and
// a client gets through afterwards.
func TestFloodOverUDP(t *testing.T) {
	r := start(t)
	b := newBudget()
	before := heap()
	for i := range 300_000 {
		addr := netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)}), uint16(i))
		b.received(addr, 28)
		require.False(t, b.spend(addr, 84))
	}
	require.Less(t, heap()-before, int64(1<<20), "bytes for 300,000 addresses")
	require.Len(t, b.sets, budgetSets)

	before = heap()
	p := stun.MustBuild(stun.TransactionID, stun.NewType(stun.MethodAllocate, stun.ClassRequest), requestedTransport()).Raw
	for range 200 {
		conn := dialUDP(t, r.udp)
		for range 20 {
			_, _ = conn.Write(p)
		}
		_ = conn.Close()
	}
	_ = r.overUDP(r.grant("ada")).mustAllocate()
	require.Less(t, heap()-before, int64(4<<20), "bytes for 4,000 requests from 200 sockets")
	require.Equal(t, 1, r.Stats().Allocations)
}

func heap() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// The accounts of the budget, seen from outside.
func TestBudget(t *testing.T) {
	b := newBudget()
	a := netip.MustParseAddrPort("192.0.2.1:1")
	other := netip.MustParseAddrPort("192.0.2.1:2")
	require.False(t, b.spend(a, 1), "nothing came yet")
	b.received(a, 28)
	require.False(t, b.spend(a, 43))
	require.False(t, b.spend(other, 1), "another port is another source")
	require.True(t, b.spend(a, 42))
	require.False(t, b.spend(a, 1), "it is used up")
	for range 10_000 {
		b.received(a, 1000)
	}
	require.True(t, b.spend(a, maxCredit*replyNum/replyDen))
	require.False(t, b.spend(a, 1), "credit does not pile up")
}

// Connections without an allocation are few, and do not last.
func TestIdleConnections(t *testing.T) {
	r := start(t, func(cfg *Config) { cfg.idleConns, cfg.idleTimeout = 10, 300*time.Millisecond })
	working := r.overTCP(r.grant("ada")).mustAllocate()
	idle := make([]net.Conn, 0, 50)
	for range cap(idle) {
		conn := dialTCP(t, r.tcp)
		defer conn.Close()
		idle = append(idle, conn)
	}
	eventually(t, "some give way", func() bool { return r.Stats().Crowded >= 40 })
	for _, conn := range idle {
		require.NoError(t, conn.SetReadDeadline(time.Now().Add(patience)))
		_, err := conn.Read(make([]byte, 1))
		require.Error(t, err)
		require.NotErrorIs(t, err, os.ErrDeadlineExceeded, "it is closed, not kept")
	}
	require.Zero(t, code(t, working.request(stun.MethodRefresh)), "an allocation stays")
	// Giving the allocation back makes the connection one of the idle.
	require.Zero(t, code(t, working.request(stun.MethodRefresh, lifetime(0))))
	_ = working.conn.SetReadDeadline(time.Now().Add(patience))
	_, _, err := working.conn.ReadFrom(make([]byte, 100))
	require.ErrorIs(t, err, io.EOF)
	r.overTCP(r.grant("ada")).mustAllocate()
}

// However many connections do nothing, a client gets through: the oldest of them give way.
func TestCrowdOfIdleConnections(t *testing.T) {
	r := start(t, func(cfg *Config) { cfg.idleConns, cfg.idleTimeout = 10, time.Minute })
	working := r.overTCP(r.grant("ada")).mustAllocate()
	idle := make([]net.Conn, 10)
	for i := range idle {
		idle[i] = dialTCP(t, r.tcp)
	}
	r.overTCP(r.grant("ben")).mustAllocate()
	require.EqualValues(t, 1, r.Stats().Crowded)
	require.NoError(t, idle[0].SetReadDeadline(time.Now().Add(patience)))
	_, err := idle[0].Read(make([]byte, 1))
	require.ErrorIs(t, err, io.EOF)
	require.NoError(t, idle[1].SetReadDeadline(time.Now().Add(50*time.Millisecond)))
	_, err = idle[1].Read(make([]byte, 1))
	require.ErrorIs(t, err, os.ErrDeadlineExceeded, "one was enough")
	require.Zero(t, code(t, working.request(stun.MethodRefresh)), "an allocation stays")
}

// What is no STUN at all ends a connection, and costs at most a message's buffer.
func TestNoiseOverTCP(t *testing.T) {
	r := start(t)
	for name, noise := range map[string][]byte{
		"HTTP":            []byte("GET / HTTP/1.1\r\nHost: example.org\r\n\r\n"),
		"zeroes":          make([]byte, 4096),
		"a huge message":  append([]byte{0, 3, 0xFF, 0xFC, 0x21, 0x12, 0xA4, 0x42}, make([]byte, 65_700)...),
		"a huge channel":  append([]byte{0x40, 0, 0xFF, 0xFF}, make([]byte, 65_700)...),
		"a channel alone": {0x40, 0, 0, 4, 1, 2, 3, 4, 5},
	} {
		t.Run(name, func(t *testing.T) {
			conn := dialTCP(t, r.tcp)
			defer conn.Close()
			_, _ = conn.Write(noise)
			_ = conn.CloseWrite()
			require.NoError(t, conn.SetReadDeadline(time.Now().Add(patience)))
			_, err := conn.Read(make([]byte, 1))
			require.Error(t, err)
			require.NotErrorIs(t, err, os.ErrDeadlineExceeded)
		})
	}
}

// Nobody can begin a message longer than any that counts, and have it waited for: its
// header is enough to end the connection.
func TestLongMessagesAreNotAwaited(t *testing.T) {
	r := start(t)
	for name, header := range map[string][]byte{
		"STUN":        {0, 3, 0x06, 0x30, 0x21, 0x12, 0xA4, 0x42},
		"ChannelData": {0x40, 0, 0x06, 0x40, 1, 2, 3, 4},
	} {
		t.Run(name, func(t *testing.T) {
			conn := dialTCP(t, r.tcp)
			_, err := conn.Write(header)
			require.NoError(t, err)
			require.NoError(t, conn.SetReadDeadline(time.Now().Add(allocateTimeout/2)))
			_, err = conn.Read(make([]byte, 1))
			require.Error(t, err)
			require.NotErrorIs(t, err, os.ErrDeadlineExceeded)
		})
	}
}

// Messages come through in whatever pieces they arrive, several at a time too.
func TestMessagesInPieces(t *testing.T) {
	r := start(t)
	c := r.overTCP(r.grant("ada")).mustAllocate()
	require.Zero(t, code(t, c.request(stun.MethodCreatePermission, peer(publicV4()))))
	require.Zero(t, code(t, c.request(stun.MethodChannelBind, channelNumber(0x4000), peer(publicV4()))))
	var messages []byte
	for _, word := range []string{"", "one", "two!", "three"} { // each with another padding
		messages = append(messages, 0x40, 0, 0, byte(len(word)))
		messages = append(messages, word...)
		for len(messages)%4 != 0 {
			messages = append(messages, 0)
		}
	}
	stream, ok := c.conn.(*turn.STUNConn)
	require.True(t, ok)
	for _, pieces := range []int{1, 3, len(messages)} {
		for piece := range slices.Chunk(messages, pieces) {
			_, err := stream.Conn().Write(piece)
			require.NoError(t, err)
		}
	}
	for _, word := range []string{"one", "two!", "three"} {
		eventually(t, word+" comes through each time", func() bool { return r.media.heard(word) == 3 })
	}
}

func TestNoiseOverUDP(t *testing.T) {
	r := start(t)
	c := r.overUDP(r.grant("ada"))
	for i, noise := range []string{"", "x", "GET / HTTP/1.1", strconv.Itoa(1 << 30), string(make([]byte, 1590)), "\x16\xfe\xfd"} {
		c.send([]byte(noise))
		eventually(t, fmt.Sprintf("%q is dropped", noise), func() bool { return r.Stats().Noise == int64(i)+1 })
	}
	c.mustAllocate()
}

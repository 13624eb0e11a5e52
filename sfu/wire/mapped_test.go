package wire

import (
	"context"
	"net"
	"net/netip"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pion/stun/v4"
	"github.com/stretchr/testify/require"

	"github.com/mini-livechat/mini-livechat/sfu/leaktest"
)

// stunServer answers each datagram with what reply makes of it, until the test ends.
func stunServer(t *testing.T, addr string, reply func(conn *net.UDPConn, request *stun.Message, from netip.AddrPort)) netip.AddrPort {
	t.Helper()
	conn, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(netip.MustParseAddrPort(addr)))
	require.NoError(t, err)
	done := make(chan struct{})
	go func() {
		defer close(done)
		buf := make([]byte, packetBuffer)
		for {
			n, from, err := conn.ReadFromUDPAddrPort(buf)
			if err != nil {
				return
			}
			request := &stun.Message{Raw: append([]byte(nil), buf[:n]...)}
			if request.Decode() == nil && request.Type == stun.BindingRequest {
				reply(conn, request, from)
			}
		}
	}()
	t.Cleanup(func() { _ = conn.Close(); <-done })
	return conn.LocalAddr().(*net.UDPAddr).AddrPort()
}

func xorMapped(addr string) *stun.XORMappedAddress {
	a := netip.MustParseAddrPort(addr)
	return &stun.XORMappedAddress{IP: a.Addr().AsSlice(), Port: int(a.Port())}
}

func send(conn *net.UDPConn, to netip.AddrPort, setters ...stun.Setter) {
	_, _ = conn.WriteToUDPAddrPort(stun.MustBuild(setters...).Raw, to)
}

// The first answer that is one counts: to our question, from whom was asked.
func TestMapped(t *testing.T) {
	leaktest.Check(t)
	e := startEngine(t, Config{})
	stranger, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(loopback()))
	require.NoError(t, err)
	defer stranger.Close()
	var asked atomic.Int32
	var elsewhere atomic.Bool
	server := stunServer(t, "127.0.0.1:0", func(conn *net.UDPConn, request *stun.Message, from netip.AddrPort) {
		if from != e.LocalAddrs()[0] {
			elsewhere.Store(true)
		}
		if asked.Add(1) == 1 {
			return // lost
		}
		send(stranger, from, request, stun.BindingSuccess, xorMapped("192.0.2.66:6"))
		send(conn, from, stun.TransactionID, stun.BindingSuccess, xorMapped("192.0.2.66:7"))
		send(conn, from, request, stun.NewType(stun.MethodBinding, stun.ClassIndication), xorMapped("192.0.2.66:8"))
		send(conn, from, request, stun.BindingSuccess, xorMapped("192.0.2.7:61234"))
		send(conn, from, request, stun.BindingSuccess, xorMapped("192.0.2.66:9"))
	})
	mapped, err := e.Mapped(t.Context(), server)
	require.NoError(t, err)
	require.Equal(t, "192.0.2.7:61234", mapped.String())
	require.EqualValues(t, 2, asked.Load(), "a lost request is sent again")
	require.False(t, elsewhere.Load(), "it comes from the media port")
	require.Empty(t, e.queries.open)
}

func TestMappedInEveryForm(t *testing.T) {
	for name, test := range map[string]struct {
		listen, server string
		answer         []stun.Setter
		want           string
		fails          string
	}{
		"IPv4 from both":   {listen: "[::]:0", server: "127.0.0.1:0", answer: []stun.Setter{stun.BindingSuccess, xorMapped("192.0.2.7:1")}, want: "192.0.2.7:1"},
		"IPv6":             {listen: "[::]:0", server: "[::1]:0", answer: []stun.Setter{stun.BindingSuccess, xorMapped("[2001:db8::7]:1")}, want: "[2001:db8::7]:1"},
		"a server of 2003": {listen: "127.0.0.1:0", server: "127.0.0.1:0", answer: []stun.Setter{stun.BindingSuccess, &stun.MappedAddress{IP: net.IPv4(192, 0, 2, 8), Port: 2}}, want: "192.0.2.8:2"},
		"no address":       {listen: "127.0.0.1:0", server: "127.0.0.1:0", answer: []stun.Setter{stun.BindingSuccess}, fails: "has no address"},
		"refused":          {listen: "127.0.0.1:0", server: "127.0.0.1:0", answer: []stun.Setter{stun.BindingError, stun.CodeTryAlternate}, fails: "refuses: 300"},
		"port 0":           {listen: "127.0.0.1:0", server: "127.0.0.1:0", answer: []stun.Setter{stun.BindingSuccess, &stun.XORMappedAddress{IP: net.IPv4(192, 0, 2, 8)}}, fails: "the STUN server says"},
	} {
		t.Run(name, func(t *testing.T) {
			e := startEngine(t, Config{Addrs: addrs(test.listen)})
			server := stunServer(t, test.server, func(conn *net.UDPConn, request *stun.Message, from netip.AddrPort) {
				send(conn, from, append([]stun.Setter{request}, test.answer...)...)
			})
			mapped, err := e.Mapped(t.Context(), server)
			if test.fails != "" {
				require.ErrorContains(t, err, test.fails)
				return
			}
			require.NoError(t, err)
			require.Equal(t, test.want, mapped.String())
		})
	}
}

func TestMappedInVain(t *testing.T) {
	e := startEngine(t, Config{})
	silent := stunServer(t, "127.0.0.1:0", func(*net.UDPConn, *stun.Message, netip.AddrPort) {})
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, err := e.Mapped(ctx, silent)
	require.ErrorIs(t, err, ErrNoAnswer)
	require.ErrorContains(t, err, silent.String())
	_, err = e.Mapped(t.Context(), netip.MustParseAddrPort("[::1]:3478"))
	require.ErrorIs(t, err, ErrBadAddress)
	require.Empty(t, e.queries.open)

	time.AfterFunc(20*time.Millisecond, func() { _ = e.Close() })
	_, err = e.Mapped(t.Context(), silent)
	require.ErrorIs(t, err, ErrClosed)
}

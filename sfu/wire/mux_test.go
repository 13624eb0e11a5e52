package wire

import (
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/pion/dtls/v3"
	"github.com/pion/rtp"
	"github.com/stretchr/testify/require"
)

// bindingRequest builds the beginning of a STUN check with a username.
func bindingRequest(username string) []byte {
	p := make([]byte, stunHeader, 64)
	binary.BigEndian.PutUint16(p[0:], stunBindRequest)
	binary.BigEndian.PutUint32(p[4:], stunCookie)
	p = append(p, 0x80, 0x22, 0, 3, 'x', 'y', 'z', 0) // SOFTWARE first, padded
	p = binary.BigEndian.AppendUint16(p, stunUsername)
	p = binary.BigEndian.AppendUint16(p, uint16(len(username)))
	p = append(p, username...)
	for len(p)%4 != 0 {
		p = append(p, 0)
	}
	binary.BigEndian.PutUint16(p[2:], uint16(len(p)-stunHeader))
	return p
}

// remote is a plain socket that plays a peer.
func remote(tb testing.TB, e *Engine) *net.UDPConn {
	tb.Helper()
	c, err := net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(e.Addrs()[0]))
	require.NoError(tb, err)
	tb.Cleanup(func() { _ = c.Close() })
	return c
}

func local(c net.Conn) netip.AddrPort {
	a, _ := c.LocalAddr().(*net.UDPAddr)
	return canonical(a.AddrPort())
}

func muxConnOf(tb testing.TB, e *Engine, ufrag string) net.PacketConn {
	tb.Helper()
	c, err := e.UDPMux().GetConn(ufrag, e.UDPMux().GetListenAddresses()[0])
	require.NoError(tb, err)
	return c
}

// next reads one packet or fails after a while.
func next(tb testing.TB, c net.PacketConn) ([]byte, net.Addr) {
	tb.Helper()
	type result struct {
		p    []byte
		from net.Addr
		err  error
	}
	done := make(chan result, 1)
	go func() {
		buf := make([]byte, packetBuffer)
		n, from, err := c.ReadFrom(buf)
		done <- result{buf[:n], from, err}
	}()
	select {
	case r := <-done:
		require.NoError(tb, r.err)
		return r.p, r.from
	case <-time.After(pollTimeout):
		_ = c.Close()
		require.Fail(tb, "nothing came")
		return nil, nil
	}
}

func TestChecksGoByName(t *testing.T) {
	e := startEngine(t, Config{})
	a, b := muxConnOf(t, e, "aaaa"), muxConnOf(t, e, "bbbb")
	peer := remote(t, e)

	send := func(p []byte) { _, err := peer.Write(p); require.NoError(t, err) }
	send(bindingRequest("aaaa:x"))
	p, from := next(t, a)
	require.Equal(t, bindingRequest("aaaa:x"), p)
	require.Equal(t, peer.LocalAddr().String(), from.String())

	// Nothing but checks has a name; it goes by address, once the agent has answered there.
	dtlsRecord := []byte{22, 1, 2, 3}
	send(dtlsRecord)
	require.Eventually(t, func() bool { return e.Stats().MuxUnknown == 1 }, pollTimeout, tick)
	_, err := a.WriteTo([]byte("answer"), from)
	require.NoError(t, err)
	buf := make([]byte, 100)
	n, err := peer.Read(buf)
	require.NoError(t, err)
	require.Equal(t, "answer", string(buf[:n]))
	send(dtlsRecord)
	p, _ = next(t, a)
	require.Equal(t, dtlsRecord, p)

	// A check for another agent from the same address goes to that one, and its answer moves the address.
	send(bindingRequest("bbbb:x"))
	p, from = next(t, b)
	require.Equal(t, bindingRequest("bbbb:x"), p)
	_, err = b.WriteTo([]byte("answer"), from)
	require.NoError(t, err)
	send(dtlsRecord)
	p, _ = next(t, b)
	require.Equal(t, dtlsRecord, p)

	// An unknown name goes nowhere, not to the agent at that address.
	before := e.Stats().MuxUnknown
	send(bindingRequest("cccc:x"))
	require.Eventually(t, func() bool { return e.Stats().MuxUnknown == before+1 }, pollTimeout, tick)

	// SRTCP goes by address too.
	rtcp := []byte{0x80, 200, 0, 0}
	send(rtcp)
	p, _ = next(t, b)
	require.Equal(t, rtcp, p)
}

func TestMuxConnIsSharedUntilTheLastClose(t *testing.T) {
	e := startEngine(t, Config{})
	one, two := muxConnOf(t, e, "aaaa"), muxConnOf(t, e, "aaaa")
	require.NoError(t, one.Close())
	require.NoError(t, one.Close(), "twice")
	_, _, err := one.ReadFrom(make([]byte, 10))
	require.ErrorIs(t, err, io.EOF)
	_, err = one.WriteTo([]byte("x"), net.UDPAddrFromAddrPort(loopback()))
	require.ErrorIs(t, err, io.ErrClosedPipe)

	peer := remote(t, e)
	_, err = peer.Write(bindingRequest("aaaa:x"))
	require.NoError(t, err)
	next(t, two)
	require.NoError(t, two.Close())
	require.Empty(t, e.mux.names)
}

func TestRemoveConnByUfragUnblocksAndForgets(t *testing.T) {
	e := startEngine(t, Config{})
	c := muxConnOf(t, e, "aaaa")
	_, err := c.WriteTo([]byte("x"), net.UDPAddrFromAddrPort(netip.MustParseAddrPort("127.0.0.1:9")))
	require.NoError(t, err)
	done := make(chan error, 1)
	go func() { _, _, errRead := c.ReadFrom(make([]byte, 10)); done <- errRead }()
	e.UDPMux().RemoveConnByUfrag("aaaa")
	select {
	case errRead := <-done:
		require.ErrorIs(t, errRead, io.EOF)
	case <-time.After(pollTimeout):
		require.Fail(t, "the reader was not woken")
	}
	require.Empty(t, e.mux.names)
	require.Empty(t, e.mux.addrs)

	// The name can be had again, and closing the old handle does not hurt the new connection.
	again := muxConnOf(t, e, "aaaa")
	require.NoError(t, c.Close())
	_, err = remote(t, e).Write(bindingRequest("aaaa:x"))
	require.NoError(t, err)
	next(t, again)
}

func TestSlowAgentLosesPacketsNotTheLoop(t *testing.T) {
	e := startEngine(t, Config{})
	muxConnOf(t, e, "aaaa")
	peer := remote(t, e)
	for range muxQueue + 10 {
		_, err := peer.Write(bindingRequest("aaaa:x"))
		require.NoError(t, err)
	}
	require.Eventually(t, func() bool { return e.Stats().MuxFull >= 10 }, pollTimeout, tick)
}

func TestMuxAddressesAreBounded(t *testing.T) {
	e := startEngine(t, Config{})
	c, ok := muxConnOf(t, e, "aaaa").(*muxHandle)
	require.True(t, ok)
	for i := range 3 * muxAddresses {
		e.mux.claim(c.muxConn, netip.AddrPortFrom(loopback().Addr(), uint16(i+1)))
	}
	require.Len(t, e.mux.addrs, muxAddresses)
	require.Len(t, c.addrs, muxAddresses)
}

func TestMuxRefusesForeignAddresses(t *testing.T) {
	e := startEngine(t, Config{})
	_, err := e.UDPMux().GetConn("x", &net.UDPAddr{IP: net.IPv4(192, 0, 2, 1), Port: 1})
	require.ErrorIs(t, err, ErrBadAddress)
	_, err = e.UDPMux().GetConn("x", &net.TCPAddr{})
	require.ErrorIs(t, err, ErrBadAddress)
	_, err = muxConnOf(t, e, "x").WriteTo([]byte("x"), &net.UDPAddr{IP: net.IPv6loopback, Port: 1})
	require.ErrorIs(t, err, ErrBadAddress)
	require.ErrorIs(t, e.NewEndpoint(nil).Bind(netip.MustParseAddrPort("[::1]:1")), ErrBadAddress)
	require.NoError(t, e.Close())
	_, err = e.UDPMux().GetConn("x", e.UDPMux().GetListenAddresses()[0])
	require.ErrorIs(t, err, io.ErrClosedPipe)
}

func TestUnboundMedia(t *testing.T) {
	for _, pass := range []bool{false, true} {
		e := startEngine(t, Config{PassUnbound: pass})
		c := muxConnOf(t, e, "aaaa")
		peer := remote(t, e)
		_, err := c.WriteTo([]byte("x"), peer.LocalAddr())
		require.NoError(t, err)
		raw := rtpPacket(t, rtp.Header{SSRC: 1}, []byte("x"))
		_, err = peer.Write(raw)
		require.NoError(t, err)
		if pass {
			p, _ := next(t, c)
			require.Equal(t, raw, p)
		} else {
			require.Eventually(t, func() bool { return e.Stats().Unbound == 1 }, pollTimeout, tick)
		}
	}
}

func TestOddPacketsAreCounted(t *testing.T) {
	e := startEngine(t, Config{})
	ep, _ := boundEndpoint(t, e, &fan{}, netip.MustParseAddrPort("127.0.0.1:1"), dtls.SRTP_AEAD_AES_128_GCM)
	peer := remote(t, e)
	require.NoError(t, ep.Bind(local(peer)))
	for _, p := range [][]byte{{}, {0x80}, {10, 0, 0}, {100, 0, 0}, {255, 255}, make([]byte, packetBuffer+100), {0x80, 111, 0, 1}} {
		_, err := peer.Write(p)
		require.NoError(t, err)
	}
	require.Eventually(t, func() bool {
		s := e.Stats()
		return s.Unknown == 5 && s.Truncated == 1 && ep.Stats().Malformed == 1
	}, pollTimeout, tick, "%+v", e.Stats())
	if _, err := peer.Write(nil); err != nil && !errors.Is(err, net.ErrClosed) {
		require.NoError(t, err)
	}
}

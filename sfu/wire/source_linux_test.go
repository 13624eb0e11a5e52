package wire

import (
	"context"
	"net"
	"net/netip"
	"os/exec"
	"runtime"
	"testing"
	"time"

	"github.com/pion/dtls/v3"
	"github.com/pion/dtls/v3/pkg/crypto/selfsign"
	dtlsnet "github.com/pion/dtls/v3/pkg/net"
	"github.com/pion/rtcp"
	"github.com/pion/stun/v4"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// manyHomed puts the test into a network of its own, whose only interface has several addresses of each family.
func manyHomed(t *testing.T) {
	t.Helper()
	runtime.LockOSThread() // and never unlocked: the thread ends with the test and takes the network along
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		runtime.UnlockOSThread()
		t.Skip("needs the right to make a network namespace:", err)
	}
	for _, args := range [][]string{
		{"link", "set", "lo", "up"},
		{"addr", "add", "198.51.100.1/24", "dev", "lo"},
		{"addr", "add", "198.51.100.2/24", "dev", "lo"},
		{"addr", "add", "2001:db8::1/128", "dev", "lo", "nodad"},
		{"addr", "add", "2001:db8::2/128", "dev", "lo", "nodad"},
	} {
		if out, err := exec.CommandContext(t.Context(), "ip", args...).CombinedOutput(); err != nil {
			t.Skipf("cannot set up a network: %v: %s", err, out)
		}
	}
}

// TestRepliesLeaveFromTheAddressAsked has a socket on all interfaces. The clients' own are connected, so that they hear
// nothing but what comes from where they send to. STUN, DTLS, RTP and RTCP are four ways out.
func TestRepliesLeaveFromTheAddressAsked(t *testing.T) {
	manyHomed(t)
	for _, c := range []struct{ listen, from, to string }{
		{"0.0.0.0:0", "127.0.0.1", "127.0.0.1"},
		{"0.0.0.0:0", "127.0.0.1", "127.0.0.2"},
		{"0.0.0.0:0", "198.51.100.1", "198.51.100.2"},
		{"[::]:0", "127.0.0.1", "127.0.0.2"},
		{"[::]:0", "198.51.100.1", "198.51.100.2"},
		{"[::]:0", "2001:db8::1", "2001:db8::1"},
		{"[::]:0", "2001:db8::1", "2001:db8::2"},
		{"[::]:0", "2001:db8::2", "2001:db8::1"},
		{"198.51.100.2:0", "198.51.100.1", "198.51.100.2"}, // needs no such thing
		{"[2001:db8::2]:0", "2001:db8::1", "2001:db8::2"},
	} {
		e, err := Listen(Config{Addrs: addrs(c.listen)})
		require.NoError(t, err)
		conn, err := net.DialUDP("udp", &net.UDPAddr{IP: net.ParseIP(c.from)},
			&net.UDPAddr{IP: net.ParseIP(c.to), Port: int(e.LocalAddrs()[0].Port())})
		require.NoError(t, err)
		useAllWays(t, e, conn)
		require.Zero(t, e.Stats().SendFailed)
		_ = conn.Close() // DTLS has done so, usually
		require.NoError(t, e.Close())
	}
}

// useAllWays has a peer behind conn, which is connected to the engine, hear from it in every way there is.
func useAllWays(t *testing.T, e *Engine, conn *net.UDPConn) {
	t.Helper()
	where := conn.RemoteAddr().String() + ", listening at " + e.LocalAddrs()[0].String()
	cert, err := selfsign.GenerateSelfSigned()
	require.NoError(t, err)
	value, err := fingerprintOf(&cert)
	require.NoError(t, err)
	fingerprint, err := ParseFingerprint(value)
	require.NoError(t, err)
	s := newServerPeer(t, e, receiverFunc(nil))
	defer s.close(t)
	c, err := s.ep.Accept(Credentials{}, fingerprint)
	require.NoError(t, err)
	require.Equal(t, stun.BindingSuccess, ask(t, conn, check(t, c, attribute(stun.AttrUseCandidate)), c).Type, where)

	require.NoError(t, conn.SetReadDeadline(time.Time{}))
	heard := make(chan kind, 100)
	peer, err := dtls.ClientWithOptions(sortedConn{dtlsnet.PacketConnFromConn(conn), heard}, conn.RemoteAddr(),
		dtls.WithCertificates(cert), dtls.WithInsecureSkipVerify(true),
		dtls.WithSRTPProtectionProfiles(dtls.SRTP_AEAD_AES_128_GCM))
	require.NoError(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), pollTimeout)
	defer cancel()
	require.NoError(t, peer.HandshakeContext(ctx), "no DTLS from %s", where)
	<-s.connected
	hears := func(what string, want kind) {
		select {
		case k := <-heard:
			require.Equal(t, want, k)
		case <-ctx.Done():
			require.Fail(t, "nothing heard", "no %s from %s", what, where)
		}
	}
	b := e.NewBatch()
	require.NoError(t, s.ep.Sender(7).WriteRTP(b, headerBytes(t, 1), []byte("hello")))
	b.Flush()
	hears("RTP", kindRTP)
	report, err := (&rtcp.SenderReport{SSRC: 7}).Marshal()
	require.NoError(t, err)
	require.NoError(t, s.ep.WriteRTCP(b, report))
	b.Flush()
	hears("RTCP", kindRTCP)
	require.NoError(t, peer.Close())
}

// sortedConn keeps for DTLS what is DTLS, and tells what else comes.
type sortedConn struct {
	net.PacketConn

	others chan<- kind
}

func (c sortedConn) ReadFrom(p []byte) (int, net.Addr, error) {
	for {
		n, from, err := c.PacketConn.ReadFrom(p)
		if k := classify(p[:n]); err == nil && k != kindDTLS {
			c.others <- k
			continue
		}
		return n, from, err
	}
}

// TestPairsHaveTwoEnds: a client with one socket may know the server by two addresses, and nominates one of them.
func TestPairsHaveTwoEnds(t *testing.T) {
	e := startEngine(t, Config{Addrs: addrs("0.0.0.0:0")})
	conn, err := net.ListenUDP("udp4", net.UDPAddrFromAddrPort(loopback()))
	require.NoError(t, err)
	defer conn.Close()
	ep, c := accepted(t, e)
	answeredBy := func(to string, more ...stun.Setter) netip.Addr {
		addr := netip.MustParseAddr(to)
		_, err := conn.WriteToUDPAddrPort(check(t, c, more...).Raw, netip.AddrPortFrom(addr, e.LocalAddrs()[0].Port()))
		require.NoError(t, err)
		require.NoError(t, conn.SetReadDeadline(time.Now().Add(pollTimeout)))
		_, from, err := conn.ReadFromUDPAddrPort(make([]byte, packetBuffer))
		require.NoError(t, err, "no response from %s", to)
		return from.Addr()
	}
	one, two := netip.MustParseAddr("127.0.0.2"), netip.MustParseAddr("127.0.0.3")
	require.Equal(t, one, answeredBy("127.0.0.2", attribute(stun.AttrUseCandidate)))
	require.Equal(t, one, ep.dest.Load().local)
	require.Equal(t, two, answeredBy("127.0.0.3"))
	require.Equal(t, one, ep.dest.Load().local, "checked, but not nominated")
	require.Equal(t, two, answeredBy("127.0.0.3", attribute(stun.AttrUseCandidate)))
	require.Equal(t, two, ep.dest.Load().local)
	require.Len(t, ep.path.flows, 1)
}

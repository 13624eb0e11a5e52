package wire

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pion/dtls/v3"
	"github.com/pion/dtls/v3/pkg/crypto/selfsign"
	"github.com/pion/stun/v4"
	"github.com/stretchr/testify/require"
)

// rawPeer is a client made of its parts: a socket, checks by hand and pion's DTLS.
type rawPeer struct {
	*serverPeer

	conn        *net.UDPConn
	server      *net.UDPAddr
	credentials Credentials
	certificate dtls.Option
}

// newRawPeer makes a peer that has sent nothing yet.
func newRawPeer(tb testing.TB, e *Engine) *rawPeer {
	tb.Helper()
	cert, err := selfsign.GenerateSelfSigned()
	require.NoError(tb, err)
	value, err := fingerprintOf(&cert)
	require.NoError(tb, err)
	fingerprint, err := ParseFingerprint(value)
	require.NoError(tb, err)
	conn, err := net.ListenUDP("udp4", net.UDPAddrFromAddrPort(loopback()))
	require.NoError(tb, err)
	p := &rawPeer{
		serverPeer: newServerPeer(tb, e, receiverFunc(nil)), conn: conn,
		server: net.UDPAddrFromAddrPort(e.LocalAddrs()[0]), certificate: dtls.WithCertificates(cert),
	}
	p.credentials, err = p.ep.Accept(Credentials{}, fingerprint)
	require.NoError(tb, err)
	tb.Cleanup(func() {
		p.ep.Close()
		_ = conn.Close()
	})
	return p
}

// check sends a check and waits for its answer.
func (p *rawPeer) check(tb testing.TB, more ...stun.Setter) {
	tb.Helper()
	_, err := p.conn.WriteTo(check(tb, p.credentials, more...).Raw, p.server)
	require.NoError(tb, err)
	buf := make([]byte, packetBuffer)
	for {
		require.NoError(tb, p.conn.SetReadDeadline(time.Now().Add(pollTimeout)))
		n, err := p.conn.Read(buf)
		require.NoError(tb, err, "no answer to a check")
		m := &stun.Message{Raw: buf[:n]}
		if stun.IsMessage(buf[:n]) && m.Decode() == nil {
			require.NoError(tb, p.conn.SetReadDeadline(time.Time{}))
			return
		}
	}
}

// dtls makes the peer's side of the association.
func (p *rawPeer) dtls(tb testing.TB) *dtls.Conn {
	tb.Helper()
	conn, err := dtls.ClientWithOptions(p.conn, p.server, p.certificate, dtls.WithInsecureSkipVerify(true),
		dtls.WithFlightInterval(100*time.Millisecond), dtls.WithSRTPProtectionProfiles(dtls.SRTP_AEAD_AES_128_GCM))
	require.NoError(tb, err)
	tb.Cleanup(func() { _ = conn.Close() })
	return conn
}

func (p *rawPeer) shake(tb testing.TB) *dtls.Conn {
	tb.Helper()
	conn := p.dtls(tb)
	ctx, cancel := context.WithTimeout(tb.Context(), pollTimeout)
	defer cancel()
	require.NoError(tb, conn.HandshakeContext(ctx))
	return conn
}

// ends waits for the end of the connection, and looks whether it has that cause.
func (p *rawPeer) ends(tb testing.TB, want error) {
	tb.Helper()
	select {
	case err := <-p.over:
		require.ErrorIs(tb, err, want)
	case <-time.After(pollTimeout):
		require.Fail(tb, "the end was not noticed", "%v", want)
	}
}

func (p *rawPeer) connects(tb testing.TB) {
	tb.Helper()
	select {
	case <-p.connected:
	case err := <-p.over:
		require.NoError(tb, err)
	case <-time.After(pollTimeout):
		require.Fail(tb, "not connected")
	}
}

// age makes the connection older by d.
func (ep *Endpoint) age(d time.Duration) {
	ep.mu.Lock()
	defer ep.mu.Unlock()
	ep.firstCheck = ep.firstCheck.Add(-d)
}

// firstFlight is the ClientHello of a peer that speaks DTLS 1.2.
func firstFlight(tb testing.TB) []byte {
	tb.Helper()
	server, err := net.ListenUDP("udp4", net.UDPAddrFromAddrPort(loopback()))
	require.NoError(tb, err)
	defer server.Close()
	client, err := net.ListenUDP("udp4", net.UDPAddrFromAddrPort(loopback()))
	require.NoError(tb, err)
	conn, err := dtls.ClientWithOptions(client, server.LocalAddr(), dtls.WithInsecureSkipVerify(true),
		dtls.WithSRTPProtectionProfiles(dtls.SRTP_AEAD_AES_128_GCM))
	require.NoError(tb, err)
	ctx, cancel := context.WithCancel(tb.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = conn.HandshakeContext(ctx)
	}()
	buf := make([]byte, packetBuffer)
	n, err := server.Read(buf)
	require.NoError(tb, err)
	cancel()
	<-done
	_ = conn.Close()
	return buf[:n]
}

// Slowness is honest: DTLS that begins late and a nomination that comes late make a connection all the same.
func TestSlowPeerConnects(t *testing.T) {
	e := startEngine(t, Config{})
	p := newRawPeer(t, e)
	p.check(t)
	const late = connectTimeout - time.Second
	p.ep.age(late / 2)
	p.ep.sweep(time.Now())
	p.shake(t)
	p.ep.age(late / 2)
	p.ep.sweep(time.Now())
	_, err := p.conn.WriteTo(check(t, p.credentials, attribute(stun.AttrUseCandidate)).Raw, p.server) // pion reads there now
	require.NoError(t, err)
	p.connects(t)
	p.ep.age(time.Hour)
	p.ep.sweep(time.Now()) // it is made, and ends by this no more
	require.NotEqual(t, netip.AddrPort{}, p.ep.Remote())
	require.EqualValues(t, 1, e.Stats().Handshakes)
	require.Zero(t, e.Stats().Failures)
}

func TestConnectingHasAnEnd(t *testing.T) {
	for missing, do := range map[string]func(*rawPeer){
		"no DTLS came":          func(p *rawPeer) { p.check(t, attribute(stun.AttrUseCandidate)) },
		"no pair was nominated": func(p *rawPeer) { p.check(t); p.shake(t) },
		"DTLS was not done": func(p *rawPeer) {
			p.check(t, attribute(stun.AttrUseCandidate))
			_, err := p.conn.WriteTo(firstFlight(t), p.server)
			require.NoError(t, err)
			require.Eventually(t, func() bool { return p.ep.dtls.Load() != nil }, pollTimeout, tick)
		},
	} {
		t.Run(missing, func(t *testing.T) {
			e := startEngine(t, Config{})
			p := newRawPeer(t, e)
			p.ep.sweep(time.Now().Add(time.Hour)) // nobody has come yet, and it is for others to say how long that may be
			do(p)
			p.ep.sweep(time.Now().Add(connectTimeout + time.Second))
			select {
			case err := <-p.over:
				require.ErrorIs(t, err, ErrHandshakeTimeout)
				require.ErrorContains(t, err, missing)
			default:
				require.Fail(t, "it goes on")
			}
			require.Equal(t, HandshakeFailures{TimedOut: 1}, e.Stats().Failures)
			require.Eventually(t, func() bool { return e.shaking.Len() == 0 }, pollTimeout, tick)
			require.Empty(t, ufrags(e))
		})
	}
}

// The engine looks by itself.
func TestConnectTimeoutIsWatched(t *testing.T) {
	e := startEngine(t, Config{ConnectTimeout: time.Millisecond})
	p := newRawPeer(t, e)
	p.check(t)
	p.ends(t, ErrHandshakeTimeout)
}

// Where one handshake too many begins, the oldest ends, and honest ones come through.
func TestHandshakesAreBounded(t *testing.T) {
	const limit = 3
	e := startEngine(t, Config{MaxHandshakes: limit})
	hello := firstFlight(t)
	idle := make([]*rawPeer, 0, 2*limit)
	for range 2 * limit {
		p := newRawPeer(t, e)
		p.check(t, attribute(stun.AttrUseCandidate))
		_, err := p.conn.WriteTo(hello, p.server)
		require.NoError(t, err)
		require.Eventually(t, func() bool { return p.ep.dtls.Load() != nil }, pollTimeout, tick)
		idle = append(idle, p)
	}
	for _, p := range idle[:limit] {
		p.ends(t, ErrHandshakeEvicted)
	}
	require.Equal(t, HandshakeFailures{Evicted: limit}, e.Stats().Failures)
	require.Equal(t, limit, e.shaking.Len())

	honest := newRawPeer(t, e)
	honest.check(t, attribute(stun.AttrUseCandidate))
	honest.shake(t)
	honest.connects(t)
	idle[limit].ends(t, ErrHandshakeEvicted)
	require.Eventually(t, func() bool { return e.shaking.Len() == limit-1 }, pollTimeout, tick, "one that is over counts no more")
}

func TestHandshakeBytesAreBounded(t *testing.T) {
	e := startEngine(t, Config{})
	p := newRawPeer(t, e)
	p.check(t)
	record := make([]byte, packetBuffer) // a handshake record of another epoch, which pion passes over
	copy(record, []byte{recordHandshake, 0xfe, 0xfd, 0, 9})
	stop := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			select {
			case <-stop:
				return
			case <-time.After(100 * time.Microsecond):
				_, _ = p.conn.WriteTo(record, p.server)
			}
		}
	})
	p.ends(t, ErrHandshakeBytes)
	close(stop)
	wg.Wait()
	require.Equal(t, HandshakeFailures{Bytes: 1}, e.Stats().Failures)
}

func TestCertificateFailureIsToldAndCounted(t *testing.T) {
	e := startEngine(t, Config{})
	p, other := newRawPeer(t, e), newRawPeer(t, e)
	p.certificate = other.certificate
	p.check(t, attribute(stun.AttrUseCandidate))
	err := p.dtls(t).HandshakeContext(t.Context())
	require.ErrorContains(t, err, "BadCertificate")
	p.ends(t, ErrFingerprint)
	require.Equal(t, HandshakeFailures{Certificate: 1}, e.Stats().Failures)
}

// slowConn is a network on which a handshake takes long, and which loses the server's last flight once.
type slowConn struct {
	net.PacketConn

	delayed, lost bool
}

func (c *slowConn) ReadFrom(b []byte) (int, net.Addr, error) {
	for {
		n, from, err := c.PacketConn.ReadFrom(b)
		switch {
		case n == 0 || err != nil:
		case b[0] == changeCipherSpec && !c.lost:
			c.lost = true
			continue
		case !c.delayed:
			c.delayed = true
			time.Sleep(slowHandshake)
		}
		return n, from, err
	}
}

// The peer of a slow handshake need not ask for our last flight.
func TestLastFlightIsRepeated(t *testing.T) {
	e := startEngine(t, Config{})
	p := newRawPeer(t, e)
	p.check(t, attribute(stun.AttrUseCandidate))
	network := &slowConn{PacketConn: p.conn}
	conn, err := dtls.ClientWithOptions(network, p.server, p.certificate, dtls.WithInsecureSkipVerify(true),
		dtls.WithFlightInterval(time.Hour), dtls.WithSRTPProtectionProfiles(dtls.SRTP_AEAD_AES_128_GCM))
	require.NoError(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), pollTimeout)
	defer cancel()
	require.NoError(t, conn.HandshakeContext(ctx))
	require.True(t, network.lost)
	p.connects(t)
	require.NoError(t, conn.Close())
	p.ends(t, ErrPeerClosed)
}

// What the peer sends inside DTLS is for nobody, and must not stand before its goodbye, whenever it comes.
func TestGoodbyeBehindApplicationData(t *testing.T) {
	for _, late := range []bool{false, true} {
		e := startEngine(t, Config{})
		p := newRawPeer(t, e)
		p.check(t, attribute(stun.AttrUseCandidate))
		conn := p.shake(t)
		p.connects(t)
		if late {
			require.Eventually(t, func() bool { return p.ep.dtls.Load().wanted.Load() == 0 }, pollTimeout, tick,
				"a goroutine stays")
		}
		for range 5 {
			_, err := conn.Write([]byte("is anybody there?"))
			require.NoError(t, err)
		}
		require.NoError(t, conn.Close())
		p.ends(t, ErrPeerClosed)
		require.Zero(t, e.Stats().Failures, "it was connected")
	}
}

func TestGoodbyeDuringTheHandshake(t *testing.T) {
	e := startEngine(t, Config{})
	p := newRawPeer(t, e)
	p.check(t)
	_, err := p.conn.WriteTo(firstFlight(t), p.server)
	require.NoError(t, err)
	require.Eventually(t, func() bool { return p.ep.dtls.Load() != nil }, pollTimeout, tick)
	alert := protocolVersion
	alert[14] = 40 // handshake_failure
	require.Eventually(t, func() bool {
		alert[10]++ // each record has a number of its own
		_, err := p.conn.WriteTo(alert[:], p.server)
		require.NoError(t, err)
		return e.Stats().Failures.Peer == 1
	}, pollTimeout, tick)
	p.ends(t, ErrPeerRefused)
}

// Of several causes at once one is told, once.
func TestDisconnectedOnce(t *testing.T) {
	e := startEngine(t, Config{})
	for range 50 {
		p := newRawPeer(t, e)
		told := &countedEnds{serverPeer: p.serverPeer}
		p.ep.receiver = told
		p.check(t)
		var wg sync.WaitGroup
		for _, err := range []error{ErrHandshakeTimeout, ErrPeerClosed, ErrHandshakeBytes, ErrFingerprint} {
			wg.Go(func() { p.ep.fail(err) })
		}
		wg.Wait()
		require.EqualValues(t, 1, told.ends.Load())
	}
}

type countedEnds struct {
	*serverPeer

	ends atomic.Int64
}

func (c *countedEnds) OnDisconnected(*Endpoint, error) { c.ends.Add(1) }

// hello13 is a ClientHello with these cipher suites, cut after so many bytes of it.
func hello13(cut int, suites ...uint16) []byte {
	body := append([]byte{0xfe, 0xfd}, make([]byte, 32)...) // version, random
	body = append(body, 0, 0)                               // session, cookie
	body = append(body, 0, byte(2*len(suites)))
	for _, s := range suites {
		body = append(body, byte(s>>8), byte(s))
	}
	body = append(body, 1, 0)                             // no compression
	body = append(body, 0, 7, 0, 43, 0, 3, 2, 0xfe, 0xfc) // supported_versions: DTLS 1.3
	whole, part := len(body), body[:min(cut, len(body))]
	// RFC 6347 §4.2.2: length, sequence, offset, length of this fragment.
	message := slices.Concat([]byte{clientHello, 0, 0, byte(whole), 0, 0, 0, 0, 0, 0, 0, byte(len(part))}, part)
	return slices.Concat([]byte{recordHandshake, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, byte(len(message))}, message)
}

func TestOnlyDTLS13(t *testing.T) {
	require.False(t, onlyDTLS13(firstFlight(t)))
	require.True(t, onlyDTLS13(hello13(100, 0x1301, 0x1302, 0x1303)))
	require.True(t, onlyDTLS13(hello13(44, 0x1301, 0x1302, 0x1303)), "the rest comes in another fragment")
	require.True(t, onlyDTLS13(hello13(100, 0x5a5a, 0x1301, renegotiationSCSV, fallbackSCSV)))
	require.False(t, onlyDTLS13(hello13(100, 0x1301, 0xc02b)), "both versions")
	require.False(t, onlyDTLS13(hello13(100)))
	require.False(t, onlyDTLS13(hello13(38, 0x1301, 0x1302)), "cut among the suites")
	require.False(t, onlyDTLS13(protocolVersion[:]))
	require.False(t, onlyDTLS13(nil))
}

func TestPeerOfDTLS13HearsSo(t *testing.T) {
	e := startEngine(t, Config{})
	p := newRawPeer(t, e)
	p.check(t)
	_, err := p.conn.WriteTo(hello13(100, 0x1301), p.server)
	require.NoError(t, err)
	buf := make([]byte, packetBuffer)
	require.NoError(t, p.conn.SetReadDeadline(time.Now().Add(pollTimeout)))
	n, err := p.conn.Read(buf)
	require.NoError(t, err)
	require.Equal(t, protocolVersion[:], buf[:n])
	p.ends(t, ErrDTLSVersion)
	require.Equal(t, HandshakeFailures{Version: 1}, e.Stats().Failures)
}

func TestHandshakeErrors(t *testing.T) {
	require.ErrorIs(t, handshakeError(errors.New("x")), ErrHandshake)
}

// FuzzDTLS feeds what a stranger may send behind a check to an endpoint that waits for DTLS.
func FuzzDTLS(f *testing.F) {
	f.Add(firstFlight(f))
	f.Add(hello13(100, 0x1301))
	f.Add(protocolVersion[:])
	e := startEngine(f, Config{})
	g := e.groups[0]
	from := netip.MustParseAddrPort("127.0.0.1:9")
	f.Fuzz(func(t *testing.T, packet []byte) {
		onlyDTLS13(packet)
		ep := e.NewEndpoint(receiverFunc(nil))
		_, err := ep.Accept(Credentials{}, Fingerprint{})
		require.NoError(t, err)
		defer ep.Close()
		ep.onDTLS(g, packet, from, netip.Addr{}, time.Now())
		ep.onDTLS(g, packet, from, netip.Addr{}, time.Now())
	})
}

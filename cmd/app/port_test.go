package app

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/pion/stun/v4"
	"github.com/stretchr/testify/require"
	"go.uber.org/zap/zaptest"

	"github.com/mini-livechat/mini-livechat/sfu/leaktest"
	"github.com/mini-livechat/mini-livechat/sfu/porttest"
	"github.com/mini-livechat/mini-livechat/signaling"
)

// patience is how long a test waits for what must happen.
const patience = time.Minute

// writeCertificate makes a certificate for localhost with this serial number and writes it
// to the two files that the configuration names.
func writeCertificate(t *testing.T, cfg *Config, serial int64) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(serial), DNSNames: []string{"localhost"}, NotAfter: time.Now().Add(time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	require.NoError(t, err)
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	require.NoError(t, err)
	write := func(path, kind string, der []byte) {
		require.NoError(t, os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600))
	}
	write(cfg.TLSCert, "CERTIFICATE", der)
	write(cfg.TLSKey, "PRIVATE KEY", keyDER)
}

// startApp runs a server on free ports of the loopback interface until the test ends.
func startApp(t *testing.T, change ...func(*Config)) *App {
	t.Helper()
	return startPatched(t, func(*App) {}, change...)
}

// startPatched is startApp with something done to the server before it runs.
func startPatched(t *testing.T, patch func(*App), change ...func(*Config)) *App {
	t.Helper()
	leaktest.Check(t)
	cfg := Default()
	cfg.HTTP, cfg.UDP, cfg.TURNUDP, cfg.TURNTCP = "127.0.0.1:0", "127.0.0.1:0", "127.0.0.1:0", "127.0.0.1:0"
	cfg.Metrics, cfg.Data = "", t.TempDir()
	for _, f := range change {
		f(&cfg)
	}
	a, err := New(cfg, zaptest.NewLogger(t))
	require.NoError(t, err)
	patch(a)
	runApp(t, a)
	return a
}

// runApp runs a server until the test ends.
func runApp(t *testing.T, a *App) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- a.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		require.NoError(t, <-done)
	})
}

// withTLS gives the server a certificate of its own and a port for it.
func withTLS(t *testing.T) func(*Config) {
	t.Helper()
	dir := t.TempDir()
	return func(cfg *Config) {
		cfg.HTTPS, cfg.TLSCert, cfg.TLSKey = "127.0.0.1:0", filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
		writeCertificate(t, cfg, 1)
	}
}

func dial(t *testing.T, p *port) net.Conn {
	t.Helper()
	conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", p.listener.Addr().String())
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	require.NoError(t, conn.SetDeadline(time.Now().Add(patience)))
	return conn
}

func dialTLS(t *testing.T, p *port) *tls.Conn {
	t.Helper()
	return tls.Client(dial(t, p), &tls.Config{InsecureSkipVerify: true})
}

// speaksTURN sends a STUN request, slowly byte by byte at first, and expects its answer.
func speaksTURN(t *testing.T, conn net.Conn) {
	t.Helper()
	request := stun.MustBuild(stun.TransactionID, stun.BindingRequest)
	for _, part := range [][]byte{request.Raw[:1], request.Raw[1:2], request.Raw[2:]} {
		_, err := conn.Write(part)
		require.NoError(t, err)
	}
	buf := make([]byte, 1500)
	n, err := conn.Read(buf)
	require.NoError(t, err)
	reply := &stun.Message{Raw: buf[:n]}
	require.NoError(t, reply.Decode())
	require.Equal(t, request.TransactionID, reply.TransactionID)
}

// asks sends an HTTP request and returns the response's status and Location.
func asks(t *testing.T, conn net.Conn, path string) (status int, location string) {
	t.Helper()
	_, err := io.WriteString(conn, "GET "+path+" HTTP/1.1\r\nHost: voice.example.org:1234\r\n\r\n")
	require.NoError(t, err)
	response, err := http.ReadResponse(bufio.NewReader(conn), nil)
	require.NoError(t, err)
	require.NoError(t, response.Body.Close())
	return response.StatusCode, response.Header.Get("Location")
}

func asksOK(t *testing.T, conn net.Conn, message ...any) {
	t.Helper()
	status, _ := asks(t, conn, "/")
	require.Equal(t, http.StatusOK, status, message...)
}

func TestOnePortWithoutTLS(t *testing.T) {
	a := startApp(t)
	require.Len(t, a.ports, 1)
	asksOK(t, dial(t, a.ports[0]))
	speaksTURN(t, dial(t, a.ports[0]))
	// TLS is no protocol of this port.
	require.Error(t, dialTLS(t, a.ports[0]).HandshakeContext(t.Context()))
}

func TestOnePortWithTLS(t *testing.T) {
	a := startApp(t, withTLS(t), func(cfg *Config) { cfg.AllowGuests = new(true) }) // by any name
	require.Len(t, a.ports, 2)
	secure, plain := a.ports[0], a.ports[1]
	asksOK(t, dialTLS(t, secure))
	status, _ := asks(t, dialTLS(t, secure), "/ws")
	require.Equal(t, http.StatusUpgradeRequired, status)
	speaksTURN(t, dialTLS(t, secure))
	speaksTURN(t, tls.Client(dial(t, secure), &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"stun.turn"}}))
	speaksTURN(t, dial(t, secure))
	for _, p := range a.ports {
		status, location := asks(t, dial(t, p), "/room?x=1")
		require.Equal(t, http.StatusPermanentRedirect, status)
		require.Equal(t, "https://"+joinPort("voice.example.org", portOf(secure.listener), 443)+"/room?x=1", location)
	}
	require.Error(t, dialTLS(t, plain).HandshakeContext(t.Context()))
	require.True(t, strings.HasPrefix(a.URL(), "https://127.0.0.1:"), a.URL())
}

// With TLS, too, everything can be on one port.
func TestOnePortForAllWithTLS(t *testing.T) {
	addr := porttest.Addr(t)
	a := startApp(t, withTLS(t), func(cfg *Config) { cfg.HTTP, cfg.HTTPS = addr, addr })
	require.Len(t, a.ports, 1)
	asksOK(t, dialTLS(t, a.ports[0]))
	speaksTURN(t, dialTLS(t, a.ports[0]))
	speaksTURN(t, dial(t, a.ports[0]))
	status, location := asks(t, dial(t, a.ports[0]), "/")
	require.Equal(t, http.StatusPermanentRedirect, status)
	require.True(t, strings.HasPrefix(location, "https://"), location)
	servers := a.relay.ICEServers("session", arrivalAt(a.ports[0]), time.Now())
	require.Len(t, servers, 1)
	require.Contains(t, servers[0].URLs, "turns:"+addr+"?transport=tcp")
}

// arrivalAt is that of a client on this machine that used a port's address.
func arrivalAt(p *port) signaling.Arrival {
	addr := p.listener.Addr().String()
	return signaling.Arrival{Host: addr, Local: netip.MustParseAddrPort(addr)}
}

func TestWithoutTURN(t *testing.T) {
	a := startApp(t, func(cfg *Config) { cfg.TURN = false })
	conn := dial(t, a.ports[0])
	_, err := conn.Write(stun.MustBuild(stun.TransactionID, stun.BindingRequest).Raw)
	require.NoError(t, err)
	_, err = conn.Read(make([]byte, 1))
	require.Error(t, err)
	require.NotErrorIs(t, err, os.ErrDeadlineExceeded, "it is closed")
}

// stopsSoon has the test fail when the server stops no sooner than connections time out by themselves. The one is for its start, the
// other to be called once it runs: what is begun later is cleaned up earlier.
func stopsSoon(t *testing.T) (start func(*Config), runs func()) {
	t.Helper()
	var began time.Time
	return func(*Config) {
			t.Cleanup(func() { require.Less(t, time.Since(began), sortTimeout/2, "shutting down waits for nobody") })
		}, func() {
			t.Cleanup(func() { began = time.Now() })
		}
}

// Whoever says nothing holds up neither others nor the end of the server.
func TestSilentConnections(t *testing.T) {
	soon, runs := stopsSoon(t)
	a := startApp(t, withTLS(t), soon)
	runs()
	for range 20 {
		dial(t, a.ports[0])
		half := dial(t, a.ports[0])
		_, err := half.Write([]byte{tlsHandshake, 3, 1})
		require.NoError(t, err)
	}
	asksOK(t, dialTLS(t, a.ports[0]))
}

// Nor does a certificate authority that says nothing.
func TestSilentAuthority(t *testing.T) {
	authority, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	var asked net.Conn
	soon, runs := stopsSoon(t)
	a := startApp(t, func(cfg *Config) {
		cfg.HTTPS, cfg.Domain = "127.0.0.1:0", []string{"voice.example.org"}
		cfg.ACMEDirectory = "https://" + authority.Addr().String() + "/directory"
		t.Cleanup(func() {
			require.NoError(t, errors.Join(asked.Close(), authority.Close()))
		})
	}, soon)
	runs()
	client := tls.Client(dial(t, a.ports[0]), &tls.Config{InsecureSkipVerify: true})
	go func() { _ = client.HandshakeContext(context.Background()) }()
	asked, err = authority.Accept()
	require.NoError(t, err)
}

// However many connections say nothing, one that speaks is served: of the silent ones those
// give way that have been so for longest.
func TestCrowdedPort(t *testing.T) {
	a := startApp(t)
	conns := make([]net.Conn, 0, maxUnsorted+1)
	for range cap(conns) {
		conns = append(conns, dial(t, a.ports[0]))
	}
	_, err := conns[0].Read(make([]byte, 1))
	require.Error(t, err)
	require.NotErrorIs(t, err, os.ErrDeadlineExceeded, "the oldest is closed")
	asksOK(t, conns[maxUnsorted], "the newest")
	asksOK(t, conns[1], "the oldest of the others")
	for range 10 {
		asksOK(t, dial(t, a.ports[0]))
	}
}

// Whoever's address has enough is turned away, not before it has waited; and if there are many, or the server goes, all the same.
func TestTurnedAway(t *testing.T) {
	soon, runs := stopsSoon(t)
	a := startPatched(t, func(a *App) { a.ports[0].admit = func(net.Conn) bool { return false } }, soon)
	runs()
	turnedAway := func(conn net.Conn) {
		t.Helper()
		_, err := conn.Read(make([]byte, 1))
		require.Error(t, err)
		require.NotErrorIs(t, err, os.ErrDeadlineExceeded)
	}
	began := time.Now()
	turnedAway(dial(t, a.ports[0]))
	require.GreaterOrEqual(t, time.Since(began), refusedPause)
	conns := make([]net.Conn, 0, maxRefused+100)
	for range cap(conns) {
		conns = append(conns, dial(t, a.ports[0]))
	}
	for _, conn := range conns {
		turnedAway(conn)
	}
	dial(t, a.ports[0])
}

// A certificate whose files change is used from the next connection on; connections that
// stand go on, and half a change does no harm.
func TestCertificateReloads(t *testing.T) {
	a := startApp(t, withTLS(t))
	serial := func() int64 {
		conn := dialTLS(t, a.ports[0])
		require.NoError(t, conn.HandshakeContext(t.Context()))
		return conn.ConnectionState().PeerCertificates[0].SerialNumber.Int64()
	}
	standing := dialTLS(t, a.ports[0])
	speaksTURN(t, standing)
	require.EqualValues(t, 1, serial())

	whole, err := os.ReadFile(a.cfg.TLSKey)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(a.cfg.TLSKey, whole[:len(whole)/2], 0o600))
	time.Sleep(reloadInterval)
	require.EqualValues(t, 1, serial(), "the old one serves on")

	writeCertificate(t, &a.cfg, 2)
	require.Eventually(t, func() bool { return serial() == 2 }, patience, 50*time.Millisecond)
	speaksTURN(t, standing)
}

func TestBadCertificate(t *testing.T) {
	cfg := Default()
	cfg.HTTP, cfg.UDP, cfg.HTTPS = "127.0.0.1:0", "127.0.0.1:0", "127.0.0.1:0"
	cfg.Data = t.TempDir()
	cfg.TLSCert, cfg.TLSKey = filepath.Join(cfg.Data, "no-cert"), filepath.Join(cfg.Data, "no-key")
	_, err := New(cfg, zaptest.NewLogger(t))
	require.ErrorContains(t, err, "--tls-cert "+cfg.TLSCert)
	require.ErrorIs(t, err, os.ErrNotExist)
}

func TestTURNAddresses(t *testing.T) {
	at := func(scheme, transport, addr string) endpoint {
		return endpoint{scheme, transport, netip.MustParseAddrPort(addr), false}
	}
	page := func(scheme, addr string) endpoint {
		return endpoint{scheme, "tcp", netip.MustParseAddrPort(addr), true}
	}
	via := func(host, local string) signaling.Arrival {
		return signaling.Arrival{Host: host, Local: netip.MustParseAddrPort(local)}
	}
	proxied := func(host, local string) signaling.Arrival {
		a := via(host, local)
		a.Proxied = true
		return a
	}
	const inside = "10.1.2.3:80"
	for _, test := range []struct {
		endpoint endpoint
		via      signaling.Arrival
		want     string
	}{
		{at("turn", "udp", "[::]:3478"), via("voice.example.org", inside), "turn:voice.example.org:3478?transport=udp"},
		{at("turn", "udp", "[::]:3478"), proxied("voice.example.org", inside), "turn:voice.example.org:3478?transport=udp"},
		{at("turn", "tcp", "0.0.0.0:3478"), via("192.0.2.1", inside), "turn:192.0.2.1:3478?transport=tcp"},
		{page("turns", "[::]:443"), via("[2001:db8::1]", "[2001:db8::1]:443"), "turns:[2001:db8::1]:443?transport=tcp"},
		{at("turn", "udp", "[::]:3478"), via("", inside), ""},
		// A socket on one address is there, under whatever name the page was reached …
		{at("turn", "udp", "192.0.2.1:3478"), via("voice.example.org", inside), "turn:192.0.2.1:3478?transport=udp"},
		// … but a certificate is for the name.
		{page("turns", "192.0.2.1:443"), via("voice.example.org", "192.0.2.1:443"), "turns:voice.example.org:443?transport=tcp"},
		// Loopback is for clients on this machine.
		{page("turn", "127.0.0.1:8080"), via("voice.example.org", "127.0.0.1:8080"), ""},
		{page("turn", "127.0.0.1:8080"), via("192.0.2.1", "127.0.0.1:8080"), ""},
		{page("turn", "127.0.0.1:8080"), via("localhost:8080", "127.0.0.1:8080"), "turn:localhost:8080?transport=tcp"},
		{page("turn", "127.0.0.1:8080"), via("127.0.0.1:8080", "127.0.0.1:8080"), "turn:127.0.0.1:8080?transport=tcp"},
		{page("turns", "127.0.0.1:443"), via("localhost", "127.0.0.1:443"), "turns:localhost:443?transport=tcp"},
		{page("turns", "127.0.0.1:443"), via("voice.test", "127.0.0.1:443"), "turns:voice.test:443?transport=tcp"},
		{page("turns", "127.0.0.1:443"), via("voice.example.org", "127.0.0.1:8080"), ""},
		{page("turns", "127.0.0.1:443"), proxied("voice.example.org", "127.0.0.1:443"), ""},
		// The page's port is where the client found the page, however it was forwarded …
		{page("turns", "[::]:8443"), via("voice.example.org", "10.1.2.3:8443"), "turns:voice.example.org:443?transport=tcp"},
		{page("turns", "[::]:443"), via("voice.example.org:8443", "172.17.0.2:443"), "turns:voice.example.org:8443?transport=tcp"},
		{page("turn", "[::]:8080"), via("192.0.2.1", "172.17.0.2:8080"), "turn:192.0.2.1:80?transport=tcp"},
		{page("turn", "10.1.2.3:8080"), via("192.0.2.1:8000", "10.1.2.3:8080"), "turn:192.0.2.1:8000?transport=tcp"},
		// … unless it came by another port, or through a proxy that passes only HTTP.
		{page("turns", "[::]:443"), via("voice.example.org:8080", "10.1.2.3:8080"), "turns:voice.example.org:443?transport=tcp"},
		{page("turn", "[::]:8080"), proxied("voice.example.org", "10.1.2.3:8080"), ""},
	} {
		require.Equal(t, test.want, test.endpoint.url(test.via), "%v for %v", test.endpoint, test.via)
	}
}

// What is configured is told to everybody as it stands.
func TestTURNElsewhere(t *testing.T) {
	urls := []string{"turns:turn.example.org:443?transport=tcp"}
	a := startApp(t, func(cfg *Config) { cfg.TURNURL = urls })
	for _, host := range []string{"voice.example.org", "127.0.0.1", ""} {
		servers := a.relay.ICEServers("session", signaling.Arrival{Host: host, Proxied: true}, time.Now())
		require.Len(t, servers, 1)
		require.Equal(t, urls, servers[0].URLs)
		require.NotEmpty(t, servers[0].Credential)
	}
}

// The default port of TURN is done without where it cannot be had, and is then not told;
// one that was asked for is not.
func TestTURNPortInUse(t *testing.T) {
	taken, err := new(net.ListenConfig).Listen(t.Context(), "tcp", ":"+DefaultTURN)
	if err == nil { // otherwise somebody else has it, which is as good
		defer taken.Close()
	}
	a := startApp(t, func(cfg *Config) { cfg.TURNUDP, cfg.TURNTCP = "", DefaultTURN })
	servers := a.relay.ICEServers("session", signaling.Arrival{Host: "127.0.0.1"}, time.Now())
	require.Len(t, servers, 1)
	require.Equal(t, []string{"turn:" + a.ports[0].listener.Addr().String() + "?transport=tcp"}, servers[0].URLs)

	cfg := Default()
	cfg.HTTP, cfg.UDP, cfg.TURNUDP, cfg.Data = "127.0.0.1:0", "127.0.0.1:0", "", t.TempDir()
	cfg.TURNTCP = a.ports[0].listener.Addr().String()
	_, err = New(cfg, zaptest.NewLogger(t))
	require.ErrorContains(t, err, "--turn-tcp")
	require.ErrorIs(t, err, syscall.EADDRINUSE)
}

func TestHostOf(t *testing.T) {
	for header, want := range map[string]string{
		"voice.example.org": "voice.example.org", "voice.example.org:8080": "voice.example.org", "LOCALHOST:1": "LOCALHOST",
		"voice.example.org.": "voice.example.org", "voice.example.org.:8080": "voice.example.org", ".": "", "a..": "",
		"192.0.2.1:80": "192.0.2.1", "[2001:db8::1]:80": "2001:db8::1", "[2001:db8::1]": "2001:db8::1",
		"": "", ":80": "", "a b": "", "evil?transport=udp": "", "a/b": "", "[fe80::1%eth0]:80": "", "a..b": "", "-a": "",
		"a@b": "", "\x00": "", strings.Repeat("a", 64): "", strings.Repeat("a.", 127) + "a": "",
	} {
		require.Equal(t, want, hostOf(header), "%q", header)
	}
}

package e2e

import (
	"context"
	"crypto/tls"
	"encoding/pem"
	"log"
	"net"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/letsencrypt/pebble/v2/ca"
	"github.com/letsencrypt/pebble/v2/db"
	"github.com/letsencrypt/pebble/v2/va"
	"github.com/letsencrypt/pebble/v2/wfe"
	"github.com/miekg/dns"
	"github.com/pion/webrtc/v4"
	"github.com/stretchr/testify/require"

	"github.com/mini-livechat/mini-livechat/cmd/app"
	"github.com/mini-livechat/mini-livechat/sfu/porttest"
)

const (
	// acmeDomain is the server's name; its address comes from the test's own DNS.
	acmeDomain = "voice.example.org"
	// acmeValidity is how long a certificate is good for, in seconds. The last third of it
	// is for renewing.
	acmeValidity = 9
	// acmeRole is set for the process that TestRoleACME runs in.
	acmeRole = "LIVECHAT_E2E_ACME"
)

// Calls go on while the certificate is renewed, twice, one of them inside TLS by the first
// certificate. It runs in a process of its own, because the authority's root has to be the
// system's for it.
func TestACME(t *testing.T) {
	t.Parallel()
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestRoleACME$", "-test.v", "-test.timeout=100s")
	cmd.Env = append(os.Environ(), acmeRole+"=1", "PEBBLE_VA_NOSLEEP=1", "PEBBLE_WFE_NONCEREJECT=0")
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)
	require.Contains(t, string(out), "--- PASS: TestRoleACME")
}

// TestRoleACME is no test of its own: TestACME runs it.
func TestRoleACME(t *testing.T) {
	if os.Getenv(acmeRole) == "" {
		t.Skip("a role in TestACME")
	}
	resolver := startDNS(t)
	net.DefaultResolver = &net.Resolver{PreferGo: true, Dial: resolver.dial}
	port := porttest.Free(t)
	directory, root := startPebble(t, port, resolver.addr)
	s := startServer(t, func(cfg *app.Config) {
		cfg.Domain, cfg.ACMEDirectory, cfg.ACMERoot = []string{acmeDomain}, directory, root
		cfg.HTTPS = net.JoinHostPort("127.0.0.1", port)
	})
	require.Equal(t, "https://"+acmeDomain+":"+port, s.URL)

	ada := arrive(t, s, "Ada").join("lobby").talk()
	ben := arrive(t, s, "Ben", relayed(t, "turns:")).join("lobby").talk()
	ben.hears(ada)
	ada.hears(ben)
	for serial, renewals := serialOf(t, s), 0; renewals < 2; {
		ben.hears(ada)
		ada.hears(ben)
		if now := serialOf(t, s); now != serial {
			serial = now
			renewals++
		}
	}
	ben.hears(ada)
	require.Equal(t, webrtc.ICECandidateTypeRelay, selected(t, ben.call).Typ)
	cyd := arrive(t, s, "Cyd", relayed(t, "turns:")).join("lobby")
	cyd.hears(ada)
	ben.check(ada)
	ada.check(ben)
	require.NoError(t, ben.Err())
	require.NoError(t, ben.call.Err())
}

// serialOf returns the serial number of the certificate that a new connection gets.
func serialOf(t *testing.T, s *server) string {
	t.Helper()
	dialer := &tls.Dialer{}
	conn, err := dialer.DialContext(soon(t), "tcp", strings.TrimPrefix(s.URL, "https://"))
	require.NoError(t, err)
	defer conn.Close()
	return conn.(*tls.Conn).ConnectionState().PeerCertificates[0].SerialNumber.String()
}

// startPebble runs Let's Encrypt's test server, which validates at tlsPort, and returns its
// directory and the file by which it is trusted. The root of what it issues becomes the
// system's.
func startPebble(t *testing.T, tlsPort, resolver string) (directory, root string) {
	t.Helper()
	quiet := log.New(os.Stdout, "", 0)
	store := db.NewMemoryStore()
	authority := ca.New(quiet, store, "", "ecdsa", 0, 1, map[string]ca.Profile{"default": {ValidityPeriod: acmeValidity}})
	validation, err := strconv.Atoi(tlsPort)
	require.NoError(t, err)
	frontend := wfe.New(quiet, store, va.New(quiet, 0, validation, false, resolver, store), authority,
		[]string{"pebble.letsencrypt.org"}, false, false, 1, 1)
	srv := httptest.NewTLSServer(frontend.Handler())
	t.Cleanup(srv.Close)

	dir := t.TempDir()
	root = filepath.Join(dir, "pebble.pem")
	own := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: srv.Certificate().Raw})
	require.NoError(t, os.WriteFile(root, own, 0o600))
	system := filepath.Join(dir, "root.pem")
	require.NoError(t, os.WriteFile(system, authority.GetRootCert(0).PEM(), 0o600))
	t.Setenv("SSL_CERT_FILE", system)
	t.Setenv("SSL_CERT_DIR", dir)
	return srv.URL + wfe.DirectoryPath, root
}

// nameServer is a DNS server by which every name leads to this machine.
type nameServer struct{ addr string }

func (n *nameServer) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	return new(net.Dialer).DialContext(ctx, "udp", n.addr)
}

func startDNS(t *testing.T) *nameServer {
	t.Helper()
	answerAll := dns.HandlerFunc(func(w dns.ResponseWriter, question *dns.Msg) {
		answer := new(dns.Msg).SetReply(question)
		for _, q := range question.Question {
			if q.Qtype == dns.TypeA {
				answer.Answer = append(answer.Answer, &dns.A{
					Hdr: dns.RR_Header{Name: q.Name, Rrtype: q.Qtype, Class: q.Qclass, Ttl: 1}, A: net.IPv4(127, 0, 0, 1),
				})
			}
		}
		_ = w.WriteMsg(answer)
	})
	// pebble asks by TCP, Go by UDP.
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	conn, err := new(net.ListenConfig).ListenPacket(t.Context(), "udp", listener.Addr().String())
	require.NoError(t, err)
	for _, srv := range []*dns.Server{{Listener: listener, Handler: answerAll}, {PacketConn: conn, Handler: answerAll}} {
		go func() { _ = srv.ActivateAndServe() }()
		t.Cleanup(func() { _ = srv.Shutdown() })
	}
	return &nameServer{addr: conn.LocalAddr().String()}
}

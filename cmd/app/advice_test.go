package app

import (
	"context"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"
)

func TestPublic(t *testing.T) {
	for addr, want := range map[string]bool{
		"203.0.113.7": true, "2001:db8::7": true,
		"10.1.2.3": false, "172.16.0.1": false, "192.168.1.2": false, "100.64.0.1": false, "127.0.0.1": false,
		"169.254.1.1": false, "fd00::1": false, "::1": false, "fe80::1": false,
	} {
		require.Equal(t, want, public(netip.MustParseAddr(addr)), addr)
	}
}

// A node whose page is reached by HTTPS has a proxy in front, and needs no word about that, nor leads anybody past it.
func TestWarnsOfNoHTTPSUnlessBehindIt(t *testing.T) {
	startPatched(t, func(a *App) {
		for url, warned := range map[string]bool{"http://n1.example.org": true, "https://voice.example.org/": false} {
			a.cfg.Cluster.URL = url
			require.Equal(t, warned, strings.Contains(strings.Join(a.warnings(), " "), "without HTTPS"), url)
			require.Equal(t, []string{strings.TrimSuffix(url, "/")}, a.OtherURLs())
		}
		a.cfg.Cluster.URL = ""
		require.Contains(t, strings.Join(a.warnings(), " "), "without HTTPS")
		require.NotContains(t, strings.Join(a.OtherURLs(), " "), "example.org")
	}, func(c *Config) { c.HTTP, c.AllowGuests = ":0", new(true) })
}

// TestCertificateIsTriedAtTheStart has an authority that nobody serves: the operator hears so before any client comes.
func TestCertificateIsTriedAtTheStart(t *testing.T) {
	core, logged := observer.New(zapcore.InfoLevel)
	cfg := Default()
	cfg.HTTP, cfg.HTTPS, cfg.UDP, cfg.TURN = "127.0.0.1:0", "127.0.0.1:0", "127.0.0.1:0", false
	cfg.Data, cfg.Domain, cfg.ACMEDirectory = t.TempDir(), []string{"voice.example.org"}, "https://127.0.0.1:1/directory"
	a, err := New(cfg, zap.New(core))
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- a.Run(ctx) }()
	require.Eventually(t, func() bool { return logged.FilterMessage(noCertificate).Len() == 1 }, patience, 10*time.Millisecond)
	cancel()
	require.NoError(t, <-ended)
	require.Equal(t, "voice.example.org", logged.FilterMessage(noCertificate).All()[0].ContextMap()["domain"])
}

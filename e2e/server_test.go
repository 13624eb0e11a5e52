package e2e

import (
	"context"
	"net/http"
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest"

	"github.com/mini-livechat/mini-livechat/cmd/app"
	"github.com/mini-livechat/mini-livechat/sfu/leaktest"
	"github.com/mini-livechat/mini-livechat/sfu/porttest"
)

// server is a real server on free ports of the loopback interface.
type server struct {
	// URL is where its page is, such as http://127.0.0.1:40123.
	URL string
	// media is where its media port is.
	media netip.AddrPort
	// metrics is where its figures are, if they are served.
	metrics string
	// stop shuts it down and waits; the end of the test does so too.
	stop func()
}

// startServer runs a server until the test ends. Each configure changes the defaults.
func startServer(tb testing.TB, configure ...func(*app.Config)) *server {
	tb.Helper()
	cfg := app.Default()
	cfg.Channels = []string{app.DefaultChannel}
	cfg.HTTP, cfg.UDP = porttest.Addr(tb), porttest.Addr(tb) // so that one may be started again at the same
	cfg.TURNUDP, cfg.TURNTCP = "127.0.0.1:0", "127.0.0.1:0"
	cfg.Metrics = ""
	cfg.Data = tb.TempDir()
	for _, change := range configure {
		change(&cfg)
	}
	a, err := app.New(cfg, zaptest.NewLogger(tb, zaptest.Level(zap.WarnLevel)))
	require.NoError(tb, err)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- a.Run(ctx) }()
	stopped := false
	s := &server{URL: a.URL(), media: a.MediaAddr(), metrics: a.MetricsAddr()}
	s.stop = func() {
		if stopped {
			return
		}
		stopped = true
		cancel()
		select {
		case err := <-done:
			require.NoError(tb, err)
		case <-time.After(patience):
			tb.Fatal("the server did not stop")
		}
	}
	tb.Cleanup(s.stop)
	return s
}

// verifyNoLeaks fails the test if, after all its later clean-ups, goroutines run that did
// not run at this call. Call it first.
func verifyNoLeaks(tb testing.TB) {
	tb.Helper()
	leaktest.Check(tb, http.DefaultClient.CloseIdleConnections)
}

package app

import (
	"context"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/mini-livechat/mini-livechat/sfu/leaktest"
	"github.com/mini-livechat/mini-livechat/sfu/porttest"
	"github.com/mini-livechat/mini-livechat/signaling/client"
	"github.com/mini-livechat/mini-livechat/signaling/store"
	"github.com/mini-livechat/mini-livechat/signaling/store/storetest"
)

// lives are those of a server that begins anew.
type lives struct {
	begun chan *App
	ended chan error
	stop  context.CancelFunc
}

func serveAll(t *testing.T, cfg Config, log *zap.Logger) *lives {
	t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	l := &lives{begun: make(chan *App, 8), ended: make(chan error, 1), stop: stop}
	go func() {
		l.ended <- Serve(ctx, cfg, log, func(life context.Context, a *App) {
			if life.Err() == nil {
				l.begun <- a
			}
		})
	}()
	t.Cleanup(stop)
	return l
}

// next is the next life.
func (l *lives) next(t *testing.T) *App {
	t.Helper()
	select {
	case a := <-l.begun:
		return a
	case err := <-l.ended:
		t.Fatal("it ended: ", err)
	case <-time.After(patience):
		t.Fatal("it has not begun")
	}
	return nil
}

// end ends the last one, and returns what came of it.
func (l *lives) end(t *testing.T) error {
	t.Helper()
	l.stop()
	return l.over(t)
}

func (l *lives) over(t *testing.T) error {
	t.Helper()
	select {
	case err := <-l.ended:
		return err
	case <-time.After(patience):
		t.Fatal("it has not ended")
	}
	return nil
}

// ready is what a server says of whether it takes people; 0: nothing.
func ready(t *testing.T, url string) (status int) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url+"/readyz", http.NoBody)
	require.NoError(t, err)
	request.Close = true
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return 0
	}
	defer answer.Body.Close()
	return answer.StatusCode
}

// A server whose log begins later than what it has sees its people off and begins anew at the same ports, again and again if that fails. One whose
// database is of another cluster ends, since nobody but a person knows which is the right one.
func TestServerBeginsAnew(t *testing.T) {
	leaktest.Check(t, http.DefaultClient.CloseIdleConnections)
	log := storetest.NewLog()
	share := &store.Share{Cluster: "c1", Log: log}
	cfg := Default()
	cfg.HTTP, cfg.UDP, cfg.TURNUDP, cfg.TURNTCP = porttest.Addr(t), porttest.Addr(t), porttest.Addr(t), porttest.Addr(t)
	cfg.Metrics, cfg.Data, cfg.Share, cfg.AllowGuests = porttest.Addr(t), t.TempDir(), share, new(true)
	cfg.SecretFile = filepath.Join(t.TempDir(), "secret")
	require.NoError(t, os.WriteFile(cfg.SecretFile, []byte(strings.Repeat("s", 40)+"\n"), 0o600))
	safe := startApp(t, func(c *Config) {
		c.SecretFile, c.AllowGuests, c.NodeURLs = cfg.SecretFile, new(true), []string{"http://" + cfg.HTTP}
	})
	cfg.NodeURLs = []string{safe.URL()}
	core, said := observer.New(zap.InfoLevel)
	server := serveAll(t, cfg, zap.New(core))
	first := server.next(t)
	takes := func() bool { status := ready(t, first.URL()); return status == http.StatusOK }
	require.Eventually(t, takes, patience, 10*time.Millisecond)
	ada := guestOf(t, first, "Ada", func(o *client.Options) { o.NoReconnect = false })
	call := joined(t, ada, "lobby")

	require.NoError(t, os.Rename(cfg.SecretFile, cfg.SecretFile+".away"))
	log.Forget(true)
	require.Eventually(t, func() bool { return said.FilterMessageSnippet("cannot begin anew").Len() > 0 }, patience, 10*time.Millisecond)
	require.Eventually(t, func() bool { return safe.gateway.People() == 1 }, patience, 10*time.Millisecond, "she goes on at another node")
	require.NoError(t, call.Err())
	require.NoError(t, ada.Close())
	log.Forget(false) // as after another one's database was fetched
	require.NoError(t, os.Rename(cfg.SecretFile+".away", cfg.SecretFile))
	require.Equal(t, 1, said.FilterMessageSnippet("away for longer").Len())
	second := server.next(t)
	require.Equal(t, []string{first.URL(), first.MetricsAddr()}, []string{second.URL(), second.MetricsAddr()})
	require.Equal(t, first.MediaAddr(), second.MediaAddr())
	require.Eventually(t, takes, patience, 10*time.Millisecond)

	share.Cluster = "c2"
	log.Forget(true)
	require.ErrorIs(t, server.over(t), store.ErrOtherCluster)
}

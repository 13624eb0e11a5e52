package e2e

import (
	"fmt"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mini-livechat/mini-livechat/cmd/app"
	"github.com/mini-livechat/mini-livechat/signaling/protocol"
)

// hoarding lets much wait for a client that does not read, so that it holds the end up for as long as it may.
func hoarding(cfg *app.Config) {
	cfg.EgressBytes, cfg.EgressQueue = 1<<28, 1<<16
	cfg.RequestRate, cfg.RequestBurst = 100_000, 100_000
	cfg.WriteTimeout = time.Hour
	for i := range 400 {
		cfg.Channels = append(cfg.Channels, fmt.Sprint("of-many-", i))
	}
}

// deafen has a client that stops reading, and asks for so much that it waits there. The server is a hoarding one; witness is
// anybody else, who is told when it is so.
func deafen(t *testing.T, s *server, witness *raw) {
	t.Helper()
	deaf, _ := identify(t, s, "reads nothing")
	for range 300 { // of 50 KB each: more than the system keeps for a socket
		deaf.request(protocol.OpChannelList, struct{}{})
	}
	deaf.request(protocol.OpChannelCreate, protocol.ChannelCreate{ChannelID: "all-asked"})
	var created protocol.ChannelEvent
	witness.event(protocol.OpChannelEvent, &created)
	require.Equal(t, "all-asked", created.ChannelID)
}

// state asks one of the server's probes; nothing when it cannot be reached.
func state(t *testing.T, s *server, method, path string) (status int, words string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, s.URL+path, http.NoBody)
	require.NoError(t, err)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, ""
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	return resp.StatusCode, string(body)
}

// At the end nobody sees the others go first: a thousand who go would be told a million times.
func TestShutdownTellsOfNobody(t *testing.T) {
	verifyNoLeaks(t)
	s := startServer(t)
	members := make([]*raw, 8)
	for i := range members {
		members[i], _ = identify(t, s, fmt.Sprint("member ", i))
		members[i].joinChannel("lobby")
	}
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		s.stop()
	}()
	for _, c := range members {
		require.Equal(t, protocol.CloseRestarting, c.closed(func(frame protocol.Frame) {
			var event protocol.ChannelEvent
			if frame.Op == protocol.OpChannelEvent {
				require.NoError(t, frame.Bind(&event))
				require.NotEqual(t, protocol.ChannelEventLeave, event.Event)
			}
		}))
	}
	<-stopped
}

func TestDrain(t *testing.T) {
	verifyNoLeaks(t)
	const drain = app.DefaultDrain
	s := startServer(t, hoarding)
	ada, bob := arrive(t, s, "Ada").join("lobby").talk(), arrive(t, s, "Bob").join("lobby").talk()
	ada.hears(bob)
	watcher, _ := identify(t, s, "watcher")
	gone, _ := identify(t, s, "gone")
	require.NoError(t, gone.conn.NetConn().Close())
	late, _ := guest(t, s, "late")
	deafen(t, s, watcher)
	for _, path := range []string{"/readyz", "/healthz"} {
		status, _ := state(t, s, http.MethodGet, path)
		require.Equal(t, http.StatusOK, status, path)
	}

	began := time.Now()
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		s.stop()
	}()
	var reconnect protocol.Reconnect
	watcher.event(protocol.OpReconnect, &reconnect)
	require.Equal(t, "restart", reconnect.Reason)
	require.GreaterOrEqual(t, reconnect.AfterMS, int64(0))
	require.LessOrEqual(t, reconnect.AfterMS, int64(6*5), "5 ms for each session")

	// Who asks is told, in either way.
	for _, method := range []string{http.MethodGet, http.MethodHead} {
		status, words := state(t, s, method, "/readyz")
		require.Equal(t, http.StatusServiceUnavailable, status)
		if method == http.MethodGet {
			require.Contains(t, words, "draining")
		}
		status, _ = state(t, s, method, "/healthz")
		require.Equal(t, http.StatusOK, status)
	}
	// Nobody comes in, comes back, or joins.
	c := dial(t, s)
	c.fails(protocol.OpIdentify, protocol.Identify{Token: late, V: protocol.Version}, protocol.CodeDraining)
	require.Equal(t, protocol.CloseDraining, c.closed())
	c = dial(t, s)
	c.fails(protocol.OpResume, protocol.Resume{
		V: protocol.Version, SessionID: gone.ready.SessionID, ResumeToken: gone.ready.ResumeToken,
	}, protocol.CodeDraining)
	require.Equal(t, protocol.CloseDraining, c.closed())
	watcher.fails(protocol.OpChannelJoin, protocol.ChannelJoin{ChannelID: "lobby", SDPOffer: offer(t, 1, 1)}, protocol.CodeDraining)
	// Who is there talks on.
	for _, p := range []*person{ada, bob} {
		told(p, "RECONNECT", func(d *protocol.Reconnect) bool { return d.Reason == "restart" })
		require.NoError(t, p.call.Err())
	}
	before := ada.heardFrom(bob)
	bob.talksOn()
	eventually(t, "Ada goes on hearing Bob", func() bool { return ada.heardFrom(bob) >= before+plenty/2 })

	require.Equal(t, protocol.CloseRestarting, watcher.closed())
	require.GreaterOrEqual(t, time.Since(began), drain/3, "it waits for who does not read")
	require.Equal(t, protocol.CloseRestarting, ada.ended())
	<-stopped
	require.Less(t, time.Since(began), drain+slowMachine)
	status, _ := state(t, s, http.MethodGet, "/readyz")
	require.Zero(t, status)
}

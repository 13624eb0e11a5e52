package app

import (
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mini-livechat/mini-livechat/sfu/forward"
	"github.com/mini-livechat/mini-livechat/sfu/peer"
)

func TestMinutesScoreWhatWasCarried(t *testing.T) {
	t.Parallel()
	type score struct {
		up  bool
		mos float64
	}
	var state map[uint64]minute
	networks := func(each func(uint64, peer.Network, forward.SourceStats)) {
		for id, m := range state {
			each(id, m.network, m.voice)
		}
	}
	var m minutes
	look := func() (scores []score) {
		m.look(networks, func(up bool, mos float64) { scores = append(scores, score{up, mos}) })
		return scores
	}
	require.Empty(t, look(), "nobody is there")

	state = map[uint64]minute{1: {}}
	require.Empty(t, look(), "nothing was carried")

	state[1] = minute{network: peer.Network{SentDown: 3000}}
	require.InDelta(t, 4.40, look()[0].mos, 0.02, "a clean minute")
	require.Empty(t, look(), "nothing was carried since")

	state[1] = minute{network: peer.Network{SentDown: 4000, LostDown: 200}}
	lossy := look()
	require.Len(t, lossy, 1)
	require.False(t, lossy[0].up)
	require.InDelta(t, 2.32, lossy[0].mos, 0.02, "of the thousand of this minute a fifth was lost, not of all")

	state[1] = minute{network: peer.Network{SentDown: 5000, LostDown: 400, Redundancy: 3}}
	require.InDelta(t, 4.40, look()[0].mos, 0.03, "redundancy mends it")

	state[1] = minute{
		network: peer.Network{SentDown: 5000, LostDown: 400, UpReports: 10, UpLosses: 2},
		voice:   forward.SourceStats{Packets: 3000, Recovered: 400, Restored: 200},
	}
	up := look()
	require.Len(t, up, 1)
	require.True(t, up[0].up)
	require.InDelta(t, 4.40, up[0].mos, 0.02, "all that was lost came after all")

	delete(state, 1)
	require.Empty(t, look())
	require.Empty(t, m.before, "who has gone is forgotten")
}

func get(t *testing.T, url, host string) (status int, text string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	require.NoError(t, err)
	if host != "" {
		req.Host = host
	}
	resp, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	return resp.StatusCode, string(body)
}

func TestMetricsAreServedApart(t *testing.T) {
	a := startApp(t, func(cfg *Config) { cfg.Metrics = "127.0.0.1:0" })
	url := "http://" + a.MetricsAddr()
	status, text := get(t, url+MetricsPath, "")
	require.Equal(t, http.StatusOK, status)
	require.Contains(t, text, `livechat_build_info{`)
	require.Contains(t, text, "go_goroutines ")
	status, text = get(t, url+"/debug/pprof/goroutine?debug=1", "localhost:1234")
	require.Equal(t, http.StatusOK, status)
	require.Contains(t, text, "goroutine profile")
	status, _ = get(t, url+"/debug/pprof/cmdline", "")
	require.Equal(t, http.StatusForbidden, status, "a secret may be there")
	status, _ = get(t, url+MetricsPath, "evil.example:9464")
	require.Equal(t, http.StatusForbidden, status, "a page has led its own name here")
	for _, path := range []string{MetricsPath, "/debug/pprof/"} {
		_, text = get(t, a.URL()+path, "")
		require.NotContains(t, text, "go_goroutines", "not on the port of the page")
		require.NotContains(t, text, "profile")
	}
}

func TestMetricsWithoutTheirPort(t *testing.T) {
	var taken net.Listener
	for deadline := time.Now().Add(20 * time.Second); taken == nil; {
		var err error
		if taken, err = new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:"+DefaultMetrics); err != nil && time.Now().After(deadline) {
			t.Skip("another server of this machine keeps the port: ", err)
		}
		time.Sleep(10 * time.Millisecond)
	}
	defer taken.Close()
	a := startApp(t, func(cfg *Config) { cfg.Metrics = DefaultMetrics })
	require.Empty(t, a.MetricsAddr(), "the default is done without")

	cfg := Default()
	cfg.HTTP, cfg.UDP, cfg.TURN, cfg.Data = "127.0.0.1:0", "127.0.0.1:0", false, t.TempDir()
	cfg.Metrics = "127.0.0.1:" + DefaultMetrics
	_, err := New(cfg, a.log)
	require.ErrorContains(t, err, "--metrics")
	cfg.Metrics = "words"
	require.ErrorContains(t, cfg.Validate(), "--metrics=words: must be a port")
}

// What the parts count is what is told.
func TestFiguresAreTheParts(t *testing.T) {
	a := startApp(t, func(cfg *Config) { cfg.Metrics = "127.0.0.1:0" })
	require.Equal(t, "http://"+a.MetricsAddr()+MetricsPath, a.status().Metrics)
	a.tally.Count("http_crowded")
	a.metrics.Joined(10 * time.Millisecond)
	a.metrics.FloorGranted(2 * time.Second)
	a.metrics.Reported(true, 0.25, 3*time.Millisecond)
	_, text := get(t, "http://"+a.MetricsAddr()+MetricsPath, "")
	for _, line := range []string{
		`livechat_refused_total{reason="http_crowded"} 1`,
		`livechat_refused_total{reason="turn_quota"} 0`,
		`livechat_join_phase_seconds_count{phase="answer"} 1`,
		`livechat_join_phase_seconds_count{phase="ice"} 0`,
		`livechat_floor_wait_seconds_bucket{le="3"} 1`,
		`livechat_floor_wait_seconds_bucket{le="1"} 0`,
		`livechat_rtp_loss_ratio_sum{direction="up"} 0.25`,
		`livechat_rtp_loss_ratio_count{direction="down"} 0`,
		`livechat_channels{mode="conference"} 1`,
		`livechat_channels{mode="ptt"} 1`,
		`livechat_sessions{state="away"} 0`,
		`livechat_store_trouble 0`,
	} {
		require.Contains(t, strings.Split(text, "\n"), line)
	}
}

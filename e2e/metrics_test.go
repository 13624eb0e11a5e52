package e2e

import (
	"bufio"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/mini-livechat/mini-livechat/cmd/app"
	"github.com/mini-livechat/mini-livechat/signaling/client"
	"github.com/mini-livechat/mini-livechat/signaling/protocol"
)

// scrape asks for the server's figures, by name and label as they stand there.
func (s *server) scrape(t *testing.T) map[string]float64 {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+s.metrics+app.MetricsPath, nil)
	require.NoError(t, err)
	resp, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	defer resp.Body.Close()
	figures := make(map[string]float64)
	for lines := bufio.NewScanner(resp.Body); lines.Scan(); {
		name, value, ok := strings.Cut(lines.Text(), " ")
		if !ok || name == "#" {
			continue
		}
		figures[name], err = strconv.ParseFloat(value, 64)
		require.NoError(t, err, lines.Text())
	}
	return figures
}

// What people do is what the figures say, and what was counted of those who have gone is not forgotten.
func TestMetricsFollowACall(t *testing.T) {
	verifyNoLeaks(t)
	s := startServer(t, func(c *app.Config) { c.Metrics = "127.0.0.1:0" })
	nothing := s.scrape(t)
	require.Zero(t, nothing[`livechat_sessions{state="connected"}`])
	require.Zero(t, nothing[`livechat_rtp_packets_total{direction="in"}`])

	ada := arrive(t, s, "ada", func(o *client.Options) { o.NoReconnect = false })
	_, err := ada.CreateChannel(soon(t), protocol.ChannelCreate{ChannelID: "radio", Mode: protocol.ModePTT})
	require.NoError(t, err)
	ada.join("radio")
	bo := arrive(t, s, "bo").join("radio")
	grant, err := ada.call.Floor().Acquire(soon(t), client.FloorRequest{})
	require.NoError(t, err)
	waits := make(chan error, 1)
	go func() {
		_, err := bo.call.Floor().Acquire(soon(t), client.FloorRequest{})
		waits <- err
	}()
	ada.talk()
	bo.hears(ada)
	eventually(t, "all of it is told", func() bool {
		f := s.scrape(t)
		return f[`livechat_sessions{state="connected"}`] == 2 && f["livechat_connections"] == 2 && f["livechat_members"] == 2 &&
			f["livechat_talkers"] == 2 && f["livechat_media_connections"] == 2 && f["livechat_speaking"] == 1 &&
			f["livechat_floors_held"] == 1 && f["livechat_floor_waiting"] == 1 && f[`livechat_channels{mode="ptt"}`] == 1 &&
			f["livechat_channels_occupied"] == 1 && f[`livechat_rtp_packets_total{direction="in"}`] >= plenty &&
			f[`livechat_rtp_packets_total{direction="out"}`] >= plenty && f[`livechat_dtls_handshakes_total{result="done"}`] == 2 &&
			f["livechat_slot_switches_total"] >= 1 && f[`livechat_rtp_loss_ratio_count{direction="down"}`] >= 1 &&
			f["livechat_rtp_round_trip_seconds_count"] >= 1
	})
	for _, phase := range []string{"answer", "ice", "dtls"} {
		require.Equal(t, 2.0, s.scrape(t)[`livechat_join_phase_seconds_count{phase="`+phase+`"}`], phase)
	}
	require.Equal(t, 1.0, s.scrape(t)[`livechat_join_phase_seconds_count{phase="media"}`], "one of them has talked")
	require.NoError(t, grant.Release(soon(t)))
	require.NoError(t, <-waits)
	require.Equal(t, 2.0, s.scrape(t)["livechat_floor_wait_seconds_count"])

	bo.gone()
	ada.gone()
	eventually(t, "they are gone, and what they did is not", func() bool {
		f := s.scrape(t)
		return f["livechat_members"] == 0 && f["livechat_media_connections"] == 0 && f[`livechat_sessions{state="connected"}`] == 0 &&
			f[`livechat_rtp_packets_total{direction="in"}`] >= plenty
	})
}

package e2e

import (
	"strings"
	"testing"
	"time"

	"github.com/pion/webrtc/v4"
	"github.com/stretchr/testify/require"

	"github.com/mini-livechat/mini-livechat/cmd/app"
	"github.com/mini-livechat/mini-livechat/signaling/client"
	"github.com/mini-livechat/mini-livechat/signaling/protocol"
)

// relayed makes a client use nothing but the TURN URLs that contain part.
func relayed(t *testing.T, part string) func(*client.Options) {
	t.Helper()
	engine, err := client.NewEngine(client.EngineConfig{
		RelayOnly: true, UseTURN: func(url string) bool { return strings.Contains(url, part) },
	})
	require.NoError(t, err)
	return func(o *client.Options) { o.Engine = engine }
}

// selected returns the local candidate that a call's media goes by.
func selected(t *testing.T, call *client.Call) webrtc.ICECandidate {
	t.Helper()
	pair, err := call.PeerConnection().SCTP().Transport().ICETransport().GetSelectedCandidatePair()
	require.NoError(t, err)
	require.NotNil(t, pair)
	return *pair.Local
}

// People who get through by TURN only are heard, and hear, like everybody else.
func TestTalkThroughRelay(t *testing.T) {
	verifyNoLeaks(t)
	s := startServer(t)
	ada := arrive(t, s, "Ada").join("lobby").talk()
	for name, url := range map[string]string{
		"UDP": "?transport=udp", "TCP": "?transport=tcp",
		"TCP, the page's port": s.URL[strings.LastIndex(s.URL, ":"):] + "?transport=tcp",
	} {
		t.Run(name, func(t *testing.T) {
			ben := arrive(t, s, "Ben", relayed(t, url)).join("lobby").talk()
			defer ben.gone()
			ben.hears(ada)
			ada.hears(ben)
			require.Equal(t, webrtc.ICECandidateTypeRelay, selected(t, ben.call).Typ)
		})
	}
}

// A relayed call ends with its session, also when the client does not notice.
func TestRelayEndsWithSession(t *testing.T) {
	s := startServer(t)
	ada := arrive(t, s, "Ada").join("lobby").talk()
	ben := arrive(t, s, "Ben", relayed(t, "?transport=udp")).join("lobby").talk()
	ben.hears(ada)
	ada.hears(ben)
	again := arriveAs(t, s, ben.token) // takes the user over, and so ends the session
	require.Equal(t, protocol.CloseReplaced, ben.ended())
	servers := ben.ICEServers()
	require.NotEqual(t, servers[0].Username, again.ICEServers()[0].Username)
	require.Equal(t, protocol.LeaveGone, ada.toldLeft(ben))
}

// New credentials come before the old ones end, and the next call uses them.
func TestCredentialsAreRefreshed(t *testing.T) {
	s := startServer(t, func(cfg *app.Config) { cfg.TURNTTL = 2 * time.Second })
	ada := arrive(t, s, "Ada").join("lobby").talk()
	ben := arrive(t, s, "Ben", relayed(t, "?transport=tcp"))
	first := ben.Ready().ICEServers
	require.Len(t, first, 1)
	seen := map[string]bool{first[0].Username: true}
	ben.join("lobby")
	for range 3 {
		ev := told(ben, "new credentials", func(*protocol.ICEServers) bool { return true })
		require.Equal(t, first[0].URLs, ev.ICEServers[0].URLs)
		require.False(t, seen[ev.ICEServers[0].Username], "they are new")
		seen[ev.ICEServers[0].Username] = true
	}
	ben.hears(ada) // with the first credentials, which have expired by now
	ben.leave()
	require.NotEqual(t, first, ben.ICEServers())
	ben.join("lobby").hears(ada)
}

// A server without TURN says so.
func TestNoRelay(t *testing.T) {
	s := startServer(t, func(cfg *app.Config) { cfg.TURN = false })
	require.Empty(t, arrive(t, s, "Ada").Ready().ICEServers)
}

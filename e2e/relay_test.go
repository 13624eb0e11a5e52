package e2e

import (
	"net"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/pion/stun/v4"
	"github.com/pion/turn/v5"
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

// However a session ends: within a second its credentials start nothing any more, and
// what they had started is over.
func TestRelayIsDeadWithItsSession(t *testing.T) {
	t.Parallel()
	s := startServer(t, func(cfg *app.Config) {
		cfg.HeartbeatInterval, cfg.ZombieTimeout, cfg.ReaperInterval = time.Second, 2*time.Second, 100*time.Millisecond
		cfg.ResumeWindow = 0 // who is gone is gone
	})
	for name, end := range map[string]func(t *testing.T, c *raw, token string){
		"closed":   func(_ *testing.T, c *raw, _ string) { _ = c.conn.Close() },
		"replaced": func(t *testing.T, _ *raw, token string) { t.Helper(); arriveAs(t, s, token) },
		"silent": func(t *testing.T, c *raw, _ string) {
			t.Helper()
			c.conn.SetPingHandler(func(string) error { return nil })
			require.Equal(t, protocol.CloseTimedOut, c.closed())
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			token, _ := guest(t, s, "Ada")
			c := dial(t, s)
			var ready protocol.Ready
			c.reply(protocol.OpIdentify, protocol.Identify{Token: token, V: protocol.Version}, protocol.OpReady, &ready)
			media := net.UDPAddrFromAddrPort(s.media)
			clients := []*turn.Client{turnClient(t, &ready, "udp"), turnClient(t, &ready, "tcp")}
			for _, client := range clients {
				_, err := client.Allocate()
				require.NoError(t, err)
				require.NoError(t, client.CreatePermission(media))
			}
			end(t, c, token)
			ended := time.Now()
			for _, client := range clients {
				for client.CreatePermission(media) == nil {
					require.Less(t, time.Since(ended), time.Second+slowMachine, "the allocation lives")
				}
			}
			for _, transport := range []string{"udp", "tcp"} {
				_, err := turnClient(t, &ready, transport).Allocate()
				require.ErrorContains(t, err, "401", "the credentials live")
			}
		})
	}
}

// turnClient is a TURN client with a session's credentials, by the first URL of a transport.
func turnClient(t *testing.T, ready *protocol.Ready, transport string) *turn.Client {
	t.Helper()
	server := ready.ICEServers[0]
	i := slices.IndexFunc(server.URLs, func(url string) bool { return strings.HasSuffix(url, transport) })
	require.GreaterOrEqual(t, i, 0)
	uri, err := stun.ParseURI(server.URLs[i])
	require.NoError(t, err)
	addr := net.JoinHostPort(uri.Host, strconv.Itoa(uri.Port))
	var conn net.PacketConn
	if transport == "udp" {
		conn, err = new(net.ListenConfig).ListenPacket(t.Context(), "udp", "127.0.0.1:0")
		require.NoError(t, err)
	} else {
		stream, dialErr := new(net.Dialer).DialContext(t.Context(), "tcp", addr)
		require.NoError(t, dialErr)
		conn = turn.NewSTUNConn(stream)
	}
	client, err := turn.NewClient(&turn.ClientConfig{
		TURNServerAddr: addr, STUNServerAddr: addr, Conn: conn, Username: server.Username, Password: server.Credential,
	})
	require.NoError(t, err)
	require.NoError(t, client.Listen())
	t.Cleanup(func() { client.Close(); _ = conn.Close() })
	return client
}

// New credentials come before the old ones end, and the next call uses them.
func TestCredentialsAreRefreshed(t *testing.T) {
	s := startServer(t, func(cfg *app.Config) { cfg.TURNTTL = 4 * time.Second })
	ada := arrive(t, s, "Ada").join("lobby").talk()
	ben := arrive(t, s, "Ben", relayed(t, "?transport=tcp"))
	first := ben.Ready().ICEServers
	require.Len(t, first, 1)
	seen := map[string]bool{first[0].Username: true}
	ben.join("lobby")
	for range 3 { // every two seconds; a name has whole ones
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

package client

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mini-livechat/mini-livechat/signaling/protocol"
)

func TestRoute(t *testing.T) {
	const own = "wss://one.example.org/ws"
	nodes := []string{"https://two.example.org", "https://three.example.org/", "https://one.example.org", "ftp://no.gateway"}
	others := make([]string, 0, 2)
	for _, node := range protocol.NodesFor("ada", nodes[:2]) {
		gateway, err := gatewayURL(node)
		require.NoError(t, err)
		others = append(others, gateway)
	}
	require.Equal(t, append([]string{own}, others...), route("ada", own, nodes, true))
	require.Equal(t, append(others, own), route("ada", own, nodes, false))
	require.Equal(t, []string{own}, route("ada", own, nil, true))
	require.Equal(t, []string{own}, route("ada", own, nil, false), "there is no other")
}

// Who has other nodes to go to does not wait long for a sign of life; who does not go to them is not ended by a moment's silence.
func TestOnlyWhoGoesElsewhereIsInAHurry(t *testing.T) {
	srv := newFake(t, func(c *fakeConn) {
		c.features = []string{protocol.FeatureNodes}
		c.each(func(protocol.Frame) {})
	})
	require.Equal(t, aliveLimit, srv.dial(Options{Token: "ada"}).link.alive)
	require.Greater(t, srv.dial(Options{Token: "bo", NoReconnect: true}).link.alive, aliveLimit)
}

func TestMayLive(t *testing.T) {
	require.True(t, mayLive(errUnanswered))
	require.True(t, mayLive(errors.New("connection reset by peer")))
	for code, may := range map[protocol.CloseCode]bool{
		protocol.CloseTimedOut: true, protocol.CloseSlowConsumer: true, 1001: true,
		protocol.CloseRestarting: false, protocol.CloseDraining: false,
	} {
		require.Equal(t, may, mayLive(fmt.Errorf("ended: %w", &CloseError{Code: code})), "%d", code)
	}
}

func TestOpenTimeout(t *testing.T) {
	c := &Client{gateway: "ws://one/ws"}
	require.Equal(t, tryTimeout, c.openTimeout(c.gateway), "there is nowhere else to go")
	c.nodes = []string{"http://two"}
	require.Equal(t, ownPatience, c.openTimeout(c.gateway))
	require.Equal(t, nodePatience, c.openTimeout("ws://two/ws"))
	c.openedIn = 700 * time.Millisecond // a slow network
	require.Equal(t, c.openedIn, c.openTimeout(c.gateway))
	c.openedIn = time.Minute
	require.Equal(t, nodePatience, c.openTimeout(c.gateway))
}

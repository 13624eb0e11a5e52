package e2e

import (
	"bufio"
	"context"
	"net/http"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/mini-livechat/mini-livechat/signaling/auth"
	"github.com/mini-livechat/mini-livechat/signaling/protocol"
)

// An operator sees and steers all nodes from any of them.
func TestClusterAdministration(t *testing.T) {
	verifyNoLeaks(t)
	p := startPair(t)
	a := describedAdmin(t, p.all[0])
	ada, ben := arrive(t, p.all[0], "Ada").join("lobby").talk(), arrive(t, p.all[1], "Ben").join("lobby").talk()
	ada.hears(ben)
	ben.hears(ada)

	sessions := does[protocol.AdminSessions](a, "GET", "/api/admin/sessions", nil)
	require.Empty(t, sessions.Missing)
	require.Len(t, sessions.Sessions, 2)
	require.Equal(t, []string{"Ada", "n1", "Ben", "n2"},
		[]string{sessions.Sessions[0].Name, sessions.Sessions[0].Node, sessions.Sessions[1].Name, sessions.Sessions[1].Node})
	one := does[protocol.AdminSession](a, "GET", "/api/admin/sessions/ben", nil)
	require.Equal(t, []string{ben.UserID(), "n2", "lobby"}, []string{one.UserID, one.Node, one.ChannelID})
	require.Positive(t, one.Peer.PacketsIn)
	peers := does[protocol.AdminPeers](a, "GET", "/api/admin/peers", nil).Peers
	require.Equal(t, []string{"n1", "n2"}, []string{peers[0].Node, peers[1].Node})
	for _, m := range does[protocol.AdminChannel](a, "GET", "/api/admin/channels/lobby", nil).Members {
		require.True(t, m.Peer.Connected, "%+v", m)
		require.Positive(t, m.Peer.PacketsIn)
	}
	require.Equal(t, "n1", does[protocol.AdminStatus](a, "GET", "/api/admin/status", nil).Node)

	// Who listens in is known on all nodes, and on none any more.
	listeners := func(want ...protocol.Listener) {
		t.Helper()
		eventually(t, "the other node knows who listens in", func() bool {
			var den protocol.ChannelDetail
			require.NoError(t, ada.Request(soon(t), protocol.OpChannelInfo, protocol.ChannelRef{ChannelID: "den"}, &den))
			return slices.Equal(want, den.Listeners)
		})
		require.Equal(t, want, does[protocol.AdminChannel](a, "GET", "/api/admin/channels/den", nil).Listeners)
	}
	ben.listens(protocol.Listen{Channels: []string{"den"}, Slots: 1})
	listeners(protocol.Listener{UserID: ben.UserID(), Name: "Ben"})
	ben.listens(protocol.Listen{})
	listeners()

	// By name, wherever they are.
	does[protocol.AdminDone](a, "POST", "/api/admin/sessions/ben/mute", protocol.AdminMute{Mute: new(true)})
	require.True(t, does[protocol.AdminSession](a, "GET", "/api/admin/sessions/ben", nil).Muted)
	moved := does[protocol.AdminDone](a, "POST", "/api/admin/sessions/BEN/move", protocol.AdminMove{ChannelID: "den"})
	require.Equal(t, []string{ben.UserID(), "Ben"}, []string{moved.UserID, moved.Name})
	require.Equal(t, "den", does[protocol.AdminSession](a, "GET", "/api/admin/sessions/ben", nil).ChannelID)
	a.refuses("POST", "/api/admin/sessions/ben/move", `{"channel_id":"nowhere"}`, http.StatusNotFound, protocol.CodeChannelNotFound, "nowhere")
	second := arriveAs(t, p.all[1], mint(t, testSecret, auth.Identity{UserID: "ada-2", Name: "Ada"})).join("lobby")
	eventually(t, "the first node knows of the second Ada", func() bool { return slices.Contains(ada.memberIDs(), "ada-2") })
	a.refuses("GET", "/api/admin/sessions/ada", "", http.StatusBadRequest, protocol.CodeInvalidPayload, "2 people here are called")
	require.Equal(t, "n2", does[protocol.AdminSession](a, "GET", "/api/admin/sessions/ada-2", nil).Node)
	does[protocol.AdminDone](a, "POST", "/api/admin/sessions/ada-2/kick", protocol.AdminKick{Reason: "one too many"})
	require.Equal(t, protocol.CloseKicked, second.ended())
	banned := does[protocol.MemberBan](a, "POST", "/api/admin/bans", protocol.MemberBan{UserID: "ben", DurationS: new(int64(60))})
	require.Equal(t, ben.UserID(), banned.UserID, "a guest of another node by name")
	require.Equal(t, protocol.CloseBanned, ben.ended())

	// A node that does not answer is named, for as long as it should, and holds nobody up for long.
	p.net.Part([]string{"n1"}, []string{"n2"})
	sessions = does[protocol.AdminSessions](a, "GET", "/api/admin/sessions", nil)
	require.Len(t, sessions.Sessions, 1)
	require.Subset(t, []string{"n2"}, sessions.Missing)
	a.refuses("GET", "/api/admin/sessions/nobody", "", http.StatusNotFound, protocol.CodeUserNotFound, "not here")
}

// Who looks on at one node sees what is said at all: of somebody wherever they are, also when they go to another node, of a channel by all who are in
// it, and which node does not answer.
func TestClusterTrace(t *testing.T) {
	verifyNoLeaks(t)
	p := startPair(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	a := describedAdmin(t, p.all[0])
	ada, ben := a.follow(ctx, "?user=ada&op=message_create"), a.follow(ctx, "?channel=lobby&op=message_create")
	said := func(lines *bufio.Scanner, node, name string) {
		t.Helper()
		for _, op := range []string{"MESSAGE_CREATE", "ACK"} {
			line, text := nextTraced(t, lines)
			require.Equal(t, []string{node, name, op}, []string{line.Node, line.Name, line.Op})
			require.NotContains(t, text, "hello")
		}
	}
	token := mint(t, testSecret, auth.Identity{UserID: "ada", Name: "Ada"})
	for _, at := range []int{1, 0, 1} {
		one := arriveAs(t, p.all[at], token).join("lobby")
		_, err := one.PostMessage(soon(t), protocol.MessageCreate{ChannelID: "lobby", Content: "hello"})
		require.NoError(t, err)
		said(ada, p.names[at], "Ada")
		said(ben, p.names[at], "Ada")
	}
	other := arrive(t, p.all[1], "Ben").join("lobby")
	_, err := other.PostMessage(soon(t), protocol.MessageCreate{ChannelID: "lobby", Content: "hello"})
	require.NoError(t, err)
	said(ben, "n2", "Ben")

	p.mute.Store(true)
	line, _ := nextTraced(t, ada)
	require.Equal(t, []string{"n2"}, line.Missing)
}

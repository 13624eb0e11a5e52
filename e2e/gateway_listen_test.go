package e2e

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/mini-livechat/mini-livechat/cmd/app"
	"github.com/mini-livechat/mini-livechat/signaling/httpapi"
	"github.com/mini-livechat/mini-livechat/signaling/protocol"
)

// bands starts a server with channels of olga's beside the lobby.
func bands(t *testing.T, channels ...string) (s *server, olga *raw) {
	t.Helper()
	s = startServer(t, func(c *app.Config) { c.Secret, c.AllowGuests = testSecret, new(true) })
	olga = identifyAs(t, s, "olga", false)
	for _, id := range channels {
		olga.ack(protocol.OpChannelCreate, protocol.ChannelCreate{ChannelID: id}, nil)
	}
	return s, olga
}

func access(channel string, a protocol.Access) protocol.ChannelUpdate {
	return protocol.ChannelUpdate{ChannelID: channel, ChannelSettings: protocol.ChannelSettings{Access: &a}}
}

func listeners(c *raw, channel string) []protocol.Listener {
	c.t.Helper()
	var detail protocol.ChannelDetail
	c.ack(protocol.OpChannelInfo, protocol.ChannelRef{ChannelID: channel}, &detail)
	return detail.Listeners
}

func TestGatewayListenIsChecked(t *testing.T) {
	verifyNoLeaks(t)
	s, olga := bands(t, "a", "b", "c", "d", "e", "f", "g", "h", "i", "secret", "staff")
	olga.ack(protocol.OpChannelUpdate, access("secret", protocol.AccessInvited), nil)
	olga.ack(protocol.OpChannelUpdate, access("staff", protocol.AccessMembers), nil)
	gus, _ := identify(t, s, "Gus")
	to := func(channels ...string) protocol.Listen { return protocol.Listen{Channels: channels} }
	gus.fails(protocol.OpListen, to("a"), protocol.CodeNotInChannel)
	gus.joinChannel("lobby")
	for _, wrong := range []protocol.Listen{
		{},
		to("lobby"), to("a", "b", "a"), to("a", "b", "c", "d", "e", "f", "g", "h", "i"),
		{Channels: []string{"a"}, Slots: 2},
		{Channels: []string{"a"}, Slots: -1},
		{Channels: []string{"a"}, Priority: "b"},
	} {
		gus.fails(protocol.OpListen, wrong, protocol.CodeInvalidPayload)
	}
	gus.fails(protocol.OpListen, to("nowhere"), protocol.CodeChannelNotFound)
	gus.fails(protocol.OpListen, to("a", "secret"), protocol.CodeChannelNotFound)
	gus.fails(protocol.OpListen, to("staff"), protocol.CodeAccessDenied)
	require.Empty(t, listeners(olga, "a"), "what is refused changes nothing")

	var listening protocol.Listen
	gus.ack(protocol.OpListen, protocol.Listen{Channels: []string{"b", "a"}, Priority: "a"}, &listening)
	require.Equal(t, protocol.Listen{Channels: []string{"b", "a"}, Priority: "a", Slots: 1}, listening)
	listening = protocol.Listen{}
	gus.ack(protocol.OpListen, to("a", "b", "c", "d", "e", "f", "g", "h"), &listening)
	require.Len(t, listening.Channels, protocol.MaxListened)
	listening = protocol.Listen{}
	gus.ack(protocol.OpListen, protocol.Listen{Channels: []string{}}, &listening)
	require.Equal(t, protocol.Listen{Channels: []string{}}, listening)

	bo, _ := identify(t, s, "Bo")
	bo.ack(protocol.OpChannelJoin, protocol.ChannelJoin{ChannelID: "lobby", SDPOffer: offer(t, 1, 1)}, nil)
	bo.fails(protocol.OpListen, to("a"), protocol.CodeInvalidPayload)
	bo.ack(protocol.OpListen, protocol.Listen{Channels: []string{}}, nil)
}

// Who listens is in no list of members, and told of nothing there; but whoever asks is told of them. Over RESUME it goes on.
func TestGatewayListenIsNoSecret(t *testing.T) {
	verifyNoLeaks(t)
	s, olga := bands(t, "den")
	olga.joinChannel("den")
	ada, adaID := identify(t, s, "Ada")
	ada.joinChannel("lobby")
	ada.ack(protocol.OpListen, protocol.Listen{Channels: []string{"den"}}, nil)
	var slots protocol.SlotMap
	ada.event(protocol.OpSlotMap, &slots)
	require.Equal(t, []*string{nil, nil}, []*string{slots.Slots[0].UserID, slots.Slots[1].UserID})
	require.Equal(t, []protocol.Listener{{UserID: adaID, Name: "Ada"}}, listeners(olga, "den"))
	require.Len(t, olga.members("den"), 1)
	olga.quiet()
	ada.cut()
	ada, _, _ = ada.resume(s)
	require.Len(t, listeners(ada, "den"), 1)
	olga.ack(protocol.OpMessageCreate, protocol.MessageCreate{ChannelID: "den", Content: "for us"}, nil)
	ada.quiet()
	ada.ack(protocol.OpChannelLeave, protocol.ChannelRef{ChannelID: "lobby"}, nil)
	require.Empty(t, listeners(olga, "den"))
	ada.joinChannel("lobby")
	ada.ack(protocol.OpListen, protocol.Listen{Channels: []string{"den"}}, nil)
	ada.farewell()
	eventually(t, "the end of the session ends it", func() bool { return len(listeners(olga, "den")) == 0 })
}

// What one may not enter any more one does not listen to any more.
func TestGatewayListenEndsWithAccess(t *testing.T) {
	verifyNoLeaks(t)
	s, olga := bands(t, "den", "bar", "cafe")
	gus, gusID := identify(t, s, "Gus")
	gus.joinChannel("lobby")
	gus.ack(protocol.OpListen, protocol.Listen{Channels: []string{"den", "bar", "cafe"}, Priority: "bar"}, nil)
	left := func() (l protocol.Listen) {
		gus.event(protocol.OpListening, &l)
		return l
	}
	olga.ack(protocol.OpChannelUpdate, access("bar", protocol.AccessMembers), nil)
	require.Equal(t, protocol.Listen{Channels: []string{"den", "cafe"}, Slots: 1}, left())
	olga.ack(protocol.OpChannelUpdate, access("den", protocol.AccessInvited), nil)
	require.Equal(t, protocol.Listen{Channels: []string{"cafe"}, Slots: 1}, left())
	for _, id := range []string{"den", "bar"} {
		require.Empty(t, listeners(olga, id))
	}
	// Whom a moderator takes there is in it, and listens to it no more.
	root := identifyAs(t, s, "root", true)
	root.ack(protocol.OpMemberMove, protocol.MemberMove{UserID: gusID, ChannelID: "cafe"}, nil)
	require.Equal(t, protocol.Listen{Channels: []string{}}, left())
	listed(root) // her request is over, and not just answered
	gus.ack(protocol.OpListen, protocol.Listen{Channels: []string{"lobby"}}, nil)
	olga.ack(protocol.OpChannelCreate, protocol.ChannelCreate{ChannelID: "attic"}, nil)
	gus.ack(protocol.OpListen, protocol.Listen{Channels: []string{"lobby", "attic"}}, nil)
	olga.ack(protocol.OpChannelDelete, protocol.ChannelRef{ChannelID: "attic"}, nil)
	require.Equal(t, protocol.Listen{Channels: []string{"lobby"}, Slots: 1}, left())
}

// Whom an invite let into a channel listens to it no longer than that holds.
func TestGatewayListenEndsWithTheInvite(t *testing.T) {
	verifyNoLeaks(t)
	data := shortDir(t)
	s := startServer(t, func(c *app.Config) { c.Data = data })
	admin := administer(t, data)
	var invite protocol.InviteCreated
	require.NoError(t, admin.Do(t.Context(), http.MethodPost, "/api/admin/invites", protocol.InviteCreate{Role: "member"}, &invite))
	olga := entered(t, s, invitedBy(t, s, invite.Secret, "Olga").Token)
	olga.ack(protocol.OpChannelCreate, protocol.ChannelCreate{
		ChannelID: "den", ChannelSettings: protocol.ChannelSettings{Access: new(protocol.AccessInvited)},
	}, nil)
	require.NoError(t, admin.Do(t.Context(), http.MethodPost, "/api/admin/invites", protocol.InviteCreate{ChannelID: "den"}, &invite))
	idaIs := invitedBy(t, s, invite.Secret, "Ida")
	ida := entered(t, s, idaIs.Token)
	ida.joinChannel("lobby")
	ida.ack(protocol.OpListen, protocol.Listen{Channels: []string{"den"}}, nil)
	require.Len(t, listeners(olga, "den"), 1)
	olga.ack(protocol.OpInviteRevoke, protocol.InviteRef{ChannelID: "den", UserID: idaIs.UserID}, nil)
	var left protocol.Listen
	ida.event(protocol.OpListening, &left)
	require.Equal(t, protocol.Listen{Channels: []string{}}, left)
	require.Empty(t, listeners(olga, "den"))
}

func TestGatewayListenEndsWithTheRole(t *testing.T) {
	verifyNoLeaks(t)
	data := shortDir(t)
	s := startServer(t, func(c *app.Config) { c.Data = data })
	admin := administer(t, data)
	var invite protocol.InviteCreated
	require.NoError(t, admin.Do(t.Context(), http.MethodPost, "/api/admin/invites", protocol.InviteCreate{Role: "member", Uses: new(2)}, &invite))
	olga := entered(t, s, invitedBy(t, s, invite.Secret, "Olga").Token)
	olga.ack(protocol.OpChannelCreate, protocol.ChannelCreate{
		ChannelID: "staff", ChannelSettings: protocol.ChannelSettings{Access: new(protocol.AccessMembers)},
	}, nil)
	idaIs := invitedBy(t, s, invite.Secret, "Ida")
	ida := entered(t, s, idaIs.Token)
	ida.joinChannel("lobby")
	ida.ack(protocol.OpListen, protocol.Listen{Channels: []string{"staff"}}, nil)
	require.NoError(t, admin.Do(t.Context(), http.MethodPatch, "/api/admin/users/"+idaIs.UserID, httpapi.AdminUserChange{Role: new("guest")}, &struct{}{}))
	var left protocol.Listen
	ida.event(protocol.OpListening, &left)
	require.Equal(t, protocol.Listen{Channels: []string{}}, left)
	ida.fails(protocol.OpListen, protocol.Listen{Channels: []string{"staff"}}, protocol.CodeAccessDenied)
}

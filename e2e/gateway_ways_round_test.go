package e2e

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mini-livechat/mini-livechat/cmd/app"
	"github.com/mini-livechat/mini-livechat/signaling/auth"
	"github.com/mini-livechat/mini-livechat/signaling/client"
	"github.com/mini-livechat/mini-livechat/signaling/httpapi"
	"github.com/mini-livechat/mini-livechat/signaling/protocol"
)

// identifyWith identifies with a token of this identity at a server with testSecret.
func identifyWith(t *testing.T, s *server, id auth.Identity) *raw {
	t.Helper()
	authority, err := auth.New([]byte(testSecret))
	require.NoError(t, err)
	token, err := authority.Mint(id, time.Now(), time.Hour)
	require.NoError(t, err)
	c := dial(t, s)
	c.reply(protocol.OpIdentify, protocol.Identify{Token: token, V: protocol.Version}, protocol.OpReady, &c.ready)
	return c
}

// What a token withholds is not to be had by an invite, and where it ends its moderator ends.
func TestGatewayTokensForLessGiveNoMore(t *testing.T) {
	verifyNoLeaks(t)
	s := startServer(t, func(c *app.Config) {
		c.Secret, c.AllowGuests, c.Channels = testSecret, new(true), []string{"lobby", "ops-1"}
	})
	moderator := auth.RoleModerator
	some := identifyWith(t, s, auth.Identity{UserID: "some", Grants: auth.Grants{Role: &moderator, Channels: []string{"ops-*"}}})
	silent := identifyWith(t, s, auth.Identity{UserID: "wall", Grants: auth.Grants{Publish: auth.Withheld}})
	ben := identifyAs(t, s, "ben", false)
	ben.joinChannel("lobby")
	yes := true
	for op, d := range map[protocol.Op]any{
		protocol.OpMemberMute:   protocol.MemberMute{UserID: "ben", Mute: &yes},
		protocol.OpMemberMove:   protocol.MemberMove{UserID: "ben", ChannelID: "ops-1"},
		protocol.OpMemberBan:    protocol.MemberBan{UserID: "ben", DurationS: new(int64)},
		protocol.OpAudit:        protocol.AuditRequest{},
		protocol.OpInviteCreate: protocol.InviteCreate{},
	} {
		some.fails(op, d, protocol.CodeAccessDenied)
		silent.fails(op, d, protocol.CodeAccessDenied)
	}
	silent.ack(protocol.OpChannelCreate, protocol.ChannelCreate{ChannelID: "mine"}, nil)
	silent.fails(protocol.OpInviteCreate, protocol.InviteCreate{ChannelID: "mine"}, protocol.CodeAccessDenied)
	ben.ack(protocol.OpChannelLeave, protocol.ChannelRef{ChannelID: "lobby"}, nil)
	ben.joinChannel("ops-1")
	some.ack(protocol.OpMemberMute, protocol.MemberMute{UserID: "ben", Mute: &yes}, nil)
}

// A moderator of the server is one in a channel that a guest has made, too.
func TestGatewayNobodyHidesInTheirOwnChannel(t *testing.T) {
	verifyNoLeaks(t)
	s := startServer(t, func(c *app.Config) { c.Secret, c.AllowGuests = testSecret, new(true) })
	moderator := auth.RoleModerator
	judge := identifyWith(t, s, auth.Identity{UserID: "judge", Grants: auth.Grants{Role: &moderator}})
	guest, id := identify(t, s, "Loud")
	guest.ack(protocol.OpChannelCreate, protocol.ChannelCreate{ChannelID: "fort"}, nil)
	guest.joinChannel("fort")
	judge.ack(protocol.OpMemberMute, protocol.MemberMute{UserID: id, Mute: new(true)}, nil)
	judge.ack(protocol.OpMemberKick, protocol.MemberKick{UserID: id}, nil)
	require.Equal(t, protocol.CloseKicked, guest.closed())
}

// Who is banned is so for guests of the same address, but not for all who come through a proxy that was not declared, also when they
// have just gone.
func TestGatewayAddressesOfProxiesAreNobodys(t *testing.T) {
	verifyNoLeaks(t)
	s := startServer(t, func(c *app.Config) { c.Secret, c.AllowGuests = testSecret, new(true) })
	root := identifyAs(t, s, "root", true)
	ban := func(userID string) {
		root.ack(protocol.OpMemberBan, protocol.MemberBan{UserID: userID, DurationS: new(int64)}, nil)
	}
	const proxy = "192.168.7.7"
	bad, badID := identifyFrom(t, s, "Bad", "203.0.113.5, "+proxy)
	worse, worseID := identifyFrom(t, s, "Worse", "203.0.113.6, "+proxy)
	worse.farewell()
	ban(badID)
	require.Equal(t, protocol.CloseBanned, bad.closed())
	ban(worseID)
	identifyFrom(t, s, "Good", "203.0.113.7, "+proxy)

	direct, directID := identifyFrom(t, s, "Direct", proxy)
	ban(directID)
	require.Equal(t, protocol.CloseBanned, direct.closed())
	for _, address := range []string{proxy, "203.0.113.8, " + proxy} { // what one says of others is no way round
		token, _ := guestFrom(t, s, "Again", "203.0.113.9")
		again := dialFrom(t, s, address)
		again.fails(protocol.OpIdentify, protocol.Identify{Token: token, V: protocol.Version}, protocol.CodeBanned)
	}
	stranger, strangerID := identifyFrom(t, s, "Stranger", "1.2.3.4, 198.51.100.9") // anybody may say so
	ban(strangerID)
	require.Equal(t, protocol.CloseBanned, stranger.closed())
	token, _ := guestFrom(t, s, "Again", "203.0.113.9")
	dialFrom(t, s, "198.51.100.9").fails(protocol.OpIdentify, protocol.Identify{Token: token, V: protocol.Version}, protocol.CodeBanned)
}

// Whoever is banned, or muted, is so as another person of the same browser.
func TestGatewayTheDoorHolds(t *testing.T) {
	verifyNoLeaks(t)
	data := shortDir(t)
	s := startServer(t, func(c *app.Config) { c.Data, c.Secret, c.AllowGuests = data, testSecret, new(true) })
	root := identifyAs(t, s, "root", true)
	admin := administer(t, data)
	t.Cleanup(func() { require.NoError(t, admin.Close()) })
	var invite protocol.InviteCreated
	require.NoError(t, admin.Do(t.Context(), http.MethodPost, "/api/admin/invites", protocol.InviteCreate{Uses: new(0), Role: "moderator"}, &invite))
	asGuest := func(name, device string) (*raw, string) {
		t.Helper()
		token, id := guest(t, s, name)
		c := dial(t, s)
		c.reply(protocol.OpIdentify, protocol.Identify{Token: token, V: 1, Device: device}, protocol.OpReady, &c.ready)
		return c, id
	}
	first, id := asGuest("Loud", "a phone")
	second, _ := asGuest("Loud in a second tab", "a phone")
	other, _ := asGuest("Neighbour", "another phone")
	first.joinChannel("lobby")
	root.ack(protocol.OpMemberMute, protocol.MemberMute{UserID: id, Mute: new(true)}, nil)
	third, _ := asGuest("Quiet", "a phone")
	joined := third.joinChannel("lobby")
	require.True(t, joined.ActiveMembers[1].Muted, "as another guest too")

	root.ack(protocol.OpMemberMute, protocol.MemberMute{UserID: id, Mute: new(false)}, nil)
	first.farewell()
	eventually(t, "they are gone", func() bool { return len(root.members("lobby")) == 1 })
	root.ack(protocol.OpMemberMute, protocol.MemberMute{UserID: id, Mute: new(false)}, nil)
	root.fails(protocol.OpMemberMute, protocol.MemberMute{UserID: id, Mute: new(true)}, protocol.CodeUserNotFound)
	root.ack(protocol.OpMemberBan, protocol.MemberBan{UserID: id, DurationS: new(int64)}, nil) // perhaps just gone, perhaps not yet
	require.Equal(t, protocol.CloseBanned, second.closed())
	require.Equal(t, protocol.CloseBanned, third.closed())
	other.ack(protocol.OpChannelList, struct{}{}, nil)
	_, err := client.UseInvite(t.Context(), nil, s.URL, protocol.InviteRequest{Secret: invite.Secret, Name: "New", Device: "a phone"})
	refusal := &protocol.Error{}
	require.ErrorAs(t, err, &refusal)
	require.Equal(t, protocol.CodeBanned, refusal.Code)

	// With who made them go the invites, when they are banned and when they become less.
	for name, fall := range map[string]func(userID string){
		"Mod": func(userID string) {
			require.NoError(t, admin.Do(t.Context(), http.MethodPatch, "/api/admin/users/"+userID, httpapi.AdminUserChange{Role: new("member")}, &struct{}{}))
		},
		"Bad": func(userID string) {
			root.ack(protocol.OpMemberBan, protocol.MemberBan{UserID: userID, DurationS: new(int64)}, nil)
		},
	} {
		made := invitedBy(t, s, invite.Secret, name)
		c := entered(t, s, made.Token)
		var own protocol.InviteCreated
		c.ack(protocol.OpInviteCreate, protocol.InviteCreate{Uses: new(0)}, &own)
		fall(made.UserID)
		_, err = client.UseInvite(t.Context(), nil, s.URL, protocol.InviteRequest{Secret: own.Secret})
		require.ErrorAs(t, err, &refusal)
		require.Equal(t, protocol.CodeInvite, refusal.Code, name)
	}
}

// A guest's token is good for nothing where no guests are let in.
func TestGatewayGuestsOfYesterday(t *testing.T) {
	verifyNoLeaks(t)
	data := t.TempDir()
	s := startServer(t, func(c *app.Config) { c.Data, c.Secret, c.AllowGuests = data, testSecret, new(true) })
	token, _ := guest(t, s, "Ada")
	s = s.again(t, data, func(c *app.Config) { c.Data, c.Secret, c.AllowGuests = data, testSecret, new(false) })
	c := dial(t, s)
	c.fails(protocol.OpIdentify, protocol.Identify{Token: token, V: protocol.Version}, protocol.CodeAccessDenied)
	require.Equal(t, protocol.CloseAuthFailed, c.closed())
}

// members are who is in a channel.
func (c *raw) members(channelID string) []protocol.Member {
	c.t.Helper()
	var detail protocol.ChannelDetail
	c.ack(protocol.OpChannelInfo, protocol.ChannelRef{ChannelID: channelID}, &detail)
	return detail.ActiveMembers
}

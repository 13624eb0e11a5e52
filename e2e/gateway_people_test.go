package e2e

import (
	"context"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mini-livechat/mini-livechat/cmd/app"
	"github.com/mini-livechat/mini-livechat/signaling/auth"
	"github.com/mini-livechat/mini-livechat/signaling/client"
	"github.com/mini-livechat/mini-livechat/signaling/httpapi"
	"github.com/mini-livechat/mini-livechat/signaling/protocol"
)

// shortDir is a directory whose name leaves room for a socket's in 108 bytes.
func shortDir(tb testing.TB) string {
	tb.Helper()
	dir, err := os.MkdirTemp("", "lc") //nolint:usetesting // its names are too long for a socket
	require.NoError(tb, err)
	tb.Cleanup(func() { require.NoError(tb, os.RemoveAll(dir)) })
	return dir
}

// administer reaches a server as commands do.
func administer(tb testing.TB, data string) *app.Admin {
	tb.Helper()
	admin, err := app.OpenAdmin(tb.Context(), data)
	require.NoError(tb, err)
	return admin
}

// invited makes somebody a person by an invite, and returns their token.
func invitedBy(t *testing.T, s *server, secret, name string) protocol.InviteAnswer {
	t.Helper()
	made, err := client.UseInvite(t.Context(), nil, s.URL, protocol.InviteRequest{Secret: secret, Name: name})
	require.NoError(t, err)
	require.NotEmpty(t, made.Token)
	return made
}

// entered identifies with a token.
func entered(t *testing.T, s *server, token string) *raw {
	t.Helper()
	c := dial(t, s)
	c.reply(protocol.OpIdentify, protocol.Identify{Token: token, V: protocol.Version}, protocol.OpReady, &c.ready)
	return c
}

// Who opens an invite is from then on that person, also at the next start; who was logged out is not any more, within a second.
func TestGatewayPeopleComeByInvites(t *testing.T) {
	verifyNoLeaks(t)
	data := shortDir(t)
	configure := func(c *app.Config) { c.Data = data }
	s := startServer(t, configure)
	admin := administer(t, data)
	var first, second protocol.InviteCreated
	require.NoError(t, admin.Do(t.Context(), http.MethodPost, "/api/admin/invites", protocol.InviteCreate{Role: "admin"}, &first))
	adaIs := invitedBy(t, s, first.Secret, "Ada")
	ada := entered(t, s, adaIs.Token)
	require.Equal(t, "admin", ada.ready.Role)
	require.Equal(t, "Ada", ada.ready.Name)
	require.Empty(t, ada.ready.LoginToken)

	// She invites one more, to a channel.
	ada.ack(protocol.OpChannelCreate, protocol.ChannelCreate{ChannelID: "ops", ChannelName: "Operations"}, nil)
	ada.ack(protocol.OpInviteCreate, protocol.InviteCreate{ChannelID: "ops", Uses: new(5)}, &second)
	require.Equal(t, "member", second.Role)
	looked, err := client.UseInvite(t.Context(), nil, s.URL, protocol.InviteRequest{Secret: second.Secret})
	require.NoError(t, err)
	require.Equal(t, protocol.InviteAnswer{Role: "member", ChannelID: "ops", ChannelName: "Operations", ByName: "Ada", ExpiresAt: second.ExpiresAt}, looked)
	bobIs := invitedBy(t, s, second.Secret, "Bob")
	bob := entered(t, s, bobIs.Token)
	require.Equal(t, "member", bob.ready.Role)
	bob.fails(protocol.OpInviteCreate, protocol.InviteCreate{}, protocol.CodeAccessDenied)
	bob.fails(protocol.OpInviteRevoke, protocol.InviteRef{InviteID: second.InviteID}, protocol.CodeInvite)
	var list protocol.InviteList
	ada.ack(protocol.OpInviteList, struct{}{}, &list)
	require.Len(t, list.Invites, 2)
	ada.ack(protocol.OpInviteRevoke, protocol.InviteRef{InviteID: second.InviteID}, nil)
	for _, secret := range []string{first.Secret, second.Secret, "", strings.Repeat("x", 3000)} {
		_, err = client.UseInvite(t.Context(), nil, s.URL, protocol.InviteRequest{Secret: secret, Name: "Eve"})
		refusal := &protocol.Error{}
		require.ErrorAs(t, err, &refusal)
		require.Equal(t, protocol.CodeInvite, refusal.Code)
	}

	// Guests get no name that is theirs, or looks so.
	for _, name := range []string{"ada", "Вob"} { // the second one begins with a Cyrillic letter
		_, err = client.Guest(t.Context(), s.URL, name)
		refusal := &protocol.Error{}
		require.ErrorAs(t, err, &refusal)
		require.Equal(t, protocol.CodeNameTaken, refusal.Code)
	}

	// What is decided about who is here holds at once.
	require.NoError(t, admin.Do(t.Context(), http.MethodPatch, "/api/admin/users/bob", httpapi.AdminUserChange{Role: new("moderator")}, &struct{}{}))
	var told protocol.ModerationEvent
	bob.event(protocol.OpModerationEvent, &told)
	require.Equal(t, "moderator", told.Role)
	require.Equal(t, []protocol.Right{protocol.RightCreate, protocol.RightPublish, protocol.RightChat, protocol.RightModerate}, told.May)
	bob.ack(protocol.OpInviteCreate, protocol.InviteCreate{}, nil)
	bob.fails(protocol.OpInviteCreate, protocol.InviteCreate{Role: "moderator"}, protocol.CodeAccessDenied)
	require.NoError(t, admin.Do(t.Context(), http.MethodPost, "/api/admin/users/bob/logout", nil, &struct{}{}))
	require.Equal(t, protocol.CloseAuthFailed, bob.closed())
	c := dial(t, s)
	c.fails(protocol.OpIdentify, protocol.Identify{Token: bobIs.Token, V: protocol.Version}, protocol.CodeInvalidToken)
	require.Equal(t, protocol.CloseAuthFailed, c.closed())
	require.NoError(t, admin.Close())

	s = s.again(t, data, configure)
	ada = entered(t, s, adaIs.Token)
	require.Equal(t, "admin", ada.ready.Role)
	require.NoError(t, client.SignOut(t.Context(), nil, s.URL, adaIs.Token))
	require.Equal(t, protocol.CloseAuthFailed, ada.closed())
}

// Without a server the same commands work on its memory.
func TestPeopleAreAdministeredWithoutAServer(t *testing.T) {
	verifyNoLeaks(t)
	data := shortDir(t)
	s := startServer(t, func(c *app.Config) { c.Data = data })
	running := administer(t, data)
	var invite protocol.InviteCreated
	require.NoError(t, running.Do(t.Context(), http.MethodPost, "/api/admin/invites", protocol.InviteCreate{}, &invite))
	require.NoError(t, running.Close())
	invitedBy(t, s, invite.Secret, "Ada")
	s.stop()
	require.NoFileExists(t, filepath.Join(data, "livechat.sock"))

	alone := administer(t, data)
	var user httpapi.AdminUser
	require.NoError(t, alone.Do(t.Context(), http.MethodGet, "/api/admin/users/Ada", nil, &user))
	require.Equal(t, "member", user.Role)
	refusal := &protocol.Error{}
	require.ErrorAs(t, alone.Do(t.Context(), http.MethodDelete, "/api/admin/users/Ada", nil, &user), &refusal)
	require.Contains(t, refusal.Reason, "messages=erase")
	require.NoError(t, alone.Do(t.Context(), http.MethodDelete, "/api/admin/users/Ada?messages=keep", nil, &user))
	require.ErrorAs(t, alone.Do(t.Context(), http.MethodGet, "/api/admin/users/Ada", nil, &user), &refusal)
	require.Equal(t, protocol.CodeUserNotFound, refusal.Code)
	require.ErrorAs(t, alone.Do(t.Context(), http.MethodPost, "/api/admin/invites", protocol.InviteCreate{ChannelID: "nowhere"}, &invite), &refusal)
	require.Equal(t, protocol.CodeChannelNotFound, refusal.Code)
	require.NoError(t, alone.Close())
	_, err := app.OpenAdmin(context.Background(), filepath.Join(data, "elsewhere"))
	require.ErrorContains(t, err, "--data")
}

// A person is seen when they were here last.
func TestPeopleAreSeen(t *testing.T) {
	verifyNoLeaks(t)
	data := shortDir(t)
	s := startServer(t, func(c *app.Config) { c.Data = data })
	admin := administer(t, data)
	t.Cleanup(func() { require.NoError(t, admin.Close()) })
	var invite protocol.InviteCreated
	require.NoError(t, admin.Do(t.Context(), http.MethodPost, "/api/admin/invites", protocol.InviteCreate{}, &invite))
	ada := entered(t, s, invitedBy(t, s, invite.Secret, "Ada").Token)
	ada.farewell()
	require.Eventually(t, func() bool {
		var user httpapi.AdminUser
		require.NoError(t, admin.Do(t.Context(), http.MethodGet, "/api/admin/users/Ada", nil, &user))
		return user.SeenAt != nil && time.Since(*user.SeenAt) < time.Minute
	}, patience, 20*time.Millisecond)
}

// What was somebody's who is forgotten is nobody's at once; and the audit does not tell moderators of channels that they may not know of.
func TestGatewayForgottenPeople(t *testing.T) {
	verifyNoLeaks(t)
	data := shortDir(t)
	configure := func(c *app.Config) { c.Data, c.Secret = data, testSecret }
	s := startServer(t, configure)
	admin := administer(t, data)
	var invite protocol.InviteCreated
	require.NoError(t, admin.Do(t.Context(), http.MethodPost, "/api/admin/invites", protocol.InviteCreate{}, &invite))
	made := invitedBy(t, s, invite.Secret, "Ada")
	ada := entered(t, s, made.Token)
	invited := protocol.AccessInvited
	ada.ack(protocol.OpChannelCreate, protocol.ChannelCreate{ChannelID: "den", ChannelSettings: protocol.ChannelSettings{Access: &invited}}, nil)
	ada.ack(protocol.OpChannelCreate, protocol.ChannelCreate{ChannelID: "hall"}, nil)
	root, ben := identifyAs(t, s, "root", true), identifyAs(t, s, "ben", false)
	moderator := auth.RoleModerator
	judge := identifyWith(t, s, auth.Identity{UserID: "judge", Grants: auth.Grants{Role: &moderator}})
	ben.joinChannel("hall")
	listed(ben) // the request before is over
	root.ack(protocol.OpMemberMute, protocol.MemberMute{UserID: "ben", Mute: new(true)}, nil)
	root.ack(protocol.OpMemberMove, protocol.MemberMove{UserID: "ben", ChannelID: "den"}, nil)
	listed(root)
	where := func(c *raw) []string {
		t.Helper()
		var list protocol.Audit
		c.ack(protocol.OpAudit, protocol.AuditRequest{Limit: 2}, &list)
		require.Equal(t, protocol.ModerationMove, list.Deeds[0].Action)
		return []string{list.Deeds[0].ChannelID, list.Deeds[1].ChannelID}
	}
	require.Equal(t, []string{"den", "hall"}, where(root))
	require.Equal(t, []string{"", "hall"}, where(judge))

	require.NoError(t, admin.Do(t.Context(), http.MethodDelete, "/api/admin/users/Ada?messages=keep", nil, &struct{}{}))
	require.Equal(t, protocol.CloseAuthFailed, ada.closed())
	owner := func() string {
		t.Helper()
		for _, channel := range listed(root) {
			if channel.ChannelID == "hall" {
				return channel.OwnerID
			}
		}
		return ""
	}
	alias := owner()
	require.Regexp(t, "^deleted-", alias)
	var told protocol.ChannelEvent
	for told.Channel == nil || told.Channel.OwnerID != alias {
		judge.event(protocol.OpChannelEvent, &told)
	}
	require.NoError(t, admin.Close())
	s = s.again(t, data, configure)
	root = identifyAs(t, s, "root", true)
	require.Equal(t, alias, owner())
}

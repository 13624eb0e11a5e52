package e2e

import (
	"net/http"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"

	"github.com/mini-livechat/mini-livechat/cmd/app"
	"github.com/mini-livechat/mini-livechat/signaling/httpapi"
	"github.com/mini-livechat/mini-livechat/signaling/protocol"
)

// checkInvites has people come by invites, invite others, be known at the next visit, and leave for good.
func checkInvites(t *testing.T, ada, ben *participant) {
	t.Helper()
	data := shortDir(t)
	s := startServer(t, func(c *app.Config) { c.Data = data })
	admin := administer(t, data)
	var first protocol.InviteCreated
	require.NoError(t, admin.Do(t.Context(), http.MethodPost, "/api/admin/invites", protocol.InviteCreate{Role: "admin"}, &first))
	require.NoError(t, admin.Close())

	ada.open(s, "invite="+first.Secret)
	ada.see("#start-title", "You are invited to this server")
	ada.see("#start-offer", "makes you an admin. It holds until")
	ada.picture("invited")
	ada.replace("#guest-name", "Ada")
	ada.click("#guest-submit")
	ada.see("#my-name", "Ada")
	ada.see("#my-role", "Admin")
	require.NotContains(t, evaluate[string](ada, "location.href"), first.Secret)
	ada.createChannel("Operations", 0)
	ada.joined()

	// A link to the channel, for one.
	ada.click("#room-invite")
	ada.see("#invite-list", "Admin, to the server")
	ada.see("#invite-list", "used up")
	require.Equal(t, "admin,moderator,member,guest", evaluate[string](ada, "[...document.querySelectorAll('#invite-role option')].map((o) => o.value).join()"))
	ada.click("#invite-submit")
	ada.see("#invite-list", "Member, to Operations")
	ada.picture("invite")
	link := evaluate[string](ada, "document.getElementById('invite-link').value")
	require.True(t, strings.HasPrefix(link, s.URL+"/"), link)
	_, secret, _ := strings.Cut(link, "#invite=")

	ben.open(s, "invite="+secret)
	ben.see("#start-title", "Ada invites you to talk in Operations")
	ben.replace("#guest-name", "аda") // with a Cyrillic letter
	ben.click("#guest-submit")
	ben.see("#start-error", "This name is somebody’s here, or looks like theirs.")
	ben.picture("invited-name")
	ben.replace("#guest-name", "Ben")
	ben.click("#guest-submit")
	ben.joined()
	ben.see("#room-name", "Operations")
	ben.see("#my-role", "Member")
	require.True(t, evaluate[bool](ben, "document.getElementById('room-invite').hidden && document.getElementById('invite-open').hidden"))

	// He is let in no more when she says so.
	ada.click("#invite-close")
	ada.click("#room-settings")
	ada.replace("#settings-access", "invited")
	ada.click("#settings-submit")
	ada.until("it is set", "!document.getElementById('settings-dialog').open")
	ada.click("#room-invite")
	ada.see("#pass-list", "Ben")
	ada.pictures("passes")
	ada.click(`[aria-label="Uninvite Ben"]`)
	ben.see("#banner", "Ada has taken your invitation to Operations back.")
	ben.until("nothing is seen of it", "!livechat.session.call.room && !document.getElementById('channel-list').innerText.includes('Operations')")
	ada.see(".note", "Ben was uninvited by you")
	ada.until("he is gone from the list", "!document.getElementById('passes').checkVisibility()")
	require.NotContains(t, evaluate[string](ada, "document.getElementById('chat-log').innerText"), "Ben was removed", "it is told once")

	// It is used up, and who comes again is who they are.
	who := ben.userID()
	ben.open(s, "invite="+secret)
	ben.see("#start-error", "This invitation cannot be used: it has been used by as many people as it was for")
	ben.see("#start-known", "Continue as Ben")
	ben.picture("invite-used")
	ben.click("#start-known")
	ben.see("#my-name", "Ben")
	require.Equal(t, who, ben.userID())

	// One who is known becomes more.
	ada.replace("#invite-where", "")
	ada.replace("#invite-role", "moderator")
	ada.replace("#invite-uses", "0")
	ada.click("#invite-submit")
	ada.see("#invite-list", "Moderator, to the server")
	_, secret, _ = strings.Cut(evaluate[string](ada, "document.getElementById('invite-link').value"), "#invite=")
	ben.open(s, "invite="+secret)
	ben.see("#start-title", "Ada invites you to this server")
	ben.see("#start-lead", "You are Ben here already.")
	ben.picture("invite-known")
	ben.click("#start-known")
	ben.see("#my-role", "Moderator")
	require.Equal(t, who, ben.userID())
	ben.click("#invite-open")
	ben.see("#invite-empty", "None.")
	require.Equal(t, "member,guest", evaluate[string](ben, "[...document.querySelectorAll('#invite-role option')].map((o) => o.value).join()"))
	ben.click("#invite-close")

	// Revoked is revoked, and signed out for good.
	ada.click(`[aria-label="Revoke the invite for Moderator"]`)
	ada.until("it is gone", "!document.getElementById('invite-list').innerText.includes('Moderator')")
	ada.click("#invite-close")
	ben.do(chromedp.Reload())
	ben.see("#my-name", "Ben")
	ben.click("#sign-out")
	ben.see("#signout-dialog", "only another invitation lets you in again")
	ben.picture("sign-out")
	ben.click("#signout-confirm")
	ben.see("#guest-form", "Your name")
	ben.open(s, "invite="+secret)
	ben.see("#start-error", "there is no such invite; perhaps the link is not complete, or it was revoked")
	ben.see("#guest-form", "Your name")
	require.False(t, evaluate[bool](ben, "document.getElementById('start-known').checkVisibility()"))

	// But by a link of the operator's he is himself again.
	admin = administer(t, data)
	var login httpapi.AdminLogin
	require.NoError(t, admin.Do(t.Context(), http.MethodPost, "/api/admin/users/Ben/login", nil, &login))
	require.NoError(t, admin.Close())
	ben.open(s, "invite="+login.Invite.Secret)
	ben.see("#start-title", "Welcome back, Ben")
	ben.see("#start-offer", "The link works once, until ")
	ben.pictures("sign-in-link")
	require.False(t, evaluate[bool](ben, "document.getElementById('guest-form').checkVisibility()"))
	ben.click("#start-known")
	ben.see("#my-name", "Ben")
	require.Equal(t, who, ben.userID())
	ada.open(s, "invite="+login.Invite.Secret)
	ada.see("#start-error", "it has been used by as many people as it was for")
	ada.noComplaints()
}

package e2e

import (
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"

	"github.com/mini-livechat/mini-livechat/cmd/app"
	"github.com/mini-livechat/mini-livechat/signaling/auth"
)

// checkModeration has a moderator mute, move, put out and ban somebody, who is told each time.
func checkModeration(t *testing.T, ada, ben *participant) {
	t.Helper()
	const secret = "a secret for this test, longer than it has to be"
	both := []*participant{ada, ben}
	moderate := func() {
		t.Helper()
		ada.click(`[aria-label="Moderate Ben"]`)
		ada.see("#moderate-title", "Ben")
	}
	s := startServer(t, func(c *app.Config) {
		c.Secret, c.AllowGuests = secret, new(true)
		c.Channels = []string{"lobby", "garden"}
	})
	ada.openAs(s, secret, auth.Identity{UserID: "ada", Name: "Ada", Role: auth.RoleAdmin})
	ada.join("lobby")
	ben.signIn(s)
	ben.join("lobby")
	ada.hears(both, ben)
	require.False(t, evaluate[bool](ben, `[...document.querySelectorAll('[aria-label^=Moderate]')].some((e) => e.checkVisibility())`))

	checkButtons(t, ada)
	moderate()
	ada.picture("moderate")
	ada.click("#moderate-mute")
	ben.see("#voice-status", "A moderator has muted you")
	ben.see(".person__note", "Muted by a moderator")
	ada.see(".person__note", "Muted by a moderator")
	ada.hears(both)
	require.True(t, evaluate[bool](ben, "document.getElementById('mute').disabled"))
	ben.picture("held")
	ben.click("#deafen")
	ben.click("#deafen")
	ben.until("he hears again", "!livechat.session.call.voice.deaf")
	moderate()
	ada.see("#moderate-mute", "Let everybody hear them")
	ada.click("#moderate-mute")
	ada.hears(both, ben)
	ben.see("#mute", "Mute")

	// With his voice, which goes on.
	peer := evaluate[int](ben, "(window.states = [], livechat.media.addEventListener('state', () => states.push(livechat.media.state)), 0)")
	moderate()
	ada.click("#moderate-move")
	ben.see("#room-name", "garden")
	ben.see("#banner", "A moderator has moved you to garden.")
	ada.see("#chat-log", "Ben was moved to another channel")
	ada.clickChannel("garden")
	ada.joined()
	ada.hears(both, ben)
	ben.hears(both, ada)
	require.Equal(t, peer, evaluate[int](ben, "states.length"), "the connection is the same")
	ben.write("Where am I?")
	ada.see(".message__text", "Where am I?")

	moderate()
	ada.fill("#moderate-reason", "too loud")
	ada.click("#moderate-kick")
	ben.see("#banner", "A moderator has put you out: too loud.")
	ben.picture("kicked")
	ada.see("#chat-log", "Ben was put out by a moderator")
	ben.click("#banner-action")
	ben.until("he is back", "livechat.session.client.ready && !livechat.session.call.room")
	ben.clickChannel("garden")
	ben.see("#banner", "You could not join garden.")
	ben.clickChannel("lobby")
	ben.joined()

	ada.clickChannel("lobby")
	ada.joined()
	moderate()
	ada.fill("#moderate-reason", "too loud again")
	ada.click("#moderate-ban")
	ben.see("#banner", "You are banned from this server until")
	ben.see("#banner", "too loud again")
	ben.do(chromedp.Reload())
	ben.see("#start-error", "You are banned from this server until")

	ada.click("#audit-open")
	ada.see("#audit-bans", "Ben")
	ada.see("#audit-deeds", "Ben put out")
	ada.picture("audit")
	ada.click(`[aria-label="Let Ben in again"]`)
	ada.see("#audit-nobody", "Nobody.")
	ben.do(chromedp.Reload())
	ben.see("#my-name", "Ben")
	ada.noComplaints()
}

package e2e

import (
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"

	"github.com/mini-livechat/mini-livechat/cmd/app"
	"github.com/mini-livechat/mini-livechat/signaling/auth"
)

// openAs opens the page as somebody with a token.
func (b *participant) openAs(s *server, secret string, who auth.Identity) {
	b.t.Helper()
	authority, err := auth.New([]byte(secret))
	require.NoError(b.t, err)
	token, err := authority.Mint(who, time.Now(), time.Hour)
	require.NoError(b.t, err)
	b.open(s, "token="+token)
	b.see("#my-name", who.Name)
}

// replace puts other text into a field.
func (b *participant) replace(selector, text string) {
	b.t.Helper()
	b.do(chromedp.WaitVisible(chromedp.CSS(selector)), chromedp.SetValue(chromedp.CSS(selector), text))
}

// checkSettings has an admin rename a channel, give it a topic, deny it to guests and delete what a guest wrote.
func checkSettings(t *testing.T, ada, ben *participant) {
	t.Helper()
	const secret = "a secret for this test, longer than it has to be"
	s := startServer(t, func(c *app.Config) {
		c.Secret, c.AllowGuests = secret, new(true)
		c.Channels = []string{"lobby", "garden"}
	})
	ben.signIn(s)
	ben.join("lobby")
	ben.write("Something rude")
	ben.see("#room-name", "lobby")
	require.True(t, evaluate[bool](ben, "document.getElementById('room-settings').hidden"), "a guest has nothing to set")

	ada.openAs(s, secret, auth.Identity{UserID: "ada", Name: "Ada", Role: auth.RoleAdmin})
	ada.join("lobby")
	ada.act("Something rude", "Delete")
	ada.click(".message__actions .button--danger")
	ben.until("it is gone", "!document.getElementById('chat-log').innerText.includes('rude')")

	ada.click("#room-settings")
	ada.picture("settings")
	ada.replace("#settings-name", "garden")
	ada.click("#settings-submit")
	ada.see("#settings-error", "name")
	ada.replace("#settings-name", "Parlour")
	ada.replace("#settings-topic", "line\u2028break")
	ada.click("#settings-submit")
	ada.see("#settings-error", "This topic cannot be used")
	ada.replace("#settings-topic", "About tea, cakes and the weather of the week that was")
	ada.replace("#settings-access", "members")
	ada.replace("#settings-time", "604800000")
	ada.click("#settings-submit")
	ada.see("#room-name", "Parlour")
	ada.see("#room-topic", "About tea")
	ben.see("#room-name", "Parlour")
	ben.see("#room-topic", "About tea")
	ada.click("#room-settings")
	require.Equal(t, "members 604800000 ", evaluate[string](ada, `['access', 'time', 'count'].map((n) => document.getElementById('settings-' + n).value).join(' ')`))
	ada.click("#settings-cancel")
	ada.picture("topic")

	// Who is in stays, and who is out stays out.
	ben.click("#leave")
	ben.see("#stage", "Pick a channel")
	ben.clickChannel("Parlour")
	ben.see("#banner", "You could not join Parlour. It is for members only. Ask whoever runs the server for an invitation.")
	ben.picture("members-only")
	ben.until("it is for members only, and Ben is not in it", firstChannel+` === "Parlour, 1 person, for members only"`)
	ada.noComplaints()
	ben.noComplaints()
}

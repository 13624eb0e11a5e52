package e2e

import (
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"

	"github.com/mini-livechat/mini-livechat/cmd/app"
)

// TestBrowserReload loads the page anew in the middle of a talk: one is back without a click, as one was, and what one was writing is there.
func TestBrowserReload(t *testing.T) {
	verifyNoLeaks(t)
	s := startServer(t, func(c *app.Config) { c.Channels = []string{"lobby", "garden"} })
	ada := startBrowser(t, "Ada", toneAda)
	ben := startBrowser(t, "Ben", toneBen)
	both := []*participant{ada, ben}
	for _, one := range both {
		one.signIn(s)
		one.join("lobby")
	}
	reload := func(b *participant) {
		t.Helper()
		b.do(chromedp.Reload())
		b.until("the page runs", "window.livechat")
	}
	text := "document.getElementById('chat-text').value"

	reload(ada)
	ada.joined()
	ben.hears(both, ada)
	ada.hears(both, ben)

	// Muted is muted, deafened is deafened, and what one writes is there, in its channel.
	ada.click("#mute")
	ada.fill("#chat-text", "Half a senten")
	reload(ada)
	ada.joined()
	ben.hears(both)
	ada.see("#mute", "Unmute")
	ada.until("it is there", text+" === 'Half a senten'")
	ada.join("garden")
	ada.until("not here", "livechat.session.reading.channelId === 'garden' && "+text+" === ''")
	ada.fill("#chat-text", "Over there")
	ada.join("lobby")
	ada.until("it is there", text+" === 'Half a senten'")
	ada.fill("#chat-text", "ce\r")
	ben.see(".message__text", "Half a sentence")
	ada.click("#deafen")
	ada.see("#deafen", "Undeafen")
	reload(ada)
	ada.joined()
	ada.see("#deafen", "Undeafen")
	ada.until("what was sent is no draft", text+".trim() === ''")
	ada.hears(both)

	// Who left stays out, and who puts another link into the tab decides first.
	ada.click("#leave")
	ada.until("left", "location.hash === ''")
	reload(ada)
	ada.until("signed in", "livechat.session.stage === 'in'")
	ada.see("#stage", "Pick a channel")
	ben.do(chromedp.Evaluate[chromedp.Void]("location.hash = 'channel=garden'"))
	ben.see("#stage", "garden")
	require.True(t, evaluate[bool](ben, "livechat.session.call.wanted === null"))

	// Another person in this tab gets none of it.
	ada.join("garden")
	ada.until("it is there", text+" === 'Over there'")
	ada.click("#sign-out")
	ada.fill("#guest-name", " Two")
	ada.click("#guest-submit")
	ada.until("signed in", "livechat.session.stage === 'in'")
	ada.join("garden")
	require.Empty(t, evaluate[string](ada, text))
	for _, one := range both {
		one.noComplaints()
	}
}

//go:build unix

package e2e

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/mini-livechat/mini-livechat/cmd/app"
)

// foxHears is how much sound of others has come in, as energy of what was decoded.
const foxHears = `peer.getStats().then((all) => [...all.values()].filter(({ type }) => type === 'inbound-rtp')
	.reduce((sum, { totalAudioEnergy }) => sum + (totalAudioEnergy ?? 0), 0))`

// hears waits for more sound of another one than has come.
func (f *foxTab) hears() {
	f.t.Helper()
	before := f.evaluate(foxHears)
	f.until("another one is heard", foxHears+".then((energy) => energy > "+before+" + 0.001)")
}

// TestFirefox has two people go the main path in Firefox: sign in, join, hear each other, mute, chat, reload, leave.
func TestFirefox(t *testing.T) {
	verifyNoLeaks(t)
	// On all interfaces, since Firefox does not talk from others to loopback.
	s := startServer(t, func(c *app.Config) { c.UDP, c.TURN = "0", false })
	fox := startFirefox(t)
	ada, ben := fox.open("Ada"), fox.open("Ben")
	for _, one := range []*foxTab{ada, ben} {
		one.call("browsingContext.navigate", map[string]any{"context": one.context, "url": s.URL + "/?audio=raw", "wait": "complete"})
		one.until("the page runs", "window.livechat")
		one.click("#guest-name")
		one.enter(one.name)
		one.until("signed in", "livechat.session.stage === 'in'")
		one.click(".channel[title^=lobby]")
		one.until("in the channel", "livechat.session.call.here && livechat.media.state === 'connected'")
	}
	ada.hears()
	ben.hears()
	ada.until("who speaks is shown", "document.querySelector('.person--speaking')")

	ada.click("#mute")
	ben.until("she is muted", "[...livechat.session.call.room.members.values()].some(({ name, self_mute }) => name === 'Ada' && self_mute)")
	ben.until("and not heard", foxHears+".then(async (before) => { await new Promise((r) => setTimeout(r, 300)); return await "+foxHears+" - before < 1e-6; })")
	ada.click("#mute")
	ben.hears()

	ada.click("#chat-text")
	ada.enter("Hello from **Firefox**")
	ben.until("it has come", "[...document.querySelectorAll('.message__text strong')].some((e) => e.innerText === 'Firefox')")

	ada.call("browsingContext.reload", map[string]any{"context": ada.context, "wait": "complete"})
	ada.until("she is back without a click", "window.livechat?.session.call.here && livechat.media.state === 'connected'")
	ada.hears()
	ben.hears()
	ada.until("what was said is there", "document.querySelector('.message__text strong')")

	ada.click("#leave")
	ada.until("she is out", "livechat.session.call.room === null && !livechat.media.microphone.track")
	ben.until("and that is told", "document.getElementById('chat-log').innerText.includes('Ada left')")
	for _, one := range []*foxTab{ada, ben} {
		require.Equal(t, "[]", one.evaluate("complaints"), one.name)
	}
}

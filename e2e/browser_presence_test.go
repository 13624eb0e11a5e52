package e2e

import (
	"fmt"
	"strconv"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"

	"github.com/mini-livechat/mini-livechat/cmd/app"
	"github.com/mini-livechat/mini-livechat/signaling/protocol"
)

// firstChannel is an expression: what is read out of the first channel in the list.
const firstChannel = `[...document.querySelector('.channel').querySelectorAll(':scope > span:not([aria-hidden])')].map((e) => e.textContent).join('')`

// checkPresence looks from outside at people who enter, mute, deafen and leave.
func checkPresence(t *testing.T, ada, ben *participant) {
	t.Helper()
	s := startServer(t)
	ada.signIn(s)
	ada.see(".channel", "lobby")
	shows := func(reason, want string) {
		t.Helper()
		ada.until(reason, `[...document.querySelectorAll('.present__person')].filter((e) => e.checkVisibility())
			.map((e) => e.querySelector('.present__name').innerText + (e.querySelector('[role=img]:not([hidden])')?.title ?? '')).join() === `+
			strconv.Quote(want))
	}
	shows("nobody is there", "")
	ben.signIn(s)
	ben.join("lobby")
	shows("Ben has come", "Ben")
	speaks := func(reason, want string) {
		t.Helper()
		ada.until(reason, `[...document.querySelectorAll('.present__person--speaking .present__name')].map((e) => e.innerText).join() === `+strconv.Quote(want))
	}
	speaks("Ben is seen to speak, from outside", "Ben")
	ada.until("one person is counted", firstChannel+` === "lobby, 1 person"`)
	ben.click("#mute")
	shows("Ben is mute", "Benmuted")
	speaks("and speaks no more", "")
	ben.click("#deafen")
	shows("Ben is deaf", "Bendeafened")
	ben.click("#deafen")
	ben.click("#mute")
	shows("Ben talks and hears", "Ben")
	speaks("and is seen to", "Ben")

	// Nothing is told to a page that nobody looks at, and everything to one that somebody looks at again.
	hide := func(hidden bool) {
		t.Helper()
		evaluate[chromedp.Void](ada, fmt.Sprintf(`Object.defineProperty(document, 'hidden', {configurable: true, value: %v});
			document.dispatchEvent(new Event('visibilitychange'))`, hidden))
	}
	answered := func() {
		t.Helper()
		evaluate[chromedp.Void](ada, "livechat.session.client.request(1, {s: 0})")
	}
	other, _ := identify(t, s, "Other")
	known := watch(other)
	hide(true)
	answered()
	ben.click("#leave")
	other.sees(&known)
	answered()
	shows("as it was", "Ben")
	hide(false)
	shows("Ben has gone", "")

	// A crowd is folded.
	names, members := "", make([]*raw, 12)
	for i := range members {
		members[i], _ = identify(t, s, fmt.Sprint("Guest ", i))
		members[i].joinChannel("lobby")
		if i < 7 {
			names += "," + fmt.Sprint("Guest ", i)
		}
	}
	ada.see(".present__more", "+5")
	shows("the first of them", names[1:])
	ada.click(".present__more")
	for i := 7; i < len(members); i++ {
		names += "," + fmt.Sprint("Guest ", i)
	}
	shows("all of them", names[1:])
	ada.see(".present__more", "Show fewer")
	ada.click(".present__more")
	ada.see(".present__more", "+5")
	ben.join("lobby")
	speaks("who speaks is not folded away", "Ben")
	ben.click("#leave")
	for _, m := range members[1:] {
		m.farewell()
	}
	shows("one is left", "Guest 0")

	// One's own channel is shown as it is known there, and goes on when one has left it.
	ada.join("lobby")
	shows("both", "Guest 0,Ada")
	members[0].request(protocol.OpVoiceState, protocol.VoiceState{SelfMute: new(true)})
	shows("one is mute", "Guest 0muted,Ada")
	ada.click("#leave")
	shows("the other", "Guest 0muted")
	ada.createChannel("Night", 0)
	ada.joined()
	shows("in another one", "Guest 0muted,Ada")
	members[0].farewell()
	shows("alone", "Ada")
}

// checkLink comes by links to channels: one that is there, with somebody who speaks in it, and one that is not.
func checkLink(t *testing.T, ada, ben *participant) {
	t.Helper()
	s := startServer(t, func(c *app.Config) { c.Channels = []string{"night=Night shift"} })
	ben.signIn(s)
	ben.join("Night shift")
	ada.open(s, "channel=night")
	ada.see("#start-lead", "You are invited to talk in Night shift.")
	ada.click("#guest-submit")
	ada.see("#start-error", "Enter your name first")
	require.Equal(t, "guest-name true", evaluate[string](ada, "document.activeElement.id + ' ' + document.activeElement.ariaInvalid"))
	ada.fill("#guest-name", "  ")
	ada.click("#guest-submit")
	ada.see("#start-error", "Enter your name first")
	ada.pictures("link")
	ada.fill("#guest-name", "A")
	ada.until("it is said no more", "document.getElementById('start-error').innerText === ''")

	link := func(channel string) {
		t.Helper()
		ada.do(chromedp.Navigate("about:blank"))
		ada.open(s, "channel="+channel)
	}
	link("gone")
	ada.see("#start-lead", "The channel that this link leads to is not there any more")
	ada.fill("#guest-name", "Ada")
	ada.click("#guest-submit")
	ada.see("#banner", "gone does not exist any more.")
	ada.see("#stage", "This link leads to no channel")
	link("gone") // as one who is known here
	ada.see("#stage", "This link leads to no channel")

	link("night")
	ada.see("#stage", "1 person in here now. Speaking: Ben")
	ada.pictures("before")
	ben.click("#mute")
	ada.until("Ben speaks no more", "document.querySelector('.stage__text').innerText === '1 person in here now.'")
	ada.click("#stage .button--primary")
	ada.joined()
	ada.see("#room-name", "Night shift")
	ada.click("#leave")
	ben.click("#leave")
}

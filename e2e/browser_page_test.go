package e2e

import (
	"net/http"
	"net/http/httputil"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"

	"github.com/mini-livechat/mini-livechat/cmd/app"
	"github.com/mini-livechat/mini-livechat/signaling/auth"
)

// Screens in CSS pixels: a laptop, and a phone of the smallest usual size.
const (
	laptopWidth, laptopHeight = 1280, 800
	phoneWidth, phoneHeight   = 360, 740
)

// TestBrowserPage uses the page as people do, by mouse and keyboard. Two browsers serve
// all steps; each step has a server of its own and begins with new visitors.
func TestBrowserPage(t *testing.T) {
	verifyNoLeaks(t)
	ada := startBrowser(t, "Ada", toneAda, withPrompt)
	ben := startBrowser(t, "Ben", toneBen, withPrompt)
	both := []*participant{ada, ben}
	for _, part := range []struct {
		name string
		run  func(t *testing.T, ada, ben *participant)
	}{
		{"from the name to leaving", checkJourney},
		{"what people write is text", checkEscaping},
		{"names that nobody can have", checkNames},
		{"a full channel, a change, a deletion", checkChannels},
		{"what an admin sets and takes back", checkSettings},
		{"people come by an invite", checkInvites},
		{"moderators", checkModeration},
		{"a stage and its audience", checkStage},
		{"reading when the server cannot", checkTrouble},
		{"who is in channels one is not in", checkPresence},
		{"a link, a dead one, and no name", checkLink},
		{"a phone's width", checkPhone},
		{"no microphone", checkDenied},
		{"no microphone for an insecure page", checkInsecure},
		{"opened somewhere else", checkTakeover},
		{"guests are refused", checkRefused},
		{"a proxy hides the address or forbids", checkForbidden},
		{"voice alone is lost", checkVoiceLost},
		{"the server goes and comes back", checkRestart},
	} {
		t.Run(part.name, func(t *testing.T) {
			during(t, both...)
			for _, one := range both {
				one.do(chromedp.EmulateViewport(laptopWidth, laptopHeight))
				one.allowMicrophone(true)
			}
			part.run(t, ada, ben)
			for _, one := range both {
				// Off the step's server, before that goes.
				one.do(chromedp.Navigate("about:blank"))
			}
		})
	}
}

// write sends a chat message with the keyboard.
func (b *participant) write(text string) {
	b.t.Helper()
	b.fill("#chat-text", text+"\r")
}

// createChannel creates a channel by its dialog; capacity 0 leaves that field empty.
func (b *participant) createChannel(name string, capacity int) {
	b.t.Helper()
	b.click("#create-open")
	b.fill("#create-name", name)
	if capacity > 0 {
		b.fill("#create-capacity", strconv.Itoa(capacity))
	}
	b.click("#create-submit")
	b.see(".channel", name)
}

// checkJourney goes the whole way by clicking: a name, a channel, a talk, and out.
func checkJourney(t *testing.T, ada, ben *participant) {
	t.Helper()
	s := startServer(t)
	ada.signIn(s)
	ben.signIn(s)
	ada.see("#stage", "Pick a channel")

	// A name that no channel_id can spell. Its creator goes there at once.
	ada.createChannel("밤샘 근무", 0)
	ada.joined()
	ben.join("밤샘 근무")
	for _, one := range []*participant{ada, ben} {
		one.see("#room-name", "밤샘 근무")
		one.see("#room-count", "2 people")
		one.see("#people", "Ada")
		one.see("#people", "Ben")
		one.see("#voice-status", "Connected")
	}
	ada.hears([]*participant{ada, ben}, ben)
	ben.hears([]*participant{ada, ben}, ada)

	ada.write("안녕 Ben")
	ben.see(".message", "안녕 Ben")
	ben.see(".message__author", "Ada")
	ada.see(".message", "안녕 Ben")
	ben.write("Hello Ada")
	ada.see(".message", "Hello Ada")

	ada.click("#leave")
	ada.see("#stage", "Pick a channel")
	ben.see("#chat-log", "Ada left")
	ben.see("#room-count", "1 person")
	require.True(t, evaluate[bool](ada, "livechat.media.microphone.track === null"), "the microphone is let go")
	ada.noComplaints()
	ben.noComplaints()
}

// checkEscaping has people use markup for names and messages.
func checkEscaping(t *testing.T, ada, ben *participant) {
	t.Helper()
	const markup = `<img src=x onerror="window.hacked=1"><b>bold</b>`
	s := startServer(t)
	ada.enterName(s, markup)
	ada.createChannel(markup, 0)
	ada.joined()
	ben.signIn(s)
	ben.join(markup)
	ada.write(markup)
	ben.see(".message__text", markup)
	ben.see(".message__author", markup)
	ben.see(".person__name", markup)
	ben.see("#room-name", markup)
	ben.see("#chat-log", "You joined "+markup)
	for _, one := range []*participant{ada, ben} {
		require.Equal(t, 0, evaluate[int](one, "document.querySelectorAll('#app b, #app img:not([src=\"icon.svg\"])').length"))
		require.True(t, evaluate[bool](one, "window.hacked === undefined"))
	}
	ben.noComplaints()
}

// checkNames asks for names that the server refuses, and is told why beside the field.
func checkNames(t *testing.T, ada, _ *participant) {
	t.Helper()
	s := startServer(t)
	ada.enterName(s, "admin")
	ada.see("#start-error", `This name cannot be used: "admin" is reserved.`)
	ada.until("the field is marked, and ready for another name", `(({ ariaInvalid, selectionEnd }) => ariaInvalid === 'true' && selectionEnd === 5)(document.activeElement)`)
	ada.enterName(s, "  ")
	ada.see("#start-error", "Enter your name first: it is how others will see you.")
	ada.signIn(s)
	require.Empty(t, evaluate[string](ada, `document.getElementById('start-error').textContent`))
	ada.click("#create-open")
	ada.fill("#create-name", "admin")
	ada.click("#create-submit")
	ada.see("#create-error", `This name cannot be used: "admin" is reserved.`)
	ada.click("#create-cancel")
	ada.click("#create-open")
	ada.fill("#create-name", "L\u043ebby") // with a Cyrillic о
	ada.click("#create-submit")
	ada.see("#create-error", "There is a channel with this name already, or with one that looks the same.")
	ada.click("#create-cancel")
	ada.createChannel("lobby!", 0) // another name, of which the page would make the same id
	ada.noComplaints()
}

// checkChannels meets a full channel, goes from one to another and deletes one.
func checkChannels(t *testing.T, ada, ben *participant) {
	t.Helper()
	s := startServer(t)
	ada.signIn(s)
	ada.createChannel("Booth", 1)
	ada.joined()
	ben.signIn(s)
	ben.clickChannel("Booth")
	ben.see("#banner", "Booth is full. Try again when somebody has left.")
	ben.see("#stage", "Pick a channel")
	ben.click("#banner-close")
	ben.until("the banner is gone", "document.getElementById('banner').hidden")

	ada.clickChannel("lobby")
	ada.until("in the other channel", "livechat.session.call.here === 'lobby'")
	ben.see(".channel", "0/1")
	ben.join("Booth")
	ada.until("a full channel is marked", "document.querySelector('.channel--full')?.innerText.includes('Booth')")

	// Only the owner is offered to delete it.
	require.True(t, evaluate[bool](ben, "document.getElementById('room-delete').hidden"))
	ben.click("#leave")
	ada.join("Booth")
	ben.clickChannel("lobby")
	ben.joined()
	ada.click("#room-delete")
	ada.see("#delete-dialog", "Delete Booth?")
	ada.click("#delete-confirm")
	ada.see("#stage", "Pick a channel")
	ben.until("Booth is off the list", "!document.getElementById('channel-list').innerText.includes('Booth')")
}

// checkPhone looks for anything that sticks out to the right on a narrow screen.
func checkPhone(t *testing.T, ada, _ *participant) {
	t.Helper()
	long := strings.Repeat("Donaudampfschifffahrt", 4)
	s := startServer(t)
	ada.do(chromedp.EmulateViewport(phoneWidth, phoneHeight, chromedp.EmulateMobile))
	fits := func(where string) {
		t.Helper()
		type overflow struct {
			Width int      `json:"width"`
			Out   []string `json:"out"`
		}
		found := evaluate[overflow](ada, `({
			width: document.documentElement.scrollWidth,
			out: [...document.querySelectorAll('body *')]
				.filter((e) => e.checkVisibility() && !e.closest('.visually-hidden') && e.getBoundingClientRect().right > innerWidth + 0.5)
				.map((e) => e.tagName + '#' + e.id + '.' + e.className) })`)
		require.Equal(t, overflow{Width: phoneWidth, Out: []string{}}, found, where)
	}
	ada.open(s, "")
	fits("the start")
	ada.fill("#guest-name", long[:60])
	ada.click("#guest-submit")
	ada.see("#channel-list", "lobby")
	fits("channels")
	ada.click("#create-open")
	fits("the dialog")
	ada.fill("#create-name", long)
	ada.click("#create-submit")
	ada.joined()
	ada.see("#people", "You")
	fits("people")
	ada.click("[data-tab=chat]")
	ada.write(long + long + " https://example.org/" + long)
	ada.see(".message__text", long)
	fits("chat")
	ada.click("[data-tab=channels]")
	fits("channels while talking")
	ada.see("#controls", "Mute")
	// By the chat's tab: a deleted channel leaves from any view to the list.
	ada.click("[data-tab=people]")
	ada.click("#leave")
	ada.see("#channel-list", "lobby")
	fits("channels after leaving")

	// Into the same tab, where the browser sees but another fragment of the same page.
	token, _ := guest(t, s, long[:60])
	ada.open(s, "token="+token+"&channel=lobby")
	ada.see("#stage", "Nobody is in here yet.")
	fits("an invitation")
	ada.click("[data-tab=channels]")
	ada.see("#channel-list", "lobby")
}

// checkDenied says no to the microphone, listens, and then says yes.
func checkDenied(t *testing.T, ada, ben *participant) {
	t.Helper()
	all := []*participant{ada, ben}
	s := startServer(t)
	ada.signIn(s)
	ada.join("lobby")
	ben.allowMicrophone(false)
	ben.signIn(s)
	ben.clickChannel("lobby")
	ben.see("#stage", "The microphone is not allowed")
	ben.click("#stage .button:not(.button--primary)")
	ben.joined()
	ben.hears(all, ada)
	ada.see(".person", "Listening")
	ben.see("#mute", "Use microphone")

	ben.click("#mute")
	ben.see("#banner", "The microphone is not allowed")
	require.True(t, evaluate[bool](ben, "livechat.session.call.here === 'lobby'"), "still listening")
	ben.allowMicrophone(true)
	ben.click("#banner-action")
	ada.hears(all, ben)
	ben.hears(all, ada)
	ben.see("#mute", "Mute")
}

// checkInsecure opens the page over plain HTTP from a name that is not this machine's:
// there the browser hides its microphones, and one can still listen.
func checkInsecure(t *testing.T, ada, ben *participant) {
	t.Helper()
	s := startServer(t, func(c *app.Config) { c.AllowGuests = new(true) }) // by any name
	ada.signIn(s)
	ada.join("lobby")
	insecure := *s
	insecure.URL = strings.Replace(s.URL, "127.0.0.1", insecureHost, 1)
	ben.signIn(&insecure)
	require.True(t, evaluate[bool](ben, "navigator.mediaDevices === undefined"))
	ben.clickChannel("lobby")
	ben.see("#stage", "The microphone needs a secure page")
	ben.see("#stage", insecureHost)
	ben.click("#stage .button--primary")
	ben.joined()
	ben.hears([]*participant{ada, ben}, ada)
	ada.see(".person", "Listening")
}

// checkTakeover opens the page a second time with the same token.
func checkTakeover(t *testing.T, ada, ben *participant) {
	t.Helper()
	s := startServer(t)
	token, userID := guest(t, s, "Ada")
	ada.open(s, "token="+token+"&channel=lobby")
	ada.until("signed in", "livechat.session.stage === 'in'")
	require.Equal(t, s.URL+"/?audio=raw#channel=lobby", evaluate[string](ada, "location.href"), "the token is a password")
	// A link does not open the microphone by itself.
	ada.see("#stage", "Nobody is in here yet.")
	ada.click("#stage .button--primary")
	ada.joined()

	ben.open(s, "token="+token)
	ben.until("signed in", "livechat.session.stage === 'in'")
	require.Equal(t, userID, ben.userID())
	ada.see("#banner", "You opened Mini LiveChat somewhere else.")
	ada.see("#banner-action", "Take over")
	ada.click("#banner-action")
	ben.see("#banner", "You opened Mini LiveChat somewhere else.")
	// Where one was, one is again.
	ada.joined()
	ada.until("nothing more to say", "document.getElementById('banner').hidden")
}

// checkRefused comes without a token to a server that wants one.
func checkRefused(t *testing.T, ada, _ *participant) {
	t.Helper()
	const secret = "a secret for this test, longer than it has to be"
	s := startServer(t, func(c *app.Config) {
		c.AllowGuests = new(false)
		c.Secret = secret
	})
	ada.enterName(s, "Ada")
	ada.see("#start-error", "paste the access token you were given")
	ada.fill("#token", "not a token")
	ada.click("#token-submit")
	ada.see("#start-error", "The access token is not valid")

	authority, err := auth.New([]byte(secret))
	require.NoError(t, err)
	token, err := authority.Mint(auth.Identity{UserID: "ada", Name: "Ada L."}, time.Now(), time.Hour)
	require.NoError(t, err)
	ada.fill("#token", token)
	ada.click("#token-submit")
	ada.see("#my-name", "Ada L.")
	// A reload of the tab keeps who one is.
	ada.do(chromedp.Reload())
	ada.see("#my-name", "Ada L.")
}

// checkForbidden comes through a proxy that hides from the server what the page's address is,
// and then through one that forbids guests by itself: neither is an admission of invited people
// only.
func checkForbidden(t *testing.T, ada, _ *participant) {
	t.Helper()
	s := startServer(t)
	hiding := *s
	hiding.URL = proxied(t, s, func(r *httputil.ProxyRequest) { r.Out.Host = "" }, nil)
	allow := "--allow-origin=" + hiding.URL
	ada.enterName(&hiding, "Ada")
	ada.see("#start-error", "The server does not accept this page’s address.")
	ada.see("#start-error", allow)
	ada.see("#guest-form", "Your name")
	ada.click("#start-checkup")
	ada.checked().says(t, "WebSocket", "failed", allow)
	ada.click("#checkup-close")
	// Who has a token already is told so, too, though browsers say nothing of WebSockets.
	token, _ := guest(t, s, "Ada")
	ada.open(&hiding, "token="+token)
	ada.see("#start-error", allow)

	forbidding := *s
	forbidding.URL = proxied(t, s, nil, func(r *http.Response) error {
		if r.Request.URL.Path == "/api/guest" {
			r.StatusCode, r.Body, r.ContentLength = http.StatusForbidden, http.NoBody, 0
			r.Header.Del("Content-Length")
		}
		return nil
	})
	ada.enterName(&forbidding, "Ada")
	ada.see("#start-error", "Something in front of the server forbids this (403)")
	ada.noComplaints()
}

// checkVoiceLost cuts the media path under a call while the WebSocket stands: the server
// ends the membership and says so, and the page sets voice up anew by itself.
func checkVoiceLost(t *testing.T, ada, ben *participant) {
	t.Helper()
	all := []*participant{ada, ben}
	s := startServer(t, func(c *app.Config) {
		c.HeartbeatInterval, c.ZombieTimeout, c.ReaperInterval = 2*time.Second, 4*time.Second, 500*time.Millisecond
	})
	for _, one := range all {
		one.signIn(s)
		one.join("lobby")
	}
	ada.hears(all, ben)
	evaluate[chromedp.Void](ada, "livechat.media.close()")
	ben.see("#chat-log", "Ada left") // her DTLS said goodbye
	ada.see("#chat-log", "You are back")
	ada.joined()
	ada.hears(all, ben)
	ben.hears(all, ada)
	ada.see("#room-count", "2 people")
}

// checkRestart stops the server under a call and starts another on the same ports, with
// another secret: guests' tokens are worth nothing to it.
func checkRestart(t *testing.T, ada, ben *participant) {
	t.Helper()
	all := []*participant{ada, ben}
	first := startServer(t)
	for _, one := range all {
		one.signIn(first)
		one.join("lobby")
	}
	ada.click("#mute")
	ada.until("the server knows", "[...livechat.session.call.room.members.values()].some((m) => m.self_mute)")
	ada.fill("#chat-text", "a draft")
	identity := ada.userID()
	first.stop()
	for _, one := range all {
		one.see("#line", "The server restarts. You come back by yourself.")
		one.see("#people", one.name)
	}
	// While there is no server, asking for it changes nothing.
	ada.click("#line-action")
	ada.see("#line", "The server restarts. You come back by yourself.")

	second := startServer(t, func(c *app.Config) { c.HTTP = strings.TrimPrefix(first.URL, "http://") })
	require.Equal(t, first.URL, second.URL)
	for _, one := range all {
		one.joined()
		one.see("#room-count", "2 people")
		one.see("#chat-log", "You are back")
		one.until("nothing more to say", "document.getElementById('banner').hidden && document.getElementById('line-text').textContent === ''")
	}
	require.Equal(t, "a draft", evaluate[string](ada, "document.getElementById('chat-text').value"))
	require.NotEqual(t, identity, ada.userID(), "a guest of the new server")
	// Muted people stay muted.
	ben.hears(all)
	ada.hears(all, ben)
	ada.click("#mute")
	ben.hears(all, ada)
}

package e2e

import (
	"fmt"
	"testing"

	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
	"github.com/stretchr/testify/require"

	"github.com/mini-livechat/mini-livechat/cmd/app"
	"github.com/mini-livechat/mini-livechat/signaling/protocol"
)

// duplicate makes another tab that has what b's tab keeps, as a browser's "Duplicate" does, and opens the page in it.
func (b *participant) duplicate(s *server) *participant {
	b.t.Helper()
	kept := evaluate[string](b, "JSON.stringify(sessionStorage)")
	twin := &participant{t: b.t, name: b.name + "'s other tab"}
	ctx, cancel := chromedp.NewContext(b.tab, chromedp.WithListener(twin.listen))
	b.t.Cleanup(cancel)
	twin.tab = ctx
	require.NoError(b.t, chromedp.Do(ctx), "open another tab")
	_, err := chromedp.Call(ctx, page.AddScriptToEvaluateOnNewDocument, page.AddScriptToEvaluateOnNewDocumentParams{
		Source: fmt.Sprintf("if (!sessionStorage.length && location.search) Object.assign(sessionStorage, %s);", kept),
	})
	require.NoError(b.t, err)
	twin.open(s, "")
	return twin
}

// drainingScript has the server say that it goes, and refuse every CHANNEL_JOIN meanwhile.
const drainingScript = `import(document.querySelector('[href$="/js/protocol.js"]').href).then(({ RequestError }) => {
	const { client } = livechat.session;
	client.request = ((request) => (op, d) => op !== 11 ? request.call(client, op, d) :
		Promise.reject(new RequestError({ op, code: 1012, reason: 'the server is about to go', retry_after_ms: 1000 })))(client.request);
	client.dispatchEvent(new CustomEvent('event', { detail: { op: 7, d: { reason: 'restart', after_ms: 10 } } }));
})`

// TestBrowserStays has the same person's tab duplicated, their server restarted, and their call left by all the ways that there are.
func TestBrowserStays(t *testing.T) {
	verifyNoLeaks(t)
	data := t.TempDir()
	s := startServer(t, noRelay, func(c *app.Config) { c.Data = data })
	ada := startBrowser(t, "Ada", toneAda)
	ada.signIn(s)
	ada.join("lobby")
	t.Run("another tab", func(t *testing.T) { checkTwin(t, s, ada) })
	ada.click("#leave")
	t.Run("the server goes", func(t *testing.T) {
		during(t, ada)
		checkServerGoes(t, s, ada)
	})
	s = s.again(t, data, noRelay)
	ada.joined()
	ada.until("the line has nothing to say", "document.getElementById('line-text').textContent === ''")
	ada.click("#leave")
	t.Run("leaving", func(t *testing.T) { checkLeaving(t, s, ada) })
	ada.noComplaints()
}

// checkTwin duplicates the tab of a call: the copy asks, and the call goes on; then the copy takes it over, and gives it back.
func checkTwin(t *testing.T, s *server, ada *participant) {
	t.Helper()
	during(t, ada)
	session, user := ada.session(), ada.userID()

	twin := ada.duplicate(s)
	twin.see("#start-title", "Another tab is Ada already")
	twin.picture("twin")
	twin.click("#start-other")
	twin.see("#guest-form", "Your name")
	twin.do(chromedp.Reload())
	twin.see("#guest-form", "Your name")
	require.Equal(t, session, ada.session())
	require.True(t, evaluate[bool](ada, "livechat.session.call.here === 'lobby' && livechat.session.client.state.name === 'ready'"))

	second := ada.duplicate(s)
	second.click("#start-known")
	second.until("signed in", "livechat.session.stage === 'in'")
	require.Equal(t, user, second.userID())
	ada.see("#banner", "This page is on hold")
	require.True(t, evaluate[bool](ada, "livechat.media.microphone.track === null"))
	ada.click("#banner-action")
	ada.joined()
	second.see("#banner", "This page is on hold")

	// A reload is no other tab, though the one before it held the place until now.
	ada.do(chromedp.Reload())
	ada.until("the page runs", "window.livechat")
	ada.joined()
	require.Equal(t, user, ada.userID())
	twin.noComplaints()
	second.noComplaints()
}

// checkServerGoes has the server go under somebody who joins and somebody who talks: each is told that it restarts, and that there is
// nothing to do.
func checkServerGoes(t *testing.T, s *server, ada *participant) {
	t.Helper()
	evaluate[chromedp.Void](ada, drainingScript)
	ada.clickChannel("lobby")
	ada.see("#stage", "The server is about to restart. You join as soon as it is back.")
	ada.do(chromedp.Reload())
	ada.until("the page runs", "window.livechat")
	ada.joined()

	s.stop()
	ada.see("#line", "The server restarts. You come back by yourself.")
	ada.picture("server-goes")
	require.True(t, evaluate[bool](ada, "document.getElementById('banner').hidden"))
}

// checkLeaving goes out of a call: what may not have been meant is asked about, and to the others one has left, and did not lose the
// connection.
func checkLeaving(t *testing.T, s *server, ada *participant) {
	t.Helper()
	during(t, ada)
	ben := arrive(t, s, "Ben").join("lobby", slots(1))
	asked := ada.asked.Load()
	user := ada.userID()
	hasLeft := func() {
		t.Helper()
		require.Equal(t, protocol.LeaveLeft, told(ben, "Ada left", func(ev *protocol.ChannelEvent) bool {
			return ev.Event == protocol.ChannelEventLeave && ev.Member.UserID == user
		}).Cause)
	}
	asks := "document.getElementById('leave-dialog').open"
	const stays = "livechat.session.call.here === 'lobby' && location.hash === '#channel=lobby'"
	back := func() { evaluate[chromedp.Void](ada, "history.back()") }

	// Back leads out of the channel, once one has said so.
	ada.join("lobby")
	back()
	ada.see("#leave-title", "Leave lobby?")
	ada.picture("leave")
	ada.click("#leave-stay")
	ada.until("one stays", "!"+asks+" && "+stays)
	back()
	ada.until("it is asked again", asks+" && "+stays)
	ada.click("#leave-confirm")
	hasLeft()
	ada.until("out of the channel, not off the page", "!"+asks+" && location.hash === '' && history.state.place === 'out'")

	// Closing the page is asked about by the browser, while one is in a call.
	ada.join("lobby")
	ada.stays.Store(true)
	evaluate[chromedp.Void](ada, "{ location.href = 'about:blank'; }")
	ada.poll("the browser asks", func() bool { return ada.asked.Load() == asked+1 })
	ada.until("one stays", stays)
	// Loading it anew is not, where the page hears of it before.
	ada.do(chromedp.KeyEvent(kb.F5))
	ada.do(chromedp.Reload())
	hasLeft()
	ada.until("the page runs", "window.livechat")
	ada.joined()
	require.Equal(t, asked+1, ada.asked.Load())
	back()
	ada.until("it is asked", asks+" && "+stays)
	ada.click("#leave-stay")
	ada.stays.Store(false)

	// Who leaves the page has left the channel.
	ada.do(chromedp.Navigate("about:blank"))
	hasLeft()
	require.Equal(t, asked+2, ada.asked.Load())
	ada.open(s, "")
	ada.until("signed in again", "livechat.session.stage === 'in'")
	ada.join("lobby")
	ada.click("#sign-out")
	hasLeft()
	ada.until("the address leads nowhere", "location.hash === ''")

	// Outside of a call nobody asks.
	ada.do(chromedp.Navigate("about:blank"))
	require.Equal(t, asked+2, ada.asked.Load())
}

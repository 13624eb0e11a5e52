package e2e

import (
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
	"github.com/stretchr/testify/require"

	"github.com/mini-livechat/mini-livechat/signaling/protocol"
)

// TestBrowserLeaving goes out of a call by all the ways that there are: what may not have been meant is asked about, and to the others
// one has left, and did not lose the connection.
func TestBrowserLeaving(t *testing.T) {
	verifyNoLeaks(t)
	s := startServer(t, noRelay)
	ben := arrive(t, s, "Ben").join("lobby", slots(1))
	ada := startBrowser(t, "Ada", toneAda)
	ada.signIn(s)
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
	ada.poll("the browser asks", func() bool { return ada.asked.Load() == 1 })
	ada.until("one stays", stays)
	// Loading it anew is not, where the page hears of it before.
	ada.do(chromedp.KeyEvent(kb.F5))
	ada.do(chromedp.Reload())
	hasLeft()
	ada.until("the page runs", "window.livechat")
	ada.joined()
	require.EqualValues(t, 1, ada.asked.Load())
	back()
	ada.until("it is asked", asks+" && "+stays)
	ada.click("#leave-stay")
	ada.stays.Store(false)

	// Who leaves the page has left the channel.
	ada.do(chromedp.Navigate("about:blank"))
	hasLeft()
	require.EqualValues(t, 2, ada.asked.Load())
	ada.open(s, "")
	ada.until("signed in again", "livechat.session.stage === 'in'")
	ada.join("lobby")
	ada.click("#sign-out")
	hasLeft()
	ada.until("the address leads nowhere", "location.hash === ''")

	// Outside of a call nobody asks.
	ada.do(chromedp.Navigate("about:blank"))
	require.EqualValues(t, 2, ada.asked.Load())
	ada.noComplaints()
}

package e2e

import (
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"

	"github.com/mini-livechat/mini-livechat/cmd/app"
)

// drainingScript has the server say that it goes, and refuse every CHANNEL_JOIN meanwhile.
const drainingScript = `import('/js/protocol.js').then(({ RequestError }) => {
	const { client } = livechat.session;
	client.request = ((request) => (op, d) => op !== 11 ? request.call(client, op, d) :
		Promise.reject(new RequestError({ op, code: 1012, reason: 'the server is about to go', retry_after_ms: 1000 })))(client.request);
	client.dispatchEvent(new CustomEvent('event', { detail: { op: 7, d: { reason: 'restart', after_ms: 10 } } }));
})`

// TestBrowserServerGoes has the server go under somebody who joins, somebody who talks and somebody at the door: each is told that it
// restarts, and that there is nothing to do.
func TestBrowserServerGoes(t *testing.T) {
	verifyNoLeaks(t)
	data := t.TempDir()
	s := startServer(t, noRelay, func(c *app.Config) { c.Data = data })
	ada := startBrowser(t, "Ada", toneAda)
	ada.signIn(s)
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
	s.again(t, data, noRelay)
	ada.joined()
	ada.until("the line has nothing to say", "document.getElementById('line-text').textContent === ''")
	ada.noComplaints()
}

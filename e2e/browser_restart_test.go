package e2e

import (
	"slices"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"

	"github.com/mini-livechat/mini-livechat/cmd/app"
	"github.com/mini-livechat/mini-livechat/signaling/protocol"
)

// refuseJoinScript has the next CHANNEL_JOIN refused as by a server that is about to go.
const refuseJoinScript = `import(document.querySelector('[href$="/js/protocol.js"]').href).then(({ RequestError }) => {
	const { client } = livechat.session;
	const { request } = client;
	client.request = (op, d) => {
		if (op !== 11) {
			return request.call(client, op, d);
		}
		client.request = request;
		return Promise.reject(new RequestError({ op, code: 1012, reason: 'the server is about to go', retry_after_ms: 1000 }));
	};
})`

// TestBrowserGoesOnAfterARestart restarts the server, with the same data and at the same addresses, under somebody at the page
// who does nothing about it.
func TestBrowserGoesOnAfterARestart(t *testing.T) {
	verifyNoLeaks(t)
	data := t.TempDir()
	s := startServer(t, func(cfg *app.Config) { cfg.Data = data })
	ben := arrive(t, s, "Ben", comesBack).join("lobby", slots(1)).talk()
	ada := startBrowser(t, "Ada", toneAda)
	ada.watch()
	ada.signIn(s)
	evaluate[chromedp.Void](ada, refuseJoinScript)
	ada.join("lobby")
	ada.click("#mute")
	ada.see("#mute", "Unmute")
	ada.fill("#chat-text", "a draft")
	session, user := ada.session(), ada.userID()

	restarted := time.Now()
	require.Equal(t, s.URL, s.again(t, data).URL)
	ada.until("another session", "!['', '"+session+"'].includes(livechat.session.client.ready?.session_id ?? '')")
	ada.joined()
	t.Logf("in the channel again %v after the order to restart, away for %.0f ms", time.Since(restarted), ada.watched().Away)
	ada.see("#chat-log", "You are back")
	ada.see(".person", "Ben")
	require.Equal(t, user, ada.userID())
	require.Equal(t, "a draft", evaluate[string](ada, "document.getElementById('chat-text').value"))
	require.True(t, evaluate[bool](ada, "document.getElementById('banner').hidden"))
	ada.see("#mute", "Unmute")
	packets := stats(ada, "inbound-rtp", "packetsReceived")
	ada.poll("Ada hears Ben", func() bool { return stats(ada, "inbound-rtp", "packetsReceived") > packets+plenty })
	eventually(t, "she is known to be muted", func() bool {
		return slices.ContainsFunc(ben.call.Members(), func(m protocol.Member) bool { return m.UserID == user && m.SelfMute })
	})
	before := ben.heardCount()
	ada.click("#mute")
	eventually(t, "Ben hears Ada, who spoke first now", func() bool { return ben.heardCount() > before+plenty })
	ada.noComplaints()
}

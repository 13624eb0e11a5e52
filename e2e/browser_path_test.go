package e2e

import (
	"fmt"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"
)

// detourScript has the page's connections of media go to the port of a proxy, and counts why requests were refused.
const detourScript = `(() => {
	const { setRemoteDescription } = RTCPeerConnection.prototype;
	RTCPeerConnection.prototype.setRemoteDescription = function ({ type, sdp }) {
		return setRemoteDescription.call(this, { type, sdp: sdp.replace(/^(a=candidate:.* udp \d+) \S+ \d+ (typ host.*)$/gm, '$1 127.0.0.1 ' + window.mediaPort + ' $2') });
	};
	const { client } = livechat.session;
	const request = client.request.bind(client);
	window.refused = [];
	client.request = (op, d) => request(op, d).catch((err) => {
		refused.push([op, err.code]);
		throw err;
	});
})()`

// TestBrowserMovesToAnotherPath cuts the path of the page's media: it goes on over another one in the same call.
func TestBrowserMovesToAnotherPath(t *testing.T) {
	verifyNoLeaks(t)
	s := impairedServer(t)
	w, near := newWire(t, s)
	ben := arrive(t, s, "Ben", roomy).join("lobby", slots(1)).talk()
	ada := startBrowser(t, "Ada", toneAda)
	ada.watch()
	ada.signIn(near)
	evaluate[chromedp.Void](ada, detourScript)

	// path makes another path, which the page finds only by asking the server again.
	path := func() *proxy {
		t.Helper()
		p := newProxy(t, s.media)
		evaluate[chromedp.Void](ada, fmt.Sprintf("{ window.mediaPort = %d }", p.addr().Port()))
		return p
	}
	hears := func() {
		t.Helper()
		before := ben.heardCount()
		packets := stats(ada, "inbound-rtp", "packetsReceived")
		ada.poll("Ada hears Ben", func() bool { return stats(ada, "inbound-rtp", "packetsReceived") > packets+plenty })
		eventually(t, "Ben hears Ada", func() bool { return ben.heardCount() > before+plenty })
	}
	blackout := impairment{loss: 1}
	const lines = "JSON.stringify(livechat.media.slots.map(({ slot, mid, userId, ssrc }) => [slot, mid, userId, ssrc]))"
	now := path()
	ada.join("lobby")
	hears()
	source, before := sendingSSRC(ada), evaluate[string](ada, lines)

	t.Run("Ben speaks and nothing comes", func(t *testing.T) {
		during(t, ada)
		old := now
		now = path()
		const ring = "document.querySelectorAll('.person--speaking:not(:has(.person__note:not(:empty)))').length"
		ada.until("Ben's ring is there", ring+" === 1")
		evaluate[chromedp.Void](ada, `void new MutationObserver(() => { window.dark ||= `+ring+` === 0; })
			.observe(document.getElementById('people'), { attributes: true, subtree: true })`)
		old.impair(blackout, blackout, 1)
		cut := time.Now()
		hears()
		t.Logf("both hear again after %v", time.Since(cut))
		require.Less(t, time.Since(cut), 5*time.Second+slowMachine)
		require.True(t, evaluate[bool](ada, "window.dark"), "while nothing came nobody was shown speaking")
		ada.until("Ben's ring is there again", ring+" === 1")
	})
	t.Run("the WebSocket is dead, too", func(t *testing.T) {
		during(t, ada)
		old := now
		now = path()
		session := ada.session()
		end := w.numb()
		defer end()
		old.impair(blackout, blackout, 1)
		cut := time.Now()
		hears()
		t.Logf("both hear again after %v", time.Since(cut))
		require.Equal(t, session, ada.session())
		require.Less(t, time.Since(cut), 10*time.Second+slowMachine)
	})
	t.Run("nobody speaks", func(t *testing.T) {
		during(t, ada)
		ben.silence()
		ada.until("Ben is silent", "livechat.session.call.room.speaking.size <= 1")
		old := now
		now = path()
		old.impair(blackout, blackout, 1)
		cut := time.Now()
		// The browser notices, or the server says so.
		ada.poll("another path is found", func() bool {
			return evaluate[bool](ada, `livechat.media.statistics().then((stats) => [...stats.values()].some((pair) =>
				pair.type === 'candidate-pair' && pair.nominated && stats.get(pair.remoteCandidateId)?.port === mediaPort))`)
		})
		t.Logf("found after %v", time.Since(cut))
		ben.talk()
		hears()
		require.Less(t, time.Since(cut), 20*time.Second+slowMachine)
	})
	t.Run("the network is said to be another one, twice", func(t *testing.T) {
		during(t, ada)
		old := now
		dead := path()
		for _, p := range []*proxy{old, dead} {
			p.impair(blackout, blackout, 1)
		}
		evaluate[chromedp.Void](ada, "window.dispatchEvent(new Event('online')) && undefined")
		ada.until("it is agreed on", "peer.currentRemoteDescription.sdp.includes(' ' + mediaPort + ' typ host')")
		now = path()
		evaluate[chromedp.Void](ada, "window.dispatchEvent(new Event('online')) && undefined")
		hears()
		t.Logf("refused on the way: %v", evaluate[[][]int](ada, "refused"))
	})
	t.Run("a refusal changes nothing", func(t *testing.T) {
		during(t, ada)
		ada.until("it is refused", "livechat.media.restart(() => Promise.reject(new Error('no'))).catch((err) => err.message === 'no')") // and not begun beside another
		ada.until("it is as before", "peer.signalingState === 'stable'")
		hears()
	})
	require.Equal(t, source, sendingSSRC(ada))
	require.Equal(t, before, evaluate[string](ada, lines))
	require.Equal(t, 1, ada.watched().Peers)

	t.Run("the server knows of no call", func(t *testing.T) {
		during(t, ada)
		evaluate[chromedp.Void](ada, "livechat.session.client.request(12, { channel_id: 'lobby' }).then(() => livechat.session.call.path.restart())")
		ada.until("joined again", "seen.peers === 2 && livechat.session.call.here && livechat.media.state === 'connected'")
		hears()
	})
	ada.noComplaints()
}

package e2e

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"
)

// reticentScript has the browser tell less, as others do.
const reticentScript = `(() => {
	const { getStats } = RTCPeerConnection.prototype;
	RTCPeerConnection.prototype.getStats = async function () {
		const report = new Map(await getStats.call(this));
		for (const [id, stats] of report) {
			const { jitterBufferDelay, concealedSamples, nackCount, currentRoundTripTime, ...rest } = stats;
			report.set(id, rest);
		}
		return report;
	};
})()`

// figure is what the panel shows of the n-th figure of a topic.
func figure(topic string, n int) string {
	return fmt.Sprintf("document.querySelectorAll('[data-topic=%s] .figures__value')[%d].innerText", topic, n)
}

// TestBrowserPanel looks at the connection: why somebody is not heard, and what the panel shows over a good network, over a bad one, and
// in a browser that tells little.
func TestBrowserPanel(t *testing.T) {
	verifyNoLeaks(t)
	s := impairedServer(t)
	ben := arrive(t, s, "Ben").join("lobby", slots(1))
	ben.level.Store(20)
	ben.talk()
	ada := startBrowser(t, "Ada", toneAda)
	ada.signIn(s)
	p := newProxy(t, s.media)
	evaluate[chromedp.Void](ada, detourScript)
	evaluate[chromedp.Void](ada, fmt.Sprintf("{ window.mediaPort = %d }", p.addr().Port()))
	ada.join("lobby")
	t.Run("why", func(t *testing.T) { checkWhy(t, ada, ben) })
	ada.see("#voice-status", "Connected")
	ada.click("#voice-status")
	ada.see("#panel-facts", "Direct, by UDP, IPv4")
	ada.see("#panel-facts", fmt.Sprintf("127.0.0.1:%d", p.addr().Port()))
	ada.see("#panel-facts", "opus 48000/2")
	ada.see("[data-topic=bitrate]", "kbit/s")
	ada.until("there is a buffer", "parseFloat("+figure("buffer", 0)+") > 0")
	ada.until("there is a round trip", "parseFloat("+figure("rtt", 0)+") >= 0")
	ada.until("a line is drawn", "document.querySelector('[data-topic=bitrate] path').getAttribute('d').includes('L')")

	bad := impairment{loss: 0.2, delay: 30 * time.Millisecond}
	p.impair(bad, bad, 5)
	ada.until("what is lost at first is seen", "parseFloat("+figure("lossIn", 0)+") > 8")
	ada.until("what the server misses is seen", "parseFloat("+figure("lossOut", 0)+") > 8")
	ada.until("the way is longer", "parseFloat("+figure("rtt", 0)+") >= 60")
	require.Less(t, evaluate[float64](ada, `(() => {
		const { samples } = livechat.media.meter;
		const mean = (name) => samples.reduce((sum, s) => sum + (s[name] ?? 0), 0) / samples.length;
		return mean('leftIn') / mean('lostIn');
	})()`), 0.7, "asking again mends most of it")

	evaluate[chromedp.Void](ada, "navigator.clipboard.writeText = async (text) => { window.copied = text; }")
	ada.click("#panel-copy")
	ada.see("#panel-copy", "Copied")
	report := evaluate[string](ada, "copied")
	for _, says := range []string{"currentRoundTripTime", "path: direct", "RED yes, NACK yes", "voice: connected", "Chrome", "mini-livechat/", "60 s ago"} {
		require.Contains(t, report, says)
	}
	for _, secret := range []string{
		evaluate[string](ada, "sessionStorage.getItem('livechat.token')"), ada.userID(), "Ada", "Ben",
		evaluate[string](ada, "livechat.session.client.ready.session_id"),
		evaluate[string](ada, "livechat.media.answer.match(/ice-ufrag:(.*)/)[1].trim()"), "192.0.2.",
	} {
		require.NotEmpty(t, secret)
		require.False(t, strings.Contains(report, secret), "%s in %s", secret, report)
	}
	ada.picture("panel")
	ada.click("#panel-close")
	ada.until("closed", "!document.getElementById('panel-dialog').open")

	// What a browser does not tell is no zero.
	evaluate[chromedp.Void](ada, reticentScript)
	ada.click("#voice-status")
	for _, untold := range []string{figure("buffer", 0), figure("concealed", 0), figure("lossIn", 0), figure("rtt", 0)} {
		ada.until("it is not told", untold+" === 'not told'")
	}
	ada.until("the other round trip is", "parseFloat("+figure("rtt", 1)+") > 0")
	ada.click("#panel-close")

	// A browser that tried nothing, as Firefox where the server names only loopback addresses, blames no firewall.
	require.Equal(t, `["loopback","apart","walled",null]`, evaluate[string](ada, `import('/js/untried.js').then(({ untriedOf }) => {
		const why = (announced, ...types) => untriedOf(new Map(types.map((type, i) => [i, { type }])), announced);
		return JSON.stringify([why(['127.0.0.1', '::1'], 'local-candidate'), why(['192.0.2.1'], 'local-candidate'), why(['192.0.2.1']),
			why(['127.0.0.1'], 'local-candidate', 'candidate-pair')]);
	})`))
	evaluate[chromedp.Void](ada, "{ const { call } = livechat.session; call.pathBlocked = true; call.untried = 'loopback'; call.changed(); }")
	ada.see("#banner", "--udp the port alone")

	// It ends with the call.
	ada.click("#voice-status")
	evaluate[chromedp.Void](ada, "{ livechat.session.call.leave(); }")
	ada.until("closed", "!document.getElementById('panel-dialog').open")
	ada.noComplaints()
}

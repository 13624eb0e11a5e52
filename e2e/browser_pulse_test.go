package e2e

import (
	"syscall"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"
)

// pulseScript keeps when the page first said that the server does not answer, or that voice is interrupted, and how often it asked.
const pulseScript = `{
	const { client } = livechat.session;
	const status = document.getElementById('voice-status');
	window.pulse = { asked: 0, quietAt: 0, saidAfter: 0 };
	const beat = client.beat.bind(client);
	client.beat = () => {
		pulse.asked++;
		return beat();
	};
	new MutationObserver(() => {
		if (status.dataset.tone === 'poor') {
			pulse.saidAfter ||= performance.now() - Math.max(client.heardAt, livechat.media.heardAt());
		}
	}).observe(status, { subtree: true, childList: true, attributes: true, characterData: true });
}`

// TestBrowserServerStops stops a server's process, which then holds all connections and answers nothing: the page says so, also to one
// who is alone and hears nothing anyway, and asks only where nothing comes by itself.
func TestBrowserServerStops(t *testing.T) {
	verifyNoLeaks(t)
	held := startChild(t, "TestRoleHeldServer", heldServer+"=yes")
	s := &server{URL: held.said}
	ada := startBrowser(t, "Ada", toneAda)
	ada.signIn(s)
	ada.join("lobby")
	evaluate[chromedp.Void](ada, pulseScript)
	require.Less(t, evaluate[float64](ada, "import('/js/pulse.js').then(({ QUIET_MS, PATIENCE_MS }) => QUIET_MS + PATIENCE_MS)"), 2000.0)
	session := ada.session()
	stops := func(who string) {
		t.Helper()
		ada.see("#voice-status", "Connected")
		evaluate[chromedp.Void](ada, "{ pulse.saidAfter = 0; }")
		require.NoError(t, held.signal(syscall.SIGSTOP))
		ada.until("it is said", "document.getElementById('voice-status').dataset.tone === 'poor'")
		t.Logf("%s: said %.0f ms after the last sign of life", who, evaluate[float64](ada, "pulse.saidAfter"))
		ada.see("#voice-status", "The server does not answer")
		ada.see("#line", "The server does not answer")
		require.True(t, evaluate[bool](ada, "document.getElementById('banner').hidden"))
		ada.picture("server-stops-" + who)
		require.NoError(t, held.signal(syscall.SIGCONT))
		ada.see("#voice-status", "Connected")
		ada.until("the line has nothing to say", "document.getElementById('line-text').textContent === ''")
	}

	ada.until("one who is alone asks", "pulse.asked > 2")
	stops("alone")
	ben := arrive(t, s, "Ben").join("lobby", slots(1)).talk()
	ada.until("Ben is heard", "livechat.media.slots.some((s) => s.receiver.getContributingSources().length > 0)")
	ada.until("a voice is sign enough for three seconds", `(() => {
		if (pulse.asked > 0) {
			pulse.asked = 0;
			pulse.since = performance.now();
		}
		return performance.now() - pulse.since > 3000;
	})()`)
	stops("while Ben talks")
	require.Equal(t, session, ada.session())
	before := ben.heardCount()
	eventually(t, "Ben hears Ada", func() bool { return ben.heardCount() > before+plenty })
	ada.noComplaints()
}

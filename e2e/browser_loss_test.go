package e2e

import (
	"fmt"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"
)

// lossyScript has the page's next call go through a proxy, and offer no redundancy, and no
// NACK either if so wanted.
const lossyScript = `(() => {
	const { getCapabilities, setLocalDescription, setRemoteDescription } = window.unchanged ??= {
		getCapabilities: RTCRtpReceiver.getCapabilities, ...Object.fromEntries(
			['setLocalDescription', 'setRemoteDescription'].map((name) => [name, RTCPeerConnection.prototype[name]])) };
	const nack = %t;
	RTCRtpReceiver.getCapabilities = (kind) => {
		const { codecs } = getCapabilities.call(RTCRtpReceiver, kind);
		return { codecs: codecs.filter(({ mimeType }) => mimeType !== 'audio/red') };
	};
	RTCPeerConnection.prototype.setLocalDescription = function ({ type, sdp }) {
		return setLocalDescription.call(this, { type, sdp: nack ? sdp : sdp.replace(/^a=rtcp-fb:\d+ nack\r\n/gm, '') });
	};
	RTCPeerConnection.prototype.setRemoteDescription = function ({ type, sdp }) {
		return setRemoteDescription.call(this, { type, sdp: sdp.replace(/^(a=candidate:.* udp \d+) \S+ \d+ (typ host.*)$/gm, '$1 127.0.0.1 %d $2') });
	};
})()`

// callStats are counters of a browser's call.
type callStats struct {
	Played    float64 `json:"totalSamplesReceived"`
	Concealed float64 `json:"concealedSamples"`
	Received  float64 `json:"packetsReceived"`
	Lost      float64 `json:"packetsLost"`
	Asked     float64 `json:"asked"`
	Answered  float64 `json:"answered"`
}

const callStatsScript = `livechat.media.statistics().then((report) => {
	const all = [...report.values()];
	const slot = all.find((s) => s.type === 'inbound-rtp' && s.packetsReceived > 0);
	const microphone = all.find((s) => s.type === 'outbound-rtp');
	return { ...slot, asked: slot.nackCount, answered: microphone.retransmittedPacketsSent };
})`

// TestBrowserNACK has a browser talk and listen over a network that loses some of both: it
// asks the server for what it misses, and gives the server what that asks for. How much is
// lost when nobody asks is what this is measured by.
func TestBrowserNACK(t *testing.T) {
	verifyNoLeaks(t)
	s := impairedServer(t)
	ben := arrive(t, s, "Ben").join("lobby", slots(1)).talk()
	ada := startBrowser(t, "Ada", toneAda)
	ada.signIn(s)
	// measure returns what share of Ben's packets never gets to Ada and of Ada's to Ben, and
	// how often Ada asked and answered. How much sound Ada has to make up is told only: that
	// depends on whether the machine has time for it, too.
	measure := func(nack bool) (down, up, asked, answered float64) {
		t.Helper()
		p := newProxy(t, s.media)
		evaluate[chromedp.Void](ada, fmt.Sprintf(lossyScript, nack, p.addr().Port()))
		ada.join("lobby")
		ada.until("Ben is heard", "livechat.media.slots.some((s) => s.receiver.getContributingSources().length > 0)")
		eventually(t, "Ben hears Ada", func() bool { return ben.call.Slots()[0].Stats().Received > plenty })
		bad := impairment{loss: 0.15, delay: 5 * time.Millisecond}
		p.impair(bad, bad, 5)
		time.Sleep(3 * time.Second) // in which the jitter buffer learns how long answers take
		before, slot := evaluate[callStats](ada, callStatsScript), ben.call.Slots()[0].Stats()
		time.Sleep(5 * time.Second)
		after, now := evaluate[callStats](ada, callStatsScript), ben.call.Slots()[0].Stats()
		ada.click("#leave")
		ada.see(".channel", "lobby")
		down = after.Lost - before.Lost // less than none, when late ones came
		down /= down + after.Received - before.Received
		up = float64(now.Lost) - float64(slot.Lost) // likewise
		up /= up + float64(now.Received-slot.Received)
		concealed := (after.Concealed - before.Concealed) / (after.Played - before.Played)
		asked, answered = after.Asked-before.Asked, after.Answered-before.Answered
		t.Logf("NACK %t: %.1f %% of Ben's packets lost and %.1f %% of the sound concealed, %.1f %% of Ada's lost; asked %.0f times, answered %.0f",
			nack, 100*down, 100*concealed, 100*up, asked, answered)
		return down, up, asked, answered
	}
	down, up, asked, answered := measure(false)
	require.Greater(t, down, 0.08, "the network is not bad")
	require.Greater(t, up, 0.08, "the network is not bad")
	require.Zero(t, asked)
	require.Zero(t, answered)
	downMended, upMended, asked, answered := measure(true)
	require.Less(t, downMended, down/2) // what comes too late, as on a slow machine, is lost all the same
	require.Less(t, upMended, up/2)
	require.Greater(t, asked, 10.0)
	require.Greater(t, answered, 10.0)
	ada.noComplaints()
}

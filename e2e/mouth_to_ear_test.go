package e2e

import (
	"encoding/json"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"
)

const (
	// mouthToEarEnv is the environment variable by which this is measured, and for how long, as Go writes durations.
	mouthToEarEnv = "LIVECHAT_MOUTH_TO_EAR"
	// mouthToEarMs is how much later than by a direct call one may be heard by the server.
	mouthToEarMs = 15.0
	// concealedMore is how much more of what is heard may have been made up, of all.
	concealedMore = 0.001
)

// mouthScript has the page's microphone be one that this test speaks by: a hum, and a burst each half second. A direct call gets the
// very same samples.
const mouthScript = `
	window.mouth = (async () => {
		const context = new AudioContext({ sampleRate: 48000 });
		const out = new MediaStreamAudioDestinationNode(context, { channelCount: 1 });
		const hum = new OscillatorNode(context, { frequency: 180 });
		const low = new GainNode(context, { gain: 0.02 });
		hum.connect(low).connect(out);
		hum.start();
		const buffer = new AudioBuffer({ length: 24000, sampleRate: 48000 });
		const samples = buffer.getChannelData(0);
		for (let i = 0; i < 1920; i++) samples[i] = 0.7 * Math.sin(2 * Math.PI * 1000 * i / 48000);
		const bursts = new AudioBufferSourceNode(context, { buffer, loop: true });
		bursts.connect(out);
		bursts.start();
		await context.resume();
		return out.stream;
	})();
	navigator.mediaDevices.getUserMedia = async () => (await mouth).clone();`

// earsScript listens to both calls by one clock, that of one graph of audio, and notes when bursts begin in each.
const earsScript = `(async (direct) => {
	const { receiver } = livechat.media.slots.find(({ userId }) => userId);
	const context = new AudioContext({ sampleRate: 48000 });
	await context.audioWorklet.addModule(URL.createObjectURL(new Blob([` + "`" + `registerProcessor('ears', class extends AudioWorkletProcessor {
		quiet = [0, 0];
		process(inputs) {
			inputs.forEach(([samples], ear) => samples?.forEach((sample, i) => {
				const at = (currentFrame + i) / sampleRate;
				if (Math.abs(sample) > 0.2) {
					if (at - this.quiet[ear] > 0.2) this.port.postMessage({ ear, at });
					this.quiet[ear] = at;
				}
			}));
			return true;
		}
	})` + "`" + `], { type: 'text/javascript' })));
	const ears = new AudioWorkletNode(context, 'ears', { numberOfInputs: 2, numberOfOutputs: 1 });
	window.heard = [[], []];
	ears.port.onmessage = ({ data: { ear, at } }) => heard[ear].push(at);
	ears.connect(context.destination);
	[direct.getReceivers()[0], receiver].forEach(({ track }, ear) => {
		const stream = new MediaStream([track]);
		const sink = new Audio(); // without which Chromium decodes nothing
		sink.muted = true;
		sink.srcObject = stream;
		sink.play();
		new MediaStreamAudioSourceNode(context, { mediaStream: stream }).connect(ears, 0, ear);
	});
	await context.resume();
	window.heardBy = [direct.getReceivers()[0], receiver];
})(window.direct)`

// concealed has, for the direct call and for the one by the server, how many samples were heard and how many of them made up.
const concealed = `Promise.all(heardBy.map(async (receiver) => {
	const [one] = [...(await receiver.getStats()).values()].filter(({ type }) => type === 'inbound-rtp');
	return { total: one.totalSamplesReceived, concealed: one.concealedSamples - (one.silentConcealedSamples ?? 0) };
}))`

// heardSamples counts what a receiver gave.
type heardSamples struct {
	Total     float64 `json:"total"`
	Concealed float64 `json:"concealed"`
}

// TestMouthToEar speaks into one page's microphone and listens in another, by the server and by a direct call between the same two
// browsers, which carries the same sounds in the same seconds.
func TestMouthToEar(t *testing.T) {
	setting := os.Getenv(mouthToEarEnv)
	if setting == "" {
		t.Skipf("takes long; make mouth-to-ear sets %s", mouthToEarEnv)
	}
	long, err := time.ParseDuration(setting)
	require.NoError(t, err)
	verifyNoLeaks(t)
	s := startServer(t)
	direct := func(flags map[string]any) {
		flags["disable-features"] = flags["disable-features"].(string) + ",WebRtcHideLocalIpsWithMdns"
	}
	ada, ben := startBrowser(t, "Ada", toneAda, direct), startBrowser(t, "Ben", toneBen, direct)
	for _, one := range []*participant{ada, ben} {
		_, err = chromedp.Call(one.tab, page.SetBypassCSP, page.SetBypassCSPParams{Enabled: true}) // the ears are no file of the server's
		require.NoError(t, err)
	}
	_, err = chromedp.Call(ada.tab, page.AddScriptToEvaluateOnNewDocument, page.AddScriptToEvaluateOnNewDocumentParams{Source: mouthScript})
	require.NoError(t, err)
	ada.signIn(s)
	ben.signIn(s)
	ada.join("lobby")
	ben.join("lobby")
	callDirectly(ada, ben)
	evaluate[chromedp.Void](ben, earsScript)
	ben.until("both are heard", "heard.every((ear) => ear.length > 5)")

	begin := evaluate[[]heardSamples](ben, concealed)
	evaluate[bool](ben, "(heard = [[], []]) && true")
	time.Sleep(long)
	end := evaluate[[]heardSamples](ben, concealed)
	heard := evaluate[[][]float64](ben, "heard")
	later := differences(heard[0], heard[1])
	require.Greater(t, float64(len(later)), long.Seconds(), "bursts heard by both")
	share := func(i int) float64 {
		return (end[i].Concealed - begin[i].Concealed) / (end[i].Total - begin[i].Total)
	}
	slices.Sort(later)
	median := later[len(later)/2]
	t.Logf("%d bursts: by the server heard %.1f ms later than directly (median; a tenth under %.1f, a tenth over %.1f)",
		len(later), median, later[len(later)/10], later[len(later)*9/10])
	t.Logf("made up, of what was heard: directly %.3f %%, by the server %.3f %%", 100*share(0), 100*share(1))
	require.Less(t, median, mouthToEarMs)
	require.LessOrEqual(t, share(1), share(0)+concealedMore)
}

// differences has how much later each burst came by the server, in milliseconds, of those that came both ways.
func differences(direct, served []float64) (later []float64) {
	for _, at := range direct {
		for _, other := range served {
			if by := other - at; by > -0.25 && by < 0.25 {
				later = append(later, 1000*by)
			}
		}
	}
	return later
}

// callDirectly has ben hear ada without the server.
func callDirectly(ada, ben *participant) {
	quoted := func(text string) string { return jsonOf(ada.t, text) }
	const gathered = `await new Promise((done) => {
		const look = () => direct.iceGatheringState === 'complete' && done();
		direct.addEventListener('icegatheringstatechange', look);
		look();
	});
	return JSON.stringify(direct.localDescription);`
	offer := evaluate[string](ada, `(async () => {
		window.direct = new RTCPeerConnection();
		const stream = (await mouth).clone();
		direct.addTrack(stream.getAudioTracks()[0], stream);
		await direct.setLocalDescription();
		`+gathered+`
	})()`)
	answer := evaluate[string](ben, `(async () => {
		window.direct = new RTCPeerConnection();
		await direct.setRemoteDescription(JSON.parse(`+quoted(offer)+`));
		await direct.setLocalDescription();
		`+gathered+`
	})()`)
	require.True(ada.t, json.Valid([]byte(answer)))
	evaluate[chromedp.Void](ada, "direct.setRemoteDescription(JSON.parse("+quoted(answer)+")).then(() => {})")
	for _, one := range []*participant{ada, ben} {
		one.until("the direct call is connected", "direct.connectionState === 'connected'")
	}
}

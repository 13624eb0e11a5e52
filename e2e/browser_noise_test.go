package e2e

import (
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"net/http"
	"os"
	"sync/atomic"
	"testing"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/fetch"
	cdpnetwork "github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"
)

// noiseScript passes speech with noise through the page's own RNNoise, in the browser's audio worklet. It returns what was said, what
// went in and what came out. Its noises are the same each time: a fan, the hiss of a cheap microphone, and typing.
const noiseScript = `(async (speech, kind, snr) => {
	const { denoiserNode } = await import('/js/denoiser.js');
	const rate = 48_000;
	const file = Uint8Array.from(atob(speech), (c) => c.charCodeAt(0)).buffer;
	const clean = (await new OfflineAudioContext(1, rate, rate).decodeAudioData(file)).getChannelData(0);
	let seed = 1;
	const random = () => (seed = (seed * 48271) %% 2147483647) / 2147483647;
	const white = Float32Array.from(clean, () => random() * 2 - 1);
	let low = 0;
	let key = 0;
	let share;
	const noise = white.map((w, i) => {
		if (kind === 'hiss') {
			return w;
		}
		if (kind === 'fan') {
			return (low = 0.99 * low + 0.1 * w) + 0.02 * w;
		}
		key = i %% 7_000 === 0 ? 0.5 + random() / 2 : key * 0.998; // some seven keys a second
		return key * w;
	});
	const power = (samples) => samples.reduce((sum, s) => sum + s * s, 0) / samples.length;
	const spoken = clean.filter((s) => Math.abs(s) > 0.01); // the pauses are no part of how loud one speaks
	const gain = Math.sqrt(power(spoken) / power(noise) / 10 ** (snr / 10));
	const noisy = clean.map((s, i) => s + gain * noise[i]);
	const render = async (patience) => {
		const context = new OfflineAudioContext(1, noisy.length, rate);
		const buffer = new AudioBuffer({ length: noisy.length, sampleRate: rate });
		buffer.copyToChannel(noisy, 0);
		const source = new AudioBufferSourceNode(context, { buffer });
		source.connect(await denoiserNode(context)).connect(context.destination);
		await new Promise((resolve) => setTimeout(resolve, patience));
		source.start();
		const begin = performance.now();
		const rendered = await context.startRendering();
		share = (performance.now() - begin) / 1_000 / rendered.duration;
		return rendered.getChannelData(0);
	};
	// It is silent until it is ready, and says not when that is. This clock does not wait for it.
	let out;
	for (let patience = 50; patience < 5_000; patience *= 2) {
		out = await render(patience);
		if (out.findIndex((s) => s !== 0) < rate / 10) {
			break;
		}
	}
	const text = (samples) => {
		let bytes = '';
		new Uint8Array(samples.buffer).forEach((b) => (bytes += String.fromCharCode(b)));
		return btoa(bytes);
	};
	return { clean: text(clean), noisy: text(noisy), out: text(new Float32Array(out)), share };
})(%q, %q, %d)`

// samples are decoded from a page's base64 of 32-bit floats.
func samples(t *testing.T, text string) []float64 {
	t.Helper()
	bytes, err := base64.StdEncoding.DecodeString(text)
	require.NoError(t, err)
	decoded := make([]float64, len(bytes)/4)
	for i := range decoded {
		decoded[i] = float64(math.Float32frombits(binary.LittleEndian.Uint32(bytes[4*i:])))
	}
	return decoded
}

func dot(a, b []float64) (sum float64) {
	for i := range a {
		sum += a[i] * b[i]
	}
	return sum
}

func decibels(power float64) float64 { return 10 * math.Log10(power+1e-12) }

// distinctness is the scale-invariant signal-to-distortion ratio, in decibels: how much of what is heard is what was said, however
// loud that is.
func distinctness(said, heard []float64) float64 {
	scale := dot(said, heard) / dot(said, said)
	rest := make([]float64, len(said))
	for i := range said {
		rest[i] = heard[i] - scale*said[i]
	}
	return decibels(scale * scale * dot(said, said) / dot(rest, rest))
}

// delayOf is by how many samples heard comes later than said.
func delayOf(said, heard []float64) (delay int) {
	const most, length, from = 4_800, 96_000, 48_000
	best := math.Inf(-1)
	for d := range most {
		if fit := dot(said[from:from+length], heard[from+d:from+d+length]); fit > best {
			best, delay = fit, d
		}
	}
	return delay
}

// inPauses is how loud it is while nothing is said, in decibels of full scale.
func inPauses(said, heard []float64) float64 {
	const frame = 960 // 20 ms
	power, frames := 0.0, 0
	for i := 10 * frame; i+frame <= len(said); i += frame { // RNNoise needs a moment to know the noise
		if decibels(dot(said[i-frame:i+frame], said[i-frame:i+frame])/(2*frame)) < -60 {
			power += dot(heard[i:i+frame], heard[i:i+frame]) / frame
			frames++
		}
	}
	return decibels(power / float64(frames))
}

// TestBrowserNoise measures what RNNoise makes of speech in noise. The speech was made by flite's voices slt and rms.
func TestBrowserNoise(t *testing.T) {
	s := startServer(t)
	ada := startBrowser(t, "Ada", toneAda)
	ada.open(s, "")
	speech, err := os.ReadFile("testdata/speech.ogg")
	require.NoError(t, err)
	for _, test := range []struct {
		kind          string
		clearer, less float64 // at least so many decibels
	}{{"fan", 3, 25}, {"hiss", 8, 25}, {"keys", 5, 10}} {
		const snr = 5
		got := evaluate[struct {
			Clean, Noisy, Out string
			Share             float64
		}](ada, fmt.Sprintf(noiseScript, base64.StdEncoding.EncodeToString(speech), test.kind, snr))
		said, noisy, heard := samples(t, got.Clean), samples(t, got.Noisy), samples(t, got.Out)
		delay := delayOf(said, heard)
		said, noisy, heard = said[:len(said)-delay], noisy[:len(noisy)-delay], heard[delay:]
		before, after := distinctness(said, noisy), distinctness(said, heard)
		floorBefore, floorAfter := inPauses(said, noisy), inPauses(said, heard)
		t.Logf("speech %d dB above %s: distinctness %.1f → %.1f dB, in pauses %.1f → %.1f dB, %.1f ms later, %.1f %% of a core",
			snr, test.kind, before, after, floorBefore, floorAfter, float64(delay)/48, 100*got.Share)
		require.Greater(t, after-before, test.clearer, test.kind)
		require.Greater(t, floorBefore-floorAfter, test.less, test.kind)
	}
	checkUndenoised(t, s, ada)
	ada.noComplaints()
}

// checkUndenoised has RNNoise not come, or break: then the browser suppresses the noise, and the page says so, in a call too.
func checkUndenoised(t *testing.T, s *server, ada *participant) {
	t.Helper()
	var instead atomic.Pointer[string] // nil for nothing
	require.NoError(t, chromedp.Listen(ada.tab, func(event any) {
		paused, ok := event.(*fetch.EventRequestPaused)
		if !ok {
			return
		}
		go func() { // the listener must not wait for the browser
			if body := instead.Load(); body != nil {
				_, _ = chromedp.Call(ada.tab, fetch.FulfillRequest, fetch.FulfillRequestParams{
					RequestID: paused.RequestID, ResponseCode: http.StatusOK, Body: []byte(*body),
					ResponseHeaders: []*fetch.HeaderEntry{{Name: "Content-Type", Value: "text/javascript"}},
				})
				return
			}
			_, _ = chromedp.Call(ada.tab, fetch.FailRequest, fetch.FailRequestParams{RequestID: paused.RequestID, ErrorReason: cdpnetwork.ErrorReasonFailed})
		}()
	}))
	choose := func(by string) {
		t.Helper()
		ada.click("#preferences-open")
		ada.until("it is open", "document.querySelector('dialog[open]')") // it is loaded first
		ada.choose("#devices-noise", by)
		ada.click("#preferences-close")
	}
	ada.do(chromedp.Navigate("about:blank"), chromedp.Navigate(s.URL)) // sound is processed here
	ada.fill("#guest-name", "Ada")
	ada.click("#guest-submit")
	ada.until("signed in", "livechat.session.stage === 'in'")
	ada.join("lobby")
	const words = "RNNoise does not run in this browser just now, so the browser suppresses the noise."
	broken := `registerProcessor('@sapphi-red/web-noise-suppressor/rnnoise', class extends AudioWorkletProcessor {
		process() { throw new Error('broken'); }
	});`
	for _, test := range []struct {
		file string
		body *string
	}{{"rnnoise.wasm", nil}, {"worklet.js", nil}, {"worklet.js", &broken}} {
		instead.Store(test.body)
		_, err := chromedp.Call(ada.tab, fetch.Enable, fetch.EnableParams{Patterns: []*fetch.RequestPattern{{URLPattern: "*/rnnoise/" + test.file + "*"}}})
		require.NoError(t, err)
		choose("rnnoise")
		ada.until(fmt.Sprintf("without %s the browser suppresses the noise of what is sent (%v)", test.file, test.body != nil), `(({ microphone }) => microphone.undenoised && microphone.track === microphone.device &&
			microphone.device?.getSettings().noiseSuppression && microphone.device.readyState === 'live')(livechat.media)`)
		ada.see("#banner", words)
		ada.click("#banner-close")
		ada.click("#preferences-open")
		ada.see("#devices-says", words)
		ada.click("#preferences-close")
		_, err = chromedp.Call(ada.tab, fetch.Disable, cdp.Empty{})
		require.NoError(t, err)
		choose("off")
		ada.until("the noise is left as it is", "livechat.media.microphone.device?.getSettings().noiseSuppression === false")
	}
}

// loudnessScript is how loud it is on the loudest slot, in decibels of full scale.
const loudnessScript = `(() => {
	const context = window.loudContext ??= new AudioContext();
	const analysers = window.loudAnalysers ??= new WeakMap();
	return Math.max(-200, ...livechat.media.slots.map(({ stream }) => {
		let analyser = analysers.get(stream);
		if (!analyser) {
			analyser = new AnalyserNode(context, { fftSize: 16_384 });
			context.createMediaStreamSource(stream).connect(analyser);
			analysers.set(stream, analyser);
		}
		const samples = new Float32Array(16_384);
		analyser.getFloatTimeDomainData(samples);
		return 10 * Math.log10(samples.reduce((sum, s) => sum + s * s, 0) / samples.length);
	}));
})()`

// withNoise is a microphone in front of which nobody speaks, in a noisy place.
func withNoise(t *testing.T) browserOption {
	t.Helper()
	random := rand.New(rand.NewPCG(1, 1))
	noise := make([]int16, 4*48_000)
	for i := range noise {
		noise[i] = int16(4_000 * (random.Float64() - 0.5)) // about -29 dB
	}
	path := wavFile(t, "noise.wav", noise)
	return func(flags map[string]any) { flags["use-file-for-fake-audio-capture"] = path }
}

// TestBrowserDenoises has RNNoise at work in a call, whatever else is done with the microphone.
func TestBrowserDenoises(t *testing.T) {
	if os.Getenv("LIVECHAT_DENOISE") == "" {
		t.Skip("make denoise")
	}
	verifyNoLeaks(t)
	s := startServer(t)
	ada, ben := startBrowser(t, "Ada", 0, withNoise(t)), startBrowser(t, "Ben", toneBen)
	ben.signIn(s)
	ben.join("lobby")
	enter := func(url string) {
		t.Helper()
		ada.do(chromedp.Navigate("about:blank"), chromedp.Navigate(s.URL+url))
		ada.until("the page runs", "window.livechat")
	}
	again := func(url string) {
		t.Helper()
		enter(url)
		ada.click("#stage .button--primary")
		ada.joined()
	}
	enter("/")
	ada.fill("#guest-name", "Ada")
	ada.click("#guest-submit")
	ada.until("signed in", "livechat.session.stage === 'in'")
	const loaded = "performance.getEntriesByType('resource').filter(({ name }) => name.includes('rnnoise')).length"
	choose := func(by string) {
		t.Helper()
		ada.click("#preferences-open")
		ada.until("it is open", "document.querySelector('dialog[open]')") // it is loaded first
		ada.choose("#devices-noise", by)
		ada.click("#preferences-close")
	}
	ada.click("#preferences-open")
	ada.click("#devices-echo")
	ada.click("#devices-gain")
	ada.choose("#devices-noise", "off")

	// One sees what it does before one joins.
	ada.click("#devices-try")
	ada.until("the noise is loud", "document.getElementById('devices-level').value > 0.4")
	require.Zero(t, evaluate[int](ada, loaded), "what is not wanted is not loaded")
	ada.choose("#devices-noise", "rnnoise")
	ada.until("and is not", "document.getElementById('devices-level').value < 0.2")
	ada.pictures("noise")
	ada.choose("#devices-noise", "off")
	ada.until("and is again", "document.getElementById('devices-level').value > 0.4")
	ada.click("#preferences-close")

	ada.join("lobby")
	ben.until("Ben hears noise", loudnessScript+" > -40")
	choose("rnnoise")
	ben.until("Ben hears it no more", loudnessScript+" < -55")
	require.Positive(t, evaluate[int](ada, loaded))
	require.Equal(t, "ok", evaluate[string](ada, "livechat.media.microphone.condition"), "no noise is not no sound")

	// Mute, another device, and a microphone that goes away.
	ada.click("#mute")
	ada.until("muted", "!livechat.media.microphone.track.enabled")
	ada.click("#mute")
	ada.until("not muted", "livechat.media.microphone.track.enabled")
	evaluate[chromedp.Void](ada, "void (window.former = livechat.media.microphone.device)")
	other := evaluate[string](ada, `(async () => (await navigator.mediaDevices.enumerateDevices()).find((d) =>
		d.kind === 'audioinput' && d.deviceId !== 'default' && d.deviceId !== former.getSettings().deviceId).deviceId)()`)
	ada.click("#preferences-open")
	ada.choose("#devices-microphone", other)
	ada.click("#preferences-close")
	const denoised = "livechat.media.microphone.device !== window.former && livechat.media.microphone.track !== livechat.media.microphone.device"
	ada.until("the other one is used, without its noise", denoised+" && former.readyState === 'ended'")
	require.Equal(t, other, evaluate[string](ada, "livechat.media.microphone.device.getSettings().deviceId"))
	evaluate[chromedp.Void](ada, `(() => {
		window.former = livechat.media.microphone.device;
		former.stop();
		former.dispatchEvent(new Event('ended'));
	})()`)
	ada.until("another one takes its place, without its noise", denoised)
	ben.until("Ben hears nothing of all that", loudnessScript+" < -55")

	// It is remembered. For music nothing is taken away.
	again("/#channel=lobby")
	ada.until("it is on", denoised)
	ben.until("Ben hears no noise", loudnessScript+" < -55")
	again("/?audio=raw#channel=lobby")
	ben.until("Ben hears all that there is", loudnessScript+" > -40")
	require.True(t, evaluate[bool](ada, "livechat.media.microphone.track === livechat.media.microphone.device"))
	ada.noComplaints()

	// What the browser makes of the sound changes at once too, also of a device that it has open, and while others look at it.
	again("/#channel=lobby")
	ada.click("#preferences-open")
	ada.click("#devices-try")
	for _, muted := range []bool{false, true} {
		if muted {
			ada.click("#preferences-close")
			ada.click("#mute")
			ada.click("#preferences-open")
		}
		ada.choose("#devices-noise", "browser")
		ada.until("noise is suppressed", "livechat.media.microphone.device?.getSettings().noiseSuppression")
		ada.choose("#devices-noise", "off")
		ada.until("noise is let through", "livechat.media.microphone.device?.getSettings().noiseSuppression === false")
	}
	ada.noComplaints()
}

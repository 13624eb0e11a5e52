package e2e

import (
	"math"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"
)

// tone is what a tone of the page sounds like.
type tone struct {
	Name string `json:"name"`
	// Peak is of full scale, RMS of the part that sounds, in decibels of it.
	Peak float64 `json:"peak"`
	RMS  float64 `json:"rms"`
	// Ms is how long it sounds.
	Ms float64 `json:"ms"`
	// Bursts are parts with silence between them.
	Bursts int `json:"bursts"`
	// First and Last are the strongest frequencies of the beginning and of the end, in Hz.
	First float64 `json:"first"`
	Last  float64 `json:"last"`
}

// renderTones plays each tone into memory, at full volume, and measures it.
const renderTones = `(async () => {
	const { TONES, sound } = await import('./js/tones.js');
	const rate = 48000;
	const strongest = (samples) => {
		let best = [0, 0];
		for (let hz = 100; hz <= 2400; hz += 4) {
			let re = 0, im = 0;
			samples.forEach((s, i) => { re += s * Math.cos(2 * Math.PI * hz * i / rate); im += s * Math.sin(2 * Math.PI * hz * i / rate); });
			const power = re * re + im * im;
			if (power > best[1]) best = [hz, power];
		}
		return best[0];
	};
	return Promise.all(Object.keys(TONES).map(async (name) => {
		const context = new OfflineAudioContext(1, rate / 2, rate);
		sound(context, context.destination, name, 0);
		const all = (await context.startRendering()).getChannelData(0);
		const peak = Math.max(...all.map(Math.abs));
		const end = all.findLastIndex((s) => Math.abs(s) > 0.001) + 1;
		const heard = all.slice(0, end);
		// In steps of 5 ms: two silent ones in a row are a gap.
		let bursts = 0, still = 2;
		for (let at = 0; at < end; at += rate / 200) {
			const loud = Math.max(...all.slice(at, at + rate / 200).map(Math.abs)) > peak / 4;
			if (loud && still >= 2) bursts++;
			still = loud ? 0 : still + 1;
		}
		const window = Math.min(end / 2, rate * 0.06);
		return {
			name, peak, bursts, ms: end * 1000 / rate,
			rms: 10 * Math.log10(heard.reduce((sum, s) => sum + s * s, 0) / end),
			first: strongest(heard.slice(0, window)), last: strongest(heard.slice(-window)),
		};
	}));
})()`

// differ tells whether an ear keeps two tones apart: by a tone and a half in pitch at the beginning or the end, or by their pattern.
func differ(a, b tone) bool {
	const apart = 0.25 // of an octave
	pitch := math.Max(math.Abs(math.Log2(a.First/b.First)), math.Abs(math.Log2(a.Last/b.Last)))
	return pitch >= apart || a.Bursts != b.Bursts
}

// TestBrowserTones renders the page's tones and looks at what they are like, and which of them tell of what.
func TestBrowserTones(t *testing.T) {
	verifyNoLeaks(t)
	s := startServer(t)
	ada := startBrowser(t, "Ada", toneAda)
	ada.signIn(s)

	t.Run("each is audible, short, whole and like no other", func(t *testing.T) {
		during(t, ada)
		tones := evaluate[[]tone](ada, renderTones)
		require.Len(t, tones, 14)
		for i, one := range tones {
			t.Logf("%+v", one)
			require.Greater(t, one.RMS, -24.0, "%s is heard", one.Name)
			require.Less(t, one.Peak, 0.9, "%s does not clip", one.Name)
			require.Less(t, one.Ms, 400.0, "%s is short", one.Name)
			for _, other := range tones[:i] {
				require.True(t, differ(one, other), "%+v and %+v", one, other)
			}
		}
	})
	t.Run("what happens is told", func(t *testing.T) {
		during(t, ada)
		checkCues(t, s, ada)
	})
}

// watchTones has the page note which tones it is asked for, and count the notes that are played.
const watchTones = `import(document.querySelector('[href$="/js/tones.js"]').href).then(({ Tones }) => {
	window.told = [];
	window.notes = 0;
	const play = Tones.prototype.play;
	Tones.prototype.play = function (tone) { told.push(tone); return play.call(this, tone); };
	const start = OscillatorNode.prototype.start;
	OscillatorNode.prototype.start = function (when) { notes++; return start.call(this, when); };
})`

// checkCues has one do things oneself, and others come, go and write.
func checkCues(t *testing.T, s *server, ada *participant) {
	t.Helper()
	evaluate[chromedp.Void](ada, watchTones)
	tells := func(want ...string) {
		t.Helper()
		ada.poll("the tones that it should be", func() bool {
			told := evaluate[[]string](ada, "told")
			if len(told) < len(want) {
				return false
			}
			require.Equal(t, want, told)
			return true
		})
		evaluate[bool](ada, "(told = []) && true")
	}
	ada.join("lobby")
	tells("join")
	ada.until("it is played", "notes === 2")
	ada.click("#mute")
	tells("mute")
	ada.click("#mute")
	tells("unmute")
	ada.click("#deafen")
	tells("deafen")
	ada.click("#deafen")
	tells("undeafen")

	// Others: a few are told, a crowd is not a drum roll.
	ben := arrive(t, s, "Ben").join("lobby")
	writes := func(content string) {
		t.Helper()
		_, err := ben.SendMessage(soon(t), "lobby", content)
		require.NoError(t, err)
	}
	tells("join")
	writes("Seen")
	ada.see(".message__text", "Seen")
	evaluate[chromedp.Void](ada, "void Object.defineProperty(document, 'hidden', { value: true, configurable: true })")
	writes("Unseen")
	tells("message")
	evaluate[chromedp.Void](ada, "void delete document.hidden")
	for range 8 {
		ben.leave()
		ben.join("lobby")
	}
	writes("Done")
	ada.see(".message__text", "Done")
	require.Less(t, evaluate[int](ada, "told.length"), 12, "of sixteen who came and went")

	// Switched off there are none, at once and after a reload.
	ada.click("#preferences-open")
	ada.pictures("preferences-tones")
	ada.click("#preferences-tones")
	ada.until("there is no volume", "document.getElementById('preferences-loudness').hidden")
	ada.click("#preferences-close")
	notes := evaluate[int](ada, "notes")
	ada.click("#mute")
	ada.click("#leave")
	ada.see("#stage", "Pick a channel")
	require.Equal(t, notes, evaluate[int](ada, "notes"))
	ada.do(chromedp.Reload())
	ada.until("signed in", "livechat.session.stage === 'in'")
	ada.click("#preferences-open")
	require.False(t, evaluate[bool](ada, "document.getElementById('preferences-tones').checked"))
	ada.noComplaints()
}

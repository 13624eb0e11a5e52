package e2e

import (
	"encoding/json"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"

	"github.com/mini-livechat/mini-livechat/cmd/app"
	"github.com/mini-livechat/mini-livechat/signaling/client"
)

// crowdSlots is how many of the others each of the crowd hears.
const crowdSlots = 4

// crowdScript puts people into one page: each has the page's own session, media and
// connections, and an oscillator for a microphone, but no screen. Twelve browsers with
// screens are more than a small machine can draw; twelve times the WebRTC of one, with
// encoders, decoders and jitter buffers of their own, is what two cores can do.
const crowdScript = `(async () => {
	const [{ Client }, { Media }, { Microphone }, { Session }] =
		await Promise.all(['client', 'media', 'microphone', 'session'].map((name) => import('/js/' + name + '.js')));
	const gateway = new URL('ws', document.baseURI);
	gateway.protocol = 'ws:';
	gateway.hash = gateway.search = '';
	const context = new AudioContext();
	window.crowd = %s.map(({ token, tone, loudness }) => {
		const gain = new GainNode(context);
		const destination = new MediaStreamAudioDestinationNode(context, { channelCount: 1 });
		const oscillator = new OscillatorNode(context, { frequency: tone });
		oscillator.connect(gain).connect(destination);
		oscillator.start();
		const speak = (db) => { gain.gain.value = Math.SQRT2 * 10 ** (db / 20); };
		speak(loudness);
		const microphone = new Microphone(false);
		microphone.open = async () => {
			microphone.track = destination.stream.getAudioTracks()[0];
			return true;
		};
		const host = document.createElement('div');
		document.body.append(host);
		const media = new Media(host, microphone);
		const session = new Session(new Client(gateway), media);
		session.signInWithToken(token, false, 'lobby');
		return { session, media, speak };
	});
	const analysers = new WeakMap();
	window.crowdHears = (tones) => crowd.map(({ media }) => media.slots.map(({ stream, userId, ssrc, receiver }) => {
		let analyser = analysers.get(stream);
		if (!analyser) {
			analyser = new AnalyserNode(context, { fftSize: 4096, smoothingTimeConstant: 0, minDecibels: -120 });
			context.createMediaStreamSource(stream).connect(analyser);
			analysers.set(stream, analyser);
		}
		const bins = new Float32Array(analyser.frequencyBinCount);
		analyser.getFloatFrequencyData(bins);
		const at = (hz) => Math.round(hz * analyser.fftSize / context.sampleRate);
		const newest = receiver.getContributingSources().sort((a, b) => b.timestamp - a.timestamp)[0];
		return { user: userId ?? '', ssrc, csrc: newest?.source ?? 0,
			levels: tones.map((hz) => Math.max(-200, ...bins.subarray(at(hz) - 1, at(hz) + 2))) };
	}));
	window.crowdStats = () => Promise.all(crowd.map(async ({ media }) => {
		const sum = { ssrc: 0, total: 0, concealed: 0 };
		for (const s of (await media.statistics()).values()) {
			if (s.type === 'outbound-rtp') {
				sum.ssrc = s.ssrc;
			} else if (s.type === 'inbound-rtp') {
				sum.total += s.totalSamplesReceived;
				sum.concealed += s.concealedSamples;
			}
		}
		return sum;
	}));
	window.crowdLog = [];
	(async () => {
		for (;;) {
			const due = performance.now() + %d;
			await new Promise((elapsed) => setTimeout(elapsed, due - performance.now()));
			const people = await crowdStats();
			crowdLog.push({ late: performance.now() - due, people });
		}
	})();
})().then(() => undefined)`

// voiceInCrowd is one of the crowd.
type voiceInCrowd struct {
	Token    string  `json:"token"`
	Tone     int     `json:"tone"`     // in Hz
	Loudness float64 `json:"loudness"` // in dBov
	id       string
	ssrc     uint32
}

// slotInCrowd is one line of a listener.
type slotInCrowd struct {
	User   string    `json:"user"`
	SSRC   uint32    `json:"ssrc"`   // by SLOT_MAP
	CSRC   uint32    `json:"csrc"`   // of the newest packets
	Levels []float64 `json:"levels"` // of all tones, in decibels of full scale
}

// statsInCrowd says with what somebody sends, how many samples were played to them, and
// how many of these were made up because packets were missing or late.
type statsInCrowd struct {
	SSRC      uint32  `json:"ssrc"`
	Total     float64 `json:"total"`
	Concealed float64 `json:"concealed"`
}

const (
	// momentInterval is how often the page writes down everybody's counters.
	momentInterval = 250 * time.Millisecond
	// lateMoment is how much later than due, in milliseconds, a moment was that the machine
	// had no time for: it takes 10 to write one down. Then jitter buffers may run empty too,
	// at once or soon after.
	lateMoment = 60
	soonAfter  = int(time.Second / momentInterval)
	// longStretch is how long a stretch goes on at most.
	longStretch = 30 * time.Second
	// muchConcealed is what share of the samples may be made up.
	muchConcealed = 0.02
)

// momentInCrowd is everybody's counters at one time, and how late that was.
type momentInCrowd struct {
	Late   float64        `json:"late"` // in milliseconds
	People []statsInCrowd `json:"people"`
}

// stretch is a part of the run in which nobody changes slots.
type stretch struct {
	last             *momentInCrowd
	late             int                                    // moments until those of a late one are over
	moments, settled int                                    // how many there were, and how many of these the machine had time for
	all, calm        [12]struct{ total, concealed float64 } // what was played to each then
}

// add takes the moments that followed.
func (s *stretch) add(moments []momentInCrowd) {
	for _, m := range moments {
		if s.late--; m.Late > lateMoment {
			s.late = soonAfter
		}
		if s.last != nil {
			s.moments++
			if s.late <= 0 {
				s.settled++
			}
			for i := range m.People {
				total, concealed := m.People[i].Total-s.last.People[i].Total, m.People[i].Concealed-s.last.People[i].Concealed
				s.all[i].total += total
				s.all[i].concealed += concealed
				if s.late <= 0 {
					s.calm[i].total += total
					s.calm[i].concealed += concealed
				}
			}
		}
		s.last = &m
	}
}

// worst is the largest share that anybody had concealed, in all and while the machine had
// time.
func (s *stretch) worst() (all, calm float64) {
	for i := range s.all {
		all = max(all, s.all[i].concealed/max(s.all[i].total, 1))
		calm = max(calm, s.calm[i].concealed/max(s.calm[i].total, 1))
	}
	return all, calm
}

// wrongInCrowd compares what a listener hears with the loudest others, slot by slot: by
// SLOT_MAP, by CSRC and by ear. It returns "" when all agree.
func wrongInCrowd(all []voiceInCrowd, listener int, slots []slotInCrowd) string {
	var others []int
	for i := range all {
		if i != listener {
			others = append(others, i)
		}
	}
	slices.SortFunc(others, func(a, b int) int { return int(all[b].Loudness - all[a].Loudness) })
	wanted := others[:crowdSlots]
	if len(slots) != crowdSlots {
		return fmt.Sprintf("listener %d has %d slots", listener, len(slots))
	}
	for i, slot := range slots {
		at := slices.IndexFunc(wanted, func(o int) bool { return all[o].id == slot.User })
		if at < 0 {
			return fmt.Sprintf("listener %d, slot %d: %q is not one of the loudest", listener, i, slot.User)
		}
		who := wanted[at]
		wanted = slices.Delete(slices.Clone(wanted), at, at+1)
		if slot.SSRC != all[who].ssrc || slot.CSRC != all[who].ssrc {
			return fmt.Sprintf("listener %d, slot %d: SLOT_MAP says %d, CSRC %d, voice %d sends with %d",
				listener, i, slot.SSRC, slot.CSRC, who, all[who].ssrc)
		}
		if own := slot.Levels[who]; own < all[who].Loudness-20 || own < slices.Max(slot.Levels) {
			return fmt.Sprintf("listener %d, slot %d of voice %d sounds like %.0f", listener, i, who, slot.Levels)
		}
	}
	return ""
}

// TestBrowserCrowd has twelve people talk at once where everybody hears four: four loud
// ones, one in between, seven soft ones.
func TestBrowserCrowd(t *testing.T) {
	verifyNoLeaks(t)
	s := startServer(t, func(c *app.Config) { c.Slots = crowdSlots })
	all := make([]voiceInCrowd, 12)
	tones := make([]int, len(all))
	for i, loudness := range []float64{-30, -10, -31, -32, -20, -9, -33, -11, -34, -12, -35, -36} {
		all[i] = voiceInCrowd{Tone: 300 + 110*i, Loudness: loudness}
		all[i].Token, all[i].id = guest(t, s, fmt.Sprint("Person ", i+1))
		tones[i] = all[i].Tone
	}
	host := startBrowser(t, "host", 0)
	host.open(s, "")
	people, err := json.Marshal(all)
	require.NoError(t, err)
	evaluate[chromedp.Void](host, fmt.Sprintf(crowdScript, people, momentInterval.Milliseconds()))
	host.until("all are in", "crowd.every(({ session, media }) => session.call.here && media.state === 'connected')")
	statistics := func() []statsInCrowd { return evaluate[[]statsInCrowd](host, "crowdStats()") }
	host.poll("the browser says with what each sends", func() bool {
		known := true
		for i, one := range statistics() {
			all[i].ssrc = one.SSRC
			known = known && one.SSRC != 0
		}
		return known
	})
	listening, err := json.Marshal(tones)
	require.NoError(t, err)
	everyoneHearsTheLoudest := func() {
		t.Helper()
		wrong := ""
		deadline := time.Now().Add(browserPatience)
		for {
			wrong = ""
			for i, slots := range evaluate[[][]slotInCrowd](host, fmt.Sprintf("crowdHears(%s)", listening)) {
				if wrong == "" {
					wrong = wrongInCrowd(all, i, slots)
				}
			}
			if wrong == "" {
				return
			}
			if time.Now().After(deadline) {
				host.fatalf("%s", wrong)
			}
			time.Sleep(100 * time.Millisecond)
		}
	}
	// What the server sends is seen without a browser too.
	ear := arrive(t, s, "ear").join("lobby", listenOnly, slots(crowdSlots), func(o *client.JoinOptions) { o.OnPacket = nil })
	sent := func() (received, lost uint64) {
		for _, slot := range ear.call.Slots() {
			received, lost = received+slot.Stats().Received, lost+slot.Stats().Lost
		}
		return received, lost
	}
	// The whole of each stretch counts. Only where that is too much, and the machine had no
	// time for the page, the stretch goes on until there is enough of it without; where there
	// never is, the machine is no judge.
	littleIsConcealed := func() {
		t.Helper()
		const enough = int(5 * time.Second / momentInterval)
		evaluate[chromedp.Void](host, "void crowdLog.splice(0)")
		var s stretch
		received, lost := sent()
		defer func() {
			nowReceived, nowLost := sent()
			t.Logf("meanwhile a native listener got %d packets and lost %d", nowReceived-received, nowLost-lost)
		}()
		for began := time.Now(); ; {
			time.Sleep(momentInterval)
			s.add(evaluate[[]momentInCrowd](host, "crowdLog.splice(0)"))
			all, calm := s.worst()
			switch {
			case s.moments >= enough && all < muchConcealed:
				t.Logf("of the %d moments all count: the worst off had %.2f %% concealed", s.moments, 100*all)
				return
			case s.settled >= enough:
				t.Logf("the worst off had %.2f %% concealed, and %.2f %% in the %d of %d moments that the machine had time for",
					100*all, 100*calm, s.settled, s.moments)
				require.Less(t, calm, muchConcealed)
				return
			case time.Since(began) > longStretch:
				t.Logf("NOT JUDGED: the worst off had %.2f %% concealed, and the machine had time for %d of %d moments only", 100*all, s.settled, s.moments)
				return
			}
		}
	}

	everyoneHearsTheLoudest()
	littleIsConcealed()
	for i, loudness := range map[int]float64{5: -37, 8: -8} {
		all[i].Loudness = loudness
		evaluate[chromedp.Void](host, fmt.Sprintf("crowd[%d].speak(%g)", i, loudness))
	}
	began := time.Now()
	everyoneHearsTheLoudest()
	t.Logf("the slots followed within %v", time.Since(began))
	littleIsConcealed()
	host.noComplaints()
}

package speaker

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// frameLen is what one packet holds of sound.
const frameLen = 20 * time.Millisecond

// voice feeds a meter packet by packet.
type voice struct {
	*Meter

	now time.Time
}

func newVoice() *voice {
	now := time.Unix(1e9, 0)
	return &voice{NewMeter(now), now}
}

// say sends packets of one level for so long.
func (v *voice) say(level Level, length time.Duration) {
	for end := v.now.Add(length); v.now.Before(end); v.now = v.now.Add(frameLen) {
		v.Observe(level, v.now)
	}
}

func (v *voice) speaking() bool { return v.Read(v.now).Speaking }

func TestParseLevel(t *testing.T) {
	for _, test := range []struct {
		extension []byte
		want      Level
		ok        bool
	}{
		{nil, Silence, false},
		{[]byte{}, Silence, false},
		{[]byte{0}, 0, true},
		{[]byte{127}, Silence, true},
		{[]byte{0x80 | 30}, 30, true}, // voice activity
		{[]byte{0xff, 1}, Silence, true},
	} {
		level, ok := ParseLevel(test.extension)
		require.Equal(t, test.want, level, "% x", test.extension)
		require.Equal(t, test.ok, ok, "% x", test.extension)
	}
}

func TestGuessLevel(t *testing.T) {
	for n, speech := range map[int]bool{0: false, 1: false, 3: false, 11: false, 15: true, 80: true, 1275: true} {
		v := newVoice()
		v.say(GuessLevel(n), time.Second)
		require.Equal(t, speech, v.speaking(), "payloads of %d bytes", n)
	}
}

func TestLoudnessAndLevel(t *testing.T) {
	for level := range Silence + 1 {
		require.Equal(t, level, loudness(level).Level())
	}
	require.Equal(t, Silence, Loudness(-1).Level())
	require.Equal(t, Level(0), Loudness(1<<20).Level())
	require.Zero(t, loudness(200), "what is no level is silence")
}

func TestSpeechBeginsWithinTwoPackets(t *testing.T) {
	for _, level := range []Level{0, 20, speechLevel} {
		v := newVoice()
		v.say(Silence, time.Second)
		first := v.now
		require.False(t, v.Observe(level, v.now))
		require.False(t, v.speaking(), "one packet may be a click")
		v.now = v.now.Add(frameLen)
		require.True(t, v.Observe(level, v.now), "the second tells that speech began")
		v.now = v.now.Add(frameLen)
		require.False(t, v.Observe(level, v.now), "it begins once")
		r := v.Read(v.now)
		require.True(t, r.Speaking)
		require.Equal(t, loudness(level), r.Loudness)
		require.Equal(t, first, r.Onset)
		require.Equal(t, v.now, r.Spoke)
	}
}

func TestSpeechEndsWithin300ms(t *testing.T) {
	for name, silence := range map[string]func(*voice, time.Duration){
		"silent packets": func(v *voice, d time.Duration) { v.say(Silence, d) },
		"soft packets":   func(v *voice, d time.Duration) { v.say(pauseLevel+1, d) },
		"no packets":     func(v *voice, d time.Duration) { v.now = v.now.Add(d) },
	} {
		t.Run(name, func(t *testing.T) {
			v := newVoice()
			v.say(20, time.Second)
			silence(v, 300*time.Millisecond)
			require.False(t, v.speaking())
		})
	}
}

// Words of 100 ms and more with pauses of up to 240 ms between them, the way people talk.
func TestPausesBetweenWordsDoNotFlicker(t *testing.T) {
	random := rand.New(rand.NewPCG(6464, 1))
	for _, dtx := range []bool{false, true} {
		v := newVoice()
		v.say(25, 100*time.Millisecond)
		for range 5000 {
			pause := frameLen * time.Duration(random.IntN(13))
			if dtx {
				v.now = v.now.Add(pause)
			} else {
				v.say(Silence, pause)
			}
			require.True(t, v.speaking())
			before := v.Read(v.now).Loudness
			require.Greater(t, before, loudness(25)-hysteresis, "a pause costs nobody the slot")
			for range 5 + random.IntN(20) {
				require.False(t, v.Observe(25, v.now), "speech went on")
				v.now = v.now.Add(frameLen)
			}
		}
	}
}

// Sound that varies about any level never comes and goes faster than a hangover lasts,
// and hardly ever at all.
func TestNoiseDoesNotFlicker(t *testing.T) {
	random := rand.New(rand.NewPCG(6464, 2))
	for level := 20.0; level <= 70; level++ {
		v := newVoice()
		flips, was := 0, false
		for range 50 * 60 { // a minute
			v.Observe(Level(min(max(level+2*random.NormFloat64(), 0), 127)), v.now)
			if is := v.speaking(); is != was {
				flips, was = flips+1, is
			}
			v.now = v.now.Add(frameLen)
		}
		require.LessOrEqual(t, flips, 4, "at %v", level)
	}
}

func TestClicksAreNotSpeech(t *testing.T) {
	v := newVoice()
	for range 100 {
		v.say(5, frameLen)
		v.say(60, 4*frameLen)
		r := v.Read(v.now)
		require.False(t, r.Speaking)
		require.LessOrEqual(t, r.Loudness, loudness(60))
	}
}

func TestLoudnessFallsSlowly(t *testing.T) {
	v := newVoice()
	v.say(20, time.Second)
	last := v.now.Add(-frameLen)
	require.Equal(t, loudness(20), v.Read(last).Loudness)
	require.Equal(t, loudness(20)-slowRelease/4, v.Read(last.Add(time.Second/4)).Loudness)
	fallen := loudness(20) - v.Read(last.Add(time.Second/2)).Loudness
	require.Greater(t, fallen, clearlyLouder, "half a second makes room for anybody as loud")
	require.Zero(t, v.Read(last.Add(time.Hour)).Loudness)
	v.say(30, 100*time.Millisecond)
	require.Greater(t, v.Read(v.now).Loudness, loudness(22), "a softer word does not make a soft talker")
	v.say(30, 3*time.Second)
	require.Equal(t, loudness(30), v.Read(v.now.Add(-frameLen)).Loudness)
}

// Who goes on much softer is soon no louder than that, and never becomes louder by it.
func TestLoudnessFollowsWhoGoesOnSofter(t *testing.T) {
	for _, softer := range []Level{25, 30, 37, 50, 60, 90} {
		v := newVoice()
		v.say(9, time.Second)
		last := v.Read(v.now).Loudness
		for range time.Second / frameLen {
			v.say(softer, frameLen)
			r := v.Read(v.now)
			require.LessOrEqual(t, r.Loudness, last, "from 9 to %d", softer)
			last = r.Loudness
		}
		require.LessOrEqual(t, last, max(loudness(softer)+soundRange, loudness(9)-(fastRelease*6/10)), "from 9 to %d", softer)
	}
}

// One packet of a second ago and one of now are not two in a row.
func TestOnePacketASecondIsNotSpeech(t *testing.T) {
	v := newVoice()
	for range 10 {
		require.False(t, v.Observe(5, v.now))
		v.now = v.now.Add(time.Second)
	}
}

func TestMeterAllocatesNothing(t *testing.T) {
	v := newVoice()
	require.Zero(t, testing.AllocsPerRun(1000, func() {
		v.Observe(20, v.now)
		v.Read(v.now)
		v.now = v.now.Add(frameLen)
	}))
}

// Reading while packets come in is what the race detector is to watch.
func TestReadWhileObserving(t *testing.T) {
	now := time.Unix(1e9, 0)
	m := NewMeter(now)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for i := range 10_000 {
			m.Observe(Level(i%60), now.Add(time.Duration(i)*frameLen))
		}
	}()
	for reading := true; reading; {
		select {
		case <-done:
			reading = false
		default:
		}
		r := m.Read(now.Add(time.Second))
		require.LessOrEqual(t, r.Loudness, loudness(0))
	}
}

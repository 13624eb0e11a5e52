package speaker

import (
	"sync/atomic"
	"time"
)

// Level is the loudness of sound as RFC 6464 §3 counts it, in -dBov: 0 is the loudest
// there can be, 127 is silence.
type Level uint8

const (
	// Silence is the lowest level.
	Silence Level = 127
	// levelMask leaves out the voice activity bit, RFC 6464 §3: not all senders set it.
	levelMask = 0x7f
)

const (
	// speechLevel is how loud sound must be for speech to begin, and pauseLevel how loud
	// for it to go on: a browser's noise suppression leaves a quiet room well below -60,
	// a person who speaks softly is around -40.
	speechLevel Level = 45
	pauseLevel  Level = 53
	// assumedLevel is that of speech from a client that sends no levels: a usual voice.
	assumedLevel Level = 30
	// speechPayload is the size from which a payload counts as speech when there is no
	// level, in bytes. Opus takes 15 for 20 ms at its lowest rate of 6 kbit/s, and at
	// most 3 for silence.
	speechPayload = 12

	// pairWithin is how far two packets may be apart to count as following each other:
	// the longest Opus packet, 120 ms (RFC 6716 §3.2.5).
	pairWithin = 120 * time.Millisecond
	// hangover is how long speech lasts after its last sound: longer than the pauses
	// between words, and short enough that with the time it takes to tell, a speaker is
	// unmarked within 400 ms.
	hangover = 280 * time.Millisecond
	// slowRelease is how fast loudness falls, a second, while there is sound: over a
	// hangover by less than the hysteresis, so that nobody loses a slot to somebody
	// equally loud in a pause between words. fastRelease is how fast it falls when there
	// was none within soundRange of it for a hangover.
	slowRelease = 4 * decibel
	fastRelease = 60 * decibel
	soundRange  = 12 * decibel
)

// Loudness grows with the level: 0 is silence, and a decibel is 100.
type Loudness int

const decibel Loudness = 100

func loudness(l Level) Loudness { return Loudness(Silence-min(l, Silence)) * decibel }

// Level returns the level nearest to a loudness.
func (l Loudness) Level() Level {
	l = min(max(l, 0), loudness(0))
	return Silence - Level((l+decibel/2)/decibel) //nolint:gosec // between 0 and 127
}

// ParseLevel reads the data of an audio-level header extension (RFC 6464 §3); ok is false
// when there is none.
func ParseLevel(extension []byte) (level Level, ok bool) {
	if len(extension) == 0 {
		return Silence, false
	}
	return Level(extension[0] & levelMask), true
}

// GuessLevel stands in for a level that the client does not send: a payload of n bytes is
// speech or it is not.
func GuessLevel(n int) Level {
	if n < speechPayload {
		return Silence
	}
	return assumedLevel
}

// Meter follows how loud one talker is and whether it is speech. Loudness rises with two
// packets in a row, which a click is not, and falls slowly. Observe is called by one
// goroutine at a time, Read from any. Create it with NewMeter.
type Meter struct {
	// origin is what times are counted from, so that they fit in a word.
	origin time.Time

	// Observe's own.
	previous Level
	at       time.Duration // when previous came
	heard    bool          // a packet came already

	// peak is a moment in ms and the loudness then, in the lower peakBits.
	peak atomic.Uint64
	// sound is when there last was some of about that loudness, spoke when speech was last
	// heard, onset when it had begun, all in nanoseconds; 0 for never.
	sound, spoke, onset atomic.Int64
}

// peakBits holds any loudness.
const peakBits = 16

// NewMeter returns a Meter that has heard nothing; no other time it is given may be
// before now.
func NewMeter(now time.Time) *Meter {
	// A second earlier, so that no moment is 0.
	return &Meter{origin: now.Add(-time.Second)}
}

// Observe takes the level of one packet, received at now, and reports whether speech
// began with it. It neither locks nor allocates.
func (m *Meter) Observe(level Level, now time.Time) (began bool) {
	at := now.Sub(m.origin)
	// The softer of two packets in a row, so that a click does not count.
	pair := Silence
	if m.heard && at-m.at <= pairWithin {
		pair = max(level, m.previous)
	}
	began = m.hear(pair, at)
	m.previous, m.at, m.heard = level, at, true
	return began
}

// hear takes the level that two packets in a row have reached.
func (m *Meter) hear(level Level, at time.Duration) (began bool) {
	loud, now := loudness(level), m.loudness(at)
	sound := loud > 0 && loud >= now-soundRange
	if peak := max(loud, now); loud > now || sound && m.quiet(at) > 0 {
		// What has fallen fast stays there, though there is sound again.
		m.peak.Store(uint64(at.Milliseconds())<<peakBits | uint64(peak)) //nolint:gosec // neither is negative
	}
	if sound {
		m.sound.Store(int64(at))
	}
	speaking := m.speaking(at)
	if level > pauseLevel || !speaking && level > speechLevel {
		return false
	}
	if !speaking {
		m.onset.Store(int64(m.at))
	}
	m.spoke.Store(int64(at))
	return !speaking
}

// Reading is what a Meter says at one moment.
type Reading struct {
	// Speaking is true from the second packet of speech until it has been silent for
	// longer than between words.
	Speaking bool
	// Loudness is the smoothed level of sound, speech or not.
	Loudness Loudness
	// Spoke is when speech was last heard, Onset when that had begun; zero for never.
	Spoke, Onset time.Time
	// Sounded is when there last was any sound, speech or not; zero for never.
	Sounded time.Time
}

// Read returns the reading at now. Read while Observe runs, its parts may be a packet
// apart.
func (m *Meter) Read(now time.Time) Reading {
	at := now.Sub(m.origin)
	r := Reading{Speaking: m.speaking(at), Loudness: m.loudness(at)}
	if spoke := m.spoke.Load(); spoke != 0 {
		r.Spoke = m.origin.Add(time.Duration(spoke))
		r.Onset = m.origin.Add(time.Duration(m.onset.Load()))
	}
	if sound := m.sound.Load(); sound != 0 {
		r.Sounded = m.origin.Add(time.Duration(sound))
	}
	return r
}

func (m *Meter) speaking(at time.Duration) bool {
	spoke := m.spoke.Load()
	return spoke != 0 && at-time.Duration(spoke) <= hangover
}

// quiet is for how many milliseconds there has been no sound, but for the first hangover.
func (m *Meter) quiet(at time.Duration) int64 {
	return max((at - time.Duration(m.sound.Load()) - hangover).Milliseconds(), 0)
}

// loudness is that of the last peak less what it has fallen since.
func (m *Meter) loudness(at time.Duration) Loudness {
	peak := m.peak.Load()
	since := max(at.Milliseconds()-int64(peak>>peakBits), 0)
	quiet := min(m.quiet(at), since)
	fallen := (Loudness(since-quiet)*slowRelease + Loudness(quiet)*fastRelease) / 1000
	return max(Loudness(peak&(1<<peakBits-1))-fallen, 0)
}

package forward

import "time"

// maxGap is the largest step between two packets of a talker that is passed on as a
// gap, in packets. A listener loses track of the SRTP index when the packets it receives
// are 2^15 apart, and it adds its own losses to these gaps: with this limit it may lose
// 500 packets in a row whatever a talker sends. Nothing is lost by it, since a place
// older than the window could not be filled any more.
const maxGap = windowSize

// Limits of timestamps. They are durations; the clock rate makes ticks of them.
const (
	// minAdvance is the least a timestamp moves when a slot changes talker: one Opus
	// frame of the usual length.
	minAdvance = 20 * time.Millisecond
	// maxAdvance is the most it moves. 2^31 ticks would look like a step back, and no
	// jitter buffer cares whether a silence took one hour or ten.
	maxAdvance = time.Hour
	// maxSkew is how far a talker's timestamps may run away from the wall clock
	// between two of its packets before they are taken for a restart of its clock. It is
	// longer than the stalls of a bad network, which deliver old timestamps late.
	maxSkew = 5 * time.Second
)

// placed is a packet's place in the slot's stream.
type placed struct {
	// index is the SRTP packet index, RFC 3711 §3.3.1; its low 16 bits are the sequence
	// number. It cannot reach 2^48: at 50 packets/s with the largest gaps before each
	// that takes 2,700 years.
	index int64
	// ts is extended; its low 32 bits are the RTP timestamp.
	ts int64
	// marker is to be sent.
	marker bool
	// started says that the packet begins a new mapping: a switch or a re-base.
	started bool
}

// rewriter maps the frames of one talker after the other into one continuous stream.
// It is pure: state, frame and now decide. Not safe for concurrent use.
type rewriter struct {
	clockRate             int64 // ticks per second
	frameTicks, skewTicks int64 // minAdvance and maxSkew

	// bound says that offsets map the frames of epoch into this stream.
	bound        bool
	epoch        uint64
	offset       int64 // placed.index - frame.index
	tsOffset     int64 // placed.ts - frame.ts
	base, baseTS int64 // of the first packet so mapped
	sent         window
	// follow is how many ticks of the past the next mapping begins with, ahead by how many
	// ticks the present one runs ahead of the wall clock.
	follow, ahead  int64
	ts             int64     // of the newest packet sent
	at             time.Time // when that was
	sentAny        bool
	firstIndex     int64
	firstTimestamp int64
	// missing counts the numbers skipped because the talker's packet did not arrive.
	missing uint64
}

func newRewriter(clockRate uint32, firstSequenceNumber uint16, firstTimestamp uint32) rewriter {
	r := rewriter{
		clockRate:      int64(clockRate),
		firstIndex:     int64(firstSequenceNumber),
		firstTimestamp: int64(firstTimestamp),
	}
	r.frameTicks, r.skewTicks = r.ticks(minAdvance), r.ticks(maxSkew)
	return r
}

// unbind forgets the talker: the next frame begins a new mapping, wherever it comes
// from. The stream's own numbering goes on.
func (r *rewriter) unbind() {
	r.bound, r.follow = false, 0
}

// rewrite places one frame, which must be of the talker bound since the last unbind.
// The result is valid only with verdict pass, and takes its number for good.
func (r *rewriter) rewrite(f *frame, now time.Time) (placed, verdict) {
	if !r.bound || f.epoch != r.epoch {
		return r.bind(f, now)
	}
	out := placed{index: f.index + r.offset, ts: f.ts + r.tsOffset, marker: f.marker}
	step := out.index - r.sent.highest
	if step <= 0 {
		// The timestamps of a talker that contradicts its own order must not reach
		// back over the switch either.
		if out.index < r.base || out.ts < r.baseTS || out.ts > r.ts {
			return placed{}, dropLate
		}
		v := r.sent.place(out.index)
		if v == pass {
			r.missing--
		}
		return out, v
	}
	if step > maxGap || !r.plausible(out.ts-r.ts, now) {
		return r.bind(f, now)
	}
	r.missing += uint64(step - 1)
	r.sent.advance(out.index)
	r.ts, r.at = out.ts, now
	return out, pass
}

// sentIndex returns the index that was sent with this sequence number; ok is false when
// that was before the present mapping, too long ago, or never.
func (r *rewriter) sentIndex(seq uint16) (index int64, ok bool) {
	if !r.bound {
		return 0, false
	}
	age := int64(uint16(r.sent.highest) - seq) //nolint:gosec // modular difference, RFC 1982
	index = r.sent.highest - age
	return index, index >= r.base && r.sent.has(index)
}

// placedAgain is what rewrite returned for a frame that was sent in the present mapping.
func (r *rewriter) placedAgain(f *frame) placed {
	index := f.index + r.offset
	return placed{index: index, ts: f.ts + r.tsOffset, marker: f.marker || index == r.base}
}

// bind begins a new mapping with this frame: the next number, and as much time as has
// passed since the last packet, less what r.follow is to take. What that puts the stream
// ahead of the wall clock, later mappings take back.
func (r *rewriter) bind(f *frame, now time.Time) (placed, verdict) {
	if f.late {
		// The newer packets that went before are not coming again; beginning here would
		// leave a gap in place of them.
		return placed{}, dropLate
	}
	out := placed{index: r.firstIndex, ts: r.firstTimestamp, marker: true, started: true}
	if r.sentAny {
		out.index = r.sent.highest + 1
		due := r.elapsed(now) - r.ahead - r.follow
		advance := max(r.frameTicks, due)
		out.ts = r.ts + advance
		r.ahead = advance - due
		r.sent.advance(out.index)
	} else {
		r.sent.reset(out.index)
	}
	r.sentAny, r.follow = true, 0
	r.bound, r.epoch = true, f.epoch
	r.offset, r.tsOffset = out.index-f.index, out.ts-f.ts
	r.base, r.baseTS = out.index, out.ts
	r.ts, r.at = out.ts, now
	return out, pass
}

// plausible tells whether a talker's timestamps moved on about as the wall clock did.
func (r *rewriter) plausible(advance int64, now time.Time) bool {
	skew := advance - r.elapsed(now)
	return advance >= 0 && skew <= r.skewTicks && skew >= -r.skewTicks
}

// elapsed is the wall-clock time since the newest packet, in ticks, between 0 and maxAdvance.
func (r *rewriter) elapsed(now time.Time) int64 {
	return r.ticks(min(max(now.Sub(r.at), 0), maxAdvance))
}

// ticks converts a duration of at most maxAdvance.
func (r *rewriter) ticks(d time.Duration) int64 {
	return int64(d) * r.clockRate / int64(time.Second)
}

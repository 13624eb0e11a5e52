package forward

import (
	"math/bits"

	"github.com/mini-livechat/mini-livechat/sfu/rtp"
)

const (
	// maxDropout is how far a number may lie from the newest, in packets, to belong to the
	// same numbering (RFC 3550 A.1, MAX_DROPOUT). Ahead, packets were lost. Behind, but
	// beyond the window, it is an old stray, or a restart if the next one follows it. At
	// any larger distance RFC 3550 waits for a second packet too; but there the replay
	// protection of SRTP leaves no strays, so it is a restart at once.
	maxDropout = 3000
	// noSuspect is no sequence number.
	noSuspect = 1 << 16
)

// verdict is what becomes of a packet.
type verdict uint8

const (
	// pass: the packet goes on.
	pass verdict = iota
	// dropDuplicate: its number was used before.
	dropDuplicate
	// dropLate: its place is too old, or not this talker's since the last switch.
	dropLate
)

// frame is a packet's place in its talker's stream, independent of how the talker
// numbers it: index and ts are extended and never wrap.
type frame struct {
	// epoch changes whenever places before and after cannot be compared: another SSRC,
	// restarted numbering, a mute in between. Places are comparable within one epoch.
	epoch uint64
	// index counts packets with sound.
	index int64
	// ts counts ticks of the clock rate.
	ts int64
	// ssrc is the talker's.
	ssrc uint32
	// marker is the talker's marker bit, level how loud the packet is.
	marker bool
	level  uint8
	// late says that newer packets of the talker were seen before this one.
	late bool

	// gate is the word of the source's gate when the packet was prepared, number counts the
	// source's packets in the order in which they were.
	gate   uint32
	number uint64
}

// tracker follows the numbering of one talker. It is pure: its state and the packet
// decide. The zero value has seen nothing. Not safe for concurrent use.
type tracker struct {
	started bool
	ssrc    uint32
	epoch   uint64
	// base is the first number of the epoch.
	base int64
	// seen has the numbers received, extended.
	seen window
	// skipped counts the numbers that held no sound and that indices close over; bit i of
	// skips says that seen.highest-i was one.
	skipped int64
	skips   uint64
	// seq, rtpTS and ts belong to the newest packet: as received and extended.
	seq   uint16
	rtpTS uint32
	ts    int64
	// suspect is the number that, coming next, proves a restart (RFC 3550 A.1, bad_seq).
	suspect uint32
	// restarts counts epochs begun by the talker after the first.
	restarts uint64
}

// observe places one packet. The frame is valid only with verdict pass.
func (t *tracker) observe(p *rtp.Packet) (frame, verdict) {
	if !t.started || p.SSRC != t.ssrc {
		return t.restart(p), pass
	}
	step := int64(int16(p.SequenceNumber - t.seq)) //nolint:gosec // modular difference, RFC 1982
	ticks := int64(int32(p.Timestamp - t.rtpTS))   //nolint:gosec // modular difference, RFC 1982
	switch {
	case step > 0 && step <= maxDropout && ticks >= 0:
		t.advance(step)
		t.newest(p, t.ts+ticks)
		return t.frameOf(p, t.seen.highest, t.ts), pass
	case step <= 0 && step > -windowSize && ticks <= 0:
		number := t.seen.highest + step
		if number < t.base {
			return frame{}, dropLate
		}
		if v := t.seen.place(number); v != pass {
			return frame{}, v
		}
		f := t.frameOf(p, number, t.ts+ticks)
		f.late = true
		return f, pass
	case step <= 0 && step >= -maxDropout && uint32(p.SequenceNumber) != t.suspect:
		// An old stray, or a restart a little below the old numbers: the next one tells.
		t.suspect = uint32(p.SequenceNumber + 1)
		return frame{}, dropLate
	default:
		return t.restart(p), pass
	}
}

// skip takes the number of a packet that holds no sound, so that indices close over it. That
// is possible for a newer packet only; for a late one a place was left already.
func (t *tracker) skip(p *rtp.Packet) {
	if !t.started || p.SSRC != t.ssrc {
		return // a stream begins with sound
	}
	switch step := int64(int16(p.SequenceNumber - t.seq)); { //nolint:gosec // modular difference, RFC 1982
	case step > 0 && step <= maxDropout:
		t.advance(step)
		t.skips |= 1
		t.skipped++
		t.seq, t.suspect = p.SequenceNumber, noSuspect
	case step <= 0 && step > -windowSize && t.seen.highest+step >= t.base:
		t.seen.place(t.seen.highest + step)
	}
}

// repeats reports whether a packet that is not here yet would be out of order by its
// timestamp: at or before that of the one which goes before it.
func (t *tracker) repeats(p *rtp.Packet, h *history) bool {
	step := int64(int16(p.SequenceNumber - t.seq)) //nolint:gosec // modular difference, RFC 1982
	ticks := int64(int32(p.Timestamp - t.rtpTS))   //nolint:gosec // modular difference, RFC 1982
	if step > 0 {
		return ticks <= 0
	}
	before := h.at(t.index(t.seen.highest+step) - 1)
	return before != nil && before.frame.ts >= t.ts+ticks
}

// advance moves to a newer number.
func (t *tracker) advance(step int64) {
	t.seen.advance(t.seen.highest + step)
	t.skips <<= step // by 64 or more leaves 0
}

// index leaves those that were skipped out of a number received.
func (t *tracker) index(number int64) int64 {
	age := t.seen.highest - number
	return number - t.skipped + int64(bits.OnesCount64(t.skips&(1<<age-1)))
}

// rebase begins a new epoch with the next newer packet: packets up to the newest seen so
// far are late from now on.
func (t *tracker) rebase() {
	t.epoch++
	t.base = t.seen.highest + 1
}

// restart begins a new epoch with this packet.
func (t *tracker) restart(p *rtp.Packet) frame {
	if t.started {
		t.restarts++
	}
	t.started = true
	t.ssrc = p.SSRC
	t.rebase()
	t.seen.reset(t.base)
	t.skips = 0
	t.newest(p, int64(p.Timestamp))
	return t.frameOf(p, t.base, t.ts)
}

func (t *tracker) newest(p *rtp.Packet, ts int64) {
	t.seq, t.rtpTS, t.ts, t.suspect = p.SequenceNumber, p.Timestamp, ts, noSuspect
}

func (t *tracker) frameOf(p *rtp.Packet, number, ts int64) frame {
	return frame{epoch: t.epoch, index: t.index(number), ts: ts, ssrc: p.SSRC, marker: p.Marker, level: p.Level}
}

package repair

import "time"

const (
	// maxDropout is how far a number may lie from the newest, in packets, to belong to the
	// same numbering (RFC 3550 A.1, MAX_DROPOUT).
	maxDropout = 3000
	// maxTotalLost is the most that fits into a report's signed 24 bits.
	maxTotalLost = 1<<23 - 1
	// opusClock is the RTP clock of Opus in Hz (RFC 7587 §4.1).
	opusClock = 48_000
)

// Reception is what a receiver report says of a stream (RFC 3550 §6.4.1).
type Reception struct {
	SSRC uint32
	// FractionLost since the last report, in 1/256.
	FractionLost uint8
	// TotalLost since the stream began, at most 2^23-1 packets.
	TotalLost uint32
	// HighestSequenceNumber received, with the count of wraps in the upper half.
	HighestSequenceNumber uint32
	// Jitter of the arrival times, in ticks of Opus's clock.
	Jitter uint32
}

// Arrivals keeps the statistics of RFC 3550 A.1, A.3 and A.8 for one stream of Opus: what
// arrived of it. The zero value has received nothing. Sequence numbers are extended by
// their wraps.
type Arrivals struct {
	ssrc          uint32
	packets       int64 // duplicates included
	first, newest int64
	began         time.Time // what arrival times count from, by the monotonic clock
	// transit is the newest packet's arrival less its timestamp, in ticks; jitter is 16
	// times the mean change of it.
	transit uint32
	jitter  int64
	// As of the last report.
	reported, expected int64
}

// Observe counts one packet that arrived at now. Another SSRC or a large jump is a new
// stream.
func (a *Arrivals) Observe(ssrc uint32, seq uint16, timestamp uint32, now time.Time) {
	if a.began.IsZero() {
		a.began = now
	}
	arrival := uint32(now.Sub(a.began).Microseconds() * (opusClock / 1000) / 1000) //nolint:gosec // modular, as timestamps are
	transit := arrival - timestamp
	step := int64(int16(seq - uint16(a.newest))) //nolint:gosec // modular difference, RFC 1982
	if a.packets == 0 || ssrc != a.ssrc || step > maxDropout || step < -maxDropout {
		first := int64(seq)
		*a = Arrivals{ssrc: ssrc, packets: 1, first: first, newest: first, began: a.began, transit: transit, jitter: a.jitter}
		return
	}
	a.packets++
	if step <= 0 {
		return // what was asked for again says nothing of the jitter
	}
	a.newest += step
	change := int64(int32(transit - a.transit)) //nolint:gosec // modular difference
	a.transit = transit
	a.jitter += max(change, -change) - (a.jitter+8)>>4
}

// Report sums up what was received since the last report; ok is false when that is
// nothing.
func (a *Arrivals) Report() (report Reception, ok bool) {
	if a.packets == a.reported {
		return Reception{}, false
	}
	expected := a.newest - a.first + 1
	report = Reception{
		SSRC:                  a.ssrc,
		TotalLost:             uint32(min(max(expected-a.packets, 0), maxTotalLost)),
		HighestSequenceNumber: uint32(a.newest),      //nolint:gosec // wraps with the count of wraps
		Jitter:                uint32(a.jitter >> 4), //nolint:gosec // not negative
	}
	due := expected - a.expected
	if lost := due - (a.packets - a.reported); lost > 0 {
		report.FractionLost = uint8(min(lost<<8/due, 255)) //nolint:gosec // bounded
	}
	a.reported, a.expected = a.packets, expected
	return report, true
}

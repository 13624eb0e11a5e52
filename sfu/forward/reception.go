package forward

import (
	"sync"
	"time"
)

// Reception is what a receiver report says of a publisher's stream (RFC 3550 §6.4.1).
type Reception struct {
	SSRC uint32
	// FractionLost since the last report, in 1/256.
	FractionLost uint8
	// TotalLost since the stream began, at most 2^23-1 packets.
	TotalLost uint32
	// HighestSequenceNumber received, with the count of wraps in the upper half.
	HighestSequenceNumber uint32
	// Jitter of the arrival times, in ticks of DefaultClockRate.
	Jitter uint32
}

// maxTotalLost is the most that fits into a report's signed 24 bits.
const maxTotalLost = 1<<23 - 1

// reception keeps the statistics of RFC 3550 A.1, A.3 and A.8 for one publisher. The
// lock is contended only when a report is made.
type reception struct {
	mu     sync.Mutex
	stream received // guarded by mu
}

// received is what arrived of one stream. Sequence numbers are extended by their wraps.
type received struct {
	ssrc          uint32
	packets       int64 // duplicates included
	first, newest int64
	// transit is the last packet's arrival less its timestamp, in ticks; jitter is 16
	// times the mean change of it.
	transit uint32
	jitter  int64
	// As of the last report.
	reported, expected int64
}

// observe counts one packet that arrived at now.
func (r *reception) observe(p *Packet, now time.Time) {
	arrival := uint32(now.UnixMicro() * (DefaultClockRate / 1000) / 1000) //nolint:gosec // modular, as timestamps are
	transit := arrival - p.Timestamp
	r.mu.Lock()
	defer r.mu.Unlock()
	s := &r.stream
	step := int64(int16(p.SequenceNumber - uint16(s.newest))) //nolint:gosec // modular difference, RFC 1982
	if s.packets == 0 || p.SSRC != s.ssrc || step > maxDropout || step < -maxDropout {
		first := int64(p.SequenceNumber)
		*s = received{ssrc: p.SSRC, packets: 1, first: first, newest: first, transit: transit, jitter: s.jitter}
		return
	}
	s.packets++
	s.newest += max(step, 0)
	change := int64(int32(transit - s.transit)) //nolint:gosec // modular difference
	s.transit = transit
	s.jitter += max(change, -change) - (s.jitter+8)>>4
}

// report sums up what was received since the last report; ok is false when that is
// nothing.
func (r *reception) report() (report Reception, ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	s := &r.stream
	if s.packets == s.reported {
		return Reception{}, false
	}
	expected := s.newest - s.first + 1
	report = Reception{
		SSRC:                  s.ssrc,
		TotalLost:             uint32(min(max(expected-s.packets, 0), maxTotalLost)),
		HighestSequenceNumber: uint32(s.newest),      //nolint:gosec // wraps with the count of wraps
		Jitter:                uint32(s.jitter >> 4), //nolint:gosec // not negative
	}
	due := expected - s.expected
	if lost := due - (s.packets - s.reported); lost > 0 {
		report.FractionLost = uint8(min(lost<<8/due, 255)) //nolint:gosec // bounded
	}
	s.reported, s.expected = s.packets, expected
	return report, true
}

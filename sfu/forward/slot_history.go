package forward

import "time"

const (
	// maxResends is how often one packet may be sent again. It bounds what a storm of NACKs
	// can make of a stream.
	maxResends = 3
	// resendSpacing is the least time between two answers for the same packet: requests
	// closer together were made of one loss.
	resendSpacing = 10 * time.Millisecond
)

// resends remembers what was sent again, by index%windowSize.
type resends [windowSize]struct {
	index int64
	times uint8
	at    time.Time
}

// allow notes that index is asked for. first is true when it never was before, ok when it
// may be answered.
func (r *resends) allow(index int64, now time.Time) (first, ok bool) {
	e := &r[uint64(index)%windowSize] //nolint:gosec // an index is not negative
	if e.times == 0 || e.index != index {
		e.index, e.times, e.at = index, 1, now
		return true, true
	}
	if e.times >= maxResends || now.Sub(e.at) < resendSpacing {
		return false, false
	}
	e.times++
	e.at = now
	return false, true
}

// Promote is Assign, followed by the packets that source received in the last d before
// now (at most the 64 newest of the last second, and none from before a mute or a restart
// of its numbering), so that the beginning of what made it worth a slot is not cut off.
// They leave as one continuous beginning of the new stream; a packet that a Forward under
// way offers besides is sent once. A slot that is closed, or has source assigned already,
// sends none. It returns how many were sent.
func (s *Slot) Promote(source *Source, d time.Duration, now time.Time, out Batch) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.assignLocked(source) || source == nil || !s.open {
		return 0
	}
	mutes := source.mutes.Load()
	if mutes%2 == 1 {
		return 0
	}
	before := s.stats.Packets
	first, last := source.history.span(mutes, now.Add(-min(d, maxHistoryAge)))
	for i := first; i <= last; i++ {
		f, payload, ok := source.history.get(i, mutes, now, s.scratch[:0])
		if !ok {
			continue
		}
		s.scratch = payload
		f.late = false // they go out in order
		s.sendLocked(&f, payload, now, out)
	}
	return int(s.stats.Packets - before) //nolint:gosec // at most historyLen
}

// Resend sends the packet with this sequence number once more, bit for bit, as an answer
// to a NACK (RFC 4585 §6.2.1). It does so only for a packet of the assigned source that was
// sent on this slot since the assignment, is among its newest 64, and was received less
// than a second ago; not while the slot is closed or the source muted; and not more than
// three times. It reports whether it sent something.
func (s *Slot) Resend(seq uint16, now time.Time, out Batch) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	source := s.assigned.Load()
	if source == nil || !s.open {
		return false
	}
	index, ok := s.rw.sentIndex(seq)
	if !ok {
		return false
	}
	if s.again == nil {
		s.again = new(resends)
	}
	first, ok := s.again.allow(index, now)
	if first {
		s.stats.Asked++
	}
	if !ok {
		return false
	}
	f, payload, ok := source.history.get(index-s.rw.offset, source.mutes.Load(), now, s.scratch[:0])
	if !ok || f.epoch != s.rw.epoch {
		return false
	}
	s.scratch = payload
	s.putHeader(s.rw.placedAgain(&f), f.ssrc)
	if !s.writeLocked(payload, out) {
		return false
	}
	s.stats.Resent++
	return true
}

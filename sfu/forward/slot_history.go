package forward

import (
	"time"

	"github.com/mini-livechat/mini-livechat/sfu/repair"
)

// maxAhead is how far a stream may run ahead of the wall clock by promotions and still
// begin the next with what was said before: a listener plays that by hurrying.
const maxAhead = 300 * time.Millisecond

// Promote is Assign for a source that was worth a slot before it got one: the next packet
// it forwards takes those along that it received after since (at most the 64 newest of the
// last second, and none from before a mute or a restart of its numbering), so that the
// beginning is not cut off. They leave as one continuous beginning of the new stream, in
// the batch of that packet. Promoting the source that is assigned already does nothing.
func (s *Slot) Promote(source *Source, since time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.assignLocked(source) {
		s.since = since
	}
}

// catchUpLocked sends the packets that source received after s.since, the last of which
// is usually f. It reports whether f was among them.
func (s *Slot) catchUpLocked(source *Source, f *frame, now time.Time, out Batch) bool {
	since := s.since
	if s.rw.ahead > s.rw.ticks(maxAhead) {
		since = now
	}
	if oldest := now.Add(-maxHistoryAge); since.Before(oldest) {
		since = oldest
	}
	first, last := source.history.span(f.gate, since)
	newest, scratch, ok := source.history.get(last, f.gate, now, s.scratch[:0])
	s.scratch = scratch
	if !ok || newest.epoch != f.epoch || f.index < first || f.index > last {
		if !f.late {
			s.since = time.Time{} // the stream begins with f
		}
		return false // f is none of them
	}
	s.since = time.Time{}
	for i := first; i <= last; i++ {
		past, payload, ok := source.history.get(i, f.gate, now, s.scratch[:0])
		if !ok {
			continue
		}
		s.scratch = payload
		past.late = false // they go out in order
		if s.fresh {
			s.rw.follow = newest.ts - past.ts
		}
		s.sendLocked(&past, payload, nil, now, out)
	}
	return true
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
		s.again = new(repair.Resends)
	}
	first, ok := s.again.Allow(index, now)
	if first {
		s.stats.Asked++
	}
	if !ok {
		return false
	}
	// Nothing in the history was prepared under the word of a closed gate.
	gate, blocks := source.gate.load(), s.redundant.at(index)
	f, payload, ok := source.history.encode(index-s.rw.offset, blocks, gate, now, s.scratch[:0])
	if !ok || f.epoch != s.rw.epoch {
		return false
	}
	s.scratch = payload
	s.putHeader(s.rw.placedAgain(&f), &f)
	if blocks > 0 {
		s.asRED(payload, blocks)
	}
	if !s.writeLocked(payload, out) {
		return false
	}
	s.stats.Resent++
	return true
}

package forward

import (
	"time"

	"github.com/mini-livechat/mini-livechat/sfu/repair"
)

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
		s.sendLocked(&f, payload, nil, now, out)
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
		s.again = new(repair.Answers)
	}
	first, ok := s.again.Allow(index, now)
	if first {
		s.stats.Asked++
	}
	if !ok {
		return false
	}
	mutes, blocks := source.mutes.Load(), s.redundant.at(index)
	f, payload, ok := source.history.encode(index-s.rw.offset, blocks, mutes, now, s.scratch[:0])
	if !ok || f.epoch != s.rw.epoch {
		return false
	}
	s.scratch = payload
	s.putHeader(s.rw.placedAgain(&f), f.ssrc)
	if blocks > 0 {
		s.asRED(payload, blocks)
	}
	if !s.writeLocked(payload, out) {
		return false
	}
	s.stats.Resent++
	return true
}

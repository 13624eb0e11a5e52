package forward

import (
	"sync/atomic"
	"time"

	"github.com/mini-livechat/mini-livechat/sfu/repair"
	"github.com/mini-livechat/mini-livechat/sfu/rtp"
)

// SourceStats counts what a Source was given. Every packet is counted once: in Packets or
// in one field of Dropped.
type SourceStats struct {
	// Packets is how many packets were offered to the slots.
	Packets uint64
	// Octets is their payload, in bytes, without headers and padding.
	Octets uint64
	// Recovered is how many of them came out of the redundancy of others, Restored how
	// many came because they were asked for.
	Recovered, Restored uint64
	// Requested is how many numbers were asked for, repetitions included.
	Requested uint64
	// Restarts is how often the talker's numbering or SSRC broke off and began anew.
	Restarts uint64
	// Dropped counts the others by reason.
	Dropped SourceDrops
}

// SourceDrops counts packets that a Source offered to no slot, by reason.
type SourceDrops struct {
	// Muted packets came while the source was muted.
	Muted uint64
	// Unpermitted packets came while another one had the floor, or nobody.
	Unpermitted uint64
	// Duplicate packets had a number that was seen before.
	Duplicate uint64
	// Late packets were too far behind the newest, or from before an unmute.
	Late uint64
	// Skipped packets were given to Skip.
	Skipped uint64
}

// Add adds another source's.
func (s *SourceStats) Add(o *SourceStats) {
	s.Packets += o.Packets
	s.Octets += o.Octets
	s.Recovered += o.Recovered
	s.Restored += o.Restored
	s.Requested += o.Requested
	s.Restarts += o.Restarts
	s.Dropped.Muted += o.Dropped.Muted
	s.Dropped.Unpermitted += o.Dropped.Unpermitted
	s.Dropped.Duplicate += o.Dropped.Duplicate
	s.Dropped.Late += o.Dropped.Late
	s.Dropped.Skipped += o.Dropped.Skipped
}

// Source is one talker's stream and the slots it is heard in. Prepare, Skip, Lost, Recover
// and Requests are called by one goroutine at a time; the other methods from any. Create it
// with NewSource.
type Source struct {
	// slots is an immutable snapshot; SetSlots replaces it.
	slots atomic.Pointer[[]*Slot]
	// gate is closed while muted, and without the floor.
	gate gate

	// Owned by the goroutine in Prepare.
	track      tracker
	seenGate   uint32 // the gate's word at the last packet
	redundancy Redundancy
	gaps       repair.Gaps

	// reception is written by Prepare and read by Reception.
	reception reception
	// history is written by Prepare and read by the slots.
	history history
	// rtt is the round trip to the talker, in nanoseconds; 0 while not known.
	rtt atomic.Int64
	// demand is raised by the slots and read by Prepare.
	demand demand

	// Written by Prepare, read by Stats.
	packets, octets, restarts      atomic.Uint64
	recovered, restored, requested atomic.Uint64
	muted, unpermitted             atomic.Uint64
	duplicate, late, skipped       atomic.Uint64
}

// NewSource returns a Source without slots, not muted, and with the floor.
func NewSource() *Source {
	s := &Source{}
	s.slots.Store(new([]*Slot))
	return s
}

// Prepare places one packet, received at now, in the source's stream and returns the slots
// it is for; ok is false when it goes to none. It must be called by one goroutine at a time,
// and fan-outs to the same slot be sent in the order of their Prepare. It keeps nothing of
// p but a copy for those who ask later.
//
// Duplicates, packets too late to be placed, and all packets while muted or without the floor are
// dropped and counted. All packets must be of the codec the slots were negotiated for: payload types
// are rewritten, payloads are not looked at.
func (s *Source) Prepare(p *rtp.Packet, now time.Time) (fanout Fanout, ok bool) {
	s.arrived(p, now)
	return s.place(p, now)
}

// arrived notes what a packet from the network says of the network.
func (s *Source) arrived(p *rtp.Packet, now time.Time) {
	if s.noteGaps(p, now) {
		// It was lost, and that it is here after all says nothing of the network.
		s.restored.Add(1)
	} else {
		s.reception.observe(p, now)
	}
}

// place is what Prepare and Recover have in common.
func (s *Source) place(p *rtp.Packet, now time.Time) (fanout Fanout, ok bool) {
	gate := s.gate.load()
	if gate != s.seenGate {
		s.seenGate = gate
		s.track.rebase()
	}
	// Packets are tracked while muted, so that one recorded then and delayed until after
	// the unmute is known to be late.
	f, v := s.track.observe(p)
	if restarts := s.track.restarts; restarts != s.restarts.Load() {
		s.restarts.Store(restarts)
		s.gaps.Reset()
		s.gaps.Receive(p.SequenceNumber, now)
	}
	switch {
	case !isOpen(gate):
		if gate&uint32(byMute) != 0 {
			s.muted.Add(1)
		} else {
			s.unpermitted.Add(1)
		}
		return Fanout{}, false
	case v == dropDuplicate:
		s.duplicate.Add(1)
		return Fanout{}, false
	case v == dropLate:
		s.late.Add(1)
		return Fanout{}, false
	}
	f.gate, f.number = gate, s.packets.Add(1)
	s.octets.Add(uint64(len(p.Payload)))
	s.history.put(&f, p.Payload, now)
	slots := *s.slots.Load()
	fanout = Fanout{source: s, slots: slots, frame: f, now: now}
	// A late packet is redundancy itself.
	if depth := s.demand.depth(); depth > 0 && !f.late {
		fanout.red = s.redundancyOf(&f, depth)
	}
	return fanout, len(slots) > 0
}

// SetSlots replaces the slots that packets are offered to. The slice is copied; nil
// entries are left out. A fan-out prepared before still goes to the former slots, which is
// why a slot takes packets only from the source it is assigned to. From any goroutine.
func (s *Source) SetSlots(slots []*Slot) {
	snapshot := make([]*Slot, 0, len(slots))
	for _, slot := range slots {
		if slot != nil {
			snapshot = append(snapshot, slot)
		}
	}
	s.slots.Store(&snapshot)
}

// SetMuted stops or resumes forwarding. When SetMuted(true) has returned, no packet that
// came before is written any more to the slots last set, by whatever goroutine, and none
// that comes later. It waits for the packets that the slots are just writing. Slots go on
// without a gap after the unmute. From any goroutine.
func (s *Source) SetMuted(muted bool) { s.hold(byMute, muted) }

// SetFloor says whether the talker has the floor where one talks at a time: what it means for packets is what SetMuted(false) and
// SetMuted(true) mean. Both must let them out. From any goroutine.
func (s *Source) SetFloor(has bool) { s.hold(byFloor, !has) }

// hold holds packets back for a reason, or no more.
func (s *Source) hold(why reason, closed bool) {
	s.gate.set(why, closed)
	if closed {
		s.settle()
	}
}

// settle returns when every write that began before the gate closed has ended: a slot
// looks at the gate and writes under its lock.
func (s *Source) settle() {
	for _, slot := range *s.slots.Load() {
		slot.mu.Lock()
		slot.mu.Unlock() //nolint:staticcheck // to have held it is all that is wanted
	}
}

// Reception returns what to report to the talker of the packets since the last call;
// ok is false when there were none. Muted packets count as received. From any goroutine.
func (s *Source) Reception() (r repair.Reception, ok bool) { return s.reception.report() }

// Newest returns when the newest packet that may be heard came; the zero time before the first. From any goroutine.
func (s *Source) Newest() time.Time { return s.history.last() }

// Stats returns the counters so far. Read while Prepare runs they may be one packet
// apart. From any goroutine.
func (s *Source) Stats() SourceStats {
	return SourceStats{
		Packets:  s.packets.Load(),
		Octets:   s.octets.Load(),
		Restarts: s.restarts.Load(),

		Recovered: s.recovered.Load(),
		Restored:  s.restored.Load(),
		Requested: s.requested.Load(),
		Dropped: SourceDrops{
			Muted:       s.muted.Load(),
			Unpermitted: s.unpermitted.Load(),
			Duplicate:   s.duplicate.Load(),
			Late:        s.late.Load(),
			Skipped:     s.skipped.Load(),
		},
	}
}

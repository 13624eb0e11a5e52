package forward

import (
	"time"

	"github.com/mini-livechat/mini-livechat/sfu/repair"
	"github.com/mini-livechat/mini-livechat/sfu/rtp"
)

// Lost returns the packet whose payload is redundant block i of p, if the source is in want
// of it: it was not received, and is not far behind. red is the parsed payload of p,
// payloadType that of the codec. The result aliases p's buffer and is for Recover, before p
// itself is for Prepare.
//
// RFC 2198 does not number blocks. By the custom of all senders they are the packets just
// before p, which is believed when the blocks have payload type, data, and timestamps in
// that order.
func (s *Source) Lost(p *rtp.Packet, red *repair.RED, i int, payloadType uint8) (lost rtp.Packet, ok bool) {
	blocks := red.Redundant()
	block, after := blocks[i], red.Primary()
	if i+1 < len(blocks) {
		after = blocks[i+1]
	}
	if block.PayloadType != payloadType || len(block.Data) == 0 || block.Offset <= after.Offset || p.SSRC != s.track.ssrc {
		return rtp.Packet{}, false
	}
	lost = rtp.Packet{
		SSRC:           p.SSRC,
		Timestamp:      p.Timestamp - uint32(block.Offset),
		SequenceNumber: p.SequenceNumber - uint16(len(blocks)-i), //nolint:gosec // at most MaxBlocks
		PayloadType:    payloadType,
		Payload:        block.Data,
	}
	// A packet without sound is in nobody's redundancy: where one went before, a block stands
	// for an older packet than its place says.
	return lost, s.gaps.Lacks(lost.SequenceNumber, p.SequenceNumber) && !s.track.repeats(&lost, &s.history)
}

// Skip is Prepare for a packet that is here but is not to be heard, such as padding (RFC
// 3550 §5.1). Its number is taken, so that nobody waits for it or asks for it, and the
// slots' numbers close over it.
func (s *Source) Skip(p *rtp.Packet, now time.Time) {
	s.arrived(p, now)
	s.track.skip(p)
	s.skipped.Add(1)
}

// Recover is Prepare for a packet out of the redundancy of another, see Lost. It does not
// count as received, because the network did not deliver it.
func (s *Source) Recover(p *rtp.Packet, now time.Time) (fanout Fanout, ok bool) {
	s.noteGaps(p, now)
	s.recovered.Add(1)
	return s.place(p, now)
}

// Requests appends to dst the sequence numbers of the talker's that it should be asked
// for now (RFC 4585 §6.2.1), and takes them for asked. It is to be called after Prepare,
// when the packet's redundancy is used up. A number is asked for while it is missing for
// less than a fifth of a second, up to five times, a round trip apart, and not while muted.
func (s *Source) Requests(now time.Time, dst []uint16) []uint16 {
	if s.gaps.Complete() || !isOpen(s.gate.load()) {
		return dst
	}
	if rtt := s.rtt.Load(); rtt > 0 {
		s.gaps.SetRTT(time.Duration(rtt))
	}
	before := len(dst)
	dst = s.gaps.Due(now, dst)
	s.requested.Add(uint64(len(dst) - before)) //nolint:gosec // not negative
	return dst
}

// SetRTT tells the round trip time to the talker, as RTCP measured it. From any goroutine.
func (s *Source) SetRTT(rtt time.Duration) { s.rtt.Store(int64(rtt)) }

// noteGaps notes that the packet is here and reports whether it had been asked for.
func (s *Source) noteGaps(p *rtp.Packet, now time.Time) (requested bool) {
	if p.SSRC != s.track.ssrc {
		s.gaps.Reset()
	}
	return s.gaps.Receive(p.SequenceNumber, now)
}

package peer

import (
	"sync/atomic"

	"github.com/mini-livechat/mini-livechat/sfu/forward"
	"github.com/mini-livechat/mini-livechat/sfu/wire"
)

// Stats is what is known of one connection. Counters only grow; read while packets come
// and go, those of different parts may be a packet apart.
type Stats struct {
	// Network is what the reports of both directions say.
	Network Network
	// Endpoint counts what came and left encrypted.
	Endpoint wire.EndpointStats
	// Dropped counts what came and authenticated, and was of no use.
	Dropped Drops
	// Source counts what the client said, Slots what it heard on each of them.
	Source forward.SourceStats
	Slots  []forward.SlotStats
}

// Drops counts packets of a client that authenticated and were dropped all the same, by
// reason. What a Source or a Slot drops is in their Stats.
type Drops struct {
	// Malformed RTP has a header, a header extension or padding that does not fit into the
	// packet (RFC 3550, section 5), or is RED with blocks that do not (RFC 2198).
	Malformed uint64
	// PayloadType is RTP, or the primary of RED, of a type that was not negotiated.
	PayloadType uint64
	// NoMicrophone is RTP of a client that offered none.
	NoMicrophone uint64
	// SecondSSRC is RTP of another SSRC while the microphone's is heard.
	SecondSSRC uint64
	// RTCP is compounds that are cut short, or whose parts do not fit.
	RTCP uint64
	// NACK is requests about a stream that is not the client's, or without having
	// negotiated them; NACKRate those that asked for more than any network loses.
	NACK, NACKRate uint64
}

// Total is the sum of all.
func (d Drops) Total() uint64 {
	return d.Malformed + d.PayloadType + d.NoMicrophone + d.SecondSSRC + d.RTCP + d.NACK + d.NACKRate
}

// drops are the counters behind Drops, written by the receiving loop.
type drops struct {
	malformed, payloadType, noMicrophone, secondSSRC, rtcp, nack, nackRate atomic.Uint64
}

func (d *drops) read() Drops {
	return Drops{
		Malformed: d.malformed.Load(), PayloadType: d.payloadType.Load(), NoMicrophone: d.noMicrophone.Load(),
		SecondSSRC: d.secondSSRC.Load(), RTCP: d.rtcp.Load(), NACK: d.nack.Load(), NACKRate: d.nackRate.Load(),
	}
}

// Stats returns the counters so far and what is known of the client's network. From any
// goroutine; it takes a lock for each slot, so not for each packet.
func (p *Peer) Stats() Stats {
	s := Stats{
		Network: p.network.read(), Endpoint: p.endpoint.Stats(), Dropped: p.drops.read(),
		Source: p.source.Stats(), Slots: make([]forward.SlotStats, len(p.slots)),
	}
	for i := range p.slots {
		s.Slots[i] = p.slots[i].Stats()
	}
	return s
}

package peer

import (
	"time"

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
	// Confirmed is how many packets each slot had sent when a report of the client's was last about new ones.
	Confirmed []uint64
	// Made is when the offer was answered, and Path how far the connection has come since.
	Made time.Time
	Path wire.Progress
	// Newest is when the microphone's newest packet came that may be heard; zero: not lately.
	Newest time.Time
	// Levels: the client says how loud its packets are.
	Levels bool
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
	// TooLarge is Opus of more bytes than its largest frame, Rate what came faster than Opus
	// is ever made, both also out of redundancy.
	TooLarge, Rate uint64
	// RTCP is compounds that are cut short, or whose parts do not fit.
	RTCP uint64
	// NACK is requests about a stream that is not the client's, or without having
	// negotiated them; NACKRate those that asked for more than any network loses.
	NACK, NACKRate uint64
}

func (d *Drops) add(o *Drops) {
	d.Malformed += o.Malformed
	d.PayloadType += o.PayloadType
	d.NoMicrophone += o.NoMicrophone
	d.SecondSSRC += o.SecondSSRC
	d.TooLarge += o.TooLarge
	d.Rate += o.Rate
	d.RTCP += o.RTCP
	d.NACK += o.NACK
	d.NACKRate += o.NACKRate
}

// Stats returns the counters so far and what is known of the client's network. From any
// goroutine; it takes a lock for each slot, so not for each packet.
func (p *Peer) Stats() Stats {
	s := Stats{
		Network: p.network.read(), Endpoint: p.endpoint.Stats(), Dropped: p.dropped(),
		Source: p.talker.Source().Stats(), Slots: make([]forward.SlotStats, len(p.listener.slots)),
		Confirmed: make([]uint64, len(p.listener.slots)), Made: p.made, Path: p.endpoint.Progress(),
		Newest: p.talker.Source().Newest(), Levels: p.talker.Levels(),
	}
	for i := range p.listener.slots {
		s.Slots[i], s.Confirmed[i] = p.listener.slots[i].Stats(), p.listener.confirmed[i].Load()
	}
	return s
}

func (p *Peer) dropped() Drops {
	in, out := p.talker.Drops(), &p.listener.drops
	return Drops{
		Malformed: in.Malformed, PayloadType: in.PayloadType, NoMicrophone: p.talker.noMicrophone.Load(),
		SecondSSRC: in.SecondSSRC, TooLarge: in.TooLarge, Rate: in.Rate,
		RTCP: p.badRTCP.Load(), NACK: out.nack.Load(), NACKRate: out.nackRate.Load(),
	}
}

package peer

import (
	"fmt"
	"sync/atomic"
	"time"

	"github.com/pion/rtcp"

	"github.com/mini-livechat/mini-livechat/sfu/bounded"
	"github.com/mini-livechat/mini-livechat/sfu/forward"
	"github.com/mini-livechat/mini-livechat/sfu/repair"
	"github.com/mini-livechat/mini-livechat/sfu/wire"
)

// leastSent is how many packets reports must be about before their loss decides anything.
const leastSent = 10

// listener is the half of a Peer that goes out: the slots in which the client hears
// others, what it reports of them, what it asks for again, and how much redundancy its
// network needs.
//
// resend and heard are called by the loop that receives the client's packets, one call at
// a time (wire.Receiver); senderReports by the goroutine that sends reports. The slots may
// be used from any goroutine.
type listener struct {
	slots []Slot
	drops listenerDrops
	// confirmed is Stats.Confirmed.
	confirmed []atomic.Uint64

	// The receiving loop's own.
	asked    bounded.Bucket // for each packet, at nackRate
	depth    repair.Depth
	progress []progress // of each slot
	// What reports have been about since the last that decided something.
	sent, lost int64

	// The reporter's own: packets of each slot at its last report.
	reported []uint64
}

// listenerDrops are the counters of Drops that a listener's requests move.
type listenerDrops struct{ nack, nackRate atomic.Uint64 }

// progress is how far a slot was at the client's last report.
type progress struct {
	known          bool
	highest        uint32
	lost           int32
	missing, asked uint64 // as in forward.SlotStats
}

// open makes what carries the packets of the recvonly lines, under these SSRCs.
func (l *listener) open(asked *offered, ssrcs []uint32, endpoint *wire.Endpoint) error {
	l.slots = make([]Slot, 0, len(ssrcs))
	l.reported = make([]uint64, len(ssrcs))
	l.progress = make([]progress, len(ssrcs))
	l.confirmed = make([]atomic.Uint64, len(ssrcs))
	for i := range asked.lines {
		line := &asked.lines[i]
		if line.mic || line.rejected {
			continue
		}
		ssrc := ssrcs[len(l.slots)]
		config := forward.RandomSlotConfig(ssrc, line.opus, opusClockRate)
		config.REDPayloadType = line.red
		slot, err := forward.NewSlot(config, slotWriter{endpoint.Sender(ssrc)})
		if err != nil {
			return fmt.Errorf("make slot: %w", err)
		}
		slot.SetRedundancy(l.depth.Blocks())
		l.slots = append(l.slots, Slot{Slot: slot, MID: line.mid, ssrc: ssrc, nack: line.nack})
	}
	return nil
}

// resend sends again what it can of the packets asked for.
func (l *listener) resend(out *wire.Batch, nack *repair.Feedback, now time.Time) {
	slot := l.slotOf(nack.Media)
	if slot < 0 || !l.slots[slot].nack {
		l.drops.nack.Add(1)
		return
	}
	for number := range nack.Numbers() {
		if !l.asked.Take(nackRate, 1, now) {
			l.drops.nackRate.Add(1)
			return
		}
		l.slots[slot].Resend(number, now, out)
	}
}

// heard takes what the client says of the slots it hears, and gives them the redundancy
// that its network needs.
func (l *listener) heard(report *repair.Feedback, now time.Time, network *network) {
	ntp := uint32(repair.NTP(now) >> 16) //nolint:gosec // the middle 32 bits are meant
	var jitter uint32
	for block := range report.Blocks() {
		slot := l.slotOf(block.SSRC)
		if slot < 0 {
			continue
		}
		if rtt, ok := block.RTT(ntp); ok {
			network.roundTrip(rtt)
		}
		stats := l.slots[slot].Stats()
		sent, lost := l.progress[slot].advance(&block, &stats)
		if sent > 0 {
			l.confirmed[slot].Store(stats.Packets)
			network.confirmed(now)
		}
		l.sent, l.lost, jitter = l.sent+sent, l.lost+lost, max(jitter, block.Jitter)
	}
	if l.sent < leastSent {
		return
	}
	sentSince, lostSince := l.sent, l.lost
	l.sent, l.lost = 0, 0
	l.depth.Report(float64(lostSince) / float64(sentSince))
	for i := range l.slots {
		l.slots[i].SetRedundancy(l.depth.Blocks())
	}
	network.heard(sentSince, lostSince, jitter, l.depth.Blocks())
}

// advance returns how many packets the block is about that the ones before were not, and
// how many of these were lost on the way to the client. Packets that never came from the
// talker are no loss of the client's. Packets that it asked for are, also when it counts
// them as received because they were sent again.
func (p *progress) advance(block *repair.ReportBlock, stats *forward.SlotStats) (sent, lost int64) {
	former := *p
	*p = progress{known: true, highest: block.Highest, lost: block.TotalLost, missing: stats.Missing, asked: stats.Asked}
	sent = int64(stats.Packets - stats.Resent) //nolint:gosec // the first block is about everything before it
	if former.known {
		sent = int64(int32(block.Highest - former.highest)) //nolint:gosec // modular difference
	}
	if sent <= 0 {
		return 0, 0
	}
	lost = int64(block.TotalLost) - int64(former.lost) - int64(stats.Missing-former.missing) //nolint:gosec // counts of packets
	lost = max(lost, int64(stats.Asked-former.asked), 0)                                     //nolint:gosec // counts of packets
	return sent, min(lost, sent)
}

// slotOf returns the slot with this SSRC, or -1.
func (l *listener) slotOf(ssrc uint32) int {
	for i := range l.slots {
		if l.slots[i].ssrc == ssrc {
			return i
		}
	}
	return -1
}

// reporter is the SSRC under which the server reports: the first slot's, or 1 for a client
// that only talks, which is what WebRTC endpoints do that send nothing.
func (l *listener) reporter() uint32 {
	if len(l.slots) > 0 {
		return l.slots[0].ssrc
	}
	return 1
}

// senderReports appends those for the slots that sent something since the last call
// (RFC 3550, section 6.4.1).
func (l *listener) senderReports(packets []rtcp.Packet, now time.Time) []rtcp.Packet {
	for i := range l.slots {
		slot := &l.slots[i]
		stats := slot.Stats()
		if stats.Packets == l.reported[i] {
			continue
		}
		l.reported[i] = stats.Packets
		packets = append(packets, &rtcp.SenderReport{
			SSRC:    slot.ssrc,
			NTPTime: repair.NTP(now),
			// The slot's clock, extrapolated from its last packet to now.
			RTPTime:     stats.LastTimestamp + repair.Ticks(now.Sub(stats.LastTime), opusClockRate),
			PacketCount: uint32(stats.Packets), //nolint:gosec // wraps, RFC 3550 section 6.4.1
			OctetCount:  uint32(stats.Octets),  //nolint:gosec // wraps likewise
		})
	}
	return packets
}

package peer

import (
	"time"

	"github.com/mini-livechat/mini-livechat/sfu/repair"
	"github.com/mini-livechat/mini-livechat/sfu/wire"
)

const (
	// A client may ask for nackRate packets a second: two thirds of what 32 slots carry; and
	// for nackBurst at once: half a millisecond of the loop, and 160 ms of 32 slots. What it
	// asks for beyond that is not even looked up.
	nackRate  = 1000
	nackBurst = 256
	// leastSent is how many packets reports must be about before their loss decides anything.
	leastSent = 10
)

// listening is what the loop that receives a client's packets keeps of the client's
// reports. Its calls never overlap (wire.Receiver), so it needs no lock.
type listening struct {
	budget   budget
	depth    repair.Depth
	progress []progress // of each slot
	// What reports have been about since the last that decided something.
	sent, lost int64
}

// progress is how far a slot was at the client's last report.
type progress struct {
	known          bool
	highest        uint32
	lost           int32
	missing, asked uint64 // as in forward.SlotStats
}

// OnRTCP implements wire.Receiver: it runs on the loop of the socket, for each compound
// packet that authenticated.
func (p *Peer) OnRTCP(out *wire.Batch, _ *wire.Endpoint, raw []byte, now time.Time) {
	compound, err := repair.ParseRTCP(raw)
	if err != nil {
		p.drops.rtcp.Add(1)
		return
	}
	for feedback := range compound.Packets() {
		if feedback.Kind == repair.KindNACK {
			p.onNACK(out, &feedback, now)
			continue
		}
		if feedback.FromSender && feedback.Sender == p.ssrc.Load() {
			p.network.sent(feedback.NTP, now)
		}
		p.onReport(&feedback, now)
	}
}

// onNACK sends again what it can of the packets asked for.
func (p *Peer) onNACK(out *wire.Batch, nack *repair.Feedback, now time.Time) {
	slot := p.slotOf(nack.Media)
	if slot < 0 || !p.slots[slot].nack {
		p.drops.nack.Add(1)
		return
	}
	for number := range nack.Numbers() {
		if !p.listening.budget.take(now) {
			p.drops.nackRate.Add(1)
			return
		}
		p.slots[slot].Resend(number, now, out)
	}
}

// onReport takes what the client says of the slots it hears, and gives them the redundancy
// that its network needs.
func (p *Peer) onReport(report *repair.Feedback, now time.Time) {
	l := &p.listening
	if l.progress == nil {
		l.progress = make([]progress, len(p.slots))
	}
	var jitter uint32
	for block := range report.Blocks() {
		slot := p.slotOf(block.SSRC)
		if slot < 0 {
			continue
		}
		if rtt, ok := block.RTT(uint32(repair.NTP(now) >> 16)); ok { //nolint:gosec // the middle 32 bits are meant
			p.source.SetRTT(p.network.roundTrip(rtt))
		}
		sent, lost := l.progress[slot].advance(&block, &p.slots[slot])
		l.sent, l.lost, jitter = l.sent+sent, l.lost+lost, max(jitter, block.Jitter)
	}
	if l.sent < leastSent {
		return
	}
	loss := float64(l.lost) / float64(l.sent)
	l.sent, l.lost = 0, 0
	l.depth.Report(loss)
	for i := range p.slots {
		p.slots[i].SetRedundancy(l.depth.Blocks())
	}
	p.network.heard(loss, jitter, l.depth.Blocks())
}

// advance returns how many packets the block is about that the ones before were not, and
// how many of these were lost on the way to the client: not those that never came from the
// talker. A client that counts a packet which was sent again as received has asked for it.
func (p *progress) advance(block *repair.ReportBlock, slot *Slot) (sent, lost int64) {
	stats := slot.Stats()
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
func (p *Peer) slotOf(ssrc uint32) int {
	for i := range p.slots {
		if p.slots[i].ssrc == ssrc {
			return i
		}
	}
	return -1
}

// budget lets nackBurst through at once and nackRate a second. The zero value is full.
type budget struct {
	used float64
	at   time.Time
}

func (b *budget) take(now time.Time) bool {
	b.used = max(0, b.used-max(0, now.Sub(b.at).Seconds())*nackRate)
	b.at = now
	if b.used+1 > nackBurst {
		return false
	}
	b.used++
	return true
}

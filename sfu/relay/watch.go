package relay

import (
	"time"

	"github.com/pion/rtcp"

	"github.com/mini-livechat/mini-livechat/sfu/repair"
	"github.com/mini-livechat/mini-livechat/sfu/wire"
)

// leastSent is how many packets a report must be about before its loss decides anything.
const leastSent = 40

// rttShare is how much of a new round trip goes into the smoothed one (RFC 6298).
const rttShare = 8

// totalMask is what there is room for in a report's total of losses.
const totalMask = 1<<24 - 1

// clockRate is Opus's, in Hz (RFC 7587 §4.1).
const clockRate = 48000

// watch is what both ends' reports say of a link. Each is a sender report of the reporter's with one block on the other end's: how many packets
// of all streams were sent, and how many of those came. So a link's reports cost the same however much it carries. Guarded by Link.mu.
type watch struct {
	heard     time.Time // when the other end was last heard to report
	confirmed time.Time // when it had last heard us, as it said

	ntp      uint32 // of its last report
	sent     uint32 // by it, as of then
	received int64  // by us, as of then
	// What it sent, in all that we know of, and what of that did not come; and both as of the last look.
	due, lost         int64
	dueThen, lostThen int64
	lossIn            float64 // between the last two looks at which there was enough to tell
	jitter            uint32  // the worst of all streams', in ticks

	rtt, jitterOut time.Duration
	// What it says to have received and lost, as of the report that last decided something, and what loss that was.
	cameThen, goneThen uint32
	lossOut            float64
	depth              repair.Depth
	again              int64 // unknown packets as of when all lines were last asked for
}

// tick reports, and looks at the streams if look says so.
func (l *Link) tick(out *wire.Batch, look bool, now time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return
	}
	if l.endpoint == nil {
		if now.Sub(l.greeted) >= helloInterval {
			l.helloLocked(now)
		}
		return
	}
	if l.up && !l.soundLocked(now) {
		l.setLocked(false, now)
	}
	if !l.up && now.Sub(l.greeted) >= helloInterval {
		l.helloLocked(now) // should the other end not know that it begins anew
	}
	if look {
		l.lookLocked()
	}
	l.reportLocked(out, now)
}

// soundLocked reports whether each end has lately heard the other.
func (l *Link) soundLocked(now time.Time) bool {
	return now.Sub(l.watch.heard) < lostAfter && now.Sub(l.watch.confirmed) < lostAfter
}

// setLocked has the link be up or lost. While it is lost it carries nothing: the other end could lose count of the streams (RFC 3711 §3.3.1).
func (l *Link) setLocked(up bool, now time.Time) {
	l.up, l.since = up, now
	for _, out := range l.outgoing() {
		if up {
			out.slot.Open()
		} else {
			out.slot.Close()
		}
	}
	if l.relay.cfg.Changed != nil {
		l.relay.cfg.Changed(l.node, up)
	}
}

// lookLocked reads what the streams that come in say of the link, paces what is asked for again, and asks for what was not told.
func (l *Link) lookLocked() {
	l.watch.look()
	for _, a := range l.ins() {
		if a == nil {
			continue
		}
		if r, ok := a.in.Source().Reception(); ok {
			l.watch.jitter = max(l.watch.jitter, r.Jitter)
			a.in.Source().SetRTT(l.watch.rtt)
		}
	}
	if unknown := l.traffic.unknown.Load(); unknown != l.watch.again {
		l.watch.again = unknown
		l.postLocked(func(m *Message) { m.Again = true })
	}
}

// look begins anew to see what is lost and how much it jitters.
func (w *watch) look() {
	w.jitter = 0
	if due := w.due - w.dueThen; due >= leastSent {
		w.lossIn = float64(w.lost-w.lostThen) / float64(due)
		w.dueThen, w.lostThen = w.due, w.lost
	}
}

// reportLocked sends a report.
func (l *Link) reportLocked(out *wire.Batch, now time.Time) {
	report := &rtcp.SenderReport{
		SSRC: reporter, NTPTime: repair.NTP(now),
		PacketCount: uint32(l.traffic.sent.Load()),   //nolint:gosec // wraps, RFC 3550 §6.4.1
		OctetCount:  uint32(l.traffic.octets.Load()), //nolint:gosec // wraps likewise
	}
	if w := &l.watch; !w.heard.IsZero() {
		report.Reports = []rtcp.ReceptionReport{{
			SSRC: reporter, FractionLost: uint8(max(w.lossIn, 0) * 255), TotalLost: uint32(w.lost) & totalMask, //nolint:gosec // wraps
			LastSequenceNumber: uint32(w.due - w.lost), Jitter: w.jitter, //nolint:gosec // wraps
			LastSenderReport: w.ntp, Delay: repair.Ticks(max(now.Sub(w.heard), 0), repair.DelayRate),
		}}
	}
	raw, err := report.Marshal()
	if err != nil {
		return // it is ours
	}
	_ = l.endpoint.WriteRTCP(out, raw) // what cannot leave now is as good as lost
}

// OnRTCP implements wire.Receiver.
func (l *Link) OnRTCP(out *wire.Batch, _ *wire.Endpoint, raw []byte, now time.Time) {
	compound, err := repair.ParseRTCP(raw)
	if err != nil {
		l.traffic.malformed.Add(1)
		return
	}
	for feedback := range compound.Packets() {
		switch {
		case feedback.Kind == repair.KindNACK:
			l.resend(out, &feedback, now)
		case feedback.FromSender:
			l.hears(out, &feedback, now)
		}
	}
}

// hears takes the other end's report.
func (l *Link) hears(out *wire.Batch, report *repair.Feedback, now time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return
	}
	l.watch.arrived(report, l.traffic.received.Load(), now)
	for block := range report.Blocks() {
		l.confirmLocked(&block, now)
	}
	if l.up || l.endpoint == nil {
		return
	}
	if l.soundLocked(now) {
		l.setLocked(true, now)
	}
	l.reportLocked(out, now) // so that the other end need not wait to know
}

// arrived compares what the other end has sent with what came of it.
func (w *watch) arrived(report *repair.Feedback, received int64, now time.Time) {
	if !w.heard.IsZero() {
		sent := int64(report.Sent - w.sent)
		w.due += sent
		w.lost += sent - (received - w.received) // less than none when packets overtook the report: the next one takes that back
	}
	w.heard, w.ntp, w.sent, w.received = now, report.NTP, report.Sent, received
}

// confirmLocked takes what the other end says of us.
func (l *Link) confirmLocked(block *repair.ReportBlock, now time.Time) {
	w := &l.watch
	rtt, ok := block.RTT(uint32(repair.NTP(now) >> 16)) //nolint:gosec // the middle 32 bits are meant
	if !ok {
		return
	}
	w.confirmed = now.Add(-time.Duration(block.Delay) * time.Second / repair.DelayRate)
	if w.rtt == 0 {
		w.rtt = rtt
	}
	w.rtt += (rtt - w.rtt) / rttShare
	w.jitterOut = time.Duration(block.Jitter) * time.Second / clockRate
	came, gone := int32(block.Highest-w.cameThen), int32(uint32(block.TotalLost)-w.goneThen)<<8>>8 //nolint:gosec // modular differences
	sent := int64(came) + int64(gone)
	if came < 0 || sent < leastSent {
		return
	}
	w.cameThen, w.goneThen = block.Highest, uint32(block.TotalLost) //nolint:gosec // of 24 bits
	w.lossOut = max(float64(gone), 0) / float64(sent)
	w.depth.Report(w.lossOut)
	if blocks := max(w.depth.Blocks(), 1); blocks != l.blocks {
		l.blocks = blocks
		for _, out := range l.outgoing() {
			out.slot.SetRedundancy(blocks)
		}
	}
}

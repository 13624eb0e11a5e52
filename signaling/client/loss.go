package client

import (
	"sync"
	"time"

	"github.com/pion/rtcp"

	"github.com/mini-livechat/mini-livechat/sfu/repair"
)

const (
	// reportInterval is how often a call that hears somebody reports to the server, which
	// chooses the redundancy of what it sends by that.
	reportInterval = time.Second
	// duplicateWindow is how many of a slot's newest packets are known by number; SRTP
	// remembers no more either.
	duplicateWindow = 64
	// lossyFor is how long after a loss the next one is expected: then a packet that does
	// not come in time is asked for before a later one shows that it was lost. On a
	// network that loses nothing a silence is taken for one.
	lossyFor = 5 * time.Second
	// overdueTurns is how often packets are asked for without such a sign.
	overdueTurns = 3
	// defaultFrame is how far packets are apart until it is known.
	defaultFrame = 20 * time.Millisecond
)

// loss is what a slot knows of the packets it did not get. receiver.mu guards it.
type loss struct {
	ssrc uint32 // of the slot
	red  uint8  // the payload type of RED, 0 for none; set with the answer
	nack bool   // the server sends packets again; set with the answer

	gaps     repair.Gaps
	arrivals repair.Arrivals
	// Bit i of seen says that packet highest-i was delivered.
	started bool
	highest uint16
	seen    uint64
	wanted  []uint16 // reused

	// When the newest packet came, its timestamp, and how far it was from the one before.
	newestAt time.Time
	newestTS uint32
	frame    time.Duration
	lostAt   time.Time   // when something was last found missing
	overdue  *time.Timer // nil until there was a loss; takes receiver.mu
	turns    int         // since the newest packet
}

// arrived notes when packets come and how far they are apart. It is to be called before
// received.
func (l *loss) arrived(seq uint16, timestamp uint32, now time.Time) {
	ahead := seq - l.highest
	if l.started && (ahead == 0 || ahead >= 1<<15) {
		return
	}
	if l.started {
		frame := time.Duration(timestamp-l.newestTS) * time.Second / opusClockRate / time.Duration(ahead)
		if frame = max(frame, time.Millisecond); frame <= maxOpusDuration { // else there was a pause
			l.frame = frame
		}
		if ahead > 1 {
			l.lostAt = now
		}
	} else {
		l.frame = defaultFrame
	}
	l.newestAt, l.newestTS, l.turns = now, timestamp, 0
}

// watch has overdue called when the slot's next packets are, if the network is one that
// loses some.
func (r *receiver) watch(slot *Slot, now time.Time) {
	l := &slot.loss
	if r.after == nil || l.lostAt.IsZero() || now.Sub(l.lostAt) > lossyFor {
		return
	}
	wait := 5 * l.frame / 2
	if l.overdue == nil {
		l.overdue = r.after(wait, func() { r.overdue(slot) })
		return
	}
	l.overdue.Reset(wait)
}

// received notes that a packet is here, by itself or recovered, and reports whether that
// is news.
func (l *loss) received(seq uint16, now time.Time) bool {
	l.gaps.Receive(seq, now)
	ahead := seq - l.highest
	switch {
	case !l.started:
		l.started, l.highest, l.seen = true, seq, 1
	case ahead != 0 && ahead < 1<<15: // by RFC 1982's arithmetic
		l.seen = l.seen<<ahead | 1 // a shift by 64 or more leaves 0
		l.highest = seq
	default:
		age := l.highest - seq
		if age >= duplicateWindow || l.seen&(1<<age) != 0 {
			return false
		}
		l.seen |= 1 << age
	}
	return true
}

// reporter sends RTCP when packets come, so that a call that hears nothing costs nothing.
// receiver.mu guards it.
type reporter struct {
	write func([]rtcp.Packet) // set with the answer; keeps them, and does not wait
	at    time.Time           // of the last report
}

// outbox holds the RTCP that is still to be written. Whoever reads packets must not write:
// to stop, pion's transport waits for its readers with the lock that writing takes.
type outbox chan []rtcp.Packet

// outboxLen is more than comes together: a report and a NACK for some slots.
const outboxLen = 32

// put adds packets, which are lost when there is no room.
func (o outbox) put(packets []rtcp.Packet) {
	select {
	case o <- packets:
	default:
	}
}

// run writes until over is closed.
func (o outbox) run(over <-chan struct{}, write func([]rtcp.Packet) error) {
	for {
		select {
		case <-over:
			return
		case packets := <-o:
			_ = write(packets) // what cannot leave is as good as lost
		}
	}
}

// afterwards asks for what is missing and reports, when it is time to.
func (r *receiver) afterwards(slot *Slot, now time.Time) {
	l := &slot.loss
	if r.reports.write == nil {
		return
	}
	if l.nack && !l.gaps.Complete() {
		if rtt := slot.sender.roundTrip(); rtt > 0 {
			l.gaps.SetRTT(rtt)
		}
		l.wanted = l.gaps.Due(now, l.wanted[:0])
		r.ask(slot)
	}
	if l.nack {
		r.watch(slot, now)
	}
	if now.Sub(r.reports.at) >= reportInterval {
		r.reports.at = now
		r.report(now)
	}
}

// ask sends a NACK for slot.loss.wanted.
func (r *receiver) ask(slot *Slot) {
	l := &slot.loss
	if len(l.wanted) == 0 {
		return
	}
	slot.asked.Add(uint64(len(l.wanted)))
	raw := rtcp.RawPacket(repair.AppendNACK(nil, r.ssrc(), l.ssrc, l.wanted))
	r.reports.write([]rtcp.Packet{&raw})
}

// overdue asks for the packets that should have come on a slot since its newest one.
func (r *receiver) overdue(slot *Slot) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.over {
		return
	}
	l, now := &slot.loss, r.now()
	since := now.Sub(l.newestAt)
	if since < 2*l.frame || l.turns >= overdueTurns {
		return // one came after all, or nobody is speaking
	}
	l.turns++
	l.wanted = l.gaps.Overdue(now, int(since/l.frame), l.wanted[:0])
	r.ask(slot)
	r.watch(slot, now)
}

// ssrc is what the call reports under: its microphone's, or 1 for one that only listens,
// which is what WebRTC endpoints do that send nothing.
func (r *receiver) ssrc() uint32 {
	if r.mic != nil {
		return r.mic.ssrc.Load()
	}
	return 1
}

// report sends what arrived on the slots, and what the microphone sent.
func (r *receiver) report(now time.Time) {
	var blocks []rtcp.ReceptionReport
	for _, slot := range r.byMID {
		received, ok := slot.loss.arrivals.Report()
		if !ok {
			continue
		}
		block := rtcp.ReceptionReport{
			SSRC: received.SSRC, FractionLost: received.FractionLost, TotalLost: received.TotalLost,
			LastSequenceNumber: received.HighestSequenceNumber, Jitter: received.Jitter,
		}
		block.LastSenderReport, block.Delay = slot.sender.last(now)
		blocks = append(blocks, block)
	}
	const most = 31 // blocks in a report, which counts them in five bits
	first := blocks[:min(len(blocks), most)]
	var packets []rtcp.Packet
	if sr, ok := r.senderReport(now); ok {
		sr.Reports = first
		packets = append(packets, sr)
	} else {
		packets = append(packets, &rtcp.ReceiverReport{SSRC: r.ssrc(), Reports: first})
	}
	if rest := blocks[len(first):]; len(rest) > 0 {
		packets = append(packets, &rtcp.ReceiverReport{SSRC: r.ssrc(), Reports: rest})
	}
	r.reports.write(packets)
}

func (r *receiver) senderReport(now time.Time) (*rtcp.SenderReport, bool) {
	if r.mic == nil {
		return nil, false
	}
	packets, octets, timestamp, ok := r.mic.totals(now)
	return &rtcp.SenderReport{
		SSRC: r.mic.ssrc.Load(), NTPTime: repair.NTP(now), RTPTime: timestamp, PacketCount: packets, OctetCount: octets,
	}, ok
}

// senderReport is what is known of the server's last report on a slot, and the round trip
// to it. The goroutine that reads RTCP writes, the one that reads RTP asks.
type senderReport struct {
	mu  sync.Mutex // guards the fields below
	ntp uint32     // the middle of the report's NTP timestamp
	at  time.Time  // when it came
	rtt time.Duration
}

func (s *senderReport) note(ntp uint32, now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ntp, s.at = ntp, now
}

// last returns what a report has to say of it (RFC 3550, section 6.4.1).
func (s *senderReport) last(now time.Time) (ntp, delay uint32) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.at.IsZero() {
		return 0, 0
	}
	return s.ntp, repair.Ticks(now.Sub(s.at), repair.DelayRate)
}

func (s *senderReport) setRoundTrip(rtt time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.rtt = rtt
}

func (s *senderReport) roundTrip() time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.rtt
}

// feedback is where pion writes the RTCP packets that name one SSRC: a compound that names
// several comes several times.
type feedback struct {
	noReader

	receiver *receiver
	ssrc     uint32
}

// Write takes one decrypted compound packet. It never fails: pion would log it and go on.
func (f *feedback) Write(packet []byte) (int, error) {
	if compound, err := repair.ParseRTCP(packet); err == nil {
		f.take(compound)
	}
	return len(packet), nil
}

func (f *feedback) take(compound repair.Compound) {
	r := f.receiver
	now := r.now()
	for p := range compound.Packets() {
		switch {
		case p.Kind == repair.KindNACK:
			if r.mic == nil || p.Media != r.mic.ssrc.Load() || f.ssrc != p.Media {
				continue
			}
			for seq := range p.Numbers() {
				r.mic.resend(seq, now)
			}
		case p.FromSender && p.Sender == f.ssrc:
			if slot := r.bySSRC[p.Sender]; slot != nil {
				slot.sender.note(p.NTP, now)
			}
		}
		for block := range p.Blocks() {
			if r.mic != nil && block.SSRC == r.mic.ssrc.Load() && f.ssrc == block.SSRC {
				r.heard(&block, now)
			}
		}
	}
}

// heard takes what the server reports of the microphone.
func (r *receiver) heard(block *repair.ReportBlock, now time.Time) {
	r.mic.reported(float64(block.FractionLost) / 256)
	rtt, ok := block.RTT(uint32(repair.NTP(now) >> 16)) //nolint:gosec // the middle 32 bits are meant
	if !ok {
		return
	}
	for _, slot := range r.byMID {
		slot.sender.setRoundTrip(rtt)
	}
}

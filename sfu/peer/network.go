package peer

import (
	"sync"
	"time"

	"github.com/mini-livechat/mini-livechat/sfu/repair"
)

// Network is what the reports of both sides say of a client's network. Zero values mean
// that nothing was reported yet.
type Network struct {
	// RTT is the smoothed round trip time.
	RTT time.Duration
	// LossUp and LossDown are the fractions of packets, 0 to 1, lost before the last report
	// on the way from the client and to it. What was recovered counts as lost.
	LossUp, LossDown float64
	// JitterUp and JitterDown are the interarrival jitters (RFC 3550, section 6.4.1), down
	// that of the worst slot.
	JitterUp, JitterDown time.Duration
	// Redundancy is how many redundant blocks the packets to the client carry, if RED was
	// negotiated.
	Redundancy int
	// UpAt is when LossUp was last taken, and ConfirmedAt when a report of the client's was last about packets that it had not
	// reported of before.
	UpAt, ConfirmedAt time.Time
	// UpReports is how many LossUp there were so far, and UpLosses their sum; LostDown is how many of SentDown packets were lost on the
	// way to the client so far.
	UpReports          int64
	UpLosses           float64
	SentDown, LostDown int64
}

// rttShare is how much of a new round trip goes into the smoothed one (RFC 6298).
const rttShare = 8

// network keeps a Network up to date. Its methods may be called from any goroutine.
type network struct {
	observer Observer

	mu    sync.Mutex // guards the fields below
	state Network
	// What a receiver report has to say of the last sender report (RFC 3550, section
	// 6.4.1): the middle of its NTP timestamp, and when it came.
	senderNTP uint32
	senderAt  time.Time
}

// sent notes a sender report of the client.
func (n *network) sent(ntp uint32, now time.Time) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.senderNTP, n.senderAt = ntp, now
}

// received notes what is reported to the client of its packets, and returns what that
// report has to say of the client's last one.
func (n *network) received(r *repair.Reception, now time.Time) (lastReport, delay uint32) {
	loss, jitter := float64(r.FractionLost)/256, fromTicks(r.Jitter)
	n.observer.Reported(true, loss, jitter)
	n.mu.Lock()
	defer n.mu.Unlock()
	n.state.UpReports++
	n.state.UpLosses += loss
	n.state.LossUp, n.state.JitterUp, n.state.UpAt = loss, jitter, now
	if n.senderAt.IsZero() {
		return 0, 0
	}
	return n.senderNTP, repair.Ticks(now.Sub(n.senderAt), repair.DelayRate)
}

// heard notes what the client reports of the packets to it.
func (n *network) heard(sent, lost int64, jitter uint32, redundancy int) {
	loss := float64(lost) / float64(sent)
	n.observer.Reported(false, loss, fromTicks(jitter))
	n.mu.Lock()
	defer n.mu.Unlock()
	n.state.SentDown += sent
	n.state.LostDown += lost
	n.state.LossDown, n.state.JitterDown, n.state.Redundancy = loss, fromTicks(jitter), redundancy
}

// confirmed notes that the client reported of packets that it had not reported of before.
func (n *network) confirmed(now time.Time) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.state.ConfirmedAt = now
}

// roundTrip notes a measured round trip.
func (n *network) roundTrip(rtt time.Duration) {
	n.observer.RoundTrip(rtt)
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.state.RTT == 0 {
		n.state.RTT = rtt
	}
	n.state.RTT += (rtt - n.state.RTT) / rttShare
}

// rtt returns the smoothed round trip, 0 while it is not known.
func (n *network) rtt() time.Duration {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.state.RTT
}

func fromTicks(ticks uint32) time.Duration {
	return time.Duration(ticks) * time.Second / opusClockRate
}

func (n *network) read() Network {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.state
}

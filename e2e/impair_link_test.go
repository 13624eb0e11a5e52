package e2e

import (
	"math/rand/v2"
	"time"
)

// impairment is what a network does to packets in one direction. The zero value does
// nothing.
type impairment struct {
	// loss is the fraction of packets lost, 0 to 1.
	loss float64
	// burst is the mean number of packets lost in a row, by the model of Gilbert: after a
	// lost packet the next is lost with probability 1-1/burst. Up to 1 losses are
	// independent of each other.
	burst float64
	// delay is how long each packet takes, jitter the most that is added to it at random.
	// Packets do not overtake each other by jitter alone.
	delay, jitter time.Duration
	// reorder is the fraction of packets that take longer by reorderDelay, and so are
	// overtaken.
	reorder float64
	// duplicate is the fraction of packets that come twice.
	duplicate float64
	// blackout begins blackoutAfter, measured from the link's first packet, and lasts so
	// long: everything is lost.
	blackoutAfter, blackout time.Duration
}

// reorderDelay is longer than two frames.
const reorderDelay = 50 * time.Millisecond

// link applies an impairment to one packet after the other. It is pure: the seed, the
// packets before, and now decide. Not safe for concurrent use.
type link struct {
	impairment

	random  *rand.Rand
	losing  bool      // the last packet was lost
	started time.Time // first packet
	last    time.Time // when the newest packet arrives that was not held back
}

func newLink(i impairment, seed uint64) *link {
	return &link{impairment: i, random: rand.New(rand.NewPCG(seed, 0x105))}
}

// carry returns when the packet that is sent now arrives: never, once, or twice.
func (l *link) carry(now time.Time) []time.Time {
	if l.started.IsZero() {
		l.started = now
	}
	if l.lose() {
		return nil
	}
	if since := now.Sub(l.started) - l.blackoutAfter; since >= 0 && since < l.blackout {
		return nil
	}
	at := now.Add(l.delay)
	if l.jitter > 0 {
		at = at.Add(time.Duration(l.random.Int64N(int64(l.jitter))))
	}
	if at.Before(l.last) {
		at = l.last
	}
	if l.random.Float64() < l.reorder {
		at = at.Add(reorderDelay)
	} else {
		l.last = at
	}
	if l.random.Float64() < l.duplicate {
		return []time.Time{at, at}
	}
	return []time.Time{at}
}

// lose decides on one packet: with bursts, a chain of two states whose share of lost
// packets is loss.
func (l *link) lose() bool {
	chance := l.loss
	if l.burst > 1 && l.loss < 1 {
		stop := 1 / l.burst
		if l.losing {
			chance = 1 - stop
		} else {
			chance = l.loss * stop / (1 - l.loss)
		}
	}
	l.losing = l.random.Float64() < chance
	return l.losing
}

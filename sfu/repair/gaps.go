package repair

import (
	"slices"
	"time"
)

const (
	// maxMissing is how many missing packets are kept track of, the newest ones: as many
	// as a sender keeps, and as fit into an SRTP receiver's replay window. A larger gap is
	// an interruption, of which nothing is asked for.
	maxMissing = 64
	// maxRequests is how often one packet is asked for.
	maxRequests = 5
	// requestFor is how long after its absence was noticed a packet is asked for. A jitter
	// buffer that waited longer would be heard as delay.
	requestFor = 200 * time.Millisecond
	// minPace is the least time between two requests for one packet, defaultRTT the round
	// trip assumed before one was measured.
	minPace    = 20 * time.Millisecond
	defaultRTT = 100 * time.Millisecond
	// maxAhead is how many packets are asked for that nothing shows to have been sent.
	maxAhead = 8
)

// Gaps keeps track of the packets of one RTP stream that did not arrive, and says which of
// them to ask for. The zero value has received nothing. It takes memory only once something is
// missing, and keeps it for the next time.
type Gaps struct {
	started bool
	highest uint16
	rtt     time.Duration // 0: not known
	// missing is ordered by sequence number; at most maxMissing.
	missing []absent
	// ahead are the packets after highest that were asked for all the same; at most maxAhead.
	ahead []absent
}

// absent is one missing packet.
type absent struct {
	seq      uint16
	requests uint8
	noticed  time.Time
	asked    time.Time // last request
}

// Reset forgets the stream but not the round trip: the next packet is a new beginning.
func (g *Gaps) Reset() { g.started, g.missing, g.ahead = false, g.missing[:0], g.ahead[:0] }

// SetRTT tells the measured round trip time, which paces the requests.
func (g *Gaps) SetRTT(rtt time.Duration) { g.rtt = rtt }

// Receive notes that a packet is here: received, or recovered from redundancy. It reports
// whether that packet had been asked for, in which case it was lost before and says
// nothing of the network. A jump ahead is a new beginning; for one back, call Reset.
func (g *Gaps) Receive(seq uint16, now time.Time) (requested bool) {
	step := int(int16(seq - g.highest)) //nolint:gosec // modular difference, RFC 1982
	switch {
	case !g.started || step > maxMissing:
		g.Reset()
		g.started, g.highest = true, seq
		return false
	case step > 0:
		for i := range step - 1 {
			if i < len(g.ahead) {
				g.add(g.ahead[i])
			} else {
				g.add(absent{seq: g.highest + 1 + uint16(i), noticed: now})
			}
		}
		g.ahead = slices.Delete(g.ahead, 0, min(step, len(g.ahead)))
		g.highest = seq
		return false
	default:
		return g.remove(seq, now)
	}
}

// Lacks reports whether the packet is one to wait for: it did not arrive, and others show
// that it was sent, or would if the packet with number newer came in.
func (g *Gaps) Lacks(seq, newer uint16) bool {
	if !g.started {
		return false
	}
	if ahead := seq - g.highest; ahead != 0 && ahead < newer-g.highest && newer-g.highest <= maxMissing {
		return true
	}
	return slices.ContainsFunc(g.missing, func(m absent) bool { return m.seq == seq })
}

// Complete reports whether nothing is missing.
func (g *Gaps) Complete() bool { return len(g.missing) == 0 }

// Due appends to dst the numbers to ask for now and notes that they are asked for. It is
// to be called when packets arrive; without any there is no sign of a gap either.
func (g *Gaps) Due(now time.Time, dst []uint16) []uint16 {
	kept := g.missing[:0]
	for _, m := range g.missing {
		if now.Sub(m.noticed) > requestFor || g.highest-m.seq >= maxMissing {
			continue
		}
		if m.requests < maxRequests && (m.requests == 0 || now.Sub(m.asked) >= g.pace()) {
			m.requests++
			m.asked = now
			dst = append(dst, m.seq)
		}
		kept = append(kept, m)
	}
	g.missing = kept
	return dst
}

// Overdue is Due for when nothing comes although n packets should have since the newest: it
// appends the numbers of these, at most eight, and notes that they are asked for. If they
// were never sent, nobody answers.
func (g *Gaps) Overdue(now time.Time, n int, dst []uint16) []uint16 {
	if !g.started {
		return dst
	}
	for i := range min(n, maxAhead) {
		if i >= len(g.ahead) {
			g.ahead = append(g.ahead, absent{seq: g.highest + 1 + uint16(i), noticed: now})
		}
		if m := &g.ahead[i]; m.requests < maxRequests && (m.requests == 0 || now.Sub(m.asked) >= g.pace()) {
			m.requests++
			m.asked = now
			dst = append(dst, m.seq)
		}
	}
	return dst
}

// pace is the time between two requests for one packet.
func (g *Gaps) pace() time.Duration {
	if g.rtt == 0 {
		return defaultRTT
	}
	return max(g.rtt, minPace)
}

func (g *Gaps) add(m absent) {
	if len(g.missing) == maxMissing {
		g.missing = slices.Delete(g.missing, 0, 1)
	}
	g.missing = append(g.missing, m)
}

func (g *Gaps) remove(seq uint16, now time.Time) (requested bool) {
	for i, m := range g.missing {
		if m.seq != seq {
			continue
		}
		// What comes sooner than an answer could was only overtaken.
		requested = m.requests > 0 && now.Sub(m.noticed) >= g.rtt*3/4
		if requested && g.rtt == 0 && m.requests == 1 {
			// The first estimate; what RTCP measures replaces it.
			g.rtt = now.Sub(m.asked)
		}
		g.missing = slices.Delete(g.missing, i, i+1)
		return requested
	}
	return false
}

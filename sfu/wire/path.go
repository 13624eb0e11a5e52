package wire

import (
	"net/netip"
	"slices"
	"time"
)

// path is where one peer is: the flows it was checked on, and the pair it nominated. It decides and does nothing: it has
// neither clock, lock nor socket, and its methods say what is to be done.
type path struct {
	flows []checkedFlow // at most maxPaths
	// bound is the nominated pair; zero before the first, and after it was lost.
	bound flow
	// local is our end of bound, where the socket group has several; one remote end may know us by two.
	local netip.Addr
	// claim is when bound was last checked; zero: it has no claim to be kept.
	claim time.Time
	// expired: bound was not checked for so long that nothing may be sent to it.
	expired bool
	// settled: the peer has nominated a pair once, so that it may not do so again where it moves.
	settled bool
	// stray is where authentic packets came from that was not checked, if that was after the last check on bound.
	stray flow
}

// flow is the remote end of a packet and the listen address it came in at.
type flow struct {
	remote netip.AddrPort
	group  int
}

// none reports whether f is no flow.
func (f flow) none() bool { return !f.remote.IsValid() }

// checkedFlow is a flow and when the peer's last check came on it.
type checkedFlow struct {
	flow

	last time.Time
}

// move says what a check changes. That packets on its flow are the peer's goes without saying.
type move struct {
	send   bool // to the check's flow, from now on
	forget flow // packets on it are no longer the peer's; may be none
}

// check takes an authenticated check that came on f, to a local address.
func (p *path) check(now time.Time, f flow, local netip.Addr, nominated bool) move {
	m := move{forget: p.note(now, f)}
	switch {
	case f == p.bound && local == p.local:
		m.send, p.expired = p.expired, false
		p.claim, p.stray = now, flow{}
	case nominated, p.settled && (f == p.stray || now.Sub(p.claim) > pairSilence):
		// Not nominated, but the pair that was gives no sign of life, or the peer's media comes from elsewhere: a NAT has
		// given the peer another address (RFC 8445 §7.3.1.3 calls it peer-reflexive), and full agents that nominate once do
		// not say so again.
		p.bound, p.local, p.claim, p.expired, p.settled, p.stray = f, local, now, false, true, flow{}
		m.send = true
	}
	return m
}

// note keeps f among the flows, and returns the one that has to go for it: a peer that checks on ever new ones loses
// that which it has not checked for longest.
func (p *path) note(now time.Time, f flow) (forget flow) {
	if i := p.index(f); i >= 0 {
		p.flows[i].last = now
		return flow{}
	}
	if len(p.flows) >= maxPaths {
		oldest := -1
		for i, known := range p.flows {
			if known.flow != p.bound && (oldest < 0 || known.last.Before(p.flows[oldest].last)) {
				oldest = i
			}
		}
		forget = p.flows[oldest].flow
		p.flows = slices.Delete(p.flows, oldest, oldest+1)
	}
	p.flows = append(p.flows, checkedFlow{f, now})
	return forget
}

func (p *path) index(f flow) int {
	return slices.IndexFunc(p.flows, func(known checkedFlow) bool { return known.flow == f })
}

// restart takes from the nominated pair its claim to be kept: the peer goes on with other credentials (RFC 8445 §9).
func (p *path) restart() { p.claim = time.Time{} }

// expire reports, once, that nothing may be sent any more, because the peer has not consented to it for too long
// (RFC 7675 §5.1). The checks of the peer are its consent; a lite agent makes none. The next one on the pair renews it.
func (p *path) expire(now time.Time) (stop bool) {
	if p.bound.none() || p.expired || now.Sub(p.claim) < ConsentLifetime-sweepInterval {
		return false
	}
	p.expired = true
	return true
}

// holds reports whether f is the peer's, so that no other may have it: a check came on it lately. Who is silent, because
// a NAT has given its mapping to another, holds nothing.
func (p *path) holds(now time.Time, f flow) bool {
	i := p.index(f)
	return i >= 0 && now.Sub(p.flows[i].last) < addressHold
}

// lose takes note that f has become another peer's. It reports whether nothing may be sent to it any more. The next check
// on any flow says where the peer is then.
func (p *path) lose(f flow) (stop bool) {
	if i := p.index(f); i >= 0 {
		p.flows = slices.Delete(p.flows, i, i+1)
	}
	if f != p.bound {
		return false
	}
	p.bound, p.claim, p.expired = flow{}, time.Time{}, false
	return true
}

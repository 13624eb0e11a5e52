package wire

import (
	"encoding/binary"
	"net/netip"
	"sync"
	"time"

	"github.com/mini-livechat/mini-livechat/sfu/rtp"
)

// A NAT may give a peer another address in mid-talk, of which the peer knows nothing: its next check, which says so, comes
// after seconds. What it says meanwhile need not be lost. An SRTP packet from where nobody was checked is tried with the
// keys of the endpoint that has sent its SSRC before; if it authenticates, the flow is that endpoint's. Nothing is sent
// there before a check consents to it (RFC 7675).

const (
	// straySSRCs is by how many of its SSRCs an endpoint is known. Usual ones have one.
	straySSRCs = 4
	// strayGuesses is how many packets in a guessInterval may be tried of an endpoint: one is enough, unless others forge it.
	strayGuesses = 32
)

// strays knows the endpoints by the SSRCs that authenticated.
type strays struct {
	mu     sync.Mutex
	owners map[uint32]*Endpoint // guarded by mu
}

// wanderer is how an endpoint is known to strays, whose mu guards it.
type wanderer struct {
	ssrcs   []uint32
	guesses guesses
}

// add takes note that an SSRC of ep has authenticated. Of two endpoints with the same, the last one has it.
func (s *strays) add(ssrc uint32, ep *Endpoint) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if ep.srtp.incoming.Load() == nil || len(ep.wanderer.ssrcs) == straySSRCs { // nil: it has closed, and is being removed
		return
	}
	if s.owners == nil {
		s.owners = make(map[uint32]*Endpoint)
	}
	ep.wanderer.ssrcs = append(ep.wanderer.ssrcs, ssrc)
	s.owners[ssrc] = ep
}

// remove forgets an endpoint that has closed.
func (s *strays) remove(ep *Endpoint) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, ssrc := range ep.wanderer.ssrcs {
		if s.owners[ssrc] == ep {
			delete(s.owners, ssrc)
		}
	}
	ep.wanderer.ssrcs = nil
}

// find returns the endpoint whose keys are worth trying with a packet, or nil.
func (s *strays) find(packet []byte, now time.Time) *Endpoint {
	if len(packet) < rtp.FixedLen {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	ep := s.owners[binary.BigEndian.Uint32(packet[8:])]
	if ep == nil || !ep.wanderer.guesses.take(strayGuesses, now) {
		return nil
	}
	return ep
}

// stray takes an SRTP packet from where nobody was checked. It reports whether it was somebody's.
func (l *loop) stray(packet []byte, from netip.AddrPort, now time.Time) bool {
	ep := l.engine.strays.find(packet, now)
	if ep == nil || !l.deliver(ep, kindRTP, packet, now) {
		return false
	}
	ep.wander(flow{from, l.group.index}, now)
	return true
}

// wander takes note that authentic packets come on a flow that was not checked.
func (ep *Endpoint) wander(f flow, now time.Time) {
	ep.mu.Lock()
	defer ep.mu.Unlock()
	t := &ep.engine.table
	if ep.closed || t.lookup(f) != nil { // or checked meanwhile
		return
	}
	t.put(f, ep)
	if forget := ep.path.heard(now, f); !forget.none() {
		t.remove(forget, ep)
	}
	ep.engine.stat.strays.Add(1)
}

// heard takes note of authentic packets on a flow that was not checked, so that a check there moves the peer. It returns a
// flow that has to go for it.
func (p *path) heard(now time.Time, f flow) (forget flow) {
	p.stray = f
	return p.note(now, f)
}

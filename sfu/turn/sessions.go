package turn

import (
	"errors"
	"net"
	"net/netip"
	"slices"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// Why a relay is not made. pion answers 508 (Insufficient Capacity) to them; what the
// quota handler sees first it answers with 486 (Allocation Quota Reached).
var (
	errNoSession = errors.New("the session has ended")
	errQuota     = errors.New("allocation quota reached")
)

// sessions knows who may relay and what they hold.
type sessions struct {
	perSession, total int
	bytesPerSecond    int

	mu     sync.Mutex // guards the fields below and those of every session
	live   map[string]*session
	relays int // of all sessions
	// peers counts the sessions and relays that lead to an address.
	peers  map[netip.Addr]int
	closed bool
}

// session is one signalling session that was admitted.
type session struct {
	relays map[*relay]struct{}
	// v4 and v6 are the media port as the client knows it; not valid where it does not.
	v4, v6 netip.AddrPort
	// bytes bounds what is relayed, both directions together.
	bytes *rate.Limiter
}

func newSessions(cfg Config) *sessions {
	return &sessions{
		perSession: cfg.AllocationsPerSession, total: cfg.Allocations, bytesPerSecond: cfg.BytesPerSecond,
		live: make(map[string]*session), peers: make(map[netip.Addr]int),
	}
}

// enter makes the session live and sets where its relays to come lead: to the first
// address of each family.
func (s *sessions) enter(id string, at []netip.AddrPort) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return
	}
	entered := s.live[id]
	if entered == nil {
		entered = &session{
			relays: make(map[*relay]struct{}),
			// A burst of a second: a browser sends what it has in bunches.
			bytes: rate.NewLimiter(rate.Limit(s.bytesPerSecond), s.bytesPerSecond),
		}
		s.live[id] = entered
	}
	s.leadLocked(entered.v4, -1)
	s.leadLocked(entered.v6, -1)
	entered.v4, entered.v6 = firstOf(at, netip.Addr.Is4), firstOf(at, netip.Addr.Is6)
	s.leadLocked(entered.v4, +1)
	s.leadLocked(entered.v6, +1)
}

// firstOf returns the first address of a family, or one that is not valid.
func firstOf(addrs []netip.AddrPort, family func(netip.Addr) bool) netip.AddrPort {
	i := slices.IndexFunc(addrs, func(a netip.AddrPort) bool { return family(a.Addr()) })
	if i < 0 {
		return netip.AddrPort{}
	}
	return addrs[i]
}

// leadLocked notes that one session or relay more (+1) or less (-1) leads to an address.
func (s *sessions) leadLocked(to netip.AddrPort, change int) {
	if !to.IsValid() {
		return
	}
	if s.peers[to.Addr()] += change; s.peers[to.Addr()] == 0 {
		delete(s.peers, to.Addr())
	}
}

// leadTo reports whether any session's relay leads, or may lead, to an address.
func (s *sessions) leadTo(addr netip.Addr) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.peers[addr] > 0
}

// peer is the media port as the session's client knows it; not valid when it does not, or
// when the session has ended.
func (s *sessions) peer(id string, v4 bool) netip.AddrPort {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch live := s.live[id]; {
	case live == nil:
		return netip.AddrPort{}
	case v4:
		return live.v4
	default:
		return live.v6
	}
}

// end makes the session unknown and closes what it holds.
func (s *sessions) end(id string) {
	s.mu.Lock()
	ended := s.live[id]
	delete(s.live, id)
	if ended != nil {
		s.leadLocked(ended.v4, -1)
		s.leadLocked(ended.v6, -1)
	}
	s.mu.Unlock()
	if ended == nil {
		return
	}
	// Nothing is added to it any more, but release takes away.
	for _, r := range s.held(ended) {
		_ = r.Close()
	}
}

// endAll ends every session and refuses new ones.
func (s *sessions) endAll() {
	s.mu.Lock()
	s.closed = true
	ids := make([]string, 0, len(s.live))
	for id := range s.live {
		ids = append(ids, id)
	}
	s.mu.Unlock()
	for _, id := range ids {
		s.end(id)
	}
}

// held returns a copy of the list of a session's relays.
func (s *sessions) held(of *session) []*relay {
	s.mu.Lock()
	defer s.mu.Unlock()
	relays := make([]*relay, 0, len(of.relays))
	for r := range of.relays {
		relays = append(relays, r)
	}
	return relays
}

// mayStart reports whether credentials that expire at the given time let the session
// allocate.
func (s *sessions) mayStart(id string, expires, now time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.live[id] != nil && now.Before(expires)
}

// mayKeep reports whether credentials that expire at the given time let the session keep
// what it has. Expiry alone ends no allocation, because a browser goes on refreshing with
// the credentials it began with; the end of the session does.
func (s *sessions) mayKeep(id string, expires, now time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	live := s.live[id]
	return live != nil && (now.Before(expires) || len(live.relays) > 0)
}

// room reports whether the session could hold one more relay. The answer may be out of
// date at once; acquire decides.
func (s *sessions) room(id string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	live := s.live[id]
	return live != nil && len(live.relays) < s.perSession && s.relays < s.total
}

// acquire counts r as the session's and gives it the session's rate limit.
func (s *sessions) acquire(id string, r *relay) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	live := s.live[id]
	if live == nil {
		return errNoSession
	}
	if len(live.relays) >= s.perSession || s.relays >= s.total {
		return errQuota
	}
	live.relays[r] = struct{}{}
	s.relays++
	s.leadLocked(r.peer, +1)
	r.session, r.bytes = live, live.bytes
	return nil
}

// release forgets r. Releasing twice is fine.
func (s *sessions) release(r *relay) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, held := r.session.relays[r]; !held {
		return
	}
	delete(r.session.relays, r)
	s.relays--
	s.leadLocked(r.peer, -1)
}

// channelCreated notes a channel binding of the relay that clients know as relayed. One
// with too many is closed.
func (s *sessions) channelCreated(id string, relayed net.Addr) {
	s.mu.Lock()
	var excess *relay
	if live := s.live[id]; live != nil {
		for r := range live.relays {
			if r.relayed.String() != relayed.String() {
				continue
			}
			if r.channels++; r.channels > maxChannels {
				excess = r
			}
		}
	}
	s.mu.Unlock()
	if excess != nil {
		_ = excess.Close()
	}
}

// count returns how many relays there are.
func (s *sessions) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.relays
}

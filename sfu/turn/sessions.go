package turn

import (
	"errors"
	"net"
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
	closed bool
}

// session is one signalling session that was admitted.
type session struct {
	relays map[*relay]struct{}
	// bytes bounds what is relayed, both directions together.
	bytes *rate.Limiter
}

func newSessions(cfg Config) *sessions {
	return &sessions{
		perSession: cfg.AllocationsPerSession, total: cfg.Allocations, bytesPerSecond: cfg.BytesPerSecond,
		live: make(map[string]*session),
	}
}

// enter makes the session live, unless it is already.
func (s *sessions) enter(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed || s.live[id] != nil {
		return
	}
	s.live[id] = &session{
		relays: make(map[*relay]struct{}),
		// A burst of a second: a browser sends what it has in bunches.
		bytes: rate.NewLimiter(rate.Limit(s.bytesPerSecond), s.bytesPerSecond),
	}
}

// end makes the session unknown and closes what it holds.
func (s *sessions) end(id string) {
	s.mu.Lock()
	ended := s.live[id]
	delete(s.live, id)
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
// allocate, and mayKeep whether they let it keep what it has. Expiry alone ends no
// allocation, because a browser goes on refreshing with the credentials it began with;
// the end of the session does.
func (s *sessions) mayStart(id string, expires, now time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.live[id] != nil && now.Before(expires)
}

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

package signaling

import (
	"time"

	"github.com/mini-livechat/mini-livechat/signaling/protocol"
)

// unstableAfter is how long a session is without a connection before the others see it: a
// change of networks is over by then.
const unstableAfter = 3 * time.Second

// absence is the time a session is without a connection. The zero value is none.
type absence struct {
	since time.Time
	timer *time.Timer
}

// end ends the absence, if there is one.
func (a *absence) end() {
	if a.timer != nil {
		a.timer.Stop()
	}
	*a = absence{}
}

// detach is called by a Conn's reader when it has ended. The session waits for another one
// for the resume window, unless the client said farewell or did what no client should.
func (s *Session) detach(c *Conn) {
	window := s.gw.cfg.ResumeWindow
	s.mu.Lock()
	if s.conn != c {
		s.mu.Unlock()
		return
	}
	s.conn = nil
	if s.ended || window <= 0 || !c.cameToGrief() || !s.gw.keepsAnother() {
		s.ended = true
		s.mu.Unlock()
		s.finish()
		return
	}
	since := time.Now()
	s.absence.since = since
	s.absence.timer = time.AfterFunc(min(unstableAfter, window), func() {
		s.gw.guard("absence", func() { s.stillAway(since, window) })
	})
	s.mu.Unlock()
}

// awayFor is how long the session has been without a connection; 0: it has one.
func (s *Session) awayFor(now time.Time) time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.conn != nil || s.absence.since.IsZero() {
		return 0
	}
	return max(now.Sub(s.absence.since), 1)
}

// stillAway shows the others that the session has lost its connection, and ends it when the
// resume window is over.
func (s *Session) stillAway(since time.Time, window time.Duration) {
	s.mu.Lock()
	if s.ended || !s.absence.since.Equal(since) {
		s.mu.Unlock()
		return
	}
	left := window - time.Since(since)
	if left > 0 {
		s.absence.timer.Reset(left)
	}
	s.mu.Unlock()
	if left <= 0 {
		s.gw.cfg.Tally.Count("session_expired")
		s.end(protocol.CloseTimedOut)
		return
	}
	s.turn.Lock()
	defer s.turn.Unlock()
	if s.attached() == nil {
		s.showUnstable(true)
	}
}

// showUnstable tells the others whether the session's connection is lost. The caller holds
// turn.
func (s *Session) showUnstable(unstable bool) {
	if m := s.member.Load(); m != nil {
		m.SetUnstable(unstable)
	}
}

// cameToGrief reports whether the connection, which has ended, broke, or was given up because
// nothing was heard of the client.
func (c *Conn) cameToGrief() bool {
	code, _ := c.ended()
	return !c.farewell && (code == 0 || code == protocol.CloseTimedOut)
}

// keepsAnother reports whether there is room for a session without a connection: together
// there are no more sessions than there may be connections.
func (g *Gateway) keepsAnother() bool {
	if g.users.Len() > g.cfg.MaxSessions {
		g.cfg.Tally.Count("session_no_room")
		return false
	}
	return true
}

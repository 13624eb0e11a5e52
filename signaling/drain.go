package signaling

import (
	"context"
	"math/rand/v2"
	"slices"
	"time"

	"go.uber.org/zap"

	"github.com/mini-livechat/mini-livechat/signaling/protocol"
)

const (
	// comeBackPace is how much time there is for each session to come back. To make a session, its
	// media and what the others are told of it takes the server some milliseconds of one core.
	comeBackPace = 5 * time.Millisecond
	// drainPoll is how often Drain looks whether everything was written.
	drainPoll = 10 * time.Millisecond
	// drainedAgainAfter is when a join that was refused is worth another try: few drains last longer.
	drainedAgainAfter = time.Second
)

// Draining reports whether the server is about to go, and lets nobody in.
func (g *Gateway) Draining() bool { return g.draining.Load() }

// Drain begins the end, before Shutdown. From now on every IDENTIFY and RESUME is refused with
// CloseDraining and every CHANNEL_JOIN with CodeDraining; all else goes on. Everybody who has a
// connection is told to come back when it closes, each after a time of their own, of most at most.
// Drain returns when that was written to all connections, or when ctx is done: told is how many
// there were, and unread how many have not taken it yet.
//
// One who identifies at this very moment may be told nothing but the close code.
func (g *Gateway) Drain(ctx context.Context, most time.Duration) (told, unread int) {
	g.draining.Store(true)
	sessions := g.users.All()
	// Those who have no connection now come back as well.
	spread := comeBackSpread(len(sessions), most)
	waiting := slices.DeleteFunc(sessions, func(s *Session) bool { return !s.reconnect(spread) })
	told = len(waiting)
	tick := time.NewTicker(drainPoll)
	defer tick.Stop()
	for {
		waiting = slices.DeleteFunc(waiting, func(s *Session) bool { return s.out.settled() })
		if len(waiting) == 0 {
			return told, 0
		}
		select {
		case <-ctx.Done():
			return told, len(waiting)
		case <-tick.C:
		}
	}
}

// Undrain lets people in again, after a Drain that was not followed by the end.
func (g *Gateway) Undrain() { g.draining.Store(false) }

// comeBackSpread is the time over which so many sessions come back.
func comeBackSpread(sessions int, most time.Duration) time.Duration {
	return min(time.Duration(sessions)*comeBackPace, most)
}

// reconnect tells the client to come back at some time within spread after the end of its
// connection. It reports false when there is none.
func (s *Session) reconnect(spread time.Duration) bool {
	if s.attached() == nil {
		return false
	}
	event, err := protocol.EncodeBody(protocol.OpReconnect, protocol.Reconnect{
		Reason:  protocol.ReconnectRestart,
		AfterMS: rand.N(spread + 1).Milliseconds(), //nolint:gosec // spreads load, hides nothing
	})
	if err != nil {
		s.log.Error("event lost", zap.Error(err))
		return false
	}
	s.out.event(event)
	return true
}

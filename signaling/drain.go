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
	// movePace is how much time there is for each session to go to another node. Nobody waits for it, since all hear each other meanwhile; so
	// there is more of it, and the other nodes stay as quick as they are for those who are there.
	movePace = 15 * time.Millisecond
	// arriveWithin is how long somebody may take from closing the connection here until there is a session at another node.
	arriveWithin = time.Second
	// balancerPatience is how long a balancer, whose name all nodes have, may take to see that it is to send nobody here any more.
	balancerPatience = 1500 * time.Millisecond
	// drainPoll is how often Drain looks whether everything was written.
	drainPoll = 10 * time.Millisecond
	// drainedAgainAfter is when a join that was refused is worth another try: few drains last longer.
	drainedAgainAfter = time.Second
)

// Draining reports whether the server is about to go, and lets nobody in.
func (g *Gateway) Draining() bool { return g.draining.Load() }

// shut says why nobody is let in, or nil: the server is about to go, or does not know yet what the others do, as who is banned.
func (g *Gateway) shut() error {
	if g.Draining() {
		return errDraining
	}
	return g.Behind()
}

// Behind says what this node does not know yet of the others, or nil: what they keep, as who is banned, or who is with them. Nobody is let in so long.
func (g *Gateway) Behind() error {
	if err := g.cfg.Store.Behind(); err != nil {
		return err
	}
	return g.others.behind(time.Now())
}

// Drain begins the end, before Shutdown. From now on every IDENTIFY and RESUME is refused with
// CloseDraining and every CHANNEL_JOIN with CodeDraining; all else goes on. Everybody who has a
// connection is told to come back when it closes, each after a time of their own, of most at most.
// Drain returns when that was written to all connections, or when ctx is done: told is how many
// there were, and unread how many have not taken it yet.
//
// Where another node takes people, they are told to go there now, one after the other, and Drain returns when they have gone: unread
// is how many have not.
//
// One who identifies at this very moment may be told nothing but the close code.
func (g *Gateway) Drain(ctx context.Context, most time.Duration) (told, unread int) {
	g.draining.Store(true)
	sessions := g.users.All()
	// Those who have no connection now come back as well.
	spread := comeBackSpread(len(sessions), most)
	left := func(s *Session) bool { return s.out.settled() }
	if others := g.Refuges(); len(others) > 0 {
		sessions = g.sendAway(ctx, sessions, others, moveSpread(ctx, len(sessions), most))
		left = func(s *Session) bool { return s.over() || s.movedAway(time.Now()) }
	} else {
		sessions = slices.DeleteFunc(sessions, func(s *Session) bool { return !s.reconnect(rand.N(spread+1), "") }) //nolint:gosec // spreads load
	}
	told = len(sessions)
	tick := time.NewTicker(drainPoll)
	defer tick.Stop()
	for {
		sessions = slices.DeleteFunc(sessions, left)
		if len(sessions) == 0 || !g.Draining() {
			return told, 0
		}
		select {
		case <-ctx.Done():
			return told, len(sessions)
		case <-tick.C:
		}
	}
}

// sendAway tells everybody to go to another node, each to the one that is theirs, spread over a time, and returns who was told.
func (g *Gateway) sendAway(ctx context.Context, sessions []*Session, others []string, spread time.Duration) (told []*Session) {
	began, here := time.Now(), g.others.page()
	for i, s := range sessions {
		pause := time.NewTimer(time.Until(began.Add(spread * time.Duration(i) / time.Duration(len(sessions)))))
		select {
		case <-ctx.Done():
		case <-pause.C:
		}
		pause.Stop()
		if !g.Draining() {
			break
		}
		to := protocol.NodesFor(s.userID, others)[0]
		if s.reconnect(moveAfter(to, here), to) {
			told = append(told, s)
		}
	}
	return told
}

// moveAfter is when to go to another node's page, from that of this one: at once, unless they have one name, under which a balancer would lead
// back here until it has looked again.
func moveAfter(to, here string) time.Duration {
	if to == here {
		return balancerPatience
	}
	return 0
}

// movedAway reports whether the client has gone to another node, if it ever does: its connection is closed, and its voice goes over the other node too.
func (s *Session) movedAway(now time.Time) bool {
	away := s.awayFor(now)
	if m := s.member.Load(); m == nil || !m.Active() {
		return away > 0
	}
	return away > arriveWithin && !s.superseded.Load()
}

// Undrain lets people in again, after a Drain that was not followed by the end.
func (g *Gateway) Undrain() { g.draining.Store(false) }

// comeBackSpread is the time over which so many sessions come back.
func comeBackSpread(sessions int, most time.Duration) time.Duration {
	return min(time.Duration(sessions)*comeBackPace, most)
}

// moveSpread is the time over which so many sessions are told to go to other nodes: they have as long again to do so before ctx is done.
func moveSpread(ctx context.Context, sessions int, most time.Duration) time.Duration {
	if deadline, ok := ctx.Deadline(); ok {
		most = min(most, time.Until(deadline)/2)
	}
	return max(min(time.Duration(sessions)*movePace, most), 0)
}

// reconnect tells the client to come back so long after the end of its connection, or so long from now at another node's url. It reports false
// when there is no connection.
func (s *Session) reconnect(after time.Duration, url string) bool {
	if s.attached() == nil {
		return false
	}
	event, err := protocol.EncodeBody(protocol.OpReconnect, protocol.Reconnect{
		Reason: protocol.ReconnectRestart, AfterMS: after.Milliseconds(), URL: url,
	})
	if err != nil {
		s.log.Error("event lost", zap.Error(err))
		return false
	}
	if m := s.member.Load(); m != nil && url != "" {
		m.SendAway()
	}
	s.out.event(event)
	return true
}

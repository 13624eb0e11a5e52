package signaling

import (
	"context"
	"slices"
	"time"

	"go.uber.org/zap"

	"github.com/mini-livechat/mini-livechat/sfu/pulse"
	"github.com/mini-livechat/mini-livechat/signaling/protocol"
)

const (
	// aliveInterval is how often each client is given a sign of life, where there are other nodes to go to without one.
	aliveInterval = time.Second
	// alivePhases are the parts of aliveInterval over which the sessions are spread, so that not all is written at once. At each of them much
	// else is done, for which the process wakes anyway.
	alivePhases = 4
)

// Several reports whether the server is more than this node, so that clients are told of others. It may be called from any goroutine.
func (g *Gateway) Several() bool { return g.cfg.Refuges != nil || g.others != nil }

// Refuges returns the URLs of the pages of the other nodes that live and take people, sorted. It may be called from any goroutine.
func (g *Gateway) Refuges() []string {
	if g.cfg.Refuges != nil {
		return g.cfg.Refuges()
	}
	return g.others.urls()
}

// Sites returns the URLs of the pages of all other nodes that are there or have been, sorted: whose page is open goes on here when that node
// is about to go, or is gone. It may be called from any goroutine.
func (g *Gateway) Sites() []string {
	if g.cfg.Refuges != nil {
		return g.cfg.Refuges()
	}
	return g.others.sites()
}

// life is what a session's client was told for the case that this node dies. The zero value is nothing.
type life struct {
	nodes  []string
	alone  bool
	at     whereabouts
	issued time.Time // of the ticket; zero: it has none
}

// RunAlive gives everybody a sign of life, until ctx is done. Where there are no other nodes it returns at once. It may run once.
func (g *Gateway) RunAlive(ctx context.Context) {
	if !g.Several() {
		return
	}
	plain, err := protocol.EncodeBody(protocol.OpAlive, protocol.Alive{})
	if err != nil {
		g.log.Error("no signs of life are given", zap.Error(err))
		return
	}
	ticker := pulse.NewTicker(aliveInterval / alivePhases)
	defer ticker.Stop()
	for phase := 0; ; phase = (phase + 1) % alivePhases {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		for _, s := range g.users.those(func(s *Session) bool { return s.phase() == phase }) {
			g.contain(s.log, "sign of life", func() { s.live(plain) })
		}
	}
}

// phase is the part of aliveInterval in which the session is given its sign of life.
func (s *Session) phase() int { return int(s.id[len(s.id)-1]) % alivePhases }

// live gives the session's client a sign of life: what is news, or the plain one. One who has something to read yet needs none.
func (s *Session) live(plain *protocol.Body) {
	c := s.attached()
	if c == nil || s.out.waiting() > 0 {
		return
	}
	if s.turn.TryLock() { // else a request is being carried out, after which it is told
		told := s.tellMovedLocked(c, time.Now())
		s.turn.Unlock()
		if told {
			return
		}
	}
	s.out.reply(c, plain, "", protocol.OpAlive, keepNot)
}

// tellMoved gives the client a new ticket when a request has changed where the session is. The caller holds turn.
func (s *Session) tellMoved(c *Conn) {
	if s.gw.Several() && s.life.at != s.whereabouts() {
		s.tellMovedLocked(c, time.Now())
	}
}

// tellMovedLocked tells the client of c which nodes there are and gives it a ticket, as far as what it has is old, and reports whether
// it was. The caller holds turn.
func (s *Session) tellMovedLocked(c *Conn, now time.Time) bool {
	var alive protocol.Alive
	next := s.renew(&alive.Nodes, &alive.Rejoin, now)
	if next.alone != s.life.alone {
		alive.Alone = &next.alone
	}
	if alive.Nodes == nil && alive.Rejoin == nil && alive.Alone == nil {
		return false
	}
	body, err := protocol.EncodeBody(protocol.OpAlive, alive)
	if err != nil {
		s.log.Error("event lost", zap.Error(err))
		return false
	}
	s.life = next
	s.out.reply(c, body, "", protocol.OpAlive, keepNot)
	return true
}

// renew sets what the client has to be told for the case that this node dies, and returns what it has been told then. The caller holds
// turn, or has the session to itself.
func (s *Session) renew(nodes *[]string, rejoin **protocol.Rejoin, now time.Time) life {
	next := s.life
	next.alone = s.gw.others.alone()
	if others := s.gw.Refuges(); s.life.nodes == nil || !slices.Equal(others, s.life.nodes) {
		next.nodes = append([]string{}, others...)
		*nodes = next.nodes
	}
	if at := s.whereabouts(); s.life.issued.IsZero() || at != s.life.at || now.Sub(s.life.issued) > ticketTTL/2 {
		ticket, err := s.rejoin(at, s.gw.now())
		if err != nil {
			s.log.Error("no rejoin ticket", zap.Error(err))
			return next
		}
		next.at, next.issued, *rejoin = at, now, ticket
	}
	return next
}

// readyNodes has READY say what its client needs when this node dies.
func (s *Session) readyNodes(ready *protocol.Ready, now time.Time) {
	if s.gw.Several() {
		s.life = s.renew(&ready.Nodes, &ready.Rejoin, now)
		ready.Alone = s.life.alone
	}
}

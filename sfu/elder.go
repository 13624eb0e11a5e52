package sfu

import (
	"slices"
	"time"
)

// Who goes from one node to another is a member of both for a moment. Shown is the one of the node to which they go, of whom nothing can be
// heard before their media is there. So whoever was heard before, the elder, is heard until the other one, the heir, is, or until the elder is out.

// inherit makes one leg the heir of another of the same user, who may be heard as the heir may.
func (s *switchboard) inherit(heir, elder *leg) {
	s.disinherit(elder)
	heir.elder, elder.heir, s.unsettled = elder, heir, true
	s.room.Pass(elder.talker, heir.talker)
	s.permit(elder, heir.talks, false)
	s.turn(heir)
}

// disinherit has a leg be neither heir nor elder.
func (s *switchboard) disinherit(l *leg) {
	if l.elder != nil {
		l.elder.heir, l.elder = nil, nil
	}
	if l.heir != nil {
		l.heir.elder, l.heir = nil, nil
	}
}

// goOnLocked has a user be heard as the one who is shown, if there is one.
func (c *Channel) goOnLocked(userID string) {
	p := c.roster.members[userID]
	if p == nil || p.here() {
		return
	}
	c.voiceLocked(p)
	c.succeedLocked(p, p.leg)
	c.openAgainLocked(userID)
}

// succeedLocked makes the leg of the one who is shown of a user, nil for none, the heir of who was heard before. Where one talks at a time only those
// have heirs who keep the floor.
func (c *Channel) succeedLocked(shown *occupant, heir *leg) {
	for _, p := range c.roster.hidden[shown.userID] {
		switch {
		case p.leg == nil:
		case heir == nil, heir.talker == nil, heir.elder != nil && heir.elder != p.leg, c.board.lines != nil && !shown.keepsFloor:
			c.hushLocked(p)
		case heir.elder == nil:
			c.board.inherit(heir, p.leg)
		}
	}
}

// goesOnLocked reports whether somebody who is out goes on with the floor at another node.
func (c *Channel) goesOnLocked(userID string) bool {
	p := c.roster.members[userID]
	if p == nil || !p.keepsFloor || !p.talks() || c.air == nil {
		return false
	}
	delete(c.air.waits, userID)
	return true
}

// heardOfWithin is how long after somebody who was sent away is out they may be yet to be heard of at the node to which they went: what two nodes say has
// no order.
const heardOfWithin = time.Second

// SendAway says that the member was asked to go to another node.
func (m *Member) SendAway() {
	m.channel.mu.Lock()
	defer m.channel.mu.Unlock()
	m.self.sentAway = true
}

// silenceUnlessBack takes floor and place from somebody who was sent away, if nothing is heard of them in time.
func (c *Channel) silenceUnlessBack(p *occupant) {
	time.AfterFunc(heardOfWithin, func() {
		defer contain(c.hub.journal, "missing somebody who was sent away")
		c.mu.Lock()
		defer c.mu.Unlock()
		if !c.roster.closed && c.roster.members[p.userID] == nil {
			c.silenceLocked(p)
		}
	})
}

// retireLocked hushes those whose heirs spoke at the last measure, and reports whether there were any.
func (c *Channel) retireLocked() bool {
	heirs := c.board.heirs
	for _, heir := range heirs {
		hidden := c.roster.hidden[heir.userID]
		if i := slices.IndexFunc(hidden, func(p *occupant) bool { return p.leg == heir.elder }); i >= 0 {
			c.hushLocked(hidden[i])
		}
	}
	return len(heirs) > 0
}

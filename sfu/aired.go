package sfu

import (
	"time"

	"github.com/mini-livechat/mini-livechat/sfu/floor"
)

// What follows from a floor's decisions: gates, events and the timer.

// applyLocked has a line's floor take note of an event, and carries out what follows; or has the node do so that decides.
func (c *Channel) applyLocked(now time.Time, on line, event floor.Event) {
	if !c.decidesLocked() {
		c.callLocked(&floorCall{on: on, event: event})
		return
	}
	if effects := c.air.floors[on].Apply(now, event); len(effects) > 0 {
		c.switchLocked(on, effects, now)
		c.tellFloorLocked(on, effects)
		c.sayLocked(now, FloorDecided{Over: on == overFloor, Effects: effects})
	}
	c.scheduleLocked(now)
}

// switchLocked opens and shuts gates, before anybody is told of it.
func (c *Channel) switchLocked(on line, effects []floor.Effect, now time.Time) {
	defer contain(c.hub.journal, "giving the floor")
	c.noteWaitsLocked(effects, now)
	for _, effect := range effects {
		switch e := effect.(type) {
		case floor.Shut:
			c.board.shut(on)
		case floor.Open:
			c.board.open(on, e.User, now)
			c.rouse() // who talks already is heard from here on
		}
	}
}

// openAgainLocked lets the packets of somebody pass who has the floor, and whose voice comes from here on.
func (c *Channel) openAgainLocked(userID string) {
	if c.air == nil {
		return
	}
	for on, f := range c.air.floors {
		if held, ok := f.Holder(); ok && held.User == userID {
			c.board.open(line(on), userID, time.Now())
		}
	}
}

// noteWaitsLocked notes who begins to wait for a floor, and has it noted how long those did who got one.
func (c *Channel) noteWaitsLocked(effects []floor.Effect, now time.Time) {
	for _, effect := range effects {
		switch e := effect.(type) {
		case floor.Queued:
			if _, waits := c.air.waits[e.User]; !waits && c.isHereLocked(e.User) {
				c.air.waits[e.User] = now
			}
		case floor.Denied:
			delete(c.air.waits, e.User)
		case floor.Granted:
			waited := time.Duration(0)
			if since, waits := c.air.waits[e.User]; waits {
				waited = now.Sub(since)
				delete(c.air.waits, e.User)
			}
			if !e.Again && c.isHereLocked(e.User) {
				c.hub.journal.FloorGranted(waited)
			}
		}
	}
}

// isHereLocked reports whether somebody is a member of this node.
func (c *Channel) isHereLocked(userID string) bool {
	p := c.roster.members[userID]
	return p != nil && p.here()
}

// tellFloorLocked tells those concerned, on this node, what became of a line.
func (c *Channel) tellFloorLocked(on line, effects []floor.Effect) {
	over := on == overFloor
	one := func(user string, event Event) {
		if c.isHereLocked(user) { // who has left is told of that
			c.notifier.Notify([]string{user}, "", event)
		}
	}
	for _, effect := range effects {
		switch e := effect.(type) {
		case floor.Granted:
			one(e.User, FloorGranted{ChannelID: c.id, FloorGrant: *c.grantLocked(on, e.Grant)})
		case floor.Taken:
			c.notifier.Notify(c.roster.userIDs(), e.User, FloorTaken{ChannelID: c.id, FloorGrant: *c.grantLocked(on, e.Grant)})
		case floor.Idle:
			c.notifier.Notify(c.roster.userIDs(), "", FloorIdle{ChannelID: c.id, Over: over})
		case floor.Revoked:
			told := FloorRevoked{ChannelID: c.id, FloorGrant: *c.grantLocked(on, e.Grant), Cause: e.Cause, By: e.By, Grace: e.Grace}
			if by := c.roster.members[e.By]; by != nil {
				told.ByName = by.name
			}
			one(e.User, told)
		case floor.Denied:
			one(e.User, FloorDenied{ChannelID: c.id, Over: over, Cause: e.Cause})
		case floor.Queued:
			one(e.User, FloorQueued{ChannelID: c.id, Over: over, FloorPlace: FloorPlace{e.Position, e.Size, e.Priority}})
		}
	}
	defer contain(c.hub.journal, "telling of slots")
	c.tellSlotsLocked(c.board.settle(time.Now()), nil)
}

// grantLocked is a grant as it is told.
func (c *Channel) grantLocked(on line, g floor.Grant) *FloorGrant {
	config := c.roster.channel.Floor.config(c.hub.floor)
	told := &FloorGrant{
		UserID: g.User, ID: c.air.id(on, g.ID), Priority: g.Priority, Since: g.Since, Until: g.Until, Ping: config.Ping, Over: on == overFloor,
	}
	if !g.Until.IsZero() {
		told.Warn = config.Warn
	}
	if p := c.roster.members[g.User]; p != nil {
		told.Name = p.name
	}
	return told
}

// scheduleLocked sets the timer to when something of the floors is due.
func (c *Channel) scheduleLocked(now time.Time) {
	var next time.Time
	for _, f := range c.air.floors {
		if !c.decidesLocked() {
			break // due is what the arbiter finds so
		}
		if due, ok := f.Next(); ok && (next.IsZero() || due.Before(next)) {
			next = due
		}
	}
	a := c.air
	if next.Equal(a.due) {
		return
	}
	a.stop()
	if a.due = next; !next.IsZero() {
		a.timer = time.AfterFunc(max(next.Sub(now), 0), func() { c.floorDue(a) })
	}
}

// floorDue does what is due.
func (c *Channel) floorDue(a *air) {
	defer contain(c.hub.journal, "looking after the floor")
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.air != a || c.roster.closed || !c.decidesLocked() {
		return
	}
	a.due = time.Time{}
	now := time.Now()
	for on := range a.floors {
		c.applyLocked(now, line(on), floor.Tick{})
	}
}

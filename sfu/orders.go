package sfu

import (
	"context"
	"slices"
	"time"

	"github.com/mini-livechat/mini-livechat/sfu/floor"
)

// What is asked of the arbiter, and what becomes of it.

// decidesLocked reports whether this node decides about the channel's floors.
func (c *Channel) decidesLocked() bool { return c.hub.floors == nil || c.air.office.holds }

// decideLocked has an event of this node's decided about. answered is called with what comes of it when that has taken effect, before it is told, and
// returns what of it is to be told. The lock is not held while another node is waited for.
func (c *Channel) decideLocked(
	ctx context.Context, on line, event floor.Event, answered func([]floor.Effect) ([]floor.Effect, error),
) error {
	a := c.air
	if c.decidesLocked() {
		return c.judgeLocked(time.Now(), on, event, answered)
	}
	o := &a.office
	if o.node == "" {
		return ErrFloorUnsettled
	}
	o.lastCall++
	call := &floorCall{id: o.lastCall, on: on, event: event, answered: answered, done: make(chan error, 1)}
	o.calls = append(o.calls, call)
	c.callLocked(call)
	c.mu.Unlock()
	timer := time.NewTimer(floorPatience)
	defer timer.Stop()
	var err error
	select {
	case err = <-call.done:
		c.mu.Lock()
		return err
	case <-ctx.Done():
	case <-timer.C:
	}
	c.mu.Lock()
	select {
	case err = <-call.done: // just now
		return err
	default:
	}
	o.calls = slices.DeleteFunc(o.calls, func(one *floorCall) bool { return one == call })
	if request, ok := event.(floor.Request); ok && c.air == a { // it may be on its way
		c.applyLocked(time.Now(), on, floor.Leave{User: request.User})
	}
	return ErrFloorUnsettled
}

// judgeLocked decides about an event. answered is called as for decideLocked.
func (c *Channel) judgeLocked(now time.Time, on line, event floor.Event, answered func([]floor.Effect) ([]floor.Effect, error)) error {
	c.tickFirstLocked(now, on, event)
	effects := c.air.floors[on].Apply(now, event)
	c.switchLocked(on, effects, now)
	told, err := answered(effects)
	c.tellFloorLocked(on, told)
	c.sayLocked(now, FloorDecided{Over: on == overFloor, Effects: effects})
	c.scheduleLocked(now)
	return err
}

// tickFirstLocked does what is due before an event that it would be taken for a consequence of.
func (c *Channel) tickFirstLocked(now time.Time, on line, event floor.Event) {
	switch event.(type) {
	case floor.Request, floor.Revoke:
		c.applyLocked(now, on, floor.Tick{})
	}
}

// callLocked asks the arbiter, if all is known of what it decided so far. Else that is asked for first.
func (c *Channel) callLocked(call *floorCall) {
	o := &c.air.office
	if !o.known {
		c.askAllLocked(time.Now())
		return
	}
	c.hub.floors.Send(FloorMessage{ChannelID: c.id, Asked: &FloorAsked{
		To: o.node, Call: call.id, Over: call.on == overFloor, Term: o.seen, Event: call.event,
	}})
}

// askAllLocked asks the arbiter how its floors are.
func (c *Channel) askAllLocked(now time.Time) {
	o := &c.air.office
	if o.node != c.hub.floors.Self() && now.Sub(o.asked) >= floorAskAgain {
		o.asked = now
		c.hub.floors.Send(FloorMessage{ChannelID: c.id, Asked: &FloorAsked{To: o.node, Term: o.seen}})
	}
}

// sayLocked tells other nodes what was decided here.
func (c *Channel) sayLocked(now time.Time, d FloorDecided) {
	a := c.air
	if c.hub.floors == nil || !a.office.holds {
		return
	}
	a.office.number++
	c.repeatLocked(now, d)
}

// repeatLocked tells other nodes how the floors are.
func (c *Channel) repeatLocked(now time.Time, d FloorDecided) {
	a := c.air
	d.Term, d.Number, d.First = a.office.term, a.office.number, a.first
	for on, f := range a.floors {
		d.Lines[on] = f.State()
	}
	a.office.said = now
	if !c.hub.floors.Send(FloorMessage{ChannelID: c.id, Decided: &d}) {
		a.office.said = time.Time{} // soon again
	}
}

// HearFloor takes what another node says of the channel's floors.
func (c *Channel) HearFloor(from string, m FloorMessage) {
	defer contain(c.hub.journal, "hearing of the floor")
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.air == nil || c.hub.floors == nil || c.roster.closed {
		return
	}
	now := time.Now()
	o := &c.air.office
	switch {
	case m.Asked != nil:
		if m.Asked.To == c.hub.floors.Self() {
			c.heedLocked(now, m.Asked.Term)
			c.answerLocked(now, from, m.Asked)
		}
	case m.Decided == nil:
	case m.Decided.Term < o.seen:
		if from == o.node { // it was stopped meanwhile, perhaps, and knows nothing of that
			c.askAllLocked(now)
		}
	case m.Decided.Heir == c.hub.floors.Self():
		c.heedLocked(now, m.Decided.Term)
		o.will, o.willAt = m.Decided, now
		c.followArbiterLocked(now)
	case from != o.node:
		c.heedLocked(now, m.Decided.Term)
	case m.Decided.Heir == "":
		c.obeyLocked(now, m.Decided)
	case o.known: // which this node is yet to see
		o.known, o.kept, o.till = false, from, now.Add(floorKept)
	}
}

// heedLocked notes a term of which another node says. One that is later than this node's own is of another arbiter, and this one is none any more.
func (c *Channel) heedLocked(now time.Time, term uint64) {
	o := &c.air.office
	if term <= o.seen {
		return
	}
	o.seen = term
	if o.holds {
		o.holds, o.elected = false, false
		c.dropLocked(now)
		c.scheduleLocked(now)
	}
}

// answerLocked decides about what another node asks, if it is this one that does.
func (c *Channel) answerLocked(now time.Time, from string, asked *FloorAsked) {
	if !c.air.office.holds {
		return
	}
	if asked.Event == nil {
		c.repeatLocked(now, FloorDecided{})
		return
	}
	on := lineOf(asked.Over)
	c.tickFirstLocked(now, on, asked.Event)
	effects := c.air.floors[on].Apply(now, asked.Event)
	c.switchLocked(on, effects, now)
	c.tellFloorLocked(on, effects)
	c.sayLocked(now, FloorDecided{Over: asked.Over, Effects: effects, Node: from, Call: asked.Call})
	c.scheduleLocked(now)
}

// obeyLocked carries out what the arbiter decided.
func (c *Channel) obeyLocked(now time.Time, d *FloorDecided) {
	a := c.air
	o := &a.office
	switch {
	case o.known && (d.Term < o.term || d.Term == o.term && d.Number <= o.number):
		return // said again
	case o.known && d.Term == o.term && d.Number == o.number+1:
		o.number++
		c.carryOutLocked(now, d)
		return
	}
	o.term, o.number, o.seen, o.known, o.kept = d.Term, d.Number, d.Term, true, ""
	c.becomeLocked(now, d.First, d.Lines)
	for _, call := range o.calls { // again: it may not have been heard
		c.callLocked(call)
	}
	c.sweepLocked(now)
}

// carryOutLocked carries out a decision of which everything before is known.
func (c *Channel) carryOutLocked(now time.Time, d *FloorDecided) {
	a := c.air
	on := lineOf(d.Over)
	for i, f := range a.floors {
		f.Restore(now, d.Lines[i])
	}
	c.switchLocked(on, d.Effects, now)
	told := d.Effects
	at := -1
	if d.Node == c.hub.floors.Self() {
		at = slices.IndexFunc(a.office.calls, func(call *floorCall) bool { return call.id == d.Call })
	}
	if at >= 0 {
		call := a.office.calls[at]
		a.office.calls = slices.Delete(a.office.calls, at, at+1)
		var err error
		told, err = call.answered(d.Effects)
		call.done <- err
	}
	c.tellFloorLocked(on, told)
}

// hangUp has all who wait for an answer get this one.
func (a *air) hangUp(err error) {
	for _, call := range a.office.calls {
		call.done <- err
	}
	a.office.calls = nil
}

// hangUpOn has one who waits for an answer get this one, and reports whether they did.
func (a *air) hangUpOn(user string, err error) (waited bool) {
	a.office.calls = slices.DeleteFunc(a.office.calls, func(call *floorCall) bool {
		request, ok := call.event.(floor.Request)
		if ok = ok && request.User == user; ok {
			waited = true
			call.done <- err
		}
		return ok
	})
	return waited
}

func lineOf(over bool) line {
	if over {
		return overFloor
	}
	return onFloor
}

package sfu

import (
	"context"
	"slices"
	"time"

	"github.com/mini-livechat/mini-livechat/sfu/floor"
)

// Where several nodes are one server, one of them decides about the floors of a channel: its arbiter. The others ask it for their members, have
// copies of its floors, and carry out what it decides.

const (
	// FloorPause is how long nobody has the floor when who decides about it is another node, or its holder's is gone: until nobody on the
	// other side of a network that came apart has it any more. By then each node sees who is gone.
	FloorPause = 1500 * time.Millisecond
	// floorKept is how long, meanwhile, one has it all the same whose arbiter lives, and may tell the next one of them.
	floorKept = time.Second
	// floorPatience is how long somebody who asks for the floor waits for an answer.
	floorPatience = 2 * FloorPause
	// floorAskAgain is when all is asked for again that did not come, and floorSayAgain when the arbiter says again who has the floor.
	floorAskAgain = 500 * time.Millisecond
	floorSayAgain = time.Second
)

// Floors knows which node decides about a channel's floors, and carries what nodes tell each other of them. It is called while a
// channel's lock is held, and must neither block nor call back.
type Floors interface {
	// Self is this node.
	Self() string
	// Arbiter returns which node decides about a channel's floors, as seen from here; "" is none, since too few are there. elected says of this
	// one that most see it so.
	Arbiter(channelID string) (node string, elected bool)
	// Lives reports whether a node is there.
	Lives(node string) bool
	// Send tells all other nodes. It reports false when it cannot.
	Send(FloorMessage) bool
}

// FloorMessage is what a node tells the others of a channel's floors. Either of its pointers is set.
type FloorMessage struct {
	ChannelID string
	Asked     *FloorAsked
	Decided   *FloorDecided
}

// FloorAsked is what a node asks the arbiter for, of its members'.
type FloorAsked struct {
	// To is the arbiter.
	To string
	// Call is named by the answer; 0: there need be none.
	Call uint64
	Over bool
	// Event is what happened; nil: all is asked for that there is to know.
	Event floor.Event
}

// FloorDecided is what the arbiter decided, and how its floors are by now.
type FloorDecided struct {
	// Term counts how often the node became the arbiter, Number what it decided since: what is of an earlier one is void.
	Term, Number uint64
	// First is where the ids of grants begin.
	First uint64
	Lines [lineCount]floor.State
	// Effects are what follows, where Over says.
	Over    bool
	Effects []floor.Effect
	// Node and Call are what is answered; Node is empty for nothing.
	Node string
	Call uint64
	// Heir decides from now on; empty: the arbiter goes on.
	Heir string
}

// office is who decides about the floors of a channel. The zero value is of a node that is alone, and decides.
type office struct {
	node    string    // the arbiter
	elected bool      // it is this node, and most see it so
	since   time.Time // when that began
	holds   bool      // it decides
	known   bool      // it is another node, whose floors these are copies of
	// kept was the arbiter before, and what it decided holds until the next one does, or till then; empty: nobody has the floor meanwhile.
	kept string
	till time.Time
	// terms counts how often this node was the arbiter; term and number are of the last decision of whoever is.
	terms, term, number uint64
	asked, said         time.Time // when all was last asked for, and said
	will                *FloorDecided
	willAt              time.Time
	calls               []*floorCall // that wait for an answer, in their order
	lastCall            uint64
}

// floorCall is what somebody of this node's asks the arbiter for.
type floorCall struct {
	id    uint64
	on    line
	event floor.Event
	// answered is called with what comes of it, and returns what of that is to be told.
	answered func([]floor.Effect) ([]floor.Effect, error)
	done     chan error // of 1
}

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
		To: o.node, Call: call.id, Over: call.on == overFloor, Event: call.event,
	}})
}

// askAllLocked asks the arbiter how its floors are, where somebody waits for that: it says by itself who has one.
func (c *Channel) askAllLocked(now time.Time) {
	o := &c.air.office
	if o.known || len(o.calls) == 0 || o.node == c.hub.floors.Self() || now.Sub(o.asked) < floorAskAgain {
		return
	}
	o.asked = now
	c.hub.floors.Send(FloorMessage{ChannelID: c.id, Asked: &FloorAsked{To: o.node}})
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

// restLocked reports whether nobody has a floor, or waits for one.
func (c *Channel) restLocked() bool {
	for _, f := range c.air.floors {
		if _, held := f.Holder(); held || f.Waiting() > 0 {
			return false
		}
	}
	return true
}

// FollowArbiters has all channels follow which node decides about their floors. It is called when nodes come or go, and several times a second.
func (h *ChannelHub) FollowArbiters(now time.Time) {
	h.mu.RLock()
	defer h.mu.RUnlock()
	for _, c := range h.channels {
		c.followArbiter(now)
	}
}

func (c *Channel) followArbiter(now time.Time) {
	defer contain(c.hub.journal, "following who decides about the floor")
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.air != nil && !c.roster.closed {
		c.followArbiterLocked(now)
	}
}

func (c *Channel) followArbiterLocked(now time.Time) {
	o := &c.air.office
	node, elected := c.hub.floors.Arbiter(c.id)
	if node != o.node {
		c.passOnLocked(now, node)
	}
	if o.kept != "" && (!now.Before(o.till) || !c.hub.floors.Lives(o.kept)) {
		c.dropLocked(now)
	}
	if o.kept == c.hub.floors.Self() { // again, since one that has just come may hear nothing yet
		c.repeatLocked(now, FloorDecided{Heir: node})
	}
	switch here := node == c.hub.floors.Self(); {
	case node == "":
	case !here:
		c.askAllLocked(now)
	case !elected:
		c.dropOfficeLocked(now)
	case !o.elected: // until now others may have decided by what most saw then
		o.elected, o.since = true, now
	case o.holds:
		c.missLocked(now)
		if o.said.IsZero() || !c.restLocked() && now.Sub(o.said) >= floorSayAgain {
			c.repeatLocked(now, FloorDecided{})
		}
	case o.will != nil && now.Sub(o.willAt) < floorKept:
		c.becomeLocked(now, o.will.First, o.will.Lines)
		c.presideLocked(now)
	case now.Sub(o.since) >= FloorPause:
		c.presideLocked(now)
	}
}

// dropOfficeLocked has this node decide no more, because most others think that it does not.
func (c *Channel) dropOfficeLocked(now time.Time) {
	o := &c.air.office
	if o.holds {
		c.dropLocked(now)
	}
	o.holds, o.elected = false, false
	c.scheduleLocked(now)
}

// passOnLocked has another node be the arbiter than was. What the last one decided holds on while that lives, until the next one is heard.
func (c *Channel) passOnLocked(now time.Time, node string) {
	o := &c.air.office
	was := o.node
	if o.holds {
		was = c.hub.floors.Self()
	}
	lives := was != "" && c.hub.floors.Lives(was)
	switch {
	case node == "" || !lives:
		c.dropLocked(now)
	case o.holds || o.known:
		o.kept, o.till = was, now.Add(floorKept)
	}
	o.node, o.elected, o.holds, o.known, o.asked = node, false, false, false, time.Time{}
	o.term, o.number = 0, 0
	if node == "" {
		c.air.hangUp(ErrFloorUnsettled)
	}
	c.scheduleLocked(now)
}

// presideLocked has this node decide from now on.
func (c *Channel) presideLocked(now time.Time) {
	o := &c.air.office
	o.terms++
	o.holds, o.kept, o.will, o.term, o.number = true, "", nil, o.terms, 0
	c.repeatLocked(now, FloorDecided{})
	calls := o.calls
	o.calls = nil
	for _, call := range calls {
		call.done <- c.judgeLocked(now, call.on, call.event, call.answered)
	}
	c.sweepLocked(now)
	c.scheduleLocked(now)
}

// sweepLocked takes floor and place from those of this node who cannot be heard: whoever decides may not have heard that.
func (c *Channel) sweepLocked(now time.Time) {
	silent := func(user string) bool {
		p := c.roster.members[user]
		return p != nil && p.here() && !p.talks()
	}
	for on, f := range c.air.floors {
		for _, w := range f.State().Waiting {
			if silent(w.User) {
				c.applyLocked(now, line(on), floor.Leave{User: w.User})
			}
		}
		if held, ok := f.Holder(); ok && silent(held.User) {
			c.applyLocked(now, line(on), floor.Leave{User: held.User})
		}
	}
}

// dropLocked has nobody have the floor any more, nor wait for it, because who decides is another node by now.
func (c *Channel) dropLocked(now time.Time) {
	c.air.office.kept = ""
	var idle [lineCount]floor.State
	for on, f := range c.air.floors {
		idle[on].LastID = f.State().LastID
	}
	c.becomeLocked(now, c.air.first, idle)
	if c.air.office.holds {
		c.sayLocked(now, FloorDecided{})
	}
}

// becomeLocked has the floors be as another node says, and tells of what is otherwise than before.
func (c *Channel) becomeLocked(now time.Time, first uint64, lines [lineCount]floor.State) {
	same := c.air.first == first
	var effects [lineCount][]floor.Effect
	for on, f := range c.air.floors {
		effects[on] = floor.Between(f.State(), lines[on], same, floor.CauseLost)
		c.switchLocked(line(on), effects[on], now)
		f.Restore(now, lines[on])
	}
	for on := range effects { // of grants as they were told: what is Revoked has the ids of before
		c.tellBetweenLocked(line(on), effects[on], first)
	}
	c.air.first = first
}

// tellBetweenLocked tells what follows, with the ids of grants beginning at first for what is new.
func (c *Channel) tellBetweenLocked(on line, effects []floor.Effect, first uint64) {
	before := c.air.first
	for _, effect := range effects {
		if _, ends := effect.(floor.Revoked); !ends {
			c.air.first = first
		}
		c.tellFloorLocked(on, []floor.Effect{effect})
		c.air.first = before
	}
}

// missLocked takes floor and place from those whose node is gone. The floor is nobody's then until they cannot be heard on their side either.
func (c *Channel) missLocked(now time.Time) {
	gone := func(user string) bool {
		p := c.roster.members[user]
		return p != nil && !p.here() && !c.hub.floors.Lives(p.node)
	}
	for on, f := range c.air.floors {
		for _, w := range f.State().Waiting {
			if gone(w.User) {
				c.applyLocked(now, line(on), floor.Leave{User: w.User})
			}
		}
		if held, ok := f.Holder(); ok && gone(held.User) {
			c.applyLocked(now, line(on), floor.Suspend{Until: now.Add(FloorPause)})
		}
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
		if o.holds && m.Asked.To == c.hub.floors.Self() {
			c.answerLocked(now, from, m.Asked)
		}
	case m.Decided == nil:
	case m.Decided.Heir == c.hub.floors.Self():
		if !o.holds {
			o.will, o.willAt = m.Decided, now
			c.followArbiterLocked(now)
		}
	case from != o.node:
	case m.Decided.Heir == "":
		c.obeyLocked(now, m.Decided)
	case o.known: // which this node is yet to see
		o.known, o.kept, o.till = false, from, now.Add(floorKept)
	}
}

// answerLocked decides about what another node asks.
func (c *Channel) answerLocked(now time.Time, from string, asked *FloorAsked) {
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
	o.term, o.number, o.known, o.kept = d.Term, d.Number, true, ""
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

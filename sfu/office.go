package sfu

import (
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
	// Term is the latest that was heard of.
	Term uint64
	// Event is what happened; nil: all is asked for that there is to know.
	Event floor.Event
}

// FloorDecided is what the arbiter decided, and how its floors are by now.
type FloorDecided struct {
	// Term is later whenever a node becomes the arbiter, and Number counts what it decided since: what is of an earlier one is void.
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
	// term and number are of the last decision of whoever is the arbiter, seen is the latest term of any.
	term, number, seen uint64
	asked, said        time.Time // when all was last asked for, and said
	will               *FloorDecided
	willAt             time.Time
	calls              []*floorCall // that wait for an answer, in their order
	lastCall           uint64
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
	if o.kept == c.hub.floors.Self() && node != o.kept { // again, since one that has just come may hear nothing yet
		c.repeatLocked(now, FloorDecided{Heir: node})
	}
	switch here := node == c.hub.floors.Self(); {
	case node == "":
	case !here:
		if !o.known && len(o.calls) > 0 { // else it is soon enough when it says by itself who has the floor
			c.askAllLocked(now)
		}
	case !elected:
		c.resignLocked(now)
	case o.holds:
		c.missLocked(now)
		if o.said.IsZero() || !c.restLocked() && now.Sub(o.said) >= floorSayAgain {
			c.repeatLocked(now, FloorDecided{})
		}
	default:
		c.runForLocked(now)
	}
}

// runForLocked has this node decide, which most see as the arbiter: by the will of the last one, or when nothing that it decided holds any more.
func (c *Channel) runForLocked(now time.Time) {
	o := &c.air.office
	if !o.elected { // until now others may have decided by what most saw then
		o.elected, o.since = true, now
	}
	switch {
	case o.will != nil && now.Sub(o.willAt) < floorKept:
		c.becomeLocked(now, o.will.First, o.will.Lines)
		c.presideLocked(now)
	case now.Sub(o.since) >= FloorPause:
		c.presideLocked(now)
	}
}

// resignLocked has this node decide no more, because most others think that it does not. They may see a node already that this one is about to
// see, and to hand over to; else what it decided is void when it is looked next.
func (c *Channel) resignLocked(now time.Time) {
	o := &c.air.office
	if o.holds {
		o.kept, o.till = c.hub.floors.Self(), now
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
	case o.holds, o.known, o.kept == was:
		o.kept, o.till = was, now.Add(floorKept)
	}
	o.node, o.elected, o.holds, o.known, o.asked = node, false, false, false, time.Time{}
	if node == "" {
		c.air.hangUp(ErrFloorUnsettled)
	}
	c.scheduleLocked(now)
}

// presideLocked has this node decide from now on.
func (c *Channel) presideLocked(now time.Time) {
	o := &c.air.office
	o.seen = max(o.seen+1, uint64(now.UnixMilli()))
	o.holds, o.kept, o.will, o.term, o.number = true, "", nil, o.seen, 0
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
	o := &c.air.office
	mine := o.holds || o.kept == c.hub.floors.Self()
	o.kept = ""
	var idle [lineCount]floor.State
	for on, f := range c.air.floors {
		idle[on].LastID = f.State().LastID
	}
	c.becomeLocked(now, c.air.first, idle)
	if mine { // to those who may not know better yet
		o.number++
		c.repeatLocked(now, FloorDecided{})
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

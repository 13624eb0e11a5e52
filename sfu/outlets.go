package sfu

import (
	"slices"
	"time"

	"github.com/mini-livechat/mini-livechat/sfu/forward"
	"github.com/mini-livechat/mini-livechat/sfu/speaker"
)

// Where several nodes are one server, the voice of a channel's members goes from their own node to each of the others where somebody can
// hear it: the loudest, as many as anybody there has slots, those who are pinned there, and who has the floor. What came from another node goes to none.

// maxWantedPins bounds how many people a node asks for by name in one channel, and maxWantedSlots how many it asks for as the loudest.
const (
	maxWantedPins  = 256
	maxWantedSlots = 32
)

// Outlet is the way to another node. It is called while a channel's lock is held, and must neither block nor call back.
type Outlet interface {
	// Line returns the stream on which a talker is carried to that node from now on, always the same one until Free; nil when there is no
	// room for it. What it carries is the channel's to say.
	Line(channelID, userID string) *forward.Slot
	// Free gives it back. Nothing is assigned to it any more.
	Free(channelID, userID string)
}

// outlet is a channel's end of an Outlet: a listener whose slots are for whoever is on them and have a stream for each.
type outlet struct {
	to        Outlet
	channelID string
	slots     int // wanted there
	pins      []string
	// listener and lines are nil while there is no line: of what many nodes want to hear most is of channels in which nobody is here.
	listener *speaker.Listener
	lines    map[*leg]*forward.Slot // of all here who ever were let talk: ready before they do
	on       []*leg                 // who is carried
}

// outlets are a channel's, and what this node wants of the others. The zero value is of a node that is alone.
type outlets struct {
	list []*outlet
	// wanted is told what the members here can hear: how many at once, and whom by name. Nil: there is nobody to ask.
	wanted      func(slots int, pins []string)
	stale       bool // it may be other than was told
	wantedSlots int  // as told
	wantedPins  []string
}

// Feed has what is said in a channel by this node's members be carried to another node: of those who are loudest as many as slots, and
// those pinned there. With 0 slots nothing is any more. It reports false when there is no such channel.
func (h *ChannelHub) Feed(channelID string, to Outlet, slots int, pins []string) bool {
	c, err := h.Get(channelID)
	return err == nil && c.feed(to, slots, pins)
}

func (c *Channel) feed(to Outlet, slots int, pins []string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.roster.closed {
		return false
	}
	now := time.Now()
	c.board.feed(c.id, to, min(slots, maxWantedSlots), pins[:min(len(pins), maxWantedPins)], now)
	if c.board.unsettled {
		c.tellSlotsLocked(c.board.settle(now), nil)
	}
	return true
}

// Relayed returns how many streams of the channel's are carried to other nodes.
func (c *Channel) Relayed() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.board.relayed()
}

func (s *switchboard) relayed() int {
	n := 0
	for _, o := range s.list {
		n += len(o.on)
	}
	return n
}

// feed changes what an outlet carries, which takes effect with the next settle.
func (s *switchboard) feed(channelID string, to Outlet, slots int, pins []string, now time.Time) {
	at := slices.IndexFunc(s.list, func(o *outlet) bool { return o.to == to })
	if slots <= 0 {
		if at >= 0 {
			s.unsettled = true
			s.close(s.list[at])
			s.list = slices.Delete(s.list, at, at+1)
			s.fanOut()
		}
		return
	}
	if at < 0 {
		at = len(s.list)
		s.list = append(s.list, &outlet{to: to, channelID: channelID})
	}
	o := s.list[at]
	began := o.listener == nil
	o.slots, o.pins = slots, slices.Clone(pins)
	for _, l := range s.near {
		o.carry(l, &s.room)
	}
	if o.listener == nil {
		return
	}
	if began {
		s.room.Measure(now) // who speaks by now is to be known
	} else {
		o.tune()
	}
	s.unsettled = true
}

// tune has the listener hear what is wanted.
func (o *outlet) tune() {
	if n := o.slots + len(o.pins); n != o.listener.Len() {
		o.listener.Resize(n)
	}
	o.listener.Subscribe(o.pins, nil)
}

// carry has the outlets have a line for somebody here who is let talk.
func (s *switchboard) carry(l *leg) {
	for _, o := range s.list {
		o.carry(l, &s.room)
	}
}

func (o *outlet) carry(l *leg, in *speaker.Room) {
	if l.talker == nil || l.elsewhere || !l.talks || o.lines[l] != nil {
		return
	}
	slot := o.to.Line(o.channelID, l.userID)
	if slot == nil {
		return
	}
	if o.lines == nil {
		o.listener, o.lines = in.NewNear(0), make(map[*leg]*forward.Slot)
		o.tune()
	}
	o.lines[l] = slot
}

// drop has the outlets carry somebody no more who is out.
func (s *switchboard) drop(l *leg) {
	s.stale = true
	for _, o := range s.list {
		o.drop(l)
	}
}

func (o *outlet) drop(l *leg) {
	slot := o.lines[l]
	if slot == nil {
		return
	}
	o.on = slices.DeleteFunc(o.on, func(on *leg) bool { return on == l })
	if delete(o.lines, l); len(o.lines) == 0 {
		o.listener, o.lines = nil, nil
	}
	slot.Assign(nil)
	o.to.Free(o.channelID, l.userID)
}

// close takes an outlet out.
func (s *switchboard) close(o *outlet) {
	for _, l := range o.on {
		s.touch(l.source)
	}
	for l := range o.lines {
		o.drop(l)
	}
}

// closeOutlets takes all out, and wants nothing more.
func (s *switchboard) closeOutlets() {
	for _, o := range s.list {
		s.close(o)
	}
	s.list = nil
	s.stale = true
	s.want()
}

// settleOutlets chooses who is to be carried, and reports whether somebody else is. turned: where one talks at a time it may be another one's turn.
func (s *switchboard) settleOutlets(now time.Time, turned bool) (misconnected bool) {
	for _, o := range s.list {
		if o.listener == nil {
			continue
		}
		if s.lines == nil {
			misconnected = o.listener.Select(now) || misconnected
		} else {
			misconnected = misconnected || turned
		}
	}
	return misconnected
}

// chosen appends who is to be carried by an outlet.
func (s *switchboard) chosen(o *outlet, legs []*leg) []*leg {
	if s.lines != nil {
		for _, l := range s.lines.has {
			if l != nil && o.lines[l] == nil {
				l = l.heir // is heard here soon, and there
			}
			if l != nil && o.lines[l] != nil && !slices.Contains(legs, l) {
				legs = append(legs, l)
			}
		}
		return legs
	}
	for i := range o.listener.Len() {
		if talker := o.listener.Slot(i); talker != nil {
			if l := s.heard[talker]; l != nil && o.lines[l] != nil {
				legs = append(legs, l)
			}
		}
	}
	return legs
}

// connectOutlets frees the lines of those who are carried no more, and appends the turns of those who are from now on.
func (s *switchboard) connectOutlets(turns []turn) []turn {
	for _, o := range s.list {
		if o.listener == nil { // and nobody is on it
			continue
		}
		chosen := s.chosen(o, make([]*leg, 0, o.listener.Len()))
		for _, l := range o.on {
			if !slices.Contains(chosen, l) {
				s.touch(l.source)
				o.lines[l].Assign(nil)
			}
		}
		for _, l := range chosen {
			if !slices.Contains(o.on, l) {
				s.touch(l.source)
				turns = append(turns, turn{o.lines[l], l})
			}
		}
		o.on = chosen
	}
	return turns
}

// want tells what the members here can hear, if that is other than was told.
func (s *switchboard) want() {
	if !s.stale || s.wanted == nil {
		return
	}
	s.stale = false
	n := 0
	var pins []string
	for _, l := range s.near {
		if !l.hears || len(l.slots) == 0 {
			continue
		}
		n = max(n, len(l.slots))
		pinned, _ := l.listener.Subscriptions()
		pins = append(pins, pinned...)
	}
	for _, l := range s.ears {
		n = max(n, len(l.slots))
	}
	slices.Sort(pins)
	pins = slices.Compact(pins)
	pins = slices.DeleteFunc(pins, s.isHere)
	pins = pins[:min(len(pins), maxWantedPins)]
	if n == s.wantedSlots && slices.Equal(pins, s.wantedPins) {
		return
	}
	s.wantedSlots, s.wantedPins = n, pins
	s.wanted(n, pins)
}

// isHere reports whether somebody is a member of this node, of whom no other has to be asked.
func (s *switchboard) isHere(userID string) bool {
	return slices.ContainsFunc(s.near, func(l *leg) bool { return l.userID == userID })
}

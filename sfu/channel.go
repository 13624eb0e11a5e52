package sfu

import (
	"sync"
	"sync/atomic"
	"time"
)

// Mode is how people share a channel's air.
type Mode string

const (
	// ModeConference is the open-mic mode: everyone may talk at once.
	ModeConference Mode = "conference"
	// ModePTT is push-to-talk, the way of a radio: who has the floor is heard, and nobody else.
	ModePTT Mode = "ptt"
)

// ChannelInfo is a copy of what is known of a channel.
type ChannelInfo struct {
	ID string
	// OwnerID is who created the channel; empty for a preset one.
	OwnerID     string
	MemberCount int
	CreatedAt   time.Time
	Settings
}

// Settings are what people may change about a channel. Values can be compared.
type Settings struct {
	Name string
	Mode Mode
	// Floor is how the floor is given where Mode is ModePTT.
	Floor FloorSettings
	// Capacity is the most members; 0, where it is set, means the hub's limit.
	Capacity int
	// Position orders lists of channels: the smaller, the further up.
	Position int
	// Topic, Access and Keep are in the words of whoever asks this package: they are told to the others, and nothing
	// follows from them here.
	Topic, Access string
	Keep          Keep
	// Speaking is who is heard.
	Speaking Speaking
}

// Keep says how much of a channel's chat is kept; -1 means as much as the server does by default, 0 nothing.
type Keep struct {
	Count int
	For   time.Duration
}

// SlotInfo is one slot of a listener. UserID is empty while nobody is heard on it. SSRC is
// the talker's own, which is in the CSRC list of the slot's packets; 0 until it is known.
type SlotInfo struct {
	MID    string
	UserID string
	SSRC   uint32
	// Name is the talker's and ChannelID where the talker is, where that is another channel, which the listener listens to; else empty.
	Name                   string
	ChannelID, ChannelName string
}

// Snapshot is a channel as one member finds it on joining.
type Snapshot struct {
	Member  *Member // who joins
	Channel ChannelInfo
	Members []MemberInfo // in the order they joined
	Slots   []SlotInfo   // of the member who joins
	Floor   *FloorState  // nil but where Mode is ModePTT
	Mine    FloorAnswer  // what the member who joins has kept
	Answer  string       // SDP, to the member's offer
	// Note is for what OnJoined likes to find again when the next one joins. It is cleared when
	// the channel is empty.
	Note *any
}

// Channel is a room: its roster says who is in it, its switchboard who hears whom. The
// Channel has what those two do without: the lock, the clock and those who are told. Safe
// for concurrent use.
type Channel struct {
	id       string
	owner    atomic.Pointer[string] // written under mu; never nil
	kept     bool
	hub      *ChannelHub
	notifier careful
	// awake says that the decider looks after the channel.
	awake atomic.Bool

	mu         sync.Mutex // guards the fields below
	roster     roster
	board      switchboard
	air        *air      // nil but where one talks at a time
	emptySince time.Time // of the monotonic clock; good while the roster is empty
	note       any       // OnJoined's own
	attended   bool      // see attendLocked
}

// unplugLocked disconnects a member's media, of which nothing keeps the member in.
func (c *Channel) unplugLocked(l *leg) {
	defer contain(c.hub.journal, "disconnecting a member")
	c.board.unplug(l)
}

// emptyFor returns how long nobody has been in the channel; 0 while somebody is.
func (c *Channel) emptyFor(now time.Time) time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.roster.empty() {
		return 0
	}
	return now.Sub(c.emptySince)
}

// ID returns the channel's id.
func (c *Channel) ID() string { return c.id }

// OwnerID returns who created the channel; empty for a preset one.
func (c *Channel) OwnerID() string { return *c.owner.Load() }

// Info returns a copy of what is known of the channel.
func (c *Channel) Info() ChannelInfo {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.roster.info()
}

// Members returns the channel's members in the order they joined.
func (c *Channel) Members() []MemberInfo {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.roster.infos()
}

// Presence returns the channel's members in the order they joined, and who of them speaks, as they were told.
func (c *Channel) Presence() ([]MemberInfo, []SpeakerInfo) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.roster.infos(), c.board.told.speakers
}

// NotifyMembers calls tell with the user ids of the members that are on this node, in order with the channel's events;
// with none when the channel is deleted. Like Notifier, tell must neither block nor call
// back, nor change them. It is for what happens in the channel but is not the channel's own business, such
// as a text message.
func (c *Channel) NotifyMembers(tell func(userIDs []string)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	tell(c.roster.userIDs())
}

// rouse has the decider look after the channel for as long as somebody speaks. It does not
// wait: it is called on the packet path, though only when somebody begins to speak.
func (c *Channel) rouse() {
	if c.awake.CompareAndSwap(false, true) {
		c.hub.decider.add(c)
	}
}

// decide measures who speaks, gives the slots to the loudest and tells who changed. It
// reports whether there will be anything to decide without another rouse.
func (c *Channel) decide(now time.Time) (more bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.roster.closed {
		c.awake.Store(false)
		return false
	}
	speaking := c.board.measure(now)
	if c.retireLocked() {
		speaking = c.board.measure(now)
	}
	c.tellSlotsLocked(c.board.settle(now), nil)
	speakers, fresh, pending := c.board.speakers(speaking, now, c.roster.shows)
	if fresh {
		c.notifier.Notify(c.roster.userIDs(), "", SpeakersChanged{ChannelID: c.id, Speakers: speakers})
	}
	if c.hub.spreads {
		own, fresh, later := c.board.ownSpeakers(speaking, now)
		if pending = pending || later; fresh {
			c.hub.spread.Speaking(c.id, own)
		}
	}
	if pending || len(speaking) > 0 {
		return true
	}
	c.awake.Store(false)
	// Who began to speak after the measure found the channel awake.
	return (len(c.board.room.Measure(now)) > 0 || c.board.unsaid.Load()) && c.awake.CompareAndSwap(false, true)
}

// tellSlotsLocked tells the members of these legs, without except, who is on their slots.
func (c *Channel) tellSlotsLocked(legs []*leg, except *leg) {
	for _, l := range legs {
		if l != except {
			c.notifier.Notify([]string{l.userID}, "", SlotsChanged{ChannelID: c.id, Slots: c.board.describe(l)})
			c.tellLossLocked(l)
		}
	}
}

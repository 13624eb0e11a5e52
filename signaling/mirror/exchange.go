package mirror

import (
	"cmp"
	"context"
	"slices"
	"sync"
	"time"

	"github.com/mini-livechat/mini-livechat/sfu"
	"github.com/mini-livechat/mini-livechat/sfu/pulse"
	"github.com/mini-livechat/mini-livechat/signaling/cluster"
)

const (
	// Grace is how long the people of a node that died are still there.
	Grace = 3 * time.Second
	// TickEvery is how often Tick is to be called.
	TickEvery = 250 * time.Millisecond
	// partWithin is how long somebody is still there who left a node for another one from which nothing of them has come yet: what two nodes say has
	// no order.
	partWithin = time.Second
	// askAgain is when all is asked for again that did not come.
	askAgain = 500 * time.Millisecond
	// Which number was the last is said again every askAgain for as long as headsAfter after a change, and every restingHead when there is none:
	// each message wakes a dozen goroutines of NATS's on each node.
	headsAfter  = 2 * time.Second
	restingHead = 5 * time.Second
)

// Node is what an Exchange needs of its own node. None of it may block, nor call back.
type Node interface {
	// Channel returns a channel, nil where there is none.
	Channel(id string) *sfu.Channel
	// Superseded: a user has a newer session on another node than that of this rank here.
	Superseded(userID string, rank uint64)
	// Tell passes on what another node says.
	Tell(Telling)
}

// Exchange is one node's half of what the nodes know of each other's people. It is an sfu.Spread. Safe for concurrent use.
type Exchange struct {
	bus     cluster.Bus
	node    Node
	own     *own
	now     func() time.Time
	cancels []func()

	mu     sync.Mutex // guards the fields below; taken before a Channel's
	others map[cluster.NodeID]*other
	// headed is when it was last said which number was the last, latest which that was as of the last Tick, and moved when it last was another.
	headed, moved time.Time
	latest        uint64
}

// New returns an exchange over a bus, which begins with Start.
func New(bus cluster.Bus, node Node, now func() time.Time) *Exchange {
	return &Exchange{bus: bus, node: node, own: newOwn(bus), now: now, others: make(map[cluster.NodeID]*other)}
}

// Start begins to listen to the others.
func (x *Exchange) Start(members cluster.Members) error {
	for subject, receive := range map[string]func(cluster.NodeID, []byte){
		cluster.SubjectMembers:        x.hear,
		snapshotSubject(x.bus.Self()): x.snapshot,
	} {
		cancel, err := x.bus.Subscribe(subject, receive)
		if err != nil {
			x.Close()
			return err
		}
		x.cancels = append(x.cancels, cancel)
	}
	x.cancels = append(x.cancels, members.Changed(x.changed))
	return nil
}

// Close listens no more. It must not be called beside Start.
func (x *Exchange) Close() {
	for _, cancel := range x.cancels {
		cancel()
	}
	x.cancels = nil
}

// snapshotSubject is what a start of a node listens to: it is asked there for all, and told there what it asked for. So that costs the two of
// them something, and no others.
func snapshotSubject(id cluster.NodeID) string { return cluster.SubjectSnapshot + "." + id.Boot }

// Key names a start of a node to package sfu.
func Key(id cluster.NodeID) string { return id.Name + "/" + id.Boot }

// Run ticks until ctx is done.
func (x *Exchange) Run(ctx context.Context) {
	ticker := pulse.NewTicker(TickEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			x.Tick(x.now())
		}
	}
}

// Tick does what is due: it takes those out whose node died Grace ago, asks again for what did not come, and has what was lost be missed.
func (x *Exchange) Tick(now time.Time) {
	x.mu.Lock()
	defer x.mu.Unlock()
	for id, p := range x.others {
		switch {
		case !p.died.IsZero() && now.Sub(p.died) >= Grace:
			delete(x.others, id)
			x.forgetLocked(p)
		case p.died.IsZero() && !p.synced && now.Sub(p.asked) >= askAgain:
			x.askLocked(p, now)
		}
		x.partLocked(p, now)
	}
	if n := x.own.number(); n != x.latest {
		x.latest, x.moved = n, now
	}
	every := restingHead
	if now.Sub(x.moved) < headsAfter {
		every = askAgain
	}
	if now.Sub(x.headed) >= every {
		x.headed = now
		x.own.head()
	}
}

// Begin says that a session of a user begins here at a time, as all nodes tell it, and returns its rank, which is higher than that of any other known of this user's. It
// must be End's, whatever becomes of the session.
func (x *Exchange) Begin(userID, name string, at time.Time) (rank uint64) {
	x.mu.Lock()
	defer x.mu.Unlock()
	rank = uint64(max(at.UnixMilli(), 0))
	for _, p := range x.others {
		if s, ok := p.sessions[userID]; ok {
			rank = max(rank, s.rank+1)
		}
	}
	rank = max(rank, x.own.rank(userID)+1)
	x.own.begin(userID, name, rank)
	return rank
}

// End says that a session has ended.
func (x *Exchange) End(userID string, rank uint64) { x.own.end(userID, rank) }

// Counts reports whether a session is the user's one in the cluster, as far as is known.
func (x *Exchange) Counts(userID string, rank uint64) bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	for id, p := range x.others {
		if s, ok := p.sessions[userID]; ok && x.beats(id, s.rank, rank) {
			return false
		}
	}
	return true
}

// beats reports whether a session on another node counts before one here.
func (x *Exchange) beats(id cluster.NodeID, theirs, mine uint64) bool {
	return theirs > mine || theirs == mine && id.Name < x.bus.Self().Name
}

// Find returns on which other node a user is, if it is there; ok is false for nowhere.
func (x *Exchange) Find(userID string) (id cluster.NodeID, ok bool) {
	x.mu.Lock()
	defer x.mu.Unlock()
	var best uint64
	for one, p := range x.others {
		s, has := p.sessions[userID]
		if has && p.died.IsZero() && (!ok || s.rank > best || s.rank == best && one.Name < id.Name) {
			id, best, ok = one, s.rank, true
		}
	}
	return id, ok
}

// Place is where on another node somebody is.
type Place struct {
	Node cluster.NodeID
	// Name is the user's; Channel is where they are, empty for nowhere.
	Name, Channel string
	// Gone: the node is, and they may still come back on another one.
	Gone bool
}

// Where returns where a user is, or was lately when their node is gone; ok is false of one who is on no other node.
func (x *Exchange) Where(userID string) (at Place, ok bool) {
	x.mu.Lock()
	defer x.mu.Unlock()
	var best uint64
	for id, p := range x.others {
		s, has := p.sessions[userID]
		gone := !p.died.IsZero()
		if !has || ok && (gone && !at.Gone || gone == at.Gone && (s.rank < best || s.rank == best && at.Node.Name < id.Name)) {
			continue
		}
		at, best, ok = Place{Node: id, Name: s.name, Gone: gone}, s.rank, true
		for channelID := range p.channels {
			if p.in(channelID, userID) {
				at.Channel = channelID
			}
		}
	}
	return at, ok
}

// Knows reports whether all nodes that live have said who is with them.
func (x *Exchange) Knows() bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	for _, p := range x.others {
		if p.died.IsZero() && !p.synced {
			return false
		}
	}
	return true
}

// Named returns the ids of those on other nodes that live whose name match accepts, each once and in order.
func (x *Exchange) Named(match func(name string) bool) (userIDs []string) {
	x.mu.Lock()
	defer x.mu.Unlock()
	for _, p := range x.others {
		for id, s := range p.sessions {
			if p.died.IsZero() && match(s.name) {
				userIDs = append(userIDs, id)
			}
		}
	}
	slices.Sort(userIDs)
	return slices.Compact(userIDs)
}

// Listeners returns who on other nodes that live listens in to a channel, by their ids.
func (x *Exchange) Listeners(channelID string) (all []sfu.ListenerInfo) {
	x.mu.Lock()
	defer x.mu.Unlock()
	for _, p := range x.others {
		if p.died.IsZero() {
			for userID, name := range p.listeners[channelID] {
				all = append(all, sfu.ListenerInfo{UserID: userID, Name: name})
			}
		}
	}
	slices.SortFunc(all, func(a, b sfu.ListenerInfo) int { return cmp.Compare(a.UserID, b.UserID) })
	return all
}

// Tell has the other nodes pass something on.
func (x *Exchange) Tell(t Telling) { x.own.tell(t) }

// ChannelMade puts into a channel that there was not before who is in it on other nodes.
func (x *Exchange) ChannelMade(id string) {
	x.mu.Lock()
	defer x.mu.Unlock()
	c := x.node.Channel(id)
	if c == nil {
		return
	}
	for _, p := range x.others {
		for _, m := range p.channels[id].members {
			c.PutMirror(*m)
		}
		if speakers := p.channels[id].speakers; len(speakers) > 0 && p.died.IsZero() {
			c.MirrorSpeakers(p.key, speakers)
		}
	}
}

// MemberEntered implements sfu.Spread.
func (x *Exchange) MemberEntered(channelID string, m sfu.MemberInfo) { x.own.put(channelID, m, "") }

// MemberChanged implements sfu.Spread.
func (x *Exchange) MemberChanged(channelID string, m sfu.MemberInfo, by string) {
	x.own.put(channelID, m, by)
}

// MemberLeft implements sfu.Spread.
func (x *Exchange) MemberLeft(channelID, userID string, cause sfu.LeaveCause, goesOn bool) {
	x.own.drop(channelID, userID, cause, goesOn)
}

// Speaking implements sfu.Spread.
func (x *Exchange) Speaking(channelID string, speakers []sfu.SpeakerInfo) {
	x.own.speak(channelID, speakers)
}

// Listening implements sfu.Spread.
func (x *Exchange) Listening(channelID string, l sfu.ListenerInfo, listens bool) {
	x.own.listen(channelID, l, listens)
}

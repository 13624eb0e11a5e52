package arbiter

import (
	"context"
	"encoding/json"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/mini-livechat/mini-livechat/sfu"
	"github.com/mini-livechat/mini-livechat/sfu/pulse"
	"github.com/mini-livechat/mini-livechat/signaling/cluster"
)

const (
	// TickEvery is how often Tick is to be called.
	TickEvery = 250 * time.Millisecond
	// sayAgain is how often it is said again whom a node sees, and soonAgain how often while that is news.
	sayAgain  = 5 * time.Second
	soonAgain = 500 * time.Millisecond
	// news is how long it is that.
	news = 2 * time.Second
)

// Nodes are all nodes of the server, and how they speak to each other.
type Nodes interface {
	cluster.Bus
	cluster.Members
}

// Arbiters are one node's half of what they agree on. It is an sfu.Floors. Safe for concurrent use.
type Arbiters struct {
	nodes   Nodes
	hub     *sfu.ChannelHub
	now     func() time.Time
	cancels []func()
	view    atomic.Pointer[view]

	mu sync.Mutex // guards the fields below; nothing of ours is taken under it
	// told is whom the others take for those that may decide.
	told map[cluster.NodeID][]cluster.NodeID
	// said is when the same was last said of this node, changed since when it is so.
	said, changed time.Time
}

// New returns the half of a node. Nobody decides before Start.
func New(nodes Nodes, now func() time.Time) *Arbiters {
	a := &Arbiters{nodes: nodes, now: now, told: make(map[cluster.NodeID][]cluster.NodeID)}
	a.view.Store(&view{})
	return a
}

// Start begins to listen to the others, and has the hub's channels follow what comes of it.
func (a *Arbiters) Start(hub *sfu.ChannelHub) error {
	a.hub = hub
	cancel, err := a.nodes.Subscribe(cluster.SubjectFloor, a.hear)
	if err != nil {
		return err
	}
	a.cancels = []func(){cancel, a.nodes.Changed(func(cluster.Change) { a.Tick() })}
	a.Tick()
	return nil
}

// Close listens no more. It must not be called beside Start.
func (a *Arbiters) Close() {
	for _, cancel := range a.cancels {
		cancel()
	}
	a.cancels = nil
}

// Run ticks until ctx is done.
func (a *Arbiters) Run(ctx context.Context) {
	ticker := pulse.NewTicker(TickEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			a.Tick()
		}
	}
}

// Tick looks who is there, and does what is due.
func (a *Arbiters) Tick() {
	now := a.now()
	a.look(now)
	a.hub.FollowArbiters(time.Now())
}

// look has the view be as things are, and says so to the others where that is due.
func (a *Arbiters) look(now time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()
	before := a.view.Load()
	is := a.viewLocked()
	if !is.same(before) {
		a.view.Store(is)
	}
	if !slices.Equal(is.own, before.own) {
		a.changed, a.said = now, time.Time{}
	}
	again := sayAgain
	if now.Sub(a.changed) < news {
		again = soonAgain
	}
	if a.said.IsZero() || now.Sub(a.said) >= again {
		a.said = now
		_ = a.nodes.Publish(cluster.SubjectFloor, encode(message{Sees: is.own})) // said again
	}
}

// viewLocked is who is there, and whom they take for those that may decide.
func (a *Arbiters) viewLocked() *view {
	v := &view{self: a.nodes.Self(), quorum: a.nodes.Quorum(), most: a.nodes.Most, lives: make(map[string]struct{})}
	nodes := a.nodes.Nodes()
	all := make([]cluster.NodeID, 0, len(nodes))
	for _, n := range nodes {
		v.lives[n.ID.String()] = struct{}{}
		all = append(all, n.ID)
		if !n.Draining {
			v.own = append(v.own, n.ID)
		}
	}
	if len(v.own) == 0 {
		v.own = all
	}
	slices.SortFunc(v.own, compare)
	v.vote(v.own)
	for id, sees := range a.told {
		if !slices.Contains(all, id) {
			delete(a.told, id)
			continue
		}
		v.vote(sees)
	}
	slices.SortFunc(v.votes, func(a, b votes) int { return slices.CompareFunc(a.nodes, b.nodes, compare) })
	return v
}

// hear takes what another node says.
func (a *Arbiters) hear(from cluster.NodeID, data []byte) {
	var m message
	if json.Unmarshal(data, &m) != nil {
		return // a later protocol would have been refused
	}
	if m.Sees != nil {
		a.see(from, m.Sees)
		return
	}
	if c, err := a.hub.Get(m.Channel); err == nil {
		c.HearFloor(from.String(), m.floor(m.Channel, time.Now()))
	}
}

// see notes whom another node sees, for the next Tick, which is early enough: nobody has the floor of a new arbiter for longer, and of fifty nodes
// each says this fifty times when they begin. One of which it was not known may not know it of this one.
func (a *Arbiters) see(from cluster.NodeID, sees []cluster.NodeID) {
	slices.SortFunc(sees, compare)
	a.mu.Lock()
	defer a.mu.Unlock()
	if _, known := a.told[from]; !known {
		a.said = time.Time{}
	}
	a.told[from] = sees
}

// Self implements sfu.Floors.
func (a *Arbiters) Self() string { return a.nodes.Self().String() }

// Arbiter implements sfu.Floors.
func (a *Arbiters) Arbiter(channelID string) (node string, elected bool) {
	return a.view.Load().arbiter(channelID)
}

// Lives implements sfu.Floors.
func (a *Arbiters) Lives(node string) bool {
	_, ok := a.view.Load().lives[node]
	return ok
}

// Send implements sfu.Floors.
func (a *Arbiters) Send(m sfu.FloorMessage) bool {
	return a.nodes.Publish(cluster.SubjectFloor, encode(messageOf(m, time.Now()))) == nil
}

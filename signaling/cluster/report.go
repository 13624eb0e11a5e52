package cluster

import (
	"cmp"
	"slices"
	"time"
)

// Report is a node as who runs the server wants to see it.
type Report struct {
	Node
	// State is one of those below.
	State string
	// Why says why it is refused.
	Why string
	// RoundTrip is how long a message takes there and back; 0: not known.
	RoundTrip time.Duration
	// Clock is how far its clock is ahead of that of most nodes; of this one's while too few are there to tell.
	Clock time.Duration
}

// What a node is.
const (
	StateHere    = "here"
	StateAwaited = "awaited" // it should be there, and is not
	StateRefused = "refused"
)

// Reports returns all nodes that are known of, this one first and then by name.
func (c *Cluster) Reports() []Report {
	self := Report{Node: c.Nodes()[0], State: StateHere}
	c.mu.Lock()
	defer c.mu.Unlock()
	now := time.Now()
	self.Clock = c.roll.clocks.off(now)
	var all []Report
	for _, m := range c.roll.sorted() {
		all = append(all, Report{Node: m.node, State: StateHere, RoundTrip: m.roundTrip, Clock: c.roll.ahead(m, now)})
	}
	for _, r := range c.roll.refused {
		all = append(all, Report{Node: Node{ID: NodeID{Name: r.Name}, Since: r.At}, State: StateRefused, Why: r.Why})
	}
	for _, name := range c.roll.expected {
		if name != self.ID.Name && !slices.ContainsFunc(all, func(r Report) bool { return r.ID.Name == name }) {
			all = append(all, Report{Node: Node{ID: NodeID{Name: name}}, State: StateAwaited})
		}
	}
	slices.SortStableFunc(all, func(a, b Report) int { return cmp.Compare(a.ID.Name, b.ID.Name) })
	return append([]Report{self}, all...)
}

// BeatsLost is how many beats of others did not come.
func (c *Cluster) BeatsLost() int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.roll.lost
}

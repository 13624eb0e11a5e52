package cluster

import (
	"cmp"
	"slices"
	"time"
)

// Report is a node as who runs the server wants to see it.
type Report struct {
	Node
	// State is "here", "awaited" (it should be there and is not), or "refused".
	State string
	// Why says why it is refused.
	Why string
	// RoundTrip is how long a message takes there and back; 0: not known.
	RoundTrip time.Duration
	// Clock is how far its clock is ahead of this one's.
	Clock time.Duration
}

// Reports returns all nodes that are known of, this one first and then by name.
func (c *Cluster) Reports() []Report {
	self := Report{Node: c.Nodes()[0], State: "here"}
	c.mu.Lock()
	defer c.mu.Unlock()
	var all []Report
	for _, m := range c.roll.sorted() {
		all = append(all, Report{Node: m.node, State: "here", RoundTrip: m.roundTrip, Clock: m.clock})
	}
	for _, r := range c.roll.refused {
		all = append(all, Report{Node: Node{ID: NodeID{Name: r.Name}, Since: r.At}, State: "refused", Why: r.Why})
	}
	for _, name := range c.roll.expected {
		if name != self.ID.Name && !slices.ContainsFunc(all, func(r Report) bool { return r.ID.Name == name }) {
			all = append(all, Report{Node: Node{ID: NodeID{Name: name}}, State: "awaited"})
		}
	}
	slices.SortStableFunc(all, func(a, b Report) int { return cmp.Compare(a.ID.Name, b.ID.Name) })
	return append([]Report{self}, all...)
}

// BeatsLost is how many beats of others did not come.
func (c *Cluster) BeatsLost() uint64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.roll.lost
}

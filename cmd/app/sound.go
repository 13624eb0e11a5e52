package app

import (
	"sync"
	"time"

	between "github.com/mini-livechat/mini-livechat/sfu/relay"
	"github.com/mini-livechat/mini-livechat/signaling/cluster"
)

const (
	// firstLink is how long the first link to a node that has just come may take until people are told that they do not hear it, and
	// nextLink one that is made anew because the node is to be reached otherwise.
	firstLink = 3 * time.Second
	nextLink  = time.Second
)

// sound says of which other nodes nothing is heard, though they are there.
type sound struct {
	wake chan struct{} // of capacity 1: something has changed

	mu   sync.Mutex // guards down; taken under a link's
	down map[between.Node]time.Time

	seen map[cluster.NodeID]seen // judge's own
}

// seen is a node that is there.
type seen struct {
	since time.Time
	apart bool
}

func newSound() sound {
	return sound{wake: make(chan struct{}, 1), down: make(map[between.Node]time.Time), seen: make(map[cluster.NodeID]seen)}
}

// changed is told that a link has come up, or is lost.
func (s *sound) changed(node between.Node, up bool) {
	since := time.Now()
	if up {
		since = time.Time{}
	}
	s.mu.Lock()
	s.down[node] = since
	s.mu.Unlock()
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// apart reports whether nothing is heard of a node that has been there since then.
func (s *sound) apart(node between.Node, since, now time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	down, told := s.down[node]
	switch {
	case !told:
		return now.Sub(since) >= firstLink
	case down.IsZero():
		return false
	default:
		return now.Sub(down) >= nextLink
	}
}

// judge has people be told of what is otherwise than before.
func (s *sound) judge(there []cluster.Node, now time.Time, setApart func(node cluster.NodeID, is bool)) {
	gone := s.seen
	s.seen = make(map[cluster.NodeID]seen, len(there))
	for _, n := range there {
		before, known := gone[n.ID]
		delete(gone, n.ID)
		if !known {
			before.since = now
		}
		is := s.apart(between.Node(n.ID), before.since, now)
		if is != before.apart {
			setApart(n.ID, is)
		}
		s.seen[n.ID] = seen{before.since, is}
	}
	for id, was := range gone { // its people are there for a while yet, and may be heard elsewhere by then
		if was.apart {
			setApart(id, false)
		}
	}
	s.forget()
}

// forget forgets the links to nodes that are not there, which are down. Of one that has come meanwhile it is told again.
func (s *sound) forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for node, down := range s.down {
		if _, there := s.seen[cluster.NodeID(node)]; !there && !down.IsZero() {
			delete(s.down, node)
		}
	}
}

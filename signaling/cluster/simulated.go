package cluster

import (
	"container/heap"
	"context"
	"fmt"
	"slices"
	"sync"
	"time"
)

// heldFor is how long what a simulated network holds back is kept, as TCP does, before the way counts as closed.
const heldFor = 2 * DeadAfter

// Simulated is a network of nodes in one process. Its clock stands until it is told to go, with Advance or Run, and all that nodes
// are told happens there; so nothing does that was not asked for. Safe for concurrent use; Advance by one goroutine at a time.
type Simulated struct {
	advancing sync.Mutex // held by who lets the clock go; taken before mu

	mu    sync.Mutex // guards all below
	now   time.Time
	queue due
	count uint64 // of what was ever queued: what is due at the same time happens in order
	nodes map[string]*SimulatedNode
	names []string
	boots int
	ways  map[way]*road
	delay func(from, to string) time.Duration
}

// way is a direction between two nodes.
type way struct{ from, to string }

// road is what is known of a way.
type road struct {
	last   time.Time // when what was last sent arrives: nothing overtakes
	parted time.Time // since when nothing gets through; zero: it does
	held   []delivery
}

// delivery is what arrives at a node of one start.
type delivery struct {
	to  NodeID
	run func(*SimulatedNode)
}

type dueAt struct {
	at   time.Time
	turn uint64
	run  func()
}

type due []dueAt

func (d due) Len() int { return len(d) }
func (d due) Less(i, j int) bool {
	if !d[i].at.Equal(d[j].at) {
		return d[i].at.Before(d[j].at)
	}
	return d[i].turn < d[j].turn
}
func (d due) Swap(i, j int) { d[i], d[j] = d[j], d[i] }
func (d *due) Push(x any)   { *d = append(*d, x.(dueAt)) } //nolint:errcheck,forcetypeassert // only heap.Push calls it
func (d *due) Pop() any {
	old := *d
	last := old[len(old)-1]
	old[len(old)-1] = dueAt{}
	*d = old[:len(old)-1]
	return last
}

// NewSimulated makes a network for nodes of these names, none of which is started yet.
func NewSimulated(names ...string) *Simulated {
	return &Simulated{
		now: time.Now(), nodes: make(map[string]*SimulatedNode), names: names, ways: make(map[way]*road),
		delay: func(string, string) time.Duration { return 0 },
	}
}

// Start starts a node, also one that was killed before: with another boot id. It panics at a name that the network is not for, or
// that is in use.
func (s *Simulated) Start(name string) *SimulatedNode {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.nodes[name] != nil || !slices.Contains(s.names, name) {
		panic(fmt.Sprintf("cluster: cannot start the simulated node %q", name))
	}
	s.boots++
	n := &SimulatedNode{net: s}
	n.station = newStation(NodeID{name, fmt.Sprintf("boot%d", s.boots)}, func() Identity { return Identity{Protocol: Protocol} }, s.names)
	n.wake = n.tellSoon
	s.nodes[name] = n
	// Not all at the same time, as in life, and yet always the same.
	s.afterLocked(BeatEvery*time.Duration(slices.Index(s.names, name))/time.Duration(len(s.names)), n.beat)
	return n
}

// Kill ends a node without a word of its own; the others see at once that the way to it is closed, unless they are parted from it.
func (s *Simulated) Kill(name string) {
	s.mu.Lock()
	n := s.nodes[name]
	delete(s.nodes, name)
	for w, r := range s.ways {
		if w.from == name || w.to == name {
			r.held = nil
		}
	}
	if n != nil {
		for _, other := range s.nodes {
			if to := other.Self(); s.roadLocked(name, to.Name).parted.IsZero() {
				s.sendLocked(name, delivery{to, func(o *SimulatedNode) { o.cut(name, "the way to it is closed") }})
			}
		}
	}
	s.mu.Unlock()
	if n != nil {
		n.close()
	}
}

// Part lets nothing pass between nodes of different groups; those that are in none are alone. Nobody is told. What is sent meanwhile is
// kept for a while, and arrives when the nodes are no longer parted by then.
func (s *Simulated) Part(groups ...[]string) {
	together := func(a, b string) bool {
		return slices.ContainsFunc(groups, func(g []string) bool { return slices.Contains(g, a) && slices.Contains(g, b) })
	}
	s.part(together)
}

// Heal lets all pass again.
func (s *Simulated) Heal() { s.part(func(string, string) bool { return true }) }

func (s *Simulated) part(together func(a, b string) bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, from := range s.names {
		for _, to := range s.names {
			r := s.roadLocked(from, to)
			switch open := from == to || together(from, to); {
			case !open && r.parted.IsZero():
				r.parted = s.now
			case open && !r.parted.IsZero():
				s.openLocked(from, to, r)
			}
		}
	}
}

func (s *Simulated) openLocked(from, to string, r *road) {
	closed := s.now.Sub(r.parted) > heldFor
	held := r.held
	r.parted, r.held = time.Time{}, nil
	if closed {
		if n := s.nodes[to]; n != nil {
			s.sendLocked(from, delivery{n.Self(), func(o *SimulatedNode) { o.cut(from, "the way to it is closed") }})
		}
		return
	}
	for _, d := range held {
		s.sendLocked(from, d)
	}
}

// Cut closes the way between two nodes and opens it at once: what is under way is lost, and both see that.
func (s *Simulated) Cut(a, b string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, w := range []way{{a, b}, {b, a}} {
		s.ways[w] = &road{parted: s.roadLocked(w.from, w.to).parted} // what is under way belongs to the road that was
		if n := s.nodes[w.to]; n != nil {
			s.sendLocked(w.from, delivery{n.Self(), func(o *SimulatedNode) { o.cut(w.from, "the way to it is closed") }})
		}
	}
}

// Delay sets how long a message takes from one node to another; asked for each.
func (s *Simulated) Delay(delay func(from, to string) time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.delay = delay
}

// Now is the time by the network's clock.
func (s *Simulated) Now() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.now
}

// Advance lets the clock go on, and all happen that is due meanwhile, on this goroutine. Answers are worked out on goroutines of their
// own, and arrive when Advance is called after that.
func (s *Simulated) Advance(by time.Duration) {
	s.advancing.Lock()
	defer s.advancing.Unlock()
	s.mu.Lock()
	until := s.now.Add(by)
	for len(s.queue) > 0 && !s.queue[0].at.After(until) {
		next, _ := heap.Pop(&s.queue).(dueAt)
		s.now = next.at
		s.mu.Unlock()
		next.run()
		s.mu.Lock()
	}
	s.now = until
	s.mu.Unlock()
}

// Run lets the clock go with that of the machine, until ctx is done; for tests of what has goroutines of its own.
func (s *Simulated) Run(ctx context.Context) {
	const step = time.Millisecond
	ticker := time.NewTicker(step)
	defer ticker.Stop()
	last := time.Now()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			now := time.Now()
			s.Advance(now.Sub(last))
			last = now
		}
	}
}

func (s *Simulated) roadLocked(from, to string) *road {
	r := s.ways[way{from, to}]
	if r == nil {
		r = &road{}
		s.ways[way{from, to}] = r
	}
	return r
}

func (s *Simulated) afterLocked(d time.Duration, run func()) { s.atLocked(s.now.Add(d), run) }

func (s *Simulated) atLocked(at time.Time, run func()) {
	if at.Before(s.now) {
		at = s.now
	}
	s.count++
	heap.Push(&s.queue, dueAt{at, s.count, run})
}

// sendLocked has something arrive.
func (s *Simulated) sendLocked(from string, d delivery) {
	r := s.roadLocked(from, d.to.Name)
	at := s.now.Add(s.delay(from, d.to.Name))
	if at.Before(r.last) {
		at = r.last
	}
	r.last = at
	s.atLocked(at, func() { s.arrive(from, r, d) })
}

func (s *Simulated) arrive(from string, r *road, d delivery) {
	s.mu.Lock()
	n := s.nodes[d.to.Name]
	switch {
	case n == nil || n.Self() != d.to || s.ways[way{from, d.to.Name}] != r:
		s.mu.Unlock()
		return
	case !r.parted.IsZero():
		if s.now.Sub(r.parted) <= heldFor {
			r.held = append(r.held, d)
		}
		s.mu.Unlock()
		return
	}
	s.mu.Unlock()
	d.run(n)
}

// broadcast has something arrive at all others that listen to it.
func (s *Simulated) broadcast(n *SimulatedNode, subject string, size int, run func(*SimulatedNode)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, name := range s.names {
		if other := s.nodes[name]; other != nil && other != n && (subject == subjectBeats || other.listens(subject)) {
			n.count(subject, size)
			s.sendLocked(n.Self().Name, delivery{other.Self(), run})
		}
	}
}

func (s *Simulated) send(from string, d delivery) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sendLocked(from, d)
}

package cluster

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"
)

const (
	// maxTold and maxToldBytes are how many events, and bytes of them, may wait to be told on a node. With more, what waits is thrown
	// away and all others count as gone and back.
	maxTold      = 1 << 16
	maxToldBytes = 64 << 20
)

// station is what all nodes have in common, however they reach each other: who is there, who listens here, and the one queue of what
// is to be told. The queue is emptied by its owner, with tell.
type station struct {
	// wake is called without the guard when the queue has become longer.
	wake func()
	// say is called without the guard with words for the log.
	say func(word)

	mu        sync.Mutex // guards all below
	roll      roll
	listeners map[string][]*listener
	answers   map[string]answer
	watchers  []*watcher
	queue     []event
	bytes     int // in queue
	// asked are requests under way, ended when who was asked is gone.
	asked  map[*asked]struct{}
	closed bool
}

type (
	listener struct {
		receive func(from NodeID, data []byte)
		gone    bool
	}
	watcher struct {
		told func(Change)
		gone bool
	}
	answer func(ctx context.Context, from NodeID, data []byte) ([]byte, error)
	asked  struct {
		to  NodeID
		end context.CancelCauseFunc
	}
	// event is a message, or a change; the latter for one watcher, or all.
	event struct {
		subject string
		from    NodeID
		data    []byte
		change  *Change
		only    *watcher
	}
)

func newStation(self NodeID, identity func() Identity, expected []string) *station {
	return &station{
		wake: func() {}, say: func(word) {},
		roll:      roll{self: self, identity: identity, expected: expected, alive: make(map[string]*member)},
		listeners: make(map[string][]*listener), answers: make(map[string]answer), asked: make(map[*asked]struct{}),
	}
}

// Self returns this node.
func (s *station) Self() NodeID { return s.roll.self }

// Subscribe is part of Bus.
func (s *station) Subscribe(subject string, receive func(from NodeID, data []byte)) (cancel func(), err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, ErrClosed
	}
	l := &listener{receive: receive}
	s.listeners[subject] = append(s.listeners[subject], l)
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		l.gone = true
		s.listeners[subject] = slices.DeleteFunc(s.listeners[subject], func(one *listener) bool { return one == l })
	}, nil
}

// listens reports whether anything is called for what is published on a subject.
func (s *station) listens(subject string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.listeners[subject]) > 0
}

// Answer is part of Bus.
func (s *station) Answer(
	subject string, handle func(ctx context.Context, from NodeID, data []byte) ([]byte, error),
) (cancel func(), err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, ErrClosed
	}
	if s.answers[subject] != nil {
		return nil, fmt.Errorf("cluster: %q is answered already", subject)
	}
	s.answers[subject] = handle
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.answers, subject)
	}, nil
}

// Nodes is part of Members. This one is said by who embeds the station.
func (s *station) others() []Node {
	s.mu.Lock()
	defer s.mu.Unlock()
	members := s.roll.sorted()
	nodes := make([]Node, len(members))
	for i, m := range members {
		nodes[i] = m.node
	}
	return nodes
}

// Changed is part of Members.
func (s *station) Changed(told func(Change)) (cancel func()) {
	w := &watcher{told: told}
	s.mu.Lock()
	s.watchers = append(s.watchers, w)
	// What waits in the queue is news to w too, so it begins with who was there before.
	before := make(map[NodeID]Node)
	for _, m := range s.roll.sorted() {
		before[m.node.ID] = m.node
	}
	for _, e := range slices.Backward(s.queue) {
		if e.change != nil && e.only == nil {
			if e.change.Alive {
				delete(before, e.change.Node.ID)
			} else {
				before[e.change.Node.ID] = e.change.Node
			}
		}
	}
	first := make([]event, 0, len(before))
	for _, n := range before {
		first = append(first, event{change: &Change{Node: n, Alive: true}, only: w})
	}
	s.queue = append(first, s.queue...)
	s.mu.Unlock()
	s.wake()
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		w.gone = true
		s.watchers = slices.DeleteFunc(s.watchers, func(one *watcher) bool { return one == w })
	}
}

// Quorum is part of Members.
func (s *station) Quorum() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.roll.quorum()
}

// Most is part of Members.
func (s *station) Most(count int) bool { return s.roll.most(count) }

// timeAt returns what time it is by the clock of most nodes, when this one's shows now.
func (s *station) timeAt(now time.Time) time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.roll.clocks.time(now)
}

// Agreed reports whether it is known what time it is: most of the nodes were there once and said the same.
func (s *station) Agreed() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.roll.clocks.agreed
}

// forgiven returns how far apart clocks may be of nodes whose word counts here.
func (s *station) forgiven() time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.roll.clocks.forgiven()
}

// Refused returns who was refused, the oldest first.
func (s *station) Refused() []Refused {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.roll.refused)
}

// hear, look and cut take a beat, look who is silent, and take it that a way is closed.
func (s *station) hear(now time.Time, b *beat) {
	s.find(func(r *roll) finding { return r.hear(now, b) })
}
func (s *station) look(now time.Time)   { s.find(func(r *roll) finding { return r.look(now) }) }
func (s *station) cut(name, why string) { s.find(func(r *roll) finding { return r.cut(name, why) }) }

func (s *station) refuse(now time.Time, name, why string) {
	s.find(func(r *roll) (f finding) {
		r.refuse(&f, now, name, why)
		return f
	})
}

// took notes how long a message to a node takes, there and back.
func (s *station) took(id NodeID, roundTrip time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if m := s.roll.alive[id.Name]; m != nil && m.node.ID == id {
		m.roundTrip = roundTrip
	}
}

// find asks the roll and has told what comes of it.
func (s *station) find(ask func(*roll) finding) {
	s.mu.Lock()
	f := ask(&s.roll)
	for i := range f.changes {
		s.putLocked(event{change: &f.changes[i]})
		if !f.changes[i].Alive {
			s.endAskedLocked(f.changes[i].Node.ID)
		}
	}
	s.mu.Unlock()
	if len(f.changes) > 0 {
		s.wake()
	}
	for _, w := range f.words {
		s.say(w)
	}
}

// arrive takes a message.
func (s *station) arrive(from NodeID, subject string, data []byte) {
	s.mu.Lock()
	if !s.roll.member(from) {
		s.mu.Unlock()
		return
	}
	if len(s.queue) >= maxTold || s.bytes+len(data) > maxToldBytes {
		s.overrunLocked("this node could not keep up with what the others said")
	}
	s.putLocked(event{subject: subject, from: from, data: data})
	s.mu.Unlock()
	s.wake()
}

// overrun takes it that messages were lost here.
func (s *station) overrun(why string) {
	s.mu.Lock()
	s.overrunLocked(why)
	s.mu.Unlock()
	s.wake()
}

// overrunLocked throws away the messages that wait, and has told that all others are gone and back.
func (s *station) overrunLocked(why string) {
	s.queue = slices.DeleteFunc(s.queue, func(e event) bool { return e.change == nil })
	s.bytes = 0
	for _, m := range s.roll.sorted() {
		s.putLocked(event{change: &Change{Node: m.node, Why: why}})
		s.putLocked(event{change: &Change{Node: m.node, Alive: true}})
	}
}

func (s *station) putLocked(e event) {
	s.queue = append(s.queue, e)
	s.bytes += len(e.data)
}

// tell empties the queue, on the goroutine of all that the node is told.
func (s *station) tell() {
	for {
		s.mu.Lock()
		queue := s.queue
		s.queue, s.bytes = nil, 0
		s.mu.Unlock()
		if len(queue) == 0 {
			return
		}
		for i := range queue {
			s.tellOne(&queue[i])
		}
	}
}

func (s *station) tellOne(e *event) {
	switch {
	case e.only != nil:
		s.tellWatcher(e.only, e.change)
	case e.change != nil:
		s.mu.Lock()
		watchers := slices.Clone(s.watchers)
		s.mu.Unlock()
		for _, w := range watchers {
			s.tellWatcher(w, e.change)
		}
	default:
		s.mu.Lock()
		listeners := slices.Clone(s.listeners[e.subject])
		s.mu.Unlock()
		for _, l := range listeners {
			s.mu.Lock()
			gone := l.gone
			s.mu.Unlock()
			if !gone {
				l.receive(e.from, e.data)
			}
		}
	}
}

func (s *station) tellWatcher(w *watcher, c *Change) {
	s.mu.Lock()
	gone := w.gone
	s.mu.Unlock()
	if !gone {
		w.told(*c)
	}
}

// ask begins a request: its context ends with ErrGone when the node goes.
func (s *station) ask(ctx context.Context, to NodeID) (asking context.Context, done func(), err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.closed:
		return nil, nil, ErrClosed
	case !s.roll.member(to):
		return nil, nil, fmt.Errorf("%w: %s", ErrGone, to.Name)
	}
	asking, end := context.WithCancelCause(ctx)
	one := &asked{to, end}
	s.asked[one] = struct{}{}
	return asking, func() {
		end(nil)
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.asked, one)
	}, nil
}

func (s *station) endAskedLocked(to NodeID) {
	for one := range s.asked {
		if one.to == to {
			one.end(fmt.Errorf("%w: %s", ErrGone, to.Name))
		}
	}
}

// answered carries out what another node asks for.
func (s *station) answered(ctx context.Context, from NodeID, subject string, data []byte) ([]byte, error) {
	s.mu.Lock()
	handle := s.answers[subject]
	ok := s.roll.member(from)
	s.mu.Unlock()
	switch {
	case !ok:
		return nil, ErrGone
	case handle == nil:
		return nil, ErrNoAnswer
	}
	return handle(ctx, from, data)
}

// carried is how an error of an answer comes to who asked.
func carried(err error) error {
	if err == nil || errors.Is(err, ErrGone) || errors.Is(err, ErrNoAnswer) {
		return err
	}
	return &AnswerError{err.Error()}
}

func (s *station) left() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.closed
}

// close ends requests under way, and lets nothing begin.
func (s *station) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	for one := range s.asked {
		one.end(ErrClosed)
	}
}

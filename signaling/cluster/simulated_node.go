package cluster

import (
	"bytes"
	"context"
	"strings"
	"sync"
	"time"
)

// SimulatedNode is a node of a Simulated: a [Bus] and [Members].
type SimulatedNode struct {
	*station
	net *Simulated

	mu     sync.Mutex // guards all below; nothing is taken under it
	status Status
	beats  uint64
	sent   map[string]Traffic // by subject
	soon   bool               // that tell is due
}

// tellSoon has the queue emptied when the clock goes on.
func (n *SimulatedNode) tellSoon() {
	n.mu.Lock()
	was := n.soon
	n.soon = true
	n.mu.Unlock()
	if was {
		return
	}
	n.net.mu.Lock()
	defer n.net.mu.Unlock()
	n.net.afterLocked(0, func() {
		n.mu.Lock()
		n.soon = false
		n.mu.Unlock()
		if !n.left() {
			n.tell()
		}
	})
}

// Traffic is how much a node said, once for each that it was said to.
type Traffic struct{ Messages, Bytes int }

// Say sets what the node says of itself from its next beat on.
func (n *SimulatedNode) Say(status Status) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.status = status
}

// Sent returns how much the node said, beats and answers too.
func (n *SimulatedNode) Sent() (all Traffic) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, t := range n.sent {
		all.Messages += t.Messages
		all.Bytes += t.Bytes
	}
	return all
}

// SentOn returns how much of that it said on subjects that begin so; beats are "lc.beats".
func (n *SimulatedNode) SentOn(prefix string) (all Traffic) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for subject, t := range n.sent {
		if strings.HasPrefix(subject, prefix) {
			all.Messages += t.Messages
			all.Bytes += t.Bytes
		}
	}
	return all
}

// Nodes is part of Members.
func (n *SimulatedNode) Nodes() []Node {
	n.mu.Lock()
	self := Node{ID: n.Self(), Status: n.status}
	n.mu.Unlock()
	return append([]Node{self}, n.others()...)
}

// Leave has the node say that it goes, and ends it.
func (n *SimulatedNode) Leave() {
	n.sayThatItIsThere(n.net.Now(), true)
	n.net.Kill(n.Self().Name)
}

// beat says that the node is there, looks who is silent, and is due again.
func (n *SimulatedNode) beat() {
	n.net.mu.Lock()
	here := n.net.nodes[n.Self().Name] == n
	if here {
		n.net.afterLocked(BeatEvery, n.beat)
	}
	now := n.net.now
	n.net.mu.Unlock()
	if !here {
		return
	}
	n.sayThatItIsThere(now, false)
	n.look(now)
}

func (n *SimulatedNode) sayThatItIsThere(now time.Time, leaving bool) {
	n.mu.Lock()
	n.beats++
	b := beat{
		Protocol: Protocol, Name: n.Self().Name, Boot: n.Self().Boot, Number: n.beats, At: now.UnixMilli(), Leaving: leaving, Status: n.status,
	}
	n.mu.Unlock()
	n.net.broadcast(n, subjectBeats, len(b.encode()), func(o *SimulatedNode) { o.hear(o.net.Now(), &b) })
}

func (n *SimulatedNode) count(subject string, size int) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.sent == nil {
		n.sent = make(map[string]Traffic)
	}
	n.sent[subject] = Traffic{n.sent[subject].Messages + 1, n.sent[subject].Bytes + size}
}

// Publish is part of Bus.
func (n *SimulatedNode) Publish(subject string, data []byte) error {
	if len(data) > MaxMessageBytes {
		return ErrTooLong
	}
	if n.left() {
		return ErrClosed
	}
	data = bytes.Clone(data)
	n.net.broadcast(n, subject, len(data), func(o *SimulatedNode) { o.arrive(n.Self(), subject, data) })
	return nil
}

// Request is part of Bus.
func (n *SimulatedNode) Request(ctx context.Context, to NodeID, subject string, data []byte) ([]byte, error) {
	if len(data) > MaxMessageBytes {
		return nil, ErrTooLong
	}
	asking, done, err := n.ask(ctx, to)
	if err != nil {
		return nil, err
	}
	defer done()
	type outcome struct {
		data []byte
		err  error
	}
	back := make(chan outcome, 1)
	from := n.Self()
	n.count(subject, len(data))
	data = bytes.Clone(data)
	n.net.send(from.Name, delivery{to, func(o *SimulatedNode) {
		go func() {
			answer, err := o.answered(asking, from, subject, data)
			o.count(subject, len(answer))
			o.net.send(to.Name, delivery{from, func(*SimulatedNode) { back <- outcome{answer, carried(err)} }})
		}()
	}})
	select {
	case got := <-back:
		return got.data, got.err
	case <-asking.Done():
		return nil, context.Cause(asking)
	}
}

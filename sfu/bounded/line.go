// Package bounded bounds how many may be let wait, and how fast something may go on.
package bounded

import (
	"container/list"
	"sync"
)

// Line is a bounded number of those who are let wait: connections that have shown nothing yet, handshakes that are not over.
// Where one too many enters, the one that has been quiet for longest gives way. Those who mean it go on within a few round
// trips and come through, whatever number of others just stands there; if the newest were refused, those others would keep
// everybody out. Safe for concurrent use.
type Line[T comparable] struct {
	most int

	mu     sync.Mutex // guards the fields below
	order  list.List  // of *waiting[T], the longest quiet first
	places map[T]*list.Element
}

type waiting[T comparable] struct {
	who     T
	giveWay func()
}

// NewLine returns a Line with room for so many, at least one.
func NewLine[T comparable](most int) *Line[T] {
	return &Line[T]{most: max(most, 1), places: make(map[T]*list.Element)}
}

// Enter puts who at the end of the line; who is in it already begins anew. Should that be one too many, whoever has been quiet
// for longest has left when Enter returns, and its giveWay was called, which must not wait.
func (l *Line[T]) Enter(who T, giveWay func()) {
	if first := l.enter(who, giveWay); first != nil {
		first()
	}
}

func (l *Line[T]) enter(who T, giveWay func()) (first func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.leaveLocked(who)
	if l.order.Len() >= l.most {
		quietest, _ := l.order.Front().Value.(*waiting[T])
		l.leaveLocked(quietest.who)
		first = quietest.giveWay
	}
	l.places[who] = l.order.PushBack(&waiting[T]{who, giveWay})
	return first
}

// Touch notes that who is not quiet. It does nothing for one who is not in the line.
func (l *Line[T]) Touch(who T) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if place := l.places[who]; place != nil {
		l.order.MoveToBack(place)
	}
}

// Leave takes who out, and reports whether who was still in the line.
func (l *Line[T]) Leave(who T) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.leaveLocked(who)
}

func (l *Line[T]) leaveLocked(who T) bool {
	place := l.places[who]
	if place == nil {
		return false
	}
	l.order.Remove(place)
	delete(l.places, who)
	return true
}

// Len is how many are in the line.
func (l *Line[T]) Len() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.order.Len()
}

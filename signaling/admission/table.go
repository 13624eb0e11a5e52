package admission

import (
	"container/list"
	"time"
)

// table is a bounded map of what somebody did. Should it be full, whoever was quiet for longest is forgotten, and may do
// everything anew: who has as many addresses as it takes to be forgotten needs no second chance with one of them. Who has used nothing
// that is not made up for is forgotten when others come, so that it does not grow with all who ever were here.
type table[K comparable] struct {
	most   int
	pace   pace
	order  list.List // of *account[K], the longest quiet first
	places map[K]*list.Element
}

// account is what one has done.
type account[K comparable] struct {
	key     K
	buckets [kinds]bucket
	spent   failures
}

// pace is how much of what an account has used is made up for in a second, by the slowest rule that there is for it.
type pace struct {
	kinds [kinds]float64
	spent float64
}

// add has one more set of rules count.
func (p *pace) add(rules *[kinds]Rule) {
	for kind, r := range rules {
		if !r.none() && (p.kinds[kind] == 0 || r.PerSecond < p.kinds[kind]) {
			p.kinds[kind] = r.PerSecond
		}
	}
}

// blank reports whether an account is as one who was never here.
func (a *account[K]) blank(now time.Duration, p *pace) bool {
	for kind := range a.buckets {
		if !a.buckets[kind].empty(now, p.kinds[kind]) {
			return false
		}
	}
	return a.spent.empty(now, p.spent) && (a.spent.pause == 0 || now >= a.spent.until+longestPause)
}

func newTable[K comparable](most int, p pace) *table[K] {
	return &table[K]{most: most, pace: p, places: make(map[K]*list.Element)}
}

// tidy forgets who has been quiet for longest, two at most, as far as they are blank.
func (t *table[K]) tidy(now time.Duration) {
	for range 2 {
		first := t.order.Front()
		if first == nil {
			return
		}
		quietest, _ := first.Value.(*account[K])
		if !quietest.blank(now, &t.pace) {
			return
		}
		t.forget(first, quietest)
	}
}

func (t *table[K]) forget(place *list.Element, who *account[K]) {
	delete(t.places, who.key)
	t.order.Remove(place)
}

// of returns the account of somebody. now is when that is.
func (t *table[K]) of(key K, now time.Duration) *account[K] {
	if place := t.places[key]; place != nil {
		t.order.MoveToBack(place)
		known, _ := place.Value.(*account[K])
		return known
	}
	fresh := &account[K]{key: key}
	t.tidy(now)
	if t.order.Len() >= t.most {
		first := t.order.Front()
		quietest, _ := first.Value.(*account[K])
		t.forget(first, quietest)
	}
	t.places[key] = t.order.PushBack(fresh)
	return fresh
}

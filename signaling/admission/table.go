package admission

import "container/list"

// table is a bounded map of what somebody did. Should it be full, whoever was quiet for longest is forgotten, and may do
// everything anew: who has as many addresses as it takes to be forgotten needs no second chance with one of them.
type table[K comparable] struct {
	most   int
	order  list.List // of *account[K], the longest quiet first
	places map[K]*list.Element
}

// account is what one has done.
type account[K comparable] struct {
	key     K
	buckets [kinds]bucket
	spent   failures
}

func newTable[K comparable](most int) *table[K] {
	return &table[K]{most: most, places: make(map[K]*list.Element)}
}

// of returns the account of somebody.
func (t *table[K]) of(key K) *account[K] {
	if place := t.places[key]; place != nil {
		t.order.MoveToBack(place)
		known, _ := place.Value.(*account[K])
		return known
	}
	fresh := &account[K]{key: key}
	if t.order.Len() >= t.most {
		first := t.order.Front()
		quietest, _ := first.Value.(*account[K])
		delete(t.places, quietest.key)
		t.order.Remove(first)
	}
	t.places[key] = t.order.PushBack(fresh)
	return fresh
}

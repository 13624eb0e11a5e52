package floor

import "slices"

// waiter is somebody in the queue.
type waiter struct {
	user     string
	priority uint8
	// patient ones wait for whoever else comes first; others only until the floor is free.
	patient bool
	told    int // the position they were last told, 0 for none
}

// queue is who waits: by priority, then as they came.
type queue []waiter

func (q queue) find(user string) int {
	return slices.IndexFunc(q, func(w waiter) bool { return w.user == user })
}

// add puts w behind all of its priority.
func (q *queue) add(w waiter) {
	at := slices.IndexFunc(*q, func(o waiter) bool { return o.priority < w.priority })
	if at < 0 {
		at = len(*q)
	}
	*q = slices.Insert(*q, at, w)
}

// remove takes out the one at a place.
func (q *queue) remove(at int) waiter {
	w := (*q)[at]
	*q = slices.Delete(*q, at, at+1)
	return w
}

// positions are for those whose place is another one than they were told.
func (q queue) positions() []Effect {
	var told []Effect
	for i := range q {
		if w := &q[i]; w.told != i+1 {
			w.told = i + 1
			told = append(told, Queued{User: w.user, Position: i + 1, Size: len(q), Priority: w.priority})
		}
	}
	return told
}

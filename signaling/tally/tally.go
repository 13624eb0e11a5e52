// Package tally counts what happens too often to be logged each time, such as refusals,
// and what nobody would notice if it were not counted. It holds no clock and no log: the
// composition root reads the counts and sums them up once a minute.
package tally

import (
	"maps"
	"sync"
)

// Tally counts by reason. A reason is one of the program's own words in snake_case, never
// anything that a stranger chose, so there are few. The zero value is ready, and a nil
// Tally counts nothing. Safe for concurrent use.
type Tally struct {
	mu     sync.Mutex // guards counts
	counts map[string]int64
}

// Count adds one to a reason.
func (t *Tally) Count(reason string) {
	if t == nil {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.counts == nil {
		t.counts = make(map[string]int64)
	}
	t.counts[reason]++
}

// Counts returns all counts since the start, each of Reasons among them.
func (t *Tally) Counts() map[string]int64 {
	if t == nil {
		return nil
	}
	all := make(map[string]int64)
	for _, reason := range Reasons() {
		all[reason] = 0
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	maps.Copy(all, t.counts)
	return all
}

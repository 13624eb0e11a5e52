// Package storetest has what tests of several stores need.
package storetest

import (
	"context"
	"sync"

	"github.com/mini-livechat/mini-livechat/signaling/store"
)

// Log is a store.Replica in memory, which stores of one process have in common. Use NewLog. Its methods may be called from any goroutine.
type Log struct {
	mu      sync.Mutex // guards the fields below
	entries [][]byte
	first   uint64        // the index of the first that can be read
	changed chan struct{} // closed at the next change
	down    bool
}

// NewLog returns an empty log.
func NewLog() *Log { return &Log{first: 1, changed: make(chan struct{})} }

// Cut has nothing be written any more, or again.
func (l *Log) Cut(down bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.down = down
}

// Forget has the log begin later than any store ends, or at its beginning again, and whoever follows it notice that.
func (l *Log) Forget(all bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.first = 1; all {
		l.first += uint64(len(l.entries)) + 10
	}
	l.changeLocked()
}

func (l *Log) changeLocked() {
	close(l.changed)
	l.changed = make(chan struct{})
}

// Publish implements store.Replica.
func (l *Log) Publish(_ context.Context, _ string, data []byte) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.down {
		return context.DeadlineExceeded
	}
	l.entries = append(l.entries, data)
	l.changeLocked()
	return nil
}

// Last implements store.Replica.
func (l *Log) Last(context.Context) (uint64, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return uint64(len(l.entries)), nil
}

// Follow implements store.Replica.
func (l *Log) Follow(ctx context.Context, from uint64, apply func(uint64, []byte) error) error {
	for {
		l.mu.Lock()
		entries, first, changed := l.entries, l.first, l.changed
		l.mu.Unlock()
		if first > from+1 {
			return store.ErrTrimmed
		}
		for ; from <= uint64(len(entries)); from++ {
			if err := apply(from, entries[from-1]); err != nil {
				return err
			}
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// Package pulse has what is done again and again be done at the same moments, so that a process that has nothing else to do wakes once for
// all of it.
package pulse

import (
	"sync"
	"time"
)

// Ticker ticks at whole multiples of its interval since the epoch, by the wall clock as it was when it was made. So tickers tick together
// whose intervals are multiples of each other, those of other processes and machines too, as far as their clocks agree. A [time.Ticker]
// cannot do that: it is begun by a timer, which is up to a millisecond late, and keeps that distance.
type Ticker struct {
	// C has the tick that nobody took yet; more than one are one.
	C <-chan time.Time

	c     chan time.Time
	every time.Duration

	mu      sync.Mutex // guards the fields below
	next    time.Time
	timer   *time.Timer
	stopped bool
}

// NewTicker returns a ticker that ticks first within d. d is positive.
func NewTicker(d time.Duration) *Ticker {
	now := time.Now()
	t := &Ticker{c: make(chan time.Time, 1), every: d, next: now.Add(d - time.Duration(now.UnixNano())%d)}
	t.C = t.c
	t.mu.Lock()
	defer t.mu.Unlock()
	t.timer = time.AfterFunc(time.Until(t.next), t.tick)
	return t
}

// Stop has no more ticks come. One that nobody took stays.
func (t *Ticker) Stop() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.stopped = true
	t.timer.Stop()
}

func (t *Ticker) tick() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.stopped {
		return
	}
	now := time.Now()
	select {
	case t.c <- now:
	default:
	}
	for !t.next.After(now) {
		t.next = t.next.Add(t.every)
	}
	t.timer.Reset(time.Until(t.next))
}

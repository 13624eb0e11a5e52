package sfu

import (
	"context"
	"slices"
	"sync"
	"time"
)

// decisionInterval is how often a channel in which somebody speaks is looked at: once for
// each of the usual packets.
const decisionInterval = 20 * time.Millisecond

// decider looks after the channels in which somebody speaks, on one goroutine. While
// nobody does, nothing ticks.
type decider struct {
	journal Journal
	wake    chan struct{} // has a token when there is something in roused

	mu     sync.Mutex // guards roused; taken while holding a Channel's, and nothing after it
	roused []*Channel
}

func newDecider(journal Journal) *decider {
	return &decider{journal: journal, wake: make(chan struct{}, 1)}
}

// add has the decider look after a channel. It never waits.
func (d *decider) add(c *Channel) {
	d.mu.Lock()
	d.roused = append(d.roused, c)
	d.mu.Unlock()
	select {
	case d.wake <- struct{}{}:
	default:
	}
}

func (d *decider) take() []*Channel {
	d.mu.Lock()
	defer d.mu.Unlock()
	roused := d.roused
	d.roused = nil
	return roused
}

// run decides until ctx is done.
func (d *decider) run(ctx context.Context) {
	var active []*Channel
	ticker := time.NewTicker(decisionInterval)
	ticker.Stop()
	defer ticker.Stop()
	decide := func(channels []*Channel) []*Channel {
		now := time.Now()
		return slices.DeleteFunc(channels, func(c *Channel) bool { return !d.decide(c, now) })
	}
	for {
		select {
		case <-ctx.Done():
			return
		case <-d.wake:
			idle := len(active) == 0
			active = append(active, decide(d.take())...)
			if idle && len(active) > 0 {
				ticker.Reset(decisionInterval)
			}
		case <-ticker.C:
			if active = decide(active); len(active) == 0 {
				ticker.Stop()
			}
		}
	}
}

// decide looks at one channel. One that panics sleeps until somebody in it begins to speak
// again; the others go on.
func (d *decider) decide(c *Channel, now time.Time) (more bool) {
	decided := false
	defer func() {
		if !decided {
			c.awake.Store(false)
			more = false
		}
	}()
	defer contain(d.journal, "deciding who is heard")
	more = c.decide(now)
	decided = true
	return more
}

package talk

import (
	"context"
	"sync"
)

// gate is open while what is played is to be heard. Its methods may be called from any goroutine.
type gate struct {
	mu   sync.Mutex
	open chan struct{} // closed while the gate is open; guarded by mu
	is   bool          // guarded by mu
}

func newGate() *gate { return &gate{open: make(chan struct{})} }

// set opens or shuts it.
func (g *gate) set(open bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	switch {
	case open && !g.is:
		close(g.open)
	case !open && g.is:
		g.open = make(chan struct{})
	}
	g.is = open
}

func (g *gate) isOpen() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.is
}

// opening is closed when it is open.
func (g *gate) opening() <-chan struct{} {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.open
}

// wait returns when it is open, or the context's error.
func (g *gate) wait(ctx context.Context) error {
	select {
	case <-g.opening():
		return ctx.Err()
	case <-ctx.Done():
		return ctx.Err()
	}
}

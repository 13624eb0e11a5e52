package app

import (
	"runtime"
	"sync"
	"time"
)

// load is how much of the cores this process takes. Safe for concurrent use.
type load struct {
	mu     sync.Mutex // guards all below
	at     time.Time
	used   time.Duration
	latest float64
}

// loadOver is over how long it is taken.
const loadOver = time.Second

// now returns it, 0 to 1, over the last second or so; 0 where it is not known.
func (l *load) now() float64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	at := time.Now()
	if passed := at.Sub(l.at); passed >= loadOver {
		used := processTime()
		if !l.at.IsZero() {
			l.latest = min(1, float64(used-l.used)/float64(passed)/float64(runtime.GOMAXPROCS(0)))
		}
		l.at, l.used = at, used
	}
	return l.latest
}

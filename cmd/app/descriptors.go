package app

import (
	"fmt"
	"sync"
	"time"
)

const (
	// scarce is of how many file descriptors that there may be the last is near, in percent of them in use.
	scarce = 90
	// descriptorLook is how often at most they are counted: whoever asks how things are must not cost much.
	descriptorLook = time.Second
)

// descriptorWatch knows whether file descriptors are about to run out. Its zero value is ready; safe for concurrent use.
type descriptorWatch struct {
	mu  sync.Mutex
	at  time.Time
	err error
}

// Trouble says that few are left, or nil.
func (w *descriptorWatch) Trouble() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if now := time.Now(); w.at.IsZero() || now.Sub(w.at) >= descriptorLook {
		open, most, known := descriptors()
		w.at, w.err = now, nil
		if known && open*100 >= most*scarce {
			w.err = fmt.Errorf("%d of %d file descriptors are in use, and when there are no more nobody can connect; allow more (LimitNOFILE= of systemd, ulimit -n)",
				open, most)
		}
	}
	return w.err
}

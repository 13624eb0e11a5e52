package app

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"go.uber.org/zap"

	"github.com/mini-livechat/mini-livechat/signaling/cluster"
	"github.com/mini-livechat/mini-livechat/signaling/store"
)

// MemoryError is a memory that the server shall not start with; its text says what to do.
type MemoryError struct{ Err error }

func (e *MemoryError) Error() string { return e.Err.Error() }

// Unwrap gives the cause: store.ErrInUse, store.ErrNewer, store.ErrForeign or an error of the system.
func (e *MemoryError) Unwrap() error { return e.Err }

// openMemory opens what outlives the process, or, without a directory, what ends with it. A file of ours that cannot be used is no
// reason not to start.
func openMemory(data string, share *store.Share) (*store.Store, error) {
	path := ""
	if data != "" {
		if err := os.MkdirAll(data, 0o700); err != nil {
			return nil, &MemoryError{fmt.Errorf("create the data directory: %w; choose another with --data", err)}
		}
		path = filepath.Join(data, store.FileName)
	}
	memory, err := store.OpenShared(path, share)
	if err != nil && path != "" && !errors.Is(err, store.ErrInUse) && !errors.Is(err, store.ErrNewer) && !errors.Is(err, store.ErrForeign) &&
		!errors.Is(err, store.ErrClustered) && !errors.Is(err, store.ErrOtherCluster) {
		// A file that is damaged or cannot be reached. Voice needs none, and runMemory says what is wrong.
		memory, err = store.OpenAiling(path, err, share)
	}
	if errors.Is(err, store.ErrInUse) {
		err = fmt.Errorf("%w: stop that, or choose another directory with --data", err)
	}
	if err != nil {
		return nil, &MemoryError{err}
	}
	return memory, nil
}

// closed says why nobody can be let in, or nil: nobody can connect, or the node does not know yet what the others do, as who is banned.
func (a *App) closed() error {
	if err := a.trouble.Trouble(); err != nil {
		return err
	}
	return a.gateway.Behind()
}

// tends reports whether it is this node that forgets what is too old: the first by name of those that are there.
func (a *App) tends() bool {
	if a.cfg.Nodes == nil {
		return true
	}
	nodes := a.cfg.Nodes.Nodes()
	return !slices.ContainsFunc(nodes[1:], func(n cluster.Node) bool { return n.ID.Name < nodes[0].ID.Name })
}

const (
	// memoryInterval is how often the memory is looked at, memoryReminder how often the log says that it is in trouble.
	memoryInterval = time.Second
	memoryReminder = time.Minute
)

// runMemory has the log say when nothing can be remembered, and when it can again.
func (a *App) runMemory(ctx context.Context) {
	ticker := time.NewTicker(memoryInterval)
	defer ticker.Stop()
	var w memoryWatch
	for {
		ill := a.memory.Trouble() != nil
		if !ill {
			a.gateway.Recall(ctx, time.Now())
		}
		w.look(time.Now(), ill, a.memory.Diagnosis, a.log)
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

// memoryWatch is what the log was told of the memory.
type memoryWatch struct {
	ill  bool
	told time.Time
}

// look tells the log what is new, or has lasted for a while.
func (w *memoryWatch) look(now time.Time, ill bool, diagnosis func() string, log *zap.Logger) {
	switch {
	case !ill && w.ill:
		log.Info("what is new is remembered again")
		w.ill = false
	case ill && (w.told.IsZero() || now.Sub(w.told) >= memoryReminder):
		log.Error("nothing new is remembered; voice goes on", zap.String("cause", diagnosis()))
		w.ill, w.told = true, now
	}
}

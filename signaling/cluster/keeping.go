package cluster

import (
	"errors"
	"fmt"
	"os"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"go.uber.org/zap"
)

const (
	// keepAgain is how often it is looked whether this node keeps its part of the log, and tried again if not.
	keepAgain = 2 * time.Second
	// roomForLog is how much must be free before it is tried: less is full again at once.
	roomForLog = 4 << 20
)

// ErrNotKept means that a node's own part of the log is not written. As long as most of the others' are, nothing is lost.
var ErrNotKept = errors.New("this node keeps its part of the log no more, because its disk is full or broken; the other nodes go on, " +
	"but may bear the loss of one less. Make room on the disk of --data: it is tried again")

// keeping is whether this node keeps its part of the log. NATS gives that up when it cannot write, for as long as the process lives.
type keeping struct {
	looked time.Time // by watch
	given  atomic.Bool
	trying atomic.Bool
}

// Trouble is ErrNotKept while that is so, else nil.
func (c *Cluster) Trouble() error {
	if c.keeping.given.Load() {
		return ErrNotKept
	}
	return nil
}

// lookAfterLog has NATS keep the log again that gave it up.
func (c *Cluster) lookAfterLog(now time.Time) {
	k := &c.keeping
	if c.server == nil || now.Sub(k.looked) < keepAgain {
		return
	}
	k.looked = now
	if c.server.JetStreamEnabled() {
		return
	}
	if k.given.CompareAndSwap(false, true) {
		c.log.Error(ErrNotKept.Error())
	}
	if !k.trying.CompareAndSwap(false, true) {
		return
	}
	c.run.Go(func() {
		defer k.trying.Store(false)
		if hasRoom(c.cfg.Dir) != nil { // it has been said
			return
		}
		if err := c.server.EnableJetStream(&server.JetStreamConfig{StoreDir: c.cfg.Dir, SyncAlways: true, MaxMemory: maxLogMemory}); err != nil {
			c.log.Error("this node cannot keep its part of the log again; it is tried again", zap.Error(err))
			return
		}
		k.given.Store(false)
		c.log.Info("this node keeps its part of the log again")
	})
}

// hasRoom says why nothing can be written to a directory.
func hasRoom(dir string) error {
	f, err := os.CreateTemp(dir, ".room-*")
	if err != nil {
		return fmt.Errorf("write to %s: %w", dir, err)
	}
	defer os.Remove(f.Name()) //nolint:errcheck // it is tried again, and then too
	_, err = f.Write(make([]byte, roomForLog))
	return errors.Join(err, f.Sync(), f.Close())
}

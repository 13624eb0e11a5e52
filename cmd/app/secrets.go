package app

import (
	"context"
	"os"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/mini-livechat/mini-livechat/sfu/pulse"
	"github.com/mini-livechat/mini-livechat/signaling/auth"
)

// secretInterval is how often the file of secrets is looked at. It is read when it has stayed the same since the last look, so
// that a file of which one half is written ends nobody's session.
const secretInterval = 250 * time.Millisecond

// secretFile keeps an Authority at the secrets that stand in a file. Safe for concurrent use.
type secretFile struct {
	path      string
	authority *auth.Authority
	log       *zap.Logger

	mu sync.Mutex // guards the fields below, and that one reads the file at a time
	// used is the file that was read last, seen the one that was looked at last.
	used, seen os.FileInfo
}

// newSecretFile is called before the authority, which it is given then, reads the file.
func newSecretFile(path string, log *zap.Logger) *secretFile {
	now, _ := os.Stat(path)
	return &secretFile{path: path, log: log, used: now, seen: now}
}

// run reads the file again whenever it changes, until ctx is done.
func (f *secretFile) run(ctx context.Context) {
	ticker := pulse.NewTicker(secretInterval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			f.look()
		}
	}
}

// look reads the file if it has changed.
func (f *secretFile) look() {
	f.mu.Lock()
	defer f.mu.Unlock()
	now, _ := os.Stat(f.path)
	settled := sameFile(f.seen, now)
	if f.seen = now; settled && !sameFile(f.used, now) {
		f.readLocked(now)
	}
}

// reload reads the file although nothing may have changed.
func (f *secretFile) reload() {
	f.mu.Lock()
	defer f.mu.Unlock()
	now, _ := os.Stat(f.path)
	f.readLocked(now)
}

// readLocked takes over what stands in the file. What is wrong with it is said once for each change, and changes nothing.
func (f *secretFile) readLocked(file os.FileInfo) {
	f.used = file
	secrets, err := auth.ReadSecrets(f.path)
	if err == nil {
		err = f.authority.Use(secrets...)
	}
	if err != nil {
		f.log.Warn("the secrets stay what they were, for those in the file cannot be used", zap.String("file", f.path), zap.Error(err))
		return
	}
	f.log.Info("secrets read again: the first signs, all are accepted", zap.String("file", f.path), zap.Int("secrets", len(secrets)))
}

// sameFile reports whether a file has not changed. Its mode counts, so that chmod mends what was wrong with it.
func sameFile(a, b os.FileInfo) bool {
	if a == nil || b == nil {
		return a == nil && b == nil
	}
	return os.SameFile(a, b) && a.ModTime().Equal(b.ModTime()) && a.Size() == b.Size() && a.Mode() == b.Mode()
}

package store

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"math"
	"sync"
	"sync/atomic"
	"time"
)

// Where several servers are one, each has a store of its own, and the facts come to all of them by one log. Append writes a call there, and
// waits until this store has applied the log up to it: what that answered is the answer, and is the same everywhere. A call that is in the log
// twice, since whoever wrote it did not hear that it was, is carried out once. How far a store has applied is in its tables, and changes
// with them.

// Replica is a log that several stores have in common. Safe for concurrent use.
type Replica interface {
	// Publish writes an entry. With an error it may be written all the same, and may be published again under the same id.
	Publish(ctx context.Context, id string, data []byte) error
	// Follow has apply called for each entry from an index on, one after the other, until ctx is done, apply fails, or the log cannot be
	// read. It fails with ErrTrimmed when the log begins after that index and the next.
	Follow(ctx context.Context, from uint64, apply func(index uint64, data []byte) error) error
	// Last is the index of the last entry; 0: there is none.
	Last(ctx context.Context) (uint64, error)
}

// Share is by what a store is one of several that hold the same.
type Share struct {
	// Cluster names them all. A file that belongs to another cluster, or that has something in it and belongs to none, is not opened.
	Cluster string
	Log     Replica
	// Now returns what time it is, which all should say alike. Nil: this machine's clock.
	Now func() time.Time
}

const (
	// settleIn is how long a call of Append waits for the log: for most of what is no outage, and not so long that who waits believes that
	// nothing happens any more.
	settleIn = 4 * time.Second
	// publishAgain is when a call is written to the log again that may not have got there, followAgain when the log is read again.
	publishAgain = 100 * time.Millisecond
	followAgain  = 250 * time.Millisecond
	// aheadFor is how long the log may end before what is applied here, until it is called another log: who leads it since a moment ago may
	// not have all of it at hand yet.
	aheadFor = 5 * time.Second
	// maxEntry is the longest entry, in bytes: what any log takes.
	maxEntry = 512 << 10
	// keepEntries is of how many entries it is remembered that they were applied: many more than are written while a call is published.
	keepEntries = 1 << 14
)

// errTwice is that an entry was applied before.
var errTwice = errors.New("it is in the log twice")

// What has become of a call of Append that came by the log.
const (
	waited  = iota // somebody waits for it
	settled        // it was carried out or refused, and who waits is told
	givenUp        // nobody waits any more
)

// sharing is what a store has of the others.
type sharing struct {
	Share

	// settle is settleIn, but in tests.
	settle time.Duration

	mu      sync.Mutex // guards the fields below
	waiting map[string]*appending
	// carried is up to where the log is carried out: in the tables, and told to all who follow. moved is closed when that changes; nil: nobody
	// waits for it.
	carried uint64
	moved   chan struct{}

	// applied is the index of the last entry that is in the tables, target that of the last one in the log when it was looked at.
	applied, target atomic.Uint64
	// trimmed is closed when the log begins after what is applied.
	trimmed chan struct{}
}

func newSharing(share *Share) *sharing {
	if share == nil {
		return nil
	}
	s := &sharing{Share: *share, settle: settleIn, waiting: make(map[string]*appending), trimmed: make(chan struct{})}
	s.target.Store(math.MaxUint64)
	return s
}

// take returns the call with an id, once; nil: nobody here has made it, or waits for it.
func (s *sharing) take(id string) *appending {
	s.mu.Lock()
	defer s.mu.Unlock()
	a := s.waiting[id]
	delete(s.waiting, id)
	return a
}

func (s *sharing) put(id string, a *appending) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.waiting[id] = a
}

// carry notes up to where the log is carried out.
func (s *sharing) carry(index uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.carried = index
	if s.moved != nil {
		close(s.moved)
		s.moved = nil
	}
}

// until returns nil when the log is carried out up to an index, else what is closed when it is carried out further.
func (s *sharing) until(index uint64) <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.carried >= index {
		return nil
	}
	if s.moved == nil {
		s.moved = make(chan struct{})
	}
	return s.moved
}

// append is Append by the log.
func (s *sharing) append(ctx context.Context, in *Store, a *appending) (uint64, error) {
	if err := in.Trouble(); err != nil { // who cannot apply it does not burden the others with it
		return 0, err
	}
	id := rand.Text()
	data, err := encodeEntry(id, time.UnixMilli(a.at), a.facts)
	if err == nil && len(data) > maxEntry {
		err = fmt.Errorf("what is to be kept has %d bytes; at most %d are possible", len(data), maxEntry)
	}
	if err != nil {
		return 0, err
	}
	s.put(id, a)
	defer s.take(id)
	within, cancel := context.WithTimeout(ctx, s.settle)
	var publishing sync.WaitGroup
	defer publishing.Wait()
	defer cancel()
	publishing.Go(func() { s.publish(within, id, data) })
	end := ErrUnsettled
	select {
	case err = <-a.done:
		return a.seq, err
	case <-within.Done():
		if ctx.Err() != nil {
			end = ctx.Err()
		}
	case <-in.ended:
		end = ErrClosed
	}
	if !a.state.CompareAndSwap(waited, givenUp) { // it is being told
		err = <-a.done
		return a.seq, err
	}
	return 0, end
}

// publish writes an entry until that has succeeded, or ctx is done.
func (s *sharing) publish(ctx context.Context, id string, data []byte) {
	for s.Log.Publish(ctx, id, data) != nil {
		select {
		case <-ctx.Done():
			return
		case <-time.After(publishAgain):
		}
	}
}

// runLog has the writer apply the log, until the store is closed.
func (s *Store) runLog() {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	s.writing.Go(func() {
		select {
		case <-s.closing:
			cancel()
		case <-ctx.Done():
		}
	})
	f := follower{Store: s}
	for ctx.Err() == nil {
		if err := f.follow(ctx); err != nil && astray(err) {
			ill := trouble(err)
			if s.damage.CompareAndSwap(nil, &ill) && errors.Is(err, ErrTrimmed) {
				close(s.shared.trimmed)
			}
		}
		select {
		case <-ctx.Done():
		case <-time.After(followAgain):
		}
	}
}

// astray reports whether an error means that this file must not follow the log any further.
func astray(err error) bool { return errors.Is(err, ErrTrimmed) || errors.Is(err, ErrAstray) }

// follower reads the log for a store. One goroutine uses it.
type follower struct {
	*Store

	begun bool
	read  uint64    // the index of the last entry that was handed to the writer
	ahead time.Time // since when the log ends before what is applied here; zero: it does not
}

// follow hands the log to the writer from where that is.
func (f *follower) follow(ctx context.Context) error {
	if f.damage.Load() != nil {
		return nil
	}
	if !f.begun {
		f.read = f.shared.applied.Load()
	}
	last, err := f.shared.Log.Last(ctx)
	if err != nil {
		return err
	}
	if last < f.read {
		return f.isAhead(last)
	}
	f.ahead = time.Time{}
	f.shared.target.Store(last)
	return f.shared.Log.Follow(ctx, max(f.read, 1), f.take)
}

// isAhead is what it means that the log ends before what is applied here.
func (f *follower) isAhead(last uint64) error {
	if f.ahead.IsZero() {
		f.ahead = time.Now()
	}
	if time.Since(f.ahead) < aheadFor {
		return fmt.Errorf("the log ends with %d yet, and %d is applied", last, f.read)
	}
	return fmt.Errorf("%w: it ends with %d, and %d is applied", ErrAstray, last, f.read)
}

// take hands an entry to the writer. The last one that was applied already shows that this is the same log.
func (f *follower) take(index uint64, data []byte) error {
	if damage := f.damage.Load(); damage != nil {
		return *damage
	}
	id, at, facts, err := decodeEntry(data)
	if index <= f.read {
		return f.same(index, id)
	}
	if err != nil {
		return fmt.Errorf("%w: entry %d: %w", ErrAstray, index, err)
	}
	a := f.shared.take(id)
	if a == nil {
		a = &appending{began: time.Now(), then: func() {}, done: make(chan error, 1)}
		a.state.Store(givenUp)
	}
	// The facts as all others read them.
	a.id, a.index, a.facts, a.at = id, index, facts, at
	select {
	case f.queue <- a:
		f.begun, f.read = true, index
		return nil
	case <-f.closing:
		return ErrClosed
	}
}

// same reports as ErrAstray that an entry is not the one that was applied.
func (f *follower) same(index uint64, id string) error {
	if f.begun { // the writer may not have it yet
		return nil
	}
	var applied string
	err := f.Store.read.QueryRow("SELECT id FROM entries WHERE idx = ?", int64(index)).Scan(&applied) //nolint:noctx,gosec // it is short, and SQLite has no more
	if err == nil && applied != id {
		return fmt.Errorf("%w: entry %d is another one than was applied", ErrAstray, index)
	}
	return nil
}

// enter notes that an entry is applied. It fails with errTwice when it was.
func (w *writer) enter(a *appending) error {
	result, err := w.exec("INSERT INTO entries (idx, id) VALUES (?, ?) ON CONFLICT (id) DO NOTHING", a.index, a.id)
	if err == nil && result == 0 {
		err = errTwice
	}
	return err
}

// entered notes up to where the log is applied.
func (w *writer) entered(index uint64) error {
	if _, err := w.exec("UPDATE meta SET applied = ?", index); err != nil || index <= keepEntries {
		return err
	}
	_, err := w.exec("DELETE FROM entries WHERE idx <= ?", index-keepEntries)
	return err
}

// Position is up to where the log is applied that several stores have in common; 0 for one alone.
func (s *Store) Position() uint64 {
	if s.shared == nil {
		return 0
	}
	return s.shared.applied.Load()
}

// Reach waits until what another store's Position counts is carried out here too, so that who was answered there reads here what they did.
// The error is ErrTrouble, ErrClosed or the context's. A store alone does not wait.
func (s *Store) Reach(ctx context.Context, position uint64) error {
	for s.shared != nil {
		if err := s.Trouble(); err != nil { // who knows for how long
			return err
		}
		moved := s.shared.until(position)
		if moved == nil {
			return nil
		}
		select {
		case <-moved:
		case <-s.ended:
			return ErrClosed
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// Now returns what time it is, for what is dated in facts or compared with such a date.
func (s *Store) Now() time.Time {
	if s.shared == nil || s.shared.Now == nil {
		return time.Now()
	}
	return s.shared.Now()
}

// Shared reports whether this store is one of several that hold the same.
func (s *Store) Shared() bool { return s.shared != nil }

// Trimmed returns what is closed when the log begins later than this store ends, and nothing comes into it any more: ErrTrimmed. A copy of
// another one's file can follow the log.
func (s *Store) Trimmed() <-chan struct{} {
	if s.shared == nil {
		return nil
	}
	return s.shared.trimmed
}

// Behind says why this store does not know yet what the others do, or nil.
func (s *Store) Behind() error {
	switch {
	case s.shared == nil:
		return nil
	case s.shared.target.Load() == math.MaxUint64:
		return fmt.Errorf("%w: the log cannot be read yet", ErrBehind)
	case s.shared.applied.Load() < s.shared.target.Load():
		return fmt.Errorf("%w: %d of %d", ErrBehind, s.shared.applied.Load(), s.shared.target.Load())
	}
	return nil
}

// belongs makes sure that a file is of the cluster, or of none.
func (s *Store) belongs(w *writer) error {
	var cluster string
	var seq, applied uint64
	if err := w.one("SELECT cluster, seq, applied FROM meta", nil, &cluster, &seq, &applied); err != nil {
		return err
	}
	switch {
	case s.shared == nil && cluster == "":
		return nil
	case s.shared == nil:
		return fmt.Errorf("%w %s", ErrClustered, cluster)
	case cluster == "" && seq == 0:
		_, err := w.exec("UPDATE meta SET cluster = ?, applied = 0", s.shared.Cluster)
		return err
	case cluster == "":
		return fmt.Errorf("%w: it is of a server that was alone, and this is cluster %s", ErrOtherCluster, s.shared.Cluster)
	case cluster != s.shared.Cluster:
		return fmt.Errorf("%w: it is of cluster %s, and this is cluster %s", ErrOtherCluster, cluster, s.shared.Cluster)
	}
	s.shared.applied.Store(applied)
	s.shared.carry(applied)
	return nil
}

// Follow has do called for each fact that is written from now on, of whatever server, in the order of their numbers and when they are on the
// disk. mine says that Append told somebody here of it, whose then was called just before. do holds up all writing, so it must not wait, and
// must not call back.
func (s *Store) Follow(do func(seq uint64, f Fact, mine bool)) {
	for {
		before := s.followers.Load()
		var after []func(uint64, Fact, bool)
		if before != nil {
			after = append(after, *before...)
		}
		after = append(after, do)
		if s.followers.CompareAndSwap(before, &after) {
			return
		}
	}
}

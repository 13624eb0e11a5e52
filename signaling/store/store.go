package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// queueLen is how many calls of Append may wait for the writer; more wait before that.
	queueLen = 1024
	// maxGroup is how many of them one transaction takes: enough for thousands a second on a disk that needs 10 ms, and few
	// enough that none waits long for the others.
	maxGroup = 256
	// pace is how long after the last transaction the next begins at the earliest. Each costs as much as many messages do, so that
	// where many write they are gathered, and who writes alone does not wait.
	pace = 2 * time.Millisecond
	// mostReaders is how many connections read at the same time at most: one a processor, since each keeps most of a megabyte and questions are
	// answered out of the system's cache. leastReaders has a short question not wait for a long one.
	mostReaders, leastReaders = 4, 2
)

// Store is an open memory. Make one with Open and end it with Close.
type Store struct {
	path  string   // "": in memory
	lock  *os.File // nil in memory; held while the store is open
	write *sql.DB
	read  *sql.DB

	queue   chan *appending
	closing chan struct{}
	ended   chan struct{} // closed when nothing more is written
	once    sync.Once
	writing sync.WaitGroup // the goroutines of the store
	last    atomic.Uint64  // seq of the last fact
	parted  atomic.Pointer[partings]
	hurry   chan struct{} // holds one: there is something to be tended to
	// ill is what went wrong when something was last written; nil: it went well.
	ill atomic.Pointer[error]
	// damage is why nothing shall be written any more, or nil. unopened is why the file could not be opened, or nil; gate is then
	// what readers wait behind, until it is opened again.
	damage atomic.Pointer[error]
	// observe is told how long each call of Append took; nil: nobody is.
	observe  atomic.Pointer[func(took time.Duration)]
	unopened atomic.Pointer[error]
	gate     *gate
	// shared is what this store has of others that hold the same; nil: it is alone.
	shared *sharing
	// followers are told of each fact; nil: there are none.
	followers atomic.Pointer[[]func(seq uint64, f Fact, mine bool)]
}

// appending is one call of Append.
type appending struct {
	facts []Fact
	at    int64
	began time.Time
	then  func()
	seq   uint64
	done  chan error // holds one

	// Of a log that several stores have in common: the call's name and place there, 0 for none, and whether somebody waits for it.
	id    string
	index uint64
	state atomic.Int32 // waited, settled or givenUp
}

// claim reports whether somebody waits for the call, and has to be told then.
func (a *appending) claim() bool { return a.index == 0 || a.state.CompareAndSwap(waited, settled) }

// Append writes facts, all or none, and returns the number of the last. When it returns they are on the disk. at is when they
// happened. The error is ErrNotFound or ErrExists when a fact cannot be, ErrTrouble when it cannot be kept, ErrClosed, or the
// context's; with the latter the facts may be written all the same.
func (s *Store) Append(ctx context.Context, at time.Time, facts ...Fact) (seq uint64, err error) {
	return s.AppendThen(ctx, at, func() {}, facts...)
}

// AppendThen is Append that calls then when the facts are on the disk and before it returns: for all calls one at a time, in the
// order of the facts' numbers. then holds up all writing, so it must not wait, and must not call back.
func (s *Store) AppendThen(ctx context.Context, at time.Time, then func(), facts ...Fact) (seq uint64, err error) {
	a := &appending{facts: facts, at: milliseconds(at), then: then, began: time.Now(), done: make(chan error, 1)}
	select {
	case <-s.closing:
		return 0, ErrClosed
	default:
	}
	if s.shared != nil {
		return s.shared.append(ctx, s, a)
	}
	select {
	case s.queue <- a:
	case <-s.closing:
		return 0, ErrClosed
	case <-ctx.Done():
		return 0, ctx.Err()
	}
	select {
	case err = <-a.done:
		return a.seq, err
	case <-ctx.Done():
		return 0, ctx.Err()
	case <-s.ended:
	}
	select {
	case err = <-a.done:
		return a.seq, err
	default: // it was queued too late
		return 0, ErrClosed
	}
}

// Observe has observe told how long each call of Append took whose facts are kept. It must not block.
func (s *Store) Observe(observe func(took time.Duration)) { s.observe.Store(&observe) }

// Waiting is how many calls of Append wait for the writer.
func (s *Store) Waiting() int { return len(s.queue) }

// Seq is the number of the last fact.
func (s *Store) Seq() uint64 { return s.last.Load() }

// Close writes what waits and closes the file. It may be called more than once.
func (s *Store) Close() error {
	var err error
	s.once.Do(func() {
		close(s.closing)
		s.writing.Wait()
		err = errors.Join(s.read.Close(), s.write.Close())
		if s.lock != nil {
			err = errors.Join(err, s.lock.Close())
		}
	})
	return err
}

// run writes what is appended, one group after the other.
func (s *Store) run(w *writer) {
	defer close(s.ended)
	defer func() {
		if w != nil {
			_ = w.close()
		}
	}()
	retry := time.NewTicker(retryInterval)
	defer retry.Stop()
	group := make([]*appending, 0, maxGroup)
	for last := (time.Time{}); ; last = time.Now() {
		group = group[:0]
		select {
		case a := <-s.queue:
			group = append(group, a)
		case <-retry.C:
			if w == nil {
				w = s.reopen()
				continue
			}
			if s.Trouble() == nil {
				w.scrub()
				continue
			}
		case <-s.closing:
			select { // what was queued at the last moment
			case a := <-s.queue:
				group = append(group, a)
			default:
				return
			}
		}
		time.Sleep(time.Until(last.Add(pace)))
		for more := true; more && len(group) < maxGroup; {
			select {
			case a := <-s.queue:
				group = append(group, a)
			default:
				more = false
			}
		}
		s.commit(w, group)
		if !s.insist(w, group, retry.C) {
			return
		}
		w.tendLog()
	}
}

// insist writes a group of the log's that could not be written until it is: it has to be applied before what comes after it. It reports
// false when the store is closed meanwhile.
func (s *Store) insist(w *writer, group []*appending, again <-chan time.Time) bool {
	for s.shared != nil && len(group) > 0 && s.ill.Load() != nil && s.damage.Load() == nil {
		select {
		case <-again:
			if !s.stillFull() {
				s.commit(w, group)
			}
		case <-s.closing:
			return false
		}
	}
	return true
}

// commit writes a group in one transaction. One that is refused takes nothing of the others back. An empty group tries whether
// anything can be written.
func (s *Store) commit(w *writer, group []*appending) {
	if len(group) == 0 && s.stillFull() {
		return
	}
	errs := make([]error, len(group))
	seq, err := s.last.Load(), error(nil)
	if damage := s.damage.Load(); damage != nil {
		err = *damage
	} else if seq, err = w.commit(group, errs, seq, false); refused(err) {
		if _, err = w.exec("ROLLBACK"); err == nil {
			seq, err = w.commit(group, errs, s.last.Load(), true)
		}
	}
	switch {
	case err == nil:
		s.last.Store(seq)
		s.ill.Store(nil)
		if s.shared != nil && len(group) > 0 {
			s.shared.applied.Store(group[len(group)-1].index)
		}
	case s.damage.Load() == nil:
		_, _ = w.exec("ROLLBACK") // fails where SQLite has done so by itself
		err = s.trouble(err)
		s.ill.Store(&err)
	}
	for i, a := range group {
		if err != nil {
			errs[i] = err
			if s.shared != nil {
				errs[i] = ErrUnsettled // it is in the log
			}
		}
		s.tell(a, errs[i])
	}
	if s.shared != nil && err == nil && len(group) > 0 {
		s.shared.carry(group[len(group)-1].index)
	}
}

// tell tells who waits for a call, and who follows, what came of it.
func (s *Store) tell(a *appending, err error) {
	mine := a.claim()
	if err == nil {
		first := a.seq - uint64(len(a.facts)) + 1
		for n, fact := range a.facts {
			if f, ok := fact.(interface{ kept(s *Store, seq uint64) }); ok {
				f.kept(s, first+uint64(n))
			}
		}
		if mine {
			a.then()
		}
		if observe := s.observe.Load(); observe != nil && mine {
			(*observe)(time.Since(a.began))
		}
		if followers := s.followers.Load(); followers != nil {
			for n, fact := range a.facts {
				for _, do := range *followers {
					do(first+uint64(n), fact, mine)
				}
			}
		}
	}
	if mine {
		a.done <- err
	}
}

// commit writes a group after the fact seq, and returns how many facts there are then. With careful, what is refused is left out, and
// errs say so; else it ends the group, with a transaction that is still open. Being careful costs more than all the rest, since at each
// savepoint FTS5 writes what it has gathered.
func (w *writer) commit(group []*appending, errs []error, seq uint64, careful bool) (uint64, error) {
	if _, err := w.exec("BEGIN IMMEDIATE"); err != nil {
		return 0, err
	}
	for i, a := range group {
		if a.index != 0 {
			if errs[i] = w.enter(a); errs[i] == errTwice { //nolint:errorlint // as it was made
				continue
			} else if errs[i] != nil {
				return 0, errs[i]
			}
		}
		err := w.append(a, seq, careful)
		if err != nil && (!careful || !refused(err)) {
			return 0, err
		}
		if errs[i] = err; err == nil {
			seq += uint64(len(a.facts))
			a.seq = seq
		}
	}
	if _, err := w.exec("UPDATE meta SET seq = ?", seq); err != nil {
		return 0, err
	}
	if n := len(group); n > 0 && group[n-1].index != 0 {
		if err := w.entered(group[n-1].index); err != nil {
			return 0, err
		}
	}
	if err := w.merge(); err != nil {
		return 0, err
	}
	_, err := w.exec("COMMIT")
	return seq, err
}

// append writes the facts of one call after the fact seq. Refused, it leaves nothing if it is careful.
func (w *writer) append(a *appending, seq uint64, careful bool) error {
	if !careful {
		return w.apply(a, seq)
	}
	if _, err := w.exec("SAVEPOINT one"); err != nil {
		return err
	}
	refusal := w.apply(a, seq)
	if refusal != nil {
		if !refused(refusal) {
			return refusal
		}
		if _, err := w.exec("ROLLBACK TO one"); err != nil {
			return err
		}
	}
	if _, err := w.exec("RELEASE one"); err != nil {
		return err
	}
	return refusal
}

func (w *writer) apply(a *appending, seq uint64) error {
	for i, fact := range a.facts {
		err := fact.apply(&writing{seq: seq + uint64(i) + 1, at: a.at, db: w})
		if err != nil && !refused(err) {
			err = fmt.Errorf("%s: %w", fact.Kind(), err)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

package store

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// memoryLog is a log in memory. Each store has a link to it, which may be cut.
type memoryLog struct {
	mu      sync.Mutex // guards the fields below
	entries [][]byte
	first   uint64 // the index of the first of them that can be read
	grown   chan struct{}
}

func newMemoryLog() *memoryLog { return &memoryLog{first: 1, grown: make(chan struct{})} }

func (l *memoryLog) write(data []byte) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.entries = append(l.entries, data)
	close(l.grown)
	l.grown = make(chan struct{})
}

// trim has the log begin at an index.
func (l *memoryLog) trim(first uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.first = first
}

// memoryLink is one store's way to a log.
type memoryLink struct {
	log *memoryLog

	mu   sync.Mutex // guards the fields below
	cut  bool
	dice *rand.Rand // unless nil, the way is bad
	late int        // how often whoever is asked knows nothing of the log yet
}

var errCut = errors.New("cut")

func (l *memoryLink) cutIs(cut bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.cut = cut
}

// fails says whether the next step fails, one time in n.
func (l *memoryLink) fails(n int) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.cut || l.dice != nil && l.dice.IntN(n) == 0
}

// Publish implements Replica. What is lost on a bad way is the entry, or only the answer.
func (l *memoryLink) Publish(_ context.Context, _ string, data []byte) error {
	if l.fails(4) {
		return errCut
	}
	l.log.write(data)
	if l.fails(4) {
		return errCut
	}
	return nil
}

// Last implements Replica.
func (l *memoryLink) Last(context.Context) (uint64, error) {
	if l.fails(8) {
		return 0, errCut
	}
	l.mu.Lock()
	late := l.late > 0
	if late {
		l.late--
	}
	l.mu.Unlock()
	if late {
		return 0, nil
	}
	l.log.mu.Lock()
	defer l.log.mu.Unlock()
	return uint64(len(l.log.entries)), nil
}

// Follow implements Replica.
func (l *memoryLink) Follow(ctx context.Context, from uint64, apply func(uint64, []byte) error) error {
	for next := from; ; {
		l.log.mu.Lock()
		first, grown, last := l.log.first, l.log.grown, uint64(len(l.log.entries))
		var data []byte
		if next <= last {
			data = l.log.entries[next-1]
		}
		l.log.mu.Unlock()
		switch {
		case first > from+1 && next == from:
			return ErrTrimmed
		case l.fails(50):
			return errCut
		case next < first:
			next = first
		case next <= last:
			if err := apply(next, data); err != nil {
				return err
			}
			next++
		default:
			select {
			case <-grown:
			case <-time.After(20 * time.Millisecond): // to look whether the way is cut
			case <-ctx.Done():
				return ctx.Err()
			}
		}
	}
}

// shared opens a store that shares a log.
func shared(t *testing.T, path string, link *memoryLink) *Store {
	t.Helper()
	s, err := OpenShared(path, &Share{Cluster: "c1", Log: link})
	require.NoError(t, err)
	s.shared.settle = time.Minute // machines are slow
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	return s
}

// agree waits until stores have applied all of a log, and compares them.
func agree(t *testing.T, log *memoryLog, stores ...*Store) {
	t.Helper()
	log.mu.Lock()
	last := uint64(len(log.entries))
	log.mu.Unlock()
	for _, s := range stores {
		require.Eventually(t, func() bool { return s.Position() == last }, 30*time.Second, 10*time.Millisecond,
			"it applies the log: %v", s.Trouble())
	}
	first := dump(t, stores[0].read)
	for _, s := range stores[1:] {
		require.Equal(t, first, dump(t, s.read))
	}
}

// TestSharedFactsAreKeptOnce writes by three stores that share a log, over ways on which entries and answers are lost, while they are closed and
// opened again: what was acknowledged is in all, once, and all are equal.
func TestSharedFactsAreKeptOnce(t *testing.T) {
	t.Parallel()
	const nodes, writers, each = 3, 4, 8
	log, dir := newMemoryLog(), t.TempDir()
	seed := uint64(time.Now().UnixNano())
	t.Log("seed", seed)
	var mu sync.Mutex // guards the two below
	acknowledged, refusals := map[string]bool{}, 0
	stores := make([]*Store, nodes)
	var writing sync.WaitGroup
	for n := range nodes {
		writing.Go(func() {
			dice := rand.New(rand.NewPCG(seed, uint64(n)))
			link := &memoryLink{log: log, dice: rand.New(rand.NewPCG(seed, uint64(10+n)))}
			for life := range 3 {
				s, err := OpenShared(filepath.Join(dir, fmt.Sprint(n, ".db")), &Share{Cluster: "c1", Log: link})
				if err != nil {
					t.Error(err)
					return
				}
				var calls sync.WaitGroup
				for w := range writers {
					some := rand.New(rand.NewPCG(seed, uint64(100*n+10*life+w)))
					calls.Go(func() {
						for i := range each {
							name := fmt.Sprintf("%d-%d-%d-%d", n, life, w, i)
							_, err := s.Append(t.Context(), noon, Done{Deed{At: noon, Action: name}}, someFact(some, some.IntN(50)))
							mu.Lock()
							switch {
							case err == nil:
								acknowledged[name] = true
							case refused(err):
								refusals++
							case !errors.Is(err, ErrUnsettled) && !errors.Is(err, ErrClosed):
								t.Error(err)
							}
							mu.Unlock()
						}
					})
				}
				if life < 2 {
					time.Sleep(time.Duration(dice.IntN(60)) * time.Millisecond) // a moment of chance
					if err := s.Close(); err != nil {
						t.Error(err)
					}
				}
				calls.Wait()
				stores[n] = s
			}
		})
	}
	writing.Wait()
	t.Cleanup(func() {
		for _, s := range stores {
			require.NoError(t, s.Close())
		}
	})
	agree(t, log, stores...)
	require.NotEmpty(t, acknowledged)
	require.Positive(t, refusals)
	rows, err := stores[0].strings(t.Context(), "SELECT action FROM audit WHERE action LIKE '%-%'")
	require.NoError(t, err)
	kept := map[string]bool{}
	for _, name := range rows {
		require.False(t, kept[name], "%s is there twice", name)
		kept[name] = true
	}
	for name := range acknowledged {
		require.True(t, kept[name], "%s was acknowledged", name)
	}
	require.Greater(t, len(log.entries), len(kept)+refusals, "some were published again")
}

// Everybody hears of the same facts in the same order, whoever wrote them, and who wrote them before that.
func TestSharedFactsAreFollowed(t *testing.T) {
	t.Parallel()
	log := newMemoryLog()
	var mu sync.Mutex
	var heard [2][]string
	var stores [2]*Store
	for n := range stores {
		stores[n] = shared(t, "", &memoryLink{log: log})
		stores[n].Follow(func(seq uint64, f Fact, mine bool) {
			mu.Lock()
			defer mu.Unlock()
			m, _ := f.(MessagePosted)
			heard[n] = append(heard[n], fmt.Sprint(seq, m.ID))
			if mine != strings.HasPrefix(m.ID, fmt.Sprint(n)) {
				t.Errorf("%s at %d: mine is %t", m.ID, n, mine)
			}
		})
	}
	var writing sync.WaitGroup
	for n, s := range stores {
		for i := range 20 {
			writing.Go(func() {
				m := said(fmt.Sprint(n), i)
				told := 0
				seq, err := s.AppendThen(t.Context(), noon, func() {
					mu.Lock()
					defer mu.Unlock()
					told = 1 + len(heard[n])
				}, m)
				mu.Lock()
				defer mu.Unlock()
				if err != nil || told == 0 || heard[n][told-1] != fmt.Sprint(seq, m.ID) {
					t.Error("then comes just before all are told", err, told)
				}
			})
		}
	}
	writing.Wait()
	agree(t, log, stores[:]...)
	require.Eventually(t, func() bool { // what is applied can be read before it is told
		mu.Lock()
		defer mu.Unlock()
		return len(heard[0]) == 40 && len(heard[1]) == 40
	}, patience, 10*time.Millisecond)
	require.Equal(t, heard[0], heard[1])
}

// Who was answered by one store waits until the other one knows of it too.
func TestWhatAnotherStoreWroteIsReached(t *testing.T) {
	t.Parallel()
	log := newMemoryLog()
	link := &memoryLink{log: log}
	s, o := shared(t, "", &memoryLink{log: log}), shared(t, "", link)
	heard := make(chan struct{})
	o.Follow(func(uint64, Fact, bool) { close(heard) })
	link.cutIs(true)
	add(t, s, said("lobby", 1))
	require.NotZero(t, s.Position())
	soon, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	require.ErrorIs(t, o.Reach(soon, s.Position()), context.DeadlineExceeded)
	link.cutIs(false)
	require.NoError(t, o.Reach(t.Context(), s.Position()))
	_, err := o.Message(t.Context(), "lobby-1")
	require.NoError(t, err)
	select {
	case <-heard:
	default:
		t.Error("who follows is told first")
	}
	require.NoError(t, o.Reach(t.Context(), s.Position()), "what is past")
	ended := make(chan error)
	go func() { ended <- o.Reach(t.Context(), s.Position()+1) }()
	require.NoError(t, o.Close())
	require.ErrorIs(t, <-ended, ErrClosed)
}

// Without the others nothing is written, who asks is told soon, and what is known can be read. It may have been written all the same.
func TestUnsettled(t *testing.T) {
	t.Parallel()
	log := newMemoryLog()
	link, other := &memoryLink{log: log}, &memoryLink{log: log}
	s, o := shared(t, "", link), shared(t, "", other)
	add(t, s, said("lobby", 1))
	s.shared.settle = 100 * time.Millisecond
	link.cutIs(true)
	require.Eventually(t, func() bool {
		_, err := link.Last(t.Context())
		return err != nil
	}, patience, time.Millisecond)
	_, err := s.AppendThen(t.Context(), noon, func() { t.Error("nobody is told") }, said("lobby", 2))
	require.ErrorIs(t, err, ErrUnsettled)
	require.ErrorIs(t, err, ErrTrouble)
	require.NotErrorIs(t, err, ErrExists)
	_, err = s.Message(t.Context(), "lobby-1")
	require.NoError(t, err)
	add(t, o, said("lobby", 3))
	link.cutIs(false)
	s.shared.settle = time.Minute
	add(t, s, said("lobby", 4))
	agree(t, log, s, o)
	require.NoError(t, s.Behind())
}

// A disk in trouble holds up nobody but its own server, which catches up.
func TestSharedWithADiskInTrouble(t *testing.T) {
	t.Parallel()
	log := newMemoryLog()
	disk := small(t)
	s, o := shared(t, filepath.Join(disk, FileName), &memoryLink{log: log}), shared(t, "", &memoryLink{log: log})
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	full := 0
	for ; s.Trouble() == nil; full++ {
		m := said("lobby", full)
		m.Content = strings.Repeat("much", 20_000)
		_, err := o.Append(ctx, noon, m)
		require.NoError(t, err)
	}
	_, err := s.Append(ctx, noon, said("lobby", full))
	require.ErrorIs(t, err, ErrTrouble)
	add(t, o, said("lobby", full+1))
	require.Less(t, s.Position(), o.Position())
	enlarge(t, disk)
	agree(t, log, s, o)
	add(t, s, said("lobby", full+2))
}

// A store follows its own log only, as far as it knows what is in it, and is not opened by others.
func TestWhatAStoreMayFollow(t *testing.T) {
	t.Parallel()
	log, path := newMemoryLog(), filepath.Join(t.TempDir(), FileName)
	s := shared(t, path, &memoryLink{log: log})
	for i := range 5 {
		add(t, s, said("lobby", i))
	}
	require.NoError(t, s.Close())
	standing, err := StandingOf(t.Context(), path)
	require.NoError(t, err)
	require.Equal(t, Standing{"c1", 5, 5}, standing)

	_, err = Open(path)
	require.ErrorIs(t, err, ErrClustered)
	_, err = OpenShared(path, &Share{Cluster: "c2", Log: &memoryLink{log: log}})
	require.ErrorIs(t, err, ErrOtherCluster)
	_, err = Import{}.Into(t.Context(), path, strings.NewReader(""))
	require.ErrorIs(t, err, ErrClustered)

	trouble := func(path string, log *memoryLog) (err error) {
		t.Helper()
		refused := shared(t, path, &memoryLink{log: log})
		require.Eventually(t, func() bool { err = refused.Trouble(); return err != nil }, patience, time.Millisecond, "it is refused")
		_, failed := refused.Append(t.Context(), noon, said("lobby", 9))
		require.ErrorIs(t, failed, ErrTrouble)
		_, failed = refused.Channels(t.Context())
		require.NoError(t, failed, "it can be read")
		if errors.Is(err, ErrTrimmed) {
			<-refused.Trimmed()
		}
		select {
		case <-refused.Trimmed():
			require.ErrorIs(t, err, ErrTrimmed, "a copy of another file helps")
		default:
		}
		require.NoError(t, refused.Close())
		return err
	}
	s = shared(t, path, &memoryLink{log: log, late: 3}) // someone else leads the log, and is reading it
	add(t, s, said("lobby", 5))
	require.NoError(t, s.Trouble())
	require.NoError(t, s.Close())
	require.ErrorIs(t, trouble(path, newMemoryLog()), ErrAstray, "it is ahead")
	other := newMemoryLog()
	for range 10 {
		data, failed := encodeEntry(fmt.Sprint("other", len(other.entries)), noon, []Fact{Muted{"u", "c", true}})
		require.NoError(t, failed)
		other.write(data)
	}
	require.ErrorIs(t, trouble(path, other), ErrAstray, "it followed another one")

	log.trim(5)
	s = shared(t, path, &memoryLink{log: log})
	add(t, s, said("lobby", 6), said("lobby", 7))
	require.NoError(t, s.Close())
	require.ErrorIs(t, trouble(filepath.Join(t.TempDir(), FileName), log), ErrTrimmed)

	log.write([]byte(`{"id":"new","at":1,"facts":[{"kind":"sung","fields":{}}]}`))
	require.ErrorContains(t, trouble(path, log), `"sung" is no kind of fact that this version knows`)

	copied := filepath.Join(t.TempDir(), FileName)
	_, _, err = Restore(t.Context(), path, copied, noon)
	require.NoError(t, err)
	_, err = OpenShared(copied, &Share{Cluster: "c1", Log: &memoryLink{log: log}})
	require.ErrorIs(t, err, ErrOtherCluster)
	alone, err := Open(copied)
	require.NoError(t, err)
	_, err = alone.Message(t.Context(), "lobby-6")
	require.NoError(t, err)
	require.NoError(t, alone.Close())
	require.NoError(t, Enrol(t.Context(), copied, "c3"))
	found, err := OpenShared(copied, &Share{Cluster: "c3", Log: &memoryLink{log: newMemoryLog()}})
	require.NoError(t, err)
	add(t, found, said("lobby", 8))
	require.NoError(t, found.Close())
}

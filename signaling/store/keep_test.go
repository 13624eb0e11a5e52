package store

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
)

// ids are the messages of a channel that are remembered.
func ids(t *testing.T, s *Store, channel string) []string {
	t.Helper()
	found, err := s.strings(t.Context(), "SELECT id FROM messages WHERE channel_id = ? ORDER BY seq", channel)
	require.NoError(t, err)
	return found
}

// words are those that the index knows of texts, without their marks.
func words(t *testing.T, s *Store) []string {
	t.Helper()
	w, err := s.write.Conn(t.Context())
	require.NoError(t, err)
	defer w.Close()
	_, err = w.ExecContext(t.Context(), "CREATE VIRTUAL TABLE IF NOT EXISTS temp.known USING fts5vocab (main, words, col)")
	require.NoError(t, err)
	rows, err := w.QueryContext(t.Context(), "SELECT term FROM temp.known WHERE col = 'text' ORDER BY term")
	require.NoError(t, err)
	defer rows.Close()
	var all []string
	for rows.Next() {
		var word string
		require.NoError(t, rows.Scan(&word))
		_, size := utf8.DecodeLastRuneInString(word)
		all = append(all, word[:len(word)-size])
	}
	require.NoError(t, rows.Err())
	return all
}

func TestOldMessagesAreForgotten(t *testing.T) {
	t.Parallel()
	for name, s := range kinds(t) {
		t.Run(name, func(t *testing.T) {
			limits := map[string]Limits{
				"few": {3, time.Hour}, "never": {0, time.Hour}, "always": {100, 1000 * time.Hour}, "many": {140, time.Hour},
			}
			tend := tending{Store: s, limits: func(id string) Limits { return limits[id] }, clock: clock{read: noon, at: noon}}
			forget := func(at time.Time) {
				t.Helper()
				require.NoError(t, tend.forget(t.Context(), at))
			}
			for i := range 5 {
				add(t, s, said("few", i), said("never", i), said("always", i), said("deleted", i))
			}
			many := make([]Fact, 0, 200)
			for i := range cap(many) {
				fact := said("many", i)
				if i < 80 {
					fact.At = noon.Add(-2 * time.Hour)
				}
				many = append(many, fact)
			}
			add(t, s, many...)
			ahead := said("always", 5) // the clock was wrong for a while
			ahead.At = noon.Add(10_000 * time.Hour)
			behind := said("always", 6)
			behind.At = noon.Add(-1001 * time.Hour)
			add(t, s, ahead, behind)

			forget(noon.Add(time.Minute))
			require.Empty(t, ids(t, s, "deleted"))
			require.Equal(t, []string{"few-2", "few-3", "few-4"}, ids(t, s, "few"))
			require.Empty(t, ids(t, s, "never"))
			require.Equal(t, []string{"always-0", "always-1", "always-2", "always-3", "always-4", "always-5", "always-6"}, ids(t, s, "always"),
				"what was said last is newest, whatever the clock said")
			require.Len(t, ids(t, s, "many"), 120, "too old before too many")
			limits["many"] = Limits{10, time.Hour}
			forget(noon.Add(time.Minute))
			require.Equal(t, "many-190", ids(t, s, "many")[0])
			clear(limits)
			forget(noon)
			require.Empty(t, append(append(ids(t, s, "many"), ids(t, s, "few")...), ids(t, s, "always")...))

			require.Empty(t, words(t, s), "words of what is forgotten")
		})
	}
}

// A clock that has jumped ahead makes nothing too old until it has been like that for hours, also when the server has just started.
func TestClockIsDoubted(t *testing.T) {
	t.Parallel()
	const year = 365 * 24 * time.Hour
	c := clock{read: noon, at: noon}
	at := noon // the reading of the monotonic clock, which goes on as time does
	read := func(passed, ahead time.Duration) time.Duration {
		at = at.Add(passed)
		c.read = at.Add(ahead - passed)
		return c.believed(at.Add(ahead)).Sub(at)
	}
	require.Zero(t, read(time.Minute, 0))
	require.Equal(t, time.Hour, read(time.Minute, time.Hour), "a machine that slept")
	require.Equal(t, time.Hour, read(time.Minute, 3*year))
	require.Equal(t, time.Hour, read(doubtFor-time.Hour, 3*year))
	require.Zero(t, read(time.Minute, 0), "it was put right")
	require.Equal(t, -year, read(time.Minute, -year), "what is behind makes nothing too old")
	require.Equal(t, -year, read(time.Minute, 0))
	require.Zero(t, read(doubtFor, 0))

	s := open(t, "")
	add(t, s, said("lobby", 1), said("lobby", 2))
	tend := tending{Store: s, limits: func(string) Limits { return Limits{10, year} }}
	require.NoError(t, tend.forget(t.Context(), noon.Add(3*year)))
	require.NoError(t, tend.forget(t.Context(), noon.Add(3*year+time.Minute)))
	require.Len(t, ids(t, s, "lobby"), 2)
	require.NoError(t, tend.forget(t.Context(), noon.Add(3*year+doubtFor)))
	require.Empty(t, ids(t, s, "lobby"))
}

// What was said while the clock was wrong is as old as what was said before and after.
func TestOrderSaysWhatIsOld(t *testing.T) {
	t.Parallel()
	s := open(t, "")
	for i, at := range []time.Duration{0, 9000, -9000, 1, 9000, 50, -9000, 60, 9000} {
		fact := said("lobby", i)
		fact.At = noon.Add(at * time.Hour)
		add(t, s, fact)
	}
	tend := tending{Store: s, counted: map[string]counted{}}
	for hours, want := range map[time.Duration]int{60: 4, 73: 4, 75: 7, 84: 8, 100: 8} {
		until, err := tend.beyond(t.Context(), noon.Add(hours*time.Hour), "lobby", Limits{100, 24 * time.Hour})
		require.NoError(t, err)
		require.EqualValues(t, want, until, "after %d hours", int(hours))
	}
}

func TestClearChat(t *testing.T) {
	t.Parallel()
	s := open(t, "")
	seq := add(t, s, said("den", 1), said("lobby", 1))
	require.NoError(t, s.ClearChat(t.Context(), noon, "den"))
	require.Empty(t, ids(t, s, "den"))
	require.Len(t, ids(t, s, "lobby"), 1)
	require.NoError(t, s.ClearChat(t.Context(), noon, "den"))
	require.Equal(t, seq+1, s.Seq(), "nothing is written where there is nothing")

	// Its words go from the index, and nothing of it from a channel of that id that is made meanwhile.
	again := said("den", 1)
	again.Content = "again"
	add(t, s, again)
	tend := tending{Store: s, limits: func(string) Limits { return Limits{10, 1 << 62} }}
	require.NoError(t, tend.forget(t.Context(), noon))
	require.Equal(t, []string{"den-1"}, ids(t, s, "den"))
	require.Equal(t, []string{"1", "again", "text"}, words(t, s))
	var gone int
	require.NoError(t, s.read.QueryRowContext(t.Context(), "SELECT count(*) FROM gone").Scan(&gone))
	require.Zero(t, gone)
}

// It forgets by itself, and Close does not wait for more than what is being done.
func TestTend(t *testing.T) {
	t.Parallel()
	s, err := Open(filepath.Join(t.TempDir(), FileName))
	require.NoError(t, err)
	for i := range 20 {
		add(t, s, said("lobby", i))
	}
	s.Tend(func(string) Limits { return Limits{5, 1 << 62} }, nil)
	require.Eventually(t, func() bool { return len(ids(t, s, "lobby")) == 5 }, patience, 5*time.Millisecond)
	require.NoError(t, s.Close())
}

func TestNonce(t *testing.T) {
	t.Parallel()
	s := open(t, filepath.Join(t.TempDir(), FileName))
	first := said("lobby", 1)
	first.Nonce = "n'); DROP TABLE messages; --"
	seq := add(t, s, first)
	again := first
	again.ID, again.At = "another", noon.Add(-time.Hour) // the clock was put back
	_, err := s.Append(t.Context(), noon, again)
	var repeated *RepeatedError
	require.ErrorAs(t, err, &repeated)
	require.ErrorIs(t, err, ErrExists)
	require.Equal(t, RepeatedError{"lobby-1", noon}, *repeated)
	require.Equal(t, seq, s.Seq())

	for id, change := range map[string]func(*MessagePosted){
		"other author":  func(m *MessagePosted) { m.AuthorID = "bob" },
		"other channel": func(m *MessagePosted) { m.ChannelID = "den" },
		"other nonce":   func(m *MessagePosted) { m.Nonce = "2" },
		"none":          func(m *MessagePosted) { m.Nonce = "" },
		"none again":    func(m *MessagePosted) { m.Nonce = "" },
		"later":         func(m *MessagePosted) { m.At = noon.Add(NonceWindow) },
	} {
		other := first
		other.ID = id
		change(&other)
		add(t, s, other)
	}
	require.NoError(t, (&tending{Store: s}).forgetNonces(t.Context(), noon.Add(NonceWindow+time.Millisecond)))
	left, err := s.strings(t.Context(), "SELECT id FROM messages WHERE nonce IS NOT NULL")
	require.NoError(t, err)
	require.Equal(t, []string{"later"}, left)
}

// What follows from facts happens in their order, after they can be read, and for those only that are written.
func TestAppendThen(t *testing.T) {
	t.Parallel()
	s := open(t, filepath.Join(t.TempDir(), FileName))
	var told []string // by one goroutine at a time, or the race detector says so
	var wg sync.WaitGroup
	for i := range 50 {
		wg.Go(func() {
			for j := range 4 {
				fact := said("lobby", i*4+j)
				seq, err := s.AppendThen(t.Context(), noon, func() { told = append(told, fact.ID) }, fact)
				if err != nil || seq == 0 {
					t.Error(seq, err)
				}
			}
		})
	}
	wg.Wait()
	require.Equal(t, ids(t, s, "lobby"), told)
	_, err := s.AppendThen(t.Context(), noon, func() { t.Error("told of what was refused") }, said("lobby", 1))
	require.ErrorIs(t, err, ErrExists)
}

// Nobody waits for ever who appends while the store is closed.
func TestAppendWhileClosing(t *testing.T) {
	t.Parallel()
	for range 20 {
		s, err := Open("")
		require.NoError(t, err)
		var wg sync.WaitGroup
		for i := range 20 {
			wg.Go(func() {
				for j := range 1000 {
					if _, err := s.Append(context.Background(), noon, said(fmt.Sprint(i), j)); errors.Is(err, ErrClosed) {
						return
					}
				}
			})
		}
		time.Sleep(time.Millisecond)
		require.NoError(t, s.Close())
		wg.Wait()
	}
}

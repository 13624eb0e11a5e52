package store

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// What is written comes from the log into the file while others write on, and the log begins anew before it is too long.
func TestLogIsPutIntoTheFile(t *testing.T) {
	t.Parallel()
	s := newStore(filepath.Join(t.TempDir(), FileName))
	w, err := s.acquire()
	require.NoError(t, err)
	t.Cleanup(func() {
		require.NoError(t, w.close())
		require.NoError(t, s.abandon())
	})
	n := 0
	write := func() {
		t.Helper()
		fact := said("lobby", n)
		if n++; n == 1 {
			fact.Content = "Unheard"
		}
		a := &appending{facts: []Fact{fact}, at: milliseconds(noon), then: func() {}, done: make(chan error, 1)}
		s.commit(w, []*appending{a})
		require.NoError(t, <-a.done)
		w.tendLog()
	}
	write()
	require.Eventually(t, func() bool {
		write()
		content, failed := os.ReadFile(s.path)
		require.NoError(t, failed)
		return bytes.Contains(content, []byte("Unheard"))
	}, time.Minute, time.Millisecond)
	require.Greater(t, n, 10, "it was not done each time")
	require.Eventually(t, func() bool {
		w.keeper.long.Store(true)
		write() // with all of the log, unless the keeper is at it just now
		write()
		var busy, pages, done int
		require.NoError(t, w.one("PRAGMA wal_checkpoint(PASSIVE)", nil, &busy, &pages, &done))
		return pages < checkpointAfter/2
	}, time.Minute, time.Millisecond)
}

package store

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"modernc.org/sqlite"
)

// However much of the index there is to be merged, and however common a word is, no transaction writes much of it, and few segments are left.
func TestLittleIsMergedAtOnce(t *testing.T) {
	t.Parallel()
	s := newStore(filepath.Join(t.TempDir(), FileName))
	w, err := s.acquire()
	require.NoError(t, err)
	defer func() {
		require.NoError(t, w.close())
		require.NoError(t, s.abandon())
	}()
	seq := uint64(0)
	message := func() MessagePosted {
		fact := said("lobby", 0)
		fact.ID, fact.Content = fmt.Sprint("message-", seq), strings.Repeat("word ", 40)
		return fact
	}
	segments := func() (many, largest int) {
		require.NoError(t, w.one("SELECT count(*), max(pages) FROM (SELECT count(*) AS pages FROM words_data WHERE id > 10 GROUP BY id >> 37)",
			nil, &many, &largest))
		return many, largest
	}
	const apart = 218 // as if others said much in between
	for range 4 {
		_, err = w.exec("BEGIN IMMEDIATE")
		require.NoError(t, err)
		for range 1500 {
			fact := message()
			seq += apart
			require.NoError(t, fact.apply(&writing{seq: seq, db: w}))
		}
		_, err = w.exec("COMMIT")
		require.NoError(t, err)
	}
	w.indexed = 0 // nothing is merged for these
	many, before := segments()
	require.Equal(t, 4, many)

	written := func() (pages int) {
		require.NoError(t, w.conn.Raw(func(conn any) error {
			status, ok := conn.(sqlite.DBStatus)
			require.True(t, ok)
			pages, _, err = status.Status(sqlite.DBStatusCacheWrite, true)
			return err
		}))
		return pages
	}
	written()
	most := 0
	for range 200 {
		seq, err = w.commit([]*appending{{facts: []Fact{message()}}}, make([]error, 1), seq, false)
		require.NoError(t, err)
		most = max(most, written())
	}
	many, largest := segments()
	require.Greater(t, largest, 3*before, "they were merged")
	require.Less(t, many, 30)
	require.Less(t, most, 100, "of some 20 it makes 10 others; with all of a word at once it were 170")
}

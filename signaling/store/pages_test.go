package store

import (
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"modernc.org/libc"
	sqlite3 "modernc.org/sqlite/lib"
)

// Pages are kept in the memory that is meant for them, into which they would not go if they were too large for it.
func TestPagesArePacked(t *testing.T) {
	t.Parallel()
	s := open(t, filepath.Join(t.TempDir(), FileName))
	add(t, s, said("lobby", 1))
	status := func(what int32) int64 {
		tls := libc.NewTLS()
		defer tls.Close()
		values := libc.Xcalloc(tls, 2, 8)
		defer libc.Xfree(tls, values)
		require.EqualValues(t, sqlite3.SQLITE_OK, sqlite3.Xsqlite3_status64(tls, what, values, values+8, 0))
		return libc.AtomicLoadPInt64(values)
	}
	require.Positive(t, status(sqlite3.SQLITE_STATUS_PAGECACHE_USED))
}

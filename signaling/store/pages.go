package store

import (
	"sync"
	"unsafe"

	"modernc.org/libc"
	"modernc.org/libc/sys/types"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// pageSize is how large the pages of a file are; SQLite's default, which nothing changes.
const pageSize = 4096

// maxPages is how many pages of files all connections together keep, but for what one needs at the same time.
const maxPages = 160

// setUp makes SQLite's settings that are for the whole process. It has to be called before anything is opened.
//
//nolint:gochecknoglobals // as they are
var setUp = sync.OnceFunc(func() {
	packPages()
	// As durable as what this translation of SQLite does by default (fsync), and quicker: times of files are not waited for.
	_, _ = sqlite.Fdatasync(true) // where there is such a thing
})

// packPages gives SQLite the memory in which it keeps pages of files. By itself it asks for each with what it notes of it, a bit more
// than 4 KiB, of which its allocator makes 8. Without it all works the same.
func packPages() {
	tls := libc.NewTLS()
	defer tls.Close()
	const word = unsafe.Sizeof(uintptr(0))
	scratch := libc.Xcalloc(tls, 4, types.Size_t(word)) // three arguments, and what is noted of a page
	if scratch == 0 {
		return
	}
	defer libc.Xfree(tls, scratch)
	noted := scratch + 3*word
	sqlite3.Xsqlite3_config(tls, sqlite3.SQLITE_CONFIG_PCACHE_HDRSZ, libc.VaList(scratch, noted))
	size := pageSize + libc.AtomicLoadPInt32(noted)
	if all := libc.Xmalloc(tls, types.Size_t(size)*maxPages); all != 0 { //nolint:gosec // it is more than nothing
		sqlite3.Xsqlite3_config(tls, sqlite3.SQLITE_CONFIG_PAGECACHE, libc.VaList(scratch, all, size, int32(maxPages)))
	}
}

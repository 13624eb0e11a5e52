package store

import (
	"sync"
	"unsafe"

	"modernc.org/libc"
	"modernc.org/libc/sys/types"
	sqlite3 "modernc.org/sqlite/lib"
)

// pageSize is how large the pages of a file are; SQLite's default, which nothing changes.
const pageSize = 4096

// maxPages is how many pages of files all connections together keep, but for what one needs at the same time.
const maxPages = 400

// packPages gives SQLite the memory in which it keeps pages of files. By itself it asks for each with what it notes of it, a bit more
// than 4 KiB, of which its allocator makes 8. It has to be called before anything is opened; without it all works the same.
//
//nolint:gochecknoglobals // SQLite's settings are for the whole process
var packPages = sync.OnceFunc(func() {
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
	if all := libc.Xmalloc(tls, types.Size_t(size)*maxPages); all != 0 {
		sqlite3.Xsqlite3_config(tls, sqlite3.SQLITE_CONFIG_PAGECACHE, libc.VaList(scratch, all, size, int32(maxPages)))
	}
})

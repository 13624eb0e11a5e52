package store

import (
	"context"
	"database/sql"
	"strconv"
	"sync"
	"sync/atomic"

	"modernc.org/sqlite"
)

// What is written goes to SQLite's log first, and some time later from there into the file (a checkpoint), which means to write and to wait
// for the disk in many places. SQLite has it done by whose turn it is when the log is 1,000 pages long, and all who write wait for that. So
// another connection does it, while the log goes on growing. The log begins anew only when all of it is in the file, which is never so while
// many write; when it has become too long the writer does the last bit of it.

const (
	// checkpointAfter is how many pages the log grows by until they are put into the file.
	checkpointAfter = 1000
	// maxLog is how many pages it has when the writer waits for that: 16 MiB.
	maxLog = 4 * checkpointAfter
	// hugeLog is when SQLite does it as ever: the disk is so slow that the other connection does not keep up.
	hugeLog = 8 * maxLog
)

// keeper is who puts the log into the file beside a writer.
type keeper struct {
	conn *sql.Conn
	wake chan struct{} // holds one
	work sync.WaitGroup
	// long: the writer shall do it this time.
	long atomic.Bool
}

// keepLog has the log of a writer's file put into the file by a connection of its own, until the writer is closed.
func (w *writer) keepLog(db *sql.DB) error {
	if _, err := w.script("PRAGMA wal_autocheckpoint = " + strconv.Itoa(hugeLog)); err != nil {
		return err
	}
	conn, err := db.Conn(context.Background())
	if err != nil {
		return err
	}
	k := &keeper{conn: conn, wake: make(chan struct{}, 1)}
	w.keeper = k
	k.work.Go(func() {
		for range k.wake {
			// What goes wrong is tried again when more was written; who writes hears of it then.
			var busy, pages, done int
			err := conn.QueryRowContext(context.Background(), "PRAGMA wal_checkpoint(PASSIVE)").Scan(&busy, &pages, &done)
			k.long.Store(err == nil && pages > maxLog)
		}
	})
	return nil
}

// close ends it, and waits for it.
func (k *keeper) close() error {
	close(k.wake)
	k.work.Wait()
	return k.conn.Close()
}

// tendLog sees to the log after something was written.
func (w *writer) tendLog() {
	if w == nil || w.keeper == nil {
		return
	}
	k := w.keeper
	if k.long.CompareAndSwap(true, false) {
		var busy, pages, done int
		_ = w.one("PRAGMA wal_checkpoint(PASSIVE)", nil, &busy, &pages, &done)
	}
	_ = w.conn.Raw(func(conn any) error {
		if status, ok := conn.(sqlite.DBStatus); ok {
			written, _, _ := status.Status(sqlite.DBStatusCacheWrite, true)
			w.logged += written
		}
		return nil
	})
	if w.logged < checkpointAfter {
		return
	}
	select {
	case k.wake <- struct{}{}:
		w.logged = 0
	default: // it is still at it
	}
}

package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"sync/atomic"
	"time"

	"modernc.org/sqlite" // also registers the driver
	sqlite3 "modernc.org/sqlite/lib"
)

// FileName is what the file in the data directory is called.
const FileName = "livechat.db"

// applicationID tells our files from those of other programs (SQLite's PRAGMA application_id): "LvCh".
const applicationID = 0x4c764368

// readerCache is how many KiB of the file each reader keeps, what one question looks at again and again: the system keeps more of it, a few
// microseconds away.
const readerCache = 128

// busyTimeout is for how many milliseconds SQLite waits for other programs.
const busyTimeout = 5000

// Open opens the file at path, or makes it; with an empty path what is written lasts until Close. It fails with ErrInUse,
// ErrNewer, ErrForeign, ErrCorrupt or an error of the system, and then leaves the file as it was.
func Open(path string) (*Store, error) { return OpenShared(path, nil) }

// OpenShared is Open for a store that is one of several that hold the same, unless share is nil. It fails with ErrOtherCluster, too, and
// without a share with ErrClustered.
func OpenShared(path string, share *Share) (*Store, error) {
	s := newStore(path)
	s.shared = newSharing(share)
	w, err := s.acquire()
	if err != nil {
		return nil, err
	}
	s.begin(w)
	return s, nil
}

// begin begins to write.
func (s *Store) begin(w *writer) {
	s.writing.Go(func() { s.run(w) })
	if s.shared != nil {
		s.writing.Go(s.runLog)
	}
}

// acquire locks and opens the file. Who has closed the writer abandons the rest.
func (s *Store) acquire() (w *writer, err error) {
	if s.path != "" {
		if err = regular(s.path); err != nil {
			return nil, err
		}
		if s.lock, err = lock(s.path + ".lock"); err != nil {
			return nil, fmt.Errorf("%s: %w", s.path, err)
		}
	}
	if w, err = s.openLocked(); err != nil {
		return nil, errors.Join(err, s.abandon())
	}
	return w, nil
}

// openLocked opens the file, which is locked, or leaves only the lock to be abandoned.
func (s *Store) openLocked() (*writer, error) {
	if s.path != "" {
		if err := errors.Join(regular(s.path), private(s.path)); err != nil {
			return nil, err
		}
	}
	w, err := s.open()
	if err != nil {
		return nil, errors.Join(explain(s.path, err), s.disconnect())
	}
	return w, nil
}

func newStore(path string) *Store {
	return &Store{path: path, queue: make(chan *appending, queueLen), closing: make(chan struct{}), ended: make(chan struct{}), hurry: make(chan struct{}, 1)}
}

// regular reports whether a path can be that of a database.
func regular(path string) error {
	info, err := os.Stat(path) //nolint:gosec // the operator's file
	switch {
	case errors.Is(err, os.ErrNotExist):
		return nil
	case err != nil:
		return err
	case !info.Mode().IsRegular():
		return fmt.Errorf("%s: %w: it is no file", path, ErrForeign)
	}
	return nil
}

// private makes the file, if there is none, so that only its owner reads what people say; SQLite's others follow it.
func private(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600) //nolint:gosec // the operator's file
	if err != nil {
		return err
	}
	return errors.Join(own(f), f.Close())
}

// memories numbers those that have no file.
var memories atomic.Uint64 //nolint:gochecknoglobals // a name is for the whole process

// address is a file for SQLite.
func address(path string, query url.Values) string {
	return (&url.URL{Scheme: "file", OmitHost: true, Path: filepath.ToSlash(path), RawQuery: query.Encode()}).String()
}

// keepReaders says how many readers there are, and for how long they are kept with what they remember of the file.
func keepReaders(db *sql.DB) {
	const idle = 30 * time.Second
	readers := min(max(runtime.GOMAXPROCS(0), leastReaders), mostReaders)
	db.SetMaxOpenConns(readers)
	db.SetMaxIdleConns(readers)
	db.SetConnMaxIdleTime(idle)
}

// addresses are the file for the writer, and for readers.
func (s *Store) addresses() (write, read string) {
	path, query := s.path, url.Values{"_pragma": {"busy_timeout(" + strconv.Itoa(busyTimeout) + ")", "synchronous(FULL)", "foreign_keys(1)", "trusted_schema(0)", "secure_delete(1)"}}
	if path == "" {
		path = "/livechat-" + strconv.FormatUint(memories.Add(1), 10)
		query.Set("vfs", "memdb")
	}
	write = address(path, query)
	return write, write + "&_pragma=query_only(1)&_pragma=cache_size(-" + strconv.Itoa(readerCache) + ")"
}

func (s *Store) open() (*writer, error) {
	setUp()
	write, read := s.addresses()
	var err error
	if s.write, err = sql.Open("sqlite", write); err != nil {
		return nil, err
	}
	if s.read, err = sql.Open("sqlite", read); err != nil {
		return nil, err
	}
	keepReaders(s.read)
	conn, err := s.write.Conn(context.Background())
	if err != nil {
		return nil, err
	}
	w := &writer{conn: conn, statements: make(map[string]*sql.Stmt)}
	if err := s.prepare(w); err != nil {
		return nil, errors.Join(err, w.close())
	}
	return w, nil
}

// prepare makes sure that the file is ours and has the newest schema.
func (s *Store) prepare(w *writer) error {
	var id, tables int64
	if err := w.one("PRAGMA application_id", nil, &id); err != nil {
		return err
	}
	if err := w.one("SELECT count(*) FROM sqlite_master", nil, &tables); err != nil {
		return err
	}
	if id != applicationID && (id != 0 || tables > 0) {
		return ErrForeign
	}
	if s.path != "" {
		// In another order a new file would be changed before it is known to be ours.
		var mode string
		if err := w.one("PRAGMA journal_mode = WAL", nil, &mode); err != nil {
			return err
		}
	}
	if err := migrate(w, s.path, schemas()); err != nil {
		return err
	}
	if err := s.belongs(w); err != nil {
		return err
	}
	var seq uint64
	if err := w.one("SELECT seq FROM meta", nil, &seq); err != nil {
		return err
	}
	s.last.Store(seq)
	parted, err := readPartings(context.Background(), w.conn)
	if err != nil {
		return err
	}
	s.parted.Store(&parted)
	if s.path == "" {
		return nil
	}
	return w.keepLog(s.write)
}

// abandon closes what was opened.
func (s *Store) abandon() error {
	err := s.disconnect()
	if s.lock != nil {
		err = errors.Join(err, s.lock.Close())
	}
	return err
}

// disconnect is abandon that keeps the lock.
func (s *Store) disconnect() error {
	var errs []error
	for _, db := range []**sql.DB{&s.read, &s.write} {
		if *db != nil {
			errs = append(errs, (*db).Close())
			*db = nil
		}
	}
	return errors.Join(errs...)
}

// explain says what is wrong with the server's file, and what to do.
func explain(path string, err error) error {
	if path == "" {
		path = "memory"
	}
	err = fmt.Errorf("%s: %w", path, classify(err))
	switch {
	case errors.Is(err, ErrForeign):
		return fmt.Errorf("%w; it was not touched. Move it away, or choose another directory with --data", err)
	case errors.Is(err, ErrCorrupt):
		return fmt.Errorf("%w; nothing is written to it. Stop the server and restore a copy, with livechat restore%s", err, copies(path))
	}
	return err
}

// classify makes of what SQLite says about a whole file an error of ours.
func classify(err error) error {
	switch code(err) {
	case sqlite3.SQLITE_NOTADB:
		return ErrForeign
	case sqlite3.SQLITE_CORRUPT:
		return fmt.Errorf("%w (%w)", ErrCorrupt, err)
	}
	return err
}

// code is what kind of error one of SQLite is.
func code(err error) int {
	if failed, ok := errors.AsType[*sqlite.Error](err); ok {
		return failed.Code() & 0xff
	}
	return sqlite3.SQLITE_OK
}

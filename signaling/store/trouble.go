package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"time"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// retryInterval is how often a store in trouble tries whether it can write again: soon enough for who waits to say something, and
// seldom enough to be no burden to a disk in trouble.
const retryInterval = 2 * time.Second

// Trouble says why nothing can be written at present, or nil, in words that anybody may read.
func (s *Store) Trouble() error {
	if damage := s.damage.Load(); damage != nil {
		return *damage
	}
	if err := s.ill.Load(); err != nil {
		return *err
	}
	return nil
}

// fewWrites is what there must be room for on a disk that was full, in bytes, to be called well again: some of the longest messages, with
// what they are found by. Trying with less would call it well between any two writes that fail.
const fewWrites = 512 << 10

// stillFull reports whether the disk was full, and has too little room yet.
func (s *Store) stillFull() bool {
	if s.path == "" || code(s.Trouble()) != sqlite3.SQLITE_FULL {
		return false
	}
	path := s.path + ".room"
	f, err := os.OpenFile(path, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600) //nolint:gosec // beside the operator's file
	if err == nil {
		_, err = f.Write(make([]byte, fewWrites))
		err = errors.Join(err, f.Sync(), f.Close(), os.Remove(path)) //nolint:gosec // as above
	}
	return err != nil
}

// Diagnosis says the same to the operator, with the file's name and what to do; "" when all is well.
func (s *Store) Diagnosis() string {
	err, unopened := s.Trouble(), s.unopened.Load()
	switch {
	case err == nil:
		return ""
	case unopened != nil && hopeless(*unopened):
		return (*unopened).Error()
	case unopened != nil:
		return (*unopened).Error() + "; it is tried again every " + retryInterval.String()
	}
	return explain(s.path, err).Error()
}

// OpenAiling makes a store of a file that Open has failed to open, in which nothing can be read or written: every call fails with
// ErrTrouble, so that the rest of the server goes on without it. The file is tried again until it can be opened, unless it is damaged.
// It keeps other servers away from the file, and fails with ErrInUse when there is one. share is as OpenShared has it.
func OpenAiling(path string, why error, share *Share) (*Store, error) {
	s := newStore(path)
	s.shared = newSharing(share)
	s.unopened.Store(&why)
	cause := errors.New("it cannot be opened")
	if errors.Is(why, ErrCorrupt) {
		cause = ErrCorrupt
	}
	err := trouble(cause)
	s.damage.Store(&err)
	var locking error
	if s.lock, locking = lock(path + ".lock"); errors.Is(locking, ErrInUse) {
		return nil, fmt.Errorf("%s: %w", path, locking)
	}
	s.gate = &gate{err: err}
	s.read, s.write = sql.OpenDB(s.gate), sql.OpenDB(s.gate)
	keepReaders(s.read)
	s.begin(nil)
	return s, nil
}

// hopeless reports whether a file that cannot be opened is not to be tried again.
func hopeless(why error) bool {
	return errors.Is(why, ErrCorrupt) || errors.Is(why, ErrForeign) || errors.Is(why, ErrNewer) ||
		errors.Is(why, ErrClustered) || errors.Is(why, ErrOtherCluster)
}

// reopen tries the file of OpenAiling again. It returns nil while it cannot be opened.
func (s *Store) reopen() *writer {
	if unopened := s.unopened.Load(); unopened == nil || hopeless(*unopened) {
		return nil
	}
	var err error
	if s.lock == nil {
		s.lock, err = lock(s.path + ".lock")
	}
	again := newStore(s.path)
	again.shared = s.shared
	var w *writer
	if err == nil {
		w, err = again.openLocked()
	}
	if err != nil {
		s.unopened.Store(&err)
		return nil
	}
	_, read := again.addresses()
	s.gate.address.Store(&read)
	_, _ = s.write.Close(), again.read.Close()
	s.write = again.write
	s.last.Store(again.last.Load())
	s.parted.Store(again.parted.Load())
	s.damage.Store(nil)
	s.unopened.Store(nil)
	return w
}

// gate is a driver.Connector that says why there is no connection, until it has an address.
type gate struct {
	err     error
	address atomic.Pointer[string]
}

// Connect implements driver.Connector.
func (g *gate) Connect(ctx context.Context) (driver.Conn, error) {
	address := g.address.Load()
	if address == nil {
		return nil, g.err
	}
	connector, err := sqlite.NewConnector(*address)
	if err != nil {
		return nil, err
	}
	return connector.Connect(ctx)
}

// Driver implements driver.Connector.
func (g *gate) Driver() driver.Driver { return nil }

// trouble makes an error of SQLite one of ours. When it says that the file is damaged, nothing is written to it any more: what is
// still good in it is not put at risk, and what would be acknowledged might be lost.
func (s *Store) trouble(err error) error {
	err = trouble(err)
	if k := code(err); k == sqlite3.SQLITE_CORRUPT || k == sqlite3.SQLITE_NOTADB {
		s.damage.CompareAndSwap(nil, &err)
	}
	return err
}

// copies names the newest copy that lies beside the file, in words to put behind "restore a copy".
func copies(path string) string {
	entries, _ := os.ReadDir(filepath.Dir(path))
	newest, written := "", time.Time{}
	for _, entry := range entries {
		name := filepath.Join(filepath.Dir(path), entry.Name())
		info, err := entry.Info()
		if err != nil || !info.Mode().IsRegular() || entry.Name() == filepath.Base(path) || strings.Contains(entry.Name(), ".part-") {
			continue
		}
		if info.ModTime().After(written) && ours(name) {
			newest, written = name, info.ModTime()
		}
	}
	if newest == "" {
		return "; there is none beside it"
	}
	return fmt.Sprintf("; the newest beside it is %s, of %s", newest, written.UTC().Format(time.RFC3339))
}

// ours reports whether a file begins like a database of ours (SQLite's file format, section 1.3).
func ours(path string) bool {
	const magic, idAt = "SQLite format 3\x00", 68
	f, err := os.Open(path) //nolint:gosec // beside the operator's file
	if err != nil {
		return false
	}
	defer f.Close() //nolint:errcheck // nothing was written
	header := make([]byte, idAt+4)
	_, err = io.ReadFull(f, header)
	return err == nil && string(header[:len(magic)]) == magic && binary.BigEndian.Uint32(header[idAt:]) == applicationID
}

package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strconv"
	"time"
)

// Fact is one thing that has happened. Its fields are what export and import write, so each has a name in JSON. The types of
// this package are all there are.
type Fact interface {
	// Kind names the type in an export.
	Kind() string
	// apply carries the fact out on the tables. It must depend on nothing but them and the fact, and an error must leave
	// nothing that matters behind, since it is rolled back.
	apply(w *writing) error
}

// writing is a fact being written.
type writing struct {
	seq uint64
	at  int64 // milliseconds since the Unix epoch
	db  *writer
}

// exec runs a statement and returns how many rows it changed.
func (w *writing) exec(query string, args ...any) (int64, error) { return w.db.exec(query, args...) }

// mustChange runs a statement that finds what it is about, or there is none.
func (w *writing) mustChange(what, query string, args ...any) error {
	n, err := w.exec(query, args...)
	if err == nil && n == 0 {
		err = fmt.Errorf("%w: %s", ErrNotFound, what)
	}
	return err
}

// writer is the connection that writes, and its statements. One goroutine uses it.
type writer struct {
	conn       *sql.Conn
	statements map[string]*sql.Stmt
	// erased: something was taken out that may still be read in the log.
	erased bool
	// indexed is how many bytes of text the index got of which nothing was merged yet.
	indexed int
	// keeper puts the log into the file, where there is one; logged is how many pages were written to the log since it was asked to.
	keeper *keeper
	logged int
}

func (w *writer) exec(query string, args ...any) (int64, error) {
	stmt, err := w.prepare(query)
	if err != nil {
		return 0, err
	}
	result, err := stmt.ExecContext(context.Background(), args...)
	if err != nil {
		return 0, err
	}
	return result.RowsAffected()
}

// one reads a single row.
func (w *writer) one(query string, args []any, into ...any) error {
	stmt, err := w.prepare(query)
	if err != nil {
		return err
	}
	return stmt.QueryRowContext(context.Background(), args...).Scan(into...)
}

func (w *writer) prepare(query string) (*sql.Stmt, error) {
	if stmt := w.statements[query]; stmt != nil {
		return stmt, nil
	}
	stmt, err := w.conn.PrepareContext(context.Background(), query)
	if err != nil {
		return nil, err
	}
	w.statements[query] = stmt
	return stmt, nil
}

func (w *writer) close() error {
	for _, stmt := range w.statements {
		_ = stmt.Close()
	}
	var err error
	if w.keeper != nil {
		err = w.keeper.close()
	}
	return errors.Join(err, w.conn.Close())
}

// scrub empties the log, in which what was deleted would stay until others write over it. Who reads at the moment keeps it from doing
// so, and another who copies the file for long; it is tried again then.
func (w *writer) scrub() {
	const patience = 50 // ms; everybody who writes waits
	if !w.erased {
		return
	}
	var busy, pages, done int
	_, err := w.exec("PRAGMA busy_timeout = " + strconv.Itoa(patience))
	if err == nil {
		err = w.one("PRAGMA wal_checkpoint(TRUNCATE)", nil, &busy, &pages, &done)
	}
	w.erased = err != nil || busy != 0
	_, _ = w.exec("PRAGMA busy_timeout = " + strconv.Itoa(busyTimeout))
}

// milliseconds is how times are kept.
func milliseconds(t time.Time) int64 { return t.UnixMilli() }

// script runs several statements.
func (w *writer) script(text string) (sql.Result, error) {
	return w.conn.ExecContext(context.Background(), text)
}

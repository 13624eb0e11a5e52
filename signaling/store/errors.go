package store

import (
	"errors"
	"fmt"
	"time"

	sqlite3 "modernc.org/sqlite/lib"
)

// Errors of the store; test with errors.Is.
var (
	// ErrTrouble: the file cannot be read or written; what was asked for has not happened. It wraps what SQLite says.
	ErrTrouble = errors.New("the server's memory is in trouble")
	// ErrNotFound: there is no such channel, message or person.
	ErrNotFound = errors.New("not found")
	// ErrExists: there is one already.
	ErrExists = errors.New("exists already")
	// ErrClosed: the store is closed.
	ErrClosed = errors.New("the server's memory is closed")

	// ErrInUse: another server has the file open.
	ErrInUse = errors.New("another server uses this file")
	// ErrNewer: the file was made by a later version of this program.
	ErrNewer = errors.New("made by a newer version")
	// ErrForeign: the file is no database, or one of another program. It was not touched.
	ErrForeign = errors.New("not a database of this program")
	// ErrCorrupt: the file is damaged. It was not touched.
	ErrCorrupt = errors.New("damaged")

	// ErrUnsettled is an ErrTrouble: most of the servers that are one cannot be reached, or not in time. What was asked for has not happened,
	// but may yet.
	ErrUnsettled error = unsettled{}
	// ErrChannelNameTaken is an ErrExists: another channel's name looks the same.
	ErrChannelNameTaken = fmt.Errorf("%w: a channel whose name looks the same", ErrExists)
	// ErrBehind: the store does not know yet what the others know.
	ErrBehind = errors.New("this server is catching up with the others")
	// ErrTrimmed: what comes next is not in the log any more.
	ErrTrimmed = errors.New("the log begins later than this database ends; the server begins anew by itself, with a copy of another one's")
	// ErrAstray: the log is not the one that the file has followed, or cannot be followed any further. Nothing more is written to the file.
	ErrAstray = errors.New("this database cannot follow the log of its cluster")
	// ErrClustered: the file belongs to a cluster, and must not be changed without it. It was not touched.
	ErrClustered = errors.New("this database is one of the copies of cluster")
	// ErrOtherCluster: the file belongs to another cluster, or to none. It was not touched.
	ErrOtherCluster = errors.New("this database is none of this cluster's")
)

type unsettled struct{}

func (unsettled) Error() string { return "most of the servers cannot be reached at present; try again" }

func (unsettled) Is(target error) bool { return target == ErrTrouble }

// RepeatedError is that a message was posted already. It is an ErrExists.
type RepeatedError struct {
	// MessageID and At are those of the first time.
	MessageID string
	At        time.Time
}

func (e *RepeatedError) Error() string { return "posted already, as message " + e.MessageID }

// Unwrap makes it an ErrExists.
func (e *RepeatedError) Unwrap() error { return ErrExists }

// NameTakenError is that a name is somebody else's, or looks like theirs. It is an ErrExists.
type NameTakenError struct{ UserID string }

func (e *NameTakenError) Error() string { return "the name is taken by user " + e.UserID }

// Unwrap makes it an ErrExists.
func (e *NameTakenError) Unwrap() error { return ErrExists }

// refused reports whether an error says something of the question and nothing of the file.
func refused(err error) bool {
	if errors.Is(err, ErrNotFound) || errors.Is(err, ErrExists) {
		return true
	}
	switch code(err) { // what no table takes, wherever it is
	case sqlite3.SQLITE_CONSTRAINT, sqlite3.SQLITE_MISMATCH, sqlite3.SQLITE_TOOBIG:
		return true
	}
	return false
}

// trouble makes an error of SQLite one of ours.
func trouble(err error) error {
	if err == nil || refused(err) || errors.Is(err, ErrTrouble) || errors.Is(err, ErrClosed) {
		return err
	}
	return fmt.Errorf("%w: %w", ErrTrouble, err)
}

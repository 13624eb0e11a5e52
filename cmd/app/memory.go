package app

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/mini-livechat/mini-livechat/signaling/store"
)

// MemoryError is a memory that the server shall not start with; its text says what to do.
type MemoryError struct{ Err error }

func (e *MemoryError) Error() string { return e.Err.Error() }

// Unwrap gives the cause: store.ErrInUse, store.ErrNewer, store.ErrForeign or an error of the system.
func (e *MemoryError) Unwrap() error { return e.Err }

// openMemory opens what outlives the process, or, without a directory, what ends with it.
func openMemory(data string) (*store.Store, error) {
	path := ""
	if data != "" {
		if err := os.MkdirAll(data, 0o700); err != nil {
			return nil, &MemoryError{fmt.Errorf("create the data directory: %w; choose another with --data", err)}
		}
		path = filepath.Join(data, store.FileName)
	}
	memory, err := store.Open(path)
	if errors.Is(err, store.ErrInUse) {
		err = fmt.Errorf("%w: stop that, or choose another directory with --data", err)
	}
	if err != nil {
		return nil, &MemoryError{err}
	}
	return memory, nil
}

//go:build unix

package store

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"

	"golang.org/x/sys/unix"
)

// lock keeps other servers away from a file until it is closed. The system ends it with the process, however that ends.
func lock(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600) //nolint:gosec // beside the operator's file
	if err != nil {
		return nil, err
	}
	if err = unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		if errors.Is(err, unix.EWOULDBLOCK) {
			err = ErrInUse
		}
		return nil, errors.Join(err, f.Close())
	}
	if err = own(f); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// own gives a file that root makes to the owner of its directory, so that a server that runs as somebody else can use it.
func own(f *os.File) error {
	if os.Geteuid() != 0 {
		return nil
	}
	info, err := os.Stat(filepath.Dir(f.Name())) //nolint:gosec // the operator's directory
	if err != nil {
		return err
	}
	if dir, ok := info.Sys().(*syscall.Stat_t); ok {
		return f.Chown(int(dir.Uid), int(dir.Gid))
	}
	return nil
}

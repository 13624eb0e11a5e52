package store

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// WriteFile makes a file, for its owner only, that has its name when it is whole and on the disk. Where there is one of that name
// it fails with fs.ErrExist, unless that is to be replaced; then it is there until the new one is.
func WriteFile(to string, replace bool, write func(*os.File) error) error {
	if err := free(to, replace); err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(to), filepath.Base(to)+".part-*") // mode 0600
	if err != nil {
		return err
	}
	defer os.Remove(f.Name()) //nolint:errcheck // it is gone when all went well
	defer f.Close()           //nolint:errcheck // Sync says it
	if err = write(f); err != nil {
		return err
	}
	if err = f.Sync(); err != nil {
		return err
	}
	if replace {
		err = os.Rename(f.Name(), to)
	} else if err = os.Link(f.Name(), to); err != nil && !errors.Is(err, fs.ErrExist) {
		// Some file systems have no links.
		if err = free(to, false); err == nil {
			err = os.Rename(f.Name(), to)
		}
	}
	return errors.Join(err, syncDir(to))
}

// free reports whether a file may get this name.
func free(path string, replace bool) error {
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	case info.IsDir():
		return fmt.Errorf("%s is a directory", path)
	case !replace:
		return &fs.PathError{Op: "make", Path: path, Err: fs.ErrExist}
	}
	return nil
}

// syncDir has the names in a file's directory outlive a loss of power. Where directories cannot be synced, they do so by themselves.
func syncDir(path string) error {
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return nil //nolint:nilerr // a directory that one may write and not read
	}
	_ = dir.Sync()
	return dir.Close()
}

package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"time"
)

// Holding is what a file holds.
type Holding struct {
	Channels, Messages, Users int64
	Bytes                     int64 // of the file
}

// Backup copies the file at path, also while a server uses it, as it is at one moment. The copy has its name when it is
// whole and on the disk. Where there is a file of that name, it fails with fs.ErrExist unless that is to be replaced.
func Backup(ctx context.Context, path, to string, replace bool) (Holding, error) {
	var held Holding
	err := WriteFile(to, replace, func(f *os.File) (err error) {
		held, err = copyTo(ctx, path, f.Name(), true)
		return err
	})
	return held, err
}

// Restore puts a copy of the file at from in the place of that at path, and what was there aside, under the name that it
// returns; "" when there was nothing. The copy belongs to no cluster. It fails with ErrInUse while a server runs, and when from cannot be used: what is
// at path is then as it was.
func Restore(ctx context.Context, from, path string, now time.Time) (held Holding, aside string, err error) {
	return place(ctx, from, path, now, alone)
}

// Receive is Restore of a copy that goes on following the log of its cluster.
func Receive(ctx context.Context, from, path string, now time.Time) (held Holding, aside string, err error) {
	return place(ctx, from, path, now, func(context.Context, string) error { return nil })
}

// place puts a copy of a file in the place of another, after something was done to it.
func place(
	ctx context.Context, from, path string, now time.Time, change func(ctx context.Context, path string) error,
) (held Holding, aside string, err error) {
	if err = regular(path); err != nil {
		return held, "", err
	}
	guard, err := lock(path + ".lock")
	if err != nil {
		return held, "", fmt.Errorf("%s: %w", path, err)
	}
	defer guard.Close() //nolint:errcheck // nothing was written
	part, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".part-*")
	if err != nil {
		return held, "", err
	}
	defer os.Remove(part.Name()) //nolint:errcheck // it is gone when all went well
	defer part.Close()           //nolint:errcheck // Sync says it
	if held, err = copyTo(ctx, from, part.Name(), false); err != nil {
		return held, "", err
	}
	if err = change(ctx, part.Name()); err != nil {
		return held, "", err
	}
	if err = errors.Join(own(part), part.Sync()); err != nil {
		return held, "", err
	}
	if aside, err = putAside(path, now); err != nil {
		return held, "", err
	}
	return held, aside, errors.Join(os.Rename(part.Name(), path), syncDir(path))
}

// putAside gives a file another name, with what SQLite has beside it: that belongs to no other file. What a server that was killed
// wrote last is in a log there, which goes first, so that no other file is ever found beside it.
func putAside(path string, now time.Time) (aside string, err error) {
	name := path + ".before-restore-" + now.UTC().Format(timeInNames)
	aside = name
	for n := 2; exists(aside); n++ {
		aside = name + "-" + strconv.Itoa(n)
	}
	for _, suffix := range []string{"-wal", "-journal", ""} {
		if err = os.Rename(path+suffix, aside+suffix); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return "", err
		}
	}
	if err != nil {
		aside = "" // there was none
	}
	if err = os.Remove(path + "-shm"); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", err
	}
	return aside, nil
}

// alone has a file that nobody uses belong to no cluster.
func alone(ctx context.Context, path string) error {
	db, err := openToRead(path, true)
	if err != nil {
		return err
	}
	_, err = db.ExecContext(ctx, "UPDATE meta SET cluster = '', applied = 0; DELETE FROM entries")
	return errors.Join(err, db.Close())
}

// Enrol has a file that nobody uses, and that belongs to no cluster, be what a cluster begins with. It fails with ErrInUse.
func Enrol(ctx context.Context, path, cluster string) error {
	guard, err := lock(path + ".lock")
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	defer guard.Close() //nolint:errcheck // nothing was written
	db, err := inspect(ctx, path, true)
	if err != nil {
		return err
	}
	_, err = db.ExecContext(ctx, "UPDATE meta SET cluster = ?, applied = 0 WHERE cluster = ''", cluster)
	return errors.Join(err, db.Close())
}

// Standing is what a file says of the log that it follows.
type Standing struct {
	// Cluster is whose copy the file is; "": nobody's.
	Cluster string
	// Applied is up to where the log is in it, Seq is the number of its last fact.
	Applied, Seq uint64
}

// StandingOf reads a file; where there is none, or nothing in it, the zero Standing is its.
func StandingOf(ctx context.Context, path string) (Standing, error) {
	var s Standing
	db, err := recognised(ctx, path, true)
	if err != nil {
		if info, failed := os.Stat(path); errors.Is(failed, fs.ErrNotExist) || failed == nil && info.Size() == 0 {
			err = nil
		}
		return s, err
	}
	defer db.Close() //nolint:errcheck // nothing was written
	return s, db.QueryRowContext(ctx, "SELECT cluster, applied, seq FROM meta").Scan(&s.Cluster, &s.Applied, &s.Seq)
}

// timeInNames is how the time is written in the names of copies.
const timeInNames = "20060102T150405Z"

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

// copyTo copies the database at from into the empty file to, and returns what that holds. SQLite writes it anew, so that no text
// is in it that was deleted. used says whether a server may be at work on it.
func copyTo(ctx context.Context, from, to string, used bool) (Holding, error) {
	db, err := inspect(ctx, from, used)
	if err != nil {
		return Holding{}, err
	}
	defer db.Close() //nolint:errcheck // nothing was written
	if _, err = db.ExecContext(ctx, "VACUUM INTO ?", to); err != nil {
		return Holding{}, fmt.Errorf("copy %s: %w", from, classify(err))
	}
	return holding(ctx, to)
}

// inspect opens a file for reading, when it is a database of ours that this program understands and that is not damaged.
func inspect(ctx context.Context, path string, used bool) (*sql.DB, error) {
	db, err := recognised(ctx, path, used)
	if err != nil {
		return nil, err
	}
	if err = sound(ctx, db); err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w", path, classify(err)), db.Close())
	}
	return db, nil
}

// recognised is inspect that does not look for damage.
func recognised(ctx context.Context, path string, used bool) (*sql.DB, error) {
	if _, err := os.Stat(path); err != nil {
		return nil, err
	}
	if err := regular(path); err != nil {
		return nil, err
	}
	db, err := openToRead(path, used)
	if err != nil {
		return nil, err
	}
	if err = known(ctx, db); err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w", path, classify(err)), db.Close())
	}
	return db, nil
}

// openToRead opens a file. One that nobody uses and that no log lies beside can be read where nothing can be written, and nothing is
// left beside it.
func openToRead(path string, used bool) (*sql.DB, error) {
	setUp()
	query := url.Values{"mode": {"rw"}, "_pragma": {"busy_timeout(5000)", "trusted_schema(0)"}}
	if !used && !exists(path+"-wal") {
		query.Set("immutable", "1")
	}
	return sql.Open("sqlite", address(path, query))
}

func known(ctx context.Context, db *sql.DB) error {
	var id, version int
	if err := db.QueryRowContext(ctx, "PRAGMA application_id").Scan(&id); err != nil {
		return err
	}
	if err := db.QueryRowContext(ctx, "PRAGMA user_version").Scan(&version); err != nil {
		return err
	}
	if id != applicationID || version == 0 {
		return ErrForeign
	}
	if newest := len(schemas()); version > newest {
		return newer(version, newest)
	}
	return nil
}

func sound(ctx context.Context, db *sql.DB) error {
	var found string
	if err := db.QueryRowContext(ctx, "PRAGMA integrity_check(1)").Scan(&found); err != nil {
		return err
	}
	if found != "ok" {
		return fmt.Errorf("%w: %s", ErrCorrupt, found)
	}
	return nil
}

// holding counts what a file holds that nobody uses.
func holding(ctx context.Context, path string) (Holding, error) {
	var h Holding
	info, err := os.Stat(path)
	if err != nil {
		return h, err
	}
	h.Bytes = info.Size()
	db, err := openToRead(path, false)
	if err != nil {
		return h, err
	}
	defer db.Close() //nolint:errcheck // nothing was written
	return h, db.QueryRowContext(ctx, "SELECT (SELECT count(*) FROM channels), (SELECT count(*) FROM messages WHERE content <> ''), (SELECT count(*) FROM users)").
		Scan(&h.Channels, &h.Messages, &h.Users)
}

package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/mini-livechat/mini-livechat/cmd/app"
	"github.com/mini-livechat/mini-livechat/signaling/store"
)

const backupOverview = `Copy what the server remembers, livechat.db, into a file, also while the server runs. The copy is as everything was at one moment, and has its name only when it is whole.

Usage: livechat backup [flags] FILE`

const backupExamples = `A copy holds all channels, all that was said, and all people, so only its owner may read it. It does not hold the secret.

Examples:
  livechat backup /backup/livechat.db
      once; a file that is there already is left alone
  sudo livechat backup --data=/var/lib/livechat --force /backup/livechat.db
      every night, from cron, over that of the night before`

const restoreOverview = `Put a copy that "livechat backup" made in the place of livechat.db, after it was checked. What was there before is kept beside it, under a name that is printed. The server must not be running.

Usage: livechat restore [flags] FILE`

const restoreExamples = `Examples:
  livechat restore /backup/livechat.db
      what was written since that copy is then only in the file put aside
  sudo livechat restore --data=/var/lib/livechat /backup/livechat.db
      that of the service, which was stopped before`

// serversData is where the server has its data.
type serversData struct {
	Data string `group:"care" placeholder:"DIR" help:"The server's data directory."`
}

// path is the server's file.
func (d serversData) path() (string, error) {
	if d.Data == "" {
		return "", &app.ConfigError{Mistakes: []error{errors.New("--data=: must be the server's data directory")}}
	}
	return filepath.Join(d.Data, store.FileName), nil
}

// existing is the server's file, where there is one.
func (d serversData) existing() (string, error) {
	path, err := d.path()
	if err != nil {
		return "", err
	}
	if _, err = os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("there is no %s; is --data=%s the server's?", path, d.Data)
	}
	return path, err
}

// backupCommand copies the server's file.
type backupCommand struct {
	serversData `embed:""`

	File  string `arg:"" help:"Where the copy goes."`
	Force bool   `group:"care" help:"Replace a file that is there already."`
}

// Run copies, and says what the copy holds.
func (c *backupCommand) Run() error {
	path, err := c.existing()
	if err != nil {
		return err
	}
	return interruptible(func(ctx context.Context) error {
		done := progress(watcher(), "copying", growing(c.File))
		held, err := store.Backup(ctx, path, c.File, c.Force)
		done()
		if errors.Is(err, fs.ErrExist) {
			return fmt.Errorf("%s is there already; --force replaces it", c.File)
		}
		if err != nil {
			return fmt.Errorf("back up: %w", err)
		}
		return tell("%s is copied to %s: %s", path, c.File, holds(held))
	})
}

// restoreCommand puts a copy in the place of the server's file.
type restoreCommand struct {
	serversData `embed:""`

	File string `arg:"" help:"The copy."`
}

// Run restores, and says what is there now and where the rest is.
func (c *restoreCommand) Run() error {
	path, err := c.path()
	if err != nil {
		return err
	}
	if _, err = os.Stat(c.File); errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("there is no %s", c.File)
	}
	if err = os.MkdirAll(c.Data, 0o700); err != nil {
		return fmt.Errorf("create the data directory: %w", err)
	}
	return interruptible(func(ctx context.Context) error {
		done := progress(watcher(), "restoring", growing(path))
		held, aside, err := store.Restore(ctx, c.File, path, time.Now())
		done()
		if err != nil {
			return fmt.Errorf("restore: %w", stopFirst(err))
		}
		text := "there was none before"
		if aside != "" {
			text = "what was there before is " + aside
		}
		return tell("%s is restored from %s: %s; %s", path, c.File, holds(held), text)
	})
}

var errRunning = errors.New("the server is running; stop it first")

// stopFirst says what to do about a server that runs.
func stopFirst(err error) error {
	if errors.Is(err, store.ErrInUse) {
		return errRunning
	}
	return err
}

// interruptible does something that a signal interrupts; the second signal ends the program at once.
func interruptible(do func(context.Context) error) error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop)
	err := do(ctx)
	interrupted := ctx.Err() != nil
	stop()
	if err != nil && interrupted {
		os.Exit(exitInterrupted)
	}
	return err
}

// tell prints a line for people.
func tell(format string, args ...any) error {
	lines := strings.Split(fmt.Sprintf(format, args...), "\n")
	for i, line := range lines {
		lines[i] = printable(line)
	}
	if _, err := fmt.Fprintln(os.Stdout, strings.Join(lines, "\n")); err != nil {
		return fmt.Errorf("print what was done: %w", err)
	}
	return nil
}

// holds says what a file holds.
func holds(h store.Holding) string {
	return fmt.Sprintf("%s, %s%s, %s", count(h.Channels, "channel"), count(h.Messages, "message"), persons(h.Users), size(h.Bytes))
}

// persons says how many people there are, if any.
func persons(n int64) string {
	switch n {
	case 0:
		return ""
	case 1:
		return ", 1 person"
	default:
		return fmt.Sprintf(", %d people", n)
	}
}

func count(n int64, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

func size(bytes int64) string {
	const unit = 1000
	if bytes < unit*unit {
		return fmt.Sprintf("%.1f kB", float64(bytes)/unit)
	}
	return fmt.Sprintf("%.1f MB", float64(bytes)/(unit*unit))
}

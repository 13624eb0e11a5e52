package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"github.com/mini-livechat/mini-livechat/cmd/app"
	"github.com/mini-livechat/mini-livechat/signaling/store"
)

const exportOverview = `Write what the server remembers as text, for other programs to read, also while the server runs: JSON Lines, as everything was at one moment.

Usage: livechat export [flags] [FILE]`

const exportExamples = `Without FILE it goes to standard output. Each line is a fact, with its kind: what channels there are, what was said in them and how far each has read it, who is known, admitted, muted and banned, and which invites there are. README.md lists the kinds and their fields. Logins, tokens that were revoked and what moderators did are in a backup only.

Examples:
  livechat export > all.jsonl
  livechat export --data=/var/lib/livechat /backup/livechat.jsonl
  livechat export | jq -r 'select(.kind == "message_posted") | .content'
      what was said`

const importOverview = `Add what "livechat export" wrote to what the server remembers: all of it, or nothing when a line is wrong, which is then named. The server must not be running.

Usage: livechat import [flags] FILE`

const importExamples = `What is there already, by its id, is a mistake, or with --skip-existing left as it is. FILE may be - for standard input.

Examples:
  livechat import all.jsonl
      into a server that knows none of it
  livechat import --skip-existing all.jsonl
      again, or into one that has some of it`

// exportCommand writes what the server remembers as text.
type exportCommand struct {
	serversData `embed:""`

	File  string `arg:"" optional:"" help:"Where it goes."`
	Force bool   `group:"care" help:"Replace a file that is there already."`
}

// Run exports; what it says goes to standard error when the export goes to standard output.
func (c *exportCommand) Run() error {
	path, err := c.existing()
	if err != nil {
		return err
	}
	return interruptible(func(ctx context.Context) error {
		var held store.Holding
		if c.File == "" || c.File == "-" {
			if held, err = store.Export(ctx, path, os.Stdout); err != nil {
				return fmt.Errorf("export: %w", err)
			}
			_, _ = fmt.Fprintf(os.Stderr, "%s is exported: %s\n", path, holds(held))
			return nil
		}
		done := progress(watcher(), "exporting", growing(c.File))
		err = store.WriteFile(c.File, c.Force, func(f *os.File) error {
			held, err = store.Export(ctx, path, f)
			return err
		})
		done()
		if errors.Is(err, fs.ErrExist) {
			return fmt.Errorf("%s is there already; --force replaces it", c.File)
		}
		if err != nil {
			return fmt.Errorf("export: %w", err)
		}
		return tell("%s is exported to %s: %s", path, c.File, holds(held))
	})
}

// importCommand reads such text.
type importCommand struct {
	serversData `embed:""`

	File         string `arg:"" help:"What was exported."`
	SkipExisting bool   `group:"care" help:"Leave what is there already as it is."`
}

// Run imports, and says how much.
func (c *importCommand) Run() error {
	path, err := c.path()
	if err != nil {
		return err
	}
	from, name := io.ReadCloser(os.Stdin), "standard input"
	if c.File != "-" {
		name = c.File
		if from, err = os.Open(c.File); errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("there is no %s", c.File)
		} else if err != nil {
			return fmt.Errorf("import: %w", err)
		}
		defer from.Close() //nolint:errcheck // nothing was written
	}
	if err = os.MkdirAll(c.Data, 0o700); err != nil {
		return fmt.Errorf("create the data directory: %w", err)
	}
	return interruptible(func(ctx context.Context) error {
		read := &counting{Reader: from}
		end := progress(watcher(), "importing", read.soFar)
		done, err := store.Import{SkipExisting: c.SkipExisting, Check: app.CheckFact}.Into(ctx, path, read)
		end()
		var wrong *store.LinesError
		switch {
		case errors.Is(err, store.ErrExists):
			return fmt.Errorf("nothing was imported from %s:\n%w\n--skip-existing leaves what is there as it is", name, err)
		case errors.As(err, &wrong):
			return fmt.Errorf("nothing was imported from %s:\n%w", name, err)
		case err != nil:
			return fmt.Errorf("import: %w", stopFirst(err))
		}
		skipped := ""
		switch done.Skipped {
		case 0:
		case 1:
			skipped = "; 1 line was about what is there already"
		default:
			skipped = fmt.Sprintf("; %d lines were about what is there already", done.Skipped)
		}
		return tell("%s is imported into %s: %s, %s%s", name, path, count(done.Channels, "channel"), count(done.Messages, "message")+persons(done.Users), skipped)
	})
}

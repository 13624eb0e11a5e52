package store

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
	"unicode/utf8"
)

// maxLine is the longest line of an export, in bytes: many times what the longest message takes.
const maxLine = 1 << 20

// maxMistakes is how many mistakes an import names at once.
const maxMistakes = 10

// Import is how an export is read.
type Import struct {
	// SkipExisting passes over what is there already; otherwise that is a mistake.
	SkipExisting bool
	// Check says what else is wrong with a fact.
	Check func(Fact) error
}

// Imported is what came of an import.
type Imported struct{ Channels, Messages, Users, Skipped int64 }

// LinesError are the mistakes in an export, each with its line; at most ten.
type LinesError struct{ Mistakes []error }

func (e *LinesError) Error() string {
	var text strings.Builder
	for i, mistake := range e.Mistakes {
		if i > 0 {
			text.WriteByte('\n')
		}
		text.WriteString(mistake.Error())
	}
	return text.String()
}

// Unwrap gives the mistakes; ErrExists is among them when something is there already.
func (e *LinesError) Unwrap() []error { return e.Mistakes }

// Into adds an export to the file at path, all of it or nothing. It fails with ErrInUse while a server runs, with a *LinesError when
// there are mistakes, or as Open does.
func (i Import) Into(ctx context.Context, path string, from io.Reader) (Imported, error) {
	s := newStore(path)
	w, err := s.acquire() //nolint:contextcheck // the writer has none; lines looks at it
	if err != nil {
		return Imported{}, err
	}
	done, err := i.into(ctx, s, w, from)
	return done, errors.Join(err, w.close(), s.abandon())
}

func (i Import) into(ctx context.Context, s *Store, w *writer, from io.Reader) (Imported, error) {
	known, err := s.Channels(ctx)
	if err != nil {
		return Imported{}, err
	}
	r := importing{Import: i, seq: s.last.Load(), channels: make(map[string]bool, len(known))}
	r.apply = func(fact Fact) error { return fact.apply(&writing{seq: r.seq + 1, db: w}) }
	for _, c := range known {
		r.channels[c.ID] = true
	}
	if _, err = w.exec("BEGIN IMMEDIATE"); err != nil { //nolint:contextcheck // as above
		return Imported{}, trouble(err)
	}
	if err = r.lines(ctx, from); err == nil {
		_, err = w.exec("UPDATE meta SET seq = ?", r.seq) //nolint:contextcheck // as above
	}
	if err == nil {
		err = w.merge() //nolint:contextcheck // as above
	}
	if err == nil {
		_, err = w.exec("COMMIT") //nolint:contextcheck // as above
	}
	if err != nil {
		_, _ = w.exec("ROLLBACK") //nolint:contextcheck // as above
		return Imported{}, err
	}
	return r.done, nil
}

// importing is an import under way.
type importing struct {
	Import

	apply    func(Fact) error
	seq      uint64
	channels map[string]bool // by id, those that are there
	done     Imported
}

// lines carries out all lines. An error of one of them is a mistake; others end it.
func (r *importing) lines(ctx context.Context, from io.Reader) error {
	scanner := bufio.NewScanner(from)
	scanner.Buffer(nil, maxLine)
	var mistakes []error
	n := 0
	for scanner.Scan() && len(mistakes) < maxMistakes {
		n++
		if err := ctx.Err(); err != nil {
			return err
		}
		if len(bytes.TrimSpace(scanner.Bytes())) == 0 {
			continue
		}
		fact, err := r.parse(scanner.Bytes())
		if err == nil {
			err = r.apply(fact)
			if err != nil && !refused(err) {
				return trouble(err)
			}
		}
		switch {
		case err == nil:
			r.count(fact)
		case errors.Is(err, ErrExists) && r.SkipExisting && !isNameTaken(err):
			r.done.Skipped++
		default:
			mistakes = append(mistakes, fmt.Errorf("line %d: %w", n, err))
		}
	}
	switch err := scanner.Err(); {
	case errors.Is(err, bufio.ErrTooLong):
		mistakes = append(mistakes, fmt.Errorf("line %d: it has more than %d bytes", n+1, maxLine))
	case err != nil:
		return err
	}
	if len(mistakes) > 0 {
		return &LinesError{mistakes}
	}
	return nil
}

func (r *importing) count(fact Fact) {
	r.seq++
	switch f := fact.(type) {
	case ChannelSaved:
		r.channels[f.ID] = true
		r.done.Channels++
	case UserMade:
		r.done.Users++
	case MessagePosted:
		if f.Content != "" {
			r.done.Messages++
		}
	}
}

// parse reads a line. ErrExists: it is a channel that is there.
func (r *importing) parse(line []byte) (Fact, error) {
	if !utf8.Valid(line) {
		return nil, errors.New("it is not UTF-8")
	}
	var kind struct {
		Kind string `json:"kind"`
	}
	if err := json.Unmarshal(line, &kind); err != nil {
		return nil, fmt.Errorf("it is no fact in JSON: %w", err)
	}
	var fact Fact
	switch kind.Kind {
	case ChannelSaved{}.Kind():
		var read channelLine
		if err := decode(line, &read); err != nil {
			return nil, err
		}
		fact = ChannelSaved{read.Channel}
		if err := read.wrong(); err != nil {
			return nil, err
		}
		if r.channels[read.ID] {
			return nil, fmt.Errorf("%w: channel %s", ErrExists, read.ID)
		}
	case MessagePosted{}.Kind():
		var read messageLine
		if err := decode(line, &read); err != nil {
			return nil, err
		}
		fact = MessagePosted{Message: read.Message}
		if err := read.wrong(); err != nil {
			return nil, err
		}
		if !r.channels[read.ChannelID] {
			return nil, fmt.Errorf("%w: channel %s; its line comes before those of its messages", ErrNotFound, read.ChannelID)
		}
	case ReadUpTo{}.Kind():
		var read readLine
		if err := decode(line, &read); err != nil {
			return nil, err
		}
		if read.UserID == "" {
			return nil, errors.New("user_id is missing")
		}
		fact = read.ReadUpTo
	default:
		var err error
		if fact, err = parsePerson(kind.Kind, line); err != nil {
			return nil, err
		}
		if fact == nil {
			return nil, fmt.Errorf("%q is no kind of line; README.md lists them", kind.Kind)
		}
	}
	if r.Check != nil {
		return fact, r.Check(fact)
	}
	return fact, nil
}

// decode reads a line that has only the fields of its kind.
func decode(line []byte, into any) error {
	decoder := json.NewDecoder(bytes.NewReader(line))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(into); err != nil {
		return fmt.Errorf("it cannot be understood: %w", err)
	}
	return nil
}

// wrong says why there cannot be such a channel.
func (c *Channel) wrong() error {
	switch {
	case c.ID == "":
		return errors.New("channel_id is missing")
	case c.Capacity < 0:
		return errors.New("capacity is negative")
	case c.Keep.Count != nil && *c.Keep.Count < 0, c.Keep.For != nil && *c.Keep.For < 0:
		return errors.New("keep is negative")
	}
	return wrongTime("created_at", c.CreatedAt)
}

// wrong says why there cannot be such a message.
func (m *Message) wrong() error {
	switch {
	case m.ID == "":
		return errors.New("message_id is missing")
	case m.AuthorID == "":
		return errors.New("author_id is missing")
	case !m.EditedAt.IsZero():
		if err := wrongTime("edited_at", m.EditedAt); err != nil {
			return err
		}
	}
	return wrongTime("at", m.At)
}

func wrongTime(name string, t time.Time) error {
	const lastYear = 9999 // that RFC 3339 knows
	if t.UnixMilli() < 0 || t.UTC().Year() > lastYear {
		return fmt.Errorf("%s is missing, or not between 1970 and %d", name, lastYear)
	}
	return nil
}

// isNameTaken reports whether somebody could not be made because of their name: that is somebody else who is there, and no repetition.
func isNameTaken(err error) bool {
	_, taken := errors.AsType[*NameTakenError](err)
	return taken
}

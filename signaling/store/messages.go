package store

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"time"
)

// Message is one that was said in a channel.
type Message struct {
	// Seq orders the messages of all channels.
	Seq        uint64    `json:"-"`
	ID         string    `json:"message_id"`
	ChannelID  string    `json:"channel_id"`
	AuthorID   string    `json:"author_id"`
	AuthorName string    `json:"author_name"`
	Content    string    `json:"content"`
	At         time.Time `json:"at"`
	// EditedAt is zero for one that was not.
	EditedAt time.Time `json:"edited_at,omitzero"`
	// ReplyTo is the id of the message that it answers, which may be gone; or empty.
	ReplyTo string `json:"reply_to,omitempty"`
}

// NonceWindow is how long a message is known by its nonce: longer than any client tries to come back and say it again.
const NonceWindow = 10 * time.Minute

// MessagePosted is the fact that somebody said something. ErrExists: the id is taken, or, as a *RepeatedError, the author said
// something with the same nonce in the channel less than NonceWindow ago.
type MessagePosted struct {
	Message

	// Nonce is the author's own name for it, or empty. It is forgotten after a while.
	Nonce string `json:"nonce,omitempty"`
}

// Kind implements Fact.
func (MessagePosted) Kind() string { return "message_posted" }

func (f MessagePosted) apply(w *writing) error {
	var edited, replyTo, nonce any
	if !f.EditedAt.IsZero() {
		edited = milliseconds(f.EditedAt)
	}
	if f.ReplyTo != "" {
		replyTo = f.ReplyTo
	}
	if f.Nonce != "" {
		if err := f.repeated(w); err != nil {
			return err
		}
		nonce = f.Nonce
	}
	n, err := w.exec(`INSERT INTO messages
			(seq, id, channel_id, author_id, author_name, content, created_at, edited_at, reply_to, nonce)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO NOTHING`,
		w.seq, f.ID, f.ChannelID, f.AuthorID, f.AuthorName, f.Content, milliseconds(f.At), edited, replyTo, nonce)
	if err == nil && n == 0 {
		err = fmt.Errorf("%w: message %s", ErrExists, f.ID)
	}
	if err != nil {
		return err
	}
	return w.index(entry{w.seq, f.ChannelID, f.Content})
}

// repeated reports as an error that the message was posted before.
func (f MessagePosted) repeated(w *writing) error {
	var first RepeatedError
	var at int64
	err := w.db.one(`SELECT id, created_at FROM messages WHERE author_id = ? AND channel_id = ? AND nonce = ? AND created_at > ?
		ORDER BY seq LIMIT 1`,
		[]any{f.AuthorID, f.ChannelID, f.Nonce, milliseconds(f.At.Add(-NonceWindow))}, &first.MessageID, &at)
	if err == sql.ErrNoRows { //nolint:errorlint // Scan returns it as it is
		return nil
	}
	if err != nil {
		return err
	}
	first.At = time.UnixMilli(at)
	return &first
}

// MessageEdited is the fact that a message says something else now.
type MessageEdited struct {
	MessageID string `json:"message_id"`
	// ChannelID is where it is, for those who follow; nothing else depends on it.
	ChannelID string    `json:"channel_id,omitempty"`
	Content   string    `json:"content"`
	At        time.Time `json:"at"`
}

// Kind implements Fact.
func (MessageEdited) Kind() string { return "message_edited" }

func (f MessageEdited) apply(w *writing) error {
	e, err := w.said(f.MessageID)
	if err != nil {
		return err
	}
	if _, err = w.exec("UPDATE messages SET content = ?, edited_at = ? WHERE seq = ?", f.Content, milliseconds(f.At), e.seq); err != nil {
		return err
	}
	if err = w.unindex(e); err != nil {
		return err
	}
	e.content = f.Content
	return w.index(e)
}

// MessageDeleted is the fact that a message was taken back: what it said is gone.
type MessageDeleted struct {
	MessageID string `json:"message_id"`
	// ChannelID is as in MessageEdited.
	ChannelID string `json:"channel_id,omitempty"`
}

// Kind implements Fact.
func (MessageDeleted) Kind() string { return "message_deleted" }

func (f MessageDeleted) apply(w *writing) error {
	e, err := w.said(f.MessageID)
	if err != nil {
		return err
	}
	if _, err = w.exec("UPDATE messages SET content = '', author_name = '' WHERE seq = ?", e.seq); err != nil {
		return err
	}
	return w.unindex(e)
}

// said finds a message that is not deleted.
func (w *writing) said(id string) (entry, error) {
	e, err := w.message(id)
	if err == nil && e.content == "" {
		err = fmt.Errorf("%w: message %s", ErrNotFound, id)
	}
	return e, err
}

const (
	// MaxHistory is the most messages that History returns at once.
	MaxHistory = 100
	// maxContent is how many bytes of text it returns at once; the last message may exceed it.
	maxContent = 64 << 10
)

// Page says which part of a channel's messages is wanted: the newest, or those next to a message, older or newer, without it.
type Page struct {
	ChannelID string
	// Before and After are ids of messages; at most one is not empty.
	Before, After string
	// Limit is 1 to MaxHistory.
	Limit int
}

const messageColumns = "seq, id, channel_id, author_id, author_name, content, created_at, edited_at, reply_to"

// History returns messages, the oldest first, and whether there are more in the direction asked: fewer than the limit, but at
// least one, when they are long. Those that were deleted are left out. ErrNotFound: there is no message Before or After in the channel, and there was none that is still remembered.
func (s *Store) History(ctx context.Context, p Page) (messages []Message, more bool, err error) {
	query := "SELECT " + messageColumns + " FROM messages WHERE channel_id = ? AND content <> '' AND seq < ? ORDER BY seq DESC"
	from := int64(1<<63 - 1)
	if place := p.Before + p.After; place != "" {
		err = s.read.QueryRowContext(ctx, "SELECT seq FROM messages WHERE id = ? AND channel_id = ?", place, p.ChannelID).Scan(&from)
		if err == sql.ErrNoRows { //nolint:errorlint // Scan returns it as it is
			return nil, false, fmt.Errorf("%w: message %s", ErrNotFound, place)
		}
		if err != nil {
			return nil, false, s.trouble(err)
		}
	}
	if p.After != "" {
		query = "SELECT " + messageColumns + " FROM messages WHERE channel_id = ? AND content <> '' AND seq > ? ORDER BY seq"
	}
	messages, more, err = s.messages(ctx, p.Limit, query, p.ChannelID, from)
	if err != nil {
		return nil, false, err
	}
	if p.After == "" {
		slices.Reverse(messages)
	}
	return messages, more, nil
}

// Message returns one. ErrNotFound: there is none, or it was deleted.
func (s *Store) Message(ctx context.Context, id string) (Message, error) {
	found, _, err := s.messages(ctx, 1, "SELECT "+messageColumns+" FROM messages WHERE id = ? AND content <> ''", id)
	if err == nil && len(found) == 0 {
		err = fmt.Errorf("%w: message %s", ErrNotFound, id)
	}
	if err != nil {
		return Message{}, err
	}
	return found[0], nil
}

// messages reads up to limit messages, and whether there are more.
func (s *Store) messages(ctx context.Context, limit int, query string, args ...any) (all []Message, more bool, err error) {
	parted := s.parting() // before the messages, which may have followed when these are read
	rows, err := s.read.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, false, s.trouble(err)
	}
	defer rows.Close() //nolint:errcheck // rows.Err says it
	size := 0
	for rows.Next() {
		m, err := scanMessage(rows)
		if err != nil {
			return nil, false, s.trouble(err)
		}
		if !parted.apply(&m) {
			continue
		}
		if len(all) == limit || size > maxContent {
			return all, true, nil
		}
		size += len(m.Content)
		all = append(all, m)
	}
	return all, false, s.trouble(rows.Err())
}

// scanMessage reads a row of messageColumns.
func scanMessage(rows *sql.Rows) (m Message, err error) {
	var at int64
	var edited sql.NullInt64
	var replyTo sql.NullString
	if err = rows.Scan(&m.Seq, &m.ID, &m.ChannelID, &m.AuthorID, &m.AuthorName, &m.Content, &at, &edited, &replyTo); err != nil {
		return m, err
	}
	m.At, m.ReplyTo = time.UnixMilli(at), replyTo.String
	if edited.Valid {
		m.EditedAt = time.UnixMilli(edited.Int64)
	}
	return m, nil
}

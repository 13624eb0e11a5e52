package store

import (
	"context"
	"database/sql"
	"fmt"
	"time"
)

// MaxUnread is up to how many messages are counted as unread.
const MaxUnread = 100

// ReadUpTo is the fact that somebody has read a channel up to a message, and all before. It never goes back. ErrNotFound: there is
// no such message in the channel.
type ReadUpTo struct {
	UserID    string `json:"user_id"`
	ChannelID string `json:"channel_id"`
	MessageID string `json:"message_id"`
}

// Kind implements Fact.
func (ReadUpTo) Kind() string { return "read_up_to" }

func (f ReadUpTo) apply(w *writing) error {
	return w.mustChange("message "+f.MessageID, `INSERT INTO reads (user_id, channel_id, seq)
		SELECT ?, channel_id, seq FROM messages WHERE id = ? AND channel_id = ?
		ON CONFLICT (user_id, channel_id) DO UPDATE SET seq = max(seq, excluded.seq)`, f.UserID, f.MessageID, f.ChannelID)
}

// Unread is what somebody has not read of a channel.
type Unread struct {
	// LastRead is the id of the message up to which they have, or empty: of none that is remembered.
	LastRead string
	// Count is how many others wrote since, up to MaxUnread.
	Count int
}

// Unread returns what somebody has not read of a channel. One who never read there has read nothing.
func (s *Store) Unread(ctx context.Context, userID, channelID string) (Unread, error) {
	var u Unread
	var seq int64
	var last sql.NullString
	err := s.read.QueryRowContext(ctx, `SELECT seq, (SELECT id FROM messages m WHERE m.seq = reads.seq) FROM reads
		WHERE user_id = ? AND channel_id = ?`, userID, channelID).Scan(&seq, &last)
	if err != nil && err != sql.ErrNoRows {
		return Unread{}, s.trouble(fmt.Errorf("unread: %w", err))
	}
	u.LastRead = last.String
	err = s.read.QueryRowContext(ctx, `SELECT count(*) FROM (SELECT 1 FROM messages
		WHERE channel_id = ? AND seq > ? AND content <> '' AND author_id <> ? LIMIT ?)`,
		channelID, seq, userID, MaxUnread).Scan(&u.Count)
	return u, s.trouble(err)
}

// ReadsForgotten is the fact that marks are of no use any more. Those that are gone already are passed over.
type ReadsForgotten struct {
	Marks []Mark `json:"marks"`
}

// Mark names how far somebody has read a channel.
type Mark struct {
	UserID    string `json:"user_id"`
	ChannelID string `json:"channel_id"`
	// Seq is what the mark was; one that has moved since stays.
	Seq int64 `json:"seq"`
}

// Kind implements Fact.
func (ReadsForgotten) Kind() string { return "reads_forgotten" }

func (f ReadsForgotten) apply(w *writing) error {
	for _, m := range f.Marks {
		if _, err := w.exec("DELETE FROM reads WHERE user_id = ? AND channel_id = ? AND seq = ?", m.UserID, m.ChannelID, m.Seq); err != nil {
			return err
		}
	}
	return nil
}

// forgetReads forgets the marks before everything that is kept, which say no more than none: most are of people long gone.
func (s *Store) forgetReads(ctx context.Context, now time.Time) error {
	for {
		old, err := s.uselessMarks(ctx)
		if err != nil || len(old) == 0 {
			return err
		}
		if _, err = s.Append(ctx, now, ReadsForgotten{old}); err != nil {
			return err
		}
	}
}

func (s *Store) uselessMarks(ctx context.Context) ([]Mark, error) {
	rows, err := s.read.QueryContext(ctx, `SELECT user_id, channel_id, seq FROM reads WHERE NOT EXISTS
		(SELECT 1 FROM messages m WHERE m.channel_id = reads.channel_id AND m.seq <= reads.seq) LIMIT ?`, maxMarks)
	if err != nil {
		return nil, s.trouble(err)
	}
	defer rows.Close() //nolint:errcheck // rows.Err says it
	var all []Mark
	for rows.Next() {
		var m Mark
		if err := rows.Scan(&m.UserID, &m.ChannelID, &m.Seq); err != nil {
			return nil, s.trouble(err)
		}
		all = append(all, m)
	}
	return all, s.trouble(rows.Err())
}

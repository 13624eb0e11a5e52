package store

import (
	"context"
	"database/sql"
	"encoding/json"
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
	ChannelID string
	// LastRead is the id of the message up to which they have, or empty: of none that is remembered.
	LastRead string
	// Count is how many others wrote since, up to MaxUnread.
	Count int
}

// Unread returns what somebody has not read of channels, in their order, or with left only of those of which something is. One who
// never read in a channel has read nothing of it.
func (s *Store) Unread(ctx context.Context, userID string, left bool, channelIDs []string) ([]Unread, error) {
	if len(channelIDs) == 0 { // no list is null to JSON, of which SQLite makes a row
		return []Unread{}, nil
	}
	channels, err := json.Marshal(channelIDs)
	if err != nil {
		return nil, err
	}
	// One statement for all of them: to begin one costs as much as to count in some channels does.
	rows, err := s.read.QueryContext(ctx, `WITH counted AS MATERIALIZED (
			SELECT c.key, c.value AS channel_id, r.seq, (SELECT count(*) FROM (SELECT 1 FROM messages m
				WHERE m.channel_id = c.value AND m.seq > ifnull(r.seq, 0) AND m.content <> '' AND m.author_id <> ?1 LIMIT ?3)) AS n
			FROM json_each(?2) c LEFT JOIN reads r ON r.user_id = ?1 AND r.channel_id = c.value
		) SELECT channel_id, (SELECT id FROM messages m WHERE m.seq = counted.seq), n FROM counted WHERE n > 0 OR NOT ?4 ORDER BY key`,
		userID, string(channels), MaxUnread, left)
	if err != nil {
		return nil, s.trouble(fmt.Errorf("unread: %w", err))
	}
	defer rows.Close() //nolint:errcheck // rows.Err says it
	all := []Unread{}
	for rows.Next() {
		var u Unread
		var last sql.NullString
		if err := rows.Scan(&u.ChannelID, &last, &u.Count); err != nil {
			return nil, s.trouble(err)
		}
		u.LastRead = last.String
		all = append(all, u)
	}
	return all, s.trouble(rows.Err())
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

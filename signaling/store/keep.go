package store

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Limits say how many messages of a channel are kept, and for how long. With a 0 in either none is.
type Limits struct {
	Count int
	For   time.Duration
}

// None reports whether no message is kept.
func (l Limits) None() bool { return l.Count <= 0 || l.For <= 0 }

// MessagesForgotten is the fact that messages were kept long enough. Those that are gone already are passed over.
type MessagesForgotten struct {
	MessageIDs []string `json:"message_ids"`
}

// Kind implements Fact.
func (MessagesForgotten) Kind() string { return "messages_forgotten" }

func (f MessagesForgotten) apply(w *writing) error {
	for _, id := range f.MessageIDs {
		e, err := w.message(id)
		if errors.Is(err, ErrNotFound) {
			continue
		}
		if err == nil {
			err = w.unindex(e)
		}
		if err == nil {
			_, err = w.exec("DELETE FROM messages WHERE id = ?", id)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// ChatCleared is the fact that nothing of what was said in a channel matters any more.
type ChatCleared struct {
	ChannelID string `json:"channel_id"`
	// Orphaned: only if there is no such channel. ErrExists: there is.
	Orphaned bool `json:"orphaned,omitempty"`
}

// Kind implements Fact.
func (ChatCleared) Kind() string { return "chat_cleared" }

func (f ChatCleared) apply(w *writing) error {
	if f.Orphaned {
		var n int
		if err := w.db.one("SELECT count(*) FROM channels WHERE id = ?", []any{f.ChannelID}, &n); err != nil {
			return err
		}
		if n > 0 {
			return fmt.Errorf("%w: channel %s", ErrExists, f.ChannelID)
		}
	}
	if err := w.hide("channel_id = ?", f.ChannelID); err != nil {
		return err
	}
	for _, query := range []string{"DELETE FROM messages WHERE channel_id = ?", "DELETE FROM reads WHERE channel_id = ?"} {
		if _, err := w.exec(query, f.ChannelID); err != nil {
			return err
		}
	}
	return nil
}

// ClearChat writes ChatCleared for a channel that there is not, where there is something to be cleared.
func (s *Store) ClearChat(ctx context.Context, now time.Time, channelID string) error {
	left, err := s.strings(ctx, "SELECT id FROM messages WHERE channel_id = ? LIMIT 1", channelID)
	if err == nil && len(left) > 0 {
		_, err = s.Append(ctx, now, ChatCleared{ChannelID: channelID, Orphaned: true})
	}
	return err
}

// NoncesForgotten is the fact that messages from before a time are no longer known by their nonces.
type NoncesForgotten struct {
	Before time.Time `json:"before"`
}

// Kind implements Fact.
func (NoncesForgotten) Kind() string { return "nonces_forgotten" }

func (f NoncesForgotten) apply(w *writing) error {
	_, err := w.exec(`UPDATE messages SET nonce = NULL WHERE seq IN
		(SELECT seq FROM messages INDEXED BY messages_by_nonce WHERE nonce IS NOT NULL AND created_at < ?
			ORDER BY author_id, channel_id, nonce, seq LIMIT ?)`, milliseconds(f.Before), maxMarks)
	return err
}

// strings reads a column of texts, seqs one of numbers.
func (s *Store) strings(ctx context.Context, query string, args ...any) ([]string, error) {
	return column[string](ctx, s, query, args)
}

func (s *Store) seqs(ctx context.Context, query string, args ...any) ([]int64, error) {
	return column[int64](ctx, s, query, args)
}

func column[T any](ctx context.Context, s *Store, query string, args []any) ([]T, error) {
	rows, err := s.read.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, s.trouble(err)
	}
	defer rows.Close() //nolint:errcheck // rows.Err says it
	var all []T
	for rows.Next() {
		var one T
		if err := rows.Scan(&one); err != nil {
			return nil, s.trouble(err)
		}
		all = append(all, one)
	}
	return all, s.trouble(rows.Err())
}

package store

import (
	"context"
	"time"
)

const (
	// tendEvery is how often what is too old, or too much, is looked for.
	tendEvery = 3 * time.Minute
	// maxForget is how many messages one transaction forgets, so that it holds nobody up for long.
	maxForget = 200
	// wonderFor is how long it is known of a link, or a login, that it is too old.
	wonderFor = 30 * 24 * time.Hour
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
		if _, err := w.exec("DELETE FROM words WHERE rowid = (SELECT seq FROM messages WHERE id = ?)", id); err != nil {
			return err
		}
		if _, err := w.exec("DELETE FROM messages WHERE id = ?", id); err != nil {
			return err
		}
	}
	return nil
}

// ChatCleared is the fact that nothing of what was said in a channel matters any more.
type ChatCleared struct {
	ChannelID string `json:"channel_id"`
}

// Kind implements Fact.
func (ChatCleared) Kind() string { return "chat_cleared" }

func (f ChatCleared) apply(w *writing) error {
	for _, query := range []string{
		"DELETE FROM words WHERE rowid IN (SELECT seq FROM messages WHERE channel_id = ?)",
		"DELETE FROM messages WHERE channel_id = ?",
		"DELETE FROM reads WHERE channel_id = ?",
	} {
		if _, err := w.exec(query, f.ChannelID); err != nil {
			return err
		}
	}
	return nil
}

// ClearChat writes ChatCleared, where there is something to be cleared.
func (s *Store) ClearChat(ctx context.Context, now time.Time, channelID string) error {
	left, err := s.strings(ctx, "SELECT id FROM messages WHERE channel_id = ? LIMIT 1", channelID)
	if err == nil && len(left) > 0 {
		_, err = s.Append(ctx, now, ChatCleared{channelID})
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
		(SELECT seq FROM messages INDEXED BY messages_by_nonce WHERE nonce IS NOT NULL AND created_at < ? LIMIT ?)`,
		milliseconds(f.Before), maxForget)
	return err
}

// Tend forgets, now and every few minutes until Close, what is beyond the limits of its channel. limits may be called from another
// goroutine, and for channels that are there no more. Tend is called once.
func (s *Store) Tend(limits func(channelID string) Limits) {
	ctx, cancel := context.WithCancel(context.Background())
	s.writing.Go(func() {
		<-s.closing
		cancel()
	})
	s.writing.Go(func() {
		ticker := time.NewTicker(tendEvery)
		defer ticker.Stop()
		for {
			_ = s.forget(ctx, time.Now(), limits) // what is in trouble now is tried again the next time
			select {
			case <-ticker.C:
			case <-ctx.Done():
				return
			}
		}
	})
}

// forget forgets the messages that are beyond the limits of their channels, a few at a time, so that others write in between.
func (s *Store) forget(ctx context.Context, now time.Time, limits func(string) Limits) error {
	if err := s.forgetNonces(ctx, now); err != nil {
		return err
	}
	// Each channel is found by a step into the index; SQLite would read all of it.
	channels, err := s.strings(ctx, `WITH RECURSIVE of (id) AS (
			SELECT min(channel_id) FROM messages
			UNION ALL SELECT (SELECT min(channel_id) FROM messages WHERE channel_id > of.id) FROM of WHERE id IS NOT NULL
		) SELECT id FROM of WHERE id IS NOT NULL`)
	if err != nil {
		return err
	}
	for _, channel := range channels {
		if err := s.forgetOf(ctx, now, channel, limits); err != nil {
			return err
		}
	}
	if err := s.forgetReads(ctx, now); err != nil {
		return err
	}
	return s.forgetDoors(ctx, now)
}

// forgetDoors forgets the logins and invites that ended by themselves so long ago that nobody wonders why.
func (s *Store) forgetDoors(ctx context.Context, now time.Time) error {
	before := now.Add(-wonderFor)
	for query, fact := range map[string]Fact{
		"SELECT id FROM logins WHERE until < ? LIMIT 1":                 LoginsForgotten{before},
		"SELECT id FROM invites WHERE until <> 0 AND until < ? LIMIT 1": InvitesForgotten{before},
	} {
		old, err := s.strings(ctx, query, milliseconds(before))
		if err == nil && len(old) > 0 {
			_, err = s.Append(ctx, now, fact)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (s *Store) forgetOf(ctx context.Context, now time.Time, channel string, limits func(string) Limits) error {
	for {
		keep := limits(channel)
		if keep.None() {
			keep = Limits{}
		}
		old, err := s.strings(ctx, "SELECT id FROM messages WHERE channel_id = ? AND created_at <= ? LIMIT ?",
			channel, milliseconds(now.Add(-keep.For)), maxForget)
		if err == nil && len(old) == 0 {
			old, err = s.strings(ctx, `SELECT id FROM messages WHERE channel_id = ?1 AND seq <=
				(SELECT seq FROM messages WHERE channel_id = ?1 ORDER BY seq DESC LIMIT 1 OFFSET ?2) ORDER BY seq LIMIT ?3`,
				channel, keep.Count, maxForget)
		}
		if err != nil || len(old) == 0 {
			return err
		}
		if again := limits(channel); again != keep && (!again.None() || !keep.None()) {
			continue // there is a channel of that id again, and these may be its first messages
		}
		if _, err = s.Append(ctx, now, MessagesForgotten{old}); err != nil {
			return err
		}
	}
}

// forgetNonces writes only when there is something to forget.
func (s *Store) forgetNonces(ctx context.Context, now time.Time) error {
	before := now.Add(-NonceWindow)
	for {
		old, err := s.strings(ctx, "SELECT id FROM messages INDEXED BY messages_by_nonce WHERE nonce IS NOT NULL AND created_at < ? LIMIT 1",
			milliseconds(before))
		if err != nil || len(old) == 0 {
			return err
		}
		if _, err = s.Append(ctx, now, NoncesForgotten{before}); err != nil {
			return err
		}
	}
}

// strings reads a column of texts.
func (s *Store) strings(ctx context.Context, query string, args ...any) ([]string, error) {
	rows, err := s.read.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, s.trouble(err)
	}
	defer rows.Close() //nolint:errcheck // rows.Err says it
	var all []string
	for rows.Next() {
		var text string
		if err := rows.Scan(&text); err != nil {
			return nil, s.trouble(err)
		}
		all = append(all, text)
	}
	return all, s.trouble(rows.Err())
}

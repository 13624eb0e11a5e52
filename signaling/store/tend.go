package store

import (
	"context"
	"database/sql"
	"errors"
	"math"
	"time"
)

const (
	// tendEvery is how often what is too old, or too much, is looked for.
	tendEvery = 3 * time.Minute
	// maxForget is how many messages one transaction forgets, so that it holds nobody up for long: taking one out of the index
	// costs about a millisecond.
	maxForget = 5
	// restFor is how many times as long as that took nothing is forgotten then, so that it takes little of a core.
	restFor = 4
	// maxMarks is how many nonces, or marks of readers, one transaction forgets.
	maxMarks = 200
	// maxParted is how many messages one transaction makes somebody else's.
	maxParted = 100
	// wonderFor is how long it is known of a link, a login or a revoked token that it is too old.
	wonderFor = 30 * 24 * time.Hour
)

// Tend forgets, now and every few minutes until Close, what is beyond the limits of its channel. limits may be called from another
// goroutine, and for channels that are there no more. turn says whether it is up to this store and not to another that holds the same; nil: it is.
// Tend is called once.
func (s *Store) Tend(limits func(channelID string) Limits, turn func() bool) {
	ctx, cancel := context.WithCancel(context.Background())
	s.writing.Go(func() {
		<-s.closing
		cancel()
	})
	s.writing.Go(func() {
		ticker := time.NewTicker(tendEvery)
		defer ticker.Stop()
		t := &tending{Store: s, limits: limits, rest: restFor}
		for {
			if turn == nil || turn() {
				_ = t.forget(ctx, s.Now()) // what is in trouble now is tried again the next time
			}
			select {
			case <-ticker.C:
			case <-t.hurry:
			case <-ctx.Done():
				return
			}
		}
	})
}

// tending is what forgets. One goroutine uses it.
type tending struct {
	*Store

	limits func(channelID string) Limits
	rest   time.Duration // is restFor, but in tests
	clock  clock
	// counted is what each channel had when its messages were counted last.
	counted map[string]counted
}

// counted: that a channel whose newest message this was has no more than keep.
type counted struct {
	newest int64
	keep   int
}

// forget forgets the messages that are beyond the limits of their channels, a few at a time, so that others write in between.
func (t *tending) forget(ctx context.Context, now time.Time) error {
	if t.clock.read.IsZero() {
		at, err := t.lastSaid(ctx, now)
		if err != nil {
			return err
		}
		t.clock = clock{read: now, at: at}
	}
	now = t.clock.believed(now)
	if err := t.forgetNonces(ctx, now); err != nil {
		return err
	}
	if err := t.part(ctx, now); err != nil {
		return err
	}
	if err := t.forgetWords(ctx, now); err != nil {
		return err
	}
	// Each channel is found by a step into the index; SQLite would read all of it.
	channels, err := t.strings(ctx, `WITH RECURSIVE of (id) AS (
			SELECT min(channel_id) FROM messages
			UNION ALL SELECT (SELECT min(channel_id) FROM messages WHERE channel_id > of.id) FROM of WHERE id IS NOT NULL
		) SELECT id FROM of WHERE id IS NOT NULL`)
	if err != nil {
		return err
	}
	before := t.counted
	t.counted = make(map[string]counted, len(channels))
	for _, channel := range channels {
		t.counted[channel] = before[channel]
		if err := t.forgetOf(ctx, now, channel); err != nil {
			return err
		}
	}
	if err := t.forgetReads(ctx, now); err != nil {
		return err
	}
	return t.forgetDoors(ctx, now)
}

// forgetDoors forgets the logins, invites and revoked tokens that ended by themselves so long ago that nobody wonders why.
func (s *Store) forgetDoors(ctx context.Context, now time.Time) error {
	before := now.Add(-wonderFor)
	for query, fact := range map[string]Fact{
		"SELECT id FROM logins WHERE until < ? LIMIT 1":                                                                       LoginsForgotten{before},
		"SELECT id FROM invites WHERE until <> 0 AND until < ? LIMIT 1":                                                       InvitesForgotten{before},
		"SELECT id FROM revoked_tokens WHERE until < ?1 UNION ALL SELECT user_id FROM revoked_users WHERE until < ?1 LIMIT 1": RevocationsForgotten{before},
		"SELECT id FROM bans WHERE until <> 0 AND until < ? LIMIT 1":                                                          BansForgotten{before},
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

// lastSaid is when something was said last, or now.
func (t *tending) lastSaid(ctx context.Context, now time.Time) (time.Time, error) {
	var at int64
	err := t.read.QueryRowContext(ctx, "SELECT created_at FROM messages ORDER BY seq DESC LIMIT 1").Scan(&at)
	if errors.Is(err, sql.ErrNoRows) {
		return now, nil
	}
	return time.UnixMilli(at), t.trouble(err)
}

// keep is how much of a channel is kept.
func (t *tending) keep(channel string) Limits {
	keep := t.limits(channel)
	if keep.None() {
		keep = Limits{}
	}
	return keep
}

func (t *tending) forgetOf(ctx context.Context, now time.Time, channel string) error {
	for {
		keep := t.keep(channel)
		until, err := t.beyond(ctx, now, channel, keep)
		if err != nil || until == 0 {
			return err
		}
		// With other limits there may be a channel of that id again, and these be its first messages.
		for t.keep(channel) == keep {
			old, err := t.strings(ctx, "SELECT id FROM messages WHERE channel_id = ? AND seq <= ? ORDER BY seq LIMIT ?",
				channel, until, maxForget)
			if err != nil || len(old) == 0 {
				return err
			}
			if err = t.slowly(ctx, now, MessagesForgotten{old}); err != nil {
				return err
			}
		}
	}
}

// slowly writes a fact, and gives others time.
func (t *tending) slowly(ctx context.Context, now time.Time, fact Fact) error {
	begin := time.Now()
	if _, err := t.Append(ctx, now, fact); err != nil {
		return err
	}
	select {
	case <-time.After(t.rest * time.Since(begin)):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// forgetWords takes what was deleted with many others out of the index.
func (t *tending) forgetWords(ctx context.Context, now time.Time) error {
	for {
		seqs, err := t.seqs(ctx, "SELECT seq FROM gone LIMIT ?", maxForget)
		if err == nil && len(seqs) > 0 {
			err = t.slowly(ctx, now, WordsForgotten{seqs})
		}
		if err != nil || len(seqs) == 0 {
			return err
		}
	}
}

// beyond returns up to which message a channel has more than is kept, or 0.
func (t *tending) beyond(ctx context.Context, now time.Time, channel string, keep Limits) (int64, error) {
	var last int64
	err := t.read.QueryRowContext(ctx, "SELECT ifnull(max(seq), 0) FROM messages WHERE channel_id = ?", channel).Scan(&last)
	if err != nil {
		return 0, t.trouble(err)
	}
	var many int64
	if had := (counted{last, keep.Count}); t.counted[channel] != had { // reading past all that is kept takes a while
		many, err = t.seq(ctx, "SELECT seq FROM messages WHERE channel_id = ? ORDER BY seq DESC LIMIT 1 OFFSET ?", channel, keep.Count)
		if err != nil {
			return 0, err
		}
		if many == 0 {
			t.counted[channel] = had
		}
	}
	// Times may be wrong; the order is not. So a message is too old when none before it is to be kept, and one whose time is still
	// to come is as old as those after it.
	oldest := milliseconds(now.Add(-keep.For))
	first, err := t.seq(ctx, "SELECT seq FROM messages WHERE channel_id = ? AND created_at > ? AND created_at <= ? ORDER BY seq LIMIT 1",
		channel, oldest, milliseconds(now))
	if err != nil {
		return 0, err
	}
	if first == 0 {
		first = math.MaxInt64
	}
	old, err := t.seq(ctx, "SELECT seq FROM messages WHERE channel_id = ? AND seq < ? AND created_at <= ? ORDER BY seq DESC LIMIT 1",
		channel, first, oldest)
	return max(many, old), err
}

// seq returns what one row says, or 0 without one.
func (t *tending) seq(ctx context.Context, query string, args ...any) (int64, error) {
	all, err := t.seqs(ctx, query, args...)
	if len(all) == 0 {
		return 0, err
	}
	return all[0], err
}

// forgetNonces writes only when there is something to forget.
func (t *tending) forgetNonces(ctx context.Context, now time.Time) error {
	before := now.Add(-NonceWindow)
	for {
		old, err := t.strings(ctx, "SELECT id FROM messages INDEXED BY messages_by_nonce WHERE nonce IS NOT NULL AND created_at < ? LIMIT 1",
			milliseconds(before))
		if err != nil || len(old) == 0 {
			return err
		}
		if _, err = t.Append(ctx, now, NoncesForgotten{before}); err != nil {
			return err
		}
	}
}

const (
	// maxAhead is how far the wall clock may be ahead of what has passed, and be believed: more than a suspended machine's.
	maxAhead = 24 * time.Hour
	// doubtFor is for how long it is not believed then. What it makes too old is gone for good, so whoever sets it has some
	// hours to put it right.
	doubtFor = 6 * time.Hour
)

// clock is the wall clock as far as it can be believed.
type clock struct {
	read, at time.Time // when it was read last, and what was believed then
	doubted  time.Duration
}

// believed returns the time by which things are too old. now has the reading of the monotonic clock, too.
func (c *clock) believed(now time.Time) time.Time {
	passed, wall := now.Sub(c.read), now.Round(0)
	c.read, c.at, c.doubted = now, c.at.Add(passed), c.doubted+passed
	if wall.Sub(c.at) <= maxAhead || c.doubted >= doubtFor {
		c.at, c.doubted = wall, 0
	}
	return c.at
}

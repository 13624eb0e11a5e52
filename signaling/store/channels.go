package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"time"
)

// Channel is what is remembered of a channel.
type Channel struct {
	ID       string `json:"channel_id"`
	Name     string `json:"name"`
	Topic    string `json:"topic,omitempty"`
	Mode     string `json:"mode"`
	Access   string `json:"access"`
	Position int    `json:"position,omitempty"`
	// Speaking is who is heard; empty: all.
	Speaking string `json:"speaking,omitempty"`
	// Capacity in members; 0: the server's limit.
	Capacity int `json:"capacity,omitempty"`
	// OwnerID is empty for a channel of the configuration.
	OwnerID   string    `json:"owner_id,omitempty"`
	CreatedAt time.Time `json:"created_at"`
	// Keep is how much of the chat is kept; nil fields: as the server does.
	Keep Keep `json:"keep"`
	// Floor is how the floor is given, nil, as its fields: as the server does.
	Floor *Floor `json:"floor,omitempty"`
}

// Floor says how a channel's floor is given.
type Floor struct {
	TalkMS  *int64 `json:"talk_ms,omitempty"`
	PauseMS *int64 `json:"pause_ms,omitempty"`
	Queue   *int   `json:"queue,omitempty"`
	CutIn   *bool  `json:"cut_in,omitempty"`
	Over    *bool  `json:"over,omitempty"`
}

// Keep says how much of a channel's chat is kept. Zero: nothing. Nil: what the server has by default.
type Keep struct {
	Count *int
	For   *time.Duration
}

// ChannelSaved is the fact that a channel was made, or changed.
type ChannelSaved struct{ Channel }

// Kind implements Fact.
func (ChannelSaved) Kind() string { return "channel_saved" }

func (f ChannelSaved) apply(w *writing) error {
	_, err := f.save(w, "INSERT INTO channels (id, "+channelFields+`, created_at) VALUES (?14, ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)
		ON CONFLICT (id) DO UPDATE SET (`+channelFields+") = (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)")
	if err != nil {
		return err
	}
	return w.nameChannel(f.ID, nil)
}

// nameChannel has a channel's name be taken under these keys, in the place of the one that it had: ErrChannelNameTaken. Those of a channel of the
// configuration are none, since it is on each server from the start.
func (w *writing) nameChannel(id string, keys []string) error {
	if _, err := w.exec("DELETE FROM channel_keys WHERE channel_id = ?", id); err != nil {
		return err
	}
	for _, key := range keys {
		n, err := w.exec("INSERT INTO channel_keys (key, channel_id) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET key = key WHERE channel_id = excluded.channel_id", key, id)
		if err == nil && n == 0 {
			err = fmt.Errorf("%w: %s", ErrChannelNameTaken, id)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// ChannelMade is the fact that there is a channel that was not there before. ErrExists, or ErrChannelNameTaken.
type ChannelMade struct {
	Channel

	// NameKeys are those under which the name is taken.
	NameKeys []string `json:"name_keys,omitempty"`
}

// Kind implements Fact.
func (ChannelMade) Kind() string { return "channel_made" }

func (f ChannelMade) apply(w *writing) error {
	n, err := f.save(w, "INSERT INTO channels (id, "+channelFields+`, created_at) VALUES (?14, ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)
		ON CONFLICT (id) DO NOTHING`)
	if err == nil && n == 0 {
		err = fmt.Errorf("%w: channel %s", ErrExists, f.ID)
	}
	if err != nil {
		return err
	}
	return w.nameChannel(f.ID, f.NameKeys)
}

// ChannelChanged is the fact that a channel is otherwise. ErrNotFound: it is gone; or ErrChannelNameTaken.
type ChannelChanged struct {
	Channel

	// NameKeys are those under which the name is taken.
	NameKeys []string `json:"name_keys,omitempty"`
}

// Kind implements Fact.
func (ChannelChanged) Kind() string { return "channel_changed" }

func (f ChannelChanged) apply(w *writing) error {
	n, err := f.save(w, "UPDATE channels SET ("+channelFields+") = (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12) WHERE id = ?14 AND ?13 IS NOT NULL")
	if err == nil && n == 0 {
		err = fmt.Errorf("%w: channel %s", ErrNotFound, f.ID)
	}
	if err != nil {
		return err
	}
	return w.nameChannel(f.ID, f.NameKeys)
}

// channelFields are what changes of a channel.
const channelFields = "name, topic, mode, access, speaking, position, capacity, owner_id, keep_count, keep_ms, floor, seq"

// save runs a statement with channelFields, created_at and id, and returns how many rows it changed.
func (c *Channel) save(w *writing, query string) (int64, error) {
	var keepMS *int64
	if c.Keep.For != nil {
		ms := c.Keep.For.Milliseconds()
		keepMS = &ms
	}
	var floor *string
	if c.Floor != nil {
		text, err := json.Marshal(c.Floor)
		if err != nil {
			return 0, err
		}
		floor = new(string(text))
	}
	return w.exec(query, c.Name, c.Topic, c.Mode, c.Access, c.Speaking, c.Position, c.Capacity, c.OwnerID,
		c.Keep.Count, keepMS, floor, w.seq, milliseconds(c.CreatedAt), c.ID)
}

// ChannelDeleted is the fact that a channel is gone, with all that was said in it.
type ChannelDeleted struct {
	ChannelID string `json:"channel_id"`
}

// Kind implements Fact.
func (ChannelDeleted) Kind() string { return "channel_deleted" }

func (f ChannelDeleted) apply(w *writing) error {
	if err := w.mustChange("channel "+f.ChannelID, "DELETE FROM channels WHERE id = ?", f.ChannelID); err != nil {
		return err
	}
	for _, query := range []string{"DELETE FROM channel_keys WHERE channel_id = ?", "DELETE FROM admissions WHERE channel_id = ?", "DELETE FROM invites WHERE channel_id = ?", "DELETE FROM mutes WHERE channel_id = ?"} {
		if _, err := w.exec(query, f.ChannelID); err != nil {
			return err
		}
	}
	return ChatCleared{ChannelID: f.ChannelID}.apply(w)
}

const channelColumns = "id, name, topic, mode, access, speaking, position, capacity, owner_id, created_at, keep_count, keep_ms, floor"

// Channels returns all channels, in the order of their positions, then the oldest first.
func (s *Store) Channels(ctx context.Context) ([]Channel, error) {
	rows, err := s.read.QueryContext(ctx, "SELECT "+channelColumns+" FROM channels ORDER BY position, created_at, id")
	if err != nil {
		return nil, s.trouble(err)
	}
	defer rows.Close() //nolint:errcheck // rows.Err says it
	var all []Channel
	for rows.Next() {
		c, err := scanChannel(rows)
		if err != nil {
			return nil, s.trouble(err)
		}
		all = append(all, c)
	}
	return all, s.trouble(rows.Err())
}

// Channel returns one, or ErrNotFound.
func (s *Store) Channel(ctx context.Context, id string) (c Channel, err error) {
	rows, err := s.read.QueryContext(ctx, "SELECT "+channelColumns+" FROM channels WHERE id = ?", id)
	if err != nil {
		return c, s.trouble(err)
	}
	defer rows.Close() //nolint:errcheck // rows.Err says it
	if !rows.Next() {
		if err = rows.Err(); err == nil {
			err = fmt.Errorf("%w: channel %s", ErrNotFound, id)
		}
		return c, s.trouble(err)
	}
	c, err = scanChannel(rows)
	return c, s.trouble(err)
}

// scanChannel reads a row of channelColumns.
func scanChannel(rows *sql.Rows) (c Channel, err error) {
	var created int64
	var keepCount, keepMS sql.NullInt64
	var floor sql.NullString
	if err = rows.Scan(&c.ID, &c.Name, &c.Topic, &c.Mode, &c.Access, &c.Speaking, &c.Position, &c.Capacity, &c.OwnerID, &created,
		&keepCount, &keepMS, &floor); err != nil {
		return c, err
	}
	if floor.Valid {
		if err = json.Unmarshal([]byte(floor.String), &c.Floor); err != nil {
			return c, fmt.Errorf("the floor of channel %s: %w", c.ID, err)
		}
	}
	c.CreatedAt = time.UnixMilli(created)
	if keepCount.Valid {
		n := int(keepCount.Int64)
		c.Keep.Count = &n
	}
	if keepMS.Valid {
		d := time.Duration(keepMS.Int64) * time.Millisecond
		c.Keep.For = &d
	}
	return c, nil
}

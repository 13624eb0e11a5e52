package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"
)

// People in an export are user_made, then admitted, muted, ban_made and invite_made. Logins are not in it, nor links that sign somebody in, which
// are keys, nor what moderators did, which is history.

// writeFact writes a fact as a line.
func writeFact(lines *json.Encoder, f Fact) error {
	fields, err := json.Marshal(f)
	if err != nil {
		return err
	}
	kind, err := json.Marshal(f.Kind())
	if err != nil {
		return err
	}
	return lines.Encode(json.RawMessage(slices.Concat([]byte(`{"kind":`), kind, []byte{','}, fields[1:])))
}

// exportPeople writes the people in a file, and how many they are.
func exportPeople(ctx context.Context, tx *sql.Tx, lines *json.Encoder) (users int64, err error) {
	keys := make(map[string][]string)
	err = eachRow(ctx, tx, "SELECT user_id, key FROM name_keys ORDER BY user_id, key", func(rows *sql.Rows) error {
		var userID, key string
		failed := rows.Scan(&userID, &key)
		keys[userID] = append(keys[userID], key)
		return failed
	})
	for _, table := range []struct {
		query string
		fact  func(rows *sql.Rows) (Fact, error)
	}{
		{"SELECT " + userColumns + " FROM users ORDER BY id", func(rows *sql.Rows) (Fact, error) {
			u, failed := scanUser(rows)
			users++
			u.CreatedAt = u.CreatedAt.UTC()
			if !u.SeenAt.IsZero() {
				u.SeenAt = u.SeenAt.UTC()
			}
			return UserMade{User: u, NameKeys: keys[u.ID]}, failed
		}},
		{"SELECT channel_id, user_id FROM admissions ORDER BY channel_id, user_id", func(rows *sql.Rows) (Fact, error) {
			var f Admitted
			failed := rows.Scan(&f.ChannelID, &f.UserID)
			return f, failed
		}},
		{"SELECT user_id, channel_id FROM mutes ORDER BY user_id, channel_id", func(rows *sql.Rows) (Fact, error) {
			f := Muted{Muted: true}
			failed := rows.Scan(&f.UserID, &f.ChannelID)
			return f, failed
		}},
		{"SELECT " + banColumns + " FROM bans ORDER BY created_at, id", func(rows *sql.Rows) (Fact, error) {
			b, failed := scanBan(rows)
			b.CreatedAt, b.Until = b.CreatedAt.UTC(), utcOrZero(b.Until)
			return BanMade{b}, failed
		}},
		{"SELECT " + inviteColumns + " FROM invites WHERE user_id = '' ORDER BY created_at, id", func(rows *sql.Rows) (Fact, error) {
			i, failed := scanInvite(rows)
			i.CreatedAt, i.Until = i.CreatedAt.UTC(), utcOrZero(i.Until)
			return InviteMade{i}, failed
		}},
	} {
		if err != nil {
			return 0, err
		}
		err = eachRow(ctx, tx, table.query, func(rows *sql.Rows) error {
			f, failed := table.fact(rows)
			if failed != nil {
				return failed
			}
			return writeFact(lines, f)
		})
	}
	return users, err
}

func utcOrZero(t time.Time) time.Time {
	if t.IsZero() {
		return t
	}
	return t.UTC()
}

// parsePerson reads a line of the kinds above, of the kind that it says; it returns nil for another kind.
func parsePerson(kind string, line []byte) (Fact, error) {
	switch kind {
	case UserMade{}.Kind():
		var read struct {
			Kind string `json:"kind"`
			UserMade
		}
		if err := decode(line, &read); err != nil {
			return nil, err
		}
		if len(read.NameKeys) == 0 {
			return nil, errors.New("name_keys is missing")
		}
		return read.UserMade, firstOf(missing("user_id", read.ID), missing("name", read.Name), wrongTime("created_at", read.CreatedAt))
	case Admitted{}.Kind():
		var read struct {
			Kind string `json:"kind"`
			Admitted
		}
		err := decode(line, &read)
		return read.Admitted, firstOf(err, missing("channel_id", read.ChannelID), missing("user_id", read.UserID))
	case Muted{}.Kind():
		var read struct {
			Kind string `json:"kind"`
			Muted
		}
		err := decode(line, &read)
		if err == nil && !read.Muted.Muted {
			err = errors.New("muted is not true")
		}
		return read.Muted, firstOf(err, missing("user_id", read.UserID))
	case BanMade{}.Kind():
		var read struct {
			Kind string `json:"kind"`
			BanMade
		}
		err := decode(line, &read)
		return read.BanMade, firstOf(err, missing("ban_id", read.ID), missing("user_id", read.UserID), wrongTime("created_at", read.CreatedAt))
	case InviteMade{}.Kind():
		var read struct {
			Kind string `json:"kind"`
			InviteMade
		}
		err := decode(line, &read)
		return read.InviteMade, firstOf(err, missing("invite_id", read.ID), wrongTime("created_at", read.CreatedAt))
	}
	return nil, nil //nolint:nilnil // it is of another kind
}

func missing(field, value string) error {
	if value == "" {
		return fmt.Errorf("%s is missing", field)
	}
	return nil
}

func firstOf(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"
)

// User is a person who is known.
type User struct {
	ID   string `json:"user_id"`
	Name string `json:"name"`
	// Role is guest, member, moderator or admin.
	Role      string    `json:"role"`
	CreatedAt time.Time `json:"created_at"`
	// SeenAt is when they were here last; zero: never.
	SeenAt time.Time `json:"seen_at,omitzero"`
}

// UserMade is the fact that somebody is known from now on. ErrExists: the id is another's, or a *NameTakenError.
type UserMade struct {
	User

	// NameKeys are those under which the name is taken.
	NameKeys []string `json:"name_keys"`
}

// Kind implements Fact.
func (UserMade) Kind() string { return "user_made" }

func (f UserMade) apply(w *writing) error {
	n, err := w.exec(`INSERT INTO users (id, name, role, created_at, seen_at, seq) VALUES (?, ?, ?, ?, ?, ?)
		ON CONFLICT (id) DO NOTHING`, f.ID, f.Name, f.Role, milliseconds(f.CreatedAt), orNever(f.SeenAt), w.seq)
	if err == nil && n == 0 {
		err = fmt.Errorf("%w: user %s", ErrExists, f.ID)
	}
	if err != nil {
		return err
	}
	return w.takeName(f.ID, f.NameKeys)
}

// takeName makes a name somebody's, in the place of the one they had.
func (w *writing) takeName(userID string, keys []string) error {
	if _, err := w.exec("DELETE FROM name_keys WHERE user_id = ?", userID); err != nil {
		return err
	}
	for _, key := range keys {
		n, err := w.exec("INSERT INTO name_keys (key, user_id) VALUES (?, ?) ON CONFLICT (key) DO NOTHING", key, userID)
		if err != nil {
			return err
		}
		if n > 0 {
			continue
		}
		var holder string
		if err = w.db.one("SELECT user_id FROM name_keys WHERE key = ?", []any{key}, &holder); err != nil {
			return err
		}
		if holder != userID {
			return &NameTakenError{UserID: holder}
		}
	}
	return nil
}

// UserRenamed is the fact that somebody has another name. ErrNotFound, or a *NameTakenError.
type UserRenamed struct {
	UserID   string   `json:"user_id"`
	Name     string   `json:"name"`
	NameKeys []string `json:"name_keys"`
}

// Kind implements Fact.
func (UserRenamed) Kind() string { return "user_renamed" }

func (f UserRenamed) apply(w *writing) error {
	if err := w.mustChange("user "+f.UserID, "UPDATE users SET name = ?, seq = ? WHERE id = ?", f.Name, w.seq, f.UserID); err != nil {
		return err
	}
	return w.takeName(f.UserID, f.NameKeys)
}

// RoleGiven is the fact that somebody has another role. ErrNotFound.
type RoleGiven struct {
	UserID string `json:"user_id"`
	Role   string `json:"role"`
}

// Kind implements Fact.
func (RoleGiven) Kind() string { return "role_given" }

func (f RoleGiven) apply(w *writing) error {
	return w.mustChange("user "+f.UserID, "UPDATE users SET role = ?, seq = ? WHERE id = ?", f.Role, w.seq, f.UserID)
}

// UserSeen is the fact that somebody was here. ErrNotFound.
type UserSeen struct {
	UserID string    `json:"user_id"`
	At     time.Time `json:"at"`
}

// Kind implements Fact.
func (UserSeen) Kind() string { return "user_seen" }

func (f UserSeen) apply(w *writing) error {
	return w.mustChange("user "+f.UserID, "UPDATE users SET seen_at = max(seen_at, ?) WHERE id = ?", milliseconds(f.At), f.UserID)
}

// UserDeleted is the fact that somebody is not known any more. ErrNotFound.
//
// What they wrote is either erased, as if they had taken back each message, or it is from then on by Alias, who has no name: at once to who
// reads, and bit by bit in the table (see partings.go). Channels of theirs, and what they did as moderators, are Alias's.
type UserDeleted struct {
	UserID string `json:"user_id"`
	Erase  bool   `json:"erase,omitempty"`
	Alias  string `json:"alias"`
}

// Kind implements Fact.
func (UserDeleted) Kind() string { return "user_deleted" }

func (f UserDeleted) apply(w *writing) error {
	if err := w.mustChange("user "+f.UserID, "DELETE FROM users WHERE id = ?", f.UserID); err != nil {
		return err
	}
	for _, query := range []string{
		"DELETE FROM name_keys WHERE user_id = ?", "DELETE FROM logins WHERE user_id = ?", "DELETE FROM admissions WHERE user_id = ?",
		"DELETE FROM reads WHERE user_id = ?", "DELETE FROM invites WHERE by_id = ?", "DELETE FROM invites WHERE user_id = ?", "DELETE FROM bans WHERE user_id = ?",
		"DELETE FROM mutes WHERE user_id = ?",
	} {
		if _, err := w.exec(query, f.UserID); err != nil {
			return err
		}
	}
	if _, err := w.exec(`INSERT INTO partings (user_id, alias, erase, seq) VALUES (?, ?, ?, ?)
		ON CONFLICT (user_id) DO UPDATE SET alias = excluded.alias, erase = max(erase, excluded.erase), seq = excluded.seq`,
		f.UserID, f.Alias, f.Erase, w.seq); err != nil {
		return err
	}
	for _, query := range []string{
		"UPDATE channels SET owner_id = ? WHERE owner_id = ?",
		"UPDATE audit SET user_id = ?, user_name = '' WHERE user_id = ?",
		"UPDATE audit SET by_id = ?, by_name = '' WHERE by_id = ?",
		"UPDATE bans SET by_id = ?, by_name = '' WHERE by_id = ?",
	} {
		if _, err := w.exec(query, f.Alias, f.UserID); err != nil {
			return err
		}
	}
	return nil
}

// Admitted is the fact that somebody may enter a channel whose access is invited.
type Admitted struct {
	ChannelID string `json:"channel_id"`
	UserID    string `json:"user_id"`
}

// Kind implements Fact.
func (Admitted) Kind() string { return "admitted" }

func (f Admitted) apply(w *writing) error {
	_, err := w.exec("INSERT INTO admissions (channel_id, user_id) VALUES (?, ?) ON CONFLICT DO NOTHING", f.ChannelID, f.UserID)
	return err
}

// Unadmitted is the fact that somebody may enter a channel whose access is invited no more. ErrNotFound: they were not let in.
type Unadmitted struct {
	ChannelID string `json:"channel_id"`
	UserID    string `json:"user_id"`
}

// Kind implements Fact.
func (Unadmitted) Kind() string { return "unadmitted" }

func (f Unadmitted) apply(w *writing) error {
	return w.mustChange("admission of "+f.UserID, "DELETE FROM admissions WHERE channel_id = ? AND user_id = ?", f.ChannelID, f.UserID)
}

const userColumns = "id, name, role, created_at, seen_at"

// User returns somebody, or ErrNotFound.
func (s *Store) User(ctx context.Context, id string) (User, error) {
	u, err := scanUser(s.read.QueryRowContext(ctx, "SELECT "+userColumns+" FROM users WHERE id = ?", id))
	if errors.Is(err, sql.ErrNoRows) {
		err = fmt.Errorf("%w: user %s", ErrNotFound, id)
	}
	return u, s.trouble(err)
}

// Users returns up to limit people by their ids, the smallest first, from the one after an id on.
func (s *Store) Users(ctx context.Context, after string, limit int) ([]User, error) {
	return s.users(ctx, "SELECT "+userColumns+" FROM users WHERE id > ? ORDER BY id LIMIT ?", after, limit)
}

func (s *Store) users(ctx context.Context, query string, args ...any) ([]User, error) {
	rows, err := s.read.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, s.trouble(err)
	}
	defer rows.Close() //nolint:errcheck // rows.Err says it
	all := []User{}
	for rows.Next() {
		u, err := scanUser(rows)
		if err != nil {
			return nil, s.trouble(err)
		}
		all = append(all, u)
	}
	return all, s.trouble(rows.Err())
}

func scanUser(row interface{ Scan(into ...any) error }) (u User, err error) {
	var created, seen int64
	err = row.Scan(&u.ID, &u.Name, &u.Role, &created, &seen)
	u.CreatedAt, u.SeenAt = time.UnixMilli(created), timeOrNever(seen)
	return u, err
}

// NameHolder returns whose any of the keys of a name is, or "".
func (s *Store) NameHolder(ctx context.Context, keys []string) (userID string, err error) {
	for _, key := range keys {
		err = s.read.QueryRowContext(ctx, "SELECT user_id FROM name_keys WHERE key = ?", key).Scan(&userID)
		if !errors.Is(err, sql.ErrNoRows) {
			return userID, s.trouble(err)
		}
	}
	return "", nil
}

// IsAdmitted reports whether somebody was let into a channel.
func (s *Store) IsAdmitted(ctx context.Context, channelID, userID string) (bool, error) {
	var n int
	err := s.read.QueryRowContext(ctx, "SELECT count(*) FROM admissions WHERE channel_id = ? AND user_id = ?", channelID, userID).Scan(&n)
	return n > 0, s.trouble(err)
}

// AdmittedIn returns who was let into a channel, by their names; at most limit.
func (s *Store) AdmittedIn(ctx context.Context, channelID string, limit int) ([]User, error) {
	return s.users(ctx, `SELECT `+userColumns+` FROM users JOIN admissions ON admissions.user_id = users.id
		WHERE admissions.channel_id = ? ORDER BY name, id LIMIT ?`, channelID, limit)
}

// AdmittedTo returns the channels somebody was let into.
func (s *Store) AdmittedTo(ctx context.Context, userID string) ([]string, error) {
	return s.strings(ctx, "SELECT channel_id FROM admissions WHERE user_id = ? ORDER BY channel_id", userID)
}

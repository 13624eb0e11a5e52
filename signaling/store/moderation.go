package store

import (
	"context"
	"database/sql"
	"fmt"
	"time"
)

// Ban keeps somebody out.
type Ban struct {
	ID       string `json:"ban_id"`
	UserID   string `json:"user_id"`
	UserName string `json:"name"`
	// Network and Device are where a guest came from: nobody is let in as a guest from there. Empty: of no matter.
	Network string `json:"network,omitempty"`
	Device  string `json:"device,omitempty"`
	// Until is when it ends; zero: never.
	Until  time.Time `json:"until,omitzero"`
	Reason string    `json:"reason,omitempty"`
	// ByID and ByName are who decided it; empty: the operator.
	ByID      string    `json:"by_id,omitempty"`
	ByName    string    `json:"by_name,omitempty"`
	CreatedAt time.Time `json:"created_at"`
}

// BanMade is the fact that somebody is kept out. ErrExists: the id is taken.
type BanMade struct{ Ban }

// Kind implements Fact.
func (BanMade) Kind() string { return "ban_made" }

func (f BanMade) apply(w *writing) error {
	n, err := w.exec(`INSERT INTO bans (id, user_id, user_name, network, device, until, reason, by_id, by_name, created_at)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING`,
		f.ID, f.UserID, f.UserName, f.Network, f.Device, orNever(f.Until), f.Reason, f.ByID, f.ByName, milliseconds(f.CreatedAt))
	if err == nil && n == 0 {
		err = fmt.Errorf("%w: ban %s", ErrExists, f.ID)
	}
	return err
}

// BansLifted is the fact that bans are over: one, or, with an empty BanID, all of a user. ErrNotFound: there is none.
type BansLifted struct {
	BanID  string `json:"ban_id,omitempty"`
	UserID string `json:"user_id,omitempty"`
}

// Kind implements Fact.
func (BansLifted) Kind() string { return "bans_lifted" }

func (f BansLifted) apply(w *writing) error {
	if f.BanID != "" {
		return w.mustChange("ban "+f.BanID, "DELETE FROM bans WHERE id = ?", f.BanID)
	}
	return w.mustChange("ban of "+f.UserID, "DELETE FROM bans WHERE user_id = ?", f.UserID)
}

// BansForgotten is the fact that bans ended by themselves before a time.
type BansForgotten struct {
	Before time.Time `json:"before"`
}

// Kind implements Fact.
func (BansForgotten) Kind() string { return "bans_forgotten" }

func (f BansForgotten) apply(w *writing) error {
	_, err := w.exec("DELETE FROM bans WHERE until <> 0 AND until < ?", milliseconds(f.Before))
	return err
}

// Muted is the fact that nobody shall hear somebody, or that they may again: in a channel or, with an empty ChannelID, in all.
type Muted struct {
	UserID    string `json:"user_id"`
	ChannelID string `json:"channel_id,omitempty"`
	Muted     bool   `json:"muted"`
}

// Kind implements Fact.
func (Muted) Kind() string { return "muted" }

func (f Muted) apply(w *writing) error {
	if !f.Muted {
		_, err := w.exec("DELETE FROM mutes WHERE user_id = ? AND channel_id = ?", f.UserID, f.ChannelID)
		return err
	}
	_, err := w.exec("INSERT INTO mutes (user_id, channel_id, created_at) VALUES (?, ?, ?) ON CONFLICT DO NOTHING", f.UserID, f.ChannelID, w.at)
	return err
}

// Deed is something that a moderator did to somebody.
type Deed struct {
	// Seq orders them.
	Seq    uint64    `json:"-"`
	At     time.Time `json:"at"`
	Action string    `json:"action"`
	// UserID and UserName are to whom, and ChannelID is where; empty: nowhere in particular.
	UserID    string `json:"user_id"`
	UserName  string `json:"name,omitempty"`
	ChannelID string `json:"channel_id,omitempty"`
	// ByID and ByName are who did it; empty: the operator.
	ByID   string `json:"by_id,omitempty"`
	ByName string `json:"by_name,omitempty"`
	Reason string `json:"reason,omitempty"`
	// Role is what was given; empty: none.
	Role string `json:"role,omitempty"`
	// Until is when a ban ends; zero: never.
	Until time.Time `json:"until,omitzero"`
}

// Done is the fact that a moderator did something.
type Done struct{ Deed }

// Kind implements Fact.
func (Done) Kind() string { return "moderated" }

func (f Done) apply(w *writing) error {
	_, err := w.exec(`INSERT INTO audit (seq, at, action, user_id, user_name, channel_id, by_id, by_name, reason, role, until)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		w.seq, milliseconds(f.At), f.Action, f.UserID, f.UserName, f.ChannelID, f.ByID, f.ByName, f.Reason, f.Role, orNever(f.Until))
	return err
}

// orNever is a time that may be zero.
func orNever(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return milliseconds(t)
}

func timeOrNever(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms)
}

const banColumns = "id, user_id, user_name, network, device, until, reason, by_id, by_name, created_at"

// BanOf returns a ban that holds for somebody at a time, that which lasts longest. Network and device count where they are not empty.
// ErrNotFound: there is none.
func (s *Store) BanOf(ctx context.Context, now time.Time, userID, network, device string) (Ban, error) {
	bans, err := s.bans(ctx, `SELECT `+banColumns+` FROM bans WHERE (until = 0 OR until > ?) AND
		(user_id = ? OR (network <> '' AND network = ?) OR (device <> '' AND device = ?)) ORDER BY until = 0 DESC, until DESC LIMIT 1`,
		milliseconds(now), userID, network, device)
	if err == nil && len(bans) == 0 {
		err = fmt.Errorf("%w: no ban of %s", ErrNotFound, userID)
	}
	if err != nil {
		return Ban{}, err
	}
	return bans[0], nil
}

// Bans returns the bans that hold at a time, the newest first; at most limit.
func (s *Store) Bans(ctx context.Context, now time.Time, limit int) ([]Ban, error) {
	return s.bans(ctx, "SELECT "+banColumns+" FROM bans WHERE until = 0 OR until > ? ORDER BY created_at DESC, id LIMIT ?", milliseconds(now), limit)
}

func (s *Store) bans(ctx context.Context, query string, args ...any) ([]Ban, error) {
	rows, err := s.read.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, s.trouble(err)
	}
	defer rows.Close() //nolint:errcheck // rows.Err says it
	all := []Ban{}
	for rows.Next() {
		b, err := scanBan(rows)
		if err != nil {
			return nil, s.trouble(err)
		}
		all = append(all, b)
	}
	return all, s.trouble(rows.Err())
}

// scanBan reads a row of banColumns.
func scanBan(rows *sql.Rows) (b Ban, err error) {
	var until, created int64
	err = rows.Scan(&b.ID, &b.UserID, &b.UserName, &b.Network, &b.Device, &until, &b.Reason, &b.ByID, &b.ByName, &created)
	b.Until, b.CreatedAt = timeOrNever(until), time.UnixMilli(created)
	return b, err
}

// MutedIn returns where nobody shall hear somebody: channels, and "" for everywhere.
func (s *Store) MutedIn(ctx context.Context, userID string) ([]string, error) {
	return s.strings(ctx, "SELECT channel_id FROM mutes WHERE user_id = ?", userID)
}

// Audit returns what moderators did before a Seq, 0 for the end, the newest first; at most limit.
func (s *Store) Audit(ctx context.Context, before uint64, limit int) ([]Deed, error) {
	if before == 0 {
		before = 1<<63 - 1
	}
	rows, err := s.read.QueryContext(ctx, `SELECT seq, at, action, user_id, user_name, channel_id, by_id, by_name, reason, role, until
		FROM audit WHERE seq < ? ORDER BY seq DESC LIMIT ?`, before, limit)
	if err != nil {
		return nil, s.trouble(err)
	}
	defer rows.Close() //nolint:errcheck // rows.Err says it
	all := []Deed{}
	for rows.Next() {
		var d Deed
		var at, until int64
		if err := rows.Scan(&d.Seq, &at, &d.Action, &d.UserID, &d.UserName, &d.ChannelID, &d.ByID, &d.ByName, &d.Reason, &d.Role, &until); err != nil {
			return nil, s.trouble(err)
		}
		d.At, d.Until = time.UnixMilli(at), timeOrNever(until)
		all = append(all, d)
	}
	return all, s.trouble(rows.Err())
}

package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"
)

// Invite is a link by which somebody becomes a person, or gets more rights.
type Invite struct {
	ID   string `json:"invite_id"`
	Role string `json:"role"`
	// ChannelID is the channel that it leads to and lets in; or empty.
	ChannelID string `json:"channel_id,omitempty"`
	// UserID is whom it signs in; empty: it makes people, or lets them in.
	UserID string `json:"user_id,omitempty"`
	// Uses is how often it may be used, 0: any number of times. Used is how often it was.
	Uses int `json:"uses"`
	Used int `json:"used"`
	// Until is when it ends; zero: never.
	Until time.Time `json:"until,omitzero"`
	// ByID and ByName are who made it; empty: the operator.
	ByID      string    `json:"by_id,omitempty"`
	ByName    string    `json:"by_name,omitempty"`
	CreatedAt time.Time `json:"created_at"`
}

// Expired reports whether the invite's time is over.
func (i *Invite) Expired(now time.Time) bool { return !i.Until.IsZero() && !now.Before(i.Until) }

// UsedUp reports whether it was used as often as it may be.
func (i *Invite) UsedUp() bool { return i.Uses > 0 && i.Used >= i.Uses }

// InviteMade is the fact that there is an invite.
type InviteMade struct{ Invite }

// Kind implements Fact.
func (InviteMade) Kind() string { return "invite_made" }

func (f InviteMade) apply(w *writing) error {
	n, err := w.exec(`INSERT INTO invites (id, role, channel_id, user_id, uses, used, until, by_id, by_name, created_at)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING`,
		f.ID, f.Role, f.ChannelID, f.UserID, f.Uses, f.Used, orNever(f.Until), f.ByID, f.ByName, milliseconds(f.CreatedAt))
	if err == nil && n == 0 {
		err = fmt.Errorf("%w: invite %s", ErrExists, f.ID)
	}
	return err
}

// InviteUsed is the fact that somebody used an invite. ErrNotFound: there is none that may be used at this time.
type InviteUsed struct {
	InviteID string    `json:"invite_id"`
	At       time.Time `json:"at"`
}

// Kind implements Fact.
func (InviteUsed) Kind() string { return "invite_used" }

func (f InviteUsed) apply(w *writing) error {
	return w.mustChange("invite "+f.InviteID, `UPDATE invites SET used = used + 1
		WHERE id = ? AND (uses = 0 OR used < uses) AND (until = 0 OR until > ?)`, f.InviteID, milliseconds(f.At))
}

// InviteRevoked is the fact that an invite is good for nothing any more. ErrNotFound.
type InviteRevoked struct {
	InviteID string `json:"invite_id"`
}

// Kind implements Fact.
func (InviteRevoked) Kind() string { return "invite_revoked" }

func (f InviteRevoked) apply(w *writing) error {
	return w.mustChange("invite "+f.InviteID, "DELETE FROM invites WHERE id = ?", f.InviteID)
}

// InvitesRevoked is the fact that all invites by somebody are good for nothing any more, or all that sign somebody in.
type InvitesRevoked struct {
	ByID   string `json:"by_id,omitempty"`
	UserID string `json:"user_id,omitempty"`
}

// Kind implements Fact.
func (InvitesRevoked) Kind() string { return "invites_revoked" }

func (f InvitesRevoked) apply(w *writing) error {
	_, err := w.exec("DELETE FROM invites WHERE by_id = ? AND by_id <> '' OR user_id = ? AND user_id <> ''", f.ByID, f.UserID)
	return err
}

// InvitesForgotten is the fact that nobody needs to know any more why the invites that ended before a time are good for nothing.
type InvitesForgotten struct {
	Before time.Time `json:"before"`
}

// Kind implements Fact.
func (InvitesForgotten) Kind() string { return "invites_forgotten" }

func (f InvitesForgotten) apply(w *writing) error {
	_, err := w.exec("DELETE FROM invites WHERE until <> 0 AND until < ?", milliseconds(f.Before))
	return err
}

const inviteColumns = "id, role, channel_id, user_id, uses, used, until, by_id, by_name, created_at"

// Invite returns an invite, of whatever use it is; or ErrNotFound.
func (s *Store) Invite(ctx context.Context, id string) (Invite, error) {
	i, err := scanInvite(s.read.QueryRowContext(ctx, "SELECT "+inviteColumns+" FROM invites WHERE id = ?", id))
	if errors.Is(err, sql.ErrNoRows) {
		err = fmt.Errorf("%w: invite %s", ErrNotFound, id)
	}
	return i, s.trouble(err)
}

// Invites returns the invites that somebody made, or with an empty id all, the newest first; at most limit.
func (s *Store) Invites(ctx context.Context, byID string, limit int) ([]Invite, error) {
	rows, err := s.read.QueryContext(ctx, "SELECT "+inviteColumns+` FROM invites WHERE by_id = ? OR ? = ''
		ORDER BY created_at DESC, id LIMIT ?`, byID, byID, limit)
	if err != nil {
		return nil, s.trouble(err)
	}
	defer rows.Close() //nolint:errcheck // rows.Err says it
	all := []Invite{}
	for rows.Next() {
		i, err := scanInvite(rows)
		if err != nil {
			return nil, s.trouble(err)
		}
		all = append(all, i)
	}
	return all, s.trouble(rows.Err())
}

func scanInvite(row interface{ Scan(into ...any) error }) (i Invite, err error) {
	var until, created int64
	err = row.Scan(&i.ID, &i.Role, &i.ChannelID, &i.UserID, &i.Uses, &i.Used, &until, &i.ByID, &i.ByName, &created)
	i.CreatedAt, i.Until = time.UnixMilli(created), timeOrNever(until)
	return i, err
}

// Untouched reports whether nobody was ever known or invited.
func (s *Store) Untouched(ctx context.Context) (bool, error) {
	var n int
	err := s.read.QueryRowContext(ctx, "SELECT (SELECT count(*) FROM users) + (SELECT count(*) FROM invites)").Scan(&n)
	return n == 0, s.trouble(err)
}

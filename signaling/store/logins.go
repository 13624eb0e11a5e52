package store

import (
	"context"
	"database/sql"
	"fmt"
	"time"
)

// Login is a browser, or another client, on which somebody stays signed in.
type Login struct {
	ID        string
	UserID    string
	CreatedAt time.Time
	// UsedAt is when its token was renewed last.
	UsedAt time.Time
	// Until is when it ends unless it is used.
	Until time.Time
}

// LoginMade is the fact that somebody signed in. ErrNotFound: there is no such user.
type LoginMade struct {
	LoginID string    `json:"login_id"`
	UserID  string    `json:"user_id"`
	Until   time.Time `json:"until"`
}

// Kind implements Fact.
func (LoginMade) Kind() string { return "login_made" }

func (f LoginMade) apply(w *writing) error {
	return w.mustChange("user "+f.UserID, `INSERT INTO logins (id, user_id, created_at, used_at, until)
		SELECT ?, id, ?, ?, ? FROM users WHERE id = ?`, f.LoginID, w.at, w.at, milliseconds(f.Until), f.UserID)
}

// LoginUsed is the fact that a login goes on. ErrNotFound: it was ended.
type LoginUsed struct {
	LoginID string    `json:"login_id"`
	Until   time.Time `json:"until"`
}

// Kind implements Fact.
func (LoginUsed) Kind() string { return "login_used" }

func (f LoginUsed) apply(w *writing) error {
	return w.mustChange("login "+f.LoginID, "UPDATE logins SET used_at = ?, until = max(until, ?) WHERE id = ?",
		w.at, milliseconds(f.Until), f.LoginID)
}

// LoginEnded is the fact that one login of somebody ended, or, with an empty LoginID, all of them.
type LoginEnded struct {
	UserID  string `json:"user_id"`
	LoginID string `json:"login_id,omitempty"`
}

// Kind implements Fact.
func (LoginEnded) Kind() string { return "login_ended" }

func (f LoginEnded) apply(w *writing) error {
	_, err := w.exec("DELETE FROM logins WHERE user_id = ? AND (id = ? OR ? = '')", f.UserID, f.LoginID, f.LoginID)
	return err
}

// LoginsForgotten is the fact that the logins that had ended by themselves before a time are of no use any more.
type LoginsForgotten struct {
	Before time.Time `json:"before"`
}

// Kind implements Fact.
func (LoginsForgotten) Kind() string { return "logins_forgotten" }

func (f LoginsForgotten) apply(w *writing) error {
	_, err := w.exec("DELETE FROM logins WHERE until < ?", milliseconds(f.Before))
	return err
}

// Login returns a login that was not ended, though it may have by itself; or ErrNotFound.
func (s *Store) Login(ctx context.Context, id string) (Login, error) {
	l := Login{ID: id}
	var created, used, until int64
	err := s.read.QueryRowContext(ctx, "SELECT user_id, created_at, used_at, until FROM logins WHERE id = ?", id).
		Scan(&l.UserID, &created, &used, &until)
	if err == sql.ErrNoRows { //nolint:errorlint // Scan returns it as it is
		err = fmt.Errorf("%w: login %s", ErrNotFound, id)
	}
	l.CreatedAt, l.UsedAt, l.Until = time.UnixMilli(created), time.UnixMilli(used), time.UnixMilli(until)
	return l, s.trouble(err)
}

// Logins returns how many logins somebody has.
func (s *Store) Logins(ctx context.Context, userID string) (int, error) {
	var n int
	err := s.read.QueryRowContext(ctx, "SELECT count(*) FROM logins WHERE user_id = ?", userID).Scan(&n)
	return n, s.trouble(err)
}

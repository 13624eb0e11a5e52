package store

import (
	"context"
	"time"
)

// TokenRevoked is the fact that a token is good no more, whatever it says. It is remembered until the token has expired.
type TokenRevoked struct {
	TokenID string    `json:"token_id"`
	Until   time.Time `json:"until"`
}

// Kind implements Fact.
func (TokenRevoked) Kind() string { return "token_revoked" }

func (f TokenRevoked) apply(w *writing) error {
	_, err := w.exec(`INSERT INTO revoked_tokens (id, until) VALUES (?, ?)
		ON CONFLICT (id) DO UPDATE SET until = max(until, excluded.until)`, f.TokenID, milliseconds(f.Until))
	return err
}

// TokensRevoked is the fact that all tokens of somebody are good no more that were made up to a moment, or do not say when. It is
// remembered until the last of them has expired.
type TokensRevoked struct {
	UserID string    `json:"user_id"`
	UpTo   time.Time `json:"up_to"`
	Until  time.Time `json:"until"`
}

// Kind implements Fact.
func (TokensRevoked) Kind() string { return "tokens_revoked" }

func (f TokensRevoked) apply(w *writing) error {
	_, err := w.exec(`INSERT INTO revoked_users (user_id, up_to, until) VALUES (?, ?, ?)
		ON CONFLICT (user_id) DO UPDATE SET up_to = max(up_to, excluded.up_to), until = max(until, excluded.until)`,
		f.UserID, milliseconds(f.UpTo), milliseconds(f.Until))
	return err
}

// RevocationsForgotten is the fact that what was revoked had expired by itself before a time.
type RevocationsForgotten struct {
	Before time.Time `json:"before"`
}

// Kind implements Fact.
func (RevocationsForgotten) Kind() string { return "revocations_forgotten" }

func (f RevocationsForgotten) apply(w *writing) error {
	for _, query := range []string{"DELETE FROM revoked_tokens WHERE until < ?", "DELETE FROM revoked_users WHERE until < ?"} {
		if _, err := w.exec(query, milliseconds(f.Before)); err != nil {
			return err
		}
	}
	return nil
}

// Revoked reports whether a token was revoked: by its own id, which may be empty, or with all of a user's. issued is when it was made,
// or the zero time.
func (s *Store) Revoked(ctx context.Context, tokenID, userID string, issued time.Time) (revoked bool, err error) {
	err = s.read.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM revoked_tokens WHERE id = ?)
		OR EXISTS (SELECT 1 FROM revoked_users WHERE user_id = ? AND up_to >= ?)`,
		tokenID, userID, milliseconds(issued)).Scan(&revoked)
	return revoked, s.trouble(err)
}

package httpapi

import (
	"errors"
	"net/http"
	"time"

	"github.com/mini-livechat/mini-livechat/signaling/auth"
)

// AdminRevocation says which tokens are taken back: one, by its id, or all that somebody has.
type AdminRevocation struct {
	TokenID string `json:"token_id,omitempty"`
	// ExpiresAt is when the token would have ended, in milliseconds since the epoch; 0: nobody knows.
	ExpiresAt int64  `json:"expires_at,omitempty"`
	UserID    string `json:"user_id,omitempty"`
}

func (a *Admin) revokeTokens(r *http.Request, w http.ResponseWriter) (any, error) {
	var d AdminRevocation
	if err := a.body(w, r, &d, `{"token_id":"…"} or {"user_id":"ada"}`); err != nil {
		return nil, err
	}
	now := a.People.Now()
	if (d.TokenID == "") == (d.UserID == "") {
		return nil, &badRequestError{http.StatusBadRequest, errors.New("say token_id or user_id, one of them")}
	}
	if d.UserID != "" {
		if person, err := a.People.User(r.Context(), d.UserID); err == nil { // else one whom only tokens know
			d.UserID = person.ID
		}
		return d, a.badID(a.People.RevokeTokens(r.Context(), by(r), d.UserID, now))
	}
	until := now.Add(auth.MaxTTL)
	if at := time.UnixMilli(d.ExpiresAt); d.ExpiresAt != 0 && at.Before(until) {
		until = at
	}
	return d, a.badID(a.People.RevokeToken(r.Context(), by(r), d.TokenID, until, now))
}

// badID says of an id that cannot be one that the request is bad.
func (a *Admin) badID(err error) error {
	if errors.Is(err, auth.ErrUserID) || errors.Is(err, auth.ErrTokenID) {
		return &badRequestError{http.StatusBadRequest, err}
	}
	return err
}

package people

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/mini-livechat/mini-livechat/signaling/auth"
	"github.com/mini-livechat/mini-livechat/signaling/store"
)

// RevokeToken takes a token back, whoever's it is, until which it would have been good. The error wraps auth.ErrTokenID.
func (p *People) RevokeToken(ctx context.Context, by auth.Identity, tokenID string, until, now time.Time) error {
	return p.revokeToken(ctx, tokenID, until, now, did(by, auth.Identity{}, store.Deed{Action: ActionRevoke, Reason: "token " + tokenID}, now))
}

func (p *People) revokeToken(ctx context.Context, tokenID string, until, now time.Time, facts ...store.Fact) error {
	if err := auth.CheckTokenID(tokenID); err != nil {
		return err
	}
	if err := p.write(ctx, now, append(facts, store.TokenRevoked{TokenID: tokenID, Until: until})...); err != nil {
		return err
	}
	p.tell(Change{SignedOut: true, TokenID: tokenID})
	return nil
}

// RevokeTokens takes all tokens back that somebody has now, logins among them, also of somebody who is not known. Those that were made
// in this very second are meant too. The error wraps auth.ErrUserID.
func (p *People) RevokeTokens(ctx context.Context, by auth.Identity, userID string, now time.Time) error {
	if err := auth.CheckUserID(userID); err != nil {
		return err
	}
	who := auth.Identity{UserID: userID}
	if user, err := p.store.User(ctx, userID); err == nil {
		who = identityOf(user)
	}
	return p.signOut(ctx, Change{UserID: userID}, now, did(by, who, store.Deed{Action: ActionRevoke, Reason: "all tokens"}, now))
}

// signOut ends all that lets somebody in, with more facts, and their sessions, and tells of it as of the change that it is.
func (p *People) signOut(ctx context.Context, change Change, now time.Time, facts ...store.Fact) error {
	userID := change.UserID
	// Tokens of a clock that is ahead say that they were made later. So none of those may slip through new ones may have to wait.
	revoked := store.TokensRevoked{UserID: userID, UpTo: now.Add(p.authority.Apart()), Until: now.Add(auth.MaxTTL)}
	facts = append(facts, store.LoginEnded{UserID: userID}, store.InvitesRevoked{UserID: userID}, revoked)
	if err := p.write(ctx, now, facts...); err != nil {
		return err
	}
	change.SignedOut = true
	p.tell(change)
	return nil
}

// revoked reports as auth.ErrTokenRevoked, or ErrSignedOut, that a token was taken back. When that cannot be read, its word counts.
func (p *People) revoked(ctx context.Context, id auth.Identity) error {
	login, of := strings.HasPrefix(id.TokenID, loginPrefix), id.UserID
	if login {
		of = "" // one that ended with all others of the user is not there any more, and another may have begun in the same second
	}
	yes, err := p.store.Revoked(ctx, id.TokenID, of, id.IssuedAt)
	switch {
	case err == nil && yes && login:
		return errLoginEnded
	case err == nil && yes:
		return auth.ErrTokenRevoked
	case errors.Is(err, store.ErrTrouble), errors.Is(err, store.ErrClosed):
		return nil
	}
	return err
}

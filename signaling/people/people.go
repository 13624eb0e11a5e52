// Package people knows who is who beyond one session: the people the server remembers, what they are called, what they may do, the
// browsers on which they stay signed in, and the invites by which they come.
//
// It decides, and package store remembers: nothing is held here but what cannot be kept, so a server and a command beside it, or two of its
// goroutines, never contradict each other. Everything may be called from any goroutine, and waits for the disk.
package people

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/oklog/ulid/v2"

	"github.com/mini-livechat/mini-livechat/signaling/auth"
	"github.com/mini-livechat/mini-livechat/signaling/names"
	"github.com/mini-livechat/mini-livechat/signaling/store"
)

// Errors of this package; test with errors.Is.
var (
	// ErrNameTaken: the name is somebody else's, or looks like theirs.
	ErrNameTaken = errors.New("that name is taken")
	// ErrInvite: the invite is good for nothing. The text says why.
	ErrInvite = errors.New("this invite cannot be used")
	// ErrUnknown: there is no such person.
	ErrUnknown = errors.New("no such person")
	// ErrAccessDenied: somebody may not do this to another one, or there.
	ErrAccessDenied = errors.New("access denied")
	// ErrNotAllowed: somebody may not do this. The text says who may.
	ErrNotAllowed = errors.New("not allowed")
	// ErrBadRequest: something that was asked for cannot be. The text says what.
	ErrBadRequest = errors.New("bad request")
	// ErrSignedOut is an auth.ErrInvalidToken: the login that the token is of was ended.
	ErrSignedOut = fmt.Errorf("%w: signed out", auth.ErrInvalidToken)
)

// errLoginEnded is an ErrSignedOut for who shows the token of a login.
var errLoginEnded = fmt.Errorf("%w: this login was ended; open an invite, or ask for another one", ErrSignedOut)

const (
	// userPrefix begins the ids of people, loginPrefix those of their tokens.
	userPrefix  = "user-"
	loginPrefix = "login-"
	// renewAfter is how old a login's token is when another takes its place.
	renewAfter = 24 * time.Hour
	// renewWithin is how long somebody who comes waits for that.
	renewWithin = time.Second
	// seenAfter is how exactly it is remembered when somebody was here.
	seenAfter = time.Minute
	// DefaultLoginTTL is how long somebody stays signed in who does not come.
	DefaultLoginTTL = 90 * 24 * time.Hour
)

// People is what the server knows of people. Make one with New.
type People struct {
	store     *store.Store
	authority *auth.Authority
	loginTTL  time.Duration

	unkept unkept

	mu    sync.Mutex // guards the field below
	watch func(Change)
}

// New returns the people in a store, whose tokens authority signs. A login ends when it was not used for loginTTL, 0:
// DefaultLoginTTL.
func New(s *store.Store, authority *auth.Authority, loginTTL time.Duration) *People {
	if loginTTL == 0 {
		loginTTL = DefaultLoginTTL
	}
	return &People{store: s, authority: authority, loginTTL: loginTTL, watch: func(Change) {}}
}

// Now returns what time it is, for all that is done here and for tokens.
func (p *People) Now() time.Time { return p.store.Now() }

// Change is what was decided about somebody who may be here.
type Change struct {
	UserID string
	// SignedOut: all sessions of the user are over, or, with a TokenID, those that came with that token; then UserID may be empty.
	SignedOut bool
	TokenID   string
	// Alias is whose is from now on what was the user's, who is forgotten; empty: they are not.
	Alias string
	// Role is what the user may do from now on, unless SignedOut.
	Role auth.Role
	// ChannelID is a channel into which the user was let; or empty.
	ChannelID string
	// Uninvited is a channel into which the user is let no more, by By; then nothing else changes. Empty: none.
	Uninvited string
	By        auth.Identity
}

// Watch has a function called for every change, when it is remembered. There is one watcher at a time.
func (p *People) Watch(do func(Change)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.watch = do
}

func (p *People) tell(c Change) {
	p.mu.Lock()
	do := p.watch
	p.mu.Unlock()
	do(c)
}

// Signing is a token by which somebody is let in, and who that is.
type Signing struct {
	Token string
	User  store.User
	// ChannelID is where an invite leads, or empty.
	ChannelID string
}

// Enter completes what a token says of its bearer by what is remembered. renewed, unless empty, is a token that takes the place of
// the one shown. The error is auth.ErrTokenRevoked, ErrSignedOut, ErrNameTaken, or a context's. When nothing can be read the token's word counts, so that
// calls do not need the memory.
func (p *People) Enter(ctx context.Context, id auth.Identity, now time.Time) (_ auth.Identity, renewed string, err error) {
	if err = p.revoked(ctx, id); err != nil {
		return id, "", err
	}
	switch {
	case strings.HasPrefix(id.TokenID, loginPrefix):
		return p.enterAgain(ctx, id, now)
	case auth.IsGuest(id.UserID):
		err = p.nameFree(ctx, id.Name, id.UserID)
		if errors.Is(err, store.ErrTrouble) || errors.Is(err, store.ErrClosed) {
			err = nil
		}
		return id, "", err
	}
	id.Grants.Role = new(id.Role) // which stays the token's, whatever becomes of the other
	user, err := p.store.User(ctx, id.UserID)
	if err != nil {
		return id, "", ctx.Err() // not known, or not to be known: the token's word counts
	}
	id.Name, id.Role, id.Grants = user.Name, max(id.Role, roleOf(user)), id.Grants.Widened()
	return id, "", nil
}

// enterAgain is Enter with a login's token.
func (p *People) enterAgain(ctx context.Context, id auth.Identity, now time.Time) (_ auth.Identity, renewed string, err error) {
	login, err := p.store.Login(ctx, id.TokenID)
	var user store.User
	if err == nil {
		user, err = p.store.User(ctx, id.UserID)
	}
	switch {
	case errors.Is(err, store.ErrNotFound), err == nil && login.UserID != id.UserID:
		return id, "", errLoginEnded
	case err != nil:
		return id, "", ctx.Err()
	}
	id.Name, id.Role = user.Name, roleOf(user)
	if now.Sub(login.UsedAt) < renewAfter && now.After(login.UsedAt.Add(-renewAfter)) {
		return id, "", nil
	}
	// What cannot be renewed now is the next time.
	renewing, cancel := context.WithTimeout(ctx, renewWithin)
	defer cancel()
	if _, err = p.store.Append(renewing, now, store.LoginUsed{LoginID: login.ID, Until: now.Add(p.loginTTL)}); err == nil {
		renewed, err = p.mint(login.ID, user, now)
	}
	if err == nil {
		var next auth.Identity
		if next, err = p.authority.Verify(renewed, now); err == nil {
			id.KeyID, id.IssuedAt, id.ExpiresAt = next.KeyID, next.IssuedAt, next.ExpiresAt
		}
	}
	return id, renewed, ctx.Err()
}

// Seen remembers that somebody is here, or was until now.
func (p *People) Seen(ctx context.Context, userID string, now time.Time) {
	user, err := p.store.User(ctx, userID)
	if err == nil && now.Sub(user.SeenAt) >= seenAfter {
		_, _ = p.store.Append(ctx, now, store.UserSeen{UserID: userID, At: now}) // said otherwise when the memory is in trouble
	}
}

// CheckGuestName returns a guest's name as it is kept. The error wraps auth.ErrName or ErrNameTaken.
func (p *People) CheckGuestName(ctx context.Context, name string) (string, error) {
	name, err := auth.CleanName(name)
	if err != nil {
		return "", err
	}
	err = p.nameFree(ctx, name, "")
	if errors.Is(err, ErrNameTaken) {
		return "", err
	}
	return name, nil // also when nothing can be read
}

// nameFree reports as ErrNameTaken that a name is somebody's other than this user's.
func (p *People) nameFree(ctx context.Context, name, userID string) error {
	holder, err := p.store.NameHolder(ctx, names.Keys(name))
	if err == nil && holder != "" && holder != userID {
		err = fmt.Errorf("%w: %q is somebody's here, or looks like their name; choose another", ErrNameTaken, name)
	}
	return err
}

// login writes facts and a new login, all or nothing.
func (p *People) login(ctx context.Context, user store.User, now time.Time, facts ...store.Fact) (Signing, error) {
	id := loginPrefix + strings.ToLower(ulid.Make().String())
	token, err := p.mint(id, user, now)
	if err != nil {
		return Signing{}, err
	}
	facts = append(facts, store.LoginMade{LoginID: id, UserID: user.ID, Until: now.Add(p.loginTTL)})
	if err = p.write(ctx, now, facts...); err != nil {
		return Signing{}, err
	}
	return Signing{Token: token, User: user}, nil
}

// mint says nothing of the role, which is looked up whenever the token is used.
func (p *People) mint(loginID string, user store.User, now time.Time) (string, error) {
	return p.authority.Mint(auth.Identity{UserID: user.ID, Name: user.Name, TokenID: loginID}, now, p.loginTTL)
}

// write appends facts, in the words of this package.
func (p *People) write(ctx context.Context, now time.Time, facts ...store.Fact) error {
	_, err := p.store.Append(context.WithoutCancel(ctx), now, facts...)
	if _, taken := errors.AsType[*store.NameTakenError](err); taken {
		return fmt.Errorf("%w: it is somebody's here, or looks like their name; choose another", ErrNameTaken)
	}
	return err
}

// roleOf returns a user's role; what it does not know, as of a newer version, is a guest.
func roleOf(user store.User) auth.Role {
	role, _ := auth.ParseRole(user.Role)
	return role
}

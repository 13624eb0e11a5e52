package people

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/oklog/ulid/v2"

	"github.com/mini-livechat/mini-livechat/signaling/auth"
	"github.com/mini-livechat/mini-livechat/signaling/names"
	"github.com/mini-livechat/mini-livechat/signaling/store"
)

// Person is somebody, and what else is remembered of them.
type Person struct {
	store.User

	// Logins is on how many browsers they are signed in, Channels are those they were let into.
	Logins   int
	Channels []string
}

// MaxUsers is how many people Users returns at once.
const MaxUsers = 1000

// Users returns people by their ids, from the one after an id on, MaxUsers at most.
func (p *People) Users(ctx context.Context, after string) ([]store.User, error) {
	return p.store.Users(ctx, after, MaxUsers)
}

// idForm is what ids that are made here look like. Who says one means nobody who is called so, as people may be.
var idForm = regexp.MustCompile(`(?i)^(` + auth.GuestPrefix + `|` + userPrefix + `)[0-9a-z]{26}$`)

// User returns a person by their id or, when there is none with it, by their name. The error wraps ErrUnknown.
func (p *People) User(ctx context.Context, idOrName string) (Person, error) {
	user, err := p.find(ctx, idOrName)
	if err != nil {
		return Person{}, err
	}
	person := Person{User: user}
	if person.Logins, err = p.store.Logins(ctx, user.ID); err != nil {
		return Person{}, err
	}
	person.Channels, err = p.store.AdmittedTo(ctx, user.ID)
	return person, err
}

func (p *People) find(ctx context.Context, idOrName string) (store.User, error) {
	user, err := p.user(ctx, idOrName)
	if !errors.Is(err, ErrUnknown) {
		return user, err
	}
	if idForm.MatchString(idOrName) {
		return store.User{}, err
	}
	holder, failed := p.store.NameHolder(ctx, names.Keys(idOrName))
	switch {
	case failed != nil:
		return store.User{}, failed
	case holder == "":
		return store.User{}, err
	}
	user, err = p.user(ctx, holder)
	if err == nil && !strings.EqualFold(user.Name, idOrName) { // only looks like it, which is a trap
		return store.User{}, fmt.Errorf("%w: %q; do you mean %q, with the id %s?", ErrUnknown, idOrName, user.Name, user.ID)
	}
	return user, err
}

func (p *People) user(ctx context.Context, id string) (store.User, error) {
	user, err := p.store.User(ctx, id)
	if errors.Is(err, store.ErrNotFound) {
		err = fmt.Errorf("%w: %q", ErrUnknown, id)
	}
	return user, err
}

// SetRole gives somebody a role. by must have more than both, or be an admin. The error wraps ErrUnknown or ErrNotAllowed.
func (p *People) SetRole(ctx context.Context, by auth.Identity, userID string, role auth.Role, now time.Time) error {
	user, err := p.user(ctx, userID)
	if err != nil {
		return err
	}
	if by.Role != auth.RoleAdmin && (by.Role <= role || by.Role <= roleOf(user)) {
		return fmt.Errorf("%w: a %s cannot make a %s of a %s", ErrNotAllowed, by.Role, role, user.Role)
	}
	facts := []store.Fact{store.RoleGiven{UserID: userID, Role: role.String()}}
	if role.String() != user.Role {
		facts = append(facts, did(by, identityOf(user), store.Deed{Action: ActionRole, Role: role.String()}, now))
	}
	if role < roleOf(user) { // what they gave as what they were is good no more
		facts = append(facts, store.InvitesRevoked{ByID: userID})
	}
	if err = p.write(ctx, now, facts...); err != nil {
		return err
	}
	p.tell(Change{UserID: userID, Role: role})
	return nil
}

// Rename gives somebody another name, which they have from the next time on that they come. The error wraps ErrUnknown, auth.ErrName
// or ErrNameTaken.
func (p *People) Rename(ctx context.Context, userID, name string, now time.Time) error {
	if _, err := p.user(ctx, userID); err != nil {
		return err
	}
	name, err := auth.CleanName(name)
	if err != nil {
		return err
	}
	return p.write(ctx, now, store.UserRenamed{UserID: userID, Name: name, NameKeys: names.Keys(name)})
}

// Logout ends all logins and other tokens of somebody, and their sessions. The error wraps ErrUnknown.
func (p *People) Logout(ctx context.Context, by auth.Identity, userID string, now time.Time) error {
	user, err := p.user(ctx, userID)
	if err != nil {
		return err
	}
	return p.signOut(ctx, Change{UserID: userID}, now, did(by, identityOf(user), store.Deed{Action: ActionLogout}, now))
}

// identityOf is who a person is to those who do something to them.
func identityOf(user store.User) auth.Identity {
	return auth.Identity{UserID: user.ID, Name: user.Name}
}

// SignOut ends the login that a verified token is of, or else the token, and its session. Guests' tokens it leaves alone: strangers
// shall not fill the memory, and each has another for the asking.
func (p *People) SignOut(ctx context.Context, id auth.Identity, now time.Time) error {
	switch {
	case auth.IsGuest(id.UserID) || id.TokenID == "":
		return nil
	case !strings.HasPrefix(id.TokenID, loginPrefix):
		return p.revokeToken(ctx, id.TokenID, id.ExpiresAt, now)
	}
	if err := p.write(ctx, now, store.LoginEnded{UserID: id.UserID, LoginID: id.TokenID}); err != nil {
		return err
	}
	p.tell(Change{UserID: id.UserID, SignedOut: true, TokenID: id.TokenID})
	return nil
}

// Delete forgets somebody and ends their sessions. What they wrote is erased, or else goes on without a name. The error wraps
// ErrUnknown.
func (p *People) Delete(ctx context.Context, by auth.Identity, userID string, erase bool, now time.Time) error {
	if _, err := p.user(ctx, userID); err != nil {
		return err
	}
	alias := "deleted-" + strings.ToLower(ulid.Make().String())
	forgotten := did(by, auth.Identity{UserID: alias}, store.Deed{Action: ActionDelete}, now)
	return p.signOut(ctx, Change{UserID: userID, Alias: alias}, now, store.UserDeleted{UserID: userID, Erase: erase, Alias: alias}, forgotten)
}

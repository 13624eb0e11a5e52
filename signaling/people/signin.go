package people

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/mini-livechat/mini-livechat/signaling/auth"
	"github.com/mini-livechat/mini-livechat/signaling/names"
	"github.com/mini-livechat/mini-livechat/signaling/store"
)

const (
	// maxNumber is the greatest number that is put behind a taken name.
	maxNumber = 99
	// nameless is what somebody is called whose issuer has no name for them that could be one here.
	nameless = "Somebody"
)

// SignIn signs somebody in for a time whom an issuer vouches for, under that issuer's id for them. Who was not known is from now on; a
// name that is taken gets a number. The role that they have by the issuer's word is the token's, and ends with it, so that what the
// issuer takes back is gone with the next sign-in; what they are given here adds to it. When nothing can be remembered they come in
// all the same.
func (p *People) SignIn(ctx context.Context, userID, name string, role auth.Role, ttl time.Duration, now time.Time) (Signing, error) {
	if err := auth.CheckUserID(userID); err != nil {
		return Signing{}, err
	}
	name, err := auth.CleanName(name)
	if err != nil {
		name = nameless
	}
	user, err := p.store.User(ctx, userID)
	if errors.Is(err, store.ErrNotFound) {
		user, err = p.meet(ctx, store.User{ID: userID, Name: name, Role: min(role, auth.RoleMember).String(), CreatedAt: now}, now)
	}
	switch {
	case errors.Is(err, store.ErrTrouble):
		user = store.User{ID: userID, Name: name}
	case err != nil:
		return Signing{}, err
	}
	token, err := p.authority.Mint(auth.Identity{UserID: userID, Name: user.Name, Grants: auth.Grants{Role: &role}}, now, ttl)
	return Signing{Token: token, User: user}, err
}

// meet remembers somebody who is new, under the name or the next that is free.
func (p *People) meet(ctx context.Context, user store.User, now time.Time) (store.User, error) {
	name := user.Name
	for i := 2; ; i++ {
		err := p.write(ctx, now, store.UserMade{User: user, NameKeys: names.Keys(user.Name)})
		if !errors.Is(err, ErrNameTaken) || i > maxNumber {
			return user, err
		}
		if user.Name, err = auth.CleanName(fmt.Sprintf("%s %d", cut(name), i)); err != nil {
			return user, err
		}
	}
}

// cut leaves room for a number.
func cut(name string) string {
	runes := []rune(name)
	return string(runes[:min(len(runes), auth.MaxNameChars-3)])
}

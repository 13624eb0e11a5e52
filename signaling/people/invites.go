package people

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/oklog/ulid/v2"

	"github.com/mini-livechat/mini-livechat/signaling/auth"
	"github.com/mini-livechat/mini-livechat/signaling/names"
	"github.com/mini-livechat/mini-livechat/signaling/protocol"
	"github.com/mini-livechat/mini-livechat/signaling/store"
)

const (
	// secretBytes is the randomness of an invite: nobody guesses it. idBytes is what of its hash names the invite.
	secretBytes, idBytes = 16, 8
	// MaxInviteUses bounds how often an invite may be used that is not for any number of times.
	MaxInviteUses = 100_000
	// MinInviteTTL is the shortest that an invite lasts.
	MinInviteTTL = time.Minute
	// MaxInviteTTL bounds how long an invite lasts that is not for good.
	MaxInviteTTL = 10 * 365 * 24 * time.Hour
	// maxInvites is how many invites there may be by one person, and how many are listed.
	maxInvites = 500
)

// Operator is who runs the server, who may do everything.
func Operator() auth.Identity { return auth.Identity{Role: auth.RoleAdmin} }

// InviteSpec is what an invite shall be.
type InviteSpec struct {
	Role auth.Role
	// KnownOnly: it makes nobody known, and gives no role.
	KnownOnly bool
	// ChannelID is the channel that it leads to and lets in; or empty. That there is one is for the caller to know.
	ChannelID string
	// Uses is how often it may be used; 0: any number of times.
	Uses int
	// TTL is how long it lasts; 0: for good.
	TTL time.Duration
}

// signInTTL is how long a link signs somebody in.
const signInTTL = 24 * time.Hour

// DefaultInviteTTL is how long an invite lasts that is not said to last otherwise.
const DefaultInviteTTL = 7 * 24 * time.Hour

// SpecOf reads a request for an invite. The error wraps ErrBadRequest.
func SpecOf(d protocol.InviteCreate) (InviteSpec, error) {
	spec := InviteSpec{Role: auth.RoleMember, ChannelID: d.ChannelID, Uses: 1, TTL: DefaultInviteTTL}
	if d.Role != "" {
		role, err := auth.ParseRole(d.Role)
		if err != nil {
			return spec, fmt.Errorf("%w: role: %w", ErrBadRequest, err)
		}
		spec.Role = role
	}
	if d.Uses != nil {
		spec.Uses = *d.Uses
	}
	if d.TTLMS != nil {
		if *d.TTLMS < 0 || *d.TTLMS > MaxInviteTTL.Milliseconds() {
			return spec, fmt.Errorf("%w: ttl_ms is %d; it must be 60000 to %d, or 0 for good", ErrBadRequest, *d.TTLMS, MaxInviteTTL.Milliseconds())
		}
		spec.TTL = time.Duration(*d.TTLMS) * time.Millisecond
	}
	return spec, nil
}

// Wire returns an invite as those see it who may revoke it.
func Wire(i store.Invite) protocol.Invite {
	wire := protocol.Invite{
		InviteID: i.ID, Role: i.Role, ChannelID: i.ChannelID, Uses: i.Uses, Used: i.Used,
		UserID: i.UserID, CreatedAt: i.CreatedAt.UnixMilli(), ByID: i.ByID, ByName: i.ByName,
	}
	wire.ExpiresAt = orNever(i.Until)
	return wire
}

// Invite makes an invite and returns the secret of its link. Who makes it gives less than they have, and an admin anything; whether
// they may invite to the channel is for the caller to know. The error wraps ErrNotAllowed or ErrBadRequest.
func (p *People) Invite(ctx context.Context, by auth.Identity, spec InviteSpec, now time.Time) (_ store.Invite, secret string, err error) {
	switch {
	case spec.KnownOnly && spec.ChannelID == "":
		return store.Invite{}, "", fmt.Errorf("%w: it would give nothing", ErrBadRequest)
	case by.Role != auth.RoleAdmin && !spec.KnownOnly && spec.Role >= by.Role:
		return store.Invite{}, "", fmt.Errorf("%w: a %s can invite people to be less than that, an admin to be anything", ErrNotAllowed, by.Role)
	case spec.Uses < 0 || spec.Uses > MaxInviteUses:
		return store.Invite{}, "", fmt.Errorf("%w: uses is %d; it must be 1 to %d, or 0 for any number of times", ErrBadRequest, spec.Uses, MaxInviteUses)
	case spec.TTL != 0 && (spec.TTL < MinInviteTTL || spec.TTL > MaxInviteTTL):
		return store.Invite{}, "", fmt.Errorf("%w: the invite would last %s; it must be a minute to ten years, or 0 for good", ErrBadRequest, spec.TTL)
	}
	if by.UserID != "" {
		mine, failed := p.store.Invites(ctx, by.UserID, maxInvites)
		if failed != nil {
			return store.Invite{}, "", failed
		}
		if len(mine) >= maxInvites {
			return store.Invite{}, "", fmt.Errorf("%w: you have made %d invites; revoke some first", ErrBadRequest, maxInvites)
		}
	}
	secret = newSecret()
	invite := store.Invite{
		ID: inviteID(secret), Role: spec.Role.String(), ChannelID: spec.ChannelID, Uses: spec.Uses,
		ByID: by.UserID, ByName: by.Name, CreatedAt: now,
	}
	if spec.KnownOnly {
		invite.Role = ""
	}
	if spec.TTL > 0 {
		invite.Until = now.Add(spec.TTL)
	}
	if err = p.write(ctx, now, store.InviteMade{Invite: invite}); err != nil {
		return store.Invite{}, "", err
	}
	return invite, secret, nil
}

// SignInLink makes a link that signs one browser in as somebody who is known, once and for a day, and returns its secret. The error
// wraps ErrUnknown.
func (p *People) SignInLink(ctx context.Context, by auth.Identity, userID string, now time.Time) (_ store.Invite, secret string, err error) {
	user, err := p.user(ctx, userID)
	if err != nil {
		return store.Invite{}, "", err
	}
	secret = newSecret()
	invite := store.Invite{
		ID: inviteID(secret), UserID: userID, Uses: 1, Until: now.Add(signInTTL), ByID: by.UserID, ByName: by.Name, CreatedAt: now,
	}
	return invite, secret, p.write(ctx, now, store.InviteMade{Invite: invite}, did(by, identityOf(user), store.Deed{Action: ActionLogin}, now))
}

func newSecret() string {
	var random [secretBytes]byte
	_, _ = rand.Read(random[:]) // never fails
	return base64.RawURLEncoding.EncodeToString(random[:])
}

// inviteID is the name of the invite with a secret; what is remembered of it gives the secret away to nobody.
func inviteID(secret string) string {
	hash := sha256.Sum256([]byte("invite:" + secret))
	return hex.EncodeToString(hash[:idBytes]) // on a command line it is no flag
}

// Look returns the invite with a secret as long as it can be used; else the error wraps ErrInvite.
func (p *People) Look(ctx context.Context, secret string, now time.Time) (store.Invite, error) {
	invite, err := p.store.Invite(ctx, inviteID(secret))
	switch {
	case errors.Is(err, store.ErrNotFound):
		return invite, fmt.Errorf("%w: there is no such invite; perhaps the link is not complete, or it was revoked", ErrInvite)
	case err != nil:
		return invite, err
	case invite.Expired(now):
		return invite, fmt.Errorf("%w: it expired on %s; ask for another one", ErrInvite, invite.Until.UTC().Format(time.DateOnly))
	case invite.UsedUp():
		return invite, fmt.Errorf("%w: it has been used by as many people as it was for; ask for another one", ErrInvite)
	}
	return invite, nil
}

// Accept makes somebody new with this name a person, by the invite with a secret; by a link that signs somebody in, whoever opens it is
// that person, whatever the name. The error wraps ErrInvite, auth.ErrName or
// ErrNameTaken, or is a *BannedError when nobody new is let in from there, and then nothing was used.
func (p *People) Accept(ctx context.Context, secret, name string, from Origin, now time.Time) (Signing, error) {
	invite, err := p.Look(ctx, secret, now)
	if err == nil && invite.UserID != "" {
		return p.acceptAgain(ctx, invite, now)
	}
	if err == nil && invite.Role == "" {
		err = fmt.Errorf("%w: it is for people who are known here already; sign in, and open it again", ErrInvite)
	}
	if err == nil { // one who is kept out is no other person
		err = p.Admit(ctx, auth.Identity{UserID: auth.GuestPrefix}, from, now)
	}
	if err != nil {
		return Signing{}, err
	}
	if name, err = auth.CleanName(name); err != nil {
		return Signing{}, err
	}
	user := store.User{ID: userPrefix + strings.ToLower(ulid.Make().String()), Name: name, Role: invite.Role, CreatedAt: now}
	facts := []store.Fact{store.InviteUsed{InviteID: invite.ID, At: now}, store.UserMade{User: user, NameKeys: names.Keys(name)}}
	if invite.ChannelID != "" {
		facts = append(facts, store.Admitted{ChannelID: invite.ChannelID, UserID: user.ID})
	}
	signing, err := p.login(ctx, user, now, facts...)
	signing.ChannelID = invite.ChannelID
	return signing, faster(err)
}

// acceptAgain signs somebody in by a link.
func (p *People) acceptAgain(ctx context.Context, invite store.Invite, now time.Time) (Signing, error) {
	user, err := p.user(ctx, invite.UserID)
	if err == nil {
		err = p.Admit(ctx, auth.Identity{UserID: user.ID}, Origin{}, now)
	}
	if err != nil {
		return Signing{}, err
	}
	signing, err := p.login(ctx, user, now, store.InviteUsed{InviteID: invite.ID, At: now})
	return signing, faster(err)
}

// faster has an error say that somebody else used the invite first.
func faster(err error) error {
	if errors.Is(err, store.ErrNotFound) {
		err = fmt.Errorf("%w: it was just used by somebody else; ask for another one", ErrInvite)
	}
	return err
}

// AcceptAs gives somebody who is known what an invite gives, as far as they do not have it; an invite that gives them nothing is not
// used. by is who a verified token says it is, a person's and no guest's; else the error wraps ErrUnknown.
func (p *People) AcceptAs(ctx context.Context, secret string, by auth.Identity, now time.Time) (Signing, error) {
	invite, err := p.Look(ctx, secret, now)
	if err == nil && invite.UserID != "" {
		err = fmt.Errorf("%w: it signs somebody in, and gives nothing to who is", ErrInvite)
	}
	if err != nil {
		return Signing{}, err
	}
	if err = p.Admit(ctx, by, Origin{}, now); err != nil {
		return Signing{}, err
	}
	by, _, err = p.Enter(ctx, by, now)
	if err != nil {
		return Signing{}, err
	}
	user, err := p.user(ctx, by.UserID)
	if err != nil {
		return Signing{}, err
	}
	role, _ := auth.ParseRole(invite.Role)
	facts := []store.Fact{store.InviteUsed{InviteID: invite.ID, At: now}}
	if role > roleOf(user) {
		user.Role = role.String()
		maker := auth.Identity{UserID: invite.ByID, Name: invite.ByName}
		facts = append(facts, store.RoleGiven{UserID: user.ID, Role: user.Role}, did(maker, identityOf(user), store.Deed{
			Action: ActionRole, Role: user.Role, Reason: "invite " + invite.ID,
		}, now))
	}
	if invite.ChannelID != "" {
		let, failed := p.store.IsAdmitted(ctx, invite.ChannelID, user.ID)
		if failed != nil {
			return Signing{}, failed
		}
		if !let {
			facts = append(facts, store.Admitted{ChannelID: invite.ChannelID, UserID: user.ID})
		}
	}
	if len(facts) > 1 {
		if err = faster(p.write(ctx, now, facts...)); err != nil {
			return Signing{}, err
		}
		p.tell(Change{UserID: user.ID, Role: roleOf(user), ChannelID: invite.ChannelID})
	}
	return Signing{User: user, ChannelID: invite.ChannelID}, nil
}

// Invites returns the invites that somebody made, an admin's all there are, the newest first.
func (p *People) Invites(ctx context.Context, by auth.Identity) ([]store.Invite, error) {
	of := by.UserID
	if by.Role == auth.RoleAdmin {
		of = ""
	}
	return p.store.Invites(ctx, of, maxInvites)
}

// Revoke ends an invite, of one's own or, by an admin, of anybody. The error wraps ErrInvite.
func (p *People) Revoke(ctx context.Context, by auth.Identity, inviteID string, now time.Time) error {
	invite, err := p.store.Invite(ctx, inviteID)
	if err == nil && by.Role != auth.RoleAdmin && invite.ByID != by.UserID {
		err = store.ErrNotFound
	}
	if err == nil {
		facts := []store.Fact{store.InviteRevoked{InviteID: inviteID}}
		if invite.ByID != by.UserID { // one's own are nobody else's business
			maker := auth.Identity{UserID: invite.ByID, Name: invite.ByName}
			facts = append(facts, did(by, maker, store.Deed{Action: ActionRevoke, ChannelID: invite.ChannelID, Reason: "invite " + inviteID}, now))
		}
		err = p.write(ctx, now, facts...)
	}
	if errors.Is(err, store.ErrNotFound) {
		err = fmt.Errorf("%w: there is none of yours with the id %q", ErrInvite, inviteID)
	}
	return err
}

// FirstInvite makes an invite for an admin, for a day, when nobody was ever known or invited; else it returns "".
func (p *People) FirstInvite(ctx context.Context, now time.Time) (secret string, err error) {
	untouched, err := p.store.Untouched(ctx)
	if err != nil || !untouched {
		return "", err
	}
	_, secret, err = p.Invite(ctx, Operator(), InviteSpec{Role: auth.RoleAdmin, Uses: 1, TTL: 24 * time.Hour}, now)
	return secret, err
}

// maxPasses is how many are listed of those who were let into a channel.
const maxPasses = 1000

// LetIn returns who was let into a channel for the invited, by their names.
func (p *People) LetIn(ctx context.Context, channelID string) ([]store.User, error) {
	return p.store.AdmittedIn(ctx, channelID, maxPasses)
}

// Uninvite has somebody who was let into a channel be let in no more. That by may do so is for the caller to know. The error wraps
// ErrUnknown when they were not. acknowledge is called when it is remembered, before anybody is told.
func (p *People) Uninvite(ctx context.Context, by auth.Identity, channelID, userID string, now time.Time, acknowledge func()) error {
	user, err := p.user(ctx, userID)
	if err != nil {
		return err
	}
	deed := did(by, identityOf(user), store.Deed{Action: ActionUninvite, ChannelID: channelID}, now)
	if err = p.write(ctx, now, store.Unadmitted{ChannelID: channelID, UserID: userID}, deed); errors.Is(err, store.ErrNotFound) {
		err = fmt.Errorf("%w: %s was not let into %q by an invite", ErrUnknown, userID, channelID)
	}
	if err == nil {
		acknowledge()
		p.tell(Change{UserID: userID, Uninvited: channelID, By: by})
	}
	return err
}

// AdmittedTo returns the channels for the invited into which somebody was let; none when nothing can be read.
func (p *People) AdmittedTo(ctx context.Context, userID string) []string {
	channels, _ := p.store.AdmittedTo(ctx, userID) // said otherwise when the memory is in trouble
	return channels
}

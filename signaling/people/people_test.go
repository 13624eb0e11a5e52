package people

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mini-livechat/mini-livechat/sfu/leaktest"
	"github.com/mini-livechat/mini-livechat/signaling/auth"
	"github.com/mini-livechat/mini-livechat/signaling/protocol"
	"github.com/mini-livechat/mini-livechat/signaling/store"
)

func TestMain(m *testing.M) { leaktest.Main(m) }

var noon = time.UnixMilli(1_800_000_000_123) //nolint:gochecknoglobals // constant

// town is people in a memory of their own, and what was told of them.
type town struct {
	*People

	tb    testing.TB
	store *store.Store
	told  []Change
}

func newTown(tb testing.TB) *town {
	tb.Helper()
	s, err := store.Open("")
	require.NoError(tb, err)
	tb.Cleanup(func() { require.NoError(tb, s.Close()) })
	authority, err := auth.New([]byte("a secret of at least thirty-two bytes"))
	require.NoError(tb, err)
	t := &town{People: New(s, authority, 0), tb: tb, store: s}
	t.Watch(func(c Change) { t.told = append(t.told, c) })
	return t
}

// invite returns the secret of an invite of the operator's.
func (t *town) invite(spec InviteSpec) string {
	t.tb.Helper()
	_, secret, err := t.Invite(t.tb.Context(), Operator(), spec, noon)
	require.NoError(t.tb, err)
	return secret
}

// join makes somebody a person.
func (t *town) join(name string, role auth.Role) Signing {
	t.tb.Helper()
	signing, err := t.Accept(t.tb.Context(), t.invite(InviteSpec{Role: role, Uses: 1}), name, Origin{}, noon)
	require.NoError(t.tb, err)
	return signing
}

// come is what happens when somebody shows a token.
func (t *town) come(token string, now time.Time) (auth.Identity, string, error) {
	t.tb.Helper()
	id, err := t.authority.Verify(token, now)
	if err != nil {
		return id, "", err
	}
	return t.Enter(t.tb.Context(), id, now)
}

func TestWhoOpensAnInviteIsAPerson(t *testing.T) {
	p := newTown(t)
	secret := p.invite(InviteSpec{Role: auth.RoleModerator, ChannelID: "ops", Uses: 1, TTL: time.Hour})
	invite, err := p.Look(t.Context(), secret, noon)
	require.NoError(t, err)
	require.Equal(t, "moderator", invite.Role)
	ada, err := p.Accept(t.Context(), secret, " Ada  L. ", Origin{}, noon)
	require.NoError(t, err)
	require.Equal(t, "ops", ada.ChannelID)
	require.Equal(t, "Ada L.", ada.User.Name)

	id, renewed, err := p.come(ada.Token, noon.Add(time.Minute))
	require.NoError(t, err)
	require.Empty(t, renewed)
	require.Equal(t, ada.User.ID, id.UserID)
	require.Equal(t, auth.RoleModerator, id.Role)
	require.Equal(t, []string{"ops"}, p.AdmittedTo(t.Context(), id.UserID))

	for _, now := range []time.Time{noon, noon.Add(2 * time.Hour)} {
		_, err = p.Look(t.Context(), secret, now)
		require.ErrorIs(t, err, ErrInvite)
		_, err = p.Accept(t.Context(), secret, "Bob", Origin{}, now)
		require.ErrorIs(t, err, ErrInvite)
	}
	_, err = p.Accept(t.Context(), secret+"x", "Bob", Origin{}, noon)
	require.ErrorIs(t, err, ErrInvite)
}

// Of many who use an invite for five at the same time five come in.
func TestInvitesAreNotUsedTooOften(t *testing.T) {
	p := newTown(t)
	secret := p.invite(InviteSpec{Role: auth.RoleMember, Uses: 5})
	var group sync.WaitGroup
	errs := make([]error, 20)
	for i := range errs {
		group.Go(func() {
			_, errs[i] = p.Accept(t.Context(), secret, fmt.Sprint("person ", string(rune('a'+i))), Origin{}, noon)
		})
	}
	group.Wait()
	in := 0
	for _, err := range errs {
		if err == nil {
			in++
		} else {
			require.ErrorIs(t, err, ErrInvite)
		}
	}
	require.Equal(t, 5, in)
	users, err := p.Users(t.Context(), "")
	require.NoError(t, err)
	require.Len(t, users, 5)
}

func TestNamesAreTheirs(t *testing.T) {
	p := newTown(t)
	p.join("Ada", auth.RoleMember)
	for _, name := range []string{"Ada", "ada", "АDА", "Ａｄａ"} { // the third one has Cyrillic letters
		_, err := p.CheckGuestName(t.Context(), name)
		require.ErrorIs(t, err, ErrNameTaken, name)
		_, _, err = p.Enter(t.Context(), auth.Identity{UserID: auth.GuestPrefix + "1", Name: name}, noon)
		require.ErrorIs(t, err, ErrNameTaken, "a guest who was called so before")
		secret := p.invite(InviteSpec{Role: auth.RoleMember, Uses: 1})
		_, err = p.Accept(t.Context(), secret, name, Origin{}, noon)
		require.ErrorIs(t, err, ErrNameTaken)
		_, err = p.Accept(t.Context(), secret, "Eve "+name, Origin{}, noon)
		if name == "Ada" {
			require.NoError(t, err, "the invite was not used up by a name that is taken")
		}
	}
	name, err := p.CheckGuestName(t.Context(), " Bob ")
	require.NoError(t, err)
	require.Equal(t, "Bob", name)
	_, err = p.CheckGuestName(t.Context(), "\u200b")
	require.ErrorIs(t, err, auth.ErrName)
}

// A token in use is replaced by one that lasts longer; one that is not used ends.
func TestLoginsAreRenewedWhileUsed(t *testing.T) {
	p := newTown(t)
	ada := p.join("Ada", auth.RoleMember)
	token, now := ada.Token, noon
	for range 5 {
		now = now.Add(DefaultLoginTTL - time.Hour)
		id, renewed, err := p.come(token, now)
		require.NoError(t, err)
		require.NotEmpty(t, renewed)
		require.WithinDuration(t, now.Add(DefaultLoginTTL), id.ExpiresAt, time.Second)
		_, again, err := p.come(renewed, now.Add(time.Hour))
		require.NoError(t, err)
		require.Empty(t, again, "once a day is enough")
		token = renewed
	}
	_, _, err := p.come(token, now.Add(DefaultLoginTTL+time.Hour))
	require.ErrorIs(t, err, auth.ErrTokenExpired)
}

func TestLoginsAreTakenBack(t *testing.T) {
	p := newTown(t)
	ada := p.join("Ada", auth.RoleMember)
	second, err := p.login(t.Context(), ada.User, noon)
	require.NoError(t, err)
	first, _, err := p.come(ada.Token, noon)
	require.NoError(t, err)
	require.NoError(t, p.SignOut(t.Context(), first, noon))
	_, _, err = p.come(ada.Token, noon)
	require.ErrorIs(t, err, ErrSignedOut)
	require.ErrorIs(t, err, auth.ErrInvalidToken)
	_, _, err = p.come(second.Token, noon)
	require.NoError(t, err, "the other browser stays")
	require.Equal(t, []Change{{UserID: ada.User.ID, SignedOut: true, TokenID: first.TokenID}}, p.told)

	require.NoError(t, p.Logout(t.Context(), Operator(), ada.User.ID, noon))
	_, _, err = p.come(second.Token, noon)
	require.ErrorIs(t, err, ErrSignedOut)
	require.Equal(t, Change{UserID: ada.User.ID, SignedOut: true}, p.told[1])
	require.ErrorIs(t, p.Logout(t.Context(), Operator(), "nobody", noon), ErrUnknown)
}

// What the store says of people counts from the next time on; a token of the operator's adds to it.
func TestRolesAreLookedUp(t *testing.T) {
	p := newTown(t)
	ada := p.join("Ada", auth.RoleAdmin)
	require.NoError(t, p.SetRole(t.Context(), Operator(), ada.User.ID, auth.RoleGuest, noon))
	require.Equal(t, []Change{{UserID: ada.User.ID, Role: auth.RoleGuest}}, p.told)
	id, _, err := p.come(ada.Token, noon)
	require.NoError(t, err)
	require.Equal(t, auth.RoleGuest, id.Role)

	minted, err := p.authority.Mint(auth.Identity{UserID: ada.User.ID, Role: auth.RoleAdmin}, noon, time.Hour)
	require.NoError(t, err)
	id, _, err = p.come(minted, noon)
	require.NoError(t, err)
	require.Equal(t, auth.RoleAdmin, id.Role)
	_, err = p.SignIn(t.Context(), "ldap:bob", "Bob", auth.RoleMember, time.Hour, noon)
	require.NoError(t, err)
	require.NoError(t, p.SetRole(t.Context(), Operator(), "ldap:bob", auth.RoleModerator, noon))
	minted, err = p.authority.Mint(auth.Identity{UserID: "ldap:bob"}, noon, time.Hour)
	require.NoError(t, err)
	id, _, err = p.come(minted, noon)
	require.NoError(t, err)
	require.Equal(t, auth.RoleModerator, id.Role)

	moderator := auth.Identity{UserID: "ldap:bob", Role: auth.RoleModerator}
	require.ErrorIs(t, p.SetRole(t.Context(), moderator, "ldap:bob", auth.RoleMember, noon), ErrNotAllowed, "an equal")
	require.ErrorIs(t, p.SetRole(t.Context(), moderator, ada.User.ID, auth.RoleModerator, noon), ErrNotAllowed)
	require.NoError(t, p.SetRole(t.Context(), moderator, ada.User.ID, auth.RoleMember, noon))
	require.ErrorIs(t, p.SetRole(t.Context(), Operator(), "nobody", auth.RoleMember, noon), ErrUnknown)
}

func TestWhoMayInvite(t *testing.T) {
	p := newTown(t)
	moderator := auth.Identity{UserID: "bob", Name: "Bob", Role: auth.RoleModerator}
	for role, err := range map[auth.Role]error{auth.RoleAdmin: ErrNotAllowed, auth.RoleModerator: ErrNotAllowed, auth.RoleMember: nil, auth.RoleGuest: nil} {
		_, _, got := p.Invite(t.Context(), moderator, InviteSpec{Role: role}, noon)
		require.ErrorIs(t, got, err, role)
	}
	for _, spec := range []InviteSpec{{Uses: -1}, {Uses: MaxInviteUses + 1}, {TTL: time.Second}, {TTL: -time.Hour}, {TTL: MaxInviteTTL + 1}} {
		_, _, err := p.Invite(t.Context(), Operator(), spec, noon)
		require.ErrorIs(t, err, ErrBadRequest)
	}
	mine, err := p.Invites(t.Context(), moderator)
	require.NoError(t, err)
	require.Len(t, mine, 2)
	others, _, err := p.Invite(t.Context(), Operator(), InviteSpec{Role: auth.RoleAdmin}, noon)
	require.NoError(t, err)
	all, err := p.Invites(t.Context(), auth.Identity{UserID: "ada", Role: auth.RoleAdmin})
	require.NoError(t, err)
	require.Len(t, all, 3)
	require.ErrorIs(t, p.Revoke(t.Context(), moderator, others.ID, noon), ErrInvite)
	require.NoError(t, p.Revoke(t.Context(), moderator, mine[0].ID, noon))
	require.ErrorIs(t, p.Revoke(t.Context(), moderator, mine[0].ID, noon), ErrInvite)
	require.NoError(t, p.Revoke(t.Context(), Operator(), others.ID, noon))
}

// Who is a person already gets what an invite gives, and stays who they are.
func TestAcceptAs(t *testing.T) {
	p := newTown(t)
	ada := p.join("Ada", auth.RoleMember)
	id, err := p.authority.Verify(ada.Token, noon)
	require.NoError(t, err)
	secret := p.invite(InviteSpec{Role: auth.RoleModerator, ChannelID: "ops", Uses: 1})
	signing, err := p.AcceptAs(t.Context(), secret, id, noon)
	require.NoError(t, err)
	require.Equal(t, ada.User.ID, signing.User.ID)
	require.Equal(t, "moderator", signing.User.Role)
	require.Equal(t, "ops", signing.ChannelID)
	require.Equal(t, []Change{{UserID: ada.User.ID, Role: auth.RoleModerator, ChannelID: "ops"}}, p.told)
	_, err = p.AcceptAs(t.Context(), secret, id, noon)
	require.ErrorIs(t, err, ErrInvite, "used up")

	less := p.invite(InviteSpec{Role: auth.RoleMember, ChannelID: "ops", Uses: 1})
	_, err = p.AcceptAs(t.Context(), less, id, noon)
	require.NoError(t, err)
	invite, err := p.Look(t.Context(), less, noon)
	require.NoError(t, err)
	require.Zero(t, invite.Used, "it gave nothing")
	_, err = p.AcceptAs(t.Context(), less, auth.Identity{UserID: auth.GuestPrefix + "1", Name: "Bob"}, noon)
	require.ErrorIs(t, err, ErrUnknown)
}

// A link signs one browser in as who it is for, and nobody in any other way.
func TestSignInLinks(t *testing.T) {
	p := newTown(t)
	ada, bob := p.join("Ada", auth.RoleModerator), p.join("Bob", auth.RoleMember)
	link := func() string {
		t.Helper()
		_, secret, err := p.SignInLink(t.Context(), Operator(), ada.User.ID, noon)
		require.NoError(t, err)
		return secret
	}
	secret := link()
	again, err := p.Accept(t.Context(), secret, "whatever", Origin{}, noon)
	require.NoError(t, err)
	require.Equal(t, ada.User, again.User)
	require.NotEqual(t, ada.Token, again.Token)
	for _, token := range []string{ada.Token, again.Token} {
		id, _, failed := p.come(token, noon)
		require.NoError(t, failed)
		require.Equal(t, ada.User.ID, id.UserID)
		require.Equal(t, auth.RoleModerator, id.Role)
	}
	_, err = p.Accept(t.Context(), secret, "Ada", Origin{}, noon)
	require.ErrorIs(t, err, ErrInvite, "once")
	_, err = p.Accept(t.Context(), link(), "Ada", Origin{}, noon.Add(24*time.Hour))
	require.ErrorIs(t, err, ErrInvite, "for a day")

	secret = link()
	asBob, err := p.authority.Verify(bob.Token, noon)
	require.NoError(t, err)
	_, err = p.AcceptAs(t.Context(), secret, asBob, noon)
	require.ErrorIs(t, err, ErrInvite)
	require.NoError(t, p.Logout(t.Context(), Operator(), ada.User.ID, noon))
	_, err = p.Accept(t.Context(), secret, "Ada", Origin{}, noon)
	require.ErrorIs(t, err, ErrInvite, "signed out everywhere")
	secret = link()
	_, err = p.Ban(t.Context(), Operator(), auth.Identity{UserID: ada.User.ID}, Origin{}, time.Hour, "", noon)
	require.NoError(t, err)
	_, err = p.Accept(t.Context(), secret, "Ada", Origin{}, noon)
	banned := &BannedError{}
	require.ErrorAs(t, err, &banned)
	require.NoError(t, p.Delete(t.Context(), Operator(), ada.User.ID, true, noon))
	_, err = p.Look(t.Context(), secret, noon)
	require.ErrorIs(t, err, ErrInvite)
	_, _, err = p.SignInLink(t.Context(), Operator(), ada.User.ID, noon)
	require.ErrorIs(t, err, ErrUnknown)
}

// What is decided about people is in the audit, with who decided it.
func TestTheAuditHasWhatIsDecided(t *testing.T) {
	p := newTown(t)
	ada := auth.Identity{UserID: "ada", Name: "Ada", Role: auth.RoleAdmin}
	bob := p.join("Bob", auth.RoleMember)
	require.NoError(t, p.SetRole(t.Context(), ada, bob.User.ID, auth.RoleModerator, noon))
	require.NoError(t, p.SetRole(t.Context(), ada, bob.User.ID, auth.RoleModerator, noon), "which he is already")
	mine, _, err := p.Invite(t.Context(), ada, InviteSpec{Role: auth.RoleMember}, noon)
	require.NoError(t, err)
	asBob := auth.Identity{UserID: bob.User.ID, Name: "Bob", Role: auth.RoleModerator}
	his, _, err := p.Invite(t.Context(), asBob, InviteSpec{Role: auth.RoleMember}, noon)
	require.NoError(t, err)
	require.NoError(t, p.Revoke(t.Context(), ada, mine.ID, noon))
	require.NoError(t, p.Revoke(t.Context(), ada, his.ID, noon))
	_, _, err = p.SignInLink(t.Context(), Operator(), bob.User.ID, noon)
	require.NoError(t, err)
	require.NoError(t, p.RevokeToken(t.Context(), Operator(), "t1", noon, noon))
	require.NoError(t, p.RevokeTokens(t.Context(), Operator(), "somebody", noon))
	require.NoError(t, p.Logout(t.Context(), Operator(), bob.User.ID, noon))
	asCy, err := p.authority.Verify(p.join("Cy", auth.RoleMember).Token, noon)
	require.NoError(t, err)
	_, err = p.AcceptAs(t.Context(), p.invite(InviteSpec{Role: auth.RoleModerator, Uses: 1}), asCy, noon)
	require.NoError(t, err)
	require.NoError(t, p.SignOut(t.Context(), asCy, noon), "which is one's own business")
	said := func() (lines []string) {
		page, failed := p.AuditPage(t.Context(), protocol.AuditRequest{Limit: MaxAudit}, noon)
		require.NoError(t, failed)
		for _, d := range page.Deeds {
			reason, _, _ := strings.Cut(d.Reason, " ")
			lines = append(lines, strings.TrimSpace(fmt.Sprint(d.ByName, ":", d.Action, " ", d.Name, " ", d.Role, " ", reason)))
		}
		slices.Reverse(lines)
		return lines
	}
	require.Equal(t, []string{
		"Ada:role Bob moderator", "Ada:revoke Bob  invite", ":login Bob", ":revoke   token", ":revoke   all", ":logout Bob",
		":role Cy moderator invite",
	}, said())
	require.NoError(t, p.Delete(t.Context(), Operator(), bob.User.ID, true, noon))
	now := said()
	require.Equal(t, []string{"Ada:role  moderator", ":delete"}, []string{now[0], now[len(now)-1]}, "without his name")
}

func TestFirstInviteIsMadeOnce(t *testing.T) {
	p := newTown(t)
	secret, err := p.FirstInvite(t.Context(), noon)
	require.NoError(t, err)
	again, err := p.FirstInvite(t.Context(), noon)
	require.NoError(t, err)
	require.Empty(t, again)
	ada, err := p.Accept(t.Context(), secret, "Ada", Origin{}, noon)
	require.NoError(t, err)
	require.Equal(t, "admin", ada.User.Role)
}

func TestDeletedPeopleAreGone(t *testing.T) {
	p := newTown(t)
	bob := p.join("Bob", auth.RoleMember)
	require.NoError(t, p.Delete(t.Context(), Operator(), bob.User.ID, true, noon))
	require.Len(t, p.told, 1)
	require.Equal(t, Change{UserID: bob.User.ID, SignedOut: true, Alias: p.told[0].Alias}, p.told[0])
	require.Regexp(t, "^deleted-", p.told[0].Alias)
	_, _, err := p.come(bob.Token, noon)
	require.ErrorIs(t, err, ErrSignedOut)
	_, err = p.CheckGuestName(t.Context(), "Bob")
	require.NoError(t, err)
	require.ErrorIs(t, p.Delete(t.Context(), Operator(), bob.User.ID, true, noon), ErrUnknown)
}

func TestPeopleAreFoundByName(t *testing.T) {
	p := newTown(t)
	ada := p.join("Ada", auth.RoleMember)
	for _, name := range []string{ada.User.ID, "Ada", "ada"} {
		got, err := p.User(t.Context(), name)
		require.NoError(t, err)
		require.Equal(t, ada.User.ID, got.ID)
		require.Equal(t, 1, got.Logins)
	}
	const id = "guest-01jd9zqk2w4m8x1b7c5v3n6t0r"
	trap := p.join(id, auth.RoleMember)
	_, err := p.User(t.Context(), id)
	require.ErrorIs(t, err, ErrUnknown, "who says an id means nobody who is called so")
	whom, err := p.Whom(t.Context(), id)
	require.NoError(t, err)
	require.Equal(t, id, whom.UserID)
	got, err := p.User(t.Context(), trap.User.ID)
	require.NoError(t, err)
	require.Equal(t, id, got.Name)
	_, err = p.User(t.Context(), "АdА")
	require.ErrorIs(t, err, ErrUnknown)
	require.ErrorContains(t, err, ada.User.ID, "what looks like a name is no name, but may be meant")
	require.NoError(t, p.Rename(t.Context(), ada.User.ID, "Bob", noon))
	_, err = p.User(t.Context(), "Ada")
	require.ErrorIs(t, err, ErrUnknown)
}

// An issuer's people are known from the first time on; a name that is taken gets a number. The role is the token's.
func TestSignIn(t *testing.T) {
	p := newTown(t)
	p.join("Ada", auth.RoleMember)
	ada, err := p.SignIn(t.Context(), "oidc-1", "Ada", auth.RoleModerator, time.Hour, noon)
	require.NoError(t, err)
	require.Equal(t, "Ada 2", ada.User.Name)
	require.Equal(t, "member", ada.User.Role)
	id, renewed, err := p.come(ada.Token, noon)
	require.NoError(t, err)
	require.Empty(t, renewed, "it ends, and the issuer is asked again")
	require.Equal(t, auth.RoleModerator, id.Role)
	_, _, err = p.come(ada.Token, noon.Add(time.Hour))
	require.ErrorIs(t, err, auth.ErrTokenExpired)

	again, err := p.SignIn(t.Context(), "oidc-1", "Ada L.", auth.RoleMember, time.Hour, noon)
	require.NoError(t, err)
	require.Equal(t, ada.User, again.User, "who is known is called as before")
	id, _, err = p.come(again.Token, noon)
	require.NoError(t, err)
	require.Equal(t, auth.RoleMember, id.Role, "the issuer took it back")
	require.NoError(t, p.SetRole(t.Context(), Operator(), "oidc-1", auth.RoleAdmin, noon))
	id, _, err = p.come(again.Token, noon)
	require.NoError(t, err)
	require.Equal(t, auth.RoleAdmin, id.Role, "what is given here adds up with it")

	for _, odd := range []string{"", "Admin", "a\u202eb"} {
		odd, err := p.SignIn(t.Context(), fmt.Sprintf("oidc-%x", odd), odd, auth.RoleMember, time.Hour, noon)
		require.NoError(t, err)
		require.Contains(t, odd.User.Name, "Somebody")
	}
}

// Calls go on when nothing can be read: then a token's own word counts.
func TestWithoutMemory(t *testing.T) {
	p := newTown(t)
	ada := p.join("Ada", auth.RoleAdmin)
	require.NoError(t, p.store.Close())
	id, _, err := p.come(ada.Token, noon)
	require.NoError(t, err)
	require.Equal(t, "Ada", id.Name)
	require.Equal(t, auth.RoleMember, id.Role)
	_, err = p.CheckGuestName(t.Context(), "Bob")
	require.NoError(t, err)
	_, _, err = p.Enter(t.Context(), auth.Identity{UserID: auth.GuestPrefix + "1", Name: "Bob"}, noon)
	require.NoError(t, err)
}

package people

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mini-livechat/mini-livechat/signaling/auth"
)

func TestTokensAreTakenBack(t *testing.T) {
	p := newTown(t)
	mint := func(userID string, at time.Time) string {
		token, err := p.authority.Mint(auth.Identity{UserID: userID}, at, time.Hour)
		require.NoError(t, err)
		return token
	}
	first, second, bobs := mint("ada", noon), mint("ada", noon), mint("bob", noon)
	id, _, err := p.come(first, noon)
	require.NoError(t, err)

	// One, by its id.
	require.NoError(t, p.RevokeToken(t.Context(), Operator(), id.TokenID, id.ExpiresAt, noon))
	_, _, err = p.come(first, noon)
	require.ErrorIs(t, err, auth.ErrTokenRevoked)
	_, _, err = p.come(second, noon)
	require.NoError(t, err, "another of the same person is another")
	require.Equal(t, []Change{{SignedOut: true, TokenID: id.TokenID}}, p.told)

	// All of somebody who is not known, up to now.
	later := noon.Add(time.Minute)
	require.NoError(t, p.RevokeTokens(t.Context(), Operator(), "ada", later))
	_, _, err = p.come(second, later)
	require.ErrorIs(t, err, auth.ErrTokenRevoked)
	_, _, err = p.come(mint("ada", later), later)
	require.ErrorIs(t, err, auth.ErrTokenRevoked, "of the same second")
	_, _, err = p.come(mint("ada", later.Add(time.Second)), later.Add(time.Second))
	require.NoError(t, err)
	_, _, err = p.come(bobs, later)
	require.NoError(t, err)
	require.Equal(t, Change{UserID: "ada", SignedOut: true}, p.told[1])

	require.ErrorIs(t, p.RevokeToken(t.Context(), Operator(), "a b", noon, noon), auth.ErrTokenID)
	require.ErrorIs(t, p.RevokeTokens(t.Context(), Operator(), "", noon), auth.ErrUserID)
}

// Where clocks are apart, and nobody can tell which is right, no token of one that is ahead is left out.
func TestTokensOfAClockThatIsAheadAreTakenBack(t *testing.T) {
	p := newTown(t)
	p.authority.Tolerate(func() time.Duration { return time.Hour })
	token, err := p.authority.Mint(auth.Identity{UserID: "ada"}, noon.Add(time.Hour-time.Second), time.Hour)
	require.NoError(t, err)
	_, _, err = p.come(token, noon)
	require.NoError(t, err)
	require.NoError(t, p.RevokeTokens(t.Context(), Operator(), "ada", noon))
	_, _, err = p.come(token, noon)
	require.ErrorIs(t, err, auth.ErrTokenRevoked)
}

// Who is signed out everywhere is so by any token; who signs out by one, by that.
func TestSigningOutTakesOtherTokensBackToo(t *testing.T) {
	p := newTown(t)
	ada := p.join("Ada", auth.RoleMember)
	mint := func(userID string) (string, auth.Identity) {
		token, err := p.authority.Mint(auth.Identity{UserID: userID}, noon, time.Hour)
		require.NoError(t, err)
		id, err := p.authority.Verify(token, noon)
		require.NoError(t, err)
		return token, id
	}
	one, id := mint(ada.User.ID)
	other, _ := mint(ada.User.ID)
	require.NoError(t, p.SignOut(t.Context(), id, noon))
	_, _, err := p.come(one, noon)
	require.ErrorIs(t, err, auth.ErrTokenRevoked)
	for _, token := range []string{other, ada.Token} {
		_, _, err = p.come(token, noon)
		require.NoError(t, err)
	}
	require.NoError(t, p.Logout(t.Context(), Operator(), ada.User.ID, noon.Add(time.Second)))
	_, _, err = p.come(other, noon)
	require.ErrorIs(t, err, auth.ErrTokenRevoked)
	_, _, err = p.come(ada.Token, noon)
	require.ErrorIs(t, err, ErrSignedOut)

	// A guest leaves nothing behind.
	token, guest := mint(auth.GuestPrefix + strings.Repeat("x", 26))
	seq := p.store.Seq()
	require.NoError(t, p.SignOut(t.Context(), guest, noon))
	require.Equal(t, seq, p.store.Seq())
	_, _, err = p.come(token, noon)
	require.NoError(t, err)
}

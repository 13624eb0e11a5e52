package store

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestRevokedTokensAreRemembered(t *testing.T) {
	t.Parallel()
	for name, s := range kinds(t) {
		t.Run(name, func(t *testing.T) {
			revoked := func(tokenID, userID string, issued time.Time) bool {
				yes, err := s.Revoked(t.Context(), tokenID, userID, issued)
				require.NoError(t, err)
				return yes
			}
			require.False(t, revoked("t1", "ada", noon))
			add(t, s, TokenRevoked{"t1", noon.Add(time.Hour)}, TokensRevoked{"bob", noon, noon.Add(time.Hour)})
			require.True(t, revoked("t1", "ada", noon.Add(time.Minute)), "whenever it was made")
			require.False(t, revoked("t2", "ada", noon))
			require.False(t, revoked("", "ada", noon), "one without a name is nobody's in particular")
			require.True(t, revoked("t2", "bob", noon))
			require.True(t, revoked("t2", "bob", noon.Add(-time.Minute)))
			require.True(t, revoked("", "bob", time.Time{}), "one that does not say when it was made")
			require.False(t, revoked("t2", "bob", noon.Add(time.Second)), "one that was made afterwards")

			// Twice is once, and the later of both.
			add(t, s, TokensRevoked{"bob", noon.Add(-time.Hour), noon}, TokenRevoked{"t1", noon})
			require.True(t, revoked("t2", "bob", noon))

			// They are forgotten when the tokens have long expired, and not before.
			require.NoError(t, s.forgetDoors(t.Context(), noon.Add(time.Hour+wonderFor)))
			require.True(t, revoked("t1", "ada", noon))
			require.True(t, revoked("t2", "bob", noon))
			seq := s.Seq()
			require.NoError(t, s.forgetDoors(t.Context(), noon.Add(time.Hour+wonderFor+time.Second)))
			require.False(t, revoked("t1", "ada", noon))
			require.False(t, revoked("t2", "bob", noon))
			require.Equal(t, seq+1, s.Seq())
			require.NoError(t, s.forgetDoors(t.Context(), noon.Add(time.Hour+wonderFor+time.Second)))
			require.Equal(t, seq+1, s.Seq(), "nothing is written where there is nothing to forget")
		})
	}
}

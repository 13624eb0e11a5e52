package people

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mini-livechat/mini-livechat/signaling/auth"
	"github.com/mini-livechat/mini-livechat/signaling/store"
)

// What moderators decide while nothing can be kept holds, until it is decided otherwise; and is kept when it is decided again.
func TestUnkept(t *testing.T) {
	ctx := t.Context()
	dir := filepath.Join(t.TempDir(), "not mounted")
	s, err := store.OpenAiling(filepath.Join(dir, store.FileName), errors.New("no disk"), nil)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	authority, err := auth.New([]byte("a secret of at least thirty-two bytes"))
	require.NoError(t, err)
	p := New(s, authority, 0)
	guest := func(id string) auth.Identity { return auth.Identity{UserID: auth.GuestPrefix + id} }
	phone, here := Origin{Device: "a phone"}, Origin{Network: "192.0.2.7/32"}
	unkept := func(err error) {
		t.Helper()
		require.ErrorIs(t, err, ErrUnkept)
		require.ErrorIs(t, err, store.ErrTrouble)
	}
	banned := func(who auth.Identity, from Origin, now time.Time) bool {
		t.Helper()
		refusal := p.Admit(ctx, who, from, now)
		if refusal != nil {
			require.IsType(t, &BannedError{}, refusal)
		}
		return refusal != nil
	}
	ban, err := p.Ban(ctx, Operator(), guest("1"), phone, time.Hour, "spam", noon)
	unkept(err)
	require.True(t, banned(guest("1"), Origin{}, noon))
	require.True(t, banned(guest("2"), phone, noon))
	require.False(t, banned(guest("2"), here, noon))
	require.False(t, banned(auth.Identity{UserID: "ada"}, phone, noon))
	require.False(t, banned(guest("1"), phone, noon.Add(time.Hour)), "it ends by itself")
	_, err = p.Ban(ctx, Operator(), guest("1"), phone, 0, "", noon)
	unkept(err)
	require.ErrorIs(t, p.LiftBan(ctx, Operator(), ban.UserID, noon), store.ErrTrouble)
	require.False(t, banned(guest("1"), phone, noon))

	muted := func(channelID string) bool {
		m, _ := p.MutedIn(ctx, "ada", Origin{}, channelID)
		return m
	}
	ada := auth.Identity{UserID: "ada"}
	unkept(p.Mute(ctx, Operator(), ada, Origin{}, "lobby", false, true, noon))
	require.True(t, muted("lobby"))
	require.False(t, muted("den"))
	unkept(p.Mute(ctx, Operator(), ada, Origin{}, "lobby", true, true, noon))
	require.True(t, muted("den"))
	unkept(p.Mute(ctx, Operator(), ada, Origin{}, "lobby", true, false, noon))
	require.False(t, muted("lobby") || muted("den"))
	unkept(p.Mute(ctx, Operator(), ada, Origin{}, "lobby", false, true, noon))
	_, err = p.Ban(ctx, Operator(), ada, Origin{}, 0, "", noon)
	unkept(err)

	require.NoError(t, os.Mkdir(dir, 0o700))
	require.Eventually(t, func() bool { return s.Trouble() == nil }, time.Minute, 10*time.Millisecond)
	require.True(t, muted("lobby") && banned(ada, Origin{}, noon), "it holds on")
	bans, err := p.Bans(ctx, noon)
	require.NoError(t, err)
	require.Len(t, bans, 1)
	require.NoError(t, p.LiftBan(ctx, Operator(), bans[0].ID, noon), "though it was never kept")
	require.False(t, banned(ada, Origin{}, noon))
	require.ErrorIs(t, p.LiftBan(ctx, Operator(), "ada", noon), ErrUnknown)
	require.NoError(t, p.Mute(ctx, Operator(), ada, Origin{}, "lobby", false, true, noon))
	p = New(s, authority, 0)
	require.True(t, muted("lobby"), "it is kept")
}

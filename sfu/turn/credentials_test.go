package turn

import (
	"strings"
	"testing"
	"time"

	"github.com/pion/stun/v4"
	"github.com/stretchr/testify/require"
)

func TestUsername(t *testing.T) {
	m := newMinter()
	now := time.Unix(1_700_000_000, 1)
	c := m.mint("01SESSION", now)
	require.Equal(t, "1700000001:01SESSION", c.Username)
	require.Equal(t, time.Unix(1_700_000_001, 0), c.Expires)
	require.NotEqual(t, c.Password, newMinter().mint("01SESSION", now).Password, "another server's secret")

	session, expires, ok := parseUsername(c.Username)
	require.True(t, ok)
	require.Equal(t, "01SESSION", session)
	require.Equal(t, c.Expires, expires)
	for _, bad := range []string{
		"", ":", "1:", ":a", "a:b", "1700000001", "+1:a", " 1:a", "01:a", "1e9:a", "0x1:a", "-0:a",
		"99999999999999999999:a", "1:" + strings.Repeat("a", 300),
	} {
		_, _, ok := parseUsername(bad)
		require.False(t, ok, "%q", bad)
	}
}

func FuzzUsername(f *testing.F) {
	f.Add("1700000001:01SESSION")
	f.Fuzz(func(t *testing.T, username string) {
		session, expires, ok := parseUsername(username)
		if !ok {
			return
		}
		if back := newMinter().mint(session, expires).Username; back != username {
			t.Fatalf("%q is also written %q", username, back)
		}
	})
}

func TestWhoMayAllocate(t *testing.T) {
	r := start(t)
	good := r.grant("ada")
	other := r.grant("ben")
	expired := r.grantAt("ada", time.Now().Add(-2*DefaultTTL))
	r.grant("gone")
	gone := r.grant("gone")
	r.Revoke("gone")
	unknown := r.minter.mint("nobody", time.Now().Add(time.Hour))
	swapped := Credentials{Username: other.Username, Password: good.Password}
	longer := Credentials{Username: strings.Replace(expired.Username, "1", "2", 1), Password: expired.Password}
	wrong := Credentials{Username: good.Username, Password: good.Password + "x"}

	for name, test := range map[string]struct {
		creds Credentials
		want  int
	}{
		"good":                             {good, 0},
		"wrong password":                   {wrong, 401},
		"expired":                          {expired, 401},
		"expired, its expiry moved":        {longer, 401},
		"of a session that has ended":      {gone, 401},
		"of a session that never was":      {unknown, 401},
		"another's name, one's own secret": {swapped, 401},
		"no such form":                     {Credentials{Username: "ada", Password: good.Password}, 401},
	} {
		t.Run(name, func(t *testing.T) {
			require.Equal(t, test.want, code(t, r.overUDP(test.creds).allocate()), "over UDP")
			require.Equal(t, test.want, code(t, r.overTCP(test.creds).allocate()), "over TCP")
		})
	}
	require.Equal(t, 2, r.Stats().Allocations)
}

func TestStaleNonce(t *testing.T) {
	r := start(t)
	c := r.overTCP(r.grant("ada"))
	c.challenge()
	good := c.nonce
	for _, bad := range []string{"stale", "0000000000000000000000000", string(good[:len(good)-1]) + "_"} {
		c.nonce = stun.NewNonce(bad)
		reply := c.allocate()
		require.Equal(t, 438, code(t, reply), bad)
		var fresh stun.Nonce
		require.NoError(t, fresh.GetFrom(reply), "438 carries a fresh nonce")
		require.NotEqual(t, bad, fresh.String())
	}
	c.nonce = good
	c.mustAllocate()
}

// Every request on an allocation is checked, not only the first.
func TestCheckedOnEveryRequest(t *testing.T) {
	r := start(t)
	good := r.grant("ada")
	for name, test := range map[string]struct {
		method stun.Method
		attrs  []stun.Setter
	}{
		"Refresh":          {stun.MethodRefresh, nil},
		"CreatePermission": {stun.MethodCreatePermission, []stun.Setter{peer(publicV4())}},
		"ChannelBind":      {stun.MethodChannelBind, []stun.Setter{channelNumber(0x4000), peer(publicV4())}},
	} {
		t.Run(name, func(t *testing.T) {
			c := r.overTCP(good).mustAllocate()
			require.Zero(t, code(t, c.request(test.method, test.attrs...)))

			c.use(Credentials{Username: good.Username, Password: "wrong"})
			require.Equal(t, 401, code(t, c.request(test.method, test.attrs...)), "wrong password")
			c.use(r.minter.mint("nobody", time.Now().Add(time.Hour)))
			require.Equal(t, 401, code(t, c.request(test.method, test.attrs...)), "no such session")
			nonce := c.nonce
			c.use(good)
			c.nonce = stun.NewNonce("stale")
			require.Equal(t, 438, code(t, c.request(test.method, test.attrs...)), "stale nonce")
			c.nonce = nonce

			// Newer credentials of the session are as good as those it began with.
			c.use(r.grantAt("ada", time.Now().Add(time.Minute)))
			require.Zero(t, code(t, c.request(test.method, test.attrs...)))
			// Expired ones keep what the session has, or a call would end with them …
			c.use(r.grantAt("ada", time.Now().Add(-2*DefaultTTL)))
			require.Zero(t, code(t, c.request(test.method, test.attrs...)))
			// … and are worth nothing to a session that has nothing.
			idle := r.overTCP(r.grantAt("idle", time.Now().Add(-2*DefaultTTL)))
			require.Equal(t, 401, code(t, idle.request(test.method, test.attrs...)), "expired")

			// A session's end is everybody's.
			r.grant("eve")
			gone := r.overTCP(r.grant("eve")).mustAllocate()
			r.Revoke("eve")
			require.Equal(t, 401, code(t, gone.request(test.method, test.attrs...)), "after the session's end")
		})
	}
}

// Whoever speaks from the address of somebody else's allocation, with credentials of
// their own, gets nowhere with it.
func TestAnotherUsersAllocation(t *testing.T) {
	r := start(t)
	ada := r.grant("ada")
	c := r.overUDP(ada).mustAllocate()
	require.Zero(t, code(t, c.request(stun.MethodCreatePermission, peer(publicV4()))))
	c.use(r.grant("ben"))
	for name, setters := range map[string][]stun.Setter{
		"Refresh":          c.authenticated(stun.MethodRefresh, lifetime(0)),
		"CreatePermission": c.authenticated(stun.MethodCreatePermission, peer(publicV4())),
		"ChannelBind":      c.authenticated(stun.MethodChannelBind, channelNumber(0x4000), peer(publicV4())),
	} {
		if reply := c.try(300*time.Millisecond, setters...); reply != nil {
			require.NotZero(t, code(t, reply), name)
		}
	}
	require.Equal(t, 437, code(t, c.allocate()), "a second allocation on the same 5-tuple")
	c.use(ada)
	require.Zero(t, code(t, c.request(stun.MethodRefresh)), "it is still ada's")
	require.Equal(t, 1, r.Stats().Allocations)
}

func TestRevokeClosesAllocations(t *testing.T) {
	r := start(t)
	creds := r.grant("ada")
	r.grant("ben")
	clients := []*raws{r.overUDP(creds), r.overTCP(creds)}
	for _, c := range clients {
		c.mustAllocate()
		require.Zero(t, code(t, c.request(stun.MethodCreatePermission, peer(publicV4()))))
		before := r.media.heard("in time")
		eventually(t, "data is relayed", func() bool {
			c.indicate(publicV4(), "in time")
			return r.media.heard("in time") > before
		})
	}
	staying := r.overTCP(r.grant("ben")).mustAllocate()

	revoked := time.Now()
	r.Revoke("ada")
	require.Equal(t, 1, r.Stats().Allocations, "when Revoke returns they are closed")
	require.Less(t, time.Since(revoked), 20*time.Second)
	for _, c := range clients {
		for range 20 {
			c.indicate(publicV4(), "too late")
		}
		require.Equal(t, 401, code(t, c.allocate()))
	}
	time.Sleep(50 * time.Millisecond) // what was relayed would be on its way
	require.Zero(t, r.media.heard("too late"), "not one byte after the end")
	require.Zero(t, code(t, staying.request(stun.MethodRefresh)), "the others are not concerned")
}

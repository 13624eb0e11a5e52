package auth_test

import (
	"encoding/base64"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mini-livechat/mini-livechat/signaling/auth"
)

func TestGrantsAreMintedAndVerified(t *testing.T) {
	t.Parallel()
	a := authority(t, secret)
	for name, grants := range map[string]auth.Grants{
		"none": {},
		"all of them": {
			Role: new(auth.RoleModerator), Channels: []string{"ops-*", "lobby"}, Create: auth.Granted, Publish: auth.Withheld, Chat: auth.Granted,
			Moderate: true, Record: true, PriorityMax: auth.MaxPriority,
		},
		"nothing at all": {
			Role: new(auth.RoleGuest), Channels: []string{}, Create: auth.Withheld, Publish: auth.Withheld, Chat: auth.Withheld,
		},
	} {
		token, err := a.Mint(auth.Identity{UserID: "ada", Grants: grants}, testNow(), time.Hour)
		require.NoError(t, err)
		got, err := a.Verify(token, testNow())
		require.NoError(t, err)
		require.Equal(t, grants, got.Grants, name)
		role := auth.RoleMember
		if grants.Role != nil {
			role = *grants.Role
		}
		require.Equal(t, role, got.Role, name)
	}
	for _, grants := range []auth.Grants{
		{Channels: []string{""}},
		{Channels: []string{"a b"}},
		{Channels: []string{"ops-?"}},
		{Channels: []string{strings.Repeat("x", 65)}},
		{Channels: make([]string, auth.MaxPatterns+1)},
		{PriorityMax: -1},
		{PriorityMax: 256},
	} {
		_, err := a.Mint(auth.Identity{UserID: "ada", Grants: grants}, testNow(), time.Hour)
		require.ErrorIs(t, err, auth.ErrGrants)
	}
}

func TestGrantsAreReadStrictly(t *testing.T) {
	t.Parallel()
	a := authority(t, secret)
	header := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"HS256"}`))
	verify := func(claim string) (auth.Identity, error) {
		body := fmt.Sprintf(`{"iss":"livechat","sub":"ada","exp":%d,%s}`, testNow().Unix()+60, claim)
		return a.Verify(forgeRaw(header, base64.RawURLEncoding.EncodeToString([]byte(body))), testNow())
	}
	for claim, want := range map[string]auth.Grants{
		`"Publish":false,"CHANNELS":["a"]`: {},
		`"channels":[]`:                    {Channels: []string{}},
		`"channels":["*"],"create":true`:   {Channels: []string{"*"}, Create: auth.Granted},
		`"priority_max":0,"record":false`:  {},
		`"role":"guest"`:                   {Role: new(auth.RoleGuest)},
	} {
		id, err := verify(claim)
		require.NoError(t, err, claim)
		require.Equal(t, want, id.Grants, claim)
	}
	many := `"x"` + strings.Repeat(`,"x"`, auth.MaxPatterns)
	for _, claim := range []string{
		`"channels":"ops-*"`, `"channels":null`, `"channels":[null]`, `"channels":[1]`, `"channels":[["a"]]`, `"channels":{}`,
		`"channels":[""]`, `"channels":["a/b"]`, `"channels":["é"]`, `"channels":["a\u0000"]`, `"channels":[` + many + `]`,
		`"create":1`, `"create":null`, `"create":"true"`, `"publish":null`, `"publish":0`, `"publish":[]`, `"chat":"false"`, `"chat":null`,
		`"chat":false,"chat":true`, `"moderate":"yes"`, `"moderate":null`, `"record":1`, `"admin":null`,
		`"priority_max":256`, `"priority_max":-1`, `"priority_max":1.5`, `"priority_max":"7"`, `"priority_max":null`, `"priority_max":1e99`,
		`"role":"root"`, `"role":""`, `"role":"Admin"`, `"role":null`, `"role":["admin"]`, `"role":3`,
	} {
		_, err := verify(claim)
		require.ErrorIs(t, err, auth.ErrTokenClaims, claim)
		name, _, _ := strings.Cut(claim[1:], `"`)
		require.ErrorContains(t, err, name, "it says which")
		require.Less(t, len(err.Error()), 400, claim)
	}
	id, err := verify(`"admin":true,"role":"guest"`)
	require.NoError(t, err)
	require.Equal(t, auth.RoleAdmin, id.Role, "of two the higher")
}

func TestGrantsOpenChannels(t *testing.T) {
	t.Parallel()
	for pattern, test := range map[string]struct{ opens, not []string }{
		"lobby":   {[]string{"lobby"}, []string{"lobb", "lobby2", "Lobby", ""}},
		"*":       {[]string{"lobby", "x", "a-b_c"}, nil},
		"ops-*":   {[]string{"ops-", "ops-1", "ops-a-b"}, []string{"ops", "xops-1", "OPS-1"}},
		"*-night": {[]string{"-night", "ops-night", "-night-night"}, []string{"ops-nights", "night"}},
		"a*b*c":   {[]string{"abc", "aXbXc", "abbcc", "a-b-c-b-c"}, []string{"ab", "acb", "abcd", "xabc"}},
		"**a**":   {[]string{"a", "xa", "ax", "bab"}, []string{"b", ""}},
	} {
		g := auth.Grants{Channels: []string{"never", pattern}}
		for _, id := range test.opens {
			require.True(t, g.Opens(id), "%s opens %s", pattern, id)
		}
		for _, id := range test.not {
			require.False(t, g.Opens(id), "%s does not open %s", pattern, id)
		}
	}
	require.False(t, auth.Grants{}.Opens("lobby"))
	require.False(t, auth.Grants{Channels: []string{}}.Opens("lobby"))
	// The worst pattern against the longest id is soon done with.
	worst := auth.Grants{Channels: []string{strings.Repeat("*a", 31) + "*b"}}
	began := time.Now()
	for range 1000 {
		require.False(t, worst.Opens(strings.Repeat("a", 64)))
	}
	require.Less(t, time.Since(began), 5*time.Second)
}

func TestGrantsAddUp(t *testing.T) {
	t.Parallel()
	narrow := auth.Grants{Channels: []string{"ops-*"}, Publish: auth.Withheld, Chat: auth.Granted, Record: true}
	require.Equal(t, auth.Grants{Channels: []string{"ops-*"}, Others: true, Chat: auth.Granted, Record: true}, narrow.Widened())
	for grant, want := range map[auth.Grant][2]bool{auth.Unsaid: {false, true}, auth.Granted: {true, true}, auth.Withheld: {false, false}} {
		require.Equal(t, want, [2]bool{grant.Given(false), grant.Given(true)})
	}
}

package auth_test

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/stretchr/testify/require"

	"github.com/mini-livechat/mini-livechat/signaling/auth"
	"github.com/mini-livechat/mini-livechat/signaling/names"
	"github.com/mini-livechat/mini-livechat/signaling/protocol"
)

const (
	secret      = "a secret of exactly 32 bytes lon"
	otherSecret = "another secret, 36 bytes in its size"
)

// keyID is secret's: printf %s 'a secret of exactly 32 bytes lon' | sha256sum | cut -c1-16
const keyID = "1b1a2d1d4d5dc4f5"

// who is an identity without what it says about its token.
func who(id auth.Identity) auth.Identity {
	return auth.Identity{UserID: id.UserID, Name: id.Name, Role: id.Role}
}

func testNow() time.Time { return time.Date(2026, 5, 17, 12, 0, 0, 0, time.UTC) }

func authority(tb testing.TB, secret string) *auth.Authority {
	tb.Helper()
	a, err := auth.New([]byte(secret))
	require.NoError(tb, err)
	return a
}

func TestMintAndVerify(t *testing.T) {
	t.Parallel()
	a := authority(t, secret)
	for name, test := range map[string]struct{ in, want auth.Identity }{
		"all of it":             {auth.Identity{UserID: "ada", Name: "Ada", Role: auth.RoleAdmin}, auth.Identity{UserID: "ada", Name: "Ada", Role: auth.RoleAdmin}},
		"name defaults to id":   {auth.Identity{UserID: "ada"}, auth.Identity{UserID: "ada", Name: "ada", Role: auth.RoleMember}},
		"name is trimmed":       {auth.Identity{UserID: "ada", Name: " Ada L.\n"}, auth.Identity{UserID: "ada", Name: "Ada L.", Role: auth.RoleMember}},
		"beyond ASCII":          {auth.Identity{UserID: "zoë@example.org", Name: "조이 👩‍💻"}, auth.Identity{UserID: "zoë@example.org", Name: "조이 👩‍💻", Role: auth.RoleMember}},
		"longest id":            {auth.Identity{UserID: strings.Repeat("é", 64)}, auth.Identity{UserID: strings.Repeat("é", 64), Name: strings.Repeat("é", 64), Role: auth.RoleMember}},
		"id longer than a name": {auth.Identity{UserID: strings.Repeat("x", 128)}, auth.Identity{UserID: strings.Repeat("x", 128), Name: strings.Repeat("x", 64), Role: auth.RoleMember}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			token, err := a.Mint(test.in, testNow(), time.Hour)
			require.NoError(t, err)
			got, err := a.Verify(token, testNow())
			require.NoError(t, err)
			require.Equal(t, testNow().Add(time.Hour).Unix(), got.ExpiresAt.Unix())
			require.Equal(t, testNow().Unix(), got.IssuedAt.Unix())
			require.NotEmpty(t, got.TokenID)
			require.Equal(t, keyID, got.KeyID)
			require.Equal(t, test.want, who(got))
		})
	}
}

// What stands in other letter case is another claim, and unknown ones are ignored (RFC 7519, section 4).
func TestClaimsAreReadByTheirExactNames(t *testing.T) {
	t.Parallel()
	a := authority(t, secret)
	exp := testNow().Unix() + 60
	header := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"HS256"}`))
	for name, test := range map[string]struct {
		claims string
		want   auth.Identity
	}{
		"ADMIN":          {`"sub":"ada","ADMIN":true`, auth.Identity{UserID: "ada", Name: "ada", Role: auth.RoleMember}},
		"SUB after sub":  {`"sub":"ada","SUB":"bob","Name":"Bob"`, auth.Identity{UserID: "ada", Name: "ada", Role: auth.RoleMember}},
		"for us":         {`"sub":"ada","aud":"livechat"`, auth.Identity{UserID: "ada", Name: "ada", Role: auth.RoleMember}},
		"for us as well": {`"sub":"ada","aud":["wiki","livechat"]`, auth.Identity{UserID: "ada", Name: "ada", Role: auth.RoleMember}},
		"an admin":       {`"sub":"admin","admin":true`, auth.Identity{UserID: "admin", Name: "admin", Role: auth.RoleAdmin}},
		"more claims":    {`"sub":"ada","groups":["a",{"b":1}],"jti":"7"`, auth.Identity{UserID: "ada", Name: "ada", Role: auth.RoleMember}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			body := fmt.Sprintf(`{"iss":"livechat","exp":%d,%s}`, exp, test.claims)
			id, err := a.Verify(forgeRaw(header, base64.RawURLEncoding.EncodeToString([]byte(body))), testNow())
			require.NoError(t, err)
			require.Equal(t, test.want, who(id))
		})
	}
}

func TestTokenIsAsDocumented(t *testing.T) {
	t.Parallel()
	token, err := authority(t, secret).Mint(auth.Identity{UserID: "ada"}, testNow(), time.Hour)
	require.NoError(t, err)
	parts := strings.Split(token, ".")
	require.Len(t, parts, 3)

	var header, claims map[string]any
	for i, v := range []*map[string]any{&header, &claims} {
		data, err := base64.RawURLEncoding.DecodeString(parts[i])
		require.NoError(t, err)
		require.NoError(t, json.Unmarshal(data, v))
	}
	require.Equal(t, map[string]any{"alg": "HS256", "typ": "JWT", "kid": keyID}, header)
	now := float64(testNow().Unix())
	require.Len(t, claims["jti"], 26, "130 bits that nobody guesses")
	delete(claims, "jti")
	require.Equal(t, map[string]any{"iss": "livechat", "sub": "ada", "iat": now, "exp": now + 3600}, claims,
		"no name and no admin where there is none")
}

func TestMintRefuses(t *testing.T) {
	t.Parallel()
	a := authority(t, secret)
	for name, test := range map[string]struct {
		id   auth.Identity
		ttl  time.Duration
		want error
	}{
		"no user":      {auth.Identity{}, time.Hour, auth.ErrUserID},
		"bad name":     {auth.Identity{UserID: "ada", Name: "A\x00"}, time.Hour, auth.ErrName},
		"no life":      {auth.Identity{UserID: "ada"}, 0, auth.ErrTTL},
		"past already": {auth.Identity{UserID: "ada"}, -time.Hour, auth.ErrTTL},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := a.Mint(test.id, testNow(), test.ttl)
			require.ErrorIs(t, err, test.want)
		})
	}
}

func TestNewRefusesUnsuitableSecrets(t *testing.T) {
	t.Parallel()
	for _, n := range []int{0, 1, auth.MinSecretBytes - 1, auth.MaxSecretBytes + 1} {
		_, err := auth.New(make([]byte, n))
		require.ErrorIs(t, err, auth.ErrSecrets, "%d bytes", n)
	}
	_, err := auth.New(make([]byte, auth.MaxSecretBytes))
	require.NoError(t, err)
}

func TestNewCopiesTheSecret(t *testing.T) {
	t.Parallel()
	b := []byte(secret)
	a, err := auth.New(b)
	require.NoError(t, err)
	clear(b)
	token, err := authority(t, secret).Mint(auth.Identity{UserID: "ada"}, testNow(), time.Hour)
	require.NoError(t, err)
	_, err = a.Verify(token, testNow())
	require.NoError(t, err)
}

// forge signs header and claims as they are, without any of Mint's checks.
func forge(tb testing.TB, method jwt.SigningMethod, key any, header, claims map[string]any) string {
	tb.Helper()
	token := jwt.NewWithClaims(method, jwt.MapClaims(claims))
	for k, v := range header {
		if token.Header[k] = v; v == nil {
			delete(token.Header, k)
		}
	}
	signed, err := token.SignedString(key)
	require.NoError(tb, err)
	return signed
}

func TestVerifyRefuses(t *testing.T) {
	t.Parallel()
	a := authority(t, secret)
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(t, err)
	now := testNow().Unix()

	// with returns the claims of a good token with one changed; nil removes it.
	with := func(key string, value any) map[string]any {
		c := map[string]any{"iss": "livechat", "sub": "ada", "exp": now + 60}
		if c[key] = value; value == nil {
			delete(c, key)
		}
		return c
	}
	signed := func(claims map[string]any) string {
		return forge(t, jwt.SigningMethodHS256, []byte(secret), nil, claims)
	}
	header := func(key string, value any) string {
		return forge(t, jwt.SigningMethodHS256, []byte(secret), map[string]any{key: value}, with("", nil))
	}
	good := signed(with("", nil))
	parts := strings.Split(good, ".")
	other, err := authority(t, otherSecret).Mint(auth.Identity{UserID: "ada"}, testNow(), time.Hour)
	require.NoError(t, err)
	segment := func(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) }

	for name, test := range map[string]struct {
		token string
		want  error
		says  string
	}{
		"empty":             {"", auth.ErrTokenMalformed, "three parts"},
		"two parts":         {parts[0] + "." + parts[1], auth.ErrTokenMalformed, "three parts"},
		"four parts":        {good + ".x", auth.ErrTokenMalformed, "three parts"},
		"not base64":        {"!." + parts[1] + "." + parts[2], auth.ErrTokenMalformed, "decoded"},
		"not JSON":          {segment("x") + "." + parts[1] + "." + parts[2], auth.ErrTokenMalformed, "decoded"},
		"null header":       {segment("null") + "." + parts[1] + "." + parts[2], auth.ErrTokenAlgorithm, "HS256"},
		"null claims":       {forgeRaw(parts[0], segment("null")), auth.ErrTokenClaims, "iss"},
		"a line break":      {good + "\n", auth.ErrTokenMalformed, "line break"},
		"padded signature":  {good + "=", auth.ErrTokenMalformed, "decoded"},
		"too long":          {signed(with("x", strings.Repeat("x", auth.MaxTokenBytes))), auth.ErrTokenMalformed, "8192"},
		"sub is a number":   {signed(with("sub", 7)), auth.ErrTokenClaims, "not of the right type"},
		"exp is a string":   {signed(with("exp", "tomorrow")), auth.ErrTokenClaims, "not of the right type"},
		"admin is a string": {signed(with("admin", "true")), auth.ErrTokenClaims, "not of the right type"},

		"alg none":          {forge(t, jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType, nil, with("", nil)), auth.ErrTokenAlgorithm, "HS256"},
		"alg none, dressed": {segment(`{"alg":"None"}`) + "." + parts[1] + ".", auth.ErrTokenAlgorithm, "HS256"},
		"alg RS256":         {forge(t, jwt.SigningMethodRS256, rsaKey, nil, with("", nil)), auth.ErrTokenAlgorithm, "HS256"},
		"alg HS512":         {forge(t, jwt.SigningMethodHS512, []byte(secret), nil, with("", nil)), auth.ErrTokenAlgorithm, "HS256"},
		"alg a number":      {segment(`{"alg":256}`) + "." + parts[1] + "." + parts[2], auth.ErrTokenAlgorithm, "HS256"},

		"another secret":             {other, auth.ErrTokenKey, "signed with another secret"},
		"another secret, no kid":     {forge(t, jwt.SigningMethodHS256, []byte(otherSecret), nil, with("", nil)), auth.ErrTokenSignature, "secret"},
		"another kid, right secret":  {header("kid", "0011223344556677"), auth.ErrTokenKey, "another secret"},
		"kid is a number":            {header("kid", 7), auth.ErrTokenMalformed, "kid"},
		"critical extension":         {header("crit", []string{"b64"}), auth.ErrTokenMalformed, "critical"},
		"no signature":               {parts[0] + "." + parts[1] + ".", auth.ErrTokenSignature, "signature"},
		"someone else's signature":   {parts[0] + "." + segment(`{"iss":"livechat","sub":"bob","exp":9999999999}`) + "." + parts[2], auth.ErrTokenSignature, "signature"},
		"signed with the public key": {forgeRaw(segment(`{"alg":"RS256"}`), parts[1]), auth.ErrTokenAlgorithm, "HS256"},

		"no iss":            {signed(with("iss", nil)), auth.ErrTokenClaims, "iss"},
		"another issuer":    {signed(with("iss", "elsewhere")), auth.ErrTokenClaims, "iss"},
		"no exp":            {signed(with("exp", nil)), auth.ErrTokenClaims, "exp"},
		"expired":           {signed(with("exp", now)), auth.ErrTokenExpired, "2026-05-17T12:00:00Z"},
		"expired long ago":  {signed(with("exp", now-86400)), auth.ErrTokenExpired, "2026-05-16T12:00:00Z"},
		"exp before Christ": {signed(with("exp", -1e300)), auth.ErrTokenExpired, "expired"},
		"not yet":           {signed(with("nbf", now+31)), auth.ErrTokenNotYet, "nbf"},
		"from the future":   {signed(with("iat", now+31)), auth.ErrTokenNotYet, "iat"},
		"no sub":            {signed(with("sub", nil)), auth.ErrTokenClaims, "sub"},
		"long sub":          {signed(with("sub", strings.Repeat("x", 129))), auth.ErrTokenClaims, "128"},
		"sub with a NUL":    {signed(with("sub", "ada\x00")), auth.ErrTokenClaims, "U+0000"},
		"long name":         {signed(with("name", strings.Repeat("é", 65))), auth.ErrTokenClaims, "64"},
		"reserved name":     {signed(with("name", "System")), auth.ErrTokenClaims, "reserved"},
		"reserved sub":      {signed(with("sub", "admin")), auth.ErrTokenClaims, "reserved"},
		"another audience":  {signed(with("aud", "elsewhere")), auth.ErrTokenClaims, "aud"},
		"other audiences":   {signed(with("aud", []string{"a", "b"})), auth.ErrTokenClaims, "aud"},
		"sub in capitals":   {forgeRaw(parts[0], segment(fmt.Sprintf(`{"iss":"livechat","SUB":"ada","exp":%d}`, now+60))), auth.ErrTokenClaims, "sub"},
		"sub twice":         {forgeRaw(parts[0], segment(fmt.Sprintf(`{"iss":"livechat","sub":"ada","sub":"bob","exp":%d}`, now+60))), auth.ErrTokenClaims, "\"sub\""},
		"admin twice":       {forgeRaw(parts[0], segment(fmt.Sprintf(`{"iss":"livechat","sub":"ada","admin":false,"admin":true,"exp":%d}`, now+60))), auth.ErrTokenClaims, "\"admin\""},
		"sub not UTF-8":     {forgeRaw(parts[0], segment(fmt.Sprintf("{\"iss\":\"livechat\",\"sub\":\"ada\xff\",\"exp\":%d}", now+60))), auth.ErrTokenMalformed, "decoded"},
		"half a character":  {forgeRaw(parts[0], segment(fmt.Sprintf(`{"iss":"livechat","sub":"ada\ud800","exp":%d}`, now+60))), auth.ErrTokenClaims, "U+FFFD"},
		"turning name":      {signed(with("name", "Ada\u202e")), auth.ErrTokenClaims, "U+202E"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			id, err := a.Verify(test.token, testNow())
			require.ErrorIs(t, err, test.want)
			require.ErrorIs(t, err, auth.ErrInvalidToken)
			require.ErrorContains(t, err, test.says)
			require.Zero(t, id)
			require.NotContains(t, err.Error(), secret)
		})
	}
}

// forgeRaw signs two segments that no encoder would write.
func forgeRaw(header, claims string) string {
	sig, err := jwt.SigningMethodHS256.Sign(header+"."+claims, []byte(secret))
	if err != nil {
		panic(err)
	}
	return header + "." + claims + "." + base64.RawURLEncoding.EncodeToString(sig)
}

// Of machines whose clocks are known to be apart, tokens are good from when they say, and no longer.
func TestVerifyToleratesClocksThatAreApart(t *testing.T) {
	t.Parallel()
	a := authority(t, secret)
	ahead := testNow().Add(time.Hour)
	token, err := a.Mint(auth.Identity{UserID: "ada"}, ahead, time.Minute)
	require.NoError(t, err)
	_, err = a.Verify(token, testNow())
	require.ErrorIs(t, err, auth.ErrInvalidToken)
	a.Tolerate(func() time.Duration { return time.Hour })
	_, err = a.Verify(token, testNow())
	require.NoError(t, err)
	_, err = a.Verify(token, ahead.Add(time.Minute))
	require.ErrorIs(t, err, auth.ErrInvalidToken, "its end is its end")
}

func TestVerifyForgivesClocks(t *testing.T) {
	t.Parallel()
	a := authority(t, secret)
	token, err := a.Mint(auth.Identity{UserID: "ada"}, testNow(), time.Minute)
	require.NoError(t, err)
	for name, test := range map[string]struct {
		at   time.Duration
		want error
	}{
		"a clock behind":         {-auth.Leeway, nil},
		"a clock too far behind": {-auth.Leeway - time.Second, auth.ErrTokenNotYet},
		"the last moment":        {time.Minute - time.Nanosecond, nil},
		"the end is the end":     {time.Minute, auth.ErrTokenExpired},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := a.Verify(token, testNow().Add(test.at))
			require.ErrorIs(t, err, test.want)
		})
	}
}

func TestAuthorityIsSafeForManyGoroutines(t *testing.T) {
	t.Parallel()
	a := authority(t, secret)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 50 {
				token, err := a.Mint(auth.Identity{UserID: "ada"}, testNow(), time.Hour)
				if err == nil {
					_, err = a.Verify(token, testNow())
				}
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
}

func TestLimitsAgreeWithTheProtocol(t *testing.T) {
	t.Parallel()
	require.Equal(t, protocol.MaxUserIDBytes, auth.MaxUserIDBytes)
	require.Equal(t, protocol.MaxUserNameChars, auth.MaxNameChars)
}

func FuzzVerify(f *testing.F) {
	require.True(f, crypto.SHA256.Available())
	a := authority(f, secret)
	// Of a name that is always the same, since each of the fuzzer's processes makes its own.
	good, err := a.Mint(auth.Identity{UserID: "ada", Name: "Ada", Role: auth.RoleAdmin, TokenID: "1"}, testNow(), time.Hour)
	require.NoError(f, err)
	parts := strings.Split(good, ".")
	decode := func(s string) []byte {
		b, err := base64.RawURLEncoding.DecodeString(s)
		require.NoError(f, err)
		return b
	}
	f.Add(decode(parts[0]), decode(parts[1]), "")
	f.Add([]byte(`{"alg":"none"}`), []byte(`{"iss":"livechat","sub":"ada","exp":1e308}`), "")
	f.Add([]byte(`{"alg":"HS256","crit":[]}`), []byte(`null`), "")
	f.Add([]byte(`{"alg":"HS256"}`), []byte(`{"iss":"livechat","sub":"\u202e","exp":-1}`), good)
	f.Add([]byte(`{"alg":"HS256"}`), []byte(`{"iss":"livechat","sub":"ada","exp":1779019260,"jti":"x","aud":["livechat"],"role":"guest",`+
		`"channels":["ops-*"],"create":false,"publish":true,"moderate":true,"priority_max":7}`), good)
	// The fuzzer cannot sign, so it is given the key: what is behind the signature check
	// meets strange claims too. The token it makes up by itself must never pass.
	f.Fuzz(func(t *testing.T, header, claims []byte, token string) {
		if token != good {
			if id, err := a.Verify(token, testNow()); err == nil {
				t.Fatalf("accepted %q as %+v", token, id)
			}
		}
		id, err := a.Verify(forgeRaw(base64.RawURLEncoding.EncodeToString(header), base64.RawURLEncoding.EncodeToString(claims)), testNow())
		if err != nil {
			require.ErrorIs(t, err, auth.ErrInvalidToken)
			require.Zero(t, id)
			return
		}
		require.NoError(t, auth.CheckUserID(id.UserID))
		require.True(t, id.ExpiresAt.After(testNow()) && id.KeyID == keyID)
		if id.TokenID != "" {
			require.NoError(t, auth.CheckTokenID(id.TokenID))
		}
		_, err = a.Mint(auth.Identity{UserID: id.UserID, Grants: id.Grants}, testNow(), time.Hour)
		require.NotErrorIs(t, err, auth.ErrGrants)
		name, err := names.Visible(id.Name, auth.MaxNameChars)
		if id.Name != name || err != nil {
			t.Fatalf("accepted the name %q: %v", id.Name, err)
		}
	})
}

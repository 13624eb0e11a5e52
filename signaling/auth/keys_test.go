package auth_test

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/stretchr/testify/require"

	"github.com/mini-livechat/mini-livechat/signaling/auth"
)

func TestTheFirstSecretSignsAndAllVerify(t *testing.T) {
	t.Parallel()
	older, newer := authority(t, secret), authority(t, otherSecret)
	both, err := auth.New([]byte(otherSecret), []byte(secret))
	require.NoError(t, err)
	mint := func(a *auth.Authority) string {
		token, mintErr := a.Mint(auth.Identity{UserID: "ada"}, testNow(), time.Hour)
		require.NoError(t, mintErr)
		return token
	}
	_, err = newer.Verify(mint(both), testNow())
	require.NoError(t, err, "the first signs")
	_, err = older.Verify(mint(both), testNow())
	require.ErrorIs(t, err, auth.ErrTokenKey)

	fromOlder, err := both.Verify(mint(older), testNow())
	require.NoError(t, err)
	fromNewer, err := both.Verify(mint(newer), testNow())
	require.NoError(t, err)
	require.NotEqual(t, fromOlder.KeyID, fromNewer.KeyID)

	// Without a "kid" the secret that fits is found, and known afterwards.
	claims := jwt.MapClaims{"iss": "livechat", "sub": "ada", "exp": testNow().Add(time.Hour).Unix()}
	for with, want := range map[string]string{secret: fromOlder.KeyID, otherSecret: fromNewer.KeyID} {
		got, verifyErr := both.Verify(forge(t, jwt.SigningMethodHS256, []byte(with), nil, claims), testNow())
		require.NoError(t, verifyErr)
		require.Equal(t, want, got.KeyID)
	}
	_, err = both.Verify(forge(t, jwt.SigningMethodHS256, []byte("a third secret, of 34 bytes in all"), nil, claims), testNow())
	require.ErrorIs(t, err, auth.ErrTokenSignature)
	// A "kid" that names one secret does not make another one do.
	_, err = both.Verify(forge(t, jwt.SigningMethodHS256, []byte(secret), map[string]any{"kid": fromNewer.KeyID}, claims), testNow())
	require.ErrorIs(t, err, auth.ErrTokenSignature)

	// What was good ends with its secret, and with its time.
	require.NoError(t, both.Accepts(&fromOlder, testNow()))
	require.NoError(t, both.Use([]byte(otherSecret)))
	require.ErrorIs(t, both.Accepts(&fromOlder, testNow()), auth.ErrTokenKey)
	require.NoError(t, both.Accepts(&fromNewer, testNow()))
	require.NoError(t, both.Accepts(&fromNewer, testNow().Add(time.Hour-time.Nanosecond)))
	require.ErrorIs(t, both.Accepts(&fromNewer, testNow().Add(time.Hour)), auth.ErrTokenExpired)
	_, err = both.Verify(mint(older), testNow())
	require.ErrorIs(t, err, auth.ErrTokenKey)
}

func TestSecretsThatCannotBeUsedChangeNothing(t *testing.T) {
	t.Parallel()
	a := authority(t, secret)
	many := make([][]byte, auth.MaxSecrets+1)
	for i := range many {
		many[i] = fmt.Appendf(nil, "secret number %02d of exactly 32 by", i)
	}
	for name, secrets := range map[string][][]byte{
		"none":     {},
		"short":    {[]byte(otherSecret), []byte("hunter2")},
		"long":     {bytes.Repeat([]byte("x"), auth.MaxSecretBytes+1)},
		"twice":    {[]byte(otherSecret), []byte(secret), []byte(otherSecret)},
		"too many": many,
	} {
		err := a.Use(secrets...)
		require.ErrorIs(t, err, auth.ErrSecrets, name)
		require.NotContains(t, err.Error(), "hunter2")
	}
	require.NoError(t, authority(t, otherSecret).Use(many[1:]...))
	token, err := a.Mint(auth.Identity{UserID: "ada"}, testNow(), time.Hour)
	require.NoError(t, err)
	_, err = authority(t, secret).Verify(token, testNow())
	require.NoError(t, err)
}

func TestSecretsChangeWhileTokensAreVerified(t *testing.T) {
	t.Parallel()
	a, err := auth.New([]byte(otherSecret), []byte(secret))
	require.NoError(t, err)
	token, err := authority(t, secret).Mint(auth.Identity{UserID: "ada"}, testNow(), time.Hour)
	require.NoError(t, err)
	var wg sync.WaitGroup
	for i := range 4 {
		wg.Go(func() {
			for range 200 {
				if i == 0 {
					err := a.Use([]byte(secret), []byte(otherSecret))
					if err == nil {
						err = a.Use([]byte(otherSecret), []byte(secret))
					}
					if err != nil {
						t.Error(err)
					}
				} else if _, err := a.Verify(token, testNow()); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
}

func TestSecretsInAFile(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", auth.MaxSecretBytes)
	for name, test := range map[string]struct {
		content string
		want    []string
		says    string
	}{
		"one":              {secret, []string{secret}, ""},
		"one, a line":      {secret + "\n", []string{secret}, ""},
		"two":              {otherSecret + "\n" + secret + "\n", []string{otherSecret, secret}, ""},
		"of Windows":       {otherSecret + "\r\n" + secret + "\r\n", []string{otherSecret, secret}, ""},
		"lines between":    {"\n" + otherSecret + "\n\n\n" + secret, []string{otherSecret, secret}, ""},
		"the longest":      {long, []string{long}, ""},
		"white space":      {" " + secret + " \n", []string{" " + secret + " "}, ""},
		"empty":            {"", nil, "there is none"},
		"only lines":       {"\n\n", nil, "there is none"},
		"a short one":      {secret + "\nhunter2\n", nil, "line 2 of"},
		"a long one":       {long + "x", nil, "line 1 of"},
		"twice":            {secret + "\n" + secret, nil, "number 2"},
		"a NUL":            {secret + "\x00", nil, "line 1 of"},
		"another file":     {strings.Repeat(secret+"\n", 10_000), nil, "is it another file?"},
		"old line endings": {secret + "\r" + secret, nil, "line 1 of"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "secrets")
			require.NoError(t, os.WriteFile(path, []byte(test.content), 0o600))
			secrets, err := auth.ReadSecrets(path)
			if test.says != "" {
				require.ErrorIs(t, err, auth.ErrSecretFile)
				require.ErrorContains(t, err, test.says)
				require.ErrorContains(t, err, path)
				require.NotContains(t, err.Error(), secret[:8])
				require.NotContains(t, err.Error(), "hunter2")
				return
			}
			require.NoError(t, err)
			require.Len(t, secrets, len(test.want))
			for i, want := range test.want {
				require.Equal(t, want, string(secrets[i]))
			}
			_, err = auth.New(secrets...)
			require.NoError(t, err)
		})
	}
}

func TestSecretsInAFileThatOthersCouldUse(t *testing.T) {
	t.Parallel()
	skipWithoutModes(t)
	dir := t.TempDir()
	path := filepath.Join(dir, "secrets")
	require.NoError(t, os.WriteFile(path, []byte(secret), 0o600))
	for _, mode := range []os.FileMode{0o604, 0o640, 0o620, 0o444} {
		require.NoError(t, os.Chmod(path, mode))
		_, err := auth.ReadSecrets(path)
		require.ErrorIs(t, err, auth.ErrSecretFile)
		require.ErrorContains(t, err, "chmod 600 it")
		require.NotContains(t, err.Error(), "delete")
	}
	require.NoError(t, os.Chmod(path, 0o400))
	_, err := auth.ReadSecrets(path)
	require.NoError(t, err)
	require.NoError(t, os.Chmod(dir, 0o777))
	_, err = auth.ReadSecrets(path)
	require.ErrorContains(t, err, "everyone may write to the directory")
	require.NoError(t, os.Chmod(dir, 0o777|os.ModeSticky))
	_, err = auth.ReadSecrets(path)
	require.NoError(t, err, "nobody else may exchange the file there")

	_, err = auth.ReadSecrets(dir)
	require.ErrorContains(t, err, "not a regular file")
	_, err = auth.ReadSecrets(filepath.Join(dir, "none"))
	require.ErrorIs(t, err, os.ErrNotExist)
}

// Numbers are numbers, and who is named for nobody is not for us.
func TestClaimsAreReadStrictly(t *testing.T) {
	t.Parallel()
	a := authority(t, secret)
	header := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"HS256"}`))
	exp := testNow().Add(time.Minute).Unix()
	for name, claims := range map[string]string{
		"exp in quotes":         fmt.Sprintf(`"exp":"%d"`, exp),
		"nbf in quotes":         fmt.Sprintf(`"exp":%d,"nbf":"1"`, exp),
		"iat in quotes":         fmt.Sprintf(`"exp":%d,"iat":"1"`, exp),
		"exp is null":           `"exp":null`,
		"exp is for ever":       `"exp":1e15`,
		"exp overflows":         `"exp":1e308`,
		"aud is a list of none": fmt.Sprintf(`"exp":%d,"aud":[]`, exp),
		"aud is null":           fmt.Sprintf(`"exp":%d,"aud":null`, exp),
		"aud is empty":          fmt.Sprintf(`"exp":%d,"aud":""`, exp),
		"jti is empty":          fmt.Sprintf(`"exp":%d,"jti":""`, exp),
		"jti is a number":       fmt.Sprintf(`"exp":%d,"jti":7`, exp),
		"jti is long":           fmt.Sprintf(`"exp":%d,"jti":"%s"`, exp, strings.Repeat("x", auth.MaxTokenIDBytes+1)),
		"jti with a space":      fmt.Sprintf(`"exp":%d,"jti":"a b"`, exp),
		"jti with a line":       fmt.Sprintf(`"exp":%d,"jti":"a\nb"`, exp),
		"jti beyond ASCII":      fmt.Sprintf(`"exp":%d,"jti":"é"`, exp),
	} {
		body := `{"iss":"livechat","sub":"ada",` + claims + `}`
		_, err := a.Verify(forgeRaw(header, base64.RawURLEncoding.EncodeToString([]byte(body))), testNow())
		require.ErrorIs(t, err, auth.ErrInvalidToken, name)
	}
}

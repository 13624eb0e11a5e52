package e2e

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/stretchr/testify/require"

	"github.com/mini-livechat/mini-livechat/cmd/app"
	"github.com/mini-livechat/mini-livechat/signaling/auth"
	"github.com/mini-livechat/mini-livechat/signaling/protocol"
)

func segment(text string) string { return base64.RawURLEncoding.EncodeToString([]byte(text)) }

// signedAs signs two segments, whatever they are, with HMAC-SHA256.
func signedAs(header, claims, secret string) string {
	signature, err := jwt.SigningMethodHS256.Sign(header+"."+claims, []byte(secret))
	if err != nil {
		panic(err)
	}
	return header + "." + claims + "." + base64.RawURLEncoding.EncodeToString(signature)
}

// forgeries are tokens of every way in which one may be false, by name. Those that say "signed" are so with the server's secret:
// what is wrong with them is what they say.
func forgeries(t *testing.T, good string) map[string]string {
	t.Helper()
	now := time.Now().Unix()
	parts := strings.Split(good, ".")
	const head = `{"alg":"HS256","typ":"JWT"}`
	exp := fmt.Sprintf(`"exp":%d`, now+3600)
	body := `{"iss":"livechat","sub":"ada",` + exp + `}`
	// says is a token that the server itself might have signed, with these claims.
	says := func(claims string) string { return signedAs(segment(head), segment(claims), testSecret) }
	// adds is one with a claim more than a good one has.
	adds := func(claim string) string { return says(body[:len(body)-1] + "," + claim + "}") }
	headed := func(header string) string { return signedAs(segment(header), segment(body), testSecret) }
	signedBy := func(method jwt.SigningMethod, key any) string {
		token, err := jwt.NewWithClaims(method, jwt.MapClaims{"iss": "livechat", "sub": "ada", "exp": now + 3600}).SignedString(key)
		require.NoError(t, err)
		return token
	}
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(t, err)
	ecKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	_, edKey, err := ed25519.GenerateKey(rand.Reader)
	require.NoError(t, err)
	sum := sha256.Sum256([]byte(testSecret))
	kid := hex.EncodeToString(sum[:8])
	other := sha256.Sum256([]byte(newerSecret))
	otherKid := hex.EncodeToString(other[:8])

	return map[string]string{
		// No token at all.
		"empty":                    "",
		"words":                    "let me in",
		"one part":                 parts[0],
		"two parts":                parts[0] + "." + parts[1],
		"four parts":               good + "." + parts[2],
		"five parts, as encrypted": parts[0] + ".." + parts[1] + "." + parts[2] + "." + parts[2],
		"dots":                     "..",
		"JSON serialisation":       `{"payload":"` + parts[1] + `","protected":"` + parts[0] + `","signature":"` + parts[2] + `"}`,
		"too long":                 adds(`"x":"` + strings.Repeat("x", auth.MaxTokenBytes) + `"`),
		"a NUL behind":             good + "\x00",
		"a line break within":      parts[0] + ".\n" + parts[1] + "." + parts[2],
		"a line break behind":      good + "\r\n",
		"a space in front":         " " + good,
		"Bearer in front":          "Bearer " + good,
		"padding":                  good + "=",
		"base64, not base64url":    parts[0] + "." + parts[1] + "." + strings.Repeat("+/", 21) + "A",

		// The algorithm is not the token's to choose.
		"alg none":                     signedBy(jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType),
		"alg None":                     segment(`{"alg":"None"}`) + "." + parts[1] + ".",
		"alg NONE, signed":             headed(`{"alg":"NONE"}`),
		"alg empty":                    headed(`{"alg":""}`),
		"alg absent":                   headed(`{"typ":"JWT"}`),
		"alg a number":                 headed(`{"alg":256}`),
		"alg a list":                   headed(`{"alg":["HS256"]}`),
		"alg in small letters":         headed(`{"alg":"hs256"}`),
		"HS384, with the secret":       signedBy(jwt.SigningMethodHS384, []byte(testSecret)),
		"HS512, with the secret":       signedBy(jwt.SigningMethodHS512, []byte(testSecret)),
		"RS256":                        signedBy(jwt.SigningMethodRS256, rsaKey),
		"PS256":                        signedBy(jwt.SigningMethodPS256, rsaKey),
		"ES256":                        signedBy(jwt.SigningMethodES256, ecKey),
		"EdDSA":                        signedBy(jwt.SigningMethodEdDSA, edKey),
		"RS256, with the secret":       headed(`{"alg":"RS256"}`),
		"none behind HS256, unsigned":  segment(`{"alg":"HS256","alg":"none"}`) + "." + parts[1] + ".",
		"a key in the header":          signedAs(segment(`{"alg":"HS256","jwk":{"kty":"oct","k":"`+segment(newerSecret)+`"}}`), segment(body), newerSecret),
		"a key's address":              signedAs(segment(`{"alg":"HS256","jku":"https://evil.example/keys"}`), segment(body), newerSecret),
		"a critical extension, signed": headed(`{"alg":"HS256","crit":["b64"],"b64":false}`),
		"an empty crit, signed":        headed(`{"alg":"HS256","crit":[]}`),
		"null for a header":            headed(`null`),
		"a list for a header":          headed(`[]`),

		// The secret.
		"another secret":                   mint(t, newerSecret, auth.Identity{UserID: "ada"}),
		"another secret, our kid":          signedAs(segment(`{"alg":"HS256","kid":"`+kid+`"}`), segment(body), newerSecret),
		"another secret, no kid":           signedAs(segment(head), segment(body), newerSecret),
		"our secret, another kid":          headed(`{"alg":"HS256","kid":"` + otherKid + `"}`),
		"kid a path":                       headed(`{"alg":"HS256","kid":"../../dev/null"}`),
		"kid an injection":                 headed(`{"alg":"HS256","kid":"' OR 1=1 --"}`),
		"kid empty":                        headed(`{"alg":"HS256","kid":""}`),
		"kid null":                         headed(`{"alg":"HS256","kid":null}`),
		"kid a number":                     headed(`{"alg":"HS256","kid":7}`),
		"an empty secret":                  signedAs(segment(head), segment(body), ""),
		"the kid as the secret":            signedAs(segment(head), segment(body), kid),
		"half of the secret":               signedAs(segment(head), segment(body), testSecret[:len(testSecret)/2]),
		"the secret and a line break":      signedAs(segment(head), segment(body), testSecret+"\n"),
		"no signature":                     parts[0] + "." + parts[1] + ".",
		"a signature cut short":            good[:len(good)-2],
		"one bit of the signature":         good[:len(good)-10] + flipped(good[len(good)-10:]),
		"the signature of other claims":    parts[0] + "." + segment(`{"iss":"livechat","sub":"root","admin":true,`+exp+`}`) + "." + parts[2],
		"the signature of another header":  segment(`{"alg":"HS256"}`) + "." + parts[1] + "." + parts[2],
		"a seal of the server's":           parts[0] + "." + parts[1] + "." + sealed(t, parts[0]+"."+parts[1]),
		"claims of another encoding":       parts[0] + "." + base64.URLEncoding.EncodeToString([]byte(body)) + "=." + parts[2],
		"the last character's unused bits": parts[0] + "." + parts[1] + "." + loosened(parts[2]),

		// What a signed token says.
		"not JSON, signed":             says(`sub=ada`),
		"null, signed":                 says(`null`),
		"a list, signed":               says(`[` + body + `]`),
		"two objects, signed":          says(body + body),
		"cut off, signed":              says(body[:len(body)-1]),
		"broken UTF-8, signed":         says(`{"iss":"livechat","sub":"ada` + "\xff" + `",` + exp + `}`),
		"no iss, signed":               says(`{"sub":"ada",` + exp + `}`),
		"another iss, signed":          says(`{"iss":"elsewhere","sub":"ada",` + exp + `}`),
		"iss a list, signed":           says(`{"iss":["livechat"],"sub":"ada",` + exp + `}`),
		"ISS, signed":                  says(`{"ISS":"livechat","sub":"ada",` + exp + `}`),
		"no exp, signed":               says(`{"iss":"livechat","sub":"ada"}`),
		"expired, signed":              says(fmt.Sprintf(`{"iss":"livechat","sub":"ada","exp":%d}`, now-1)),
		"exp 0, signed":                says(`{"iss":"livechat","sub":"ada","exp":0}`),
		"exp in quotes, signed":        says(fmt.Sprintf(`{"iss":"livechat","sub":"ada","exp":"%d"}`, now+3600)),
		"exp null, signed":             says(`{"iss":"livechat","sub":"ada","exp":null}`),
		"exp for ever, signed":         says(`{"iss":"livechat","sub":"ada","exp":1e300}`),
		"exp twice, signed":            says(fmt.Sprintf(`{"iss":"livechat","sub":"ada","exp":%d,%s}`, now-60, exp)),
		"not yet, signed":              adds(fmt.Sprintf(`"nbf":%d`, now+120)),
		"of the future, signed":        adds(fmt.Sprintf(`"iat":%d`, now+120)),
		"nbf in quotes, signed":        adds(`"nbf":"1"`),
		"another audience, signed":     adds(`"aud":"wiki"`),
		"other audiences, signed":      adds(`"aud":["wiki","LiveChat"]`),
		"an empty audience, signed":    adds(`"aud":[]`),
		"no sub, signed":               says(`{"iss":"livechat",` + exp + `}`),
		"sub empty, signed":            says(`{"iss":"livechat","sub":"",` + exp + `}`),
		"sub a number, signed":         says(`{"iss":"livechat","sub":7,` + exp + `}`),
		"sub twice, signed":            adds(`"sub":"root"`),
		"sub long, signed":             says(`{"iss":"livechat","sub":"` + strings.Repeat("x", 129) + `",` + exp + `}`),
		"sub with a NUL, signed":       says(`{"iss":"livechat","sub":"ada\u0000",` + exp + `}`),
		"sub unseen, signed":           says(`{"iss":"livechat","sub":"ad\u200ba",` + exp + `}`),
		"sub half a character, signed": says(`{"iss":"livechat","sub":"ada\ud800",` + exp + `}`),
		"called admin, signed":         adds(`"name":"Admin"`),
		"a turning name, signed":       adds(`"name":"a\u202eb"`),
		"admin in quotes, signed":      adds(`"admin":"true"`),
		"admin 1, signed":              adds(`"admin":1`),
		"admin twice, signed":          adds(`"admin":false,"admin":true`),
		"jti a number, signed":         adds(`"jti":7`),
		"an unknown role, signed":      adds(`"role":"root"`),
		"channels a text, signed":      adds(`"channels":"*"`),
		"publish null, signed":         adds(`"publish":null`),
		"a great priority, signed":     adds(`"priority_max":256`),
	}
}

// flipped is base64url with one bit of what it says changed.
func flipped(text string) string {
	if text[0] == 'A' {
		return "B" + text[1:]
	}
	return "A" + text[1:]
}

// loosened is a signature written with other bits where base64url has none to spare: 32 bytes leave two.
func loosened(signature string) string {
	const digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	last := strings.IndexByte(digits, signature[len(signature)-1])
	return signature[:len(signature)-1] + digits[last|1:last|1+1]
}

// sealed is what the server signs what browsers keep with.
func sealed(t *testing.T, text string) string {
	t.Helper()
	authority, err := auth.New([]byte(testSecret))
	require.NoError(t, err)
	return base64.RawURLEncoding.EncodeToString(authority.Seal("sign-in", []byte(text)))
}

// TestHostileTokens: none of them lets anybody in.
func TestHostileTokens(t *testing.T) {
	verifyNoLeaks(t)
	s := startServer(t, func(c *app.Config) { c.Secret = testSecret })
	good := mint(t, testSecret, auth.Identity{UserID: "ada"})
	all := forgeries(t, good)
	require.GreaterOrEqual(t, len(all), 60)
	for i, name := range slices.Sorted(maps.Keys(all)) {
		t.Run(name, func(t *testing.T) {
			t.Logf("forged token %d of %d", i+1, len(all))
			c := dial(t, s)
			reason := c.fails(protocol.OpIdentify, protocol.Identify{Token: all[name], V: 1}, protocol.CodeInvalidToken)
			require.NotContains(t, reason, testSecret)
			require.Less(t, len(reason), 500)
			require.Equal(t, protocol.CloseAuthFailed, c.closed())
		})
	}
	t.Logf("%d forged tokens, and none lets anybody in", len(all))
	// The one that all of them are made of is good.
	with(t, s, good).quiet()
	with(t, s, signedAs(segment(`{"alg":"HS256"}`), segment(fmt.Sprintf(`{"iss":"livechat","sub":"ada","exp":%d}`, time.Now().Unix()+3600)), testSecret)).quiet()
}

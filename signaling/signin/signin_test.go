package signin_test

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/stretchr/testify/require"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/mini-livechat/mini-livechat/sfu/leaktest"
	"github.com/mini-livechat/mini-livechat/signaling/auth"
	"github.com/mini-livechat/mini-livechat/signaling/signin"
	"github.com/mini-livechat/mini-livechat/signaling/signin/signintest"
	"github.com/mini-livechat/mini-livechat/signaling/tally"
)

// house is a server with a page, and a provider whom it asks.
type house struct {
	t        *testing.T
	url      string
	provider *signintest.Provider
	admitted []signin.Person
	refuse   error // of Admit
	log      *observer.ObservedLogs
}

// theToken is what everybody is let in with.
const theToken = "header.claims.signature"

func open(t *testing.T, configure ...func(*signin.Config)) *house {
	t.Helper()
	leaktest.Check(t)
	h := &house{t: t}
	server := httptest.NewUnstartedServer(nil)
	h.url = "http://" + server.Listener.Addr().String()
	h.provider = signintest.Start(t, h.url+signin.CallbackPath)
	authority, err := auth.New([]byte(strings.Repeat("s", 32)))
	require.NoError(t, err)
	core, log := observer.New(zap.DebugLevel)
	h.log = log
	client := &http.Client{Transport: &http.Transport{}, Timeout: time.Minute}
	t.Cleanup(client.CloseIdleConnections)
	cfg := signin.Config{
		Issuer: h.provider.Issuer, ClientID: signintest.ClientID, ClientSecret: signintest.ClientSecret, Scopes: []string{"profile"},
		RoleClaim: "groups", Roles: map[string]auth.Role{"staff": auth.RoleModerator, "chiefs": auth.RoleAdmin, "others": auth.RoleGuest},
		Secure:    func(*http.Request) bool { return false },
		Authority: authority, Now: time.Now, Client: client, Log: zap.New(core), Tally: new(tally.Tally),
		Admit: func(_ context.Context, p signin.Person) (string, error) {
			h.admitted = append(h.admitted, p)
			return theToken, h.refuse
		},
	}
	for _, change := range configure {
		change(&cfg)
	}
	handler := signin.New(cfg)
	server.Config.Handler = handler
	server.Start()
	t.Cleanup(server.Close)
	return h
}

// begin is the click on the page, and returns where at the provider it leads.
func (h *house) begin(browser *http.Client) *url.URL {
	h.t.Helper()
	return signintest.Next(h.t, browser, h.url+signin.Path+"?channel=ops-1")
}

// end comes back from the provider and returns what the page is told.
func (h *house) end(browser *http.Client, back *url.URL) url.Values {
	h.t.Helper()
	to := signintest.Next(h.t, browser, back.String())
	require.Equal(h.t, h.url+"/", strings.TrimSuffix(to.String(), "#"+to.EscapedFragment()), "nothing is in the address but the fragment")
	told, err := url.ParseQuery(to.EscapedFragment())
	require.NoError(h.t, err)
	return told
}

func (h *house) signIn(who string) url.Values {
	h.t.Helper()
	browser := signintest.Browser(h.t)
	return h.end(browser, h.provider.SignIn(h.t, browser, h.begin(browser).String(), who))
}

func TestPeopleSignIn(t *testing.T) {
	h := open(t)
	for range 2 {
		told := h.signIn("ada")
		require.Equal(t, url.Values{"token": {theToken}, "channel": {"ops-1"}}, told)
	}
	h.signIn("bob")
	require.Equal(t, signin.Person{UserID: signin.UserID(h.provider.Issuer, "subject of ada"), Name: "Ada Lovelace", Role: auth.RoleAdmin}, h.admitted[0],
		"of two roles the higher")
	require.Equal(t, h.admitted[0], h.admitted[1], "the same person is the same user")
	require.Equal(t, "Bob Admin", h.admitted[2].Name)
	require.Equal(t, auth.RoleMember, h.admitted[2].Role)
	require.NotEqual(t, h.admitted[0].UserID, h.admitted[2].UserID)
	require.NoError(t, auth.CheckUserID(h.admitted[0].UserID))
	require.NotEqual(t, signin.UserID("https://a.example", "x"), signin.UserID("https://b.example", "x"), "subjects are each issuer's own")
	for _, line := range h.log.All() {
		require.NotContains(t, fmt.Sprint(line.Message, line.ContextMap()), theToken)
	}
}

func TestWhatTheProviderIsAskedAndTheBrowserKeeps(t *testing.T) {
	h := open(t, func(c *signin.Config) {
		c.RedirectURL = "https://voice.example.org/voice/api/signin/callback"
	})
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, h.url+signin.Path, http.NoBody)
	require.NoError(t, err)
	response, err := signintest.Browser(t).Do(r)
	require.NoError(t, err)
	defer response.Body.Close()
	at, err := response.Location()
	require.NoError(t, err)
	asked := at.Query()
	require.Equal(t, "S256", asked.Get("code_challenge_method"))
	require.Len(t, asked.Get("code_challenge"), 43)
	require.Equal(t, "code", asked.Get("response_type"))
	require.Equal(t, "openid profile", asked.Get("scope"))
	require.Equal(t, "https://voice.example.org/voice/api/signin/callback", asked.Get("redirect_uri"))
	require.Len(t, asked.Get("state"), 26)
	require.Len(t, asked.Get("nonce"), 26)
	require.NotEqual(t, asked.Get("state"), asked.Get("nonce"))
	require.Empty(t, asked.Get("client_secret"))

	require.Equal(t, "no-store", response.Header.Get("Cache-Control"))
	require.Equal(t, "no-referrer", response.Header.Get("Referrer-Policy"))
	cookies := response.Cookies()
	require.Len(t, cookies, 1)
	c := cookies[0]
	require.True(t, c.HttpOnly)
	require.True(t, c.Secure)
	require.Equal(t, http.SameSiteLaxMode, c.SameSite)
	require.Equal(t, 600, c.MaxAge)
	require.Equal(t, "/voice/api/signin", c.Path)
	// Nothing in it lets anybody in, and the verifier is not what the provider was shown.
	first, _, _ := strings.Cut(c.Value, ".")
	text, err := base64.RawURLEncoding.DecodeString(first)
	require.NoError(t, err)
	var kept map[string]any
	require.NoError(t, json.Unmarshal(text, &kept))
	require.NotEqual(t, asked.Get("code_challenge"), kept["v"])
	authority, err := auth.New([]byte(strings.Repeat("s", 32)))
	require.NoError(t, err)
	_, err = authority.Verify(c.Value, time.Now())
	require.ErrorIs(t, err, auth.ErrInvalidToken)

	r, err = http.NewRequestWithContext(t.Context(), http.MethodPost, h.url+signin.Path, http.NoBody)
	require.NoError(t, err)
	post, err := http.DefaultClient.Do(r)
	require.NoError(t, err)
	defer post.Body.Close()
	require.Equal(t, http.StatusMethodNotAllowed, post.StatusCode)
	http.DefaultClient.CloseIdleConnections()
}

// What the provider says is checked: each row is an ID token that it signs, or somebody else.
func TestFalseWordsOfTheProvider(t *testing.T) {
	h := open(t)
	stranger, err := rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(t, err)
	set := func(claim string, value any) func(map[string]any) string {
		return func(claims map[string]any) string {
			if claims[claim] = value; value == nil {
				delete(claims, claim)
			}
			return ""
		}
	}
	unsigned := func(claims map[string]any) string {
		text, _ := json.Marshal(claims)
		return base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none"}`)) + "." + base64.RawURLEncoding.EncodeToString(text) + "."
	}
	for name, falsify := range map[string]func(map[string]any) string{
		"another nonce":    set("nonce", "another"),
		"no nonce":         set("nonce", nil),
		"another audience": set("aud", "somebody else"),
		"no audience":      set("aud", nil),
		"several, no azp": func(c map[string]any) string {
			delete(c, "azp")
			return set("aud", []string{signintest.ClientID, "x"})(c)
		},
		"another azp":     set("azp", "somebody else"),
		"another issuer":  set("iss", "https://elsewhere.example"),
		"no issuer":       set("iss", nil),
		"expired":         set("exp", time.Now().Add(-time.Minute).Unix()),
		"no expiry":       set("exp", nil),
		"another subject": set("sub", "subject of bob"), // than its word on the person
		"no subject":      set("sub", nil),
		"another key": func(c map[string]any) string {
			return signintest.SignWith(jose.SigningKey{Algorithm: jose.RS256, Key: stranger}, c)
		},
		"the public secret": func(c map[string]any) string {
			return signintest.SignWith(jose.SigningKey{Algorithm: jose.HS256, Key: []byte(signintest.ClientSecret)}, c)
		},
		"no signature":       unsigned,
		"not a token at all": func(map[string]any) string { return "x" },
	} {
		h.provider.Falsify(falsify)
		told := h.signIn("ada")
		require.Equal(t, url.Values{"signin-failed": {"refused"}}, told, name)
	}
	require.Empty(t, h.admitted)
	require.NotEmpty(t, h.log.FilterMessageSnippet("could not sign in").All())
	h.provider.Falsify(set("more", "claims"))
	require.Contains(t, h.signIn("ada"), "token")
}

func TestOnlyWhoBeganEndsTheSignIn(t *testing.T) {
	h := open(t)
	ada, eve := signintest.Browser(t), signintest.Browser(t)
	back := h.provider.SignIn(t, ada, h.begin(ada).String(), "ada")
	changed := func(name, value string) *url.URL {
		u := *back
		q := u.Query()
		q.Set(name, value)
		u.RawQuery = q.Encode()
		return &u
	}
	failed := func(word string) url.Values { return url.Values{"signin-failed": {word}} }
	require.Equal(t, failed("expired"), h.end(eve, back), "another browser")
	h.begin(eve)
	require.Equal(t, failed("expired"), h.end(eve, back), "another browser that began one of its own")
	require.Equal(t, failed("expired"), h.end(ada, changed("state", "")), "no state")
	require.Equal(t, failed("expired"), h.end(ada, changed("state", "x")), "another state")
	require.Equal(t, failed("expired"), h.end(ada, changed("state", back.Query().Get("state")[:8]+"AAAAAAAAAAAAAAAAAA")), "a state that begins the same")

	// What the browser keeps is the server's own writing.
	at, err := url.Parse(h.url + signin.CallbackPath)
	require.NoError(t, err)
	mine := ada.Jar.Cookies(at)
	require.Len(t, mine, 1)
	for _, value := range []string{"", "x", ".", mine[0].Value[1:], mine[0].Value + "A", strings.Split(mine[0].Value, ".")[0] + "."} {
		eve.Jar.SetCookies(at, []*http.Cookie{{Name: mine[0].Name, Value: value, Path: "/api/signin"}})
		require.Equal(t, failed("expired"), h.end(eve, back), value)
	}

	require.Contains(t, h.end(ada, back), "token", "all that did no harm")
	require.Equal(t, failed("expired"), h.end(ada, back), "it is for once")
	ada.Jar.SetCookies(at, mine)
	require.Equal(t, failed("expired"), h.end(ada, back), "and so is the code, for who kept the cookie")
	require.Len(t, h.admitted, 1)
}

func TestACodeThatHasExpired(t *testing.T) {
	h := open(t)
	browser := signintest.Browser(t)
	back := h.provider.SignIn(t, browser, h.begin(browser).String(), "ada")
	h.provider.Expire(t, back.Query().Get("code"))
	require.Equal(t, url.Values{"signin-failed": {"expired"}}, h.end(browser, back))
	// The verifier belongs to the code: somebody else's code does not do.
	other := signintest.Browser(t)
	stolen := h.provider.SignIn(t, other, h.begin(other).String(), "bob")
	mine := h.provider.SignIn(t, browser, h.begin(browser).String(), "ada")
	q := mine.Query()
	q.Set("code", stolen.Query().Get("code"))
	mine.RawQuery = q.Encode()
	require.Contains(t, h.end(browser, mine), "signin-failed")
	require.Empty(t, h.admitted)
}

func TestTheProviderSaysNo(t *testing.T) {
	h := open(t)
	browser := signintest.Browser(t)
	state := h.begin(browser).Query().Get("state")
	back, err := url.Parse(h.url + signin.CallbackPath + "?error=access_denied&state=" + state)
	require.NoError(t, err)
	require.Equal(t, url.Values{"signin-failed": {"denied"}}, h.end(browser, back))
	// RFC 9207: the answer of another provider than the one that was asked.
	state = h.begin(browser).Query().Get("state")
	back, err = url.Parse(h.url + signin.CallbackPath + "?code=x&iss=https%3A%2F%2Felsewhere.example&state=" + state)
	require.NoError(t, err)
	require.Equal(t, url.Values{"signin-failed": {"refused"}}, h.end(browser, back))
}

func TestTheProviderIsDown(t *testing.T) {
	h := open(t)
	h.provider.Down(true)
	browser := signintest.Browser(t)
	to := h.begin(browser)
	require.Equal(t, h.url+"/#signin-failed=unreachable", to.String())
	require.Equal(t, 1, h.log.FilterMessageSnippet("could not sign in").Len())

	// It is asked again after a moment, and nobody has to restart anything.
	h.provider.Down(false)
	require.Eventually(t, func() bool { return h.begin(browser).Fragment == "" }, time.Minute, 100*time.Millisecond)
	require.Contains(t, h.signIn("ada"), "token")

	// It goes while somebody is there.
	back := h.provider.SignIn(t, browser, h.begin(browser).String(), "ada")
	h.provider.Down(true)
	require.Equal(t, url.Values{"signin-failed": {"unreachable"}}, h.end(browser, back))
	require.Len(t, h.admitted, 1)
}

func TestNobodyCanBeRememberedJustNow(t *testing.T) {
	h := open(t)
	h.refuse = errors.New("the disk is full")
	require.Equal(t, url.Values{"signin-failed": {"busy"}}, h.signIn("ada"))
}

func TestSigningInIsBounded(t *testing.T) {
	h := open(t)
	h.provider.Down(true)
	browser := signintest.Browser(t)
	words := map[string]int{}
	for range 300 {
		words[h.begin(browser).Fragment]++
	}
	require.NotZero(t, words["signin-failed=busy"])
	require.GreaterOrEqual(t, words["signin-failed=unreachable"], 100)
}

func TestRolesAreParsed(t *testing.T) {
	roles, err := signin.ParseRoles([]string{"staff=moderator", "cn=chiefs,ou=groups=admin", "*=guest"})
	require.NoError(t, err)
	require.Equal(t, map[string]auth.Role{"staff": auth.RoleModerator, "cn=chiefs,ou=groups": auth.RoleAdmin, "*": auth.RoleGuest}, roles)
	for _, bad := range [][]string{{"staff"}, {"=admin"}, {"staff=root"}, {"staff="}, {"a=guest", "a=admin"}} {
		_, err := signin.ParseRoles(bad)
		require.Error(t, err, "%v", bad)
	}
}

func TestRolesOfAClaimWithinAnother(t *testing.T) {
	h := open(t, func(c *signin.Config) {
		c.RoleClaim, c.Roles = "realm.access.roles", map[string]auth.Role{"*": auth.RoleGuest, "talk": auth.RoleMember, "true": auth.RoleAdmin}
	})
	for want, claim := range map[auth.Role]any{
		auth.RoleMember: map[string]any{"access": map[string]any{"roles": []any{"x", "talk", 7}}},
		auth.RoleGuest:  map[string]any{"access": map[string]any{"roles": "*"}},
		auth.RoleAdmin:  map[string]any{"access": map[string]any{"roles": true}},
	} {
		h.provider.Falsify(func(claims map[string]any) string { claims["realm"] = claim; return "" })
		h.signIn("bob")
		require.Equal(t, want, h.admitted[len(h.admitted)-1].Role)
	}
}

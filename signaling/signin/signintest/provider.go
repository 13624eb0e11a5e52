// Package signintest is an OpenID Connect provider for tests: zitadel's, with people of its own. What it says can be falsified.
package signintest

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/go-jose/go-jose/v4"
	"github.com/stretchr/testify/require"
	"github.com/zitadel/oidc/v3/example/server/exampleop"
	"github.com/zitadel/oidc/v3/example/server/storage"
	"github.com/zitadel/oidc/v3/pkg/oidc"
	"github.com/zitadel/oidc/v3/pkg/op"
)

// What the provider knows its one client by, and everybody's password.
const (
	ClientID     = "livechat"
	ClientSecret = "a secret between the provider and the server"
	Password     = "open sesame"
)

// Provider is a provider that runs.
type Provider struct {
	// Issuer is its issuer URL.
	Issuer string

	storage *people
	server  *httptest.Server

	mu sync.Mutex // guards the fields below
	// down: nothing answers but 503.
	down bool
	// falsify changes an ID token before it is sent; the result is sent as it is, unless it is empty.
	falsify func(claims map[string]any) (token string)
}

// Start runs a provider until the end of the test, which sends people back to these addresses. There are ada, in the groups staff and
// chiefs, and bob, in none.
func Start(tb testing.TB, redirects ...string) *Provider {
	tb.Helper()
	p := &Provider{}
	p.server = httptest.NewUnstartedServer(nil)
	p.Issuer = "http://" + p.server.Listener.Addr().String()
	client := storage.WebClient(ClientID, ClientSecret, redirects...)
	p.storage = &people{storage.NewStorageWithClients(users{
		"ada": {ID: "subject of ada", Username: "ada", Password: Password, FirstName: "Ada", LastName: "Lovelace"},
		"bob": {ID: "subject of bob", Username: "bob", Password: Password, FirstName: "Bob", LastName: "Admin"},
	}, map[string]*storage.Client{ClientID: client})}
	router := exampleop.SetupServer(p.Issuer, p.storage, slog.New(slog.DiscardHandler), false)
	p.server.Config.Handler = p.falsifying(router)
	p.server.Start()
	tb.Cleanup(p.server.Close)
	return p
}

// Down has the provider answer nothing but 503, or go on.
func (p *Provider) Down(down bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.down = down
}

// Falsify has the claims of each ID token changed. What it returns is sent in its place, or, if that is empty, the claims signed
// anew with the provider's own key. Nil: they are left alone.
func (p *Provider) Falsify(falsify func(claims map[string]any) (token string)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.falsify = falsify
}

// Expire makes a code worthless, as time does.
func (p *Provider) Expire(tb testing.TB, code string) {
	tb.Helper()
	request, err := p.storage.AuthRequestByCode(context.Background(), code)
	require.NoError(tb, err)
	require.NoError(tb, p.storage.DeleteAuthRequest(context.Background(), request.GetID()))
}

// Browser is an HTTP client with cookies that goes no further by itself than to the next page.
func Browser(tb testing.TB) *http.Client {
	tb.Helper()
	jar, err := cookiejar.New(nil)
	require.NoError(tb, err)
	transport := &http.Transport{}
	tb.Cleanup(transport.CloseIdleConnections)
	return &http.Client{
		Jar: jar, Transport: transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// Next asks for a page and returns where it sends the browser.
func Next(tb testing.TB, browser *http.Client, at string) *url.URL {
	tb.Helper()
	return sent(tb, browser, at, nil)
}

// SignIn is what somebody does at the provider, to whom the server sent them, and returns where the provider sends them back.
func (p *Provider) SignIn(tb testing.TB, browser *http.Client, at, who string) (back *url.URL) {
	tb.Helper()
	form := Next(tb, browser, at)
	require.True(tb, strings.HasSuffix(form.Path, "/login/username"), "%s", form)
	id := form.Query().Get("authRequestID")
	done := sent(tb, browser, form.String(), url.Values{"id": {id}, "username": {who}, "password": {Password}})
	return Next(tb, browser, done.String())
}

func sent(tb testing.TB, browser *http.Client, at string, form url.Values) *url.URL {
	tb.Helper()
	method, body := http.MethodGet, ""
	if form != nil {
		method, body = http.MethodPost, form.Encode()
	}
	r, err := http.NewRequestWithContext(context.Background(), method, at, strings.NewReader(body))
	require.NoError(tb, err)
	if form != nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	response, err := browser.Do(r)
	require.NoError(tb, err)
	defer response.Body.Close() //nolint:errcheck // it was read
	text, err := io.ReadAll(response.Body)
	require.NoError(tb, err)
	to, err := response.Location()
	require.NoError(tb, err, "%s: %s %s", at, response.Status, text)
	return to
}

// falsifying is the provider with its ID tokens changed.
func (p *Provider) falsifying(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p.mu.Lock()
		down, falsify := p.down, p.falsify
		p.mu.Unlock()
		switch {
		case down:
			http.Error(w, "out of order", http.StatusServiceUnavailable)
			return
		case falsify == nil || r.URL.Path != "/oauth/token":
			next.ServeHTTP(w, r)
			return
		}
		recorder := httptest.NewRecorder()
		next.ServeHTTP(recorder, r)
		answer := map[string]any{}
		if json.Unmarshal(recorder.Body.Bytes(), &answer) == nil {
			if token, ok := answer["id_token"].(string); ok {
				claims := Claims(token)
				if answer["id_token"] = falsify(claims); answer["id_token"] == "" {
					answer["id_token"] = p.Sign(claims) //nolint:contextcheck // it needs none
				}
			}
		}
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(recorder.Code)
		_ = json.NewEncoder(w).Encode(answer)
	})
}

// Claims reads the claims of a token, and checks nothing.
func Claims(token string) map[string]any {
	claims := map[string]any{}
	if parts := strings.Split(token, "."); len(parts) == 3 {
		text, _ := base64.RawURLEncoding.DecodeString(parts[1])
		_ = json.Unmarshal(text, &claims)
	}
	return claims
}

// Sign signs claims with the provider's own key.
func (p *Provider) Sign(claims map[string]any) string {
	key, err := p.storage.SigningKey(context.Background())
	if err != nil {
		panic(err)
	}
	return SignWith(jose.SigningKey{Algorithm: key.SignatureAlgorithm(), Key: jose.JSONWebKey{Key: key.Key(), KeyID: key.ID()}}, claims)
}

// SignWith signs claims with another key.
func SignWith(key jose.SigningKey, claims map[string]any) string {
	signer, err := jose.NewSigner(key, nil)
	if err != nil {
		panic(err)
	}
	text, err := json.Marshal(claims)
	if err != nil {
		panic(err)
	}
	signed, err := signer.Sign(text)
	if err != nil {
		panic(err)
	}
	token, err := signed.CompactSerialize()
	if err != nil {
		panic(err)
	}
	return token
}

// users are the people of the provider, by name.
type users map[string]*storage.User

// GetUserByID implements storage.UserStore.
func (u users) GetUserByID(id string) *storage.User {
	for _, user := range u {
		if user.ID == id {
			return user
		}
	}
	return nil
}

// GetUserByUsername implements storage.UserStore.
func (u users) GetUserByUsername(name string) *storage.User { return u[name] }

// ExampleClientID implements storage.UserStore.
func (users) ExampleClientID() string { return "none" }

// people is the provider's storage; it knows groups too.
type people struct{ *storage.Storage }

// SetUserinfoFromToken implements op.Storage.
func (s *people) SetUserinfoFromToken(ctx context.Context, info *oidc.UserInfo, tokenID, subject, origin string) error {
	err := s.Storage.SetUserinfoFromToken(ctx, info, tokenID, subject, origin)
	if subject == "subject of ada" {
		info.AppendClaims("groups", []string{"staff", "chiefs"})
	}
	return err //nolint:wrapcheck // the provider's own
}

var _ op.Storage = (*people)(nil)

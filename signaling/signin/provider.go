package signin

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base32"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"github.com/mini-livechat/mini-livechat/signaling/auth"
)

const (
	// providerTimeout is how long the provider may take for one answer.
	providerTimeout = 5 * time.Second
	// providerPause is how long a provider that did not answer is not asked again: people click more than once.
	providerPause = 2 * time.Second
	// idPrefix begins the user ids of those who came this way.
	idPrefix = "oidc-"
	// idBytes is how much of the hash is in an id: 128 bits.
	idBytes = 16
)

// provider finds the provider's configuration, once it answers. Safe for concurrent use.
type provider struct {
	cfg    Config
	client *http.Client

	mu    sync.Mutex // guards the fields below; held while the provider is asked
	known *knownProvider
	tried time.Time
	err   error
}

func newProvider(cfg Config) *provider {
	client := cfg.Client
	if client == nil {
		client = &http.Client{Timeout: providerTimeout}
	}
	return &provider{cfg: cfg, client: client}
}

// get returns the provider as it describes itself.
func (p *provider) get(ctx context.Context) (*knownProvider, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.known != nil || p.err != nil && time.Since(p.tried) < providerPause {
		return p.known, p.err
	}
	found, err := oidc.NewProvider(oidc.ClientContext(ctx, p.client), p.cfg.Issuer)
	if err != nil {
		err = fmt.Errorf("the provider's configuration: %w", err)
		if ctx.Err() == nil { // else it is who asked that has gone
			p.tried, p.err = time.Now(), err
		}
		return nil, err
	}
	p.err = nil
	p.known = &knownProvider{
		cfg: p.cfg, client: p.client, provider: found,
		verifier: found.Verifier(&oidc.Config{ClientID: p.cfg.ClientID}),
		oauth: oauth2.Config{
			ClientID: p.cfg.ClientID, ClientSecret: p.cfg.ClientSecret, Endpoint: found.Endpoint(),
			Scopes: append([]string{oidc.ScopeOpenID}, p.cfg.Scopes...),
		},
	}
	return p.known, nil
}

// knownProvider is a provider that has described itself.
type knownProvider struct {
	cfg      Config
	client   *http.Client
	provider *oidc.Provider
	verifier *oidc.IDTokenVerifier
	oauth    oauth2.Config
}

// authorize is the address at which somebody signs in.
func (k *knownProvider) authorize(redirect string, t transaction) string {
	oauth := k.oauth
	oauth.RedirectURL = redirect
	return oauth.AuthCodeURL(t.State, oidc.Nonce(t.Nonce), oauth2.S256ChallengeOption(t.Verifier))
}

// redeem exchanges the provider's code for its word on who somebody is. The error is a *failure.
func (k *knownProvider) redeem(ctx context.Context, code, redirect string, t transaction) (Person, error) {
	ctx = oidc.ClientContext(ctx, k.client)
	oauth := k.oauth
	oauth.RedirectURL = redirect
	tokens, err := oauth.Exchange(ctx, code, oauth2.VerifierOption(t.Verifier))
	if err != nil {
		return Person{}, exchangeFailure(err)
	}
	raw, _ := tokens.Extra("id_token").(string)
	id, err := k.verifier.Verify(ctx, raw)
	switch {
	case err != nil:
		return Person{}, &failure{wordRefused, err}
	case subtle.ConstantTimeCompare([]byte(id.Nonce), []byte(t.Nonce)) != 1:
		return Person{}, &failure{wordRefused, errors.New("the nonce of the ID token is not the one that was asked for")}
	}
	claims := map[string]any{}
	if err = id.Claims(&claims); err != nil {
		return Person{}, &failure{wordRefused, err}
	}
	// OpenID Connect Core 1.0, section 3.1.3.7: of several audiences one was meant.
	if azp, said := claims["azp"]; said && azp != k.cfg.ClientID || !said && len(id.Audience) > 1 {
		return Person{}, &failure{wordRefused, errors.New("the ID token is meant for another client (azp)")}
	}
	if err = k.complete(ctx, tokens, id.Subject, claims); err != nil {
		return Person{}, err
	}
	return k.person(id.Subject, claims), nil
}

// exchangeFailure tells a code that is good no more from a provider that is out of order. The answer itself is not repeated.
func exchangeFailure(err error) *failure {
	answer, ok := errors.AsType[*oauth2.RetrieveError](err)
	switch {
	case !ok:
		return &failure{wordUnreachable, err}
	case answer.ErrorCode == "invalid_grant":
		return &failure{wordExpired, errors.New("the provider takes the code no more")}
	case answer.Response.StatusCode >= http.StatusInternalServerError:
		return &failure{wordUnreachable, fmt.Errorf("the provider answers %s", answer.Response.Status)}
	}
	return &failure{wordRefused, fmt.Errorf("the provider refuses the code: %s %s", answer.Response.Status, answer.ErrorCode)}
}

// complete asks for claims that the ID token does not have: many providers keep it short.
func (k *knownProvider) complete(ctx context.Context, tokens *oauth2.Token, subject string, claims map[string]any) error {
	_, named := claims["name"]
	if (named || claims["preferred_username"] != nil) && (k.cfg.RoleClaim == "" || find(claims, k.cfg.RoleClaim) != nil) {
		return nil
	}
	if k.provider.UserInfoEndpoint() == "" {
		return nil
	}
	info, err := k.provider.UserInfo(ctx, oauth2.StaticTokenSource(tokens))
	if err != nil {
		return &failure{wordUnreachable, errors.New("the provider does not say more on the person")}
	}
	// OpenID Connect Core 1.0, section 5.3.2.
	if info.Subject != subject {
		return &failure{wordRefused, errors.New("the provider tells of somebody else than its ID token")}
	}
	more := map[string]any{}
	if err = info.Claims(&more); err != nil {
		return &failure{wordRefused, err}
	}
	for name, value := range more {
		if _, said := claims[name]; !said {
			claims[name] = value
		}
	}
	return nil
}

// person is whom the claims speak of.
func (k *knownProvider) person(subject string, claims map[string]any) Person {
	p := Person{UserID: UserID(k.cfg.Issuer, subject), Role: k.role(claims)}
	for _, claim := range []string{"name", "preferred_username", "nickname", "given_name"} {
		text, _ := claims[claim].(string)
		runes := []rune(text)
		if name, err := auth.CleanName(string(runes[:min(len(runes), auth.MaxNameChars)])); err == nil {
			p.Name = name
			break
		}
	}
	return p
}

// UserID returns what we call somebody whom an issuer knows by a subject. Subjects are each issuer's own, of any length and up to any
// trick, and people see names.
func UserID(issuer, subject string) string {
	sum := sha256.Sum256([]byte(issuer + "\x00" + subject))
	return idPrefix + strings.ToLower(base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(sum[:idBytes]))
}

// role is the highest that any value of the claim means.
func (k *knownProvider) role(claims map[string]any) auth.Role {
	role, said := k.cfg.Roles["*"]
	if !said {
		role = auth.RoleMember
	}
	if k.cfg.RoleClaim == "" {
		return role
	}
	for _, value := range texts(find(claims, k.cfg.RoleClaim)) {
		if meant, ok := k.cfg.Roles[value]; ok && value != "*" {
			role = max(role, meant)
		}
	}
	return role
}

// find returns a claim by its name, or by names with dots between them, of which each is in the one before.
func find(claims map[string]any, name string) any {
	if value, ok := claims[name]; ok {
		return value
	}
	first, rest, dotted := strings.Cut(name, ".")
	if inner, ok := claims[first].(map[string]any); ok && dotted {
		return find(inner, rest)
	}
	return nil
}

// texts are a claim's values: one, or a list.
func texts(value any) []string {
	switch v := value.(type) {
	case string:
		return []string{v}
	case bool, float64, json.Number:
		return []string{fmt.Sprint(v)}
	case []any:
		var all []string
		for _, one := range v {
			if text, ok := one.(string); ok {
				all = append(all, text)
			}
		}
		return all
	}
	return nil
}

// ParseRoles reads a mapping such as "staff=moderator". The error says what is wrong.
func ParseRoles(pairs []string) (map[string]auth.Role, error) {
	roles := make(map[string]auth.Role, len(pairs))
	for _, pair := range pairs {
		value, name, ok := cutLast(pair)
		role, err := auth.ParseRole(name)
		switch {
		case !ok || value == "":
			return nil, fmt.Errorf("%q must be VALUE=ROLE", pair)
		case err != nil:
			return nil, fmt.Errorf("%q: %w", pair, err)
		}
		if _, twice := roles[value]; twice {
			return nil, fmt.Errorf("%q is there twice", value)
		}
		roles[value] = role
	}
	return roles, nil
}

// cutLast cuts at the last =, since values may be such as "cn=staff,ou=groups".
func cutLast(pair string) (value, role string, ok bool) {
	i := strings.LastIndexByte(pair, '=')
	if i < 0 {
		return pair, "", false
	}
	return pair[:i], pair[i+1:], true
}

package app

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"path"
	"strings"
	"time"

	"go.uber.org/zap"

	"github.com/mini-livechat/mini-livechat/signaling/auth"
	"github.com/mini-livechat/mini-livechat/signaling/httpapi"
	"github.com/mini-livechat/mini-livechat/signaling/signin"
)

// OIDC is who else vouches for people: an OpenID Connect provider. The zero value is nobody.
type OIDC struct {
	// Issuer is the provider, by its issuer URL. Empty: there is none.
	Issuer string `placeholder:"URL" group:"signin" help:"Let people sign in with this OpenID Connect provider, named by its issuer URL, such as https://login.example.org."`
	// ClientID is how the provider knows this server.
	ClientID string `placeholder:"ID" group:"signin" help:"How the provider knows this server."`
	// ClientSecretFile holds the secret shared with the provider. Empty: PKCE is enough for it.
	ClientSecretFile string `placeholder:"FILE" group:"signin" help:"The secret shared with the provider, in a file that nobody else may read. Without it: none, where PKCE is enough for the provider."`
	// Name is what the page calls the provider. Empty: the host of Issuer.
	Name string `placeholder:"NAME" group:"signin" help:"What the page calls it: Sign in with NAME. Without it: the provider's host."`
	// Scope is what is asked for beside openid.
	Scope []string `placeholder:"SCOPE" group:"signin" help:"What the provider is asked for beside openid; many want groups for --oidc-role-claim."`
	// RoleClaim is the claim that says what people may do. Empty: everybody is a member.
	RoleClaim string `placeholder:"CLAIM" group:"signin" help:"The claim that says what people may do, such as groups, or realm_access.roles within another. Without it everybody is a member."`
	// Role is what its values mean.
	Role []string `placeholder:"VALUE=ROLE" group:"signin" help:"What a value of that claim means: guest, member, moderator or admin; the highest counts. * is everybody, and a member unless it says otherwise."`
	// RedirectURL is where the provider sends people back to. Empty: the host that they came to.
	RedirectURL string `name:"redirect-url" placeholder:"URL" group:"signin" help:"Where the provider sends people back to, as it knows it. Without it: /api/signin/callback of the host that they came to."`
	// TTL is how long somebody may stay on one sign-in.
	TTL time.Duration `name:"ttl" placeholder:"TIME" group:"signin" help:"How long one sign-in lets a person in. What changes at the provider counts from the next one on."`
}

const (
	// DefaultSignInTTL is how long one sign-in lets a person in: a working day and the night before it.
	DefaultSignInTTL = 24 * time.Hour
	// maxSignInTTL bounds how long somebody stays whom the provider knows no more.
	maxSignInTTL = 90 * 24 * time.Hour
	// maxProviderName is the longest name on the button, in bytes.
	maxProviderName = 64
	// maxClientSecret is the longest secret shared with a provider, in bytes.
	maxClientSecret = 4 << 10
)

// check notes what is wrong.
func (o OIDC) check(v *mistakes) {
	if o.Issuer == "" {
		for key, given := range map[string]bool{
			"oidc-client-id": o.ClientID != "", "oidc-client-secret-file": o.ClientSecretFile != "", "oidc-name": o.Name != "",
			"oidc-role-claim": o.RoleClaim != "", "oidc-role": len(o.Role) > 0, "oidc-redirect-url": o.RedirectURL != "",
		} {
			if given {
				v.bad(key, "…", "needs --oidc-issuer, the provider")
			}
		}
		return
	}
	if !providerURL(o.Issuer) {
		v.bad("oidc-issuer", o.Issuer, "must be an https URL without a query, as the provider writes it; http is allowed on loopback only")
	}
	if o.ClientID == "" {
		v.bad("oidc-client-id", "", "must say how the provider knows this server")
	}
	if len(o.Name) > maxProviderName {
		v.bad("oidc-name", o.Name, "must have at most %d bytes", maxProviderName)
	}
	if o.RedirectURL != "" && (!providerURL(o.RedirectURL) || !strings.HasSuffix(o.RedirectURL, signin.CallbackPath)) {
		v.bad("oidc-redirect-url", o.RedirectURL, "must be an https URL that ends in %s", signin.CallbackPath)
	}
	if _, err := signin.ParseRoles(o.Role); err != nil {
		v.bad("oidc-role", strings.Join(o.Role, ","), "%v", err)
	} else if len(o.Role) > 0 && o.RoleClaim == "" && (len(o.Role) > 1 || !strings.HasPrefix(o.Role[0], "*=")) {
		v.bad("oidc-role", strings.Join(o.Role, ","), "needs --oidc-role-claim, the claim whose values these are")
	}
	v.duration("oidc-ttl", o.TTL, time.Minute, maxSignInTTL)
}

// providerURL reports whether nobody on the way can read or change what goes there.
func providerURL(text string) bool {
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return false
	}
	return u.Scheme == "https" || u.Scheme == "http" && isLoopback(u.Hostname()+":0")
}

// name is what the page calls the provider.
func (o OIDC) name() string {
	if o.Name != "" || o.Issuer == "" {
		return o.Name
	}
	u, err := url.Parse(o.Issuer)
	if err != nil {
		return o.Issuer
	}
	return u.Hostname()
}

// clientSecret reads the secret shared with the provider.
func (o OIDC) clientSecret() (string, error) {
	if o.ClientSecretFile == "" {
		return "", nil
	}
	data, err := auth.ReadPrivate(o.ClientSecretFile, maxClientSecret+1)
	secret := strings.TrimRight(string(data), "\r\n")
	if err == nil && (secret == "" || len(data) > maxClientSecret || strings.ContainsAny(secret, "\r\n\x00")) {
		err = fmt.Errorf("%s should hold one line", path.Base(o.ClientSecretFile))
	}
	if err != nil {
		return "", fmt.Errorf("%w (--oidc-client-secret-file)", err)
	}
	return secret, nil
}

// openSignIn makes what answers people who sign in, if they can.
func (a *App) openSignIn(authority *auth.Authority) error {
	o := a.cfg.OIDC
	if o.Issuer == "" {
		return nil
	}
	secret, err := o.clientSecret()
	if err != nil {
		return err
	}
	roles, err := signin.ParseRoles(o.Role)
	if err != nil {
		return fmt.Errorf("--oidc-role: %w", err)
	}
	a.signin = signin.New(signin.Config{
		Issuer: o.Issuer, ClientID: o.ClientID, ClientSecret: secret, Scopes: o.Scope,
		RoleClaim: o.RoleClaim, Roles: roles, RedirectURL: o.RedirectURL,
		Secure:    func(r *http.Request) bool { return a.cfg.hasTLS() || httpapi.ForwardedSecure(r.Header) },
		Authority: authority, Now: a.people.Now, Tally: &a.tally, Log: a.log,
		Admit: func(ctx context.Context, who signin.Person) (string, error) {
			signing, err := a.people.SignIn(ctx, who.UserID, who.Name, who.Role, o.TTL, a.people.Now())
			return signing.Token, err //nolint:wrapcheck // says it all
		},
	})
	return nil
}

// providerInterval is how often a provider that did not answer at the start is asked again.
const providerInterval = time.Minute

// tryProvider has the log say whether the provider answers, until it does or ctx is done: the operator shall learn of trouble before
// the people do.
func tryProvider(ctx context.Context, h *signin.Handler, issuer string, log *zap.Logger) {
	for told := ""; ; {
		err := h.Check(ctx)
		switch {
		case ctx.Err() != nil:
			return
		case err == nil:
			log.Info("people can sign in with the provider", zap.String("issuer", issuer))
			return
		case err.Error() != told:
			log.Warn("nobody can sign in with the provider just now; it is asked again", zap.String("issuer", issuer), zap.Error(err))
			told = err.Error()
		}
		timer := time.NewTimer(providerInterval)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return
		}
	}
}

// Package signin lets people in whom an OpenID Connect provider vouches for (OpenID Connect Core 1.0): the code flow, with PKCE
// (RFC 7636), a state and a nonce.
//
// A Handler keeps nothing of those who are signing in: what it has to know again when they come back is in a cookie, see
// transaction. It may be called from any goroutine.
package signin

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"path"
	"strings"
	"time"

	"go.uber.org/zap"
	"golang.org/x/time/rate"

	"github.com/mini-livechat/mini-livechat/signaling/auth"
	"github.com/mini-livechat/mini-livechat/signaling/tally"
)

// Paths of the handler.
const (
	// Path is where somebody goes to sign in.
	Path = "/api/signin"
	// CallbackPath is where the provider sends them back to.
	CallbackPath = Path + "/callback"
)

const (
	// visitRate and visitBurst bound how many are sent to the provider and come back, a second and at once. Who comes back has the
	// provider asked, so this is for its sake too.
	visitRate  = 20
	visitBurst = 100
	// maxChannel is the longest id of a channel that is carried through, in bytes.
	maxChannel = 64
)

// Person is somebody whom the provider vouches for.
type Person struct {
	// UserID is the same for the same person at the same provider, and nobody else's.
	UserID string
	// Name is what the provider calls them, as names are kept; it may be empty.
	Name string
	// Role is what the provider's word makes of them.
	Role auth.Role
}

// Config is what a Handler needs to know. Every field must be set unless it says otherwise.
type Config struct {
	// Issuer is the provider, by its issuer URL, of which its configuration follows (OpenID Connect Discovery 1.0).
	Issuer string
	// ClientID is how the provider knows this server, ClientSecret by what; empty where PKCE is enough for it.
	ClientID, ClientSecret string
	// Scopes are asked for beside openid.
	Scopes []string
	// RoleClaim is the claim that says what people may do, and Roles what its values mean, "*" any. Empty: everybody is a member.
	RoleClaim string
	Roles     map[string]auth.Role
	// RedirectURL is where the provider sends people back to. Empty: CallbackPath of the host that they came to.
	RedirectURL string
	// Secure: the requests come over TLS.
	Secure func(*http.Request) bool
	// Authority signs what the browser keeps meanwhile.
	Authority *auth.Authority
	// Now returns what time it is.
	Now func() time.Time
	// Admit returns the token with which somebody comes in.
	Admit func(context.Context, Person) (token string, err error)
	// Client asks the provider. Nil: one of its own.
	Client *http.Client
	// Tally counts refusals. Nil: nothing is counted.
	Tally *tally.Tally
	Log   *zap.Logger
}

// Handler answers Path and CallbackPath.
type Handler struct {
	cfg      Config
	provider *provider
	limiter  *rate.Limiter
}

// New returns a Handler. The provider is asked when the first person signs in, or by Check.
func New(cfg Config) *Handler {
	return &Handler{cfg: cfg, provider: newProvider(cfg), limiter: rate.NewLimiter(visitRate, visitBurst)}
}

// Check asks the provider for its configuration, so that the operator learns of trouble first.
func (h *Handler) Check(ctx context.Context) error {
	_, err := h.provider.get(ctx)
	return err
}

// failure is why somebody was not signed in. The page is told the word, the log the rest.
type failure struct {
	word string
	err  error
}

func (f *failure) Error() string { return f.word + ": " + f.err.Error() }
func (f *failure) Unwrap() error { return f.err }

// Words of failures.
const (
	// wordUnreachable: the provider does not answer, or not as one.
	wordUnreachable = "unreachable"
	// wordDenied: the provider, or the person there, said no.
	wordDenied = "denied"
	// wordExpired: it took too long, was begun in another browser, or is over already.
	wordExpired = "expired"
	// wordRefused: what the provider says is not good.
	wordRefused = "refused"
	// wordBusy: too many sign in at once, or the server cannot remember anybody just now.
	wordBusy = "busy"
)

// ServeHTTP implements http.Handler.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", "no-store")
	// The address has the provider's code in it, or ours the token: neither is another site's business.
	w.Header().Set("Referrer-Policy", "no-referrer")
	if r.Method != http.MethodGet {
		w.Header().Set("Allow", http.MethodGet)
		http.Error(w, "use GET", http.StatusMethodNotAllowed)
		return
	}
	back := strings.HasSuffix(r.URL.Path, "/callback")
	var to string
	err := error(&failure{wordBusy, errors.New("too many sign in at once")})
	if h.limiter.Allow() {
		if back {
			to, err = h.finish(w, r)
		} else {
			to, err = h.begin(w, r)
		}
	}
	if err != nil {
		to = h.explain(err, back)
	}
	// A reference that is relative, as the browser sees it: a proxy may have the page below a path that it takes away.
	w.Header().Set("Location", to)
	w.WriteHeader(http.StatusSeeOther)
}

// explain returns where the page says what went wrong.
func (h *Handler) explain(err error, back bool) string {
	word := wordRefused
	if failed, ok := errors.AsType[*failure](err); ok {
		word = failed.word
	}
	h.cfg.Tally.Count("signin_" + word)
	if word != wordDenied && word != wordExpired && word != wordBusy {
		h.cfg.Log.Warn("somebody could not sign in with the provider", zap.String("issuer", h.cfg.Issuer), zap.Error(err))
	}
	return page(back, url.Values{"signin-failed": {word}})
}

// page is where the page is, from Path or CallbackPath. The fragment stays in the browser (RFC 9110, section 4.2.5).
func page(back bool, fragment url.Values) string {
	up := "../"
	if back {
		up = "../../"
	}
	return up + "#" + fragment.Encode()
}

// begin sends somebody to the provider.
func (h *Handler) begin(w http.ResponseWriter, r *http.Request) (string, error) {
	known, err := h.provider.get(r.Context())
	if err != nil {
		return "", &failure{wordUnreachable, err}
	}
	channel := r.URL.Query().Get("channel")
	if len(channel) > maxChannel {
		channel = ""
	}
	redirect, err := h.redirectURL(r)
	if err != nil {
		return "", &failure{wordRefused, err}
	}
	t := newTransaction(channel, h.cfg.Now())
	http.SetCookie(w, t.cookie(h.cfg.Authority, redirect))
	return known.authorize(redirect.String(), t), nil
}

// finish takes somebody in who comes back from the provider.
func (h *Handler) finish(w http.ResponseWriter, r *http.Request) (string, error) {
	redirect, err := h.redirectURL(r)
	if err != nil {
		return "", &failure{wordRefused, err}
	}
	query := r.URL.Query()
	t, err := transactionOf(r, h.cfg.Authority, query.Get("state"), h.cfg.Now())
	if err != nil {
		return "", &failure{wordExpired, err}
	}
	http.SetCookie(w, forgotten(t, redirect)) // it is for once
	// RFC 9207: a provider that names itself must be the one to whom the person was sent.
	if iss := query.Get("iss"); iss != "" && iss != h.cfg.Issuer {
		return "", &failure{wordRefused, errors.New("the answer is of another issuer")}
	}
	if code := query.Get("error"); code != "" {
		return "", &failure{wordDenied, errors.New("the provider says no")}
	}
	known, err := h.provider.get(r.Context())
	if err != nil {
		return "", &failure{wordUnreachable, err}
	}
	who, err := known.redeem(r.Context(), query.Get("code"), redirect.String(), t)
	if err != nil {
		return "", err
	}
	token, err := h.cfg.Admit(r.Context(), who)
	if err != nil {
		return "", &failure{wordBusy, err}
	}
	h.cfg.Log.Debug("signed in with the provider", zap.String("user", who.UserID))
	fragment := url.Values{"token": {token}}
	if t.Channel != "" {
		fragment.Set("channel", t.Channel)
	}
	return page(true, fragment), nil
}

// redirectURL is where the provider sends somebody back to who asks like this. What else a Host header might say, the provider sends
// people only where it was told it may.
func (h *Handler) redirectURL(r *http.Request) (*url.URL, error) {
	if h.cfg.RedirectURL != "" {
		return url.Parse(h.cfg.RedirectURL)
	}
	scheme := "http"
	if h.cfg.Secure(r) {
		scheme = "https"
	}
	return &url.URL{Scheme: scheme, Host: r.Host, Path: CallbackPath}, nil
}

// cookiePath is the part of the server to which the browser shows its cookie.
func cookiePath(redirect *url.URL) string { return path.Dir(redirect.Path) }

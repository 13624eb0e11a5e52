package signin

import (
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"

	"golang.org/x/oauth2"

	"github.com/mini-livechat/mini-livechat/signaling/auth"
)

const (
	// maxTransaction is how long somebody may take at the provider.
	maxTransaction = 10 * time.Minute
	// cookiePrefix begins the cookies' names; a part of the state follows, so that two tabs may sign in at once.
	cookiePrefix = "livechat-signin-"
	// cookieNameBytes is how much of the state that is.
	cookieNameBytes = 8
	// sealPurpose tells these signatures from all others.
	sealPurpose = "sign-in"
)

// transaction is what has to be known again when somebody comes back from the provider. It is kept by the browser, in a cookie that
// only the server can have written: so it is the same browser, and no other page, that both began and ended it. It lets nobody in,
// and is good for nothing without a code of the provider.
type transaction struct {
	// State comes back in the address, Nonce in the ID token.
	State string `json:"s"`
	Nonce string `json:"n"`
	// Verifier is shown to the provider at the end, whose hash it was shown at the beginning (RFC 7636).
	Verifier string `json:"v"`
	// Channel is where the person wanted to go.
	Channel string `json:"c,omitempty"`
	// Until is when it is over, in seconds since the epoch.
	Until int64 `json:"u"`
}

func newTransaction(channel string, now time.Time) transaction {
	return transaction{
		State: rand.Text(), Nonce: rand.Text(), Verifier: oauth2.GenerateVerifier(), Channel: channel,
		Until: now.Add(maxTransaction).Unix(),
	}
}

// cookie is the transaction for the browser. Lax, since the provider sends people back by a link.
func (t transaction) cookie(a *auth.Authority, redirect *url.URL) *http.Cookie {
	text, err := json.Marshal(t)
	if err != nil {
		panic(err) // it is made of texts and a number
	}
	encode := base64.RawURLEncoding.EncodeToString
	return t.named(redirect, encode(text)+"."+encode(a.Seal(sealPurpose, text)), int(maxTransaction/time.Second))
}

// forgotten has the browser forget the cookie.
func forgotten(t transaction, redirect *url.URL) *http.Cookie { return t.named(redirect, "", -1) }

func (t transaction) named(redirect *url.URL, value string, maxAge int) *http.Cookie {
	return &http.Cookie{ //nolint:gosec // Secure where the page is: on loopback without TLS the browser would not keep it
		Name: cookieName(t.State), Value: value, Path: cookiePath(redirect), MaxAge: maxAge,
		HttpOnly: true, Secure: redirect.Scheme == "https", SameSite: http.SameSiteLaxMode,
	}
}

func cookieName(state string) string { return cookiePrefix + state[:min(len(state), cookieNameBytes)] }

// transactionOf returns what the browser kept of the sign-in with this state.
func transactionOf(r *http.Request, a *auth.Authority, state string, now time.Time) (transaction, error) {
	if state == "" {
		return transaction{}, errors.New("there is no state")
	}
	cookie, err := r.Cookie(cookieName(state))
	if err != nil {
		return transaction{}, errors.New("the browser has no such sign-in, or not any more")
	}
	first, second, _ := strings.Cut(cookie.Value, ".")
	text, err := base64.RawURLEncoding.DecodeString(first)
	seal, alsoErr := base64.RawURLEncoding.DecodeString(second)
	var t transaction
	switch {
	case err != nil, alsoErr != nil, !a.Sealed(sealPurpose, text, seal), json.Unmarshal(text, &t) != nil:
		return transaction{}, errors.New("what the browser kept is not what it was given")
	case subtle.ConstantTimeCompare([]byte(t.State), []byte(state)) != 1:
		return transaction{}, errors.New("the state is another one's")
	case now.Unix() >= t.Until:
		return transaction{}, errors.New("it took too long")
	}
	return t, nil
}

package e2e

import (
	"encoding/json"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mini-livechat/mini-livechat/cmd/app"
	"github.com/mini-livechat/mini-livechat/sfu/porttest"
	"github.com/mini-livechat/mini-livechat/signaling/httpapi"
	"github.com/mini-livechat/mini-livechat/signaling/protocol"
	"github.com/mini-livechat/mini-livechat/signaling/signin/signintest"
)

// withProvider starts a server at which people may sign in with a provider, and the provider.
func withProvider(t *testing.T, configure ...func(*app.Config)) (*server, *signintest.Provider) {
	t.Helper()
	// The provider knows where it may send people back to, so the port is chosen first.
	at := porttest.Addr(t)
	provider := signintest.Start(t, "http://"+at+"/api/signin/callback")
	secret := filepath.Join(t.TempDir(), "client-secret")
	require.NoError(t, os.WriteFile(secret, []byte(signintest.ClientSecret+"\n"), 0o600))
	return startServer(t, append([]func(*app.Config){func(c *app.Config) {
		c.HTTP, c.AllowGuests = at, new(true)
		c.OIDC.Issuer, c.OIDC.ClientID, c.OIDC.ClientSecretFile, c.OIDC.Name = provider.Issuer, signintest.ClientID, secret, "Example"
		c.OIDC.RoleClaim, c.OIDC.Role = "groups", []string{"staff=moderator", "chiefs=admin"}
	}}, configure...)...), provider
}

// signIn is what a person does, in a browser without scripts; it returns what the page is told.
func signIn(t *testing.T, s *server, provider *signintest.Provider, who string) url.Values {
	t.Helper()
	browser := signintest.Browser(t)
	to := signintest.Next(t, browser, s.URL+"/api/signin?channel=lobby")
	if to.Fragment == "" {
		to = signintest.Next(t, browser, provider.SignIn(t, browser, to.String(), who).String())
	}
	require.Equal(t, s.URL+"/", strings.TrimSuffix(to.String(), "#"+to.EscapedFragment()), "nothing is in the address but the fragment")
	told, err := url.ParseQuery(to.EscapedFragment())
	require.NoError(t, err)
	return told
}

func doorsOf(t *testing.T, s *server) (doors httpapi.Doors) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.URL+"/api/config", http.NoBody)
	require.NoError(t, err)
	response, err := http.DefaultClient.Do(r)
	require.NoError(t, err)
	defer response.Body.Close()
	require.Equal(t, http.StatusOK, response.StatusCode)
	require.NoError(t, json.NewDecoder(response.Body).Decode(&doors))
	return doors
}

func TestGatewayPeopleSignInWithAProvider(t *testing.T) {
	verifyNoLeaks(t)
	s, provider := withProvider(t)
	require.Equal(t, httpapi.Doors{Guests: true, SignIn: &httpapi.SignIn{Name: "Example"}}, doorsOf(t, s))

	told := signIn(t, s, provider, "ada")
	require.Equal(t, "lobby", told.Get("channel"))
	ada := with(t, s, told.Get("token"))
	require.Equal(t, "admin", ada.ready.Role, "what the provider says of her groups")
	require.Equal(t, "Ada Lovelace", ada.ready.Name)
	ada.joinChannel("lobby")

	bob := with(t, s, signIn(t, s, provider, "bob").Get("token"))
	require.Equal(t, "member", bob.ready.Role)
	again := with(t, s, signIn(t, s, provider, "ada").Get("token"))
	require.Equal(t, ada.ready.UserID, again.ready.UserID, "she is who she was")
	require.Equal(t, protocol.CloseReplaced, ada.closed())

	// Nobody comes in by what a false provider says, and the guests are not put out by it.
	provider.Falsify(func(claims map[string]any) string { claims["aud"] = "somebody else"; return "" })
	require.Equal(t, url.Values{"signin-failed": {"refused"}}, signIn(t, s, provider, "bob"))
	identify(t, s, "Gus")
}

func TestGatewayTheProviderIsDown(t *testing.T) {
	verifyNoLeaks(t)
	s, provider := withProvider(t)
	provider.Down(true)
	// The server may have asked it before.
	browser := signintest.Browser(t)
	to := signintest.Next(t, browser, s.URL+"/api/signin")
	if to.Fragment != "" {
		told, err := url.ParseQuery(to.EscapedFragment())
		require.NoError(t, err)
		require.Equal(t, url.Values{"signin-failed": {"unreachable"}}, told)
	}
	guest, _ := identify(t, s, "Gus")
	guest.joinChannel("lobby")
	require.Equal(t, "Example", doorsOf(t, s).SignIn.Name)
	provider.Down(false)
	eventually(t, "people sign in as soon as it answers", func() bool {
		if told := signIn(t, s, provider, "bob"); told.Has("token") {
			return true
		}
		time.Sleep(200 * time.Millisecond)
		return false
	})
}

func TestGatewayWithoutAProvider(t *testing.T) {
	verifyNoLeaks(t)
	s := startServer(t, func(c *app.Config) { c.AllowGuests = new(false) })
	require.Equal(t, httpapi.Doors{}, doorsOf(t, s))
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.URL+"/api/signin", http.NoBody)
	require.NoError(t, err)
	response, err := http.DefaultClient.Do(r)
	require.NoError(t, err)
	defer response.Body.Close()
	require.Equal(t, http.StatusNotFound, response.StatusCode)
}

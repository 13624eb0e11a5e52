package e2e

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/mini-livechat/mini-livechat/cmd/app"
	"github.com/mini-livechat/mini-livechat/signaling/signin/signintest"
)

// TestBrowserSignIn goes to a real provider from the page, and back into the channel of the link.
func TestBrowserSignIn(t *testing.T) {
	verifyNoLeaks(t)
	s, provider := withProvider(t, func(c *app.Config) { c.AllowGuests = new(false) })
	ada := startBrowser(t, "Ada", 440)
	ada.open(s, "channel=lobby")
	ada.see("#signin", "Sign in with Example")
	ada.until("no name is asked for", "document.getElementById('guest-form').hidden")
	ada.click("#signin")
	ada.fill("#username", "ada")
	ada.fill("#password", signintest.Password)
	ada.click("button[type=submit]")
	ada.see("#my-name", "Ada Lovelace")
	require.Equal(t, s.URL+"/#channel=lobby", evaluate[string](ada, "location.href"), "no token is left in the address")
	require.Empty(t, evaluate[string](ada, "document.cookie"))
	require.NotContains(t, evaluate[string](ada, "JSON.stringify(performance.getEntriesByType('resource').map((e) => e.name))"), "token=")

	// Out again, and the provider is out of order.
	evaluate[string](ada, "sessionStorage.clear(), localStorage.clear(), ''")
	provider.Down(true)
	ada.open(s, "signin-failed=unreachable")
	ada.see("#start-error", "The sign-in service cannot be reached just now.")
	ada.see("#signin", "Sign in with Example")
	require.Empty(t, evaluate[string](ada, "location.hash"), "it is said once")
}

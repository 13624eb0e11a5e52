package e2e

import (
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"
)

// The page works below a path of a real proxy, over HTTPS, and says why where the proxy
// changes Host.
func TestBrowserProxy(t *testing.T) {
	t.Parallel()
	s := startServer(t, openToGuests)
	ada := startBrowser(t, "Ada", 440, func(flags map[string]any) {
		flags["host-resolver-rules"] = "MAP " + proxyHost + " 127.0.0.1"
		flags["ignore-certificate-errors"] = true
	})
	t.Run("below a path", func(t *testing.T) {
		during(t, ada)
		f := newFrontend(t)
		f.nginx(f.nginxRecipe(s, true, false))
		behind := &server{URL: "https://" + proxyHost + ":" + f.port + "/voice"}
		ada.signIn(behind)
		ada.join("lobby")
		require.Equal(t, behind.URL+"/?audio=raw#channel=lobby", evaluate[string](ada, "location.href"), "the link for others")
		ada.noComplaints()
		ada.do(chromedp.Navigate("about:blank"))
	})
	t.Run("that changes Host", func(t *testing.T) {
		during(t, ada)
		f := newFrontend(t)
		f.nginx(replaced(t, f.nginxRecipe(s, false, false), "$http_host", "$proxy_host"))
		behind := &server{URL: "https://" + proxyHost + ":" + f.port}
		ada.enterName(behind, "Ada")
		ada.see("body", "--allow-origin="+behind.URL)
		// With a token only the WebSocket is refused, of which browsers do not say why.
		token, _ := guest(t, s, "Ben")
		ada.do(chromedp.Navigate("about:blank"))
		ada.open(behind, "token="+token)
		ada.see("body", "--allow-origin="+behind.URL)
		ada.do(chromedp.Navigate("about:blank"))
	})
	t.Run("of a server that nobody said is public", func(t *testing.T) {
		during(t, ada)
		f := newFrontend(t)
		f.nginx(f.nginxRecipe(startServer(t), false, false))
		ada.enterName(&server{URL: "https://" + proxyHost + ":" + f.port}, "Ada")
		ada.see("body", "--allow-guests or --no-allow-guests")
		ada.do(chromedp.Navigate("about:blank"))
	})
}

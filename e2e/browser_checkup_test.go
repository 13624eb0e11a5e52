package e2e

import (
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
	"github.com/stretchr/testify/require"

	"github.com/mini-livechat/mini-livechat/cmd/app"
)

// checkup is what the page's connection check shows.
type checkup struct {
	Verdict, Tone string
	Checks        []struct{ Name, Status, Text string }
}

// checked waits for the connection check to end and returns what it shows.
func (b *participant) checked() checkup {
	b.t.Helper()
	b.until("the check is over", "document.getElementById('checkup-dialog').open && !document.getElementById('checkup-again').disabled")
	return evaluate[checkup](b, `({
		verdict: document.getElementById('checkup-text').innerText,
		tone: document.getElementById('checkup-verdict').dataset.status,
		checks: [...document.querySelectorAll('.checkup__item')].map((item) => ({
			name: item.querySelector('.checkup__name').innerText, status: item.dataset.status,
			text: item.querySelector('.checkup__found').innerText + ' ' + item.querySelector('.checkup__advice').innerText })) })`)
}

// says checks that the check whose name begins so has this status and says all of these words.
func (c checkup) says(t *testing.T, name, status string, words ...string) {
	t.Helper()
	for _, check := range c.Checks {
		if strings.HasPrefix(check.Name, name) {
			require.Equal(t, status, check.Status, "%+v", c)
			for _, w := range words {
				require.Contains(t, check.Text, w, name)
			}
			return
		}
	}
	t.Fatalf("no check %q in %+v", name, c)
}

// TestBrowserCheckup checks the connection from everywhere it can be opened, where all is
// well and where it is not.
func TestBrowserCheckup(t *testing.T) {
	verifyNoLeaks(t)
	cert, key := certify(t, t.TempDir(), "127.0.0.1")
	ada := startBrowser(t, "Ada", toneAda, pinned(t, cert, key))
	t.Run("all is well with HTTPS", func(t *testing.T) {
		during(t, ada)
		s := startServer(t, func(c *app.Config) { c.HTTPS, c.TLSCert, c.TLSKey = "127.0.0.1:0", cert, key })
		ada.open(s, "")
		ada.click("#start-checkup")
		found := ada.checked()
		require.Equal(t, "good", found.Tone)
		require.Len(t, found.Checks, 10)
		for _, check := range found.Checks {
			require.Equal(t, "good", check.Status, "%+v", found)
		}
		found.says(t, "TURN over TLS", "good")
		ada.do(chromedp.Navigate("about:blank"))
	})
	t.Run("all is well", func(t *testing.T) {
		during(t, ada)
		s := startServer(t)
		bo, _ := identify(t, s, "Bo")
		bo.joinChannel("lobby")
		ada.open(s, "")
		require.True(t, evaluate[bool](ada, "document.getElementById('start-insecure').hidden"))
		ada.click("#start-checkup")
		found := ada.checked()
		require.Regexp(t, `^Voice works from here: direct UDP, (under )?\d+ ms\.$`, found.Verdict)
		require.Equal(t, "good", found.Tone)
		for _, name := range []string{"HTTPS", "Microphone", "Server", "Clock", "WebSocket", "Sign-in", "Voice over UDP", "TURN over UDP", "TURN over TCP"} {
			found.says(t, name, "good")
		}
		found.says(t, "TURN over TLS", "skipped", "certificate")
		// By the keyboard it closes, and the focus is back where it was.
		ada.do(chromedp.KeyEvent(kb.Escape))
		ada.until("closed", "!document.getElementById('checkup-dialog').open && document.activeElement.id === 'start-checkup'")

		bo.quiet() // nobody else notices

		// In a call too, which goes on.
		ada.signIn(s)
		ada.join("lobby")
		ada.click("#checkup-open")
		found = ada.checked()
		found.says(t, "Sign-in", "good", "as Ada")
		require.Equal(t, "good", found.Tone)
		require.Contains(t, evaluate[string](ada, "document.getElementById('checkup-list').parentElement.innerText"), "Connection check")
		ada.click("#checkup-close")
		ada.joined()
		ada.see("#room-count", "2 people")
		ada.noComplaints()
		ada.do(chromedp.Navigate("about:blank"))
	})
	t.Run("a wrong address is announced", func(t *testing.T) {
		during(t, ada)
		s := startServer(t, func(c *app.Config) { c.Announce = []string{"192.0.2.9"} })
		ada.open(s, "")
		ada.click("#start-checkup")
		found := ada.checked()
		require.Contains(t, found.Verdict, "Voice works from here, but only relayed: TURN over UDP")
		require.Equal(t, "warning", found.Tone)
		found.says(t, "Voice over UDP", "warning", "nothing comes back from 192.0.2.9, UDP port", "Allow UDP port", "another machine")
		found.says(t, "TURN over UDP", "good")
		ada.do(chromedp.Navigate("about:blank"))
	})
	t.Run("nothing works", func(t *testing.T) {
		during(t, ada)
		s := startServer(t, func(c *app.Config) { c.Announce, c.TURN, c.AllowGuests = []string{"192.0.2.9"}, false, new(true) })
		insecure := *s
		insecure.URL = strings.Replace(s.URL, "127.0.0.1", insecureHost, 1)
		ada.open(&insecure, "")
		ada.see("#start-insecure", "plain HTTP, where browsers give no microphone")
		ada.signIn(&insecure)
		ada.see("#banner", "you can listen but not talk")
		ada.click("#banner-close")
		ada.until("the banner is gone", "document.getElementById('banner').hidden")
		ada.do(chromedp.Evaluate[chromedp.Void]("livechat.session.call.joinAsListener('lobby')"))
		ada.until("in the channel", "livechat.session.call.here")
		// What comes after twenty seconds without a path.
		ada.do(chromedp.Evaluate[chromedp.Void]("livechat.session.call.pathBlocked = true; livechat.session.changed()"))
		ada.see("#banner", "This page gets through but voice does not")
		ada.click("#banner-action")
		found := ada.checked()
		require.Equal(t, "Voice cannot work from here.", found.Verdict)
		found.says(t, "HTTPS", "warning", "no microphone", "--domain")
		found.says(t, "Microphone", "skipped")
		found.says(t, "Sign-in", "good", "as Ada")
		found.says(t, "Voice over UDP", "failed", "Allow UDP port", "--udp", "this one that blocks UDP", "--announce=ADDRESS")
		found.says(t, "TURN", "warning", "--no-turn")
		ada.do(chromedp.Navigate("about:blank"))
	})
	t.Run("a proxy forbids microphones", func(t *testing.T) {
		during(t, ada)
		proxy := *startServer(t)
		proxy.URL = proxied(t, &proxy, nil, forbidMicrophone)
		ada.signIn(&proxy)
		ada.clickChannel("lobby")
		ada.see("#stage", "This site forbids the microphone")
		ada.see("#stage", "microphone=(self)")
		require.Zero(t, evaluate[int](ada, "[...document.querySelectorAll('#stage button')].filter((b) => b.innerText === 'Try again').length"),
			"it would not help")
		ada.click("#checkup-open")
		found := ada.checked()
		found.says(t, "Microphone", "warning", "Permissions-Policy: microphone=()", "reverse proxy", "Permissions-Policy: microphone=(self)")
		require.Contains(t, found.Verdict, "You can listen from here but not talk")
		ada.click("#checkup-close")
		ada.click("#stage .button--primary")
		ada.joined()
		ada.see("#people", "Listening")
		// A browser that does not tell what holds, as Firefox and Safari do not.
		require.Equal(t, "Permissions-Policy: microphone=()", evaluate[string](ada, `(async () => {
			Object.defineProperty(document, 'featurePolicy', { value: undefined });
			Object.defineProperty(document, 'permissionsPolicy', { value: undefined });
			return (await import('/js/policy.js')).microphonePolicy();
		})()`))
		ada.noComplaints()
		ada.do(chromedp.Navigate("about:blank"))
	})
	t.Run("the clock is wrong, guests are refused", func(t *testing.T) {
		during(t, ada)
		s := startServer(t, func(c *app.Config) {
			c.AllowGuests, c.Secret = new(false), "a secret for this test, longer than it has to be"
		})
		ada.open(s, "")
		ada.do(chromedp.Evaluate[chromedp.Void]("{ const now = Date.now; Date.now = () => now() - 7_500_000; }"))
		ada.click("#start-checkup")
		found := ada.checked()
		found.says(t, "Clock", "warning", "2 hours behind the server’s", "certificates and tokens")
		found.says(t, "Sign-in", "failed", "guests are not allowed", "token")
		require.Equal(t, "Voice was not tried, for want of a way to sign in.", found.Verdict)

		// A phone's width has room for all of it.
		ada.do(chromedp.EmulateViewport(phoneWidth, phoneHeight, chromedp.EmulateMobile))
		require.Equal(t, phoneWidth, evaluate[int](ada, "document.documentElement.scrollWidth"))
		require.Empty(t, evaluate[[]string](ada, `[...document.querySelectorAll('#checkup-dialog *')]
			.filter((e) => e.checkVisibility() && !e.closest('.visually-hidden') && e.getBoundingClientRect().right > innerWidth + 0.5)
			.map((e) => e.className)`))
	})
	t.Run("the server is gone", func(t *testing.T) {
		during(t, ada)
		s := startServer(t)
		ada.open(s, "")
		s.stop()
		ada.click("#start-checkup")
		found := ada.checked()
		found.says(t, "Server", "failed", "does not answer")
		require.Equal(t, "Voice cannot work from here.", found.Verdict)
	})
}

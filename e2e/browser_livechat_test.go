package e2e

import (
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"

	"github.com/mini-livechat/mini-livechat/cmd/app"
)

// elsewhere serves the example page from an origin of its own, under the policy that static/README.md asks for and no wider one.
func elsewhere(t *testing.T) (origin string, begin func(s *server)) {
	t.Helper()
	example, err := os.ReadFile("../static/example.html")
	require.NoError(t, err)
	script := regexp.MustCompile(`(?s)<script type="module">(.*)</script>`).FindSubmatch(example)
	require.NotNil(t, script)
	sum := sha256.Sum256(script[1])
	var policy string
	page := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/" {
			http.NotFound(w, r)
			return
		}
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.Header().Set("Content-Security-Policy", policy)
		_, err := w.Write(example)
		require.NoError(t, err)
	}))
	t.Cleanup(page.Close)
	return page.URL, func(s *server) {
		policy = "default-src 'none'; script-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "' " + s.URL +
			"; connect-src " + s.URL + " " + strings.Replace(s.URL, "http", "ws", 1) + "; media-src mediastream:"
	}
}

// startElsewhere opens the example page, and has it be found by what looks for the server's own.
func (b *participant) startElsewhere(origin string, s *server) {
	b.t.Helper()
	b.do(chromedp.Navigate(origin + "/?music&server=" + url.QueryEscape(s.URL) + "&channel=" + app.DefaultChannel))
	b.until("the page runs", "window.chat")
	evaluate[bool](b, `(window.livechat = {
		session: { get me() { return chat.me; }, client: {}, call: { voice: {}, talk: {}, floor: {} } },
		media: { get slots() { return chat.heard; } },
	}, true)`)
	b.fill("#name", b.name)
	b.click("#enter button")
	b.until("voice is connected", "chat.voice === 'connected'")
}

// TestBrowserLivechat has two people talk through pages of another origin, which are made of the server's module.
func TestBrowserLivechat(t *testing.T) {
	verifyNoLeaks(t)
	origin, begin := elsewhere(t)
	s := startServer(t, func(c *app.Config) { c.AllowOrigin = []string{origin} })
	begin(s)
	ada, ben := startBrowser(t, "Ada", 440), startBrowser(t, "Ben", 1_250)
	all := []*participant{ada, ben}
	for _, one := range all {
		one.startElsewhere(origin, s)
	}
	ada.hears(all, ben)
	ben.hears(all, ada)
	ben.until("Ada speaks", "chat.speakers.has(chat.channel.members.find((m) => m.name === 'Ada').user_id)")

	t.Run("mute", func(t *testing.T) {
		during(t, all...)
		ada.click("#mute")
		ben.see("#people", "🔇 Ada")
		ben.hears(all)
		ada.click("#mute")
		ben.hears(all, ada)
		evaluate[bool](ben, "(chat.hear(chat.channel.members.find((m) => m.name === 'Ada').user_id, 'never'), true)")
		ben.hears(all)
		evaluate[bool](ben, "(chat.hear(chat.channel.members.find((m) => m.name === 'Ada').user_id, 'as it comes'), true)")
		ben.hears(all, ada)
	})
	t.Run("chat", func(t *testing.T) {
		during(t, all...)
		ada.fill("#text", "Is <b>anybody</b> there?")
		ada.click("#write button")
		ben.see("#said", "Ada: Is <b>anybody</b> there?")
		ben.until("it can be read again", "chat.history().then(({ messages }) => messages[0].content.startsWith('Is'))")
		ben.until("it is refused with a code", `chat.say('').then(() => false, (err) => err.name === 'RequestError' && err.code === 3000)`)
	})
	t.Run("goes on after a cut", func(t *testing.T) {
		during(t, all...)
		evaluate[bool](ada, `(() => {
			window.states = [];
			chat.on('state', ({ name }) => states.push(name));
			const send = WebSocket.prototype.send;
			WebSocket.prototype.send = function (text) { // the next to send is the one to be cut
				WebSocket.prototype.send = send;
				this.close(4900);
			};
			chat.say('lost?');
			return true;
		})()`)
		ada.until("the session goes on", "states.includes('waiting') && chat.state.name === 'ready'")
		ben.see("#said", "Ada: lost?")
		ada.hears(all, ben)
		ben.hears(all, ada)
	})
	t.Run("elsewhere and away", func(t *testing.T) {
		during(t, all...)
		require.Equal(t, "RequestError 2000", evaluate[string](ada, "chat.join('nowhere').catch((err) => `${err.name} ${err.code}`)"))
		require.Equal(t, "radio ptt", evaluate[string](ada, `chat.createChannel('radio', { mode: 'ptt' })
			.then(({ channel_id }) => chat.join(channel_id)).then(({ name, mode }) => name + ' ' + mode)`))
		evaluate[bool](ada, "(chat.requestFloor(), true)")
		ada.until("Ada has the floor", "chat.floor.standing === 'granted'")
		evaluate[bool](ada, "(chat.releaseFloor(), true)")
		ada.click("#leave")
		ada.until("Ada is out", "chat.channel === null && chat.me === null && chat.state.name === 'idle'")
		ben.until("Ada is gone", "chat.channel.members.length === 1")
		ben.hears(all)
	})
	for _, one := range all {
		one.noComplaints()
	}
}

package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"

	"github.com/mini-livechat/mini-livechat/cmd/app"
	"github.com/mini-livechat/mini-livechat/signaling/auth"
)

// screenshotsEnv names the directory for pictures of all that the page can show, for people to look at.
const screenshotsEnv = "LIVECHAT_SCREENSHOTS"

// speak has the browser ask for a language.
func (b *participant) speak(tag string) {
	b.t.Helper()
	_, err := chromedp.Call(b.tab, emulation.SetUserAgentOverride, emulation.SetUserAgentOverrideParams{
		UserAgent: evaluate[string](b, "navigator.userAgent"), AcceptLanguage: tag,
	})
	require.NoError(b.t, err)
}

// draw keeps what the page shows, on a laptop and on a phone, in light and in dark.
func (e *examiner) draw(state string) {
	e.t.Helper()
	for _, window := range []struct {
		name          string
		width, height int64
	}{{"phone", 390, 844}, {"desktop", laptopWidth, laptopHeight}} {
		e.do(chromedp.EmulateViewport(window.width, window.height))
		for _, scheme := range []string{"dark", "light"} {
			e.scheme(scheme)
			e.shoot(strings.Join([]string{strings.ReplaceAll(state, " ", "-"), window.name, scheme}, "_"))
		}
	}
}

// shoot keeps what the page shows as it is.
func (e *examiner) shoot(name string) {
	e.t.Helper()
	// What moves has two frames to come to where it belongs.
	evaluate[chromedp.Void](e.participant, "new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => done())))")
	image, err := chromedp.Run(e.tab, chromedp.CaptureScreenshot())
	require.NoError(e.t, err)
	require.NoError(e.t, os.WriteFile(filepath.Join(e.pictures, name+".png"), image, 0o600))
}

// TestScreenshots draws all that TestBrowserEveryState looks at, in each language, and what README.md shows.
func TestScreenshots(t *testing.T) {
	dir := os.Getenv(screenshotsEnv)
	if dir == "" {
		t.Skipf("draws pictures for people; make screenshots sets %s", screenshotsEnv)
	}
	for _, language := range []string{"en", "ko"} {
		t.Run(language, func(t *testing.T) {
			verifyNoLeaks(t)
			b := startBrowser(t, "Оля", toneAda)
			b.speak(language)
			e := &examiner{participant: b, pictures: filepath.Join(dir, language)}
			require.NoError(t, os.MkdirAll(e.pictures, 0o700))
			e.do(chromedp.EmulateViewport(laptopWidth, laptopHeight))
			drawTalk(t, e, language)
			walkStates(t, e)
		})
	}
}

// shownTalk is what README.md shows: three people talk, and write.
type shownTalk struct {
	channels []string
	names    [3]string
	said     []string
	scheme   string
}

func talks(language string) shownTalk {
	if language == "ko" {
		return shownTalk{
			channels: []string{"kitchen=부엌", "game=게임의 밤", "work=업무"}, names: [3]string{"지우", "민준", "서연"}, scheme: "dark",
			said: []string{"다들 잘 들려요?", "네, **아주 또렷해요** 👍", "그럼 `체스` 한 판 할까요?"},
		}
	}
	return shownTalk{
		channels: []string{"kitchen=Kitchen", "games=Game night", "work=Work"}, names: [3]string{"Ada", "Grace", "Linus"}, scheme: "light",
		said: []string{"Can everybody hear me?", "Yes, **loud and clear** 👍", "Shall we play `chess`?"},
	}
}

func drawTalk(t *testing.T, e *examiner, language string) {
	t.Helper()
	w := talks(language)
	s := startServer(t, func(c *app.Config) {
		c.Secret, c.AllowGuests, c.Channels = testSecret, new(true), w.channels
	})
	member := func(i int) auth.Identity {
		return auth.Identity{UserID: []string{"one", "two", "three"}[i], Name: w.names[i], Grants: auth.Grants{Role: new(auth.RoleMember)}}
	}
	e.openAs(s, testSecret, member(0))
	e.click(".channel")
	e.joined()
	here := evaluate[string](e.participant, "livechat.session.call.here")
	for i, said := range w.said {
		if i == 0 {
			e.write(said)
			e.until("it is sent", "document.querySelector('.message') && !document.querySelector('.message--sending')")
			continue
		}
		one := arriveAs(t, s, mint(t, testSecret, member(i))).join(here).talk()
		_, err := one.SendMessage(soon(t), here, said)
		require.NoError(t, err)
	}
	// Chromium's protocol types the line break, too, that was sent by.
	evaluate[bool](e.participant, `(({ activeElement: text }) => {
		text.value = '';
		text.dispatchEvent(new Event('input'));
		text.blur();
		return true;
	})(document)`)
	e.until("three are there, and speak", "document.querySelectorAll('.person').length === 3 && document.querySelectorAll('.message').length === 3 && document.querySelectorAll('.person--speaking').length === 3")
	e.do(chromedp.EmulateViewport(laptopWidth, 560))
	e.scheme(w.scheme)
	e.until("the connection is as it should be", "document.getElementById('voice-status').dataset.tone === 'good'")
	e.shoot("readme")
	e.draw("three people talk")
}

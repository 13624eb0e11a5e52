package e2e

import (
	"io/fs"
	"os"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"

	"github.com/mini-livechat/mini-livechat/signaling/names"
)

// compareLanguages is an expression: in what the languages differ that must be the same, namely what can be said, and of what.
const compareLanguages = `(async () => {
	const { LANGUAGES } = await import('/js/language.js');
	const { default: english } = await import('/js/languages/en.js');
	const wrong = [];
	// What stands for a person, a channel and so on is to be found in every language.
	const given = { action: 'move', deed: 'move', name: 'arg0', by: 'arg1', role: '', where: 'arg2', here: false };
	const said = (phrase) => {
		const objects = /^\(?\{/.test(String(phrase));
		return phrase(...Array.from({ length: phrase.length }, (_, i) => objects ? given : 'arg' + i));
	};
	const marks = (text) => [...new Set(text.match(/arg\d|\{\w+\}/g) ?? [])].sort().join();
	const compare = (tag, path, one, other) => {
		if (typeof one !== typeof other) {
			wrong.push(tag + ': ' + path + ' is ' + typeof other);
		} else if (typeof one === 'object') {
			for (const key of new Set([...Object.keys(one), ...Object.keys(other)])) {
				compare(tag, path + '.' + key, one[key], other[key]);
			}
		} else if (typeof one === 'string') {
			if (other.trim() === '' || marks(one) !== marks(other)) wrong.push(tag + ': ' + path + ' says ' + other);
		} else if (one.length !== other.length || marks(said(one)) !== marks(said(other))) {
			wrong.push(tag + ': ' + path + ' says ' + said(other) + ' for ' + said(one));
		}
	};
	for (const tag of Object.keys(LANGUAGES)) {
		compare(tag, 'phrases', english, (await import('/js/languages/' + tag + '.js')).default);
	}
	return wrong;
})()`

// phrasePaths is an expression: what every phrase is called.
const phrasePaths = `import('/js/languages/en.js').then(({ default: english }) => {
	const paths = (at, one) => typeof one === 'object' ? Object.entries(one).flatMap(([key, next]) => paths(at ? at + '.' + key : key, next)) : [at];
	return paths('', english);
})`

// TestBrowserLanguages: every language says the same; the browser's is spoken, or what one chooses, also in a call.
func TestBrowserLanguages(t *testing.T) {
	verifyNoLeaks(t)
	s := startServer(t)
	ada := startBrowser(t, "Ada", toneAda)
	ada.do(chromedp.EmulateViewport(laptopWidth, laptopHeight))
	ada.open(s, "")
	require.Empty(t, evaluate[[]string](ada, compareLanguages))
	checkAllAreSaid(t, evaluate[[]string](ada, phrasePaths))
	checkReasons(t, ada)
	require.Equal(t, []string{"ko", "en", "ko", "en"}, evaluate[[]string](ada, `import('/js/language.js').then(({ languageFor }) =>
		[['fr', 'ko-KR'], ['en-GB', 'ko'], ['', 'ko', 'en'], ['tlh']].map(languageFor))`))

	spoken := func(tag, label string) {
		t.Helper()
		ada.until("the page speaks "+tag, "document.documentElement?.lang === '"+tag+"' && window.livechat")
		ada.see("body", label)
	}
	spoken("en", "Continue")
	_, err := chromedp.Call(ada.tab, emulation.SetUserAgentOverride, emulation.SetUserAgentOverrideParams{
		UserAgent: evaluate[string](ada, "navigator.userAgent"), AcceptLanguage: "ko-KR,en",
	})
	require.NoError(t, err)
	ada.do(chromedp.Reload())
	spoken("ko", "계속하기")
	ada.picture("start-korean")
	ada.choose("#start-language", "en")
	spoken("en", "Continue")
	ada.fill("#guest-name", "Ada\r")
	ada.join("lobby")
	ada.click("#mute")
	ada.click("#preferences-open")
	ada.choose("#preferences-language", "") // as the browser has it
	spoken("ko", "나가기")
	ada.joined()
	ada.see("#mute", "음소거 해제")
	ada.picture("call-korean")
	ada.click("#preferences-open")
	ada.picture("settings-korean")
	require.Equal(t, "", evaluate[string](ada, "document.getElementById('preferences-language').value"))
	ada.noComplaints()
}

// checkReasons: what the server says of a name or an invite is known to the page, which can say it in other languages.
func checkReasons(t *testing.T, ada *participant) {
	t.Helper()
	reasons := make([]string, 0, 8)
	for _, name := range []string{"", "admin", strings.Repeat("x", 65), "\u3164", "a\u202eb", "a\u200db", "a" + strings.Repeat("\u0301", 20), "\u0301a"} {
		_, err := names.Clean(name, 64)
		require.ErrorIs(t, err, names.ErrName, "%q", name)
		reasons = append(reasons, err.Error())
	}
	known := evaluate[[]string](ada, "import('/js/words/reasons.js').then(async ({ knows }) => "+quoteJS(strings.Join(reasons, "\n"))+".split('\\n').filter((one) => !knows(one)))")
	require.Empty(t, known)
}

// checkAllAreSaid finds phrases that nothing says any more.
func checkAllAreSaid(t *testing.T, paths []string) {
	t.Helper()
	require.NotEmpty(t, paths)
	var source strings.Builder
	page := os.DirFS("../static/page")
	require.NoError(t, fs.WalkDir(page, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || strings.HasPrefix(name, "js/languages") || !strings.HasSuffix(name, ".js") && !strings.HasSuffix(name, ".html") {
			return err
		}
		content, err := fs.ReadFile(page, name)
		source.Write(content)
		return err
	}))
	for _, path := range paths {
		group, key := path[:max(strings.LastIndex(path, "."), 0)], path[strings.LastIndex(path, ".")+1:]
		whole := strings.Contains(source.String(), "phrases."+group+"[") || strings.Contains(source.String(), "phrases."+strings.SplitN(path, ".", 2)[0]+"[")
		if !whole && !strings.Contains(source.String(), "."+key) {
			t.Errorf("nothing says the phrase %s", path)
		}
	}
}

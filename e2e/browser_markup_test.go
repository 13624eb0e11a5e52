package e2e

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"

	"github.com/mini-livechat/mini-livechat/cmd/app"
)

// markup has what messages become on the page, each element in <>, beside what is read of it.
func markup() []struct{ text, shown, plain string } {
	return []struct{ text, shown, plain string }{
		{"as it is", "as it is", "as it is"},
		{"**a** *b* _c_ ~~d~~ `e`", "<strong>a</> <em>b</> <em>c</> <s>d</> <code>e</>", "a b c d e"},
		{"***a*** **b *c***", "<strong><em>a</></> <strong>b <em>c</></>", "a b c"},
		{"*a **b***, **a _b** c_", "<em>a <strong>b</></>, <strong>a _b</> c_", "a b, a _b c_"},
		{"**중요**는 지금", "<strong>중요</>는 지금", "중요는 지금"},
		{"2*3*4 = 2 * 3 * 4", "2*3*4 = 2 * 3 * 4", "2*3*4 = 2 * 3 * 4"},
		{"snake_case_name __init__ ~5~", "snake_case_name __init__ ~5~", "snake_case_name __init__ ~5~"},
		{"* one\n* two", "* one\n* two", "* one\n* two"},
		{"*one\n\ntwo*", "*one\n\ntwo*", "*one\n\ntwo*"},
		{`\*as typed\* \\server\share`, `*as typed* \\server\share`, `*as typed* \\server\share`},
		{"`**no**` `` ` ``` ~~~~ ****", "<code>**no**</> `` ` ``` ~~~~ ****", "**no** `` ` ``` ~~~~ ****"},
		{"so:\n```go\nx := *p // **\n```\nthere", "so:<pre><code>x := *p // **</></>there", "so: x := *p // ** there"},
		{"```not closed\n**b**", "```not closed\n<strong>b</>", "```not closed\nb"},
		{"**open *more _and ~~all", "**open *more _and ~~all", "**open *more _and ~~all"},
		{"(https://e.org/a_(b)_c?x=*y*).", "(<a https://e.org/a_(b)_c?x=*y>https://e.org/a_(b)_c?x=*y</>*).", "(https://e.org/a_(b)_c?x=*y*)."},
		{"**https://e.org** mailto:a@e.org", "<strong><a https://e.org>https://e.org</></> <a mailto:a@e.org>mailto:a@e.org</>", "https://e.org mailto:a@e.org"},
		{"https:// http://[::1 mailto: xhttps://e.org", "https:// http://[::1 mailto: xhttps://e.org", "https:// http://[::1 mailto: xhttps://e.org"},
		{"javascript:alert(1) [x](javascript:alert(1)) data:text/html,x //e.org", "javascript:alert(1) [x](javascript:alert(1)) data:text/html,x //e.org", "javascript:alert(1) [x](javascript:alert(1)) data:text/html,x //e.org"},
		{`<img src=x onerror=alert(1)> <b>b</b> &lt;`, `<img src=x onerror=alert(1)> <b>b</b> &lt;`, `<img src=x onerror=alert(1)> <b>b</b> &lt;`},
		{"\u202ehttps://e.org/\u202egnp.exe\u202c", "\u202e<a https://e.org/>https://e.org/</>\u202egnp.exe\u202c", "\u202ehttps://e.org/\u202egnp.exe\u202c"},
	}
}

// hostile has what would take long, go deep or get out, if anything did.
func hostile() []string {
	return []string{
		strings.Repeat("*", 4096), strings.Repeat("*a", 2048), strings.Repeat("*a**b_c~~d", 400), strings.Repeat("**_", 1300), strings.Repeat("_*", 2048),
		strings.Repeat("`", 4095), strings.Repeat("`a", 2047) + "a", strings.Repeat("```a", 1023) + "aaa", strings.Repeat("http://", 585),
		"https://" + strings.Repeat(".", 4000), "https://" + strings.Repeat("(", 4000), "https://" + strings.Repeat(")", 4000), strings.Repeat(`\*`, 2048),
		strings.Repeat("**a _b ~~c ", 200) + strings.Repeat("~~ _ ** ", 200), "x" + strings.Repeat("\n ", 2040) + "x", strings.Repeat("\u202e*\u2066", 1000),
		"<script>window.pwned = 1</script><svg onload=pwned()><a href=javascript:pwned()>", "**<iframe srcdoc='<script>parent.pwned = 1</script>'>**",
	}
}

// shownMarkup has a message's elements as the table writes them.
const shownMarkup = `(function shown(node) {
	return [...node.childNodes].map((one) => one.nodeType === Node.TEXT_NODE ? one.data :
		'<' + one.localName + (one.localName === 'a' ? ' ' + one.getAttribute('href') : '') + '>' + shown(one) + '</>').join('');
})`

// TestBrowserMarkup: messages look as their writers meant them, and whatever is written is a message and nothing else.
func TestBrowserMarkup(t *testing.T) {
	verifyNoLeaks(t)
	s := startServer(t, func(c *app.Config) {
		c.RequestRate, c.RequestBurst, c.MessageLength = 10_000, 10_000, 4096
	})
	ada := startBrowser(t, "Ada", toneAda)
	ben := arrive(t, s, "Ben").join("lobby")
	markup, hostile := markup(), hostile()
	write := func(text string) {
		_, err := ben.SendMessage(soon(t), "lobby", text)
		require.NoError(t, err)
	}
	for _, one := range markup {
		write(one.text)
	}
	ada.signIn(s)
	ada.join("lobby")
	ada.until("all is there", "document.querySelectorAll('.message__text').length === "+jsonOf(t, len(markup)))
	shown := evaluate[[]string](ada, "[...document.querySelectorAll('.message__text')].map("+shownMarkup+")")
	texts := make([]string, 0, len(markup))
	for i, one := range markup {
		require.Equal(t, one.shown, shown[i], one.text)
		texts = append(texts, one.text)
	}
	plain := evaluate[[]string](ada, "import('./js/markup.js').then(({ plain }) => "+jsonOf(t, texts)+".map((text) => plain(text)))")
	for i, one := range markup {
		require.Equal(t, one.plain, plain[i], one.text)
	}
	require.True(t, evaluate[bool](ada, `[...document.querySelectorAll('.message__text a')].every((a) => a.rel.includes('noopener') &&
		a.rel.includes('noreferrer') && a.dir === 'ltr' && (a.target === '_blank') === a.href.startsWith('http'))`))
	ada.pictures("markup")

	for _, text := range hostile {
		write(text)
	}
	write("the last")
	ada.see(".message__text", "the last")
	got := evaluate[[]string](ada, "[...document.querySelectorAll('.message__text')].slice(-"+jsonOf(t, len(hostile)+1)+").map((e) => e.textContent.length + ' ' + e.querySelectorAll('*').length)")
	t.Log(got)
	require.Equal(t, "4096 0", got[0], "asterisks are asterisks")
	require.True(t, evaluate[bool](ada, `window.pwned === undefined && [...document.querySelectorAll('.message__text *')].every((e) =>
		['A', 'CODE', 'PRE', 'STRONG', 'EM', 'S'].includes(e.tagName) && (e.tagName !== 'A' || /^(https?|mailto):/.test(e.href)))`))
	deep := evaluate[int](ada, `Math.max(...[...document.querySelectorAll('.message__text')].map(function depth(e) {
		return 1 + Math.max(0, ...[...e.children].map(depth)); }))`)
	require.LessOrEqual(t, deep, 6, "as deep as there are kinds")

	// Sixteen times as much takes about sixteen times as long, however busy the machine is, at least once in many times: what took time
	// in its square would take 256 times.
	const linear = `import('./js/markup.js').then(({ parse }) => texts.map((text) => {
		let [little, much] = [Infinity, Infinity];
		const took = (text) => {
			const begun = performance.now();
			parse(text);
			return performance.now() - begun;
		};
		for (let i = 0; i < 50 && !(much / little < 64); i++) {
			little = Math.max(Math.min(little, took(text.repeat(2))), 0.5);
			much = Math.min(much, took(text.repeat(32)));
		}
		return much / little;
	}))`
	for i, ratio := range evaluate[[]float64](ada, strings.Replace(linear, "texts", jsonOf(t, hostile), 1)) {
		require.Less(t, ratio, 64.0, "%.20q", hostile[i])
	}

	// A file that is dropped anywhere is nothing; text still is text.
	const drop = `['dragover', 'drop'].map((type) => {
		const data = new DataTransfer();
		DATA;
		const event = new DragEvent(type, { dataTransfer: data, bubbles: true, cancelable: true });
		document.getElementById('chat-text').dispatchEvent(event);
		return event.defaultPrevented;
	})`
	require.Equal(t, []bool{true, true}, evaluate[[]bool](ada, strings.Replace(drop, "DATA", "data.items.add(new File(['x'], 'x.html', { type: 'text/html' }))", 1)))
	require.Equal(t, []bool{false, false}, evaluate[[]bool](ada, strings.Replace(drop, "DATA", "data.setData('text/plain', 'x')", 1)))

	// Writing from the right stands at the right, in the field as in the list.
	ada.fill("#chat-text", "שלום לכולם")
	require.Equal(t, "rtl rtl", evaluate[string](ada, `getComputedStyle(document.getElementById('chat-text')).direction + ' ' + (() => {
		const text = document.createElement('div');
		text.className = 'message__text';
		text.dir = document.querySelector('.message__text').dir;
		text.textContent = document.getElementById('chat-text').value;
		document.querySelector('.message').append(text);
		return getComputedStyle(text).direction;
	})()`))
	ada.do(chromedp.KeyEvent("\r"))
	ada.see(".message__text", "שלום")
	ada.noComplaints()
}

// jsonOf returns a value as JavaScript reads it.
func jsonOf(t *testing.T, value any) string {
	t.Helper()
	text, err := json.Marshal(value)
	require.NoError(t, err)
	return string(text)
}

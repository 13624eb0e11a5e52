package e2e

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/fetch"
	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"
)

// axePath is where npm puts the checker of accessibility that static/package.json names.
const axePath = "../static/node_modules/axe-core/axe.min.js"

// pseudoLanguage says everything in English, in brackets, in the place of a language that is not written in Latin letters: what
// the page shows in such letters outside brackets is no phrase, and what dates and units come to is in that language's.
const pseudoLanguage = `
import real from './en.js?real';
const marked = (what) => typeof what === 'string' ? '⟦' + what + '⟧'
	: typeof what === 'function' ? (...all) => '⟦' + what(...all) + '⟧'
	: Object.fromEntries(Object.entries(what).map(([key, one]) => [key, key === 'dir' ? one : marked(one)]));
export default marked(real);
`

// speakPseudo has the browser get the pseudo-language when the page asks for Korean, which it is made to ask for.
func (b *participant) speakPseudo() {
	b.t.Helper()
	_, err := chromedp.Call(b.tab, emulation.SetUserAgentOverride, emulation.SetUserAgentOverrideParams{
		UserAgent: evaluate[string](b, "navigator.userAgent"), AcceptLanguage: "ko-KR,en",
	})
	require.NoError(b.t, err)
	require.NoError(b.t, chromedp.Listen(b.tab, func(event any) {
		paused, ok := event.(*fetch.EventRequestPaused)
		if !ok {
			return
		}
		go func() { // the listener must not wait for the browser
			_, _ = chromedp.Call(b.tab, fetch.FulfillRequest, fetch.FulfillRequestParams{
				RequestID: paused.RequestID, ResponseCode: 200, Body: []byte(pseudoLanguage),
				ResponseHeaders: []*fetch.HeaderEntry{{Name: "Content-Type", Value: "text/javascript"}},
			})
		}()
	}))
	b.replaceKorean()
}

func (b *participant) replaceKorean() {
	b.t.Helper()
	_, err := chromedp.Call(b.tab, fetch.Enable, fetch.EnableParams{
		Patterns: []*fetch.RequestPattern{{URLPattern: "*/languages/ko.js"}},
	})
	require.NoError(b.t, err)
}

// speakKorean has it get Korean itself the next time.
func (b *participant) speakKorean() {
	b.t.Helper()
	_, err := chromedp.Call(b.tab, fetch.Disable, cdp.Empty{})
	require.NoError(b.t, err)
}

// unphrased is an expression: what is on the page in Latin letters and is none of its phrases. Names of keys stand as they are.
const unphrased = `(() => {
	const strip = (text) => {
		for (let before = null; before !== text;) {
			before = text;
			text = text.replace(/⟦[^⟦⟧]*⟧/g, '');
		}
		return text;
	};
	const keys = /^(Ctrl|Alt|Shift|Enter|Escape|[A-Z]|[ +/?↑])*$/;
	const bad = (text) => /[A-Za-z]/.test(strip(text).replace(/https?:\S+/g, '')) && !keys.test(text.trim());
	const found = new Set();
	const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
	while (walker.nextNode()) {
		const { data, parentElement: parent } = walker.currentNode;
		if (!bad(data) || parent.closest('script, noscript, .avatar, [lang]:not(html), #devices-microphone, #devices-speaker')) {
			continue;
		}
		if (!parent.checkVisibility() && parent.tagName !== 'OPTION') {
			continue;
		}
		// A phrase may be shown in several elements: then its brackets are around them.
		let around = parent;
		for (let i = 0; i < 3 && strip(around.textContent).includes(data.trim()); i++) {
			around = around.parentElement;
		}
		if (strip(around.textContent).includes(data.trim())) {
			found.add(data.trim());
		}
	}
	for (const element of document.querySelectorAll('body *')) {
		if (!element.checkVisibility()) {
			continue;
		}
		for (const name of ['aria-label', 'title', 'placeholder', 'alt', 'aria-description', 'aria-roledescription', 'aria-valuetext']) {
			const value = element.getAttribute(name) ?? '';
			if (bad(value)) {
				found.add(name + ': ' + value);
			}
		}
	}
	if (bad(document.title)) {
		found.add('document.title: ' + document.title);
	}
	return [...found];
})()`

// outOfPlace is an expression: what sticks out of the window at a side, what is cut off within its own button or label, and what
// must be at hand and is not.
const outOfPlace = `new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done))).then(() => {
	const name = (e) => e.tagName.toLowerCase() + (e.id ? '#' + e.id : '') + (e.className?.baseVal ?? e.className ?? '').split(' ').filter(Boolean).map((c) => '.' + c).join('');
	const scrolls = (e) => { for (let p = e.parentElement; p; p = p.parentElement) {
		const { overflowX, position } = getComputedStyle(p);
		if (overflowX !== 'visible') return p;
		if (position === 'fixed') return null;
	} return null; };
	const found = [];
	if (document.documentElement.scrollWidth > innerWidth) {
		found.push('the page is ' + document.documentElement.scrollWidth + ' wide');
	}
	const modal = document.querySelector('dialog[open]');
	for (const e of (modal ?? document.body).querySelectorAll('*')) {
		if (!e.checkVisibility() || e.closest('.visually-hidden, svg')) continue;
		const { left, right, width, height } = e.getBoundingClientRect();
		if (width && height && (right > innerWidth + 1 || left < -1) && !scrolls(e)) {
			found.push(name(e) + ' from ' + Math.round(left) + ' to ' + Math.round(right));
		}
		if (e.scrollWidth > e.clientWidth + 1 && /auto|scroll/.test(getComputedStyle(e).overflowX) && !e.matches('input, textarea, pre')) {
			found.push(name(e) + ' scrolls sideways, ' + e.scrollWidth + ' in ' + e.clientWidth);
		}
		if (e.matches('button, .button, label, legend, h1, h2, h3, .control span, .tabs__tab') &&
				e.scrollWidth > e.clientWidth + 1 && getComputedStyle(e).overflowX !== 'visible' && getComputedStyle(e).textOverflow !== 'ellipsis') {
			found.push(name(e) + ' cuts ' + e.innerText);
		}
	}
	for (const e of modal ? [modal] : document.querySelectorAll('#mute, #leave, #hold')) {
		if (!e.checkVisibility()) continue;
		const { left, right, top, bottom } = e.getBoundingClientRect();
		if (left < -1 || right > innerWidth + 1 || top < -1 || bottom > innerHeight + 1) {
			found.push(name(e) + ' is not all in the window: ' + [left, top, right, bottom].map(Math.round));
		}
	}
	return found;
})`

// examiner looks at every state that a test brings the page to.
type examiner struct {
	*participant

	axe string
	// pictures is a directory for pictures of all, where nothing is to be looked at otherwise.
	pictures string
	// natural is whether the page is in a language that people speak, which may have Latin letters.
	natural bool
	// faults has all that was found.
	faults []string
}

// newExaminer loads the checker. It skips the test where npm has not put it there, unless the environment forbids that.
func newExaminer(t *testing.T, b *participant) *examiner {
	t.Helper()
	source, err := os.ReadFile(axePath)
	if errors.Is(err, fs.ErrNotExist) && os.Getenv(requireBrowser) == "" {
		t.Skipf("there is no axe-core: `npm ci` in static installs it; set %s to make this a failure", requireBrowser)
	}
	require.NoError(t, err)
	return &examiner{participant: b, axe: string(source)}
}

// windows are the sizes in which each state is looked at, from the narrowest phone to the widest screen; the one that is half a
// laptop is the laptop at 200 %.
func windows() [][2]int64 {
	return [][2]int64{{320, 568}, {390, 844}, {844, 390}, {laptopWidth / 2, laptopHeight / 2}, {3840, 2160}, {laptopWidth, laptopHeight}}
}

// check looks at the page as it is now, in light and in dark, on a laptop and on a phone, and in every size for its layout.
func (e *examiner) check(state string) {
	e.t.Helper()
	if e.pictures != "" {
		e.draw(state)
		return
	}
	e.glance(state)
	e.note(state, "has lost", evaluate[[]string](e.participant, "document.activeElement === document.body ? ['the focus'] : []"))
	for _, window := range windows() {
		width, height := window[0], window[1]
		e.do(chromedp.EmulateViewport(width, height))
		size := fmt.Sprintf("at %dx%d", width, height)
		e.note(state, size, evaluate[[]string](e.participant, outOfPlace))
		e.note(state, size+" from the right", evaluate[[]string](e.participant,
			"(document.documentElement.dir = 'rtl', "+outOfPlace+")"))
		evaluate[string](e.participant, "document.documentElement.dir = 'ltr'")
		if width == 390 {
			e.note(state, "on a phone", e.run(`{}`))
			e.picture("state-" + strings.ReplaceAll(state, " ", "-") + "-phone")
		}
	}
	e.picture("state-" + strings.ReplaceAll(state, " ", "-"))
	if os.Getenv("LIVECHAT_PICTURES") != "" {
		e.colours()
		e.picture("forced-" + strings.ReplaceAll(state, " ", "-"))
		e.scheme("light")
	}
}

// glance is what can be looked at of a state that does not last: what it says, and with axe in light and in dark.
func (e *examiner) glance(state string) {
	e.t.Helper()
	if e.pictures != "" {
		e.draw(state)
		return
	}
	e.note(state, "says itself", e.unphrased())
	if !evaluate[bool](e.participant, "window.axe !== undefined") {
		evaluate[chromedp.Void](e.participant, "void eval("+quoteJS(e.axe)+")")
	}
	e.note(state, "is not accessible", e.run(`{}`))
	e.scheme("dark")
	e.note(state, "in the dark", e.run(`{ runOnly: ['color-contrast'] }`))
	e.scheme("light")
}

// colours has the page be shown in few colours of the system.
func (e *examiner) colours() {
	e.t.Helper()
	_, err := chromedp.Call(e.tab, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
		Features: []*emulation.MediaFeature{{Name: "forced-colors", Value: "active"}},
	})
	require.NoError(e.t, err)
}

// sees makes sure that what is wrong would be found.
func (e *examiner) sees() {
	e.t.Helper()
	if e.pictures != "" {
		return
	}
	evaluate[bool](e.participant, `(() => {
		const wrong = document.createElement('p');
		wrong.id = 'wrong';
		wrong.textContent = 'Not translated';
		Object.assign(wrong.style, { width: '5000px', color: '#777', background: '#888' });
		document.querySelector('main:not([hidden])').append(wrong);
		return true;
	})()`)
	e.check("what is wrong")
	found := strings.Join(e.faults, "\n")
	for _, what := range []string{"says itself: Not translated", "is not accessible: color-contrast", "p#wrong from "} {
		require.Contains(e.t, found, what)
	}
	e.faults = nil
	evaluate[bool](e.participant, "document.getElementById('wrong').remove() ?? true")
}

// unphrased is what the page says past its phrases.
func (e *examiner) unphrased() []string {
	e.t.Helper()
	if e.pictures != "" || e.natural {
		return nil
	}
	return evaluate[[]string](e.participant, unphrased)
}

// run has axe check the page.
func (e *examiner) run(options string) []string {
	e.t.Helper()
	if e.pictures != "" {
		return nil
	}
	return evaluate[[]string](e.participant, `axe.run(document, { resultTypes: ['violations'], ...`+options+` }).then(({ violations }) =>
		violations.map(({ id, help, nodes }) => id + ': ' + help + ': ' + nodes.slice(0, 3).map((n) => n.html.slice(0, 160) +
			(n.any[0]?.data?.contrastRatio ? ' (' + n.any[0].data.contrastRatio + ')' : '')).join(' | ')))`)
}

// scheme has the page be light or dark.
func (e *examiner) scheme(scheme string) {
	e.t.Helper()
	_, err := chromedp.Call(e.tab, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
		Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}, {Name: "prefers-reduced-motion", Value: "reduce"}},
	})
	require.NoError(e.t, err)
}

// note keeps what was found.
func (e *examiner) note(state, what string, found []string) {
	for _, one := range found {
		e.faults = append(e.faults, fmt.Sprintf("%s, %s: %s", state, what, one))
	}
}

// quoteJS makes a string of JavaScript.
func quoteJS(text string) string {
	quoted, err := json.Marshal(text)
	if err != nil {
		panic(err) // a string is never refused
	}
	return string(quoted)
}

package e2e

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/chromedp/cdproto/browser"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"
)

// browserPatience is how long a test waits for what must happen in a browser. It is long
// because four browsers and a server under the race detector may share two cores.
const browserPatience = time.Minute

// requireBrowser is the environment variable that turns the missing of a browser from a
// skipped test into a failed one.
const requireBrowser = "LIVECHAT_REQUIRE_BROWSER"

// participant is one person at the page: a Chromium process of their own with one tab.
type participant struct {
	t    *testing.T
	name string
	// tone is the frequency of its microphone in Hz, 0 for Chromium's own beeping one.
	tone int
	//nolint:containedctx // it is chromedp's handle of the tab
	tab context.Context
	// close ends the browser; the end of the test does so too.
	close func()

	// asked counts how often the browser asked whether to leave the page, which b does unless it stays.
	asked atomic.Int32
	stays atomic.Bool

	mu sync.Mutex
	// console has what the page complained about. Guarded by mu.
	console []string
}

// browserOption changes the flags a browser is started with.
type browserOption func(flags map[string]any)

// withPrompt leaves questions for permission to the test instead of granting them.
func withPrompt(flags map[string]any) { delete(flags, "use-fake-ui-for-media-stream") }

// insecureHost is a name for this machine that browsers do not know to be this machine: a
// page from there is as insecure as one from across the network.
const insecureHost = "livechat.test"

// startBrowser starts a Chromium whose microphone plays a tone. It skips the test when
// there is no Chromium, unless the environment forbids that.
func startBrowser(t *testing.T, name string, tone int, options ...browserOption) *participant {
	t.Helper()
	flags := map[string]any{
		"headless":                         "new",
		"no-sandbox":                       true, // containers seldom allow one
		"disable-gpu":                      true,
		"disable-dev-shm-usage":            true,
		"mute-audio":                       true,
		"no-first-run":                     true,
		"no-default-browser-check":         true,
		"disable-background-networking":    true,
		"disable-component-update":         true,
		"disable-sync":                     true,
		"disable-extensions":               true,
		"disable-features":                 "Translate,HttpsUpgrades",
		"host-resolver-rules":              "MAP " + insecureHost + " 127.0.0.1",
		"password-store":                   "basic",
		"autoplay-policy":                  "no-user-gesture-required",
		"use-fake-device-for-media-stream": true,
		"use-fake-ui-for-media-stream":     true,
		"window-size":                      "1280,800",
		"accept-lang":                      "en-US",
		"lang":                             "en-US",
	}
	if tone != 0 {
		flags["use-file-for-fake-audio-capture"] = toneFile(t, tone)
	}
	for _, option := range options {
		option(flags)
	}
	allocator := make([]chromedp.ExecAllocatorOption, 0, len(flags)+2)
	allocator = append(allocator, chromedp.ExecPath(chromium(t)), chromedp.WSURLReadTimeout(2*browserPatience))
	for flag, value := range flags {
		allocator = append(allocator, chromedp.Flag(flag, value))
	}
	b := &participant{t: t, name: name, tone: tone}
	allocated, cancelAllocator := chromedp.NewExecAllocator(context.Background(), allocator...)
	ctx, cancel := chromedp.NewContext(allocated, chromedp.WithListener(b.listen))
	b.tab = ctx
	b.close = sync.OnceFunc(func() {
		cancel()
		cancelAllocator()
	})
	t.Cleanup(b.close)
	require.NoError(t, chromedp.Do(ctx), "start a browser for %s", name)
	return b
}

// chromium returns the path of a Chromium or Chrome.
func chromium(t *testing.T) string {
	t.Helper()
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome", "google-chrome-stable"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	if os.Getenv(requireBrowser) != "" {
		t.Fatalf("there is no Chromium or Chrome in PATH, and %s is set", requireBrowser)
	}
	t.Skipf("there is no Chromium or Chrome in PATH; set %s to make this a failure", requireBrowser)
	return ""
}

// listen keeps what the page complains about. Chromium calls it for every event of the tab.
func (b *participant) listen(event any) {
	var line string
	switch e := event.(type) {
	case *runtime.EventExceptionThrown:
		line = e.ExceptionDetails.Text
		if e.ExceptionDetails.Exception != nil {
			line += " " + e.ExceptionDetails.Exception.Description
		}
	case *page.EventJavascriptDialogOpening:
		go b.answer(e)
		return
	case *runtime.EventConsoleAPICalled:
		line = string(e.Type)
		for _, arg := range e.Args {
			line += " " + string(arg.Value) + arg.Description
		}
	default:
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.console = append(b.console, line)
}

// answer agrees to what the browser asks before it leaves the page, unless b stays.
func (b *participant) answer(e *page.EventJavascriptDialogOpening) {
	if e.Type == page.DialogTypeBeforeunload {
		b.asked.Add(1)
		_, _ = chromedp.Call(b.tab, page.HandleJavaScriptDialog, page.HandleJavaScriptDialogParams{Accept: !b.stays.Load()})
	}
}

// fatalf ends the test, telling what the page shows.
func (b *participant) fatalf(format string, args ...any) {
	b.t.Helper()
	b.mu.Lock()
	console := slices.Clone(b.console)
	b.mu.Unlock()
	ctx, cancel := context.WithTimeout(b.tab, 15*time.Second)
	defer cancel()
	state, err := chromedp.Run(ctx, chromedp.Evaluate[string](`(() => {
		const { session, media } = window.livechat ?? {};
		if (!session) return 'no page of ours: ' + document.documentElement.outerHTML;
		const { call, client } = session;
		return JSON.stringify({
			stage: session.stage, client: client.state, wanted: call.wanted, room: call.room && {
				...call.room, members: [...call.room.members.values()], chat: undefined },
			floor: { ...call.floor }, trouble: call.talk.trouble, problem: call.problem && { ...call.problem, error: String(call.problem.error) },
			media: media.state, slots: media.slots.map((s) => [s.mid, s.userId]), text: document.body.innerText });
	})()`))
	b.t.Fatalf("%s: %s\npage: %s (%v)\nconsole: %s",
		b.name, fmt.Sprintf(format, args...), state, err, strings.Join(console, "\n\t"))
}

// noComplaints checks that the page threw no exception and logged nothing.
func (b *participant) noComplaints() {
	b.t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	require.Empty(b.t, b.console, "%s's console", b.name)
}

// during hands the participants to a step of a test, a subtest, for as long as it runs.
// Steps share browsers, so after one that failed the others say nothing: they are skipped.
func during(t *testing.T, all ...*participant) {
	t.Helper()
	for _, one := range all {
		outer := one.t
		if outer.Failed() {
			t.Skip("an earlier step failed")
		}
		one.t = t
		t.Cleanup(func() { one.t = outer })
	}
}

// do runs actions within the test's patience.
func (b *participant) do(actions ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.tab, browserPatience)
	defer cancel()
	if err := chromedp.Do(ctx, actions...); err != nil {
		b.fatalf("%v", err)
	}
}

// evaluate runs an expression in the page of b and returns its value, awaited when it is
// a promise.
func evaluate[T any](b *participant, expression string) T {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.tab, browserPatience)
	defer cancel()
	value, err := chromedp.Run(ctx, chromedp.Evaluate[T](expression, chromedp.EvalAwaitPromise))
	require.NoError(b.t, err, "%s: %s", b.name, expression)
	return value
}

// until polls an expression in the page until it is true. A page that gives way to another
// meanwhile is not the end of it: another fragment after # loads the page anew, later.
func (b *participant) until(reason, expression string) {
	b.t.Helper()
	b.poll(reason, func() bool {
		ctx, cancel := context.WithTimeout(b.tab, browserPatience)
		defer cancel()
		holds, err := chromedp.Run(ctx, chromedp.Evaluate[bool]("Promise.resolve("+expression+").then(Boolean)", chromedp.EvalAwaitPromise))
		if err != nil && pageGone.MatchString(err.Error()) {
			return false
		}
		require.NoError(b.t, err, "%s: %s", b.name, expression)
		return holds
	})
}

// pageGone is what Chromium says of an expression whose page was left meanwhile, or has not run yet.
var pageGone = regexp.MustCompile(`context was destroyed|[Cc]annot find context|navigated or closed|livechat is not defined`)

// poll calls a condition until it holds.
func (b *participant) poll(reason string, condition func() bool) {
	b.t.Helper()
	deadline := time.Now().Add(browserPatience)
	for !condition() {
		if time.Now().After(deadline) {
			b.fatalf("after %v still not: %s", browserPatience, reason)
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// click clicks on an element with the mouse, as soon as it is visible.
func (b *participant) click(selector string) {
	b.t.Helper()
	b.do(chromedp.WaitVisible(chromedp.CSS(selector)), chromedp.Click(chromedp.CSS(selector)))
}

// fill types into a field.
func (b *participant) fill(selector, text string) {
	b.t.Helper()
	b.do(chromedp.WaitVisible(chromedp.CSS(selector)), chromedp.SendKeys(chromedp.CSS(selector), text))
}

// see waits until the text is on the screen within the element.
func (b *participant) see(selector, text string) {
	b.t.Helper()
	b.until(fmt.Sprintf("%s shows %q", selector, text), fmt.Sprintf(
		`[...document.querySelectorAll(%s)].some((e) => e.checkVisibility() && e.innerText.includes(%s))`,
		strconv.Quote(selector), strconv.Quote(text)))
}

// open loads the page of a server; fragment is what a link carries after #. A server the
// browser has not been to is another origin, so nothing is remembered there. Without audio
// processing, which takes a steady tone for noise and removes it.
func (b *participant) open(s *server, fragment string) {
	b.t.Helper()
	b.do(chromedp.Navigate(s.URL + "/?audio=raw#" + fragment))
	b.until("the page runs", "window.livechat")
}

// enterName opens the page and enters a name, whatever comes of it.
func (b *participant) enterName(s *server, name string) {
	b.t.Helper()
	b.open(s, "")
	b.fill("#guest-name", name)
	b.click("#guest-submit")
}

// signIn opens the page and enters with b's own name.
func (b *participant) signIn(s *server) {
	b.t.Helper()
	b.enterName(s, b.name)
	b.until("signed in", "livechat.session.stage === 'in'")
}

// join clicks on a channel and waits until voice flows.
func (b *participant) join(channel string) {
	b.t.Helper()
	b.clickChannel(channel)
	b.joined()
}

// clickChannel clicks on a channel in the list.
func (b *participant) clickChannel(channel string) {
	b.t.Helper()
	b.see(".channel", channel)
	b.click(fmt.Sprintf(`.channel[title^=%s]`, strconv.Quote(channel)))
}

// joined waits until the channel is joined and voice is connected.
func (b *participant) joined() {
	b.t.Helper()
	b.until("in the channel", "livechat.session.call.here")
	b.until("voice is connected", "livechat.media.state === 'connected'")
}

// allowMicrophone answers the browser's question for the microphone before it is asked.
func (b *participant) allowMicrophone(allow bool) {
	b.t.Helper()
	setting := browser.PermissionSettingDenied
	if allow {
		setting = browser.PermissionSettingGranted
	}
	_, err := chromedp.CallBrowser(b.tab, browser.SetPermission, browser.SetPermissionParams{
		Permission: &browser.PermissionDescriptor{Name: "microphone"}, Setting: setting,
	})
	require.NoError(b.t, err)
}

// userID returns who b is.
func (b *participant) userID() string {
	b.t.Helper()
	return evaluate[string](b, "livechat.session.me.userId")
}

// kill ends the browser's process the hard way.
func (b *participant) kill() {
	b.t.Helper()
	require.NoError(b.t, chromedp.FromContext(b.tab).Browser.Process().Kill())
}

package e2e

import (
	"testing"

	"github.com/chromedp/cdproto/browser"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/target"
	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"

	"github.com/mini-livechat/mini-livechat/cmd/app"
)

// telephoneScript counts the locks that keep a screen on, and has a kind of sound that can be chosen, as on a telephone.
const telephoneScript = `
	window.locks = [];
	window.sounds = [];
	navigator.mediaDevices.selectAudioOutput = async () => (await navigator.mediaDevices.enumerateDevices()).findLast(({ kind }) => kind === 'audiooutput');
	const request = navigator.wakeLock.request.bind(navigator.wakeLock);
	navigator.wakeLock.request = async (type) => {
		const lock = await request(type).catch(() => Object.assign(new EventTarget(), { released: false, async release() { this.released = true; } }));
		locks.push(lock);
		return lock;
	};
	Object.defineProperty(navigator, 'audioSession', { value: { get type() { return sounds.at(-1) ?? 'auto'; }, set type(t) { sounds.push(t); } } });`

// systemScript has the test be the system that shows notices, since a machine without a screen forgets some by itself. What Chromium
// says of each counts all the same.
const systemScript = `
	window.notices = [];
	const show = ServiceWorkerRegistration.prototype.showNotification;
	ServiceWorkerRegistration.prototype.showNotification = async function (title, options) {
		await show.call(this, title, options);
		const { body, tag, data } = options;
		notices = notices.filter((one) => one.tag !== tag).concat({ title, body, tag, data });
	};
	ServiceWorkerRegistration.prototype.getNotifications = async () => notices.map((one) => ({ close() { notices = notices.filter((n) => n !== one); } }));`

// shownNotices is what the system shows of the page's notices.
const shownNotices = `notices.map(({ title, body, tag }) => [title, body, tag].join(' | '))`

// permit answers the browser's question for notices before it is asked.
func (b *participant) permit(setting browser.PermissionSetting) {
	b.t.Helper()
	_, err := chromedp.CallBrowser(b.tab, browser.SetPermission, browser.SetPermissionParams{
		Permission: &browser.PermissionDescriptor{Name: "notifications"}, Setting: setting,
	})
	require.NoError(b.t, err)
}

// hide has the page think that nobody looks at it, or somebody does.
func (b *participant) hide(hidden bool) {
	b.t.Helper()
	evaluate[chromedp.Void](b, `Object.defineProperty(document, 'hidden', { configurable: true, value: `+jsonOf(b.t, hidden)+` });
		document.dispatchEvent(new Event('visibilitychange'))`)
}

// TestBrowserNotices: the system tells who writes, to one who asked for it and does not look, and a click leads there; and a telephone
// stays awake during a call.
func TestBrowserNotices(t *testing.T) {
	verifyNoLeaks(t)
	s := startServer(t, func(c *app.Config) { c.Channels = []string{"lobby", "garden"} })
	ada := startBrowser(t, "Ada", toneAda)
	_, err := chromedp.Call(ada.tab, page.AddScriptToEvaluateOnNewDocument, page.AddScriptToEvaluateOnNewDocumentParams{Source: telephoneScript + systemScript})
	require.NoError(t, err)
	ada.signIn(s)
	ada.join("lobby")
	ben := arrive(t, s, "Ben").join("lobby")
	write := func(text string) {
		t.Helper()
		_, sendErr := ben.SendMessage(soon(t), "lobby", text)
		require.NoError(t, sendErr)
		ada.until("it has come", "livechat.session.call.room.chat.entries.some(({ text }) => text === "+jsonOf(t, text)+")")
	}
	choose := func(how string) {
		t.Helper()
		ada.click("#preferences-open")
		ada.until("it is open", "document.getElementById('preferences-dialog').open")
		evaluate[chromedp.Void](ada, `(() => {
			const how = document.getElementById('preferences-notices-how');
			how.value = '`+how+`';
			how.dispatchEvent(new Event('change'));
		})()`)
	}

	// Nobody is asked for anything by themselves, and what is not allowed is said.
	require.Equal(t, "none", evaluate[string](ada, "document.getElementById('preferences-notices-how').value"))
	ada.permit(browser.PermissionSettingDenied)
	choose("what")
	ada.see("#preferences-notices-says", "The browser does not allow this page to")
	ada.until("it is not chosen", "document.getElementById('preferences-notices-how').value === 'none'")
	ada.click("#preferences-close")
	ada.permit(browser.PermissionSettingGranted)
	ada.hide(true)
	write("Before it is asked for")
	ada.hide(false)
	choose("what")
	ada.until("it is allowed", "JSON.parse(localStorage['livechat.choices']).notices === 'what'")
	evaluate[chromedp.Void](ada, "document.getElementById('preferences-notices').scrollIntoView()")
	ada.pictures("preferences-notices")
	ada.click("#devices-ask")
	ada.until("the browser's choice is taken", "document.getElementById('devices-speaker').value === JSON.parse(localStorage['livechat.choices']).speakerId && document.getElementById('devices-speaker').value")
	ada.click("#preferences-close")

	write("While one looks")
	require.Empty(t, evaluate[[]string](ada, shownNotices))
	ada.hide(true)
	write("**Come** by https://u:p@e.org/x?key=1#invite=secret")
	ada.until("it is told", shownNotices+".join() === 'Ben in lobby | Come by e.org | lobby'")
	write("The latest")
	ada.until("one is told for each channel", shownNotices+".join() === 'Ben in lobby | The latest | lobby'")

	// Meanwhile one looked into another channel; the notice leads to where it was written.
	ada.hide(false)
	ada.until("it is taken back", "notices.length === 0")
	ada.click(".channels__read[aria-label^='Read garden']")
	ada.see("#chat-title", "garden")
	ada.hide(true)
	write("Where are you?")
	ada.until("it is told", "notices.length === 1")
	clickNotice(t, ada)
	ada.until("the channel is shown", "livechat.session.reading.channelId === 'lobby'")
	ada.see(".message__text", "Where are you?")
	ada.hide(false)
	choose("who")
	ada.click("#preferences-close")
	ada.hide(true)
	write("What nobody else is to see")
	ada.until("who wrote is told", shownNotices+".join() === 'Ben in lobby |  | lobby'")
	ada.hide(false)

	// A desk's screen is left alone, a telephone's stays on for as long as one is in a channel and looks.
	require.Zero(t, evaluate[int](ada, "locks.length"))
	require.Equal(t, "play-and-record", evaluate[string](ada, "navigator.audioSession.type"))
	ada.do(chromedp.EmulateViewport(390, 844, chromedp.EmulateMobile))
	_, err = chromedp.Call(ada.tab, emulation.SetTouchEmulationEnabled, emulation.SetTouchEmulationEnabledParams{Enabled: true})
	require.NoError(t, err)
	ada.until("it is held in the hand", "matchMedia('(pointer: coarse)').matches")
	ada.hide(false)
	ada.until("the screen stays on", "locks.length === 1 && !locks[0].released")
	ada.hide(true)
	ada.until("not while it is hidden", "locks.length === 1 && locks[0].released")
	ada.hide(false)
	ada.until("and again", "locks.length === 2 && !locks[1].released")
	ada.click("#leave")
	ada.until("not without a call", "locks[1].released && navigator.audioSession.type === 'auto'")
	ada.noComplaints()
}

// clickNotice clicks on the one notice that there is, as the system would tell the page's worker.
func clickNotice(t *testing.T, b *participant) {
	t.Helper()
	data := evaluate[string](b, "JSON.stringify(notices[0].data)")
	targets, err := chromedp.CallBrowser(b.tab, target.GetTargets, target.GetTargetsParams{})
	require.NoError(t, err)
	for _, info := range targets.TargetInfos {
		if info.Type != "service_worker" {
			continue
		}
		ctx, cancel := chromedp.NewContext(b.tab, chromedp.WithTargetID(info.TargetID))
		_, err = chromedp.Run(ctx, chromedp.Evaluate[bool](`dispatchEvent(Object.assign(new ExtendableEvent('notificationclick'),
			{ notification: { close() {}, data: `+data+` } }))`))
		cancel()
		require.NoError(t, err)
		return
	}
	require.Fail(t, "the page has no worker")
}

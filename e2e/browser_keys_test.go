package e2e

import (
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"
)

// keyOf returns what DevTools are told of a key, by what it means; "ь" and "µ" are M on a Cyrillic keyboard and with Alt on a Mac's.
func keyOf(means string) input.DispatchKeyEventParams {
	k := input.DispatchKeyEventParams{Key: means, Code: means}
	switch means {
	case " ":
		k.Code, k.Text, k.WindowsVirtualKeyCode = "Space", means, 32
	case "?":
		k.Code, k.Text, k.WindowsVirtualKeyCode = "Slash", means, 191
	case "m", "ь", "µ":
		k.Code, k.Text, k.WindowsVirtualKeyCode = "KeyM", means, 77
	case "d", "L":
		k.Code, k.Text = "Key"+strings.ToUpper(means), means
		k.WindowsVirtualKeyCode = int64(k.Code[3])
	case "F8":
		k.WindowsVirtualKeyCode = 119
	case "Escape":
		k.WindowsVirtualKeyCode = 27
	case "Tab":
		k.WindowsVirtualKeyCode = 9
	}
	return k
}

// What is held beside a key, as DevTools number it.
const (
	withAlt   = 1
	withCtrl  = 2
	withShift = 8
)

// down presses a key and holds it.
func (b *participant) down(key string, modifiers int64) {
	b.t.Helper()
	k := keyOf(key)
	k.Type, k.Modifiers = input.DispatchKeyEventTypeKeyDown, modifiers
	if k.Text == "" || modifiers&^withShift != 0 {
		k.Type, k.Text = input.DispatchKeyEventTypeRawKeyDown, ""
	}
	_, err := chromedp.Call(b.tab, input.DispatchKeyEvent, k)
	require.NoError(b.t, err)
}

// up lets a key go.
func (b *participant) up(key string) {
	b.t.Helper()
	k := keyOf(key)
	k.Type, k.Text = input.DispatchKeyEventTypeKeyUp, ""
	_, err := chromedp.Call(b.tab, input.DispatchKeyEvent, k)
	require.NoError(b.t, err)
}

// strike presses a key and lets it go.
func (b *participant) strike(key string, modifiers int64) {
	b.t.Helper()
	b.down(key, modifiers)
	b.up(key)
}

// touch puts a finger on an element, or takes it away.
func (b *participant) touch(kind input.DispatchTouchEventType, selector string) {
	b.t.Helper()
	var points []*input.TouchPoint
	if selector != "" {
		at := evaluate[[2]float64](b, fmt.Sprintf(
			`(({ left, top, width, height }) => [left + width / 2, top + height / 2])(document.querySelector(%s).getBoundingClientRect())`,
			strconv.Quote(selector)))
		points = []*input.TouchPoint{{X: at[0], Y: at[1]}}
	}
	_, err := chromedp.Call(b.tab, input.DispatchTouchEvent, input.DispatchTouchEventParams{Type: kind, TouchPoints: points})
	require.NoError(b.t, err)
}

// blurs has nothing have the focus, as after a click beside everything.
const blurs = "document.activeElement.blur()"

// emptied takes back what one was writing.
const emptied = "((field) => { field.value = ''; field.dispatchEvent(new Event('input')); })(document.getElementById('chat-text')); "

// TestBrowserKeys works the page by keys alone, and talks while a key, a mouse button or a finger is down.
func TestBrowserKeys(t *testing.T) {
	verifyNoLeaks(t)
	ada := startBrowser(t, "Ada", toneAda)
	ben := startBrowser(t, "Ben", toneBen)
	both := []*participant{ada, ben}
	s := startServer(t)
	for _, one := range both {
		one.do(chromedp.EmulateViewport(laptopWidth, laptopHeight))
		one.signIn(s)
		one.join("lobby")
	}
	for _, part := range []struct {
		name string
		run  func(t *testing.T, ada, ben *participant)
	}{
		{"keys that work everywhere", checkKeys},
		{"the list of keys and the settings", checkPreferences},
		{"push to talk by a key", checkPushToTalk},
		{"push to talk by a finger", checkTouch},
		{"what ends a press", checkReleases},
		{"push to mute, and pressing in place of holding", checkPushToMute},
	} {
		t.Run(part.name, func(t *testing.T) {
			during(t, both...)
			part.run(t, ada, ben)
			for _, one := range both {
				one.noComplaints()
			}
		})
	}
}

// checkKeys mutes, deafens and leaves, and does not while one writes or with a dialog open.
func checkKeys(t *testing.T, ada, _ *participant) {
	t.Helper()
	voice := func(muted, deaf bool) {
		t.Helper()
		ada.until("muted and deafened as it should be", fmt.Sprintf(
			"(({ muted, deaf }) => muted === %t && deaf === %t)(livechat.session.call.voice)", muted, deaf))
	}
	require.Equal(t, "M Alt+M", evaluate[string](ada, "document.getElementById('mute').getAttribute('aria-keyshortcuts')"))
	evaluate[chromedp.Void](ada, blurs)
	ada.strike("m", 0)
	voice(true, false)
	ada.see("#mute", "Unmute")
	ada.strike("ь", 0)
	voice(false, false)
	ada.strike("d", 0)
	voice(false, true)
	ada.strike("d", 0)
	voice(false, false)
	for _, modifiers := range []int64{withCtrl, withShift, withCtrl | withAlt} {
		ada.strike("m", modifiers)
	}
	voice(false, false)

	// Where one writes they are letters, but for the one with Alt.
	ada.click("#chat-text")
	ada.strike("m", 0)
	ada.strike("d", 0)
	ada.strike("?", withShift)
	ada.until("it is written", "document.getElementById('chat-text').value === 'md?'")
	voice(false, false)
	ada.strike("µ", withAlt)
	voice(true, false)
	ada.strike("m", withAlt)
	voice(false, false)
	ada.strike("L", withCtrl|withShift)
	evaluate[chromedp.Void](ada, emptied+blurs)

	// With a dialog open they do nothing.
	ada.click("#create-open")
	evaluate[chromedp.Void](ada, "document.getElementById('create-cancel').focus()")
	ada.strike("m", 0)
	ada.strike("L", withCtrl|withShift)
	ada.strike("Escape", 0)
	ada.until("the dialog is closed", "!document.querySelector('dialog[open]')")
	voice(false, false)
	require.True(t, evaluate[bool](ada, "livechat.session.call.wanted === 'lobby'"))

	evaluate[chromedp.Void](ada, blurs)
	ada.strike("L", withCtrl|withShift)
	ada.see("#stage", "Pick a channel")
	ada.join("lobby")
}

// checkPreferences opens the list of keys by its key, and from there what may be chosen.
func checkPreferences(t *testing.T, ada, _ *participant) {
	t.Helper()
	evaluate[chromedp.Void](ada, blurs)
	ada.strike("?", withShift)
	ada.see("#keys-list", "Mute or unmute")
	ada.see("#keys-list", "Ctrl + Shift + L")
	ada.pictures("keys")
	ada.click("#keys-change")
	ada.see("#preferences-dialog", "Push to talk")
	require.True(t, evaluate[bool](ada, "document.getElementById('preferences-push').hidden"))
	ada.replace("#preferences-by", "talk")
	evaluate[chromedp.Void](ada, "document.getElementById('preferences-by').dispatchEvent(new Event('change'))")

	// Another key, by pressing it.
	ada.see("#preferences-key", "Space")
	ada.click("#preferences-key")
	ada.see("#preferences-key", "Press a key")
	ada.strike("m", 0)
	ada.see("#preferences-says", "M has something else to do.")
	ada.strike("F8", 0)
	ada.see("#preferences-key", "F8")
	ada.see("#preferences-says", "F8 it is.")
	ada.click("#preferences-key")
	ada.strike("Escape", 0)
	ada.see("#preferences-key", "F8")
	ada.click("#preferences-key")
	ada.strike(" ", 0)
	ada.see("#preferences-key", "Space")
	ada.pictures("preferences")

	// Single keys may be switched off.
	ada.click("#preferences-single")
	ada.click("#preferences-close")
	evaluate[chromedp.Void](ada, blurs)
	ada.strike("m", 0)
	ada.strike("?", withShift)
	require.True(t, evaluate[bool](ada, "!livechat.session.call.voice.muted && !document.querySelector('dialog[open]')"))
	ada.click("#preferences-open")
	ada.click("#preferences-single")
	ada.click("#preferences-close")

	// It is remembered.
	ada.do(chromedp.Reload())
	ada.until("the page runs", "window.livechat")
	ada.joined()
	ada.see("#hold", "Hold to talk")
	ada.until("the button to hold has the focus", "document.activeElement.id === 'hold'")
	ada.pictures("push")
}

// counts has the page count what it asks of the server.
const counts = `(() => {
	const { client } = livechat.session;
	const real = client.request.bind(client);
	window.asked = [];
	client.request = (op, d) => { asked.push(op); return real(op, d); };
})()`

// checkPushToTalk holds the key, of which the server is told nothing.
func checkPushToTalk(t *testing.T, ada, ben *participant) {
	t.Helper()
	both := []*participant{ada, ben}
	evaluate[chromedp.Void](ada, counts+", "+blurs)
	ben.hears(both)
	ben.until("she is not muted", wellFor(ada.name)+" && [...livechat.session.call.room.members.values()].every((m) => !m.self_mute)")
	ada.down(" ", 0)
	ada.see("#hold", "You are on air")
	ben.hears(both, ada)
	ada.pictures("on-air")
	ada.up(" ")
	ada.see("#hold", "Hold to talk")
	ben.hears(both)
	require.NotContains(t, evaluate[[]int](ada, "asked"), 40, "VOICE_STATE")

	// The tail: it is over after the last syllable, not before.
	evaluate[chromedp.Void](ada, `(() => {
		const { hold } = livechat.push;
		window.released = 0;
		document.addEventListener('keyup', () => { window.letGo = performance.now(); }, { once: true, capture: true });
		hold.addEventListener('release', () => { released = performance.now(); }, { once: true });
	})()`)
	ada.strike(" ", 0)
	ada.until("it is released", "released")
	require.GreaterOrEqual(t, evaluate[float64](ada, "released - letGo"), 199.0)

	// Where one writes it writes; a key that types nothing talks.
	ada.click("#chat-text")
	ada.strike(" ", 0)
	ada.until("a space is written", "document.getElementById('chat-text').value === ' '")
	require.False(t, evaluate[bool](ada, "livechat.push.hold.pressed"))
	evaluate[chromedp.Void](ada, emptied+"livechat.push.hold.key = 'F8'")
	ada.down("F8", 0)
	ada.see("#hold", "You are on air")
	ada.up("F8")
	ada.see("#hold", "Hold to talk")

	// A button to which the keyboard went is meant by Space; one that was clicked is not.
	ada.click("#deafen")
	ada.click("#deafen")
	ada.until("it has the key", "livechat.push.hold.key === 'Space'")
	ada.down(" ", 0)
	ada.see("#hold", "You are on air")
	ada.up(" ")
	ada.see("#hold", "Hold to talk")
	ada.strike("Tab", 0)
	ada.strike("Tab", withShift)
	ada.strike(" ", 0)
	ada.until("deafened", "document.activeElement.id === 'deafen' && livechat.session.call.voice.deaf")
	require.False(t, evaluate[bool](ada, "livechat.push.hold.pressed"))
	ada.strike(" ", 0)
	ada.until("no more", "!livechat.session.call.voice.deaf")

	// Muted, one is told.
	evaluate[chromedp.Void](ada, blurs)
	ada.strike("m", 0)
	ada.see("#hold", "You are muted")
	ada.down(" ", 0)
	ada.see("#hint", "You are muted: unmute first, then talk.")
	ben.hears(both)
	ada.up(" ")
	ada.strike("m", 0)
	ada.see("#hold", "Hold to talk")
}

// checkTouch holds the button with a finger on a telephone, with the mouse, and by what only clicks.
func checkTouch(t *testing.T, ada, ben *participant) {
	t.Helper()
	both := []*participant{ada, ben}
	ada.do(chromedp.EmulateViewport(phoneWidth, phoneHeight, chromedp.EmulateTouch))
	ada.touch(input.DispatchTouchEventTypeTouchStart, "#hold")
	ada.see("#hold", "You are on air")
	ben.hears(both, ada)
	// Off the button it is held all the same.
	ada.touch(input.DispatchTouchEventTypeTouchMove, "#people")
	ben.hears(both, ada)
	require.Empty(t, evaluate[string](ada, "String(getSelection())"))
	ada.touch(input.DispatchTouchEventTypeTouchEnd, "")
	ada.see("#hold", "Hold to talk")
	ben.hears(both)

	ada.touch(input.DispatchTouchEventTypeTouchStart, "#hold")
	ada.see("#hold", "You are on air")
	ada.touch(input.DispatchTouchEventTypeTouchCancel, "")
	ada.see("#hold", "Hold to talk")
	ada.do(chromedp.EmulateViewport(laptopWidth, laptopHeight, chromedp.EmulateMobile))
	ada.do(chromedp.EmulateViewport(laptopWidth, laptopHeight))

	// What only clicks switches.
	evaluate[chromedp.Void](ada, "document.getElementById('hold').click()")
	ada.see("#hold", "You are on air")
	evaluate[chromedp.Void](ada, "document.getElementById('hold').click()")
	ada.see("#hold", "Hold to talk")
	require.True(t, evaluate[bool](ada, "!document.getElementById('hold').dispatchEvent(new MouseEvent('contextmenu', { cancelable: true }))"), "no menu")
}

// checkReleases takes the press away in all the ways there are. What is held is to be pressed again then.
func checkReleases(t *testing.T, ada, ben *participant) {
	t.Helper()
	both := []*participant{ada, ben}
	for name, how := range map[string][2]string{
		"the window loses the keyboard": {"window.dispatchEvent(new Event('blur'))", ""},
		"the page is hidden": {
			"Object.defineProperty(document, 'hidden', { value: true, configurable: true }), document.dispatchEvent(new Event('visibilitychange'))",
			"delete document.hidden, document.dispatchEvent(new Event('visibilitychange'))",
		},
		"the voice is lost": {"livechat.session.call.retryNow()", ""},
	} {
		evaluate[chromedp.Void](ada, blurs)
		ada.down(" ", 0)
		ada.see("#hold", "You are on air")
		evaluate[chromedp.Void](ada, "void ("+how[0]+")")
		ada.until("released: "+name, "!livechat.push.hold.pressed && !livechat.media.microphone.track?.enabled")
		if how[1] != "" {
			evaluate[chromedp.Void](ada, "void ("+how[1]+")")
		}
		ada.joined()
		ben.hears(both)
		require.False(t, evaluate[bool](ada, "livechat.push.hold.pressed"), name)
		ada.up(" ")
	}
}

// checkPushToMute is silent while the key is held; then a press does it.
func checkPushToMute(t *testing.T, ada, ben *participant) {
	t.Helper()
	both := []*participant{ada, ben}
	choose := func(selector, value string) {
		t.Helper()
		ada.click("#preferences-open")
		ada.replace(selector, value)
		evaluate[chromedp.Void](ada, fmt.Sprintf("document.querySelector(%q).dispatchEvent(new Event('change'))", selector))
		ada.click("#preferences-close")
		evaluate[chromedp.Void](ada, blurs)
	}
	choose("#preferences-by", "mute")
	ada.see("#hold", "Hold to mute")
	ben.hears(both, ada)
	ada.down(" ", 0)
	ada.see("#hold", "Nobody hears you")
	ben.hears(both)
	ada.up(" ")
	ben.hears(both, ada)

	choose("#preferences-how", "true")
	ada.strike(" ", 0)
	ada.see("#hold", "Nobody hears you · press to end")
	evaluate[bool](ada, "window.dispatchEvent(new Event('blur'))")
	ben.hears(both)
	ada.strike(" ", 0)
	ada.see("#hold", "Press to mute")
	ben.hears(both, ada)
	choose("#preferences-by", "open")
	ada.until("there is nothing to hold", "document.getElementById('hold').hidden")
	ben.hears(both, ada)
}

// sessionScript notes what the page says to the system of its call, and keeps the buttons that it hands over.
const sessionScript = `
	window.system = { handlers: {}, active: null };
	navigator.mediaSession.setActionHandler = (action, handler) => { system.handlers[action] = handler; };
	navigator.mediaSession.setMicrophoneActive = (active) => { system.active = active; };`

// TestBrowserMuted talks while muted, which the page says, and mutes and hangs up by the buttons of a headset.
func TestBrowserMuted(t *testing.T) {
	verifyNoLeaks(t)
	s := startServer(t)
	ada := startBrowser(t, "Ada", toneAda)
	_, err := chromedp.Call(ada.tab, page.AddScriptToEvaluateOnNewDocument,
		page.AddScriptToEvaluateOnNewDocumentParams{Source: sessionScript})
	require.NoError(t, err)
	ada.signIn(s)
	evaluate[chromedp.Void](ada, fmt.Sprintf(fakeMicrophone, toneAda))
	evaluate[chromedp.Void](ada, `voice.gain.value = 0.001, void (window.copies = 0, window.clone = MediaStreamTrack.prototype.clone,
		MediaStreamTrack.prototype.clone = function () { copies++; return window.copy = clone.call(this); })`)
	ada.join("lobby")
	ada.until("the system knows", "system.active === true && navigator.mediaSession.metadata.title === 'lobby'")

	evaluate[chromedp.Void](ada, "void system.handlers.togglemicrophone()")
	ada.see("#mute", "Unmute")
	ada.until("the system knows", "system.active === false")
	// Whoever is quiet, or only knocks on the table, is told nothing.
	ada.until("it is listened to", "copies === 1 && copy.enabled && copy.readyState === 'live'")
	require.Empty(t, evaluate[string](ada, "document.getElementById('hint').textContent"))
	evaluate[chromedp.Void](ada, "void (voice.gain.value = 0.5)")
	ada.see("#hint", "You are muted. Nobody hears you.")
	ada.pictures("muted")
	ada.until("it goes away", "document.getElementById('hint').textContent === ''")

	evaluate[chromedp.Void](ada, "void system.handlers.togglemicrophone()")
	ada.see("#mute", "Mute")
	ada.until("the copy is let go", "copy.readyState === 'ended'")
	// Without a microphone there is nothing to listen to, and who does not want it is not listened to.
	ada.click("#preferences-open")
	ada.click("#preferences-muffled")
	ada.click("#preferences-close")
	ada.click("#mute")
	ada.see("#mute", "Unmute")
	require.Equal(t, 1, evaluate[int](ada, "copies"))

	evaluate[chromedp.Void](ada, "void system.handlers.hangup()")
	ada.see("#stage", "Pick a channel")
	ada.until("the system knows", "system.handlers.hangup === null && system.active === false")
	ada.noComplaints()
}

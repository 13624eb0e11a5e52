package e2e

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
	"github.com/stretchr/testify/require"

	"github.com/mini-livechat/mini-livechat/cmd/app"
	"github.com/mini-livechat/mini-livechat/signaling/auth"
	"github.com/mini-livechat/mini-livechat/signaling/protocol"
)

// TestBrowserEveryState goes through what the page can show. In each state nothing is said but by a phrase, axe finds nothing, and
// nothing is out of place. People, channels and messages are in Cyrillic letters, so that Latin ones are the page's own.
func TestBrowserEveryState(t *testing.T) {
	verifyNoLeaks(t)
	olya := startBrowser(t, "Оля", toneAda)
	e := newExaminer(t, olya)
	t.Cleanup(func() {
		if len(e.faults) > 0 {
			t.Errorf("%d faults:\n%s", len(e.faults), strings.Join(e.faults, "\n"))
		}
	})
	olya.speakPseudo()
	olya.do(chromedp.EmulateViewport(laptopWidth, laptopHeight))
	e.scheme("light")

	walkStates(t, e)
	olya.noComplaints()
}

// walkStates brings the page to each state, as somebody whose name is Оля.
func walkStates(t *testing.T, e *examiner) {
	t.Helper()
	s := startServer(t, func(c *app.Config) {
		c.Secret, c.AllowGuests = testSecret, new(true)
		c.Channels = []string{"square=Площа", "garden=Сад"}
	})
	walkEntry(e, s)
	e.openAs(s, testSecret, auth.Identity{UserID: "olya", Name: "Оля", Grants: auth.Grants{Role: new(auth.RoleModerator)}})
	walkChannels(e)
	ivan := arrive(t, s, "Іван")
	walkCall(e, s, ivan)
	walkChat(e, ivan)
	walkDialogs(e)
	walkModeration(e, ivan)
	walkFloor(e)
	walkStage(t, e, s)
	walkAudience(t, e, s)
	walkEnds(t, e, s)
}

// closes closes the dialog that is open.
func (e *examiner) closes() {
	e.t.Helper()
	e.do(chromedp.KeyEvent(kb.Escape))
	e.until("the dialog is closed", "!document.querySelector('dialog[open]')")
}

// dialog opens a dialog by a button, looks at it and closes it.
func (e *examiner) dialog(state, button string) {
	e.t.Helper()
	e.click(button)
	e.until(state+" is open", "document.querySelector('dialog[open]')")
	e.check(state)
	e.closes()
}

func walkEntry(e *examiner, s *server) {
	e.t.Helper()
	e.open(s, "")
	e.sees()
	e.check("start")
	e.click("#start-other")
	e.fill("#token", "nonsense\r")
	e.until("an error is shown", "document.getElementById('start-error')?.innerText")
	e.check("a token that is none")
	e.open(s, "invite=nonsense")
	e.until("an error is shown", "document.getElementById('start-error')?.innerText && document.activeElement !== document.body")
	e.check("an invite that is none")
	e.open(s, "channel=nowhere")
	e.until("it is open", "document.getElementById('guest-name')?.checkVisibility()")
	e.check("a link to a channel")
}

func walkChannels(e *examiner) {
	e.t.Helper()
	e.see(".channel", "Сад")
	e.until("one may begin", "document.activeElement.matches('.channel')")
	e.check("no channel yet")
	e.dialog("a new channel", "#create-open")
	e.dialog("settings", "#preferences-open")
	e.click("#preferences-open")
	e.choose("#preferences-by", "talk")
	e.check("settings for push to talk")
	e.choose("#preferences-by", "open")
	e.closes()
	e.click("#checkup-open")
	e.until("it is checked", "!document.getElementById('checkup-again').disabled")
	e.check("connection check")
	e.closes()
	e.click(".channels__read")
	e.until("one looks", "document.getElementById('chat-look')?.checkVisibility()")
	e.check("looking at a channel")
	e.click("#chat-close")
}

func walkCall(e *examiner, s *server, ivan *person) {
	e.t.Helper()
	e.createChannel("Кухня", 0)
	e.joined()
	e.check("alone in a call")
	here := evaluate[string](e.participant, "livechat.session.call.here")
	ivan.join(here).talk()
	arrive(e.t, s, "Марія").join(here, listenOnly)
	e.until("three are there", "document.querySelectorAll('.person').length === 3")
	e.until("somebody speaks", "document.querySelector('.person--speaking')")
	walkByKeys(e)
	e.check("three in a call")
	e.click("#deafen")
	e.until("one is deafened, and so muted", "livechat.session.call.voice.deaf && livechat.session.call.voice.silent")
	e.check("muted and deafened")
	e.click("#deafen")
	for i, button := range []string{".person:not(:first-child) .person__action[aria-haspopup=dialog]", ".person__action[aria-haspopup=menu]"} {
		evaluate[bool](e.participant, fmt.Sprintf(`[...document.querySelectorAll(%q)].find((b) => b.checkVisibility())?.click() ?? true`, button))
		if evaluate[bool](e.participant, "Boolean(document.querySelector('.menu'))") {
			e.check(fmt.Sprintf("a menu %d", i))
			e.do(chromedp.KeyEvent(kb.Escape))
		}
	}
	for i := range 12 {
		arrive(e.t, s, fmt.Sprintf("Людина з довгим ім'ям %d", i)).join(here, listenOnly)
	}
	evaluate[bool](e.participant, "document.getElementById('mute').focus() ?? true")
	e.until("a crowd is there", "document.querySelectorAll('.people--many .person').length === 15")
	e.check("a crowd in a call")
}

// walkByKeys goes through the call with the Tab key: Mute comes first, people are one stop, and arrow keys go on among them.
func walkByKeys(e *examiner) {
	e.t.Helper()
	if e.pictures != "" {
		return
	}
	focused := func() string {
		return evaluate[string](e.participant, "document.activeElement.id || document.activeElement.className")
	}
	evaluate[bool](e.participant, "(document.body.tabIndex = -1, document.body.focus(), document.body.removeAttribute('tabindex'), true)")
	e.do(chromedp.KeyEvent(kb.Tab))
	require.Equal(e.t, "mute", focused())
	require.False(e.t, evaluate[bool](e.participant, "document.activeElement.hasAttribute('aria-pressed')"), "its name says its state")
	require.Equal(e.t, 1, evaluate[int](e.participant, "[...document.querySelectorAll('#people button')].filter((b) => b.tabIndex === 0 && b.checkVisibility()).length"))
	evaluate[bool](e.participant, "document.querySelector('#people .person__more[tabindex=\"0\"]').focus() ?? true")
	first := evaluate[string](e.participant, "document.activeElement.getAttribute('aria-label')")
	e.do(chromedp.KeyEvent(kb.ArrowRight))
	second := evaluate[string](e.participant, "document.activeElement.getAttribute('aria-label')")
	require.NotEqual(e.t, first, second)
	require.Contains(e.t, focused(), "person__more")
	e.do(chromedp.KeyEvent(kb.Home))
	require.Equal(e.t, first, evaluate[string](e.participant, "document.activeElement.getAttribute('aria-label')"))
	e.until("who speaks is read out with them", `[...document.querySelectorAll('.person__more')].some((b) =>
		document.getElementById(b.getAttribute('aria-describedby')).innerText.includes('Speaking'))`)
	e.poll("who speaks is said when it is asked for", func() bool { // Іван takes breath, and is not among them meanwhile
		e.do(chromedp.KeyEvent("s"))
		return evaluate[bool](e.participant, "/Speaking: .*Іван/.test(document.getElementById('announcer').textContent)")
	})
}

func walkChat(e *examiner, ivan *person) {
	e.t.Helper()
	show := func(view string) { // where there is room for one only
		evaluate[string](e.participant, fmt.Sprintf("document.getElementById('app').dataset.view = %q", view))
	}
	show("chat")
	defer show("people")
	here := evaluate[string](e.participant, "livechat.session.call.here")
	_, err := ivan.SendMessage(soon(e.t), here, "Добрий день, чи мене чути? https://сад.example/стежка")
	require.NoError(e.t, err)
	e.until("the message is there", "document.querySelector('.message')")
	e.write("Чути добре")
	e.until("it is sent", "document.querySelectorAll('.message').length === 2 && !document.querySelector('.message--sending')")
	evaluate[bool](e.participant, "document.querySelector('.message').focus() ?? true")
	e.click(".message__actions button")
	e.check("answering a message")
	e.write("А мене?")
	e.until("it is sent", "document.querySelectorAll('.message').length === 3 && !document.querySelector('.message--sending')")
	e.do(chromedp.KeyEvent(kb.ArrowUp))
	e.until("it is being edited", "document.getElementById('chat-about')?.checkVisibility()")
	e.check("editing a message")
	e.fill("#chat-text", "!\r")
	e.until("it is edited", "document.querySelector('.message__edited')")
	e.check("messages")
	e.click("#chat-search")
	e.fill("#search-text", "чути")
	e.until("it is found", "document.querySelectorAll('.found').length === 2")
	e.check("search")
	e.closes()
}

func walkDialogs(e *examiner) {
	e.t.Helper()
	e.dialog("channel settings", "#room-settings")
	e.click("#room-invite")
	e.click("#invite-submit")
	e.until("there is a link", "document.getElementById('invite-link').value && document.querySelectorAll('#invite-list .invite').length === 1")
	e.check("an invite")
	e.closes()
	e.dialog("deleting a channel", "#room-delete")
	evaluate[bool](e.participant, "document.activeElement.blur() ?? true")
	e.do(chromedp.KeyEvent("?"))
	e.until("keys are shown", "document.getElementById('keys-dialog').open")
	e.check("keys")
	e.closes()
}

func walkModeration(e *examiner, ivan *person) {
	e.t.Helper()
	act := func(icon string) {
		e.t.Helper()
		evaluate[bool](e.participant, fmt.Sprintf(`[...document.querySelectorAll('.person[data-user-id=%q] .person__action')].find((b) => b.checkVisibility() && b.ariaHasPopup).click() ?? true`, ivan.UserID()))
		e.until("a menu is open", "document.querySelector('.menu')")
		evaluate[bool](e.participant, fmt.Sprintf(`document.querySelector('.menu__item:has([data-icon=%s])').click() ?? true`, icon))
	}
	for icon, state := range map[string]string{"shield": "banning", "exit": "removing", "channel": "moving"} {
		act(icon)
		e.until(state, "document.getElementById('person-dialog').open")
		e.check(state)
		e.closes()
	}
	act("mic-off")
	e.until("he is muted", "document.querySelector('.person--held')")
	e.click("#audit-open")
	e.until("there is what was done", "document.querySelector('#audit-deeds .invite')")
	e.check("moderation")
	e.closes()
	act("exit")
	e.click("#person-confirm")
	e.until("he is gone", "![...document.querySelectorAll('.person')].some((p) => p.innerText.includes('Іван'))")
	e.until("the focus is caught", "document.activeElement !== document.body")
	e.check("somebody was removed")
}

func walkFloor(e *examiner) {
	e.t.Helper()
	e.click("#leave")
	e.until("one is out", "!livechat.session.call.room")
	e.click("#create-open")
	e.fill("#create-name", "Рація")
	e.choose("#create-mode", "ptt")
	e.click("#create-submit")
	e.joined()
	e.until("the floor is free", "document.getElementById('hold')?.checkVisibility()")
	e.check("nobody has the floor")
	e.holds("the floor")
	if e.pictures != "" {
		return // drawn in Korean anyway
	}
	e.speakKorean()
	e.natural = true
	e.reload()
	e.holds("the floor in Korean")
	e.replaceKorean()
	e.natural = false
	e.reload()
}

// holds looks at the page while one has the floor, which is not for long.
func (e *examiner) holds(state string) {
	e.t.Helper()
	evaluate[bool](e.participant, "document.activeElement.blur() ?? true")
	e.down(" ", 0)
	e.until("one has it", "livechat.session.call.floor.standing === 'granted'")
	e.glance(state)
	if e.pictures == "" {
		e.do(chromedp.EmulateViewport(320, 568))
		e.note(state, "on a small phone", evaluate[[]string](e.participant, outOfPlace))
		e.do(chromedp.EmulateViewport(laptopWidth, laptopHeight))
	}
	e.up(" ")
	e.until("it is given back", "!livechat.session.call.floor.standing")
}

// reload has the page come as the browser would get it now, into the same channel.
func (e *examiner) reload() {
	e.t.Helper()
	evaluate[bool](e.participant, "(window.former = true)")
	_, err := chromedp.Call(e.tab, page.Reload, page.ReloadParams{IgnoreCache: new(true)})
	require.NoError(e.t, err)
	e.until("the page is another", "!window.former && window.livechat")
	e.joined()
	e.until("the floor is free", "document.getElementById('hold')?.checkVisibility()")
}

func walkStage(t *testing.T, e *examiner, s *server) {
	t.Helper()
	admin := arriveAs(t, s, mint(t, testSecret, auth.Identity{UserID: "taras", Name: "Тарас", Role: auth.RoleAdmin}))
	e.click("#leave")
	e.until("one is out", "!livechat.session.call.room")
	e.join("Площа")
	here := evaluate[string](e.participant, "livechat.session.call.here")
	admin.join(here)
	require.NoError(t, admin.Mute(soon(t), "olya", true))
	e.until("she is muted", "livechat.session.call.voice.held")
	e.check("muted by somebody")
	require.NoError(t, admin.Mute(soon(t), "olya", false))
	admin.gone()
}

// walkAudience has a stage be seen by who moderates it, and then by one of its audience.
func walkAudience(t *testing.T, e *examiner, s *server) {
	t.Helper()
	admin := arriveAs(t, s, mint(t, testSecret, auth.Identity{UserID: "taras", Name: "Тарас", Role: auth.RoleAdmin}))
	_, err := admin.CreateChannel(soon(t), protocol.ChannelCreate{
		ChannelID: "hall", ChannelName: "Зала", ChannelSettings: settings(protocol.SpeakingAllowed),
	})
	require.NoError(t, err)
	admin.join("hall").talk()
	marko := arrive(t, s, "Марко").join("hall")
	require.NoError(t, marko.RaiseHand(soon(t), true))
	e.join("Зала")
	e.until("a hand is up", "document.getElementById('room-hands').checkVisibility()")
	e.check("a raised hand")
	e.openAs(s, testSecret, auth.Identity{UserID: "olya", Name: "Оля", Grants: auth.Grants{Role: new(auth.RoleMember)}})
	e.join("Зала")
	e.until("she is in the audience", "document.getElementById('hand').checkVisibility()")
	e.check("in the audience")
	e.click("#hand")
	e.until("her hand is up", "livechat.session.call.audience.raised")
	e.glance("one's own hand is up")
	admin.gone()
	marko.gone()
}

func walkEnds(t *testing.T, e *examiner, s *server) {
	t.Helper()
	admin := arriveAs(t, s, mint(t, testSecret, auth.Identity{UserID: "taras", Name: "Тарас", Role: auth.RoleAdmin}))
	require.NoError(t, admin.Kick(soon(t), "olya", "Шум"))
	e.until("she is out", "document.getElementById('ended')?.checkVisibility()")
	e.check("removed")
	e.click("#ended-return")
	e.until("she is back", "document.getElementById('app')?.checkVisibility() && livechat.session.client.state.name === 'ready'")
	require.NoError(t, admin.Ban(soon(t), "olya", time.Hour, "Шум"))
	e.until("she is banned", "document.getElementById('ended')?.checkVisibility()")
	e.check("banned")
}

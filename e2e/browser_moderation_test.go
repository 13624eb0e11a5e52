package e2e

import (
	"fmt"
	"net/http"
	"os"
	"strconv"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
	"github.com/stretchr/testify/require"

	"github.com/mini-livechat/mini-livechat/cmd/app"
	"github.com/mini-livechat/mini-livechat/signaling/auth"
	"github.com/mini-livechat/mini-livechat/signaling/httpapi"
	"github.com/mini-livechat/mini-livechat/signaling/protocol"
)

// pictures keeps what a laptop and a telephone show.
func (b *participant) pictures(name string) {
	b.t.Helper()
	if os.Getenv("LIVECHAT_PICTURES") == "" {
		return
	}
	b.picture(name)
	b.do(chromedp.EmulateViewport(390, 844, chromedp.EmulateMobile))
	b.picture(name + "-phone")
	b.do(chromedp.EmulateViewport(laptopWidth, laptopHeight))
}

// moderate opens the menu of what a moderator may do to somebody, and chooses.
func (b *participant) moderate(name, item string) {
	b.t.Helper()
	b.click(fmt.Sprintf(`[aria-label=%s]`, strconv.Quote("Moderate "+name)))
	b.see(".menu__item", item)
	evaluate[bool](b, fmt.Sprintf(`[...document.querySelectorAll('.menu__item')].find((i) => i.innerText.includes(%s)).click() ?? true`,
		strconv.Quote(item)))
}

// checkModeration has a moderator mute, move, remove and ban somebody, who is told each time by whom and why, as the others are.
func checkModeration(t *testing.T, ada, ben *participant) {
	t.Helper()
	both := []*participant{ada, ben}
	s := startServer(t, func(c *app.Config) {
		c.Secret, c.AllowGuests = testSecret, new(true)
		c.Channels = []string{"lobby", "garden"}
	})
	ada.openAs(s, testSecret, auth.Identity{UserID: "ada", Name: "Ada", Role: auth.RoleAdmin})
	ada.join("lobby")
	ben.signIn(s)
	ben.join("lobby")
	ada.hears(both, ben)
	require.False(t, evaluate[bool](ben, `[...document.querySelectorAll('[aria-label^=Moderate]')].some((e) => e.checkVisibility())`))
	checkMenu(ada)
	checkEqual(s, ada)
	checkButtons(t, ada)

	ada.moderate("Ben", "Mute for everybody")
	ben.see("#voice-status", "Ada has muted you")
	ben.see(".person--held .person__note", "You · Muted by Ada")
	ben.see(".note", "You were muted by Ada")
	ada.see(".person--held .person__note", "Muted by you")
	ada.see(".note", "Ben was muted by you")
	ada.hears(both)
	ben.see("#mute", "Muted")
	ben.click("#mute")
	ben.see("#banner", "Ada has muted you: nobody hears you until a moderator undoes it.")
	ada.hears(both)
	ben.pictures("held")
	ben.click("#deafen")
	ben.click("#deafen")
	ben.until("he hears again", "!livechat.session.call.voice.deaf")
	ada.moderate("Ben", "Let be heard")
	ada.hears(both, ben)
	ben.see("#mute", "Mute")
	ben.see(".note", "You were unmuted by Ada")
	ben.until("nothing more is said of it", "!document.getElementById('banner').checkVisibility()")

	checkMoved(ada, ben)
	checkRemoved(s, ada, ben)
	checkBanned(ada, ben)
	checkBanEnds(s, ben)
	checkOwner(s, ada, ben)
	checkRole(t, ben)
	ada.noComplaints()
}

// checkMenu goes through the menu by the keyboard.
func checkMenu(ada *participant) {
	ada.t.Helper()
	item := func() string { return evaluate[string](ada, "document.activeElement.innerText") }
	press := func(key string) { ada.do(chromedp.KeyEvent(key)) }
	evaluate[bool](ada, `document.querySelector('[aria-label="Moderate Ben"]').focus() ?? true`)
	ada.do(chromedp.EmulateViewport(390, 844, chromedp.EmulateMobile))
	press(kb.Enter)
	ada.see(".menu", "Ban …")
	ada.picture("menu-phone")
	ada.do(chromedp.EmulateViewport(laptopWidth, laptopHeight))
	ada.until("it stays with its button in another size", `innerWidth > 390 && (() => {
		const [menu, button] = ['.menu', '[aria-label="Moderate Ben"]'].map((s) => document.querySelector(s).getBoundingClientRect());
		return menu.left >= 0 && menu.right <= innerWidth && menu.top >= 0 && menu.bottom <= innerHeight &&
			Math.min(Math.abs(menu.top - button.bottom), Math.abs(button.top - menu.bottom)) < 16;
	})()`)
	ada.picture("menu")
	for _, step := range [][2]string{{"", "Mute for everybody"}, {kb.ArrowUp, "Ban …"}, {kb.ArrowDown, "Mute for everybody"}, {kb.ArrowDown, "Move to …"}} {
		if step[0] != "" {
			press(step[0])
		}
		require.Equal(ada.t, step[1], item())
	}
	press(kb.Escape)
	require.Equal(ada.t, "Moderate Ben", evaluate[string](ada, "document.activeElement.getAttribute('aria-label')"))
	require.False(ada.t, evaluate[bool](ada, "Boolean(document.querySelector('.menu'))"))
}

// checkEqual has Ada be offered nothing to do to another admin, and read why if somebody became one while she had the menu open.
func checkEqual(s *server, ada *participant) {
	ada.t.Helper()
	moderator := auth.RoleModerator
	root, mo := identifyAs(ada.t, s, "root", true), identifyWith(ada.t, s, auth.Identity{UserID: "mo", Grants: auth.Grants{Role: &moderator}})
	for _, c := range []*raw{root, mo} {
		c.joinChannel("lobby")
	}
	ada.see(".person__name", "mo")
	require.False(ada.t, ada.mayModerate("root"))
	require.True(ada.t, ada.mayModerate("mo"))
	require.Equal(ada.t, "Ben", evaluate[string](ada, `[...document.querySelectorAll('.person')].filter((p) => p.innerText.includes('Guest'))
		.map((p) => p.querySelector('.person__name').innerText).join()`))
	evaluate[bool](ada, `livechat.session.call.room.applyVoiceState({ ...livechat.session.call.room.members.get('root'), role: undefined }) ??
		livechat.session.call.changed() ?? true`)
	ada.moderate("root", "Mute for everybody")
	ada.see("#banner", "Nothing has changed for root. They may do as much here as you may, or more.")
	ada.click("#banner-close")
	ada.moderate("root", "Ban …")
	ada.click("#person-confirm")
	ada.see("#person-error", "They may do as much here as you may, or more.")
	ada.pictures("equal")
	ada.click("#person-cancel")
	root.farewell()
	mo.farewell()
	ada.see(".note", "root")
}

// mayModerate reports whether there is a menu of what a moderator may do to somebody.
func (b *participant) mayModerate(name string) bool {
	b.t.Helper()
	return evaluate[bool](b, fmt.Sprintf(`document.querySelector('[aria-label=%s]').checkVisibility()`, strconv.Quote("Moderate "+name)))
}

// checkBanEnds has Ben come back when a ban has ended by itself, and not before.
func checkBanEnds(s *server, ben *participant) {
	ben.t.Helper()
	root := identifyAs(ben.t, s, "root", true)
	root.ack(protocol.OpMemberBan, protocol.MemberBan{UserID: ben.userID(), DurationS: new(int64(3))}, nil)
	ben.see("#ended-title", "You are banned from this server by root")
	require.False(ben.t, evaluate[bool](ben, "document.getElementById('ended-return').checkVisibility()"))
	ben.see("#ended-text", "The ban has ended.")
	ben.click("#ended-return")
	ben.until("he is back", "livechat.session.client.ready && document.getElementById('app').checkVisibility()")
	root.farewell()
}

// checkOwner has a guest moderate in the channel that they made, but keep nobody out, and be moderated there by those of the server.
func checkOwner(s *server, ada, ben *participant) {
	ada.t.Helper()
	ben.createChannel("Den", 0)
	ben.joined()
	ada.join("Den")
	cleo, _ := identify(ada.t, s, "Cleo")
	cleo.joinChannel(evaluate[string](ben, "livechat.session.call.here"))
	ben.click(`[aria-label="Moderate Cleo"]`)
	ben.see(".menu", "Remove …")
	require.NotContains(ben.t, evaluate[string](ben, "document.querySelector('.menu').innerText"), "Ban")
	ben.do(chromedp.KeyEvent(kb.Escape))
	require.False(ben.t, evaluate[bool](ben, "document.getElementById('audit-open').checkVisibility()"))
	ben.moderate("Cleo", "Remove …")
	ben.click("#person-confirm")
	ada.see(".note", "Cleo was removed by Ben")
	require.Equal(ada.t, protocol.CloseKicked, cleo.closed())

	moderator := auth.RoleModerator
	ada.openAs(s, testSecret, auth.Identity{UserID: "mo", Name: "Mo", Grants: auth.Grants{Role: &moderator}})
	ada.join("Den")
	ada.see(".person__name", "Ben")
	require.False(ben.t, ben.mayModerate("Mo"))
	require.True(ada.t, ada.mayModerate("Ben"))
}

// checkRole has Ben learn that he is another than he was, and may do more.
func checkRole(t *testing.T, ben *participant) {
	t.Helper()
	data := shortDir(t)
	s := startServer(t, func(c *app.Config) { c.Data, c.Channels = data, []string{"lobby"} })
	admin := administer(t, data)
	defer func() { require.NoError(t, admin.Close()) }()
	var invite protocol.InviteCreated
	require.NoError(t, admin.Do(t.Context(), http.MethodPost, "/api/admin/invites", protocol.InviteCreate{Role: "member"}, &invite))
	ben.open(s, "invite="+invite.Secret)
	ben.replace("#guest-name", "Ben")
	ben.click("#guest-submit")
	ben.see("#my-role", "Member")
	ben.join("lobby")
	guest, _ := identify(t, s, "Cleo")
	guest.joinChannel("lobby")
	ben.see(".person__name", "Cleo")
	require.False(t, ben.mayModerate("Cleo"))
	require.NoError(t, admin.Do(t.Context(), http.MethodPatch, "/api/admin/users/Ben", httpapi.AdminUserChange{Role: new("moderator")}, &struct{}{}))
	ben.see("#banner", "You are a moderator here now.")
	ben.see("#my-role", "Moderator")
	ben.pictures("role")
	ben.moderate("Cleo", "Remove …")
	ben.click("#person-confirm")
	ben.see(".note", "Cleo was removed by you")
	require.Equal(t, protocol.CloseKicked, guest.closed())
}

// checkMoved has Ben be taken to another channel with his voice, which goes on.
func checkMoved(ada, ben *participant) {
	ada.t.Helper()
	peer := evaluate[int](ben, "(window.states = [], livechat.media.addEventListener('state', () => states.push(livechat.media.state)), 0)")
	ada.moderate("Ben", "Move to …")
	ada.see("#person-title", "Move Ben to")
	ada.pictures("move")
	ada.click("#person-channels .channel")
	ben.see("#room-name", "garden")
	ben.see("#banner", "Ada has moved you to garden.")
	ben.see(".note", "You were moved here by Ada")
	require.Contains(ben.t, evaluate[string](ben, "location.hash"), "garden")
	ada.see(".note", "Ben was moved to garden by you")
	ben.pictures("moved")
	ada.clickChannel("garden")
	ada.joined()
	ada.hears([]*participant{ada, ben}, ben)
	ben.hears([]*participant{ada, ben}, ada)
	require.Equal(ben.t, peer, evaluate[int](ben, "states.length"), "the connection is the same")
	ben.write("Where am I?")
	ada.see(".message__text", "Where am I?")
}

// checkRemoved has others read of two who are removed, and one of them come back by himself only.
func checkRemoved(s *server, ada, ben *participant) {
	ada.t.Helper()
	cleo, _ := identify(ada.t, s, "Cleo")
	cleo.joinChannel("garden")
	ada.see(".person__name", "Cleo")
	ada.moderate("Cleo", "Remove …")
	ada.fill("#person-reason", "not now")
	ada.click("#person-confirm")
	ben.see(".note", "Cleo was removed by Ada: not now")
	require.Equal(ada.t, protocol.CloseKicked, cleo.closed())
	ben.until("it is told once", "!document.getElementById('chat-log').innerText.includes('Cleo lost')")

	ada.moderate("Ben", "Remove …")
	ada.fill("#person-reason", "too loud")
	ada.pictures("remove")
	ada.click("#person-confirm")
	ben.see("#ended-title", "You were removed by Ada")
	ben.see("#ended-reason", "too loud")
	ben.see("#ended-text", "You may come back. For a minute it will not be to garden.")
	ben.pictures("removed")
	ada.see(".note", "Ben was removed by you: too loud")
	require.True(ada.t, evaluate[bool](ben, `new Promise((done) => setTimeout(() => done(livechat.session.client.state.name === 'stopped'), 1500))`))
	ben.click("#ended-return")
	ben.until("he is back", "livechat.session.client.ready && !livechat.session.call.room")
	ben.clickChannel("garden")
	ben.see("#banner", "You could not join garden.")
	ben.clickChannel("lobby")
	ben.joined()
}

// checkBanned has Ben be kept out until he is let in again.
func checkBanned(ada, ben *participant) {
	ada.t.Helper()
	ada.clickChannel("lobby")
	ada.joined()
	ada.moderate("Ben", "Ban …")
	ada.fill("#person-reason", "too loud again")
	ada.pictures("ban")
	ada.click("#person-confirm")
	ben.see("#ended-title", "You are banned from this server by Ada")
	ada.see(".note", "Ben was banned by you: too loud again")
	require.NotContains(ada.t, evaluate[string](ada, "document.getElementById('chat-log').innerText"), "Ben was removed\n", "it is told once")
	ben.do(chromedp.Reload())
	ben.see("#ended-title", "You are banned from this server")
	ben.see("#ended-text", "It ends on ")
	require.Equal(ben.t, "too loud again", evaluate[string](ben, "document.getElementById('ended-reason').innerText"))
	require.False(ben.t, evaluate[bool](ben, "document.getElementById('ended-return').checkVisibility()"))
	ben.pictures("banned")

	ada.click("#audit-open")
	ada.see("#audit-bans", "Ben")
	ada.see("#audit-deeds", "Ben removed")
	ada.pictures("audit")
	ada.click(`[aria-label="Let Ben in again"]`)
	ada.see("#audit-nobody", "Nobody.")
	ada.click("#audit-close")
	ben.do(chromedp.Reload())
	ben.see("#my-name", "Ben")
}

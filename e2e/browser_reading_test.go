package e2e

import (
	"fmt"
	"strconv"
	"testing"
	"time"

	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
	"github.com/stretchr/testify/require"

	"github.com/mini-livechat/mini-livechat/cmd/app"
	"github.com/mini-livechat/mini-livechat/signaling/protocol"
)

// post writes messages as one who is in the channel, and returns their ids.
func (c *raw) post(channelID string, contents ...string) []string {
	c.t.Helper()
	ids := make([]string, len(contents))
	for i, content := range contents {
		var created protocol.MessageCreated
		c.ack(protocol.OpMessageCreate, protocol.MessageCreate{ChannelID: channelID, Content: content}, &created)
		ids[i] = created.MessageID
	}
	return ids
}

// inView is whether the message that begins so is within the chat as far as it is shown.
func inView(text string) string {
	return fmt.Sprintf(`(() => {
		const log = document.getElementById('chat-log').getBoundingClientRect();
		const e = [...document.querySelectorAll('.message')].find((m) => m.querySelector('.message__text').innerText.startsWith(%s));
		const at = e?.getBoundingClientRect();
		return at && at.height > 0 && at.top >= log.top - 1 && at.bottom <= log.bottom + 1;
	})()`, strconv.Quote(text))
}

// badge is what the list of channels shows as unread.
func badge(channel string) string {
	return fmt.Sprintf(`([...document.querySelectorAll('.channels__row')].find((e) => e.innerText.includes(%s))
		?.querySelector('.channels__read--unread .badge')?.innerText ?? '')`, strconv.Quote(channel))
}

// checkTrouble looks for words and reads on a server that cannot use its memory, and asks another one too often.
func checkTrouble(t *testing.T, ada, _ *participant) {
	t.Helper()
	dir, _ := damagedMemory(t)
	s := startServer(t, func(c *app.Config) { c.Data = dir })
	ada.signIn(s)
	ada.join("lobby")
	ada.see("#chat-log", "Messages could not be read. The server cannot use its disk just now")
	ada.write("Is this kept?")
	ada.see(".message__failed", "Not sent. The server cannot use its disk just now")
	ada.picture("trouble")
	ada.click("#chat-search")
	ada.fill("#search-text", "words")
	ada.see("#search-state", "The server cannot use its disk just now")
	ada.click("#search-close")

	s = startServer(t, func(c *app.Config) { c.RequestRate = 1 })
	ada.signIn(s)
	ada.see(".channel", "lobby")
	ada.click("#search-open")
	tooFast := "document.getElementById('search-state').innerText.includes('That was too fast for the server. Try again in ')"
	ada.poll("a search is too fast for the server", func() bool { // unless it comes a second after the others
		evaluate[chromedp.Void](ada, "Promise.allSettled(Array.from({ length: 21 }, () => livechat.session.client.request(24, { query: 'words' }))).then(() => {})")
		ada.fill("#search-text", "words ")
		said := false
		for end := time.Now().Add(2 * time.Second); !said && time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
			said = evaluate[bool](ada, tooFast)
		}
		return said
	})
	ada.noComplaints()
}

// TestBrowserReading: somebody looks for what was written long ago, reads a channel without joining it, and is told what is unread.
func TestBrowserReading(t *testing.T) {
	verifyNoLeaks(t)
	s := startServer(t, func(c *app.Config) {
		c.RequestRate, c.RequestBurst = 10_000, 10_000
		c.ZombieTimeout = 5 * time.Minute // Carla has no media
		c.Channels = []string{"lobby", "garden"}
	})
	carla, _ := identify(t, s, "Carla")
	carla.joinChannel("garden")
	carla.post("garden", "The heron is back", "It stands at the <b>pond</b>", "and does not move")
	carla.ack(protocol.OpChannelLeave, protocol.ChannelRef{ChannelID: "garden"}, nil)
	carla.joinChannel("lobby")
	for i := range 150 {
		text := fmt.Sprintf("Message %d.", i)
		if i == 20 {
			text = "A grey héron sat for a while, and then it flew over the pond and away. Who has seen it?"
		}
		carla.post("lobby", text)
	}
	ada := startBrowser(t, "Ada", toneAda)
	ada.do(chromedp.EmulateViewport(laptopWidth, laptopHeight))
	_, err := chromedp.Call(ada.tab, page.AddScriptToEvaluateOnNewDocument, page.AddScriptToEvaluateOnNewDocumentParams{Source: `
		window.asked = 0; // how often READ was, of all channels
		const send = WebSocket.prototype.send;
		WebSocket.prototype.send = function (text) {
			const { op, d } = JSON.parse(text);
			window.asked += op === 25 && !d.channel_id ? 1 : 0;
			return send.call(this, text);
		};`})
	require.NoError(t, err)
	ada.signIn(s)
	ada.until("all is unread", badge("lobby")+" === '99+' && "+badge("garden")+" === '3'")
	require.True(t, evaluate[bool](ada, "livechat.session.client.ready.unread ? window.asked === 0 : window.asked > 0"), "READY's word is enough")
	ada.until("the title counts all channels", "document.title === '(99+) Mini LiveChat'")
	ada.picture("unread")

	// A key of its own, words in any case and accent, and arrow keys to what was found.
	ada.press("/")
	ada.see("#search-state", "All words have to be there")
	evaluate[chromedp.Void](ada, "document.getElementById('search-text').value = ''") // the protocol types what the page has taken
	ada.fill("#search-text", "z")
	ada.see("#search-state", "Type at least two letters.")
	ada.fill("#search-text", "zz")
	ada.see("#search-state", "No message has all of these words.")
	ada.picture("search-none")
	evaluate[chromedp.Void](ada, "document.getElementById('search-text').value = ''")
	ada.fill("#search-text", "message")
	ada.see("#search-state", "The best 20 messages")
	ada.click("#search-more")
	ada.see("#search-state", "The best 50 messages")
	require.Equal(t, 50, evaluate[int](ada, "document.querySelectorAll('.found').length"))
	evaluate[chromedp.Void](ada, "document.getElementById('search-text').value = ''")
	ada.fill("#search-text", "HERON pon")
	ada.see("#search-state", "1 message")
	ada.see(".found", "in lobby")
	require.Equal(t, "héron,pond", evaluate[string](ada, "[...document.querySelectorAll('.found mark')].map((e) => e.innerText).join()"))
	ada.picture("search")
	ada.press(kb.ArrowDown)
	ada.press(kb.Enter)
	ada.until("it is shown", inView("A grey héron")+" && "+inView("Message 19.")+" && "+inView("Message 21."))
	require.Equal(t, "A grey héron", evaluate[string](ada, "document.activeElement.querySelector('.message__text')?.innerText.slice(0, 12)"))
	ada.see("#chat-title", "lobby")
	ada.see("#chat-state", "Only reading")
	require.True(t, evaluate[bool](ada, "livechat.session.call.wanted === null && livechat.media.microphone.track === null"))
	require.False(t, evaluate[bool](ada, "document.getElementById('chat-form').checkVisibility()"), "one does not write where one is not")
	ada.picture("found")

	// One reads on without a gap to the newest, which then is read.
	require.Equal(t, "99+", evaluate[string](ada, badge("lobby")), "the newest was not seen")
	evaluate[chromedp.Void](ada, `(async () => {
		const log = document.getElementById('chat-log');
		for (let i = 0; i < 200 && livechat.session.reading.chat.passage; i++) {
			log.scrollTop += 300;
			await new Promise((r) => setTimeout(r, 30));
		}
		log.scrollTop = log.scrollHeight;
	})()`)
	ada.until("the newest is in view", inView("Message 149."))
	require.Equal(t, 150, evaluate[int](ada, "new Set([...document.querySelectorAll('.message')].map((e) => e.innerText.match(/Message (\\d+)/)?.[1] ?? '20')).size"))
	ada.until("all is read", badge("lobby")+" === ''")
	ada.until("the server keeps that", "livechat.session.client.request(25, {channel_id: 'lobby'}).then(({ channels: [c] }) => c.unread === 0)")

	// What happens there comes, without one being there.
	id := carla.post("lobby", "Something new", "and wrong")
	carla.ack(protocol.OpMessageUpdate, protocol.MessageUpdate{MessageID: id[0], Content: "Something newer"}, nil)
	carla.ack(protocol.OpMessageDelete, protocol.MessageRef{MessageID: id[1]}, nil)
	ada.see(".message__text", "Something newer (edited)")
	require.False(t, evaluate[bool](ada, "document.getElementById('chat-log').innerText.includes('and wrong')"))

	// From there one joins, and looks elsewhere while one talks.
	ada.click("#chat-join")
	ada.joined()
	ada.see("#chat-form", "")
	ada.until("the title counts another channel's", "document.title === '(3) lobby · Mini LiveChat'")
	ada.click(".channels__read[aria-label^='Read garden']")
	ada.see("#chat-title", "garden")
	ada.see("#chat-look", "your voice is in lobby")
	ada.see(".message__text", "The heron is back")
	ada.picture("looking")
	require.Equal(t, "lobby", evaluate[string](ada, "livechat.session.call.here"))
	ada.until("it is read", badge("garden")+" === ''")
	ada.click("#chat-close")
	ada.see("#chat-title", "Chat")

	// What comes while nobody looks is unread until somebody does, also in another visit.
	hide := func(hidden bool) {
		t.Helper()
		evaluate[chromedp.Void](ada, fmt.Sprintf(`Object.defineProperty(document, 'hidden', {configurable: true, value: %v});
			document.dispatchEvent(new Event('visibilitychange'))`, hidden))
	}
	hide(true)
	carla.post("lobby", "First while away", "Second while away")
	ada.until("it is counted", badge("lobby")+" === '2' && document.title.startsWith('(2) lobby')")
	ada.see(".mark--new", "New")
	for i := range 70 {
		carla.post("lobby", fmt.Sprintf("Line %d.", i))
	}
	ada.do(chromedp.Reload())
	ada.until("the page runs", "window.livechat")
	ada.joined()
	ada.until("one is where one left off", inView("First while away"))
	require.Equal(t, "First while away", evaluate[string](ada, "document.querySelector('.mark--new + .message .message__text').innerText"))
	ada.until("what was in view is read, and no more", badge("lobby")+" < '60' && "+badge("lobby")+" > '30'")
	ada.see("#chat-newest", "new messages")
	ada.picture("new")
	ada.click("#chat-newest")
	ada.until("all is read", badge("lobby")+" === '' && !document.title.startsWith('(') && "+inView("Line 69."))

	// On a telephone the same, one view at a time.
	ada.do(chromedp.EmulateViewport(390, 844, chromedp.EmulateMobile))
	ada.click("[data-tab=channels]")
	ada.picture("phone-channels")
	ada.click("#search-open")
	ada.fill("#search-text", "heron")
	ada.see("#search-state", "2 messages")
	ada.picture("phone-search")
	ada.click(".found")
	ada.until("it is shown", inView("A grey héron")+" || "+inView("The heron"))
	ada.picture("phone-found")
	ada.noComplaints()
}

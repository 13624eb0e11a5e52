package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
	"github.com/stretchr/testify/require"

	"github.com/mini-livechat/mini-livechat/cmd/app"
	"github.com/mini-livechat/mini-livechat/signaling/protocol"
)

// picture keeps what the browser shows in the directory that LIVECHAT_PICTURES names, to be looked at.
func (b *participant) picture(name string) {
	b.t.Helper()
	if dir := os.Getenv("LIVECHAT_PICTURES"); dir != "" {
		image, err := chromedp.Run(b.tab, chromedp.CaptureScreenshot())
		require.NoError(b.t, err)
		require.NoError(b.t, os.WriteFile(filepath.Join(dir, name+".png"), image, 0o600))
	}
}

// act presses a button of the message that says text.
func (b *participant) act(text, label string) {
	b.t.Helper()
	message := fmt.Sprintf("[...document.querySelectorAll('.message')].find((m) => m.querySelector('.message__text').innerText.startsWith(%s))",
		strconv.Quote(text))
	b.until("there is the message "+text, message)
	evaluate[bool](b, message+".focus() ?? true")
	b.until("it can be done", message+fmt.Sprintf(".querySelector('[aria-label=%s]')", strconv.Quote(label)))
	b.click(fmt.Sprintf(".message__actions [aria-label=%s]", strconv.Quote(label)))
}

// TestBrowserChat: what was said is there for who comes later, as far back as one scrolls, and people change what they said.
func TestBrowserChat(t *testing.T) {
	verifyNoLeaks(t)
	s := startServer(t, func(c *app.Config) { c.RequestRate, c.RequestBurst = 10_000, 10_000 })
	old, _ := identify(t, s, "Carla")
	old.joinChannel("lobby")
	for i := range 200 {
		content := fmt.Sprintf("Message %d.", i)
		if i%7 == 3 {
			content += " " + strings.Repeat("It goes on for a while. ", i%5+1) + "https://example.org/" + strconv.Itoa(i)
		}
		old.ack(protocol.OpMessageCreate, protocol.MessageCreate{ChannelID: "lobby", Content: content}, nil)
	}
	ada := startBrowser(t, "Ada", toneAda)
	ben := startBrowser(t, "Ben", toneBen)
	ada.do(chromedp.EmulateViewport(laptopWidth, laptopHeight))
	ben.do(chromedp.EmulateViewport(phoneWidth, phoneHeight, chromedp.EmulateMobile))
	ada.signIn(s)
	ada.join("lobby")
	ada.see(".message__text", "Message 199.")
	ada.until("the newest is in view", "(({ scrollTop, scrollHeight, clientHeight }) => scrollHeight - scrollTop - clientHeight < 5)(document.getElementById('chat-log'))")
	require.Equal(t, "Today", evaluate[string](ada, "document.querySelector('.mark').innerText"))
	ada.picture("desktop")

	// Scrolling back goes on to the very first, and what one reads stays where it is.
	jumps := evaluate[int](ada, `(async () => {
		const log = document.getElementById('chat-log');
		let jumps = 0;
		for (let i = 0; i < 300 && !document.querySelector('.message__text')?.innerText.startsWith('Message 0.'); i++) {
			log.scrollTop = 100;
			await new Promise((r) => setTimeout(r, 20));
			const first = log.querySelectorAll('.message')[3];
			const top = first.getBoundingClientRect().top;
			await new Promise((r) => setTimeout(r, 30));
			jumps += first.isConnected && Math.abs(first.getBoundingClientRect().top - top) > 2;
		}
		return jumps;
	})()`)
	ada.see(".message__text", "Message 0.")
	require.Zero(t, jumps, "lines that moved while they were read")
	require.Equal(t, 200, evaluate[int](ada, "document.querySelectorAll('.message').length"))

	place := evaluate[float64](ada, "document.getElementById('chat-log').scrollTop")
	ben.signIn(s)
	ben.join("lobby")
	ben.click("[data-tab=chat]")
	ben.see(".message__text", "Message 199.")
	ben.write("Hello from a phone")
	ben.see(".message__text", "Hello from a phone")
	ada.until("it has come", "document.getElementById('chat-log').innerText.includes('Hello from a phone')")
	require.Equal(t, "New", evaluate[string](ada, "document.querySelector('.mark--new')?.innerText ?? ''"))
	require.Equal(t, place, evaluate[float64](ada, "document.getElementById('chat-log').scrollTop"), "one goes on reading the old")

	// An answer, by buttons; a change, by the keyboard alone.
	ada.act("Hello from a phone", "Reply")
	ada.see("#chat-about", "Replying to Ben: Hello from a phone")
	ada.picture("reply")
	ada.write("Hello from a desk")
	ben.see(".message__reply", "Ben: Hello from a phone")
	ben.picture("phone")
	ada.until("the server has it", "!document.querySelector('.message--sending')")
	ada.press(kb.ArrowUp)
	ada.see("#chat-about", "Editing your message")
	ada.picture("edit")
	ada.fill("#chat-text", ", and more\r")
	ben.see(".message__text", "Hello from a desk, and more (edited)")
	ada.see(".message__text", "Hello from a desk, and more (edited)")
	ada.press(kb.ArrowUp)
	ada.press(kb.Escape)
	ada.until("nothing is being changed", "document.getElementById('chat-about').hidden && document.getElementById('chat-text').value.trim() === ''")

	// One's own may be deleted, others' not.
	ben.act("Hello from a phone", "Delete")
	ben.picture("delete")
	ben.click(".message__actions .button--danger")
	ada.see(".message__reply", "An earlier message")
	require.False(t, evaluate[bool](ada, "document.getElementById('chat-log').innerText.includes('Hello from a phone')"))
	ada.act("Message 199.", "Reply")
	require.True(t, evaluate[bool](ada, "document.querySelector('.message__actions [aria-label=Delete]').hidden"))
	ada.press(kb.Escape)

	// Who comes again reads it as it is now.
	ben.do(chromedp.Reload())
	ben.until("the page runs", "window.livechat")
	ben.joined()
	ben.click("[data-tab=chat]")
	ben.see(".message__text", "Hello from a desk, and more (edited)")
	ada.noComplaints()
	ben.noComplaints()
}

// press presses a key wherever the focus is.
func (b *participant) press(key string) {
	b.t.Helper()
	b.do(chromedp.KeyEvent(key))
}

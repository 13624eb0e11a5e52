package e2e

import (
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/heapprofiler"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/performance"
	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"
)

// Eight hours of a busy channel: so many pass by, and each time who speaks is told so often, five times a second.
const (
	dayPassers  = 2_000
	daySpeakers = 8 * 3_600 * 5 / dayPassers
	// dayStep is how many of them pass between two looks at the clock.
	dayStep = 50
)

const (
	// dayGrowth is how much larger the page may be after the day than after a tenth of it, and dayGrowthBytes likewise in bytes.
	dayGrowth      = 0.10
	dayGrowthBytes = 2e6
	// dayPatience is how long the day may take.
	dayPatience = 170 * time.Second
)

// gatewayScript keeps the page's socket, so that frames can come on it faster than a server would send them.
const gatewayScript = `window.WebSocket = class extends WebSocket {
	constructor(...args) {
		super(...args);
		window.gateway = this;
	}
};`

// passScript has people pass by: each comes, is seen and heard, writes, and leaves when ten others have come. Each frame is taken as one
// of the server's is, and what has come is drawn four times meanwhile.
const passScript = `(async () => {
	const { Op } = await import(document.querySelector('[href$="/js/protocol.js"]').href);
	const channel_id = 'lobby';
	const slots = livechat.media.slots.map(({ slot, mid }) => ({ slot, mid, user_id: null }));
	const person = (i) => ({ user_id: 'guest-day' + i, name: 'Passer-by ' + i, role: 'guest', self_mute: false, self_deaf: false, talker: true,
		connection: 'ok', media: 'ok' });
	const take = (op, d) => gateway.dispatchEvent(new MessageEvent('message', { data: JSON.stringify({ op, d }) }));
	const drawn = () => new Promise(requestAnimationFrame);
	const settled = async () => {
		for (let turn = 0; turn < 5; turn++) {
			await null; // one change leads to the next
		}
	};
	const idOf = (i) => 'day' + String(i).padStart(23, '0');
	const write = (i) => take(Op.MESSAGE_EVENT, { channel_id, message_id: idOf(i), timestamp: Date.now(),
		author_id: person(i).user_id, author_name: person(i).name, content: i + ': **well**, see https://example.com/' + i });
	const come = (i) => take(Op.CHANNEL_EVENT, { event: 'join', channel_id, member: person(i) });
	const leave = (i) => take(Op.CHANNEL_EVENT, { event: 'leave', channel_id, cause: i %% 7 ? 'left' : 'gone', member: person(i) });
	const pass = async (i) => {
		const { user_id, name } = person(i);
		const state = { channel_id, user_id, self_mute: false, self_deaf: false };
		come(i);
		take(Op.PRESENCE_EVENT, { channels: [{ channel_id: 'elsewhere', gone: ['guest-day' + (i - 5)], set: [person(i)] }] });
		take(Op.VOICE_STATE_EVENT, { ...state, self_mute: true });
		await settled();
		take(Op.VOICE_STATE_EVENT, state);
		take(Op.SLOT_MAP, { channel_id, slots: [{ ...slots[0], user_id, ssrc: i + 1 }, ...slots.slice(1)] });
		await settled();
		for (let told = 0; told < %d; told++) {
			take(Op.SPEAKERS, { channel_id, speakers: told %% 3 ? [{ user_id, level: 20 }, { user_id: 'guest-day' + (i - told %% 10), level: 30 }] : [] });
		}
		take(Op.SLOT_MAP, { channel_id, slots });
		write(i);
		if (i %% 10 === 0) {
			take(Op.MESSAGE_CHANGE, { channel_id, message_id: idOf(i), ...(i %% 20 ? { deleted: true } : { content: 'no', edited_at: Date.now() }) });
			take(Op.MODERATION_EVENT, { action: 'mute', channel_id, user_id, name, by_name: 'Mo' });
		}
		await settled();
		if (i >= 10) {
			leave(i - 10);
		}
		await drawn();
	};
	window.passBy = async (from, to) => {
		for (let i = from; i < to; i++) {
			await pass(i);
		}
	};
	window.clear = async (to) => {
		for (let i = to - 10; i < to; i++) {
			leave(i);
		}
		take(Op.PRESENCE_EVENT, { channels: [{ channel_id: 'elsewhere', members: [] }] });
		await drawn();
	};
	window.writeOn = async (from, to) => {
		for (let i = from; i < to; i++) {
			come(i);
			write(i);
			leave(i);
			if (i %% 20 === 0) {
				await drawn();
			}
		}
		await drawn();
		return livechat.session.reading.chat.entries.length;
	};
})()`

// kept is what the page holds once what it does not need has been collected.
func (b *participant) kept() (heap, nodes, listeners float64) {
	b.t.Helper()
	for range 2 {
		_, err := chromedp.Call(b.tab, heapprofiler.CollectGarbage, cdp.Empty{})
		require.NoError(b.t, err)
	}
	metrics := b.metrics()
	return metrics["JSHeapUsedSize"], metrics["Nodes"], metrics["JSEventListeners"]
}

// TestPageDay has the page live through the events of eight hours of a busy channel, and looks what is left of them.
func TestPageDay(t *testing.T) {
	if os.Getenv("LIVECHAT_PAGE_SPEED") == "" {
		t.Skip("set LIVECHAT_PAGE_SPEED, as make page-speed does: it takes two minutes")
	}
	verifyNoLeaks(t)
	s := startServer(t)
	for i := range 5 {
		one := arrive(t, s, fmt.Sprintf("Guest %d", i)).join("lobby", slots(1))
		if i == 0 {
			one.talk()
		}
	}
	ada := startBrowser(t, "Ada", toneAda)
	_, err := chromedp.Call(ada.tab, page.AddScriptToEvaluateOnNewDocument, page.AddScriptToEvaluateOnNewDocumentParams{Source: gatewayScript})
	require.NoError(t, err)
	ada.signIn(s)
	ada.join("lobby")
	_, err = chromedp.Call(ada.tab, performance.Enable, performance.EnableParams{})
	require.NoError(t, err)
	evaluate[chromedp.Void](ada, fmt.Sprintf(passScript, daySpeakers))

	began := time.Now()
	past := 0
	live := func(until int) (heap, nodes, listeners float64) {
		for ; past < until; past += dayStep {
			require.Less(t, time.Since(began), dayPatience, "%d of %d have passed by", past, dayPassers)
			evaluate[chromedp.Void](ada, fmt.Sprintf("passBy(%d, %d)", past, past+dayStep))
		}
		evaluate[chromedp.Void](ada, fmt.Sprintf("clear(%d)", until))
		heap, nodes, listeners = ada.kept()
		t.Logf("after %d who passed by, %.0f s: heap %.2f MB, %.0f nodes, %.0f listeners", until, time.Since(began).Seconds(), heap/1e6, nodes, listeners)
		return heap, nodes, listeners
	}
	heap, nodes, listeners := live(dayPassers / 10)
	heapAfter, nodesAfter, listenersAfter := live(dayPassers)
	require.Less(t, heapAfter-heap, min(dayGrowth*heap, dayGrowthBytes), "bytes of heap")
	require.Less(t, nodesAfter-nodes, dayGrowth*nodes, "nodes")
	require.Less(t, listenersAfter-listeners, dayGrowth*listeners, "listeners")

	// The page was left where somebody had looked for something said before.
	evaluate[chromedp.Void](ada, "void (document.getElementById('chat-log').scrollTop = 0)")
	ada.until("one does not read along", "!document.getElementById('chat-newest').hidden")
	rows := evaluate[int](ada, fmt.Sprintf("writeOn(%d, %d)", dayPassers, 2*dayPassers))
	heapAfter, nodesAfter, _ = ada.kept()
	t.Logf("and after %d more who wrote to one who does not read along: %d lines, heap %.2f MB, %.0f nodes", dayPassers, rows, heapAfter/1e6, nodesAfter)
	require.Less(t, rows, 1_000)
	ada.noComplaints()
}

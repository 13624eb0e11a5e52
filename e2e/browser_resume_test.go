package e2e

import (
	"fmt"
	"strconv"
	"testing"
	"time"

	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"

	"github.com/mini-livechat/mini-livechat/cmd/app"
	"github.com/mini-livechat/mini-livechat/signaling/protocol"
)

// watchScript counts a page's PeerConnections, and keeps for how long it had no connection to the server at most, what the line
// said, and how long after the loss of a connection that took no voice along.
const watchScript = `
	window.seen = { peers: 0, away: 0, resumed: 0, said: [], saidAfter: 0 };
	window.RTCPeerConnection = class extends RTCPeerConnection {
		constructor(config) { super(config); window.seen.peers++; window.peer = this; }
	};
	document.addEventListener('DOMContentLoaded', function begin() {
		if (!window.livechat) { // the page waits for its language
			setTimeout(begin);
			return;
		}
		const { client } = livechat.session;
		let talkedOn = true;
		livechat.session.addEventListener('change', () => (talkedOn &&= livechat.session.talksOn));
		const line = document.getElementById('line-text');
		let since = 0;
		client.addEventListener('resumed', () => seen.resumed++);
		client.addEventListener('state', () => {
			if (client.state.name === 'ready') {
				seen.away = Math.max(seen.away, since && performance.now() - since);
				since = 0;
			} else {
				talkedOn = since ? talkedOn : livechat.session.talksOn;
				since ||= performance.now();
			}
		});
		new MutationObserver(() => {
			const said = line.textContent;
			if (said && since && talkedOn) seen.saidAfter ||= performance.now() - since;
			if (said !== (seen.said.at(-1) ?? '')) seen.said.push(said);
		}).observe(line, { subtree: true, childList: true, attributes: true, characterData: true });
	});`

// watched is what watchScript has seen.
type watched struct {
	Peers   int      `json:"peers"`
	Away    float64  `json:"away"` // ms
	Resumed int      `json:"resumed"`
	Said    []string `json:"said"`
	// SaidAfter is in ms, 0 when voice was interrupted too.
	SaidAfter float64 `json:"saidAfter"`
}

// watch has the pages that b opens from now on watched.
func (b *participant) watch() {
	b.t.Helper()
	_, err := chromedp.Call(b.tab, page.AddScriptToEvaluateOnNewDocument,
		page.AddScriptToEvaluateOnNewDocumentParams{Source: watchScript})
	require.NoError(b.t, err)
}

func (b *participant) watched() watched {
	b.t.Helper()
	return evaluate[watched](b, "window.seen")
}

// session returns the id of b's session.
func (b *participant) session() string {
	b.t.Helper()
	return evaluate[string](b, "livechat.session.client.ready?.session_id ?? ''")
}

// places returns where the parts of the page are that must not jump.
func (b *participant) places() string {
	b.t.Helper()
	return evaluate[string](b, `JSON.stringify(['room-head', 'people', 'controls', 'chat-log', 'chat-form', 'channel-list'].map((id) => document.getElementById(id).getBoundingClientRect()))`)
}

// longestGap returns the longest time in which nothing came to p, from its beginning to now.
func (p *person) longestGap() time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	var longest time.Duration
	for i := 1; i < len(p.ears); i++ {
		longest = max(longest, p.ears[i].at.Sub(p.ears[i-1].at))
	}
	return longest
}

func (p *person) heardCount() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.ears)
}

// toldMessage waits until p is told of a message, and checks that until then no other one came.
func (p *person) toldMessage(content string) {
	p.t.Helper()
	require.Equal(p.t, content, told(p, content, func(*protocol.MessageEvent) bool { return true }).Content)
}

// TestBrowserOutlivesItsWebSocket takes the page's connection to the server away in the midst of a call.
func TestBrowserOutlivesItsWebSocket(t *testing.T) {
	verifyNoLeaks(t)
	s := startServer(t)
	w, near := newWire(t, s)
	ben := arrive(t, s, "Ben", roomy).join("lobby", slots(1)).talk()
	ada := startBrowser(t, "Ada", toneAda)
	ada.watch()
	ada.signIn(near)
	ada.join("lobby")
	session := ada.session()
	hears := func() {
		t.Helper()
		before := ben.heardCount()
		eventually(t, "Ben hears Ada", func() bool { return ben.heardCount() > before+plenty })
		packets := stats(ada, "inbound-rtp", "packetsReceived")
		ada.poll("Ada hears Ben", func() bool { return stats(ada, "inbound-rtp", "packetsReceived") > packets+plenty })
	}
	hears()
	source := sendingSSRC(ada)

	t.Run("cut", func(t *testing.T) {
		during(t, ada)
		for i := range 3 {
			w.cut()
			ada.until("resumed", fmt.Sprintf("seen.resumed === %d && livechat.session.client.state.name === 'ready'", i+1))
		}
		if seen := ada.watched(); seen.Away < 900 {
			require.Empty(t, seen.Said, "nothing is told of what is over in %v ms", seen.Away)
		}
	})
	t.Run("numb", func(t *testing.T) {
		during(t, ada)
		end := w.numb()
		defer end()
		evaluate[chromedp.Void](ada, "window.dispatchEvent(new Event('online')) && undefined")
		ada.until("resumed", "seen.resumed === 4 && livechat.session.client.state.name === 'ready'")
		ada.write("through")
		ben.toldMessage("through")
	})
	t.Run("pulled for some seconds", func(t *testing.T) {
		during(t, ada)
		// Somebody else loses the connection, too, and does not come back.
		chloe, _ := identify(t, s, "Chloe")
		chloe.joinChannel("lobby")
		ada.see(".person", "Chloe")
		ada.fill("#chat-text", "a draft")
		before := ada.places()
		w.pull()
		evaluate[chromedp.Void](ada, "{ window.pulled = performance.now(); seen.said.length = seen.saidAfter = 0; }")
		require.NoError(t, chloe.conn.NetConn().Close())
		ada.see("#line", "Reconnecting…")
		require.Equal(t, before, ada.places(), "nothing jumps")
		if after := ada.watched().SaidAfter; after != 0 {
			t.Logf("said after %.0f ms", after)
			require.Greater(t, after, 2900.0, "while voice goes on, nothing is said at first")
		}
		require.True(t, evaluate[bool](ada, "document.getElementById('banner').hidden"))
		ada.write(", finished")
		_, err := ben.SendMessage(soon(t), "lobby", "while you were away")
		require.NoError(t, err)
		hears()
		ada.until("five seconds are over", "performance.now() - pulled > 5000")
		w.put()
		ada.see("#line", "You are back")
		ada.see(".message", "while you were away")
		ada.see(".person--unstable .person__note", "Cut off") // Chloe's, media and all
		ben.toldMessage("a draft, finished")
		ada.until("it is sent", "!document.querySelector('.message--sending')")
		ada.until("the line is gone", "document.getElementById('line-text').textContent === ''")
		require.Equal(t, []string{"Reconnecting…", "You are back", ""}, ada.watched().Said)
	})

	require.Equal(t, session, ada.session())
	require.Equal(t, source, sendingSSRC(ada))
	require.Equal(t, 1, ada.watched().Peers, "the call was not joined again")
	require.Equal(t, 1, evaluate[int](ada, "document.querySelectorAll('#chat-log .note').length - [...document.querySelectorAll('.note')].filter((n) => n.innerText.includes('Chloe')).length"))
	require.Equal(t, 3, evaluate[int](ada, "document.querySelectorAll('.message').length"))
	hears()
	// What the call itself would have missed is seconds; what a slow machine does is less.
	require.Less(t, ben.longestGap(), 3*time.Second)
	require.Less(t, stats(ada, "inbound-rtp", "packetsLost"), float64(plenty))
	ada.write("last")
	ben.toldMessage("last")

	t.Run("leaves and joins without a connection", func(t *testing.T) {
		during(t, ada)
		w.pull()
		ada.click("#leave")
		ada.see("#stage", "Pick a channel")
		require.True(t, evaluate[bool](ada, "livechat.media.microphone.track === null"), "the microphone is let go")
		user := ada.userID()
		require.Equal(t, protocol.LeaveLeft, told(ben, "Ada left", func(ev *protocol.ChannelEvent) bool {
			return ev.Event == protocol.ChannelEventLeave && ev.Member.UserID == user
		}).Cause)
		ada.clickChannel("lobby")
		ada.see("#stage", "Joining lobby…")
		w.put()
		ada.joined()
		hears()
		require.Equal(t, session, ada.session())
	})
	t.Run("the page is left and shown again", func(t *testing.T) {
		during(t, ada)
		const show = "window.dispatchEvent(new PageTransitionEvent('%s', { persisted: true })) && undefined"
		evaluate[chromedp.Void](ada, fmt.Sprintf(show, "pagehide"))
		require.Equal(t, "", ada.session(), "the session is given up")
		evaluate[chromedp.Void](ada, fmt.Sprintf(show, "pageshow"))
		ada.joined()
		hears()
		require.NotEqual(t, session, ada.session())
	})
	ada.noComplaints()
}

// TestBrowserLosesItsSession stays away for longer than the server waits: the page comes back as somebody new by itself, says
// so, and loses nothing that was written.
func TestBrowserLosesItsSession(t *testing.T) {
	verifyNoLeaks(t)
	s := startServer(t, func(cfg *app.Config) { cfg.ResumeWindow = 500 * time.Millisecond })
	w, near := newWire(t, s)
	ben := arrive(t, s, "Ben", roomy).join("lobby", slots(1)).talk()
	ada := startBrowser(t, "Ada", toneAda)
	ada.watch()
	ada.signIn(near)
	ada.join("lobby")
	ada.click("#mute")
	ada.see("#mute", "Unmute")
	session := ada.session()

	// One message goes out and is not answered, one does not go out, and one is not finished.
	end := w.numb()
	defer end()
	ada.write("out")
	ada.until("out", "document.querySelector('.message--sending')")
	w.pull()
	end()
	ada.until("without a connection", "livechat.session.client.state.name !== 'ready'")
	ada.write("kept")
	ada.fill("#chat-text", "a draft")
	require.Equal(t, protocol.LeaveGone, told(ben, "Ada is gone", func(ev *protocol.ChannelEvent) bool {
		return ev.Event == protocol.ChannelEventLeave
	}).Cause)
	ada.see("#line", "Reconnecting…")
	w.put()

	ada.until("another session", "!['', "+strconv.Quote(session)+"].includes(livechat.session.client.ready?.session_id ?? '')")
	ada.joined()
	require.Equal(t, 2, ada.watched().Peers)
	ada.see("#chat-log", "You are back")
	ada.until("both are sent", "document.querySelectorAll('.message').length === 2 && !document.querySelector('.message--sending, .message__failed')")
	require.True(t, told(ben, "Ada is back, muted", func(ev *protocol.ChannelEvent) bool {
		return ev.Event == protocol.ChannelEventJoin
	}).Member.SelfMute)
	ben.toldMessage("out")
	ben.toldMessage("kept")
	require.Equal(t, "a draft", evaluate[string](ada, "document.getElementById('chat-text').value.trim()"))
	ada.see("#mute", "Unmute")
	ada.noComplaints()
}

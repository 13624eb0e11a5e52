package e2e

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"
)

// netRoamer is somebody at the page who says how the network's changes were for them.
type netRoamer struct{ URL, Cert, Key string }

// cueStory has TestRoleRoamer say what became of the session: a roamer's story.
const cueStory = "story"

type story struct {
	watched

	Session string `json:"session"`
}

// silenceScript keeps for how long nothing came at most.
const silenceScript = `{
	let received = 0;
	let at = performance.now();
	window.silence = 0;
	setInterval(async () => {
		const now = await livechat.media.received();
		if (now !== received) {
			received = now;
			at = performance.now();
		}
		window.silence = Math.max(silence, performance.now() - at);
	}, 50);
}`

// TestRoleRoamer is no test of its own: it plays a person at the page in the test below.
func TestRoleRoamer(t *testing.T) {
	var todo netRoamer
	task(t, &todo)
	b := startBrowser(t, "Ben", toneBen, pinned(t, todo.Cert, todo.Key))
	b.watch()
	b.signIn(&server{URL: todo.URL})
	b.join("lobby")
	evaluate[chromedp.Void](b, silenceScript)
	say("joined")
	cues(func(cue string) {
		switch cue {
		case cueSilence:
			say("%d", evaluate[int](b, "(() => { const ms = Math.round(silence); window.silence = 0; return ms; })()"))
		case cueStory:
			text, err := json.Marshal(story{b.watched(), b.session()})
			require.NoError(t, err)
			say("%s", text)
		}
	})
	b.noComplaints()
}

// story asks a roamer for theirs.
func (a *actor) story() (s story) {
	a.t.Helper()
	a.tell(cueStory)
	require.NoError(a.t, json.Unmarshal([]byte(a.says()), &s))
	return s
}

// Who goes from one network to another with the page open talks on in the same session and call, as one does whose network swallows
// everything for a while.
func TestBrowserNetMoves(t *testing.T) {
	chromium(t) // or skip
	n := newNetwork(t, true, false)
	cert, key := n.certify()
	ada := n.play(n.server, "TestRoleServer",
		netServer{HTTP: ":80", HTTPS: ":443", Cert: cert, Key: key, URL: "https://127.0.0.1", NoTURN: true})
	require.Equal(t, "serving", ada.says())
	ben := n.play(n.client, "TestRoleRoamer", netRoamer{"https://" + netServerV4, cert, key})
	require.Equal(t, "joined", ben.says())
	time.Sleep(time.Second) // until nothing of joining is left
	session := ben.story().Session
	ada.silence()
	ben.silence()

	// The browser notices by itself after a second or two that it has another address.
	const enough = 4 * time.Second
	n.move(0)
	atAda, atBen := hearAgain(ada, ben, enough)
	t.Logf("silence at the other: %v, at the one who moved: %v", atAda, atBen)
	require.Less(t, max(atAda, atBen), enough+slowMachine)

	const blackout = 3 * time.Second
	n.ip(n.router, "rule add pref 5 blackhole")
	time.Sleep(blackout)
	n.ip(n.router, "rule del pref 5 blackhole")
	atAda, atBen = hearAgain(ada, ben, blackout+enough)
	t.Logf("silence in a blackout of %v: %v and %v", blackout, atAda, atBen)
	require.Greater(t, min(atAda, atBen), blackout-time.Second, "it was a blackout")
	require.Less(t, max(atAda, atBen), blackout+enough+slowMachine)

	end := ben.story()
	require.Equal(t, session, end.Session)
	require.Equal(t, 1, end.Peers)
	t.Logf("away for %.0f ms at most, resumed %d times, told %q", end.Away, end.Resumed, end.Said)
}

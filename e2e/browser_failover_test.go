package e2e

import (
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mini-livechat/mini-livechat/sfu/porttest"
)

// TestBrowserFailover kills the node that a page came from: the person goes on at the other one, heard and hearing, muted if they were, and
// the page says nothing of it but that one is back.
func TestBrowserFailover(t *testing.T) {
	verifyNoLeaks(t)
	doomedPort, safePort := porttest.Free(t), porttest.Free(t)
	doomed := startNode(t, doomedPort, safePort)
	safe := startServer(t, asNode(safePort, doomedPort))
	at := &server{URL: doomed.said}
	ben := arrive(t, at, "Ben", comesBack).join("lobby", slots(1)).talk()
	ada := startBrowser(t, "Ada", toneAda)
	ada.signIn(at)
	ada.join("lobby")
	ada.see(".person", "Ben")
	eventually(t, "Ben hears Ada", func() bool { return ben.heardCount() > plenty })
	session, user := ada.session(), ada.userID()
	score := evaluate[int64](ada, `import(document.querySelector('[href$="/js/protocol.js"]').href.replace('protocol.js', 'nodes.js'))
		.then(({ nodeScore }) => nodeScore('민수', 'https://one.example.org'))`)
	require.EqualValues(t, 0x30f388c1, score, "the page and the server share people out alike")

	killed := time.Now()
	require.NoError(t, doomed.signal(syscall.SIGKILL))
	ada.until("another session", "!['', '"+session+"'].includes(livechat.session.client.ready?.session_id ?? '')")
	ada.joined()
	before := ben.heardCount()
	eventually(t, "Ben hears Ada at the other node", func() bool { return ben.heardCount() > before+plenty })
	t.Logf("heard again, by somebody who was lost too, within %v", time.Since(killed))
	packets := stats(ada, "inbound-rtp", "packetsReceived")
	ada.poll("Ada hears Ben", func() bool { return stats(ada, "inbound-rtp", "packetsReceived") > packets+plenty })
	require.Equal(t, user, ada.userID())
	require.NotContains(t, evaluate[string](ada, "document.body.innerText"), "restart")
	ada.poll("no banner", func() bool { return evaluate[bool](ada, "document.getElementById('banner').hidden") })
	watcher, _ := identify(t, safe, "watcher")
	watcher.untilCount("lobby", 2)

	// Back to the first node, which is there again, because the other one is emptied.
	startNode(t, doomedPort, safePort)
	session = ada.session()
	watcher.farewell()
	safe.stop()
	ada.until("a third session", "!['', '"+session+"'].includes(livechat.session.client.ready?.session_id ?? '')")
	ada.joined()
	before = ben.heardCount()
	eventually(t, "Ben hears Ada at the first node again", func() bool { return ben.heardCount() > before+plenty })
	require.NotContains(t, evaluate[string](ada, "document.body.innerText"), "restart")
}

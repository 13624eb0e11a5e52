package e2e

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"
)

// netBrowser is what TestRoleBrowser has to do: open the page at URL, trusting a
// certificate, join with a tone, and for each cue hear the other's.
type netBrowser struct {
	Name, URL, Cert, Key string
	Tone, Hears          int // Hz
}

// TestRoleBrowser is no test of its own: it plays a person at the page in the tests below,
// and says by which way it hears the other.
func TestRoleBrowser(t *testing.T) {
	var todo netBrowser
	task(t, &todo)
	b := startBrowser(t, todo.Name, todo.Tone, pinned(t, todo.Cert, todo.Key))
	const keep = `window.RTCPeerConnection = class extends RTCPeerConnection {
		constructor(config) { super(config); window.connection = this; }
	};`
	_, err := chromedp.Call(b.tab, page.AddScriptToEvaluateOnNewDocument,
		page.AddScriptToEvaluateOnNewDocumentParams{Source: keep})
	require.NoError(t, err)
	b.signIn(&server{URL: todo.URL})
	b.join("lobby")
	say("joined")
	cues(func(string) {
		b.poll(fmt.Sprintf("a tone of %d Hz is heard", todo.Hears), func() bool {
			slots := evaluate[[]heardSlot](b, fmt.Sprintf(listenScript, fmt.Sprintf("[%d]", todo.Hears)))
			return slices.ContainsFunc(slots, func(s heardSlot) bool { return s.Levels[0] >= heardDB })
		})
		say("%s", b.way())
	})
	b.noComplaints()
}

// talkInBrowsers has a person beside the server talk with one behind the router, and
// returns the protocol by which the other is relayed.
func (n *network) talkInBrowsers() string {
	n.t.Helper()
	n.alias() // by which the server is known, and to which no relay leads
	cert, key := n.certify()
	require.Equal(n.t, "serving", n.play(n.server, "TestRoleServer",
		netServer{HTTP: ":80", HTTPS: ":443", Cert: cert, Key: key}).says())
	ada := n.play(n.server, "TestRoleBrowser", netBrowser{"Ada", "https://127.0.0.1", cert, key, toneAda, toneBen})
	ben := n.play(n.client, "TestRoleBrowser", netBrowser{"Ben", "https://" + netServerAlias, cert, key, toneBen, toneAda})
	for _, one := range []*actor{ada, ben} {
		require.Equal(n.t, "joined", one.says())
	}
	// The candidate is that of the relay, or reflexive behind it: the server sees relays by
	// another address than it tells clients.
	_, protocol, _ := strings.Cut(ben.listens(), " ")
	require.True(n.t, strings.HasSuffix(ada.listens(), " undefined"), "who is in the same place is not relayed")
	return protocol
}

// Browsers find the way that there is by themselves.

func TestBrowserNetNoUDP(t *testing.T) {
	chromium(t) // or skip
	n := newNetwork(t, true, false)
	n.dropUDP()
	require.Equal(t, "tcp", n.talkInBrowsers())
}

func TestBrowserNetOnlyHTTPS(t *testing.T) {
	chromium(t) // or skip
	n := newNetwork(t, true, false)
	n.allowOnlyTCP("443")
	require.Equal(t, "tls", n.talkInBrowsers())
}

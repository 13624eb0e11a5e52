package e2e

import (
	"fmt"
	"testing"

	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"
)

// duplicate makes another tab that has what b's tab keeps, as a browser's "Duplicate" does, and opens the page in it.
func (b *participant) duplicate(s *server) *participant {
	b.t.Helper()
	kept := evaluate[string](b, "JSON.stringify(sessionStorage)")
	twin := &participant{t: b.t, name: b.name + "'s other tab"}
	ctx, cancel := chromedp.NewContext(b.tab, chromedp.WithListener(twin.listen))
	b.t.Cleanup(cancel)
	twin.tab = ctx
	require.NoError(b.t, chromedp.Do(ctx), "open another tab")
	_, err := chromedp.Call(ctx, page.AddScriptToEvaluateOnNewDocument, page.AddScriptToEvaluateOnNewDocumentParams{
		Source: fmt.Sprintf("if (!sessionStorage.length && location.search) Object.assign(sessionStorage, %s);", kept),
	})
	require.NoError(b.t, err)
	twin.open(s, "")
	return twin
}

// TestBrowserTwin duplicates the tab of a call: the copy asks, and the call goes on; then the copy takes it over, and gives it back.
func TestBrowserTwin(t *testing.T) {
	verifyNoLeaks(t)
	s := startServer(t, noRelay)
	ada := startBrowser(t, "Ada", toneAda)
	ada.signIn(s)
	ada.join("lobby")
	session, user := ada.session(), ada.userID()

	twin := ada.duplicate(s)
	twin.see("#start-title", "Another tab is Ada already")
	twin.picture("twin")
	twin.click("#start-other")
	twin.see("#guest-form", "Your name")
	twin.do(chromedp.Reload())
	twin.see("#guest-form", "Your name")
	require.Equal(t, session, ada.session())
	require.True(t, evaluate[bool](ada, "livechat.session.call.here === 'lobby' && livechat.session.client.state.name === 'ready'"))

	second := ada.duplicate(s)
	second.click("#start-known")
	second.until("signed in", "livechat.session.stage === 'in'")
	require.Equal(t, user, second.userID())
	ada.see("#banner", "This page is on hold")
	require.True(t, evaluate[bool](ada, "livechat.media.microphone.track === null"))
	ada.click("#banner-action")
	ada.joined()
	second.see("#banner", "This page is on hold")

	// A reload is no other tab, though the one before it held the place until now.
	ada.do(chromedp.Reload())
	ada.until("the page runs", "window.livechat")
	ada.joined()
	require.Equal(t, user, ada.userID())
	for _, one := range []*participant{ada, twin, second} {
		one.noComplaints()
	}
}

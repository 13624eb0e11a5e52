package e2e

import (
	"os"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestBrowserClient tries the page's client by itself, against a server that is played in the page.
func TestBrowserClient(t *testing.T) {
	verifyNoLeaks(t)
	checks, err := os.ReadFile("testdata/client.mjs")
	require.NoError(t, err)
	b := startBrowser(t, "Ada", 0)
	b.open(startServer(t), "")
	names := evaluate[[]string](b, string(checks))
	require.NotEmpty(t, names)
	// Side by side, since most of the time they wait.
	outcomes := evaluate[map[string]string](b, `Promise.all(Object.entries(clientChecks).map(async ([name, check]) =>
		[name, await check().then(() => '', (err) => err.stack)])).then(Object.fromEntries)`)
	for _, name := range names {
		t.Run(name, func(t *testing.T) { require.Empty(t, outcomes[name], strconv.Quote(name)) })
	}
	b.noComplaints()
}

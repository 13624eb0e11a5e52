package e2e

import (
	"sync"
	"testing"

	cdpnetwork "github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"
)

// maxFirstLoad is how much a browser that was never here may have to fetch, in bytes with all headers.
const maxFirstLoad = 150_000

// traffic counts what a page fetches.
type traffic struct {
	mu       sync.Mutex
	bytes    float64
	answers  map[int64]int // by status
	requests map[cdpnetwork.RequestID]string
}

func (n *traffic) listen(event any) {
	n.mu.Lock()
	defer n.mu.Unlock()
	switch e := event.(type) {
	case *cdpnetwork.EventRequestWillBeSent:
		n.requests[e.RequestID] = e.Request.URL
	case *cdpnetwork.EventResponseReceived:
		n.answers[e.Response.Status]++
	case *cdpnetwork.EventLoadingFinished:
		n.bytes += e.EncodedDataLength
		delete(n.requests, e.RequestID)
	case *cdpnetwork.EventLoadingFailed:
		delete(n.requests, e.RequestID)
	}
}

// settle waits until all that was asked for is there, and returns how much that was since the last time.
func (n *traffic) settle(b *participant) (bytes int, answers map[int64]int) {
	b.t.Helper()
	b.poll("all is loaded", func() bool {
		n.mu.Lock()
		defer n.mu.Unlock()
		return len(n.requests) == 0
	})
	n.mu.Lock()
	defer n.mu.Unlock()
	bytes, answers = int(n.bytes), n.answers
	n.bytes, n.answers = 0, make(map[int64]int)
	return bytes, answers
}

// TestBrowserLoad measures what the page costs to be loaded: the first time, and again.
func TestBrowserLoad(t *testing.T) {
	verifyNoLeaks(t)
	s := startServer(t)
	b := startBrowser(t, "Ada", 0)
	n := &traffic{answers: make(map[int64]int), requests: make(map[cdpnetwork.RequestID]string)}
	require.NoError(t, chromedp.Listen(b.tab, n.listen))
	_, err := chromedp.Call(b.tab, cdpnetwork.Enable, cdpnetwork.EnableParams{})
	require.NoError(t, err)

	b.open(s, "")
	b.see("#start", "Mini LiveChat")
	first, answers := n.settle(b)
	t.Logf("the first load takes %d bytes in %v answers", first, answers)
	require.Less(t, first, maxFirstLoad)

	b.do(chromedp.Navigate("about:blank"))
	n.settle(b)
	b.open(s, "again")
	b.see("#start", "Mini LiveChat")
	second, answers := n.settle(b)
	t.Logf("the second load takes %d bytes, %v", second, answers)
	require.Less(t, second, maxFirstLoad/20)
	b.noComplaints()
}

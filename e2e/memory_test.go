package e2e

import (
	"context"
	"fmt"
	"runtime"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/mini-livechat/mini-livechat/signaling/client"
)

// visit has people come at the same time, each for the first time, be heard, and go: half of them leave the channel, the
// others are just gone.
func visit(t *testing.T, s *server, engine *client.Engine, from, to int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	errs := make([]error, to-from)
	var coming sync.WaitGroup
	for i := range errs {
		coming.Go(func() { errs[i] = visitOnce(ctx, s.URL, engine, from+i) })
	}
	coming.Wait()
	for _, err := range errs {
		require.NoError(t, err)
	}
}

func visitOnce(ctx context.Context, url string, engine *client.Engine, number int) error {
	guest, err := client.Guest(ctx, url, fmt.Sprint("visitor ", number))
	if err != nil {
		return err
	}
	c, err := client.Dial(ctx, url, client.Options{Token: guest.Token, Engine: engine, NoReconnect: true})
	if err != nil {
		return err
	}
	defer func() { _ = c.Close() }()
	call, err := c.Join(ctx, "lobby", client.JoinOptions{})
	if err != nil {
		return err
	}
	if err := call.WriteOpus(voiceFrame(c.UserID(), 0), frameLength); err != nil {
		return err
	}
	if number%2 == 0 {
		return call.Leave(ctx)
	}
	return nil
}

// TestTalkKeepsNothingOfThoseWhoLeft: neither memory nor goroutines grow with the number of people who were there. What
// one of them would leave behind is far above the bound: a media connection has some 30 KiB, a session some 5.
func TestTalkKeepsNothingOfThoseWhoLeft(t *testing.T) {
	const (
		atOnce  = 5
		visits  = 100
		atMost  = 2 << 10 // bytes for each, which is what a heap is known to
		warming = 10 * atOnce
	)
	verifyNoLeaks(t)
	s := startServer(t)
	engine := loopbackEngine(t)
	for from := 0; from < warming; from += atOnce { // pools and tables find their size
		visit(t, s, engine, from, from+atOnce)
	}
	var goroutines int
	var heap int64
	eventually(t, "the first visitors are gone", func() bool {
		goroutinesNow, heapNow := runtime.NumGoroutine(), heapInUse()
		settled := goroutinesNow == goroutines && heap-heapNow < warming*atMost
		goroutines, heap = goroutinesNow, heapNow
		return settled
	})
	for from := warming; from < warming+visits; from += atOnce {
		visit(t, s, engine, from, from+atOnce)
	}
	settled(t, goroutines)
	var kept int64
	defer func() { t.Logf("%d bytes kept for each who came and went", kept/visits) }()
	eventually(t, "memory is what it was", func() bool {
		kept = heapInUse() - heap
		return kept <= visits*atMost
	})
}

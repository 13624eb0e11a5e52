package e2e

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mini-livechat/mini-livechat/signaling/client"
	"github.com/mini-livechat/mini-livechat/signaling/protocol"
)

const (
	// joinWithin is how long joining over a network may take that is so bad that hardly
	// anything is understood on it.
	joinWithin = 20 * time.Second
	// joinBatch is how many join at the same time.
	joinBatch = 20
)

// badForJoins loses three packets of ten in both directions, and a round trip takes 600 ms.
//
//nolint:gochecknoglobals // constant
var badForJoins = impairment{loss: 0.3, delay: 300 * time.Millisecond}

// joins is how long it took each of some clients to have media, from CHANNEL_JOIN on;
// those that had none in time are missing.
func joins(t *testing.T, s *server, n int, seed uint64) []time.Duration {
	t.Helper()
	var mu sync.Mutex
	var took []time.Duration
	for first := 0; first < n; first += joinBatch {
		var wg sync.WaitGroup
		for i := first; i < min(first+joinBatch, n); i++ {
			p := newProxy(t, s.media)
			p.impair(badForJoins, badForJoins, seed+uint64(i))
			engine, err := client.NewEngine(client.EngineConfig{LocalIP: onLoopback, Net: p.detour})
			require.NoError(t, err)
			guest, err := client.Guest(soon(t), s.URL, fmt.Sprint("joiner ", i))
			require.NoError(t, err)
			c, err := client.Dial(soon(t), s.URL, client.Options{Token: guest.Token, Engine: engine, EventBuffer: -1})
			require.NoError(t, err)
			channel := fmt.Sprint("joins-", i)
			_, err = c.CreateChannel(soon(t), protocol.ChannelCreate{ChannelID: channel})
			require.NoError(t, err)
			wg.Go(func() {
				defer func() { _ = c.Close() }()
				ctx, cancel := context.WithTimeout(t.Context(), joinWithin)
				defer cancel()
				began := time.Now()
				if _, err := c.Join(ctx, channel, client.JoinOptions{Slots: 1}); err != nil {
					t.Logf("join %d: after %.1f s: %v", i, time.Since(began).Seconds(), err)
					return
				}
				mu.Lock()
				defer mu.Unlock()
				took = append(took, time.Since(began))
			})
		}
		wg.Wait()
	}
	slices.Sort(took)
	return took
}

// TestImpairJoins: joins over a network that loses 30 % and takes 600 ms there and back. With
// LIVECHAT_JOINS it makes so many, prints what share came through, and wants 99 % of them;
// see `make joins`. Otherwise it makes a few, which say less.
func TestImpairJoins(t *testing.T) {
	verifyNoLeaks(t)
	n, least := joinBatch, 0.9
	if spec := os.Getenv("LIVECHAT_JOINS"); spec != "" {
		var err error
		n, err = strconv.Atoi(spec)
		require.NoError(t, err, "LIVECHAT_JOINS is a number of joins")
		least = 0.99
	}
	took := joins(t, impairedServer(t), n, 1)
	share := float64(len(took)) / float64(n)
	t.Logf("%d of %d joins (%.1f %%) within %v over %.0f %% loss and %v round trip",
		len(took), n, share*100, joinWithin, badForJoins.loss*100, 2*badForJoins.delay)
	if len(took) > 0 {
		t.Logf("half within %v, 95 %% within %v, the slowest %v", took[len(took)/2].Round(time.Millisecond),
			took[len(took)*95/100].Round(time.Millisecond), took[len(took)-1].Round(time.Millisecond))
	}
	require.GreaterOrEqual(t, share, least)
}

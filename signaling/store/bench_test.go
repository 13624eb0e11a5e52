package store

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// p99 reports the 99th percentile of what was measured.
func p99(b *testing.B, took []time.Duration) {
	b.Helper()
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)*99/100].Microseconds())/1000, "p99-ms")
}

// BenchmarkChat measures a memory of LIVECHAT_MESSAGES messages, 20,000 unless it is set, in 100 channels.
func BenchmarkChat(b *testing.B) {
	size := 20_000
	if text := os.Getenv("LIVECHAT_MESSAGES"); text != "" {
		var err error
		size, err = strconv.Atoi(text)
		require.NoError(b, err)
	}
	const channels = 100
	path := filepath.Join(b.TempDir(), FileName)
	s, err := Open(path)
	require.NoError(b, err)
	dice := rand.New(rand.NewPCG(1, 2))
	facts := make([]Fact, 0, 1000)
	for i := range size {
		fact := said(fmt.Sprint("channel-", i%channels), i)
		fact.Content = fmt.Sprintf("common words and rare%d, some%d of them 회의%c실", dice.IntN(size), dice.IntN(1000), '가'+rune(dice.IntN(5000)))
		if facts = append(facts, fact); len(facts) == cap(facts) || i == size-1 {
			add(b, s, facts...)
			facts = facts[:0]
		}
	}
	require.NoError(b, s.Close())
	all := make([]string, channels)
	for i := range all {
		all[i] = fmt.Sprint("channel-", i)
	}

	b.Run("open", func(b *testing.B) {
		var took []time.Duration
		for b.Loop() {
			begin := time.Now()
			again, err := Open(path)
			took = append(took, time.Since(begin))
			require.NoError(b, err)
			require.NoError(b, again.Close())
		}
		p99(b, took)
	})
	s = open(b, path)
	b.Run("history", func(b *testing.B) {
		var took []time.Duration
		for b.Loop() {
			i := dice.IntN(size)
			channel := fmt.Sprint("channel-", i%channels)
			begin := time.Now()
			_, _, err := s.History(b.Context(), Page{ChannelID: channel, Before: fmt.Sprint(channel, "-", i), Limit: MaxHistory})
			took = append(took, time.Since(begin))
			require.NoError(b, err)
		}
		p99(b, took)
	})
	for name, query := range map[string]func() string{
		"rare":   func() string { return fmt.Sprint("rare", dice.IntN(size)) },
		"some":   func() string { return fmt.Sprintf("some%d common", dice.IntN(1000)) },
		"common": func() string { return "common words" },
		"korean": func() string { return "회의" },
	} {
		b.Run("search-"+name, func(b *testing.B) {
			var took []time.Duration
			for b.Loop() {
				begin := time.Now()
				_, _, err := s.Search(b.Context(), Query{Text: query(), ChannelIDs: all, Limit: MaxFound})
				took = append(took, time.Since(begin))
				require.NoError(b, err)
			}
			p99(b, took)
		})
	}
	b.Run("append-2000-a-second", func(b *testing.B) {
		var mu sync.Mutex
		var took []time.Duration
		var writing sync.WaitGroup
		tick := time.NewTicker(time.Second / 2000)
		defer tick.Stop()
		for b.Loop() {
			<-tick.C
			fact := said("channel-0", size+len(facts))
			facts = append(facts, fact)
			writing.Go(func() {
				begin := time.Now()
				_, err := s.Append(b.Context(), noon, fact)
				mu.Lock()
				defer mu.Unlock()
				took = append(took, time.Since(begin))
				if err != nil {
					b.Error(err)
				}
			})
		}
		writing.Wait()
		p99(b, took)
	})
}

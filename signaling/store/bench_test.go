package store

import (
	"context"
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

// memory is what BenchmarkChat measures: messages in 100 channels of 50 authors, of words as rare as names and as common as "the".
type memory struct {
	*Store

	path string
	size int
	all  []string // the channels
	dice *rand.Rand
}

const benchChannels = 100

func fill(b *testing.B, size int) *memory {
	b.Helper()
	m := &memory{path: filepath.Join(b.TempDir(), FileName), size: size, dice: rand.New(rand.NewPCG(1, 2))}
	for i := range benchChannels {
		m.all = append(m.all, fmt.Sprint("channel-", i))
	}
	s, err := Open(m.path)
	require.NoError(b, err)
	facts := make([]Fact, 0, 1000)
	for i := range size {
		fact := said(m.all[i%benchChannels], i)
		fact.AuthorID = fmt.Sprint("author-", i%50)
		fact.Content = fmt.Sprintf("common words and rare%d, some%d of them, %s 회의%c실", m.dice.IntN(size), m.dice.IntN(1000),
			[]string{"even", "odd"}[i%2], '가'+rune(m.dice.IntN(5000)))
		if facts = append(facts, fact); len(facts) == cap(facts) || i == size-1 {
			add(b, s, facts...)
			facts = facts[:0]
		}
	}
	require.NoError(b, s.Close())
	return m
}

// report reports percentiles of what was measured.
func report(b *testing.B, took []time.Duration) {
	b.Helper()
	slices.Sort(took)
	for _, percent := range []int{50, 99} {
		b.ReportMetric(float64(took[len(took)*percent/100].Microseconds())/1000, fmt.Sprintf("p%d-ms", percent))
	}
}

// measure reports how long something takes that is done one after the other.
func measure(b *testing.B, do func()) {
	b.Helper()
	var took []time.Duration
	for b.Loop() {
		begin := time.Now()
		do()
		took = append(took, time.Since(begin))
	}
	report(b, took)
}

// BenchmarkChat measures a memory of LIVECHAT_MESSAGES messages, 20,000 unless it is set.
func BenchmarkChat(b *testing.B) {
	size := 20_000
	if text := os.Getenv("LIVECHAT_MESSAGES"); text != "" {
		var err error
		size, err = strconv.Atoi(text)
		require.NoError(b, err)
	}
	m := fill(b, size)
	b.Run("open", func(b *testing.B) {
		measure(b, func() {
			again, err := Open(m.path)
			require.NoError(b, err)
			require.NoError(b, again.Close())
		})
	})
	b.Run("resident", m.resident)
	m.Store = open(b, m.path)
	b.Run("history", func(b *testing.B) { measure(b, func() { m.history(b) }) })
	for _, one := range []struct {
		name   string
		answer bool // something is found
		query  func() Query
	}{
		{"rare", true, func() Query { return Query{Text: fmt.Sprint("rare", m.dice.IntN(size))} }},
		{"some", true, func() Query { return Query{Text: fmt.Sprintf("some%d common", m.dice.IntN(1000))} }},
		{"common", true, func() Query { return Query{Text: "common words and"} }},
		{"korean", true, func() Query { return Query{Text: "회의"} }},
		{"letter", true, func() Query { return Query{Text: "r"} }},
		{"beginning", true, func() Query { return Query{Text: "common rare" + strconv.Itoa(m.dice.IntN(100))} }},
		{"channel", true, func() Query { return Query{Text: "common", ChannelIDs: m.all[7:8]} }},
		{"author", true, func() Query { return Query{Text: "common", AuthorID: "author-7"} }},
		{"never-together", false, func() Query { return Query{Text: "even odd "} }},
		{"no-channel", false, func() Query { return Query{Text: "common", ChannelIDs: []string{"empty"}} }},
		{"no-word-in-channel", false, func() Query { return Query{Text: "even ", ChannelIDs: m.all[7:8]} }},
		{"no-author", false, func() Query { return Query{Text: "common", AuthorID: "nobody"} }},
		{"nothing", false, func() Query { return Query{Text: "unheard"} }},
	} {
		b.Run("search-"+one.name, func(b *testing.B) {
			unseen := 0 // of the messages, at most
			measure(b, func() {
				q := one.query()
				if q.Limit = MaxFound; q.ChannelIDs == nil {
					q.ChannelIDs = m.all
				}
				answer, err := m.Search(b.Context(), q)
				require.NoError(b, err)
				require.True(b, one.answer || len(answer.Found) == 0)
				if answer.Next != "" {
					rest, err := m.seqOf(b.Context(), answer.Next)
					require.NoError(b, err)
					unseen = max(unseen, int(rest))
				}
			})
			b.ReportMetric(float64(size-unseen), "looked-at")
		})
	}
	b.Run("append-2000-a-second", func(b *testing.B) { m.write(b, nil) })
	b.Run("history-while-2000-a-second", func(b *testing.B) {
		ctx, stop := context.WithCancel(b.Context())
		var writing sync.WaitGroup
		defer writing.Wait()
		defer stop()
		writing.Go(func() { m.post(ctx, b, func(time.Duration) {}) })
		measure(b, func() { m.history(b) })
	})
	b.Run("append-2000-a-second-and-forget", func(b *testing.B) {
		tend := tending{Store: m.Store, rest: restFor, counted: map[string]counted{}, limits: func(string) Limits { return Limits{size / 200, 1 << 62} }}
		m.write(b, func(ctx context.Context) { _ = tend.forget(ctx, noon) })
	})
}

// history reads a page at a random place.
func (m *memory) history(b *testing.B) {
	b.Helper()
	i := m.dice.IntN(m.size)
	channel := m.all[i%benchChannels]
	_, _, err := m.History(b.Context(), Page{ChannelID: channel, Before: fmt.Sprint(channel, "-", i), Limit: MaxHistory})
	require.NoError(b, err)
}

// write measures b.N messages that are said at 2,000 a second, with something else going on.
func (m *memory) write(b *testing.B, beside func(context.Context)) {
	b.Helper()
	ctx, stop := context.WithCancel(b.Context())
	defer stop()
	var others sync.WaitGroup
	if beside != nil {
		others.Go(func() { beside(ctx) })
	}
	var mu sync.Mutex
	var took []time.Duration
	b.ResetTimer()
	m.post(ctx, b, func(d time.Duration) {
		mu.Lock()
		defer mu.Unlock()
		if took = append(took, d); len(took) == b.N {
			stop()
		}
	})
	others.Wait()
	report(b, took)
}

// post says 2,000 messages a second, whether or not those before are written, until ctx ends.
func (m *memory) post(ctx context.Context, b *testing.B, acked func(time.Duration)) {
	b.Helper()
	const rate = 2000
	var writing sync.WaitGroup
	defer writing.Wait()
	begin := time.Now()
	for n := 0; ctx.Err() == nil; n++ {
		due := begin.Add(time.Duration(n) * time.Second / rate)
		time.Sleep(time.Until(due))
		fact := said(m.all[n%benchChannels], 0)
		fact.ID, fact.AuthorID = fmt.Sprint(b.Name(), b.N, "-", n), fmt.Sprint("author-", n%50)
		fact.Content = fmt.Sprintf("what was said as number %d of all", n)
		writing.Go(func() {
			_, err := m.Append(context.WithoutCancel(ctx), noon, fact)
			if acked(time.Since(due)); err != nil {
				b.Error(err)
			}
		})
	}
}

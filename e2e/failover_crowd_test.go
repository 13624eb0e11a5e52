package e2e

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mini-livechat/mini-livechat/cmd/app"
	"github.com/mini-livechat/mini-livechat/signaling/client"
	"github.com/mini-livechat/mini-livechat/signaling/protocol"
)

// TestFailoverCluster kills one of three nodes, another one each time, on which thirty people are, ten on each: those of it are heard on the other
// nodes again, and hear them; those who are there are not told that anybody left, and miss nothing of what others of them write and change
// meanwhile. With make failover.
func TestFailoverCluster(t *testing.T) {
	times, _ := strconv.Atoi(os.Getenv(failovers))
	if times == 0 {
		t.Skip("see make failover")
	}
	var heard, hear []time.Duration
	for round := range times {
		a, b := killOne(t, round)
		heard, hear = append(heard, a...), append(hear, b...)
	}
	for what, gaps := range map[string][]time.Duration{"heard on another node": heard, "hears who is on another node": hear} {
		below(t, what+" after a kill -9 of one's own", gaps, 1500*time.Millisecond)
		require.Less(t, gaps[len(gaps)-1], 3*time.Second, "everybody")
	}
}

// killOne is a round: how long after the kill each of those who were there was heard again on another node, and heard who is there.
func killOne(t *testing.T, round int) (heard, hear []time.Duration) {
	t.Helper()
	const each = 10
	nodes := startCluster(t, app.DefaultChannel)
	engine := loopbackEngine(t)
	comes := func(o *client.Options) { comesBack(o); o.Engine, o.EventBuffer = engine, 1<<14 }
	var lost, stay []*listener
	for i := range 3 * each {
		at := nodes[i%3]
		p := listen(arrive(t, at.server, fmt.Sprintf("person %d %d", round, i), comes).join("lobby", slots(each+1)))
		if i%3 == round%3 {
			lost = append(lost, p)
		} else {
			stay = append(stay, p)
		}
	}
	defer func() {
		for _, p := range slices.Concat(lost, stay) {
			p.gone()
		}
		for i, node := range nodes {
			if i != round%3 {
				require.NoError(t, node.signal(syscall.SIGKILL))
			}
		}
	}()
	for _, p := range slices.Concat(lost, stay) {
		eventually(t, "everybody is there", func() bool { return len(p.call.Members()) == 3*each })
	}
	steady := stay[0]
	steady.talkEvery(longFrame)
	for _, p := range lost {
		p.talkEvery(longFrame)
	}
	ears := stay[1:3] // one on each node
	for _, p := range ears {
		p.hearsAll(othersOf(lost, -1))
	}
	for _, p := range lost {
		p.hears(steady.person)
	}
	for _, p := range stay {
		p.begin()
	}
	busy := begin(stay[3:7])
	killed := time.Now()
	require.NoError(t, nodes[round%3].signal(syscall.SIGKILL))
	last := make(map[*listener]uint32)
	for _, p := range append(lost, steady) {
		last[p] = p.said.Load()
	}
	for _, p := range lost {
		for _, ear := range ears {
			heard = append(heard, ear.hearsAfter(p.person, last[p]).Sub(killed))
		}
		hear = append(hear, p.hearsAfter(steady.person, last[steady]).Sub(killed))
	}
	busy.end()
	for _, p := range stay {
		eventually(t, "everybody is there again", func() bool { return len(p.call.Members()) == 3*each })
		busy.toldTo(p)
		require.Empty(t, p.leaves())
	}
	return heard, hear
}

// hearsAfter waits until a frame of somebody is heard that was said after another, and returns when that was.
func (p *person) hearsAfter(other *person, n uint32) (at time.Time) {
	p.t.Helper()
	eventually(p.t, p.UserID()+" hears "+other.UserID(), func() bool {
		p.mu.Lock()
		defer p.mu.Unlock()
		i := slices.IndexFunc(p.ears, func(h heard) bool { return h.from == other.UserID() && h.n > n })
		if i >= 0 {
			at = p.ears[i].at
		}
		return i >= 0
	})
	return at
}

// busyness is what some people write, and how often they switch their microphones, until its end.
type busyness struct {
	t        *testing.T
	stop     context.CancelFunc
	running  sync.WaitGroup
	writers  []*writer
	switches []*switcher
}

// switcher is somebody who switches the microphone on and off.
type switcher struct {
	*person

	times int
	err   error
}

// begin has half of some people write, and half switch their microphones.
func begin(people []*listener) *busyness {
	ctx, stop := context.WithCancel(context.Background())
	b := &busyness{t: people[0].t, stop: stop}
	b.t.Cleanup(stop)
	for i, p := range people {
		if i < len(people)/2 {
			w := &writer{person: p.person}
			b.writers = append(b.writers, w)
			b.running.Go(func() { w.write(ctx, "lobby") })
		} else {
			s := &switcher{person: p.person}
			b.switches = append(b.switches, s)
			b.running.Go(func() { s.run(ctx) })
		}
	}
	return b
}

func (s *switcher) run(ctx context.Context) {
	for ctx.Err() == nil && s.err == nil {
		_, s.err = s.SetVoiceState(context.Background(), protocol.VoiceState{SelfMute: new(s.times%2 == 0)}) //nolint:contextcheck // what was begun is ended
		s.times++
		select {
		case <-ctx.Done():
		case <-time.After(writesEvery):
		}
	}
}

func (b *busyness) end() {
	b.stop()
	b.running.Wait()
	for _, w := range b.writers {
		require.NoError(b.t, w.failed)
		require.NotEmpty(b.t, w.acknowledged)
	}
	for _, s := range b.switches {
		require.NoError(b.t, s.err)
	}
}

// toldTo makes sure that somebody else was told of all that, once and in order.
func (b *busyness) toldTo(p *listener) {
	b.t.Helper()
	for _, w := range b.writers {
		if w.person == p.person { // who has the answer
			continue
		}
		var read []string
		eventually(b.t, p.UserID()+" is told of what "+w.UserID()+" wrote", func() bool {
			read = p.readOf(w.UserID())
			return len(read) >= len(w.acknowledged)
		})
		require.Equal(b.t, w.acknowledged, read)
	}
	for _, s := range b.switches {
		if s.person == p.person {
			continue
		}
		var states []bool
		eventually(b.t, p.UserID()+" is told of the microphone of "+s.UserID(), func() bool {
			states = p.mutesOf(s.UserID())
			return len(states) >= s.times
		})
		for i, muted := range states {
			require.Equal(b.t, i%2 == 0, muted, "%d of %v", i, states)
		}
		require.Len(b.t, states, s.times)
	}
}

// readOf is what somebody wrote.
func (l *listener) readOf(userID string) (read []string) {
	l.noting.Lock()
	defer l.noting.Unlock()
	for _, content := range l.read {
		if strings.HasPrefix(content, userID+" ") {
			read = append(read, content)
		}
	}
	return read
}

// mutesOf are what somebody said of the microphone, whether it is off.
func (l *listener) mutesOf(userID string) []bool {
	l.noting.Lock()
	defer l.noting.Unlock()
	return slices.Clone(l.muted[userID])
}

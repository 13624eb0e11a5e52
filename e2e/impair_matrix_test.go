package e2e

import (
	"context"
	"encoding/binary"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mini-livechat/mini-livechat/cmd/app"
	"github.com/mini-livechat/mini-livechat/signaling/client"
	"github.com/mini-livechat/mini-livechat/signaling/protocol"
)

const (
	// inTime is how long after it was sent a frame is still of use.
	inTime = 250 * time.Millisecond
	// warmUp lets both sides' reports choose the redundancy before anything is counted.
	warmUp = 7 * time.Second
	// settle is how long after the last frame all that can come has come.
	settle = 500 * time.Millisecond
)

// help is what a pair of clients negotiates against loss.
type help struct {
	name      string
	red, nack bool
}

//nolint:gochecknoglobals // constant
var helps = []help{{name: "none"}, {name: "RED", red: true}, {name: "NACK", nack: true}, {name: "RED+NACK", red: true, nack: true}}

// conditions are how bad the networks of a pair are.
type conditions struct {
	loss, burst float64
	up, down    bool // the talker's way up, the listener's way down
	rtt         time.Duration
}

func (n conditions) lossName() string {
	if n.burst > 1 {
		return fmt.Sprintf("%.0f %% in bursts of %.0f", n.loss*100, n.burst)
	}
	return fmt.Sprintf("%.0f %%", n.loss*100)
}

func (n conditions) wayName() string {
	switch {
	case n.up && n.down:
		return "both"
	case n.up:
		return "up"
	default:
		return "down"
	}
}

// pair is a talker and a listener, alone in a channel, each behind a network of their own.
type pair struct {
	talker, listener           *client.Call
	talkerProxy, listenerProxy *proxy

	mu      sync.Mutex
	sent    []time.Time // guarded by mu
	arrived []time.Time // guarded by mu; zero: not yet
}

// newPair brings two clients together over a network that is still perfect.
func newPair(t *testing.T, s *server, channel string, h help) *pair {
	t.Helper()
	p := &pair{}
	enter := func(name string, opts client.JoinOptions) (*client.Call, *proxy) {
		proxy := newProxy(t, s.media)
		engine, err := client.NewEngine(client.EngineConfig{
			LocalIP: onLoopback, WithoutRED: !h.red, WithoutNACK: !h.nack, Net: proxy.detour,
		})
		require.NoError(t, err)
		guest, err := client.Guest(soon(t), s.URL, name)
		require.NoError(t, err)
		c, err := client.Dial(soon(t), s.URL, client.Options{Token: guest.Token, Engine: engine, EventBuffer: -1})
		require.NoError(t, err)
		t.Cleanup(func() { _ = c.Close() })
		if name == "talker" {
			_, err = c.CreateChannel(soon(t), protocol.ChannelCreate{ChannelID: channel})
			require.NoError(t, err)
		}
		call, err := c.Join(soon(t), channel, opts)
		require.NoError(t, err)
		return call, proxy
	}
	p.talker, p.talkerProxy = enter("talker", client.JoinOptions{Slots: 1})
	p.listener, p.listenerProxy = enter("listener", client.JoinOptions{ListenOnly: true, Slots: 1, OnPacket: p.hear})
	return p
}

// impair makes the networks bad.
func (p *pair) impair(n conditions, seed uint64) {
	way := impairment{delay: n.rtt / 2}
	bad := impairment{delay: n.rtt / 2, loss: n.loss, burst: n.burst}
	if n.up {
		p.talkerProxy.impair(bad, way, 2*seed)
	}
	if n.down {
		p.listenerProxy.impair(way, bad, 2*seed+1)
	}
}

// hear notes when a frame is in the listener's hands.
func (p *pair) hear(_ *client.Slot, packet client.Packet) {
	now := time.Now()
	if len(packet.Payload) < 8 {
		return
	}
	n := int(binary.BigEndian.Uint32(packet.Payload[4:]))
	p.mu.Lock()
	defer p.mu.Unlock()
	if n < len(p.arrived) && p.arrived[n].IsZero() {
		p.arrived[n] = now
	}
}

// talk says a frame every 20 ms for so long.
func (p *pair) talk(d time.Duration) error {
	frame := make([]byte, 80)
	frame[0] = opusTOC
	tick := time.NewTicker(frameLength)
	defer tick.Stop()
	for end := time.Now().Add(d); time.Now().Before(end); <-tick.C {
		p.mu.Lock()
		n := len(p.sent)
		p.sent, p.arrived = append(p.sent, time.Now()), append(p.arrived, time.Time{})
		p.mu.Unlock()
		binary.BigEndian.PutUint32(frame[4:], uint32(n))
		if err := p.talker.WriteOpus(frame, frameLength); err != nil {
			return fmt.Errorf("after %d frames: %w", n, err)
		}
	}
	return nil
}

// late counts the frames from the first on that were not in hand within d, but for those
// that a stall of the machine may have made late. It is to be called when all could be.
func (p *pair) late(first int, d time.Duration, stalled *stalls) (late, all int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for i := first; i < len(p.sent); i++ {
		if stalled.between(p.sent[i].Add(-frameLength), p.sent[i].Add(d)) {
			continue
		}
		all++
		if p.arrived[i].IsZero() || p.arrived[i].Sub(p.sent[i]) > d {
			late++
		}
	}
	return late, all
}

// stalls are the moments at which the machine had no time for this process: a clock that
// ticks every 10 ms was more than another 20 late.
type stalls struct {
	mu sync.Mutex
	at []time.Time // guarded by mu; ascending
}

// watch looks out for stalls until ctx is done.
func (s *stalls) watch(ctx context.Context) {
	const interval, late = 10 * time.Millisecond, 20 * time.Millisecond
	for before := time.Now(); ctx.Err() == nil; {
		time.Sleep(interval)
		now := time.Now()
		if now.Sub(before) > interval+late {
			s.mu.Lock()
			s.at = append(s.at, now)
			s.mu.Unlock()
		}
		before = now
	}
}

// between reports whether there was a stall that ended then; a nil s has none.
func (s *stalls) between(from, to time.Time) bool {
	if s == nil {
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	i, _ := slices.BinarySearchFunc(s.at, from, time.Time.Compare)
	return i < len(s.at) && !s.at[i].After(to)
}

// trial is how a cell is measured.
type trial struct {
	pairs         int
	warmUp, count time.Duration // talk before and while frames are counted
	within        time.Duration // which frames are not late
	stalled       *stalls       // what the network is not to blame for; nil for nothing
}

// measure has pairs talk under these conditions and counts the frames, and those that were
// late.
func (tr trial) measure(t *testing.T, s *server, name string, n conditions, h help) (late, all int) {
	t.Helper()
	pairs := tr.pairs
	together := make([]*pair, pairs)
	for i := range together {
		together[i] = newPair(t, s, fmt.Sprintf("%s-%d", name, i), h)
		together[i].impair(n, uint64(i))
	}
	var talking sync.WaitGroup
	errs := make([]error, pairs)
	lates, alls := make([]int, pairs), make([]int, pairs)
	for i, p := range together {
		talking.Go(func() {
			time.Sleep(time.Duration(i) * frameLength / time.Duration(pairs))
			if errs[i] = p.talk(tr.warmUp); errs[i] == nil {
				p.mu.Lock()
				first := len(p.sent)
				p.mu.Unlock()
				errs[i] = p.talk(tr.count)
				time.Sleep(settle)
				lates[i], alls[i] = p.late(first, tr.within, tr.stalled)
			}
		})
	}
	talking.Wait()
	for i, err := range errs {
		require.NoError(t, err)
		late, all = late+lates[i], all+alls[i]
	}
	return late, all
}

// impairedServer is a server that does not mind how many come from one machine.
func impairedServer(t *testing.T) *server {
	t.Helper()
	return startServer(t, func(c *app.Config) { c.TURN, c.MaxChannels, c.PerAddress = false, 5000, 50_000 })
}

// TestImpairSmoke: a lossy network with all the help there is, and with none.
func TestImpairSmoke(t *testing.T) {
	verifyNoLeaks(t)
	s := impairedServer(t)
	n := conditions{loss: 0.1, down: true, up: true, rtt: 20 * time.Millisecond}
	// Lost for good, not late: that does not depend on how fast the machine is.
	tr := trial{pairs: 4, warmUp: time.Second, count: 4 * time.Second, within: time.Hour}
	for i, h := range []help{helps[0], helps[3]} {
		late, all := tr.measure(t, s, fmt.Sprint("smoke", i), n, h)
		share := float64(late) / float64(all)
		t.Logf("%s: %.2f %% of %d frames lost", h.name, share*100, all)
		if h.red {
			require.Less(t, share, 0.04)
		} else {
			require.Greater(t, share, 0.1, "the network is not bad")
		}
	}
}

// TestImpairMatrix prints what share of the frames is not in the listener's hands in time,
// over networks of all kinds and with all kinds of help; see `make impair`. It takes a
// quarter of an hour.
func TestImpairMatrix(t *testing.T) {
	spec := os.Getenv("LIVECHAT_IMPAIR")
	if spec == "" {
		t.Skip("LIVECHAT_IMPAIR is not set; see make impair")
	}
	m := matrix{
		trial: trial{pairs: 10, warmUp: warmUp, count: 20 * time.Second, within: inTime, stalled: &stalls{}},
		only:  spec, results: make(map[cell]float64),
	}
	ctx, cancel := context.WithCancel(context.Background())
	var watching sync.WaitGroup
	watching.Go(func() { m.stalled.watch(ctx) })
	t.Run("cells", m.run)
	cancel()
	watching.Wait()
	t.Log("\n" + m.String())
	m.check(t)
}

// cell is one figure of the matrix.
type cell struct {
	conditions

	help string
}

type matrix struct {
	trial

	only string // a part of the names of the cells to measure; "all" for all

	mu      sync.Mutex
	results map[cell]float64 // shares; guarded by mu
}

// allConditions are the rows of the matrix.
func allConditions() []conditions {
	all := make([]conditions, 0, 32)
	for _, rtt := range []time.Duration{20 * time.Millisecond, 100 * time.Millisecond} {
		all = append(all, conditions{rtt: rtt, up: true, down: true})
		for _, bad := range []conditions{{loss: 0.05}, {loss: 0.1}, {loss: 0.1, burst: 3}, {loss: 0.2}, {loss: 0.3}} {
			for _, way := range []conditions{{up: true}, {down: true}, {up: true, down: true}} {
				bad.rtt, bad.up, bad.down = rtt, way.up, way.down
				all = append(all, bad)
			}
		}
	}
	return all
}

// atOnce is how many cells are measured at the same time: few enough that two cores keep
// the time.
const atOnce = 4

func (m *matrix) run(t *testing.T) {
	s := impairedServer(t)
	slots := make(chan struct{}, atOnce)
	for i, n := range allConditions() {
		for j, h := range helps {
			name := fmt.Sprintf("%s-%s-%s-%s", strings.NewReplacer(" ", "", "%", "").Replace(n.lossName()), n.wayName(), n.rtt, h.name)
			if m.only != "all" && !strings.Contains(name, m.only) {
				continue
			}
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				slots <- struct{}{}
				defer func() { <-slots }()
				late, all := m.measure(t, s, fmt.Sprintf("cell-%d-%d", i, j), n, h)
				require.Greater(t, all, 5000, "the machine stalled too often to tell")
				m.mu.Lock()
				defer m.mu.Unlock()
				m.results[cell{n, h.name}] = float64(late) / float64(all)
				t.Logf("%.2f %% of %d frames late", 100*float64(late)/float64(all), all)
			})
		}
	}
}

// String is the table for PERFORMANCE.md.
func (m *matrix) String() string {
	var b strings.Builder
	b.WriteString("| RTT | loss | way |")
	for _, h := range helps {
		b.WriteString(" " + h.name + " |")
	}
	b.WriteString("\n|---|---|---|" + strings.Repeat("---|", len(helps)) + "\n")
	for _, n := range allConditions() {
		row, measured := fmt.Sprintf("| %d ms | %s | %s |", n.rtt.Milliseconds(), n.lossName(), n.wayName()), false
		for _, h := range helps {
			share, ok := m.results[cell{n, h.name}]
			if !ok {
				row += " |"
				continue
			}
			measured = true
			row += fmt.Sprintf(" %.2f %% |", share*100)
		}
		if measured {
			b.WriteString(row + "\n")
		}
	}
	return b.String()
}

// check holds the figures with all help at 100 ms to what is promised.
func (m *matrix) check(t *testing.T) {
	t.Helper()
	for _, promise := range []struct{ loss, burst, down float64 }{{0.1, 0, 0.003}, {0.3, 0, 0.01}, {0.1, 3, 0.02}} {
		for _, up := range []bool{false, true} {
			n := conditions{loss: promise.loss, burst: promise.burst, rtt: 100 * time.Millisecond, up: up, down: !up}
			most := promise.down
			if up {
				most *= 2
			}
			if share, measured := m.results[cell{n, "RED+NACK"}]; measured && share >= most {
				t.Errorf("%s %s, 100 ms: %.2f %% late, promised less than %.1f %%", n.lossName(), n.wayName(), share*100, most*100)
			}
		}
	}
}

package cluster_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mini-livechat/mini-livechat/signaling/cluster"
)

// diary is what a node was told, in order.
type diary struct {
	mu    sync.Mutex
	lines []string
}

func (d *diary) write(format string, args ...any) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.lines = append(d.lines, fmt.Sprintf(format, args...))
}

// read returns what was written since it was last read.
func (d *diary) read() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	lines := d.lines
	d.lines = nil
	return lines
}

// told has a diary kept of who comes and goes, and of what is said on the subject "x".
func told(t *testing.T, n interface {
	cluster.Bus
	cluster.Members
},
) *diary {
	t.Helper()
	var d diary
	n.Changed(func(c cluster.Change) {
		if c.Alive {
			d.write("+%s", c.Node.ID.Name)
		} else {
			d.write("-%s", c.Node.ID.Name)
		}
	})
	_, err := n.Subscribe("x", func(from cluster.NodeID, data []byte) { d.write("%s: %s", from.Name, data) })
	require.NoError(t, err)
	return &d
}

// settle is long enough for any beat to have come, or to have failed to come.
const settle = cluster.DeadAfter + 2*cluster.BeatEvery

func three(t *testing.T) (net *cluster.Simulated, a, b, c *cluster.SimulatedNode) {
	t.Helper()
	net = cluster.NewSimulated("a", "b", "c")
	a, b, c = net.Start("a"), net.Start("b"), net.Start("c")
	net.Advance(settle)
	return net, a, b, c
}

func names(nodes []cluster.Node) (names []string) {
	for i := range nodes {
		names = append(names, nodes[i].ID.Name)
	}
	return names
}

func TestSimulatedNodesSeeEachOther(t *testing.T) {
	t.Parallel()
	net, a, b, c := three(t)
	b.Say(cluster.Status{URL: "https://b.example", People: 7, Position: 12})
	net.Advance(settle)
	require.Equal(t, []string{"a", "b", "c"}, names(a.Nodes()))
	require.Equal(t, []string{"b", "a", "c"}, names(b.Nodes()), "itself first")
	require.Equal(t, b.Nodes()[0].Status, a.Nodes()[1].Status)
	require.Equal(t, "https://b.example", a.Nodes()[1].URL)

	d := told(t, a)
	net.Advance(0)
	require.ElementsMatch(t, []string{"+b", "+c"}, d.read(), "who is there is told at first")

	net.Kill("c")
	net.Advance(0)
	require.Equal(t, []string{"-c"}, d.read(), "at once, since the way is closed")
	require.True(t, a.Quorum())
	require.ErrorIs(t, c.Publish("x", nil), cluster.ErrClosed)
	b.Leave()
	net.Advance(0)
	require.Equal(t, []string{"-b"}, d.read())
	require.False(t, a.Quorum(), "one of three")

	again := net.Start("c")
	net.Advance(settle)
	require.Equal(t, []string{"+c"}, d.read())
	require.NotEqual(t, c.Self(), again.Self(), "another start")
	require.True(t, a.Quorum())
}

func TestSimulatedMessagesComeInOrder(t *testing.T) {
	t.Parallel()
	net, a, b, _ := three(t)
	d := told(t, a)
	net.Advance(0)
	d.read()
	late := 50 * time.Millisecond
	net.Delay(func(from, _ string) time.Duration {
		if from == "b" {
			late -= 10 * time.Millisecond // each would overtake the one before
			return late
		}
		return 0
	})
	data := []byte("1")
	require.NoError(t, b.Publish("x", data))
	data[0] = '2' // it is the publisher's again
	require.NoError(t, b.Publish("x", data))
	require.NoError(t, b.Publish("y", data))
	require.ErrorIs(t, b.Publish("x", make([]byte, cluster.MaxMessageBytes+1)), cluster.ErrTooLong)
	require.NoError(t, a.Publish("x", data), "not told to itself")
	net.Advance(39 * time.Millisecond)
	require.Empty(t, d.read())
	net.Advance(time.Millisecond)
	require.Equal(t, []string{"b: 1", "b: 2"}, d.read())
}

func TestSimulatedPartition(t *testing.T) {
	t.Parallel()
	for name, long := range map[string]time.Duration{"short": cluster.DeadAfter / 2, "long": 10 * time.Second} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			net, a, b, c := three(t)
			d := told(t, a)
			net.Advance(0)
			d.read()
			net.Part([]string{"a", "b"}, []string{"c"})
			require.NoError(t, c.Publish("x", []byte("lost or late")))
			require.NoError(t, b.Publish("x", []byte("heard")))
			net.Advance(long)
			healed := []string{"c: lost or late"}
			if long > cluster.DeadAfter {
				require.Equal(t, []string{"b: heard", "-c"}, d.read())
				require.False(t, c.Quorum())
				healed = []string{"+c"}
			} else {
				require.Equal(t, []string{"b: heard"}, d.read())
				require.True(t, c.Quorum(), "nobody has noticed")
			}
			require.True(t, a.Quorum())
			net.Heal()
			net.Advance(settle)
			require.Equal(t, healed, d.read())
			require.True(t, c.Quorum())
			require.NoError(t, c.Publish("x", []byte("again")))
			net.Advance(0)
			require.Equal(t, []string{"c: again"}, d.read())
		})
	}
}

// What is lost is always between the word that a node is gone and the word that it is back.
func TestSimulatedCut(t *testing.T) {
	t.Parallel()
	net, a, b, _ := three(t)
	d := told(t, a)
	net.Advance(0)
	d.read()
	net.Delay(func(string, string) time.Duration { return time.Millisecond })
	require.NoError(t, b.Publish("x", []byte("1")))
	net.Advance(time.Millisecond)
	require.NoError(t, b.Publish("x", []byte("2")))
	net.Cut("a", "b")
	require.NoError(t, b.Publish("x", []byte("3")))
	net.Advance(settle)
	require.NoError(t, b.Publish("x", []byte("4")))
	net.Advance(settle)
	require.Equal(t, []string{"b: 1", "-b", "+b", "b: 4"}, d.read())
}

func TestSimulatedRequests(t *testing.T) {
	t.Parallel()
	net := cluster.NewSimulated("a", "b")
	a, b := net.Start("a"), net.Start("b")
	net.Advance(settle)
	ctx, stop := context.WithCancel(t.Context())
	running := make(chan struct{})
	go func() {
		defer close(running)
		net.Run(ctx)
	}()
	defer func() {
		stop()
		<-running
	}()

	_, err := a.Request(t.Context(), b.Self(), "sum", nil)
	require.ErrorIs(t, err, cluster.ErrNoAnswer)
	began := make(chan struct{})
	cancel, err := b.Answer("sum", func(ctx context.Context, from cluster.NodeID, data []byte) ([]byte, error) {
		switch string(data) {
		case "fail":
			return nil, errors.New("cannot add")
		case "wait":
			close(began)
			<-ctx.Done()
			return nil, ctx.Err()
		}
		return fmt.Appendf(nil, "%s asked %s", from.Name, data), nil
	})
	require.NoError(t, err)
	_, err = b.Answer("sum", nil)
	require.Error(t, err, "answered already")
	answer, err := a.Request(t.Context(), b.Self(), "sum", []byte("1+1"))
	require.NoError(t, err)
	require.Equal(t, "a asked 1+1", string(answer))
	_, err = a.Request(t.Context(), b.Self(), "sum", []byte("fail"))
	require.Equal(t, &cluster.AnswerError{Text: "cannot add"}, err)
	_, err = a.Request(t.Context(), cluster.NodeID{Name: "b", Boot: "other"}, "sum", nil)
	require.ErrorIs(t, err, cluster.ErrGone)

	gone := make(chan error)
	go func() {
		_, err := a.Request(t.Context(), b.Self(), "sum", []byte("wait"))
		gone <- err
	}()
	<-began
	net.Kill("b")
	require.ErrorIs(t, <-gone, cluster.ErrGone, "ended by the death of who was asked")
	cancel()
}

func TestSimulatedCancel(t *testing.T) {
	t.Parallel()
	net, a, b, _ := three(t)
	var heard, changed int
	unsubscribe, err := a.Subscribe("x", func(cluster.NodeID, []byte) { heard++ })
	require.NoError(t, err)
	unwatch := a.Changed(func(cluster.Change) { changed++ })
	require.NoError(t, b.Publish("x", nil))
	net.Advance(0)
	require.Equal(t, []int{1, 2}, []int{heard, changed})
	require.NoError(t, b.Publish("x", nil))
	unsubscribe()
	unwatch()
	net.Kill("b")
	net.Advance(settle)
	require.Equal(t, []int{1, 2}, []int{heard, changed})
}

// Thirty nodes, so that what a node costs in a large cluster is not left to hope.
func TestSimulatedTraffic(t *testing.T) {
	t.Parallel()
	all := make([]string, 0, 30)
	for i := range cap(all) {
		all = append(all, fmt.Sprintf("n%02d", i))
	}
	net := cluster.NewSimulated(all...)
	first := net.Start(all[0])
	for _, name := range all[1:] {
		net.Start(name)
	}
	net.Advance(settle)
	require.Len(t, first.Nodes(), len(all))
	require.True(t, slices.IsSorted(names(first.Nodes())))
	before := first.Sent()
	net.Advance(5 * time.Second)
	sent := first.Sent()
	require.EqualValues(t, 20*29, sent.Messages-before.Messages, "four beats a second to each")
	t.Logf("%d bytes a second of beats to %d others", (sent.Bytes-before.Bytes)/5, len(all)-1)
}

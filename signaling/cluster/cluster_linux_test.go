package cluster

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/stretchr/testify/require"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"github.com/mini-livechat/mini-livechat/sfu/leaktest"
)

// patience is how long is waited for what a loaded machine does in its own time.
const patience = 30 * time.Second

// clusters counts those of this process.
var clusters atomic.Int32 //nolint:gochecknoglobals // so that no two tests take the same ports

// town is a cluster whose nodes are in this process, each with an address of its own on loopback.
type town struct {
	t     *testing.T
	peers []Peer
	dir   string
	disks map[string]string // by name, of nodes that have one of their own for all

	mu   sync.Mutex
	logs map[string]*observer.ObservedLogs
}

// found makes a town for nodes of these names, none of which is started.
func found(t *testing.T, names ...string) *town {
	t.Helper()
	leaktest.Check(t)
	// Every process has addresses that no other program takes, so that ports need not be looked for.
	pid, port := os.Getpid(), DefaultPort+int(clusters.Add(1))
	host := net.IPv4(127, byte(64+pid>>16&63), byte(pid>>8), byte(1+pid&0xff%254)).String()
	tw := &town{t: t, dir: t.TempDir(), logs: make(map[string]*observer.ObservedLogs)}
	for i, name := range names {
		tw.peers = append(tw.peers, Peer{name, net.JoinHostPort(host, strconv.Itoa(port+1000*i))})
	}
	return tw
}

func (tw *town) config(name string) Config {
	core, logs := observer.New(zapcore.InfoLevel)
	tw.mu.Lock()
	tw.logs[name] = logs
	tw.mu.Unlock()
	dir := filepath.Join(tw.dir, name)
	if disk := tw.disks[name]; disk != "" {
		dir = filepath.Join(disk, "log")
	}
	return Config{
		Name: name, Secret: bytes.Repeat([]byte("s"), MinSecretBytes), Keys: func([]byte) []string { return []string{"k1"} },
		Peers: tw.peers, Dir: dir, Status: func() Status { return Status{URL: "https://" + name} },
		Log: zap.New(core),
	}
}

// start starts a node; it is closed at the end of the test unless it was before.
func (tw *town) start(name string, change ...func(*Config)) *Cluster {
	tw.t.Helper()
	cfg := tw.config(name)
	for _, f := range change {
		f(&cfg)
	}
	c, err := Open(cfg)
	require.NoError(tw.t, err)
	c.Begin()
	tw.t.Cleanup(func() { _ = c.Close() })
	return c
}

// see waits until a node sees these others.
func (tw *town) see(c *Cluster, others ...string) {
	tw.t.Helper()
	require.Eventually(tw.t, func() bool {
		return slices.EqualFunc(c.Nodes()[1:], others, func(n Node, name string) bool { return n.ID.Name == name })
	}, patience, 10*time.Millisecond, "%s should see %v", c.Self().Name, others)
}

// says waits until a node has said this in its log, about a node.
func (tw *town) says(name, about, words string) {
	tw.t.Helper()
	tw.mu.Lock()
	logs := tw.logs[name]
	tw.mu.Unlock()
	require.Eventually(tw.t, func() bool {
		for _, line := range logs.All() {
			if strings.Contains(line.Message, words) && fmt.Sprint(line.ContextMap()["node"]) == about {
				return true
			}
		}
		return false
	}, patience, 10*time.Millisecond, "%s should say of %s: %s", name, about, words)
}

func TestThreeNodes(t *testing.T) {
	tw := found(t, "a", "b", "c")
	a := tw.start("a")
	require.False(t, a.Quorum(), "alone of three")
	require.Equal(t, "awaited", a.Reports()[1].State)
	b, c := tw.start("b"), tw.start("c")
	for _, n := range []*Cluster{a, b, c} {
		var others []string
		for _, p := range tw.peers {
			if p.Name != n.Self().Name {
				others = append(others, p.Name)
			}
		}
		tw.see(n, others...)
		require.True(t, n.Quorum())
	}
	require.Equal(t, "https://b", a.Nodes()[1].URL)
	heard := make(chan string, 100)
	unsubscribe, err := c.Subscribe("x", func(from NodeID, data []byte) { heard <- from.Name + ": " + string(data) })
	require.NoError(t, err)
	_, err = b.Answer("sum", func(_ context.Context, from NodeID, data []byte) ([]byte, error) {
		return append([]byte(from.Name+" "), data...), nil
	})
	require.NoError(t, err)
	require.Eventually(t, func() bool { // NATS tells the others who listens in its own time
		require.NoError(t, a.Publish("x", []byte("1")))
		return len(heard) > 0
	}, patience, 10*time.Millisecond)
	require.Equal(t, "a: 1", <-heard)
	unsubscribe()
	unsubscribe() // once more, which is nothing
	answer, err := a.Request(t.Context(), b.Self(), "sum", []byte("2"))
	require.NoError(t, err)
	require.Equal(t, "a 2", string(answer))

	for name, logs := range tw.logs {
		for _, l := range logs.All() {
			require.LessOrEqual(t, l.Level, zap.InfoLevel, "nothing was wrong, but %s said: %s", name, l.Message)
		}
	}
	gone := make(chan Change, 10)
	a.Changed(func(c Change) {
		if !c.Alive {
			gone <- c
		}
	})
	began := time.Now()
	require.NoError(t, b.Close())
	change := <-gone
	t.Logf("%s: %s, after %v", change.Node.ID.Name, change.Why, time.Since(began))
	tw.see(a, "c")
	require.True(t, a.Quorum())
	_, err = a.Request(t.Context(), b.Self(), "sum", nil)
	require.ErrorIs(t, err, ErrGone)
	b = tw.start("b")
	tw.see(a, "b", "c")
	tw.see(b, "a", "c")
}

func TestWhoIsRefused(t *testing.T) {
	tw := found(t, "a", "b", "c")
	a := tw.start("a")
	tw.start("b")
	tw.see(a, "b")
	for _, one := range []struct {
		name   string
		change func(*Config)
		words  string // that both say
	}{
		{"another secret", func(c *Config) { c.Secret = bytes.Repeat([]byte("x"), MinSecretBytes) }, "another cluster secret"},
		{"another version", func(c *Config) { c.protocol = Protocol + 1 }, "version"},
		{"other secrets for tokens", func(c *Config) { c.Keys = func([]byte) []string { return []string{"k2"} } }, "tokens"},
	} {
		c := tw.start("c", one.change)
		for _, name := range []string{"a", "b"} {
			tw.says(name, "c", one.words)
			tw.says("c", name, one.words)
		}
		tw.see(c)
		tw.see(a, "b")
		require.True(t, a.Quorum())
		require.False(t, c.Quorum())
		report := a.Reports()[2]
		require.Equal(t, []string{"c", "refused"}, []string{report.ID.Name, report.State}, one.name)
		require.Contains(t, report.Why, one.words)
		require.NoError(t, c.Close())
	}
	tw.start("c") // as it should be
	tw.see(a, "b", "c")
	require.Equal(t, "here", a.Reports()[2].State, "forgiven")
}

func TestTwoNodesOfOneName(t *testing.T) {
	tw := found(t, "a", "b", "c")
	a, b := tw.start("a"), tw.start("b")
	tw.see(a, "b")
	// It took over b's configuration, and only its address is its own.
	second := tw.start("b", func(c *Config) {
		c.Listen, c.Dir = tw.peers[2].Address, filepath.Join(tw.dir, "second")
	})
	tw.says("a", "b", "two nodes of this name")
	tw.see(a, "b")
	require.Equal(t, b.Self(), a.Nodes()[1].ID, "the first stays")
	require.False(t, second.Quorum())
}

// A node that is not in the others' list is refused, and so is one whose list has other names; it says so itself, too.
func TestNodeThatIsNotInTheList(t *testing.T) {
	tw := found(t, "a", "b", "c", "d", "e")
	short := func(c *Config) { c.Peers = tw.peers[:3] }
	a := tw.start("a", short)
	tw.start("b", short)
	tw.see(a, "b")
	d := tw.start("d", func(c *Config) { c.Peers = tw.peers[:4] })
	tw.says("a", "d", "not in --cluster-peers")
	tw.see(a, "b")
	tw.see(d)
	tw.start("c")
	tw.says("a", "c", "other --cluster-peers (a, b, c, d, e) than this node (a, b, c)")
	tw.says("c", "a", "other --cluster-peers (a, b, c) than this node (a, b, c, d, e)")
	tw.see(a, "b")
}

// While the list is changed, by one name, nodes that have it and nodes that had it are one server, and say so.
func TestListThatIsChanged(t *testing.T) {
	tw := found(t, "a", "b", "c", "d")
	a := tw.start("a", func(c *Config) { c.Peers = tw.peers[:3] })
	b := tw.start("b", func(c *Config) { c.Peers = slices.Concat(tw.peers[:2], tw.peers[3:]) }) // d for c
	tw.see(a, "b")
	tw.see(b, "a")
	tw.says("a", "b", "while the list is changed: it has other --cluster-peers (a, b, d) than this node (a, b, c)")
	require.True(t, a.Quorum())
	require.True(t, b.Quorum())
}

func TestClockThatIsWrong(t *testing.T) {
	tw := found(t, "a", "b")
	a := tw.start("a")
	b := tw.start("b", func(c *Config) { c.ahead = time.Hour })
	tw.says("a", "b", "clock")
	tw.says("b", "a", "clock")
	tw.see(a, "b")
	tw.see(b, "a")
	require.InDelta(t, time.Hour.Seconds(), a.Reports()[1].Clock.Seconds(), 5)
	require.True(t, a.Quorum())
	require.Eventually(t, func() bool { return a.Reports()[1].RoundTrip > 0 }, patience, 10*time.Millisecond)
}

func TestWhyANodeDoesNotAnswer(t *testing.T) {
	tw := found(t, "a", "b")
	a := tw.start("a")
	require.Contains(t, a.absent(t.Context(), tw.peers[1]), "nobody is at "+tw.peers[1].Address+": connect: connection refused")
	require.Contains(t, a.absent(t.Context(), Peer{Name: "c", Address: "nowhere.invalid:6222"}), "nowhere.invalid")
	tw.start("b")
	require.Contains(t, a.absent(t.Context(), tw.peers[1]), "says in its log why")
}

// Of three, the one whose clock is off goes by the others', and keeps to that when they are gone.
func TestClockThatMostSayIsWrong(t *testing.T) {
	for _, off := range []time.Duration{time.Hour, -time.Hour} {
		tw := found(t, "a", "b", "c")
		a := tw.start("a")
		b := tw.start("b")
		c := tw.start("c", func(c *Config) { c.ahead = off })
		tw.says("c", "c", ownClockOff)
		tw.says("a", "c", clockOff)
		for _, n := range []*Cluster{a, b} {
			require.Eventually(t, n.Agreed, patience, 10*time.Millisecond)
			require.WithinDuration(t, time.Now(), n.Now(), clockApart)
		}
		require.InDelta(t, off.Seconds(), c.Reports()[0].Clock.Seconds(), clockApart.Seconds())
		// What is another clock to the others is the right one to this test.
		require.WithinDuration(t, time.Now().Add(-off), c.Now(), clockApart)
		require.NoError(t, a.Close())
		require.NoError(t, b.Close())
		require.Eventually(t, func() bool { return len(c.Nodes()) == 1 }, patience, 10*time.Millisecond)
		require.WithinDuration(t, time.Now().Add(-off), c.Now(), clockApart)
		require.NoError(t, c.Close())
	}
}

// A node that is killed says nothing, but its sockets close.
func TestNodeThatIsKilled(t *testing.T) {
	tw := found(t, "a", "b", "c")
	a, b, c := tw.start("a"), tw.start("b"), tw.start("c")
	tw.see(a, "b", "c")
	tw.see(b, "a", "c") // which answers nobody else
	gone := make(chan Change, 10)
	a.Changed(func(c Change) {
		if !c.Alive {
			gone <- c
		}
	})
	asked := make(chan error, 1)
	begun := make(chan struct{})
	_, err := b.Answer("wait", func(ctx context.Context, _ NodeID, _ []byte) ([]byte, error) {
		close(begun)
		<-ctx.Done()
		return nil, ctx.Err()
	})
	require.NoError(t, err)
	go func() {
		_, err := a.Request(t.Context(), b.Self(), "wait", nil)
		asked <- err
	}()
	select {
	case <-begun:
	case err := <-asked:
		t.Fatal(err)
	}
	b.begun.Store(false) // so that it says no farewell
	b.server.Shutdown()
	change := <-gone
	require.Equal(t, "b", change.Node.ID.Name)
	require.Equal(t, "the way to it is closed", change.Why)
	require.ErrorIs(t, <-asked, ErrGone)
	require.NoError(t, b.Close())
	b = tw.start("b")
	tw.see(a, "b", "c")
	tw.see(c, "a", "b")
}

func TestPortThatIsTaken(t *testing.T) {
	tw := found(t, "a", "b")
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", tw.peers[0].Address)
	require.NoError(t, err)
	defer l.Close()
	_, err = Open(tw.config("a"))
	var taken *ListenError
	require.ErrorAs(t, err, &taken)
	require.ErrorContains(t, err, tw.peers[0].Address)
}

// A NATS that exists carries what nodes say as the ones inside do.
func TestNATSElsewhere(t *testing.T) {
	tw := found(t, "a", "b", "c")
	elsewhere, err := server.NewServer(&server.Options{Host: "127.0.0.1", Port: server.RANDOM_PORT, NoSigs: true, NoLog: true})
	require.NoError(t, err)
	elsewhere.Start()
	t.Cleanup(elsewhere.WaitForShutdown)
	require.True(t, elsewhere.ReadyForConnections(patience))
	there := func(c *Config) { c.NATS = []string{elsewhere.ClientURL()} }
	a, b := tw.start("a", there), tw.start("b", there)
	tw.see(a, "b")
	tw.see(b, "a")
	require.True(t, a.Quorum())
	tw.start("c", there, func(c *Config) { c.Secret = bytes.Repeat([]byte("x"), MinSecretBytes) })
	tw.says("a", "c", "another cluster secret")
	tw.says("c", "a", "another cluster secret")
	tw.see(a, "b")
	elsewhere.Shutdown()
	tw.see(a)
	require.False(t, a.Quorum())
}

package cluster

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mini-livechat/mini-livechat/signaling/store"
)

// beNode has the test binary be a node that writes until it is killed: its name, the peers and the directory of all, as JSON.
const beNode = "TEST_CLUSTER_BE_NODE"

// killsOf is how often TestKilledNodes kills a node.
const killsOf = "LIVECHAT_KILLS"

// killedNode is what such a node is told.
type killedNode struct {
	Name  string
	Life  int
	Peers []Peer
	Dir   string
}

// TestMain runs the tests, or a node.
func TestMain(m *testing.M) {
	if text := os.Getenv(beNode); text != "" {
		if err := writeUntilKilled(text); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// writeUntilKilled writes facts, and prints the name of each that is acknowledged. When its input ends it writes no more, waits for the others,
// prints "over" and ends.
func writeUntilKilled(text string) error {
	var n killedNode
	if err := json.Unmarshal([]byte(text), &n); err != nil {
		return err
	}
	tw := &town{peers: n.Peers, dir: n.Dir, logs: nil}
	k, err := tw.keepQuietly(context.Background(), n.Name)
	if err != nil {
		return err
	}
	ctx, stop := context.WithCancel(context.Background())
	var writing sync.WaitGroup
	for w := range 2 {
		writing.Go(func() {
			for i := 0; ctx.Err() == nil; i++ {
				name := fmt.Sprintf("%s-%d-%d-%d", n.Name, n.Life, w, i)
				if _, err := k.store.Append(context.WithoutCancel(ctx), noon, done(name)); err == nil {
					_, _ = fmt.Fprintln(os.Stdout, name) // one write
				} else if !errors.Is(err, store.ErrUnsettled) {
					_, _ = fmt.Fprintln(os.Stderr, n.Name, err)
				}
				time.Sleep(20 * time.Millisecond) // thousands are enough
			}
		})
	}
	_, _ = bufio.NewReader(os.Stdin).ReadString('\n')
	stop()
	writing.Wait()
	_, _ = fmt.Fprintln(os.Stdout, "over")
	_, _ = bufio.NewReader(os.Stdin).ReadString('\n')
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
		if last, err := k.log.Last(ctx); err == nil && last == k.store.Position() {
			break
		}
	}
	return errors.Join(k.store.Close(), k.Close())
}

// TestKilledNodes kills nodes that write, one of three at a time and again and again: what was acknowledged is on all, once, and all have the
// same. Without LIVECHAT_KILLS, how often, it is skipped, since each election takes some seconds.
func TestKilledNodes(t *testing.T) {
	kills, err := strconv.Atoi(os.Getenv(killsOf))
	if err != nil {
		t.Skip(killsOf + " is not set; make cluster does")
	}
	tw := found(t, "n1", "n2", "n3")
	var mu sync.Mutex // guards the field below
	acknowledged := map[string]bool{}
	type life struct {
		cmd   *exec.Cmd
		stop  func() // its input ends
		first chan struct{}
		over  chan struct{}
		ended chan struct{}
	}
	start := func(i, number int) *life {
		t.Helper()
		text, err := json.Marshal(killedNode{tw.peers[i].Name, number, tw.peers, tw.dir})
		require.NoError(t, err)
		l := &life{cmd: exec.Command(os.Args[0]), first: make(chan struct{}), over: make(chan struct{}), ended: make(chan struct{})} //nolint:noctx // killed below
		l.cmd.Env = append(os.Environ(), beNode+"="+string(text))
		l.cmd.Stderr = os.Stderr
		in, err := l.cmd.StdinPipe()
		require.NoError(t, err)
		l.stop = func() { _, _ = fmt.Fprintln(in) }
		out, err := l.cmd.StdoutPipe()
		require.NoError(t, err)
		require.NoError(t, l.cmd.Start())
		go func() {
			defer close(l.ended)
			lines := bufio.NewScanner(out)
			for n := 0; lines.Scan(); n++ {
				if n == 0 {
					close(l.first)
				}
				if lines.Text() == "over" {
					close(l.over)
					continue
				}
				mu.Lock()
				acknowledged[lines.Text()] = true
				mu.Unlock()
			}
			_ = l.cmd.Wait()
		}()
		t.Cleanup(func() {
			_ = l.cmd.Process.Kill()
			<-l.ended
		})
		return l
	}
	wait := func(what string, c <-chan struct{}) {
		t.Helper()
		select {
		case <-c:
		case <-time.After(4 * patience):
			t.Fatal("never came: ", what)
		}
	}
	lives := make([]*life, len(tw.peers))
	for i := range lives {
		lives[i] = start(i, 0)
	}
	for i := range lives {
		wait("the first write", lives[i].first)
	}
	for number := 1; number <= kills; number++ {
		i := rand.IntN(len(lives))
		time.Sleep(time.Duration(rand.IntN(500)) * time.Millisecond) // a moment of chance
		require.NoError(t, lives[i].cmd.Process.Kill())
		<-lives[i].ended
		time.Sleep(time.Duration(rand.IntN(2000)) * time.Millisecond)
		lives[i] = start(i, number)
		wait("a write after a kill", lives[i].first)
	}
	for _, l := range lives {
		l.stop()
	}
	for _, l := range lives {
		wait("the end of writing", l.over)
	}
	for _, l := range lives {
		l.stop()
	}
	for _, l := range lives {
		wait("the end", l.ended)
	}
	var first []string
	for i, p := range tw.peers {
		opened, err := store.OpenShared(tw.database(p.Name), &store.Share{Cluster: tw.clusterOf(p.Name), Log: nowhere{}})
		require.NoError(t, err)
		all := deeds(t, opened)
		require.NoError(t, opened.Close())
		seen := map[string]bool{}
		for _, name := range all {
			require.False(t, seen[name], "%s was applied twice", name)
			seen[name] = true
		}
		for name := range acknowledged {
			require.True(t, seen[name], "%s was acknowledged, and is not on %s", name, p.Name)
		}
		if i == 0 {
			first = all
		}
		require.Equal(t, first, all, "%s is another than n1", p.Name)
	}
	t.Logf("%d kills, %d acknowledged, %d written: none lost, none twice, all the same", kills, len(acknowledged), len(first))
}

// clusterOf is whose a node's database is.
func (tw *town) clusterOf(name string) string {
	s, err := store.StandingOf(tw.t.Context(), tw.database(name))
	require.NoError(tw.t, err)
	return s.Cluster
}

// nowhere is a log that cannot be reached.
type nowhere struct{}

func (nowhere) Publish(context.Context, string, []byte) error { return ErrGone }
func (nowhere) Last(context.Context) (uint64, error)          { return 0, ErrGone }
func (nowhere) Follow(context.Context, uint64, func(uint64, []byte) error) error {
	return ErrGone
}

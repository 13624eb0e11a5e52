package cluster

import (
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestMachineUnderAnotherName replaces a machine by one of another name, one node after the other, and then has the log bear the loss
// of one that was there before: it must not wait for the one that is gone for good. With make cluster.
func TestMachineUnderAnotherName(t *testing.T) {
	withElections(t)
	tw := found(t, "n1", "n2", "n3", "n4")
	all := tw.peers
	tw.peers = all[:3:3]
	nodes := tw.keepAll("n1", "n2", "n3")
	nodes[0].write(t, done("before"))

	nodes[2].close(t)
	tw.peers = slices.Concat(all[:2], all[3:])
	nodes[1].close(t)
	second := tw.keepAll("n2")[0]
	tw.see(nodes[0].Cluster, "n2") // by whose list there is no n3
	nodes[0].write(t, done("between"))
	nodes[0].close(t)
	nodes = tw.keepAll("n1", "n4")
	first, fourth := nodes[0], nodes[1]
	defer endAll(t, []*keeper{first, fourth})
	first.write(t, done("after"))
	require.Eventually(t, func() bool {
		for _, name := range []string{"n1", "n2", "n4"} {
			tw.mu.Lock()
			logs := tw.logs[name].FilterMessageSnippet("waits no more for a node").Len()
			tw.mu.Unlock()
			if logs > 0 {
				return true
			}
		}
		return false
	}, 3*patience, 20*time.Millisecond, "nobody let go of n3")
	require.Eventually(t, func() bool { // what n3 held, n4 does
		info, err := first.log.info(t.Context())
		if err != nil || info.Cluster == nil || len(info.Cluster.Replicas) != 2 {
			return false
		}
		for _, r := range info.Cluster.Replicas {
			if !r.Current || r.Offline || strings.Contains(r.Name, "n3") {
				return false
			}
		}
		return true
	}, 3*patience, 20*time.Millisecond, "the log is not on n1, n2 and n4")

	second.close(t)
	fourth.write(t, done("without n2"))
	require.Eventually(t, func() bool { return len(deeds(t, first.store)) == 4 }, patience, 10*time.Millisecond)
	require.Equal(t, deeds(t, first.store), deeds(t, fourth.store))
}

// TestMoreNodes has two nodes become three: the log is on the third, too. With make cluster.
func TestMoreNodes(t *testing.T) {
	withElections(t)
	tw := found(t, "n1", "n2", "n3")
	all := tw.peers
	tw.peers = all[:2:2]
	nodes := tw.keepAll("n1", "n2")
	nodes[0].write(t, done("two"))
	endAll(t, nodes)
	tw.peers = all
	nodes = tw.keepAll("n1", "n2", "n3")
	require.Eventually(t, func() bool {
		info, err := nodes[0].log.info(t.Context())
		if err != nil || info.Config.Replicas != 3 || info.Cluster == nil || len(info.Cluster.Replicas) != 2 {
			return false
		}
		return info.Cluster.Replicas[0].Current && info.Cluster.Replicas[1].Current
	}, 4*patience, 20*time.Millisecond, "the log is not on three nodes")
	endAll(t, nodes)
}

// withElections skips a test that waits for several of JetStream's elections, of some seconds each, unless make cluster runs it.
func withElections(t *testing.T) {
	t.Helper()
	if os.Getenv(killsOf) == "" {
		t.Skip("see make cluster")
	}
}

// endAll stops nodes at the same time.
func endAll(t *testing.T, nodes []*keeper) {
	t.Helper()
	var ending sync.WaitGroup
	for _, k := range nodes {
		ending.Go(func() {
			if err := k.store.Close(); err != nil {
				t.Error(err)
			}
			k.log.Close()
			if err := k.Close(); err != nil {
				t.Error(err)
			}
		})
	}
	ending.Wait()
}

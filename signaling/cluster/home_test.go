package cluster_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/mini-livechat/mini-livechat/signaling/cluster"
)

// Homes are spread evenly, whatever the nodes are called, agree whatever the order, and stay when another node goes.
func TestHome(t *testing.T) {
	t.Parallel()
	const keys = 3000
	for _, names := range [][]string{{"n1", "n2", "n3"}, {"a.example.org", "b.example.org"}, {"x", "y", "z", "q", "longer-name"}} {
		nodes := make([]cluster.NodeID, 0, len(names))
		for _, name := range names {
			nodes = append(nodes, cluster.NodeID{Name: name, Boot: "1"})
		}
		count := make(map[string]int)
		for i := range keys {
			key := fmt.Sprintf("channel-%d", i)
			home, ok := cluster.Home(key, nodes)
			require.True(t, ok)
			count[home.Name]++

			turned := slices.Clone(nodes)
			slices.Reverse(turned)
			same, _ := cluster.Home(key, turned)
			require.Equal(t, home, same)
			if home.Name != names[0] {
				same, _ = cluster.Home(key, nodes[1:])
				require.Equal(t, home, same, "it had nothing to do with %s", names[0])
			}
		}
		for name, n := range count {
			require.InDelta(t, keys/len(names), n, keys/float64(len(names))*0.15, "%s of %v", name, names)
		}
	}
	_, ok := cluster.Home("key", nil)
	require.False(t, ok)
}

package protocol

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
)

// Those of a node that is gone are spread over all others, and nobody else changes places.
func TestNodesForSpreadsPeople(t *testing.T) {
	nodes := []string{"https://one.example.org", "https://two.example.org", "https://three.example.org", "https://four.example.org"}
	const people = 4000
	first, second := map[string]int{}, map[string]int{}
	for i := range people {
		ordered := NodesFor(fmt.Sprint("guest-", i), nodes)
		require.ElementsMatch(t, nodes, ordered)
		first[ordered[0]]++
		if ordered[0] == nodes[0] {
			second[ordered[1]]++
		}
		require.Equal(t, without(ordered, nodes[0]), NodesFor(fmt.Sprint("guest-", i), nodes[1:]))
	}
	for _, node := range nodes {
		require.InDelta(t, people/4, first[node], people/20, node)
	}
	for _, node := range nodes[1:] {
		require.InDelta(t, first[nodes[0]]/3, second[node], people/20, node)
	}
}

func without(nodes []string, gone string) (left []string) {
	for _, node := range nodes {
		if node != gone {
			left = append(left, node)
		}
	}
	return left
}

// PROTOCOL.md gives these, for who writes a client.
func TestNodeScore(t *testing.T) {
	for _, test := range []struct {
		user, url string
		score     uint32
	}{{"ada", "https://one.example.org", 0xc27c015c}, {"ada", "https://two.example.org", 0x4b3e1c1d}, {"민수", "https://one.example.org", 0x30f388c1}} {
		require.Equal(t, test.score, nodeScore(test.user, test.url), test.user)
	}
}

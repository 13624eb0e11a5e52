package app

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	between "github.com/mini-livechat/mini-livechat/sfu/relay"
	"github.com/mini-livechat/mini-livechat/signaling/cluster"
)

// People are told of a node whose voice does not come: not at once of one that has just come, and of none that has gone.
func TestSoundOfOtherNodes(t *testing.T) {
	t.Parallel()
	s := newSound()
	now := time.Now()
	node := cluster.Node{ID: cluster.NodeID{Name: "n2", Boot: "1"}}
	var told []bool
	judge := func(there ...cluster.Node) {
		s.judge(there, now, func(id cluster.NodeID, is bool) {
			require.Equal(t, node.ID, id)
			told = append(told, is)
		})
	}
	judge(node)
	now = now.Add(firstLink - time.Millisecond)
	judge(node)
	require.Empty(t, told, "the link may take a while")
	now = now.Add(time.Millisecond)
	judge(node)
	require.Equal(t, []bool{true}, told, "it has never come up")
	s.changed(between.Node(node.ID), true)
	judge(node)
	require.Equal(t, []bool{true, false}, told)
	s.changed(between.Node(node.ID), false)
	now = time.Now()
	judge(node)
	require.Len(t, told, 2, "it may just be made anew")
	now = now.Add(nextLink)
	judge(node)
	judge(node)
	require.Equal(t, []bool{true, false, true}, told)
	judge()
	require.Equal(t, []bool{true, false, true, false}, told, "who is gone is not apart")
	require.Empty(t, s.down)
	require.Empty(t, s.seen)
}

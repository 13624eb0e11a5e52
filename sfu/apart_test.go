package sfu

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// While no voice comes of a node, its members are apart: those who were there, those who come, and whoever takes over from another node.
func TestApart(t *testing.T) {
	c, spread, notifier := newSpreadChannel(t, 10)
	put := func(node, user string, rank uint64) {
		require.True(t, c.PutMirror(Mirror{Node: node, Rank: rank, MemberInfo: MemberInfo{UserID: user, Name: user}}))
	}
	join(t, c, "ada", newConn(t, 1, 2))
	put("n1", "bob", 1)
	put("n2", "dan", 1)
	put("n2", "bob", 0) // hidden
	spread.take()
	notifier.take()
	states := func() (told []string) {
		for _, call := range notifier.take() {
			require.Equal(t, []string{"ada"}, call.to)
			e, ok := call.event.(MediaStateChanged)
			if !ok {
				continue
			}
			state := " together"
			if e.Member.Apart {
				state = " apart"
			}
			told = append(told, e.Member.UserID+state)
		}
		return told
	}
	c.hub.SetApart("n1", true)
	c.hub.SetApart("n1", true)
	require.Equal(t, []string{"bob apart"}, states())
	put("n1", "cyd", 1)
	put("n1", "bob", 1) // said again
	require.Empty(t, states())
	for _, m := range c.Members() {
		require.Equal(t, m.UserID == "bob" || m.UserID == "cyd", m.Apart, m.UserID)
	}
	c.DropMirror("n1", "bob", LeaveGone)
	require.Equal(t, []string{"bob together"}, states(), "by the other node they are heard")
	c.hub.SetApart("n2", true)
	require.Equal(t, []string{"dan apart", "bob apart"}, func() []string {
		told := states()
		if len(told) == 2 && told[0] == "bob apart" {
			told[0], told[1] = told[1], told[0]
		}
		return told
	}())
	c.hub.SetApart("n1", false)
	require.Equal(t, []string{"cyd together"}, states())
	require.Empty(t, spread.take(), "of other nodes' members this one has nothing to say")
}

package main

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mini-livechat/mini-livechat/signaling/protocol"
)

// How far a clock is off is said in words, and what to do, but not what NTP leaves.
func TestNodesSayWhoseClockIsOff(t *testing.T) {
	t.Parallel()
	all := &protocol.AdminNodes{TimeKnown: true, Nodes: []protocol.AdminNode{
		{Name: "n1", State: "here", Self: true, ClockMS: 900},
		{Name: "n2", State: "here", ClockMS: time.Hour.Milliseconds()},
		{Name: "n3", State: "here", ClockMS: -90_300},
	}}
	require.Equal(t, "here, this one", nodeState(&all.Nodes[0]))
	require.Equal(t, "here, clock 1h0m0s ahead", nodeState(&all.Nodes[1]))
	require.Equal(t, "here, clock 1m30s behind", nodeState(&all.Nodes[2]))
	require.Empty(t, clockWords(all, &all.Nodes[0]))
	require.Contains(t, clockWords(all, &all.Nodes[1]), "The clock of n2 is 1h0m0s ahead. It goes by that of most nodes instead")
	all.TimeKnown = false
	require.Contains(t, clockWords(all, &all.Nodes[2]), "The clock of n3 is 1m30s behind, if that of n1 is right")
}

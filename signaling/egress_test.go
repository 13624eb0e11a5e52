package signaling

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestEgressKeepsOrderAndItsLimit(t *testing.T) {
	overflows := 0
	e := newEgress(100, func() { overflows++ })
	require.Nil(t, e.pop())
	next, want := byte(0), byte(0)
	push := func(n int) {
		for range n {
			require.True(t, e.push(&outbound{reply: []byte{next}}))
			next++
		}
	}
	pop := func(n int) {
		for range n {
			frame := e.pop()
			require.NotNil(t, frame)
			require.Equal(t, []byte{want}, frame.reply)
			want++
		}
	}
	for round := range 20 { // half popped before more comes, so that the memory is used again
		push(40 + round)
		require.Len(t, e.ready, 1)
		pop(20 + round)
		push(10)
		pop(30)
		require.Zero(t, e.len())
		require.Nil(t, e.waiting, "a burst's memory is not kept")
	}
	push(100)
	require.Less(t, cap(e.waiting), 300)
	require.False(t, e.push(&outbound{}))
	require.False(t, e.push(&outbound{}))
	require.Equal(t, 1, overflows)
	pop(100)
	require.False(t, e.push(&outbound{}), "after a gap nothing follows")
	require.Nil(t, e.pop())
}

package signaling

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/mini-livechat/mini-livechat/signaling/protocol"
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

// What may be left out is, before it could fill the queue.
func TestEgressLeavesOutWhatIsDroppable(t *testing.T) {
	e := newEgress(8, func() { t.Error("overflow") })
	speakers, err := protocol.EncodeEvent(protocol.OpSpeakers, protocol.Speakers{})
	require.NoError(t, err)
	message, err := protocol.EncodeEvent(protocol.OpMessageEvent, protocol.MessageEvent{})
	require.NoError(t, err)
	for range 4 {
		require.True(t, e.push(&outbound{event: speakers}))
	}
	require.False(t, e.push(&outbound{event: speakers}))
	for range 4 {
		require.True(t, e.push(&outbound{event: message}), "there is room for what matters")
	}
	require.Equal(t, 8, e.len())
	for range 5 {
		e.pop()
	}
	require.True(t, e.push(&outbound{event: speakers}))
}

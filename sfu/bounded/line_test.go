package bounded

import (
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestTheQuietestGivesWay(t *testing.T) {
	t.Parallel()
	var gone []string
	line := NewLine[string](3)
	enter := func(who string) { line.Enter(who, func() { gone = append(gone, who) }) }
	for _, who := range []string{"a", "b", "c"} {
		enter(who)
	}
	require.Empty(t, gone)
	line.Touch("a")
	enter("d")
	require.Equal(t, []string{"b"}, gone, "it has been quiet for longer than a")
	line.Touch("b")
	require.False(t, line.Leave("b"), "who gave way is out")
	require.True(t, line.Leave("c"))
	require.False(t, line.Leave("c"))
	require.Equal(t, 2, line.Len())
	enter("a") // anew, behind d
	enter("e")
	require.Equal(t, []string{"b"}, gone, "who entered again counts once")
	enter("f")
	enter("g")
	require.Equal(t, []string{"b", "d", "a"}, gone)
	require.Equal(t, 3, line.Len())
}

func TestLineHasRoomForOne(t *testing.T) {
	t.Parallel()
	line, gone := NewLine[int](0), 0
	for who := range 4 {
		line.Enter(who, func() { gone++ })
		require.Equal(t, 1, line.Len())
	}
	require.Equal(t, 3, gone)
}

// Whatever many do at once, each leaves once: by itself, or to give way.
func TestLineOfMany(t *testing.T) {
	t.Parallel()
	const most, workers, each = 8, 8, 2000
	line := NewLine[int](most)
	var left, gaveWay atomic.Int64
	var all sync.WaitGroup
	for worker := range workers {
		all.Go(func() {
			for i := range each {
				who := worker*each + i
				line.Enter(who, func() {
					gaveWay.Add(1)
					if line.Leave(who) { // its lock is free, and it is out
						t.Error("who gives way is still in the line")
					}
				})
				line.Touch(who - 1)
				if i%2 == 0 && line.Leave(who) {
					left.Add(1)
				}
				if n := line.Len(); n > most {
					t.Errorf("%d in a line of %d", n, most)
				}
			}
		})
	}
	all.Wait()
	require.EqualValues(t, workers*each, left.Load()+gaveWay.Load()+int64(line.Len()))
	require.Len(t, line.places, line.Len())
	require.NotContains(t, slices.Collect(func(yield func(bool) bool) {
		for place := line.order.Front(); place != nil; place = place.Next() {
			who, _ := place.Value.(*waiting[int])
			if !yield(line.places[who.who] == place) {
				return
			}
		}
	}), false)
}

package tally

import (
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestTally(t *testing.T) {
	t.Parallel()
	var none *Tally
	none.Count("a")
	require.Empty(t, none.Counts())

	var one Tally
	require.Empty(t, one.Counts())
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for range 100 {
				one.Count("a")
			}
		})
	}
	all.Wait()
	one.Count("b")
	counts := one.Counts()
	require.Equal(t, map[string]int64{"a": 800, "b": 1}, counts)
	counts["a"] = 0
	require.EqualValues(t, 800, one.Counts()["a"], "a copy")
}

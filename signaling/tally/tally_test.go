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
	require.Len(t, one.Counts(), len(Reasons()))
	require.Contains(t, one.Counts(), "http_crowded", "before it happens")
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
	require.EqualValues(t, 800, counts["a"])
	require.EqualValues(t, 1, counts["b"])
	require.Zero(t, counts["http_crowded"])
	counts["a"] = 0
	require.EqualValues(t, 800, one.Counts()["a"], "a copy")
}

package bounded

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestBucket(t *testing.T) {
	t.Parallel()
	rate := PerSecond(100, 50*time.Millisecond) // five at once
	for name, test := range map[string]struct {
		every time.Duration
		n     int
		took  int // of a thousand tries
	}{
		"as fast as it may be":    {10 * time.Millisecond, 1, 1000},
		"twice as fast":           {5 * time.Millisecond, 1, 504},
		"all at once":             {0, 1, 5},
		"two units each":          {10 * time.Millisecond, 2, 502},
		"more than there ever is": {time.Second, 6, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var taking, spending Bucket
			now, took, spent := time.Unix(1e9, 0), 0, 0
			for range 1000 {
				if taking.Take(rate, test.n, now) {
					took++
				}
				if !spending.Empty(rate, now) {
					spending.Spend(rate, test.n, now)
					spent++
				}
				now = now.Add(test.every)
			}
			require.InDelta(t, test.took, took, 1)
			if test.took > 0 {
				require.InDelta(t, test.took, spent, 2, "to spend is to take, but for the last")
			}
		})
	}
	require.False(t, new(Bucket).Empty(Rate{}, time.Unix(1e9, 0)), "no bound")
	var b Bucket
	b.Spend(Rate{}, 1000, time.Unix(1e9, 0))
	require.False(t, b.Empty(Rate{}, time.Unix(1e9, 0)), "no bound")
}

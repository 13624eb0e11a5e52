package quality

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// The scores of G.107, table B.1: what users say at the limits of its categories.
func TestMOSOfG107(t *testing.T) {
	t.Parallel()
	for r, want := range map[float64]float64{-1: 1, 0: 1, 5: 1, 50: 2.58, 60: 3.10, 70: 3.60, 80: 4.024, 90: 4.34, 93.2: 4.41, 100: 4.5, 120: 4.5} {
		require.InDelta(t, want, MOS(r), 0.005, "R is %v", r)
	}
}

func TestRating(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		c    Conditions
		want float64
	}{
		{Conditions{}, 92.56}, // the codec's own delay
		{Conditions{RTT: 100 * time.Millisecond}, 91.36},
		{Conditions{RTT: 100 * time.Millisecond, Jitter: 20 * time.Millisecond}, 90.40},
		{Conditions{RTT: 600 * time.Millisecond}, 68.96}, // a satellite: beyond the knee
		{Conditions{Loss: 0.01}, 88.04},
		{Conditions{Loss: 0.05}, 73.56},
		{Conditions{Loss: 0.20}, 45.06},
		{Conditions{Loss: 1}, 13.40},
		{Conditions{Loss: 2}, 13.40},
		{Conditions{Loss: -1}, 92.56},
		{Conditions{RTT: 5 * time.Second, Loss: 1}, 0},
	} {
		require.InDelta(t, c.want, Rating(c.c), 0.05, "%+v", c.c)
	}
}

func TestWorseIsNeverBetter(t *testing.T) {
	t.Parallel()
	before := MOS(Rating(Conditions{}))
	for loss := 0.0; loss <= 1; loss += 0.01 {
		now := MOS(Rating(Conditions{Loss: loss}))
		require.LessOrEqual(t, now, before)
		before = now
	}
	before = MOS(Rating(Conditions{}))
	for rtt := time.Duration(0); rtt < 3*time.Second; rtt += 10 * time.Millisecond {
		now := MOS(Rating(Conditions{RTT: rtt}))
		require.LessOrEqual(t, now, before)
		before = now
	}
}

func TestWhatIsMendedIsNotLost(t *testing.T) {
	t.Parallel()
	require.InDelta(t, 0.1, Unrepaired(0.1, 0), 1e-9)
	require.InDelta(t, 0.001, Unrepaired(0.1, 2), 1e-9)
	for _, c := range []struct {
		a    Arrivals
		want float64
	}{
		{Arrivals{Passed: 1000}, 0},
		{Arrivals{Loss: 0.1, Passed: 900}, 0.1},
		{Arrivals{Loss: 0.1, Passed: 1000, Repaired: 100}, 0},
		{Arrivals{Loss: 0.1, Passed: 950, Repaired: 50}, 0.05},
		{Arrivals{Loss: 0.1, Passed: 1100, Repaired: 100}, 0.0099},
		{Arrivals{Loss: 1}, 1},
		{Arrivals{}, 0},
	} {
		require.InDelta(t, c.want, c.a.Residual(), 1e-3, "%+v", c.a)
	}
}

package pulse

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// Tickers that were begun at different times tick together.
func TestTickersTickTogether(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const short, long = 50 * time.Millisecond, 100 * time.Millisecond
		time.Sleep(7 * time.Millisecond)
		first := NewTicker(short)
		time.Sleep(61 * time.Millisecond)
		second := NewTicker(long)
		defer first.Stop()
		defer second.Stop()
		<-first.C // one that waited
		for range 3 {
			at := <-second.C
			require.Zero(t, at.UnixNano()%int64(long), "%v", at)
			require.Equal(t, at, <-first.C)
			require.Equal(t, at.Add(short), <-first.C)
		}
	})
	synctest.Test(t, func(t *testing.T) { // whose clock stands at a multiple when it begins
		ticker := NewTicker(time.Second)
		defer ticker.Stop()
		begin := time.Now()
		require.Equal(t, time.Second, (<-ticker.C).Sub(begin))
	})
}

// Ticks that nobody took are one, and after it comes the next moment; after Stop comes none.
func TestTicksNobodyTook(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ticker := NewTicker(time.Second)
		begin := time.Now()
		time.Sleep(3500 * time.Millisecond)
		<-ticker.C
		require.Equal(t, 4*time.Second, (<-ticker.C).Sub(begin))
		ticker.Stop()
		select {
		case <-ticker.C:
			t.Fatal("a stopped ticker ticks")
		case <-time.After(time.Minute):
		}
	})
}

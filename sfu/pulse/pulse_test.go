package pulse

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// Tickers that were begun at different times tick together from their second time on.
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
		time.Sleep(2*long - 8*time.Millisecond) // to before a moment at which both tick
		<-first.C                               // those that wait
		<-second.C
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

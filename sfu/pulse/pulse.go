// Package pulse has what is done again and again be done at the same moments, so that a process that has nothing else to do wakes once for
// all of it.
package pulse

import "time"

// NewTicker is time.NewTicker, but first after d to 2d, and then at whole multiples of d since the epoch, by the wall clock as it is now.
// So tickers tick together whose intervals are multiples of each other, those of other processes and machines too, as far as their clocks
// agree. Whoever stops it must be done with it: within its first d it begins again. d is positive.
func NewTicker(d time.Duration) *time.Ticker {
	ticker := time.NewTicker(d)
	if past := time.Duration(time.Now().UnixNano()) % d; past != 0 {
		time.AfterFunc(d-past, func() { ticker.Reset(d) })
	}
	return ticker
}

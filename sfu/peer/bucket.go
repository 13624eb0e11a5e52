package peer

import "time"

// bucket is a token bucket, kept as the moment at which it will be full again. The zero
// value is full. Not safe for concurrent use.
type bucket struct{ full time.Time }

// take takes what needs cost to refill out of a bucket that needs burst to refill wholly;
// it reports false, and takes nothing, when that is not in it.
func (b *bucket) take(cost, burst time.Duration, now time.Time) bool {
	due := max(b.full.Sub(now), 0) + cost
	if due > burst {
		return false
	}
	b.full = now.Add(due)
	return true
}

package bounded

import "time"

// Rate is how fast something may go on: a unit in each Unit, and at once as many as take Burst. The zero value is no bound.
type Rate struct{ Unit, Burst time.Duration }

// PerSecond is the Rate of n units a second, and at once as many as come in the time of burst.
func PerSecond(n int, burst time.Duration) Rate { return Rate{time.Second / time.Duration(n), burst} }

// Bucket is a token bucket, kept as the moment at which it will be full again. The zero value is full. The Rate is the
// caller's to know, and always the same. Not safe for concurrent use.
type Bucket struct{ full time.Time }

// Take takes n units, or reports false and takes nothing when they are not there.
func (b *Bucket) Take(r Rate, n int, now time.Time) bool {
	due := max(b.full.Sub(now), 0) + time.Duration(n)*r.Unit
	if due > r.Burst {
		return false
	}
	b.full = now.Add(due)
	return true
}

// Empty reports whether nothing is left to be taken.
func (b *Bucket) Empty(r Rate, now time.Time) bool { return r.Burst > 0 && b.full.Sub(now) >= r.Burst }

// Spend takes n units, also when fewer are there: what is missing has to come before the bucket is more than empty again.
func (b *Bucket) Spend(r Rate, n int, now time.Time) {
	b.full = now.Add(max(b.full.Sub(now), 0) + time.Duration(n)*r.Unit)
}

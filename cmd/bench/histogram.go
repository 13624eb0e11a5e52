package bench

import (
	"math/bits"
	"sync/atomic"
	"time"
)

const (
	// subBits: each power of two of nanoseconds is divided into 2^subBits buckets, which
	// makes the quantiles exact to 1 part in 64.
	subBits = 6
	// histogramBuckets reach to 2^40 ns, eighteen minutes.
	histogramBuckets = (40 - subBits + 1) << subBits
)

// histogram counts durations without allocating. One goroutine may add while others read.
// The zero value is empty and ready.
type histogram struct {
	counts [histogramBuckets]atomic.Uint64
	max    atomic.Int64
}

// add counts one duration; a negative one counts as 0.
func (h *histogram) add(d time.Duration) {
	d = max(d, 0)
	h.counts[bucket(d)].Add(1)
	for {
		most := h.max.Load()
		if int64(d) <= most || h.max.CompareAndSwap(most, int64(d)) {
			return
		}
	}
}

// bucket is linear below 2^subBits ns and then divides each power of two evenly.
func bucket(d time.Duration) int {
	n := uint64(d) //nolint:gosec // not negative
	shift := max(bits.Len64(n)-subBits-1, 0)
	return min(shift<<subBits+int(n>>shift), histogramBuckets-1) //nolint:gosec // below 2^(subBits+1)
}

// middle is the middle of a bucket.
func middle(i int) time.Duration {
	if i < 2<<subBits {
		return time.Duration(i)
	}
	shift := i>>subBits - 1
	low := uint64(i-shift<<subBits) << shift //nolint:gosec // a bucket's number
	return time.Duration(low + 1<<shift/2)   //nolint:gosec // below 2^41
}

// count is how many durations were added.
func (h *histogram) count() uint64 {
	var n uint64
	for i := range h.counts {
		n += h.counts[i].Load()
	}
	return n
}

// quantile returns the duration below which the fraction q of all lies. It is 0 for an
// empty histogram.
func (h *histogram) quantile(q float64) time.Duration {
	total := h.count()
	if total == 0 {
		return 0
	}
	rank := uint64(q * float64(total-1))
	var seen uint64
	for i := range h.counts {
		if seen += h.counts[i].Load(); seen > rank {
			return min(middle(i), h.largest())
		}
	}
	return h.largest()
}

// largest is the longest duration that was added.
func (h *histogram) largest() time.Duration { return time.Duration(h.max.Load()) }

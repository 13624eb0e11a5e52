package forward

import (
	"sync/atomic"

	"github.com/mini-livechat/mini-livechat/sfu/repair"
)

const (
	// redBlockType is the payload type in the blocks of a Redundancy, the one browsers
	// give to Opus. A slot with another one changes them in a copy.
	redBlockType = 111
	// demandPeriod is after how many packets a source forgets what depth was asked for,
	// unless it was asked for again.
	demandPeriod = 64
)

// Redundancy is a packet together with those before it, as RED payloads (RFC 2198) of one,
// two and more redundant blocks. The zero value is empty, and keeps its memory for reuse.
type Redundancy struct {
	payloads [repair.MaxDepth][]byte
	n        int // payloads there are
}

// copyFrom makes r a copy of from.
func (r *Redundancy) copyFrom(from *Redundancy) {
	r.n = from.n
	for i := range r.n {
		r.payloads[i] = append(r.payloads[i][:0], from.payloads[i]...)
	}
}

// payload returns the one with as many redundant blocks as there are, at most depth, and
// how many it has; 0 for none.
func (r *Redundancy) payload(depth int) (payload []byte, blocks int) {
	if r == nil {
		return nil, 0
	}
	blocks = min(depth, r.n)
	if blocks == 0 {
		return nil, 0
	}
	return r.payloads[blocks-1], blocks
}

// demand is the most redundancy that slots have wanted lately. Slots raise it when they
// find less than they want. So a source on which nobody wants any makes none, and walks no
// list of slots to find out.
type demand struct {
	wanted atomic.Int32
	former int32 // in the period before; of the goroutine in Prepare
	count  int   // packets of the period; likewise
}

// raise asks for a depth. From any goroutine.
func (d *demand) raise(depth int32) {
	for {
		wanted := d.wanted.Load()
		if wanted >= depth || d.wanted.CompareAndSwap(wanted, depth) {
			return
		}
	}
}

// depth returns what to make for the next packet.
func (d *demand) depth() int {
	if d.count++; d.count >= demandPeriod {
		d.count, d.former = 0, d.wanted.Swap(0)
	}
	return int(max(d.former, d.wanted.Load()))
}

// redundancyOf makes the redundancy of the packet that was just put, up to depth. The
// goroutine in Prepare calls it; the result is good until it does again.
func (s *Source) redundancyOf(f *frame, depth int) *Redundancy {
	p := s.history.at(f.index)
	r := &s.redundancy
	r.n = min(depth, s.history.redundant(p))
	for i := range r.n {
		r.payloads[i] = s.history.appendRED(r.payloads[i][:0], p, i+1)
	}
	return r
}

// blockCounts remembers with how many redundant blocks, 0 to 3, each of the newest
// windowSize packets of a slot was sent. The zero value stands for none.
type blockCounts struct {
	highest   int64
	low, high uint64 // bit i of each: the two bits of highest-i
}

// set notes that the packet index was sent with n redundant blocks.
func (b *blockCounts) set(index int64, n int) {
	if step := index - b.highest; step > 0 {
		b.low <<= step // a shift by 64 or more leaves 0
		b.high <<= step
		b.highest = index
	}
	if age := b.highest - index; age < windowSize {
		b.low = b.low&^(1<<age) | uint64(n&1)<<age
		b.high = b.high&^(1<<age) | uint64(n>>1&1)<<age
	}
}

// at returns what was set for index; 0 if that was too long ago or never.
func (b *blockCounts) at(index int64) int {
	age := b.highest - index
	if age < 0 || age >= windowSize {
		return 0
	}
	return int(b.low>>age&1 | b.high>>age&1<<1) //nolint:gosec // two bits
}

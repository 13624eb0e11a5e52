package forwardtest

import (
	"encoding/binary"
	"hash/maphash"
	"sync"
)

// TB is what a Checker needs of a *testing.T, *testing.B or *testing.F.
type TB interface {
	Helper()
	Errorf(format string, args ...any)
}

// Writer is the writer of package forward.
type Writer interface {
	WriteRTP(out any, header, payload []byte) error
}

const (
	headerLen = 16
	// firstByte: version 2, no padding, no extension, one CSRC.
	firstByte = 0x81
	marker    = 0x80
	// defaultClockRate is Opus's, in Hz.
	defaultClockRate = 48_000
	// framesPerSecond: a timestamp must move by at least one 20 ms frame at a switch.
	framesPerSecond = 50
)

// Checker is a Writer at the end of one or many slots. It reports an error to its TB when
// the stream of an SSRC
//
//   - has a header other than 16 bytes with one CSRC,
//   - begins with a sequence number of 2^15 or more,
//   - uses one SRTP index, as a receiver estimates it, for two different packets,
//   - jumps by 2^15 or more, so that a receiver would estimate wrongly,
//   - does not go on with the next number, a marker and a timestamp at least 20 ms later
//     where the CSRC changes,
//   - places a packet before the last change of CSRC, or
//   - orders timestamps otherwise than sequence numbers.
//
// It remembers a hash of every packet, about 50 bytes each. All methods may be called from
// any goroutine. Create it with NewChecker.
type Checker struct {
	t         TB
	next      Writer
	clockRate uint32
	seed      maphash.Seed

	mu      sync.Mutex
	streams map[uint32]*stream // guarded by mu
}

// Stats describes the stream of one SSRC so far.
type Stats struct {
	// Packets and Octets (of payload) count everything written.
	Packets, Octets uint64
	// Repeats counts packets written again, equal in every byte.
	Repeats uint64
	// Switches counts changes of the CSRC, the first packet included.
	Switches uint64
	// Gaps counts the indices between the first and the highest that were never used.
	Gaps int64
	// First and Highest are SRTP packet indices.
	First, Highest int64
	// Timestamp and CSRC are those of the packet with the highest index.
	Timestamp, CSRC uint32
}

type stream struct {
	Stats
	estimator Estimator
	hashes    map[int64]uint64
	base      int64 // first index since the CSRC last changed
	// ts and baseTS are the timestamps at Highest and at base, extended beyond 32 bits.
	ts, baseTS int64
}

// NewChecker returns a Checker that passes every packet on to next, which may be nil.
// clockRate is in Hz; 0 means 48,000.
func NewChecker(t TB, clockRate uint32, next Writer) *Checker {
	if clockRate == 0 {
		clockRate = defaultClockRate
	}
	return &Checker{
		t:         t,
		next:      next,
		clockRate: clockRate,
		seed:      maphash.MakeSeed(),
		streams:   make(map[uint32]*stream),
	}
}

// Stats returns what was seen of one SSRC.
func (c *Checker) Stats(ssrc uint32) Stats {
	c.mu.Lock()
	defer c.mu.Unlock()
	if s := c.streams[ssrc]; s != nil {
		return s.Stats
	}
	return Stats{}
}

// WriteRTP checks one packet and passes it on. Its error is that of the next writer.
func (c *Checker) WriteRTP(out any, header, payload []byte) error {
	c.t.Helper()
	c.check(header, payload)
	if c.next == nil {
		return nil
	}
	return c.next.WriteRTP(out, header, payload)
}

func (c *Checker) check(header, payload []byte) {
	c.t.Helper()
	if len(header) != headerLen || header[0] != firstByte {
		c.t.Errorf("header % x: want %d bytes beginning with %#x", header, headerLen, firstByte)
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	ssrc := binary.BigEndian.Uint32(header[8:])
	s := c.streams[ssrc]
	if s == nil {
		s = &stream{hashes: make(map[int64]uint64)}
		c.streams[ssrc] = s
	}
	p := packet{
		ssrc:   ssrc,
		index:  s.estimator.Next(binary.BigEndian.Uint16(header[2:])),
		ts:     binary.BigEndian.Uint32(header[4:]),
		csrc:   binary.BigEndian.Uint32(header[12:]),
		marker: header[1]&marker != 0,
	}
	p.advance = int64(int32(p.ts - s.Timestamp)) //nolint:gosec // modular difference, RFC 1982
	if c.reused(s, &p, header, payload) {
		return
	}
	s.Packets++
	s.Octets += uint64(len(payload))
	switch {
	case s.Packets == 1:
		if p.index >= half {
			c.t.Errorf("%v: the first number is not below 2^15", p)
		}
		s.First, s.Highest = p.index, p.index-1
		s.start(&p)
	case p.csrc != s.CSRC:
		c.checkSwitch(s, &p)
		s.start(&p)
	default:
		c.checkOrder(s, &p)
	}
	switch {
	case p.index > s.Highest:
		s.Gaps += p.index - s.Highest - 1
		s.Highest, s.Timestamp = p.index, p.ts
		s.ts += p.advance
	default:
		s.Gaps--
	}
}

// reused finds a packet under an index that was used before.
func (c *Checker) reused(s *stream, p *packet, header, payload []byte) bool {
	c.t.Helper()
	var h maphash.Hash
	h.SetSeed(c.seed)
	_, _ = h.Write(header)
	_, _ = h.Write(payload)
	sum := h.Sum64()
	former, used := s.hashes[p.index]
	s.hashes[p.index] = sum
	switch {
	case !used:
		return false
	case former == sum:
		s.Repeats++
		s.Packets++
		s.Octets += uint64(len(payload))
	default:
		c.t.Errorf("%v: index used before for another packet", p)
	}
	return true
}

func (s *stream) start(p *packet) {
	s.Switches++
	s.CSRC, s.base, s.baseTS = p.csrc, p.index, s.ts+p.advance
}

// checkSwitch judges the first packet of another CSRC.
func (c *Checker) checkSwitch(s *stream, p *packet) {
	c.t.Helper()
	if p.index != s.Highest+1 {
		c.t.Errorf("%v: want index %d after the switch from %08x", p, s.Highest+1, s.CSRC)
	}
	if p.advance < int64(c.clockRate/framesPerSecond) {
		c.t.Errorf("%v: timestamp moves by %d at the switch from %08x, less than a frame", p, p.advance, s.CSRC)
	}
	if !p.marker {
		c.t.Errorf("%v: no marker after the switch from %08x", p, s.CSRC)
	}
}

// checkOrder judges a packet of the same CSRC as the one before.
func (c *Checker) checkOrder(s *stream, p *packet) {
	c.t.Helper()
	switch step := p.index - s.Highest; {
	case p.index < s.base:
		c.t.Errorf("%v: before the switch at %d", p, s.base)
	case s.ts+p.advance < s.baseTS:
		c.t.Errorf("%v: timestamp from before the switch at index %d", p, s.base)
	case step >= half || step <= -half:
		c.t.Errorf("%v: %d away from the highest index", p, step)
	case step > 0 && p.advance < 0, step < 0 && p.advance > 0:
		c.t.Errorf("%v: number moves by %d and timestamp by %d", p, step, p.advance)
	}
}

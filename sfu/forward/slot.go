package forward

import (
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/mini-livechat/mini-livechat/sfu/repair"
	"github.com/mini-livechat/mini-livechat/sfu/rtp"
)

// DefaultClockRate is the RTP clock of Opus, in Hz (RFC 7587 §4.1).
const DefaultClockRate = 48_000

const (
	// maxClockRate is the highest clock a slot accepts, in Hz: above every registered
	// audio format, and an hour of it stays far below 2^31 ticks.
	maxClockRate = 192_000
	// maxFirstSequenceNumber keeps the first number in the lower half, see the package
	// comment.
	maxFirstSequenceNumber = 1<<15 - 1
	// headerLen is the length of a slot's RTP header in bytes: the fixed part and one CSRC. levelHeaderLen is that of one with
	// an audio level: also the extension's head and one word (RFC 8285 §4.2).
	headerLen      = rtp.FixedLen + rtp.CSRCLen
	levelHeaderLen = headerLen + 8
	// maxLevelID is the highest id of a header extension in the one-byte form.
	maxLevelID = 14
	// Payload types that, with RTP and RTCP on one port, look like RTCP (RFC 5761 §4).
	rtcpTypeMin, rtcpTypeMax = 64, 95
)

// ErrSlotConfig means that a SlotConfig or the Writer beside it cannot make a slot; test
// with errors.Is.
var ErrSlotConfig = errors.New("forward: invalid slot configuration")

// Writer sends the packets of a slot, which calls it from one goroutine at a time.
//
// WriteRTP must not block, and must not call methods of the slot. out is what was given to
// [Fanout.Send], header a complete RTP header, payload the talker's. header and
// payload are valid only during the call. payload must not be changed: encrypt into another
// buffer, or copy. A packet for which an error is returned counts as dropped and keeps its
// number, since it may have been encrypted under it.
type Writer interface {
	WriteRTP(out Batch, header, payload []byte) error
}

// SlotConfig describes the one RTP stream a slot produces.
type SlotConfig struct {
	// SSRC of the stream, unique within the listener's session.
	SSRC uint32
	// PayloadType the listener negotiated: 0 to 63 or 96 to 127 (RFC 5761 §4).
	PayloadType uint8
	// REDPayloadType the listener negotiated for redundant audio (RFC 2198), with blocks of
	// PayloadType, in the same ranges; 0 for none.
	REDPayloadType uint8
	// LevelID is under which id, 1 to 14, the packets say how loud they are (RFC 6464), for a stream that is forwarded once more; 0:
	// they do not.
	LevelID uint8
	// ClockRate of the timestamps in Hz, at most 192,000. 0 means DefaultClockRate.
	ClockRate uint32
	// FirstSequenceNumber is that of the first packet, below 2^15. It should be random.
	FirstSequenceNumber uint16
	// FirstTimestamp is that of the first packet. It should be random.
	FirstTimestamp uint32
}

// RandomSlotConfig returns a configuration whose first sequence number (below 2^15) and
// first timestamp come from a cryptographic source, as RFC 3550 §5.1 asks. clockRate is in
// Hz, 0 for DefaultClockRate.
func RandomSlotConfig(ssrc uint32, payloadType uint8, clockRate uint32) SlotConfig {
	var b [6]byte
	_, _ = rand.Read(b[:]) // never fails, by its documentation
	return SlotConfig{
		SSRC:                ssrc,
		PayloadType:         payloadType,
		ClockRate:           clockRate,
		FirstSequenceNumber: binary.BigEndian.Uint16(b[:]) & maxFirstSequenceNumber,
		FirstTimestamp:      binary.BigEndian.Uint32(b[2:]),
	}
}

// SlotStats counts what a slot sent, as RTCP sender reports need it (RFC 3550 §6.4.1).
type SlotStats struct {
	// Open says that the listener can decrypt packets, see [Slot.Open].
	Open bool
	// Packets is how many packets the Writer took without error.
	Packets uint64
	// Octets is their payload in bytes, without headers and padding.
	Octets uint64
	// LastTimestamp is the RTP timestamp of the newest packet, LastTime when it was
	// received. LastTime is zero before the first packet.
	LastTimestamp uint32
	LastTime      time.Time
	// Switches is how often the slot began with a newly assigned source, the first
	// included.
	Switches uint64
	// Rebases is how often the numbering was joined anew within one source: after a mute,
	// a restart of the talker, a gap too large to pass on, or a jump of its clock.
	Rebases uint64
	// Missing is how many sequence numbers were left out because the talker's packets
	// did not arrive: the part of a listener's reported loss that is not its own.
	Missing uint64
	// Asked is how many different packets the listener wanted again, Resent how many
	// packets it was sent again. These are in Packets and Octets too.
	Asked, Resent uint64
	// Redundant is how many packets carried redundancy, those sent again not counted.
	Redundant uint64
	// Dropped counts the packets not sent, by reason.
	Dropped SlotDrops
}

// SlotDrops counts packets that a slot was offered and did not send, by reason. None but
// WriteError takes a sequence number.
type SlotDrops struct {
	// NotOpen packets came before Open or after Close.
	NotOpen uint64
	// NotAssigned packets came from another source than the assigned one, or before it was
	// assigned.
	NotAssigned uint64
	// Withheld packets came before their source's gate last closed or opened.
	Withheld uint64
	// Duplicate packets had their place taken already.
	Duplicate uint64
	// Late packets belonged before the switch, or were too far behind the newest.
	Late uint64
	// WriteError packets were refused by the Writer.
	WriteError uint64
}

// Add adds what another slot counted.
func (s *SlotStats) Add(o *SlotStats) {
	s.Packets += o.Packets
	s.Octets += o.Octets
	s.Switches += o.Switches
	s.Rebases += o.Rebases
	s.Missing += o.Missing
	s.Asked += o.Asked
	s.Resent += o.Resent
	s.Redundant += o.Redundant
	s.Dropped.NotOpen += o.Dropped.NotOpen
	s.Dropped.NotAssigned += o.Dropped.NotAssigned
	s.Dropped.Withheld += o.Dropped.Withheld
	s.Dropped.Duplicate += o.Dropped.Duplicate
	s.Dropped.Late += o.Dropped.Late
	s.Dropped.WriteError += o.Dropped.WriteError
}

// Slot is one audio line of one listener: one RTP stream made of the packets of the source
// assigned to it. All methods may be called from any goroutine. Create it with NewSlot.
type Slot struct {
	payloadType byte
	redType     byte // 0: none
	length      int  // of the header
	writer      Writer

	// assigned is the only source whose packets are taken. It is written under mu, and
	// read without it to turn away others without contending for mu.
	assigned    atomic.Pointer[Source]
	notAssigned atomic.Uint64

	// mu is held while a packet is written. It guards everything below.
	mu     sync.Mutex
	after  uint64 // packets of the assigned source up to this number came before the assignment
	open   bool
	fresh  bool // assigned, and nothing sent of it yet
	rw     rewriter
	header [levelHeaderLen]byte // its first length bytes
	stats  SlotStats
	// since is after when was received what a fresh slot begins with; zero for nothing.
	since time.Time
	// depth is how much redundancy is wanted, redundant how much was sent.
	depth     int
	redundant blockCounts
	again     *repair.Resends // nil until something is asked for again
	scratch   []byte          // a payload that is not the talker's buffer
}

// NewSlot returns a slot that is not open and has no source. The error wraps
// ErrSlotConfig and names the field.
func NewSlot(c SlotConfig, w Writer) (*Slot, error) {
	if c.ClockRate == 0 {
		c.ClockRate = DefaultClockRate
	}
	switch {
	case w == nil:
		return nil, fmt.Errorf("%w: no Writer", ErrSlotConfig)
	case !validType(c.PayloadType):
		return nil, fmt.Errorf("%w: PayloadType %d, want 0 to 63 or 96 to 127", ErrSlotConfig, c.PayloadType)
	case !validType(c.REDPayloadType) || c.REDPayloadType == c.PayloadType && c.REDPayloadType != 0:
		return nil, fmt.Errorf("%w: REDPayloadType %d, want 0 to 63 or 96 to 127, and not PayloadType",
			ErrSlotConfig, c.REDPayloadType)
	case c.LevelID > maxLevelID:
		return nil, fmt.Errorf("%w: LevelID %d, want at most %d", ErrSlotConfig, c.LevelID, maxLevelID)
	case c.ClockRate > maxClockRate:
		return nil, fmt.Errorf("%w: ClockRate %d, want at most %d", ErrSlotConfig, c.ClockRate, maxClockRate)
	case c.FirstSequenceNumber > maxFirstSequenceNumber:
		return nil, fmt.Errorf("%w: FirstSequenceNumber %d, want at most %d",
			ErrSlotConfig, c.FirstSequenceNumber, maxFirstSequenceNumber)
	}
	s := &Slot{
		payloadType: c.PayloadType,
		redType:     c.REDPayloadType,
		writer:      w,
		rw:          newRewriter(c.ClockRate, c.FirstSequenceNumber, c.FirstTimestamp),
	}
	s.length = headerLen
	s.header[0] = rtp.Version<<6 | 1 // no padding, no extension, one CSRC
	if c.LevelID != 0 {
		s.length = levelHeaderLen
		s.header[0] |= 0x10 // an extension
		// Its one element is of one byte; the rest is padding.
		copy(s.header[headerLen:], []byte{0xbe, 0xde, 0, 1, c.LevelID << 4, 0, 0, 0})
	}
	binary.BigEndian.PutUint32(s.header[8:], c.SSRC)
	return s, nil
}

func validType(t uint8) bool { return t <= rtp.MaxPayloadType && (t < rtcpTypeMin || t > rtcpTypeMax) }

// SetRedundancy says how many redundant blocks, 0 to repair.MaxDepth, the packets should
// carry from now on. Each needs its packet to have been received, and the source a packet
// to notice. It does nothing when the slot has no REDPayloadType.
func (s *Slot) SetRedundancy(depth int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.redType != 0 {
		s.depth = min(max(depth, 0), repair.MaxDepth)
	}
}

// Open lets packets out from now on: the listener can decrypt them. Opening an open slot
// does nothing; a closed one may be opened again and goes on where it stopped.
func (s *Slot) Open() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.open = true
}

// Close drops packets from now on; when it has returned, none gets out and the Writer is
// not in use. Closing a closed slot does nothing. The source stays assigned.
func (s *Slot) Close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.open = false
	// What is missed while closed leaves no gap.
	s.rw.unbind()
}

// Assign makes source the only one whose packets the slot takes, those prepared from now
// on; nil frees the slot. When Assign has returned, no packet of the former source gets
// out, by whatever goroutine. Assigning the same source
// again does nothing. The source must also list the slot, see [Source.SetSlots].
func (s *Slot) Assign(source *Source) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.assignLocked(source)
}

// assignLocked reports whether source is another one than before.
func (s *Slot) assignLocked(source *Source) bool {
	if s.assigned.Swap(source) == source {
		return false
	}
	s.fresh, s.since = true, time.Time{}
	if source != nil {
		s.after = source.packets.Load()
	}
	s.rw.unbind()
	return true
}

// Stats returns the counters so far, consistent with each other.
func (s *Slot) Stats() SlotStats {
	s.mu.Lock()
	defer s.mu.Unlock()
	stats := s.stats
	stats.Open = s.open
	stats.LastTimestamp = uint32(s.rw.ts) //nolint:gosec // the low 32 bits are what was sent
	stats.LastTime = s.rw.at
	stats.Missing = s.rw.missing
	stats.Dropped.NotAssigned = s.notAssigned.Load()
	return stats
}

// forward sends one frame of source, if the slot is open and assigned to it.
func (s *Slot) forward(source *Source, f *frame, payload []byte, red *Redundancy, now time.Time, out Batch) {
	if s.assigned.Load() != source {
		s.notAssigned.Add(1)
		return
	}
	s.mu.Lock()
	// Deferred, so that a panic in the Writer does not leave the slot locked.
	defer s.mu.Unlock()
	switch {
	case s.assigned.Load() != source || f.number <= s.after:
		s.notAssigned.Add(1)
		return
	case source.gate.load() != f.gate:
		s.stats.Dropped.Withheld++
		return
	case !s.open:
		s.stats.Dropped.NotOpen++
		return
	}
	if s.depth > 0 {
		source.demand.raise(int32(s.depth)) //nolint:gosec // at most MaxDepth
	}
	if s.fresh && !s.since.IsZero() && s.catchUpLocked(source, f, now, out) {
		return
	}
	s.sendLocked(f, payload, red, now, out)
}

// sendLocked gives one frame of the assigned source its place and sends it, with what
// there is of the wanted redundancy.
func (s *Slot) sendLocked(f *frame, payload []byte, red *Redundancy, now time.Time, out Batch) {
	at, v := s.rw.rewrite(f, now)
	switch v {
	case dropDuplicate:
		s.stats.Dropped.Duplicate++
		return
	case dropLate:
		s.stats.Dropped.Late++
		return
	case pass:
	}
	if at.started {
		s.countStart()
	}
	s.putHeader(at, f)
	if s.redType != 0 {
		redundant, blocks := red.payload(s.depth)
		s.redundant.set(at.index, blocks)
		if blocks > 0 {
			if s.payloadType != redBlockType {
				s.scratch = append(s.scratch[:0], redundant...)
				redundant = s.scratch
			}
			s.asRED(redundant, blocks)
			payload = redundant
			s.stats.Redundant++
		}
	}
	s.writeLocked(payload, out)
}

// asRED makes the header one of a RED payload, and the payload one of this slot. The
// payload must be the slot's own if its payload type is not redBlockType.
func (s *Slot) asRED(payload []byte, blocks int) {
	s.header[1] = s.header[1]&rtp.MarkerBit | s.redType
	if s.payloadType != redBlockType {
		repair.SetPayloadType(payload, blocks, s.payloadType)
	}
}

// writeLocked sends s.header and payload, and reports whether the Writer took them.
func (s *Slot) writeLocked(payload []byte, out Batch) bool {
	if err := s.writer.WriteRTP(out, s.header[:s.length], payload); err != nil {
		s.stats.Dropped.WriteError++
		return false
	}
	s.stats.Packets++
	s.stats.Octets += uint64(len(payload))
	return true
}

func (s *Slot) countStart() {
	if s.fresh {
		s.fresh = false
		s.stats.Switches++
	} else {
		s.stats.Rebases++
	}
}

// putHeader fills in what changes from packet to packet, RFC 3550 §5.1. The talker's
// SSRC goes into the CSRC list, so that the listener can tell who is talking.
func (s *Slot) putHeader(at placed, f *frame) {
	s.header[1] = s.payloadType
	if at.marker {
		s.header[1] |= rtp.MarkerBit
	}
	binary.BigEndian.PutUint16(s.header[2:], uint16(at.index)) //nolint:gosec // the low 16 bits are sent
	binary.BigEndian.PutUint32(s.header[4:], uint32(at.ts))    //nolint:gosec // the low 32 bits are sent
	binary.BigEndian.PutUint32(s.header[rtp.FixedLen:], f.ssrc)
	s.header[levelHeaderLen-3] = f.level // beyond the header where none is told
}

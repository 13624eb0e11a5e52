package client

import (
	"encoding/binary"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pion/transport/v5/packetio"

	"github.com/mini-livechat/mini-livechat/sfu/repair"
	"github.com/mini-livechat/mini-livechat/sfu/rtp"
)

// receiver takes decrypted packets from pion, mends their losses and gives them to the
// slots. pion asks its buffer method for a place to put the packets of each SSRC and then
// writes there, RTP on the one goroutine per connection that decrypts it, RTCP on another.
type receiver struct {
	onPacket func(*Slot, Packet)
	mic      *microphone // nil without one

	// Set before the answer is applied and read-only from then on, when the first
	// packet can arrive.
	bySSRC map[uint32]*Slot
	byMID  map[string]*Slot
	lines  map[*Slot]line
	midID  uint8 // the negotiated id of the MID header extension, 0 for none

	// mu is contended only when packets are overdue. It guards the fields below and the
	// slots' loss.
	mu      sync.Mutex
	packet  rtp.Packet // the one that came last
	red     repair.RED
	scratch []byte // a packet taken out of RED
	now     func() time.Time
	after   func(time.Duration, func()) *time.Timer // nil: packets are never overdue
	reports reporter
	waits   bool // the slots are another's yet
	over    bool // the slots are another's

	strangers atomic.Uint64 // packets of no known slot
	trouble   atomic.Bool   // nothing comes though something should; cleared by the next packet
	heardAt   time.Time     // when the last packet came; guarded by mu
}

// line is what was negotiated for a slot.
type line struct {
	red  uint8
	nack bool
}

// begin has the slots take packets of this connection, as its answer says.
func (r *receiver) begin() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.waits = false
	for slot, line := range r.lines {
		slot.loss.red, slot.loss.nack = line.red, line.nack
	}
}

// buffer implements pion's BufferFactory.
func (r *receiver) buffer(kind packetio.BufferPacketType, ssrc uint32) io.ReadWriteCloser {
	if kind != packetio.RTPBufferPacket {
		return &feedback{receiver: r, ssrc: ssrc}
	}
	return &stream{receiver: r, ssrc: ssrc}
}

// stream is where pion writes the packets of one SSRC.
type stream struct {
	noReader

	receiver *receiver
	ssrc     uint32
	slot     *Slot // found at the first packet; used by the receiving goroutine only
}

// Write takes one decrypted packet. It never fails: pion would log it and go on.
func (s *stream) Write(packet []byte) (int, error) {
	s.receiver.take(s, packet)
	return len(packet), nil
}

// noReader is the other half of what only takes packets.
type noReader struct{}

// Read has nothing to give: the packets went to the slot. pion reads only to guess what
// the packets of an SSRC are that the answer did not declare.
func (noReader) Read([]byte) (int, error) { return 0, io.EOF }

// Close does nothing: there are no resources.
func (noReader) Close() error { return nil }

// close lets go of the slots, which then take the packets of another connection. What still comes is dropped.
func (r *receiver) close(slots []*Slot) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.over || r.waits {
		r.over = true
		return
	}
	r.over = true
	for _, s := range slots {
		if s.loss.overdue != nil {
			s.loss.overdue.Stop()
		}
		s.loss, s.binding, s.extent.started = loss{}, binding{}, false
	}
}

func (r *receiver) take(from *stream, packet []byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.over || r.waits {
		return
	}
	r.heardAt = r.now()
	if r.trouble.Load() {
		r.trouble.Store(false)
	}
	h := &r.packet
	if h.Unmarshal(packet) != nil {
		return
	}
	if from.slot == nil {
		if from.slot = r.find(from.ssrc); from.slot == nil {
			r.strangers.Add(1)
			return
		}
		from.slot.loss.ssrc = from.ssrc
	}
	slot, now := from.slot, r.heardAt
	p := Packet{RTP: packet, Payload: h.Payload}
	p.SSRC, p.CSRC, p.Sequence, p.Timestamp = h.SSRC, h.CSRC(), h.SequenceNumber, h.Timestamp
	p.PayloadType, p.Marker = h.PayloadType, h.Marker
	p.UserID = slot.binding.resolve(p.CSRC, slot.occupant.Load(), r.now)
	slot.loss.arrivals.Observe(h.SSRC, h.SequenceNumber, h.Timestamp, now)
	slot.loss.arrived(h.SequenceNumber, h.Timestamp, now)
	if !r.open(slot, &p, now) {
		return
	}
	size := len(h.Header)
	if h.PayloadType != opusPayloadType {
		size = recoveredHeaderLen // wrapped anew
	}
	if slot.loss.received(p.Sequence, now) {
		r.deliver(slot, &p, size)
	}
	r.afterwards(slot, now)
}

// open takes a packet out of its redundancy, after what that recovers of the packets before
// it. It reports whether there is a packet.
func (r *receiver) open(slot *Slot, p *Packet, now time.Time) bool {
	if p.PayloadType == opusPayloadType {
		return true
	}
	if slot.loss.red == 0 || p.PayloadType != slot.loss.red || r.red.Unmarshal(p.Payload) != nil ||
		r.red.Primary().PayloadType != opusPayloadType {
		slot.malformed.Add(1)
		return false
	}
	blocks := r.red.Redundant()
	for i, block := range blocks {
		before := *p
		before.Sequence -= uint16(len(blocks) - i) //nolint:gosec // at most MaxBlocks
		before.Timestamp -= uint32(block.Offset)
		before.Marker = false
		if len(block.Data) == 0 || block.PayloadType != opusPayloadType || !slot.loss.gaps.Lacks(before.Sequence, p.Sequence) || !slot.loss.received(before.Sequence, now) {
			continue
		}
		slot.recovered.Add(1)
		r.wrap(&before, block)
		r.deliver(slot, &before, recoveredHeaderLen)
	}
	r.wrap(p, r.red.Primary())
	return true
}

// recoveredHeaderLen is the length of the header of a packet that was taken out of RED, in
// bytes: without extensions, and with one CSRC.
const recoveredHeaderLen = rtp.FixedLen + rtp.CSRCLen

// wrap makes p the RTP packet that a block would have been without RED. It aliases
// r.scratch.
func (r *receiver) wrap(p *Packet, block repair.Block) {
	p.PayloadType = block.PayloadType
	kind := block.PayloadType
	if p.Marker {
		kind |= 0x80
	}
	b := r.scratch[:0]
	b = append(b, 0x81, kind) // version 2, one CSRC
	b = binary.BigEndian.AppendUint16(b, p.Sequence)
	b = binary.BigEndian.AppendUint32(b, p.Timestamp)
	b = binary.BigEndian.AppendUint32(b, p.SSRC)
	b = binary.BigEndian.AppendUint32(b, p.CSRC)
	b = append(b, block.Data...)
	r.scratch, p.RTP, p.Payload = b, b, b[recoveredHeaderLen:]
}

// deliver gives a packet, with a header of so many bytes, to whoever reads the slot.
func (r *receiver) deliver(slot *Slot, p *Packet, header int) {
	slot.delivered.Add(1)
	slot.span.Store(slot.extent.add(p.Sequence))
	if r.onPacket != nil {
		r.onPacket(slot, *p)
		return
	}
	slot.push(p, header)
}

// find returns the slot of an SSRC: by the answer's a=ssrc lines, else by the packet's
// MID (RFC 9143, section 9.2).
func (r *receiver) find(ssrc uint32) *Slot {
	if slot := r.bySSRC[ssrc]; slot != nil || r.midID == 0 {
		return slot
	}
	return r.byMID[string(r.packet.Extension(r.midID))]
}

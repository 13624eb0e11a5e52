package client

import (
	"io"
	"sync/atomic"
	"time"

	"github.com/pion/rtp"
	"github.com/pion/transport/v5/packetio"
)

// receiver takes decrypted packets from pion and gives them to the slots. pion asks its
// buffer method for a place to put the packets of each SSRC and then writes there, on
// the one goroutine per connection that decrypts.
type receiver struct {
	onPacket func(*Slot, Packet)

	// Set before the answer is applied and read-only from then on, when the first
	// packet can arrive.
	bySSRC map[uint32]*Slot
	byMID  map[string]*Slot
	midID  uint8 // the negotiated id of the MID header extension, 0 for none

	// Used by the receiving goroutine only.
	header rtp.Header // reused, so that parsing CSRCs allocates nothing
	now    func() time.Time

	strangers atomic.Uint64 // packets of no known slot
}

// buffer implements pion's BufferFactory.
func (r *receiver) buffer(kind packetio.BufferPacketType, ssrc uint32) io.ReadWriteCloser {
	if kind != packetio.RTPBufferPacket {
		return discard{} // the server's reports
	}
	return &stream{receiver: r, ssrc: ssrc}
}

// stream is where pion writes the packets of one SSRC.
type stream struct {
	receiver *receiver
	ssrc     uint32
	slot     *Slot // found at the first packet; used by the receiving goroutine only
}

// Write takes one decrypted packet. It never fails: pion would log it and go on.
func (s *stream) Write(packet []byte) (int, error) {
	s.receiver.take(s, packet)
	return len(packet), nil
}

// Read has nothing to give: the packets went to the slot. pion reads only to guess what
// the packets of an SSRC are that the answer did not declare.
func (s *stream) Read([]byte) (int, error) { return 0, io.EOF }

// Close does nothing: a stream holds no resources.
func (s *stream) Close() error { return nil }

func (r *receiver) take(from *stream, packet []byte) {
	h := &r.header
	size, err := h.Unmarshal(packet)
	if err != nil {
		return
	}
	if from.slot == nil {
		if from.slot = r.find(from.ssrc); from.slot == nil {
			r.strangers.Add(1)
			return
		}
	}
	slot := from.slot
	end := len(packet)
	if h.Padding && end > size {
		end = max(size, end-int(packet[end-1]))
	}
	p := Packet{RTP: packet, Payload: packet[size:end]}
	p.SSRC, p.Sequence, p.Timestamp = h.SSRC, h.SequenceNumber, h.Timestamp
	p.PayloadType, p.Marker = h.PayloadType, h.Marker
	if len(h.CSRC) > 0 {
		p.CSRC = h.CSRC[0]
	}
	p.UserID = slot.binding.resolve(p.CSRC, slot.occupant.Load(), r.now)
	slot.received.Add(1)
	slot.span.Store(slot.extent.add(h.SequenceNumber))
	if r.onPacket != nil {
		r.onPacket(slot, p)
		return
	}
	slot.push(&p, size)
}

// find returns the slot of an SSRC: by the answer's a=ssrc lines, else by the packet's
// MID (RFC 8843, section 9.2).
func (r *receiver) find(ssrc uint32) *Slot {
	if slot := r.bySSRC[ssrc]; slot != nil || r.midID == 0 {
		return slot
	}
	return r.byMID[string(r.header.GetExtension(r.midID))]
}

// discard swallows what is written to it.
type discard struct{}

func (discard) Write(p []byte) (int, error) { return len(p), nil }
func (discard) Read([]byte) (int, error)    { return 0, io.EOF }
func (discard) Close() error                { return nil }

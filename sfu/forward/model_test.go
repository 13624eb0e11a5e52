package forward

import (
	"encoding/binary"
	"testing"
	"time"

	pion "github.com/pion/rtp"

	"github.com/mini-livechat/mini-livechat/sfu/forward/forwardtest"
	"github.com/mini-livechat/mini-livechat/sfu/rtp"
)

const (
	testSSRC = 0x5107
	testType = 111
	frameLen = 20 * time.Millisecond
)

// The checker stands in for a real sender everywhere.
var _ Writer = (*forwardtest.Checker)(nil)

// talker makes the packets of one microphone. Each payload says whose it is and how
// many frames came before, so that a listener can tell what it heard.
type talker struct {
	ssrc  uint32
	seq   uint16
	ts    uint32
	count uint64
}

// next is the next 20 ms frame.
func (p *talker) next() rtp.Packet {
	payload := make([]byte, 12)
	binary.BigEndian.PutUint32(payload, p.ssrc)
	binary.BigEndian.PutUint64(payload[4:], p.count)
	packet := rtp.Packet{SSRC: p.ssrc, SequenceNumber: p.seq, Timestamp: p.ts, PayloadType: 96, Payload: payload}
	p.skip(1, 1)
	return packet
}

// skip moves the numbering on by packets and the clock by frames.
func (p *talker) skip(packets uint16, frames uint32) {
	p.seq += packets
	p.ts += frames * 960
	p.count++
}

// sentPacket is a packet as a listener gets it.
type sentPacket struct {
	pion.Header
	payload string
}

// talker and count are what talker.next wrote into the payload.
func (s *sentPacket) talker() uint32 { return binary.BigEndian.Uint32([]byte(s.payload)) }
func (s *sentPacket) count() uint64  { return binary.BigEndian.Uint64([]byte(s.payload[4:])) }

// recorder keeps what is written. If fail is set, it fails instead.
type recorder struct {
	t    testing.TB
	fail error
	sent []sentPacket
}

func (r *recorder) WriteRTP(_ Batch, header, payload []byte) error {
	if r.fail != nil {
		return r.fail
	}
	var h pion.Header
	n, err := h.Unmarshal(header)
	if err != nil || n != len(header) {
		r.t.Errorf("header % x: %d bytes read, %v", header, n, err)
	}
	r.sent = append(r.sent, sentPacket{Header: h, payload: string(payload)})
	return nil
}

// last is the newest packet written.
func (r *recorder) last() *sentPacket {
	r.t.Helper()
	if len(r.sent) == 0 {
		r.t.Fatal("nothing was sent")
	}
	return &r.sent[len(r.sent)-1]
}

// newSlot returns an open slot whose packets are checked and then recorded.
func newSlot(tb testing.TB, firstSequenceNumber uint16, firstTimestamp uint32) (*Slot, *forwardtest.Checker, *recorder) {
	tb.Helper()
	r := &recorder{t: tb}
	checker := forwardtest.NewChecker(tb, DefaultClockRate, r)
	slot, err := NewSlot(SlotConfig{
		SSRC:                testSSRC,
		PayloadType:         testType,
		FirstSequenceNumber: firstSequenceNumber,
		FirstTimestamp:      firstTimestamp,
	}, checker)
	if err != nil {
		tb.Fatal(err)
	}
	slot.Open()
	return slot, checker, r
}

// newPair returns a source and an open slot assigned to it.
func newPair(tb testing.TB) (*Source, *Slot, *recorder) {
	tb.Helper()
	slot, _, r := newSlot(tb, first, firstTS)
	source := NewSource()
	source.SetSlots([]*Slot{slot})
	slot.Assign(source)
	return source, slot, r
}

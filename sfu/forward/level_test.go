package forward

import (
	"testing"
	"time"

	"github.com/mini-livechat/mini-livechat/sfu/rtp"
)

// parsed keeps what a slot writes, parsed.
type parsed struct {
	t       *testing.T
	packets []rtp.Packet
}

func (p *parsed) WriteRTP(_ Batch, header, payload []byte) error {
	var packet rtp.Packet
	if err := packet.Unmarshal(append(append([]byte(nil), header...), payload...)); err != nil {
		p.t.Errorf("a packet that is none: %v", err)
	}
	p.packets = append(p.packets, packet)
	return nil
}

// TestSlotCarriesLevels: each packet says how loud it is, also when it is sent again or was said before the slot was given.
func TestSlotCarriesLevels(t *testing.T) {
	const id = 3
	out := &parsed{t: t}
	slot, err := NewSlot(SlotConfig{SSRC: 7, PayloadType: 111, REDPayloadType: 63, LevelID: id}, out)
	if err != nil {
		t.Fatal(err)
	}
	slot.Open()
	slot.SetRedundancy(1)
	source, now := NewSource(), time.Unix(1e9, 0)
	source.SetSlots([]*Slot{slot})
	say := func(seq uint16) {
		now = now.Add(frameLen)
		source.Forward(&rtp.Packet{SSRC: 1, SequenceNumber: seq, Timestamp: uint32(seq) * 960, Level: uint8(seq), Payload: []byte("voice")}, now)
	}
	say(1) // nobody hears it yet
	slot.Promote(source, now.Add(-time.Second))
	say(2)
	say(3)
	if !slot.Resend(out.packets[1].SequenceNumber, now, nil) {
		t.Error("not sent again")
	}
	levels := []byte{1, 2, 3, 2}
	if len(out.packets) != len(levels) {
		t.Fatalf("got %d packets, want %d", len(out.packets), len(levels))
	}
	for i, p := range out.packets {
		if level := p.Extension(id); len(level) != 1 || level[0] != levels[i] {
			t.Errorf("packet %d says %v, want %d", i, level, levels[i])
		}
		if p.SSRC != 7 || p.CSRC() != 1 || len(p.Header) != levelHeaderLen {
			t.Errorf("packet %d has SSRC %d, CSRC %d and %d bytes of header", i, p.SSRC, p.CSRC(), len(p.Header))
		}
	}
}

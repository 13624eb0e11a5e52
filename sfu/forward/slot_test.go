package forward

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/mini-livechat/mini-livechat/sfu/rtp"
)

type discard struct{}

func (discard) WriteRTP(_ Batch, _, _ []byte) error { return nil }

func TestNewSlotRefuses(t *testing.T) {
	tests := map[string]struct {
		config SlotConfig
		writer Writer
		want   string // the field named; empty if accepted
	}{
		"zero":                    {SlotConfig{}, discard{}, ""},
		"highest values":          {SlotConfig{PayloadType: 127, ClockRate: 192_000, FirstSequenceNumber: 32_767}, discard{}, ""},
		"last before RTCP":        {SlotConfig{PayloadType: 63}, discard{}, ""},
		"no writer":               {SlotConfig{}, nil, "Writer"},
		"payload type of 8 bits":  {SlotConfig{PayloadType: 128}, discard{}, "PayloadType"},
		"payload type like RTCP":  {SlotConfig{PayloadType: 64}, discard{}, "PayloadType"},
		"last type like RTCP":     {SlotConfig{PayloadType: 95}, discard{}, "PayloadType"},
		"level in two bytes":      {SlotConfig{LevelID: 15}, discard{}, "LevelID"},
		"clock too fast":          {SlotConfig{ClockRate: 192_001}, discard{}, "ClockRate"},
		"first number above half": {SlotConfig{FirstSequenceNumber: 32_768}, discard{}, "FirstSequenceNumber"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			slot, err := NewSlot(test.config, test.writer)
			if test.want == "" {
				if err != nil || slot == nil {
					t.Errorf("got %v, %v", slot, err)
				}
				return
			}
			if slot != nil || !errors.Is(err, ErrSlotConfig) || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, %v; want an ErrSlotConfig that names %s", slot, err, test.want)
			}
		})
	}
}

func TestRandomSlotConfig(t *testing.T) {
	var high, differs bool
	former := RandomSlotConfig(9, testType, 16_000)
	if former.SSRC != 9 || former.PayloadType != testType || former.ClockRate != 16_000 {
		t.Errorf("got %+v", former)
	}
	for range 200 {
		c := RandomSlotConfig(9, testType, 0)
		if _, err := NewSlot(c, discard{}); err != nil {
			t.Fatal(err)
		}
		high = high || c.FirstSequenceNumber >= 1<<14
		differs = differs || c.FirstTimestamp != former.FirstTimestamp && c.FirstSequenceNumber != former.FirstSequenceNumber
	}
	if !high || !differs {
		t.Errorf("200 configurations do not look random")
	}
}

func TestSlotHeader(t *testing.T) {
	source, _, r := newPair(t)
	p := talker{ssrc: 0xabcd, seq: 77, ts: 5}
	for i, want := range []struct{ in, out bool }{{false, true}, {false, false}, {true, true}} {
		packet := p.next()
		packet.Marker = want.in
		source.Forward(&packet, time.Unix(0, 0))
		got := r.last()
		if got.Version != 2 || got.Padding || got.Extension || got.Marker != want.out ||
			got.SSRC != testSSRC || got.PayloadType != testType ||
			got.SequenceNumber != first+uint16(i) || got.Timestamp != firstTS+uint32(i)*960 ||
			len(got.CSRC) != 1 || got.CSRC[0] != 0xabcd || got.payload != string(packet.Payload) {
			t.Errorf("packet %d: got %+v", i, got)
		}
	}
	p.ssrc = 0xbcde
	packet := p.next()
	source.Forward(&packet, time.Unix(0, 0))
	if got := r.last(); got.CSRC[0] != 0xbcde || got.SSRC != testSSRC || !got.Marker {
		t.Errorf("after a change of SSRC: got %+v", got)
	}
}

func TestSlotOpenClose(t *testing.T) {
	slot, _, r := newSlot(t, first, firstTS)
	slot.Close() // newSlot opened it
	source := NewSource()
	source.SetSlots([]*Slot{slot})
	slot.Assign(source)
	p := talker{ssrc: 1, seq: 40_000}
	send := func(n int) {
		for range n {
			packet := p.next()
			source.Forward(&packet, time.Unix(0, 0).Add(time.Duration(p.count)*frameLen))
		}
	}
	send(5)
	if len(r.sent) != 0 {
		t.Fatalf("%d packets got out before Open", len(r.sent))
	}
	slot.Open()
	slot.Open()
	send(2)
	if len(r.sent) != 2 || r.sent[0].SequenceNumber != first || r.sent[0].Timestamp != firstTS {
		t.Fatalf("got %+v after Open, want two packets from %d on", r.sent, first)
	}
	slot.Close()
	slot.Close()
	send(3)
	if len(r.sent) != 2 {
		t.Fatalf("%d packets got out after Close", len(r.sent)-2)
	}
	slot.Open()
	send(1)
	if got := r.last(); got.SequenceNumber != first+2 || got.Timestamp != firstTS+5*960 || !got.Marker {
		t.Errorf("got %+v after reopening, want number %d", got, first+2)
	}
	got := slot.Stats()
	if got.Dropped.NotOpen != 8 || got.Packets != 3 || got.Switches != 1 || got.Rebases != 1 || got.Missing != 0 {
		t.Errorf("got %+v", got)
	}
}

func TestSlotTakesOnlyItsSource(t *testing.T) {
	slot, _, r := newSlot(t, first, firstTS)
	a, b := NewSource(), NewSource()
	a.SetSlots([]*Slot{slot})
	b.SetSlots([]*Slot{slot})
	pa, pb := talker{ssrc: 0xa, seq: 1}, talker{ssrc: 0xb, seq: 50_000}
	now := time.Unix(0, 0)
	round := func() {
		now = now.Add(frameLen)
		packet := pa.next()
		a.Forward(&packet, now)
		packet = pb.next()
		b.Forward(&packet, now)
	}
	for i, want := range []struct {
		source *Source
		ssrc   uint32
	}{{nil, 0}, {a, 0xa}, {b, 0xb}, {b, 0xb}, {nil, 0}, {a, 0xa}} {
		slot.Assign(want.source)
		if got := slot.assigned.Load(); got != want.source {
			t.Fatalf("step %d: got source %p, want %p", i, got, want.source)
		}
		before := len(r.sent)
		round()
		sent := r.sent[before:]
		if want.source == nil && len(sent) != 0 || want.source != nil && (len(sent) != 1 || sent[0].talker() != want.ssrc) {
			t.Errorf("step %d: got %+v, want one packet of %x", i, sent, want.ssrc)
		}
	}
	for i, packet := range r.sent {
		if packet.SequenceNumber != first+uint16(i) {
			t.Errorf("packet %d has number %d, want %d", i, packet.SequenceNumber, first+i)
		}
	}
	// Assigning b again was no switch.
	if got := slot.Stats(); got.Switches != 3 || got.Rebases != 0 || got.Dropped.NotAssigned != 8 {
		t.Errorf("got %+v, want 3 switches and 8 packets turned away", got)
	}
}

func TestSlotStats(t *testing.T) {
	source, slot, r := newPair(t)
	if got := slot.Stats(); got != (SlotStats{Open: true}) {
		t.Errorf("got %+v before the first packet", got)
	}
	now := time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
	p := talker{ssrc: 1, seq: 7, ts: 55}
	packets := make([]rtp.Packet, 8)
	for i := range packets {
		packets[i] = p.next()
	}
	send := func(i, at int) { source.Forward(&packets[i], now.Add(time.Duration(at)*time.Millisecond)) }
	send(0, 0)
	send(3, 61)
	send(1, 62)
	send(1, 63)
	r.fail = errors.New("socket full")
	send(4, 80)
	r.fail = nil
	want := SlotStats{
		Open: true, Packets: 3, Octets: 36,
		LastTimestamp: firstTS + 4*960, LastTime: now.Add(80 * time.Millisecond),
		Switches: 1, Missing: 1,
		Dropped: SlotDrops{WriteError: 1},
	}
	if got := slot.Stats(); got != want {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
	send(5, 100)
	if got := r.last().SequenceNumber; got != first+5 {
		t.Errorf("got number %d after a write error, want %d: the number of the failed packet is used up", got, first+5)
	}
	// A slot that joins anew turns down what is older.
	slot.Assign(nil)
	slot.Assign(source)
	send(2, 101)
	send(6, 120)
	if got := slot.Stats(); got.Dropped.Late != 1 || got.Switches != 2 || got.Missing != 1 {
		t.Errorf("got %+v, want a late packet and a second switch", got)
	}
}

// TestSlotDuplicateListing: a slot listed twice must not send a packet twice.
func TestSlotDuplicateListing(t *testing.T) {
	source, slot, r := newPair(t)
	source.SetSlots([]*Slot{slot, nil, slot})
	p := talker{ssrc: 1}
	packet := p.next()
	source.Forward(&packet, time.Unix(0, 0))
	if got := slot.Stats(); len(r.sent) != 1 || got.Dropped.Duplicate != 1 {
		t.Errorf("sent %d packets, %+v", len(r.sent), got)
	}
}

type panicking struct{ on bool }

func (p *panicking) WriteRTP(_ Batch, _, _ []byte) error {
	if p.on {
		panic("writer")
	}
	return nil
}

func TestSlotSurvivesPanicOfWriter(t *testing.T) {
	w := &panicking{on: true}
	slot, err := NewSlot(SlotConfig{}, w)
	if err != nil {
		t.Fatal(err)
	}
	source := NewSource()
	source.SetSlots([]*Slot{slot})
	slot.Assign(source)
	slot.Open()
	p := talker{ssrc: 1}
	packet := p.next()
	func() {
		defer func() {
			if recover() == nil {
				t.Error("the panic was swallowed")
			}
		}()
		source.Forward(&packet, time.Unix(0, 0))
	}()
	w.on = false
	packet = p.next()
	source.Forward(&packet, time.Unix(0, 0))
	if got := slot.Stats(); got.Packets != 1 {
		t.Errorf("got %+v, want one packet after the panic", got)
	}
}

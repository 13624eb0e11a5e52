package forward

import (
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/mini-livechat/mini-livechat/sfu/forward/forwardtest"
	"github.com/mini-livechat/mini-livechat/sfu/repair"
	"github.com/mini-livechat/mini-livechat/sfu/rtp"
)

const testREDType = 63

// newREDSlot returns an open slot that takes RED, assigned to a source of its own.
func newREDSlot(t *testing.T, payloadType uint8) (*Source, *Slot, *forwardtest.Checker, *recorder) {
	t.Helper()
	r := &recorder{t: t}
	checker := forwardtest.NewChecker(t, DefaultClockRate, r)
	slot, err := NewSlot(SlotConfig{SSRC: testSSRC, PayloadType: payloadType, REDPayloadType: testREDType, FirstSequenceNumber: first}, checker)
	if err != nil {
		t.Fatal(err)
	}
	slot.Open()
	source := NewSource()
	source.SetSlots([]*Slot{slot})
	slot.Assign(source)
	return source, slot, checker, r
}

// frames unwraps a sent packet: the counts in its blocks, the oldest first. It checks that
// each block has the timestamp its frame had.
func frames(t *testing.T, p *sentPacket, payloadType uint8) []uint64 {
	t.Helper()
	if p.PayloadType == payloadType {
		return []uint64{p.count()}
	}
	var red repair.RED
	if err := red.Unmarshal([]byte(p.payload)); err != nil || p.PayloadType != testREDType {
		t.Fatalf("payload type %d, %v", p.PayloadType, err)
	}
	count := binary.BigEndian.Uint64(red.Primary().Data[4:])
	var all []uint64
	for _, b := range red.Redundant() {
		n := binary.BigEndian.Uint64(b.Data[4:])
		if b.PayloadType != payloadType || uint64(b.Offset) != (count-n)*960 {
			t.Errorf("frame %d, block of frame %d: %+v", count, n, b)
		}
		all = append(all, n)
	}
	return append(all, count)
}

func TestSlotConfigRED(t *testing.T) {
	for redType, ok := range map[uint8]bool{0: true, 63: true, 64: false, 95: false, 96: true, 111: false, 127: true, 128: false} {
		_, err := NewSlot(SlotConfig{PayloadType: 111, REDPayloadType: redType}, discard{})
		if ok != (err == nil) || err != nil && !errors.Is(err, ErrSlotConfig) {
			t.Errorf("payload type %d: got %v", redType, err)
		}
	}
}

func TestRedundancyOfASlot(t *testing.T) {
	for _, payloadType := range []uint8{111, 96} {
		source, slot, _, r := newREDSlot(t, payloadType)
		now := time.Unix(1e9, 0)
		p := &talker{ssrc: 1, seq: 65_534}
		speech(source, p, &now, 2)
		slot.SetRedundancy(2)
		speech(source, p, &now, 4, 4) // without frame 4
		slot.SetRedundancy(7)
		speech(source, p, &now, 4)
		late := rtp.Packet{SSRC: 1, SequenceNumber: 65_534 + 4 - 1<<16, Timestamp: 4 * 960, Payload: []byte(r.sent[0].payload)}
		late.Payload[len(late.Payload)-1] = 4
		source.Forward(&late, now)
		p.skip(0, 17) // 14 bits hold 17 frames, and one is between two neighbours
		speech(source, p, &now, 2)
		slot.SetRedundancy(-1)
		speech(source, p, &now, 1)
		want := [][]uint64{
			{0},
			{1},
			{2}, // the source learns of the wish
			{1, 2, 3},
			{5}, // its neighbour is missing
			{5, 6},
			{5, 6, 7},
			{5, 6, 7, 8},
			{6, 7, 8, 9},
			{4},
			{11},
			{11, 12},
			{13},
		}
		// The silence took a count but no number.
		for i := range r.sent {
			if got := frames(t, &r.sent[i], payloadType); !slices.Equal(got, want[i]) {
				t.Errorf("payload type %d, packet %d: got frames %v, want %v", payloadType, i, got, want[i])
			}
		}
		if got := slot.Stats().Redundant; len(r.sent) != len(want) || got != 6 {
			t.Errorf("sent %d packets, %d with redundancy", len(r.sent), got)
		}
	}
}

func TestRedundancyNeedsRED(t *testing.T) {
	source, slot, r := newPair(t)
	slot.SetRedundancy(3)
	now := time.Unix(1e9, 0)
	speech(source, &talker{}, &now, 5)
	if r.last().PayloadType != testType || source.demand.depth() != 0 {
		t.Errorf("got payload type %d", r.last().PayloadType)
	}
}

// TestRedundancyIsNotMadeForNobody: the wish is forgotten with the slot that had it.
func TestRedundancyIsNotMadeForNobody(t *testing.T) {
	source, slot, _, r := newREDSlot(t, 111)
	now := time.Unix(1e9, 0)
	p := &talker{}
	slot.SetRedundancy(3)
	speech(source, p, &now, 500)
	for i := range r.sent[5:] {
		if got := frames(t, &r.sent[5+i], 111); len(got) != 4 {
			t.Fatalf("frames %v", got)
		}
	}
	slot.SetRedundancy(0)
	speech(source, p, &now, 2*demandPeriod)
	if source.demand.depth() != 0 {
		t.Errorf("still makes %d", source.demand.depth())
	}
}

// TestKeep: redundancy that was kept outlives the next packet.
func TestKeep(t *testing.T) {
	source, slot, _, r := newREDSlot(t, 111)
	now := time.Unix(1e9, 0)
	p := &talker{ssrc: 4}
	slot.SetRedundancy(1)
	speech(source, p, &now, 2)
	packet := p.next()
	fanout, _ := source.Prepare(&packet, now)
	var kept Redundancy
	fanout.Keep(&kept)
	next := p.next()
	second, _ := source.Prepare(&next, now)
	fanout.Send(nil, packet.Payload)
	second.Send(nil, next.Payload)
	for i, want := range [][]uint64{{0}, {0, 1}, {1, 2}, {2, 3}} {
		if got := frames(t, &r.sent[i], 111); !slices.Equal(got, want) {
			t.Errorf("packet %d: frames %v, want %v", i, got, want)
		}
	}
}

// redUplink is a talker that sends RED to a source over a network that loses packets,
// and answers the source's requests after a while.
type redUplink struct {
	talker
	random  *rand.Rand
	depth   int
	history []rtp.Packet // everything ever sent
	wanted  []uint16
}

// wrap makes a RED packet of the newest one.
func (u *redUplink) wrap() rtp.Packet {
	newest := len(u.history) - 1
	packet := u.history[newest]
	var blocks []repair.Block
	for i := max(0, newest-u.depth); i <= newest; i++ {
		blocks = append(blocks, repair.Block{
			Data: u.history[i].Payload, Offset: uint16(packet.Timestamp - u.history[i].Timestamp), PayloadType: testType,
		})
	}
	packet.Payload, packet.PayloadType = repair.AppendRED(nil, blocks...), testREDType
	return packet
}

// receive does what a transport does with a packet that came.
func (u *redUplink) receive(t *testing.T, source *Source, p rtp.Packet, now time.Time) {
	t.Helper()
	if p.PayloadType == testREDType {
		var red repair.RED
		if err := red.Unmarshal(p.Payload); err != nil {
			t.Fatal(err)
		}
		for i := range red.Redundant() {
			if lost, ok := source.Lost(&p, &red, i, testType); ok {
				if fanout, ok := source.Recover(&lost, now); ok {
					fanout.Send(nil, lost.Payload)
				}
			}
		}
		p.Payload = red.Primary().Data
	}
	source.Forward(&p, now)
	u.wanted = source.Requests(now, u.wanted)
}

// TestRecovery: redundancy and answered requests fill the gaps of a talker, each packet
// is heard once and in its place, what cannot be had stays a gap, and the talker is
// told what its network loses, not what is left.
func TestRecovery(t *testing.T) {
	for name, test := range map[string]struct {
		depth  int
		answer bool
		left   float64 // most of the packets that may be missing
	}{
		"nothing":          {left: 0.24},
		"RED":              {depth: 1, left: 0.06},
		"deep RED":         {depth: 3, left: 0.005},
		"requests":         {answer: true, left: 0.02},
		"RED and requests": {depth: 1, answer: true, left: 0.006},
		"the deepest RED":  {depth: repair.MaxBlocks, left: 0.0001},
	} {
		t.Run(name, func(t *testing.T) {
			const packets, loss = 20_000, 0.2
			source, slot, checker, r := newREDSlot(t, testType)
			u := redUplink{talker: talker{ssrc: 9, seq: 65_400}, random: rand.New(rand.NewPCG(2198, uint64(test.depth))), depth: test.depth}
			now := time.Unix(1e9, 0)
			source.SetRTT(frameLen)
			for range packets {
				now = now.Add(frameLen)
				if test.answer {
					for _, seq := range u.wanted {
						back := u.seq - 1 - seq
						if u.random.Float64() > loss {
							u.receive(t, source, u.history[len(u.history)-1-int(back)], now)
						}
					}
				}
				u.wanted = u.wanted[:0]
				u.history = append(u.history, u.next())
				if u.random.Float64() > loss {
					u.receive(t, source, u.wrap(), now)
				}
			}
			heard := map[uint64]bool{}
			for i := range r.sent {
				p := &r.sent[i]
				if heard[p.count()] {
					t.Fatalf("frame %d heard twice", p.count())
				}
				heard[p.count()] = true
				if want := firstOf(r).SequenceNumber + uint16(p.count()-firstOf(r).count()); p.SequenceNumber != want {
					t.Fatalf("frame %d has number %d, want %d", p.count(), p.SequenceNumber, want)
				}
			}
			left := 1 - float64(len(heard))/packets
			stats, report := source.Stats(), must(source.Reception())
			t.Logf("%.3f %% left; %+v; %+v", left*100, stats, slot.Stats())
			if left > test.left || (stats.Recovered > 0) != (test.depth > 0) || (stats.Restored > 0) != test.answer {
				t.Errorf("more than %v left, or by other means", test.left)
			}
			if got := float64(report.TotalLost) / packets; got < loss-0.02 || got > loss+0.02 {
				t.Errorf("reports a loss of %v", got)
			}
			if checker.Stats(testSSRC).Repeats != 0 {
				t.Error("sent again")
			}
		})
	}
}

func block(data []byte, offset uint16, payloadType uint8) repair.Block {
	return repair.Block{Data: data, Offset: offset, PayloadType: payloadType}
}

func firstOf(r *recorder) *sentPacket { return &r.sent[0] }

func must(r repair.Reception, ok bool) repair.Reception {
	if !ok {
		panic("no report")
	}
	return r
}

// TestLost: redundancy is believed only where it makes sense.
func TestLost(t *testing.T) {
	for name, test := range map[string]struct {
		blocks []repair.Block // before the primary, of the packet 3 after the last received
		mute   bool
		ssrc   uint32
		want   []uint16 // how far before the packet
	}{
		"the usual":          {blocks: []repair.Block{block([]byte{2}, 1920, testType), block([]byte{1}, 960, testType)}, want: []uint16{2, 1}},
		"received":           {blocks: []repair.Block{block([]byte{3}, 2880, testType), block([]byte{2}, 1920, testType), block([]byte{1}, 960, testType)}, want: []uint16{2, 1}},
		"another codec":      {blocks: []repair.Block{block([]byte{2}, 1920, 0), block([]byte{1}, 960, testType)}, want: []uint16{1}},
		"no data":            {blocks: []repair.Block{block([]byte{2}, 1920, testType), block(nil, 960, testType)}, want: []uint16{2}},
		"the same time":      {blocks: []repair.Block{block([]byte{1}, 0, testType)}},
		"in the wrong order": {blocks: []repair.Block{block([]byte{2}, 960, testType), block([]byte{1}, 1920, testType)}, want: []uint16{1}},
		"another stream":     {blocks: []repair.Block{block([]byte{1}, 960, testType)}, ssrc: 1},
	} {
		t.Run(name, func(t *testing.T) {
			source, _, _, _ := newREDSlot(t, testType)
			now := time.Unix(1e9, 0)
			p := &talker{ssrc: 5, seq: 65_534}
			speech(source, p, &now, 2)
			packet := rtp.Packet{SSRC: 5 + test.ssrc, SequenceNumber: p.seq + 2, Timestamp: p.ts + 1920}
			var red repair.RED
			if err := red.Unmarshal(repair.AppendRED(nil, append(test.blocks, repair.Block{PayloadType: testType})...)); err != nil {
				t.Fatal(err)
			}
			var got []uint16
			for i, b := range red.Redundant() {
				if lost, ok := source.Lost(&packet, &red, i, testType); ok {
					got = append(got, packet.SequenceNumber-lost.SequenceNumber)
					if lost.Timestamp != packet.Timestamp-uint32(b.Offset) || lost.SSRC != packet.SSRC || lost.PayloadType != testType {
						t.Errorf("got %+v", lost)
					}
				}
			}
			if !slices.Equal(got, test.want) {
				t.Errorf("got %v, want %v", got, test.want)
			}
		})
	}
}

func TestRequestsWhileMuted(t *testing.T) {
	source, now := NewSource(), time.Unix(1e9, 0)
	p := &talker{}
	speech(source, p, &now, 3, 1)
	source.SetMuted(true)
	if got := source.Requests(now, nil); got != nil {
		t.Errorf("asks for %v", got)
	}
	source.SetMuted(false)
	if got := source.Requests(now, nil); !slices.Equal(got, []uint16{1}) {
		t.Errorf("asks for %v", got)
	}
	p.ssrc++
	p.skip(1, 1)
	speech(source, p, &now, 1)
	if got := source.Requests(now.Add(time.Second/10), nil); got != nil {
		t.Errorf("asks for %v of another stream", got)
	}
}

package forward

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/mini-livechat/mini-livechat/sfu/repair"
	"github.com/mini-livechat/mini-livechat/sfu/rtp"
)

// padding is a packet without a payload, which takes a number and no time.
func (p *talker) padding() rtp.Packet {
	packet := rtp.Packet{SSRC: p.ssrc, SequenceNumber: p.seq, Timestamp: p.ts - 960, PayloadType: 96}
	p.seq++
	return packet
}

// TestPaddingLeavesNoGap: between sound, over the wrap of the numbers, more of it than a window holds, and before the
// first sound.
func TestPaddingLeavesNoGap(t *testing.T) {
	for _, n := range []int{1, 2, windowSize - 1, windowSize, 3 * windowSize} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			source, slot, r := newPair(t)
			p, now := talker{ssrc: 1, seq: 65_530}, time.Unix(0, 0)
			for round := range 5 {
				for range n {
					packet := p.padding()
					source.Skip(&packet, now)
				}
				for range round {
					packet := p.next()
					now = now.Add(frameLen)
					source.Forward(&packet, now)
				}
				if got := source.Requests(now, nil); len(got) != 0 {
					t.Fatalf("asked for %v", got)
				}
			}
			for i, sent := range r.sent {
				if want := first + uint16(i); sent.SequenceNumber != want || sent.Timestamp != firstTS+uint32(i)*960 {
					t.Errorf("packet %d has number %d and time %d, want %d", i, sent.SequenceNumber, sent.Timestamp, want)
				}
			}
			stats := source.Stats()
			if len(r.sent) != 10 || slot.Stats().Missing != 0 || slot.Stats().Rebases != 0 ||
				stats.Restarts != 0 || stats.Dropped.Skipped != uint64(5*n) {
				t.Errorf("%d sent, %+v, %+v", len(r.sent), slot.Stats(), stats)
			}
		})
	}
}

// TestPaddingAmidDisorder: what is late, lost, doubled or recovered beside padding goes to the place it has without.
func TestPaddingAmidDisorder(t *testing.T) {
	for seed := range uint64(200) {
		random := rand.New(rand.NewPCG(7, seed))
		source, slot, _, r := newREDSlot(t, testType)
		slot.SetRedundancy(random.IntN(4))
		p, now := talker{ssrc: 1, seq: uint16(65_400 + random.IntN(130))}, time.Unix(0, 0)
		var late []rtp.Packet
		lost := map[uint64]bool{}
		for range 300 {
			now = now.Add(frameLen)
			for random.IntN(3) == 0 {
				packet := p.padding()
				source.Skip(&packet, now)
				if random.IntN(4) == 0 {
					source.Skip(&packet, now)
				}
			}
			packet := p.next()
			switch first := packet.SequenceNumber; {
			case p.count == 1: // the first sets the numbers
				source.Forward(&packet, now)
			case random.IntN(20) == 0:
				lost[p.count-1] = true
			case random.IntN(8) == 0:
				late = append(late, packet)
			default:
				source.Forward(&packet, now)
				if random.IntN(10) == 0 {
					source.Forward(&packet, now)
				}
				// What is late comes after a newer one.
				for i := range late {
					if late[i].SequenceNumber != first {
						source.Forward(&late[i], now)
					}
				}
				late = late[:0]
			}
		}
		for i := range r.sent {
			blocks := frames(t, &r.sent[i], testType)
			count := blocks[len(blocks)-1]
			if want := first + uint16(count); r.sent[i].SequenceNumber != want || lost[count] {
				t.Fatalf("seed %d: frame %d has number %d, want %d", seed, count, r.sent[i].SequenceNumber, want)
			}
			for j, block := range blocks {
				if block != count-uint64(len(blocks)-1-j) {
					t.Fatalf("seed %d: frame %d carries %v", seed, count, blocks)
				}
			}
		}
		if got := source.Stats(); len(r.sent)+len(lost)+len(late) != 300 || got.Restarts != 0 || slot.Stats().Rebases != 0 {
			t.Fatalf("seed %d: %d sent, %d lost, %d late, %+v, %+v", seed, len(r.sent), len(lost), len(late), got, slot.Stats())
		}
	}
}

// TestLostPaddingRepeatsNothing: RED names what it carries by counting back, which padding in between puts wrong.
func TestLostPaddingRepeatsNothing(t *testing.T) {
	for _, newer := range []int{0, 1} { // packets that came between the padding and the RED
		source, _, r := newPair(t)
		p, now := talker{ssrc: 1}, time.Unix(0, 0)
		for range 3 {
			packet := p.next()
			source.Forward(&packet, now)
		}
		before := r.last()
		p.padding() // lost
		data := make([]repair.Block, 0, newer+2)
		data = append(data, repair.Block{Data: []byte(before.payload), PayloadType: 96, Offset: uint16(960 * (1 + newer))})
		for i := range newer {
			packet := p.next()
			source.Forward(&packet, now)
			data = append(data, repair.Block{Data: packet.Payload, PayloadType: 96, Offset: uint16(960 * (newer - i))})
		}
		packet := p.next()
		var red repair.RED
		if err := red.Unmarshal(repair.AppendRED(nil, append(data, repair.Block{Data: packet.Payload, PayloadType: 96})...)); err != nil {
			t.Fatal(err)
		}
		for i := range red.Redundant() {
			if lost, ok := source.Lost(&packet, &red, i, 96); ok {
				t.Errorf("%d packets between: frame %d is heard once more, as number %d", newer, before.count(), lost.SequenceNumber)
			}
		}
	}
}

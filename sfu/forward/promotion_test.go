package forward

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/pion/srtp/v3"

	"github.com/mini-livechat/mini-livechat/sfu/forward/forwardtest"
	"github.com/mini-livechat/mini-livechat/sfu/rtp"
)

// both gives packets to two writers.
type both [2]Writer

func (b both) WriteRTP(out Batch, header, payload []byte) error {
	if err := b[0].WriteRTP(out, header, payload); err != nil {
		return err
	}
	return b[1].WriteRTP(out, header, payload)
}

// talk is one talker on a way that reorders and doubles packets but loses none.
type talk struct {
	talker
	source *Source
	// held packets are overtaken by later ones.
	held []rtp.Packet
	// arrived is when each frame first did.
	arrived map[uint64]time.Time
}

// TestThousandPromotions: packets overtake each other and come twice before, across and
// after each of a thousand promotions. What leaves is, each time, the new talker's frames
// from the promised moment on, each exactly once, and none of anybody else's; a real SRTP
// receiver, whose network reorders and loses on its own, takes every packet that reaches it.
func TestThousandPromotions(t *testing.T) {
	random := rand.New(rand.NewPCG(3711, 1000))
	receiver := newSRTPListener(t, random, srtp.ProtectionProfileAeadAes128Gcm)
	out := &recorder{t: t}
	checker := forwardtest.NewChecker(t, DefaultClockRate, both{receiver, out})
	slot, err := NewSlot(SlotConfig{SSRC: testSSRC, PayloadType: testType, FirstSequenceNumber: 1<<15 - 1, FirstTimestamp: 1<<32 - 1}, checker)
	if err != nil {
		t.Fatal(err)
	}
	slot.Open()
	talkers := make([]*talk, 3)
	for i := range talkers {
		talkers[i] = &talk{
			talker: talker{ssrc: uint32(i + 1), seq: uint16(65_530 * i), ts: 1<<32 - 5000}, source: NewSource(), arrived: make(map[uint64]time.Time),
		}
		talkers[i].source.SetSlots([]*Slot{slot})
	}
	var (
		now     = time.Unix(1e9, 0)
		current *talk
		since   time.Time // what current was promoted with, until its first frame is out
		begin   uint64    // its first frame that was sent
		late    int       // frames sent in the place where they were missed
		doubled int
		caught  int // frames sent from before their talker's promotion
	)
	deliver := func(w *talk, p rtp.Packet) {
		t.Helper()
		sent, ahead := len(out.sent), slot.rw.ahead > slot.rw.ticks(maxAhead)
		count := (&sentPacket{payload: string(p.Payload)}).count()
		_, again := w.arrived[count]
		if !again {
			w.arrived[count] = now
		}
		w.source.Forward(&p, now)
		got := counts(out.sent[sent:])
		for i := range out.sent[sent:] {
			if talker := out.sent[sent+i].talker(); w != current || talker != w.ssrc {
				t.Fatalf("a packet of %d sends one of %d, who was not promoted", w.ssrc, talker)
			}
		}
		var want []uint64
		switch {
		case w != current || again:
		case since.IsZero() && count >= begin:
			want = []uint64{count}
		case !since.IsZero():
			// All that came since then and was overtaken by none that had come before.
			for c := w.count; c > 0 && w.count-c < historyLen; c-- {
				at, came := w.arrived[c-1]
				if came && !at.After(since) {
					break
				}
				if came {
					want = append([]uint64{c - 1}, want...)
				}
			}
			if ahead { // there is no time to catch up
				want = want[max(len(want)-1, 0):]
			}
			if !slices.Contains(want, count) {
				want = nil // older than all that is wanted
				break
			}
			caught += len(want) - 1
			since, begin = time.Time{}, want[0]
		}
		if !slices.Equal(got, want) {
			t.Fatalf("frame %d of %d sends %v, want %v", count, w.ssrc, got, want)
		}
		if w == current && len(got) == 1 && count < w.count-1 {
			late++
		}
		if again && w == current {
			doubled++
		}
	}
	frame := func() {
		now = now.Add(frameLen)
		for _, w := range talkers {
			p := w.next()
			switch random.IntN(5) {
			case 0:
				w.held = append(w.held, p)
			case 1:
				deliver(w, p)
				deliver(w, p)
			case 2:
				deliver(w, p)
			default:
				// In order, but perhaps after one that is late.
				defer deliver(w, p)
			}
			for len(w.held) > 0 && random.IntN(3) > 0 {
				i := random.IntN(len(w.held))
				late := w.held[i]
				w.held = slices.Delete(w.held, i, i+1)
				deliver(w, late)
				if random.IntN(2) == 0 {
					deliver(w, late)
				}
			}
		}
	}
	for i := range 1000 {
		if random.IntN(2) == 0 { // nobody speaks: DTX
			now = now.Add(20 * frameLen)
			for _, w := range talkers {
				w.skip(0, 20)
			}
		}
		next := (i + random.IntN(2)) % len(talkers)
		if talkers[next] == current {
			next = (next + 1) % len(talkers)
		}
		current, since = talkers[next], now.Add(-time.Duration(random.IntN(300))*time.Millisecond)
		slot.Promote(current.source, since)
		for range 5 + random.IntN(60) {
			frame()
		}
	}
	for len(receiver.inFlight) > 0 {
		receiver.receive(0)
	}
	stats, seen := slot.Stats(), checker.Stats(testSSRC)
	if stats.Switches != 1000 || late < 1000 || doubled < 1000 || caught < 1000 || seen.Highest < 1<<16 || seen.Repeats != 0 || stats.Dropped.WriteError != 0 || receiver.received < 10_000 {
		t.Errorf("%+v; %+v", stats, seen)
	}
	t.Logf("%d switches, %d frames caught up, %d late, %d doubled; received %d of %d up to index %d",
		stats.Switches, caught, late, doubled, receiver.received, stats.Packets, seen.Highest)
}

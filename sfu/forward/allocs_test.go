package forward

import (
	"fmt"
	"testing"
	"time"

	"github.com/mini-livechat/mini-livechat/sfu/rtp"
)

// crowd returns a source, n open slots that hear it, and its packet, which is to be moved
// on by 20 ms for each Forward.
func crowd(tb testing.TB, n int) (*Source, *rtp.Packet) {
	tb.Helper()
	source := NewSource()
	slots := make([]*Slot, n)
	for i := range slots {
		slot, err := NewSlot(RandomSlotConfig(uint32(i), testType, 0), discard{})
		if err != nil {
			tb.Fatal(err)
		}
		slot.Assign(source)
		slot.Open()
		slots[i] = slot
	}
	source.SetSlots(slots)
	return source, &rtp.Packet{SSRC: 1, Payload: make([]byte, 100)}
}

func TestAllocsForward(t *testing.T) {
	if raceDetector {
		t.Skip("the race detector allocates")
	}
	for _, n := range []int{1, 10, 100} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			source, p := crowd(t, n)
			now := time.Unix(0, 0)
			got := testing.AllocsPerRun(1000, func() {
				now = now.Add(frameLen)
				p.SequenceNumber++
				p.Timestamp += 960
				source.Forward(p, now)
			})
			if got != 0 {
				t.Errorf("got %v allocations a packet, want none", got)
			}
		})
	}
}

func TestAllocsResend(t *testing.T) {
	if raceDetector {
		t.Skip("the race detector allocates")
	}
	source, p := crowd(t, 1)
	slot := (*source.slots.Load())[0]
	now := time.Unix(0, 0)
	source.Forward(p, now)
	if got := testing.AllocsPerRun(1000, func() {
		now = now.Add(frameLen)
		p.SequenceNumber++
		p.Timestamp += 960
		source.Forward(p, now)
		if !slot.Resend(uint16(slot.rw.sent.highest), now, nil) {
			t.Error("not sent again")
		}
	}); got != 0 {
		t.Errorf("got %v allocations a packet, want none", got)
	}
}

func TestAllocsRedundancy(t *testing.T) {
	if raceDetector {
		t.Skip("the race detector allocates")
	}
	source := NewSource()
	slot, err := NewSlot(SlotConfig{PayloadType: 96, REDPayloadType: 63}, discard{})
	if err != nil {
		t.Fatal(err)
	}
	slot.Assign(source)
	slot.Open()
	slot.SetRedundancy(3)
	source.SetSlots([]*Slot{slot})
	p := &rtp.Packet{SSRC: 1, Payload: make([]byte, 100)}
	now := time.Unix(0, 0)
	requests := make([]uint16, 0, 64)
	forward := func() {
		now = now.Add(frameLen)
		p.SequenceNumber += 2 - uint16(len(requests)) // every other one is missing for a while
		p.Timestamp += 960
		source.Forward(p, now)
		requests = source.Requests(now, requests[:0])
		slot.Resend(uint16(slot.rw.sent.highest), now, nil)
	}
	for range 100 {
		forward()
	}
	if got := testing.AllocsPerRun(1000, forward); got != 0 || slot.Stats().Redundant == 0 || source.Stats().Requested == 0 {
		t.Errorf("got %v allocations a packet, want none; %+v", got, slot.Stats())
	}
}

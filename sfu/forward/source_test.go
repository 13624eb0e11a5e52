package forward

import (
	"testing"
	"time"

	"github.com/mini-livechat/mini-livechat/sfu/rtp"
)

func TestSourceMute(t *testing.T) {
	source, slot, r := newPair(t)
	p := talker{ssrc: 1, seq: 65_530}
	now := time.Unix(0, 0)
	send := func(packet rtp.Packet) {
		now = now.Add(frameLen)
		source.Forward(&packet, now)
	}
	send(p.next())
	before := p.next()
	send(p.next())

	source.SetMuted(true)
	source.SetMuted(true)
	for range 50 {
		send(p.next())
	}
	during := p.next()
	send(p.next())
	if len(r.sent) != 2 {
		t.Fatalf("%d packets got out while muted", len(r.sent)-2)
	}

	source.SetMuted(false)
	source.SetMuted(false)
	// Said before or during the mute, delayed until after it.
	send(during)
	send(before)
	if len(r.sent) != 2 {
		t.Fatalf("%d packets from before the unmute got out", len(r.sent)-2)
	}
	send(p.next())
	send(p.next())
	if got, want := r.last().SequenceNumber, uint16(first+2+2); len(r.sent) != 4 || got != want {
		t.Errorf("sent %d packets, the last with number %d, want 4 and %d", len(r.sent), got, want)
	}
	if got, want := r.sent[2], firstTS+2*960+uint32(54*960); got.Timestamp != want || !got.Marker {
		t.Errorf("got %+v after the unmute, want a marker and timestamp %d", got, want)
	}
	if got, want := source.Stats(), (SourceStats{
		Packets: 4, Octets: 48, Dropped: SourceDrops{Muted: 51, Late: 2},
	}); got != want {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
	if got := slot.Stats(); got.Switches != 1 || got.Rebases != 1 {
		t.Errorf("got %+v, want one switch and one re-base", got)
	}
}

// TestSourceMuteStopsClock: a talker whose own clock stands still while muted.
func TestSourceMuteStopsClock(t *testing.T) {
	source, _, r := newPair(t)
	p := talker{ssrc: 1}
	packet := p.next()
	source.Forward(&packet, time.Unix(0, 0))
	source.SetMuted(true)
	source.SetMuted(false)
	packet = p.next()
	source.Forward(&packet, time.Unix(3, 0))
	if got := r.last(); got.Timestamp != firstTS+3*DefaultClockRate || got.SequenceNumber != first+1 {
		t.Errorf("got %+v, want the next number three seconds later", got)
	}
}

func TestSourceMutedFromTheStart(t *testing.T) {
	source, _, r := newPair(t)
	source.SetMuted(true)
	p := talker{ssrc: 1, seq: 9}
	for range 3 {
		packet := p.next()
		source.Forward(&packet, time.Unix(0, 0))
	}
	source.SetMuted(false)
	packet := p.next()
	source.Forward(&packet, time.Unix(0, 0))
	if len(r.sent) != 1 || r.last().SequenceNumber != first {
		t.Errorf("got %+v, want one packet with the first number", r.sent)
	}
}

func TestSourceStats(t *testing.T) {
	source := NewSource()
	send := func(ssrc uint32, seq uint16, ts uint32) {
		source.Forward(&rtp.Packet{SSRC: ssrc, SequenceNumber: seq, Timestamp: ts, Payload: []byte("12345")}, time.Unix(0, 0))
	}
	send(1, 5000, 0)
	send(1, 5001, 960)
	send(1, 5001, 960)     // duplicate
	send(1, 4000, 0)       // stray
	send(1, 45_000, 1920)  // restart
	send(1, 45_001, 1919)  // the clock goes back: restart
	send(2, 45_002, 3*960) // another SSRC: restart
	if got, want := source.Stats(), (SourceStats{
		Packets: 5, Octets: 25, Restarts: 3, Dropped: SourceDrops{Duplicate: 1, Late: 1},
	}); got != want {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}

// TestSourceRestarts: losses are no restart, strays neither.
func TestSourceRestarts(t *testing.T) {
	for name, test := range map[string]struct {
		numbers []uint16
		want    uint64
	}{
		"largest loss":            {[]uint16{10_000, 13_000}, 0},
		"one more":                {[]uint16{10_000, 13_001}, 1},
		"oldest stray":            {[]uint16{10_000, 7_000}, 0},
		"one older":               {[]uint16{10_000, 6_999}, 1},
		"two strays in a row":     {[]uint16{10_000, 8_000, 8_001}, 1},
		"two strays not in a row": {[]uint16{10_000, 8_000, 8_002}, 0},
		"two strays apart":        {[]uint16{10_000, 8_000, 10_001, 8_001}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			source := NewSource()
			for _, number := range test.numbers {
				source.Forward(&rtp.Packet{SequenceNumber: number, Timestamp: uint32(number) * 960}, time.Unix(0, 0))
			}
			if got := source.Stats().Restarts; got != test.want {
				t.Errorf("got %d restarts, want %d", got, test.want)
			}
		})
	}
}

func TestSourceSetSlots(t *testing.T) {
	source := NewSource()
	slots := make([]*Slot, 3)
	recorders := make([]*recorder, len(slots))
	for i := range slots {
		slots[i], _, recorders[i] = newSlot(t, first, firstTS)
		slots[i].Assign(source)
	}
	p := talker{ssrc: 1}
	expect := func(want ...int) {
		t.Helper()
		packet := p.next()
		source.Forward(&packet, time.Unix(0, 0).Add(time.Duration(p.count)*frameLen))
		for i, r := range recorders {
			if len(r.sent) != want[i] {
				t.Errorf("slot %d has %d packets, want %d", i, len(r.sent), want[i])
			}
		}
	}
	expect(0, 0, 0)
	list := []*Slot{slots[0], nil, slots[1]}
	source.SetSlots(list)
	list[0] = slots[2] // must make no difference
	expect(1, 1, 0)
	source.SetSlots(slots)
	expect(2, 2, 1)
	source.SetSlots(nil)
	expect(2, 2, 1)
}

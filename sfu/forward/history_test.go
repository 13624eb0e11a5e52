package forward

import (
	"slices"
	"testing"
	"time"

	"github.com/mini-livechat/mini-livechat/sfu/rtp"
)

// speech lets a talker say n frames to source, 20 ms apart, leaving out those lost.
func speech(source *Source, p *talker, now *time.Time, n int, lost ...uint64) {
	for range n {
		*now = now.Add(frameLen)
		packet := p.next()
		if !slices.Contains(lost, p.count-1) {
			source.Forward(&packet, *now)
		}
	}
}

func counts(sent []sentPacket) []uint64 {
	all := make([]uint64, len(sent))
	for i := range sent {
		all[i] = sent[i].count()
	}
	return all
}

func TestPromote(t *testing.T) {
	tests := map[string]struct {
		before func(*Source, *talker, *time.Time) // instead of 100 frames of speech
		d      time.Duration
		want   []uint64
	}{
		"last 60 ms": {d: 60 * time.Millisecond, want: []uint64{97, 98, 99}},
		"nothing":    {d: 0},
		"negative":   {d: -time.Second},
		"at most a second": {d: time.Hour, want: func() (all []uint64) {
			for i := range uint64(49) {
				all = append(all, 51+i) // the second ends with the packet after them
			}
			return all
		}()},
		"with a gap": {
			before: func(s *Source, p *talker, now *time.Time) { speech(s, p, now, 10, 7, 8) },
			d:      80 * time.Millisecond, want: []uint64{6, 9},
		},
		"reordered": {
			before: func(s *Source, p *talker, now *time.Time) {
				speech(s, p, now, 1)
				late := p.next()
				speech(s, p, now, 1)
				s.Forward(&late, *now)
			},
			d: time.Second, want: []uint64{0, 1, 2},
		},
		"not over a restart": {
			before: func(s *Source, p *talker, now *time.Time) {
				speech(s, p, now, 5)
				p.skip(20_000, 5)
				speech(s, p, now, 2)
			},
			d: time.Second, want: []uint64{6, 7},
		},
		"not over a mute": {
			before: func(s *Source, p *talker, now *time.Time) {
				speech(s, p, now, 5)
				s.SetMuted(true)
				speech(s, p, now, 5)
				s.SetMuted(false)
				speech(s, p, now, 2)
			},
			d: time.Second, want: []uint64{10, 11},
		},
		"while muted": {
			before: func(s *Source, p *talker, now *time.Time) {
				speech(s, p, now, 5)
				s.SetMuted(true)
			},
			d: time.Second,
		},
		"said before a mute that is over": {
			before: func(s *Source, p *talker, now *time.Time) {
				speech(s, p, now, 5)
				s.SetMuted(true)
				s.SetMuted(false)
			},
			d: time.Second,
		},
		"of one who never spoke": {before: func(*Source, *talker, *time.Time) {}, d: time.Second},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			former, slot, r := newPair(t)
			now := time.Unix(1e9, 0)
			speech(former, &talker{ssrc: 1}, &now, 3)
			r.sent = nil
			source, p := NewSource(), &talker{ssrc: 2, seq: 65_480}
			source.SetSlots([]*Slot{slot})
			if test.before == nil {
				speech(source, p, &now, 100)
			} else {
				test.before(source, p, &now)
			}
			slot.Promote(source, now.Add(-test.d))
			slot.Promote(source, time.Time{})
			if slot.assigned.Load() != source || len(r.sent) != 0 {
				t.Fatalf("sent frames %v before there was something to follow them", counts(r.sent))
			}
			source.SetMuted(false)
			speech(source, p, &now, 1)
			if want := slices.Concat(test.want, []uint64{p.count - 1}); !slices.Equal(counts(r.sent), want) {
				t.Fatalf("sent frames %v, want %v", counts(r.sent), want)
			}
			speech(source, p, &now, 2)
			if got := r.sent[len(r.sent)-3:]; got[2].SequenceNumber != got[0].SequenceNumber+2 || got[2].Timestamp != got[0].Timestamp+2*960 {
				t.Errorf("goes on with %+v", got)
			}
		})
	}
}

// TestPromoteMeetsForward: a packet that is in the history and in a fan-out under way is
// sent once, whichever of several fan-outs comes first.
func TestPromoteMeetsForward(t *testing.T) {
	for first := range 3 {
		slot, checker, r := newSlot(t, 100, firstTS)
		source, p := NewSource(), talker{ssrc: 2}
		source.SetSlots([]*Slot{slot})
		now := time.Unix(1e9, 0)
		speech(source, &p, &now, 3)
		since := now.Add(-frameLen)
		slot.Promote(source, since)
		var fanouts [3]Fanout
		var packets [3]rtp.Packet
		for i := range fanouts {
			packets[i] = p.next()
			fanouts[i], _ = source.Prepare(&packets[i], now)
		}
		fanouts[first].Send(nil, packets[first].Payload)
		for i := range fanouts {
			fanouts[i].Send(nil, packets[i].Payload)
		}
		if got := counts(r.sent); !slices.Equal(got, []uint64{2, 3, 4, 5}) || checker.Stats(testSSRC).Repeats != 0 {
			t.Errorf("fan-out %d first: sent %v", first, got)
		}
	}
}

// TestPromoteKeepsTheClock: what a promotion puts a stream ahead of the wall clock, because
// more was said than time has passed, the next pause takes back; a thousand of them do not
// add up.
func TestPromoteKeepsTheClock(t *testing.T) {
	slot, _, r := newSlot(t, 100, 0)
	now := time.Unix(1e9, 0)
	start := now
	sources, talkers := []*Source{NewSource(), NewSource()}, []*talker{{ssrc: 1}, {ssrc: 2, ts: 1 << 31}}
	for _, source := range sources {
		source.SetSlots([]*Slot{slot})
	}
	frame := func() {
		now = now.Add(frameLen)
		for i, source := range sources {
			packet := talkers[i].next()
			source.Forward(&packet, now)
		}
	}
	frame()
	slot.Assign(sources[1])
	for i := range 1000 {
		frame()
		frame()
		slot.Promote(sources[i%2], now.Add(-100*time.Millisecond))
	}
	frame()
	wall := uint32(now.Sub(start)/frameLen) * 960
	if ahead := int32(r.last().Timestamp - wall); ahead < 0 || ahead > 48*400 {
		t.Fatalf("%d ticks ahead while nobody pauses", ahead)
	}
	busy := int32(r.last().Timestamp - wall)
	slot.Assign(nil)
	for range int(busy)/960 + 1 {
		frame()
	}
	slot.Assign(sources[0])
	frame()
	wall = uint32(now.Sub(start)/frameLen) * 960
	if ahead := int32(r.last().Timestamp - wall); max(ahead, -ahead) > 2*960 {
		t.Errorf("%d ticks ahead of the wall clock after a pause", ahead)
	}
}

// TestPromoteAfterSilence: a slot on which nobody was heard has time for the beginning.
func TestPromoteAfterSilence(t *testing.T) {
	former, slot, r := newPair(t)
	now := time.Unix(1e9, 0)
	speech(former, &talker{ssrc: 1}, &now, 3)
	last := *r.last()
	source, p := NewSource(), talker{ssrc: 2}
	source.SetSlots([]*Slot{slot})
	speech(source, &p, &now, 10)
	slot.Promote(source, now.Add(-100*time.Millisecond))
	speech(source, &p, &now, 1)
	if got := *r.last(); got.Timestamp-last.Timestamp != 11*960 || got.SequenceNumber-last.SequenceNumber != 6 {
		t.Errorf("220 ms and 6 packets after %+v came %+v", last, got)
	}
}

func TestPromoteClosedSlot(t *testing.T) {
	slot, _, r := newSlot(t, first, firstTS)
	source, now := NewSource(), time.Unix(1e9, 0)
	source.SetSlots([]*Slot{slot})
	p := &talker{}
	speech(source, p, &now, 4)
	slot.Close()
	slot.Promote(source, now.Add(-time.Second))
	speech(source, p, &now, 1)
	if len(r.sent) != 0 || slot.assigned.Load() != source {
		t.Errorf("sent %v", r.sent)
	}
	slot.Promote(nil, now)
	if slot.assigned.Load() != nil {
		t.Error("not freed")
	}
}

// TestResend asks for everything that a slot ever sent and more, in all states.
func TestResend(t *testing.T) {
	slot, checker, r := newSlot(t, 1<<15-1, firstTS)
	source, p := NewSource(), &talker{ssrc: 7, seq: 65_000}
	source.SetSlots([]*Slot{slot})
	slot.Assign(source)
	now := time.Unix(1e9, 0)
	ask := func(want ...uint64) {
		t.Helper()
		now = now.Add(10 * time.Millisecond)
		before := len(r.sent)
		for seq := range 1 << 16 {
			slot.Resend(uint16(seq), now, nil)
		}
		got := counts(r.sent[before:])
		slices.Sort(got)
		if !slices.Equal(got, want) {
			t.Fatalf("sent again %v, want %v", got, want)
		}
	}
	ask()
	speech(source, p, &now, 6, 2)
	ask(0, 1, 3, 4, 5)
	late := rtp.Packet{SSRC: 7, SequenceNumber: 65_002, Timestamp: 2 * 960, Payload: []byte(r.sent[0].payload)}
	late.Payload[11] = 2
	source.Forward(&late, now)
	ask(0, 1, 2, 3, 4, 5)
	ask(0, 1, 2, 3, 4, 5)
	ask(2) // the others were sent again three times
	ask()
	if got := slot.Stats(); got.Asked != 6 || got.Resent != 18 || got.Packets != 24 || checker.Stats(testSSRC).Repeats != 18 {
		t.Errorf("got %+v", got)
	}
	speech(source, p, &now, 1)
	now = now.Add(maxHistoryAge)
	ask() // too old
	speech(source, p, &now, 1)
	source.SetMuted(true)
	ask()
	source.SetMuted(false)
	ask()
	speech(source, p, &now, 1)
	slot.Close()
	ask()
	slot.Open()
	ask() // from before the close
	speech(source, p, &now, 1)
	slot.Assign(NewSource())
	ask()
	slot.Assign(source)
	ask()
	speech(source, p, &now, 100)
	checkSparseReceiver(t, r.sent)
}

// TestResendKeepsWithinTheWindow: only the newest 64 are sent again, however fast they came.
func TestResendKeepsWithinTheWindow(t *testing.T) {
	source, slot, r := newPair(t)
	now := time.Unix(1e9, 0)
	for p := (talker{seq: 9}); p.count < 1000; {
		packet := p.next()
		source.Forward(&packet, now)
	}
	for seq := range 1 << 16 {
		slot.Resend(uint16(seq), now, nil)
	}
	if got := counts(r.sent[1000:]); len(got) != windowSize || slices.Min(got) != 1000-windowSize {
		t.Errorf("sent again %v", got)
	}
}

// TestResendSpacing: requests that crossed are one.
func TestResendSpacing(t *testing.T) {
	source, slot, r := newPair(t)
	now := time.Unix(1e9, 0)
	speech(source, &talker{}, &now, 1)
	for range 1000 {
		now = now.Add(time.Millisecond)
		slot.Resend(first, now, nil)
	}
	if len(r.sent) != 1+3 {
		t.Errorf("sent %d times", len(r.sent))
	}
}

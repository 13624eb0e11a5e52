package forward

import (
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// TestWhatWasPreparedBeforeStaysIn: a fan-out that waits, as in a lane, is sent only if nothing was said since that
// keeps it from the slot, whatever was said after that.
func TestWhatWasPreparedBeforeStaysIn(t *testing.T) {
	other := NewSource()
	for name, test := range map[string]struct {
		change func(*Source, *Slot)
		sent   int
		want   SlotDrops
	}{
		"nothing":          {func(*Source, *Slot) {}, 1, SlotDrops{}},
		"an unmute":        {func(source *Source, _ *Slot) { source.SetMuted(false) }, 1, SlotDrops{}},
		"mute":             {func(source *Source, _ *Slot) { source.SetMuted(true) }, 0, SlotDrops{Withheld: 1}},
		"mute and unmute":  {func(source *Source, _ *Slot) { source.SetMuted(true); source.SetMuted(false) }, 0, SlotDrops{Withheld: 1}},
		"floor taken away": {func(source *Source, _ *Slot) { source.SetFloor(false) }, 0, SlotDrops{Withheld: 1}},
		"floor and again":  {func(source *Source, _ *Slot) { source.SetFloor(false); source.SetFloor(true) }, 0, SlotDrops{Withheld: 1}},
		"freed":            {func(_ *Source, slot *Slot) { slot.Assign(nil) }, 0, SlotDrops{NotAssigned: 1}},
		"another's":        {func(_ *Source, slot *Slot) { slot.Assign(other) }, 0, SlotDrops{NotAssigned: 1}},
		"freed and back":   {func(source *Source, slot *Slot) { slot.Assign(nil); slot.Assign(source) }, 0, SlotDrops{NotAssigned: 1}},
		"away and back":    {func(source *Source, slot *Slot) { slot.Assign(other); slot.Assign(source) }, 0, SlotDrops{NotAssigned: 1}},
		"assigned as ever": {func(source *Source, slot *Slot) { slot.Assign(source) }, 1, SlotDrops{}},
		"closed":           {func(_ *Source, slot *Slot) { slot.Close() }, 0, SlotDrops{NotOpen: 1}},
	} {
		t.Run(name, func(t *testing.T) {
			source, slot, r := newPair(t)
			p, now := talker{ssrc: 1}, time.Unix(0, 0)
			first := p.next()
			source.Forward(&first, now)
			held := p.next()
			fanout, ok := source.Prepare(&held, now)
			if !ok {
				t.Fatal("not prepared")
			}
			test.change(source, slot)
			fanout.Send(nil, held.Payload)
			if got := len(r.sent) - 1; got != test.sent {
				t.Errorf("%d sent, want %d", got, test.sent)
			}
			if got := slot.Stats().Dropped; got != test.want {
				t.Errorf("dropped %+v, want %+v", got, test.want)
			}
			// The next goes out, and no number is missing.
			slot.Open()
			source.SetMuted(false)
			source.SetFloor(true)
			slot.Assign(source)
			next := p.next()
			source.Forward(&next, now.Add(frameLen))
			if got := r.last().SequenceNumber; got != r.sent[0].SequenceNumber+uint16(len(r.sent)-1) {
				t.Errorf("number %d, the first was %d of %d", got, r.sent[0].SequenceNumber, len(r.sent))
			}
		})
	}
}

// TestReasonsToCloseAddUp: a gate is open only when there is none left, and no word ever comes back.
func TestReasonsToCloseAddUp(t *testing.T) {
	const byAnother = byFloor
	var g gate
	seen := map[uint32]bool{g.load(): true}
	for i, step := range []struct {
		why    reason
		closed bool
		open   bool
	}{
		{byMute, true, false},
		{byAnother, true, false},
		{byMute, false, false},
		{byAnother, false, true},
		{byAnother, true, false},
		{byAnother, false, true},
	} {
		g.set(step.why, step.closed)
		word := g.load()
		if isOpen(word) != step.open || seen[word] {
			t.Errorf("step %d: word %x, open is %t, want %t", i, word, isOpen(word), step.open)
		}
		seen[word] = true
		if g.set(step.why, step.closed); g.load() != word {
			t.Errorf("step %d: said again, the word changed", i)
		}
	}
}

// TestNothingLeavesAfterTheCall: while lanes send parts of large fan-outs and the packets still come, no slot is
// being written to any more when SetMuted or Assign has returned.
func TestNothingLeavesAfterTheCall(t *testing.T) {
	const lanes, listeners, rounds = 4, 32, 200
	for name, change := range map[string]struct{ shut, open func(*Source, []*Slot) }{
		"mute": {
			func(source *Source, _ []*Slot) { source.SetMuted(true) },
			func(source *Source, _ []*Slot) { source.SetMuted(false) },
		},
		"assignment": {
			func(_ *Source, slots []*Slot) {
				for _, slot := range slots {
					slot.Assign(nil)
				}
			},
			func(source *Source, slots []*Slot) {
				for _, slot := range slots {
					slot.Assign(source)
				}
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := &dawdler{t: t}
			source, slots := NewSource(), make([]*Slot, listeners)
			for i := range slots {
				slot, err := NewSlot(SlotConfig{SSRC: uint32(i)}, w)
				if err != nil {
					t.Fatal(err)
				}
				slot.Open()
				slot.Assign(source)
				slots[i] = slot
			}
			source.SetSlots(slots)

			type job struct {
				part    Fanout
				payload []byte
			}
			var done atomic.Bool
			var running sync.WaitGroup
			var taken atomic.Uint64
			queues := make([]chan job, lanes)
			for i := range queues {
				queues[i] = make(chan job, 8)
				running.Go(func() {
					for j := range queues[i] {
						j.part.Send(nil, j.payload)
						taken.Add(1)
					}
				})
			}
			running.Go(func() {
				for p := (talker{ssrc: 1}); !done.Load(); {
					packet := p.next()
					fanout, ok := source.Prepare(&packet, time.Unix(0, 0))
					if !ok {
						runtime.Gosched()
						continue
					}
					for i, queue := range queues {
						share := listeners / lanes
						queue <- job{fanout.Part(i*share, (i+1)*share), packet.Payload}
					}
				}
				for _, queue := range queues {
					close(queue)
				}
			})
			for range rounds {
				written := w.written.Load()
				waitFor(t, fmt.Sprint("packets after ", name), func() bool { return w.written.Load() > written+listeners })
				change.shut(source, slots)
				w.forbidden.Store(true)
				before := taken.Load()
				for i := 0; i < 100 && taken.Load() < before+lanes; i++ { // the lanes take what was prepared before
					runtime.Gosched()
				}
				w.forbidden.Store(false)
				change.open(source, slots)
			}
			done.Store(true)
			running.Wait()
		})
	}
}

// TestPacketsWithoutTheFloorAreCounted: nothing of them is sent or kept for later, and both reasons to hold a packet back must be gone.
func TestPacketsWithoutTheFloorAreCounted(t *testing.T) {
	source, slot, r := newPair(t)
	p, now := talker{ssrc: 1}, time.Unix(0, 0)
	say := func(n int) {
		for range n {
			packet := p.next()
			now = now.Add(frameLen)
			source.Forward(&packet, now)
		}
	}
	source.SetFloor(false)
	say(3)
	source.SetMuted(true)
	say(2)
	source.SetFloor(true)
	say(4)
	if got, want := source.Stats().Dropped, (SourceDrops{Unpermitted: 3, Muted: 6}); got != want {
		t.Errorf("dropped %+v, want %+v", got, want)
	}
	source.SetMuted(false)
	slot.SetRedundancy(3)
	say(1)
	if len(r.sent) != 1 || slot.Stats().Redundant != 0 {
		t.Errorf("%d packets were sent, %d with what came before", len(r.sent), slot.Stats().Redundant)
	}
}

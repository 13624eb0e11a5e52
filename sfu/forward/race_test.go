package forward

import (
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/mini-livechat/mini-livechat/sfu/forward/forwardtest"
)

// exclusive is a writer that notices being called by two goroutines at once, and packets
// that must not get out any more.
type exclusive struct {
	t       *testing.T
	next    Writer
	busy    atomic.Bool
	refused atomic.Uint32 // CSRC that must not be written, 0 for none
	closed  atomic.Bool
	plain   int // not synchronised, for the race detector
}

func (w *exclusive) WriteRTP(out Batch, header, payload []byte) error {
	if !w.busy.CompareAndSwap(false, true) {
		w.t.Error("two goroutines write to one slot")
	}
	defer w.busy.Store(false)
	w.plain++
	if w.closed.Load() {
		w.t.Error("packet after Close returned")
	}
	if csrc := uint32(header[15]); csrc == w.refused.Load() {
		w.t.Errorf("packet of talker %d after Assign to another returned", csrc)
	}
	return w.next.WriteRTP(out, header, payload)
}

// TestConcurrentUse lets everything that may race do so; the race detector, the checker
// and the writers watch.
func TestConcurrentUse(t *testing.T) {
	const talkers, listeners, rounds = 4, 6, 3000
	checker := forwardtest.NewChecker(t, DefaultClockRate, nil)
	sources := make([]*Source, talkers)
	for i := range sources {
		sources[i] = NewSource()
	}
	writers, slots := make([]*exclusive, listeners), make([]*Slot, listeners)
	for i := range slots {
		writers[i] = &exclusive{t: t, next: checker}
		config := RandomSlotConfig(uint32(i+1), testType, 0)
		config.REDPayloadType = testREDType
		slot, err := NewSlot(config, writers[i])
		if err != nil {
			t.Fatal(err)
		}
		slots[i] = slot
	}

	var publishing, changing sync.WaitGroup
	var done atomic.Bool
	for i, source := range sources {
		publishing.Go(func() {
			p := talker{ssrc: uint32(i + 1), seq: 65_000}
			for now := time.Unix(0, 0); !done.Load(); now = now.Add(frameLen) {
				packet := p.next()
				source.Forward(&packet, now)
				runtime.Gosched()
			}
		})
	}
	// One goroutine owns each slot's Assign, Open and Close, so that it knows what may
	// get out; sources are changed by several.
	for i, slot := range slots {
		changing.Go(func() {
			w, random := writers[i], rand.New(rand.NewPCG(1, uint64(i)))
			current := 0 // talker assigned, 0 for none
			for range rounds {
				switch next := random.IntN(talkers + 1); {
				case next == current:
					w.closed.Store(false)
					slot.Open()
				case random.IntN(20) == 0:
					slot.Close()
					w.closed.Store(true)
				default:
					w.refused.Store(0)
					var source *Source
					if next > 0 {
						source = sources[next-1]
					}
					if random.IntN(2) == 0 {
						slot.Assign(source)
					} else {
						slot.Promote(source, time.Time{}.Add(1))
					}
					w.refused.Store(uint32(current))
					current = next
				}
				_ = slot.Stats()
				_ = slot.assigned.Load()
				runtime.Gosched()
			}
		})
	}
	for i := range 2 {
		changing.Go(func() {
			random := rand.New(rand.NewPCG(2, uint64(i)))
			for range rounds {
				source := sources[random.IntN(talkers)]
				source.SetSlots(slots[random.IntN(listeners/2):])
				source.SetMuted(random.IntN(4) == 0)
				_ = source.Stats()
				slot, number := slots[random.IntN(listeners)], checker.Stats(uint32(1+random.IntN(listeners))).Highest
				for age := range uint16(20) {
					slot.Resend(uint16(number)-age, time.Unix(0, 0), nil)
				}
				slot.SetRedundancy(random.IntN(4))
				runtime.Gosched()
			}
		})
	}
	changing.Wait()
	done.Store(true)
	publishing.Wait()
	var packets uint64
	for i, slot := range slots {
		stats, seen := slot.Stats(), checker.Stats(uint32(i+1))
		if stats.Packets != seen.Packets || stats.Octets != seen.Octets || seen.Repeats != stats.Resent {
			t.Errorf("slot %d counted %+v, the checker %+v", i, stats, seen)
		}
		packets += stats.Packets
	}
	if packets < 100 {
		t.Errorf("only %d packets got out", packets)
	}
}

// waitFor lets others run until cond holds.
func waitFor(t *testing.T, reason string, cond func() bool) {
	t.Helper()
	deadline := time.NewTimer(10 * time.Second)
	defer deadline.Stop()
	for !cond() {
		select {
		case <-deadline.C:
			t.Fatal("waited in vain for ", reason)
		default:
			runtime.Gosched()
		}
	}
}

// TestAssignDuringForward: a packet that waits for the lock while the slot passes to
// another source must not get out.
func TestAssignDuringForward(t *testing.T) {
	source, slot, r := newPair(t)
	p := talker{ssrc: 1}
	for range 100 {
		packet := p.next()
		var forwarding sync.WaitGroup
		slot.mu.Lock()
		forwarding.Go(func() { source.Forward(&packet, time.Unix(0, 0)) })
		for range 100 { // mostly enough for Forward to come to the lock
			runtime.Gosched()
		}
		slot.assigned.Store(nil) // as Assign does, which waits for the same lock
		slot.mu.Unlock()
		forwarding.Wait()
		slot.Assign(source)
	}
	if len(r.sent) != 0 {
		t.Errorf("%d packets got out after the slot was freed", len(r.sent))
	}
	if got := slot.Stats().Dropped.NotAssigned; got != 100 {
		t.Errorf("%d packets were counted, want 100", got)
	}
}

// dawdler takes its time and notices packets that are still on their way out when none
// must be.
type dawdler struct {
	t         *testing.T
	forbidden atomic.Bool
	written   atomic.Uint64
}

func (w *dawdler) WriteRTP(_ Batch, _, _ []byte) error {
	runtime.Gosched()
	if w.forbidden.Load() {
		w.t.Error("a packet gets out after Assign or Close returned")
	}
	w.written.Add(1)
	return nil
}

// TestAssignIsAPromise: when Assign or Close has returned, nothing of the former source is
// still being written.
func TestAssignIsAPromise(t *testing.T) {
	w := &dawdler{t: t}
	slot, err := NewSlot(SlotConfig{}, w)
	if err != nil {
		t.Fatal(err)
	}
	source := NewSource()
	source.SetSlots([]*Slot{slot})
	slot.Open()
	slot.Assign(source)
	var done atomic.Bool
	var publishing sync.WaitGroup
	publishing.Go(func() {
		for p := (talker{ssrc: 1}); !done.Load(); {
			packet := p.next()
			source.Forward(&packet, time.Unix(0, 0))
		}
	})
	for i := range 100 {
		written := w.written.Load()
		waitFor(t, "a packet of the assigned source", func() bool { return w.written.Load() > written })
		if i%2 == 0 {
			slot.Assign(nil)
		} else {
			slot.Close()
		}
		w.forbidden.Store(true)
		for range 5 {
			runtime.Gosched()
		}
		w.forbidden.Store(false)
		slot.Assign(source)
		slot.Open()
	}
	done.Store(true)
	publishing.Wait()
}

// stamps keeps the highest number found in the payloads.
type stamps struct{ highest atomic.Uint64 }

func (s *stamps) WriteRTP(_ Batch, _, payload []byte) error {
	s.highest.Store(max(s.highest.Load(), (&sentPacket{payload: string(payload)}).count()))
	return nil
}

// TestMuteIsAPromise: no packet whose Forward begins after SetMuted(true) returned gets out.
func TestMuteIsAPromise(t *testing.T) {
	w := &stamps{}
	slot, err := NewSlot(SlotConfig{}, w)
	if err != nil {
		t.Fatal(err)
	}
	source := NewSource()
	source.SetSlots([]*Slot{slot})
	slot.Assign(source)
	slot.Open()

	var done atomic.Bool
	var begun atomic.Uint64 // the frame whose Forward may have begun
	var publishing sync.WaitGroup
	publishing.Go(func() {
		p := talker{ssrc: 1}
		for !done.Load() {
			packet := p.next()
			begun.Store(p.count - 1)
			source.Forward(&packet, time.Unix(0, 0))
		}
	})
	for range 200 {
		source.SetMuted(true)
		last := begun.Load()
		waitFor(t, "packets while muted", func() bool { return begun.Load() > last+3 })
		if got := w.highest.Load(); got > last {
			t.Fatalf("frame %d got out, muted at %d", got, last)
		}
		source.SetMuted(false)
		waitFor(t, "packets after the unmute", func() bool { return w.highest.Load() > last })
	}
	done.Store(true)
	publishing.Wait()
}

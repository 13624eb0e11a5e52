package forward

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/mini-livechat/mini-livechat/sfu/forward/forwardtest"
	"github.com/mini-livechat/mini-livechat/sfu/rtp"
)

// uplink is the way from a talker to its source: it loses, delays and doubles packets.
type uplink struct {
	talker
	source *Source
	muted  bool
	random *rand.Rand

	// pending packets arrive in the order of due, counted in frames.
	pending []arrival
	// seen are the frames the source was given, newest the one with the highest count.
	seen   map[uint64]bool
	newest uint64
}

type arrival struct {
	due    uint64
	count  uint64
	packet rtp.Packet
}

// send makes a frame and lets the network have it.
func (u *uplink) send(noise float64) {
	now := u.count
	packet := u.next()
	for copies := 1; copies > 0; copies-- {
		switch chance := u.random.Float64(); {
		case chance < noise:
			continue // lost
		case chance < 2*noise:
			copies++ // doubled
		}
		due := now
		if u.random.Float64() < 2*noise {
			due += u.random.Uint64N(9)
		}
		u.pending = append(u.pending, arrival{due, now, packet})
	}
	slices.SortStableFunc(u.pending, func(a, b arrival) int { return int(a.due) - int(b.due) })
}

// receive returns the next packet that arrives by now.
func (u *uplink) receive() (arrival, bool) {
	if len(u.pending) == 0 || u.pending[0].due >= u.count {
		return arrival{}, false
	}
	a := u.pending[0]
	u.pending = u.pending[1:]
	return a, true
}

// listener is a slot and what must come out of it.
type listener struct {
	slot     *Slot
	out      *recorder
	checker  *forwardtest.Checker
	assigned *uplink
	open     bool
	// bound is the frame a mapping began with, at sequence number number; -1 for none.
	bound  int64
	number uint16
	ts     uint32
	// next is the number of a packet that begins a mapping.
	next uint16
}

// world runs talkers, sources and slots side by side with a model of what they do.
type world struct {
	t         *testing.T
	random    *rand.Rand
	now       time.Time
	uplinks   []*uplink
	listeners []*listener
	// restarting talkers are beyond the model of numbers; the checker remains.
	restarting bool
}

func newWorld(t *testing.T, seed uint64, talkers, slots int) *world {
	t.Helper()
	w := &world{t: t, random: rand.New(rand.NewPCG(seed, 3550)), now: time.Unix(1e9, 0)}
	for i := range talkers {
		w.uplinks = append(w.uplinks, &uplink{
			// Half of them begin near a wrap of everything.
			talker: talker{ssrc: uint32(i + 1), seq: uint16(w.random.Uint32N(30) - 20), ts: w.random.Uint32N(2000*960) - 1000*960},
			source: NewSource(),
			random: w.random,
			seen:   make(map[uint64]bool),
		})
	}
	all := make([]*Slot, slots)
	for i := range all {
		number := uint16(1<<15 - 1 - i)
		slot, checker, out := newSlot(t, number, w.random.Uint32())
		all[i] = slot
		w.listeners = append(w.listeners, &listener{slot: slot, out: out, checker: checker, open: true, bound: -1, next: number})
	}
	for _, u := range w.uplinks {
		u.source.SetSlots(all)
	}
	return w
}

// frame lets 20 ms pass.
func (w *world) frame(noise float64) {
	w.now = w.now.Add(frameLen)
	for _, u := range w.uplinks {
		u.send(noise)
		for a, ok := u.receive(); ok; a, ok = u.receive() {
			w.deliver(u, a)
		}
	}
}

func (w *world) assign(l *listener, u *uplink) {
	if u == nil {
		l.slot.Assign(nil)
	} else {
		l.slot.Assign(u.source)
	}
	if l.assigned != u {
		l.assigned, l.bound = u, -1
	}
}

func (w *world) mute(u *uplink, muted bool) {
	u.source.SetMuted(muted)
	if u.muted == muted {
		return
	}
	u.muted = muted
	for _, l := range w.listeners {
		if l.assigned == u {
			l.bound = -1
		}
	}
}

// deliver hands one packet to its source and compares what all slots make of it.
func (w *world) deliver(u *uplink, a arrival) {
	w.t.Helper()
	newer, repeated := a.count > u.newest || len(u.seen) == 0, u.seen[a.count]
	u.seen[a.count] = true
	if newer {
		u.newest = a.count
	}
	before := make([]int, len(w.listeners))
	for i, l := range w.listeners {
		before[i] = len(l.out.sent)
	}
	u.source.Forward(&a.packet, w.now.Add(time.Duration(w.random.IntN(20))*time.Millisecond))
	for i, l := range w.listeners {
		sent := l.out.sent[before[i]:]
		allowed := l.assigned == u && l.open && !u.muted
		want := allowed && (newer || !repeated && l.bound >= 0 && a.count > uint64(l.bound))
		switch {
		case len(sent) > 1, len(sent) == 1 && (!allowed || sent[0].payload != string(a.packet.Payload)):
			w.t.Fatalf("slot %d: got %+v of talker %d, frame %d", i, sent, u.ssrc, a.count)
		case w.restarting && !newer:
			// An old packet may pass for a restart.
		case (len(sent) == 1) != want:
			w.t.Fatalf("slot %d: talker %d, frame %d (newest %d, bound %d): sent %d packets", i, u.ssrc, a.count, u.newest, l.bound, len(sent))
		}
		if len(sent) == 1 && !w.restarting {
			w.checkPlace(l, &sent[0], a.count)
		}
	}
}

// checkPlace: frames of one mapping are as far apart as the talker made them.
func (w *world) checkPlace(l *listener, got *sentPacket, count uint64) {
	w.t.Helper()
	if l.bound < 0 {
		l.bound, l.number, l.ts = int64(count), l.next, got.Timestamp
	}
	distance := int64(count) - l.bound
	if want := l.number + uint16(distance); got.SequenceNumber != want {
		w.t.Fatalf("frame %d has number %d, want %d", count, got.SequenceNumber, want)
	}
	if want := l.ts + uint32(distance)*960; got.Timestamp != want {
		w.t.Fatalf("frame %d has timestamp %d, want %d", count, got.Timestamp, want)
	}
	if int16(got.SequenceNumber-l.next) >= 0 {
		l.next = got.SequenceNumber + 1
	}
}

// checkLossyReceivers: whoever loses up to 500 packets in a row keeps track of the index.
func (w *world) checkLossyReceivers() {
	w.t.Helper()
	for _, l := range w.listeners {
		var complete, lossy forwardtest.Estimator
		lose := w.random.IntN(500)
		for i, packet := range l.out.sent {
			index := complete.Next(packet.SequenceNumber)
			if lose > 0 {
				lose--
				continue
			}
			if got := lossy.Next(packet.SequenceNumber); got != index {
				w.t.Fatalf("packet %d has index %d, a receiver that lost some takes it for %d", i, index, got)
			}
			if w.random.IntN(3) == 0 {
				lose = w.random.IntN(500)
			}
		}
		if stats := l.checker.Stats(testSSRC); stats.Repeats != l.slot.Stats().Resent {
			w.t.Errorf("%d packets were sent twice, %d on request", stats.Repeats, l.slot.Stats().Resent)
		}
	}
}

// TestRandomSwitches compares with the model on networks of all kinds: which packets get
// out, in which place, while slots change hands and talkers mute at random.
func TestRandomSwitches(t *testing.T) {
	for seed, noise := range []float64{0, 0.01, 0.05, 0.2} {
		t.Run(fmt.Sprint("noise ", noise), func(t *testing.T) {
			w := newWorld(t, uint64(seed), 4, 3)
			for range 12_000 {
				l, u := w.listeners[w.random.IntN(3)], w.uplinks[w.random.IntN(4)]
				switch w.random.IntN(20) {
				case 0, 1, 2:
					w.assign(l, u)
				case 3:
					w.assign(l, nil)
				case 4, 5:
					w.mute(u, w.random.IntN(2) == 0)
				case 6:
					l.slot.Close()
					l.open, l.bound = false, -1
				case 7, 8, 9:
					l.slot.Open()
					l.open = true
				default:
					l.slot.Resend(l.next-uint16(w.random.IntN(20)), w.now, nil)
				}
				w.frame(noise)
			}
			w.checkLossyReceivers()
			for _, l := range w.listeners {
				if got := l.slot.Stats(); got.Switches < 200 || got.Packets < 1000 || got.Resent < 100 {
					t.Errorf("only %+v: not much of a test", got)
				}
				if got := l.checker.Stats(testSSRC); noise == 0 && got.Gaps != 0 {
					t.Errorf("%d numbers left out though nothing was lost", got.Gaps)
				}
			}
		})
	}
}

// TestThousandSwitches: with nothing lost and nothing muted, a slot that changes hands all
// the time numbers its packets without a single gap, over several wraps.
func TestThousandSwitches(t *testing.T) {
	w := newWorld(t, 7, 3, 1)
	l := w.listeners[0]
	for i := range 1500 {
		w.assign(l, w.uplinks[i%3])
		for range 1 + w.random.IntN(50) {
			w.frame(0)
		}
	}
	w.checkLossyReceivers()
	got, stats := l.checker.Stats(testSSRC), l.slot.Stats()
	if got.Gaps != 0 || stats.Switches != 1500 || stats.Rebases != 0 || got.Highest < 1<<16 {
		t.Errorf("got %+v and %+v", got, stats)
	}
	if uint64(got.Highest-got.First)+1 != stats.Packets || got.Octets != stats.Octets {
		t.Errorf("counted %+v, the far end %+v", stats, got)
	}
}

// TestRestartingPublishers adds what talkers do when they break off: numbers that jump
// by up to half their range, other SSRCs, silences, clocks that jump.
func TestRestartingPublishers(t *testing.T) {
	for seed := range uint64(4) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			w := newWorld(t, 100+seed, 4, 3)
			w.restarting = true
			for range 5000 {
				l, u := w.listeners[w.random.IntN(3)], w.uplinks[w.random.IntN(4)]
				switch w.random.IntN(60) {
				case 0, 1:
					w.assign(l, u)
				case 2:
					u.skip(40_000, 40_000)
				case 3:
					u.skip(uint16(5000+w.random.IntN(50_000)), w.random.Uint32())
				case 4:
					u.ssrc += 100
				case 5:
					u.skip(uint16(w.random.IntN(1000)), uint32(w.random.IntN(1000)))
				case 6:
					u.ts = w.random.Uint32()
				case 7:
					u.skip(0, 50*3600*24)
					w.now = w.now.Add(24 * time.Hour)
				case 8:
					w.now = w.now.Add(-time.Hour)
				case 9:
					w.mute(u, w.random.IntN(2) == 0)
				}
				w.frame(0.03)
			}
			w.checkLossyReceivers()
		})
	}
}

// TestStartNearWrap: a talker whose numbers are about to wrap and whose first packets
// are lost on the way to the listener must not put that one a rollover behind.
func TestStartNearWrap(t *testing.T) {
	numbers := []uint16{0, 1, 1<<15 - 1}
	if raceDetector {
		numbers = numbers[2:] // slow, and nothing races here
	}
	for _, number := range numbers {
		slot, checker, r := newSlot(t, number, 1<<32-1)
		source := NewSource()
		source.SetSlots([]*Slot{slot})
		slot.Assign(source)
		p := talker{ssrc: 1, seq: 65_530, ts: 1<<32 - 3*960}
		for range 40_000 {
			packet := p.next()
			source.Forward(&packet, time.Unix(0, 0).Add(time.Duration(p.count)*frameLen))
		}
		if got := checker.Stats(testSSRC); got.First != int64(number) || got.Gaps != 0 || got.Packets != 40_000 {
			t.Errorf("from %d on: got %+v", number, got)
		}
		for _, lost := range []int{0, 1, 100, 1 << 14, 1<<15 - 1} {
			var e forwardtest.Estimator
			for i, packet := range r.sent[lost:] {
				if got := e.Next(packet.SequenceNumber); got != int64(number)+int64(lost+i) {
					t.Fatalf("from %d on with %d lost: packet %d is taken for index %d", number, lost, i, got)
				}
			}
		}
	}
}

// TestLargestGaps: a talker that sends nothing but the largest gaps that are passed on
// must not make a listener lose track that loses nearly all packets besides.
func TestLargestGaps(t *testing.T) {
	source, slot, r := newPair(t)
	p := talker{ssrc: 1, seq: 60_000}
	for range 20_000 {
		packet := p.next()
		p.skip(maxGap-1, maxGap-1)
		source.Forward(&packet, time.Unix(0, 0).Add(time.Duration(p.count/2)*maxGap*frameLen))
	}
	if got := slot.Stats(); got.Packets != 20_000 || got.Missing != 19_999*(maxGap-1) || got.Rebases != 0 {
		t.Errorf("got %+v", got)
	}
	checkSparseReceiver(t, r.sent)
}

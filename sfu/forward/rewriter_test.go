package forward

import (
	"fmt"
	"testing"
	"time"

	"github.com/mini-livechat/mini-livechat/sfu/rtp"
)

// Times in these tables are in milliseconds, timestamps in ticks of 48 kHz.
const (
	ms      = 48
	hour    = 3_600_000
	first   = 1000 // the slot's first sequence number
	firstTS = 1 << 20
)

// step is one packet of a talker, and what a slot makes of it.
type step struct {
	do   func(*tracker, *rewriter) // before the packet, may be nil
	seq  int
	ts   int64 // low 32 bits
	at   int64
	ssrc uint32
	want string
}

// out is the wanted result of a packet that passes: how far its number and timestamp lie
// from the first ones of the slot.
func out(number int, ticks int64) string {
	return fmt.Sprintf("%d %d", number, ticks)
}

// start is an out that begins a new mapping, and so has the marker.
func start(number int, ticks int64) string {
	return out(number, ticks) + " start"
}

const (
	late      = "late"
	duplicate = "duplicate"
)

func unbind(_ *tracker, r *rewriter) { r.unbind() }
func rebase(t *tracker, _ *rewriter) { t.rebase() }

// run sends one packet through tracker and rewriter and describes the result.
func (s step) run(t *tracker, r *rewriter, epoch time.Time) string {
	if s.do != nil {
		s.do(t, r)
	}
	f, v := t.observe(&rtp.Packet{SSRC: s.ssrc, SequenceNumber: uint16(s.seq), Timestamp: uint32(s.ts)})
	var p placed
	if v == pass {
		p, v = r.rewrite(&f, epoch.Add(time.Duration(s.at)*time.Millisecond))
	}
	switch {
	case v == dropLate:
		return late
	case v == dropDuplicate:
		return duplicate
	case p.started != p.marker:
		return "marker and start differ"
	case p.started:
		return start(int(p.index-first), p.ts-firstTS)
	default:
		return out(int(p.index-first), p.ts-firstTS)
	}
}

func TestRewriteWithinOnePublisher(t *testing.T) {
	runTable(t, map[string][]step{
		"in order": {
			{seq: 7, ts: 100, at: 0, want: start(0, 0)},
			{seq: 8, ts: 100 + 960, at: 20, want: out(1, 960)},
			{seq: 9, ts: 100 + 1920, at: 40, want: out(2, 1920)},
		},
		"the talker's clock counts, not the arrival": {
			{seq: 7, ts: 0, at: 0, want: start(0, 0)},
			{seq: 8, ts: 960, at: 400, want: out(1, 960)},
			{seq: 9, ts: 1920, at: 400, want: out(2, 1920)},
		},
		"a small gap stays, and is filled": {
			{seq: 7, ts: 0, at: 0, want: start(0, 0)},
			{seq: 10, ts: 2880, at: 60, want: out(3, 2880)},
			{seq: 9, ts: 1920, at: 61, want: out(2, 1920)},
			{seq: 8, ts: 960, at: 62, want: out(1, 960)},
			{seq: 9, ts: 1920, at: 63, want: duplicate},
			{seq: 11, ts: 3840, at: 80, want: out(4, 3840)},
		},
		"the largest gap that stays": {
			{seq: 7, ts: 0, at: 0, want: start(0, 0)},
			{seq: 7 + 64, ts: 64 * 960, at: 1280, want: out(64, 64*960)},
			{seq: 8, ts: 960, at: 1280, want: out(1, 960)},
		},
		"a gap one larger is closed": {
			{seq: 7, ts: 0, at: 0, want: start(0, 0)},
			{seq: 7 + 65, ts: 65 * 960, at: 1300, want: start(1, 1300*ms)},
			{seq: 7 + 64, ts: 64 * 960, at: 1300, want: late},
			{seq: 7 + 66, ts: 66 * 960, at: 1320, want: out(2, 1320*ms)},
		},
		"a gap of 40,000": {
			{seq: 7, ts: 0, at: 0, want: start(0, 0)},
			{seq: 40_007, ts: 40_000 * 960, at: 800_000, want: start(1, 800_000*ms)},
			{seq: 40_008, ts: 40_001 * 960, at: 800_020, want: out(2, 800_020*ms)},
		},
		"duplicates": {
			{seq: 7, ts: 0, at: 0, want: start(0, 0)},
			{seq: 7, ts: 0, at: 1, want: duplicate},
			{seq: 8, ts: 960, at: 20, want: out(1, 960)},
			{seq: 7, ts: 0, at: 21, want: duplicate},
			{seq: 8, ts: 960, at: 22, want: duplicate},
		},
		"before the first packet": {
			{seq: 7, ts: 960, at: 0, want: start(0, 0)},
			{seq: 6, ts: 0, at: 1, want: late},
			{seq: 8, ts: 1920, at: 20, want: out(1, 960)},
		},
		"the talker's number wraps": {
			{seq: 65_534, ts: 0, at: 0, want: start(0, 0)},
			{seq: 0, ts: 1920, at: 40, want: out(2, 1920)},
			{seq: 65_535, ts: 960, at: 41, want: out(1, 960)},
			{seq: 1, ts: 2880, at: 60, want: out(3, 2880)},
		},
		"the talker's timestamp wraps": {
			{seq: 1, ts: 1<<32 - 960, at: 0, want: start(0, 0)},
			{seq: 3, ts: 960, at: 40, want: out(2, 1920)},
			{seq: 2, ts: 0, at: 41, want: out(1, 960)},
		},
		"silence without packets (DTX)": {
			{seq: 7, ts: 0, at: 0, want: start(0, 0)},
			{seq: 8, ts: 400 * ms, at: 400, want: out(1, 400*ms)},
			{seq: 9, ts: hour / 2 * ms, at: hour / 2, want: out(2, hour/2*ms)},
		},
		"silence of half a day": {
			{seq: 7, ts: 0, at: 0, want: start(0, 0)},
			{seq: 8, ts: 12 * hour * ms, at: 12 * hour, want: start(1, hour*ms)},
			{seq: 9, ts: 12*hour*ms + 960, at: 12*hour + 20, want: out(2, hour*ms+960)},
		},
		"silence of a fortnight": {
			{seq: 7, ts: 0, at: 0, want: start(0, 0)},
			{seq: 8, ts: 14 * 24 * hour * ms, at: 14 * 24 * hour, want: start(1, hour*ms)},
		},
		"several packets of one timestamp": {
			{seq: 7, ts: 5, at: 0, want: start(0, 0)},
			{seq: 8, ts: 5, at: 20, want: out(1, 0)},
			{seq: 10, ts: 5, at: 40, want: out(3, 0)},
			{seq: 9, ts: 5, at: 41, want: out(2, 0)},
		},
	})
}

func TestRewriteAcrossSwitches(t *testing.T) {
	runTable(t, map[string][]step{
		"numbers go on, time passes": {
			{ssrc: 1, seq: 7, ts: 0, at: 0, want: start(0, 0)},
			{do: unbind, ssrc: 2, seq: 60_000, ts: 99, at: 1000, want: start(1, 1000*ms)},
			{ssrc: 2, seq: 60_001, ts: 99 + 960, at: 1020, want: out(2, 1020*ms)},
		},
		"at least a frame": {
			{ssrc: 1, seq: 7, ts: 0, at: 0, want: start(0, 0)},
			{do: unbind, ssrc: 2, seq: 1, ts: 0, at: 19, want: start(1, 960)},
			{do: unbind, ssrc: 3, seq: 1, ts: 0, at: 19, want: start(2, 1920)},
			{do: unbind, ssrc: 4, seq: 1, ts: 0, at: 40, want: start(3, 1920+960)},
			// 60 ms put on 40 ms of time: the next pause has to make up for it.
			{do: unbind, ssrc: 5, seq: 1, ts: 0, at: 100, want: start(4, 100*ms)},
		},
		"the clock goes back": {
			{ssrc: 1, seq: 7, ts: 0, at: 5000, want: start(0, 0)},
			{do: unbind, ssrc: 2, seq: 1, ts: 0, at: 0, want: start(1, 960)},
			{ssrc: 2, seq: 2, ts: 960, at: -9000, want: out(2, 1920)},
			{do: unbind, ssrc: 1, seq: 8, ts: 0, at: -8000, want: start(3, 1920+1000*ms-960)},
		},
		"time counts from the newest packet": {
			{ssrc: 1, seq: 1, ts: 0, at: 0, want: start(0, 0)},
			{ssrc: 1, seq: 3, ts: 1920, at: 40, want: out(2, 1920)},
			{ssrc: 1, seq: 2, ts: 960, at: 90, want: out(1, 960)},
			{do: unbind, ssrc: 2, seq: 9, ts: 5, at: 100, want: start(3, 1920+60*ms)},
		},
		"at most an hour": {
			{ssrc: 1, seq: 7, ts: 0, at: 0, want: start(0, 0)},
			{do: unbind, ssrc: 2, seq: 1, ts: 0, at: 300 * 24 * hour, want: start(1, hour*ms)},
		},
		"a gap before the switch is closed for good": {
			{ssrc: 1, seq: 1, ts: 0, at: 0, want: start(0, 0)},
			{ssrc: 1, seq: 4, ts: 2880, at: 60, want: out(3, 2880)},
			{do: unbind, ssrc: 2, seq: 100, ts: 0, at: 80, want: start(4, 80*ms)},
			{ssrc: 2, seq: 99, ts: 1<<32 - 960, at: 81, want: late},
			{ssrc: 2, seq: 102, ts: 1920, at: 120, want: out(6, 120*ms)},
			{ssrc: 2, seq: 101, ts: 960, at: 121, want: out(5, 100*ms)},
		},
		"one timestamp over a switch": {
			{seq: 1, ts: 0, at: 0, want: start(0, 0)},
			{seq: 4, ts: 2880, at: 60, want: out(3, 2880)},
			{do: unbind, seq: 5, ts: 2880, at: 80, want: start(4, 80*ms)},
			{seq: 3, ts: 2880, at: 81, want: late},
		},
		"never begins with a late packet": {
			{ssrc: 1, seq: 10, ts: 0, at: 0, want: start(0, 0)},
			{ssrc: 1, seq: 15, ts: 4800, at: 100, want: out(5, 4800)},
			{do: unbind, ssrc: 1, seq: 12, ts: 1920, at: 101, want: late},
			{ssrc: 1, seq: 16, ts: 5760, at: 120, want: start(6, 120*ms)},
			{ssrc: 1, seq: 14, ts: 3840, at: 121, want: late},
		},
		"over the rollover": {
			{do: func(_ *tracker, r *rewriter) { r.firstIndex, r.firstTimestamp = 65_535, 1<<32-1 }, ssrc: 1, seq: 7, ts: 0, at: 0, want: start(65_535-first, 1<<32-1-firstTS)},
			{do: unbind, ssrc: 2, seq: 9, ts: 0, at: 20, want: start(65_536-first, 1<<32-1-firstTS+960)},
			{ssrc: 2, seq: 8, ts: 1<<32 - 960, at: 21, want: late},
		},
	})
}

func TestRewriteRebases(t *testing.T) {
	runTable(t, map[string][]step{
		"another SSRC": {
			{ssrc: 1, seq: 7, ts: 0, at: 0, want: start(0, 0)},
			{ssrc: 2, seq: 8, ts: 960, at: 30, want: start(1, 30*ms)},
			{ssrc: 2, seq: 9, ts: 1920, at: 50, want: out(2, 50*ms)},
		},
		"numbering restarts far away": {
			{seq: 50_000, ts: 0, at: 0, want: start(0, 0)},
			{seq: 3, ts: 77, at: 25, want: start(1, 25*ms)},
			{seq: 4, ts: 77 + 960, at: 45, want: out(2, 45*ms)},
		},
		"numbering restarts a little below": {
			{seq: 2000, ts: 9600, at: 0, want: start(0, 0)},
			{seq: 1000, ts: 77, at: 20, want: late},
			{seq: 1001, ts: 77 + 960, at: 40, want: start(1, 40*ms)},
		},
		"numbering restarts among the newest": {
			{seq: 2000, ts: 9600, at: 0, want: start(0, 0)},
			{seq: 2001, ts: 9600 + 960, at: 20, want: out(1, 960)},
			{seq: 2000, ts: 900_000, at: 40, want: late},
			{seq: 2001, ts: 900_960, at: 60, want: start(2, 60*ms)},
			{seq: 2002, ts: 901_920, at: 80, want: out(3, 80*ms)},
		},
		"an old stray is no restart": {
			{seq: 2000, ts: 960_000, at: 0, want: start(0, 0)},
			{seq: 1000, ts: 0, at: 1, want: late},
			{seq: 2001, ts: 960_960, at: 20, want: out(1, 960)},
			{seq: 1001, ts: 960, at: 21, want: late},
			{seq: 2002, ts: 961_920, at: 40, want: out(2, 1920)},
		},
		"the window's edges": {
			{seq: 500, ts: 500 * 960, at: 0, want: start(0, 0)},
			{seq: 564, ts: 564 * 960, at: 1280, want: out(64, 64*960)},
			{seq: 564 - 63, ts: 501 * 960, at: 1280, want: out(1, 960)},
			{seq: 564 - 63, ts: 501 * 960, at: 1280, want: duplicate},
			{seq: 564 - 64, ts: 500 * 960, at: 1280, want: late},
			{seq: 565, ts: 565 * 960, at: 1300, want: out(65, 65*960)},
			{seq: 565 - 63, ts: 502 * 960, at: 1300, want: out(2, 2*960)},
			{seq: 565 - 64, ts: 501 * 960, at: 1300, want: late},
		},
		"a mute in between": {
			{seq: 7, ts: 0, at: 0, want: start(0, 0)},
			{do: rebase, seq: 57, ts: 50 * 960, at: 1005, want: start(1, 1005*ms)},
			{seq: 56, ts: 49 * 960, at: 1006, want: late},
			{seq: 58, ts: 51 * 960, at: 1025, want: out(2, 1025*ms)},
		},
		"a packet from before the unmute": {
			{seq: 7, ts: 0, at: 0, want: start(0, 0)},
			{seq: 10, ts: 2880, at: 60, want: out(3, 2880)},
			{do: rebase, seq: 9, ts: 1920, at: 70, want: late},
			{seq: 11, ts: 3840, at: 80, want: start(4, 80*ms)},
		},
		"a timestamp jumps ahead": {
			{seq: 7, ts: 0, at: 0, want: start(0, 0)},
			{seq: 8, ts: 5020*ms + 1, at: 20, want: start(1, 960)},
			{seq: 9, ts: 5020*ms + 961, at: 40, want: out(2, 1920)},
		},
		"as far ahead as a stalled network explains": {
			{seq: 7, ts: 0, at: 0, want: start(0, 0)},
			{seq: 8, ts: 5020 * ms, at: 20, want: out(1, 5020*ms)},
		},
		"a timestamp stands still": {
			{seq: 7, ts: 0, at: 0, want: start(0, 0)},
			{seq: 8, ts: 960, at: 5021, want: start(1, 5021*ms)},
		},
		"a stalled network delivers at once": {
			{seq: 7, ts: 0, at: 0, want: start(0, 0)},
			{seq: 8, ts: 960, at: 5020, want: out(1, 960)},
			{seq: 9, ts: 1920, at: 5020, want: out(2, 1920)},
		},
		"a timestamp goes back": {
			{seq: 7, ts: 9600, at: 0, want: start(0, 0)},
			{seq: 8, ts: 9599, at: 20, want: start(1, 960)},
			{seq: 9, ts: 9599 + 960, at: 40, want: out(2, 1920)},
		},
		"late packets cannot bring any timestamp": {
			{seq: 7, ts: 9600, at: 0, want: start(0, 0)},
			{seq: 11, ts: 9600 + 3840, at: 80, want: out(4, 3840)},
			{seq: 10, ts: 9600 + 3841, at: 81, want: late},
			{seq: 9, ts: 9599, at: 82, want: late},
			{seq: 8, ts: 9600, at: 83, want: out(1, 0)},
		},
	})
}

func runTable(t *testing.T, tests map[string][]step) {
	t.Helper()
	epoch := time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
	for name, steps := range tests {
		t.Run(name, func(t *testing.T) {
			var track tracker
			r := newRewriter(DefaultClockRate, first, firstTS)
			for i, s := range steps {
				if got := s.run(&track, &r, epoch); got != s.want {
					t.Errorf("packet %d (number %d): got %q, want %q", i, s.seq, got, s.want)
				}
			}
		})
	}
}

// TestRewriteWithoutSomePackets: a slot that was out of the source's list for a while
// meets frames of the epoch it knows, far ahead.
func TestRewriteWithoutSomePackets(t *testing.T) {
	epoch := time.Unix(0, 0)
	tests := map[string]struct {
		missed int64
		want   placed
	}{
		"few":  {3, placed{index: first + 4, ts: firstTS + 4*960}},
		"many": {100_000, placed{index: first + 1, ts: firstTS + 100_001*960, marker: true, started: true}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			r := newRewriter(DefaultClockRate, first, firstTS)
			r.rewrite(&frame{epoch: 1, index: 5}, epoch)
			step := test.missed + 1
			now := epoch.Add(time.Duration(step) * 20 * time.Millisecond)
			got, v := r.rewrite(&frame{epoch: 1, index: 5 + step, ts: step * 960}, now)
			if v != pass || got != test.want {
				t.Errorf("got %+v, verdict %d, want %+v", got, v, test.want)
			}
			// A late one of those missed has no place if the gap was closed.
			_, v = r.rewrite(&frame{epoch: 1, index: 4 + step, ts: (step - 1) * 960, late: true}, now)
			if filled := v == pass; filled != (test.missed < maxGap) {
				t.Errorf("late packet: got verdict %d after missing %d", v, test.missed)
			}
		})
	}
	for name, f := range map[string]frame{
		"late and far ahead":               {index: 500, ts: 960},
		"late and ahead, stamped too low":  {index: 9, ts: 959},
		"late and behind, stamped too far": {index: 6, ts: 961},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRewriter(DefaultClockRate, first, firstTS)
			r.rewrite(&frame{epoch: 1, index: 5}, epoch)
			r.rewrite(&frame{epoch: 1, index: 7, ts: 960}, epoch)
			f.epoch, f.late = 1, true
			if got, v := r.rewrite(&f, epoch); v != dropLate {
				t.Errorf("got %+v, verdict %d, want a drop", got, v)
			}
		})
	}
}

func TestRewriteClockRates(t *testing.T) {
	epoch := time.Unix(0, 0)
	for _, rate := range []uint32{8000, 16_000, 44_100, 48_000, 90_000, maxClockRate} {
		r := newRewriter(rate, 0, 0)
		r.rewrite(&frame{epoch: 1}, epoch)
		got, _ := r.rewrite(&frame{epoch: 2}, epoch.Add(100*time.Hour))
		if want := int64(rate) * 3600; got.ts != want || want >= 1<<31 {
			t.Errorf("%d Hz: got %d ticks for the longest advance, want %d", rate, got.ts, want)
		}
		got, _ = r.rewrite(&frame{epoch: 3}, epoch.Add(100*time.Hour))
		if want := int64(rate)*3600 + int64(rate)/50; got.ts != want {
			t.Errorf("%d Hz: got timestamp %d after the shortest advance, want %d", rate, got.ts, want)
		}
	}
}

func TestRewriteCountsMissing(t *testing.T) {
	var track tracker
	r := newRewriter(DefaultClockRate, first, firstTS)
	for _, seq := range []int{1, 5, 3, 3, 4, 300, 302} {
		step{seq: seq, ts: int64(seq) * 960, at: int64(seq) * 20}.run(&track, &r, time.Unix(0, 0))
	}
	if r.missing != 2 { // number 2 and, after the gap that was closed, 301
		t.Errorf("got %d missing numbers, want 2", r.missing)
	}
}

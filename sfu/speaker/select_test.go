package speaker

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// scene is a room whose talkers send a packet every 20 ms.
type scene struct {
	t      *testing.T
	random *rand.Rand
	now    time.Time
	room   Room
	voices []*person
}

// person talks at a level with some noise, or is silent.
type person struct {
	*Talker

	level float64 // 127 is silence
	noise float64 // standard deviation in decibel
}

func newScene(t *testing.T, seed uint64) *scene {
	t.Helper()
	return &scene{t: t, random: rand.New(rand.NewPCG(seed, 6464)), now: time.Unix(1e9, 0)}
}

func (s *scene) add(id string, level float64) *person {
	p := &person{Talker: s.room.Add(id, NewMeter(s.now)), level: level}
	s.voices = append(s.voices, p)
	return p
}

// frame lets 20 ms pass, and everybody's packet come.
func (s *scene) frame() {
	s.now = s.now.Add(frameLen)
	for _, p := range s.voices {
		level := p.level
		if level < 127 {
			level += p.noise * s.random.NormFloat64()
		}
		p.meter.Observe(Level(min(max(level, 0), 127)), s.now)
	}
	s.room.Measure(s.now)
}

// pass lets time pass and the listener decide; it returns how often slots changed hands.
func (s *scene) pass(l *Listener, length time.Duration) (changes int) {
	for range length / frameLen {
		s.frame()
		before := names(l)
		changed := l.Select(s.now)
		require.Equal(s.t, changed, !slices.Equal(before, names(l)))
		if changed {
			changes++
		}
	}
	return changes
}

func names(l *Listener) []string {
	ids := make([]string, l.Len())
	for i := range ids {
		if t := l.Slot(i); t != nil {
			ids[i] = t.ID
		}
	}
	return ids
}

func TestEveryoneIsHeardWhileThereAreSlots(t *testing.T) {
	s := newScene(t, 1)
	self := s.add("self", 10)
	l := s.room.NewListener(3, self.Talker)
	for _, id := range []string{"a", "b", "c"} {
		s.add(id, 127)
	}
	require.Equal(t, 1, s.pass(l, time.Second))
	require.Equal(t, []string{"a", "b", "c"}, names(l))
	s.add("d", 127)
	require.Zero(t, s.pass(l, time.Second), "nobody goes for one who is silent")

	s.room.Remove(s.voices[2].Talker)
	s.room.Remove(s.voices[2].Talker)
	require.Equal(t, 1, s.pass(l, time.Second))
	require.Equal(t, []string{"a", "d", "c"}, names(l), "the others stay where they are")
}

func TestTheLoudestAreHeard(t *testing.T) {
	s := newScene(t, 2)
	l := s.room.NewListener(2, nil)
	for i := range 6 {
		s.add(fmt.Sprint(i), 127)
	}
	s.pass(l, time.Second)
	require.Equal(t, []string{"0", "1"}, names(l))
	s.voices[4].level = 30
	s.pass(l, time.Second)
	require.Equal(t, []string{"0", "4"}, names(l), "the one who came last goes first")
	s.voices[5].level = 40
	s.pass(l, time.Second)
	require.Equal(t, []string{"5", "4"}, names(l))
	s.voices[3].level = 33
	s.pass(l, time.Second)
	require.Equal(t, []string{"5", "4"}, names(l), "5 has just got it")
	s.pass(l, 2*time.Second)
	require.Equal(t, []string{"3", "4"}, names(l))
	s.voices[2].level = 28
	require.Zero(t, s.pass(l, 10*time.Second), "hardly louder")
	s.voices[4].level = 127
	s.pass(l, time.Second)
	require.Equal(t, []string{"3", "2"}, names(l), "one who falls silent makes room")
}

func TestLongestSilentGoesFirst(t *testing.T) {
	s := newScene(t, 3)
	l := s.room.NewListener(3, nil)
	for i := range 4 {
		s.add(fmt.Sprint(i), 127)
	}
	for _, i := range []int{2, 0, 1} {
		s.voices[i].level = 30
		s.pass(l, time.Second)
		s.voices[i].level = 127
		s.pass(l, time.Second)
	}
	s.voices[3].level = 45
	s.pass(l, 100*time.Millisecond)
	require.Equal(t, []string{"0", "1", "3"}, names(l))
}

// A newcomer who is clearly louder than one of those heard gets a slot within 60 ms of the
// first packet, however short that one has had it.
func TestClearlyLouderNewcomerIsHeardWithin60ms(t *testing.T) {
	for held := range 150 {
		s := newScene(t, 4)
		l := s.room.NewListener(2, nil)
		a, b := s.add("a", 127), s.add("b", 127)
		newcomer := s.add("c", 127)
		s.pass(l, time.Second)
		a.level, b.level = 30, 40
		s.pass(l, time.Duration(held)*frameLen)
		newcomer.level = 30
		// Packets come in steps of 20 ms, and so do decisions: up to 20 ms may pass after
		// the second packet.
		s.pass(l, 40*time.Millisecond)
		require.Contains(t, names(l), "c")
	}
}

// When somebody who was loud goes on softer, and somebody else louder, the slots follow
// within a second, though nobody falls silent.
func TestSlotsFollowLoudness(t *testing.T) {
	s := newScene(t, 9)
	l := s.room.NewListener(4, nil)
	for i, level := range []float64{30, 10, 31, 32, 20, 9, 33, 11, 34, 12, 35, 36} {
		s.add(fmt.Sprint(i), level)
	}
	s.pass(l, 4*time.Second)
	require.ElementsMatch(t, []string{"1", "5", "7", "9"}, names(l))
	s.voices[5].level = 37
	s.pass(l, time.Second)
	require.ElementsMatch(t, []string{"1", "4", "7", "9"}, names(l))
	s.voices[8].level = 5
	s.pass(l, 40*time.Millisecond)
	require.ElementsMatch(t, []string{"1", "8", "7", "9"}, names(l))
}

func TestMutedDoesNotCount(t *testing.T) {
	s := newScene(t, 5)
	l := s.room.NewListener(1, nil)
	a, b := s.add("a", 20), s.add("b", 30)
	s.pass(l, time.Second)
	require.Equal(t, []string{"a"}, names(l))
	require.Equal(t, []*Talker{a.Talker, b.Talker}, s.room.Measure(s.now))
	require.Equal(t, loudness(20), a.Loudness())
	a.SetMuted(true)
	require.Equal(t, []*Talker{b.Talker}, s.room.Measure(s.now))
	require.False(t, a.Speaking())
	require.Zero(t, a.Loudness())
	s.pass(l, frameLen)
	require.Equal(t, []string{"b"}, names(l), "at once")
	a.SetMuted(false)
	s.pass(l, 3*time.Second)
	require.Equal(t, []string{"a"}, names(l))
}

func TestPinsAndExclusions(t *testing.T) {
	s := newScene(t, 6)
	self := s.add("self", 10)
	l := s.room.NewListener(2, self.Talker)
	for i := range 4 {
		s.add(fmt.Sprint(i), 20+10*float64(i))
	}
	s.pass(l, time.Second)
	require.Equal(t, []string{"0", "1"}, names(l))

	l.Subscribe([]string{"self", "nobody", "3", "3"}, nil)
	s.pass(l, time.Second)
	require.Equal(t, []string{"0", "3"}, names(l), "the soft one is pinned and takes the softest's slot")

	l.Subscribe([]string{"3", "0"}, []string{"0"})
	s.pass(l, time.Second)
	require.Equal(t, []string{"1", "3"}, names(l), "excluded goes before pinned")

	l.Subscribe([]string{"3", "2", "1"}, nil)
	s.pass(l, time.Second)
	require.Equal(t, []string{"2", "3"}, names(l), "as many pins as there are slots, in their order")

	late := s.add("late", 127)
	l.Subscribe([]string{"late", "2"}, nil)
	s.pass(l, time.Second)
	require.Equal(t, []string{"2", "late"}, names(l))
	s.room.Remove(late.Talker)
	s.pass(l, time.Second)
	require.Equal(t, []string{"2", "0"}, names(l))

	l.Subscribe(nil, []string{"0", "1", "2", "self"})
	s.pass(l, time.Second)
	require.Equal(t, []string{"3", ""}, names(l), "a slot stays free rather than with one excluded")
	l.Subscribe(nil, nil)
	s.pass(l, 4*time.Second)
	require.ElementsMatch(t, []string{"0", "1"}, names(l))
}

func TestNoSlots(t *testing.T) {
	s := newScene(t, 7)
	l := s.room.NewListener(0, nil)
	s.add("a", 20)
	l.Subscribe([]string{"a"}, nil)
	require.Zero(t, s.pass(l, time.Second))
}

// Under steady levels with noise no slot changes hands more than once in two seconds, from
// the listener's first moment on. Twenty talk when it comes, and have done so for a second:
// while people begin to speak, levels are not steady, and one who is clearly louder may
// take a slot at any time (TestClearlyLouderNewcomerIsHeardWithin60ms).
func TestSteadyLevelsDoNotFlap(t *testing.T) {
	const seeds, watched = 9, 20 * time.Second
	for _, test := range []struct{ softest, apart float64 }{
		{20, 0}, {30, 0}, {30, 0.2}, {40, 0}, {45, 0}, {48, 0}, {50, 0}, {48, 0.5}, {48, 1}, {48, 2}, {70, 3},
	} {
		t.Run(fmt.Sprint("from ", test.softest, ", apart ", test.apart), func(t *testing.T) {
			for seed := range uint64(seeds) {
				s := newScene(t, seed)
				for i := range 20 {
					s.add(fmt.Sprint(i), test.softest-float64(i)*test.apart).noise = 2 + float64(seed%3)
				}
				for range time.Second / frameLen {
					s.frame()
				}
				l := s.room.NewListener(4, nil)
				l.Select(s.now)
				last := make([]time.Time, l.Len()) // being given to somebody at first is no switch
				for range watched / frameLen {
					before := names(l)
					s.pass(l, frameLen)
					for i, name := range names(l) {
						if name == before[i] {
							continue
						}
						require.GreaterOrEqual(t, s.now.Sub(last[i]), 2*time.Second, "seed %d, slot %d, from %s to %s", seed, i, before[i], name)
						last[i] = s.now
					}
				}
			}
		})
	}
}

// What a decision costs a listener must not grow with the room.
func BenchmarkSelect(b *testing.B) {
	for _, size := range []int{10, 100, 1000} {
		b.Run(fmt.Sprint(size, " talkers"), func(b *testing.B) {
			now := time.Unix(1e9, 0)
			var room Room
			for i := range size {
				m := NewMeter(now)
				m.Observe(Level(20+i%20), now)
				m.Observe(Level(20+i%20), now)
				room.Add(fmt.Sprint(i), m)
			}
			room.Measure(now)
			l := room.NewListener(8, room.talkers[0])
			l.Select(now)
			b.ReportAllocs()
			for b.Loop() {
				l.Select(now)
			}
		})
	}
}

// TestNobodyStaysBehind: who has gone is nowhere in what the room and its listeners keep.
func TestNobodyStaysBehind(t *testing.T) {
	now := time.Unix(1e9, 0)
	var r Room
	l := r.NewListener(2, nil)
	ids, meters := []string{"a", "b", "c", "d"}, make([]*Meter, 4)
	for i, id := range ids {
		meters[i] = NewMeter(now)
		r.Add(id, meters[i])
	}
	l.Subscribe(ids, nil)
	say := func(n int) {
		for range 2 {
			now = now.Add(20 * time.Millisecond)
			for _, m := range meters[:n] {
				m.Observe(20, now)
			}
		}
		r.Measure(now)
		l.Select(now)
	}
	say(4)
	now = now.Add(time.Second)
	say(1) // three places are free now
	for _, id := range ids[1:] {
		r.Remove(r.byID[id])
	}
	l.Subscribe(nil, nil)
	r.Measure(now)
	l.Select(now)
	for _, kept := range [][]*Talker{r.ranked[:cap(r.ranked)], r.talkers[:cap(r.talkers)], l.pinned[:cap(l.pinned)]} {
		for _, talker := range kept {
			if talker != nil && talker.gone {
				t.Errorf("%s is still kept", talker.ID)
			}
		}
	}
}

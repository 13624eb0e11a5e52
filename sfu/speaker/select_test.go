package speaker

import (
	"cmp"
	"fmt"
	"maps"
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

// reference is the naive selector: it looks at everybody, anew every time, and follows
// the words of Listener's comment one by one.
type reference struct {
	self          *Talker
	held          []slot
	pins, exclude []string
}

func (r *reference) sel(talkers []*Talker, now time.Time) {
	may := slices.DeleteFunc(slices.Clone(talkers), func(t *Talker) bool {
		return t == r.self || slices.Contains(r.exclude, t.ID)
	})
	for i := range r.held {
		if !slices.Contains(may, r.held[i].talker) {
			r.held[i] = slot{}
		}
	}
	var pinned []*Talker
	for _, id := range r.pins {
		at := slices.IndexFunc(may, func(t *Talker) bool { return t.ID == id })
		if at >= 0 && !slices.Contains(pinned, may[at]) && len(pinned) < len(r.held) {
			pinned = append(pinned, may[at])
		}
	}
	has := func(t *Talker) bool {
		return slices.ContainsFunc(r.held, func(s slot) bool { return s.talker == t })
	}
	// Everyone who waits, pins in their order, then by loudness, then as they came.
	for again := true; again; {
		again = false
		waiting := slices.DeleteFunc(slices.Clone(may), has)
		slices.SortStableFunc(waiting, func(a, b *Talker) int {
			rank := func(t *Talker) int {
				if i := slices.Index(pinned, t); i >= 0 {
					return i
				}
				return len(pinned)
			}
			speech := func(t *Talker) Loudness {
				if !t.speaking {
					return 0
				}
				return t.loud
			}
			return cmp.Or(cmp.Compare(rank(a), rank(b)), cmp.Compare(speech(b), speech(a)))
		})
		for _, t := range waiting {
			if i := r.placeFor(t, pinned, now); i >= 0 {
				r.held[i] = slot{talker: t, since: now}
				again = true
				break
			}
		}
	}
}

// placeFor returns the slot that t may take, or -1.
func (r *reference) placeFor(t *Talker, pinned []*Talker, now time.Time) int {
	best := -1
	margin := func(s slot) Loudness {
		switch {
		case now.Before(s.since.Add(minHold)):
			return s.talker.loud + clearlyLouder
		case !s.talker.speaking:
			return 0
		}
		return s.talker.loud + hysteresis
	}
	for i, s := range r.held {
		if s.talker == nil {
			return i
		}
		isPinned := slices.Contains(pinned, s.talker)
		beaten := slices.Contains(pinned, t) || t.speaking && t.loud >= margin(s)
		if isPinned || !beaten {
			continue
		}
		if best >= 0 {
			b := r.held[best]
			order := cmp.Or(cmp.Compare(margin(s), margin(b)), s.talker.spoke.Compare(b.talker.spoke),
				cmp.Compare(b.talker.number, s.talker.number))
			if order >= 0 {
				continue
			}
		}
		best = i
	}
	return best
}

// TestAgainstReference lets rooms live through random histories.
func TestAgainstReference(t *testing.T) {
	for seed := range uint64(30) {
		s := newScene(t, seed)
		type pair struct {
			*Listener
			ref *reference
		}
		var listeners []pair
		switches := 0
		for range 1500 {
			s.change()
			switch s.random.IntN(60) {
			case 0:
				if len(listeners) < 6 {
					var self *Talker
					if p := s.someone(); p != nil && s.random.IntN(3) > 0 {
						self = p.Talker
					}
					k := s.random.IntN(9)
					listeners = append(listeners, pair{s.room.NewListener(k, self), &reference{self: self, held: make([]slot, k)}})
				}
			case 1, 2:
				if len(listeners) > 0 {
					l := listeners[s.random.IntN(len(listeners))]
					l.ref.pins, l.ref.exclude = s.someIDs(), s.someIDs()
					l.Subscribe(l.ref.pins, l.ref.exclude)
				}
			}
			s.frame()
			for i, l := range listeners {
				if l.Select(s.now) {
					switches++
				}
				l.ref.sel(s.room.talkers, s.now)
				for j := range l.ref.held {
					require.Same(t, l.ref.held[j].talker, l.Slot(j), "seed %d, listener %d, slot %d", seed, i, j)
				}
				checkSlots(t, l.Listener, l.ref, &s.room)
			}
		}
		require.Greater(t, switches, 100, "not much of a test")
	}
}

// change lets people come, go, speak up and fall silent.
func (s *scene) change() {
	p := s.someone()
	switch n := s.random.IntN(50); {
	case n == 0 && len(s.voices) < 24:
		s.add(fmt.Sprint(s.room.added), 127).noise = 3 * s.random.Float64()
	case p == nil:
	case n == 1:
		s.room.Remove(p.Talker)
		s.voices = slices.DeleteFunc(s.voices, func(o *person) bool { return o == p })
	case n <= 4:
		p.level = 10 + 50*s.random.Float64()
	case n <= 7:
		p.level = 127
	case n == 8:
		p.SetMuted(s.random.IntN(2) == 0)
	}
}

func (s *scene) someone() *person {
	if len(s.voices) == 0 {
		return nil
	}
	return s.voices[s.random.IntN(len(s.voices))]
}

func (s *scene) someIDs() []string {
	ids := make([]string, s.random.IntN(6))
	for i := range ids {
		ids[i] = fmt.Sprint(s.random.IntN(int(s.room.added) + 3))
	}
	return ids
}

// checkSlots checks what is promised, without a word of how.
func checkSlots(t *testing.T, l *Listener, r *reference, room *Room) {
	t.Helper()
	heard := make(map[*Talker]bool)
	for i := range l.Len() {
		if s := l.Slot(i); s != nil {
			require.False(t, heard[s], "heard twice")
			require.NotSame(t, l.self, s)
			require.False(t, s.gone)
			require.NotContains(t, r.exclude, s.ID)
			heard[s] = true
		}
	}
	may := 0
	softest := Loudness(1 << 30) // of those heard without a pin
	for _, s := range room.talkers {
		if s == r.self || slices.Contains(r.exclude, s.ID) {
			continue
		}
		may++
		if heard[s] && !slices.Contains(r.pins, s.ID) {
			softest = min(softest, s.loud)
		}
	}
	require.Len(t, heard, min(may, l.Len()), "no slot is free while somebody waits: %v", slices.Collect(maps.Keys(heard)))
	if len(heard) < may {
		for _, s := range room.ranked {
			if !heard[s] && s != r.self && !slices.Contains(r.exclude, s.ID) {
				require.Less(t, s.loud, softest+clearlyLouder, "a clearly louder one waits")
			}
		}
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

package speaker

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

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

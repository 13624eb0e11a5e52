package speaker

import (
	"maps"
	"slices"
	"time"
)

const (
	// hysteresis is how much louder a talker must be to take another's slot.
	hysteresis = 6 * decibel
	// clearlyLouder is how much louder it must be while that one has the slot for less
	// than minHold. More than levels vary while somebody speaks on.
	clearlyLouder = 9 * decibel
	// minHold is how long a talker keeps a slot against those who are not clearly louder.
	minHold = 2 * time.Second
)

// Listener has a number of slots and gives them to talkers of its Room:
//
//   - never to itself, nor to those it excludes;
//   - first to those it pins, as many as there are slots, in their order;
//   - then, as long as there are enough, to everyone;
//   - else to the loudest: somebody who speaks takes the slot of one who is softer by the
//     hysteresis or does not speak, or of one who got it within minHold and is clearly
//     softer. Of several such slots it takes the one that is easiest to take; if there is
//     nothing to choose, that of who has been silent for longest.
//
// Whoever has a slot keeps it until another takes it. Not safe for concurrent use.
type Listener struct {
	room    *Room
	self    *Talker
	slots   []slot
	pins    []string
	exclude map[string]struct{}
	near    bool // hears none of those that are away
	// pinned is where Select collects the pinned talkers.
	pinned []*Talker

	// complete is the version of the room of which all who may be heard, or all of them who speak, have a slot: while it is the room's nothing changes.
	complete uint64
	// taken is how often the room had lost a talker, and one, as of when all slots were taken with nobody pinned or excluded: while nobody speaks
	// who comes since changes nothing. 0: that is not so.
	taken uint64
}

type slot struct {
	talker *Talker // nil while free
	since  time.Time
	pinned bool
}

// NewListener returns a listener with n free slots. self, nil for one who cannot talk, is
// never heard.
func (r *Room) NewListener(n int, self *Talker) *Listener {
	return &Listener{room: r, self: self, slots: make([]slot, n)}
}

// NewNear returns a listener with n free slots that hears only those who were added by Add.
func (r *Room) NewNear(n int) *Listener {
	l := r.NewListener(n, nil)
	l.near = true
	return l
}

// Subscribe replaces whom the listener pins and excludes; who is in both is excluded. Ids
// of talkers who are not there count once they come. It takes effect with Select.
func (l *Listener) Subscribe(pins, exclude []string) {
	l.pins = slices.Clone(pins)
	l.exclude = nil
	if len(exclude) > 0 {
		l.exclude = make(map[string]struct{}, len(exclude))
		for _, id := range exclude {
			l.exclude[id] = struct{}{}
		}
	}
	l.complete, l.taken = 0, 0
}

// Subscriptions returns whom the listener pins, in their order, and excludes, in none.
func (l *Listener) Subscriptions() (pins, exclude []string) {
	return slices.Clone(l.pins), slices.Collect(maps.Keys(l.exclude))
}

// Resize gives the listener n slots: of fewer than before the first ones, of more some that are free. It takes effect with Select.
func (l *Listener) Resize(n int) {
	slots := make([]slot, n)
	copy(slots, l.slots)
	l.slots, l.complete, l.taken = slots, 0, 0
}

// Len returns how many slots there are.
func (l *Listener) Len() int { return len(l.slots) }

// Slot returns who has slot i, nil for nobody.
func (l *Listener) Slot(i int) *Talker { return l.slots[i].talker }

// Select gives the slots to whom they belong as of the room's last Measure, and reports
// whether any changed hands. What it costs grows with the number of slots, pins and
// exclusions, but not with the room.
func (l *Listener) Select(now time.Time) (changed bool) {
	if l.complete != 0 && l.complete == l.room.version || l.taken == l.room.lost+1 && len(l.room.ranked) == 0 {
		return false
	}
	l.taken = 0
	l.room.stamp++
	for i := range l.slots {
		s := &l.slots[i]
		s.pinned = false
		if s.talker == nil {
			continue
		}
		if s.talker.gone || l.Excludes(s.talker) {
			*s, changed = slot{}, true
			continue
		}
		s.talker.mark = l.room.stamp
	}
	changed = l.seatPins(now) || changed
	changed = l.fill(now) || changed
	if l.audible() <= len(l.slots) {
		l.complete = l.room.version
		return changed
	}
	if len(l.pins) == 0 && len(l.exclude) == 0 && l.free() < 0 {
		l.taken = l.room.lost + 1
	}
	changed = l.challenge(now) || changed
	if !slices.ContainsFunc(l.room.ranked, l.waits) {
		l.complete = l.room.version
	}
	return changed
}

// audible is how many talkers may be heard.
func (l *Listener) audible() int {
	n := len(l.room.talkers)
	if l.self != nil && !l.self.gone {
		n--
	}
	if l.near {
		n -= l.room.away
	}
	for id := range l.exclude {
		if t := l.room.byID[id]; t != nil && t != l.self && (!l.near || !t.away) {
			n--
		}
	}
	return n
}

// Excludes reports whether the listener never hears t: itself, and whom it does not want to.
func (l *Listener) Excludes(t *Talker) bool {
	if t == l.self || l.near && t.away || t.heir != nil && t.heir == l.self {
		return true
	}
	_, excluded := l.exclude[t.ID] // a nil map has nobody
	return excluded
}

// waits reports whether t may have a slot and has none.
func (l *Listener) waits(t *Talker) bool {
	return t.mark != l.room.stamp && !l.Excludes(t)
}

func (l *Listener) seat(i int, t *Talker, now time.Time) {
	if old := l.slots[i].talker; old != nil {
		old.mark = 0
	}
	l.slots[i] = slot{talker: t, since: now}
	t.mark = l.room.stamp
}

// seatPins gives slots to the pinned who are there, and marks their slots.
func (l *Listener) seatPins(now time.Time) (changed bool) {
	clear(l.pinned) // who has gone must not stay behind the end
	l.pinned = l.pinned[:0]
	for _, id := range l.pins {
		t := l.room.byID[id]
		if t == nil || l.Excludes(t) || slices.Contains(l.pinned, t) {
			continue
		}
		if len(l.pinned) == len(l.slots) {
			break
		}
		l.pinned = append(l.pinned, t)
	}
	for i := range l.slots {
		l.slots[i].pinned = slices.Contains(l.pinned, l.slots[i].talker)
	}
	for _, t := range l.pinned {
		if !l.waits(t) {
			continue
		}
		i := l.free()
		if i < 0 {
			i, _ = l.weakest(now)
		}
		l.seat(i, t, now)
		l.slots[i].pinned = true
		changed = true
	}
	return changed
}

func (l *Listener) free() int {
	return slices.IndexFunc(l.slots, func(s slot) bool { return s.talker == nil })
}

// fill gives the free slots to the loudest who wait, then to those who do not speak, as
// they came.
func (l *Listener) fill(now time.Time) (changed bool) {
	i := l.free()
	if i < 0 {
		return false
	}
	for _, waiting := range [][]*Talker{l.room.ranked, l.room.talkers} {
		for _, t := range waiting {
			if !l.waits(t) {
				continue
			}
			l.seat(i, t, now)
			changed = true
			if i = l.free(); i < 0 {
				return changed
			}
		}
	}
	return changed
}

// challenge lets those who wait, the loudest first, take the slots of softer ones.
func (l *Listener) challenge(now time.Time) (changed bool) {
	for _, t := range l.room.ranked {
		if !l.waits(t) {
			continue
		}
		i, threshold := l.weakest(now)
		if i < 0 || t.loud < threshold {
			break
		}
		l.seat(i, t, now)
		changed = true
	}
	return changed
}

// weakest returns the slot that is easiest to take, and how loud one must be for it. It is
// -1 when all are pinned.
func (l *Listener) weakest(now time.Time) (index int, threshold Loudness) {
	index = -1
	for i := range l.slots {
		s := &l.slots[i]
		if s.pinned || s.talker == nil {
			continue
		}
		needed := s.talker.threshold(now.Sub(s.since))
		if index < 0 || needed < threshold || needed == threshold && s.talker.longerSilent(l.slots[index].talker) {
			index, threshold = i, needed
		}
	}
	return index, threshold
}

// threshold is how loud one must be to take the slot that t has had for so long.
func (t *Talker) threshold(held time.Duration) Loudness {
	switch {
	case held < minHold:
		return t.loud + clearlyLouder
	case t.speaking:
		return t.loud + hysteresis
	default:
		return 0
	}
}

// longerSilent orders talkers of equal loudness: who spoke last longer ago goes first, of
// those who never did the one that came last.
func (t *Talker) longerSilent(o *Talker) bool {
	if !t.spoke.Equal(o.spoke) {
		return t.spoke.Before(o.spoke)
	}
	return t.number > o.number
}

package speaker

import (
	"slices"
	"time"
)

// Talker is somebody who may be heard in a Room.
type Talker struct {
	// ID names the talker, for pins and exclusions.
	ID    string
	meter *Meter

	muted  bool
	gone   bool
	away   bool    // see AddAway
	heir   *Talker // see Pass
	number uint64  // in the order of Add

	// As of the last Measure.
	speaking bool
	loud     Loudness
	spoke    time.Time
	onset    time.Time

	// mark is the stamp of the Select that has this talker in a slot.
	mark uint64
}

// Speaking reports whether the talker spoke at the last Measure.
func (t *Talker) Speaking() bool { return t.speaking }

// Loudness returns how loud the talker was at the last Measure.
func (t *Talker) Loudness() Loudness { return t.loud }

// Onset returns when the present speech began, or the last one.
func (t *Talker) Onset() time.Time { return t.onset }

// SetMuted says whether the talker can be heard at all: a muted one does not speak. It
// keeps its slots as a silent one does.
func (t *Talker) SetMuted(muted bool) { t.muted = muted }

// Pass says that heir is the same person as t, at the place to which they go. Who is heard is either of them, but to themselves neither.
func (r *Room) Pass(t, heir *Talker) {
	t.heir = heir
	r.version++
}

// measure reads the meter. That of one who is muted, as most are where there are many, is not looked at.
func (t *Talker) measure(now time.Time) {
	if t.muted {
		t.speaking, t.loud = false, 0
		return
	}
	r := t.meter.Read(now)
	t.speaking, t.loud, t.spoke, t.onset = r.Speaking, r.Loudness, r.Spoke, r.Onset
}

// compare orders talkers, the loudest first; equally loud ones as they came.
func (t *Talker) compare(o *Talker) int {
	switch {
	case t.loud != o.loud:
		return int(o.loud - t.loud)
	case t.number < o.number:
		return -1
	default:
		return 1
	}
}

// Room is one channel's talkers and listeners. The zero value is empty. Not safe for
// concurrent use.
type Room struct {
	talkers []*Talker          // in the order of Add
	byID    map[string]*Talker // the same; of two of one id the first
	added   uint64
	away    int // how many of them are so
	// ranked has the talkers who speak, the loudest first, as of the last Measure.
	ranked []*Talker
	// version changes with talkers and with who of them speaks, and lost is how many were removed.
	version uint64
	lost    uint64
	stamp   uint64
}

// Add adds a talker whose id no other has, but for one who passes to it.
func (r *Room) Add(id string, meter *Meter) *Talker {
	r.added++
	t := &Talker{ID: id, meter: meter, number: r.added}
	if r.byID == nil {
		r.byID = make(map[string]*Talker)
	}
	if r.byID[id] == nil {
		r.byID[id] = t
	}
	r.talkers = append(r.talkers, t)
	r.version++
	return t
}

// AddAway is Add for one whom listeners of NewNear do not hear.
func (r *Room) AddAway(id string, meter *Meter) *Talker {
	t := r.Add(id, meter)
	t.away = true
	r.away++
	return t
}

// Remove removes a talker; removing it again does nothing. It leaves a listener's slots
// with that listener's next Select.
func (r *Room) Remove(t *Talker) {
	if t.gone {
		return
	}
	t.gone = true
	if t.away {
		r.away--
	}
	if r.byID[t.ID] == t {
		delete(r.byID, t.ID)
		if t.heir != nil && !t.heir.gone {
			r.byID[t.ID] = t.heir
		}
	}
	is := func(o *Talker) bool { return o == t }
	r.talkers = slices.DeleteFunc(r.talkers, is)
	r.ranked = slices.DeleteFunc(r.ranked, is)
	r.lost++
	r.version++
}

// Measure reads all meters and returns who speaks, the loudest first. The slice is the
// room's, and good until the next call.
func (r *Room) Measure(now time.Time) []*Talker {
	clear(r.ranked) // who has gone must not stay behind the end
	r.ranked = r.ranked[:0]
	for _, t := range r.talkers {
		was := t.speaking
		if t.measure(now); t.speaking {
			r.ranked = append(r.ranked, t)
		}
		if t.speaking != was {
			r.version++
		}
	}
	slices.SortFunc(r.ranked, (*Talker).compare)
	return r.ranked
}

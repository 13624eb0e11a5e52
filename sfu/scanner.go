package sfu

import (
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/mini-livechat/mini-livechat/sfu/forward"
	"github.com/mini-livechat/mini-livechat/sfu/peer"
)

// scanHang is how long a scanner stays with a channel that has fallen silent: an answer comes within it, so that a conversation is
// heard whole and not in turns with another one.
const scanHang = 2 * time.Second

// scanner is what a member hears of channels that it is not in. It is tuned to one of its stations at a time, by their rank, as a
// scanner is, and only it gives its slots to talkers: the channels merely offer to them (switchboard.tap). It goes along when its
// member is moved, and is nobody's any more when the member is out. Safe for concurrent use.
type scanner struct {
	userID, name string
	journal      Journal
	// turn is held by who changes what is listened to. It is taken before any Channel's lock.
	turn sync.Mutex
	// untold: what is heard, or listened to, is other than the member was told.
	untold atomic.Bool

	// mu guards the fields below. It is taken while holding a Channel's, one's own or a station's, and of those taken while it is
	// held are only a slot's and the decider's.
	mu       sync.Mutex
	home     *Channel    // where its member is
	slots    []peer.Slot // the last of the member's
	stations []*station  // by rank
	priority *station    // interrupts the others; may be nil
	on       *station    // is heard; nil for none
	quiet    time.Time   // since when on is silent; zero while it is not
	heard    []voice     // by slot
	deaf     bool
	ended    bool
	lost     bool // the member was not told yet that it listens to fewer channels
	timer    *time.Timer
	due      time.Time // of the timer; zero when it is not set
}

// station is a channel to which a scanner listens.
type station struct {
	scanner *scanner
	channel *Channel

	leg   *leg   // guarded by channel.mu
	title string // the channel's name; likewise

	busy   bool    // somebody is heard; guarded by scanner.mu
	voices []voice // by slot; likewise
	gone   bool    // the channel is deleted; likewise
}

// voice is who is to be heard on a slot of a scanner; the zero value is nobody.
type voice struct {
	SlotInfo // without MID
	source   *forward.Source
	// since is from when on, where that is before now.
	since time.Time
}

// hear has the scanner know who is heard in a channel on each slot, and whether somebody is now. It is called with the channel's lock held.
func (t *station) hear(now time.Time, busy bool, voices []voice) {
	t.scanner.mu.Lock()
	defer t.scanner.mu.Unlock()
	t.busy, t.voices = busy, append(t.voices[:0], voices...)
	t.scanner.tuneLocked(now)
}

// close takes a station out whose channel is deleted, with that channel's lock held.
func (t *station) close() {
	s := t.scanner
	s.mu.Lock()
	defer s.mu.Unlock()
	t.gone = true
	s.dropLocked(func(o *station) bool { return o == t })
}

// chooseLocked returns to which station to listen: the priority station if it is busy, else the present one until it was silent for
// scanHang, else the first that is busy.
func (s *scanner) chooseLocked(now time.Time) *station {
	switch {
	case s.deaf:
		return nil
	case s.priority != nil && s.priority.busy:
		return s.priority
	case s.on == nil:
	case s.on.busy:
		return s.on
	default:
		if s.quiet.IsZero() {
			s.quiet = now
		}
		if now.Sub(s.quiet) < scanHang {
			return s.on
		}
	}
	for _, t := range s.stations {
		if t.busy {
			return t
		}
	}
	return nil
}

// tuneLocked makes the slots follow what is to be heard.
func (s *scanner) tuneLocked(now time.Time) {
	if s.ended {
		return
	}
	on := s.chooseLocked(now)
	if on == nil || on.busy {
		s.quiet = time.Time{}
	}
	s.on = on
	news := false
	for i, slot := range s.slots {
		var v voice
		if on != nil && i < len(on.voices) {
			v = on.voices[i]
		}
		if before := s.heard[i]; v.source != before.source {
			slot.Promote(v.source, v.since)
			news = true
		} else if v.SlotInfo != before.SlotInfo {
			news = true
		}
		s.heard[i] = v
	}
	if news {
		s.tellLocked()
	}
	s.scheduleLocked(now)
}

// tellLocked has the member told of what is untold by the channel in which it is.
func (s *scanner) tellLocked() {
	s.untold.Store(true)
	s.home.board.unsaid.Store(true)
	s.home.rouse()
}

// scheduleLocked sets the timer to when the present station has been silent for long enough.
func (s *scanner) scheduleLocked(now time.Time) {
	var due time.Time
	if s.on != nil && !s.quiet.IsZero() {
		due = s.quiet.Add(scanHang)
	}
	if due.Equal(s.due) {
		return
	}
	if s.timer != nil {
		s.timer.Stop()
	}
	if s.due = due; !due.IsZero() {
		s.timer = time.AfterFunc(max(due.Sub(now), 0), s.goOn)
	}
}

// goOn leaves a station that has been silent for long enough.
func (s *scanner) goOn() {
	defer contain(s.journal, "scanning channels")
	s.mu.Lock()
	defer s.mu.Unlock()
	s.due = time.Time{}
	s.tuneLocked(time.Now())
}

// permit says whether the member hears anything.
func (s *scanner) permit(hears bool, now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.deaf == hears {
		s.deaf = !hears
		s.tuneLocked(now)
	}
}

// dropLocked listens to some stations no more; the member is told.
func (s *scanner) dropLocked(which func(*station) bool) {
	kept := slices.DeleteFunc(slices.Clone(s.stations), which)
	if len(kept) < len(s.stations) {
		s.lost = true
		s.setLocked(kept, s.priority, time.Now())
		s.tellLocked()
	}
}

// setLocked replaces the stations.
func (s *scanner) setLocked(stations []*station, priority *station, now time.Time) {
	in := func(c *Channel) *station {
		if at := slices.IndexFunc(stations, func(t *station) bool { return t.channel == c }); at >= 0 {
			return stations[at]
		}
		return nil
	}
	s.stations = stations
	if priority != nil {
		priority = in(priority.channel)
	}
	if s.on != nil {
		s.on = in(s.on.channel)
	}
	s.priority = priority
	s.tuneLocked(now)
}

// takeLocked gives the scanner other slots, and leaves those before free.
func (s *scanner) takeLocked(slots []peer.Slot) {
	for _, slot := range s.slots {
		slot.Assign(nil)
	}
	s.slots, s.heard = slots, make([]voice, len(slots))
}

// reclaim takes the slots back from a scanner that listens to nothing, and reports whether it had any.
func (s *scanner) reclaim() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.stations) > 0 || len(s.slots) == 0 {
		return false
	}
	s.takeLocked(nil)
	return true
}

// describe returns the scanner's slots as its member is told of them.
func (s *scanner) describe() []SlotInfo {
	s.mu.Lock()
	defer s.mu.Unlock()
	infos := make([]SlotInfo, len(s.slots))
	for i, v := range s.heard {
		infos[i] = v.SlotInfo
		infos[i].MID = s.slots[i].MID
	}
	return infos
}

// listeningLocked is what the scanner listens to.
func (s *scanner) listeningLocked() Listening {
	l := Listening{Channels: make([]string, len(s.stations)), Slots: len(s.slots)}
	for i, t := range s.stations {
		l.Channels[i] = t.channel.id
	}
	if s.priority != nil {
		l.Priority = s.priority.channel.id
	}
	if len(s.stations) == 0 {
		l.Slots = 0
	}
	return l
}

// loss returns what is still listened to when that is less than the member was told.
func (s *scanner) loss() (left Listening, news bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.lost {
		return Listening{}, false
	}
	s.lost = false
	return s.listeningLocked(), true
}

// settleIn has the scanner be of somebody who is in a channel now. It returns how many of the member's slots are its own.
func (s *scanner) settleIn(home *Channel, hears bool) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.home, s.deaf = home, !hears
	if s.untold.Load() {
		home.board.unsaid.Store(true)
	}
	return len(s.slots)
}

// end ends the scanner for good. Called without a Channel's lock.
func (s *scanner) end() {
	s.turn.Lock()
	defer s.turn.Unlock()
	for _, t := range s.shut() {
		t.channel.untap(t)
	}
}

// shut frees the slots for good, and returns what was listened to.
func (s *scanner) shut() []*station {
	s.mu.Lock()
	defer s.mu.Unlock()
	stations := s.stations
	s.ended, s.stations, s.on, s.priority = true, nil, nil, nil
	s.takeLocked(nil)
	if s.timer != nil {
		s.timer.Stop()
	}
	return stations
}

package sfu

import (
	"slices"
	"time"
)

// line is one of the ways to be heard where one talks at a time.
type line int

const (
	// onFloor: by having the floor.
	onFloor line = iota
	// overFloor: beside who has it.
	overFloor
	lineCount
)

// lines are who is heard on a channel's lines. Each listener has one slot for each, in their order, so that a change of
// talker is nothing but a rewrite; one with a single slot hears who speaks over the floor while somebody does. Not safe for concurrent use.
type lines struct {
	// has is who has a slot: whoever was on the line last, until another one is.
	has [lineCount]*leg
	// open says whose packets pass.
	open [lineCount]bool
}

// permits reports whether it is a leg's turn, or that of whose heir it is: what it says first is to be heard when it gets the line.
func (n *lines) permits(l *leg) bool {
	for i, has := range n.has {
		if (has == l || has != nil && has == l.elder) && n.open[i] {
			return true
		}
	}
	return false
}

// on returns who has slot i of a leg, or nil.
func (n *lines) on(l *leg, i int) *leg {
	if len(l.slots) == 1 && n.open[overFloor] {
		if from := l.wants(n.has[overFloor]); from != nil {
			return from
		}
	}
	if i < int(lineCount) {
		return l.wants(n.has[i])
	}
	return nil
}

// wants returns whom it is given, but nil of the leg itself, and of one whom it excludes.
func (l *leg) wants(from *leg) *leg {
	if from == nil || from == l || l.listener.Excludes(from.talker) {
		return nil
	}
	return from
}

// pass has a leg that is unplugged be replaced by its heir, if there is one, and reports whether it had slots.
func (n *lines) pass(l, heir *leg) (had bool) {
	for i, has := range n.has {
		if has == l {
			n.has[i], n.open[i], had = heir, n.open[i] && heir != nil, true
		}
	}
	return had
}

// takeTurns says whether one talks at a time from now on. Nothing of it is connected before the next settle, but nobody who may not
// be heard is.
func (s *switchboard) takeTurns(take bool) {
	if take == (s.lines != nil) {
		return
	}
	s.lines = nil
	if take {
		s.lines = new(lines)
	}
	for _, l := range s.legs {
		s.turn(l)
		l.untold = true
	}
}

// open lets the packets of somebody pass on a line, on which nobody else's do, once the listeners' slots are connected.
func (s *switchboard) open(on line, userID string, now time.Time) {
	at := slices.IndexFunc(s.legs, func(l *leg) bool { return l.userID == userID && l.elder == nil })
	if at < 0 {
		return
	}
	l := s.legs[at]
	another := s.lines.has[on] != l
	s.lines.has[on] = l
	s.lines.open[on] = true
	if another {
		s.retell()
	}
	s.connect(now)
	s.inform(now)
	s.turn(l)
	if l.heir != nil {
		s.turn(l.heir)
	}
}

// shut holds back the packets of whoever is on a line. When it returns, none passes any more.
func (s *switchboard) shut(on line) {
	l := s.lines.has[on]
	s.lines.open[on] = false
	if l == nil {
		return
	}
	if on == overFloor { // who speaks over the floor gives the place back
		s.lines.has[on] = nil
		s.retell()
	}
	s.turn(l)
	if l.heir != nil {
		s.turn(l.heir)
	}
}

// retell notes that everybody's slots are other than was told.
func (s *switchboard) retell() {
	s.unsettled = true
	for _, l := range s.legs {
		l.untold = l.untold || len(l.slots) > 0
	}
}

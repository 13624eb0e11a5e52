package floor

import (
	"slices"
	"time"
)

// Phase is where a floor is. Those states of TS 24.380, section 6.3.4, that differ in nothing but who was told are one here.
type Phase int

// Phases of a floor.
const (
	PhaseIdle    Phase = iota // G: Floor Idle
	PhaseTaken                // G: Floor Taken; when warned, G: pending Floor Revoke
	PhaseTailing              // given back, and its last packets pass
	PhasePausing              // nobody may have it for a moment
)

// State is what there is to know of a Floor, so that another can be like it, and go on from there.
type State struct {
	Phase Phase
	// Holder is who has it, while PhaseTaken and PhaseTailing. Warned: they were told that its end is near.
	Holder Grant
	Warned bool
	// Ends is when PhaseTailing and PhasePausing do.
	Ends time.Time
	// Waiting are those who wait, in their order.
	Waiting []Waiter
	// LastID is that of the last grant.
	LastID uint64
}

// Waiter is somebody who waits for the floor. Patient ones wait for whoever else comes first.
type Waiter struct {
	User     string
	Priority uint8
	Patient  bool
}

// State returns what there is to know.
func (f *Floor) State() State {
	s := State{Phase: f.phase, Warned: f.warned, Ends: f.ends, LastID: f.lastID}
	if held, ok := f.Holder(); ok {
		s.Holder = held
	}
	for _, w := range f.queue {
		s.Waiting = append(s.Waiting, Waiter{w.user, w.priority, w.patient})
	}
	return s
}

// Restore has the floor be as another one was. Its holder counts as having pinged now, and who waits as having been told.
func (f *Floor) Restore(now time.Time, s State) {
	f.phase, f.holder, f.warned, f.ends, f.lastID, f.pinged = s.Phase, s.Holder, s.Warned, s.Ends, s.LastID, now
	f.suspended = time.Time{}
	f.queue = nil
	for i, w := range s.Waiting {
		f.queue = append(f.queue, waiter{w.User, w.Priority, w.Patient, i + 1})
	}
}

// holder returns who has the floor in a state.
func (s *State) holder() (g Grant, ok bool) {
	return s.Holder, s.Phase == PhaseTaken || s.Phase == PhaseTailing
}

func (s *State) place(user string) int {
	return slices.IndexFunc(s.Waiting, func(w Waiter) bool { return w.User == user })
}

// Between returns the effects that make one state of another, for those who were not told what happened in between. same says that equal ids
// of the two are of the same grant, and cause is why somebody has the floor no more.
func Between(before, after State, same bool, cause Cause) []Effect {
	var effects []Effect
	had, held := before.holder()
	has, holds := after.holder()
	goesOn := held && holds && same && had.ID == has.ID
	if held && !goesOn {
		effects = append(effects, Shut{User: had.User})
		if before.Phase == PhaseTaken {
			effects = append(effects, Revoked{Grant: had, Cause: cause})
		}
	}
	for _, w := range before.Waiting {
		if after.place(w.User) < 0 && (!holds || has.User != w.User) {
			effects = append(effects, Denied{User: w.User, Cause: CauseEnded})
		}
	}
	switch {
	case holds && !goesOn:
		effects = append(effects, Open{User: has.User})
		if after.Phase == PhaseTaken {
			effects = append(effects, Granted{Grant: has})
		}
		effects = append(effects, Taken{has})
	case goesOn && had.Priority != has.Priority:
		effects = append(effects, Taken{has})
	case held && !holds:
		effects = append(effects, Idle{})
	}
	for i, w := range after.Waiting {
		if before.place(w.User) != i || len(before.Waiting) != len(after.Waiting) {
			effects = append(effects, Queued{User: w.User, Position: i + 1, Size: len(after.Waiting), Priority: w.Priority})
		}
	}
	return effects
}

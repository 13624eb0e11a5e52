package floor

import "time"

// Floor is who has the floor of a channel, and who waits for it. Create it with New.
type Floor struct {
	config Config
	phase  Phase
	holder Grant // while taken and tailing
	warned bool
	pinged time.Time // when the holder last said that it is there
	ends   time.Time // of tailing and pausing
	// suspended is until when nobody may have it, whatever Config.Pause says.
	suspended time.Time
	queue     queue
	lastID    uint64
}

// New returns a floor that nobody has.
func New(config Config) *Floor { return &Floor{config: config} }

// Configure changes how the floor is given from now on. A grant keeps its end; who waits, waits on; a shorter pause counts at once.
func (f *Floor) Configure(now time.Time, config Config) {
	f.config, f.pinged = config, now
	if end := later(now.Add(config.Pause), f.suspended); f.phase == PhasePausing && f.ends.After(end) {
		f.ends = end
	}
}

// Holder returns who has the floor, or had it and is still heard; ok is false when nobody is.
func (f *Floor) Holder() (g Grant, ok bool) {
	return f.holder, f.phase == PhaseTaken || f.phase == PhaseTailing
}

// Has reports whether somebody has the floor and has not given it back.
func (f *Floor) Has(user string) bool { return f.phase == PhaseTaken && f.holder.User == user }

// Position returns at which place of how many somebody waits, from 1; 0 when they do not.
func (f *Floor) Position(user string) (position, size int) {
	return f.queue.find(user) + 1, len(f.queue)
}

// Waiting returns how many wait.
func (f *Floor) Waiting() int { return len(f.queue) }

// Next returns when the next Tick is due; ok is false when none is.
func (f *Floor) Next() (due time.Time, ok bool) {
	switch f.phase {
	case PhaseTailing, PhasePausing:
		return f.ends, true
	case PhaseTaken:
		due = f.talkEvent()
		if silent := f.silentAt(); !silent.IsZero() && (due.IsZero() || silent.Before(due)) {
			due = silent
		}
		return due, !due.IsZero()
	case PhaseIdle:
	}
	return time.Time{}, false
}

// talkEvent is when the holder is warned or, after that, cut; zero for never.
func (f *Floor) talkEvent() time.Time {
	if f.holder.Until.IsZero() || f.warned || f.config.Warn == 0 {
		return f.holder.Until
	}
	return f.holder.Until.Add(-f.config.Warn)
}

// silentAt is when the holder counts as gone unless it pings; zero for never.
func (f *Floor) silentAt() time.Time {
	if f.config.Ping == 0 {
		return time.Time{}
	}
	return f.pinged.Add(f.config.Ping)
}

// Apply takes note of what happened at now, which must not be before that of the last call, and returns what follows. What was due by
// then comes first, but for the end of a holder who pings just now.
func (f *Floor) Apply(now time.Time, event Event) []Effect {
	if e, ok := event.(Ping); ok && f.has(e.User, e.Grant) {
		f.pinged = now
	}
	effects := f.expire(now)
	switch e := event.(type) {
	case Request:
		effects = append(effects, f.request(now, e)...)
	case Release:
		effects = append(effects, f.release(now, e)...)
	case Ping:
		effects = append(effects, f.ping(now, e))
	case Leave:
		effects = append(effects, f.leave(now, e.User)...)
	case Revoke:
		if held, ok := f.Holder(); ok && (e.Grant == 0 || e.Grant == held.ID) {
			effects = append(effects, f.cut(now, CauseModerator, e.By)...)
		}
	case Clear:
		effects = append(effects, f.clear()...)
	case Suspend:
		effects = append(effects, f.suspend(e.Until)...)
	case Tick:
	}
	return append(effects, f.queue.positions()...)
}

// has reports whether somebody holds the floor by this grant.
func (f *Floor) has(user string, grant uint64) bool {
	return f.phase == PhaseTaken && f.holder.User == user && f.holder.ID == grant
}

// expire does what is due by now.
func (f *Floor) expire(now time.Time) []Effect {
	var effects []Effect
	for {
		due, ok := f.Next()
		if !ok || due.After(now) {
			return effects
		}
		switch {
		case f.phase == PhaseTailing:
			effects = append(effects, Shut{User: f.holder.User})
			effects = append(effects, f.pause(now)...)
		case f.phase == PhasePausing:
			effects = append(effects, f.next(now)...)
		case !f.silentAt().IsZero() && !f.silentAt().After(now):
			effects = append(effects, f.cut(now, CauseSilent, "")...)
		case !f.holder.Until.After(now): // with no warning where that comes too late
			effects = append(effects, f.cut(now, CauseTooLong, "")...)
		default: // T2 has expired, section 6.3.4.4.3
			f.warned = true
			effects = append(effects, Revoked{Grant: f.holder, Cause: CauseTooLong, Grace: f.holder.Until.Sub(now)})
		}
	}
}

// request is section 6.3.5.4.4 (permitted) and the arbitration of 6.3.4.4.
func (f *Floor) request(now time.Time, e Request) []Effect {
	if at := f.queue.find(e.User); at >= 0 {
		return f.requestAgain(now, at, e)
	}
	switch {
	case f.phase == PhaseIdle:
		return f.grant(now, e.User, e.Priority)
	case f.phase == PhaseTaken && f.holder.User == e.User:
		if e.Priority <= f.holder.Priority {
			return []Effect{Granted{Grant: f.holder, Again: true}}
		}
		f.holder.Priority = e.Priority
		return []Effect{Granted{Grant: f.holder, Again: true}, Taken{f.holder}}
	case f.phase == PhaseTailing && f.holder.User == e.User && len(f.queue) == 0 && f.config.Pause == 0:
		return f.grant(now, e.User, e.Priority) // and the gate was open all along
	case f.preempts(e.Priority):
		return append(f.preempt(), f.grant(now, e.User, e.Priority)...)
	case f.phase == PhaseTaken && !e.Queue:
		return []Effect{Denied{User: e.User, Cause: CauseBusy}}
	}
	return f.enqueue(waiter{user: e.User, priority: e.Priority, patient: e.Queue})
}

// requestAgain is of one who waits at a place already.
func (f *Floor) requestAgain(now time.Time, at int, e Request) []Effect {
	w := &f.queue[at]
	w.patient = w.patient || e.Queue
	w.told = 0 // and so is told again
	priority := max(w.priority, e.Priority)
	switch {
	case f.preempts(priority):
		f.queue.remove(at)
		return append(f.preempt(), f.grant(now, e.User, priority)...)
	case priority > w.priority:
		again := f.queue.remove(at)
		again.priority = priority
		f.queue.add(again)
	}
	return nil
}

// preempts reports whether a request of this priority takes the floor from who has it.
func (f *Floor) preempts(priority uint8) bool {
	return (f.phase == PhaseTaken || f.phase == PhaseTailing) && (f.config.CutIn || priority > f.holder.Priority)
}

// preempt takes the floor from who has it, for somebody else (section 6.3.4.4.7).
func (f *Floor) preempt() []Effect {
	effects := []Effect{Shut{User: f.holder.User}}
	if f.phase == PhaseTaken {
		effects = append(effects, Revoked{Grant: f.holder, Cause: CausePreempted})
	}
	return effects
}

// enqueue has somebody wait, if need be in the place of one of less priority.
func (f *Floor) enqueue(w waiter) []Effect {
	full := f.config.Queue
	if f.phase != PhaseTaken {
		full = max(full, 1) // for the moment until the floor is free
	}
	if len(f.queue) < full {
		f.queue.add(w)
		return nil
	}
	if last := len(f.queue) - 1; last >= 0 && f.queue[last].priority < w.priority {
		out := f.queue.remove(last)
		f.queue.add(w)
		return []Effect{Denied{User: out.user, Cause: CauseQueueFull}}
	}
	if f.config.Queue == 0 {
		return []Effect{Denied{User: w.user, Cause: CauseBusy}}
	}
	return []Effect{Denied{User: w.user, Cause: CauseQueueFull}}
}

// grant gives the floor, of which nobody else has the gate.
func (f *Floor) grant(now time.Time, user string, priority uint8) []Effect {
	f.lastID++
	f.phase, f.warned, f.pinged = PhaseTaken, false, now
	f.holder = Grant{User: user, ID: f.lastID, Priority: priority, Since: now}
	if f.config.MaxTalk > 0 {
		f.holder.Until = now.Add(f.config.MaxTalk)
	}
	return []Effect{Open{User: user}, Granted{Grant: f.holder}, Taken{f.holder}}
}

func (f *Floor) release(now time.Time, e Release) []Effect {
	if at := f.queue.find(e.User); at >= 0 && e.Grant == 0 {
		f.queue.remove(at)
		return []Effect{Released{User: e.User}}
	}
	if f.phase != PhaseTaken || f.holder.User != e.User || e.Grant != 0 && e.Grant != f.holder.ID {
		return []Effect{Stale{User: e.User}}
	}
	f.phase, f.ends = PhaseTailing, now.Add(f.config.Tail)
	return append([]Effect{Released{User: e.User}}, f.expire(now)...)
}

func (f *Floor) ping(now time.Time, e Ping) Effect {
	if !f.has(e.User, e.Grant) {
		return Stale{User: e.User}
	}
	pong := Pong{User: e.User, ID: e.Grant}
	if !f.holder.Until.IsZero() {
		pong.Left = f.holder.Until.Sub(now)
	}
	return pong
}

func (f *Floor) leave(now time.Time, user string) []Effect {
	var effects []Effect
	if at := f.queue.find(user); at >= 0 {
		f.queue.remove(at)
		effects = append(effects, Denied{User: user, Cause: CauseEnded})
	}
	if held, ok := f.Holder(); ok && held.User == user { // who waits again may still be heard
		effects = append(effects, f.cut(now, CauseForbidden, "")...)
	}
	return effects
}

// cut ends what the holder has at once, and gives it to the next.
func (f *Floor) cut(now time.Time, cause Cause, by string) []Effect {
	effects := []Effect{Shut{User: f.holder.User}}
	if f.phase == PhaseTaken {
		effects = append(effects, Revoked{Grant: f.holder, Cause: cause, By: by})
	}
	return append(effects, f.pause(now)...)
}

// pause begins when the gate is shut.
func (f *Floor) pause(now time.Time) []Effect {
	if f.config.Pause == 0 {
		return f.next(now)
	}
	f.phase, f.ends = PhasePausing, now.Add(f.config.Pause)
	return []Effect{Idle{}}
}

// next gives the floor to the first who waits; those who wait for nobody else are denied it.
func (f *Floor) next(now time.Time) []Effect {
	told := f.phase == PhasePausing // that the floor is idle
	f.phase = PhaseIdle
	if len(f.queue) == 0 {
		if told {
			return nil
		}
		return []Effect{Idle{}}
	}
	first := f.queue.remove(0)
	effects := f.grant(now, first.user, first.priority)
	for at := 0; at < len(f.queue); {
		if f.queue[at].patient {
			at++
			continue
		}
		effects = append(effects, Denied{User: f.queue.remove(at).user, Cause: CauseBusy})
	}
	return effects
}

// clear leaves a floor that nobody has and nobody waits for.
func (f *Floor) clear() []Effect {
	var effects []Effect
	for _, w := range f.queue {
		effects = append(effects, Denied{User: w.user, Cause: CauseEnded})
	}
	f.queue = nil
	if held, ok := f.Holder(); ok {
		effects = append(effects, Shut{User: held.User})
		if f.phase == PhaseTaken {
			effects = append(effects, Revoked{Grant: held, Cause: CauseForbidden})
		}
		effects = append(effects, Idle{})
	}
	f.phase = PhaseIdle
	return effects
}

// suspend ends what the holder has at once, and lets nobody have it until then; who waits, waits on.
func (f *Floor) suspend(until time.Time) []Effect {
	var effects []Effect
	if held, ok := f.Holder(); ok {
		effects = append(effects, Shut{User: held.User})
		if f.phase == PhaseTaken {
			effects = append(effects, Revoked{Grant: held, Cause: CauseLost})
		}
		effects = append(effects, Idle{})
	}
	if f.phase == PhasePausing {
		until = later(until, f.ends)
	}
	f.phase, f.ends, f.suspended = PhasePausing, until, until
	return effects
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

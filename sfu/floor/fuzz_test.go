package floor

import (
	"cmp"
	"slices"
	"testing"
	"time"
)

// Operations of FuzzFloor: the low four bits of the first byte of four; the higher ones are the user. Second and third byte are arguments, the
// fourth is how much later it happens, in steps of 10 ms, or of a second where its highest bit is set.
const (
	opAsk = iota
	opAskNow
	opRelease
	opReleaseGrant
	opPing
	opLeave
	opRevoke
	opClear
	opTick
	opConfigure
	opLate // as opTick, but what was due on the way comes only now
)

func fuzzScript(ops ...[4]byte) []byte {
	var script []byte
	for _, op := range ops {
		script = append(script, op[:]...)
	}
	return script
}

// FuzzFloor plays any script of eight users with a floor, and has a witness judge what follows from each event: it knows only the events
// and the effects, and keeps by itself who is heard, who has the floor, and who waits where.
func FuzzFloor(f *testing.F) {
	ask := func(user, priority, later byte) [4]byte { return [4]byte{opAsk | user<<4, priority, 0, later} }
	f.Add(byte(0), fuzzScript(ask(0, 1, 0), ask(1, 1, 10), ask(2, 2, 0), [4]byte{opRelease, 0, 0, 10}, ask(0, 0, 10), [4]byte{opTick, 0, 0, 30}))
	f.Add(byte(7), fuzzScript(ask(0, 0, 0), [4]byte{opReleaseGrant, 1, 0, 1}, [4]byte{opAskNow | 1<<4, 0, 0, 1}, [4]byte{opAskNow | 2<<4, 0, 0, 1},
		ask(3, 9, 0), [4]byte{opTick, 0, 0, 0x80 + 2}))
	f.Fuzz(func(t *testing.T, kind byte, script []byte) {
		w := &witness{T: t, now: epoch}
		w.configure(kind)
		for ; len(script) >= 4 && len(script) < 4096; script = script[4:] {
			w.play([4]byte(script))
		}
		w.end()
	})
}

// fuzzConfig is what a script's floor is like.
func fuzzConfig(kind byte) Config {
	config := Config{MaxTalk: 10 * time.Second, Warn: 3 * time.Second, Ping: 2 * time.Second, Tail: 250 * time.Millisecond, Queue: 3}
	if kind&1 != 0 {
		config.Pause = 500 * time.Millisecond
	}
	if kind&2 != 0 {
		config.Ping = 0
	}
	if kind&4 != 0 {
		config.Queue, config.Tail = 0, 0
	}
	config.CutIn = kind&8 != 0
	if kind&16 != 0 {
		config.Warn = 0
	}
	if kind&32 != 0 {
		config.Queue, config.Pause = 1, time.Millisecond
	}
	if kind&64 != 0 {
		config.Ping, config.MaxTalk, config.Warn = 7*time.Second, 7*time.Second, 7*time.Second-1
	}
	return config
}

// waiting is somebody of whom the witness knows that they wait.
type waiting struct {
	user           string
	priority       uint8
	since          int // counts what puts somebody behind all of their priority
	position, size int // as they were told
}

type witness struct {
	*testing.T

	f      *Floor
	config Config
	now    time.Time
	heard  string // whose packets pass
	grant  *Grant
	warned bool
	last   uint64
	line   []waiting
	count  int
}

func (w *witness) configure(kind byte) {
	config := fuzzConfig(kind)
	if err := config.Validate(); err != nil {
		w.Fatal(err)
	}
	w.config = config
	if w.f == nil {
		w.f = New(config)
		return
	}
	w.f.Configure(w.now, config)
	w.apply(Tick{})
}

// play has the time pass, with a tick when one is due, and then an operation happen.
func (w *witness) play(op [4]byte) {
	user := string('a' + rune(op[0]>>4&7))
	later := time.Duration(op[3]&0x7f) * 10 * time.Millisecond
	if op[3]&0x80 != 0 {
		later *= 100
	}
	until := w.now.Add(later)
	for op[0]&15 != opLate {
		due, ok := w.f.Next()
		if !ok || due.After(until) {
			break
		}
		w.now = due
		w.apply(Tick{})
	}
	w.now = until
	grant := uint64(op[1])
	if op[1]&1 != 0 {
		grant = w.last // of which most is to be asked
	}
	switch op[0] & 15 {
	case opAsk, opAskNow:
		w.ask(Request{User: user, Priority: op[1], Queue: op[0]&15 == opAsk})
	case opRelease:
		w.answered(w.apply(Release{User: user}), user)
	case opReleaseGrant:
		w.answered(w.apply(Release{user, grant}), user)
	case opPing:
		w.answered(w.apply(Ping{user, grant}), user)
	case opLeave:
		w.apply(Leave{user})
		if w.heard == user || w.at(user) >= 0 {
			w.Fatalf("%s has left, and is heard or waits", user)
		}
	case opRevoke:
		w.apply(Revoke{By: "m"})
	case opClear:
		w.apply(Clear{})
		if w.heard != "" || len(w.line) > 0 {
			w.Fatalf("cleared, but %q is heard, and %d wait", w.heard, len(w.line))
		}
	case opConfigure:
		w.configure(op[1])
	default:
		w.apply(Tick{})
	}
}

// ask has somebody ask, and judges the answer.
func (w *witness) ask(e Request) {
	w.apply(Tick{}) // what is due is no answer
	before, talks := w.grant, w.heard
	free := w.f.phase == PhaseIdle
	paused := w.f.phase == PhasePausing
	var answers []Effect
	for _, effect := range w.apply(e) {
		switch a := effect.(type) {
		case Granted:
			if a.User == e.User {
				answers = append(answers, a)
			}
		case Queued:
			if a.User == e.User {
				answers = append(answers, a)
			}
		case Denied:
			if a.User == e.User {
				answers = append(answers, a)
			}
		}
	}
	if len(answers) != 1 {
		w.Fatalf("%+v was answered by %q", e, show(answers))
	}
	_, granted := answers[0].(Granted)
	_, denied := answers[0].(Denied)
	switch {
	case free, before != nil && before.User == e.User:
		if !granted {
			w.Fatalf("%+v of a floor that is free, or theirs: %q", e, show(answers))
		}
	case paused:
		if granted {
			w.Fatalf("%+v was granted in a pause", e)
		}
	case before != nil:
		if higher := e.Priority > before.Priority || w.config.CutIn; higher && !granted {
			w.Fatalf("%+v did not pre-empt %s: %q", e, showOne(Taken{*before}), show(answers))
		} else if !higher && granted && w.grant.Priority <= before.Priority {
			w.Fatalf("%+v pre-empted %s", e, showOne(Taken{*before}))
		}
		if !e.Queue && !granted && !denied && w.at(e.User) < 0 {
			w.Fatalf("%+v has to wait", e)
		}
	case talks == "":
		w.Fatalf("nobody is heard, and %+v met with no pause", e)
	}
}

// answered: exactly one effect answers a Release or Ping of somebody.
func (w *witness) answered(effects []Effect, user string) {
	answers := 0
	for _, effect := range effects {
		switch e := effect.(type) {
		case Released:
			if e.User == user {
				answers++
			}
		case Pong:
			if e.User == user {
				answers++
			}
		case Stale:
			if e.User == user {
				answers++
			}
		}
	}
	if answers != 1 {
		w.Fatalf("%d answers to %s: %q", answers, user, show(effects))
	}
}

// apply has an event happen, follows what comes of it, and judges how things are then.
func (w *witness) apply(event Event) []Effect {
	effects := w.f.Apply(w.now, event)
	for _, effect := range effects {
		w.follow(event, effect)
	}
	if due, ok := w.f.Next(); ok && !due.After(w.now) {
		w.Fatalf("after %T a tick is due %v ago", event, w.now.Sub(due))
	}
	held, ok := w.f.Holder()
	switch {
	case ok != (w.heard != "") || ok && held.User != w.heard:
		w.Fatalf("%q is heard, the floor says %+v", w.heard, held)
	case w.grant != nil && (w.grant.User != w.heard || *w.grant != held || !w.f.Has(w.heard)):
		w.Fatalf("%+v has the floor, %q is heard, the floor says %+v", w.grant, w.heard, held)
	case w.grant == nil && w.f.Has(w.heard):
		w.Fatalf("nobody has the floor, and it says that %q has", w.heard)
	case w.grant != nil && w.at(w.grant.User) >= 0:
		w.Fatalf("%s has the floor and waits", w.heard)
	case w.grant != nil && !w.grant.Until.IsZero() && !w.grant.Until.After(w.now):
		w.Fatalf("%s talks beyond the end", w.heard)
	case w.f.phase == PhaseIdle && len(w.line) > 0:
		w.Fatalf("%d wait for nobody", len(w.line))
	}
	w.compareLine()
	return effects
}

// compareLine judges whether the queue is who waits, by priority and then as they came, and what they were told is so.
func (w *witness) compareLine() {
	slices.SortFunc(w.line, func(a, b waiting) int {
		return cmp.Or(cmp.Compare(b.priority, a.priority), cmp.Compare(a.since, b.since))
	})
	if len(w.line) != w.f.Waiting() || len(w.line) > max(3, w.config.Queue) {
		w.Fatalf("%d wait, the floor says %d", len(w.line), w.f.Waiting())
	}
	for i, waits := range w.line {
		if at, _ := w.f.Position(waits.user); at != i+1 || waits.position != i+1 {
			w.Fatalf("%s is number %d, the floor says %d, and it was told %d", waits.user, i+1, at, waits.position)
		}
	}
}

// at is where in the line somebody is, or -1.
func (w *witness) at(user string) int {
	return slices.IndexFunc(w.line, func(o waiting) bool { return o.user == user })
}

// goes takes somebody out of the line, and reports whether they were in it.
func (w *witness) goes(user string) bool {
	at := w.at(user)
	if at >= 0 {
		w.line = slices.Delete(w.line, at, at+1)
	}
	return at >= 0
}

// follow keeps up with one effect, and judges whether it may be.
func (w *witness) follow(event Event, effect Effect) {
	is := func(ok bool, why string) {
		if !ok {
			w.Helper()
			w.Fatalf("%T %+v at %v: %s: %s; %q is heard, the grant is %+v", event, event, w.now.Sub(epoch), showOne(effect), why, w.heard, w.grant)
		}
	}
	asked, _ := event.(Request)
	switch e := effect.(type) {
	case Open:
		is(w.grant == nil && (w.heard == "" || w.heard == e.User), "two are heard")
		w.heard = e.User
	case Shut:
		is(w.heard == e.User, "is not heard")
		w.heard = ""
	case Granted:
		is(w.heard == e.User, "is told before the gate is open")
		if e.Again {
			is(w.grant != nil && w.grant.ID == e.ID && e.Priority >= w.grant.Priority && asked.User == e.User, "is none of theirs")
			w.grant = &e.Grant
			return
		}
		is(w.grant == nil && e.ID > w.last && e.Since.Equal(w.now), "is no new grant")
		is(e.Until.IsZero() == (w.config.MaxTalk == 0), "has another end")
		w.goes(e.User)
		w.grant, w.last, w.warned = &e.Grant, e.ID, false
	case Taken:
		is(w.grant != nil && *w.grant == e.Grant, "is another grant")
	case Idle:
		is(w.grant == nil && w.heard == "", "is not idle")
	case Revoked:
		is(w.grant != nil && *w.grant == e.Grant, "is another grant")
		if e.Grace != 0 {
			is(!w.warned && e.Cause == CauseTooLong && e.Grace > 0 && w.now.Add(e.Grace).Equal(e.Until), "is no warning")
			w.warned = true
			return
		}
		is(w.heard == "", "is told while still heard")
		w.grant = nil
	case Denied:
		is(w.goes(e.User) || asked.User == e.User, "did not wait")
	case Queued:
		w.queued(asked, e)
	case Released:
		if !w.goes(e.User) {
			is(w.grant != nil && w.grant.User == e.User, "has nothing")
			w.grant = nil
		}
	case Pong:
		is(w.grant != nil && w.grant.User == e.User && w.grant.ID == e.ID, "is of no grant")
		is(w.grant.Until.IsZero() && e.Left == 0 || w.now.Add(e.Left).Equal(w.grant.Until), "is another time")
	case Stale:
	}
}

// queued notes that somebody waits, or where they do from now on.
func (w *witness) queued(asked Request, e Queued) {
	at := w.at(e.User)
	fresh := at < 0
	if fresh {
		if asked.User != e.User {
			w.Fatalf("%s waits and did not ask", e.User)
		}
		w.line = append(w.line, waiting{user: e.User, priority: asked.Priority})
		at = len(w.line) - 1
	}
	waits := &w.line[at]
	if fresh || asked.User == e.User && asked.Priority > waits.priority {
		w.count++
		waits.priority, waits.since = asked.Priority, w.count
	}
	if e.Priority != waits.priority || e.Size != w.f.Waiting() {
		w.Fatalf("%s waits with priority %d among %d, and was told %+v", e.User, waits.priority, w.f.Waiting(), e)
	}
	waits.position, waits.size = e.Position, e.Size
}

// end: when nobody does anything any more, all grants end, all who wait have their turn, and then nothing is due.
func (w *witness) end() {
	if w.config.MaxTalk == 0 && w.config.Ping == 0 {
		return
	}
	for range 100 {
		due, ok := w.f.Next()
		if !ok {
			if w.heard != "" || len(w.line) > 0 {
				w.Fatalf("nothing is due, %q is heard, and %d wait", w.heard, len(w.line))
			}
			return
		}
		w.now = due
		w.apply(Tick{})
	}
	w.Fatal("there is no end of it")
}

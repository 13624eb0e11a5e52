package bench

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"github.com/mini-livechat/mini-livechat/signaling/client"
	"github.com/mini-livechat/mini-livechat/signaling/protocol"
)

const (
	// What of the presses is measured how often: a part of their number.
	quarter, half, tenth = 4, 2, 10
	// badRooms are measured at once over the bad network, where one mostly waits.
	badRooms = 5
	// What the bad network does: what TS 22.179 is measured on here.
	badLoss  = 0.2
	badDelay = 50 * time.Millisecond
	// settled is when what was sent before has come over the bad network, but for what is mended after more than a round trip.
	settled = 5 * badDelay
	// straggling is when it has over a good one.
	straggling = 25 * time.Millisecond
	// turnsSlots is a line for the floor, and one for who speaks over it.
	turnsSlots = 2
	// turnsTimeout is how long a run may take, and turnsEach more for each press.
	turnsTimeout, turnsEach = 5 * time.Minute, 3 * time.Second
)

// turns is one run of a Turns scenario.
type turns struct {
	target *serverTarget
	engine *client.Engine
	now    func() time.Duration
	say    func(what string)

	mu      sync.Mutex
	samples map[string][]float64 // in milliseconds; guarded by mu
	people  int                  // so far; guarded by mu
}

// turns measures all runs.
func (b *bench) turns(ctx context.Context, s Scenario) (TurnsResult, error) {
	runs, notes := make([]map[string][]float64, b.opts.Runs), &notes{}
	for n := range runs {
		b.progress.prefix = fmt.Sprintf("%s · run %d of %d", s, n+1, b.opts.Runs)
		var err error
		if runs[n], err = b.turnsOnce(ctx, s, notes); err != nil {
			return TurnsResult{}, err
		}
	}
	r := summariseTurns(s, runs)
	r.Notes = notes.lines()
	return r, nil
}

func (b *bench) turnsOnce(ctx context.Context, s Scenario, notes *notes) (map[string][]float64, error) {
	engine, err := client.NewEngine(client.EngineConfig{LocalIP: net.IP.IsLoopback})
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, turnsTimeout+time.Duration(s.N)*turnsEach)
	defer cancel()
	began := time.Now()
	t := &turns{
		target: &serverTarget{self: b.opts.Self, engine: engine, plan: &plan{Scenario: s, slots: turnsSlots, nodes: 1}, prefix: "bench"},
		engine: engine, now: func() time.Duration { return time.Since(began) }, say: b.progress.say,
		samples: make(map[string][]float64),
	}
	defer t.target.close() //nolint:contextcheck // whatever becomes of ctx
	t.say("starting")
	if err = t.target.launch(ctx); err != nil {
		return nil, err
	}
	token, err := t.target.token(ctx, 0) // the first is an admin
	if err != nil {
		return nil, err
	}
	if t.target.control, err = t.target.dial(ctx, t.target.url, token); err != nil {
		return nil, err
	}
	before, err := readUsage(t.target.procs...)
	if err != nil {
		return nil, err
	}
	from := t.now()
	if err = errors.Join(t.good(ctx, s.N), t.bad(ctx, s.N)); err != nil {
		return nil, err
	}
	used, err := readUsage(t.target.procs...)
	notes.own = max(notes.own, notes.load(used.since(before), (t.now()-from).Seconds(), true))
	return t.samples, err
}

// good measures what the server itself takes.
func (t *turns) good(ctx context.Context, n int) error {
	byTurns := protocol.FloorSettings{TalkMS: new(int64(0))}
	long, err := t.room(ctx, "long", byTurns, longFrame, nil)
	if err != nil {
		return err
	}
	defer long.close()
	t.say("pressing")
	if err = long.press(ctx, n, grant, press); err != nil {
		return err
	}
	t.say("joining")
	if err = long.join(ctx, max(n/tenth, 1), joining); err != nil {
		return err
	}
	short, err := t.room(ctx, "short", byTurns, shortFrame, nil)
	if err != nil {
		return err
	}
	defer short.close()
	t.say("revoking")
	if err = short.revoke(ctx, max(n/half, 1)); err != nil {
		return err
	}
	t.say("waiting")
	err = together(
		func() error { return long.queue(ctx, max(n/tenth, 1), queueing20) },
		func() error { return short.queue(ctx, max(n/tenth, 1), queueing) },
	)
	if err != nil {
		return err
	}
	cutIn := protocol.FloorSettings{TalkMS: new(int64(0)), CutIn: new(true)}
	t.say("cutting in")
	for _, one := range []struct {
		name   string
		frame  time.Duration
		rounds int
		as     string
	}{{"cut-short", shortFrame, n / half, preempting}, {"cut-long", longFrame, n / quarter, preempting20}} {
		room, err := t.room(ctx, one.name, cutIn, one.frame, nil)
		if err != nil {
			return err
		}
		err = room.preempt(ctx, max(one.rounds, 1), one.frame, one.as)
		room.close()
		if err != nil {
			return err
		}
	}
	return nil
}

// bad measures what is left of it on a bad network.
func (t *turns) bad(ctx context.Context, n int) error {
	t.say("over a bad network")
	var rooms [badRooms]func() error
	for i := range rooms {
		rooms[i] = func() error {
			network := newBadNetwork(badLoss, badDelay, uint64(i+1)) //nolint:gosec // small
			defer network.close()
			room, err := t.room(ctx, fmt.Sprintf("bad-%d", i), protocol.FloorSettings{TalkMS: new(int64(0))}, longFrame, network)
			if err != nil {
				return err
			}
			defer room.close()
			if err = room.press(ctx, max(n/half/badRooms, 1), badGrant, badPress); err != nil {
				return err
			}
			return room.listen(ctx, max(n/half/badRooms, 1), max(n/tenth/badRooms, 1))
		}
	}
	return together(rooms[:]...)
}

// together does several things at once, and returns all that failed.
func together(do ...func() error) error {
	errs := make([]error, len(do))
	var all sync.WaitGroup
	for i, one := range do {
		all.Go(func() { errs[i] = one() })
	}
	all.Wait()
	return errors.Join(errs...)
}

func (t *turns) add(name string, d time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.samples[name] = append(t.samples[name], milliseconds(d))
}

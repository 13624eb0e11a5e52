package sfu

import (
	"cmp"
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/mini-livechat/mini-livechat/sfu/floor"
)

// air is what is shared by turns where one talks at a time: a floor for each line. A nil air has no timer to stop.
type air struct {
	floors [lineCount]*floor.Floor
	// first is where the ids of grants begin, as they are told: at random, since no other channel's may be taken for one of here.
	first uint64
	// waits is since when who waits for a floor.
	waits map[string]time.Time
	timer *time.Timer
	due   time.Time // of the timer; zero when it is not set
	// office is who decides, where there are several nodes.
	office office
}

func newAir(onFloor, overFloor floor.Config) *air {
	return &air{
		floors: [lineCount]*floor.Floor{floor.New(onFloor), floor.New(overFloor)},
		first:  uint64(rand.Uint32()), //nolint:gosec // no secret
		waits:  make(map[string]time.Time),
		// An answer to a call of before the turns began anew is none to one of after.
		office: office{lastCall: uint64(rand.Uint32())}, //nolint:gosec // no secret
	}
}

// id is the id of a line's grant, as it is told.
func (a *air) id(on line, grant uint64) uint64 { return a.first + grant*uint64(lineCount) + uint64(on) } //nolint:gosec // small

// grantOf is the other way round; 0, for whatever somebody has, is on both lines.
func (a *air) grantOf(on line, id uint64) (grant uint64, ok bool) {
	if id == 0 {
		return 0, true
	}
	if id -= a.first + uint64(on); id%uint64(lineCount) != 0 { //nolint:gosec // small
		return 0, false
	}
	grant = id / uint64(lineCount)
	return grant, grant != 0
}

func (a *air) stop() {
	if a.timer != nil {
		a.timer.Stop()
	}
}

// end is when there are no turns any more; who waits for an answer gets this one. A nil air has ended.
func (a *air) end(err error) {
	if a != nil {
		a.stop()
		a.hangUp(err)
	}
}

// followModeLocked makes the channel one in which people talk by turns, or all at once, as its settings have it.
func (c *Channel) followModeLocked(now time.Time) {
	settings := c.roster.channel.Settings
	config := settings.Floor.config(c.hub.floor)
	over := config
	over.CutIn, over.Queue, over.Pause = false, 0, 0
	switch turns := settings.Mode == ModePTT; {
	case turns && c.air != nil:
		c.air.floors[onFloor].Configure(now, config)
		c.air.floors[overFloor].Configure(now, over)
		if !settings.Floor.Over && c.decidesLocked() {
			c.applyLocked(now, overFloor, floor.Clear{})
		}
		c.scheduleLocked(now)
	case turns:
		c.board.takeTurns(true)
		c.air = newAir(config, over)
		c.attended = false // to hear from those too who are muted
		if c.hub.floors != nil {
			c.followArbiterLocked(now)
		}
	case c.air != nil:
		for on, f := range c.air.floors {
			if c.decidesLocked() {
				c.applyLocked(now, line(on), floor.Clear{})
				continue
			}
			effects := floor.Between(f.State(), floor.State{}, true, floor.CauseForbidden)
			c.switchLocked(line(on), effects, now)
			c.tellFloorLocked(line(on), effects)
		}
		c.air.end(ErrNoFloor)
		c.air = nil
		c.board.takeTurns(false)
	}
	c.attendLocked()
	if len(c.board.legs) > 0 {
		c.rouse() // who is heard may be another one
		c.tellSlotsLocked(c.board.settle(now), nil)
	}
}

// RequestFloor asks for the floor. answer is called with what became of it, before anything that follows is told but after the member's
// packets are let through, if they are. Like Notifier, it must neither block nor call back. Where another node decides, it waits for that. It
// fails, and calls nothing, with ErrNotInChannel, ErrNoFloor, ErrFloorSilent, ErrFloorBusy, ErrFloorQueueFull or ErrFloorUnsettled.
func (m *Member) RequestFloor(ctx context.Context, req FloorRequest, answer func(FloorAnswer)) error {
	c := m.channel
	c.mu.Lock()
	defer c.mu.Unlock()
	on := lineOf(req.Over)
	if err := c.mayRequestLocked(m, on); err != nil {
		return err
	}
	event := floor.Request{User: m.self.userID, Priority: req.Priority, Queue: req.Queue && !req.Over}
	return c.decideLocked(ctx, on, event, func(effects []floor.Effect) ([]floor.Effect, error) {
		if !c.roster.has(m.self) {
			return effects, c.roster.notIn()
		}
		for i, effect := range effects {
			switch e := effect.(type) {
			case floor.Granted:
				if e.User == m.self.userID {
					answer(FloorAnswer{Grant: c.grantLocked(on, e.Grant)})
					return effects, nil
				}
			case floor.Queued:
				if e.User == m.self.userID {
					answer(FloorAnswer{Place: &FloorPlace{e.Position, e.Size, e.Priority}})
					return slices.Concat(effects[:i], effects[i+1:]), nil // it was just told
				}
			case floor.Denied:
				if e.User == m.self.userID {
					return slices.Concat(effects[:i], effects[i+1:]), denied(e.Cause)
				}
			}
		}
		return effects, fmt.Errorf("sfu: a request for the floor of %s had no answer", c.id) // floor's own tests see to it
	})
}

// mayRequestLocked reports why a member cannot have the floor at all.
func (c *Channel) mayRequestLocked(m *Member, on line) error {
	switch {
	case !c.roster.has(m.self):
		return c.roster.notIn()
	case c.air == nil:
		return fmt.Errorf("%w: %s", ErrNoFloor, c.id)
	case !m.self.talker:
		return fmt.Errorf("%w: you joined without a microphone", ErrFloorSilent)
	case m.self.suppressed:
		return fmt.Errorf("%w: you are in the audience", ErrFloorSilent)
	case !m.self.talks():
		return fmt.Errorf("%w: you are muted", ErrFloorSilent)
	case on == overFloor && !c.roster.channel.Floor.Over:
		return fmt.Errorf("%w: nobody speaks over the floor of %s", ErrNoFloor, c.id)
	}
	// Nobody has both lines, or would be heard twice.
	other := c.air.floors[1-on]
	if held, ok := other.Holder(); ok && held.User == m.self.userID {
		return fmt.Errorf("%w: you are heard already", ErrFloorBusy)
	}
	if at, _ := other.Position(m.self.userID); at > 0 {
		return fmt.Errorf("%w: you wait already; give your place back first", ErrFloorBusy)
	}
	return nil
}

func denied(cause floor.Cause) error {
	if cause == floor.CauseQueueFull {
		return ErrFloorQueueFull
	}
	return ErrFloorBusy
}

// ReleaseFloor gives back the floor of a grant, or with 0 whatever the member has, also its place among those who wait. answer is as
// RequestFloor's. It fails with ErrNotInChannel, ErrNoFloor, ErrNotHolder or ErrFloorUnsettled.
func (m *Member) ReleaseFloor(ctx context.Context, grant uint64, answer func()) error {
	release := func(own uint64) floor.Event { return floor.Release{User: m.self.userID, Grant: own} }
	return m.floorEvent(ctx, grant, release, func(effect floor.Effect) bool {
		_, ok := effect.(floor.Released)
		if ok {
			delete(m.channel.air.waits, m.self.userID)
			answer()
		}
		return ok
	})
}

// PingFloor says that the member still talks. answer, as RequestFloor's, is told how long it still may, 0 for as long as it likes. It fails as
// ReleaseFloor does.
func (m *Member) PingFloor(ctx context.Context, grant uint64, answer func(left time.Duration)) error {
	ping := func(own uint64) floor.Event { return floor.Ping{User: m.self.userID, Grant: own} }
	return m.floorEvent(ctx, grant, ping, func(effect floor.Effect) bool {
		pong, ok := effect.(floor.Pong)
		if ok {
			answer(pong.Left)
		}
		return ok
	})
}

// floorEvent has an event of this member's grant, or place, be decided about on the line where it has one, and reports ErrNotHolder where it has none.
func (m *Member) floorEvent(
	ctx context.Context, grant uint64, event func(own uint64) floor.Event, answered func(floor.Effect) bool,
) error {
	c := m.channel
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case !c.roster.has(m.self):
		return c.roster.notIn()
	case c.air == nil:
		return fmt.Errorf("%w: %s", ErrNoFloor, c.id)
	}
	stale := fmt.Errorf("%w of %s", ErrNotHolder, c.id)
	on, own, ok := c.air.lineOf(m.self.userID, grant)
	if !ok && grant != 0 && !c.decidesLocked() && !c.air.office.known {
		return ErrFloorUnsettled // which grants there are is yet to be heard
	}
	if !ok {
		return stale
	}
	return c.decideLocked(ctx, on, event(own), func(effects []floor.Effect) ([]floor.Effect, error) {
		if !slices.ContainsFunc(effects, answered) {
			return effects, stale
		}
		return effects, nil
	})
}

// lineOf returns on which line somebody has this grant, or with 0 a grant or a place, and the grant as it is called there.
func (a *air) lineOf(user string, grant uint64) (on line, own uint64, ok bool) {
	for i, f := range a.floors {
		own, ok = a.grantOf(line(i), grant)
		held, _ := f.Holder()
		at, _ := f.Position(user)
		if ok && (f.Has(user) && (own == 0 || own == held.ID) || own == 0 && at > 0) {
			return line(i), own, true
		}
	}
	return 0, 0, false
}

// Holders returns who has the floor, and who speaks over it.
func (c *Channel) Holders() []FloorGrant {
	c.mu.Lock()
	defer c.mu.Unlock()
	var grants []FloorGrant
	if state := c.floorStateLocked(); state != nil {
		for _, grant := range []*FloorGrant{state.Holder, state.Over} {
			if grant != nil {
				grants = append(grants, *grant)
			}
		}
	}
	return grants
}

// RevokeFloor takes grants back that Holders returned, and returns those that were still held. by is a user id; answer, as RequestFloor's, is
// called if there were any. It fails with ErrFloorUnsettled where it is not known whether there were.
func (c *Channel) RevokeFloor(ctx context.Context, by string, grants []FloorGrant, answer func()) (revoked []FloorGrant, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for on := range lineCount {
		if c.air == nil || c.roster.closed {
			break
		}
		held, ok := c.air.floors[on].Holder()
		at := slices.IndexFunc(grants, func(g FloorGrant) bool { return g.ID == c.air.id(on, held.ID) })
		if !ok || at < 0 {
			continue
		}
		failed := c.decideLocked(ctx, on, floor.Revoke{By: by, Grant: held.ID}, func(effects []floor.Effect) ([]floor.Effect, error) {
			if slices.Contains(effects, floor.Effect(floor.Shut{User: held.User})) {
				if len(revoked) == 0 {
					answer()
				}
				revoked = append(revoked, grants[at])
			}
			return effects, nil
		})
		err = cmp.Or(err, failed)
	}
	return revoked, err
}

// WithFloor calls do with the member's channel, its grant or place there, and the floor, nil where one does not talk at a time, or the
// member is out. Nothing is told meanwhile: like Notifier, do must neither block nor call back.
func (m *Member) WithFloor(do func(c ChannelInfo, mine FloorAnswer, state *FloorState)) {
	m.channel.mu.Lock()
	defer m.channel.mu.Unlock()
	mine, state := m.floorLocked()
	do(m.channel.roster.info(), mine, state)
}

func (m *Member) floorLocked() (mine FloorAnswer, state *FloorState) {
	c := m.channel
	if !c.roster.has(m.self) || c.air == nil {
		return FloorAnswer{}, nil
	}
	state = c.floorStateLocked()
	for on, grant := range []*FloorGrant{onFloor: state.Holder, overFloor: state.Over} {
		if c.air.floors[on].Has(m.self.userID) {
			mine.Grant = grant
		}
	}
	for _, f := range c.air.floors {
		if at, size := f.Position(m.self.userID); at > 0 {
			mine.Place = &FloorPlace{Position: at, Size: size}
		}
	}
	return mine, state
}

// floorStateLocked returns the channel's floor, nil where all talk at once.
func (c *Channel) floorStateLocked() *FloorState {
	if c.air == nil {
		return nil
	}
	state := &FloorState{Waiting: c.air.floors[onFloor].Waiting()}
	if held, ok := c.air.floors[onFloor].Holder(); ok {
		state.Holder = c.grantLocked(onFloor, held)
	}
	if held, ok := c.air.floors[overFloor].Holder(); ok {
		state.Over = c.grantLocked(overFloor, held)
	}
	return state
}

// silenceLocked takes floor and place from somebody who is heard no more.
func (c *Channel) silenceLocked(p *occupant) {
	if c.air == nil {
		return
	}
	now := time.Now()
	asked := c.air.hangUpOn(p.userID, ErrFloorSilent)
	for on, f := range c.air.floors {
		held, _ := f.Holder()
		at, _ := f.Position(p.userID)
		if asked || held.User == p.userID || at > 0 {
			c.applyLocked(now, line(on), floor.Leave{User: p.userID})
		}
	}
	delete(c.air.waits, p.userID)
}

// silenceAudienceLocked takes floor and place from all who are heard no more, but places first: nobody gets the floor who is to lose it.
func (c *Channel) silenceAudienceLocked() {
	if c.air == nil {
		return
	}
	for _, waits := range []bool{true, false} {
		for _, p := range c.roster.order {
			at, _ := c.air.floors[onFloor].Position(p.userID)
			if p.here() && !p.talks() && (at > 0) == waits { // of the others their nodes say it
				c.silenceLocked(p)
			}
		}
	}
}

// stopWaiting takes somebody's place among those who wait for the floor: who would not hear that it is theirs would keep it from the others.
func (c *Channel) stopWaiting(p *occupant) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.air == nil || !c.roster.has(p) {
		return
	}
	if next := c.roster.best(p.userID); next != nil && next.keepsFloor {
		return // and hears of it there
	}
	now := time.Now()
	for on, f := range c.air.floors {
		if at, _ := f.Position(p.userID); at > 0 {
			c.applyLocked(now, line(on), floor.Leave{User: p.userID})
		}
	}
}

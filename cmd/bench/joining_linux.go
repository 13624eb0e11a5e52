package bench

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

const (
	// rampWidth is how many participants join at once before a measurement.
	rampWidth = 4
	// joinPause is between one newcomer's leaving and the next one's coming.
	joinPause = 20 * time.Millisecond
	// loudRamp is how long people join beside those who talk already. Who has not by then does in silence: where the talk takes all
	// of the machine, joining would go on for as long as one lets it.
	loudRamp = 20 * time.Second
	// rampTimeout is how long joining before a measurement may take, and rampEach more for each who joins; joinsTimeout and joinsEach are
	// the same for newcomers one after another. Whoever has not joined by then is missing.
	rampTimeout, rampEach   = time.Minute, 100 * time.Millisecond
	joinsTimeout, joinsEach = time.Minute, 500 * time.Millisecond
	// leaveTimeout is how long leaving may take until nobody waits for it any more.
	leaveTimeout = 20 * time.Second
)

// ramp brings everybody in, except newcomers: first those who talk, who so get the slots
// if those are given to the first, then the others. It goes on without those who do not make it.
func (m *measurement) ramp(ctx context.Context) error {
	var talkers, others []int
	for i, one := range m.plan.members {
		switch {
		case one.newcomer:
		case one.talks:
			talkers = append(talkers, i)
		default:
			others = append(others, i)
		}
	}
	total := len(talkers) + len(others)
	joining, cancel := context.WithTimeout(ctx, rampTimeout+time.Duration(total)*rampEach)
	defer cancel()
	hush := time.AfterFunc(loudRamp, func() {
		m.loud = m.here()
		m.gen.hush.Store(true)
		close(m.hushed)
	})
	for _, group := range [][]int{talkers, others} {
		m.joinAll(joining, group, total)
	}
	if !hush.Stop() {
		<-m.hushed
		m.gen.hush.Store(false)
	}
	return m.anybody(ctx, m.here())
}

// anybody returns why a measurement cannot go on after so many have joined.
func (m *measurement) anybody(ctx context.Context, joined int) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if ctx.Err() == nil && joined == 0 && len(m.failed) > 0 {
		return fmt.Errorf("nobody could join: %w", m.failed[0])
	}
	return ctx.Err()
}

// joinAll brings a group in, some at a time, until ctx is done.
func (m *measurement) joinAll(ctx context.Context, group []int, total int) {
	todo := make(chan int)
	var wg sync.WaitGroup
	for range min(rampWidth, len(group)) {
		wg.Go(func() {
			for i := range todo {
				m.fail(m.join(ctx, i))
			}
		})
	}
	for _, i := range group {
		m.say("joining, %d of %d", m.here(), total)
		select {
		case todo <- i:
		case <-ctx.Done():
			m.fail(errNoTime)
		}
	}
	close(todo)
	wg.Wait()
}

// fail notes why somebody did not join, unless err is nil.
func (m *measurement) fail(err error) {
	if err == nil {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.failed = append(m.failed, err)
}

func (m *measurement) here() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.present)
}

// join brings one in, lets them talk if that is their part, and notes how long it took if
// somebody was talking already.
func (m *measurement) join(ctx context.Context, i int) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	who := &m.plan.members[i]
	hears := m.talking[who.room].Load() && len(who.hears) > 0 && !m.gen.hush.Load()
	one, began, err := m.target.join(ctx, i)
	if err != nil {
		return err
	}
	m.mu.Lock()
	m.present = append(m.present, one)
	m.mu.Unlock()
	one.leg.node = who.node
	one.leg.counted.Store(!who.newcomer)
	if who.talks && !m.plan.silent {
		m.gen.talk(one.leg, one.ssrc, m.plan.fanout[who.room])
		m.talking[who.room].Store(true)
	}
	if !hears {
		return nil
	}
	select {
	case <-one.leg.heard:
	case <-m.quiet(who):
		return nil
	case <-ctx.Done():
		return errSilence
	}
	m.mu.Lock()
	m.joins = append(m.joins, milliseconds(one.leg.firstAt-began))
	m.mu.Unlock()
	return nil
}

// quiet is done when a member cannot hear anybody any more, since all are silent until all have joined.
func (m *measurement) quiet(who *member) <-chan struct{} {
	if who.newcomer {
		return nil // they come when all talk again
	}
	return m.hushed
}

var (
	errSilence = errors.New("nothing is heard although somebody talks")
	errNoTime  = errors.New("the time for joining was over")
)

// leave makes everybody leave, some at a time: closing a connection waits for it, but not for longer than leaveTimeout.
func (m *measurement) leave() {
	m.mu.Lock()
	present := m.present
	m.present = nil
	m.mu.Unlock()
	m.stayed.Store(int64(len(present)))
	todo := make(chan participant, len(present))
	for _, one := range present {
		todo <- one
	}
	close(todo)
	left := make(chan struct{})
	var wg sync.WaitGroup
	for range min(4*rampWidth, len(present)) {
		wg.Go(func() {
			for one := range todo {
				one.leave()
				m.stayed.Add(-1)
			}
		})
	}
	go func() {
		wg.Wait()
		close(left)
	}()
	select {
	case <-left:
	case <-time.After(leaveTimeout):
	}
}

// newcomers are the members who join during the measurement.
func (m *measurement) newcomers() []int {
	var list []int
	for i, one := range m.plan.members {
		if one.newcomer {
			list = append(list, i)
		}
	}
	return list
}

// oneByOne lets the newcomers come and go.
func (m *measurement) oneByOne(ctx context.Context) error {
	m.joins = nil
	list := m.newcomers()
	joining, cancel := context.WithTimeout(ctx, joinsTimeout+time.Duration(len(list))*joinsEach)
	defer cancel()
	before := m.here()
	for n, i := range list {
		m.say("join %d of %d", n+1, len(list))
		if joining.Err() != nil {
			m.fail(errNoTime)
			continue
		}
		m.fail(m.join(joining, i))
		m.mu.Lock()
		here := m.present[before:]
		m.present = m.present[:before]
		m.mu.Unlock()
		for _, one := range here {
			one.leave()
		}
		_ = wait(joining, joinPause)
	}
	return m.anybody(ctx, len(m.joins))
}

// storm lets the newcomers come at once, and goes on for as long as was asked for.
func (m *measurement) storm(ctx context.Context) error {
	m.joins = nil
	list := m.newcomers()
	m.say("%d connect at once", len(list))
	before := m.here()
	var wg sync.WaitGroup
	began := time.Now()
	for _, i := range list {
		wg.Go(func() {
			m.fail(m.join(ctx, i))
		})
	}
	wg.Wait()
	if err := m.anybody(ctx, m.here()-before); err != nil {
		return err
	}
	return wait(ctx, m.opts.Duration-time.Since(began))
}

package wire

import "runtime"

// Job is a fan-out too large for a loop to do at one go. Whoever makes one copies the packet, since the loop's is gone
// by the time the job runs.
type Job interface {
	// Step sends the next packets, at most n, and reports whether any are left. After false the job is not used again.
	Step(b *Batch, n int) bool
	// Drop is called in place of Step when there is no room or the engine closes.
	Drop()
}

// Defer hands a job to a lane, or drops it and reports false when the lane is full. A part always goes to the same lane,
// and within a lane a later job never overtakes an earlier one, so a listener gets a stream's deferred packets in order.
// Jobs are taken in turns, a few packets each: a small one does not wait for a large one to end. To spread the work over
// the cores, start at a number of the stream's own, its SSRC for instance, and count up with each JobShare of its
// listeners.
func (b *Batch) Defer(part uint32, j Job) bool {
	l := b.engine.lanes[uint64(part)%uint64(len(b.engine.lanes))]
	if !b.engine.closing.Load() {
		select {
		case l.jobs <- j:
			return true
		default:
		}
	}
	b.engine.stat.jobsDropped.Add(1)
	j.Drop()
	return false
}

// lane is a goroutine that runs jobs, so that the loops stay at their sockets.
type lane struct {
	jobs  chan Job
	out   *Batch
	turn  []Job
	loops []*loop // those it looks after between two steps
}

func (e *Engine) newLane(i int) *lane {
	return &lane{jobs: make(chan Job, laneQueue), out: e.newBatch(i), turn: make([]Job, 0, laneQueue)}
}

// run works until stop is closed.
func (l *lane) run(stop <-chan struct{}) {
	defer l.dropAll()
	for {
		if len(l.turn) == 0 {
			select {
			case <-stop:
				return
			case j := <-l.jobs:
				l.turn = append(l.turn, j)
			}
		}
		select {
		case <-stop:
			return
		default:
		}
		l.fill()
		left := l.turn[:0]
		for _, j := range l.turn {
			if l.step(j) {
				left = append(left, j)
			}
			if l.out.queued >= sendBatch/2 { // small jobs share a system call
				l.yield()
			}
		}
		l.yield()
		clear(l.turn[len(left):])
		l.turn = left
	}
}

// yield sends what is queued and lets others go first: packets that wait at the sockets, then other goroutines.
func (l *lane) yield() {
	l.out.Flush()
	for _, lp := range l.loops {
		lp.lend()
	}
	runtime.Gosched()
}

// step gives a job its turn.
func (l *lane) step(j Job) (more bool) {
	defer l.out.engine.rescue(nil)
	return j.Step(l.out, laneStep)
}

// fill takes the jobs that wait, as far as there is room.
func (l *lane) fill() {
	for len(l.turn) < cap(l.turn) {
		select {
		case j := <-l.jobs:
			l.turn = append(l.turn, j)
		default:
			return
		}
	}
}

// dropAll drops the jobs in hand and those that wait.
func (l *lane) dropAll() {
	for _, j := range l.turn {
		j.Drop()
	}
	l.turn = nil
	for {
		select {
		case j := <-l.jobs:
			j.Drop()
		default:
			return
		}
	}
}

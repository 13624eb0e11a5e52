package signaling

import (
	"context"
	"crypto/rand"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/mini-livechat/mini-livechat/signaling/cluster"
	"github.com/mini-livechat/mini-livechat/signaling/protocol"
)

// Who looks on at one node sees what is said at all: it asks each of the others for the frames that came, again and again. Who somebody is with
// need not be known for that, nor followed when they go to another node.

const (
	// traceLease is how long a node keeps frames for another one that asks no more.
	traceLease = 3 * time.Second
	// traceBatch is how much of them is said at once, in bytes, and traceFrame what a frame takes beside its payload: a message between nodes is a megabyte.
	traceBatch = 256 << 10
	traceFrame = 256
)

// look is that somebody looks on at another node: by which id, at what, and how long the answer may wait for the first frame.
type look struct {
	ID     string        `json:"id"`
	Filter TraceFilter   `json:"filter"`
	Wait   time.Duration `json:"wait,omitempty"`
}

// looked is the answer: what came since the last one, and how many frames were lost.
type looked struct {
	Lines []protocol.AdminTraceLine `json:"lines,omitempty"`
	Lost  uint64                    `json:"lost,omitempty"`
}

// looks are those who look on from other nodes. The zero value is ready. Safe for concurrent use.
type looks struct {
	mu   sync.Mutex // guards the field below, and what is in it but for the trace
	open map[string]*leased
}

// leased is a trace that ends when nobody has asked for a while.
type leased struct {
	*trace

	asking  int
	expires *time.Timer
}

// ask returns the trace of a look, which begins with the first, and what is to be called when it is answered.
func (l *looks) ask(g *Gateway, q *look) (t *trace, answered func(), err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	one := l.open[q.ID]
	if one == nil {
		one = &leased{trace: &trace{filter: q.Filter, frames: make(chan traced, traceLines)}}
		if !g.traces.add(one.trace) {
			return nil, nil, ErrTooManyTraces
		}
		if l.open == nil {
			l.open = make(map[string]*leased)
		}
		l.open[q.ID] = one
		one.expires = time.AfterFunc(traceLease, func() { l.expire(g, q.ID, one) })
	}
	one.asking++
	return one.trace, func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		one.asking--
		one.expires.Reset(traceLease)
	}, nil
}

func (l *looks) expire(g *Gateway, id string, one *leased) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if one.asking == 0 && l.open[id] == one {
		delete(l.open, id)
		g.traces.remove(one.trace)
	}
}

// lookHere answers another node.
func (g *Gateway) lookHere(ctx context.Context, q *look) (looked, error) {
	t, answered, err := g.looks.ask(g, q)
	if err != nil {
		return looked{}, err
	}
	defer answered()
	wait := time.NewTimer(min(q.Wait, traceTick))
	defer wait.Stop()
	var all looked
	for size := 0; size < traceBatch; {
		var frame traced
		select {
		case frame = <-t.frames:
		default:
			if len(all.Lines) > 0 {
				return all.with(t), nil
			}
			select {
			case frame = <-t.frames:
			case <-wait.C:
				return all.with(t), nil
			case <-ctx.Done():
				return all.with(t), nil
			}
		}
		size += len(frame.frame) + traceFrame
		all.Lines = append(all.Lines, g.lineOf(&frame))
	}
	return all.with(t), nil
}

func (l looked) with(t *trace) looked {
	l.Lost = t.lost.Swap(0)
	return l
}

// farsight looks on at all other nodes. A nil one is of a server that is alone.
type farsight struct {
	others  *others
	id      string
	filter  TraceFilter
	lines   chan protocol.AdminTraceLine
	lost    atomic.Uint64
	running sync.WaitGroup

	mu sync.Mutex              // guards the field below
	at map[cluster.NodeID]bool // at which, and whether it answers
}

// lookOn begins to look on, until ctx is done. All nodes that answer in time keep what comes from now on.
func (o *others) lookOn(ctx context.Context, filter TraceFilter) *farsight {
	if o == nil {
		return nil
	}
	f := &farsight{others: o, id: rand.Text(), filter: filter, lines: make(chan protocol.AdminTraceLine), at: make(map[cluster.NodeID]bool)}
	f.follow(ctx).Wait()
	return f
}

// follow looks on at nodes that have come, too. What it returns waits for their first answer.
func (f *farsight) follow(ctx context.Context) *sync.WaitGroup {
	first := new(sync.WaitGroup)
	if f == nil {
		return first
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, n := range f.others.nodes.Nodes()[1:] {
		if _, known := f.at[n.ID]; known {
			continue
		}
		f.at[n.ID] = true
		begun := make(chan struct{})
		first.Go(func() { <-begun })
		f.running.Go(func() {
			answers := f.ask(ctx, n.ID, 0, lookPatience)
			close(begun)
			for ctx.Err() == nil && f.others.lives(n.ID) {
				if !answers {
					f.rest(ctx)
				}
				answers = f.ask(ctx, n.ID, traceTick, inquiryPatience)
			}
			f.mu.Lock()
			defer f.mu.Unlock()
			delete(f.at, n.ID)
		})
	}
	return first
}

// ask has a node's frames be among the lines, and reports whether it answered.
func (f *farsight) ask(ctx context.Context, node cluster.NodeID, wait, patience time.Duration) bool {
	var got looked
	q := look{ID: f.id, Filter: f.filter, Wait: wait}
	asking, cancel := context.WithTimeout(ctx, patience)
	err := f.others.inquire(asking, node, question{About: aboutTrace, Look: &q}, &got)
	cancel()
	f.mu.Lock()
	f.at[node] = err == nil
	f.mu.Unlock()
	f.lost.Add(got.Lost)
	for _, line := range got.Lines {
		select {
		case f.lines <- line:
		case <-ctx.Done():
			return false
		}
	}
	return err == nil
}

// rest leaves a node alone for a moment.
func (f *farsight) rest(ctx context.Context) {
	wait := time.NewTimer(traceTick)
	defer wait.Stop()
	select {
	case <-wait.C:
	case <-ctx.Done():
	}
}

// silent are the nodes that do not answer, by name.
func (f *farsight) silent() (names []string) {
	if f == nil {
		return nil
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	for node, answers := range f.at {
		if !answers {
			names = append(names, node.Name)
		}
	}
	slices.Sort(names)
	return names
}

// frames are those of the other nodes; lostThere is how many were lost since the last call.
func (f *farsight) frames() <-chan protocol.AdminTraceLine {
	if f == nil {
		return nil
	}
	return f.lines
}

func (f *farsight) lostThere() uint64 {
	if f == nil {
		return 0
	}
	return f.lost.Swap(0)
}

// wait returns when nobody is asked any more, after ctx is done.
func (f *farsight) wait() {
	if f != nil {
		f.running.Wait()
	}
}

package client

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/mini-livechat/mini-livechat/signaling/protocol"
)

// maxPing is the longest between two pings of who has the floor.
const maxPing = 2 * time.Second

// Floor is who may talk in a call whose channel is of protocol.ModePTT, where one does at a time: what others send is heard by nobody.
// Acquire gets it, and State tells who has it. What happens to it comes as events, too: a *protocol.FloorTaken, say. Its methods may be
// called from any goroutine.
type Floor struct {
	call *Call

	// asking is held while requests are made or taken back, so that what takes one back never takes back a later one. It is
	// taken before mu, and by nobody who reads.
	asking sync.Mutex

	mu      sync.Mutex
	state   FloorState     // guarded by mu
	waiting []*floorWaiter // all for the same place; guarded by mu
	grant   *Grant         // guarded by mu
	member  chan struct{}  // closed when a membership begins, and then another; guarded by mu
	over    bool           // the call has ended; guarded by mu
	pinging sync.WaitGroup // added to under mu, before over is set
}

// FloorState is what a member knows of the floor. The holders must not be changed.
type FloorState struct {
	// Turns says whether one talks at a time. Where it is false there is no floor.
	Turns bool
	// Holder has the floor, Over speaks beside them; nil: nobody does.
	Holder, Over *protocol.FloorHolder
	// Position, from 1, is at which place of Size this client waits; 0 when it does not.
	Position, Size int
}

// FloorRequest is what Acquire asks for. The zero value waits for the floor behind who came before.
type FloorRequest struct {
	// Priority is 0 to protocol.MaxPriority. More than one may have is taken for the most that one may.
	Priority int
	// NoQueue does not wait while somebody else has the floor.
	NoQueue bool
	// Over asks to speak beside who has the floor, as moderators may where the channel's settings say so.
	Over bool
}

// floorWaiter is an Acquire under way.
type floorWaiter struct {
	over     bool
	answered bool              // the server has: what it tells from then on is this one's; guarded by Floor.mu
	outcome  chan floorOutcome // holds one
}

// floorOutcome is what became of it. again says that it went with the membership, and may be asked for in the next.
type floorOutcome struct {
	grant *Grant
	err   error
	again bool
}

// FloorError says why the floor is not to be had, or not any more.
type FloorError struct {
	Cause protocol.FloorCause
	// ByID and ByName are of the moderator who took it.
	ByID, ByName string
}

// Error returns the cause.
func (e *FloorError) Error() string {
	if e.ByName != "" {
		return fmt.Sprintf("no floor: %s (%s)", e.Cause, e.ByName)
	}
	return "no floor: " + string(e.Cause)
}

func newFloor(c *Call) *Floor { return &Floor{call: c, member: make(chan struct{})} }

// Floor returns the floor of the channel that the call is in.
func (c *Call) Floor() *Floor { return c.floor }

// State returns who has the floor now, as far as the server has told.
func (f *Floor) State() FloorState {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.state
}

// Acquire asks for the floor and waits until it is the client's: then what WriteOpus sends is heard. Asked for once more while one has it,
// with a higher priority perhaps, it is the same Grant. A membership that is lost and had again meanwhile only takes longer. When
// ctx ends first, the place among those who wait is given back.
//
// The error is the context's, the call's when it has ended, a *protocol.Error of who may not have it (CodeFloorDenied, CodeFloorQueueFull,
// CodeAccessDenied, CodeUnsettled), a *FloorError for one who waited in vain, ErrRemoved when a moderator has moved the client meanwhile, or
// ErrFloorAsked.
func (f *Floor) Acquire(ctx context.Context, req FloorRequest) (*Grant, error) {
	for {
		member := f.nextMembership()
		got := f.acquire(ctx, req)
		if !got.again {
			return got.grant, got.err
		}
		select {
		case <-member:
		case <-f.call.over:
			return nil, f.call.Err()
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

func (f *Floor) nextMembership() <-chan struct{} {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.member
}

// acquire asks once, and waits for what becomes of it.
func (f *Floor) acquire(ctx context.Context, req FloorRequest) floorOutcome {
	if err := ctx.Err(); err != nil {
		return floorOutcome{err: err}
	}
	w, p, err := f.ask(req)
	if err != nil {
		return floorOutcome{err: err}
	}
	for {
		select {
		case err := <-p.done:
			if err == nil {
				continue // what follows is told
			}
			f.forget(w)
			refused, _ := errors.AsType[*protocol.Error](err)
			again := errors.Is(err, ErrSessionLost) || refused != nil && refused.Code == protocol.CodeNotInChannel
			return floorOutcome{err: err, again: again}
		case got := <-w.outcome:
			return got
		case <-ctx.Done():
			if f.takeBack(w) {
				return floorOutcome{err: ctx.Err()}
			}
			return <-w.outcome // it came at the same moment
		}
	}
}

// ask sends a request.
func (f *Floor) ask(req FloorRequest) (*floorWaiter, *pending, error) {
	f.asking.Lock()
	defer f.asking.Unlock()
	w := &floorWaiter{over: req.Over, outcome: make(chan floorOutcome, 1)}
	if err := f.enlist(w); err != nil {
		return nil, nil, err
	}
	d := protocol.FloorRequest{Priority: req.Priority, Over: req.Over}
	if req.NoQueue {
		d.Queue = new(false)
	}
	_, p, err := f.call.client.post(protocol.OpFloorRequest, d, func(reply protocol.Frame) error {
		var got protocol.FloorRequested
		err := bindReply(reply, &got)
		f.mu.Lock()
		defer f.mu.Unlock()
		w.answered = true
		if got.State == protocol.FloorRequestQueued {
			f.state.Position, f.state.Size = got.Position, got.Size
		}
		return err
	})
	if err != nil {
		f.forget(w)
	}
	return w, p, err
}

func (f *Floor) enlist(w *floorWaiter) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.over {
		return f.call.Err()
	}
	if len(f.waiting) > 0 && f.waiting[0].over != w.over || f.grant != nil && f.grant.over != w.over {
		return ErrFloorAsked
	}
	f.waiting = append(f.waiting, w)
	return nil
}

// takeBack gives up waiting; false means that there is an outcome. Requests are carried out in their order, so a release undoes what was
// asked for just before and is not answered yet.
func (f *Floor) takeBack(w *floorWaiter) bool {
	f.asking.Lock()
	defer f.asking.Unlock()
	if !f.forget(w) {
		return false
	}
	f.mu.Lock()
	last := len(f.waiting) == 0 && f.grant == nil
	f.mu.Unlock()
	if last {
		f.call.client.tellRelease(0)
	}
	return true
}

func (f *Floor) forget(w *floorWaiter) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	i := slices.Index(f.waiting, w)
	if i >= 0 {
		f.waiting = slices.Delete(f.waiting, i, i+1)
	}
	return i >= 0
}

// tellRelease gives back a grant, or whatever there is with 0, without waiting for the answer.
func (c *Client) tellRelease(grant uint64) {
	_, _, _ = c.post(protocol.OpFloorRelease, protocol.FloorRef{GrantID: grant}, nil)
}

// settleLocked has everybody who waits, and of whom the server knows, get the outcome. Caller holds mu.
func (f *Floor) settleLocked(over bool, got floorOutcome) {
	f.waiting = slices.DeleteFunc(f.waiting, func(w *floorWaiter) bool {
		settled := w.answered && w.over == over
		if settled {
			w.outcome <- got
		}
		return settled
	})
}

// apply brings the floor up to date with an event. Only the reading goroutine calls it.
func (f *Floor) apply(payload any) {
	f.mu.Lock()
	defer f.mu.Unlock()
	in := f.call.ChannelID()
	switch ev := payload.(type) {
	case *protocol.FloorGranted:
		if ev.ChannelID == in {
			f.grantedLocked(ev)
		}
	case *protocol.FloorTaken:
		if ev.ChannelID == in {
			f.holdLocked(ev.Over, &ev.FloorHolder)
		}
	case *protocol.FloorIdle:
		if ev.ChannelID == in {
			f.holdLocked(ev.Over, nil)
		}
	case *protocol.FloorRevoke:
		if f.grant != nil && f.grant.id == ev.GrantID && ev.GraceMS == 0 {
			f.grant.endLocked(&FloorError{Cause: ev.Cause, ByID: ev.ByID, ByName: ev.ByName})
		}
	case *protocol.FloorDeny:
		if ev.ChannelID == in {
			f.state.Position, f.state.Size = 0, 0
			f.settleLocked(ev.Over, floorOutcome{err: &FloorError{Cause: ev.Cause}})
		}
	case *protocol.FloorQueuePosInfo:
		if ev.ChannelID == in {
			f.state.Position, f.state.Size = ev.Position, ev.Size
		}
	case *protocol.ChannelEvent:
		if ev.ChannelID == in && ev.Event == protocol.ChannelEventUpdate && ev.Channel != nil {
			if f.state.Turns = ev.Channel.Mode == protocol.ModePTT; !f.state.Turns {
				f.state = FloorState{}
			}
		}
	}
}

func (f *Floor) holdLocked(over bool, holder *protocol.FloorHolder) {
	if over {
		f.state.Over = holder
	} else {
		f.state.Holder = holder
	}
}

// grantedLocked takes that the floor is the client's. Where no Acquire waits, it was asked for by Client.Request, whose business it is.
func (f *Floor) grantedLocked(ev *protocol.FloorGranted) {
	ready := f.call.client.Ready()
	f.holdLocked(ev.Over, &protocol.FloorHolder{UserID: ready.UserID, Name: ready.Name, Priority: ev.Priority, Since: ev.Since})
	f.state.Position, f.state.Size = 0, 0
	if f.grant == nil || f.grant.id != ev.GrantID {
		wanted := func(w *floorWaiter) bool { return w.answered && w.over == ev.Over }
		if f.over || !slices.ContainsFunc(f.waiting, wanted) {
			return
		}
		f.grant = newGrant(f, ev)
	}
	f.grant.priority = ev.Priority
	f.settleLocked(ev.Over, floorOutcome{grant: f.grant})
}

// begin takes what the server says of the floor to one who has become a member, or is one still after RESUME.
func (f *Floor) begin(told *protocol.Floor) {
	f.mu.Lock()
	defer f.mu.Unlock()
	told = f.beginLocked(told)
	if f.grant != nil && (told.Grant == nil || told.Grant.GrantID != f.grant.id) {
		f.grant.endLocked(fmt.Errorf("%w: a grant ended without a word", ErrProtocol))
	}
}

func (f *Floor) beginLocked(told *protocol.Floor) *protocol.Floor {
	f.state = FloorState{Turns: told != nil}
	close(f.member)
	f.member = make(chan struct{})
	if told == nil {
		told = &protocol.Floor{}
	}
	f.state.Holder, f.state.Over, f.state.Position, f.state.Size = told.Holder, told.Over, told.Position, told.Size
	return told
}

// floorKept is what is had of the floor, and waited for, when another node is asked to let it be kept.
type floorKept struct {
	grant   *Grant
	waiting []*floorWaiter
}

func (f *Floor) keep() *floorKept {
	f.mu.Lock()
	defer f.mu.Unlock()
	kept := &floorKept{grant: f.grant}
	for _, w := range f.waiting {
		if w.answered {
			kept.waiting = append(kept.waiting, w)
		}
	}
	return kept
}

// goOn takes what another node says of the floor to one who has become a member there. What was told since by the one before, that one tells too.
func (f *Floor) goOn(told *protocol.Floor, kept *floorKept) {
	f.mu.Lock()
	defer f.mu.Unlock()
	told = f.beginLocked(told)
	switch lost := told.Grant == nil && told.Position == 0; {
	case told.Grant != nil:
		f.grantedLocked(told.Grant)
	case lost && f.grant != nil && f.grant == kept.grant && !f.over: // or it has not heard of it yet
		grant := f.grant
		f.pinging.Go(func() { grant.pingOnce() })
	case lost:
		for _, w := range kept.waiting {
			if i := slices.Index(f.waiting, w); i >= 0 {
				f.waiting = slices.Delete(f.waiting, i, i+1)
				w.outcome <- floorOutcome{err: ErrSessionLost, again: true}
			}
		}
	}
}

// lose takes that the membership is gone, and with it the grant. With again there will be another one.
func (f *Floor) lose(err error, again bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.state = FloorState{Turns: f.state.Turns}
	if f.grant != nil {
		f.grant.endLocked(err)
	}
	for _, over := range []bool{false, true} {
		f.settleLocked(over, floorOutcome{err: err, again: again})
	}
}

// end is lose for good.
func (f *Floor) end(err error) {
	f.mu.Lock()
	f.over = true
	for _, w := range f.waiting {
		w.answered = true // as much as it will ever be
	}
	f.mu.Unlock()
	f.lose(err, false)
}

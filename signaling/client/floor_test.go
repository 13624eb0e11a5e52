package client

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mini-livechat/mini-livechat/signaling/protocol"
)

// fakeRadio is a fakeRoom where one talks at a time. What members ask of the floor comes in asked, and is answered by the test.
type fakeRadio struct {
	*fakeRoom

	conn  *fakeConn
	call  *Call
	asked chan protocol.Frame
}

func newFakeRadio(t *testing.T) *fakeRadio {
	t.Helper()
	r := &fakeRadio{fakeRoom: newFakeRoom(t), asked: make(chan protocol.Frame, 100)}
	r.floor = &protocol.Floor{}
	var member atomic.Pointer[fakeConn]
	r.onJoin = member.Store
	r.onFloor = func(c *fakeConn, f protocol.Frame) {
		if member.Load() != c {
			c.refuse(f, protocol.CodeNotInChannel)
			return
		}
		r.asked <- f
	}
	c := r.dial(Options{Token: "ada", Engine: testEngine(t)})
	call, err := c.Join(testContext(t), "room", JoinOptions{Slots: 1, NoWait: true})
	require.NoError(t, err)
	r.call, r.conn = call, <-r.conns
	<-r.peers
	return r
}

// next is the next thing that is asked, and how the answer to it is told.
func (r *fakeRadio) next(op protocol.Op, d any) protocol.Frame {
	r.t.Helper()
	select {
	case f := <-r.asked:
		require.Equal(r.t, op, f.Op)
		require.NoError(r.t, f.Bind(d))
		return f
	case <-time.After(testTimeout):
		require.Fail(r.t, "nothing is asked", op)
		return protocol.Frame{}
	}
}

func (r *fakeRadio) queued(f protocol.Frame) {
	r.conn.ack(f, protocol.FloorRequested{State: protocol.FloorRequestQueued, Position: 2, Size: 3})
}

func (r *fakeRadio) granted(f protocol.Frame, d protocol.FloorGranted) {
	d.ChannelID = "room"
	r.conn.ack(f, protocol.FloorRequested{State: protocol.FloorRequestGranted, GrantID: d.GrantID, Priority: d.Priority})
	r.conn.event(protocol.OpFloorGranted, d)
}

// acquired is what an Acquire that goes on beside the test comes to.
type acquired struct {
	grant *Grant
	err   error
}

func (r *fakeRadio) acquire(ctx context.Context, req FloorRequest) <-chan acquired {
	got := make(chan acquired, 1)
	go func() {
		grant, err := r.call.Floor().Acquire(ctx, req)
		got <- acquired{grant, err}
	}()
	return got
}

// hold has the client have the floor.
func (r *fakeRadio) hold(d protocol.FloorGranted) *Grant {
	r.t.Helper()
	got := r.acquire(testContext(r.t), FloorRequest{})
	r.granted(r.next(protocol.OpFloorRequest, &protocol.FloorRequest{}), d)
	one := <-got
	require.NoError(r.t, one.err)
	return one.grant
}

func TestFloorIsWaitedFor(t *testing.T) {
	t.Parallel()
	r := newFakeRadio(t)
	got := r.acquire(testContext(t), FloorRequest{Priority: 7})
	var asked protocol.FloorRequest
	f := r.next(protocol.OpFloorRequest, &asked)
	require.Equal(t, protocol.FloorRequest{Priority: 7}, asked)
	r.queued(f)
	r.conn.event(protocol.OpFloorTaken, protocol.FloorTaken{ChannelID: "room", FloorHolder: protocol.FloorHolder{UserID: "bo"}})
	bo := &protocol.FloorHolder{UserID: "bo"}
	waitFor(t, "it is known that one waits", func() bool {
		s := r.call.Floor().State()
		return s.Holder != nil && s.Position == 2
	})
	require.Equal(t, FloorState{Turns: true, Holder: bo, Position: 2, Size: 3}, r.call.Floor().State())
	r.conn.event(protocol.OpFloorQueue, protocol.FloorQueuePosInfo{ChannelID: "room", Position: 1, Size: 1})
	waitFor(t, "the place is told", func() bool { return r.call.Floor().State().Position == 1 })

	left := int64(30_000)
	r.conn.event(protocol.OpFloorGranted, protocol.FloorGranted{ChannelID: "room", GrantID: 5, Priority: 3, Since: 9, LeftMS: &left})
	one := <-got
	require.NoError(t, one.err)
	require.EqualValues(t, 5, one.grant.ID())
	require.Equal(t, 3, one.grant.Priority())
	require.False(t, one.grant.Over())
	require.WithinDuration(t, time.Now().Add(30*time.Second), one.grant.Until(), testTimeout)
	require.NoError(t, one.grant.Err())
	require.Equal(t, FloorState{
		Turns: true, Holder: &protocol.FloorHolder{UserID: "ada", Name: "ada", Priority: 3, Since: 9},
	}, r.call.Floor().State())

	released := make(chan error, 1)
	go func() { released <- one.grant.Release(testContext(t)) }()
	var ref protocol.FloorRef
	f = r.next(protocol.OpFloorRelease, &ref)
	require.EqualValues(t, 5, ref.GrantID)
	r.conn.ack(f, ref)
	require.NoError(t, <-released)
	<-one.grant.Done()
	require.ErrorIs(t, one.grant.Err(), ErrFloorReleased)
	require.NoError(t, one.grant.Release(testContext(t)), "nothing is asked any more")
	r.conn.event(protocol.OpFloorIdle, protocol.FloorIdle{ChannelID: "room"})
	waitFor(t, "nobody has it", func() bool { return r.call.Floor().State().Holder == nil })
}

func TestFloorIsRefused(t *testing.T) {
	t.Parallel()
	r := newFakeRadio(t)
	got := r.acquire(testContext(t), FloorRequest{NoQueue: true})
	var asked protocol.FloorRequest
	f := r.next(protocol.OpFloorRequest, &asked)
	require.False(t, *asked.Queue)
	r.conn.refuse(f, protocol.CodeFloorDenied)
	var refused *protocol.Error
	require.ErrorAs(t, (<-got).err, &refused)
	require.Equal(t, protocol.CodeFloorDenied, refused.Code)

	got = r.acquire(testContext(t), FloorRequest{})
	r.queued(r.next(protocol.OpFloorRequest, &asked))
	r.conn.event(protocol.OpFloorDeny, protocol.FloorDeny{ChannelID: "room", Cause: protocol.FloorQueueFull})
	var lost *FloorError
	require.ErrorAs(t, (<-got).err, &lost)
	require.Equal(t, protocol.FloorQueueFull, lost.Cause)
	require.Zero(t, r.call.Floor().State().Position)

	ended, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := r.call.Floor().Acquire(ended, FloorRequest{})
	require.ErrorIs(t, err, context.Canceled)
	require.NoError(t, r.call.Leave(testContext(t)))
	_, err = r.call.Floor().Acquire(testContext(t), FloorRequest{})
	require.ErrorIs(t, err, ErrLeft)
	require.Empty(t, r.asked)
}

// The floor is taken back: not by the warning, nor by what is said of another grant.
func TestFloorIsTakenBack(t *testing.T) {
	t.Parallel()
	r := newFakeRadio(t)
	grant := r.hold(protocol.FloorGranted{GrantID: 5})
	r.conn.event(protocol.OpFloorRevoke, protocol.FloorRevoke{ChannelID: "room", GrantID: 5, Cause: protocol.FloorTooLong, GraceMS: 5000})
	r.conn.event(protocol.OpFloorRevoke, protocol.FloorRevoke{ChannelID: "room", GrantID: 4, Cause: protocol.FloorTooLong})
	r.conn.event(protocol.OpFloorRevoke, protocol.FloorRevoke{
		ChannelID: "room", GrantID: 5, Cause: protocol.FloorModerator, ByID: "mo", ByName: "Mo",
	})
	<-grant.Done()
	require.EqualError(t, grant.Err(), "no floor: moderator (Mo)")
	var lost *FloorError
	require.ErrorAs(t, grant.Err(), &lost)
	require.Equal(t, FloorError{Cause: protocol.FloorModerator, ByID: "mo", ByName: "Mo"}, *lost)

	grant = r.hold(protocol.FloorGranted{GrantID: 6})
	joined := protocol.Joined{ChannelID: "other", Floor: &protocol.Floor{Holder: &protocol.FloorHolder{UserID: "bo"}}}
	r.conn.event(protocol.OpModerationEvent, protocol.ModerationEvent{UserID: "ada", Joined: &joined})
	<-grant.Done()
	require.ErrorIs(t, grant.Err(), ErrRemoved)
	waitFor(t, "the other channel's floor is known", func() bool { return r.call.Floor().State().Holder != nil })
	r.conn.event(protocol.OpChannelEvent, protocol.ChannelEvent{
		Event: protocol.ChannelEventUpdate, ChannelID: "other", Channel: &protocol.ChannelInfo{Mode: protocol.ModeConference},
	})
	waitFor(t, "all talk at once", func() bool { return r.call.Floor().State() == FloorState{} })
	require.Equal(t, protocol.ModeConference, r.call.Joined().Mode)
}

// Whoever gives up gives back what was asked for, however far that has come; but nothing that is another's.
func TestFloorIsNotWaitedForAnyMore(t *testing.T) {
	t.Parallel()
	r := newFakeRadio(t)
	var ref protocol.FloorRef
	t.Run("before the answer", func(t *testing.T) { //nolint:paralleltest // one after the other
		ctx, cancel := context.WithCancel(testContext(t))
		got := r.acquire(ctx, FloorRequest{})
		f := r.next(protocol.OpFloorRequest, &protocol.FloorRequest{})
		cancel()
		require.ErrorIs(t, (<-got).err, context.Canceled)
		r.granted(f, protocol.FloorGranted{GrantID: 1})
		r.conn.ack(r.next(protocol.OpFloorRelease, &ref), ref)
		require.Zero(t, ref.GrantID)
		r.conn.event(protocol.OpFloorIdle, protocol.FloorIdle{ChannelID: "room"})
	})
	t.Run("in the queue", func(t *testing.T) { //nolint:paralleltest // one after the other
		ctx, cancel := context.WithCancel(testContext(t))
		got, patient := r.acquire(ctx, FloorRequest{}), (<-chan acquired)(nil)
		r.queued(r.next(protocol.OpFloorRequest, &protocol.FloorRequest{}))
		patient = r.acquire(testContext(t), FloorRequest{Priority: 1})
		r.queued(r.next(protocol.OpFloorRequest, &protocol.FloorRequest{}))
		cancel()
		require.ErrorIs(t, (<-got).err, context.Canceled)
		_, err := r.call.Floor().Acquire(testContext(t), FloorRequest{Over: true})
		require.ErrorIs(t, err, ErrFloorAsked)
		r.conn.event(protocol.OpFloorGranted, protocol.FloorGranted{ChannelID: "room", GrantID: 2, Priority: 1})
		one := <-patient
		require.NoError(t, one.err)

		// Asked for once more, it is the same one; who gives that up keeps it.
		again := r.acquire(testContext(t), FloorRequest{Priority: 9})
		r.granted(r.next(protocol.OpFloorRequest, &protocol.FloorRequest{}), protocol.FloorGranted{GrantID: 2, Priority: 9})
		require.Same(t, one.grant, (<-again).grant)
		require.Equal(t, 9, one.grant.Priority())
		ctx, cancel = context.WithCancel(testContext(t))
		again = r.acquire(ctx, FloorRequest{Priority: 10})
		r.next(protocol.OpFloorRequest, &protocol.FloorRequest{})
		cancel()
		require.ErrorIs(t, (<-again).err, context.Canceled)
		require.NoError(t, one.grant.Err())
		ended, end := context.WithCancel(t.Context())
		end()
		require.ErrorIs(t, one.grant.Release(ended), context.Canceled)
		require.ErrorIs(t, one.grant.Err(), ErrFloorReleased)
		r.next(protocol.OpFloorRelease, &ref)
		require.EqualValues(t, 2, ref.GrantID, "told all the same")
	})
	require.Empty(t, r.asked)
}

// Who has the floor says so, three times in the time without that it is kept for, until it is over. What Client.Request has asked for is its
// own business.
func TestFloorIsPinged(t *testing.T) {
	t.Parallel()
	r := newFakeRadio(t)
	r.conn.event(protocol.OpFloorGranted, protocol.FloorGranted{ChannelID: "room", GrantID: 4, PingTimeoutMS: 3})
	grant := r.hold(protocol.FloorGranted{GrantID: 5, PingTimeoutMS: 30})
	for range 3 {
		var ref protocol.FloorRef
		f := r.next(protocol.OpFloorPing, &ref)
		require.EqualValues(t, 5, ref.GrantID)
		require.Empty(t, r.asked, "one at a time")
		r.conn.reply(protocol.OpFloorPong, f.ID, protocol.FloorPong{GrantID: 5})
	}
	r.next(protocol.OpFloorPing, &protocol.FloorRef{}) // and is not answered
	r.conn.event(protocol.OpFloorRevoke, protocol.FloorRevoke{ChannelID: "room", GrantID: 5, Cause: protocol.FloorPreempted})
	<-grant.Done()
	require.NoError(t, r.call.Leave(testContext(t)), "which waits for who pings")
	require.Empty(t, r.asked)
}

// A session that is lost takes the grant along. Who waited asks again as soon as there is a membership.
func TestFloorGoesWithTheSession(t *testing.T) {
	t.Parallel()
	r := newFakeRadio(t)
	grant := r.hold(protocol.FloorGranted{GrantID: 5})
	_ = r.conn.NetConn().Close()
	<-grant.Done()
	require.ErrorIs(t, grant.Err(), ErrSessionLost)
	r.conn = <-r.conns
	got := r.acquire(testContext(t), FloorRequest{})
	r.queued(r.next(protocol.OpFloorRequest, &protocol.FloorRequest{}))
	waitFor(t, "one waits", func() bool { return r.call.Floor().State().Position > 0 })
	_ = r.conn.NetConn().Close()
	r.conn = <-r.conns
	r.granted(r.next(protocol.OpFloorRequest, &protocol.FloorRequest{}), protocol.FloorGranted{GrantID: 6})
	one := <-got
	require.NoError(t, one.err)
	require.EqualValues(t, 6, one.grant.ID())
	require.NoError(t, r.call.client.Close())
	require.ErrorIs(t, one.grant.Err(), ErrClosed)
}

// Whatever is asked for, taken back and lost at the same time, all of it ends.
func TestFloorEndsForEverybody(t *testing.T) {
	t.Parallel()
	r := newFakeRadio(t)
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			_, err := r.call.Floor().Acquire(testContext(t), FloorRequest{})
			require.ErrorIs(t, err, ErrLeft) //nolint:testifylint // nothing follows
		})
	}
	for range 10 {
		r.queued(r.next(protocol.OpFloorRequest, &protocol.FloorRequest{}))
	}
	require.NoError(t, r.call.Leave(testContext(t)))
	wg.Wait()
}

package sfu

import (
	"errors"
	"fmt"
	"testing"
	"time"
	"unsafe"

	"github.com/stretchr/testify/require"

	"github.com/mini-livechat/mini-livechat/sfu/peer"
)

// owned creates a channel of an owner, who may have three, at a time.
func owned(hub *ChannelHub, id, owner string, now time.Time) error {
	_, err := hub.Create(ChannelSpec{ID: id, OwnerID: owner, OwnerMost: 3}, now, free)
	return err
}

func TestOneOwnerHasOnlySoManyChannels(t *testing.T) {
	hub, _, _ := newHub(t, 10) // 4 channels
	now := time.Now()
	for i := range 3 {
		require.NoError(t, owned(hub, fmt.Sprint(i), "ada", now))
	}
	require.ErrorIs(t, owned(hub, "3", "ada", now), ErrOwnsTooMany)
	require.NoError(t, owned(hub, "3", "bob", now), "another's are not counted")
	require.ErrorIs(t, owned(hub, "4", "bob", now), ErrTooManyChannels)

	c, err := hub.Get("1")
	require.NoError(t, err)
	require.True(t, hub.Delete(c, ""))
	require.NoError(t, owned(hub, "1", "ada", now))
}

func TestAdminsAndPresetsAreUnbounded(t *testing.T) {
	hub, _, _ := newHub(t, 10)
	hub.limits.Channels = 100
	for i := range 20 {
		_, err := hub.Create(ChannelSpec{ID: fmt.Sprint("admin", i), OwnerID: "root"}, time.Now(), free)
		require.NoError(t, err)
		require.NoError(t, owned(hub, fmt.Sprint("preset", i), "", time.Now()))
	}
}

// On a full server, who wants a channel gets that of one who left long ago.
func TestAbandonedChannelGivesWay(t *testing.T) {
	hub, _, notifier := newHub(t, 10)
	now := time.Now()
	require.NoError(t, owned(hub, "preset", "", now.Add(-time.Hour)))
	require.NoError(t, owned(hub, "used", "ada", now.Add(-time.Hour)))
	require.NoError(t, owned(hub, "old", "ada", now.Add(-2*abandoned)))
	require.NoError(t, owned(hub, "new", "bob", now.Add(-abandoned)))
	used, err := hub.Get("used")
	require.NoError(t, err)
	join(t, used, "ada", newConn(t, 1, 1))
	notifier.take()

	require.NoError(t, owned(hub, "first", "cyd", now))
	calls := notifier.take()
	require.Len(t, calls, 2)
	require.Equal(t, ChannelDeleted{ChannelID: "old", OwnerID: "ada"}, calls[0].event, "the oldest goes, and everybody is told")
	require.IsType(t, ChannelCreated{}, calls[1].event)
	require.NoError(t, owned(hub, "second", "cyd", now.Add(time.Second)))
	require.Equal(t, []ChannelDeleted{{ChannelID: "new", OwnerID: "bob"}}, events[ChannelDeleted](notifier.take()))
	require.ErrorIs(t, owned(hub, "third", "dan", now), ErrTooManyChannels, "those left are used, new, or presets")
	require.NoError(t, owned(hub, "third", "ada", now.Add(abandoned)), "what went was not counted any more")
	_, err = hub.Get("first")
	require.ErrorIs(t, err, ErrChannelNotFound)
}

// Who is another guest every time leaves nothing behind in the hub.
func TestOwnersAreForgotten(t *testing.T) {
	hub, _, _ := newHub(t, 10)
	now := time.Now()
	for i := range 100 {
		owner := fmt.Sprint("guest", i)
		require.NoError(t, owned(hub, owner, owner, now))
		c, err := hub.Get(owner)
		require.NoError(t, err)
		require.True(t, hub.Delete(c, ""))
	}
	require.Empty(t, hub.owners)
}

// Whether somebody may is asked last, and only of what would make a difference.
func TestWhatMakesNoDifferenceIsNotAskedFor(t *testing.T) {
	hub, _, notifier := newHub(t, 10)
	now, asked := time.Now(), 0
	no := errors.New("not now")
	refuse := func() error { asked++; return no }
	for i := range 4 {
		require.NoError(t, owned(hub, fmt.Sprint("den", i), fmt.Sprint("owner", i), now.Add(-2*abandoned)))
	}
	_, err := hub.Create(ChannelSpec{ID: "den0", OwnerID: "ada"}, now, refuse)
	require.ErrorIs(t, err, ErrChannelExists)
	_, err = hub.Create(ChannelSpec{ID: "x", OwnerID: "owner1", OwnerMost: 1}, now, refuse)
	require.ErrorIs(t, err, ErrOwnsTooMany)
	_, err = hub.Create(ChannelSpec{ID: "x", OwnerID: "ada"}, now.Add(-2*abandoned), refuse)
	require.ErrorIs(t, err, ErrTooManyChannels)
	c, err := hub.Get("den0")
	require.NoError(t, err)
	_, err = hub.Update(c, func(s *Settings) { s.Capacity = 0 }, "owner0", refuse)
	require.NoError(t, err)
	require.Zero(t, asked)
	notifier.take()

	_, err = hub.Create(ChannelSpec{ID: "x", OwnerID: "ada"}, now, refuse)
	require.ErrorIs(t, err, no)
	_, err = hub.Update(c, func(s *Settings) { s.Name = "New" }, "owner0", refuse)
	require.ErrorIs(t, err, no)
	require.Equal(t, 2, asked)
	require.Empty(t, notifier.take(), "nor has one given way to what was refused")
	require.Empty(t, c.Info().Name)
}

// All callers share a list until something in it changes.
func TestListIsShared(t *testing.T) {
	hub, _, _ := newHub(t, 10)
	c := create(t, hub)
	list := func() *ChannelInfo { return unsafe.SliceData(hub.List()) }
	last := list()
	changed := func(want bool, what string) {
		t.Helper()
		now := list()
		require.Equal(t, want, now != last, what)
		require.Equal(t, c.Info(), hub.List()[0], what)
		last = now
	}
	changed(false, "nothing happened")
	m := join(t, c, "ada", newConn(t, 1, 1))
	changed(true, "a member more")
	m.SetVoiceState(new(true), nil, nil)
	changed(false, "a mute is in no list")
	m.Leave(LeaveLeft)
	changed(true, "a member less")
	_, err := hub.Update(c, func(s *Settings) { s.Name = "New" }, "", free)
	require.NoError(t, err)
	changed(true, "another name")
	require.NoError(t, owned(hub, "other", "ada", time.Now().Add(time.Second)))
	changed(true, "a channel more")
	require.Len(t, hub.List(), 2)
	other, err := hub.Get("other")
	require.NoError(t, err)
	require.True(t, hub.Delete(other, ""))
	changed(true, "a channel less")
	require.Len(t, hub.List(), 1)
}

func BenchmarkList(b *testing.B) {
	hub, _, _ := newHub(b, 10)
	hub.limits.Channels = 500
	for i := range 500 {
		require.NoError(b, owned(hub, fmt.Sprint(i), "", time.Now()))
	}
	b.ReportAllocs()
	for b.Loop() {
		hub.List()
	}
}

// A connection that ends by itself takes its member out at once, and says why once.
func TestMediaThatEndsTakesTheMemberOut(t *testing.T) {
	ouch := errors.New("handshake failed")
	for name, test := range map[string]struct {
		err   error
		cause LeaveCause
	}{
		"failed":  {ouch, LeaveMediaFailed},
		"goodbye": {fmt.Errorf("wrapped: %w", peer.ErrGoodbye), LeaveHungUp},
	} {
		t.Run(name, func(t *testing.T) {
			hub, peers, notifier := newHub(t, 10)
			c := create(t, hub)
			ada := newConn(t, 1, 1)
			m := join(t, c, "ada", ada)
			join(t, c, "bob", newConn(t, 2, 1))
			notifier.take()
			end := *ada.ended.Load()
			end(test.err)
			left := events[MemberLeft](notifier.take())
			require.Len(t, left, 1)
			require.Equal(t, test.cause, left[0].Cause)
			require.False(t, m.Active())
			require.Equal(t, test.cause == LeaveHungUp, m.HungUp())
			require.EqualValues(t, 1, ada.closed.Load())
			require.Equal(t, 1, peers.Len())
			require.Equal(t, []mediaEnded{{"ada", "lobby", test.cause, test.err}}, journalOf(t, hub).ended)

			join(t, c, "ada", newConn(t, 3, 1))
			end(test.err)
			require.Len(t, c.Members(), 2, "an end that comes late is nobody else's")
			require.Len(t, journalOf(t, hub).ended, 1)
		})
	}
}

// stepped is t as it would have been read after somebody set the wall clock: the
// monotonic reading, which the wall clock has no part in, stays (package time, "Monotonic
// Clocks"; the seconds of the wall are above 30 bits of nanoseconds).
func stepped(tb testing.TB, t time.Time, step time.Duration) time.Time {
	tb.Helper()
	const nsecShift = 30
	moved := t
	*(*uint64)(unsafe.Pointer(&moved)) += uint64(int64(step/time.Second)) << nsecShift
	require.Equal(tb, step, moved.Round(0).Sub(t.Round(0)), "the wall clock was set")
	require.Zero(tb, moved.Sub(t), "the monotonic one was not")
	return moved
}

// Whoever sets the clock, by a minute or a year, ends nobody's call and no channel, nor
// lets anything live longer.
func TestClockThatIsSetEndsNothing(t *testing.T) {
	for _, step := range []time.Duration{61 * time.Second, -61 * time.Second, 8760 * time.Hour, -8760 * time.Hour} {
		t.Run(step.String(), func(t *testing.T) {
			hub, peers, notifier := newHub(t, 10)
			begin := time.Now()
			require.NoError(t, owned(hub, "empty", "ada", begin))
			require.NoError(t, owned(hub, "left", "ada", begin))
			c, err := hub.Get("left")
			require.NoError(t, err)
			talker := newConn(t, 1, 1)
			m := join(t, c, "ada", talker)

			w := watch{hub: peers, timeout: time.Minute, last: time.Now().Add(time.Second - watchInterval)}
			soon := stepped(t, time.Now().Add(time.Second), step)
			notifier.take()
			w.look(soon)
			require.Empty(t, notifier.take())
			require.Zero(t, peers.Reap(soon, time.Minute))
			require.Zero(t, hub.ReapIdle(soon, time.Minute))
			for range 3 { // speech that goes on across the step is one
				talker.say(20, soon)
				soon = soon.Add(20 * time.Millisecond)
			}
			notifier.take()
			c.decide(soon)
			require.Len(t, events[SpeakersChanged](notifier.take()), 1)
			require.True(t, m.Leave(LeaveLeft))

			bob := join(t, c, "bob", newConn(t, 2, 1))
			notifier.take()
			now := time.Now() // once: a look that is late blames nobody
			for after := watchInterval; after < 6*time.Second; after += watchInterval {
				w.look(stepped(t, now.Add(after), step))
			}
			require.Len(t, events[MediaStateChanged](notifier.take()), 1, "nor does a step make a ghost")
			require.True(t, bob.Leave(LeaveLeft))

			late := stepped(t, time.Now().Add(2*time.Minute), step)
			require.Equal(t, 2, hub.ReapIdle(late, time.Minute))
			join(t, create(t, hub), "ada", newConn(t, 1, 1))
			require.Equal(t, 1, peers.Reap(stepped(t, time.Now().Add(2*time.Minute), step), time.Minute))
		})
	}
}

// Times without a monotonic reading fall back on the wall clock: none is kept.
func TestTimesHaveAMonotonicReading(t *testing.T) {
	hub, _, _ := newHub(t, 10)
	c := create(t, hub)
	m := join(t, c, "ada", newConn(t, 1, 1))
	m.Leave(LeaveLeft)
	require.Contains(t, c.emptySince.String(), " m=")
	require.Contains(t, c.Info().CreatedAt.String(), " m=")
}

package sfu

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mini-livechat/mini-livechat/sfu/peer"
)

// vigil is a watch in a test's own time, in a channel of Ada, who is always heard, and Bob.
type vigil struct {
	*testing.T

	channel  *Channel
	ada, bob *conn
	bobIn    *Member
	told     *recorder
	watch    watch
	now      time.Time
}

func newVigil(t *testing.T, timeout time.Duration) *vigil {
	t.Helper()
	c, peers, notifier := newChannel(t, 10)
	v := &vigil{T: t, channel: c, ada: newConn(t, 1, 1), bob: newConn(t, 2, 1), told: notifier}
	join(t, c, "ada", v.ada)
	v.bobIn = join(t, c, "bob", v.bob)
	v.now = v.bob.LastSeen()
	v.watch = watch{hub: peers, timeout: timeout, last: v.now}
	notifier.take()
	return v
}

// pass lets so much time pass, in which Bob is silent.
func (v *vigil) pass(d time.Duration) {
	for end := v.now.Add(d); v.now.Before(end); {
		v.now = v.now.Add(min(watchInterval, end.Sub(v.now)))
		v.ada.lastSeen.Store(new(v.now))
		v.watch.look(v.now)
	}
}

// states returns what was told since the last call: of whose media that it is lost.
func (v *vigil) states() (lost []bool) {
	v.Helper()
	for _, call := range v.told.take() {
		if changed, ok := call.event.(MediaStateChanged); ok {
			require.Equal(v, "bob", changed.Member.UserID)
			require.Equal(v, []string{"ada", "bob"}, call.to)
			require.Empty(v, call.except, "who is lost is told too")
			lost = append(lost, changed.Member.MediaLost)
		}
	}
	return lost
}

func TestSilentMediaIsTold(t *testing.T) {
	v := newVigil(t, time.Minute)
	v.pass(askAfter - watchInterval)
	require.Zero(t, v.bob.asked.Load(), "it may just check seldom")
	v.pass(watchInterval)
	require.EqualValues(t, 1, v.bob.asked.Load())
	v.bob.lastSeen.Store(new(v.now)) // it answers
	v.pass(lostAfter - watchInterval)
	require.EqualValues(t, 11, v.bob.asked.Load())
	require.Empty(t, v.states())
	v.pass(watchInterval)
	require.Equal(t, []bool{true}, v.states())
	require.Less(t, lostAfter+watchInterval, 6*time.Second, "which is what PROTOCOL.md promises")
	require.Equal(t, []bool{false, true}, []bool{v.channel.Members()[0].MediaLost, v.channel.Members()[1].MediaLost})
	v.pass(10 * time.Second)
	require.Empty(t, v.states(), "once")
	require.EqualValues(t, 11, v.bob.asked.Load(), "who is gone is asked no more")

	v.bob.lastSeen.Store(new(v.now.Add(time.Millisecond)))
	v.pass(watchInterval)
	require.Equal(t, []bool{false}, v.states())
	require.False(t, v.channel.Members()[1].MediaLost)
	v.pass(lostAfter)
	require.Equal(t, []bool{true}, v.states())
	require.Equal(t, 2, journalOf(t, v.channel.hub).silent)
	require.Zero(t, v.ada.asked.Load())

	var snapshot Snapshot
	_, err := enter(v.channel, newConn(t, 3, 1), JoinRequest{UserID: "cyd", OnJoined: func(s Snapshot) { snapshot = s }})
	require.NoError(t, err)
	require.True(t, snapshot.Members[1].MediaLost, "who comes later knows it")
}

// A server that was held up itself has not read what its clients sent meanwhile.
func TestWatchBlamesNobodyForItsOwnDelay(t *testing.T) {
	v := newVigil(t, 20*time.Second)
	v.now = v.now.Add(time.Minute)
	v.watch.look(v.now)
	require.Empty(t, v.states())
	require.Len(t, v.channel.Members(), 2)
	v.pass(lostAfter - watchInterval)
	require.Empty(t, v.states())
	v.pass(watchInterval)
	require.Equal(t, []bool{true}, v.states())

	v.now = v.now.Add(time.Minute)
	v.watch.look(v.now)
	require.Empty(t, v.states(), "nor does a delay bring anybody back")
	v.pass(20 * time.Second)
	require.Len(t, v.channel.Members(), 2)
	v.pass(watchInterval)
	require.Len(t, v.channel.Members(), 1)
}

// Who is gone altogether is out after the shorter of the timeouts, who can still be told something after its own.
func TestWatchTakesOutWhoIsGone(t *testing.T) {
	for name, test := range map[string]struct {
		timeout  time.Duration
		unstable bool
		out      time.Duration
	}{
		"media only":          {time.Minute, false, time.Minute},
		"both":                {time.Minute, true, peer.ConsentLifetime},
		"both, short timeout": {10 * time.Second, true, 10 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			v := newVigil(t, test.timeout)
			require.True(t, v.bobIn.SetUnstable(test.unstable))
			v.pass(test.out)
			require.Len(t, v.channel.Members(), 2)
			v.told.take()
			v.pass(watchInterval)
			require.Len(t, v.channel.Members(), 1)
			left := events[MemberLeft](v.told.take())
			require.Len(t, left, 1)
			require.Equal(t, LeaveMediaTimeout, left[0].Cause)
			require.Equal(t, "bob", left[0].Member.UserID)
			require.EqualValues(t, 1, v.bob.closed.Load())
			v.pass(time.Minute)
			require.Empty(t, v.states())
		})
	}
}

func TestWatchRunsUntilItIsStopped(t *testing.T) {
	c, peers, notifier := newChannel(t, 10)
	silent := newConn(t, 1, 1)
	join(t, c, "ada", silent)
	silent.lastSeen.Store(new(time.Now().Add(-lostAfter)))
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		peers.RunWatch(ctx, time.Minute)
	}()
	require.Eventually(t, func() bool { return len(events[MediaStateChanged](notifier.take())) == 1 },
		30*time.Second, time.Millisecond)
	cancel()
	<-ended
}

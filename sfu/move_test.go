package sfu

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// rooms are two channels of one hub, with a talker and a listener in each, and who is moved.
type rooms struct {
	hub       *ChannelHub
	peers     *MediaPeerHub
	told      *recorder
	from, to  *Channel
	near, far *conn // who is in each
	moved     *conn
	member    *Member
}

func newRooms(t *testing.T, capacity int) *rooms {
	t.Helper()
	r := &rooms{}
	r.hub, r.peers, r.told = newHub(t, capacity)
	now := time.Now()
	for id, at := range map[string]**Channel{"from": &r.from, "to": &r.to} {
		_, err := r.hub.Create(ChannelSpec{ID: id, Settings: Settings{Name: id}}, now, free)
		require.NoError(t, err)
		*at, err = r.hub.Get(id)
		require.NoError(t, err)
	}
	r.near, r.far, r.moved = newConn(t, 1, 2), newConn(t, 2, 2), newConn(t, 3, 2)
	join(t, r.from, "near", r.near)
	join(t, r.to, "far", r.far)
	r.member = join(t, r.from, "mo", r.moved)
	r.told.take()
	return r
}

// say has everybody send a packet, and returns who heard whom, by SSRC.
func (r *rooms) say() (near, far, moved []uint32) {
	for _, c := range []*conn{r.near, r.far, r.moved} {
		c.talk()
	}
	all := func(c *conn) (heard []uint32) {
		for _, slot := range c.hears() {
			heard = append(heard, slot...)
		}
		return heard
	}
	return all(r.near), all(r.far), all(r.moved)
}

func TestMoveTakesTheMediaAlong(t *testing.T) {
	r := newRooms(t, 10)
	near, far, moved := r.say()
	require.Equal(t, [][]uint32{{3}, nil, {1}}, [][]uint32{near, far, moved})

	var found Snapshot
	next, err := r.member.Move(r.to, Standing{}, nil, func(s Snapshot) { found = s })
	require.NoError(t, err)
	require.False(t, r.member.Active())
	require.True(t, next.Active())
	require.Zero(t, r.moved.closed.Load())
	require.Equal(t, []string{"far", "mo"}, []string{found.Members[0].UserID, found.Members[1].UserID})
	require.Equal(t, "far", found.Slots[0].UserID)
	near, far, moved = r.say()
	require.Equal(t, [][]uint32{nil, {3}, {2}}, [][]uint32{near, far, moved})
	require.Len(t, r.peers.ChannelPeers("to"), 2)
	require.Len(t, r.peers.ChannelPeers("from"), 1)
	calls := r.told.take()
	require.Equal(t, LeaveMoved, events[MemberLeft](calls)[0].Cause)
	require.Equal(t, "to", events[MemberJoined](calls)[0].ChannelID)

	// The old handle is nobody's, and the connection's end is the new one's.
	require.False(t, r.member.Leave(LeaveLeft))
	require.False(t, r.member.SetMuted(true, ""))
	(*r.moved.ended.Load())(nil)
	require.False(t, next.Active())
	require.EqualValues(t, 1, r.moved.closed.Load())
	require.Empty(t, journalOf(t, r.hub).takePanics())
}

func TestMoveKeepsWhatOneWantsToHear(t *testing.T) {
	r := newRooms(t, 10)
	require.True(t, r.member.Subscribe(nil, []string{"far"}, nil))
	next, err := r.member.Move(r.to, Standing{Muted: true}, nil, nil)
	require.NoError(t, err)
	_, far, moved := r.say()
	require.Empty(t, moved, "far is excluded")
	require.Empty(t, far, "muted there")
	require.True(t, next.SetMuted(false, ""))
	_, far, _ = r.say()
	require.Equal(t, []uint32{3}, far)
}

func TestMoveThatCannotBe(t *testing.T) {
	r := newRooms(t, 2)
	join(t, r.to, "one more", newConn(t, 4, 1))
	next, err := r.member.Move(r.to, Standing{}, nil, nil)
	require.ErrorIs(t, err, ErrChannelFull)
	require.Same(t, r.member, next)
	next, err = r.member.Move(r.from, Standing{}, nil, nil)
	require.ErrorIs(t, err, ErrAlreadyInChannel)
	require.Same(t, r.member, next)
	near, _, _ := r.say()
	require.Equal(t, []uint32{3}, near, "as before")
	require.True(t, r.hub.Delete(r.to, ""))
	_, err = r.member.Move(r.to, Standing{}, nil, nil)
	require.ErrorIs(t, err, ErrChannelNotFound)
	require.True(t, r.member.Leave(LeaveLeft))
	next, err = r.member.Move(r.from, Standing{}, nil, nil)
	require.Error(t, err)
	require.False(t, next.Active())
}

// A moderator's mute holds whatever the member does, and is told apart from the member's own.
func TestMutedByAModerator(t *testing.T) {
	r := newRooms(t, 10)
	require.True(t, r.member.SetMuted(true, ""))
	require.True(t, r.member.SetMuted(true, ""))
	changes := events[VoiceStateChanged](r.told.take())
	require.Len(t, changes, 1)
	require.True(t, changes[0].Member.Muted)
	require.False(t, changes[0].Member.SelfMute)
	near, _, moved := r.say()
	require.Empty(t, near)
	require.Equal(t, []uint32{1}, moved, "one still hears")
	for _, off := range []bool{true, false} {
		require.True(t, r.member.SetVoiceState(&off, nil, nil))
		near, _, _ = r.say()
		require.Empty(t, near)
	}
	require.True(t, r.member.SetMuted(false, ""))
	near, _, _ = r.say()
	require.Equal(t, []uint32{3}, near)
}

// Whoever moves, leaves, mutes and deletes at the same time, nobody is in two channels, and nobody's media stays.
func TestMovesRaceWithEverything(t *testing.T) {
	for range 200 {
		r := newRooms(t, 3)
		done := make(chan *Member)
		go func() { m, _ := r.member.Move(r.to, Standing{}, nil, nil); done <- m }()
		go func() { r.member.SetMuted(true, ""); r.member.Leave(LeaveGone); done <- nil }()
		go func() { r.hub.Delete(r.to, ""); done <- nil }()
		var last *Member
		for range 3 {
			if m := <-done; m != nil {
				last = m
			}
		}
		if last != nil {
			last.Leave(LeaveGone)
		}
		require.EqualValues(t, 1, r.moved.closed.Load())
		for _, c := range []*Channel{r.from, r.to} {
			for _, m := range c.Members() {
				require.NotEqual(t, "mo", m.UserID)
			}
		}
		require.Empty(t, journalOf(t, r.hub).takePanics())
	}
}

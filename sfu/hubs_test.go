package sfu

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestChannelHubCreateAndLimits(t *testing.T) {
	hub, _, notifier := newHub(t, 7)
	now := time.Now()
	info, err := hub.Create(ChannelSpec{ID: "a", Settings: Settings{Name: "A"}, OwnerID: "ada"}, now, free)
	require.NoError(t, err)
	require.Equal(t, ChannelInfo{
		ID: "a", Settings: Settings{Name: "A", Mode: ModeConference, Capacity: 7}, OwnerID: "ada", CreatedAt: now,
	}, info)
	require.Equal(t, []told{{nil, "ada", ChannelCreated{Channel: info}}}, notifier.take())

	_, err = hub.Create(ChannelSpec{ID: "a"}, now, free)
	require.ErrorIs(t, err, ErrChannelExists)
	for _, id := range []string{"b", "c", "d"} {
		_, err = hub.Create(ChannelSpec{ID: id}, now.Add(-time.Second), free)
		require.NoError(t, err)
	}
	_, err = hub.Create(ChannelSpec{ID: "e"}, now, free)
	require.ErrorIs(t, err, ErrTooManyChannels)
	_, err = hub.Get("e")
	require.ErrorIs(t, err, ErrChannelNotFound)

	for i, info := range hub.List() {
		require.Equal(t, string("bcda"[i]), info.ID, "oldest first")
	}
}

func TestChannelHubUpdate(t *testing.T) {
	hub, _, notifier := newHub(t, 10)
	_, err := hub.Create(ChannelSpec{ID: "a", Settings: Settings{Name: "A"}}, time.Now(), free)
	require.NoError(t, err)
	c, err := hub.Get("a")
	require.NoError(t, err)
	join(t, c, "ada", newConn(t, 1, 1))
	join(t, c, "bob", newConn(t, 2, 1))
	notifier.take()

	info, err := hub.Update(c, func(s *Settings) { s.Name = "New"; s.Capacity = 1 }, "ada", free)
	require.NoError(t, err)
	require.Equal(t, "New", info.Name)
	require.Equal(t, 1, info.Capacity)
	require.Equal(t, 2, info.MemberCount, "nobody has to leave")
	require.Equal(t, []told{{nil, "ada", ChannelUpdated{Channel: info}}}, notifier.take())
	_, err = enter(c, newConn(t, 3, 1), JoinRequest{UserID: "cyd"})
	require.ErrorIs(t, err, ErrChannelFull)

	info, err = hub.Update(c, func(s *Settings) { s.Capacity = 0 }, "", free)
	require.NoError(t, err)
	require.Equal(t, "New", info.Name)
	require.Equal(t, 10, info.Capacity)
}

func TestChannelNamesThatLookTheSame(t *testing.T) {
	hub, _, _ := newHub(t, 10)
	now := time.Now()
	add := func(id, name string) error {
		_, err := hub.Create(ChannelSpec{ID: id, Settings: Settings{Name: name}}, now, free)
		return err
	}
	rename := func(c *Channel, name string) error {
		_, err := hub.Update(c, func(s *Settings) { s.Name = name }, "", free)
		return err
	}
	require.NoError(t, add("a", "Ada"))
	require.ErrorIs(t, add("b", "ADA"), ErrNameTaken)
	require.ErrorContains(t, add("b", "ADA"), "of a")
	require.ErrorIs(t, add("a", "ADA"), ErrChannelExists)
	require.NoError(t, add("b", "Bob"))
	a, err := hub.Get("a")
	require.NoError(t, err)
	b, err := hub.Get("b")
	require.NoError(t, err)

	require.ErrorIs(t, rename(b, "ada"), ErrNameTaken)
	require.Equal(t, "Bob", b.Info().Name)
	require.NoError(t, rename(a, "ADA"), "its own name in another case")
	require.ErrorIs(t, rename(b, "ada"), ErrNameTaken)
	require.NoError(t, rename(a, "Ann"))
	require.NoError(t, rename(b, "ada"), "nobody has it any more")
	require.ErrorIs(t, add("c", "ANN"), ErrNameTaken)
	require.NoError(t, add("c", "Bob"))
	require.True(t, hub.Delete(a, ""))
	require.NoError(t, add("d", "Ann"))
	require.True(t, hub.Delete(b, ""))
	before := Settings{Name: "Cyd"}
	c, err := hub.Get("c")
	require.NoError(t, err)
	_, err = hub.Revert(c, before)
	require.NoError(t, err)
	require.ErrorIs(t, add("e", "CYD"), ErrNameTaken)
	require.NoError(t, add("e", "bob"))
}

// Those that were there before the rule stay, and may change in all else.
func TestChannelsOfOneNameAreRestored(t *testing.T) {
	hub, _, _ := newHub(t, 10)
	now := time.Now()
	for _, id := range []string{"a", "b"} {
		require.NoError(t, hub.Restore(ChannelSpec{ID: id, Settings: Settings{Name: "Ada"}}, now, false))
	}
	a, err := hub.Get("a")
	require.NoError(t, err)
	_, err = hub.Update(a, func(s *Settings) { s.Topic = "news" }, "", free)
	require.NoError(t, err)
	_, err = hub.Update(a, func(s *Settings) { s.Name = "ada" }, "", free)
	require.ErrorIs(t, err, ErrNameTaken)
	require.True(t, hub.Delete(a, ""))
	_, err = hub.Create(ChannelSpec{ID: "c", Settings: Settings{Name: "ada"}}, now, free)
	require.ErrorIs(t, err, ErrNameTaken, "the other one has it")
	b, err := hub.Get("b")
	require.NoError(t, err)
	_, err = hub.Update(b, func(s *Settings) { s.Name = "ada" }, "", free)
	require.NoError(t, err)
	require.True(t, hub.Delete(b, ""))
	require.Empty(t, hub.names.taken)
}

func TestChannelHubDeleteTakesTheMembersAlong(t *testing.T) {
	hub, peers, notifier := newHub(t, 10)
	_, err := hub.Create(ChannelSpec{ID: "a"}, time.Now(), free)
	require.NoError(t, err)
	c, err := hub.Get("a")
	require.NoError(t, err)
	ada, bob := newConn(t, 1, 1), newConn(t, 2, 1)
	m := join(t, c, "ada", ada)
	join(t, c, "bob", bob)
	notifier.take()

	require.True(t, hub.Delete(c, "ada"))
	require.False(t, hub.Delete(c, "ada"))
	require.Equal(t, []told{{nil, "ada", ChannelDeleted{ChannelID: "a"}}}, notifier.take())
	require.Zero(t, peers.Len())
	require.False(t, m.Active())
	require.EqualValues(t, 1, ada.closed.Load())
	require.EqualValues(t, 1, bob.closed.Load())
	ada.talk()
	require.Empty(t, bob.heard[0].take())
	_, err = enter(c, newConn(t, 3, 1), JoinRequest{UserID: "cyd"})
	require.ErrorIs(t, err, ErrChannelNotFound)
	_, err = hub.Update(c, func(*Settings) {}, "", free)
	require.ErrorIs(t, err, ErrChannelNotFound)
}

func TestChannelHubReapsIdleChannels(t *testing.T) {
	hub, _, _ := newHub(t, 10)
	for id, owner := range map[string]string{"preset": "", "empty": "ada", "used": "ada"} {
		_, err := hub.Create(ChannelSpec{ID: id, OwnerID: owner}, time.Now(), free)
		require.NoError(t, err)
	}
	used, err := hub.Get("used")
	require.NoError(t, err)
	m := join(t, used, "ada", newConn(t, 1, 1))

	require.Zero(t, hub.ReapIdle(time.Now().Add(time.Minute), time.Hour))
	require.Equal(t, 1, hub.ReapIdle(time.Now().Add(2*time.Hour), time.Hour))
	require.Len(t, hub.List(), 2)
	m.Leave(LeaveLeft)
	require.Zero(t, hub.ReapIdle(time.Now().Add(time.Minute), time.Hour), "idle since it became empty")
	require.Equal(t, 1, hub.ReapIdle(time.Now().Add(2*time.Hour), time.Hour))
	require.Len(t, hub.List(), 1)
}

func TestMediaPeerHub(t *testing.T) {
	hub := NewMediaPeerHub(&journal{})
	// Two clients that chose the same SSRC.
	ada := &MediaPeer{Conn: newConn(t, 7, 1), UserID: "ada", ChannelID: "a"}
	bob := &MediaPeer{Conn: newConn(t, 7, 1), UserID: "bob", ChannelID: "b"}
	hub.Register(ada)
	hub.Register(bob)
	require.Equal(t, []*MediaPeer{ada}, hub.ChannelPeers("a"))
	require.Equal(t, []*MediaPeer{bob}, hub.ChannelPeers("b"))

	imposter := &MediaPeer{Conn: ada.Conn, UserID: "ada", ChannelID: "a"}
	require.False(t, hub.Remove(imposter), "only the registered one is removed")
	require.Equal(t, 2, hub.Len())
	require.True(t, hub.Remove(ada))
	require.False(t, hub.Remove(ada))
	require.Empty(t, hub.ChannelPeers("a"))
}

func TestMediaPeerHubReapsZombies(t *testing.T) {
	c, peers, notifier := newChannel(t, 10)
	quiet := newConn(t, 1, 1)
	join(t, c, "ada", quiet)
	join(t, c, "bob", newConn(t, 2, 1))
	notifier.take()
	now := time.Now()
	require.Empty(t, peers.FindZombies(now, time.Minute))
	quiet.lastSeen.Store(new(now.Add(-61 * time.Second)))
	require.Equal(t, 1, peers.Reap(now, time.Minute))
	require.Zero(t, peers.Reap(now, time.Minute))
	require.Len(t, c.Members(), 1)
	left, ok := notifier.take()[0].event.(MemberLeft)
	require.True(t, ok)
	require.Equal(t, LeaveMediaTimeout, left.Cause)
	require.EqualValues(t, 1, quiet.closed.Load())
}

// Whose a channel is may become another's, and everybody hears of it.
func TestChannelsGetAnotherOwner(t *testing.T) {
	hub, _, notifier := newHub(t, 2)
	for _, id := range []string{"a", "b", "c"} {
		owner := map[string]string{"a": "ada", "b": "ada", "c": "bob"}[id]
		_, err := hub.Create(ChannelSpec{ID: id, OwnerID: owner, Settings: Settings{Name: id}}, time.Now(), free)
		require.NoError(t, err)
	}
	notifier.take()
	require.Len(t, hub.Reown("ada", "nobody"), 2)
	require.Empty(t, hub.Reown("ada", "nobody"))
	require.Len(t, events[ChannelUpdated](notifier.take()), 2)
	for _, info := range hub.List() {
		c, err := hub.Get(info.ID)
		require.NoError(t, err)
		require.Equal(t, map[string]string{"a": "nobody", "b": "nobody", "c": "bob"}[info.ID], info.OwnerID)
		require.Equal(t, info.OwnerID, c.OwnerID())
	}
	_, err := hub.Create(ChannelSpec{ID: "d", OwnerID: "nobody", OwnerMost: 2, Settings: Settings{Name: "d"}}, time.Now(), free)
	require.ErrorIs(t, err, ErrOwnsTooMany)
	_, err = hub.Create(ChannelSpec{ID: "d", OwnerID: "ada", OwnerMost: 1, Settings: Settings{Name: "d"}}, time.Now(), free)
	require.NoError(t, err)
	c, err := hub.Get("a")
	require.NoError(t, err)
	require.True(t, hub.Delete(c, ""))
}

package sfu

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mini-livechat/mini-livechat/sfu/peer"
)

// broken is a connection that panics where it is told to.
type broken struct {
	*conn

	in string
}

func (b *broken) at(method string) {
	if b.in == method {
		panic(method)
	}
}

func (b *broken) Slots() []peer.Slot   { b.at("Slots"); return b.conn.Slots() }
func (b *broken) SSRC() (uint32, bool) { b.at("SSRC"); return b.conn.SSRC() }
func (b *broken) LastSeen() time.Time  { b.at("LastSeen"); return b.conn.LastSeen() }
func (b *broken) Close() error         { b.at("Close"); return b.conn.Close() }

// explosive is a Notifier that panics at every event that is not spared.
type explosive struct {
	recorder

	armed bool
}

func (e *explosive) Notify(userIDs []string, except string, event Event) {
	if e.armed {
		panic("Notify")
	}
	e.recorder.Notify(userIDs, except, event)
}

func (e *explosive) NotifyAll(except string, event Event) {
	if e.armed {
		panic("NotifyAll")
	}
	e.recorder.NotifyAll(except, event)
}

// free reports whether a lock can be had, which it cannot once it was kept by a panic.
func requireFree(t *testing.T, hub *ChannelHub, c *Channel, peers *MediaPeerHub) {
	t.Helper()
	require.True(t, hub.mu.TryLock(), "the hub's lock is kept")
	hub.mu.Unlock()
	require.True(t, c.mu.TryLock(), "the channel's lock is kept")
	c.mu.Unlock()
	require.True(t, peers.mu.TryLock(), "the peers' lock is kept")
	peers.mu.Unlock()
}

// A Notifier that panics loses events and nothing else.
func TestPanicInNotifier(t *testing.T) {
	hub, peers, _ := newHub(t, 10)
	bang := &explosive{}
	hub.notifier.notifier = bang
	c := create(t, hub)
	ada, bob := newConn(t, 1, 1), newConn(t, 2, 1)
	bang.armed = true
	log := journalOf(t, hub)
	panics := func(what string) {
		t.Helper()
		requireFree(t, hub, c, peers)
		require.NotEmpty(t, log.takePanics(), what)
	}
	m := join(t, c, "ada", ada)
	panics("join")
	join(t, c, "bob", bob)
	ada.talk()
	require.Equal(t, []uint32{1}, bob.heard[0].take(), "voice goes on")
	require.True(t, m.SetVoiceState(new(true), nil, nil))
	panics("voice state")
	ada.talk()
	require.Empty(t, bob.heard[0].take())
	_, err := hub.Update(c, func(s *Settings) { s.Name = "New" }, "", free)
	require.NoError(t, err)
	panics("update")
	require.True(t, m.Leave(LeaveLeft))
	panics("leave")
	require.Len(t, c.Members(), 1)
	require.True(t, hub.Delete(c, ""))
	panics("delete")
	require.Zero(t, peers.Len())
	require.EqualValues(t, 1, bob.closed.Load())
}

func TestPanicInConn(t *testing.T) {
	hub, peers, notifier := newHub(t, 10)
	c := create(t, hub)
	log := journalOf(t, hub)
	ear := newConn(t, 0, 2)
	join(t, c, "ear", ear)
	enterBroken := func(in string) (*Member, *broken) {
		t.Helper()
		b := &broken{conn: newConn(t, 7, 1), in: in}
		hub.answer = answerWith(b)
		m, err := c.Join(t.Context(), JoinRequest{UserID: "ada"})
		require.NoError(t, err)
		hub.answer = answerFromContext
		return m, b
	}

	require.PanicsWithValue(t, "Slots", func() { enterBroken("Slots") }, "a join that panics is its session's to end")
	hub.answer = answerFromContext
	requireFree(t, hub, c, peers)
	require.Len(t, c.Members(), 1, "and leaves nobody behind")
	require.Equal(t, 1, peers.Len())
	require.Len(t, c.board.legs, 1)

	m, _ := enterBroken("Close")
	notifier.take()
	require.True(t, m.Leave(LeaveGone))
	require.Equal(t, []any{"Close"}, log.takePanics())
	require.Len(t, events[MemberLeft](notifier.take()), 1)
	requireFree(t, hub, c, peers)
	require.Equal(t, 1, peers.Len())

	// The one that cannot be asked is taken out, and the others are looked at.
	_, b := enterBroken("LastSeen")
	silent := newConn(t, 8, 1)
	silent.lastSeen.Store(new(time.Now().Add(-time.Hour)))
	join(t, c, "bob", silent)
	require.Equal(t, 2, peers.Reap(time.Now(), time.Minute))
	require.Equal(t, []any{"LastSeen"}, log.takePanics())
	require.EqualValues(t, 1, b.closed.Load())
	requireFree(t, hub, c, peers)
	require.Equal(t, "ear", c.Members()[0].UserID)
}

// A leave during which taking the media apart panics is a leave.
func TestPanicWhileDisconnecting(t *testing.T) {
	hub, peers, notifier := newHub(t, 10)
	c := create(t, hub)
	ada := newConn(t, 1, 1)
	m := join(t, c, "ada", ada)
	join(t, c, "bob", newConn(t, 2, 1))
	notifier.take()
	m.leg.slots = []peer.Slot{{}} // a nil Slot
	require.True(t, m.Leave(LeaveLeft))
	require.Len(t, journalOf(t, hub).takePanics(), 1)
	requireFree(t, hub, c, peers)
	require.Len(t, events[MemberLeft](notifier.take()), 1)
	require.EqualValues(t, 1, ada.closed.Load())
	require.Len(t, c.board.legs, 1)
	require.Equal(t, 1, peers.Len())
}

// The channel in which deciding panics is left alone; the others are decided on, and it
// too once the cause is gone.
func TestPanicInDecider(t *testing.T) {
	hub, peers, notifier := newHub(t, 10)
	sick := create(t, hub)
	_, err := hub.Create(ChannelSpec{ID: "well"}, time.Now(), free)
	require.NoError(t, err)
	well, err := hub.Get("well")
	require.NoError(t, err)
	decideUntilEnd(t, hub)
	b := &broken{conn: newConn(t, 1, 1)}
	hub.answer = answerWith(b)
	_, err = sick.Join(t.Context(), JoinRequest{UserID: "ada"})
	require.NoError(t, err)
	hub.answer = answerFromContext
	bob := newConn(t, 2, 1)
	join(t, well, "bob", bob)
	notifier.take()

	b.in = "SSRC"
	log, panicked := journalOf(t, hub), false
	require.Eventually(t, func() bool {
		if panicked = panicked || len(log.takePanics()) > 0; !panicked { // one who is quiet again may never have been looked at
			b.say(20, time.Now())
		}
		return panicked && !sick.awake.Load()
	}, 30*time.Second, time.Millisecond)
	var told []SpeakersChanged
	require.Eventually(t, func() bool {
		bob.say(20, time.Now())
		told = append(told, events[SpeakersChanged](notifier.take())...)
		return len(told) > 0
	}, 30*time.Second, time.Millisecond, "the other channel is decided on")
	require.Equal(t, "well", told[0].ChannelID)
	requireFree(t, hub, sick, peers)
}

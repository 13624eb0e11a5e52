package signaling

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mini-livechat/mini-livechat/signaling/protocol"
)

func newUser(id string, queue int, overflow func()) *User {
	if overflow == nil {
		overflow = func() {}
	}
	return &User{ID: id, Name: id, tx: newEgress(queue, overflow), evict: func(protocol.CloseCode) {}}
}

func register(t *testing.T, hub *UserHub, u *User) {
	t.Helper()
	_, ok := hub.Register(u)
	require.True(t, ok)
}

func TestUserHubRegisterAndUnregister(t *testing.T) {
	hub := NewUserHub()
	ada := newUser("ada", 1, nil)
	register(t, hub, ada)
	require.Same(t, ada, hub.Get("ada"))
	require.Nil(t, hub.Get("bob"))

	second := newUser("ada", 1, nil)
	holder, ok := hub.Register(second)
	require.False(t, ok)
	require.Same(t, ada, holder)
	require.False(t, hub.Unregister(second), "who is not registered removes nobody")
	require.Equal(t, 1, hub.Len())

	require.True(t, hub.Unregister(ada))
	require.False(t, hub.Unregister(ada))
	register(t, hub, second)
	require.False(t, hub.Unregister(ada), "an old session cannot remove a newer one")
	require.Same(t, second, hub.Get("ada"))
}

// Many sessions of one user take over from each other, each as identify does it: one is
// registered at any time, and the last to come stays.
func TestUserHubTakeoverRace(t *testing.T) {
	hub := NewUserHub()
	var registered, most atomic.Int32
	var all sync.WaitGroup
	const sessions = 64
	survivors := make(chan *User, sessions)
	for range sessions {
		all.Go(func() {
			gone := make(chan struct{})
			evicted := make(chan struct{})
			u := newUser("ada", 1, nil)
			u.gone = gone
			u.evict = func(protocol.CloseCode) {
				select {
				case evicted <- struct{}{}:
				case <-gone:
				}
			}
			for {
				holder, ok := hub.Register(u)
				if ok {
					break
				}
				holder.evict(protocol.CloseReplaced)
				<-holder.gone
			}
			if n := registered.Add(1); n > most.Load() {
				most.Store(n)
			}
			select {
			case <-evicted:
				registered.Add(-1)
				if !hub.Unregister(u) {
					t.Error("a registered session was not in the hub")
				}
				close(gone)
			case <-time.After(500 * time.Millisecond):
				survivors <- u
			}
		})
	}
	all.Wait()
	require.EqualValues(t, 1, most.Load())
	require.Len(t, survivors, 1)
	require.Same(t, <-survivors, hub.Get("ada"))
}

func TestBroadcastReachesExactlyTheNamed(t *testing.T) {
	hub := NewUserHub()
	users := map[string]*User{}
	for _, id := range []string{"ada", "bob", "cyd", "dee"} {
		users[id] = newUser(id, 4, nil)
		register(t, hub, users[id])
	}
	event, err := protocol.EncodeEvent(protocol.OpMessageEvent, protocol.MessageEvent{Content: "hi"})
	require.NoError(t, err)
	hub.BroadcastTo([]string{"ada", "bob", "cyd", "nobody"}, event, "ada")
	for id, want := range map[string]int{"ada": 0, "bob": 1, "cyd": 1, "dee": 0} {
		require.Equal(t, want, users[id].tx.len(), id)
	}
	require.Same(t, event, users["bob"].tx.pop().event, "encoded once, shared by all")
	users["cyd"].tx.pop()
	hub.BroadcastAll(event, "dee")
	for id, want := range map[string]int{"ada": 1, "bob": 1, "cyd": 1, "dee": 0} {
		require.Equal(t, want, users[id].tx.len(), id)
	}
}

func TestBroadcastNeverWaitsForASlowMember(t *testing.T) {
	hub := NewUserHub()
	var overflows atomic.Int32
	slow := newUser("slow", 2, func() { overflows.Add(1) })
	quick := newUser("quick", 100, nil)
	register(t, hub, slow)
	register(t, hub, quick)
	event, err := protocol.EncodeEvent(protocol.OpMessageEvent, struct{}{})
	require.NoError(t, err)
	for range 50 {
		hub.BroadcastTo([]string{"slow", "quick"}, event, "")
	}
	require.Equal(t, 50, quick.tx.len())
	require.Equal(t, 2, slow.tx.len())
	require.EqualValues(t, 1, overflows.Load(), "disconnected once")
	slow.tx.pop()
	require.False(t, slow.tx.push(&outbound{}), "after a gap nothing more is sent")
}

func TestFindSilent(t *testing.T) {
	hub := NewUserHub()
	now := time.Unix(1000, 0)
	for id, age := range map[string]time.Duration{"fresh": time.Second, "edge": time.Minute, "dead": 61 * time.Second} {
		u := newUser(id, 1, nil)
		u.touch(now.Add(-age))
		register(t, hub, u)
	}
	zombies := hub.FindSilent(now, time.Minute)
	require.Len(t, zombies, 1)
	require.Equal(t, "dead", zombies[0].ID)
	require.Equal(t, now.Add(-61*time.Second), zombies[0].LastSeen())
}

func BenchmarkBroadcast(b *testing.B) {
	for _, n := range []int{10, 100, 1000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			hub := NewUserHub()
			ids := make([]string, n)
			queues := make([]*egress, n)
			for i := range n {
				u := newUser(fmt.Sprint(i), 1, nil)
				hub.Register(u)
				ids[i], queues[i] = u.ID, u.tx
			}
			event, err := protocol.EncodeEvent(protocol.OpMessageEvent, struct{}{})
			require.NoError(b, err)
			b.ReportAllocs()
			for b.Loop() {
				hub.BroadcastTo(ids, event, "")
				for _, queue := range queues {
					queue.pop()
				}
			}
		})
	}
}

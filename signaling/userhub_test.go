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

// newUser returns a session that is in no hub, with a connection that has no socket.
func newUser(id string, queue int) *Session {
	s := &Session{userID: id, name: id, out: newOutbox(queue, 1<<20, false), conn: quietConn(), gone: make(chan struct{})}
	s.out.attach(s.conn)
	return s
}

func register(t *testing.T, hub *UserHub, s *Session) {
	t.Helper()
	_, ok := hub.Register(s)
	require.True(t, ok)
}

func TestUserHubRegisterAndUnregister(t *testing.T) {
	hub := NewUserHub()
	ada := newUser("ada", 1)
	register(t, hub, ada)
	require.Same(t, ada, hub.Get("ada"))
	require.Nil(t, hub.Get("bob"))

	second := newUser("ada", 1)
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
	var came, registered, most atomic.Int32
	var all sync.WaitGroup
	const sessions = 64
	lastCame := make(chan struct{})
	survivors := make(chan *Session, sessions)
	for range sessions {
		all.Go(func() {
			s := newUser("ada", 1)
			for {
				holder, ok := hub.Register(s)
				if ok {
					break
				}
				holder.end(protocol.CloseReplaced)
				<-holder.gone
			}
			if n := registered.Add(1); n > most.Load() {
				most.Store(n)
			}
			if came.Add(1) == sessions {
				close(lastCame)
			}
			select {
			case <-s.conn.done:
			case <-lastCame: // whoever gave way has been told
			}
			select {
			case <-s.conn.done:
				registered.Add(-1)
				if !hub.Unregister(s) {
					t.Error("a registered session was not in the hub")
				}
				close(s.gone)
			default:
				survivors <- s
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
	users := map[string]*Session{}
	for _, id := range []string{"ada", "bob", "cyd", "dee"} {
		users[id] = newUser(id, 4)
		register(t, hub, users[id])
	}
	event := text(t, protocol.OpMessageEvent, "hi")
	hub.BroadcastTo([]string{"ada", "bob", "cyd", "nobody"}, event, "ada")
	for id, want := range map[string]int{"ada": 0, "bob": 1, "cyd": 1, "dee": 0} {
		require.Equal(t, want, users[id].out.waiting(), id)
	}
	e, _ := users["bob"].out.pop(users["bob"].conn)
	require.Same(t, event, e.body, "encoded once, shared by all")
	users["cyd"].out.pop(users["cyd"].conn)
	hub.BroadcastAll(event, "dee")
	for id, want := range map[string]int{"ada": 1, "bob": 1, "cyd": 1, "dee": 0} {
		require.Equal(t, want, users[id].out.waiting(), id)
	}
}

func TestBroadcastNeverWaitsForASlowMember(t *testing.T) {
	hub := NewUserHub()
	slow, quick := newUser("slow", 2), newUser("quick", 100)
	register(t, hub, slow)
	register(t, hub, quick)
	event := text(t, protocol.OpMessageEvent, "")
	for range 50 {
		hub.BroadcastTo([]string{"slow", "quick"}, event, "")
	}
	require.Equal(t, 50, quick.out.waiting())
	code, _ := slow.conn.ended()
	require.Equal(t, protocol.CloseSlowConsumer, code)
	require.Empty(t, take(slow.out, slow.conn), "after a gap nothing more is sent")
}

func TestFindSilent(t *testing.T) {
	hub := NewUserHub()
	now := time.Now()
	for id, age := range map[string]time.Duration{"fresh": time.Second, "edge": time.Minute, "dead": 61 * time.Second, "detached": time.Hour} {
		s := newUser(id, 1)
		s.conn.touch(now.Add(-age))
		register(t, hub, s)
		if id == "detached" {
			s.conn = nil
		}
	}
	zombies := hub.FindSilent(now, time.Minute)
	require.Len(t, zombies, 1)
	require.Same(t, hub.Get("dead").conn, zombies[0])
	require.Equal(t, 61*time.Second, now.Sub(zombies[0].LastSeen()))
	require.Contains(t, zombies[0].LastSeen().String(), " m=", "by the monotonic clock: steps of the other one change nothing")
}

func BenchmarkBroadcast(b *testing.B) {
	for _, n := range []int{10, 100, 1000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			hub := NewUserHub()
			ids := make([]string, n)
			users := make([]*Session, n)
			for i := range n {
				s := newUser(fmt.Sprint(i), 1)
				hub.Register(s)
				ids[i], users[i] = s.userID, s
			}
			event := text(b, protocol.OpMessageEvent, "")
			b.ReportAllocs()
			for b.Loop() {
				hub.BroadcastTo(ids, event, "")
				for _, s := range users {
					s.out.pop(s.conn)
				}
			}
		})
	}
}

package e2e

import (
	"cmp"
	"context"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mini-livechat/mini-livechat/cmd/app"
	"github.com/mini-livechat/mini-livechat/signaling/auth"
	"github.com/mini-livechat/mini-livechat/signaling/client"
	"github.com/mini-livechat/mini-livechat/signaling/protocol"
)

// turns are who was heard on a slot, one after the other.
func (p *person) turns(slot int) (turns []string) {
	p.inOrder()
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, h := range p.ears {
		if h.slot == slot {
			turns = append(turns, h.from)
		}
	}
	return slices.Compact(turns)
}

// inOrder puts what was heard into the order of the packets' numbers, in which a slot was written: two who talk one after the other may
// be received by two sockets of the server, and then the batch of the second may be sent before that of the first.
func (p *person) inOrder() {
	p.mu.Lock()
	defer p.mu.Unlock()
	first := make(map[int]uint16)
	for _, h := range p.ears {
		if _, known := first[h.slot]; !known {
			first[h.slot] = h.Sequence
		}
	}
	place := func(h heard) int16 { return int16(h.Sequence - first[h.slot]) }
	slices.SortStableFunc(p.ears, func(a, b heard) int {
		return cmp.Or(cmp.Compare(a.slot, b.slot), cmp.Compare(place(a), place(b)))
	})
}

// TestTalkFiftyPressAtOnce: fifty talk all the time and press at once, again and again. Each has the floor for some packets, and a listener
// hears exactly those turns, in the order in which they were given: whoever has not the floor is not heard, and nobody has it beside another.
func TestTalkFiftyPressAtOnce(t *testing.T) {
	verifyNoLeaks(t)
	const racers, rounds = 50, 2
	s := startServer(t, func(cfg *app.Config) {
		cfg.Channels = []string{app.DefaultRadio}
		cfg.Floor.Queue, cfg.Floor.Tail = 100, 20*time.Millisecond
	})
	engine := loopbackEngine(t)
	shared := func(o *client.Options) { o.Engine, o.EventBuffer = engine, 10_000 }
	ear := arrive(t, s, "ear", shared).join("radio", listenOnly, slots(2))
	everybody := make([]*person, racers)
	for i := range everybody {
		everybody[i] = arrive(t, s, "racer", shared).join("radio", slots(-1))
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	for _, p := range everybody { // when all are there, or they would hold each other up
		p.talkEvery(3 * frameLength)
	}
	var holding atomic.Int32
	var mu sync.Mutex
	var order []string // of grants, guarded by mu
	var racing sync.WaitGroup
	for _, p := range everybody {
		racing.Go(func() {
			for range rounds {
				grant, err := p.call.Floor().Acquire(ctx, client.FloorRequest{})
				if err != nil {
					t.Errorf("%s: %v", p.UserID(), err)
					return
				}
				if n := holding.Add(1); n != 1 {
					t.Errorf("%d have the floor", n)
				}
				mu.Lock()
				order = append(order, p.UserID())
				mu.Unlock()
				before := ear.heardFrom(p)
				for ear.heardFrom(p) == before && ctx.Err() == nil {
					time.Sleep(frameLength / 4)
				}
				holding.Add(-1)
				if err = grant.Release(ctx); err != nil {
					t.Errorf("%s: %v", p.UserID(), err)
				}
			}
		})
	}
	racing.Wait()
	require.NoError(t, ctx.Err())
	require.Len(t, order, racers*rounds)
	require.Equal(t, slices.Compact(order), ear.turns(0))
	require.Empty(t, ear.turns(1))
	for _, p := range everybody {
		p.silence()
	}
	ear.check(everybody...)
}

// kill ends somebody as the end of their process does: a TCP reset, and nothing more from their media.
func (s *scissors) kill(network *cable) {
	network.media.Store(true)
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, conn := range s.conns {
		if tcp, ok := conn.(*net.TCPConn); ok {
			_ = tcp.SetLinger(0)
		}
		_ = conn.Close()
	}
}

// TestTalkHolderIsKilled while they talk: the floor is the next one's although the session of the dead waits for them, in no more than the
// time for a ping.
func TestTalkHolderIsKilled(t *testing.T) {
	verifyNoLeaks(t)
	s := startServer(t, noRelay, func(cfg *app.Config) {
		cfg.Channels, cfg.Floor.PingTimeout = []string{app.DefaultRadio}, 4*time.Second
	})
	ear := arrive(t, s, "ear").join("radio", listenOnly)
	var network cable
	var shears scissors
	ada := arrive(t, s, "ada", network.plug(t), func(o *client.Options) {
		shears.plug(o)
		o.NoReconnect = true
	}).join("radio").talk()
	bo := arrive(t, s, "bo").join("radio").talk()
	_, err := ada.call.Floor().Acquire(soon(t), client.FloorRequest{})
	require.NoError(t, err)
	ear.hears(ada)
	next := make(chan error, 1)
	go func() {
		_, failed := bo.call.Floor().Acquire(soon(t), client.FloorRequest{})
		next <- failed
	}()
	eventually(t, "bo waits", func() bool { return bo.call.Floor().State().Position == 1 })
	killed := time.Now()
	shears.kill(&network)
	require.NoError(t, <-next)
	t.Logf("the floor is free after %v", time.Since(killed))
	ear.hears(bo)
	info, err := bo.Channel(soon(t), "radio")
	require.NoError(t, err)
	require.Len(t, info.ActiveMembers, 3, "ada's session waits for her")
	told(ear, "bo has it", func(ev *protocol.FloorTaken) bool { return ev.UserID == bo.UserID() })
	bo.silence()
	ear.inOrder()
	ear.check(ada, bo)
}

// TestTalkOverTheFloor: a moderator is heard beside who has the floor, by one with a single line in their place.
func TestTalkOverTheFloor(t *testing.T) {
	verifyNoLeaks(t)
	s := radioServer(t)
	mint := func(userID string, role auth.Role) *person {
		authority, err := auth.New([]byte(testSecret))
		require.NoError(t, err)
		token, err := authority.Mint(auth.Identity{UserID: userID, Grants: roleOf(role)}, time.Now(), time.Hour)
		require.NoError(t, err)
		return arriveAs(t, s, token)
	}
	ruth := mint("ruth", auth.RoleAdmin)
	_, err := ruth.UpdateChannel(soon(t), protocol.ChannelUpdate{
		ChannelID: "radio", ChannelSettings: floorSettings(protocol.FloorSettings{Over: new(true)}),
	})
	require.NoError(t, err)
	two, one := arrive(t, s, "two").join("radio", listenOnly, slots(2)), arrive(t, s, "one").join("radio", listenOnly, slots(1))
	ada, mod := arrive(t, s, "ada").join("radio", slots(2)).talk(), mint("mod", auth.RoleModerator).join("radio", slots(2)).talk()
	floor, err := ada.call.Floor().Acquire(soon(t), client.FloorRequest{})
	require.NoError(t, err)
	two.hears(ada)
	one.hears(ada)
	over, err := mod.call.Floor().Acquire(soon(t), client.FloorRequest{Over: true})
	require.NoError(t, err)
	two.hears(ada, mod)
	one.hears(mod)
	one.hearsNot(ada, func() { one.hears(mod) })
	mod.hears(ada)
	ada.hears(mod)
	require.NoError(t, over.Release(soon(t)))
	one.hears(ada)
	one.hearsNot(mod, func() { one.hears(ada) })
	require.NoError(t, floor.Release(soon(t)))
	require.Equal(t, []string{ada.UserID()}, two.turns(0))
	require.Equal(t, []string{mod.UserID()}, two.turns(1))
	require.Equal(t, []string{ada.UserID(), mod.UserID(), ada.UserID()}, one.turns(0))
	ada.silence()
	mod.silence()
	two.check(ada, mod)
	one.check(ada, mod)
}

package sfu

import (
	"context"
	"fmt"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestJoinConnectsEveryoneWithEveryoneElse(t *testing.T) {
	c, peers, notifier := newChannel(t, 10)
	conns := map[string]*conn{"ada": newConn(t, 1, 3), "bob": newConn(t, 2, 3), "cyd": newConn(t, 3, 3)}
	for _, name := range []string{"ada", "bob", "cyd"} {
		join(t, c, name, conns[name])
	}
	require.Len(t, peers.ChannelPeers("lobby"), 3)
	for name, media := range conns {
		media.talk()
		for other, listener := range conns {
			var heard []uint32
			for _, slot := range listener.heard {
				heard = append(heard, slot.take()...)
			}
			if other == name {
				require.Empty(t, heard, "%s hears itself", name)
			} else {
				require.Equal(t, []uint32{media.ssrc}, heard, "%s hears %s", other, name)
			}
		}
	}
	var joins []string
	for _, call := range notifier.take() {
		if e, ok := call.event.(MemberJoined); ok {
			joins = append(joins, e.Member.UserID)
			require.Equal(t, e.Member.UserID, call.except)
		}
	}
	require.Equal(t, []string{"ada", "bob", "cyd"}, joins)
}

func TestJoinTellsTheJoinerBeforeAnythingLater(t *testing.T) {
	c, _, notifier := newChannel(t, 10)
	join(t, c, "ada", newConn(t, 1, 2))
	notifier.take()
	var found Snapshot
	_, err := enter(c, newConn(t, 2, 2), JoinRequest{UserID: "bob", Name: "Bob", SelfMute: true, OnJoined: func(s Snapshot) {
		require.Empty(t, notifier.take(), "nobody is told before the joiner")
		found = s
	}})
	require.NoError(t, err)
	require.Equal(t, 2, found.Channel.MemberCount)
	require.Equal(t, "answer", found.Answer)
	require.Equal(t, []MemberInfo{
		{UserID: "ada", Name: "ada", Talker: true},
		{UserID: "bob", Name: "Bob", Talker: true, SelfMute: true},
	}, found.Members)
	require.Equal(t, []SlotInfo{{MID: "a", UserID: "ada", SSRC: 1}, {MID: "b"}}, found.Slots)
	calls := notifier.take()
	require.Len(t, calls, 2)
	require.IsType(t, MemberJoined{}, calls[0].event)
	require.Equal(t, told{[]string{"ada"}, "", SlotsChanged{
		ChannelID: "lobby", Slots: []SlotInfo{{MID: "a", UserID: "bob", SSRC: 2}, {MID: "b"}},
	}}, calls[1])
}

func TestJoinRefusals(t *testing.T) {
	c, peers, notifier := newChannel(t, 2)
	join(t, c, "ada", newConn(t, 1, 1))
	notifier.take()

	again := newConn(t, 2, 1)
	_, err := enter(c, again, JoinRequest{UserID: "ada"})
	require.ErrorIs(t, err, ErrAlreadyInChannel)
	_, err = enter(c, again, JoinRequest{UserID: "bob", Offer: "bad"})
	require.ErrorIs(t, err, ErrBadSDP)

	join(t, c, "bob", newConn(t, 3, 1))
	notifier.take()
	late := newConn(t, 4, 1)
	_, err = enter(c, late, JoinRequest{UserID: "cyd"})
	require.ErrorIs(t, err, ErrChannelFull)

	require.Empty(t, notifier.take(), "a refused join is told to nobody")
	require.Equal(t, 2, peers.Len(), "a refused join leaves no media peer")
	require.Zero(t, again.closed.Load()+late.closed.Load(), "a refusal costs no negotiation")
	require.Len(t, c.Members(), 2)
}

func TestLeaveFreesTheSlotForTheNext(t *testing.T) {
	c, peers, notifier := newChannel(t, 10)
	listener := newConn(t, 0, 2)
	join(t, c, "ear", listener)
	first := join(t, c, "ada", newConn(t, 1, 0))
	join(t, c, "bob", newConn(t, 2, 0))
	third := newConn(t, 3, 0)
	join(t, c, "cyd", third)
	third.talk()
	require.Empty(t, listener.heard[0].take(), "no slot is free for the third")
	notifier.take()

	require.True(t, first.Leave(LeaveLeft))
	require.False(t, first.Leave(LeaveLeft), "out is out")
	require.False(t, first.Active())
	require.EqualValues(t, 1, first.Peer().Conn.(*conn).closed.Load())
	require.Equal(t, 3, peers.Len())
	third.talk()
	require.Equal(t, []uint32{3}, listener.heard[0].take())
	calls := notifier.take()
	require.Len(t, calls, 2)
	require.Equal(t, MemberLeft{
		ChannelID: "lobby", Member: MemberInfo{UserID: "ada", Name: "ada", Talker: true}, Cause: LeaveLeft,
	}, calls[0].event)
	require.Equal(t, "ada", calls[0].except)
	require.Equal(t, SlotsChanged{
		ChannelID: "lobby", Slots: []SlotInfo{{MID: "a", UserID: "cyd", SSRC: 3}, {MID: "b", UserID: "bob", SSRC: 2}},
	}, calls[1].event)
}

func TestLeaverHearsAndSaysNothingMore(t *testing.T) {
	c, _, _ := newChannel(t, 10)
	ada, bob := newConn(t, 1, 1), newConn(t, 2, 1)
	m := join(t, c, "ada", ada)
	join(t, c, "bob", bob)
	m.Leave(LeaveGone)
	ada.talk()
	bob.talk()
	require.Empty(t, bob.heard[0].take())
	require.Empty(t, ada.heard[0].take())
}

func TestOldMemberCannotLeaveForTheNewOne(t *testing.T) {
	c, _, _ := newChannel(t, 10)
	old := join(t, c, "ada", newConn(t, 1, 1))
	old.Leave(LeaveGone)
	newer := join(t, c, "ada", newConn(t, 2, 1))
	require.False(t, old.Leave(LeaveGone))
	require.False(t, old.SetVoiceState(new(true), nil, nil))
	require.True(t, newer.Active())
	require.Equal(t, []MemberInfo{{UserID: "ada", Name: "ada", Talker: true}}, c.Members())
}

func TestMuteAndDeafenAtTheServer(t *testing.T) {
	c, _, notifier := newChannel(t, 10)
	ada, bob := newConn(t, 1, 1), newConn(t, 2, 1)
	m := join(t, c, "ada", ada)
	join(t, c, "bob", bob)
	hears := func(from, to *conn) bool {
		from.talk()
		return len(to.heard[0].take()) > 0
	}
	require.True(t, hears(ada, bob))
	notifier.take()

	require.True(t, m.SetVoiceState(new(true), nil, nil))
	require.False(t, hears(ada, bob))
	require.True(t, hears(bob, ada), "the muted still hear")
	require.Equal(t, []told{{[]string{"ada", "bob"}, "ada", VoiceStateChanged{
		ChannelID: "lobby", Member: MemberInfo{UserID: "ada", Name: "ada", Talker: true, SelfMute: true},
	}}}, notifier.take())

	m.SetVoiceState(new(true), nil, nil)
	require.Empty(t, notifier.take(), "no change, no news")

	m.SetVoiceState(new(false), new(true), nil)
	require.False(t, hears(bob, ada), "the deaf hear nothing")
	require.False(t, hears(ada, bob), "deaf implies mute")
	require.True(t, c.Members()[0].SelfMute)

	m.SetVoiceState(nil, new(false), nil)
	require.True(t, hears(ada, bob))
	require.True(t, hears(bob, ada))
}

func TestDevicesAreTold(t *testing.T) {
	c, _, notifier := newChannel(t, 10)
	gone := Devices{Mic: "lost"}
	m, err := enter(c, newConn(t, 1, 1), JoinRequest{UserID: "ada", Devices: gone})
	require.NoError(t, err)
	join(t, c, "bob", newConn(t, 2, 1))
	require.Equal(t, gone, c.Members()[0].Devices, "those who come later find it")
	notifier.take()

	require.True(t, m.SetDevices(gone))
	require.Empty(t, notifier.take(), "no change, no news")
	require.True(t, m.SetDevices(Devices{Sound: "blocked"}))
	require.Equal(t, []told{{[]string{"ada", "bob"}, "ada", VoiceStateChanged{
		ChannelID: "lobby", Member: MemberInfo{UserID: "ada", Talker: true, Devices: Devices{Sound: "blocked"}},
	}}}, notifier.take())

	require.True(t, m.Leave(LeaveLeft))
	require.False(t, m.SetDevices(gone), "not in the channel any more")
}

func TestMuteBeforeJoining(t *testing.T) {
	c, _, _ := newChannel(t, 10)
	ada, bob := newConn(t, 1, 1), newConn(t, 2, 1)
	join(t, c, "bob", bob)
	_, err := enter(c, ada, JoinRequest{UserID: "ada", SelfMute: true})
	require.NoError(t, err)
	ada.talk()
	require.Empty(t, bob.heard[0].take())
}

func TestMediaTimeoutIsToldToTheMemberToo(t *testing.T) {
	c, _, notifier := newChannel(t, 10)
	m := join(t, c, "ada", newConn(t, 1, 1))
	notifier.take()
	require.True(t, m.Leave(LeaveMediaTimeout))
	calls := notifier.take()
	require.Len(t, calls, 1)
	require.Equal(t, []string{"ada"}, calls[0].to)
	require.Empty(t, calls[0].except)
}

// Two sessions that pass the first check together: the second is refused after it has
// negotiated, and what it negotiated is closed.
func TestJoinThatLosesTheRaceIsClosed(t *testing.T) {
	c, peers, _ := newChannel(t, 1)
	media := newConn(t, 2, 1)
	c.hub.answer = func(context.Context, string, []netip.AddrPort) (Conn, error) {
		c.hub.answer = answerFromContext
		join(t, c, "ada", newConn(t, 1, 1)) //nolint:contextcheck // another member's join
		return media, nil
	}
	_, err := c.Join(t.Context(), JoinRequest{UserID: "bob"})
	require.ErrorIs(t, err, ErrChannelFull)
	require.EqualValues(t, 1, media.closed.Load())
	require.Equal(t, 1, peers.Len())
}

func TestManyComeAndGoAtOnce(t *testing.T) {
	hub, peers, _ := newHub(t, 1000)
	c := create(t, hub)
	decideUntilEnd(t, hub)
	var all sync.WaitGroup
	for i := range 16 {
		all.Go(func() {
			user := fmt.Sprintf("user%d", i)
			for range 30 {
				media := newConn(t, uint32(i+1), 4)
				m := join(t, c, user, media)
				media.say(20, time.Now())
				media.say(20, time.Now())
				m.SetVoiceState(new(i%2 == 0), new(i%3 == 0), nil)
				m.Subscribe([]string{"user1", "user2"}, []string{"user3"}, nil)
				media.say(30, time.Now())
				if !m.Leave(LeaveLeft) {
					t.Error("a member was out before it left")
				}
			}
		})
	}
	all.Wait()
	require.Empty(t, c.Members())
	require.Zero(t, peers.Len())
}

// What OnJoined leaves in a channel is there for the next who joins, and goes with the last member.
func TestChannelKeepsANoteForItsMembers(t *testing.T) {
	c, _, _ := newChannel(t, 10)
	visits := 0
	visit := func(name string, id uint64) *Member {
		m, err := enter(c, newConn(t, uint32(id), 1), JoinRequest{UserID: name, OnJoined: func(s Snapshot) {
			visits, _ = (*s.Note).(int)
			*s.Note = visits + 1
		}})
		require.NoError(t, err)
		return m
	}
	ada, bob := visit("ada", 1), visit("bob", 2)
	require.Equal(t, 1, visits)
	ada.Leave(LeaveLeft)
	ada = visit("ada", 3)
	require.Equal(t, 2, visits)
	ada.Leave(LeaveLeft)
	bob.Leave(LeaveLeft)
	visit("cyd", 4)
	require.Zero(t, visits)
}

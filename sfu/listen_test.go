package sfu

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mini-livechat/mini-livechat/sfu/floor"
	"github.com/mini-livechat/mini-livechat/sfu/rtp"
	"github.com/mini-livechat/mini-livechat/sfu/speaker"
)

// bands are channels of one hub, each with a talker, and a member of the first who may listen to the others. They live in the time of a synctest bubble.
type bands struct {
	t        *testing.T
	hub      *ChannelHub
	told     *recorder
	channels []*Channel
	talkers  []*conn
	members  []*Member
	ear      *conn
	me       *Member
	now      time.Time
	levels   map[*conn]speaker.Level
}

// newBands makes channels of these modes; who listens has this many slots.
func newBands(t *testing.T, slots int, modes ...Mode) *bands {
	t.Helper()
	b := &bands{t: t, now: time.Now(), levels: map[*conn]speaker.Level{}, ear: newConn(t, 99, slots)}
	b.hub, _, b.told = newHub(t, 100)
	b.hub.limits.Channels = 100
	for i, mode := range modes {
		id := string(rune('a' + i))
		_, err := b.hub.Create(ChannelSpec{ID: id, Settings: Settings{Name: id + "-channel", Mode: mode, Floor: FloorByDefault()}}, b.now, free)
		require.NoError(t, err)
		c, err := b.hub.Get(id)
		require.NoError(t, err)
		b.channels = append(b.channels, c)
		b.talkers = append(b.talkers, newConn(t, uint32(i+1), 2))
		b.members = append(b.members, join(t, c, "talker-"+id, b.talkers[i]))
		b.levels[b.talkers[i]] = speaker.Silence
	}
	b.me = join(t, b.channels[0], "me", b.ear)
	b.told.take()
	return b
}

// listen listens to some channels, by their numbers; the first also has priority if there is such.
func (b *bands) listen(slots, priority int, channels ...int) Listening {
	b.t.Helper()
	req := ListenRequest{Slots: slots}
	for _, i := range channels {
		req.Channels = append(req.Channels, b.channels[i])
	}
	if priority > 0 {
		req.Priority = b.channels[priority]
	}
	var got Listening
	require.NoError(b.t, b.me.Listen(req, func(l Listening) { got = l }))
	return got
}

// pass lets time pass, in which those who speak do.
func (b *bands) pass(d time.Duration) {
	for range d / frameLen {
		time.Sleep(frameLen)
		synctest.Wait()
		b.now = time.Now()
		for _, c := range b.talkers {
			if level := b.levels[c]; level < speaker.Silence {
				c.say(level, b.now)
			}
		}
		for _, c := range b.channels {
			c.decide(b.now)
		}
	}
}

// hears returns who is heard on the last slot for that time, each once, in their order.
func (b *bands) hears(d time.Duration) []uint32 {
	b.ear.hears()
	b.pass(d)
	heard := b.ear.hears()
	var once []uint32
	for _, ssrc := range heard[len(heard)-1] {
		if len(once) == 0 || once[len(once)-1] != ssrc {
			once = append(once, ssrc)
		}
	}
	return once
}

// slot is what the member was last told of the last slot, and everything that was told besides.
func (b *bands) slot() (slot SlotInfo, calls []told) {
	calls = b.told.take()
	for _, call := range calls {
		if e, ok := call.event.(SlotsChanged); ok && call.to[0] == "me" {
			require.Equal(b.t, b.me.Channel().ID(), e.ChannelID)
			require.Len(b.t, e.Slots, len(b.ear.slots))
			slot = e.Slots[len(e.Slots)-1]
		}
	}
	return slot, calls
}

func (b *bands) grant(i int) {
	b.t.Helper()
	require.NoError(b.t, b.members[i].RequestFloor(context.Background(), FloorRequest{}, func(FloorAnswer) {}))
}

// inTime runs a part of a test in a bubble of its own.
func inTime(t *testing.T, name string, run func(*testing.T)) {
	t.Helper()
	t.Run(name, func(t *testing.T) { synctest.Test(t, run) })
}

func (b *bands) release(i int) {
	b.t.Helper()
	b.channels[i].mu.Lock()
	defer b.channels[i].mu.Unlock()
	b.channels[i].applyLocked(time.Now(), onFloor, floor.Leave{User: b.members[i].self.userID}) // without the tail
}

func TestListenHearsTheFirstWithTraffic(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBands(t, 3, ModeConference, ModeConference, ModePTT, ModeConference)
		require.Equal(t, Listening{Channels: []string{"b", "c", "d"}, Slots: 1}, b.listen(1, 0, 1, 2, 3))
		require.Empty(t, b.hears(100*time.Millisecond))
		require.Equal(t, []ListenerInfo{{"me", "me"}}, b.channels[1].Listeners())
		require.Len(t, b.channels[1].Members(), 1, "who listens is no member")

		b.levels[b.talkers[3]] = 30
		require.Equal(t, []uint32{4}, b.hears(time.Second))
		slot, calls := b.slot()
		require.Equal(t, SlotInfo{MID: "c", UserID: "talker-d", SSRC: 4, Name: "talker-d", ChannelID: "d", ChannelName: "d-channel"}, slot)
		for _, speakers := range calls {
			if e, ok := speakers.event.(SpeakersChanged); ok && e.ChannelID != "a" {
				require.NotContains(t, speakers.to, "me")
			}
		}

		b.levels[b.talkers[1]] = 30
		require.Equal(t, []uint32{4}, b.hears(time.Second), "the first in the list interrupts nobody")
		b.levels[b.talkers[3]] = speaker.Silence
		require.Empty(t, b.hears(scanHang), "an answer is waited for")
		require.Equal(t, []uint32{2}, b.hears(time.Second))
		b.levels[b.talkers[1]] = speaker.Silence
		b.pass(scanHang + time.Second)
		slot, _ = b.slot()
		require.Equal(t, SlotInfo{MID: "c"}, slot, "nobody is heard any more")
	})
}

// Of a channel where one talks at a time only who has the floor is heard, and none of what came before.
func TestListenHearsTheFloor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBands(t, 2, ModeConference, ModePTT)
		b.listen(1, 0, 1)
		b.levels[b.talkers[1]] = 30
		require.Empty(t, b.hears(time.Second), "without the floor")
		b.grant(1)
		require.Equal(t, []uint32{2}, b.hears(20*time.Millisecond))
		b.ear.hears()
		b.pass(time.Second)
		require.Len(t, b.ear.hears()[1], 50, "each packet once")
		b.release(1)
		require.Empty(t, b.hears(time.Second))
		b.grant(1)
		b.members[1].SetMuted(true, "")
		require.Empty(t, b.hears(time.Second))
	})
}

// A newcomer is heard from the first packet on, as in one's own channel.
func TestListenMissesNoFirstSyllable(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBands(t, 2, ModeConference, ModeConference)
		b.listen(1, 0, 1)
		b.levels[b.talkers[1]] = 30
		b.pass(time.Second)
		require.Len(t, b.ear.hears()[1], 50)
	})
}

func TestListenPriorityInterrupts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBands(t, 2, ModeConference, ModeConference, ModePTT)
		b.listen(1, 2, 1, 2)
		b.levels[b.talkers[1]], b.levels[b.talkers[2]] = 30, 30
		require.Equal(t, []uint32{2}, b.hears(time.Second))
		b.grant(2)
		require.Equal(t, []uint32{3}, b.hears(3*time.Second))
		b.release(2)
		require.Empty(t, b.hears(scanHang-frameLen))
		require.Equal(t, []uint32{2}, b.hears(time.Second))
	})
}

// A list that is changed while somebody is heard interrupts nothing, nor do more slots.
func TestListenChangesItsMind(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBands(t, 4, ModeConference, ModeConference, ModeConference)
		b.listen(1, 0, 1)
		b.levels[b.talkers[1]], b.levels[b.talkers[2]] = 30, 30
		require.Equal(t, []uint32{2}, b.hears(time.Second))
		for _, slots := range []int{1, 2, 1} {
			b.listen(slots, 0, 2, 1)
			b.ear.hears()
			b.pass(time.Second)
			require.Len(t, b.ear.hears()[4-slots], 50)
		}
		b.listen(1, 0, 2)
		require.Equal(t, []uint32{3}, b.hears(time.Second))
		require.Empty(t, b.channels[1].Listeners())
		require.Equal(t, Listening{Channels: []string{}}, b.listen(0, 0))
		require.Empty(t, b.hears(time.Second))
		require.Empty(t, b.channels[2].Listeners())
		require.Len(t, b.me.leg.slots, 4)
		for i, c := range b.channels[1:] {
			require.Empty(t, c.board.ears)
			talker := b.talkers[i+1]
			_, offered := talker.source.Prepare(&rtp.Packet{SSRC: talker.ssrc, SequenceNumber: talker.seq + 1, Payload: []byte{1}}, b.now)
			require.False(t, offered, "to nobody any more")
		}
	})
}

// The slots that are given up are one's own channel's no more, and come back.
func TestListenTakesSlots(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBands(t, 2, ModeConference, ModeConference)
		more := newConn(t, 50, 1)
		join(t, b.channels[0], "more", more)
		own := func() []string {
			var users []string //nolint:prealloc // two
			for _, slot := range b.channels[0].board.describe(b.me.leg) {
				users = append(users, slot.UserID)
			}
			return users
		}
		require.Equal(t, []string{"talker-a", "more"}, own())
		b.listen(1, 0, 1)
		require.Equal(t, []string{"talker-a", ""}, own())
		b.talkers[0].talk()
		more.talk()
		require.Equal(t, [][]uint32{{1}, nil}, b.ear.hears())
		b.levels[more] = 20
		b.talkers = append(b.talkers, more)
		b.pass(3 * time.Second)
		require.Equal(t, []string{"more", ""}, own(), "who speaks takes the one that is left")
		b.listen(0, 0)
		require.Equal(t, []string{"more", "talker-a"}, own())

		for _, slots := range []int{0, 2, 3} {
			err := b.me.Listen(ListenRequest{Channels: b.channels[1:], Slots: slots}, nil)
			require.ErrorIs(t, err, ErrBadListen)
		}
		require.ErrorIs(t, b.me.Listen(ListenRequest{Channels: b.channels[:1], Slots: 1}, nil), ErrBadListen)
	})
}

func TestListenEnds(t *testing.T) {
	inTime(t, "by being deaf", func(t *testing.T) {
		t.Helper()
		b := newBands(t, 2, ModeConference, ModeConference)
		b.listen(1, 0, 1)
		b.levels[b.talkers[1]] = 30
		require.Equal(t, []uint32{2}, b.hears(time.Second))
		require.True(t, b.me.SetVoiceState(nil, new(true), nil))
		require.Empty(t, b.hears(time.Second))
		require.True(t, b.me.SetVoiceState(nil, new(false), nil))
		require.Equal(t, []uint32{2}, b.hears(time.Second))
	})
	inTime(t, "by excluding", func(t *testing.T) {
		t.Helper()
		b := newBands(t, 2, ModeConference, ModeConference, ModePTT)
		b.listen(1, 0, 1, 2)
		b.grant(2)
		b.levels[b.talkers[1]], b.levels[b.talkers[2]] = 30, 30
		require.Equal(t, []uint32{3}, b.hears(time.Second))
		require.True(t, b.me.Subscribe(nil, []string{"talker-c"}, nil))
		require.Empty(t, b.hears(scanHang-frameLen))
		require.Equal(t, []uint32{2}, b.hears(time.Second))
		require.True(t, b.me.Subscribe(nil, []string{"talker-c", "talker-b"}, nil))
		require.Empty(t, b.hears(time.Second))
	})
	inTime(t, "with the channel", func(t *testing.T) {
		t.Helper()
		b := newBands(t, 2, ModeConference, ModeConference, ModeConference)
		b.listen(1, 2, 1, 2)
		b.told.take()
		require.True(t, b.hub.Delete(b.channels[2], ""))
		b.pass(frameLen)
		_, calls := b.slot()
		require.Equal(t, []ListeningChanged{{ChannelID: "a", Listening: Listening{Channels: []string{"b"}, Slots: 1}}}, events[ListeningChanged](calls))
		require.True(t, b.hub.Delete(b.channels[1], ""))
		b.pass(frameLen)
		_, calls = b.slot()
		require.Equal(t, []ListeningChanged{{ChannelID: "a", Listening: Listening{Channels: []string{}}}}, events[ListeningChanged](calls))
		require.Len(t, b.me.leg.slots, 2, "the slot is given back")
	})
	inTime(t, "by Unlisten", func(t *testing.T) {
		t.Helper()
		b := newBands(t, 2, ModeConference, ModeConference, ModeConference)
		b.listen(1, 0, 1, 2)
		b.levels[b.talkers[1]] = 30
		require.Equal(t, []uint32{2}, b.hears(time.Second))
		b.told.take()
		b.me.Unlisten(func(c *Channel) bool { return c == b.channels[1] })
		require.Empty(t, b.hears(time.Second))
		_, calls := b.slot()
		require.Equal(t, []ListeningChanged{{ChannelID: "a", Listening: Listening{Channels: []string{"c"}, Slots: 1}}}, events[ListeningChanged](calls))
		require.Empty(t, b.channels[1].Listeners())
	})
	inTime(t, "with the call", func(t *testing.T) {
		t.Helper()
		b := newBands(t, 2, ModeConference, ModeConference)
		b.listen(1, 0, 1)
		b.levels[b.talkers[1]] = 30
		b.pass(time.Second)
		require.True(t, b.me.Leave(LeaveLeft))
		require.Empty(t, b.hears(time.Second))
		require.Empty(t, b.channels[1].Listeners())
		require.ErrorIs(t, b.me.Listen(ListenRequest{Channels: b.channels[1:], Slots: 1}, nil), ErrNotInChannel)
	})
}

// Who is moved goes on listening, but not to where they are now.
func TestListenGoesAlong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBands(t, 2, ModeConference, ModeConference, ModeConference)
		b.listen(1, 0, 1, 2)
		b.levels[b.talkers[1]] = 30
		require.Equal(t, []uint32{2}, b.hears(time.Second))
		b.told.take()
		var found Snapshot
		next, err := b.me.Move(b.channels[2], Standing{}, nil, func(s Snapshot) { found = s })
		require.NoError(t, err)
		b.me = next
		require.Equal(t, []string{"talker-c", "talker-b"}, []string{found.Slots[0].UserID, found.Slots[1].UserID})
		require.Equal(t, []uint32{2}, b.hears(time.Second))
		_, calls := b.slot()
		require.Equal(t, []ListeningChanged{{ChannelID: "c", Listening: Listening{Channels: []string{"b"}, Slots: 1}}}, events[ListeningChanged](calls))
		require.Equal(t, Listening{Channels: []string{"a"}, Slots: 1}, b.listen(1, 0, 0))
		b.levels[b.talkers[0]] = 30
		require.Equal(t, []uint32{1}, b.hears(time.Second))
	})
}

// A channel that changes its mode or its name is listened to as it is.
func TestListenFollowsTheChannel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBands(t, 2, ModeConference, ModeConference)
		b.listen(1, 0, 1)
		b.levels[b.talkers[1]] = 30
		require.Equal(t, []uint32{2}, b.hears(time.Second))
		_, err := b.hub.Update(b.channels[1], func(s *Settings) { s.Mode, s.Name = ModePTT, "wave" }, "", free)
		require.NoError(t, err)
		require.Empty(t, b.hears(time.Second))
		b.grant(1)
		require.Equal(t, []uint32{2}, b.hears(time.Second))
		slot, _ := b.slot()
		require.Equal(t, "wave", slot.ChannelName)
		_, err = b.hub.Update(b.channels[1], func(s *Settings) { s.Mode = ModeConference }, "", free)
		require.NoError(t, err)
		b.members[1].SetMuted(true, "")
		require.Empty(t, b.hears(time.Second))
		b.members[1].SetMuted(false, "")
		require.Equal(t, []uint32{2}, b.hears(time.Second))
	})
}

package sfu

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mini-livechat/mini-livechat/sfu/floor"
	"github.com/mini-livechat/mini-livechat/sfu/forward"
	"github.com/mini-livechat/mini-livechat/sfu/forward/forwardtest"
	"github.com/mini-livechat/mini-livechat/sfu/peer"
)

// heardAlone is what radio.heard says while one of them, or nobody, is heard.
func heardAlone(user string) map[string]string {
	heard := make(map[string]string)
	for _, listener := range []string{"ada", "ben", "cleo"} {
		heard[listener] = "|"
		if user != "" && user != listener {
			heard[listener] = user[:1] + "|"
		}
	}
	return heard
}

// pass lets time pass, while the holder of a grant, 0 for none, pings as a client does.
func (r *radio) pass(d time.Duration, holder string, grant uint64) {
	r.t.Helper()
	const every = 2 * time.Second
	for d > 0 {
		step := min(d, every)
		time.Sleep(step)
		synctest.Wait()
		if d -= step; d > 0 && grant != 0 {
			require.NoError(r.t, r.member[holder].PingFloor(context.Background(), grant, func(time.Duration) {}))
		}
	}
}

// TestNobodyTalksForEver: after 25 s there is a warning, after 30 the next one talks.
func TestNobodyTalksForEver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRadio(t, FloorByDefault())
		ada := *r.press("ada", 0).Grant
		require.Equal(t, floor.DefaultTalk, time.Until(ada.Until))
		r.press("ben", 0)
		r.notifier.take()
		r.pass(25*time.Second-1, "ada", ada.ID)
		require.Empty(t, events[FloorRevoked](r.notifier.take()))
		r.pass(1, "", 0)
		require.Equal(t, []told{{[]string{"ada"}, "", FloorRevoked{
			ChannelID: "lobby", FloorGrant: ada, Cause: floor.CauseTooLong, Grace: floor.DefaultWarn,
		}}}, r.notifier.take())
		require.Equal(t, heardAlone("ada"), r.heard(), "and talks on")
		var left time.Duration
		require.NoError(t, r.member["ada"].PingFloor(context.Background(), ada.ID, func(l time.Duration) { left = l }))
		require.Equal(t, 5*time.Second, left)
		r.pass(5*time.Second-1, "ada", ada.ID)
		require.Equal(t, heardAlone("ada"), r.heard())
		require.Empty(t, r.notifier.take())
		r.pass(1, "", 0)
		require.Equal(t, heardAlone("ben"), r.heard())
		calls := r.notifier.take()
		require.Equal(t, FloorRevoked{ChannelID: "lobby", FloorGrant: ada, Cause: floor.CauseTooLong}, calls[0].event)
		require.Equal(t, "ben", events[FloorGranted](calls)[0].UserID)
		require.Equal(t, "ben", events[FloorTaken](calls)[0].UserID)
		require.Empty(t, events[FloorIdle](calls))
		require.ErrorIs(t, r.member["ada"].PingFloor(context.Background(), ada.ID, func(time.Duration) {}), ErrNotHolder)
	})
}

// TestWhoIsGoneLosesTheFloor after 6 s without a ping; others' pings do not count, nor those of another grant.
func TestWhoIsGoneLosesTheFloor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRadio(t, FloorByDefault())
		ada := *r.press("ada", 0).Grant
		require.Equal(t, floor.DefaultPing, ada.Ping)
		r.press("ben", 0)
		r.pass(6*time.Second-1, "", 0)
		require.NoError(t, r.member["ada"].PingFloor(context.Background(), ada.ID, func(time.Duration) {}))
		r.pass(3*time.Second, "", 0)
		require.ErrorIs(t, r.member["ben"].PingFloor(context.Background(), ada.ID, func(time.Duration) {}), ErrNotHolder)
		require.ErrorIs(t, r.member["ada"].PingFloor(context.Background(), ada.ID+uint64(lineCount), func(time.Duration) {}), ErrNotHolder)
		require.ErrorIs(t, r.member["ada"].PingFloor(context.Background(), ada.ID+1, func(time.Duration) {}), ErrNotHolder, "of the other line")
		r.pass(3*time.Second-1, "", 0)
		require.Equal(t, heardAlone("ada"), r.heard())
		r.notifier.take()
		r.pass(1, "", 0)
		require.Equal(t, heardAlone("ben"), r.heard())
		require.Equal(t, floor.CauseSilent, events[FloorRevoked](r.notifier.take())[0].Cause)
	})
}

// TestAPauseFollows the tail: nobody is heard, and who asks waits.
func TestAPauseFollows(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		settings := FloorByDefault()
		settings.Pause = time.Second
		r := newRadio(t, settings)
		r.press("ada", 0)
		time.Sleep(time.Second)
		r.notifier.take()
		r.release("ada")
		require.Empty(t, r.notifier.take(), "nobody else has it before the tail is over")
		r.pass(floor.DefaultTail-1, "", 0)
		require.Equal(t, heardAlone("ada"), r.heard())
		r.pass(1, "", 0)
		require.Equal(t, heardAlone(""), r.heard())
		require.Equal(t, []told{{[]string{"ada", "ben", "cleo"}, "", FloorIdle{ChannelID: "lobby"}}}, r.notifier.take())
		require.NotNil(t, r.press("ben", 255).Place, "nobody may have it for a moment")
		r.pass(time.Second-1, "", 0)
		require.Equal(t, heardAlone(""), r.heard())
		r.pass(1, "", 0)
		require.Equal(t, heardAlone("ben"), r.heard())
		require.Equal(t, "ben", events[FloorTaken](r.notifier.take())[0].UserID)
	})
}

// TestCutIn: everybody takes the floor from everybody, at once.
func TestCutIn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		settings := FloorByDefault()
		settings.CutIn = true
		r := newRadio(t, settings)
		r.press("ada", 200)
		for _, user := range []string{"ben", "cleo", "ada", "ben"} {
			r.notifier.take()
			require.NotNil(t, r.press(user, 0).Grant)
			require.Equal(t, heardAlone(user), r.heard())
			require.Equal(t, floor.CausePreempted, events[FloorRevoked](r.notifier.take())[0].Cause)
		}
		r.pass(floor.DefaultPing, "", 0)
		require.Equal(t, heardAlone(""), r.heard())
	})
}

// TestSettingsCountAtOnce: a warning that is due earlier than before comes then, though nothing else happens.
func TestSettingsCountAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		settings := FloorByDefault()
		settings.Talk = 3 * time.Second // with a warning of a second
		r := newRadio(t, settings)
		r.channel.hub.floor.Ping = 0
		_, err := r.channel.hub.Update(r.channel, func(s *Settings) { s.Floor.Queue = 3 }, "", free)
		require.NoError(t, err)
		r.press("ada", 0)
		_, err = r.channel.hub.Update(r.channel, func(s *Settings) { s.Floor.Talk = time.Minute }, "", free)
		require.NoError(t, err)
		synctest.Wait()
		require.Equal(t, 3*time.Second, events[FloorRevoked](r.notifier.take())[0].Grace, "five seconds are more than all there is")
		r.pass(3*time.Second-1, "", 0)
		require.Equal(t, heardAlone("ada"), r.heard())
		r.pass(1, "", 0)
		require.Equal(t, heardAlone(""), r.heard())
	})
}

// TestAChangeOfTalkerIsARewrite: a listener has one stream, whoever talks and however often, in the same slot.
func TestAChangeOfTalkerIsARewrite(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		settings := FloorByDefault()
		settings.CutIn = true
		r := newRadio(t, settings)
		checker := forwardtest.NewChecker(t, forward.DefaultClockRate, nil)
		ear := newConn(t, 0, 0)
		for i := range 2 {
			slot, err := forward.NewSlot(forward.RandomSlotConfig(uint32(7000+i), 111, 0), checker)
			require.NoError(t, err)
			slot.Open()
			ear.slots = append(ear.slots, peer.Slot{Slot: slot, MID: fmt.Sprint(i)})
		}
		join(t, r.channel, "ear", ear)
		users := []string{"ada", "ben", "cleo"}
		const turns, frames = 30, 7
		for turn := range turns {
			r.press(users[turn%len(users)], 0)
			for range frames {
				for _, user := range users {
					r.media[user].talk()
				}
				time.Sleep(frameLen)
			}
		}
		stats := checker.Stats(7000)
		require.EqualValues(t, turns*frames, stats.Packets, "of each turn all")
		require.EqualValues(t, turns*frames-1, stats.Highest-stats.First)
		require.Zero(t, checker.Stats(7001).Packets)
		for _, e := range events[SlotsChanged](r.notifier.take()) {
			require.Empty(t, e.Slots[1].UserID)
		}
	})
}

// TestChannelsHaveFloorsOfTheirOwn, also where the same person has been.
func TestChannelsHaveFloorsOfTheirOwn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const channels = 40
		hub, _, notifier := newHub(t, 10)
		hub.limits.Channels, hub.floor = channels, floor.Defaults()
		ids := make(map[uint64]bool)
		members, talkers, ears := make([]*Member, channels), make([]*conn, channels), make([]*conn, channels)
		for i := range channels {
			id := fmt.Sprint("c", i)
			_, err := hub.Create(ChannelSpec{ID: id, Settings: Settings{Name: id, Mode: ModePTT, Floor: FloorByDefault()}}, time.Now(), free)
			require.NoError(t, err)
			c, err := hub.Get(id)
			require.NoError(t, err)
			talkers[i], ears[i] = newConn(t, uint32(i+1), 2), newConn(t, 0, 2)
			members[i] = join(t, c, "talker", talkers[i])
			join(t, c, "ear", ears[i])
			time.Sleep(10 * time.Millisecond)
			require.NoError(t, members[i].RequestFloor(context.Background(), FloorRequest{}, func(a FloorAnswer) { ids[a.Grant.ID] = true }))
		}
		require.Len(t, ids, channels, "no grant is taken for one of another channel")
		for i := range channels {
			talkers[i].talk()
			require.Equal(t, [][]uint32{{uint32(i + 1)}, nil}, ears[i].hears())
		}
		notifier.take()
		time.Sleep(floor.DefaultPing - 10*time.Millisecond*(channels-1))
		for i := range channels {
			synctest.Wait()
			require.Len(t, events[FloorIdle](notifier.take()), 1, "one after the other, as they began: %d", i)
			time.Sleep(10 * time.Millisecond)
		}
	})
}

// TestWhatWasDueIsNoAnswer: a request that comes before a timer that is late is answered by what becomes of it, and not by what became of
// the one before.
func TestWhatWasDueIsNoAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRadio(t, FloorByDefault())
		r.press("ada", 0)
		r.release("ada")
		r.press("ben", 0)
		require.NoError(t, r.member["cleo"].RequestFloor(context.Background(), FloorRequest{}, func(a FloorAnswer) {
			require.Equal(t, 2, a.Place.Position, "until the floor is free")
		}))
		r.channel.air.stop()
		time.Sleep(floor.DefaultTail)
		r.notifier.take()
		require.Equal(t, &FloorPlace{Position: 1, Size: 1}, r.press("cleo", 0).Place)
		require.Equal(t, []Event{FloorDenied{ChannelID: "lobby", Cause: floor.CauseBusy}}, toldTo(r.notifier.take(), "cleo")[1:])

		// Nor is what a moderator takes back the next one's.
		former := r.channel.Holders()
		r.channel.air.stop()
		time.Sleep(floor.DefaultPing)
		require.Empty(t, r.revoke("mod", former, nil))
		require.Equal(t, "cleo", r.channel.Holders()[0].UserID)
	})
}

package sfu

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mini-livechat/mini-livechat/sfu/floor"
)

// radio is a channel where one talks at a time, with three members of two slots each.
type radio struct {
	t        *testing.T
	channel  *Channel
	notifier *recorder
	media    map[string]*conn
	member   map[string]*Member
}

func newRadio(t *testing.T, settings FloorSettings) *radio {
	t.Helper()
	hub, _, notifier := newHub(t, 10)
	hub.floor = floor.Defaults()
	_, err := hub.Create(ChannelSpec{ID: "lobby", Settings: Settings{Name: "Radio", Mode: ModePTT, Floor: settings}}, time.Now(), free)
	require.NoError(t, err)
	c, err := hub.Get("lobby")
	require.NoError(t, err)
	r := &radio{t: t, channel: c, notifier: notifier, media: make(map[string]*conn), member: make(map[string]*Member)}
	for i, user := range []string{"ada", "ben", "cleo"} {
		r.media[user] = newConn(t, uint32(i+1), 2)
		r.member[user] = join(t, c, user, r.media[user])
	}
	notifier.take()
	return r
}

// press asks for the floor.
func (r *radio) press(user string, priority uint8) FloorAnswer {
	r.t.Helper()
	var got FloorAnswer
	require.NoError(r.t, r.member[user].RequestFloor(context.Background(), FloorRequest{Priority: priority, Queue: true}, func(a FloorAnswer) { got = a }))
	return got
}

func (r *radio) release(user string) {
	r.t.Helper()
	require.NoError(r.t, r.member[user].ReleaseFloor(context.Background(), 0, func() {}))
}

func (r *radio) revoke(by string, grants []FloorGrant, answer func()) []FloorGrant {
	r.t.Helper()
	revoked, err := r.channel.RevokeFloor(context.Background(), by, grants, answer)
	require.NoError(r.t, err)
	return revoked
}

// heard has everybody send a packet, and returns whom each hears, on the first slot and the second, by the initials.
func (r *radio) heard() map[string]string {
	initials := map[uint32]string{1: "a", 2: "b", 3: "c"}
	for _, user := range []string{"ada", "ben", "cleo"} {
		r.media[user].talk()
	}
	heard := make(map[string]string)
	for user, media := range r.media {
		for i, slot := range media.hears() {
			if i > 0 {
				heard[user] += "|"
			}
			for _, ssrc := range slot {
				heard[user] += initials[ssrc]
			}
		}
	}
	return heard
}

func TestOneTalksAtATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRadio(t, FloorByDefault())
		nobody := map[string]string{"ada": "|", "ben": "|", "cleo": "|"}
		onlyAda := map[string]string{"ada": "|", "ben": "a|", "cleo": "a|"}
		onlyBen := map[string]string{"ada": "b|", "ben": "|", "cleo": "b|"}
		require.Equal(t, nobody, r.heard(), "nobody has asked")

		got := r.press("ada", 0)
		require.NotNil(t, got.Grant)
		require.Equal(t, onlyAda, r.heard())
		require.EqualValues(t, 2, r.media["ben"].source.Stats().Dropped.Unpermitted)
		require.Equal(t, &FloorPlace{Position: 1, Size: 1}, r.press("ben", 0).Place)
		require.Equal(t, onlyAda, r.heard())

		r.release("ada")
		require.Equal(t, onlyAda, r.heard(), "the last syllable")
		time.Sleep(floor.DefaultTail)
		synctest.Wait()
		require.Equal(t, onlyBen, r.heard())

		require.NotNil(t, r.press("cleo", 7).Grant, "pre-empts")
		require.Equal(t, map[string]string{"ada": "c|", "ben": "c|", "cleo": "|"}, r.heard())
		require.ErrorIs(t, r.member["ben"].ReleaseFloor(context.Background(), 0, func() {}), ErrNotHolder)

		former := r.channel.Holders()
		require.Equal(t, former, r.revoke("ada", former, func() {}))
		require.Equal(t, nobody, r.heard())
		require.NotNil(t, r.press("ben", 0).Grant)
		require.Empty(t, r.revoke("ada", former, func() { t.Error("answered") }))
	})
}

// TestFloorIsTold: in their order, and after the answer to who asked.
func TestFloorIsTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRadio(t, FloorByDefault())
		ada := r.press("ada", 0)
		grant := *ada.Grant
		calls := r.notifier.take()
		require.Equal(t, told{[]string{"ada"}, "", FloorGranted{ChannelID: "lobby", FloorGrant: grant}}, calls[0])
		require.Equal(t, told{[]string{"ada", "ben", "cleo"}, "ada", FloorTaken{ChannelID: "lobby", FloorGrant: grant}}, calls[1])
		require.Len(t, events[SlotsChanged](calls), 3)
		require.Len(t, calls, 5)

		time.Sleep(time.Second)
		r.press("ben", 0)
		require.Empty(t, r.notifier.take(), "the answer says it")
		r.press("cleo", 1)
		calls = r.notifier.take()
		require.Equal(t, []told{
			{[]string{"ada"}, "", FloorRevoked{ChannelID: "lobby", FloorGrant: grant, Cause: floor.CausePreempted}},
		}, calls[:1])
		require.Equal(t, "cleo", events[FloorGranted](calls)[0].UserID)

		r.member["cleo"].Leave(LeaveLeft)
		calls = r.notifier.take()
		require.Equal(t, "ben", events[FloorGranted](calls)[0].UserID, "who waited")
		require.Empty(t, events[FloorRevoked](calls), "who is gone is told nothing")

		time.Sleep(floor.DefaultPing)
		synctest.Wait()
		calls = r.notifier.take()
		require.Equal(t, floor.CauseSilent, events[FloorRevoked](calls)[0].Cause)
		require.Len(t, events[FloorIdle](calls), 1)
	})
}

// TestMuteGivesTheFloorBack, whoever mutes, and nobody has it who is mute.
func TestMuteGivesTheFloorBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRadio(t, FloorByDefault())
		r.press("ada", 0)
		r.press("ben", 0)
		yes, no := true, false
		require.True(t, r.member["ada"].SetVoiceState(&yes, nil, nil))
		require.Equal(t, map[string]string{"ada": "b|", "ben": "|", "cleo": "b|"}, r.heard())
		require.True(t, r.member["ben"].SetMuted(true, "cleo"))
		require.Equal(t, map[string]string{"ada": "|", "ben": "|", "cleo": "|"}, r.heard())
		err := r.member["ben"].RequestFloor(context.Background(), FloorRequest{}, func(FloorAnswer) {})
		require.ErrorIs(t, err, ErrFloorSilent)
		require.True(t, r.member["ada"].SetVoiceState(&no, nil, nil))
		require.NotNil(t, r.press("ada", 0).Grant)
	})
}

// TestSpeakingOverTheFloor is heard beside it, and on a single slot instead of it.
func TestSpeakingOverTheFloor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		settings := FloorByDefault()
		r := newRadio(t, settings)
		over := func(user string) error {
			return r.member[user].RequestFloor(context.Background(), FloorRequest{Over: true}, func(FloorAnswer) {})
		}
		require.ErrorIs(t, over("cleo"), ErrNoFloor)
		_, err := r.channel.hub.Update(r.channel, func(s *Settings) { s.Floor.Over = true }, "", free)
		require.NoError(t, err)
		dan := newConn(t, 0, 1)
		join(t, r.channel, "dan", dan)
		r.press("ada", 0)
		require.NoError(t, over("cleo"))
		require.Equal(t, map[string]string{"ada": "|c", "ben": "a|c", "cleo": "a|"}, r.heard())
		require.Equal(t, [][]uint32{{3}}, dan.hears())
		require.ErrorIs(t, over("ada"), ErrFloorBusy)
		require.ErrorIs(t, over("ben"), ErrFloorBusy)
		r.release("cleo")
		time.Sleep(floor.DefaultTail)
		synctest.Wait()
		require.Equal(t, map[string]string{"ada": "|", "ben": "a|", "cleo": "a|"}, r.heard())
		require.Equal(t, [][]uint32{{1}}, dan.hears())
	})
}

// TestModeMayChangeWhilePeopleAreIn: and nobody keeps a floor that is none, or talks without one that is.
func TestModeMayChangeWhilePeopleAreIn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRadio(t, FloorByDefault())
		mode := func(m Mode) {
			_, err := r.channel.hub.Update(r.channel, func(s *Settings) { s.Mode = m }, "", free)
			require.NoError(t, err)
		}
		r.press("ada", 0)
		r.press("ben", 0)
		r.notifier.take()
		mode(ModeConference)
		calls := r.notifier.take()
		require.Equal(t, floor.CauseForbidden, events[FloorRevoked](calls)[0].Cause)
		require.Equal(t, FloorDenied{ChannelID: "lobby", Cause: floor.CauseEnded}, events[FloorDenied](calls)[0])
		require.Equal(t, map[string]string{"ada": "b|c", "ben": "a|c", "cleo": "a|b"}, r.heard())
		require.ErrorIs(t, r.member["ada"].RequestFloor(context.Background(), FloorRequest{}, nil), ErrNoFloor)
		mode(ModePTT)
		require.Equal(t, map[string]string{"ada": "|", "ben": "|", "cleo": "|"}, r.heard())
		require.NotNil(t, r.press("cleo", 0).Grant)
		require.Equal(t, map[string]string{"ada": "c|", "ben": "c|", "cleo": "|"}, r.heard())
		require.True(t, r.channel.hub.Delete(r.channel, ""))
	})
}

// TestLateEntry: who joins hears whoever has the floor, and is told who it is.
func TestLateEntry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRadio(t, FloorByDefault())
		r.press("ada", 3)
		dan := newConn(t, 4, 2)
		var found Snapshot
		req := JoinRequest{UserID: "dan", Name: "Dan", OnJoined: func(s Snapshot) { found = s }}
		_, err := enter(r.channel, dan, req)
		require.NoError(t, err)
		require.Equal(t, "ada", found.Floor.Holder.UserID)
		require.EqualValues(t, 3, found.Floor.Holder.Priority)
		r.heard()
		require.Equal(t, [][]uint32{{1}, nil}, dan.hears())
	})
}

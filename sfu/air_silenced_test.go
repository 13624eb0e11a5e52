package sfu

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mini-livechat/mini-livechat/sfu/floor"
)

// silenced are the ways in which a member can be heard no more. out: it is out of the channel, and is told nothing of its floor.
func silenced() map[string]struct {
	do  func(r *radio, user string)
	out bool
} {
	yes := true
	return map[string]struct {
		do  func(r *radio, user string)
		out bool
	}{
		"leaves":    {func(r *radio, user string) { r.member[user].Leave(LeaveLeft) }, true},
		"is kicked": {func(r *radio, user string) { r.member[user].Leave(LeaveKicked) }, true},
		"ends":      {func(r *radio, user string) { (*r.media[user].ended.Load())(nil) }, true},
		"mutes":     {func(r *radio, user string) { r.member[user].SetVoiceState(&yes, nil, nil) }, false},
		"deafens":   {func(r *radio, user string) { r.member[user].SetVoiceState(nil, &yes, nil) }, false},
		"is muted":  {func(r *radio, user string) { r.member[user].SetMuted(true, "mod") }, false},
		"is suppressed": {func(r *radio, _ string) {
			_, err := r.channel.hub.Update(r.channel, func(s *Settings) { s.Speaking = SpeakingAllowed }, "", free)
			require.NoError(r.t, err)
		}, false},
		"is moved": {func(r *radio, user string) {
			_, err := r.channel.hub.Create(ChannelSpec{ID: "den", Settings: Settings{Name: "Den"}}, time.Now(), free)
			require.NoError(r.t, err)
			den, err := r.channel.hub.Get("den")
			require.NoError(r.t, err)
			_, err = r.member[user].Move(den, Standing{}, nil, nil)
			require.NoError(r.t, err)
		}, true},
	}
}

// moderated has all but one moderate, so that a stage silences only that one.
func (r *radio) moderated(but string) {
	for user, m := range r.member {
		m.SetRole(func() (string, bool) { return "", user != but })
	}
	r.notifier.take()
}

// toldTo returns what somebody was told of floors, in order.
func toldTo(calls []told, user string) (events []Event) {
	for _, call := range calls {
		switch call.event.(type) {
		case FloorGranted, FloorTaken, FloorIdle, FloorRevoked, FloorDenied, FloorQueued:
		default:
			continue
		}
		for _, to := range call.to {
			if to == user && call.except != user {
				events = append(events, call.event)
			}
		}
	}
	return events
}

// TestWhoIsSilencedLosesTheFloor at once, whatever silences them, and who waits for it has it.
func TestWhoIsSilencedLosesTheFloor(t *testing.T) {
	for name, way := range silenced() {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRadio(t, FloorByDefault())
				r.moderated("ada")
				ada := *r.press("ada", 0).Grant
				r.press("ben", 0)
				r.press("cleo", 0)
				r.notifier.take()
				way.do(r, "ada")
				heard := r.heard()
				require.Equal(t, "b|", heard["cleo"])
				if !way.out && name != "deafens" {
					require.Equal(t, "b|", heard["ada"])
				}
				calls := r.notifier.take()
				mine := toldTo(calls, "ada")
				if way.out {
					require.Empty(t, mine)
					for _, e := range events[SlotsChanged](calls) {
						require.NotEqual(t, "ada", e.Slots[0].UserID)
					}
				} else {
					require.Equal(t, FloorRevoked{ChannelID: "lobby", FloorGrant: ada, Cause: floor.CauseForbidden}, mine[0])
					require.IsType(t, FloorTaken{}, mine[1])
				}
				require.IsType(t, FloorGranted{}, toldTo(calls, "ben")[0])
				require.IsType(t, FloorTaken{}, toldTo(calls, "cleo")[0])
				require.Equal(t, FloorQueued{ChannelID: "lobby", FloorPlace: FloorPlace{1, 1, 0}}, toldTo(calls, "cleo")[1])
				require.Equal(t, "ben", r.channel.Holders()[0].UserID)
				require.Error(t, r.member["ada"].ReleaseFloor(context.Background(), ada.ID, func() {}))
			})
		})
	}
}

// TestWhoIsSilencedInTheTail is heard no more either.
func TestWhoIsSilencedInTheTail(t *testing.T) {
	for name, way := range silenced() {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRadio(t, FloorByDefault())
				r.moderated("ada")
				r.press("ada", 0)
				r.press("ben", 0)
				r.release("ada")
				r.press("ada", 0) // and so waits behind ben
				r.heard()
				way.do(r, "ada")
				require.Equal(t, "b|", r.heard()["cleo"])
				r.release("ben")
				time.Sleep(floor.DefaultTail)
				synctest.Wait()
				require.Empty(t, r.channel.Holders(), "ada does not wait any more")
				require.Equal(t, "|", r.heard()["cleo"])
			})
		})
	}
}

// TestWhoIsSilencedWaitsNoMore, and those behind them have their places.
func TestWhoIsSilencedWaitsNoMore(t *testing.T) {
	for name, way := range silenced() {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRadio(t, FloorByDefault())
				r.moderated("ben")
				r.press("ada", 0)
				r.press("ben", 0)
				r.press("cleo", 0)
				r.notifier.take()
				way.do(r, "ben")
				require.Equal(t, "a|", r.heard()["cleo"])
				calls := r.notifier.take()
				if way.out {
					require.Empty(t, toldTo(calls, "ben"))
				} else {
					require.Equal(t, []Event{FloorDenied{ChannelID: "lobby", Cause: floor.CauseEnded}}, toldTo(calls, "ben"))
				}
				require.Equal(t, []Event{FloorQueued{ChannelID: "lobby", FloorPlace: FloorPlace{1, 1, 0}}}, toldTo(calls, "cleo"))
				r.release("ada")
				time.Sleep(floor.DefaultTail)
				synctest.Wait()
				require.Equal(t, "c|", r.heard()["ada"])
			})
		})
	}
}

// TestTheLastTalkerLeaves: then nobody has their slot, and all are told.
func TestTheLastTalkerLeaves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRadio(t, FloorByDefault())
		r.press("ada", 0)
		r.release("ada")
		time.Sleep(floor.DefaultTail)
		synctest.Wait()
		r.notifier.take()
		r.member["ada"].Leave(LeaveLeft)
		told := make(map[string]string)
		for _, call := range r.notifier.take() {
			if e, ok := call.event.(SlotsChanged); ok {
				told[call.to[0]] = e.Slots[0].UserID
			}
		}
		require.Equal(t, map[string]string{"ben": "", "cleo": ""}, told)
		for _, l := range r.channel.board.legs {
			require.Nil(t, l.connected[0], "of %s", l.userID)
		}
	})
}

// TestDeletionEndsAFloor: nothing of it is told or due any more.
func TestDeletionEndsAFloor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRadio(t, FloorByDefault())
		ada := *r.press("ada", 0).Grant
		r.press("ben", 0)
		r.notifier.take()
		require.True(t, r.channel.hub.Delete(r.channel, ""))
		require.Equal(t, heardAlone(""), r.heard())
		require.Len(t, r.notifier.take(), 1)
		time.Sleep(time.Minute)
		synctest.Wait()
		require.Empty(t, r.notifier.take())
		require.ErrorIs(t, r.member["ada"].RequestFloor(context.Background(), FloorRequest{}, nil), ErrNotInChannel)
		require.ErrorIs(t, r.member["ada"].PingFloor(context.Background(), ada.ID, nil), ErrNotInChannel)
		require.ErrorIs(t, r.member["ada"].ReleaseFloor(context.Background(), 0, nil), ErrNotInChannel)
		require.Empty(t, r.revoke("", []FloorGrant{ada}, nil))
	})
}

// TestNobodyHasBothLines: who waits for one does not get the other.
func TestNobodyHasBothLines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		settings := FloorByDefault()
		settings.Over = true
		r := newRadio(t, settings)
		over := func(user string) error {
			return r.member[user].RequestFloor(context.Background(), FloorRequest{Over: true}, func(FloorAnswer) {})
		}
		r.press("ada", 0)
		r.press("ben", 0)
		require.ErrorIs(t, over("ben"), ErrFloorBusy, "waits for the floor")
		require.ErrorIs(t, over("ada"), ErrFloorBusy, "has it")
		r.release("ada")
		require.ErrorIs(t, over("ada"), ErrFloorBusy, "is still heard")
		r.release("ben")
		require.NoError(t, over("ben"))
		err := r.member["ben"].RequestFloor(context.Background(), FloorRequest{Queue: true}, nil)
		require.ErrorIs(t, err, ErrFloorBusy)

		// In the tail one may wait for the other's place, and so for the floor not.
		r.release("ben")
		require.NoError(t, over("cleo"))
		err = r.member["cleo"].RequestFloor(context.Background(), FloorRequest{Queue: true}, nil)
		require.ErrorIs(t, err, ErrFloorBusy)
		time.Sleep(floor.DefaultTail)
		synctest.Wait()
		require.Equal(t, map[string]string{"ada": "|c", "ben": "|c", "cleo": "|"}, r.heard())
	})
}

// TestExclusionsCountOnTheFloor, from the call on and back, and take nothing else from one with a single slot.
func TestExclusionsCountOnTheFloor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		settings := FloorByDefault()
		settings.Over = true
		r := newRadio(t, settings)
		dan := newConn(t, 0, 1)
		r.member["dan"] = join(t, r.channel, "dan", dan)
		r.press("ada", 0)
		require.True(t, r.member["ben"].Subscribe([]string{"cleo"}, []string{"ada"}, nil))
		require.Equal(t, map[string]string{"ada": "|", "ben": "|", "cleo": "a|"}, r.heard(), "nor do pins count")
		require.True(t, r.member["ben"].Subscribe(nil, nil, nil))
		require.Equal(t, heardAlone("ada"), r.heard())
		dan.hears()

		require.NoError(t, r.member["cleo"].RequestFloor(context.Background(), FloorRequest{Over: true}, func(FloorAnswer) {}))
		r.heard()
		require.Equal(t, [][]uint32{{3}}, dan.hears())
		require.True(t, r.member["dan"].Subscribe(nil, []string{"cleo"}, nil))
		r.heard()
		require.Equal(t, [][]uint32{{1}}, dan.hears(), "hears the floor instead")
		require.True(t, r.member["ben"].Subscribe(nil, []string{"cleo"}, nil))
		require.Equal(t, map[string]string{"ada": "|c", "ben": "a|", "cleo": "a|"}, r.heard())
	})
}

// TestWhoComesLate has the slots as they are, hears whoever talks, and is told who waits.
func TestWhoComesLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		settings := FloorByDefault()
		settings.Over = true
		r := newRadio(t, settings)
		r.press("ada", 3)
		r.press("ben", 3)
		require.NoError(t, r.member["cleo"].RequestFloor(context.Background(), FloorRequest{Over: true}, func(FloorAnswer) {}))
		r.notifier.take()
		for i, want := range [][]string{{}, {"cleo"}, {"ada", "cleo"}, {"ada", "cleo", ""}} {
			dan := newConn(t, 0, i)
			var found Snapshot
			m, err := enter(r.channel, dan, JoinRequest{UserID: "dan", OnJoined: func(s Snapshot) { found = s }})
			require.NoError(t, err)
			on := make([]string, 0, len(found.Slots))
			for _, slot := range found.Slots {
				on = append(on, slot.UserID)
			}
			require.Equal(t, want, on)
			require.Equal(t, [3]any{"ada", "cleo", 1}, [3]any{found.Floor.Holder.UserID, found.Floor.Over.UserID, found.Floor.Waiting})
			r.heard()
			for i, packets := range dan.hears() {
				require.Len(t, packets, min(1, len(want[i])))
			}
			require.Empty(t, events[SlotsChanged](r.notifier.take()), "nobody's slots changed")
			m.Leave(LeaveLeft)
			r.notifier.take()
		}
	})
}

// floor is what WithFloor says.
func (m *Member) floor() (mine FloorAnswer, state *FloorState) {
	m.channel.mu.Lock()
	defer m.channel.mu.Unlock()
	return m.floorLocked()
}

// TestWhatIsOnesOwn is told to who comes back: a grant that was given back is none.
func TestWhatIsOnesOwn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRadio(t, FloorByDefault())
		own := func(user string) (FloorAnswer, *FloorState) { return r.member[user].floor() }
		ada := r.press("ada", 0)
		r.press("ben", 0)
		mine, state := own("ada")
		require.Equal(t, ada, mine)
		require.Equal(t, &FloorState{Holder: ada.Grant, Waiting: 1}, state)
		mine, _ = own("ben")
		require.Equal(t, FloorAnswer{Place: &FloorPlace{Position: 1, Size: 1}}, mine)
		r.release("ada")
		mine, state = own("ada")
		require.Equal(t, FloorAnswer{}, mine)
		require.Equal(t, ada.Grant, state.Holder, "is still heard")
		r.member["ada"].Leave(LeaveLeft)
		_, state = own("ada")
		require.Nil(t, state)
	})
}

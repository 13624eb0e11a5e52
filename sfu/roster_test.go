package sfu

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

// Every command, from a channel with room for two in which ada is and bob was.
func TestRoster(t *testing.T) {
	ada := &occupant{userID: "ada", name: "Ada", talker: true}
	bob := &occupant{userID: "bob", name: "Bob"}
	adaInfo := MemberInfo{UserID: "ada", Name: "Ada", Talker: true}
	muted, deaf, unheard := adaInfo, adaInfo, adaInfo
	unheard.MediaLost = true
	muted.SelfMute = true
	deaf.SelfMute, deaf.SelfDeaf = true, true
	toAda := func(except string, event Event) []news {
		return []news{{to: []string{"ada"}, except: except, event: event}}
	}
	toAll := func(event Event) []news { return []news{{everyone: true, except: "ada", event: event}} }
	channel := ChannelInfo{ID: "den", Settings: Settings{Name: "Den", Mode: ModeConference, Capacity: 2}}
	named := channel
	named.Name, named.Capacity, named.MemberCount = "New", 1, 1

	tests := map[string]struct {
		do    func(*roster) ([]news, error)
		told  []news
		err   error
		after []MemberInfo // nil: ada alone, as she was
	}{
		"another enters": {
			do: func(r *roster) ([]news, error) { return r.enter(&occupant{userID: "cyd", name: "Cyd"}) },
			told: []news{{to: []string{"ada", "cyd"}, except: "cyd", event: MemberJoined{
				ChannelID: "den", Member: MemberInfo{UserID: "cyd", Name: "Cyd"},
			}}},
			after: []MemberInfo{adaInfo, {UserID: "cyd", Name: "Cyd"}},
		},
		"one who was here enters again": {
			do: func(r *roster) ([]news, error) { return r.enter(bob) },
			told: []news{{to: []string{"ada", "bob"}, except: "bob", event: MemberJoined{
				ChannelID: "den", Member: MemberInfo{UserID: "bob", Name: "Bob"},
			}}},
			after: []MemberInfo{adaInfo, {UserID: "bob", Name: "Bob"}},
		},
		"the same user enters": {
			do:  func(r *roster) ([]news, error) { return r.enter(&occupant{userID: "ada"}) },
			err: ErrAlreadyInChannel,
		},
		"a third enters": {
			do: func(r *roster) ([]news, error) {
				_, _ = r.enter(bob)
				told, err := r.enter(&occupant{userID: "cyd"})
				_, _ = r.leave(bob, LeaveLeft)
				return told, err
			},
			err: ErrChannelFull,
		},
		"one leaves": {
			do:    func(r *roster) ([]news, error) { return r.leave(ada, LeaveLeft) },
			told:  toAda("ada", MemberLeft{ChannelID: "den", Member: adaInfo, Cause: LeaveLeft}),
			after: []MemberInfo{},
		},
		"one is gone": {
			do:    func(r *roster) ([]news, error) { return r.leave(ada, LeaveGone) },
			told:  toAda("ada", MemberLeft{ChannelID: "den", Member: adaInfo, Cause: LeaveGone}),
			after: []MemberInfo{},
		},
		"one hangs up": {
			do:    func(r *roster) ([]news, error) { return r.leave(ada, LeaveHungUp) },
			told:  toAda("", MemberLeft{ChannelID: "den", Member: adaInfo, Cause: LeaveHungUp}),
			after: []MemberInfo{},
		},
		"one's media fails": {
			do:    func(r *roster) ([]news, error) { return r.leave(ada, LeaveMediaFailed) },
			told:  toAda("", MemberLeft{ChannelID: "den", Member: adaInfo, Cause: LeaveMediaFailed}),
			after: []MemberInfo{},
		},
		"one's media falls silent": {
			do:    func(r *roster) ([]news, error) { return r.leave(ada, LeaveMediaTimeout) },
			told:  toAda("", MemberLeft{ChannelID: "den", Member: adaInfo, Cause: LeaveMediaTimeout}),
			after: []MemberInfo{},
		},
		"one is heard no more": {
			do:    func(r *roster) ([]news, error) { return r.setMediaLost(ada, true) },
			told:  toAda("", MediaStateChanged{ChannelID: "den", Member: unheard}),
			after: []MemberInfo{unheard},
		},
		"one is heard again": {
			do: func(r *roster) ([]news, error) {
				_, _ = r.setMediaLost(ada, true)
				return r.setMediaLost(ada, false)
			},
			told: toAda("", MediaStateChanged{ChannelID: "den", Member: adaInfo}),
		},
		"one is heard all the while": {
			do: func(r *roster) ([]news, error) { return r.setMediaLost(ada, false) },
		},
		"one who is out is heard no more": {
			do:  func(r *roster) ([]news, error) { return r.setMediaLost(bob, true) },
			err: ErrNotInChannel,
		},
		"one who is out leaves": {
			do:  func(r *roster) ([]news, error) { return r.leave(bob, LeaveLeft) },
			err: ErrNotInChannel,
		},
		"an old occupant leaves for a new one": {
			do:  func(r *roster) ([]news, error) { return r.leave(&occupant{userID: "ada"}, LeaveGone) },
			err: ErrNotInChannel,
		},
		"one mutes": {
			do:    func(r *roster) ([]news, error) { return r.setVoice(ada, new(true), nil) },
			told:  toAda("ada", VoiceStateChanged{ChannelID: "den", Member: muted}),
			after: []MemberInfo{muted},
		},
		"one deafens": {
			do:    func(r *roster) ([]news, error) { return r.setVoice(ada, nil, new(true)) },
			told:  toAda("ada", VoiceStateChanged{ChannelID: "den", Member: deaf}),
			after: []MemberInfo{deaf},
		},
		"one unmutes while deaf": {
			do: func(r *roster) ([]news, error) {
				_, _ = r.setVoice(ada, new(true), new(true))
				return r.setVoice(ada, new(false), nil)
			},
			after: []MemberInfo{deaf},
		},
		"one changes nothing": {
			do: func(r *roster) ([]news, error) { return r.setVoice(ada, new(false), new(false)) },
		},
		"one who is out mutes": {
			do:  func(r *roster) ([]news, error) { return r.setVoice(bob, new(true), nil) },
			err: ErrNotInChannel,
		},
		"renamed and made smaller": {
			do: func(r *roster) ([]news, error) {
				return r.update(Settings{Name: "New", Mode: ModeConference, Capacity: 1}, "ada")
			},
			told: toAll(ChannelUpdated{Channel: named}),
		},
		"renamed to what it was": {
			do: func(r *roster) ([]news, error) {
				return r.update(Settings{Name: "Den", Mode: ModeConference, Capacity: 2}, "ada")
			},
		},
		"closed": {
			do:    func(r *roster) ([]news, error) { return r.close("ada") },
			told:  toAll(ChannelDeleted{ChannelID: "den"}),
			after: []MemberInfo{},
		},
		"entered when closed": {
			do: func(r *roster) ([]news, error) {
				_, _ = r.close("")
				return r.enter(bob)
			},
			err: ErrChannelNotFound, after: []MemberInfo{},
		},
		"renamed when closed": {
			do: func(r *roster) ([]news, error) {
				_, _ = r.close("")
				return r.update(Settings{Name: "New", Mode: ModeConference, Capacity: 2}, "")
			},
			err: ErrChannelNotFound, after: []MemberInfo{},
		},
		"closed twice": {
			do: func(r *roster) ([]news, error) {
				_, _ = r.close("")
				return r.close("")
			},
			err: ErrChannelNotFound, after: []MemberInfo{},
		},
		"left when closed": {
			do: func(r *roster) ([]news, error) {
				_, _ = r.close("")
				return r.leave(ada, LeaveGone)
			},
			err: ErrNotInChannel, after: []MemberInfo{},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			*ada = occupant{userID: "ada", name: "Ada", talker: true}
			r := newRoster(channel)
			for _, p := range []*occupant{bob, ada} {
				_, err := r.enter(p)
				require.NoError(t, err)
			}
			_, err := r.leave(bob, LeaveLeft)
			require.NoError(t, err)

			told, err := test.do(&r)
			require.ErrorIs(t, err, test.err)
			require.Equal(t, test.told, told)
			after := test.after
			if after == nil {
				after = []MemberInfo{adaInfo}
			}
			require.Equal(t, after, r.infos())
			require.Equal(t, len(after), r.info().MemberCount)
			require.Equal(t, len(after) == 0, r.empty())
			for _, info := range after {
				require.True(t, slices.Contains(r.userIDs(), info.UserID) && r.members[info.UserID] != nil)
			}
			require.Len(t, r.members, len(after))
		})
	}
}

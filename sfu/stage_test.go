package sfu

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Who is heard, for each Speaking.
func TestWhoIsHeardOnAStage(t *testing.T) {
	for speaking, want := range map[Speaking][3]bool{ // a member, one who was allowed, a moderator
		"":                 {true, true, true},
		SpeakingAll:        {true, true, true},
		SpeakingModerators: {false, false, true},
		SpeakingAllowed:    {false, true, true},
	} {
		r := newRoster(ChannelInfo{ID: "den", Settings: Settings{Capacity: 3, Speaking: speaking}})
		everybody := want[0]
		people := []*occupant{{userID: "ada"}, {userID: "bob"}, {userID: "mod", Standing: Standing{Moderates: true}}}
		for _, p := range people {
			_, err := r.enter(p)
			require.NoError(t, err)
			require.Equal(t, everybody || p.Moderates, p.talks(), "%q: %s", speaking, p.userID)
		}
		_, err := r.setAllowed(people[1], true, "mod")
		require.NoError(t, err)
		for i, p := range people {
			require.Equal(t, want[i], p.talks(), "%q: %s", speaking, p.userID)
			require.Equal(t, !want[i], p.info().Suppressed)
		}
	}
}

// stage is a channel whose speakers have to be allowed, with a moderator, a speaker with SSRC 2 and a listener.
func stage(t *testing.T) (c *Channel, notifier *recorder, member *Member, speaker, listener *conn) {
	t.Helper()
	c, _, notifier = newChannel(t, 4)
	c.roster.channel.Speaking = SpeakingAllowed
	_, err := enter(c, newConn(t, 1, 2), JoinRequest{UserID: "mod", Standing: Standing{Moderates: true, Role: "moderator"}})
	require.NoError(t, err)
	speaker, listener = newConn(t, 2, 2), newConn(t, 3, 2)
	member = join(t, c, "ada", speaker)
	join(t, c, "bob", listener)
	notifier.take()
	return c, notifier, member, speaker, listener
}

// heard reports whether the one who talks is heard.
func heard(from, by *conn) bool {
	from.talk()
	for _, slot := range by.hears() {
		if slices.Contains(slot, from.ssrc) {
			return true
		}
	}
	return false
}

func TestASpeakerIsAllowedAndSentBack(t *testing.T) {
	c, notifier, member, speaker, listener := stage(t)
	require.False(t, heard(speaker, listener))
	require.True(t, c.Members()[1].Suppressed)
	require.Equal(t, "moderator", c.Members()[0].Role)

	noon := time.Now()
	var since time.Time
	note := func(m MemberInfo) { since = m.HandAt }
	require.True(t, member.SetHand(true, noon, note))
	require.Equal(t, noon, since)
	require.True(t, member.SetHand(true, noon.Add(time.Second), note))
	require.Equal(t, noon, since, "one keeps one's place")
	calls := notifier.take()
	require.Len(t, calls, 1, "the second time is no news")
	require.Equal(t, "ada", calls[0].except)
	require.Equal(t, noon, events[VoiceStateChanged](calls)[0].Member.HandAt)

	acknowledged := false
	changed, in := member.SetAllowed(true, "mod", func(m MemberInfo) { acknowledged = len(notifier.take()) == 0 && !m.Suppressed })
	require.True(t, changed)
	require.True(t, in)
	require.True(t, acknowledged, "before anything is told")
	require.True(t, heard(speaker, listener))
	calls = notifier.take()
	require.Len(t, calls, 1)
	require.Equal(t, "mod", calls[0].except)
	now := events[VoiceStateChanged](calls)[0].Member
	require.False(t, now.Suppressed)
	require.Zero(t, now.HandAt, "the hand is down")
	changed, _ = member.SetAllowed(true, "mod", func(MemberInfo) {})
	require.False(t, changed)
	require.Empty(t, notifier.take())

	_, in = member.SetAllowed(false, "mod", func(MemberInfo) { require.False(t, heard(speaker, listener), "when the answer comes") })
	require.True(t, in)
	require.False(t, heard(speaker, listener))

	// Being a moderator is enough, and muting holds all the same.
	require.True(t, member.SetRole(func() (string, bool) { return "moderator", true }))
	require.True(t, heard(speaker, listener))
	require.True(t, member.SetMuted(true, "mod"))
	require.False(t, heard(speaker, listener))
	require.True(t, member.SetMuted(false, "mod"))
	require.True(t, member.SetRole(func() (string, bool) { return "", false }))
	require.False(t, heard(speaker, listener))
	require.True(t, member.Leave(LeaveLeft))
	_, in = member.SetAllowed(true, "mod", func(MemberInfo) { t.Error("one who is out") })
	require.False(t, in)
	require.False(t, member.SetHand(true, noon, func(MemberInfo) { t.Error("one who is out") }))
	require.False(t, member.SetRole(func() (string, bool) { return "", true }))
}

// Another setting holds at once, and begins anew; who changed it is told on their own.
func TestAnotherSpeaking(t *testing.T) {
	c, notifier, member, speaker, listener := stage(t)
	set := func(speaking Speaking) {
		t.Helper()
		_, err := c.hub.Update(c, func(s *Settings) { s.Speaking = speaking }, "mod", free)
		require.NoError(t, err)
	}
	member.SetAllowed(true, "mod", func(MemberInfo) {})
	member.SetHand(true, time.Now(), func(MemberInfo) {})
	require.True(t, heard(speaker, listener))
	notifier.take()

	set(SpeakingModerators)
	require.False(t, heard(speaker, listener))
	calls := notifier.take()
	require.Equal(t, "mod", calls[1].except)
	require.Equal(t, []StageChanged{{ChannelID: "lobby", Suppressed: []string{"ada", "bob"}}}, events[StageChanged](calls))
	changed, _ := member.SetAllowed(true, "mod", func(MemberInfo) {})
	require.False(t, changed, "nobody can be")
	set(SpeakingAllowed)
	require.False(t, heard(speaker, listener), "nobody is allowed any more")
	noon := time.Now()
	member.SetHand(true, noon, func(MemberInfo) {})
	notifier.take()
	c.TellStage("mod")
	c.TellStage("nobody")
	calls = notifier.take()
	require.Len(t, calls, 1)
	require.Equal(t, []string{"mod"}, calls[0].to)
	require.Equal(t, StageChanged{
		ChannelID: "lobby", Suppressed: []string{"ada", "bob"}, Hands: []HandInfo{{"ada", noon}},
	}, calls[0].event)
	set(SpeakingAll)
	require.True(t, heard(speaker, listener))
	require.Equal(t, []StageChanged{{ChannelID: "lobby"}}, events[StageChanged](notifier.take()))
	_, err := c.hub.Update(c, func(s *Settings) { s.Topic = "Tea" }, "mod", free)
	require.NoError(t, err)
	require.Empty(t, events[StageChanged](notifier.take()), "nothing of it is otherwise")
}

// What one is allowed in a channel, and one's hand, stay there.
func TestNoStageIsTakenAlong(t *testing.T) {
	r := newRooms(t, 4)
	for _, c := range []*Channel{r.from, r.to} {
		_, err := r.hub.Update(c, func(s *Settings) { s.Speaking = SpeakingAllowed }, "", free)
		require.NoError(t, err)
	}
	r.member.SetAllowed(true, "", func(MemberInfo) {})
	r.member.SetHand(true, time.Now(), func(MemberInfo) {})
	require.True(t, heard(r.moved, r.near))
	next, err := r.member.Move(r.to, Standing{}, nil, nil)
	require.NoError(t, err)
	require.False(t, heard(r.moved, r.far))
	require.Zero(t, r.to.Members()[1].HandAt)
	back, err := next.Move(r.from, Standing{Moderates: true}, nil, nil)
	require.NoError(t, err)
	require.True(t, heard(r.moved, r.near))
	require.True(t, back.Active())
}

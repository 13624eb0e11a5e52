package sfu

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mini-livechat/mini-livechat/sfu/forward"
	"github.com/mini-livechat/mini-livechat/sfu/speaker"
)

// Every way in which somebody comes, changes and goes on other nodes, as told to ada, who is here.
func TestMirrors(t *testing.T) {
	const rank = 5
	bob := MemberInfo{UserID: "bob", Name: "Bob", Talker: true}
	muted, renamed := bob, bob
	muted.SelfMute = true
	renamed.Name = "Bobby"
	lost := bob
	lost.MediaLost, lost.Unstable = true, true
	at := func(node string, rank uint64, info MemberInfo) Mirror {
		return Mirror{Node: node, Rank: rank, MemberInfo: info}
	}
	joined, left := MemberJoined{"den", bob}, MemberLeft{"den", bob, LeaveKicked}

	tests := map[string]struct {
		do    func(*roster) []news
		told  []Event
		after []MemberInfo // beside ada
	}{
		"one comes": {
			do:    func(r *roster) []news { return r.put(at("n1", rank, bob)) },
			told:  []Event{joined},
			after: []MemberInfo{bob},
		},
		"one is told of twice": {
			do:    func(r *roster) []news { return append(r.put(at("n1", rank, bob)), r.put(at("n1", rank, bob))...) },
			told:  []Event{joined},
			after: []MemberInfo{bob},
		},
		"one changes": {
			do:    func(r *roster) []news { r.put(at("n1", rank, bob)); return r.put(at("n1", rank, muted)) },
			told:  []Event{VoiceStateChanged{"den", muted}},
			after: []MemberInfo{muted},
		},
		"one is muted by somebody here": {
			do: func(r *roster) []news {
				r.put(at("n1", rank, bob))
				m := at("n1", rank, muted)
				m.By = "ada"
				told := r.put(m)
				if told[0].except != "ada" {
					return nil
				}
				return told
			},
			told:  []Event{VoiceStateChanged{"den", muted}},
			after: []MemberInfo{muted},
		},
		"one is in trouble": {
			do:    func(r *roster) []news { r.put(at("n1", rank, bob)); return r.put(at("n1", rank, lost)) },
			told:  []Event{ConnectionChanged{"den", lost}, MediaStateChanged{"den", lost}},
			after: []MemberInfo{lost},
		},
		"one goes": {
			do:   func(r *roster) []news { r.put(at("n1", rank, bob)); return r.drop("n1", "bob", LeaveKicked) },
			told: []Event{left},
		},
		"one goes who was never there": {
			do: func(r *roster) []news { return r.drop("n1", "bob", LeaveKicked) },
		},
		"a newer session elsewhere is the same member": {
			do:    func(r *roster) []news { r.put(at("n1", rank, bob)); return r.put(at("n2", rank+1, muted)) },
			told:  []Event{VoiceStateChanged{"den", muted}},
			after: []MemberInfo{muted},
		},
		"an older session elsewhere is not shown": {
			do:    func(r *roster) []news { r.put(at("n1", rank, bob)); return r.put(at("n2", rank-1, muted)) },
			after: []MemberInfo{bob},
		},
		"of two of the same time the first node's counts": {
			do:    func(r *roster) []news { r.put(at("n2", rank, muted)); return r.put(at("n1", rank, bob)) },
			told:  []Event{VoiceStateChanged{"den", bob}},
			after: []MemberInfo{bob},
		},
		"the older session ends after the newer began": {
			do: func(r *roster) []news {
				r.put(at("n1", rank, bob))
				r.put(at("n2", rank+1, bob))
				return r.drop("n1", "bob", LeaveGone)
			},
			after: []MemberInfo{bob},
		},
		"the newer session ends and the older goes on": {
			do: func(r *roster) []news {
				r.put(at("n1", rank, bob))
				r.put(at("n2", rank+1, muted))
				return r.drop("n2", "bob", LeaveGone)
			},
			told:  []Event{VoiceStateChanged{"den", bob}},
			after: []MemberInfo{bob},
		},
		"one of another name is another": {
			do:    func(r *roster) []news { r.put(at("n1", rank, bob)); return r.put(at("n2", rank+1, renamed)) },
			told:  []Event{MemberLeft{"den", bob, LeaveGone}, MemberJoined{"den", renamed}},
			after: []MemberInfo{renamed},
		},
		"one comes here who was elsewhere": {
			do: func(r *roster) []news {
				r.put(at("n1", rank, bob))
				told, _ := r.enter(&occupant{userID: "bob", name: "Bob", talker: true, selfMute: true})
				return told
			},
			told:  []Event{VoiceStateChanged{"den", muted}},
			after: []MemberInfo{muted},
		},
		"one who is here comes elsewhere and goes here": {
			do: func(r *roster) []news {
				here := &occupant{userID: "bob", name: "Bob", talker: true}
				_, _ = r.enter(here)
				r.put(at("n1", rank, muted))
				told, _ := r.leave(here, LeaveGone)
				return told
			},
			told:  []Event{VoiceStateChanged{"den", muted}},
			after: []MemberInfo{muted},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			r := newRoster(ChannelInfo{ID: "den", Settings: Settings{Capacity: 2}})
			_, err := r.enter(&occupant{userID: "ada", name: "Ada"})
			require.NoError(t, err)
			var told []Event //nolint:prealloc // nil where nothing is told
			for _, one := range test.do(&r) {
				require.Contains(t, one.to, "ada")
				told = append(told, one.event)
			}
			require.Equal(t, test.told, told)
			require.Equal(t, append([]MemberInfo{{UserID: "ada", Name: "Ada"}}, test.after...), r.infos())
			require.Len(t, r.userIDs(), len(r.order)-r.elsewhere)
			for _, id := range r.userIDs() {
				require.True(t, r.members[id].here(), "only those who are here are told: %s", id)
			}
		})
	}
}

// spreadings is a Spread that remembers in words.
type spreadings struct {
	mu   sync.Mutex
	said []string
}

func (s *spreadings) say(format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.said = append(s.said, fmt.Sprintf(format, args...))
}
func (s *spreadings) MemberEntered(c string, m MemberInfo) { s.say("%s enters %s", m.UserID, c) }
func (s *spreadings) MemberChanged(_ string, m MemberInfo, _ string) {
	s.say("%s mute %v", m.UserID, m.SelfMute)
}

func (s *spreadings) MemberLeft(_, id string, cause LeaveCause, _ bool) { s.say("%s %s", id, cause) }

func (s *spreadings) Speaking(_ string, speakers []SpeakerInfo) {
	ids := make([]string, 0, len(speakers))
	for _, one := range speakers {
		ids = append(ids, one.UserID)
	}
	s.say("speaks %v", ids)
}

func (s *spreadings) Listening(c string, l ListenerInfo, listens bool) {
	s.say("%s listens to %s %v", l.UserID, c, listens)
}

func (s *spreadings) take() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	said := s.said
	s.said = nil
	return said
}

// newSpreadChannel is newChannel on one node of several.
func newSpreadChannel(tb testing.TB, capacity int) (*Channel, *spreadings, *recorder) {
	tb.Helper()
	hub, _, notifier := newHub(tb, capacity)
	spread := &spreadings{}
	hub.spread, hub.spreads = spread, true
	channel := create(tb, hub)
	notifier.take()
	return channel, spread, notifier
}

// What the other nodes are told is what this one's own members do, and nothing of the others.
func TestSpread(t *testing.T) {
	c, spread, _ := newSpreadChannel(t, 10)
	ada := join(t, c, "ada", newConn(t, 1, 2))
	c.PutMirror(Mirror{Node: "n1", Rank: 1, MemberInfo: MemberInfo{UserID: "bob", Name: "Bob"}})
	ada.SetVoiceState(new(true), nil, nil)
	ada.SetVoiceState(new(true), nil, nil)
	c.DropMirror("n1", "bob", LeaveGone)
	cyd := join(t, c, "cyd", newConn(t, 2, 2))
	ada.Leave(LeaveLeft)
	require.Equal(t, []string{"ada enters lobby", "ada mute true", "cyd enters lobby", "ada left"}, spread.take())
	c.hub.Delete(c, "")
	require.Equal(t, []string{"cyd gone"}, spread.take())
	require.False(t, cyd.Active())
	require.False(t, c.PutMirror(Mirror{Node: "n1", MemberInfo: MemberInfo{UserID: "bob"}}), "the channel is deleted")
}

// Members of all nodes count.
func TestCapacityCountsMirrors(t *testing.T) {
	c, _, _ := newSpreadChannel(t, 2)
	for _, id := range []string{"bob", "cyd"} {
		require.True(t, c.PutMirror(Mirror{Node: "n1", Rank: 1, MemberInfo: MemberInfo{UserID: id, Name: id}}))
	}
	require.Equal(t, 2, c.Info().MemberCount)
	require.Equal(t, 2, c.hub.List()[0].MemberCount)
	_, err := enter(c, newConn(t, 1, 1), JoinRequest{UserID: "ada", Name: "ada"})
	require.ErrorIs(t, err, ErrChannelFull)
	require.True(t, c.PutMirror(Mirror{Node: "n2", Rank: 1, MemberInfo: MemberInfo{UserID: "dan"}}), "who is there is there")
	require.Equal(t, 3, c.Info().MemberCount)

	// One who comes here takes no second place.
	join(t, c, "bob", newConn(t, 1, 1))
	members := c.Members()
	require.Len(t, members, 3)
	require.Equal(t, "bob", members[2].UserID, "who joins is last")
	for _, id := range []string{"cyd", "dan"} {
		c.DropMirror("n1", id, LeaveGone)
		c.DropMirror("n2", id, LeaveGone)
	}
	require.Equal(t, 1, c.hub.List()[0].MemberCount)
}

// Who speaks is merged of all nodes, and the others are told only of this one's.
func TestSpeakersOfAllNodes(t *testing.T) {
	c, spread, notifier := newSpreadChannel(t, 10)
	decideUntilEnd(t, c.hub)
	media := newConn(t, 1, 2)
	join(t, c, "ada", media)
	for _, id := range []string{"bob", "cyd"} {
		c.PutMirror(Mirror{Node: "n1", Rank: 1, MemberInfo: MemberInfo{UserID: id, Name: id, Talker: true}})
	}
	told := func(want ...string) {
		t.Helper()
		require.Eventually(t, func() bool {
			media.say(20, time.Now())
			for _, call := range notifier.take() {
				if e, ok := call.event.(SpeakersChanged); ok {
					ids := make([]string, 0, len(e.Speakers))
					for _, s := range e.Speakers {
						ids = append(ids, s.UserID)
					}
					if fmt.Sprint(ids) == fmt.Sprint(want) {
						return true
					}
				}
			}
			return false
		}, 30*time.Second, 10*time.Millisecond, "nobody was told of %v", want)
	}
	c.MirrorSpeakers("n1", []SpeakerInfo{{"bob", 5}, {"cyd", 100}, {"eve", 1}})
	told("bob", "ada", "cyd")
	c.DropMirror("n1", "bob", LeaveGone)
	told("ada", "cyd")
	c.MirrorSpeakers("n1", nil)
	told("ada")
	said := spread.take()
	require.Contains(t, said, "speaks [ada]")
	require.NotContains(t, fmt.Sprint(said), "bob")
}

// echo is what is heard of a member of another node.
type echo struct {
	source *forward.Source
	meter  *speaker.Meter
}

func (v *echo) Source() *forward.Source { return v.source }
func (v *echo) Meter() *speaker.Meter   { return v.meter }
func (v *echo) SSRC() (uint32, bool)    { return 77, true }
func (v *echo) OnSpeech(func())         {}

// A mirror's voice has slots like everybody's, while the mirror is shown and lets itself be heard.
func TestMirrorVoice(t *testing.T) {
	c, _, _ := newSpreadChannel(t, 10)
	made, hushed := 0, 0
	c.hub.voices = func(_, _, _ string) Voice {
		made++
		return &echo{forward.NewSource(), speaker.NewMeter(time.Now())}
	}
	c.hub.hush = func(_, _, _ string) { hushed++ }
	ada := join(t, c, "ada", newConn(t, 1, 2))
	on := func() string {
		c.mu.Lock()
		defer c.mu.Unlock()
		return c.board.describe(ada.leg)[0].UserID
	}
	bob := Mirror{Node: "n1", Rank: 1, MemberInfo: MemberInfo{UserID: "bob", Name: "Bob", Talker: true}}
	c.PutMirror(bob)
	require.Equal(t, "bob", on())
	bob.SelfMute = true
	c.PutMirror(bob)
	require.Equal(t, 1, made)
	bob.Node, bob.Rank = "n2", 2
	c.PutMirror(bob)
	require.Equal(t, []int{2, 0}, []int{made, hushed}, "another node's is another voice, and this one is heard until then")
	here := join(t, c, "bob", newConn(t, 2, 2))
	require.Equal(t, []int{2, 1}, []int{made, hushed}, "of two that are heard no more the one that was heard goes on")
	require.Equal(t, "bob", on())
	here.Leave(LeaveGone)
	require.Equal(t, []int{3, 1}, []int{made, hushed}, "it goes on elsewhere")
	require.Equal(t, "bob", on())
	c.DropMirror("n2", "bob", LeaveGone)
	c.DropMirror("n1", "bob", LeaveGone)
	require.Equal(t, made, hushed)
	require.Empty(t, on())
	c.PutMirror(bob)
	bob.Node, bob.Rank = "n3", 3
	c.PutMirror(bob)
	c.hub.Delete(c, "")
	require.Equal(t, made, hushed)
}

// Who goes to another node is heard at the one before until something comes of the other, as one person, and by themselves never.
func TestHeardUntilTheOtherIs(t *testing.T) {
	tests := map[string]struct {
		come func(*Channel, *conn) // bob comes anew, with this voice
		end  func(*Channel)        // nil: the new voice speaks
	}{
		"to another node": {come: func(c *Channel, _ *conn) { c.PutMirror(mirrorOf("n2", 2)) }},
		"to this node":    {come: func(c *Channel, media *conn) { join(t, c, "bob", media) }},
		"to another node, and the one before ends": {
			come: func(c *Channel, _ *conn) { c.PutMirror(mirrorOf("n2", 2)) },
			end:  func(c *Channel) { c.DropMirror("n1", "bob", LeaveGone) },
		},
		"to this node, and the one before ends": {
			come: func(c *Channel, media *conn) { join(t, c, "bob", media) },
			end:  func(c *Channel) { c.DropMirror("n1", "bob", LeaveGone) },
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			c, _, notifier := newSpreadChannel(t, 10)
			before, after := newConn(t, 21, 0), newConn(t, 22, 2)
			c.hub.voices = func(node, _, _ string) Voice {
				if node == "n1" {
					return before
				}
				return after
			}
			var hushed []string
			c.hub.hush = func(node, _, _ string) { hushed = append(hushed, node) }
			ear := newConn(t, 1, 1)
			join(t, c, "ada", ear)
			c.PutMirror(mirrorOf("n1", 1))
			now := time.Now()
			speak := func(voice *conn) {
				for range 3 {
					now = now.Add(20 * time.Millisecond)
					voice.say(20, now)
				}
				c.decide(now)
			}
			speak(before)
			require.Contains(t, ear.hears()[0], uint32(21))
			notifier.take()

			test.come(c, after)
			speak(before)
			require.Contains(t, ear.hears()[0], uint32(21), "the one before is heard on")
			for _, own := range after.hears() {
				require.Empty(t, own, "nobody hears themselves")
			}
			require.Empty(t, hushed)
			if test.end == nil {
				speak(after)
				after.talkAt(now)
				require.Contains(t, ear.hears()[0], uint32(22))
			} else {
				test.end(c)
			}
			require.Equal(t, []string{"n1"}, hushed)
			speak(before)
			speak(after)
			require.NotContains(t, ear.hears()[0], uint32(21))
			for _, told := range notifier.take() {
				switch told.event.(type) {
				case MemberLeft, MemberJoined:
					t.Errorf("told of: %+v", told.event)
				}
			}
		})
	}
}

func mirrorOf(node string, rank uint64) Mirror {
	return Mirror{Node: node, Rank: rank, MemberInfo: MemberInfo{UserID: "bob", Name: "bob", Talker: true}}
}

// One who is muted at the new node is not heard at the one before either.
func TestMutedAtBoth(t *testing.T) {
	c, _, _ := newSpreadChannel(t, 10)
	before, here := newConn(t, 21, 0), newConn(t, 22, 1)
	c.hub.voices = func(_, _, _ string) Voice { return before }
	ear := newConn(t, 1, 1)
	join(t, c, "ada", ear)
	c.PutMirror(mirrorOf("n1", 1))
	bob := join(t, c, "bob", here)
	before.talk()
	require.NotEmpty(t, ear.hears()[0])
	bob.SetVoiceState(new(true), nil, nil)
	before.talk()
	require.Empty(t, ear.hears()[0])
}

// Those of other nodes have a voice here while somebody is here who can hear them: as a member, or listening in; who is muted has none before they are let
// talk. Where one talks at a time all always have.
func TestVoicesOnlyForListeners(t *testing.T) {
	c, spread, _ := newSpreadChannel(t, 10)
	there := make(map[string]bool)
	c.hub.voices = func(_, _, userID string) Voice {
		there[userID] = true
		return &echo{forward.NewSource(), speaker.NewMeter(time.Now())}
	}
	c.hub.hush = func(_, _, userID string) { delete(there, userID) }
	for _, id := range []string{"bob", "cid"} {
		c.PutMirror(Mirror{Node: "n1", Rank: 1, MemberInfo: MemberInfo{UserID: id, Name: id, Talker: true}})
	}
	eve := Mirror{Node: "n1", Rank: 1, MemberInfo: MemberInfo{UserID: "eve", Name: "Eve", Talker: true, SelfMute: true}}
	c.PutMirror(eve)
	require.Empty(t, there, "nobody is here")
	ada := join(t, c, "ada", newConn(t, 1, 2))
	require.Len(t, there, 2)
	c.PutMirror(Mirror{Node: "n1", Rank: 1, MemberInfo: MemberInfo{UserID: "dan", Name: "Dan", Talker: true}})
	require.Len(t, there, 3)
	require.NotContains(t, there, "eve", "she is muted")
	mute := func(is bool) {
		eve.SelfMute = is
		c.PutMirror(eve)
	}
	mute(false)
	require.Contains(t, there, "eve")
	mute(true)
	require.Contains(t, there, "eve", "it is ready for the next time")
	ada.Leave(LeaveLeft)
	require.Empty(t, there)

	other, err := c.hub.Create(ChannelSpec{ID: "other", Settings: Settings{Name: "Other"}}, time.Now(), func() error { return nil })
	require.NoError(t, err)
	o, err := c.hub.Get(other.ID)
	require.NoError(t, err)
	ada = join(t, o, "ada", newConn(t, 2, 2))
	require.NoError(t, ada.Listen(ListenRequest{Channels: []*Channel{c}, Slots: 1}, func(Listening) {}))
	require.Len(t, there, 3, "she listens in")
	require.Contains(t, spread.take(), "ada listens to lobby true")
	require.NoError(t, ada.Listen(ListenRequest{}, func(Listening) {}))
	require.Empty(t, there)
	require.Contains(t, spread.take(), "ada listens to lobby false")

	be := func(m Mode) {
		_, err = c.hub.Update(c, func(s *Settings) { s.Mode = m }, "", func() error { return nil })
		require.NoError(t, err)
	}
	be(ModePTT)
	require.Len(t, there, 4)
	be(ModeConference)
	require.Empty(t, there)

	join(t, c, "ada", newConn(t, 3, 2))
	require.Len(t, there, 3)
	be(ModePTT)
	require.Len(t, there, 4, "also with somebody here before")
}

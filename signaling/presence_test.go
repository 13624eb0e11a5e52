package signaling

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mini-livechat/mini-livechat/sfu"
	"github.com/mini-livechat/mini-livechat/sfu/forward"
	"github.com/mini-livechat/mini-livechat/sfu/peer"
	"github.com/mini-livechat/mini-livechat/sfu/speaker"
	"github.com/mini-livechat/mini-livechat/signaling/protocol"
)

// voiceless is the media of a member of whom nothing matters but where it is, and whether it speaks.
type voiceless struct {
	sfu.Conn

	id     uint64
	source *forward.Source
	meter  *speaker.Meter
	began  func() // called when it begins to speak
}

func (v *voiceless) ID() uint64              { return v.id }
func (v *voiceless) Answer() string          { return "" }
func (v *voiceless) Talker() bool            { return true }
func (v *voiceless) OnSpeech(began func())   { v.began = began }
func (v *voiceless) Source() *forward.Source { return v.source }
func (v *voiceless) Slots() []peer.Slot      { return nil }
func (v *voiceless) Meter() *speaker.Meter   { return v.meter }
func (v *voiceless) SSRC() (uint32, bool)    { return 0, false }
func (v *voiceless) OnEnd(func(error))       {}
func (v *voiceless) Close() error            { return nil }

// answerVoiceless returns an Answer that makes such media.
func answerVoiceless() sfu.Answer {
	var last atomic.Uint64
	return func(context.Context, string, []netip.AddrPort) (sfu.Conn, error) {
		return &voiceless{id: last.Add(1), source: forward.NewSource(), meter: speaker.NewMeter(time.Now())}, nil
	}
}

// crowd is people who are in channels without being connected.
type crowd struct {
	tb      testing.TB
	g       *Gateway
	names   []string // of the channels
	members []*sfu.Member
}

// newCrowd spreads people over channels that are made for them.
func newCrowd(tb testing.TB, g *Gateway, people, channels int) *crowd {
	tb.Helper()
	c := &crowd{tb: tb, g: g, members: make([]*sfu.Member, people)}
	for i := range channels {
		c.names = append(c.names, fmt.Sprintf("channel-%02d", i))
		_, err := g.channels.Create(sfu.ChannelSpec{ID: c.names[i], Settings: sfu.Settings{Name: c.names[i]}}, time.Now(), func() error { return nil })
		require.NoError(tb, err)
	}
	for i := range people {
		c.move(i, c.names[i%channels])
	}
	return c
}

// move has somebody leave the channel it is in, and enter another one.
func (c *crowd) move(person int, to string) {
	c.tb.Helper()
	if m := c.members[person]; m != nil {
		require.True(c.tb, m.Leave(sfu.LeaveLeft))
	}
	channel, err := c.g.channels.Get(to)
	require.NoError(c.tb, err)
	id := fmt.Sprintf("guest-%06d", person)
	c.members[person], err = channel.Join(c.tb.Context(), sfu.JoinRequest{UserID: id, Name: "Somebody " + id})
	require.NoError(c.tb, err)
}

// stir has somebody move, mute or not.
func (c *crowd) stir() {
	person := rand.IntN(len(c.members))
	if rand.IntN(4) == 0 {
		c.members[person].SetVoiceState(new(rand.IntN(2) == 0), nil, nil)
		return
	}
	c.move(person, c.names[rand.IntN(len(c.names))])
}

// say has somebody say one packet.
func (c *crowd) say(person int) {
	media, ok := c.members[person].Peer().Conn.(*voiceless)
	require.True(c.tb, ok)
	if media.meter.Observe(20, time.Now()) {
		media.began()
	}
}

// decide has it decided who speaks until the test ends.
func (c *crowd) decide() {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		c.g.RunDecisions(ctx)
	}()
	c.tb.Cleanup(func() {
		cancel()
		<-done
	})
}

// where returns who is where, in the order of channel ids.
func (c *crowd) where() protocol.Presence {
	all := protocol.Presence{Channels: []protocol.ChannelPresence{}}
	for _, name := range c.names {
		if members := c.g.lookout.look(name); len(members) > 0 {
			all.Channels = append(all.Channels, protocol.ChannelPresence{ChannelID: name, Members: members})
		}
	}
	return all
}

// watcher is a session without a client: what it is told waits in its outbox until it is read.
type watcher struct {
	*Session

	tb    testing.TB
	known protocol.Presence
	told  []protocol.Presence // the events
}

// newWatcher has a session watch.
func newWatcher(tb testing.TB, g *Gateway, name string) *watcher {
	tb.Helper()
	s := newUser(name, 1000)
	w := &watcher{Session: s, tb: tb}
	require.NoError(tb, g.lookout.watch(s, func(body *protocol.Body) { w.known = snapshotIn(tb, body.AppendReply(nil, "")) }))
	tb.Cleanup(func() { g.lookout.unwatch(s) })
	return w
}

func snapshotIn(tb testing.TB, text []byte) protocol.Presence {
	tb.Helper()
	frame, err := protocol.Decode(text)
	require.NoError(tb, err)
	var ack struct {
		Op   protocol.Op       `json:"op"`
		Data protocol.Presence `json:"data"`
	}
	require.NoError(tb, frame.Bind(&ack))
	require.Equal(tb, protocol.OpPresence, ack.Op)
	return ack.Data
}

// read takes what waits.
func (w *watcher) read() {
	w.tb.Helper()
	for {
		e, ok := w.out.pop(w.conn)
		if !ok {
			return
		}
		require.Equal(w.tb, keepEvent, e.kept, "they are numbered")
		frame, err := protocol.Decode(e.append(nil))
		require.NoError(w.tb, err)
		require.Equal(w.tb, protocol.OpPresenceEvent, frame.Op)
		var event protocol.Presence
		require.NoError(w.tb, frame.Bind(&event))
		w.told = append(w.told, event)
		w.known.Apply(event)
	}
}

// sorted returns what is known in the order of channel ids.
func sorted(p protocol.Presence) []protocol.ChannelPresence {
	channels := append([]protocol.ChannelPresence{}, p.Channels...)
	slices.SortFunc(channels, func(a, b protocol.ChannelPresence) int { return strings.Compare(a.ChannelID, b.ChannelID) })
	return channels
}

// knows waits until w knows who is where.
func (w *watcher) knows(c *crowd) {
	w.tb.Helper()
	require.Eventually(w.tb, func() bool {
		w.read()
		return fmt.Sprint(c.where().Channels) == fmt.Sprint(sorted(w.known))
	}, time.Minute, 10*time.Millisecond)
}

func bigger(c *Config) { c.ChannelCapacity, c.MaxChannels, c.MaxSessions = 2000, 100, 2000 }

// However they come, read and go, all know the same in the end, and nobody is told more often than four times a second.
func TestPresenceConverges(t *testing.T) {
	g, _ := startGateway(t, answerVoiceless(), bigger)
	people := newCrowd(t, g, 40, 6)
	begin := time.Now()
	quick, sleepy := newWatcher(t, g, "quick"), newWatcher(t, g, "sleepy")
	require.Equal(t, people.where().Channels, quick.known.Channels)
	watchers := []*watcher{quick, sleepy}
	for i := 0; i < 300 || len(quick.told) <= presenceSlack+2; i++ { // which is more than who reads nothing is told
		people.stir()
		quick.read()
		if i%60 == 59 {
			watchers = append(watchers, newWatcher(t, g, fmt.Sprint("late-", i)))
		}
		time.Sleep(5 * time.Millisecond) // so that things happen at all times of a tick
	}
	require.LessOrEqual(t, sleepy.out.waiting(), presenceSlack+1, "what waits is bounded")
	for _, w := range watchers {
		w.knows(people)
	}
	most := int(time.Since(begin)/presencePause) + 2
	require.NotEmpty(t, quick.told)
	require.LessOrEqual(t, len(quick.told), most)
	require.Less(t, len(sleepy.told), len(quick.told))
}

// One who reads nothing holds nobody up, and is told in one frame what it has missed.
func TestPresenceOfChannelsThatAreGoneMeanwhile(t *testing.T) {
	g, _ := startGateway(t, answerVoiceless(), bigger)
	people := newCrowd(t, g, 12, 3)
	w := newWatcher(t, g, "ada")
	for i := range presenceSlack + 3 {
		people.move(0, people.names[i%2])
		require.Eventually(t, func() bool { return !timed(g) || w.out.waiting() > presenceSlack }, time.Minute, time.Millisecond, "a tick")
		if w.out.waiting() > presenceSlack {
			break
		}
	}
	require.Equal(t, presenceSlack+1, w.out.waiting())
	channel, err := g.channels.Get(people.names[2])
	require.NoError(t, err)
	require.True(t, g.channels.Delete(channel, ""))
	people.names = people.names[:2]
	people.members[2] = nil
	people.move(2, people.names[0])
	time.Sleep(2 * presencePause)
	require.Equal(t, presenceSlack+1, w.out.waiting(), "nothing more while these wait")
	before := len(w.told) + w.out.waiting() // the one that tells all may come while these are still being read
	w.knows(people)
	require.Len(t, w.told, before+1)
	last := w.told[before].Channels
	require.NotEmpty(t, last)
	require.Equal(t, protocol.ChannelPresence{ChannelID: "channel-02", Members: []protocol.Present{}}, last[len(last)-1])
	require.Eventually(t, func() bool { return !timed(g) }, time.Minute, time.Millisecond, "no tick when nothing happens")
	g.lookout.mu.Lock()
	defer g.lookout.mu.Unlock()
	require.Len(t, g.lookout.channels, 2, "what nobody has to be told is forgotten")
}

// timed reports whether there will be a tick, and waits for one that goes on.
func timed(g *Gateway) bool {
	g.lookout.mu.Lock()
	defer g.lookout.mu.Unlock()
	g.lookout.marks.mu.Lock()
	defer g.lookout.marks.mu.Unlock()
	return g.lookout.marks.timer != nil
}

// Without watchers nothing is kept, and nothing runs.
func TestPresenceWithoutWatchers(t *testing.T) {
	g, _ := startGateway(t, answerVoiceless(), bigger)
	people := newCrowd(t, g, 10, 3)
	idle := func() {
		t.Helper()
		people.stir()
		require.False(t, timed(g))
		require.Empty(t, g.lookout.channels)
		require.Nil(t, g.lookout.marks.channels)
	}
	idle()
	w := newWatcher(t, g, "ada")
	people.move(0, people.names[1])
	w.knows(people)
	g.lookout.unwatch(w.Session)
	g.lookout.unwatch(w.Session)
	idle()
	newWatcher(t, g, "bob").knows(people)
}

// Who may not see a channel is told nothing of it; the others are told all the same.
func TestPresenceOfWhatOneMaySee(t *testing.T) {
	g, _ := startGateway(t, answerVoiceless(), bigger)
	people := newCrowd(t, g, 12, 3)
	g.lookout.maySee = func(s *Session, channelID string) bool { return s.userID == "ada" || channelID != "channel-01" }
	ada, bob := newWatcher(t, g, "ada"), newWatcher(t, g, "bob")
	require.Len(t, ada.known.Channels, 3)
	require.Len(t, bob.known.Channels, 2)
	people.members[1].SetVoiceState(new(true), nil, nil)
	ada.knows(people)
	people.move(1, "channel-00")
	ada.knows(people)
	require.Eventually(t, func() bool { bob.read(); return len(bob.told) > 0 }, time.Minute, time.Millisecond, "in the same tick, perhaps later")
	require.Len(t, bob.told, 1, "%v", bob.told)
	require.Len(t, bob.told[0].Channels, 1)
	require.Equal(t, "channel-00", bob.told[0].Channels[0].ChannelID)
}

// Who speaks is told like who is there: to those who may see the channel, and as it is in the end.
func TestPresenceOfWhoSpeaks(t *testing.T) {
	g, _ := startGateway(t, answerVoiceless(), bigger)
	people := newCrowd(t, g, 12, 3)
	people.decide()
	g.lookout.maySee = func(s *Session, channelID string) bool { return s.userID == "ada" || channelID != "channel-01" }
	ada, bob := newWatcher(t, g, "ada"), newWatcher(t, g, "bob")
	speak := func(w *watcher) (ids []string) {
		w.read()
		for _, c := range w.known.Channels {
			for _, p := range c.Members {
				if p.Speaks {
					ids = append(ids, p.UserID)
				}
			}
		}
		slices.Sort(ids)
		return ids
	}
	becomes := func(w *watcher, talking []int, want ...string) {
		t.Helper()
		require.Eventually(t, func() bool {
			for _, person := range talking {
				people.say(person)
			}
			return slices.Equal(speak(w), want)
		}, time.Minute, 10*time.Millisecond)
	}
	becomes(ada, []int{0, 1}, "guest-000000", "guest-000001")
	becomes(bob, []int{0, 1}, "guest-000000")
	late := newWatcher(t, g, "cy")
	require.Len(t, late.known.Channels, 2)
	becomes(late, []int{0}, "guest-000000")
	people.members[0].SetVoiceState(new(true), nil, nil)
	becomes(ada, []int{0})
	becomes(late, nil)
	begin, told := time.Now(), len(bob.told)
	// Of words and pauses no more is told than of anything else.
	for talks := true; time.Since(begin) < 2*time.Second || len(bob.told) == told && time.Since(begin) < time.Minute; talks = !talks {
		for range 12 {
			if talks {
				people.say(3)
			}
			time.Sleep(30 * time.Millisecond)
			bob.read()
		}
	}
	require.Greater(t, len(bob.told), told)
	require.LessOrEqual(t, len(bob.told)-told, int(time.Since(begin)/presencePause)+2)
	becomes(bob, nil)
	for _, event := range bob.told {
		for _, c := range event.Channels {
			require.NotEqual(t, "channel-01", c.ChannelID)
		}
	}
}

// What follows from a request is told after its reply, be it ever so late.
func TestPresenceWaitsForTheReply(t *testing.T) {
	g, _ := startGateway(t, answerVoiceless(), bigger)
	people := newCrowd(t, g, 12, 3)
	w := newWatcher(t, g, "ada")
	other := newWatcher(t, g, "bob")
	w.turn.Lock() // carries out a request
	people.move(0, "channel-01")
	other.knows(people)
	w.read()
	require.Empty(t, w.told)
	w.turn.Unlock()
	w.knows(people)
	require.Len(t, w.told, 1)
}

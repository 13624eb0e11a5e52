package sfu

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mini-livechat/mini-livechat/sfu/forward"
	"github.com/mini-livechat/mini-livechat/sfu/speaker"
)

// node is another node's end of an outlet.
type node struct {
	tb    testing.TB
	lines map[string]*forward.Slot
	heard map[string]*capture
	freed []string
}

func newNode(tb testing.TB) *node {
	tb.Helper()
	return &node{tb: tb, lines: make(map[string]*forward.Slot), heard: make(map[string]*capture)}
}

func (n *node) Line(_, userID string) *forward.Slot {
	if n.lines[userID] == nil {
		writer := &capture{}
		slot, err := forward.NewSlot(forward.RandomSlotConfig(uint32(len(n.lines)), 111, 0), writer)
		require.NoError(n.tb, err)
		slot.Open()
		n.lines[userID], n.heard[userID] = slot, writer
	}
	return n.lines[userID]
}

func (n *node) Free(_, userID string) {
	delete(n.lines, userID)
	n.freed = append(n.freed, userID)
}

// hears returns of how many packets of whom something came since the last call.
func (n *node) hears() map[string]int {
	heard := make(map[string]int)
	for userID, writer := range n.heard {
		if packets := len(writer.take()); packets > 0 {
			heard[userID] = packets
		}
	}
	return heard
}

// meeting is a channel with talkers, whose clock the test has.
type meeting struct {
	channel *Channel
	now     time.Time
	talkers map[string]*conn
	members map[string]*Member
}

func newMeeting(t *testing.T, edit func(*HubConfig), names ...string) *meeting {
	t.Helper()
	notifier, log := &recorder{}, &journal{}
	cfg := HubConfig{
		Limits: ChannelLimits{Capacity: 50, Channels: 4}, NameKeys: func(name string) []string { return []string{name} },
		Answer: answerFromContext, Peers: NewMediaPeerHub(log), Notifier: notifier, Journal: log,
	}
	if edit != nil {
		edit(&cfg)
	}
	c := &meeting{channel: create(t, NewChannelHub(cfg)), now: time.Now(), talkers: make(map[string]*conn), members: make(map[string]*Member)}
	for _, name := range names {
		c.join(t, name, 4)
	}
	return c
}

func (c *meeting) join(t *testing.T, name string, slots int) {
	t.Helper()
	c.talkers[name] = newConn(t, uint32(len(c.talkers)+1), slots)
	c.members[name] = join(t, c.channel, name, c.talkers[name])
}

// say has some talk for a while, each as loud as it says, and the channel decide after each packet.
func (c *meeting) say(length time.Duration, levels map[string]speaker.Level) {
	for end := c.now.Add(length); c.now.Before(end); c.now = c.now.Add(20 * time.Millisecond) {
		for name, level := range levels {
			c.talkers[name].say(level, c.now)
		}
		c.channel.decide(c.now)
	}
}

// TestLoudestAreCarriedToOtherNodes: as many as somebody there can hear, by the rules by which a listener's slots are given, and from the
// first syllable.
func TestLoudestAreCarriedToOtherNodes(t *testing.T) {
	c := newMeeting(t, nil, "ann", "bob", "cid", "dan")
	hub, there := c.channel.hub, newNode(t)
	require.False(t, hub.Feed("nowhere", there, 2, nil))
	require.True(t, hub.Feed("lobby", there, 2, nil))
	require.Len(t, there.lines, 4, "a line for everybody who may be carried")
	require.Equal(t, 2, c.channel.Relayed())

	c.say(3*time.Second, map[string]speaker.Level{"ann": 30, "bob": 32, "cid": 33})
	there.hears()
	c.say(time.Second, map[string]speaker.Level{"ann": 30, "bob": 32, "cid": 33})
	require.Equal(t, map[string]int{"ann": 50, "bob": 50}, there.hears(), "the loudest, and no change for so little")

	// Dan is clearly louder, and heard from the beginning: one packet more than were said after he was given the line.
	before := c.talkers["dan"].seq
	c.say(time.Second, map[string]speaker.Level{"ann": 30, "bob": 40, "dan": 10})
	heard := there.hears()
	require.Equal(t, int(c.talkers["dan"].seq-before), heard["dan"])
	require.Equal(t, 50, heard["ann"])
	require.Less(t, heard["bob"], 50)
	require.Equal(t, 2, c.channel.Relayed())
}

// TestWhoIsMutedHasNoLine: most of a large channel never talk. Who may has one from then on, and is carried at once.
func TestWhoIsMutedHasNoLine(t *testing.T) {
	c := newMeeting(t, nil, "ann", "bob")
	muted, talks := true, false
	c.members["bob"].SetVoiceState(&muted, nil, nil)
	there := newNode(t)
	require.True(t, c.channel.hub.Feed("lobby", there, 2, nil))
	require.Len(t, there.lines, 1)
	require.Equal(t, 1, c.channel.Relayed())
	c.members["bob"].SetVoiceState(&talks, nil, nil)
	require.Equal(t, 2, c.channel.Relayed())
	c.say(time.Second, map[string]speaker.Level{"bob": 30})
	require.Equal(t, map[string]int{"bob": 50}, there.hears())
	c.members["bob"].SetVoiceState(&muted, nil, nil)
	require.Len(t, there.lines, 2, "it stays ready")
	c.members["bob"].Leave(LeaveLeft)
	require.Equal(t, []string{"bob"}, there.freed)

	c.members["ann"].Leave(LeaveLeft)
	require.Zero(t, c.channel.Relayed())
	c.join(t, "dan", 4)
	require.Equal(t, 1, c.channel.Relayed(), "what is wanted holds for who comes after all have gone")
	c.say(time.Second, map[string]speaker.Level{"dan": 30})
	require.Equal(t, map[string]int{"dan": 50}, there.hears())
}

// TestPinnedAreCarriedBesideTheLoudest: and nothing of what another node sent.
func TestPinnedAreCarriedBesideTheLoudest(t *testing.T) {
	c := newMeeting(t, func(cfg *HubConfig) {
		cfg.Voices = func(string, string, string) Voice { return newConn(t, 99, 0) }
	}, "ann", "bob", "cid")
	require.True(t, c.channel.PutMirror(Mirror{Node: "beta", MemberInfo: MemberInfo{UserID: "eve", Name: "Eve", Talker: true}}))
	there := newNode(t)
	require.True(t, c.channel.hub.Feed("lobby", there, 1, []string{"cid", "eve", "nobody"}))
	require.NotContains(t, there.lines, "eve")
	c.say(3*time.Second, map[string]speaker.Level{"ann": 20, "bob": 40, "cid": 44})
	there.hears()
	c.say(time.Second, map[string]speaker.Level{"ann": 20, "bob": 40, "cid": 44})
	heard := there.hears()
	require.Equal(t, 50, heard["ann"])
	require.Equal(t, 50, heard["cid"])
	require.NotContains(t, heard, "eve")

	// One who is muted is not carried, nor one who left.
	muted := true
	c.members["cid"].SetVoiceState(&muted, nil, nil)
	require.True(t, c.members["ann"].Leave(LeaveLeft))
	require.Equal(t, []string{"ann"}, there.freed)
	there.hears()
	c.say(time.Second, map[string]speaker.Level{"ann": 20, "bob": 40, "cid": 44})
	heard = there.hears()
	require.NotContains(t, heard, "ann")
	require.NotContains(t, heard, "cid")
	require.Equal(t, 50, heard["bob"])

	// Nobody there can hear anything any more.
	require.True(t, c.channel.hub.Feed("lobby", there, 0, nil))
	require.Zero(t, c.channel.Relayed())
	require.Empty(t, there.lines)
	c.say(time.Second, map[string]speaker.Level{"bob": 40})
	require.Empty(t, there.hears())
}

// TestStreamsToOtherNodesAreBounded: however many talk, each node gets no more than it can hear.
func TestStreamsToOtherNodesAreBounded(t *testing.T) {
	const talkers, slots = 20, 3
	names := make([]string, 0, talkers)
	for i := range talkers {
		names = append(names, fmt.Sprintf("u%d", i))
	}
	c := newMeeting(t, nil, names...)
	nodes := []*node{newNode(t), newNode(t)}
	for _, n := range nodes {
		require.True(t, c.channel.hub.Feed("lobby", n, slots, nil))
	}
	levels := make(map[string]speaker.Level)
	for i, name := range names {
		levels[name] = speaker.Level(20 + i)
	}
	for range 5 {
		c.say(500*time.Millisecond, levels)
		require.LessOrEqual(t, c.channel.Relayed(), slots*len(nodes))
		for name := range levels { // another order each time
			levels[name] = 20 + (levels[name]+7)%talkers
		}
	}
	for _, n := range nodes {
		n.hears()
		c.say(20*time.Millisecond, levels)
		require.LessOrEqual(t, len(n.hears()), slots)
	}
}

// TestFloorIsCarried: where one talks at a time, who has the floor is, and nobody else.
func TestFloorIsCarried(t *testing.T) {
	c := newMeeting(t, nil, "ann", "bob")
	there := newNode(t)
	require.True(t, c.channel.hub.Feed("lobby", there, 2, nil))
	c.channel.mu.Lock()
	c.channel.board.takeTurns(true)
	c.channel.board.settle(c.now)
	c.channel.board.open(onFloor, "bob", c.now)
	c.channel.mu.Unlock()
	c.say(time.Second, map[string]speaker.Level{"ann": 20, "bob": 30})
	require.Equal(t, map[string]int{"bob": 50}, there.hears())
}

// TestClosedChannelFreesItsLines: so that they can be another's.
func TestClosedChannelFreesItsLines(t *testing.T) {
	c := newMeeting(t, nil, "ann", "bob")
	there := newNode(t)
	require.True(t, c.channel.hub.Feed("lobby", there, 2, nil))
	require.True(t, c.channel.hub.Delete(c.channel, ""))
	require.Empty(t, there.lines)
	slices.Sort(there.freed)
	require.Equal(t, []string{"ann", "bob"}, there.freed)
	require.False(t, c.channel.hub.Feed("lobby", there, 2, nil))
}

// TestWantsAreWhatMembersCanHear: told whenever that changes, and not otherwise.
func TestWantsAreWhatMembersCanHear(t *testing.T) {
	var told []string
	last := func() string {
		all := told
		told = nil
		return fmt.Sprint(all)
	}
	c := newMeeting(t, func(cfg *HubConfig) {
		cfg.Wants = func(channelID string, slots int, pins []string) {
			told = append(told, fmt.Sprintf("%s %d %v", channelID, slots, pins))
		}
	})
	c.join(t, "ann", 2)
	require.Equal(t, "[lobby 2 []]", last())
	c.join(t, "bob", 4)
	require.Equal(t, "[lobby 4 []]", last())
	c.join(t, "cid", 3)
	require.Equal(t, "[]", last(), "no more than Bob hears")
	require.True(t, c.members["cid"].Subscribe([]string{"zoe", "ann"}, nil, nil))
	require.Equal(t, "[lobby 4 [zoe]]", last(), "Ann is here")
	require.True(t, c.members["ann"].Subscribe([]string{"zoe", "yan"}, nil, nil))
	require.Equal(t, "[lobby 4 [yan zoe]]", last())
	deaf := true
	c.members["bob"].SetVoiceState(nil, &deaf, nil)
	c.channel.decide(time.Now())
	require.Equal(t, "[lobby 3 [yan zoe]]", last(), "who hears nothing wants nothing")
	c.members["cid"].Leave(LeaveLeft)
	c.members["ann"].Leave(LeaveLeft)
	last()
	c.members["bob"].Leave(LeaveLeft)
	require.Equal(t, "[]", last(), "told when Ann left")
	c.join(t, "dan", 1)
	require.Equal(t, "[lobby 1 []]", last())
	require.True(t, c.channel.hub.Delete(c.channel, ""))
	require.Equal(t, "[lobby 0 []]", last())
}

package mirror

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mini-livechat/mini-livechat/sfu"
	"github.com/mini-livechat/mini-livechat/signaling/cluster"
)

// agree is how long the nodes may take until they agree again, once nothing is in their way.
const agree = 2 * time.Second

// Whatever happens on five nodes, with delays, partitions and deaths: once all see each other they agree within 2 s, and whoever
// was told of every change knows what is.
func TestNodesAgree(t *testing.T) {
	days(t, 10, func(t *testing.T, random *rand.Rand) {
		t.Helper()
		names := []string{"a", "b", "c", "d", "e"}
		w := newTown(t, names...)
		w.net.Delay(func(string, string) time.Duration { return time.Duration(random.IntN(60)) * time.Millisecond })
		for range 4 {
			died := false
			for range 150 {
				died = w.something(random, names) || died
				w.pass(time.Duration(random.IntN(60)) * time.Millisecond)
			}
			w.net.Heal()
			for _, name := range names {
				if w.houses[name] == nil {
					w.start(name)
				}
			}
			if died {
				w.pass(Grace) // until then those of the dead are there
			}
			w.pass(agree)
			require.Empty(t, w.disagreement())
		}
	})
}

// something has one thing happen, and reports whether a node died.
func (w *town) something(random *rand.Rand, names []string) (died bool) {
	pick := func(of []string) string { return of[random.IntN(len(of))] }
	name, user := pick(names), "user"+fmt.Sprint(random.IntN(12))
	h := w.houses[name]
	switch what := random.IntN(100); {
	case what < 3:
		groups := [2][]string{}
		for _, one := range names {
			side := random.IntN(2)
			groups[side] = append(groups[side], one)
		}
		w.net.Part(groups[:]...)
		return false
	case what < 8:
		w.net.Heal()
		return false
	case what < 9 && len(w.houses) > 2 && h != nil:
		w.kill(name)
		return true
	case what < 12:
		w.net.Cut(name, pick(names))
		return false
	case h == nil:
		w.start(name)
		return false
	case h.people[user] == nil:
		h.come(user)
		return false
	}
	p := h.people[user]
	in := p.member != nil && p.member.Active()
	switch what := random.IntN(10); {
	case what == 0:
		h.end(user)
	case !in || what < 2:
		h.join(user, pick(channelIDs))
	case what < 3:
		p.member.Leave(sfu.LeaveLeft)
	case what < 5:
		p.member.SetHand(random.IntN(2) == 0, time.Now(), func(sfu.MemberInfo) {})
	case what < 7:
		p.member.SetUnstable(random.IntN(2) == 0)
	case what < 8:
		p.member.SetMuted(random.IntN(2) == 0, "")
	default:
		p.member.SetVoiceState(new(random.IntN(2) == 0), new(random.IntN(3) == 0), nil)
	}
	return false
}

// A node dies: its people stay for the grace, and leave then.
func TestGrace(t *testing.T) {
	w := newTown(t, "a", "b", "c")
	a, b := w.houses["a"], w.houses["b"]
	for _, id := range []string{"ann", "ben"} {
		a.come(id)
		a.join(id, "attic")
	}
	w.pass(time.Second)
	require.Equal(t, []string{"MemberJoined ann", "MemberJoined ben"}, b.take())

	w.kill("a")
	w.pass(Grace - time.Second)
	require.Empty(t, b.take(), "nobody has left yet")
	require.Len(t, b.members("attic"), 2)
	_, elsewhere := b.x.Find("ann")
	require.False(t, elsewhere, "but nobody can ask a dead node")

	// Ann comes back on another node: she has never left, and is muted now.
	c := w.houses["c"]
	c.come("ann")
	c.join("ann", "attic")
	c.people["ann"].member.SetVoiceState(new(true), nil, nil)
	w.pass(time.Second / 2)
	require.Equal(t, []string{"VoiceStateChanged ann"}, b.take())
	w.pass(2 * time.Second)
	require.Equal(t, []string{"MemberLeft ben"}, b.take())
	require.Len(t, b.members("attic"), 1)
	require.Empty(t, w.disagreement())
}

// A user has one session: that which began last.
func TestTakeover(t *testing.T) {
	w := newTown(t, "a", "b", "c")
	a, b := w.houses["a"], w.houses["b"]
	a.come("ann")
	a.join("ann", "attic")
	w.pass(time.Second)
	b.come("ann")
	b.join("ann", "cellar")
	w.pass(time.Second)
	require.Nil(t, a.people["ann"], "the older session has ended")
	require.NotNil(t, b.people["ann"])
	require.Empty(t, w.disagreement())
	at, ok := w.houses["c"].x.Find("ann")
	require.True(t, ok)
	require.Equal(t, "b", at.Name)

	// A clock that is an hour ahead makes nobody's session last for ever.
	b.x.now = func() time.Time { return w.net.Now().Add(time.Hour) }
	b.come("ann")
	w.pass(time.Second)
	a.come("ann")
	w.pass(time.Second)
	require.NotNil(t, a.people["ann"])
	require.Nil(t, b.people["ann"])
}

// Two sessions that begin at the same time on nodes that do not see each other: one is left, the same for all.
func TestTakeoverTie(t *testing.T) {
	w := newTown(t, "a", "b")
	a, b := w.houses["a"], w.houses["b"]
	w.net.Part([]string{"a"}, []string{"b"})
	a.come("ann")
	b.come("ann")
	require.Equal(t, a.people["ann"].rank, b.people["ann"].rank)
	w.pass(5 * time.Second)
	require.NotNil(t, a.people["ann"])
	require.NotNil(t, b.people["ann"])
	w.net.Heal()
	w.pass(agree)
	require.NotNil(t, a.people["ann"])
	require.Nil(t, b.people["ann"])
	require.True(t, a.x.Counts("ann", a.people["ann"].rank))
}

// A partition that is healed within the grace is seen by nobody; one of longer has those of the other side go and come.
func TestPartition(t *testing.T) {
	w := newTown(t, "a", "b", "c")
	a, b := w.houses["a"], w.houses["b"]
	a.come("ann")
	a.join("ann", "attic")
	w.pass(time.Second)
	b.take()
	w.net.Part([]string{"a"}, []string{"b", "c"})
	w.pass(3 * time.Second)
	w.net.Heal()
	w.pass(agree)
	require.Empty(t, b.take())
	w.net.Part([]string{"a"}, []string{"b", "c"})
	w.pass(10 * time.Second)
	require.Equal(t, []string{"MemberLeft ann"}, b.take())
	require.Len(t, a.members("attic"), 1, "on her side nothing has happened")
	w.net.Heal()
	w.pass(agree)
	require.Equal(t, []string{"MemberJoined ann"}, b.take())
}

// What is said of a channel before it is known there counts when it is.
func TestChannelMadeLater(t *testing.T) {
	w := newTown(t, "a", "b")
	a, b := w.houses["a"], w.houses["b"]
	a.makeChannel("shed")
	a.come("ann")
	a.join("ann", "shed")
	w.pass(time.Second)
	require.Nil(t, b.Channel("shed"))
	b.makeChannel("shed")
	require.Len(t, b.members("shed"), 1)
}

// What is passed on comes once, in order with the rest, and goes on while all else has to be asked for.
func TestTell(t *testing.T) {
	w := newTown(t, "a", "b", "c")
	a, b := w.houses["a"], w.houses["b"]
	for i := range 3 {
		a.x.Tell(Telling{Channel: "attic", Except: "ann", Op: i, Data: json.RawMessage(`{"x":1}`)})
	}
	w.pass(time.Second)
	ops := make([]int, 0, len(b.told))
	for _, one := range b.told {
		ops = append(ops, one.Op)
	}
	require.Equal(t, []int{0, 1, 2}, ops)
	require.Empty(t, a.told, "it is for the others")
	require.JSONEq(t, `{"x":1}`, string(b.told[0].Data))
}

// A node with more people than go into one message.
func TestLargeSnapshot(t *testing.T) {
	w := newTown(t, "a", "b")
	a := w.houses["a"]
	for i := range partItems + 10 {
		id := fmt.Sprintf("user%d", i)
		a.come(id)
		a.join(id, "attic")
	}
	a.x.Speaking("attic", []sfu.SpeakerInfo{{UserID: "user7", Level: 9}})
	w.kill("b")
	b := w.start("b")
	w.pass(agree)
	require.Empty(t, w.disagreement())
	require.Equal(t, []sfu.SpeakerInfo{{UserID: "user7", Level: 9}}, b.x.others[a.bus.Self()].channels["attic"].speakers)
	require.Len(t, b.x.Named(func(name string) bool { return name == "USER7" }), 1)
	require.True(t, slices.Contains(b.x.Named(func(string) bool { return true }), "user209"))
}

// What another sends that makes no sense is passed over.
func TestNonsense(t *testing.T) {
	w := newTown(t, "a", "b")
	a, b := w.houses["a"], w.houses["b"]
	for _, text := range []string{"", "{", "[]", `{"n":-1}`, `{"n":1,"i":{"k":"what"}}`, `{"n":2,"i":{"k":"member","c":"attic"}}`, `{"n":3,"i":{"k":"tell"}}`} {
		b.x.hear(a.bus.Self(), []byte(text))
		b.x.snapshot(a.bus.Self(), []byte(text))
	}
	a.come("ann")
	a.join("ann", "attic")
	w.pass(agree)
	require.Empty(t, w.disagreement())
}

// Who appears is told all by each of the others, and they tell each other nothing.
func TestSnapshotsGoToWhoAsks(t *testing.T) {
	w := newTown(t, "a", "b", "c")
	for _, name := range []string{"a", "c"} {
		w.houses[name].come("of-" + name)
		w.houses[name].join("of-"+name, "attic")
	}
	w.pass(time.Second)
	w.kill("b")
	w.pass(time.Second)
	before := w.houses["a"].bus.SentOn(cluster.SubjectSnapshot)
	b := w.start("b")
	w.pass(time.Second)
	require.Len(t, b.members("attic"), 2)
	after := w.houses["a"].bus.SentOn(cluster.SubjectSnapshot)
	require.LessOrEqual(t, after.Messages, before.Messages+3, "it asks, again until it is known, and is asked")
}

// What a node says first is believed without asking for the rest, and before it nobody knows that there is none.
func TestFirstChangeNeedsNoSnapshot(t *testing.T) {
	w := newTown(t, "n1", "n2")
	w.kill("n2")
	n1 := w.houses["n1"]
	w.pass(2 * Grace)
	require.True(t, n1.x.Knows())
	from := cluster.NodeID{Name: "n3", Boot: "b1"}
	n1.x.changed(cluster.Change{Node: cluster.Node{ID: from}, Alive: true})
	require.False(t, n1.x.Knows())
	n1.x.hear(from, encode(message{N: 2, Item: &item{Kind: kindSession, User: "later", Rank: 1}}))
	require.False(t, n1.x.Knows(), "something came before that")
	n1.x.hear(from, encode(message{N: 1, Item: &item{Kind: kindSession, User: "ada", Rank: 1}}))
	require.True(t, n1.x.Knows())
	at, ok := n1.x.Find("ada")
	require.True(t, ok)
	require.Equal(t, from, at)
}

// What two nodes say has no order: one who left a node for another one is there until that one says so, or it is clear that it does not.
func TestLeavesForAnotherNode(t *testing.T) {
	w := newTown(t, "n1", "n2", "n3")
	n1 := w.houses["n1"]
	from, to := w.houses["n2"].bus.Self(), w.houses["n3"].bus.Self()
	say := func(node cluster.NodeID, i *item) {
		n1.x.mu.Lock()
		defer n1.x.mu.Unlock()
		n1.x.applyLocked(n1.x.others[node], i)
	}
	for _, comes := range []bool{true, false} {
		say(from, &item{Kind: kindMember, Channel: "attic", User: "ada", Rank: 1, Member: &member{Name: "Ada"}})
		n1.events = nil
		say(from, &item{Kind: kindLeft, Channel: "attic", User: "ada", Cause: int(sfu.LeaveGone), GoesOn: true})
		w.pass(partWithin / 2)
		require.Empty(t, n1.events)
		if comes {
			say(to, &item{Kind: kindMember, Channel: "attic", User: "ada", Rank: 2, Member: &member{Name: "Ada"}})
		}
		w.pass(partWithin)
		if comes {
			require.Empty(t, n1.events)
			say(to, &item{Kind: kindLeft, Channel: "attic", User: "ada", Cause: int(sfu.LeaveGone)})
		}
		require.Len(t, n1.events, 1, "out")
		require.Empty(t, n1.hub.List()[0].MemberCount+n1.hub.List()[1].MemberCount)
	}
}

// Who listens in to a channel is known on all nodes, also on one that comes later, and after a change that was missed; of a node that is gone
// nobody does.
func TestListeners(t *testing.T) {
	w := newTown(t, "a", "b", "c")
	on := func(name string) (ids []string) {
		for _, l := range w.houses[name].x.Listeners("lobby") {
			ids = append(ids, l.UserID+" "+l.Name)
		}
		return ids
	}
	a, b := w.houses["a"], w.houses["b"]
	w.kill("c")
	w.pass(time.Second)
	a.x.Listening("lobby", sfu.ListenerInfo{UserID: "ada", Name: "Ada"}, true)
	a.x.Listening("other", sfu.ListenerInfo{UserID: "ada", Name: "Ada"}, true)
	a.x.Listening("lobby", sfu.ListenerInfo{UserID: "ben", Name: "Ben"}, true)
	w.pass(time.Second)
	require.Equal(t, []string{"ada Ada", "ben Ben"}, on("b"))
	require.Empty(t, on("a"), "its own are the channel's to say")
	w.start("c")
	w.pass(time.Second)
	require.Equal(t, []string{"ada Ada", "ben Ben"}, on("c"))

	w.net.Part([]string{"a"}, []string{"b", "c"})
	w.pass(2 * time.Second)
	require.Empty(t, on("b"))
	a.x.Listening("lobby", sfu.ListenerInfo{UserID: "ada", Name: "Ada"}, false)
	w.net.Heal()
	w.pass(2 * time.Second)
	require.Equal(t, []string{"ben Ben"}, on("b"))
	a.x.Listening("lobby", sfu.ListenerInfo{UserID: "ben", Name: "Ben"}, false)
	w.pass(time.Second)
	require.Empty(t, on("b"))
	require.Empty(t, on("c"))
	require.NotEmpty(t, b.x.Listeners("other"))
	w.kill("a")
	w.pass(2 * time.Second)
	require.Empty(t, b.x.Listeners("other"))
}

package sfu

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mini-livechat/mini-livechat/sfu/speaker"
)

const frameLen = 20 * time.Millisecond

// crowd is a channel whose members send a packet every 20 ms, each at a level of its own,
// and which decides after each.
type crowd struct {
	t        *testing.T
	channel  *Channel
	notifier *recorder
	now      time.Time
	levels   map[*conn]speaker.Level
	order    []*conn
}

func newCrowd(t *testing.T) *crowd {
	t.Helper()
	c, _, notifier := newChannel(t, 1000)
	return &crowd{t: t, channel: c, notifier: notifier, now: time.Now(), levels: make(map[*conn]speaker.Level)}
}

func (c *crowd) join(user string, media *conn, level speaker.Level) *Member {
	c.t.Helper()
	c.levels[media] = level
	c.order = append(c.order, media)
	return join(c.t, c.channel, user, media)
}

// frame lets 20 ms pass.
func (c *crowd) frame() {
	c.now = c.now.Add(frameLen)
	for _, media := range c.order {
		if level := c.levels[media]; media.Talker() && level < speaker.Silence {
			media.say(level, c.now)
		}
	}
	c.channel.decide(c.now)
}

func (c *crowd) pass(d time.Duration) {
	for range d / frameLen {
		c.frame()
	}
}

// events returns what was told of one kind since the last call of take.
func events[T Event](calls []told) []T {
	var found []T
	for _, call := range calls {
		if event, ok := call.event.(T); ok {
			found = append(found, event)
		}
	}
	return found
}

func TestTheLoudestGetTheSlots(t *testing.T) {
	c := newCrowd(t)
	ear := newConn(t, 0, 2)
	c.join("ear", ear, speaker.Silence)
	talkers := make([]*conn, 6)
	for i := range talkers {
		talkers[i] = newConn(t, uint32(i+1), 2)
		c.join(fmt.Sprint("user", i+1), talkers[i], speaker.Level(60-8*i))
	}
	c.pass(3 * time.Second)
	ear.hears()
	c.pass(time.Second)
	heard := ear.hears()
	require.Len(t, heard[0], 50, "one of them, all the time")
	require.Len(t, heard[1], 50)
	require.ElementsMatch(t, []uint32{5, 6}, []uint32{heard[0][0], heard[1][0]})
	for i, talker := range talkers[4:] {
		for _, slot := range talker.hears() {
			require.NotContains(t, slot, uint32(5+i), "oneself")
		}
	}

	// The SLOT_MAP says the same.
	c.notifier.take()
	c.levels[talkers[0]] = 5
	c.pass(100 * time.Millisecond)
	heard = ear.hears()
	for i, slot := range slotsOf(c, "ear") {
		require.Equal(t, heard[i][len(heard[i])-1], slot.SSRC)
		require.Equal(t, fmt.Sprint("user", slot.SSRC), slot.UserID)
	}
	var told []SlotInfo
	for _, call := range c.notifier.take() {
		if e, ok := call.event.(SlotsChanged); ok && slices.Equal(call.to, []string{"ear"}) {
			require.Nil(t, told, "told once")
			told = e.Slots
		}
	}
	require.Equal(t, slotsOf(c, "ear"), told)
}

func slotsOf(c *crowd, user string) []SlotInfo {
	c.channel.mu.Lock()
	defer c.channel.mu.Unlock()
	board := &c.channel.board
	return board.describe(board.legs[slices.IndexFunc(board.legs, func(l *leg) bool { return l.userID == user })])
}

// A newcomer is heard from the first packet of the first syllable on, each packet once.
func TestFirstSyllableIsNotClipped(t *testing.T) {
	c := newCrowd(t)
	ear := newConn(t, 0, 1)
	c.join("ear", ear, speaker.Silence)
	c.join("ada", newConn(t, 1, 0), 40)
	newcomer := newConn(t, 2, 0)
	c.join("bob", newcomer, speaker.Silence)
	c.pass(5 * time.Second)
	require.Equal(t, uint32(1), ear.hears()[0][0])
	for range 50 {
		newcomer.say(70, c.now) // breath, to be left out
		c.frame()
	}
	ear.hears()
	c.levels[newcomer] = 20
	c.pass(200 * time.Millisecond)
	heard := slices.DeleteFunc(ear.hears()[0], func(ssrc uint32) bool { return ssrc == 1 })
	require.GreaterOrEqual(t, len(heard), 10, "all ten packets of the first 200 ms")
	require.LessOrEqual(t, len(heard), 12, "and no more than the lead-in before")
}

// One who has been talking for long and gets a slot goes on in mid-sentence.
func TestOldSpeechIsNotReplayed(t *testing.T) {
	c := newCrowd(t)
	ear := newConn(t, 0, 1)
	c.join("ear", ear, speaker.Silence)
	ada := newConn(t, 1, 0)
	c.join("ada", ada, 20)
	c.join("bob", newConn(t, 2, 0), 30)
	c.pass(5 * time.Second)
	ear.hears()
	c.levels[ada] = speaker.Silence
	c.pass(time.Second)
	heard := slices.DeleteFunc(ear.hears()[0], func(ssrc uint32) bool { return ssrc == 1 })
	require.NotEmpty(t, heard)
	require.Less(t, len(heard), 50-int(280*time.Millisecond/frameLen)+2)
}

func TestSpeakersAreTold(t *testing.T) {
	c := newCrowd(t)
	ada, bob := newConn(t, 1, 2), newConn(t, 2, 2)
	adaMember := c.join("ada", ada, speaker.Silence)
	c.join("bob", bob, speaker.Silence)
	c.pass(time.Second)
	require.Empty(t, events[SpeakersChanged](c.notifier.take()), "nobody speaks, nobody is told")

	speak := func(media *conn, level speaker.Level, within time.Duration, want ...SpeakerInfo) {
		t.Helper()
		c.levels[media] = level
		c.pass(within)
		found := events[SpeakersChanged](c.notifier.take())
		require.Len(t, found, 1)
		require.Equal(t, "lobby", found[0].ChannelID)
		require.ElementsMatch(t, want, found[0].Speakers)
		c.pass(2 * time.Second)
		require.Empty(t, events[SpeakersChanged](c.notifier.take()), "only on change")
	}
	speak(ada, 20, 100*time.Millisecond, SpeakerInfo{"ada", 20})
	members, speakers := c.channel.Presence()
	require.Len(t, members, 2)
	require.Equal(t, []SpeakerInfo{{"ada", 20}}, speakers)
	speak(bob, 30, 100*time.Millisecond, SpeakerInfo{"ada", 20}, SpeakerInfo{"bob", 30})

	late := newConn(t, 3, 2)
	c.join("cyd", late, speaker.Silence)
	calls := c.notifier.take()
	found := events[SpeakersChanged](calls)
	require.Len(t, found, 1, "a joiner is told who speaks")
	require.Len(t, found[0].Speakers, 2)
	require.Equal(t, []string{"cyd"}, calls[slices.IndexFunc(calls, func(call told) bool {
		_, ok := call.event.(SpeakersChanged)
		return ok
	})].to)

	speak(bob, speaker.Silence, 400*time.Millisecond, SpeakerInfo{"ada", 20})
	adaMember.SetVoiceState(new(true), nil, nil)
	speak(ada, 20, frameLen) // muted
	adaMember.SetVoiceState(new(false), nil, nil)
	speak(ada, 20, frameLen, SpeakerInfo{"ada", 20})
	adaMember.Leave(LeaveLeft)
	speak(ada, 20, frameLen)
}

// Whatever people do, SPEAKERS comes at most every 100 ms, and the last one is true.
func TestSpeakersAreToldAtMostEvery100ms(t *testing.T) {
	c := newCrowd(t)
	random := rand.New(rand.NewPCG(103, 1))
	for i := range 40 {
		c.join(fmt.Sprint(i), newConn(t, uint32(i+1), 2), speaker.Silence)
	}
	c.notifier.take()
	var last SpeakersChanged
	var at time.Time
	count := 0
	for range 3000 {
		c.levels[c.order[random.IntN(40)]] = []speaker.Level{speaker.Silence, 10, 20, 30, 40}[random.IntN(5)]
		c.frame()
		for _, event := range events[SpeakersChanged](c.notifier.take()) {
			require.GreaterOrEqual(t, c.now.Sub(at), 100*time.Millisecond)
			require.LessOrEqual(t, len(event.Speakers), 32)
			require.True(t, slices.IsSortedFunc(event.Speakers, func(a, b SpeakerInfo) int { return int(a.Level) - int(b.Level) }))
			last, at = event, c.now
			count++
		}
	}
	require.Greater(t, count, 300)
	for media := range c.levels {
		c.levels[media] = speaker.Silence
	}
	c.levels[c.order[7]] = 25
	c.pass(2 * time.Second)
	for _, event := range events[SpeakersChanged](c.notifier.take()) {
		last = event
	}
	require.Len(t, last.Speakers, 1)
	require.Equal(t, "7", last.Speakers[0].UserID)
	require.InDelta(t, 25, last.Speakers[0].Level, levelStep)
}

// Nothing ticks while nobody speaks; whoever does wakes the decider.
func TestDecidesWhileSomebodySpeaks(t *testing.T) {
	hub, _, notifier := newHub(t, 10)
	c := create(t, hub)
	decideUntilEnd(t, hub)
	ada := newConn(t, 1, 1)
	join(t, c, "ada", ada)
	require.False(t, c.awake.Load())
	for range 3 {
		notifier.take()
		var told []SpeakersChanged
		require.Eventually(t, func() bool {
			if told = append(told, events[SpeakersChanged](notifier.take())...); len(told) == 0 { // two words may be over before they are looked at
				ada.say(20, time.Now())
			}
			return len(told) == 2
		}, 30*time.Second, time.Millisecond)
		require.Len(t, told[0].Speakers, 1)
		require.Empty(t, told[1].Speakers)
		require.Eventually(t, func() bool { return !c.awake.Load() }, 30*time.Second, time.Millisecond)
	}
	ada.say(20, time.Now())
	ada.say(20, time.Now())
	hub.Delete(c, "")
	require.Eventually(t, func() bool { return !c.awake.Load() }, 30*time.Second, time.Millisecond)
}

func TestNewSSRCIsTold(t *testing.T) {
	c := newCrowd(t)
	ear, ada := newConn(t, 0, 1), newConn(t, 1, 0)
	c.join("ear", ear, speaker.Silence)
	c.join("ada", ada, 20)
	c.pass(time.Second)
	c.notifier.take()
	ada.ssrc = 77
	c.pass(100 * time.Millisecond)
	require.Equal(t, []SlotsChanged{{ChannelID: "lobby", Slots: []SlotInfo{{MID: "a", UserID: "ada", SSRC: 77}}}},
		events[SlotsChanged](c.notifier.take()))
}

func TestSubscribe(t *testing.T) {
	c := newCrowd(t)
	ear := newConn(t, 0, 1)
	m := c.join("ear", ear, speaker.Silence)
	for i, level := range []speaker.Level{30, 40, speaker.Silence} {
		c.join(fmt.Sprint(i), newConn(t, uint32(i+1), 0), level)
	}
	c.pass(3 * time.Second)
	ear.hears()
	hears := func(want uint32) {
		t.Helper()
		c.pass(3 * time.Second)
		ear.hears()
		c.pass(100 * time.Millisecond)
		require.Equal(t, want, ear.hears()[0][0])
	}
	hears(1)
	c.notifier.take()
	require.True(t, m.Subscribe([]string{"1"}, nil, nil))
	require.Len(t, events[SlotsChanged](c.notifier.take()), 1, "at once")
	hears(2)
	require.True(t, m.Subscribe([]string{"2"}, []string{"0"}, nil))
	c.pass(time.Second)
	require.Equal(t, "2", slotsOf(c, "ear")[0].UserID, "a silent one has the slot")
	require.True(t, m.Subscribe(nil, []string{"0"}, nil))
	hears(2)
	require.True(t, m.Subscribe(nil, nil, nil))
	hears(1)
	m.Leave(LeaveLeft)
	require.False(t, m.Subscribe(nil, nil, nil))
}

func TestSubscribeBeforeJoining(t *testing.T) {
	c, _, _ := newChannel(t, 10)
	join(t, c, "ada", newConn(t, 1, 0))
	join(t, c, "bob", newConn(t, 2, 0))
	join(t, c, "cyd", newConn(t, 3, 0))
	_, err := enter(c, newConn(t, 0, 1), JoinRequest{
		UserID: "ear", Pin: []string{"cyd"}, Exclude: []string{"ada"},
		OnJoined: func(s Snapshot) { require.Equal(t, "cyd", s.Slots[0].UserID) },
	})
	require.NoError(t, err)
}

// The deaf have slots, as everyone, but nothing comes on them, not even by a promotion;
// the muted are heard by nobody.
func TestDeafAndMutedInACrowd(t *testing.T) {
	c := newCrowd(t)
	media := make([]*conn, 8)
	members := make([]*Member, 8)
	muted, deaf := make([]bool, 8), make([]bool, 8)
	for i := range media {
		media[i] = newConn(t, uint32(i+1), 2)
		members[i] = c.join(fmt.Sprint(i), media[i], 30)
	}
	random := rand.New(rand.NewPCG(40, 1))
	heard := 0
	for range 500 {
		i := random.IntN(8)
		muted[i], deaf[i] = random.IntN(3) == 0, random.IntN(3) == 0
		members[i].SetVoiceState(&muted[i], &deaf[i], nil)
		c.levels[media[random.IntN(8)]] = []speaker.Level{speaker.Silence, 10, 20, 30, 40}[random.IntN(5)]
		for _, one := range media {
			one.hears()
		}
		c.pass(60 * time.Millisecond)
		for j, one := range media {
			for _, slot := range one.hears() {
				for _, ssrc := range slot {
					require.False(t, deaf[j], "a deaf one hears %d", ssrc)
					require.False(t, muted[ssrc-1] || deaf[ssrc-1], "%d hears a muted one", j)
					require.NotEqual(t, one.ssrc, ssrc)
					heard++
				}
			}
		}
	}
	require.Greater(t, heard, 1000)
}

// What a decision costs while a few speak in a large channel.
func BenchmarkDecide(b *testing.B) {
	for _, size := range []int{4, 100, 1000} {
		b.Run(fmt.Sprint(size, " members"), func(b *testing.B) {
			c, _, _ := newChannel(b, size)
			now := time.Now()
			for i := range size {
				media := newConn(b, uint32(i+1), 8)
				join(b, c, fmt.Sprint(i), media)
				if i < 3 {
					media.say(20, now)
					media.say(20, now)
				}
			}
			c.decide(now)
			b.ReportAllocs()
			for b.Loop() {
				c.decide(now)
			}
		})
	}
}

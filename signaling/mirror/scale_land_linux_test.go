package mirror

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/mini-livechat/mini-livechat/sfu"
	"github.com/mini-livechat/mini-livechat/sfu/speaker"
	"github.com/mini-livechat/mini-livechat/signaling/cluster"
)

// What people do in a large simulation. Each is on some node, whoever else of their channel is where.
const (
	// hearable is how many others one hears at once: what the page offers.
	hearable = 8
	// stay is how long a session lasts, toggle how long somebody stays muted or not, on average.
	stay   = 30 * time.Minute
	toggle = 5 * time.Minute
	// talkative: in one of so many small channels there is a conversation, without end; and always in the large one.
	talkative = 4
	// turnTime is how long somebody talks until another does, after turnPause, on average.
	turnTime  = 3 * time.Second
	turnPause = 500 * time.Millisecond
	// In one of so many small channels one talks at a time, by a button, from the one of this number on.
	turnwise      = 10
	turnwiseFirst = 4
	// muted: so many of a hundred are muted in a small channel, and all but onStage in the large one.
	mutedSmall = 50
	onStage    = 40
	// away is how many of a hundred people are not there, to come when others go.
	away = 1
	// frame is between two packets, and between two looks at what people do.
	frame = 20 * time.Millisecond
	// oneWay is how long a message takes between two nodes.
	oneWay = 500 * time.Microsecond
)

// scale is how large a simulation is.
type scale struct {
	nodes, people, channels int
	// crowd is how many of the people are in one channel.
	crowd int
	// joins is how many come a second after most are there, for one second, and steady how long it is measured after that.
	joins  int
	steady time.Duration
}

// land is a large simulated cluster and everybody on it.
type land struct {
	scale

	net     *cluster.Simulated
	sites   []*site // nil: it is dead
	souls   []*soul
	out     []*soul // who is away
	talks   []*conversation
	in      [][]*soul // by channel
	on      [][]int   // by channel and node: how many
	meters  []*speaker.Meter
	random  *rand.Rand
	running sync.WaitGroup
	load    *load // where packets are counted; nil: there are none

	mu              sync.Mutex
	voice           [][]farawayOn // by user
	granted, denied int           // how often one who pressed the button had the floor, and had not
	// left is of whom anybody was told that they left; nil while nobody asks.
	left map[string]struct{}
}

type farawayOn struct {
	site *site
	f    *faraway
}

// soul is somebody.
type soul struct {
	number, channel, node int
	name                  string
	muted                 bool
	base                  int // how loud they talk, in -dBov
	rank                  uint64
	member                *sfu.Member
	mic                   *microphone
	packets               uint16 // that they sent
}

// conversation is what is said in a channel: one talks after the other.
type conversation struct {
	channel int
	who     *soul // nil: nobody
	until   time.Time
	grant   atomic.Uint64 // where one talks at a time, 0: has not the floor yet
}

// byTurns reports whether one talks at a time in a channel.
func byTurns(channel int) bool { return channel > 0 && channel%turnwise == turnwiseFirst }

func channelName(i int) string { return "channel-" + strconv.Itoa(i) }

func userName(i int) string { return "user-" + strconv.Itoa(i) }

func userNumber(id string) int {
	n, err := strconv.Atoi(strings.TrimPrefix(id, "user-"))
	if err != nil {
		panic(err)
	}
	return n
}

func newLand(s scale) *land {
	l := &land{scale: s, random: rand.New(rand.NewPCG(1, 2)), in: make([][]*soul, s.channels), on: make([][]int, s.channels)}
	names := make([]string, s.nodes)
	for i := range names {
		names[i] = "n" + strconv.Itoa(i)
	}
	l.net = cluster.NewSimulated(names...)
	l.net.Delay(func(string, string) time.Duration { return oneWay })
	all := s.people + s.people*away/100
	l.voice, l.meters = make([][]farawayOn, all), make([]*speaker.Meter, all)
	for i := range all {
		p := &soul{number: i, name: fmt.Sprintf("Person %d", i), base: 20 + l.random.IntN(20), channel: 0}
		if i >= s.crowd {
			p.channel = 1 + i%(s.channels-1)
		}
		p.muted = i%100 < mutedSmall && !byTurns(p.channel)
		if p.channel == 0 {
			p.muted = i >= onStage
		}
		l.souls = append(l.souls, p)
		l.meters[i] = speaker.NewMeter(time.Now())
	}
	l.out = append(l.out, l.souls...)
	l.random.Shuffle(len(l.out), func(i, j int) { l.out[i], l.out[j] = l.out[j], l.out[i] })
	for i := range l.on {
		l.on[i] = make([]int, s.nodes)
		if i == 0 || i%talkative == 0 {
			l.talks = append(l.talks, &conversation{channel: i})
		}
	}
	for _, name := range names {
		l.sites = append(l.sites, l.open(name))
	}
	return l
}

// heard has somebody be heard, or not any more, on a site that is not their own.
func (l *land) heard(user int, s *site, f *faraway) {
	l.mu.Lock()
	defer l.mu.Unlock()
	list := l.voice[user]
	for i := range list {
		if list[i].site == s {
			list[i] = list[len(list)-1]
			list = list[:len(list)-1]
			break
		}
	}
	if f != nil {
		list = append(list, farawayOn{s, f})
	}
	l.voice[user] = list
}

// come has the next who is away come to a node.
func (l *land) come() {
	p := l.out[0]
	l.out = l.out[1:]
	l.enter(p, l.aNode())
}

func (l *land) aNode() int {
	for {
		if n := l.random.IntN(l.nodes); l.sites[n] != nil {
			return n
		}
	}
}

func (l *land) enter(p *soul, node int) {
	s := l.sites[node]
	p.node, p.rank = node, s.x.Begin(userName(p.number), p.name, l.net.Now())
	m, err := s.Channel(channelName(p.channel)).Join(context.Background(), sfu.JoinRequest{
		UserID: userName(p.number), Name: p.name, Offer: userName(p.number), SelfMute: p.muted,
	})
	if err != nil {
		panic(err)
	}
	p.member = m
	p.mic = m.Peer().Conn.(*microphone) //nolint:forcetypeassert // it is ours
	l.in[p.channel] = append(l.in[p.channel], p)
	l.on[p.channel][node]++
}

// gone notes that somebody is in no channel.
func (l *land) gone(p *soul) {
	list := l.in[p.channel]
	for i, o := range list {
		if o == p {
			list[i] = list[len(list)-1]
			l.in[p.channel] = list[:len(list)-1]
			break
		}
	}
	l.on[p.channel][p.node]--
	p.member = nil
}

// leave has somebody go.
func (l *land) leave(p *soul) {
	p.member.Leave(sfu.LeaveLeft)
	l.sites[p.node].x.End(userName(p.number), p.rank)
	l.gone(p)
	l.out = append(l.out, p)
}

// somebody who is there.
func (l *land) somebody() *soul {
	for {
		if p := l.souls[l.random.IntN(len(l.souls))]; p.member != nil {
			return p
		}
	}
}

// mute has somebody mute themselves, or the contrary; on the stage of the large channel one comes when another goes.
func (l *land) mute(p *soul) {
	if byTurns(p.channel) {
		return
	}
	p.muted = !p.muted
	p.member.SetVoiceState(&p.muted, nil, nil)
}

// live has people do for so long what they do, beginning with so many a second of them coming if there are any to come.
func (l *land) live(long time.Duration, joins int, moving bool, each func()) {
	var come, churn, mutes float64
	ticker := time.NewTicker(frame)
	defer ticker.Stop()
	for end := time.Now().Add(long); time.Now().Before(end); {
		<-ticker.C
		now := time.Now()
		for come += float64(joins) * frame.Seconds(); come >= 1 && len(l.out) > len(l.souls)-l.people; come-- {
			l.come()
		}
		if moving {
			for churn += float64(l.people) * frame.Seconds() / stay.Seconds(); churn >= 1; churn-- {
				l.leave(l.somebody())
				l.come()
			}
			for mutes += float64(l.people) * frame.Seconds() / toggle.Seconds(); mutes >= 1; mutes-- {
				if p := l.somebody(); p.channel != 0 || l.random.IntN(l.crowd/onStage) == 0 { // as many come onto the stage as leave it
					l.mute(p)
				}
			}
		}
		for _, c := range l.talks {
			l.talk(c, now)
		}
		if each != nil {
			each()
		}
	}
}

// talk has a conversation go on.
func (l *land) talk(c *conversation, now time.Time) {
	turns := byTurns(c.channel)
	if now.After(c.until) {
		if c.who != nil {
			if m := c.who.member; turns && m != nil {
				c.grant.Store(0)
				l.running.Go(func() { _ = m.ReleaseFloor(context.Background(), 0, func() {}) }) // who was denied it has none to give back
			}
			c.who, c.until = nil, now.Add(l.about(turnPause))
			return
		}
		c.who, c.until = l.next(c.channel), now.Add(l.about(turnTime))
		if turns && c.who != nil {
			l.press(c, c.who.member)
		}
	}
	if c.who == nil || c.who.member == nil || c.who.muted {
		c.who = nil
		return
	}
	if turns && c.grant.Load() == 0 {
		return
	}
	level := speaker.Level(c.who.base + l.random.IntN(12))
	if !l.meters[c.who.number].Observe(level, now) {
		return
	}
	if began := c.who.mic.began.Load(); began != nil {
		(*began)()
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, far := range l.voice[c.who.number] {
		if began := far.f.began.Load(); began != nil {
			(*began)()
		}
	}
}

// press has somebody ask for the floor.
func (l *land) press(c *conversation, m *sfu.Member) {
	l.running.Go(func() {
		var grant uint64
		err := m.RequestFloor(context.Background(), sfu.FloorRequest{}, func(a sfu.FloorAnswer) {
			if a.Grant != nil {
				grant = a.Grant.ID
			}
		})
		l.mu.Lock()
		defer l.mu.Unlock()
		if err != nil || grant == 0 { // another has it, or it is not known yet who decides
			l.denied++
			return
		}
		c.grant.Store(grant)
		l.granted++
	})
}

// next is who talks next in a channel; nil: all are muted.
func (l *land) next(channel int) *soul {
	list := l.in[channel]
	for range min(len(list), 20*len(list)) {
		if p := list[l.random.IntN(len(list))]; !p.muted {
			return p
		}
	}
	return nil
}

func (l *land) about(d time.Duration) time.Duration {
	return time.Duration(l.random.ExpFloat64() * float64(d))
}

// kill ends a node; its people come to others within so long.
func (l *land) kill(node int) []*soul {
	var lost []*soul
	for _, p := range l.souls {
		if p.member != nil && p.node == node {
			lost = append(lost, p)
		}
	}
	s := l.sites[node]
	l.sites[node] = nil
	l.net.Kill(s.name)
	s.stop()
	s.x.Close()
	for _, p := range lost {
		l.gone(p)
	}
	return lost
}

func (l *land) close() {
	for i, s := range l.sites {
		if s != nil {
			l.kill(i)
		}
	}
}

package mirror

import (
	"context"
	"fmt"
	"maps"
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
	"github.com/mini-livechat/mini-livechat/signaling/cluster"
)

// town is several nodes of a simulated cluster, each with real channels.
type town struct {
	t      *testing.T
	net    *cluster.Simulated
	houses map[string]*house // the nodes that live, by name
}

// house is a node.
type house struct {
	town     *town
	name     string
	hub      *sfu.ChannelHub
	x        *Exchange
	people   map[string]*person
	seen     map[string]map[string]sfu.MemberInfo // by channel and user id: what somebody knows who was told of everything
	events   []string                             // what was told, in words
	told     []Telling
	bus      *cluster.SimulatedNode
	nextTick time.Time
}

// person is somebody with a session on a node.
type person struct {
	rank   uint64
	member *sfu.Member
}

var channelIDs = []string{"attic", "cellar"} //nolint:gochecknoglobals // a constant

func newTown(t *testing.T, names ...string) *town {
	t.Helper()
	town := &town{t: t, net: cluster.NewSimulated(names...), houses: make(map[string]*house)}
	for _, name := range names {
		town.start(name)
	}
	town.pass(2 * time.Second)
	return town
}

func (w *town) start(name string) *house {
	h := &house{town: w, name: name, people: make(map[string]*person), seen: make(map[string]map[string]sfu.MemberInfo), bus: w.net.Start(name)}
	h.x = New(h.bus, h, w.net.Now)
	h.hub = sfu.NewChannelHub(sfu.HubConfig{
		Limits:   sfu.ChannelLimits{Capacity: 1000, Channels: 10},
		NameKeys: func(name string) []string { return []string{name} },
		Answer:   func(context.Context, string, []netip.AddrPort) (sfu.Conn, error) { return newDeafMute(), nil },
		Peers:    sfu.NewMediaPeerHub(quiet{}), Notifier: h, Journal: quiet{}, Spread: h.x,
	})
	for _, id := range channelIDs {
		h.makeChannel(id)
	}
	require.NoError(w.t, h.x.Start(h.bus))
	w.houses[name] = h
	return h
}

func (h *house) makeChannel(id string) {
	_, err := h.hub.Create(sfu.ChannelSpec{ID: id, Settings: sfu.Settings{Name: id}}, time.Now(), func() error { return nil })
	require.NoError(h.town.t, err)
	h.x.ChannelMade(id)
}

func (w *town) kill(name string) {
	w.net.Kill(name)
	delete(w.houses, name)
}

// pass lets time go on, and the nodes tick.
func (w *town) pass(d time.Duration) {
	const step = 10 * time.Millisecond
	for end := w.net.Now().Add(d); w.net.Now().Before(end); {
		w.net.Advance(min(step, end.Sub(w.net.Now())))
		for _, name := range slices.Sorted(maps.Keys(w.houses)) {
			if h := w.houses[name]; !w.net.Now().Before(h.nextTick) {
				h.nextTick = w.net.Now().Add(TickEvery)
				h.x.Tick(w.net.Now())
			}
		}
	}
}

// Channel implements Node.
func (h *house) Channel(id string) *sfu.Channel {
	c, err := h.hub.Get(id)
	if err != nil {
		return nil
	}
	return c
}

// Superseded implements Node.
func (h *house) Superseded(userID string, rank uint64) {
	if p := h.people[userID]; p != nil && p.rank == rank {
		h.end(userID)
	}
}

// Tell implements Node.
func (h *house) Tell(t Telling) { h.told = append(h.told, t) }

// come begins a session of a user's, as a gateway does.
func (h *house) come(userID string) {
	h.end(userID)
	h.people[userID] = &person{rank: h.x.Begin(userID, strings.ToUpper(userID), h.town.net.Now())}
}

func (h *house) end(userID string) {
	p := h.people[userID]
	if p == nil {
		return
	}
	delete(h.people, userID)
	if p.member != nil {
		p.member.Leave(sfu.LeaveGone)
	}
	h.x.End(userID, p.rank)
}

func (h *house) join(userID, channelID string) {
	p := h.people[userID]
	if p.member != nil && p.member.Active() {
		p.member.Leave(sfu.LeaveLeft)
	}
	m, err := h.Channel(channelID).Join(context.Background(), sfu.JoinRequest{UserID: userID, Name: strings.ToUpper(userID)})
	require.NoError(h.town.t, err)
	p.member = m
}

// Notify implements sfu.Notifier: whoever was told of everything knows who is there.
func (h *house) Notify(_ []string, _ string, event sfu.Event) {
	note := func(channelID string, m sfu.MemberInfo, is bool) {
		if h.seen[channelID] == nil {
			h.seen[channelID] = make(map[string]sfu.MemberInfo)
		}
		_, was := h.seen[channelID][m.UserID]
		_, joined := event.(sfu.MemberJoined)
		require.Equal(h.town.t, was, !joined, "%s is told %T of %s in %s", h.name, event, m.UserID, channelID)
		if h.seen[channelID][m.UserID] = m; !is {
			delete(h.seen[channelID], m.UserID)
		}
		h.events = append(h.events, strings.TrimPrefix(fmt.Sprintf("%T %s", event, m.UserID), "sfu."))
	}
	switch e := event.(type) {
	case sfu.MemberJoined:
		note(e.ChannelID, e.Member, true)
	case sfu.MemberLeft:
		note(e.ChannelID, e.Member, false)
	case sfu.VoiceStateChanged:
		note(e.ChannelID, e.Member, true)
	case sfu.ConnectionChanged:
		note(e.ChannelID, e.Member, true)
	case sfu.MediaStateChanged:
		note(e.ChannelID, e.Member, true)
	default:
	}
}

// NotifyAll implements sfu.Notifier.
func (h *house) NotifyAll(string, sfu.Event) {}

func (h *house) take() []string {
	events := h.events
	h.events = nil
	return events
}

// members are who is in a channel as a node has it, in words.
func (h *house) members(channelID string) map[string]string {
	words := make(map[string]string)
	for _, m := range h.Channel(channelID).Members() {
		words[m.UserID] = inWords(m)
	}
	return words
}

func inWords(m sfu.MemberInfo) string {
	hand := int64(0)
	if !m.HandAt.IsZero() {
		hand = m.HandAt.UnixMilli()
	}
	m.HandAt = time.Time{}
	return fmt.Sprintf("%+v %d", m, hand)
}

// disagreement says where the nodes do not agree with what each has itself; "" where they do.
func (w *town) disagreement() string {
	for _, id := range channelIDs {
		want := make(map[string]string)
		for _, name := range slices.Sorted(maps.Keys(w.houses)) {
			for userID, p := range w.houses[name].people {
				if p.member != nil && p.member.Active() && p.member.Channel().ID() == id {
					if _, twice := want[userID]; twice {
						return fmt.Sprintf("%s is in %s on two nodes", userID, id)
					}
					want[userID] = w.houses[name].members(id)[userID]
				}
			}
		}
		for name, h := range w.houses {
			if got := h.members(id); !maps.Equal(got, want) {
				return fmt.Sprintf("%s has in %s\n%v, and not\n%v", name, id, got, want)
			}
			for userID, m := range h.seen[id] {
				if inWords(m) != want[userID] {
					return fmt.Sprintf("who is on %s was told of %s in %s\n%s, and not\n%s", name, userID, id, inWords(m), want[userID])
				}
			}
			if len(h.seen[id]) != len(want) {
				return fmt.Sprintf("who is on %s knows %d in %s, and not %d", name, len(h.seen[id]), id, len(want))
			}
		}
	}
	return ""
}

// days runs something with several seeds.
func days(t *testing.T, count int, day func(t *testing.T, random *rand.Rand)) {
	t.Helper()
	for seed := range count {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			day(t, rand.New(rand.NewPCG(1, uint64(seed))))
		})
	}
}

// deafMute is a connection of somebody who neither talks nor hears.
type deafMute struct {
	id     uint64
	source *forward.Source
}

var lastConn atomic.Uint64 //nolint:gochecknoglobals // connections are numbered across a process

func newDeafMute() *deafMute { return &deafMute{lastConn.Add(1), forward.NewSource()} }

func (c *deafMute) ID() uint64                 { return c.id }
func (c *deafMute) Answer() string             { return "" }
func (c *deafMute) Talker() bool               { return false }
func (c *deafMute) Source() *forward.Source    { return c.source }
func (c *deafMute) Slots() []peer.Slot         { return nil }
func (c *deafMute) Meter() *speaker.Meter      { return nil }
func (c *deafMute) OnSpeech(func())            {}
func (c *deafMute) SSRC() (uint32, bool)       { return 0, false }
func (c *deafMute) LastSeen() time.Time        { return time.Now() }
func (c *deafMute) Ask()                       {}
func (c *deafMute) RemoteAddr() netip.AddrPort { return netip.AddrPort{} }
func (c *deafMute) Stats() peer.Stats          { return peer.Stats{} }
func (c *deafMute) OnEnd(func(error))          {}
func (c *deafMute) Close() error               { return nil }
func (c *deafMute) Renegotiate(string, time.Time, ...netip.AddrPort) (string, error) {
	return "", nil
}

// quiet is a Journal that fails no test.
type quiet struct{}

func (quiet) MediaEnded(string, string, sfu.LeaveCause, error) {}
func (quiet) MediaSilent(string, string, bool)                 {}
func (quiet) FloorGranted(time.Duration)                       {}
func (quiet) Panicked(during string, value any, stack []byte) {
	panic(fmt.Sprint(during, value, string(stack)))
}

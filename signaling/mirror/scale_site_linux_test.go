package mirror

import (
	"context"
	"errors"
	"net/netip"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/mini-livechat/mini-livechat/sfu"
	"github.com/mini-livechat/mini-livechat/sfu/floor"
	"github.com/mini-livechat/mini-livechat/sfu/forward"
	"github.com/mini-livechat/mini-livechat/sfu/peer"
	"github.com/mini-livechat/mini-livechat/sfu/relay"
	"github.com/mini-livechat/mini-livechat/sfu/speaker"
	"github.com/mini-livechat/mini-livechat/signaling/arbiter"
	"github.com/mini-livechat/mini-livechat/signaling/cluster"
)

// site is a node of a large simulation: real channels, a real exchange and real arbiters, over a simulated bus. Of the media there is who hears whom, and a
// packet now and then to count where it goes: how loud somebody is on their own node is known on the others at once.
type site struct {
	land *land
	name string
	bus  *cluster.SimulatedNode
	x    *Exchange
	hub  *sfu.ChannelHub
	arb  *arbiter.Arbiters
	stop context.CancelFunc
	sink *forward.Slot // where all goes to that people hear

	slots []peer.Slot // of everybody here

	wake chan struct{} // has a token when there is something to tell
	mu   sync.Mutex    // guards the fields below
	ways map[cluster.NodeID]*way
	want map[string]relay.Want // by channel
}

// way is the link to another node, without what goes over it but for what package relay's ends tell each other of it.
type way struct {
	site    *site
	to      cluster.NodeID
	pending relay.Message
	lines   map[string]int // how many talkers there is a line for, by channel
	heard   bool           // something came from there
	greet   bool           // say something, whether there is anything to say or not
}

// nonce is as long as a real one.
const nonce = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"

// open makes a node, which hears of no other before it begins.
func (l *land) open(name string) *site {
	s := &site{land: l, name: name, bus: l.net.Start(name), wake: make(chan struct{}, 1), ways: make(map[cluster.NodeID]*way), want: make(map[string]relay.Want)}
	s.sink, _ = forward.NewSlot(forward.RandomSlotConfig(1, 111, 0), nowhere{})
	for i := range hearable {
		s.slots = append(s.slots, peer.Slot{Slot: s.sink, MID: strconv.Itoa(i)})
	}
	s.x, s.arb = New(s.bus, s, time.Now), arbiter.New(s.bus, time.Now)
	s.hub = sfu.NewChannelHub(sfu.HubConfig{
		Limits:   sfu.ChannelLimits{Capacity: l.people + 1, Channels: l.channels + 1},
		NameKeys: func(name string) []string { return []string{name} },
		Answer:   s.answer, Peers: sfu.NewMediaPeerHub(quiet{}), Notifier: s, Journal: quiet{}, Spread: s.x,
		Voices: s.voice, Hush: s.hush, Wants: s.wants, Floor: floor.Defaults(), Floors: s.arb,
	})
	for i := range l.channels {
		settings := sfu.Settings{Name: channelName(i), Floor: sfu.FloorByDefault()}
		if byTurns(i) {
			settings.Mode = sfu.ModePTT
		}
		if err := s.hub.Restore(sfu.ChannelSpec{ID: channelName(i), Settings: settings}, time.Now(), false); err != nil {
			panic(err)
		}
	}
	return s
}

// begin has a node hear of the others, and say of its own people.
func (s *site) begin() {
	l := s.land
	_, err := s.bus.Subscribe(linkTo(s.bus.Self()), s.hear)
	if err = errors.Join(err, s.x.Start(s.bus), s.arb.Start(s.hub)); err != nil {
		panic(err)
	}
	s.bus.Changed(s.changed)
	ctx, stop := context.WithCancel(context.Background())
	s.stop = stop
	l.running.Go(func() { s.hub.RunDecisions(ctx) })
	l.running.Go(func() { s.x.Run(ctx) })
	l.running.Go(func() { s.arb.Run(ctx) })
	l.running.Go(func() { s.tell(ctx) })
}

func linkTo(id cluster.NodeID) string { return cluster.SubjectRelay + "." + id.Boot }

// changed has there be a way to each node that is there, over which each says what it wants.
func (s *site) changed(c cluster.Change) {
	s.mu.Lock()
	w := s.ways[c.Node.ID]
	if !c.Alive {
		delete(s.ways, c.Node.ID)
		s.mu.Unlock()
		if w != nil {
			for channel := range w.lines {
				s.hub.Feed(channel, w, 0, nil)
			}
		}
		return
	}
	if w == nil {
		w = &way{site: s, to: c.Node.ID, lines: make(map[string]int), greet: true}
		s.ways[c.Node.ID] = w
		w.wantAllLocked()
	}
	s.mu.Unlock()
	s.rouse()
}

// wants is told what people here can hear.
func (s *site) wants(channelID string, slots int, pins []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	one := relay.Want{Channel: channelID, Slots: slots, Pins: pins}
	if slots == 0 {
		delete(s.want, channelID)
	} else {
		s.want[channelID] = one
	}
	for _, w := range s.ways {
		w.pending.Wants = append(w.pending.Wants, one)
	}
	s.rouse()
}

func (s *site) rouse() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// tell tells the others what waits, until ctx is done.
func (s *site) tell(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-s.wake:
		}
		s.mu.Lock()
		for _, w := range s.ways {
			if m := w.pending; w.greet || len(m.Lines) > 0 || len(m.Wants) > 0 {
				w.greet = false
				if m.Nonce = nonce; w.heard {
					m.Of = nonce
				}
				w.pending = relay.Message{}
				for _, part := range m.Parts() {
					_ = s.bus.Publish(linkTo(w.to), part.Encode()) // the node may just be gone
				}
			}
		}
		s.mu.Unlock()
	}
}

// hear takes what another node wants.
func (s *site) hear(from cluster.NodeID, data []byte) {
	m, ok := relay.Decode(data)
	if !ok {
		panic("no message of a link")
	}
	s.mu.Lock()
	w := s.ways[from]
	if w == nil { // it is seen soon, and asked then
		s.mu.Unlock()
		return
	}
	if w.heard = true; m.Of == "" { // it did not hear what was said before it saw this one
		w.wantAllLocked()
		s.rouse()
	}
	s.mu.Unlock()
	for _, one := range m.Wants {
		s.hub.Feed(one.Channel, w, one.Slots, one.Pins)
	}
}

// wantAllLocked has all be said that is wanted, with the site's mu held.
func (w *way) wantAllLocked() {
	for _, one := range w.site.want {
		w.pending.Wants = append(w.pending.Wants, one)
	}
}

// Line implements sfu.Outlet.
func (w *way) Line(channelID, userID string) *forward.Slot {
	w.site.mu.Lock()
	defer w.site.mu.Unlock()
	w.lines[channelID]++
	w.pending.Lines = append(w.pending.Lines, relay.LineTold{SSRC: 2, Channel: channelID, User: userID})
	w.site.rouse()
	slot, _ := forward.NewSlot(forward.RandomSlotConfig(2, 111, 0), &carrier{w.site.land, w.to.Name, userNumber(userID)})
	slot.Open()
	return slot
}

// Free implements sfu.Outlet.
func (w *way) Free(channelID, _ string) {
	w.site.mu.Lock()
	defer w.site.mu.Unlock()
	if w.lines[channelID]--; w.lines[channelID] == 0 {
		delete(w.lines, channelID)
	}
	w.pending.Lines = append(w.pending.Lines, relay.LineTold{SSRC: 2})
	w.site.rouse()
}

// lineCount is how many lines there are, to all nodes together, and to the one to which there are most.
func (s *site) lineCount() (all, most int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, w := range s.ways {
		n := 0
		for _, count := range w.lines {
			n += count
		}
		all, most = all+n, max(most, n)
	}
	return all, most
}

// Channel implements Node.
func (s *site) Channel(id string) *sfu.Channel {
	c, err := s.hub.Get(id)
	if err != nil {
		return nil
	}
	return c
}

// Superseded implements Node: nobody is on two nodes here but for a moment.
func (s *site) Superseded(userID string, rank uint64) { s.x.End(userID, rank) }

// Tell implements Node.
func (s *site) Tell(Telling) {}

// Notify implements sfu.Notifier.
func (s *site) Notify(userIDs []string, _ string, event sfu.Event) {
	if left, ok := event.(sfu.MemberLeft); ok && len(userIDs) > 0 {
		s.land.tellsLeave(left.Member.UserID)
	}
}

// NotifyAll implements sfu.Notifier.
func (s *site) NotifyAll(string, sfu.Event) {}

// nowhere is a forward.Writer.
type nowhere struct{}

func (nowhere) WriteRTP(forward.Batch, []byte, []byte) error { return nil }

// microphone is somebody's connection, of which there is only how loud they are.
type microphone struct {
	deafMute

	site  *site
	meter *speaker.Meter
	began atomic.Pointer[func()]
}

// faraway is what is heard of a microphone on another node.
type faraway struct {
	source *forward.Source
	meter  *speaker.Meter
	began  atomic.Pointer[func()]
}

func (m *microphone) Talker() bool          { return true }
func (m *microphone) Slots() []peer.Slot    { return m.site.slots }
func (m *microphone) Meter() *speaker.Meter { return m.meter }
func (m *microphone) OnSpeech(began func()) { m.began.Store(&began) }
func (m *microphone) SSRC() (uint32, bool)  { return 7, true }
func (m *microphone) LastSeen() time.Time   { return time.Now() }
func (f *faraway) Source() *forward.Source  { return f.source }
func (f *faraway) Meter() *speaker.Meter    { return f.meter }
func (f *faraway) OnSpeech(began func())    { f.began.Store(&began) }
func (f *faraway) SSRC() (uint32, bool)     { return 7, true }

// answer implements sfu.Answer; the offer is the user's id.
func (s *site) answer(_ context.Context, offer string, _ []netip.AddrPort) (sfu.Conn, error) {
	m := &microphone{deafMute: *newDeafMute(), site: s, meter: s.land.meters[userNumber(offer)]}
	return m, nil
}

// voice is what is heard of somebody on another node.
func (s *site) voice(_, _, userID string) sfu.Voice {
	f := &faraway{source: forward.NewSource(), meter: s.land.meters[userNumber(userID)]}
	s.land.heard(userNumber(userID), s, f)
	return f
}

func (s *site) hush(_, _, userID string) { s.land.heard(userNumber(userID), s, nil) }

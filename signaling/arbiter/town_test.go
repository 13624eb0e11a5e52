package arbiter

import (
	"context"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mini-livechat/mini-livechat/sfu"
	"github.com/mini-livechat/mini-livechat/sfu/floor"
	"github.com/mini-livechat/mini-livechat/sfu/forward"
	"github.com/mini-livechat/mini-livechat/sfu/peer"
	"github.com/mini-livechat/mini-livechat/sfu/rtp"
	"github.com/mini-livechat/mini-livechat/sfu/speaker"
	"github.com/mini-livechat/mini-livechat/signaling/cluster"
	"github.com/mini-livechat/mini-livechat/signaling/mirror"
)

// frame is how often everybody sends a packet, whether they have the floor or not.
const frame = 20 * time.Millisecond

// loud is how loudly all speak.
const loud = speaker.Level(20)

// town is several nodes of a simulated cluster, each with real channels and real gates. Its clock is a bubble's, and goes only while pass does.
type town struct {
	t      *testing.T
	net    *cluster.Simulated
	houses map[string]*house // those that live, by name
	people map[string]*person
	// who is whose voice, by SSRC.
	who map[uint32]string
	// deaf are nodes whose media do not reach each other, as "a b".
	deaf map[string]bool
	// heard is whom each hears in a frame; shared says that nobody may hear another than anybody else does.
	shared bool
	frames int
	// wrong is what was found wrong first.
	wrong string
}

// house is a node.
type house struct {
	town     *town
	name     string
	hub      *sfu.ChannelHub
	mirror   *mirror.Exchange
	arbiters *Arbiters
	bus      *cluster.SimulatedNode
	nextTick time.Time
	stop     func() // decides who speaks no more

	mu     sync.Mutex // guards the fields below
	voices map[string]*voice
	told   map[string][]sfu.Event // by user
}

// person is somebody in the radio of a node.
type person struct {
	house  *house
	id     string
	ssrc   uint32
	seq    uint16
	source *forward.Source
	meter  *speaker.Meter
	speaks func()
	slots  []peer.Slot
	ears   []*ear
	member *sfu.Member
	rank   uint64
	conn   uint64
	last   string // whom they heard in the last frame
	kept   sfu.FloorAnswer
}

// ear is a slot's other end: whom it heard in this frame, by SSRC.
type ear struct{ ssrcs map[uint32]bool }

func (e *ear) WriteRTP(_ forward.Batch, header, _ []byte) error {
	var p rtp.Packet
	if err := p.Unmarshal(slices.Clone(header)); err != nil {
		return err
	}
	e.ssrcs[csrc(header)] = true
	return nil
}

// csrc is whose microphone a packet of a slot is from.
func csrc(header []byte) uint32 {
	return uint32(header[12])<<24 | uint32(header[13])<<16 | uint32(header[14])<<8 | uint32(header[15])
}

// voice is what is heard on a node of a talker of another.
type voice struct {
	source *forward.Source
	meter  *speaker.Meter
	speaks func()
}

func (v *voice) Source() *forward.Source { return v.source }
func (v *voice) Meter() *speaker.Meter   { return v.meter }
func (v *voice) OnSpeech(began func())   { v.speaks = began }
func (v *voice) SSRC() (uint32, bool)    { return 0, false }

// link is an sfu.Outlet from a node to another.
type link struct {
	from *house
	to   string
}

func (l *link) Line(_, userID string) *forward.Slot {
	slot, err := forward.NewSlot(forward.RandomSlotConfig(lastSSRC.Add(1), 111, 48000), &wire{l, userID})
	if err != nil {
		panic(err)
	}
	slot.Open()
	return slot
}
func (l *link) Free(string, string) {}

// wire carries a talker's packets over a link.
type wire struct {
	*link
	userID string
}

func (w *wire) WriteRTP(_ forward.Batch, header, payload []byte) error {
	town := w.from.town
	to := town.houses[w.to]
	if to == nil || town.deaf[w.from.name+" "+w.to] {
		return nil
	}
	to.mu.Lock()
	v := to.voices[w.from.bus.Self().String()+" "+w.userID]
	to.mu.Unlock()
	if v == nil {
		return nil
	}
	var p rtp.Packet
	if err := p.Unmarshal(slices.Clone(header)); err != nil {
		return err
	}
	p.SSRC, p.Payload = csrc(header), slices.Clone(payload)
	if v.meter.Observe(loud, time.Now()) {
		v.speaks()
	}
	if fanout, ok := v.source.Prepare(&p, time.Now()); ok {
		fanout.Send(nil, p.Payload)
	}
	return nil
}

var lastSSRC, lastConn atomic.Uint32 //nolint:gochecknoglobals // of a process

// inTown runs a story in a town whose clock is its own.
func inTown(t *testing.T, story func(t *testing.T, w *town), names ...string) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := &town{
			t: t, net: cluster.NewSimulated(names...), houses: make(map[string]*house), people: make(map[string]*person), deaf: make(map[string]bool),
			who: make(map[uint32]string),
		}
		defer func() {
			for _, h := range w.houses {
				h.close()
			}
		}()
		for _, name := range names {
			w.start(name)
		}
		w.pass(4 * time.Second)
		story(t, w)
		require.Empty(t, w.wrong)
	})
}

func (w *town) start(name string) {
	h := &house{town: w, name: name, bus: w.net.Start(name), voices: make(map[string]*voice), told: make(map[string][]sfu.Event)}
	h.mirror = mirror.New(h.bus, h, w.net.Now)
	h.arbiters = New(h.bus, w.net.Now)
	h.hub = sfu.NewChannelHub(sfu.HubConfig{
		Limits:   sfu.ChannelLimits{Capacity: 1000, Channels: 10},
		NameKeys: func(name string) []string { return []string{name} },
		Answer: func(ctx context.Context, _ string, _ []netip.AddrPort) (sfu.Conn, error) {
			return ctx.Value(connKey{}).(sfu.Conn), nil //nolint:forcetypeassert // ours
		},
		Peers: sfu.NewMediaPeerHub(quiet{}), Notifier: h, Journal: quiet{}, Spread: h.mirror, Floors: h.arbiters, Floor: floor.Defaults(),
		Voices: h.voice, Hush: h.hush,
	})
	ctx, cancel := context.WithCancel(context.Background())
	decided := make(chan struct{})
	go func() {
		defer close(decided)
		h.hub.RunDecisions(ctx)
	}()
	h.stop = func() { cancel(); <-decided }
	_, err := h.hub.Create(sfu.ChannelSpec{ID: "radio", Settings: sfu.Settings{Name: "radio", Mode: sfu.ModePTT, Floor: sfu.FloorSettings{
		Talk: -1, Pause: -1, Queue: -1, Over: true,
	}}}, time.Now(), func() error { return nil })
	require.NoError(w.t, err)
	require.NoError(w.t, h.mirror.Start(h.bus))
	require.NoError(w.t, h.arbiters.Start(h.hub))
	for _, other := range w.houses {
		require.True(w.t, other.hub.Feed("radio", &link{other, name}, 2, nil))
		require.True(w.t, h.hub.Feed("radio", &link{h, other.name}, 2, nil))
	}
	w.houses[name] = h
}

// close ends what waits.
func (h *house) close() {
	c, err := h.hub.Get("radio")
	require.NoError(h.town.t, err)
	h.stop()
	h.hub.Delete(c, "")
	h.arbiters.Close()
	h.mirror.Close()
}

// kill has a node die, and all who are there.
func (w *town) kill(name string) {
	h := w.houses[name]
	w.net.Kill(name)
	delete(w.houses, name)
	for id, p := range w.people {
		if p.house == h {
			delete(w.people, id)
		}
	}
	h.close()
}

type connKey struct{}

// come has somebody be in the radio, on a node.
func (w *town) come(name, userID string) *person {
	p := w.enter(name, userID, false)
	w.people[userID] = p
	return p
}

// moves has somebody go to another node: they are on both, and talk first by the one, then by the other, until they are out of the one.
func (p *person) moves(name string, both time.Duration, each func()) *person {
	w := p.house.town
	next := w.enter(name, p.id, true)
	pass := func() {
		for range both / frame {
			w.pass(frame)
			each()
		}
	}
	pass()
	for _, e := range next.ears {
		clear(e.ssrcs)
	}
	w.people[p.id] = next
	pass()
	p.member.Leave(sfu.LeaveHungUp)
	p.house.mirror.End(p.id, p.rank)
	return next
}

// enter has somebody be a member on a node.
func (w *town) enter(name, userID string, keeps bool) *person {
	h := w.houses[name]
	p := &person{
		house: h, id: userID, ssrc: lastSSRC.Add(1), source: forward.NewSource(), meter: speaker.NewMeter(time.Now()), conn: uint64(lastConn.Add(1)),
	}
	for i := range 2 {
		e := &ear{make(map[uint32]bool)}
		slot, err := forward.NewSlot(forward.RandomSlotConfig(lastSSRC.Add(1), 111, 48000), e)
		require.NoError(w.t, err)
		slot.Open()
		p.slots, p.ears = append(p.slots, peer.Slot{Slot: slot, MID: fmt.Sprint(i)}), append(p.ears, e)
	}
	p.rank = h.mirror.Begin(userID, userID, h.town.net.Now())
	w.who[p.ssrc] = userID
	m, err := h.radio().Join(context.WithValue(context.Background(), connKey{}, p), sfu.JoinRequest{
		UserID: userID, Name: userID, KeepsFloor: keeps, OnJoined: func(found sfu.Snapshot) { p.kept = found.Mine },
	})
	require.NoError(w.t, err)
	p.member = m
	return p
}

func (p *person) leave() {
	p.member.Leave(sfu.LeaveGone)
	p.house.mirror.End(p.id, p.rank)
	delete(p.house.town.people, p.id)
}

// pass lets time go on: nodes tick, messages arrive, and everybody talks.
func (w *town) pass(d time.Duration) {
	const step = 5 * time.Millisecond
	for end := time.Now().Add(d); time.Now().Before(end); {
		time.Sleep(step)
		w.net.Advance(step)
		for _, name := range slices.Sorted(maps.Keys(w.houses)) {
			if h := w.houses[name]; !time.Now().Before(h.nextTick) {
				h.nextTick = time.Now().Add(TickEvery)
				h.mirror.Tick(w.net.Now())
				h.arbiters.Tick()
			}
		}
		w.net.Advance(0)
		synctest.Wait()
		if w.frames++; w.frames%int(frame/step) == 0 {
			w.talk()
		}
	}
}

// talk has everybody send a packet, and judges who is heard.
func (w *town) talk() {
	for _, id := range slices.Sorted(maps.Keys(w.people)) {
		p := w.people[id]
		p.seq++
		if p.meter.Observe(loud, time.Now()) {
			p.speaks()
		}
		packet := &rtp.Packet{SSRC: p.ssrc, SequenceNumber: p.seq, Timestamp: uint32(p.seq) * 960, PayloadType: 111, Payload: []byte{1}}
		if fanout, ok := p.source.Prepare(packet, time.Now()); ok {
			fanout.Send(nil, packet.Payload)
		}
	}
	all := make(map[string]bool)
	for _, p := range w.people {
		for i, e := range p.ears {
			on := make(map[string]bool)
			for ssrc := range e.ssrcs {
				on[w.who[ssrc]] = true
			}
			if len(on) > 1 {
				w.fail("%s hears %v at once on slot %d", p.id, slices.Sorted(maps.Keys(on)), i)
			}
			if i == 0 {
				maps.Copy(all, on)
			}
		}
	}
	if w.shared && len(all) > 1 {
		w.fail("%v are heard", slices.Sorted(maps.Keys(all)))
	}
	for _, p := range w.people {
		p.last = ""
		for ssrc := range p.ears[0].ssrcs {
			p.last = w.who[ssrc]
		}
		for _, e := range p.ears {
			clear(e.ssrcs)
		}
	}
}

func (w *town) fail(format string, args ...any) {
	if w.wrong == "" {
		w.wrong = fmt.Sprintf("after %v: ", time.Duration(w.frames)*5*time.Millisecond) + fmt.Sprintf(format, args...)
	}
}

// tear parts a node from others, who see at once that the way to it is closed; it does not see that of them.
func (w *town) tear(one string, others ...string) {
	w.net.Delay(func(_, to string) time.Duration {
		if to == one {
			return 3 * time.Second // what is under way to it comes too late
		}
		return 0
	})
	for _, other := range others {
		w.net.Cut(one, other)
	}
	w.net.Advance(0)
	w.net.Part([]string{one}, others)
	w.net.Delay(func(string, string) time.Duration { return 0 })
}

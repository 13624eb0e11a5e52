package sfu

import (
	"context"
	"encoding/binary"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mini-livechat/mini-livechat/sfu/forward"
	"github.com/mini-livechat/mini-livechat/sfu/leaktest"
	"github.com/mini-livechat/mini-livechat/sfu/peer"
	"github.com/mini-livechat/mini-livechat/sfu/rtp"
)

// tally counts of whom a slot was given packets.
type tally struct {
	mu    sync.Mutex
	heard map[uint32]int // since the last take
	ever  map[uint32]int
}

func newTally() *tally { return &tally{heard: map[uint32]int{}, ever: map[uint32]int{}} }

func (y *tally) WriteRTP(_ forward.Batch, header, _ []byte) error {
	y.mu.Lock()
	defer y.mu.Unlock()
	ssrc := binary.BigEndian.Uint32(header[12:])
	y.heard[ssrc]++
	y.ever[ssrc]++
	return nil
}

func (y *tally) take() map[uint32]int {
	y.mu.Lock()
	defer y.mu.Unlock()
	heard := y.heard
	y.heard = map[uint32]int{}
	return heard
}

func (y *tally) of(ssrc uint32) int {
	y.mu.Lock()
	defer y.mu.Unlock()
	return y.ever[ssrc]
}

// throng is a hub whose people come, go, mute, talk and listen all at once. A talker's SSRC says in which channel it always is.
type throng struct {
	t        *testing.T
	channels []*Channel
	tallies  []*tally
	wrong    atomic.Pointer[string]
}

func (g *throng) fail(why string) { g.wrong.CompareAndSwap(nil, &why) }

// heard is how often somebody was heard by anybody who listens.
func (g *throng) heard(ssrc uint32) (n int) {
	for _, y := range g.tallies {
		n += y.of(ssrc)
	}
	return n
}

const perChannel = 100

// talker joins, talks by turns or not, mutes and leaves. While it may not be heard, it is not.
func (g *throng) talker(n int, at *Channel, rounds int) {
	ssrc := uint32(n)
	user := "talker-" + string(rune('A'+n/perChannel)) + string(rune('a'+n%perChannel))
	for range rounds {
		c := newConn(g.t, ssrc, 1)
		m, err := enter(at, c, JoinRequest{UserID: user, Name: user})
		if err != nil {
			g.fail(err.Error())
			return
		}
		silent := func(why string) {
			before := g.heard(ssrc)
			for range 3 {
				c.say(20, time.Now())
				runtime.Gosched()
			}
			if g.heard(ssrc) != before {
				g.fail(user + " is heard " + why)
			}
		}
		if at.Info().Mode == ModePTT {
			silent("without the floor")
		}
		for range 4 {
			_ = m.RequestFloor(context.Background(), FloorRequest{Priority: uint8(rand.IntN(3))}, func(FloorAnswer) {})
			for range 10 {
				c.say(20, time.Now())
				runtime.Gosched()
			}
			m.SetMuted(true, "")
			silent("while muted")
			m.SetMuted(false, "")
		}
		if rand.IntN(2) == 0 {
			m.SetVoiceState(nil, new(true), nil)
			silent("while deaf")
		}
		m.Leave(LeaveLeft)
		silent("having left")
		if _, ok := c.source.Prepare(&rtp.Packet{SSRC: ssrc, SequenceNumber: c.seq + 1, PayloadType: 111, Payload: []byte{1}}, time.Now()); ok {
			g.fail(user + " has left, and somebody listens yet")
		}
	}
}

// listener joins one channel after the other and listens to others: it hears those and nobody else.
func (g *throng) listener(n int, rounds int) {
	y := g.tallies[n]
	slot, err := forward.NewSlot(forward.RandomSlotConfig(uint32(9000+n), 111, 48000), y)
	if err != nil {
		g.fail(err.Error())
		return
	}
	slot.Open()
	user := "listener-" + string(rune('a'+n))
	for range rounds {
		c := newConn(g.t, 0, 1)
		c.slots = append(c.slots, peer.Slot{Slot: slot, MID: "z"})
		m, err := enter(g.channels[rand.IntN(len(g.channels))], c, JoinRequest{UserID: user, Name: user})
		if err != nil {
			g.fail(err.Error())
			return
		}
		for range 6 {
			var req ListenRequest
			for _, i := range rand.Perm(len(g.channels))[:rand.IntN(4)] {
				if g.channels[i] != m.channel {
					req.Channels = append(req.Channels, g.channels[i])
				}
			}
			if len(req.Channels) > 0 && rand.IntN(2) == 0 {
				req.Priority = req.Channels[len(req.Channels)-1]
			}
			req.Slots = 1
			if err := m.Listen(req, func(Listening) {}); err != nil {
				g.fail(err.Error())
				return
			}
			y.take()
			allowed := append(slices.Clone(req.Channels), m.channel)
			if len(req.Channels) > 0 {
				allowed = req.Channels
			}
			m.Subscribe(nil, []string{"talker-Ab"}, nil)
			y.take()
			for range 20 {
				runtime.Gosched()
			}
			for ssrc := range y.take() {
				at := g.channels[ssrc/perChannel]
				if !slices.Contains(allowed, at) {
					g.fail(user + " hears somebody of " + at.id)
				}
				if ssrc == 1 {
					g.fail(user + " hears one that it excludes")
				}
			}
			m.SetVoiceState(nil, new(true), nil)
			y.take()
			runtime.Gosched()
			if len(y.take()) > 0 {
				g.fail(user + " hears while deaf")
			}
			m.SetVoiceState(nil, new(false), nil)
			if rand.IntN(3) == 0 {
				if next, _ := m.Move(g.channels[rand.IntN(len(g.channels))], Standing{}, nil, nil); next != nil {
					m = next
				}
			}
		}
		m.Leave(LeaveLeft)
		y.take()
		runtime.Gosched()
		if len(y.take()) > 0 {
			g.fail(user + " hears after having left")
		}
	}
}

// People come and go, talk and mute, while others listen from outside, come and go, and are moved: nobody is heard who may not be, nor by
// whom they may not, and nothing stays behind.
func TestListenChurn(t *testing.T) {
	leaktest.Check(t)
	hub, _, _ := newHub(t, 1000)
	hub.notifier = careful{&recorder{}, hub.journal}
	hub.limits.Channels = 10
	g := &throng{t: t}
	for i := range 4 {
		mode := ModeConference
		if i%2 == 1 {
			mode = ModePTT
		}
		id := string(rune('a' + i))
		_, err := hub.Create(ChannelSpec{ID: id, Settings: Settings{Name: id, Mode: mode, Floor: FloorByDefault()}}, time.Now(), free)
		require.NoError(t, err)
		c, err := hub.Get(id)
		require.NoError(t, err)
		g.channels = append(g.channels, c)
	}
	for range 4 {
		g.tallies = append(g.tallies, newTally())
	}
	t.Run("all at once", func(t *testing.T) {
		decideUntilEnd(t, hub)
		// Whoever comes and goes so fast may hear nobody, if all have their turns at other times.
		for round := 0; round == 0 || round < 100 && (g.heard(2) == 0 || g.heard(perChannel+1) == 0); round++ {
			var busy sync.WaitGroup
			for i, c := range g.channels {
				for n := range 3 {
					busy.Go(func() { g.talker(i*perChannel+n+1, c, 15) })
				}
			}
			for i := range g.tallies {
				busy.Go(func() { g.listener(i, 15) })
			}
			busy.Wait()
		}
	})
	if why := g.wrong.Load(); why != nil {
		t.Fatal(*why)
	}
	require.Empty(t, journalOf(t, hub).takePanics())
	for _, ssrc := range []uint32{2, perChannel + 1} {
		require.NotZero(t, g.heard(ssrc), "in each mode somebody was heard")
	}
	for _, c := range g.channels {
		require.Empty(t, c.board.ears)
		require.Empty(t, c.board.legs)
		require.Empty(t, c.Members())
	}
}

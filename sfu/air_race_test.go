package sfu

import (
	"context"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mini-livechat/mini-livechat/sfu/floor"
	"github.com/mini-livechat/mini-livechat/sfu/forward"
	"github.com/mini-livechat/mini-livechat/sfu/peer"
)

// ear is one slot's writer, which notes in which order whom it heard, and whom it must not hear.
type ear struct {
	t     *testing.T
	hush  *[racers + 1]atomic.Bool // by SSRC: nothing of them may be written
	turns []uint32                 // whose turns were heard; of who writes, until the end
	count atomic.Int64
}

func (e *ear) WriteRTP(_ forward.Batch, header, _ []byte) error {
	ssrc := uint32(header[15])
	runtime.Gosched() // for whoever says meanwhile that nobody is heard
	if e.hush[ssrc].Load() {
		e.t.Errorf("talker %d is heard after the call that ended it", ssrc)
	}
	if len(e.turns) == 0 || e.turns[len(e.turns)-1] != ssrc {
		e.turns = append(e.turns, ssrc)
	}
	e.count.Add(1)
	return nil
}

// grants is a Notifier that notes in which order people had the floor.
type grants struct {
	mu    sync.Mutex
	order []uint32
}

func (g *grants) Notify(_ []string, _ string, event Event) {
	if e, ok := event.(FloorGranted); ok {
		g.mu.Lock()
		defer g.mu.Unlock()
		g.order = append(g.order, racerOf(e.UserID))
	}
}

func (*grants) NotifyAll(string, Event) {}

const racers = 16

func racerName(i int) string { return fmt.Sprintf("racer%02d", i) }

func racerOf(user string) (ssrc uint32) {
	_, _ = fmt.Sscanf(user, "racer%02d", &ssrc)
	return ssrc
}

// racer presses, and ends what it then has in every way there is; when the call has returned, nothing of it is heard.
type racer struct {
	t       *testing.T
	channel *Channel
	media   *conn
	member  *Member
	user    string
	hush    *atomic.Bool
	random  *rand.Rand
}

// round is one grant, or what comes instead.
func (r *racer) round() {
	r.hush.Store(false)
	granted := false
	req := FloorRequest{Priority: uint8(r.random.IntN(4)), Queue: r.random.IntN(3) > 0}
	err := r.member.RequestFloor(context.Background(), req, func(a FloorAnswer) { granted = a.Grant != nil })
	if err == nil && !granted && r.random.IntN(2) == 0 {
		r.wait(func() bool { return r.holds() || !r.waits() })
	}
	for range r.random.IntN(20) {
		runtime.Gosched()
	}
	yes, no := true, false
	switch r.random.IntN(5) {
	case 0:
		_ = r.member.ReleaseFloor(context.Background(), 0, func() {})
		r.wait(func() bool { return !r.holds() })
	case 1:
		r.member.SetMuted(true, "")
		defer r.member.SetMuted(false, "")
	case 2:
		r.member.SetVoiceState(&yes, nil, nil)
		defer r.member.SetVoiceState(&no, nil, nil)
	case 3:
		// Whoever has it: then this one has it no more either, unless it waits, which the mute ends.
		_, _ = r.channel.RevokeFloor(context.Background(), "", r.channel.Holders(), func() {})
		r.member.SetMuted(true, "")
		defer r.member.SetMuted(false, "")
	case 4:
		r.member.Leave(LeaveLeft)
		defer func() { r.member = join(r.t, r.channel, r.user, r.media) }()
	}
	r.hush.Store(true)
	for range r.random.IntN(50) {
		runtime.Gosched()
	}
}

// holds reports whether the racer is heard, in a tail too.
func (r *racer) holds() bool {
	return slices.ContainsFunc(r.channel.Holders(), func(g FloorGrant) bool { return g.UserID == r.user })
}

func (r *racer) waits() bool {
	mine, _ := r.member.floor()
	return mine.Place != nil
}

func (r *racer) wait(done func() bool) {
	for deadline := time.Now().Add(30 * time.Second); !done(); runtime.Gosched() {
		if time.Now().After(deadline) {
			r.t.Errorf("%s waited in vain", r.user)
			return
		}
	}
}

// TestOnlyTheHolderIsHeard while all talk, press, release, are muted, leave and come back as fast as they can: every listener hears turns in
// the order in which they were given, and nothing of anybody after the call that ended their turn.
func TestOnlyTheHolderIsHeard(t *testing.T) {
	for name, tail := range map[string]time.Duration{"no tail": 0, "tail": time.Millisecond} {
		t.Run(name, func(t *testing.T) { raceForTheFloor(t, tail) })
	}
}

func raceForTheFloor(t *testing.T, tail time.Duration) {
	t.Helper()
	const listeners, rounds = 4, 60
	told := &grants{}
	log := &journal{}
	hub := NewChannelHub(HubConfig{
		Limits:   ChannelLimits{Capacity: 100, Channels: 1},
		NameKeys: func(name string) []string { return []string{name} },
		Answer:   answerFromContext, Peers: NewMediaPeerHub(log), Notifier: told, Journal: log,
		Floor: floor.Config{MaxTalk: 20 * time.Millisecond, Warn: 5 * time.Millisecond, Ping: 10 * time.Millisecond, Tail: tail, Queue: 5},
	})
	_, err := hub.Create(ChannelSpec{ID: "lobby", Settings: Settings{Name: "Radio", Mode: ModePTT, Floor: FloorByDefault()}}, time.Now(), free)
	require.NoError(t, err)
	c, err := hub.Get("lobby")
	require.NoError(t, err)

	var hush [racers + 1]atomic.Bool
	ears := make([]*ear, listeners)
	for i := range ears {
		ears[i] = &ear{t: t, hush: &hush}
		slot, slotErr := forward.NewSlot(forward.RandomSlotConfig(uint32(i+1), 111, 0), ears[i])
		require.NoError(t, slotErr)
		slot.Open()
		media := newConn(t, 0, 0)
		media.slots = []peer.Slot{{Slot: slot, MID: "0"}}
		join(t, c, fmt.Sprint("ear", i), media)
	}
	var talking, racing sync.WaitGroup
	var done atomic.Bool
	for i := range racers {
		ssrc := uint32(i + 1)
		media := newConn(t, ssrc, 0)
		r := &racer{
			t: t, channel: c, media: media, user: racerName(i + 1), hush: &hush[ssrc], random: rand.New(rand.NewPCG(7, uint64(i))),
		}
		r.member = join(t, c, r.user, media)
		talking.Go(func() {
			for !done.Load() {
				media.talk()
				runtime.Gosched()
			}
		})
		racing.Go(func() {
			for range rounds {
				r.round()
			}
			r.member.Leave(LeaveLeft)
		})
	}
	racing.Wait()
	done.Store(true)
	talking.Wait()

	require.Empty(t, log.takePanics())
	require.Empty(t, c.Holders())
	told.mu.Lock() // a timer may have been the last to tell
	defer told.mu.Unlock()
	require.GreaterOrEqual(t, len(told.order), racers, "some have had it")
	for i, e := range ears {
		require.NotZero(t, e.count.Load(), "ear %d hears nobody", i)
		given := told.order
		for n, ssrc := range e.turns {
			at := slices.Index(given, ssrc)
			require.GreaterOrEqual(t, at, 0, "ear %d: turn %d of %d, of talker %d, was never given then", i, n, len(e.turns), ssrc)
			given = given[at:]
		}
	}
}

package sfu

import (
	"context"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mini-livechat/mini-livechat/sfu/forward"
	"github.com/mini-livechat/mini-livechat/sfu/peer"
	"github.com/mini-livechat/mini-livechat/sfu/rtp"
	"github.com/mini-livechat/mini-livechat/sfu/speaker"
)

// capture is a forward.Writer that remembers whose packets it was given.
type capture struct {
	mu    sync.Mutex
	csrcs []uint32
}

func (c *capture) WriteRTP(_ forward.Batch, header, _ []byte) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	var packet rtp.Packet
	if err := packet.Unmarshal(append([]byte{}, header...)); err != nil {
		return err
	}
	c.csrcs = append(c.csrcs, uint32(header[12])<<24|uint32(header[13])<<16|uint32(header[14])<<8|uint32(header[15]))
	return nil
}

func (c *capture) take() []uint32 {
	c.mu.Lock()
	defer c.mu.Unlock()
	got := c.csrcs
	c.csrcs = nil
	return got
}

// conn is a Conn without a network: real Source and Slots, which is what a Channel
// connects.
type conn struct {
	id       uint64
	ssrc     uint32
	source   *forward.Source
	slots    []peer.Slot
	heard    []*capture
	meter    *speaker.Meter
	began    atomic.Pointer[func()]
	lastSeen atomic.Pointer[time.Time]
	ended    atomic.Pointer[func(error)]
	closed   atomic.Int32
	asked    atomic.Int32
	seq      uint16
}

//nolint:gochecknoglobals // connections are numbered across a process
var lastConnID atomic.Uint64

// newConn makes a connection with a microphone, unless ssrc is 0, and k slots.
func newConn(tb testing.TB, ssrc uint32, k int) *conn {
	tb.Helper()
	c := &conn{id: lastConnID.Add(1), ssrc: ssrc, source: forward.NewSource(), meter: speaker.NewMeter(time.Now())}
	c.lastSeen.Store(new(time.Now()))
	for i := range k {
		writer := &capture{}
		slot, err := forward.NewSlot(forward.RandomSlotConfig(uint32(1000+i), 111, 48000), writer)
		require.NoError(tb, err)
		slot.Open()
		c.slots = append(c.slots, peer.Slot{Slot: slot, MID: string(rune('a' + i))})
		c.heard = append(c.heard, writer)
	}
	return c
}

func (c *conn) Answer() string             { return "answer" }
func (c *conn) ID() uint64                 { return c.id }
func (c *conn) Talker() bool               { return c.ssrc != 0 }
func (c *conn) Source() *forward.Source    { return c.source }
func (c *conn) Slots() []peer.Slot         { return c.slots }
func (c *conn) Meter() *speaker.Meter      { return c.meter }
func (c *conn) OnSpeech(began func())      { c.began.Store(&began) }
func (c *conn) SSRC() (uint32, bool)       { return c.ssrc, c.ssrc != 0 }
func (c *conn) LastSeen() time.Time        { return *c.lastSeen.Load() }
func (c *conn) Ask()                       { c.asked.Add(1) }
func (c *conn) OnEnd(ended func(error))    { c.ended.Store(&ended) }
func (c *conn) RemoteAddr() netip.AddrPort { return netip.AddrPort{} }
func (c *conn) Stats() peer.Stats          { return peer.Stats{Source: c.source.Stats()} }
func (c *conn) Renegotiate(string, time.Time, ...netip.AddrPort) (string, error) {
	return "", nil
}
func (c *conn) Close() error { c.closed.Add(1); return nil }

// talk sends one packet from the connection's microphone.
func (c *conn) talk() { c.talkAt(time.Now()) }

func (c *conn) talkAt(now time.Time) {
	c.seq++
	p := &rtp.Packet{SSRC: c.ssrc, SequenceNumber: c.seq, Timestamp: uint32(c.seq) * 960, PayloadType: 111, Payload: []byte{1}}
	if fanout, ok := c.source.Prepare(p, now); ok {
		fanout.Send(nil, p.Payload)
	}
}

// say sends one packet of this level, as a Peer does.
func (c *conn) say(level speaker.Level, now time.Time) {
	if began := c.began.Load(); c.meter.Observe(level, now) && began != nil {
		(*began)()
	}
	c.talkAt(now)
}

// hears returns who is heard on which slot since the last call, by SSRC.
func (c *conn) hears() [][]uint32 {
	heard := make([][]uint32, len(c.heard))
	for i, slot := range c.heard {
		heard[i] = slot.take()
	}
	return heard
}

// told is one call of the Notifier.
type told struct {
	to     []string
	except string
	event  Event
}

// recorder is a Notifier that remembers.
type recorder struct {
	mu    sync.Mutex
	calls []told
}

func (r *recorder) Notify(userIDs []string, except string, event Event) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.calls = append(r.calls, told{append([]string{}, userIDs...), except, event})
}

func (r *recorder) NotifyAll(except string, event Event) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.calls = append(r.calls, told{nil, except, event})
}

func (r *recorder) take() []told {
	r.mu.Lock()
	defer r.mu.Unlock()
	calls := r.calls
	r.calls = nil
	return calls
}

// journal is a Journal that remembers.
type journal struct {
	mu     sync.Mutex
	ended  []mediaEnded
	waited []time.Duration // of those who got the floor
	silent int             // how often somebody's media was lost
	panics []any
}

type mediaEnded struct {
	userID, channelID string
	cause             LeaveCause
	err               error
}

func (j *journal) MediaEnded(userID, channelID string, cause LeaveCause, err error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.ended = append(j.ended, mediaEnded{userID, channelID, cause, err})
}

func (j *journal) MediaSilent(_, _ string, lost bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if lost {
		j.silent++
	}
}

func (j *journal) FloorGranted(waited time.Duration) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.waited = append(j.waited, waited)
}

func (j *journal) Panicked(_ string, value any, _ []byte) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.panics = append(j.panics, value)
}

func (j *journal) takePanics() []any {
	j.mu.Lock()
	defer j.mu.Unlock()
	panics := j.panics
	j.panics = nil
	return panics
}

// free is for what nobody forbids.
func free() error { return nil }

func newHub(tb testing.TB, capacity int) (*ChannelHub, *MediaPeerHub, *recorder) {
	tb.Helper()
	notifier := &recorder{}
	log := &journal{}
	peers := NewMediaPeerHub(log)
	return NewChannelHub(HubConfig{
		Limits:   ChannelLimits{Capacity: capacity, Channels: 4},
		NameKeys: func(name string) []string { return strings.Fields(strings.ToLower(name)) },
		Answer:   answerFromContext, Peers: peers, Notifier: notifier, Journal: log,
	}), peers, notifier
}

// journalOf returns the journal of a hub made by newHub.
func journalOf(tb testing.TB, h *ChannelHub) *journal {
	tb.Helper()
	log, ok := h.journal.(*journal)
	require.True(tb, ok)
	return log
}

func newChannel(tb testing.TB, capacity int) (*Channel, *MediaPeerHub, *recorder) {
	tb.Helper()
	hub, peers, notifier := newHub(tb, capacity)
	channel := create(tb, hub)
	notifier.take()
	return channel, peers, notifier
}

func create(tb testing.TB, hub *ChannelHub) *Channel {
	tb.Helper()
	_, err := hub.Create(ChannelSpec{ID: "lobby", Settings: Settings{Name: "Lobby"}}, time.Now(), free)
	require.NoError(tb, err)
	channel, err := hub.Get("lobby")
	require.NoError(tb, err)
	return channel
}

// decideUntilEnd runs the hub's decisions for as long as the test.
func decideUntilEnd(tb testing.TB, hub *ChannelHub) {
	tb.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		hub.RunDecisions(ctx)
	}()
	tb.Cleanup(func() {
		cancel()
		<-done
	})
}

func join(tb testing.TB, c *Channel, user string, media *conn) *Member {
	tb.Helper()
	m, err := enter(c, media, JoinRequest{UserID: user, Name: user})
	require.NoError(tb, err)
	return m
}

// connKey is under which a context carries the connection that a join is to get.
type connKey struct{}

func answerFromContext(ctx context.Context, offer string, _ []netip.AddrPort) (Conn, error) {
	media, ok := ctx.Value(connKey{}).(*conn)
	if !ok || offer == "bad" {
		return nil, ErrBadSDP
	}
	return media, nil
}

// answerWith answers every offer with this connection.
func answerWith(media Conn) Answer {
	return func(context.Context, string, []netip.AddrPort) (Conn, error) { return media, nil }
}

// enter joins with this connection.
func enter(c *Channel, media *conn, req JoinRequest) (*Member, error) {
	return c.Join(context.WithValue(context.Background(), connKey{}, media), req)
}

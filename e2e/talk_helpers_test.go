package e2e

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mini-livechat/mini-livechat/signaling/client"
	"github.com/mini-livechat/mini-livechat/signaling/protocol"
)

const (
	// frameLength is how much sound one frame of the tests holds, frameTicks the same on
	// the RTP clock.
	frameLength = 20 * time.Millisecond
	frameTicks  = 960
	// opusTOC begins an Opus packet of one 20 ms SILK wideband frame (RFC 6716, table 2).
	// Any bytes after it are a valid frame to a decoder.
	opusTOC = 9 << 3
	// plenty is how many packets convince a test that somebody is heard.
	plenty = 10
)

// voiceFrame is frame n of a user: a valid Opus packet of 60 to 160 bytes in which every
// byte is known.
func voiceFrame(userID string, n uint32) []byte {
	frame := append([]byte{opusTOC, byte(len(userID))}, userID...)
	frame = binary.BigEndian.AppendUint32(frame, n)
	for size := 60 + int(n*7%100); len(frame) < size; {
		frame = append(frame, byte(n)+byte(len(frame))*31)
	}
	return frame
}

// parseVoice says whose frame it is and which, and fails on a single wrong byte.
func parseVoice(frame []byte) (userID string, n uint32, err error) {
	if len(frame) < 2 || len(frame) < 6+int(frame[1]) {
		return "", 0, fmt.Errorf("truncated frame %x", frame)
	}
	end := 2 + int(frame[1])
	userID, n = string(frame[2:end]), binary.BigEndian.Uint32(frame[end:])
	if !bytes.Equal(frame, voiceFrame(userID, n)) {
		return "", 0, fmt.Errorf("frame %d of %s was altered: %x", n, userID, frame)
	}
	return userID, n, nil
}

// heard is one packet as it came out of a slot.
type heard struct {
	client.PacketInfo

	slot int
	from string // by its content
	n    uint32
	at   time.Time
}

// person is a client of the library with a voice and ears.
type person struct {
	*client.Client

	t     *testing.T
	token string
	call  *client.Call

	mu      sync.Mutex
	ears    []heard     // guarded by mu
	spoke   []time.Time // when each frame was sent; guarded by mu
	ssrcs   []uint32    // of all calls so far, guarded by mu
	badness error       // the first thing wrong with a packet, guarded by mu
	asked   time.Time   // when lastSilence was called; guarded by mu

	said   atomic.Uint32 // frames sent so far
	level  atomic.Int32  // of the voice in -dBov; 0: not told to the server
	hush   context.CancelFunc
	voices sync.WaitGroup
}

// onLoopback keeps a test's clients to one socket each.
func onLoopback(ip net.IP) bool { return ip.IsLoopback() && ip.To4() != nil }

// loopbackEngine makes an engine for the clients of a test.
func loopbackEngine(t *testing.T, change ...func(*client.EngineConfig)) *client.Engine {
	t.Helper()
	cfg := client.EngineConfig{LocalIP: onLoopback}
	for _, f := range change {
		f(&cfg)
	}
	engine, err := client.NewEngine(cfg)
	require.NoError(t, err)
	return engine
}

// soon is a context that ends when a test has waited long enough.
func soon(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	return ctx
}

// arrive connects a new guest, who stays until the end of the test.
func arrive(t *testing.T, s *server, name string, options ...func(*client.Options)) *person {
	t.Helper()
	guest, err := client.Guest(soon(t), s.URL, name)
	require.NoError(t, err)
	return arriveAs(t, s, guest.Token, options...)
}

func arriveAs(t *testing.T, s *server, token string, options ...func(*client.Options)) *person {
	t.Helper()
	opts := client.Options{Token: token, ClientName: "e2e", NoReconnect: true}
	for _, change := range options {
		change(&opts)
	}
	if opts.Engine == nil {
		opts.Engine = loopbackEngine(t)
	}
	c, err := client.Dial(soon(t), s.URL, opts)
	require.NoError(t, err)
	p := &person{Client: c, t: t, token: token}
	t.Cleanup(p.gone)
	return p
}

// join enters a channel, listening from the first packet on.
func (p *person) join(channel string, options ...func(*client.JoinOptions)) *person {
	p.t.Helper()
	opts := client.JoinOptions{OnPacket: p.hear}
	for _, change := range options {
		change(&opts)
	}
	call, err := p.Join(soon(p.t), channel, opts)
	require.NoError(p.t, err)
	p.mu.Lock()
	p.ssrcs = append(p.ssrcs, call.SSRC())
	p.ears = nil
	p.mu.Unlock()
	p.call = call
	return p
}

func listenOnly(o *client.JoinOptions) { o.ListenOnly = true }

func slots(n int) func(*client.JoinOptions) { return func(o *client.JoinOptions) { o.Slots = n } }

// leave leaves the channel politely.
func (p *person) leave() {
	p.t.Helper()
	p.silence()
	require.NoError(p.t, p.call.Leave(soon(p.t)))
}

// gone ends everything about the person.
func (p *person) gone() {
	p.silence()
	_ = p.Close()
}

func (p *person) hear(slot *client.Slot, packet client.Packet) {
	from, n, err := parseVoice(packet.Payload)
	p.mu.Lock()
	defer p.mu.Unlock()
	if err != nil && p.badness == nil {
		p.badness = err
	}
	p.ears = append(p.ears, heard{PacketInfo: packet.PacketInfo, slot: slot.Index(), from: from, n: n, at: time.Now()})
}

// talk sends a frame every 20 ms until silence, the end of the call or of the test.
func (p *person) talk() *person { return p.talkEvery(frameLength) }

// talkEvery is talk with pauses, for a crowd.
func (p *person) talkEvery(interval time.Duration) *person {
	call := p.call
	ctx, cancel := context.WithCancel(context.Background())
	p.hush = cancel
	p.voices.Go(func() {
		tick := time.NewTicker(interval)
		defer tick.Stop()
		for {
			// A call that ends under the talker is what several tests are about.
			p.mu.Lock()
			p.spoke = append(p.spoke, time.Now())
			p.mu.Unlock()
			if err := p.say(call); err != nil {
				return
			}
			p.said.Add(1)
			select {
			case <-tick.C:
			case <-ctx.Done():
				return
			}
		}
	})
	return p
}

// say sends the next frame.
func (p *person) say(call *client.Call) error {
	frame := voiceFrame(p.UserID(), p.said.Load())
	if level := int(p.level.Load()); level > 0 {
		return call.WriteOpusLevel(frame, frameLength, level)
	}
	return call.WriteOpus(frame, frameLength)
}

// silence stops talking.
func (p *person) silence() {
	if p.hush != nil {
		p.hush()
	}
	p.voices.Wait()
}

// heardFrom counts the packets of somebody that were heard since joining.
func (p *person) heardFrom(other *person) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := 0
	for _, h := range p.ears {
		if h.from == other.UserID() {
			n++
		}
	}
	return n
}

// hears waits until each of the others is heard, from now on.
func (p *person) hears(others ...*person) {
	p.t.Helper()
	for _, other := range others {
		before := p.heardFrom(other)
		require.Eventually(p.t, func() bool {
			return p.heardFrom(other) >= before+plenty
		}, patience, 10*time.Millisecond, "%s hears %s: %v", p.UserID(), other.UserID(), later(func() string {
			return fmt.Sprintf("%d frames since %d, of %d said; the calls of both: %v, %v; the sessions: %v, %v",
				p.heardFrom(other)-before, before, other.said.Load(), p.call.Err(), other.call.Err(), p.Err(), other.Err())
		}))
	}
}

// later are words that are found when they are wanted.
type later func() string

func (l later) String() string { return l() }

// longestSilence is the longest time between two packets of somebody since joining.
func (p *person) longestSilence(other *person) time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	var longest time.Duration
	var before time.Time
	for _, h := range p.ears {
		if h.from != other.UserID() {
			continue
		}
		if !before.IsZero() {
			longest = max(longest, h.at.Sub(before))
		}
		before = h.at
	}
	return longest
}

// heardSince is how long after a moment the first packet came, or how long it is ago.
func (p *person) heardSince(at time.Time) time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, h := range p.ears {
		if since := h.at.Sub(at); since > 0 {
			return since
		}
	}
	return time.Since(at)
}

// lastSilence is the longest time between two packets of anybody that came after the last call, and up to now.
func (p *person) lastSilence() time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	var longest time.Duration
	now := time.Now()
	for before := p.asked; ; {
		if len(p.ears) == 0 {
			p.asked = now
			return max(longest, now.Sub(before))
		}
		if at := p.ears[0].at; !before.IsZero() {
			longest = max(longest, at.Sub(before))
		}
		before, p.ears = p.ears[0].at, p.ears[1:]
	}
}

// hearsNot makes sure that nothing more comes from somebody who goes on talking, or has
// gone. What was said before may still arrive, however late; meanwhile is for whatever else the caller
// knows to be going on, so that the silence is not that of a dead line.
func (p *person) hearsNot(other *person, meanwhile func()) {
	p.t.Helper()
	last := other.said.Load() // which is being said
	meanwhile()
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, h := range p.ears {
		require.False(p.t, h.from == other.UserID() && h.n > last, "%s still hears %s: frame %d, said after %d", p.UserID(), h.from, h.n, last)
	}
}

// talksOn waits until a talker has sent plenty more frames.
func (p *person) talksOn() {
	p.t.Helper()
	before := p.said.Load()
	eventually(p.t, p.UserID()+" goes on talking", func() bool { return p.said.Load() >= before+plenty })
}

// check judges everything heard since joining: only the others, each under its own
// source, in streams that a decoder and SRTP can live with.
func (p *person) check(others ...*person) {
	p.t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	require.NoError(p.t, p.badness)
	last := make(map[int]heard)
	for i, h := range p.ears {
		at := slices.IndexFunc(others, func(o *person) bool { return o.UserID() == h.from })
		require.GreaterOrEqual(p.t, at, 0, "%s hears %q", p.UserID(), h.from)
		require.True(p.t, others[at].owns(h.CSRC), "packet %d names source %d, which is not one of %s", i, h.CSRC, h.from)
		require.Contains(p.t, []string{"", h.from}, h.UserID, "packet %d is attributed to somebody else", i)
		before, known := last[h.slot]
		last[h.slot] = h
		if !known {
			require.Less(p.t, h.Sequence, uint16(1<<15), "first sequence number of slot %d", h.slot)
			continue
		}
		require.Equal(p.t, before.SSRC, h.SSRC, "slot %d changed its source", h.slot)
		require.Equal(p.t, before.Sequence+1, h.Sequence, "slot %d, packet %d", h.slot, i)
		if h.from == before.from && h.n == before.n+1 && !h.Marker {
			require.Equal(p.t, before.Timestamp+frameTicks, h.Timestamp, "slot %d, packet %d", h.slot, i)
			continue
		}
		require.Less(p.t, h.Timestamp-before.Timestamp, uint32(1<<31), "slot %d goes back in time", h.slot)
	}
	// Once all has settled, the slot map says the same as the packets.
	for slot, h := range last {
		if now := p.call.Slots()[slot].UserID(); now == h.from {
			require.Equal(p.t, h.from, h.UserID, "the last packet of slot %d", slot)
		}
	}
}

// lostOnly judges what was heard of somebody over a network that lost packets, some of which came late: each once, in one
// stream, under the number that its place says.
func (p *person) lostOnly(other *person) {
	p.t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	require.NoError(p.t, p.badness)
	var first *heard
	seen := make(map[uint32]bool)
	for i := range p.ears {
		h := &p.ears[i]
		if h.from != other.UserID() {
			continue
		}
		require.False(p.t, seen[h.n], "frame %d comes twice", h.n)
		seen[h.n] = true
		if first == nil {
			first = h
		}
		require.Equal(p.t, first.slot, h.slot)
		require.Equal(p.t, first.SSRC, h.SSRC)
	}
}

func (p *person) owns(ssrc uint32) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Contains(p.ssrcs, ssrc)
}

// slotUsers lists who is on each slot by SLOT_MAP.
func (p *person) slotUsers() []string {
	users := make([]string, len(p.call.Slots()))
	for i, slot := range p.call.Slots() {
		users[i] = slot.UserID()
	}
	return users
}

// memberIDs lists who is in the channel as this person was told.
func (p *person) memberIDs() []string {
	members := p.call.Members()
	ids := make([]string, len(members))
	for i, m := range members {
		ids[i] = m.UserID
	}
	return ids
}

func ids(people ...*person) []string {
	all := make([]string, len(people))
	for i, p := range people {
		all[i] = p.UserID()
	}
	return all
}

// told waits for an event of the type of want's argument that it accepts, skipping others.
func told[T any](p *person, reason string, want func(*T) bool) *T {
	p.t.Helper()
	return toldAfter(p, patience, reason, want)
}

// toldAfter is told for what takes long.
func toldAfter[T any](p *person, long time.Duration, reason string, want func(*T) bool) *T {
	p.t.Helper()
	deadline := time.After(long)
	for {
		select {
		case ev, open := <-p.Events():
			if payload, ok := ev.Payload.(*T); ok && want(payload) {
				return payload
			}
			if !open {
				p.t.Fatalf("%s: the session of %s ended: %v", reason, p.UserID(), p.Err())
			}
		case <-deadline:
			p.t.Fatalf("%s was not told in time: %s", p.UserID(), reason)
		}
	}
}

// toldLeft waits until p is told that other left, and returns why.
func (p *person) toldLeft(other *person) protocol.LeaveCause {
	p.t.Helper()
	return told(p, other.UserID()+" left", func(ev *protocol.ChannelEvent) bool {
		return ev.Event == protocol.ChannelEventLeave && ev.Member.UserID == other.UserID()
	}).Cause
}

// ended waits for the end of the session and returns its close code.
func (p *person) ended() protocol.CloseCode {
	p.t.Helper()
	select {
	case <-p.Done():
	case <-time.After(patience):
		p.t.Fatalf("the session of %s does not end", p.UserID())
	}
	var closed *client.CloseError
	require.ErrorAs(p.t, p.Err(), &closed)
	return closed.Code
}

// callEnded waits for the end of the call and returns why it ended.
func (p *person) callEnded() error {
	p.t.Helper()
	select {
	case <-p.call.Done():
	case <-time.After(patience):
		p.t.Fatalf("the call of %s does not end", p.UserID())
	}
	return p.call.Err()
}

// listenTo joins without a microphone and reads the slots by hand.
func listenTo(n int) client.JoinOptions { return client.JoinOptions{ListenOnly: true, Slots: n} }

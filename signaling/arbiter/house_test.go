package arbiter

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mini-livechat/mini-livechat/sfu"
	"github.com/mini-livechat/mini-livechat/sfu/forward"
	"github.com/mini-livechat/mini-livechat/sfu/peer"
	"github.com/mini-livechat/mini-livechat/sfu/speaker"
	"github.com/mini-livechat/mini-livechat/signaling/mirror"
)

func (h *house) radio() *sfu.Channel { return h.Channel("radio") }

// Channel implements mirror.Node.
func (h *house) Channel(id string) *sfu.Channel {
	c, err := h.hub.Get(id)
	if err != nil {
		return nil
	}
	return c
}

// Superseded implements mirror.Node.
func (h *house) Superseded(string, uint64) {}

// Tell implements mirror.Node.
func (h *house) Tell(mirror.Telling) {}

func (h *house) voice(node, _, userID string) sfu.Voice {
	h.mu.Lock()
	defer h.mu.Unlock()
	key := node + " " + userID
	if h.voices[key] == nil {
		h.voices[key] = &voice{source: forward.NewSource(), meter: speaker.NewMeter(time.Now())}
	}
	return h.voices[key]
}

func (h *house) hush(node, _, userID string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.voices, node+" "+userID)
}

// Notify implements sfu.Notifier.
func (h *house) Notify(userIDs []string, except string, event sfu.Event) {
	switch event.(type) {
	case sfu.FloorGranted, sfu.FloorTaken, sfu.FloorIdle, sfu.FloorRevoked, sfu.FloorDenied, sfu.FloorQueued:
	default:
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, id := range userIDs {
		if id != except {
			h.told[id] = append(h.told[id], event)
		}
	}
}

// NotifyAll implements sfu.Notifier.
func (h *house) NotifyAll(string, sfu.Event) {}

// takes returns what somebody was told of the floor since the last call, in words.
func (p *person) takes() (words []string) {
	p.house.mu.Lock()
	defer p.house.mu.Unlock()
	for _, event := range p.house.told[p.id] {
		words = append(words, inWords(event))
	}
	p.house.told[p.id] = nil
	return words
}

func inWords(event sfu.Event) string {
	switch e := event.(type) {
	case sfu.FloorGranted:
		return "granted"
	case sfu.FloorTaken:
		return "taken " + e.UserID
	case sfu.FloorIdle:
		return "idle"
	case sfu.FloorRevoked:
		return fmt.Sprint("revoked ", int(e.Cause))
	case sfu.FloorDenied:
		return fmt.Sprint("denied ", int(e.Cause))
	case sfu.FloorQueued:
		return fmt.Sprintf("queued %d/%d", e.Position, e.Size)
	default:
		return fmt.Sprintf("%T", event)
	}
}

// press asks for the floor. What becomes of it is known when time has passed.
func (p *person) press(req sfu.FloorRequest) *outcome {
	o := &outcome{}
	began := time.Now()
	go func() {
		err := p.member.RequestFloor(context.Background(), req, func(a sfu.FloorAnswer) { o.got = a })
		o.err, o.done, o.took = err, true, time.Since(began)
	}()
	synctest.Wait()
	return o
}

// outcome is what became of a request.
type outcome struct {
	got  sfu.FloorAnswer
	err  error
	done bool
	took time.Duration
}

func (o *outcome) String() string {
	switch {
	case !o.done:
		return "waits"
	case errors.Is(o.err, sfu.ErrFloorUnsettled):
		return "unsettled"
	case o.err != nil:
		return o.err.Error()
	case o.got.Grant != nil:
		return "granted"
	case o.got.Place != nil:
		return fmt.Sprintf("queued %d/%d", o.got.Place.Position, o.got.Place.Size)
	default:
		return "nothing"
	}
}

// talks has somebody get the floor, whom nothing hinders.
func (p *person) talks() *outcome {
	p.house.town.t.Helper()
	o := p.press(sfu.FloorRequest{Queue: true})
	p.house.town.pass(100 * time.Millisecond)
	require.Equal(p.house.town.t, "granted", o.String())
	return o
}

func (p *person) release(grant uint64) *outcome {
	o := &outcome{}
	go func() {
		o.err = p.member.ReleaseFloor(context.Background(), grant, func() {})
		o.done = true
	}()
	synctest.Wait()
	return o
}

// arbiter is the node that decides, as all see it.
func (w *town) arbiter() string {
	w.t.Helper()
	found := ""
	for name, h := range w.houses {
		node, elected := h.arbiters.Arbiter("radio")
		if found != "" {
			require.Equal(w.t, found, node, "%s sees it otherwise", name)
		}
		if found = node; node == h.arbiters.Self() {
			require.True(w.t, elected, "%s is not elected", name)
		}
	}
	for name, h := range w.houses {
		if h.arbiters.Self() == found {
			return name
		}
	}
	return ""
}

// Of sfu.Conn.

func (p *person) ID() uint64                 { return p.conn }
func (p *person) Answer() string             { return "" }
func (p *person) Talker() bool               { return true }
func (p *person) Source() *forward.Source    { return p.source }
func (p *person) Slots() []peer.Slot         { return p.slots }
func (p *person) Meter() *speaker.Meter      { return p.meter }
func (p *person) OnSpeech(began func())      { p.speaks = began }
func (p *person) SSRC() (uint32, bool)       { return p.ssrc, true }
func (p *person) LastSeen() time.Time        { return time.Now() }
func (p *person) Ask()                       {}
func (p *person) RemoteAddr() netip.AddrPort { return netip.AddrPort{} }
func (p *person) Stats() peer.Stats          { return peer.Stats{} }
func (p *person) OnEnd(func(error))          {}
func (p *person) Close() error               { return nil }
func (p *person) Renegotiate(string, time.Time, ...netip.AddrPort) (string, error) {
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

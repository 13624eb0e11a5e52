package client

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pion/webrtc/v4"

	"github.com/mini-livechat/mini-livechat/signaling/protocol"
)

// mediaGrace is how long after the WebRTC connection ended the WebSocket may take to say
// why, before the call ends with ErrMediaLost.
const mediaGrace = 2 * time.Second

// Call is a client's membership of one channel. Make one with Client.Join and end it
// with Leave. Its methods may be called from any goroutine.
type Call struct {
	client     *Client
	channelID  string
	slotBuffer int
	pc         *webrtc.PeerConnection
	mic        *microphone // nil when only listening
	slots      []*Slot
	receiver   *receiver
	outbox     outbox

	joined     atomic.Bool   // the ACK has come: info, members and slots are set
	answered   chan struct{} // closed when the answer has been applied
	connected  chan struct{} // closed when media flows
	mediaEnded chan struct{} // closed when the PeerConnection failed or was closed
	over       chan struct{} // closed when the call has ended
	torn       chan struct{} // closed when all its goroutines have ended

	mu      sync.Mutex
	info    protocol.Joined   // without the parts that change; guarded by mu
	members []protocol.Member // guarded by mu; never modified in place
	err     error             // why the call ended; guarded by mu
}

// ChannelID returns the channel's id.
func (c *Call) ChannelID() string { return c.channelID }

// Joined returns what the server answered to the join. Members and slots in it are as
// they were then; see Members and Slots for the present.
func (c *Call) Joined() protocol.Joined {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.info
}

// Slots returns the receiving lines, in the order of their numbers. The slice is the
// same during the whole call and must not be changed.
func (c *Call) Slots() []*Slot { return c.slots }

// Members returns who is in the channel now, in the order they joined, this client
// included. The slice must not be changed; it is a snapshot.
func (c *Call) Members() []protocol.Member {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.members
}

// PeerConnection returns the WebRTC connection, for statistics. Closing it or changing
// its handlers breaks the call.
func (c *Call) PeerConnection() *webrtc.PeerConnection { return c.pc }

// Done is closed when the call has ended; Err then says why.
func (c *Call) Done() <-chan struct{} { return c.over }

// Err returns why the call ended: ErrLeft, ErrRemoved, ErrChannelDeleted, ErrMediaLost, or
// the error of the session when that ended. It is nil while the call lasts.
func (c *Call) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err
}

// WaitConnected returns nil once media flows, at once if it does already. Otherwise the
// error is the context's, or the call's when it has ended.
func (c *Call) WaitConnected(ctx context.Context) error {
	if err := c.Err(); err != nil {
		return err
	}
	select {
	case <-c.connected:
		return nil
	case <-c.over:
		return c.Err()
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Leave leaves the channel and returns when the call's goroutines and sockets are gone.
// The call ends in any case; the error says that the server could not be told, or, as a
// *protocol.Error, that it did not know of the membership any more. Leaving a call that
// has ended already returns nil.
func (c *Call) Leave(ctx context.Context) error {
	select {
	case <-c.over:
		<-c.torn
		return nil
	default:
	}
	// The ACK ends the call on the reading goroutine, before any later frame.
	err := c.client.request(ctx, protocol.OpChannelLeave, protocol.ChannelRef{ChannelID: c.channelID},
		func(protocol.Frame) error {
			c.end(ErrLeft)
			return nil
		})
	if c.Err() != nil {
		err = nil // it ended by the ACK, or another way meanwhile
	} else if _, refused := errors.AsType[*protocol.Error](err); !refused {
		c.client.tellLeave(c.channelID) // the context was over before anything was sent
	}
	c.end(ErrLeft)
	<-c.torn
	return err
}

// end ends the call with err unless it has ended already. It does not wait.
func (c *Call) end(err error) {
	c.mu.Lock()
	if c.err != nil {
		c.mu.Unlock()
		return
	}
	c.err = err
	c.mu.Unlock()

	c.client.mu.Lock()
	if c.client.call == c {
		c.client.call = nil
	}
	c.client.mu.Unlock()
	close(c.over) // last: whoever sees the end may join again at once
}

// run waits for the end of the call and then takes the PeerConnection down.
func (c *Call) run() {
	defer c.client.wg.Done()
	defer close(c.torn)
	written := make(chan struct{})
	go func() {
		defer close(written)
		c.outbox.run(c.over, c.pc.WriteRTCP)
	}()
	defer func() { <-written }()
	c.hasten()
	select {
	case <-c.over:
	case <-c.mediaEnded:
		grace := time.NewTimer(mediaGrace)
		select {
		case <-c.over:
		case <-grace.C:
			c.client.tellLeave(c.channelID)
			c.end(ErrMediaLost)
		}
		grace.Stop()
	}
	if err := c.pc.GracefulClose(); err != nil {
		c.client.log.Debug("closing the media connection", "channel", c.channelID, "error", err)
	}
}

// Hastening: the first look for a working path comes hastenFirst after the answer, each
// further one after twice the time, until pion's own clock of 200 ms takes over.
const (
	hastenFirst = 2 * time.Millisecond
	hastenLast  = 128 * time.Millisecond
)

// hasten waits until media is connected, or soon will be, and makes that sooner. pion's
// ICE agent nominates a path only at the next tick of its 200 ms clock after a check
// succeeded, which makes every join take that long. The agent also ticks when it learns
// a remote candidate, so it is told of some that lead nowhere: TCP ones, for which it has
// no local counterpart and sends nothing.
func (c *Call) hasten() {
	select {
	case <-c.answered:
	case <-c.over:
		return
	}
	timer := time.NewTimer(hastenFirst)
	defer timer.Stop()
	for wait := hastenFirst; wait <= hastenLast; wait *= 2 {
		select {
		case <-timer.C:
		case <-c.connected:
			return
		case <-c.over:
			return
		}
		timer.Reset(wait)
		// The port makes each one new to the agent.
		candidate := fmt.Sprintf("candidate:1 1 tcp 1 127.0.0.1 %d typ host tcptype passive", wait.Milliseconds())
		_ = c.pc.AddICECandidate(webrtc.ICECandidateInit{Candidate: candidate})
	}
}

// watchMedia follows the state of the PeerConnection.
func (c *Call) watchMedia() {
	var up, down sync.Once
	c.pc.OnConnectionStateChange(func(state webrtc.PeerConnectionState) {
		switch state {
		case webrtc.PeerConnectionStateConnected:
			up.Do(func() { close(c.connected) })
		case webrtc.PeerConnectionStateFailed, webrtc.PeerConnectionStateClosed:
			down.Do(func() { close(c.mediaEnded) })
		default:
		}
	})
	// Packets do not come this way, but pion complains about a missing handler.
	c.pc.OnTrack(func(*webrtc.TrackRemote, *webrtc.RTPReceiver) {})
}

// install takes the ACK of CHANNEL_JOIN. It runs on the reading goroutine, so that every
// event after the ACK finds the state it refers to.
func (c *Call) install(joined protocol.Joined) {
	c.mu.Lock()
	c.info, c.members = joined, joined.ActiveMembers
	c.mu.Unlock()
	c.assign(joined.Slots)
	c.joined.Store(true)
}

// apply brings the call up to date with an event. Only the reading goroutine calls it.
func (c *Call) apply(payload any) {
	if !c.joined.Load() {
		return // about another time or channel
	}
	switch ev := payload.(type) {
	case *protocol.ChannelEvent:
		if ev.ChannelID == c.channelID {
			c.applyChannelEvent(ev)
		}
	case *protocol.VoiceStateEvent:
		if ev.ChannelID == c.channelID {
			c.change(ev.UserID, func(m *protocol.Member) { m.SelfMute, m.SelfDeaf = ev.SelfMute, ev.SelfDeaf })
		}
	case *protocol.SlotMap:
		if ev.ChannelID == c.channelID {
			c.assign(ev.Slots)
		}
	}
}

func (c *Call) applyChannelEvent(ev *protocol.ChannelEvent) {
	switch ev.Event {
	case protocol.ChannelEventDelete:
		c.end(ErrChannelDeleted)
	case protocol.ChannelEventUpdate:
		if ev.Channel != nil {
			c.mu.Lock()
			c.info.ChannelName = ev.Channel.ChannelName
			c.mu.Unlock()
		}
	case protocol.ChannelEventJoin:
		if ev.Member != nil {
			c.remove(ev.Member.UserID)
			c.mu.Lock()
			c.members = append(slices.Clip(c.members), *ev.Member)
			c.mu.Unlock()
		}
	case protocol.ChannelEventLeave:
		if ev.Member == nil {
			return
		}
		c.remove(ev.Member.UserID)
		if ev.Member.UserID == c.client.UserID() {
			c.end(fmt.Errorf("%w: %s", ErrRemoved, ev.Cause))
		}
	case protocol.ChannelEventCreate: // of another channel
	}
}

func (c *Call) remove(userID string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.members = slices.DeleteFunc(slices.Clone(c.members), func(m protocol.Member) bool {
		return m.UserID == userID
	})
}

func (c *Call) change(userID string, f func(*protocol.Member)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	i := slices.IndexFunc(c.members, func(m protocol.Member) bool { return m.UserID == userID })
	if i < 0 {
		return
	}
	c.members = slices.Clone(c.members)
	f(&c.members[i])
}

func (c *Call) assign(slots []protocol.Slot) {
	now := time.Now()
	for _, s := range slots {
		if s.Slot < 0 || s.Slot >= len(c.slots) {
			continue
		}
		userID := ""
		if s.UserID != nil {
			userID = *s.UserID
		}
		c.slots[s.Slot].assign(userID, s.SSRC, now)
	}
}

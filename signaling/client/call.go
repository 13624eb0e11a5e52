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

// Call is a client's membership of one channel. Make one with Client.Join and end it
// with Leave. When its media or its session is lost, the call joins the channel again by
// itself, with another PeerConnection and the same Slots. Its methods may be called from any
// goroutine.
type Call struct {
	client     *Client
	in         atomic.Pointer[string] // the channel's id; a moderator may move the client to another one
	opts       JoinOptions
	slotBuffer int
	mic        atomic.Pointer[microphone] // nil when only listening
	slots      []*Slot
	floor      *Floor

	media     atomic.Pointer[media] // what carries the call now
	next      atomic.Pointer[media] // what is to carry it, made and connected while the one before still does
	joined    atomic.Bool           // an ACK has come: info, members and slots are set
	present   atomic.Bool           // the server counts the client among the members
	connected chan struct{}         // closed when media flowed for the first time
	up        sync.Once             // closes connected
	lost      chan error            // holds one: why the membership is gone and to be had again
	over      chan struct{}         // closed when the call has ended
	torn      chan struct{}         // closed when all its goroutines have ended

	mu        sync.Mutex
	info      protocol.Joined   // without the parts that change; guarded by mu
	members   []protocol.Member // guarded by mu; never modified in place
	listening protocol.Listen   // guarded by mu; never modified in place
	err       error             // why the call ended; guarded by mu
}

// ChannelID returns the channel's id. It is another one when a moderator has moved the client, with its media.
func (c *Call) ChannelID() string { return *c.in.Load() }

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

// Present reports whether the server counts the client among the members, as far as is known: not while there is no connection, nor
// while the call is being joined again.
func (c *Call) Present() bool { return c.client.online.Load() && c.present.Load() }

// PeerConnection returns the WebRTC connection of now, for statistics. Closing it or
// changing its handlers breaks the call.
func (c *Call) PeerConnection() *webrtc.PeerConnection { return c.media.Load().pc }

// Done is closed when the call has ended; Err then says why.
func (c *Call) Done() <-chan struct{} { return c.over }

// Err returns why the call ended: ErrLeft, ErrRemoved, ErrChannelDeleted, the refusal of the
// server to let it in again, or the error of the client when that ended; with
// Options.NoReconnect also ErrMediaLost. It is nil while the call lasts.
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
	err := c.client.request(ctx, protocol.OpChannelLeave, protocol.ChannelRef{ChannelID: c.ChannelID()},
		func(protocol.Frame) error {
			c.end(ErrLeft)
			return nil
		})
	if c.Err() != nil {
		err = nil // it ended by the ACK, or another way meanwhile
	} else if _, refused := errors.AsType[*protocol.Error](err); !refused {
		c.client.tellLeave(c.ChannelID()) // the context was over before anything was sent
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
	c.floor.end(err)
	close(c.over) // last: whoever sees the end may join again at once
}

// install takes the ACK of CHANNEL_JOIN. It runs on the reading goroutine, so that every
// event after the ACK finds the state it refers to. kept is what was had of the floor when a move asked for it; nil: nothing.
func (c *Call) install(joined protocol.Joined, kept *floorKept) {
	c.mu.Lock()
	c.info, c.members = joined, joined.ActiveMembers
	c.mu.Unlock()
	c.assign(joined.Slots)
	if kept != nil {
		c.floor.goOn(joined.Floor, kept)
	} else {
		c.floor.begin(joined.Floor)
	}
	c.joined.Store(true)
	c.present.Store(true)
}

// apply brings the call up to date with an event. Only the reading goroutine calls it.
func (c *Call) apply(payload any) {
	if !c.present.Load() {
		return // about another time or channel
	}
	c.floor.apply(payload)
	switch ev := payload.(type) {
	case *protocol.ChannelEvent:
		if ev.ChannelID == c.ChannelID() {
			c.applyChannelEvent(ev)
		}
	case *protocol.VoiceStateEvent:
		if ev.ChannelID == c.ChannelID() {
			c.change(ev.UserID, func(m *protocol.Member) {
				m.SelfMute, m.SelfDeaf, m.Muted, m.Mic, m.Sound = ev.SelfMute, ev.SelfDeaf, ev.Muted, ev.Mic, ev.Sound
				m.Suppressed, m.HandAt, m.Role = ev.Suppressed, ev.HandAt, ev.Role
			})
		}
	case *protocol.MediaState:
		if ev.ChannelID == c.ChannelID() {
			c.change(ev.UserID, func(m *protocol.Member) { m.Media = ev.State })
			if ev.UserID == c.client.UserID() {
				c.media.Load().heard(ev.State != protocol.MediaLost)
			}
		}
	case *protocol.ModerationEvent:
		if ev.Action == protocol.ModerationUninvite && ev.UserID == c.client.UserID() && ev.ChannelID == c.ChannelID() {
			c.end(fmt.Errorf("%w: %s", ErrRemoved, ev.Action))
			return
		}
		if ev.Joined != nil {
			c.floor.lose(fmt.Errorf("%w: %s", ErrRemoved, protocol.LeaveMoved), false)
			c.in.Store(&ev.Joined.ChannelID)
			c.install(*ev.Joined, nil)
		}
	case *protocol.Speakers:
		if ev.ChannelID == c.ChannelID() {
			c.media.Load().watchOver(ev.Speakers)
		}
	case *protocol.Listen:
		c.listens(*ev)
	case *protocol.SlotMap:
		if ev.ChannelID == c.ChannelID() {
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
			c.info.ChannelName, c.info.Mode = ev.Channel.ChannelName, ev.Channel.Mode
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
			c.removed(ev.Cause)
		}
	case protocol.ChannelEventConnection:
		if ev.Member != nil {
			c.change(ev.Member.UserID, func(m *protocol.Member) { m.Connection = ev.Member.Connection })
		}
	case protocol.ChannelEventStage:
		c.restage(ev.Suppressed, ev.Hands)
	case protocol.ChannelEventCreate: // of another channel
	}
}

// restage takes who may not be heard, and whose hands are raised.
func (c *Call) restage(suppressed []string, hands []protocol.RaisedHand) {
	silent, raised := make(map[string]bool, len(suppressed)), make(map[string]int64, len(hands))
	for _, userID := range suppressed {
		silent[userID] = true
	}
	for _, h := range hands {
		raised[h.UserID] = h.HandAt
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.members = slices.Clone(c.members)
	for i := range c.members {
		m := &c.members[i]
		m.Suppressed, m.HandAt = silent[m.UserID], raised[m.UserID]
	}
}

// removed takes that the server has taken this client out.
func (c *Call) removed(cause protocol.LeaveCause) {
	err := fmt.Errorf("%w: %s", ErrRemoved, cause)
	byMedia := cause == protocol.LeaveMediaTimeout || cause == protocol.LeaveMediaFailed
	if c.client.opts.NoReconnect || !byMedia {
		c.end(err)
		return
	}
	c.lose(err)
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
		c.slots[s.Slot].told.Store(&s)
	}
}

package client

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/mini-livechat/mini-livechat/signaling/protocol"
)

// defaultSlots is how many others a call can hear at once unless told otherwise.
const defaultSlots = 8

// JoinOptions configure Join. The zero value joins with a microphone and eight slots.
type JoinOptions struct {
	// ListenOnly joins without a microphone: the others see a member who cannot talk.
	ListenOnly bool
	// Slots is how many others can be heard at once; 0 means eight, negative none. It
	// is cut down to what the server allows.
	Slots int
	// SlotBuffer is how many packets wait in each slot for a reader; 0 means 50.
	SlotBuffer int
	// OnPacket, if set, gets every received packet of every slot in place of the slots'
	// queues. It runs on the goroutine that decrypts, one packet at a time, and holds
	// up the call's others, so it must not block. It must not call Leave or Close.
	OnPacket func(*Slot, Packet)
	// NoWait makes Join return as soon as the server has answered, while media is still
	// being connected; see Call.WaitConnected.
	NoWait bool
}

// Join enters a channel with one offer and one answer and, unless told otherwise, waits
// until media is connected. The context bounds the joining only, not the call; when it
// ends first, the client leaves again. A refusal is a *protocol.Error, a client that is
// in a channel already gets ErrInCall.
func (c *Client) Join(ctx context.Context, channelID string, opts JoinOptions) (*Call, error) {
	call, err := c.newCall(channelID, opts) //nolint:contextcheck // the context bounds the joining only
	if err != nil {
		return nil, fmt.Errorf("join %s: %w", channelID, err)
	}
	if err := call.negotiate(ctx, call.media.Load()); err != nil {
		call.end(err)
		<-call.torn
		return nil, fmt.Errorf("join %s: %w", channelID, err)
	}
	if opts.NoWait {
		return call, nil
	}
	if err := call.WaitConnected(ctx); err != nil {
		if call.Err() == nil {
			c.tellLeave(channelID)
		}
		call.end(err)
		<-call.torn
		return nil, fmt.Errorf("join %s: media: %w", channelID, err)
	}
	return call, nil
}

// newCall makes a call, with its goroutine running, and makes it the client's. Whoever
// gets one has to end it.
func (c *Client) newCall(channelID string, opts JoinOptions) (*Call, error) {
	call := &Call{
		client:     c,
		opts:       opts,
		slotBuffer: opts.SlotBuffer,
		connected:  make(chan struct{}),
		lost:       make(chan error, 1),
		over:       make(chan struct{}),
		torn:       make(chan struct{}),
	}
	call.floor = newFloor(call)
	call.in.Store(&channelID)
	if call.slotBuffer <= 0 {
		call.slotBuffer = defaultSlotBuffer
	}
	if !opts.ListenOnly {
		call.mic.Store(&microphone{userID: c.UserID()})
	}
	for i := range opts.slots(c.Ready().Limits.Slots) {
		call.slots = append(call.slots, newSlot(call, i, ""))
	}
	m, err := call.newMedia()
	if err != nil {
		return nil, err
	}
	if err = c.adopt(call, m); err != nil {
		m.close()
		return nil, err
	}
	return call, nil
}

// slots is how many recvonly lines to offer a server that allows so many.
func (o *JoinOptions) slots(allowed int) int {
	slots := o.Slots
	if slots == 0 {
		slots = defaultSlots
	}
	return max(min(slots, allowed, protocol.MaxSlots), 0)
}

// ownEngine returns the client's Engine, made at the first call when none was given.
func (c *Client) ownEngine() (*Engine, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.engine == nil {
		engine, err := NewEngine(EngineConfig{})
		if err != nil {
			return nil, err
		}
		c.engine = engine
	}
	return c.engine, nil
}

// adopt makes call the client's one call and starts its goroutine.
func (c *Client) adopt(call *Call, m *media) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err != nil {
		return c.err
	}
	if c.call != nil {
		return ErrInCall
	}
	c.call = call
	call.media.Store(m)
	c.wg.Add(1)
	go call.run(m)
	return nil
}

// negotiate sends the offer of m and applies the answer.
func (c *Call) negotiate(ctx context.Context, m *media) error {
	offer, err := m.offer()
	if err != nil {
		return err
	}
	var joined protocol.Joined
	request := protocol.ChannelJoin{ChannelID: c.ChannelID(), SDPOffer: offer}
	for {
		err = c.client.request(ctx, protocol.OpChannelJoin, request, func(f protocol.Frame) error {
			bindErr := bindReply(f, &joined)
			if bindErr == nil {
				again := c.joined.Load()
				c.install(joined, nil)
				if again {
					c.client.events.put(Event{Payload: &Rejoined{}})
				}
			}
			return bindErr
		})
		if errors.Is(err, ErrSessionLost) {
			continue // the membership went with the session, if there was one
		}
		refused, _ := errors.AsType[*protocol.Error](err)
		if refused == nil || refused.Code != protocol.CodeDraining || c.client.opts.NoReconnect ||
			!sleep(ctx, time.Duration(refused.RetryAfterMS)*time.Millisecond) {
			break
		}
	}
	if err != nil {
		if _, refused := errors.AsType[*protocol.Error](err); !refused {
			// It may have been accepted, or be yet. Requests are handled in order, so
			// this leaves what that joined.
			c.client.tellLeave(c.ChannelID())
		}
		return err
	}
	if err = m.answer(joined.SDPAnswer); err != nil {
		c.client.tellLeave(c.ChannelID())
		return err
	}
	return nil
}

// tellLeave asks the server to forget the membership without waiting for its answer.
func (c *Client) tellLeave(channelID string) {
	_, _, _ = c.post(protocol.OpChannelLeave, protocol.ChannelRef{ChannelID: channelID}, nil)
}

package client

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/pion/sdp/v3"
	"github.com/pion/webrtc/v4"

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
	call, err := c.newCall(channelID, opts)
	if err != nil {
		return nil, fmt.Errorf("join %s: %w", channelID, err)
	}
	if err := call.negotiate(ctx); err != nil {
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
	engine, err := c.ownEngine()
	if err != nil {
		return nil, err
	}
	call := &Call{
		client:     c,
		channelID:  channelID,
		slotBuffer: opts.SlotBuffer,
		receiver:   &receiver{onPacket: opts.OnPacket, now: time.Now, after: time.AfterFunc},
		outbox:     make(outbox, outboxLen),
		answered:   make(chan struct{}),
		connected:  make(chan struct{}),
		mediaEnded: make(chan struct{}),
		over:       make(chan struct{}),
		torn:       make(chan struct{}),
	}
	if call.slotBuffer <= 0 {
		call.slotBuffer = defaultSlotBuffer
	}
	if call.pc, err = engine.peerConnection(c.ICEServers(), call.over, call.receiver.buffer); err != nil {
		return nil, err
	}
	call.watchMedia()
	if err = call.addLines(opts); err == nil {
		err = c.adopt(call)
	}
	if err != nil {
		_ = call.pc.GracefulClose()
		return nil, err
	}
	return call, nil
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
func (c *Client) adopt(call *Call) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err != nil {
		return c.err
	}
	if c.call != nil {
		return ErrInCall
	}
	c.call = call
	c.wg.Add(1)
	go call.run()
	return nil
}

// addLines adds the m-lines of the offer: the microphone, then the slots.
func (c *Call) addLines(opts JoinOptions) error {
	if !opts.ListenOnly {
		mic, err := newMicrophone(c.pc, c.client.UserID())
		if err != nil {
			return err
		}
		c.mic, c.receiver.mic = mic, mic
	}
	slots := opts.Slots
	if slots == 0 {
		slots = defaultSlots
	}
	slots = min(slots, c.client.ready.Limits.Slots, protocol.MaxSlots)
	for i := range max(slots, 0) {
		_, err := c.pc.AddTransceiverFromKind(webrtc.RTPCodecTypeAudio, webrtc.RTPTransceiverInit{
			Direction: webrtc.RTPTransceiverDirectionRecvonly,
		})
		if err != nil {
			return err
		}
		c.slots = append(c.slots, newSlot(c, i, ""))
	}
	return nil
}

// negotiate sends the offer and applies the answer.
func (c *Call) negotiate(ctx context.Context) error {
	offer, err := c.pc.CreateOffer(nil)
	if err != nil {
		return err
	}
	// Candidates are gathered in the background and not sent: the server learns the
	// client's address from its connectivity checks.
	if err = c.pc.SetLocalDescription(offer); err != nil {
		return err
	}
	next := 0
	for _, t := range c.pc.GetTransceivers() {
		if t.Direction() == webrtc.RTPTransceiverDirectionRecvonly {
			c.slots[next].mid = t.Mid()
			next++
		}
	}

	var joined protocol.Joined
	request := protocol.ChannelJoin{ChannelID: c.channelID, SDPOffer: offer.SDP}
	err = c.client.request(ctx, protocol.OpChannelJoin, request, func(f protocol.Frame) error {
		bindErr := bindReply(f, &joined)
		if bindErr == nil {
			c.install(joined)
		}
		return bindErr
	})
	if err != nil {
		if _, refused := errors.AsType[*protocol.Error](err); !refused {
			// It may have been accepted, or be yet. Requests are handled in order, so
			// this leaves what that joined.
			c.client.tellLeave(c.channelID)
		}
		return err
	}
	if err = c.answer(joined.SDPAnswer); err != nil {
		c.client.tellLeave(c.channelID)
		return err
	}
	return nil
}

// answer applies the server's answer, after which packets may arrive.
func (c *Call) answer(sdp string) error {
	description := webrtc.SessionDescription{Type: webrtc.SDPTypeAnswer, SDP: sdp}
	parsed, err := description.Unmarshal()
	if err != nil {
		return fmt.Errorf("%w: answer: %w", ErrProtocol, err)
	}
	r := c.receiver
	r.bySSRC, r.byMID = make(map[uint32]*Slot), make(map[string]*Slot)
	for _, s := range c.slots {
		r.byMID[s.mid] = s
	}
	for _, media := range parsed.MediaDescriptions {
		r.learn(media)
	}
	r.reports.write = c.outbox.put
	if err := c.pc.SetRemoteDescription(description); err != nil {
		return err
	}
	close(c.answered)
	return nil
}

// learn takes from an answered line what its packets are known by.
func (r *receiver) learn(media *sdp.MediaDescription) {
	mid, _ := media.Attribute("mid")
	slot := r.byMID[mid]
	for _, a := range media.Attributes {
		number, rest, _ := strings.Cut(a.Value, " ")
		switch n, err := strconv.ParseUint(number, 10, 32); {
		case a.Key == "extmap" && err == nil && n <= math.MaxUint8 && rest == midURI:
			r.midID = uint8(n)
		case a.Key == "extmap" && err == nil && n <= math.MaxUint8 && rest == levelURI && slot == nil && r.mic != nil:
			r.mic.sendLevels(uint8(n))
		case slot == nil:
		case a.Key == "ssrc" && err == nil:
			r.bySSRC[uint32(n)] = slot
		case a.Key == "rtpmap" && err == nil && n <= math.MaxInt8 && strings.HasPrefix(strings.ToLower(rest), "red/"):
			slot.loss.red = uint8(n)
		case a.Key == "rtcp-fb" && rest == "nack":
			slot.loss.nack = true
		}
	}
}

// tellLeave asks the server to forget the membership without waiting for its answer.
func (c *Client) tellLeave(channelID string) {
	if c.Err() == nil {
		_ = c.writeFrame(protocol.OpChannelLeave, "", protocol.ChannelRef{ChannelID: channelID})
	}
}

package client

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"

	"github.com/mini-livechat/mini-livechat/signaling/protocol"
)

// pending is a request whose reply has not come.
type pending struct {
	number uint64
	op     protocol.Op
	frame  []byte // encoded, to be written again after the client came back
	// sent says that a link of the present session took it; guarded by Client.sending.
	sent bool
	// onReply, if set, runs on the running goroutine, so that what it changes is in
	// place before any later frame is handled.
	onReply func(protocol.Frame) error
	done    chan error // holds one; nil for a request of the client's own, of which only failure is noted
}

// reply hands a reply to the request it answers. A reply without an id answers a
// heartbeat or a request nobody waits for.
func (c *Client) reply(f protocol.Frame) {
	c.mu.Lock()
	p := c.pending[f.ID]
	delete(c.pending, f.ID)
	c.mu.Unlock()
	err := error(nil)
	switch {
	case f.Op == protocol.OpError:
		err = refusal(f)
	case p != nil && p.onReply != nil:
		err = p.onReply(f)
	}
	switch {
	case p != nil && p.done != nil:
		p.done <- err
	case err != nil:
		c.log.Warn("request failed", "error", err)
	}
}

// Request sends any request and waits for its reply. The data of an ACK, or the d of a
// reply of another op, is parsed into data unless that is nil. A refusal is a
// *protocol.Error; other errors are the context's, what Err returns when the client ends
// first, and ErrSessionLost when the session did, so that nobody knows whether the request
// was carried out. While there is no connection the request waits for the next one. One whose
// context ends may take effect all the same.
func (c *Client) Request(ctx context.Context, op protocol.Op, d, data any) error {
	return c.request(ctx, op, d, func(f protocol.Frame) error { return bindReply(f, data) })
}

func (c *Client) request(ctx context.Context, op protocol.Op, d any, onReply func(protocol.Frame) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	id, p, err := c.post(op, d, onReply)
	if err != nil {
		return err
	}
	select {
	case err := <-p.done:
		return err
	case <-c.done:
		if c.forget(id) {
			return c.Err()
		}
	case <-ctx.Done():
		if c.forget(id) {
			return ctx.Err()
		}
	}
	return <-p.done // the reply came at the same moment: it is being handled
}

// post writes a request, or keeps it until there is a link again.
func (c *Client) post(op protocol.Op, d any, onReply func(protocol.Frame) error) (id string, p *pending, err error) {
	c.sending.Lock()
	defer c.sending.Unlock()
	c.mu.Lock()
	if c.err != nil {
		defer c.mu.Unlock()
		return "", nil, c.err
	}
	c.nextID++
	p = &pending{number: c.nextID, op: op, onReply: onReply, done: make(chan error, 1)}
	id = "c" + strconv.FormatUint(p.number, 10)
	c.pending[id] = p
	c.mu.Unlock()
	if p.frame, err = protocol.EncodeRequest(op, id, d); err != nil {
		c.forget(id)
		return "", nil, fmt.Errorf("%w: %w", errEncode, err)
	}
	if c.link != nil {
		p.sent = true
		_ = c.link.write(p.frame) // what did not leave is written again on the next link
	}
	return id, p, nil
}

// forget gives up waiting for a reply; false means that it has come.
func (c *Client) forget(id string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	_, waiting := c.pending[id]
	delete(c.pending, id)
	return waiting
}

func bindReply(f protocol.Frame, data any) error {
	if f.Op == protocol.OpAck {
		var ack struct {
			Data json.RawMessage `json:"data"`
		}
		if err := f.Bind(&ack); err != nil {
			return fmt.Errorf("%w: ACK: %w", ErrProtocol, err)
		}
		f.D = ack.Data
	}
	if data == nil {
		return nil
	}
	if err := f.Bind(data); err != nil {
		return fmt.Errorf("%w: %s: %w", ErrProtocol, f.Op, err)
	}
	return nil
}

// CreateChannel creates a channel. Only ChannelID is required. In one of protocol.ModePTT one talks at a time, see Call.Floor.
func (c *Client) CreateChannel(ctx context.Context, d protocol.ChannelCreate) (protocol.ChannelInfo, error) {
	var info protocol.ChannelInfo
	err := c.Request(ctx, protocol.OpChannelCreate, d, &info)
	return info, err
}

// UpdateChannel changes what is set in d, its mode, say. Only the channel's owner and admins may.
func (c *Client) UpdateChannel(ctx context.Context, d protocol.ChannelUpdate) (protocol.ChannelInfo, error) {
	var info protocol.ChannelInfo
	err := c.request(ctx, protocol.OpChannelUpdate, d, func(f protocol.Frame) error {
		err := bindReply(f, &info)
		if call := c.Call(); err == nil && call != nil { // the ACK stands for the event, which goes to the others only
			call.apply(&protocol.ChannelEvent{Event: protocol.ChannelEventUpdate, ChannelID: info.ChannelID, Channel: &info})
		}
		return err
	})
	return info, err
}

// DeleteChannel deletes a channel and ends the calls of its members, this client's
// included. Only the channel's owner and admins may.
func (c *Client) DeleteChannel(ctx context.Context, channelID string) error {
	return c.request(ctx, protocol.OpChannelDelete, protocol.ChannelRef{ChannelID: channelID},
		func(protocol.Frame) error {
			// The requester is not sent the delete event: the ACK says it.
			if call := c.Call(); call != nil && call.ChannelID() == channelID {
				call.end(ErrChannelDeleted)
			}
			return nil
		})
}

// Channels lists all channels, the oldest first.
func (c *Client) Channels(ctx context.Context) ([]protocol.ChannelInfo, error) {
	var list protocol.ChannelList
	err := c.Request(ctx, protocol.OpChannelList, struct{}{}, &list)
	return list.Channels, err
}

// Channel describes one channel and who is in it.
func (c *Client) Channel(ctx context.Context, channelID string) (protocol.ChannelDetail, error) {
	var detail protocol.ChannelDetail
	err := c.Request(ctx, protocol.OpChannelInfo, protocol.ChannelRef{ChannelID: channelID}, &detail)
	return detail, err
}

// SetVoiceState mutes or deafens the client at the server, and says how its devices are doing,
// now and in later calls; nil fields stay as they are. It returns the state after the change. WriteOpus goes on
// sending while muted: the server drops it.
func (c *Client) SetVoiceState(ctx context.Context, d protocol.VoiceState) (protocol.VoiceStateEvent, error) {
	c.mu.Lock()
	if d.SelfMute != nil {
		c.voice.SelfMute = d.SelfMute
	}
	if d.SelfDeaf != nil {
		c.voice.SelfDeaf = d.SelfDeaf
	}
	// What the server would refuse must not make it refuse the rest in the next session.
	if d.Mic != nil && d.Mic.Known() {
		c.voice.Mic = d.Mic
	}
	if d.Sound != nil && d.Sound.Known() {
		c.voice.Sound = d.Sound
	}
	c.mu.Unlock()
	var state protocol.VoiceStateEvent
	err := c.request(ctx, protocol.OpVoiceState, d, func(f protocol.Frame) error {
		if err := bindReply(f, &state); err != nil {
			return err
		}
		if call := c.Call(); call != nil {
			call.apply(&state) // the ACK stands for the event, which goes to the others only
		}
		return nil
	})
	return state, err
}

// Subscribe says who is heard in any case, the most important first, and who never, now and
// in later calls. Both list user ids, at most protocol.MaxPins and MaxExclusions; a nil list
// stays as it is, an empty one is emptied. It returns both as they are now.
func (c *Client) Subscribe(ctx context.Context, d protocol.Subscribe) (protocol.Subscribe, error) {
	c.mu.Lock()
	if d.Pin != nil {
		c.subscribed.Pin = d.Pin
	}
	if d.Exclude != nil {
		c.subscribed.Exclude = d.Exclude
	}
	c.mu.Unlock()
	var now protocol.Subscribe
	err := c.Request(ctx, protocol.OpSubscribe, d, &now)
	return now, err
}

package client

import (
	"context"
	"strconv"

	"github.com/mini-livechat/mini-livechat/signaling/protocol"
)

// PresenceSnapshot is the payload of an event of the client's own: who is in which channel, in place of all that was
// known before. It comes with each answer to WatchPresence(ctx, true), in order with the *protocol.Presence that tell how
// this changed, and once more when the client has begun another session, which it has asked again.
type PresenceSnapshot struct{ protocol.Presence }

// WatchPresence says whether the client is told who is in which channel, now and in later sessions. It returns who is
// where; channels that are not in it are empty. What changes comes as events with a *protocol.Presence, for Apply. Who
// reads Events has all of it there, in order:
//
//	switch d := ev.Payload.(type) {
//	case *client.PresenceSnapshot:
//		known = d.Presence
//	case *protocol.Presence:
//		known.Apply(*d)
//	case *client.Missed: // of which nobody knows what was in them
//		go c.WatchPresence(ctx, true)
//	}
func (c *Client) WatchPresence(ctx context.Context, watch bool) (protocol.Presence, error) {
	c.mu.Lock()
	c.watching = watch
	c.mu.Unlock()
	var now protocol.Presence
	err := c.request(ctx, protocol.OpPresence, protocol.PresenceWatch{Watch: &watch}, func(f protocol.Frame) error {
		if err := bindReply(f, &now); err != nil {
			return err
		}
		if watch {
			c.putSnapshot(now)
		}
		return nil
	})
	return now, err
}

// putSnapshot is the running goroutine's own.
func (c *Client) putSnapshot(now protocol.Presence) {
	snapshot := &PresenceSnapshot{}
	snapshot.Apply(now) // a copy, since the caller of WatchPresence has the other
	c.events.put(Event{Payload: snapshot})
}

// watchAgainLocked has a new session watched as the lost one was, by a request that is sent before all others and answered to
// nobody but the readers of Events. Caller holds mu.
func (c *Client) watchAgainLocked() error {
	if !c.watching {
		return nil
	}
	for _, p := range c.pending {
		if p.op == protocol.OpPresence {
			return nil // is sent again, whoever made it
		}
	}
	c.nextID++
	id := "c" + strconv.FormatUint(c.nextID, 10)
	frame, err := protocol.EncodeRequest(protocol.OpPresence, id, protocol.PresenceWatch{Watch: new(true)})
	if err != nil {
		return err
	}
	// The number 0 is before all others.
	c.pending[id] = &pending{op: protocol.OpPresence, frame: frame, onReply: func(f protocol.Frame) error {
		var now protocol.Presence
		if err := bindReply(f, &now); err != nil {
			return err
		}
		c.putSnapshot(now)
		return nil
	}}
	return nil
}

package client

import (
	"context"

	"github.com/mini-livechat/mini-livechat/signaling/protocol"
)

// Listen has the call hear other channels too, on the last of its slots; Slot.Assigned says who is heard there. d.Channels are by rank, at
// most protocol.MaxListened of them, and none of them ends it. It returns what is listened to. When the call joins again, it listens again.
func (c *Call) Listen(ctx context.Context, d protocol.Listen) (protocol.Listen, error) {
	if d.Channels == nil {
		d.Channels = []string{} // to listen no more, which the server wants to be told so
	}
	var now protocol.Listen
	err := c.client.request(ctx, protocol.OpListen, d, func(f protocol.Frame) error {
		err := bindReply(f, &now)
		if err == nil {
			c.listens(now)
		}
		return err
	})
	return now, err
}

// Listening returns what is listened to. The server makes it less when a channel is deleted or may be entered no more; a *protocol.Listen
// is the event of that.
func (c *Call) Listening() protocol.Listen {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.listening
}

func (c *Call) listens(now protocol.Listen) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.listening = now
}

// listenAgain asks for what was listened to before the call joined again. It does not wait.
func (c *Call) listenAgain() {
	before := c.Listening()
	if len(before.Channels) == 0 {
		return
	}
	c.listens(protocol.Listen{})
	_, _, _ = c.client.post(protocol.OpListen, before, func(f protocol.Frame) error {
		var now protocol.Listen
		err := bindReply(f, &now)
		if err == nil {
			c.listens(now)
		}
		return err
	})
}

package client

import (
	"context"

	"github.com/mini-livechat/mini-livechat/signaling/protocol"
)

// SendMessage sends a text message to the channel the client is in.
func (c *Client) SendMessage(ctx context.Context, channelID, content string) (protocol.MessageCreated, error) {
	return c.PostMessage(ctx, protocol.MessageCreate{ChannelID: channelID, Content: content})
}

// PostMessage is SendMessage with all that a message may have. One with a Nonce may be posted again when nobody knows what became
// of it, as after ErrSessionLost: within ten minutes the server takes it once.
func (c *Client) PostMessage(ctx context.Context, d protocol.MessageCreate) (protocol.MessageCreated, error) {
	var created protocol.MessageCreated
	err := c.Request(ctx, protocol.OpMessageCreate, d, &created)
	return created, err
}

// History reads messages of a channel, which the client need not be in: the newest, or those before or after another one. Only
// ChannelID is required. The oldest comes first, and More says that there are others in the direction asked, also when fewer
// than Limit came.
func (c *Client) History(ctx context.Context, d protocol.History) (protocol.Messages, error) {
	var page protocol.Messages
	err := c.Request(ctx, protocol.OpHistory, d, &page)
	return page, err
}

// EditMessage changes what a message of this client's own says. The members of its channel get an OpMessageChange.
func (c *Client) EditMessage(ctx context.Context, messageID, content string) (protocol.MessageChange, error) {
	var change protocol.MessageChange
	err := c.Request(ctx, protocol.OpMessageUpdate, protocol.MessageUpdate{MessageID: messageID, Content: content}, &change)
	return change, err
}

// DeleteMessage takes a message back for good. Who wrote it may, the channel's owner and admins. The members of its channel get
// an OpMessageChange.
func (c *Client) DeleteMessage(ctx context.Context, messageID string) error {
	return c.Request(ctx, protocol.OpMessageDelete, protocol.MessageRef{MessageID: messageID}, nil)
}

// Search looks for messages in all channels that the client may enter. Only Query is required. The best come first.
func (c *Client) Search(ctx context.Context, d protocol.Search) (protocol.FoundMessages, error) {
	var found protocol.FoundMessages
	err := c.Request(ctx, protocol.OpSearch, d, &found)
	return found, err
}

// MarkRead keeps that the client's user has read a channel up to a message, and returns what is left. With an empty messageID it
// only asks, and with an empty channelID too it asks for all channels.
func (c *Client) MarkRead(ctx context.Context, channelID, messageID string) (protocol.ReadMarks, error) {
	var marks protocol.ReadMarks
	err := c.Request(ctx, protocol.OpRead, protocol.Read{ChannelID: channelID, MessageID: messageID}, &marks)
	return marks, err
}

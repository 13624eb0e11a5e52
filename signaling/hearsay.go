package signaling

import (
	"go.uber.org/zap"

	"github.com/mini-livechat/mini-livechat/sfu"
	"github.com/mini-livechat/mini-livechat/signaling/protocol"
	"github.com/mini-livechat/mini-livechat/signaling/store"
)

// tellsChat returns what tells the other nodes what is said in a channel: nothing where it comes to them by what they remember, in the
// order of HISTORY. The result may be called with the channel's lock held.
func (g *Gateway) tellsChat(c *sfu.Channel, except string, op protocol.Op, payload any) func() {
	if g.others == nil || g.cfg.Store.Shared() && !g.limits(c).None() {
		return func() {}
	}
	return func() { g.others.tell(c.ID(), except, op, payload) }
}

// hearMessage tells those who are here what was said on another node, when it is remembered here. It is called by what writes, in order with what
// is said here, and does not hold it up.
func (g *Gateway) hearMessage(_ uint64, fact store.Fact, mine bool) {
	if mine {
		return
	}
	switch f := fact.(type) {
	case store.MessagePosted:
		g.tellMessage(f.ChannelID, f.AuthorID, protocol.OpMessageEvent, wireMessage(f.Message))
	case store.MessageEdited:
		g.tellMessage(f.ChannelID, "", protocol.OpMessageChange, protocol.MessageChange{
			ChannelID: f.ChannelID, MessageID: f.MessageID, Content: f.Content, EditedAt: f.At.UnixMilli(),
		})
	case store.MessageDeleted:
		g.tellMessage(f.ChannelID, "", protocol.OpMessageChange, protocol.MessageChange{
			ChannelID: f.ChannelID, MessageID: f.MessageID, Deleted: true,
		})
	}
}

func (g *Gateway) tellMessage(channelID, except string, op protocol.Op, payload any) {
	g.guard("message of another node", func() {
		c, err := g.channels.Get(channelID)
		if err != nil {
			return
		}
		body, err := protocol.EncodeBody(op, payload)
		if err != nil {
			g.log.Error("event lost", zap.Error(err))
			return
		}
		c.NotifyMembers(func(userIDs []string) { g.users.BroadcastTo(userIDs, body, except) })
	})
}

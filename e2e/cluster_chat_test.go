package e2e

import (
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mini-livechat/mini-livechat/cmd/app"
	"github.com/mini-livechat/mini-livechat/signaling/protocol"
	"github.com/mini-livechat/mini-livechat/signaling/store"
	"github.com/mini-livechat/mini-livechat/signaling/store/storetest"
)

// What people on three nodes write at the same time everybody is told in one order, which is that of HISTORY on each node; and what becomes
// of a message they are told too.
func TestClusterChat(t *testing.T) {
	verifyNoLeaks(t)
	log := storetest.NewLog()
	n := startNodes(t, []string{"n1", "n2", "n3"}, func(c *app.Config) { c.Share = &store.Share{Cluster: "c1", Log: log} })
	const each = 8
	all := make([]*raw, len(n.all))
	names := []string{"ada", "ben", "cy"}
	for i, s := range n.all {
		all[i] = identifyAs(t, s, names[i], false)
		all[i].joinChannel("lobby")
	}
	for _, c := range all {
		c.untilCount("lobby", len(all))
	}
	var writers sync.WaitGroup
	for i, c := range all {
		writers.Go(func() {
			for m := range each {
				c.request(protocol.OpMessageCreate, protocol.MessageCreate{ChannelID: "lobby", Content: fmt.Sprint(names[i], m)})
			}
		})
	}
	writers.Wait()
	told := make([][]string, len(all))
	for i, c := range all {
		for range each * (len(all) - 1) {
			// The first that is left is the next in order.
			m := until(c, protocol.OpMessageEvent, "a message", func(protocol.MessageEvent) bool { return true })
			told[i] = append(told[i], m.Content)
		}
	}
	var first []string
	var last protocol.MessageEvent
	for i, c := range all {
		var page protocol.Messages
		c.drain()
		c.ack(protocol.OpHistory, protocol.History{ChannelID: "lobby", Limit: 100}, &page)
		order := make([]string, len(page.Messages))
		var others []string
		for j, m := range page.Messages {
			if order[j] = m.Content; m.AuthorID != names[i] {
				others = append(others, m.Content)
			}
			if last = m; m.AuthorID == "ben" {
				last = m
			}
		}
		require.Equal(t, others, told[i], "%s was told in another order than HISTORY's", names[i])
		if i == 0 {
			first = order
		}
		require.Equal(t, first, order, "the nodes have it in different orders")
	}

	// A guest's channel is there for all, with who is in it.
	guest, _ := identify(t, n.all[1], "Gast")
	guest.ack(protocol.OpChannelCreate, protocol.ChannelCreate{ChannelID: "tent"}, nil)
	guest.joinChannel("tent")
	all[0].untilCount("tent", 1)
	guest.ack(protocol.OpChannelDelete, protocol.ChannelRef{ChannelID: "tent"}, nil)
	eventually(t, "it is deleted", func() bool { return !knows(all[2], "tent") })

	// An author changes a message, and a moderator deletes it.
	author := slices.Index(names, last.AuthorID)
	all[author].ack(protocol.OpMessageUpdate, protocol.MessageUpdate{MessageID: last.MessageID, Content: "changed"}, nil)
	root := identifyAs(t, n.all[(author+1)%3], "root", true)
	eventually(t, "the node of the moderator has it", func() bool {
		var page protocol.Messages
		root.ack(protocol.OpHistory, protocol.History{ChannelID: "lobby", Limit: 100}, &page)
		return slices.ContainsFunc(page.Messages, func(m protocol.MessageEvent) bool { return m.Content == "changed" })
	})
	root.ack(protocol.OpMessageDelete, protocol.MessageRef{MessageID: last.MessageID}, nil)
	for i, c := range all {
		if i != author {
			until(c, protocol.OpMessageChange, "it is changed", func(e protocol.MessageChange) bool {
				return e.MessageID == last.MessageID && e.Content == "changed" && e.EditedAt > 0
			})
		}
		until(c, protocol.OpMessageChange, "it is deleted", func(e protocol.MessageChange) bool { return e.MessageID == last.MessageID && e.Deleted })
	}
}

// drain reads what was not read yet, replies too, up to the answer to this.
func (c *raw) drain() {
	c.t.Helper()
	id := c.request(protocol.OpHeartbeat, protocol.Heartbeat{})
	for frame := c.read(); frame.ID != id; frame = c.read() {
		if frame.S != 0 {
			c.events = append(c.events, frame)
		}
	}
}

// A guest's channel that is empty goes on all nodes.
func TestClusterGuestsChannel(t *testing.T) {
	verifyNoLeaks(t)
	log := storetest.NewLog()
	n := startNodes(t, []string{"n1", "n2"}, func(c *app.Config) {
		c.Share = &store.Share{Cluster: "c1", Log: log}
		c.ChannelIdle, c.ReaperInterval = 300*time.Millisecond, 50*time.Millisecond
	})
	guest, _ := identify(t, n.all[1], "Gast")
	ada := identifyAs(t, n.all[0], "ada", false)
	guest.ack(protocol.OpChannelCreate, protocol.ChannelCreate{ChannelID: "tent"}, nil)
	until(ada, protocol.OpChannelEvent, "the channel goes", func(e protocol.ChannelEvent) bool {
		return e.ChannelID == "tent" && e.Event == protocol.ChannelEventDelete
	})
	for _, c := range []*raw{guest, ada} {
		eventually(t, "it is deleted", func() bool { return !knows(c, "tent") })
	}
}

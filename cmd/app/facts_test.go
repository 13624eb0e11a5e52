package app

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/mini-livechat/mini-livechat/signaling/store"
)

func TestCheckFact(t *testing.T) {
	t.Parallel()
	channel := store.Channel{ID: "ops", Name: "Admin", Topic: "How \U0001F600", Mode: "conference", Access: "members", OwnerID: "ada"}
	message := store.Message{ID: "1", ChannelID: "ops", AuthorID: "guest-1", AuthorName: "Ada L.", Content: "\x00 anything", ReplyTo: "2"}
	require.NoError(t, CheckFact(store.ChannelSaved{Channel: channel}))
	require.NoError(t, CheckFact(store.MessagePosted{Message: message}))
	require.NoError(t, CheckFact(store.ReadUpTo{UserID: "guest-1", ChannelID: "ops", MessageID: "1"}))
	require.ErrorContains(t, CheckFact(store.ReadUpTo{UserID: "a\tb", ChannelID: "ops", MessageID: "1"}), "user_id: ")
	deleted := message
	deleted.Content, deleted.AuthorName = "", ""
	require.NoError(t, CheckFact(store.MessagePosted{Message: deleted}))
	orphaned := message
	orphaned.AuthorID, orphaned.AuthorName = "deleted-01jd9zqk2w4m8x1b7c5v3n6t0r", ""
	require.NoError(t, CheckFact(store.MessagePosted{Message: orphaned}))
	for says, change := range map[string]func(c *store.Channel, m *store.Message){
		`channel_id "a b"`:             func(c *store.Channel, _ *store.Message) { c.ID = "a b" },
		"name: ":                       func(c *store.Channel, _ *store.Message) { c.Name = "" },
		`name is " Ops", which`:        func(c *store.Channel, _ *store.Message) { c.Name = " Ops" },
		"topic: ":                      func(c *store.Channel, _ *store.Message) { c.Topic = "\u202e" },
		"owner_id: ":                   func(c *store.Channel, _ *store.Message) { c.OwnerID = "\n" },
		`mode is "karaoke"`:            func(c *store.Channel, _ *store.Message) { c.Mode = "karaoke" },
		`access is ""; there are open`: func(c *store.Channel, _ *store.Message) { c.Access = "" },
		`speaking is "few"`:            func(c *store.Channel, _ *store.Message) { c.Speaking = "few" },
		"floor.talk_ms is 999;":        func(c *store.Channel, _ *store.Message) { c.Floor = &store.Floor{TalkMS: new(int64(999))} },
		"floor.pause_ms is 60001;":     func(c *store.Channel, _ *store.Message) { c.Floor = &store.Floor{PauseMS: new(int64(60_001))} },
		"floor.queue is 101;":          func(c *store.Channel, _ *store.Message) { c.Floor = &store.Floor{Queue: new(101)} },
		"more than 64 bytes":           func(_ *store.Channel, m *store.Message) { m.ID = strings.Repeat("x", 65) },
		"more than 10000 characters":   func(_ *store.Channel, m *store.Message) { m.Content = strings.Repeat("ä", maxMessageLength+1) },
		"author_id: ":                  func(_ *store.Channel, m *store.Message) { m.AuthorID = "" },
		"author_name: ":                func(_ *store.Channel, m *store.Message) { m.AuthorName = "\x1b[31m" },
	} {
		c, m := channel, message
		change(&c, &m)
		err := CheckFact(store.ChannelSaved{Channel: c})
		if err == nil {
			err = CheckFact(store.MessagePosted{Message: m})
		}
		require.ErrorContains(t, err, says)
	}
}

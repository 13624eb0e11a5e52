package e2e

import (
	"database/sql"
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mini-livechat/mini-livechat/cmd/app"
	"github.com/mini-livechat/mini-livechat/signaling/protocol"
	"github.com/mini-livechat/mini-livechat/signaling/store"
)

// say posts a message to the lobby and returns its id.
func (c *raw) say(content string) string {
	c.t.Helper()
	var made protocol.MessageCreated
	c.ack(protocol.OpMessageCreate, protocol.MessageCreate{ChannelID: "lobby", Content: content}, &made)
	return made.MessageID
}

// history returns what the messages of a page say.
func (c *raw) history(d protocol.History) (said []string, more bool) {
	c.t.Helper()
	var page protocol.Messages
	c.ack(protocol.OpHistory, d, &page)
	require.NotNil(c.t, page.Messages)
	for _, m := range page.Messages {
		said = append(said, m.Content)
	}
	return said, page.More
}

// Messages are read again, in the order they were said, also by those who are not in the channel and after a restart.
func TestGatewayHistory(t *testing.T) {
	verifyNoLeaks(t)
	data := t.TempDir()
	setting := func(c *app.Config) { c.Data, c.RequestRate, c.RequestBurst = data, 1000, 1000 }
	s := startServer(t, setting)
	ada, adaID := identify(t, s, "Ada")
	ada.joinChannel("lobby")
	all, places := make([]string, 0, 12), make([]string, 0, 12)
	for i := range 12 {
		all = append(all, fmt.Sprint("text ", i))
		places = append(places, ada.say(all[i]))
	}
	check := func(c *raw) {
		t.Helper()
		for _, test := range []struct {
			d    protocol.History
			want []string
			more bool
		}{
			{protocol.History{}, all, false},
			{protocol.History{Limit: 12}, all, false},
			{protocol.History{Limit: 5}, all[7:], true},
			{protocol.History{Limit: 5, Before: places[7]}, all[2:7], true},
			{protocol.History{Limit: 5, Before: places[5]}, all[:5], false},
			{protocol.History{Before: places[0]}, nil, false},
			{protocol.History{Limit: 5, After: places[2]}, all[3:8], true},
			{protocol.History{Limit: 100, After: places[8]}, all[9:], false},
		} {
			test.d.ChannelID = "lobby"
			got, more := c.history(test.d)
			require.Equal(t, test.want, got, "%+v", test.d)
			require.Equal(t, test.more, more, "%+v", test.d)
		}
	}
	eve, _ := identify(t, s, "Eve")
	check(eve)
	for reason, d := range map[string]protocol.History{
		"limit is 101": {ChannelID: "lobby", Limit: 101}, "limit is -1": {ChannelID: "lobby", Limit: -1},
		"only one": {ChannelID: "lobby", Before: places[0], After: places[1]}, "65 bytes": {ChannelID: "lobby", Before: strings.Repeat("x", 65)},
	} {
		require.Contains(t, eve.fails(protocol.OpHistory, d, protocol.CodeInvalidPayload), reason)
	}
	eve.fails(protocol.OpHistory, protocol.History{ChannelID: "nowhere"}, protocol.CodeChannelNotFound)
	for _, id := range []string{"'; DROP TABLE messages; --", "01ARZ3NDEKTSV4RRFFQ69G5FAV", "\x00", "💥"} {
		eve.fails(protocol.OpHistory, protocol.History{ChannelID: "lobby", Before: id}, protocol.CodeMessageNotFound)
	}

	s.stop()
	s = startServer(t, setting)
	eve, _ = identify(t, s, "Eve")
	check(eve)
	var page protocol.Messages
	eve.ack(protocol.OpHistory, protocol.History{ChannelID: "lobby", Limit: 1}, &page)
	require.InDelta(t, time.Now().UnixMilli(), page.Messages[0].Timestamp, 60_000)
	page.Messages[0].Timestamp = 0
	require.Equal(t, protocol.MessageEvent{
		MessageID: places[11], ChannelID: "lobby", AuthorID: adaID, AuthorName: "Ada", Content: "text 11",
	}, page.Messages[0])
}

// A member's order of events is that of the history, whoever says what at the same time.
func TestGatewayChatOrder(t *testing.T) {
	verifyNoLeaks(t)
	const talkers, each = 6, 15
	s := startServer(t, func(c *app.Config) { c.RequestRate, c.RequestBurst = 1000, 1000 })
	listener, _ := identify(t, s, "Listener")
	listener.joinChannel("lobby")
	var saying sync.WaitGroup
	for i := range talkers {
		c, _ := identify(t, s, fmt.Sprint("Talker ", i))
		c.joinChannel("lobby")
		saying.Go(func() {
			for j := range each {
				frame := fmt.Sprintf(`{"op":20,"id":"%d","d":{"channel_id":"lobby","content":"%d-%d"}}`, j, i, j)
				if err := c.conn.WriteMessage(1, []byte(frame)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	var told []string
	for len(told) < talkers*each {
		var event protocol.MessageEvent
		listener.event(protocol.OpMessageEvent, &event)
		told = append(told, event.Content)
	}
	saying.Wait()
	kept, _ := listener.history(protocol.History{ChannelID: "lobby", Limit: 100})
	require.Equal(t, told, kept)
}

// The same message sent again is the one that was posted, also by a later session of its author and after a restart.
func TestGatewayNonce(t *testing.T) {
	for name, keep := range map[string]int{"kept": 100, "passed on": 0} {
		t.Run(name, func(t *testing.T) {
			verifyNoLeaks(t)
			data := t.TempDir()
			setting := func(c *app.Config) { c.Data, c.KeepMessages = data, keep }
			s := startServer(t, setting)
			token, _ := guest(t, s, "Ada")
			come := func() *raw {
				c := dial(t, s)
				c.reply(protocol.OpIdentify, protocol.Identify{Token: token, V: protocol.Version}, protocol.OpReady, nil)
				c.joinChannel("lobby")
				return c
			}
			ada := come()
			bob, _ := identify(t, s, "Bob")
			bob.joinChannel("lobby")
			d := protocol.MessageCreate{ChannelID: "lobby", Content: "hi", Nonce: "n1"}
			var first, again, other protocol.MessageCreated
			ada.ack(protocol.OpMessageCreate, d, &first)
			require.Equal(t, "n1", first.Nonce)
			ada.ack(protocol.OpMessageCreate, d, &again)
			require.Equal(t, first, again)
			ada.farewell()
			ada = come()
			ada.ack(protocol.OpMessageCreate, d, &again)
			require.Equal(t, first, again)
			bob.ack(protocol.OpMessageCreate, d, &other)
			require.NotEqual(t, first.MessageID, other.MessageID, "another's nonce is another's")
			var event protocol.MessageEvent
			bob.event(protocol.OpMessageEvent, &event)
			require.Equal(t, first.MessageID, event.MessageID)
			ada.event(protocol.OpMessageEvent, &event)
			require.Equal(t, other.MessageID, event.MessageID)
			for _, frame := range bob.events {
				require.NotEqual(t, protocol.OpMessageEvent, frame.Op, "told once")
			}
			ada.fails(protocol.OpMessageCreate, protocol.MessageCreate{ChannelID: "lobby", Content: "hi", Nonce: strings.Repeat("n", 65)},
				protocol.CodeInvalidPayload)
			if keep == 0 {
				ada.fails(protocol.OpMessageCreate, protocol.MessageCreate{ChannelID: "lobby", Content: "hi", ReplyTo: first.MessageID},
					protocol.CodeMessageNotFound)
				ada.fails(protocol.OpMessageUpdate, protocol.MessageUpdate{MessageID: first.MessageID, Content: "hm"}, protocol.CodeMessageNotFound)
				said, more := ada.history(protocol.History{ChannelID: "lobby"})
				require.Empty(t, said)
				require.False(t, more)
				return
			}
			s.stop()
			s = startServer(t, setting)
			ada = come()
			ada.ack(protocol.OpMessageCreate, d, &again)
			require.Equal(t, first, again)
		})
	}
}

func TestGatewayMessageChanges(t *testing.T) {
	verifyNoLeaks(t)
	s := startServer(t, func(c *app.Config) { c.Secret, c.AllowGuests = testSecret, new(true) })
	ada, bob, root := identifyAs(t, s, "ada", false), identifyAs(t, s, "bob", false), identifyAs(t, s, "root", true)
	ada.ack(protocol.OpChannelCreate, protocol.ChannelCreate{ChannelID: "den"}, nil)
	for _, c := range []*raw{ada, bob} {
		c.joinChannel("den")
	}
	post := func(c *raw, content, replyTo string) string {
		t.Helper()
		var made protocol.MessageCreated
		c.ack(protocol.OpMessageCreate, protocol.MessageCreate{ChannelID: "den", Content: content, ReplyTo: replyTo}, &made)
		return made.MessageID
	}
	one := post(bob, "one", "")
	two := post(bob, "two", one)
	var event protocol.MessageEvent
	ada.event(protocol.OpMessageEvent, &event)
	ada.event(protocol.OpMessageEvent, &event)
	require.Equal(t, one, event.ReplyTo)

	var change, told protocol.MessageChange
	bob.ack(protocol.OpMessageUpdate, protocol.MessageUpdate{MessageID: one, Content: "uno"}, &change)
	require.InDelta(t, time.Now().UnixMilli(), change.EditedAt, 60_000)
	ada.event(protocol.OpMessageChange, &told)
	require.Equal(t, protocol.MessageChange{ChannelID: "den", MessageID: one, Content: "uno", EditedAt: change.EditedAt}, told)
	require.Equal(t, told, change)
	change = protocol.MessageChange{}
	bob.ack(protocol.OpMessageUpdate, protocol.MessageUpdate{MessageID: one, Content: "uno"}, &change)
	require.Equal(t, told, change, "what changes nothing does so whenever it is said")
	ada.quiet()

	for _, c := range []*raw{ada, root} { // who may delete may not put words into one's mouth
		c.fails(protocol.OpMessageUpdate, protocol.MessageUpdate{MessageID: one, Content: "mine"}, protocol.CodeNotYourMessage)
	}
	bob.fails(protocol.OpMessageUpdate, protocol.MessageUpdate{MessageID: one, Content: "\u00a0 "}, protocol.CodeEmptyMessage)
	bob.fails(protocol.OpMessageUpdate, protocol.MessageUpdate{MessageID: one, Content: strings.Repeat("x", 2001)}, protocol.CodeMessageTooLong)
	bob.fails(protocol.OpMessageUpdate, protocol.MessageUpdate{MessageID: "none", Content: "x"}, protocol.CodeMessageNotFound)
	bob.fails(protocol.OpMessageDelete, protocol.MessageRef{}, protocol.CodeMessageNotFound)
	adas := post(ada, "of the owner", "")
	bob.fails(protocol.OpMessageDelete, protocol.MessageRef{MessageID: adas}, protocol.CodeNotYourMessage)

	change, told = protocol.MessageChange{}, protocol.MessageChange{}
	ada.ack(protocol.OpMessageDelete, protocol.MessageRef{MessageID: one}, &change)
	require.Equal(t, protocol.MessageChange{ChannelID: "den", MessageID: one, Deleted: true}, change)
	bob.event(protocol.OpMessageChange, &told)
	require.Equal(t, change, told)
	root.ack(protocol.OpMessageDelete, protocol.MessageRef{MessageID: adas}, nil)
	bob.event(protocol.OpMessageChange, &told)
	require.Equal(t, adas, told.MessageID)
	bob.ack(protocol.OpMessageDelete, protocol.MessageRef{MessageID: two}, nil)
	bob.fails(protocol.OpMessageDelete, protocol.MessageRef{MessageID: two}, protocol.CodeMessageNotFound)
	require.Contains(t, bob.fails(protocol.OpMessageCreate, protocol.MessageCreate{ChannelID: "den", Content: "x", ReplyTo: one},
		protocol.CodeMessageNotFound), "reply_to")
	said, _ := bob.history(protocol.History{ChannelID: "den", After: one})
	require.Empty(t, said)

	bob.ack(protocol.OpChannelLeave, protocol.ChannelRef{ChannelID: "den"}, nil)
	bob.joinChannel("lobby")
	lobby := bob.say("elsewhere")
	ada.fails(protocol.OpMessageCreate, protocol.MessageCreate{ChannelID: "den", Content: "x", ReplyTo: lobby}, protocol.CodeMessageNotFound)

	// A channel that takes the place of another one has nothing of its chat, whoever makes it.
	post(ada, "secret", "")
	ada.ack(protocol.OpChannelDelete, protocol.ChannelRef{ChannelID: "den"}, nil)
	visitor, _ := identify(t, s, "Visitor")
	visitor.ack(protocol.OpChannelCreate, protocol.ChannelCreate{ChannelID: "den"}, nil)
	said, _ = visitor.history(protocol.History{ChannelID: "den"})
	require.Empty(t, said)
	visitor.joinChannel("den")
	post(visitor, "a guest's", "")
	root.ack(protocol.OpChannelDelete, protocol.ChannelRef{ChannelID: "den"}, nil)
	ada.ack(protocol.OpChannelCreate, protocol.ChannelCreate{ChannelID: "den"}, nil)
	said, _ = ada.history(protocol.History{ChannelID: "den"})
	require.Empty(t, said)
}

// What is for members is not read by guests.
func TestGatewayHistoryIsForThoseWhoMayEnter(t *testing.T) {
	verifyNoLeaks(t)
	s := startServer(t, func(c *app.Config) { c.Secret, c.AllowGuests = testSecret, new(true) })
	ada := identifyAs(t, s, "ada", false)
	visitor, _ := identify(t, s, "Visitor")
	access := protocol.AccessMembers
	ada.ack(protocol.OpChannelCreate, protocol.ChannelCreate{ChannelID: "den", ChannelSettings: protocol.ChannelSettings{Access: &access}}, nil)
	visitor.fails(protocol.OpHistory, protocol.History{ChannelID: "den"}, protocol.CodeAccessDenied)
	ada.ack(protocol.OpHistory, protocol.History{ChannelID: "den"}, nil)
}

// What people write is told and kept as it is.
func TestGatewayOddMessages(t *testing.T) {
	verifyNoLeaks(t)
	s := startServer(t, func(c *app.Config) { c.RequestRate, c.RequestBurst = 500, 1000 })
	ada, _ := identify(t, s, "Ada")
	ada.joinChannel("lobby")
	bob, _ := identify(t, s, "Bob")
	bob.joinChannel("lobby")
	want := make([]string, 0, 8)
	for literal, content := range map[string]string{
		`"\ud800"`:                   "\ufffd",
		`"half \udc00 pairs \ud83d"`: "half \ufffd pairs \ufffd",
		`"👩‍👩‍👧‍👦 𝔘𝔫𝔦𝔠𝔬𝔡𝔢 \ud83d\ude00"`: "👩‍👩‍👧‍👦 𝔘𝔫𝔦𝔠𝔬𝔡𝔢 😀",
		`"'); DROP TABLE messages; --"`:  "'); DROP TABLE messages; --",
		`"\" OR NEAR(* ^"`:               `" OR NEAR(* ^`,
		`"\u0000\u0001\u202e<b>&"`:       "\x00\x01\u202e<b>&",
		`"  \n kept \n "`:                "  \n kept \n ",
	} {
		ada.ack(protocol.OpMessageCreate, json.RawMessage(`{"channel_id":"lobby","nonce":`+literal+`,"content":`+literal+`}`), nil)
		var event protocol.MessageEvent
		bob.event(protocol.OpMessageEvent, &event)
		require.Equal(t, content, event.Content)
		want = append(want, content)
	}
	long := strings.Repeat("𝔘", 2000)
	ada.say(long)
	got, _ := ada.history(protocol.History{ChannelID: "lobby"})
	require.Equal(t, append(want, long), got)

	// Long messages come in several pages, of which each has one at least.
	for range 12 {
		ada.say(long)
	}
	var page protocol.Messages
	seen, before := 0, ""
	for more := true; more; more = page.More {
		ada.ack(protocol.OpHistory, protocol.History{ChannelID: "lobby", Before: before, Limit: 100}, &page)
		require.NotEmpty(t, page.Messages)
		encoded, err := json.Marshal(page)
		require.NoError(t, err)
		require.Less(t, len(encoded), 80<<10)
		seen += len(page.Messages)
		before = page.Messages[0].MessageID
	}
	require.Equal(t, len(want)+13, seen)
}

// What cannot be kept is told to nobody; voice goes on, and so does chat when the disk does.
func TestGatewayChatWhenTheDiskIsInTrouble(t *testing.T) {
	verifyNoLeaks(t)
	data := t.TempDir()
	s := startServer(t, func(c *app.Config) { c.Data = data })
	ada, _ := identify(t, s, "Ada")
	bob, _ := identify(t, s, "Bob")
	ada.joinChannel("lobby")
	bob.joinChannel("lobby")
	first := ada.say("before")
	var event protocol.MessageEvent
	bob.event(protocol.OpMessageEvent, &event)

	disk, err := sql.Open("sqlite", filepath.Join(data, store.FileName))
	require.NoError(t, err)
	defer disk.Close()
	_, err = disk.ExecContext(t.Context(), "CREATE TRIGGER full BEFORE INSERT ON messages BEGIN DELETE FROM missing; END;"+
		"CREATE TRIGGER full2 BEFORE UPDATE ON messages BEGIN DELETE FROM missing; END")
	require.NoError(t, err)
	bob.events = nil
	ada.fails(protocol.OpMessageCreate, protocol.MessageCreate{ChannelID: "lobby", Content: "lost", Nonce: "n"}, protocol.CodeStorage)
	ada.fails(protocol.OpMessageUpdate, protocol.MessageUpdate{MessageID: first, Content: "lost"}, protocol.CodeStorage)
	bob.quiet()
	_, err = disk.ExecContext(t.Context(), "DROP TRIGGER full; DROP TRIGGER full2")
	require.NoError(t, err)
	var made protocol.MessageCreated
	ada.ack(protocol.OpMessageCreate, protocol.MessageCreate{ChannelID: "lobby", Content: "after", Nonce: "n"}, &made)
	bob.event(protocol.OpMessageEvent, &event)
	require.Equal(t, made.MessageID, event.MessageID)
	said, _ := bob.history(protocol.History{ChannelID: "lobby"})
	require.Equal(t, []string{"before", "after"}, said)
}

func TestGatewaySearch(t *testing.T) {
	verifyNoLeaks(t)
	s := startServer(t, func(c *app.Config) {
		c.Secret, c.AllowGuests, c.RequestRate, c.RequestBurst = testSecret, new(true), 1000, 1000
	})
	ada := identifyAs(t, s, "ada", false)
	visitor, _ := identify(t, s, "Visitor")
	access := protocol.AccessMembers
	ada.ack(protocol.OpChannelCreate, protocol.ChannelCreate{ChannelID: "den", ChannelSettings: protocol.ChannelSettings{Access: &access}}, nil)
	post := func(channel, content string) {
		t.Helper()
		ada.joinChannel(channel)
		ada.ack(protocol.OpMessageCreate, protocol.MessageCreate{ChannelID: channel, Content: content}, nil)
		ada.ack(protocol.OpChannelLeave, protocol.ChannelRef{ChannelID: channel}, nil)
	}
	post("lobby", "🎉 The Café opens")
	post("den", "a secret café")
	post("lobby", "회의실로 와")
	search := func(c *raw, d protocol.Search) (found protocol.FoundMessages) {
		t.Helper()
		c.ack(protocol.OpSearch, d, &found)
		require.NotNil(t, found.Messages)
		return found
	}
	require.Len(t, search(ada, protocol.Search{Query: "cafe"}).Messages, 2)
	require.Len(t, search(ada, protocol.Search{Query: "cafe", AuthorID: "bob"}).Messages, 0)
	found := search(visitor, protocol.Search{Query: "cafe"})
	require.Len(t, found.Messages, 1, "what is for members is not found by guests")
	require.Equal(t, "🎉 The Café opens", found.Messages[0].Content)
	require.Equal(t, [][2]int{{6, 4}}, found.Messages[0].Marks)
	require.Equal(t, [][2]int{{0, 2}}, search(visitor, protocol.Search{Query: "회의", ChannelID: "lobby"}).Messages[0].Marks)
	require.Empty(t, search(visitor, protocol.Search{Query: `" OR "`}).Messages)
	visitor.fails(protocol.OpSearch, protocol.Search{Query: "cafe", ChannelID: "den"}, protocol.CodeAccessDenied)
	visitor.fails(protocol.OpSearch, protocol.Search{Query: "x", Before: "none"}, protocol.CodeMessageNotFound)
	visitor.fails(protocol.OpSearch, protocol.Search{Query: strings.Repeat("x", 201)}, protocol.CodeInvalidPayload)
	visitor.fails(protocol.OpSearch, protocol.Search{Query: "x", Limit: 51}, protocol.CodeInvalidPayload)
	ada.ack(protocol.OpChannelUpdate, json.RawMessage(`{"channel_id":"den","keep_messages":0}`), nil)
	require.Len(t, search(ada, protocol.Search{Query: "cafe"}).Messages, 1, "nothing is kept of the den any more")
}

func TestGatewayRead(t *testing.T) {
	verifyNoLeaks(t)
	s := startServer(t, func(c *app.Config) {
		c.Secret, c.AllowGuests, c.Channels = testSecret, new(true), []string{"lobby", "ops"}
	})
	ada, bob := identifyAs(t, s, "ada", false), identifyAs(t, s, "bob", false)
	ada.joinChannel("lobby")
	first, second := ada.say("one"), ada.say("two")
	marks := func(d protocol.Read) []protocol.ReadMark {
		t.Helper()
		var marks protocol.ReadMarks
		bob.ack(protocol.OpRead, d, &marks)
		return marks.Channels
	}
	require.Equal(t, []protocol.ReadMark{{ChannelID: "lobby", Unread: 2}, {ChannelID: "ops"}}, marks(protocol.Read{}))
	// atFirst is what READY says, which may be nothing where the machine is busy. It comes no more often than anybody may.
	atFirst := func() []protocol.ReadMark {
		t.Helper()
		for began := time.Now(); ; time.Sleep(time.Second) {
			if bob = identifyAs(t, s, "bob", false); bob.ready.Unread != nil {
				return bob.ready.Unread
			}
			require.Less(t, time.Since(began), patience, "READY does not say what is unread")
		}
	}
	require.Equal(t, []protocol.ReadMark{{ChannelID: "lobby", Unread: 2}}, atFirst())
	want := []protocol.ReadMark{{ChannelID: "lobby", Unread: 1, LastRead: first}}
	require.Equal(t, want, marks(protocol.Read{ChannelID: "lobby", MessageID: first}))
	require.Equal(t, want, marks(protocol.Read{ChannelID: "lobby"}))
	want = []protocol.ReadMark{{ChannelID: "lobby", LastRead: second}}
	require.Equal(t, want, marks(protocol.Read{ChannelID: "lobby", MessageID: second}))
	require.Empty(t, atFirst())
	third := ada.say("three")
	require.Equal(t, []protocol.ReadMark{{ChannelID: "lobby", Unread: 1, LastRead: second}}, atFirst())
	ada.ack(protocol.OpMessageDelete, protocol.MessageRef{MessageID: third}, nil)
	require.Empty(t, atFirst())
	bob.fails(protocol.OpRead, protocol.Read{ChannelID: "ops", MessageID: first}, protocol.CodeMessageNotFound)
	bob.fails(protocol.OpRead, protocol.Read{MessageID: first}, protocol.CodeInvalidPayload)
	bob.fails(protocol.OpRead, protocol.Read{ChannelID: "none"}, protocol.CodeChannelNotFound)
}

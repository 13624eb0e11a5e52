package e2e

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mini-livechat/mini-livechat/cmd/app"
	"github.com/mini-livechat/mini-livechat/signaling/auth"
	"github.com/mini-livechat/mini-livechat/signaling/protocol"
)

// What people decide about channels outlives the server; guests' channels do not.
func TestGatewayChannelsOutliveTheServer(t *testing.T) {
	verifyNoLeaks(t)
	data := t.TempDir()
	presets := func(names ...string) func(*app.Config) {
		return func(c *app.Config) { c.Data, c.Channels, c.Secret, c.AllowGuests = data, names, testSecret, new(true) }
	}
	s := startServer(t, presets("lobby", "ops=Operations"))
	member := identifyAs(t, s, "mia", false)
	visitor, _ := identify(t, s, "Guest")
	topic, members, position, count := "Nothing but cats 🐈", protocol.AccessMembers, -5, 7
	keepFor := (48 * time.Hour).Milliseconds()
	settings := protocol.ChannelSettings{Topic: &topic, Access: &members, Position: &position, KeepMessages: &count, KeepForMS: &keepFor}
	var made protocol.ChannelInfo
	member.ack(protocol.OpChannelCreate, protocol.ChannelCreate{ChannelID: "cats", ChannelName: "Cats", Capacity: 3, ChannelSettings: settings}, &made)
	require.Equal(t, topic, made.Topic)
	var told protocol.ChannelEvent
	visitor.event(protocol.OpChannelEvent, &told)
	require.Empty(t, told.Channel.May, "guests may not enter")
	told.Channel.May = made.May
	require.Equal(t, &made, told.Channel)
	visitor.ack(protocol.OpChannelCreate, protocol.ChannelCreate{ChannelID: "camp"}, nil)
	require.Contains(t, visitor.fails(protocol.OpChannelJoin, protocol.ChannelJoin{ChannelID: "cats", SDPOffer: offer(t, 1, 1)},
		protocol.CodeAccessDenied), "guest")
	member.joinChannel("cats")
	member.ack(protocol.OpChannelLeave, protocol.ChannelRef{ChannelID: "cats"}, nil)

	topic = "Dogs, too"
	member.ack(protocol.OpChannelUpdate, protocol.ChannelUpdate{ChannelID: "cats", ChannelSettings: protocol.ChannelSettings{Topic: &topic}}, &made)
	for told.Event != protocol.ChannelEventUpdate {
		visitor.event(protocol.OpChannelEvent, &told)
	}
	told.Channel.May = made.May
	require.Equal(t, &made, told.Channel)
	require.Equal(t, 3, made.Capacity)
	member.ack(protocol.OpChannelCreate, protocol.ChannelCreate{ChannelID: "gone"}, nil)
	member.ack(protocol.OpChannelDelete, protocol.ChannelRef{ChannelID: "gone"}, nil)
	admin := identifyAs(t, s, "root", true)
	name := "Night shift"
	admin.ack(protocol.OpChannelUpdate, protocol.ChannelUpdate{ChannelID: "ops", ChannelName: &name}, nil)
	before := listed(member)

	s = s.again(t, data, presets("lobby=Hall", "ops"))
	after := listed(identifyAs(t, s, "mia", false))
	require.Equal(t, "cats", after[0].ChannelID, "by position")
	require.Equal(t, made, after[0])
	ids := make([]string, 0, len(after))
	for _, c := range after {
		ids = append(ids, c.ChannelID)
	}
	require.Equal(t, []string{"cats", "lobby", "ops"}, ids)
	require.Len(t, before, 4, "with the guest's")
	require.Equal(t, "Hall", after[1].ChannelName, "the configuration's name counts")
	require.Equal(t, "Night shift", after[2].ChannelName, "where it gives one")

	// What the configuration names is its own, whoever made it.
	identifyAs(t, s, "mia", false).ack(protocol.OpChannelCreate, protocol.ChannelCreate{ChannelID: "porch"}, nil)
	s = s.again(t, data, presets("lobby=Hall", "ops", "porch"))
	require.Contains(t, identifyAs(t, s, "mia", false).fails(protocol.OpChannelDelete, protocol.ChannelRef{ChannelID: "porch"},
		protocol.CodeAccessDenied), "owner")
	identifyAs(t, s, "root", true).ack(protocol.OpChannelDelete, protocol.ChannelRef{ChannelID: "porch"}, nil)

	// Who made it owns it still.
	later := identifyAs(t, s, "mia", false)
	later.ack(protocol.OpChannelDelete, protocol.ChannelRef{ChannelID: "cats"}, nil)
	s = s.again(t, data, presets("lobby"))
	after = listed(identifyAs(t, s, "mia", false))
	require.Equal(t, "Hall", after[0].ChannelName)
	require.Len(t, after, 2, "a preset that the configuration names no more is there with all that was said in it")
}

// testSecret signs the tokens of identifyAs.
const testSecret = "a secret of at least thirty-two bytes"

// identifyAs identifies as somebody who is no guest, at a server with testSecret.
func identifyAs(t *testing.T, s *server, userID string, admin bool) *raw {
	t.Helper()
	authority, err := auth.New([]byte(testSecret))
	require.NoError(t, err)
	id := auth.Identity{UserID: userID}
	if admin {
		id.Role = auth.RoleAdmin
	}
	token, err := authority.Mint(id, time.Now(), time.Hour)
	require.NoError(t, err)
	c := dial(t, s)
	c.reply(protocol.OpIdentify, protocol.Identify{Token: token, V: protocol.Version}, protocol.OpReady, &c.ready)
	return c
}

func listed(c *raw) []protocol.ChannelInfo {
	c.t.Helper()
	var list protocol.ChannelList
	c.ack(protocol.OpChannelList, struct{}{}, &list)
	return list.Channels
}

func TestGatewayChannelSettingsAreChecked(t *testing.T) {
	verifyNoLeaks(t)
	c, _ := identify(t, startServer(t), "Ada")
	long, odd, mode := strings.Repeat("é", protocol.MaxTopicChars+1), protocol.Access("secret"), protocol.Mode("stage")
	ctrl, far, many, years := "a\u202eb", protocol.MaxPosition+1, -2, int64(protocol.MaxKeepForMS+1)
	for name, update := range map[string]protocol.ChannelUpdate{
		"topic":         {ChannelSettings: protocol.ChannelSettings{Topic: &long}},
		"d.topic":       {ChannelSettings: protocol.ChannelSettings{Topic: &ctrl}},
		"access":        {ChannelSettings: protocol.ChannelSettings{Access: &odd}},
		"position":      {ChannelSettings: protocol.ChannelSettings{Position: &far}},
		"keep_messages": {ChannelSettings: protocol.ChannelSettings{KeepMessages: &many}},
		"keep_for_ms":   {ChannelSettings: protocol.ChannelSettings{KeepForMS: &years}},
		"mode":          {Mode: &mode},
	} {
		update.ChannelID = "lobby"
		require.Contains(t, c.fails(protocol.OpChannelUpdate, update, protocol.CodeInvalidPayload), name)
		if update.Mode == nil {
			require.Contains(t, c.fails(protocol.OpChannelCreate, protocol.ChannelCreate{ChannelID: "x", ChannelSettings: update.ChannelSettings},
				protocol.CodeInvalidPayload), name)
		}
	}
	require.Equal(t, "invalid payload: d.position must be an integer, not number 1.5",
		c.fails(protocol.OpChannelUpdate, map[string]any{"channel_id": "lobby", "position": 1.5}, protocol.CodeInvalidPayload))
	// What is left out stays, an empty topic is none.
	c.ack(protocol.OpChannelCreate, protocol.ChannelCreate{ChannelID: "mine"}, nil)
	topic, none := "'; DROP TABLE channels; --", ""
	var info protocol.ChannelInfo
	c.ack(protocol.OpChannelUpdate, protocol.ChannelUpdate{ChannelID: "mine", ChannelSettings: protocol.ChannelSettings{Topic: &topic}}, &info)
	require.Equal(t, topic, info.Topic)
	info = protocol.ChannelInfo{}
	c.ack(protocol.OpChannelUpdate, protocol.ChannelUpdate{ChannelID: "mine", ChannelSettings: protocol.ChannelSettings{Topic: &none}}, &info)
	require.Empty(t, info.Topic)
	require.Equal(t, protocol.AccessOpen, info.Access)
	require.Nil(t, info.KeepMessages)
}

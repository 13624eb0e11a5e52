package e2e

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/mini-livechat/mini-livechat/cmd/app"
	"github.com/mini-livechat/mini-livechat/signaling/auth"
	"github.com/mini-livechat/mini-livechat/signaling/httpapi"
	"github.com/mini-livechat/mini-livechat/signaling/protocol"
)

// granted identifies with a token that grants or withholds something.
func granted(t *testing.T, s *server, userID string, grants auth.Grants) *raw {
	t.Helper()
	return with(t, s, mint(t, testSecret, auth.Identity{UserID: userID, Grants: grants}))
}

func (c *raw) mayIn(channelID string) []protocol.Right {
	c.t.Helper()
	var detail protocol.ChannelDetail
	c.ack(protocol.OpChannelInfo, protocol.ChannelRef{ChannelID: channelID}, &detail)
	for _, listed := range listed(c) {
		if listed.ChannelID == channelID {
			require.Equal(c.t, detail.May, listed.May, "the list says the same")
		}
	}
	return detail.May
}

func rightsOf(names ...protocol.Right) []protocol.Right { return append([]protocol.Right{}, names...) }

func TestGatewayGrants(t *testing.T) {
	verifyNoLeaks(t)
	s := startServer(t, func(c *app.Config) { c.Secret = testSecret; c.Channels = []string{"lobby", "ops-1"} })
	const enter, create, publish, chat, moderate, change, record = protocol.RightEnter, protocol.RightCreate, protocol.RightPublish,
		protocol.RightChat, protocol.RightModerate, protocol.RightChange, protocol.RightRecord

	admin := identifyAs(t, s, "root", true)
	require.Equal(t, rightsOf(create, publish, chat, moderate, record), admin.ready.May)
	require.Equal(t, rightsOf(enter, publish, chat, moderate, change, record), admin.mayIn("lobby"))
	members := protocol.AccessMembers
	admin.ack(protocol.OpChannelCreate, protocol.ChannelCreate{ChannelID: "ops-members", ChannelSettings: protocol.ChannelSettings{Access: &members}}, nil)

	// Nothing is said: as the role has it.
	mia := granted(t, s, "mia", auth.Grants{})
	require.Equal(t, rightsOf(create, publish, chat), mia.ready.May)
	require.Equal(t, rightsOf(enter, publish, chat), mia.mayIn("ops-members"))

	// Of the channels some, whatever their access, and no others.
	guest := auth.RoleGuest
	ops := granted(t, s, "olga", auth.Grants{Role: &guest, Channels: []string{"ops-*"}, Moderate: true, Record: true})
	require.Equal(t, "guest", ops.ready.Role)
	require.Equal(t, rightsOf(enter, publish, chat, moderate, record), ops.mayIn("ops-members"))
	ops.fails(protocol.OpChannelInfo, protocol.ChannelRef{ChannelID: "lobby"}, protocol.CodeAccessDenied)
	require.Contains(t, ops.fails(protocol.OpChannelJoin, protocol.ChannelJoin{ChannelID: "lobby", SDPOffer: offer(t, 1, 1)}, protocol.CodeAccessDenied), "lobby")
	require.Equal(t,
		ops.fails(protocol.OpHistory, protocol.History{ChannelID: "lobby"}, protocol.CodeAccessDenied),
		strings.ReplaceAll(ops.fails(protocol.OpHistory, protocol.History{ChannelID: "nowhere"}, protocol.CodeAccessDenied), "nowhere", "lobby"),
		"whether there is one is not said")
	ops.fails(protocol.OpHistory, protocol.History{ChannelID: "ops-nowhere"}, protocol.CodeChannelNotFound)
	require.Contains(t, ops.fails(protocol.OpChannelCreate, protocol.ChannelCreate{ChannelID: "den"}, protocol.CodeAccessDenied), "den")
	ops.ack(protocol.OpChannelCreate, protocol.ChannelCreate{ChannelID: "ops-den"}, nil)
	require.Equal(t, rightsOf(enter, publish, chat, moderate, change, record), ops.mayIn("ops-den"), "one's own")
	ops.joinChannel("ops-members")
	ops.ack(protocol.OpMessageCreate, protocol.MessageCreate{ChannelID: "ops-members", Content: "here"}, nil)

	// No channels, no making of them.
	none := granted(t, s, "nora", auth.Grants{Channels: []string{}, Create: auth.Withheld})
	require.Equal(t, rightsOf(publish, chat), none.ready.May)
	require.Empty(t, listed(none))
	none.fails(protocol.OpChannelCreate, protocol.ChannelCreate{ChannelID: "x"}, protocol.CodeAccessDenied)

	// Listening only, and reading only.
	quiet := granted(t, s, "quinn", auth.Grants{Publish: auth.Withheld, Chat: auth.Withheld, Create: auth.Withheld})
	require.Equal(t, rightsOf(), quiet.ready.May)
	require.Equal(t, rightsOf(enter), quiet.mayIn("lobby"))
	require.Contains(t, quiet.fails(protocol.OpChannelJoin, protocol.ChannelJoin{ChannelID: "lobby", SDPOffer: offer(t, 1, 1)}, protocol.CodeAccessDenied), "listen")
	var detail protocol.ChannelDetail
	quiet.ack(protocol.OpChannelInfo, protocol.ChannelRef{ChannelID: "lobby"}, &detail)
	require.Zero(t, detail.MemberCount, "what is refused leaves nothing behind")
	var joined protocol.Joined
	quiet.ack(protocol.OpChannelJoin, protocol.ChannelJoin{ChannelID: "lobby", SDPOffer: offer(t, 0, 2)}, &joined)
	require.False(t, joined.ActiveMembers[0].Talker)
	quiet.fails(protocol.OpMessageCreate, protocol.MessageCreate{ChannelID: "lobby", Content: "hi"}, protocol.CodeAccessDenied)
	quiet.ack(protocol.OpHistory, protocol.History{ChannelID: "lobby"}, nil)

	// An admin may everything, whatever is withheld.
	chief := granted(t, s, "chief", auth.Grants{Role: new(auth.RoleAdmin), Publish: auth.Withheld, Channels: []string{}})
	require.Contains(t, chief.mayIn("lobby"), publish)
	chief.joinChannel("lobby")
}

// A change of a channel is told to each with what they may do there.
func TestGatewayGrantsAreToldWithChannels(t *testing.T) {
	verifyNoLeaks(t)
	s := startServer(t, func(c *app.Config) { c.Secret = testSecret; c.AllowGuests = new(true) })
	gus, _ := identify(t, s, "Gus")
	mia := granted(t, s, "mia", auth.Grants{Chat: auth.Withheld})
	ops := granted(t, s, "olga", auth.Grants{Channels: []string{"ops-*"}})
	owner := granted(t, s, "otto", auth.Grants{})
	for _, c := range []*raw{gus, mia, ops} {
		c.quiet()
	}
	may := func(c *raw, kind protocol.ChannelEventKind) []protocol.Right {
		var event protocol.ChannelEvent
		c.event(protocol.OpChannelEvent, &event)
		require.Equal(t, kind, event.Event)
		return event.Channel.May
	}
	enter, publish, chat := protocol.RightEnter, protocol.RightPublish, protocol.RightChat
	var made protocol.ChannelInfo
	owner.ack(protocol.OpChannelCreate, protocol.ChannelCreate{ChannelID: "den"}, &made)
	require.Equal(t, rightsOf(enter, publish, chat, protocol.RightModerate, protocol.RightChange), made.May)
	require.Equal(t, rightsOf(enter, publish, chat), may(gus, protocol.ChannelEventCreate))
	require.Equal(t, rightsOf(enter, publish), may(mia, protocol.ChannelEventCreate))
	ops.quiet() // of what it does not open, a token says nothing

	members := protocol.AccessMembers
	owner.ack(protocol.OpChannelUpdate, protocol.ChannelUpdate{ChannelID: "den", ChannelSettings: protocol.ChannelSettings{Access: &members}}, &made)
	require.Equal(t, rightsOf(), may(gus, protocol.ChannelEventUpdate))
	require.Equal(t, rightsOf(enter, publish), may(mia, protocol.ChannelEventUpdate))
	owner.quiet()
}

// Who has a token for some channels hears nothing of the others, but of the one that they are in.
func TestGatewayGrantsHideChannels(t *testing.T) {
	verifyNoLeaks(t)
	s := startServer(t, func(c *app.Config) { c.Secret = testSecret; c.Channels = []string{"lobby", "ops-1"} })
	admin := identifyAs(t, s, "root", true)
	ops := granted(t, s, "olga", auth.Grants{Channels: []string{"ops-*"}, Create: auth.Withheld})
	require.Len(t, listed(ops), 1)
	var presence protocol.Presence
	ops.ack(protocol.OpPresence, protocol.PresenceWatch{Watch: new(true)}, &presence)
	admin.joinChannel("lobby")
	admin.ack(protocol.OpChannelCreate, protocol.ChannelCreate{ChannelID: "den"}, nil)
	for _, access := range []protocol.Access{protocol.AccessInvited, protocol.AccessOpen, protocol.AccessInvited} {
		admin.ack(protocol.OpChannelUpdate, protocol.ChannelUpdate{ChannelID: "den", ChannelSettings: protocol.ChannelSettings{Access: &access}}, nil)
	}
	admin.ack(protocol.OpChannelDelete, protocol.ChannelRef{ChannelID: "den"}, nil)
	// Whoever is in the same channel learns of a move, and not where to.
	ops.joinChannel("ops-1")
	for told := false; !told; { // of her own coming, which was after all that
		if len(ops.events) == 0 {
			ops.events = append(ops.events, ops.read())
		}
		said := string(ops.events[0].D)
		require.NotContains(t, said, "lobby")
		require.NotContains(t, said, "den")
		told, ops.events = ops.events[0].Op == protocol.OpPresenceEvent, ops.events[1:]
	}
	mia := granted(t, s, "mia", auth.Grants{})
	mia.joinChannel("ops-1")
	mia.quiet() // her join is carried out by then
	admin.ack(protocol.OpMemberMove, protocol.MemberMove{UserID: "mia", ChannelID: "lobby"}, nil)
	var moved protocol.ModerationEvent
	ops.event(protocol.OpModerationEvent, &moved)
	require.Equal(t, protocol.ModerationMove, moved.Action)
	require.Empty(t, moved.ToChannelID)
	var left protocol.ChannelEvent
	ops.event(protocol.OpChannelEvent, &left)
	require.Equal(t, "ops-1", left.ChannelID)

	// One who is moved where the token does not reach knows of that channel as long as they are there.
	admin.ack(protocol.OpMemberMove, protocol.MemberMove{UserID: "olga", ChannelID: "lobby"}, nil)
	ops.event(protocol.OpModerationEvent, &moved)
	ops.event(protocol.OpModerationEvent, &moved)
	require.NotNil(t, moved.Joined)
	require.Equal(t, "lobby", moved.ToChannelID)
	listed(admin) // who asks after the move was carried out
	require.Len(t, listed(ops), 2)
	admin.ack(protocol.OpMemberMove, protocol.MemberMove{UserID: "olga", ChannelID: "ops-1"}, nil)
	eventually(t, "the channel to be gone", func() bool {
		var gone protocol.ChannelEvent
		ops.event(protocol.OpChannelEvent, &gone)
		return gone.Event == protocol.ChannelEventDelete && gone.ChannelID == "lobby"
	})
	require.Len(t, listed(ops), 1)
}

// What the server remembers of a person adds up with what a token grants, and nothing is withheld from them that others have.
func TestGatewayGrantsAddUp(t *testing.T) {
	verifyNoLeaks(t)
	data := t.TempDir()
	s := startServer(t, func(c *app.Config) { c.Secret, c.Data = testSecret, data })
	admin, err := app.OpenAdmin(t.Context(), data)
	require.NoError(t, err)
	var invite protocol.InviteCreated
	require.NoError(t, admin.Do(t.Context(), http.MethodPost, "/api/admin/invites", protocol.InviteCreate{}, &invite))
	defer func() { require.NoError(t, admin.Close()) }()
	person := invitedBy(t, s, invite.Secret, "Ada").UserID
	narrow := auth.Grants{Channels: []string{"ops-*"}, Publish: auth.Withheld, Record: true}
	stranger := granted(t, s, "stranger", narrow)
	require.Equal(t, rightsOf(protocol.RightCreate, protocol.RightChat, protocol.RightRecord), stranger.ready.May)
	stranger.fails(protocol.OpChannelInfo, protocol.ChannelRef{ChannelID: "lobby"}, protocol.CodeAccessDenied)
	known := granted(t, s, person, narrow)
	require.Equal(t, rightsOf(protocol.RightCreate, protocol.RightPublish, protocol.RightChat, protocol.RightRecord), known.ready.May)
	require.Equal(t, rightsOf(protocol.RightEnter, protocol.RightPublish, protocol.RightChat, protocol.RightRecord), known.mayIn("lobby"))

	// Nor does what the server thinks of them take away what the token says, while they are here.
	chief := granted(t, s, person, auth.Grants{Role: new(auth.RoleModerator)})
	require.Equal(t, "moderator", chief.ready.Role)
	require.NoError(t, admin.Do(t.Context(), http.MethodPatch, "/api/admin/users/"+person, httpapi.AdminUserChange{Role: new("guest")}, new(httpapi.AdminUser)))
	chief.ack(protocol.OpInviteCreate, protocol.InviteCreate{}, nil)
}

package e2e

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/mini-livechat/mini-livechat/cmd/app"
	"github.com/mini-livechat/mini-livechat/signaling/client"
	"github.com/mini-livechat/mini-livechat/signaling/protocol"
)

// A channel for the invited is nobody else's business: not its name, nor who is in it, nor what is said there.
func TestGatewayChannelsForTheInvited(t *testing.T) {
	verifyNoLeaks(t)
	data := shortDir(t)
	configure := func(c *app.Config) { c.Data, c.Secret, c.AllowGuests = data, testSecret, new(true) }
	s := startServer(t, configure)
	owner, visitor := identifyAs(t, s, "mia", false), identifyAs(t, s, "ben", false)
	root := identifyAs(t, s, "root", true)
	var known, all protocol.Presence
	visitor.ack(protocol.OpPresence, protocol.PresenceWatch{Watch: new(true)}, &known)
	root.ack(protocol.OpPresence, protocol.PresenceWatch{Watch: new(true)}, &all)
	invited := protocol.AccessInvited
	owner.ack(protocol.OpChannelCreate, protocol.ChannelCreate{ChannelID: "den", ChannelSettings: protocol.ChannelSettings{Access: &invited}}, nil)
	owner.joinChannel("den")
	var said protocol.MessageCreated
	owner.ack(protocol.OpMessageCreate, protocol.MessageCreate{ChannelID: "den", Content: "a secret"}, &said)
	var told protocol.ChannelEvent
	root.event(protocol.OpChannelEvent, &told)
	require.Equal(t, "den", told.ChannelID)
	root.sees(&all, "den: mia")

	ids := func(c *raw) (ids []string) {
		for _, channel := range listed(c) {
			ids = append(ids, channel.ChannelID)
		}
		return ids
	}
	require.Equal(t, []string{"lobby"}, ids(visitor))
	require.Equal(t, []string{"lobby", "den"}, ids(root))
	for op, d := range map[protocol.Op]any{
		protocol.OpChannelInfo: protocol.ChannelRef{ChannelID: "den"}, protocol.OpChannelDelete: protocol.ChannelRef{ChannelID: "den"},
		protocol.OpChannelJoin:   protocol.ChannelJoin{ChannelID: "den", SDPOffer: offer(t, 1, 1)},
		protocol.OpChannelUpdate: protocol.ChannelUpdate{ChannelID: "den", ChannelName: new("x")},
		protocol.OpHistory:       protocol.History{ChannelID: "den"}, protocol.OpSearch: protocol.Search{ChannelID: "den", Query: "secret"},
		protocol.OpRead: protocol.Read{ChannelID: "den"}, protocol.OpInviteCreate: protocol.InviteCreate{ChannelID: "den"},
	} {
		visitor.fails(op, d, protocol.CodeChannelNotFound)
	}
	visitor.fails(protocol.OpMessageDelete, protocol.MessageRef{MessageID: said.MessageID}, protocol.CodeMessageNotFound)
	var found protocol.FoundMessages
	visitor.ack(protocol.OpSearch, protocol.Search{Query: "secret"}, &found)
	require.Empty(t, found.Messages)
	require.Empty(t, visitor.events, "nothing was told of it")

	// An invite lets in, also one who is here, and stays.
	admin := administer(t, data)
	var first, second protocol.InviteCreated
	require.NoError(t, admin.Do(t.Context(), http.MethodPost, "/api/admin/invites", protocol.InviteCreate{}, &first))
	require.NoError(t, admin.Close())
	adaIs := invitedBy(t, s, first.Secret, "Ada")
	ada := entered(t, s, adaIs.Token)
	ada.ack(protocol.OpPresence, protocol.PresenceWatch{Watch: new(true)}, &known)
	owner.fails(protocol.OpInviteCreate, protocol.InviteCreate{ChannelID: "den", Role: "guest"}, protocol.CodeAccessDenied)
	owner.ack(protocol.OpInviteCreate, protocol.InviteCreate{ChannelID: "den"}, &second)
	require.Empty(t, second.Role)
	_, err := client.UseInvite(t.Context(), nil, s.URL, protocol.InviteRequest{Secret: second.Secret, Name: "Nobody"})
	require.ErrorContains(t, err, "known here already")
	require.Equal(t, []string{"lobby"}, ids(ada))
	_, err = client.UseInvite(t.Context(), nil, s.URL, protocol.InviteRequest{Secret: second.Secret, Token: adaIs.Token})
	require.NoError(t, err)
	ada.event(protocol.OpChannelEvent, &told)
	require.Equal(t, protocol.ChannelEventCreate, told.Event)
	require.Equal(t, "den", told.ChannelID)
	ada.sees(&known, "den: mia")
	require.Equal(t, []string{"lobby", "den"}, ids(ada))
	ada.joinChannel("den")

	// Opened, it is there for all; closed again, it is gone for those who are not in it.
	open := protocol.AccessOpen
	owner.ack(protocol.OpChannelUpdate, protocol.ChannelUpdate{ChannelID: "den", ChannelSettings: protocol.ChannelSettings{Access: &open}}, nil)
	visitor.event(protocol.OpChannelEvent, &told)
	require.Equal(t, protocol.ChannelEventUpdate, told.Event)
	known = protocol.Presence{}
	visitor.sees(&known, "den: mia Ada")
	owner.ack(protocol.OpChannelUpdate, protocol.ChannelUpdate{ChannelID: "den", ChannelSettings: protocol.ChannelSettings{Access: &invited}}, nil)
	visitor.event(protocol.OpChannelEvent, &told)
	require.Equal(t, protocol.ChannelEventDelete, told.Event)
	require.Equal(t, []string{"lobby"}, ids(visitor))

	s = s.again(t, data, configure)
	require.Equal(t, []string{"lobby", "den"}, ids(entered(t, s, adaIs.Token)))
	require.Equal(t, []string{"lobby"}, ids(identifyAs(t, s, "ben", false)))
}

// Who was let in by an invite may be let in no more, and is out at once.
func TestGatewayPassesAreTakenBack(t *testing.T) {
	verifyNoLeaks(t)
	data := shortDir(t)
	configure := func(c *app.Config) { c.Data, c.Secret = data, testSecret }
	s := startServer(t, configure)
	admin := administer(t, data)
	invited := protocol.AccessInvited
	owner, ben := identifyAs(t, s, "mia", false), identifyAs(t, s, "ben", false)
	owner.ack(protocol.OpChannelCreate, protocol.ChannelCreate{ChannelID: "den", ChannelSettings: protocol.ChannelSettings{Access: &invited}}, nil)
	owner.joinChannel("den")
	var invite protocol.InviteCreated
	require.NoError(t, admin.Do(t.Context(), http.MethodPost, "/api/admin/invites", protocol.InviteCreate{ChannelID: "den", Uses: new(0)}, &invite))
	made := invitedBy(t, s, invite.Secret, "Ada")
	ada := entered(t, s, made.Token)
	ada.joinChannel("den")
	listed(ada) // the request before is over

	var list protocol.InviteList
	owner.ack(protocol.OpInviteList, protocol.InviteQuery{ChannelID: "den"}, &list)
	require.Equal(t, []protocol.Pass{{UserID: made.UserID, Name: "Ada"}}, list.Passes)
	ada.fails(protocol.OpInviteList, protocol.InviteQuery{ChannelID: "den"}, protocol.CodeAccessDenied)
	pass := protocol.InviteRef{ChannelID: "den", UserID: made.UserID}
	ada.fails(protocol.OpInviteRevoke, pass, protocol.CodeAccessDenied)
	ben.fails(protocol.OpInviteRevoke, pass, protocol.CodeChannelNotFound)
	for _, wrong := range []protocol.InviteRef{{}, {ChannelID: "den"}, {UserID: "ben"}, {InviteID: "x", ChannelID: "den", UserID: "ben"}} {
		owner.fails(protocol.OpInviteRevoke, wrong, protocol.CodeInvalidPayload)
	}
	owner.ack(protocol.OpInviteRevoke, pass, nil)
	owner.fails(protocol.OpInviteRevoke, pass, protocol.CodeUserNotFound)
	var told protocol.ModerationEvent
	ada.event(protocol.OpModerationEvent, &told)
	require.Equal(t, protocol.ModerationUninvite, told.Action)
	require.Equal(t, "mia", told.ByID)
	var gone protocol.ChannelEvent
	ada.event(protocol.OpChannelEvent, &gone)
	require.Equal(t, protocol.ChannelEventDelete, gone.Event)
	require.Len(t, listed(ada), 1)
	ada.fails(protocol.OpChannelJoin, protocol.ChannelJoin{ChannelID: "den", SDPOffer: offer(t, 1, 1)}, protocol.CodeChannelNotFound)
	var left protocol.ChannelEvent
	for left.Cause == "" {
		owner.event(protocol.OpChannelEvent, &left)
	}
	require.Equal(t, protocol.LeaveKicked, left.Cause)

	// The operator does so too, and what holds does so at the next start.
	_, err := client.UseInvite(t.Context(), nil, s.URL, protocol.InviteRequest{Secret: invite.Secret, Token: made.Token})
	require.NoError(t, err)
	require.Len(t, listed(ada), 2)
	require.NoError(t, admin.Do(t.Context(), http.MethodDelete, "/api/admin/users/Ada/channels/den", nil, &struct{}{}))
	require.Error(t, admin.Do(t.Context(), http.MethodDelete, "/api/admin/users/Ada/channels/den", nil, &struct{}{}))
	require.Len(t, listed(ada), 1)
	require.NoError(t, admin.Close())
	s = s.again(t, data, configure)
	require.Len(t, listed(entered(t, s, made.Token)), 1)
}

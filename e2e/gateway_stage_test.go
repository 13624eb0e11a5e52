package e2e

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/mini-livechat/mini-livechat/cmd/app"
	"github.com/mini-livechat/mini-livechat/signaling/auth"
	"github.com/mini-livechat/mini-livechat/signaling/httpapi"
	"github.com/mini-livechat/mini-livechat/signaling/protocol"
)

// settings are those of a channel in which only these are heard.
func settings(speaking protocol.Speaking) protocol.ChannelSettings {
	return protocol.ChannelSettings{Speaking: &speaking}
}

// stage starts a server with a channel "hall" of mia's, in which one speaks who is allowed to.
func stage(t *testing.T, configure ...func(*app.Config)) (s *server, mia *raw) {
	t.Helper()
	s = startServer(t, append(configure, func(c *app.Config) { c.Secret, c.AllowGuests = testSecret, new(true) })...)
	mia = identifyAs(t, s, "mia", false)
	var made protocol.ChannelInfo
	mia.ack(protocol.OpChannelCreate, protocol.ChannelCreate{ChannelID: "hall", ChannelSettings: settings(protocol.SpeakingAllowed)}, &made)
	require.Equal(t, protocol.SpeakingAllowed, made.Speaking)
	return s, mia
}

// Hands, and who is let speak, are told as what they are, and those only decide who moderate there.
func TestGatewayHandsAreRaised(t *testing.T) {
	verifyNoLeaks(t)
	s, mia := stage(t)
	ben, cy := identifyAs(t, s, "ben", false), identifyAs(t, s, "cy", false)
	raise, allow := protocol.Hand{Raised: new(true)}, protocol.Hand{UserID: "ben", Allow: new(true)}
	ben.fails(protocol.OpHand, raise, protocol.CodeNotInChannel)
	mia.fails(protocol.OpHand, allow, protocol.CodeAccessDenied)
	require.False(t, mia.joinChannel("hall").ActiveMembers[0].Suppressed, "its owner")
	require.True(t, ben.joinChannel("hall").ActiveMembers[1].Suppressed)
	cy.joinChannel("hall")
	for _, wrong := range []protocol.Hand{{}, {Raised: new(true), Allow: new(true)}, {Raised: new(true), UserID: "cy"}, {Allow: new(true)}} {
		ben.fails(protocol.OpHand, wrong, protocol.CodeInvalidPayload)
	}

	var up, state protocol.VoiceStateEvent
	ben.ack(protocol.OpHand, raise, &up)
	require.NotZero(t, up.HandAt)
	require.True(t, up.Suppressed)
	mia.event(protocol.OpVoiceStateEvent, &state)
	require.Equal(t, up, state)
	ben.ack(protocol.OpVoiceState, protocol.VoiceState{SelfMute: new(true)}, &state)
	require.Equal(t, up.HandAt, state.HandAt, "the rest stays")
	ben.ack(protocol.OpVoiceState, protocol.VoiceState{SelfMute: new(false)}, nil)

	cy.fails(protocol.OpHand, allow, protocol.CodeAccessDenied)
	ben.fails(protocol.OpHand, allow, protocol.CodeAccessDenied)
	state = protocol.VoiceStateEvent{} // what is absent stays in Go
	mia.ack(protocol.OpHand, allow, &state)
	require.Equal(t, protocol.VoiceStateEvent{ChannelID: "hall", UserID: "ben"}, state)
	state = protocol.VoiceStateEvent{}
	ben.event(protocol.OpVoiceStateEvent, &state)
	require.Equal(t, protocol.VoiceStateEvent{ChannelID: "hall", UserID: "ben"}, state)

	// It lasts while one is there, also on another connection.
	ben.cut()
	ben, _, _ = ben.resume(s)
	require.False(t, ben.members("hall")[1].Suppressed)
	ben.ack(protocol.OpChannelLeave, protocol.ChannelRef{ChannelID: "hall"}, nil)
	require.True(t, ben.joinChannel("hall").ActiveMembers[2].Suppressed)

	listed(mia) // her request is over, and not just answered
	root := identifyAs(t, s, "root", true)
	var list protocol.Audit
	root.ack(protocol.OpAudit, protocol.AuditRequest{}, &list)
	require.Len(t, list.Deeds, 1)
	require.Equal(t, protocol.ModerationAllow, list.Deeds[0].Action)
	require.Equal(t, "hall", list.Deeds[0].ChannelID)
}

// Another setting is told to all at once, and to who made it after the answer; all begins anew.
func TestGatewaySpeakingChanges(t *testing.T) {
	verifyNoLeaks(t)
	data := t.TempDir()
	configure := func(c *app.Config) { c.Data, c.Secret, c.AllowGuests = data, testSecret, new(true) }
	s, mia := stage(t, configure)
	moderator := auth.RoleModerator
	judge := identifyWith(t, s, auth.Identity{UserID: "judge", Grants: auth.Grants{Role: &moderator}})
	ben, ada := identifyAs(t, s, "ben", false), identifyAs(t, s, "ada", false)
	for _, c := range []*raw{mia, judge, ben, ada} {
		c.joinChannel("hall")
	}
	require.Equal(t, "moderator", ada.members("hall")[1].Role)
	guest, _ := identify(t, s, "Gus")
	joined := guest.joinChannel("hall")
	require.Equal(t, "guest", joined.ActiveMembers[4].Role)
	require.Empty(t, joined.ActiveMembers[2].Role)
	ben.ack(protocol.OpHand, protocol.Hand{Raised: new(true)}, nil)
	judge.ack(protocol.OpHand, protocol.Hand{UserID: "ada", Allow: new(true)}, nil)

	var told protocol.ChannelEvent
	stageOf := func(c *raw) protocol.ChannelEvent {
		t.Helper()
		for told.Event = ""; told.Event != protocol.ChannelEventStage; {
			told = protocol.ChannelEvent{}
			c.event(protocol.OpChannelEvent, &told)
		}
		return told
	}
	const wrong = protocol.Speaking("few")
	mia.fails(protocol.OpChannelUpdate, protocol.ChannelUpdate{ChannelID: "hall", ChannelSettings: settings(wrong)}, protocol.CodeInvalidPayload)
	mia.ack(protocol.OpChannelUpdate, protocol.ChannelUpdate{ChannelID: "hall", ChannelSettings: settings(protocol.SpeakingModerators)}, nil)
	want := protocol.ChannelEvent{
		Event: protocol.ChannelEventStage, ChannelID: "hall", Suppressed: []string{"ben", "ada", guest.ready.UserID},
	}
	for _, c := range []*raw{mia, judge, ben, guest} {
		require.Equal(t, want, stageOf(c))
	}
	require.Contains(t, judge.fails(protocol.OpHand, protocol.Hand{UserID: "ada", Allow: new(true)}, protocol.CodeAccessDenied), "only those who moderate")
	for _, m := range ben.members("hall") {
		require.Zero(t, m.HandAt)
	}
	mia.ack(protocol.OpChannelUpdate, protocol.ChannelUpdate{ChannelID: "hall", ChannelSettings: settings(protocol.SpeakingAll)}, nil)
	require.Empty(t, stageOf(ben).Suppressed)
	require.Contains(t, judge.fails(protocol.OpHand, protocol.Hand{UserID: "ada", Allow: new(true)}, protocol.CodeAccessDenied), "everybody may speak")
	mia.ack(protocol.OpChannelUpdate, protocol.ChannelUpdate{ChannelID: "hall", ChannelSettings: settings(protocol.SpeakingModerators)}, nil)

	s = s.again(t, data, configure)
	for _, channel := range listed(identifyAs(t, s, "mia", false)) {
		require.Equal(t, channel.ChannelID == "hall", channel.Speaking == protocol.SpeakingModerators, channel.ChannelID)
		require.True(t, channel.Speaking.Known())
	}
}

// Who may not be heard is not, from the moment on in which that is so.
func TestTalkOnAStage(t *testing.T) {
	verifyNoLeaks(t)
	s, mia := stage(t, func(c *app.Config) { c.Channels = []string{"lobby"} })
	ada, bo := arrive(t, s, "ada").join("hall").talk(), arrive(t, s, "bo").join("hall").talk()
	mod := arriveAs(t, s, mint(t, testSecret, auth.Identity{UserID: "root", Role: auth.RoleAdmin})).join("hall").talk()
	bo.hears(mod)
	bo.hearsNot(ada, ada.talksOn)
	require.Zero(t, bo.heardFrom(ada))
	require.NoError(t, ada.RaiseHand(soon(t), true))
	eventually(t, "the hand is seen", func() bool { return mod.call.Members()[0].HandAt == ada.call.Members()[0].HandAt })
	require.NotZero(t, ada.call.Members()[0].HandAt)

	require.NoError(t, mod.LetSpeak(soon(t), ada.UserID(), true))
	require.Zero(t, mod.call.Members()[0].HandAt)
	bo.hears(ada)
	eventually(t, "it is seen", func() bool { return !bo.call.Members()[0].Suppressed && !ada.call.Members()[0].Suppressed })
	require.True(t, bo.call.Members()[1].Suppressed)
	require.NoError(t, mod.LetSpeak(soon(t), ada.UserID(), false))
	bo.hearsNot(ada, ada.talksOn)
	bo.hears(mod)

	// What is allowed here is so here only, and ends with the setting.
	require.NoError(t, mod.LetSpeak(soon(t), ada.UserID(), true))
	bo.hears(ada)
	require.NoError(t, mod.MoveMember(soon(t), ada.UserID(), "lobby"))
	require.NoError(t, mod.MoveMember(soon(t), ada.UserID(), "hall"))
	eventually(t, "ada is back", func() bool { return len(bo.memberIDs()) == 3 })
	bo.hearsNot(ada, ada.talksOn)
	require.NoError(t, mod.LetSpeak(soon(t), ada.UserID(), true))
	bo.hears(ada)
	mia.ack(protocol.OpChannelUpdate, protocol.ChannelUpdate{ChannelID: "hall", ChannelSettings: settings(protocol.SpeakingModerators)}, nil)
	bo.hearsNot(ada, ada.talksOn)
	eventually(t, "it is seen", func() bool { return bo.call.Members()[2].Suppressed })
	mia.ack(protocol.OpChannelUpdate, protocol.ChannelUpdate{ChannelID: "hall", ChannelSettings: settings(protocol.SpeakingAll)}, nil)
	bo.hears(ada)
	ada.hears(bo)
	ada.check(bo, mod)
}

// Who becomes a moderator is heard as one, and no more when they are none.
func TestTalkOnAStageFollowsTheRole(t *testing.T) {
	verifyNoLeaks(t)
	data := shortDir(t)
	s, _ := stage(t, func(c *app.Config) { c.Data = data })
	admin := administer(t, data)
	t.Cleanup(func() { require.NoError(t, admin.Close()) })
	var invite protocol.InviteCreated
	require.NoError(t, admin.Do(t.Context(), http.MethodPost, "/api/admin/invites", protocol.InviteCreate{}, &invite))
	become := func(userID, role string) {
		t.Helper()
		require.NoError(t, admin.Do(t.Context(), http.MethodPatch, "/api/admin/users/"+userID, httpapi.AdminUserChange{Role: &role}, &struct{}{}))
	}
	made := invitedBy(t, s, invite.Secret, "Ada")
	ada, bo := arriveAs(t, s, made.Token).join("hall").talk(), arrive(t, s, "bo").join("hall")
	bo.hearsNot(ada, ada.talksOn)
	become(made.UserID, "moderator")
	bo.hears(ada)
	eventually(t, "it is seen", func() bool { m := bo.call.Members()[0]; return m.Role == "moderator" && !m.Suppressed })
	become(made.UserID, "member")
	bo.hearsNot(ada, ada.talksOn)
	eventually(t, "it is seen", func() bool { m := bo.call.Members()[0]; return m.Role == "" && m.Suppressed })
}

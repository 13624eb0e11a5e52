package e2e

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mini-livechat/mini-livechat/cmd/app"
	"github.com/mini-livechat/mini-livechat/signaling/auth"
	"github.com/mini-livechat/mini-livechat/signaling/client"
	"github.com/mini-livechat/mini-livechat/signaling/protocol"
)

// moderated starts a server with guests, a lobby and a den, and an admin.
func moderated(t *testing.T) (s *server, admin *person) {
	t.Helper()
	s = startServer(t, func(c *app.Config) {
		c.Secret, c.AllowGuests, c.Channels = testSecret, new(true), []string{"lobby", "den"}
	})
	authority, err := auth.New([]byte(testSecret))
	require.NoError(t, err)
	token, err := authority.Mint(auth.Identity{UserID: "root", Role: auth.RoleAdmin}, time.Now(), time.Hour)
	require.NoError(t, err)
	return s, arriveAs(t, s, token)
}

// Who was muted by a moderator is heard by nobody, whatever they do, until they may be again.
func TestTalkMutedByAModerator(t *testing.T) {
	verifyNoLeaks(t)
	s, admin := moderated(t)
	ada, bo := arrive(t, s, "ada").join("lobby").talk(), arrive(t, s, "bo").join("lobby").talk()
	bo.hears(ada)
	require.NoError(t, admin.Mute(soon(t), ada.UserID(), true))
	bo.hearsNot(ada, ada.talksOn)
	told(bo, "muted", func(ev *protocol.ModerationEvent) bool {
		return ev.Action == protocol.ModerationMute && ev.UserID == ada.UserID()
	})
	told(ada, "muted", func(ev *protocol.ModerationEvent) bool {
		return ev.Action == protocol.ModerationMute && ev.ByID == "root"
	})
	_, err := ada.SetVoiceState(soon(t), protocol.VoiceState{SelfMute: new(false)})
	refusal := &protocol.Error{}
	require.ErrorAs(t, err, &refusal)
	require.Equal(t, protocol.CodeMuted, refusal.Code)

	// Coming back, also into another channel, is no way out.
	ada.leave()
	ada.join("lobby").talk()
	bo.hearsNot(ada, ada.talksOn)
	eventually(t, "it is seen", func() bool { return bo.call.Members()[1].Muted && ada.call.Members()[1].Muted })
	require.NoError(t, admin.Mute(soon(t), ada.UserID(), false))
	bo.hears(ada)
}

// Who is moved takes their media along: no new connection, the same slots, each a continuous stream.
func TestTalkMovedByAModerator(t *testing.T) {
	verifyNoLeaks(t)
	s, admin := moderated(t)
	ada, bo := arrive(t, s, "ada").join("lobby").talk(), arrive(t, s, "bo").join("lobby").talk()
	cy := arrive(t, s, "cy").join("den").talk()
	ada.hears(bo)
	bo.hears(ada)
	before := ada.call.PeerConnection()
	require.NoError(t, admin.MoveMember(soon(t), ada.UserID(), "den"))
	ada.hears(cy)
	cy.hears(ada)
	require.Same(t, before, ada.call.PeerConnection())
	require.Equal(t, "den", ada.call.ChannelID())
	eventually(t, "who is where", func() bool { return len(ada.memberIDs()) == 2 && len(bo.memberIDs()) == 1 && len(cy.memberIDs()) == 2 })
	require.Equal(t, protocol.LeaveMoved, bo.toldLeft(ada))
	ada.check(bo, cy)
	bo.hearsNot(ada, ada.talksOn)

	// As a member of the new channel one talks there, and leaves it.
	_, err := ada.SendMessage(soon(t), "den", "hello")
	require.NoError(t, err)
	ada.leave()
	require.Equal(t, protocol.LeaveLeft, cy.toldLeft(ada))
	refusal := &protocol.Error{}
	require.ErrorAs(t, admin.MoveMember(soon(t), ada.UserID(), "lobby"), &refusal)
	require.Equal(t, protocol.CodeNotInChannel, refusal.Code)
	require.ErrorAs(t, admin.MoveMember(soon(t), cy.UserID(), "nowhere"), &refusal)
	require.Equal(t, protocol.CodeChannelNotFound, refusal.Code)
}

// Who was kicked does not come straight back, nor as another guest of the same device.
func TestTalkKickedByAModerator(t *testing.T) {
	verifyNoLeaks(t)
	s, admin := moderated(t)
	device := func(o *client.Options) { o.Device = "a phone" }
	ada, bo := arrive(t, s, "ada", device).join("lobby").talk(), arrive(t, s, "bo").join("lobby")
	bo.hears(ada)
	require.NoError(t, admin.Kick(soon(t), ada.UserID(), "enough of that"))
	require.Equal(t, protocol.CloseKicked, ada.ended())
	require.Equal(t, protocol.LeaveKicked, bo.toldLeft(ada))
	again, other := arriveAs(t, s, ada.token), arrive(t, s, "not ada", device)
	for _, p := range []*person{again, other} {
		_, err := p.Join(soon(t), "lobby", client.JoinOptions{})
		refusal := &protocol.Error{}
		require.ErrorAs(t, err, &refusal)
		require.Equal(t, protocol.CodeAccessDenied, refusal.Code)
		require.Contains(t, refusal.Reason, "you may come back in")
	}
	again.join("den")
	arrive(t, s, "cy").join("lobby")
	list, err := admin.Audit(soon(t), protocol.AuditRequest{})
	require.NoError(t, err)
	require.Equal(t, "enough of that", list.Deeds[0].Reason)
}

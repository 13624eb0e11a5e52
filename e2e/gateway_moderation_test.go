package e2e

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/mini-livechat/mini-livechat/cmd/app"
	"github.com/mini-livechat/mini-livechat/signaling/protocol"
)

// A ban holds also as another guest of the same device and after a restart, and ends by being lifted, or by itself.
func TestGatewayBansHold(t *testing.T) {
	verifyNoLeaks(t)
	data := shortDir(t)
	configure := func(c *app.Config) { c.Data, c.Secret, c.AllowGuests = data, testSecret, new(true) }
	s := startServer(t, configure)
	root := identifyAs(t, s, "root", true)
	bad := dial(t, s)
	token, _ := guest(t, s, "Bad")
	bad.reply(protocol.OpIdentify, protocol.Identify{Token: token, V: 1, Device: "a phone"}, protocol.OpReady, &bad.ready)
	bad.joinChannel("lobby")
	reason := strings.Repeat("spam ", 40)
	root.ack(protocol.OpMemberBan, protocol.MemberBan{UserID: bad.ready.UserID, DurationS: new(int64(3600)), Reason: reason}, nil)
	require.Equal(t, protocol.CloseBanned, bad.closed())

	refused := func(identify protocol.Identify) {
		t.Helper()
		c := dial(t, s)
		identify.V = 1
		var refusal protocol.Error
		c.reply(protocol.OpIdentify, identify, protocol.OpError, &refusal)
		require.Equal(t, protocol.CodeBanned, refusal.Code)
		require.Contains(t, refusal.Reason, "spam")
		require.InDelta(t, 3_600_000, refusal.RetryAfterMS, 60_000)
		require.Equal(t, protocol.CloseBanned, c.closed())
	}
	refused(protocol.Identify{Token: token})
	another, _ := guest(t, s, "Somebody else")
	refused(protocol.Identify{Token: another, Device: "a phone"})
	good := dial(t, s)
	good.reply(protocol.OpIdentify, protocol.Identify{Token: another, V: 1, Device: "another"}, protocol.OpReady, &good.ready)
	// A member is known by name, so the device is of no matter.
	member := identifyAs(t, s, "mia", false)
	member.fails(protocol.OpMemberBan, protocol.MemberBan{UserID: good.ready.UserID, DurationS: new(int64(0))}, protocol.CodeAccessDenied)
	member.fails(protocol.OpAudit, protocol.AuditRequest{Bans: true}, protocol.CodeAccessDenied)

	s = s.again(t, data, configure)
	refused(protocol.Identify{Token: token})
	root = identifyAs(t, s, "root", true)
	var list protocol.Audit
	root.ack(protocol.OpAudit, protocol.AuditRequest{Bans: true}, &list)
	require.Len(t, list.Bans, 1)
	require.Equal(t, bad.ready.UserID, list.Bans[0].UserID)
	root.ack(protocol.OpBanLift, protocol.BanLift{BanID: list.Bans[0].BanID}, nil)
	root.fails(protocol.OpBanLift, protocol.BanLift{BanID: list.Bans[0].BanID}, protocol.CodeUserNotFound)
	back := dial(t, s)
	back.reply(protocol.OpIdentify, protocol.Identify{Token: token, V: 1, Device: "a phone"}, protocol.OpReady, &back.ready)

	root.ack(protocol.OpMemberBan, protocol.MemberBan{UserID: back.ready.UserID, DurationS: new(int64(1))}, nil)
	require.Equal(t, protocol.CloseBanned, back.closed())
	eventually(t, "the ban ends by itself", func() bool {
		c := dial(t, s)
		defer c.cut()
		frame, err := protocol.EncodeRequest(protocol.OpIdentify, "i", protocol.Identify{Token: token, V: 1})
		require.NoError(t, err)
		c.send(string(frame))
		return c.read().Op == protocol.OpReady
	})
	root.ack(protocol.OpAudit, protocol.AuditRequest{Limit: 2}, &list)
	require.Len(t, list.Deeds, 2)
	require.True(t, list.More)
	require.Equal(t, protocol.ModerationBan, list.Deeds[0].Action)
	root.ack(protocol.OpAudit, protocol.AuditRequest{Before: list.Deeds[1].Seq}, &list)
	require.Equal(t, protocol.ModerationBan, list.Deeds[0].Action)
	require.False(t, list.More)
}

// Who is not more than another cannot act on them.
func TestGatewayModeratorsActOnThoseBelow(t *testing.T) {
	verifyNoLeaks(t)
	s := startServer(t, func(c *app.Config) { c.Secret, c.AllowGuests = testSecret, new(true) })
	root, other := identifyAs(t, s, "root", true), identifyAs(t, s, "other", true)
	owner, visitor := identifyAs(t, s, "mia", false), identifyAs(t, s, "ben", false)
	owner.ack(protocol.OpChannelCreate, protocol.ChannelCreate{ChannelID: "den"}, nil)
	for _, c := range []*raw{owner, visitor, root} {
		c.joinChannel("den")
	}
	yes := true
	for _, c := range []struct {
		by   *raw
		whom string
	}{{root, "other"}, {root, "root"}, {visitor, "mia"}, {visitor, "root"}, {owner, "root"}, {owner, "mia"}} {
		c.by.fails(protocol.OpMemberMute, protocol.MemberMute{UserID: c.whom, Mute: &yes}, protocol.CodeAccessDenied)
		c.by.fails(protocol.OpMemberKick, protocol.MemberKick{UserID: c.whom}, protocol.CodeAccessDenied)
		c.by.fails(protocol.OpMemberMove, protocol.MemberMove{UserID: c.whom, ChannelID: "lobby"}, protocol.CodeAccessDenied)
		c.by.fails(protocol.OpMemberBan, protocol.MemberBan{UserID: c.whom, DurationS: new(int64)}, protocol.CodeAccessDenied)
	}
	owner.fails(protocol.OpMemberBan, protocol.MemberBan{UserID: "ben", DurationS: new(int64)}, protocol.CodeAccessDenied)
	owner.fails(protocol.OpMemberMute, protocol.MemberMute{UserID: "nobody", Mute: &yes}, protocol.CodeUserNotFound)
	owner.fails(protocol.OpMemberMute, protocol.MemberMute{UserID: "ben"}, protocol.CodeInvalidPayload)
	owner.fails(protocol.OpMemberKick, protocol.MemberKick{UserID: "ben", Reason: strings.Repeat("x", 201)}, protocol.CodeInvalidPayload)

	// An owner's mute is of the channel; a moderator's of the server is not the owner's to undo.
	var event protocol.VoiceStateEvent
	owner.ack(protocol.OpMemberMute, protocol.MemberMute{UserID: "ben", Mute: &yes}, nil)
	visitor.event(protocol.OpVoiceStateEvent, &event)
	require.True(t, event.Muted)
	no := false
	owner.ack(protocol.OpMemberMute, protocol.MemberMute{UserID: "ben", Mute: &no}, nil)
	other.ack(protocol.OpMemberMute, protocol.MemberMute{UserID: "ben", Mute: &yes}, nil)
	owner.fails(protocol.OpMemberMute, protocol.MemberMute{UserID: "ben", Mute: &no}, protocol.CodeAccessDenied)
	other.ack(protocol.OpMemberMute, protocol.MemberMute{UserID: "ben", Mute: &no}, nil)
	owner.ack(protocol.OpMemberKick, protocol.MemberKick{UserID: "ben"}, nil)
	require.Equal(t, protocol.CloseKicked, visitor.closed())
	visitor = identifyAs(t, s, "ben", false)
	visitor.fails(protocol.OpChannelJoin, protocol.ChannelJoin{ChannelID: "den", SDPOffer: offer(t, 1, 1)}, protocol.CodeAccessDenied)
}

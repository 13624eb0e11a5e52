package e2e

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/mini-livechat/mini-livechat/cmd/app"
	"github.com/mini-livechat/mini-livechat/signaling/auth"
	"github.com/mini-livechat/mini-livechat/signaling/protocol"
)

// floorSettings are those of a channel where one talks at a time.
func floorSettings(f protocol.FloorSettings) protocol.ChannelSettings {
	return protocol.ChannelSettings{Floor: &f}
}

// fields are those of a request that may be any.
type fields = map[string]any

// What makes no sense, or may not be, is refused for what it is, and nothing has changed.
func TestGatewayFloorRefusals(t *testing.T) {
	verifyNoLeaks(t)
	s := radioServer(t, func(c *app.Config) { c.RequestRate, c.RequestBurst = 1000, 1000 })
	ada, ben := granted(t, s, "ada", auth.Grants{}), onAir(t, s, "ben", auth.Grants{})
	grant := ben.press(protocol.FloorRequest{}).GrantID
	everywhere := func(c *raw, code protocol.ErrorCode) {
		t.Helper()
		c.fails(protocol.OpFloorRequest, fields{}, code)
		c.fails(protocol.OpFloorRelease, fields{}, code)
		c.fails(protocol.OpFloorPing, protocol.FloorRef{GrantID: grant}, code)
	}
	everywhere(ada, protocol.CodeNotInChannel)
	ada.joinChannel("lobby")
	everywhere(ada, protocol.CodeFloorDenied) // all talk at once
	ada.ack(protocol.OpChannelLeave, protocol.ChannelRef{ChannelID: "lobby"}, nil)
	everywhere(ada, protocol.CodeNotInChannel)
	ada.joinChannel("radio")

	for _, wrong := range []fields{{"priority": -1}, {"priority": 256}, {"priority": "x"}, {"priority": 1.5}, {"queue": 1}, {"queue": "no"}, {"over": "yes"}} {
		ada.fails(protocol.OpFloorRequest, wrong, protocol.CodeInvalidPayload)
	}
	for _, wrong := range []fields{{"grant_id": "x"}, {"grant_id": -1}, {"grant_id": 1e30}} {
		ada.fails(protocol.OpFloorRelease, wrong, protocol.CodeInvalidPayload)
		ada.fails(protocol.OpFloorPing, wrong, protocol.CodeInvalidPayload)
	}
	ada.fails(protocol.OpFloorPing, fields{}, protocol.CodeInvalidPayload)
	ada.fails(protocol.OpFloorRequest, protocol.FloorRequest{Queue: new(false)}, protocol.CodeFloorDenied) // ben has it
	for _, stale := range []uint64{1, grant - 1, grant, grant + 1, grant + 2, 1 << 52} {
		ada.fails(protocol.OpFloorRelease, protocol.FloorRef{GrantID: stale}, protocol.CodeNotHolder)
		ada.fails(protocol.OpFloorPing, protocol.FloorRef{GrantID: stale}, protocol.CodeNotHolder)
		if stale != grant {
			ben.fails(protocol.OpFloorRelease, protocol.FloorRef{GrantID: stale}, protocol.CodeNotHolder)
			ben.fails(protocol.OpFloorPing, protocol.FloorRef{GrantID: stale}, protocol.CodeNotHolder)
		}
	}
	ada.fails(protocol.OpFloorRelease, protocol.FloorRef{}, protocol.CodeNotHolder)

	for _, wrong := range []fields{
		{"talk_ms": 999},
		{"talk_ms": 3_600_001},
		{"talk_ms": -2},
		{"talk_ms": "x"},
		{"talk_ms": 1},
		{"pause_ms": -2},
		{"pause_ms": 60_001},
		{"queue": -2},
		{"queue": 101},
		{"queue": true},
		{"cut_in": 1},
		{"over": "x"},
	} {
		ada.fails(protocol.OpChannelCreate, fields{"channel_id": "net", "mode": "ptt", "floor": wrong}, protocol.CodeInvalidPayload)
	}
	ada.fails(protocol.OpChannelCreate, fields{"channel_id": "net", "mode": "radio"}, protocol.CodeInvalidPayload)
	ben.reply(protocol.OpFloorPing, protocol.FloorRef{GrantID: grant}, protocol.OpFloorPong, nil)
}

// Who cannot be heard does not get the floor, nor keeps it.
func TestGatewayFloorIsForThoseWhoAreHeard(t *testing.T) {
	verifyNoLeaks(t)
	s := radioServer(t)
	ada, mod := onAir(t, s, "ada", auth.Grants{}), onAir(t, s, "mod", roleOf(auth.RoleModerator))
	denied := func(reason string) {
		t.Helper()
		require.Contains(t, ada.fails(protocol.OpFloorRequest, protocol.FloorRequest{}, protocol.CodeFloorDenied), reason)
	}
	lost := func() {
		t.Helper()
		var revoked protocol.FloorRevoke
		ada.event(protocol.OpFloorRevoke, &revoked)
		require.Equal(t, protocol.FloorForbidden, revoked.Cause)
	}
	listener := granted(t, s, "lea", auth.Grants{})
	listener.ack(protocol.OpChannelJoin, protocol.ChannelJoin{ChannelID: "radio", SDPOffer: offer(t, 0, 1)}, nil)
	require.Contains(t, listener.fails(protocol.OpFloorRequest, protocol.FloorRequest{}, protocol.CodeFloorDenied), "microphone")

	ada.press(protocol.FloorRequest{})
	ada.ack(protocol.OpVoiceState, protocol.VoiceState{SelfMute: new(true)}, nil)
	lost()
	denied("muted")
	ada.ack(protocol.OpVoiceState, protocol.VoiceState{SelfMute: new(false)}, nil)
	ada.press(protocol.FloorRequest{})
	mod.ack(protocol.OpMemberMute, protocol.MemberMute{UserID: "ada", Mute: new(true)}, nil)
	lost()
	denied("muted")
	mod.ack(protocol.OpMemberMute, protocol.MemberMute{UserID: "ada", Mute: new(false)}, nil)

	ada.press(protocol.FloorRequest{})
	ruth := granted(t, s, "ruth", roleOf(auth.RoleAdmin))
	ruth.ack(protocol.OpChannelUpdate, protocol.ChannelUpdate{ChannelID: "radio", ChannelSettings: settings(protocol.SpeakingAllowed)}, nil)
	lost()
	denied("audience")
	mod.press(protocol.FloorRequest{})
	mod.released()
	mod.ack(protocol.OpHand, protocol.Hand{UserID: "ada", Allow: new(true)}, nil)
	require.NotEmpty(t, ada.press(protocol.FloorRequest{}).State)
}

// A priority is what one may have at most, and the answer says what that is.
func TestGatewayFloorPriorities(t *testing.T) {
	verifyNoLeaks(t)
	s := radioServer(t)
	owner := granted(t, s, "mia", auth.Grants{})
	owner.ack(protocol.OpChannelCreate, protocol.ChannelCreate{ChannelID: "net", Mode: protocol.ModePTT}, nil)
	visitor, _ := identify(t, s, "Gus")
	for name, one := range map[string]struct {
		c    *raw
		most int
	}{
		"guest":             {visitor, 0},
		"member":            {granted(t, s, "ben", auth.Grants{}), 0},
		"owner":             {owner, 100},
		"moderator":         {granted(t, s, "mod", roleOf(auth.RoleModerator)), 100},
		"moderates":         {granted(t, s, "moe", auth.Grants{Moderate: true}), 100},
		"admin":             {granted(t, s, "ruth", roleOf(auth.RoleAdmin)), 200},
		"token":             {granted(t, s, "tom", auth.Grants{PriorityMax: 5}), 5},
		"emergency":         {granted(t, s, "eve", auth.Grants{PriorityMax: 255}), 255},
		"moderator's token": {granted(t, s, "max", auth.Grants{Role: new(auth.RoleModerator), PriorityMax: 5}), 100},
	} {
		t.Run(name, func(t *testing.T) {
			one.c.joinChannel("net")
			for _, asked := range []int{0, 1, 5, 99, 100, 101, 200, 201, 255} {
				got := one.c.press(protocol.FloorRequest{Priority: asked})
				require.Equal(t, protocol.FloorRequestGranted, got.State)
				require.Equal(t, min(asked, one.most), got.Priority)
			}
			one.c.ack(protocol.OpChannelLeave, protocol.ChannelRef{ChannelID: "net"}, nil)
		})
	}
}

// The emergency takes the floor from all others, and none of them from it.
func TestGatewayFloorIsPreempted(t *testing.T) {
	verifyNoLeaks(t)
	s := radioServer(t)
	ben, ruth := onAir(t, s, "ben", auth.Grants{}), onAir(t, s, "ruth", roleOf(auth.RoleAdmin))
	eve := onAir(t, s, "eve", auth.Grants{PriorityMax: protocol.MaxPriority})
	grant := ben.press(protocol.FloorRequest{}).GrantID
	require.Equal(t, protocol.FloorRequestGranted, ruth.press(protocol.FloorRequest{Priority: 1}).State)
	var revoked protocol.FloorRevoke
	ben.event(protocol.OpFloorRevoke, &revoked)
	require.Equal(t, protocol.FloorRevoke{ChannelID: "radio", GrantID: grant, Cause: protocol.FloorPreempted}, revoked)
	require.Equal(t, protocol.FloorRequestGranted, eve.press(protocol.FloorRequest{Priority: protocol.MaxPriority}).State)
	require.Equal(t, 1, ruth.press(protocol.FloorRequest{Priority: protocol.MaxPriority}).Position)
	require.Equal(t, 2, ben.press(protocol.FloorRequest{Priority: protocol.MaxPriority}).Position)
	ben.fails(protocol.OpFloorRelease, protocol.FloorRef{GrantID: grant}, protocol.CodeNotHolder)
}

// Moderators take the floor back, from those below them.
func TestGatewayFloorIsTakenBack(t *testing.T) {
	verifyNoLeaks(t)
	s := radioServer(t)
	ben, mod := onAir(t, s, "ben", auth.Grants{}), onAir(t, s, "mod", roleOf(auth.RoleModerator))
	other, ruth := granted(t, s, "moe", roleOf(auth.RoleModerator)), granted(t, s, "ruth", roleOf(auth.RoleAdmin))
	visitor, _ := identify(t, s, "Gus")
	take := protocol.FloorClear{ChannelID: "radio", Reason: "enough  said"}
	mod.fails(protocol.OpFloorClear, take, protocol.CodeNotHolder)
	mod.fails(protocol.OpFloorClear, protocol.FloorClear{ChannelID: "nowhere"}, protocol.CodeChannelNotFound)
	mod.fails(protocol.OpFloorClear, protocol.FloorClear{}, protocol.CodeChannelNotFound)
	mod.fails(protocol.OpFloorClear, protocol.FloorClear{ChannelID: "lobby"}, protocol.CodeNotHolder)
	mod.fails(protocol.OpFloorClear, map[string]any{"channel_id": "radio", "reason": 7}, protocol.CodeInvalidPayload)

	grant := ben.press(protocol.FloorRequest{}).GrantID
	visitor.fails(protocol.OpFloorClear, take, protocol.CodeAccessDenied)
	ben.fails(protocol.OpFloorClear, take, protocol.CodeAccessDenied)
	var done protocol.FloorClear
	mod.ack(protocol.OpFloorClear, take, &done)
	require.Equal(t, protocol.FloorClear{ChannelID: "radio", Reason: "enough said"}, done)
	var revoked protocol.FloorRevoke
	ben.event(protocol.OpFloorRevoke, &revoked)
	require.Equal(t, protocol.FloorRevoke{
		ChannelID: "radio", GrantID: grant, Cause: protocol.FloorModerator, ByID: "mod", ByName: "mod",
	}, revoked)
	ben.event(protocol.OpFloorIdle, &protocol.FloorIdle{})

	mod.press(protocol.FloorRequest{})
	other.fails(protocol.OpFloorClear, take, protocol.CodeAccessDenied) // an equal
	mod.fails(protocol.OpFloorClear, take, protocol.CodeAccessDenied)   // oneself
	ruth.ack(protocol.OpFloorClear, protocol.FloorClear{ChannelID: "radio"}, nil)
	mod.event(protocol.OpFloorRevoke, &revoked)
	require.Equal(t, "ruth", revoked.ByID)

	// Beside their own over, they take the floor.
	ruth.ack(protocol.OpChannelUpdate, protocol.ChannelUpdate{
		ChannelID: "radio", ChannelSettings: floorSettings(protocol.FloorSettings{Over: new(true)}),
	}, nil)
	over := mod.press(protocol.FloorRequest{Over: true})
	ben.press(protocol.FloorRequest{})
	mod.ack(protocol.OpFloorClear, take, nil)
	mod.reply(protocol.OpFloorPing, protocol.FloorRef{GrantID: over.GrantID}, protocol.OpFloorPong, nil)

	listed(mod) // its request is over, and not just answered
	var audit protocol.Audit
	ruth.ack(protocol.OpAudit, protocol.AuditRequest{}, &audit)
	require.Len(t, audit.Deeds, 3)
	require.Equal(t, [4]string{"floor", "ben", "mod", "enough said"},
		[4]string{string(audit.Deeds[2].Action), audit.Deeds[2].UserID, audit.Deeds[2].ByID, audit.Deeds[2].Reason})
}

// Those who moderate may speak beside who has the floor, where the channel lets them, and it is told as that.
func TestGatewaySpeakingOverTheFloor(t *testing.T) {
	verifyNoLeaks(t)
	s := radioServer(t)
	ben, mod, moe := onAir(t, s, "ben", auth.Grants{}), onAir(t, s, "mod", roleOf(auth.RoleModerator)), onAir(t, s, "moe", roleOf(auth.RoleModerator))
	ruth := granted(t, s, "ruth", roleOf(auth.RoleAdmin))
	over := protocol.FloorRequest{Over: true}
	mod.fails(protocol.OpFloorRequest, over, protocol.CodeFloorDenied)
	set := func(over bool) {
		t.Helper()
		ruth.ack(protocol.OpChannelUpdate, protocol.ChannelUpdate{
			ChannelID: "radio", ChannelSettings: floorSettings(protocol.FloorSettings{Over: &over}),
		}, nil)
	}
	set(true)
	ben.fails(protocol.OpFloorRequest, over, protocol.CodeAccessDenied)
	ben.press(protocol.FloorRequest{})
	ben.events = nil
	got := mod.press(over)
	require.Equal(t, protocol.FloorRequestGranted, got.State)
	var mine protocol.FloorGranted
	for !mine.Over {
		mod.event(protocol.OpFloorGranted, &mine)
	}
	require.Equal(t, got.GrantID, mine.GrantID)
	var taken protocol.FloorTaken
	ben.event(protocol.OpFloorTaken, &taken)
	require.True(t, taken.Over)
	require.Equal(t, "mod", taken.UserID)
	moe.fails(protocol.OpFloorRequest, over, protocol.CodeFloorDenied)
	mod.fails(protocol.OpFloorRequest, protocol.FloorRequest{}, protocol.CodeFloorDenied) // one is enough
	ben.fails(protocol.OpFloorRelease, protocol.FloorRef{GrantID: got.GrantID}, protocol.CodeNotHolder)
	joined := granted(t, s, "cy", auth.Grants{}).joinChannel("radio")
	require.Equal(t, [2]string{"ben", "mod"}, [2]string{joined.Floor.Holder.UserID, joined.Floor.Over.UserID})
	require.Equal(t, [2]string{"ben", "mod"}, [2]string{*joined.Slots[0].UserID, *joined.Slots[1].UserID})

	set(false)
	var revoked protocol.FloorRevoke
	mod.event(protocol.OpFloorRevoke, &revoked)
	require.Equal(t, protocol.FloorRevoke{ChannelID: "radio", GrantID: got.GrantID, Cause: protocol.FloorForbidden, Over: true}, revoked)
	var idle protocol.FloorIdle
	ben.event(protocol.OpFloorIdle, &idle)
	require.True(t, idle.Over, "the floor is ben's still")
	ben.released()
}

// How the floor is given outlives the server, and a channel of the configuration follows it.
func TestGatewayFloorSettingsOutliveTheServer(t *testing.T) {
	verifyNoLeaks(t)
	data := t.TempDir()
	with := func(channels ...string) func(*app.Config) {
		return func(c *app.Config) {
			c.Data, c.Channels, c.Secret, c.AllowGuests = data, channels, testSecret, new(true)
		}
	}
	s := startServer(t, with("lobby", "radio"))
	mia := identifyAs(t, s, "mia", false)
	find := func(c *raw, id string) protocol.ChannelInfo {
		t.Helper()
		var detail protocol.ChannelDetail
		c.ack(protocol.OpChannelInfo, protocol.ChannelRef{ChannelID: id}, &detail)
		return detail.ChannelInfo
	}
	require.Equal(t, protocol.ModeConference, find(mia, "radio").Mode)
	own := protocol.FloorSettings{TalkMS: new(int64(60_000)), PauseMS: new(int64(500)), Queue: new(3), CutIn: new(true), Over: new(true)}
	var made protocol.ChannelInfo
	mia.ack(protocol.OpChannelCreate, protocol.ChannelCreate{ChannelID: "net", Mode: protocol.ModePTT, ChannelSettings: floorSettings(own)}, &made)
	require.Equal(t, &own, made.Floor)
	mia.ack(protocol.OpChannelCreate, protocol.ChannelCreate{ChannelID: "plain", Mode: protocol.ModePTT}, nil)
	made = protocol.ChannelInfo{} // what is absent stays in Go
	mia.ack(protocol.OpChannelUpdate, protocol.ChannelUpdate{
		ChannelID: "net", ChannelSettings: floorSettings(protocol.FloorSettings{PauseMS: new(int64(-1)), TalkMS: new(int64(0)), CutIn: new(false)}),
	}, &made)
	own = protocol.FloorSettings{TalkMS: new(int64(0)), Queue: new(3), Over: new(true)}
	require.Equal(t, &own, made.Floor)

	s.stop()
	s = startServer(t, with("lobby", "radio:ptt")) // on other ports: the same may be another's by now
	mia = identifyAs(t, s, "mia", false)
	require.Equal(t, made, find(mia, "net"))
	require.Equal(t, protocol.ModePTT, find(mia, "plain").Mode)
	require.Nil(t, find(mia, "plain").Floor)
	require.Equal(t, protocol.ModePTT, find(mia, "radio").Mode, "the configuration counts")
	mia.joinChannel("net")
	var mine protocol.FloorGranted
	mia.press(protocol.FloorRequest{})
	mia.event(protocol.OpFloorGranted, &mine)
	require.Nil(t, mine.LeftMS, "for as long as she likes")

	// And where it names no mode, the channel stays what it was.
	s.stop()
	s = startServer(t, with("lobby", "radio"))
	require.Equal(t, protocol.ModePTT, find(identifyAs(t, s, "mia", false), "radio").Mode)
}

package e2e

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mini-livechat/mini-livechat/cmd/app"
	"github.com/mini-livechat/mini-livechat/signaling/auth"
	"github.com/mini-livechat/mini-livechat/signaling/protocol"
)

// radioServer starts a server with a lobby and a radio, where one talks at a time, and need not hurry.
func radioServer(t *testing.T, configure ...func(*app.Config)) *server {
	t.Helper()
	return startServer(t, append([]func(*app.Config){func(c *app.Config) {
		c.Secret, c.AllowGuests, c.Channels = testSecret, new(true), []string{app.DefaultChannel, app.DefaultRadio}
		c.Floor.Talk, c.Floor.PingTimeout = 5*time.Minute, time.Minute
	}}, configure...)...)
}

// onAir is a member of the radio.
func onAir(t *testing.T, s *server, userID string, grants auth.Grants) *raw {
	t.Helper()
	c := granted(t, s, userID, grants)
	c.joinChannel("radio")
	return c
}

// press asks for the floor.
func (c *raw) press(d protocol.FloorRequest) (got protocol.FloorRequested) {
	c.t.Helper()
	c.ack(protocol.OpFloorRequest, d, &got)
	return got
}

func (c *raw) released() {
	c.t.Helper()
	c.ack(protocol.OpFloorRelease, protocol.FloorRef{}, nil)
}

// roleOf are the grants of a role.
func roleOf(role auth.Role) auth.Grants { return auth.Grants{Role: &role} }

// One after the other has the floor, and all are told what the protocol says, in its order.
func TestGatewayFloorGoesRound(t *testing.T) {
	verifyNoLeaks(t)
	s := radioServer(t)
	ada, ben := onAir(t, s, "ada", auth.Grants{}), onAir(t, s, "ben", auth.Grants{})
	ada.events, ben.events = nil, nil
	got := ada.press(protocol.FloorRequest{})
	require.Equal(t, protocol.FloorRequestGranted, got.State)
	require.NotZero(t, got.GrantID)
	var mine protocol.FloorGranted
	ada.event(protocol.OpFloorGranted, &mine)
	require.Equal(t, got.GrantID, mine.GrantID)
	require.InDelta(t, 300_000, *mine.LeftMS, 60_000)
	require.EqualValues(t, 5_000, *mine.WarnMS)
	require.EqualValues(t, 60_000, mine.PingTimeoutMS)
	require.InDelta(t, time.Now().UnixMilli(), mine.Since, 60_000)
	var taken protocol.FloorTaken
	ben.event(protocol.OpFloorTaken, &taken)
	holder := protocol.FloorHolder{UserID: "ada", Name: "ada", Since: mine.Since}
	require.Equal(t, protocol.FloorTaken{ChannelID: "radio", FloorHolder: holder}, taken)

	require.Equal(t, protocol.FloorRequested{State: protocol.FloorRequestQueued, Position: 1, Size: 1}, ben.press(protocol.FloorRequest{}))
	cy := granted(t, s, "cy", auth.Grants{})
	require.Equal(t, &protocol.Floor{Holder: &holder, Waiting: 1}, cy.joinChannel("radio").Floor)
	require.Equal(t, 2, cy.press(protocol.FloorRequest{}).Position)
	var pong protocol.FloorPong
	ada.reply(protocol.OpFloorPing, protocol.FloorRef{GrantID: got.GrantID}, protocol.OpFloorPong, &pong)
	require.Equal(t, got.GrantID, pong.GrantID)
	require.InDelta(t, 300_000, *pong.LeftMS, 60_000)
	ada.ack(protocol.OpFloorRelease, protocol.FloorRef{GrantID: got.GrantID}, nil)

	mine = protocol.FloorGranted{}
	ben.event(protocol.OpFloorGranted, &mine)
	require.NotEqual(t, got.GrantID, mine.GrantID)
	ada.event(protocol.OpFloorTaken, &taken)
	require.Equal(t, "ben", taken.UserID)
	cy.event(protocol.OpFloorTaken, &taken)
	var place protocol.FloorQueuePosInfo
	cy.event(protocol.OpFloorQueue, &place)
	require.Equal(t, protocol.FloorQueuePosInfo{ChannelID: "radio", Position: 1, Size: 1}, place)
	cy.released() // its place
	ben.released()
	for _, c := range []*raw{ada, ben, cy} {
		var idle protocol.FloorIdle
		c.event(protocol.OpFloorIdle, &idle)
		require.Equal(t, protocol.FloorIdle{ChannelID: "radio"}, idle)
	}
	ada.fails(protocol.OpFloorPing, protocol.FloorRef{GrantID: got.GrantID}, protocol.CodeNotHolder)
}

// A holder whose WebSocket breaks goes on when it is back in time.
func TestGatewayFloorIsKeptForAWhile(t *testing.T) {
	verifyNoLeaks(t)
	s := radioServer(t)
	ada, ben := onAir(t, s, "ada", auth.Grants{}), onAir(t, s, "ben", auth.Grants{})
	got := ada.press(protocol.FloorRequest{})
	require.Equal(t, protocol.FloorRequestQueued, ben.press(protocol.FloorRequest{}).State)
	ada.cut()
	ada, resumed, _ := ada.resume(s)
	require.Equal(t, "ada", resumed.Floor.Holder.UserID)
	require.Equal(t, got.GrantID, resumed.Floor.Grant.GrantID)
	require.Equal(t, 1, resumed.Floor.Waiting)
	ada.reply(protocol.OpFloorPing, protocol.FloorRef{GrantID: got.GrantID}, protocol.OpFloorPong, nil)

	ben.cut()
	ben, resumed, _ = ben.resume(s)
	require.Nil(t, resumed.Floor.Grant)
	require.Equal(t, [2]int{1, 1}, [2]int{resumed.Floor.Position, resumed.Floor.Size})
	ada.released()
	ben.event(protocol.OpFloorGranted, &protocol.FloorGranted{})

	// What one has given back is not one's own, though still heard.
	ben.released()
	ben.cut()
	_, resumed, _ = ben.resume(s)
	require.Nil(t, resumed.Floor.Grant)
}

// A holder who does not come back in time has lost it, and is told so when it comes.
func TestGatewayFloorIsNotKeptForLong(t *testing.T) {
	verifyNoLeaks(t)
	s := radioServer(t, func(c *app.Config) { c.Floor.PingTimeout = 4 * time.Second })
	ada, ben := onAir(t, s, "ada", auth.Grants{}), onAir(t, s, "ben", auth.Grants{})
	got := ada.press(protocol.FloorRequest{})
	ada.event(protocol.OpFloorGranted, &protocol.FloorGranted{})
	ben.press(protocol.FloorRequest{})
	ada.cut()
	ben.event(protocol.OpFloorGranted, &protocol.FloorGranted{})
	ada, resumed, _ := ada.resume(s)
	require.Equal(t, "ben", resumed.Floor.Holder.UserID)
	require.Nil(t, resumed.Floor.Grant)
	var revoked protocol.FloorRevoke
	ada.event(protocol.OpFloorRevoke, &revoked)
	require.Equal(t, protocol.FloorRevoke{ChannelID: "radio", GrantID: got.GrantID, Cause: protocol.FloorSilent}, revoked)
	var taken protocol.FloorTaken
	ada.event(protocol.OpFloorTaken, &taken)
	require.Equal(t, "ben", taken.UserID)
	ada.fails(protocol.OpFloorPing, protocol.FloorRef{GrantID: got.GrantID}, protocol.CodeNotHolder)
	ada.fails(protocol.OpFloorRelease, protocol.FloorRef{GrantID: got.GrantID}, protocol.CodeNotHolder)
}

// What was asked before a connection broke is answered as it was, and not done again.
func TestGatewayFloorIsAskedForOnce(t *testing.T) {
	verifyNoLeaks(t)
	s := radioServer(t)
	ada, ben := onAir(t, s, "ada", auth.Grants{}), onAir(t, s, "ben", auth.Grants{})
	const press = `{"op":30,"id":"press","d":{"priority":9}}`
	answer := func() (got protocol.FloorRequested) {
		t.Helper()
		for {
			frame := ada.read()
			if frame.S != 0 || frame.Op == protocol.OpSpeakers {
				continue
			}
			require.Equal(t, [2]any{"press", protocol.OpAck}, [2]any{frame.ID, frame.Op}, "%s", frame.D)
			var ack struct {
				Data json.RawMessage `json:"data"`
			}
			require.NoError(t, frame.Bind(&ack))
			require.NoError(t, json.Unmarshal(ack.Data, &got))
			return got
		}
	}
	ada.send(press)
	first := answer()
	require.Equal(t, protocol.FloorRequestGranted, first.State)
	ada.released()
	ben.event(protocol.OpFloorIdle, &protocol.FloorIdle{})
	ada.cut()
	ada, resumed, _ := ada.resume(s)
	require.Nil(t, resumed.Floor.Holder)
	ada.send(press)
	require.Equal(t, first, answer())
	ada.fails(protocol.OpFloorPing, protocol.FloorRef{GrantID: first.GrantID}, protocol.CodeNotHolder)
	ben.events = nil
	ben.quiet()
	again := ada.press(protocol.FloorRequest{})
	require.NotEqual(t, first.GrantID, again.GrantID)
}

// Nobody presses faster than fingers do.
func TestGatewayFloorHasALimit(t *testing.T) {
	verifyNoLeaks(t)
	s := radioServer(t)
	ada := onAir(t, s, "ada", auth.Grants{})
	const many = 140 // 50 at once, and not so many that the connection is closed
	limited := 0
	for range many {
		ada.request(protocol.OpFloorRelease, protocol.FloorRef{})
	}
	for range many {
		frame := ada.read()
		var refused protocol.Error
		require.NoError(t, frame.Bind(&refused))
		if refused.Code == protocol.CodeRateLimited {
			require.Positive(t, refused.RetryAfterMS)
			limited++
		} else {
			require.Equal(t, protocol.CodeNotHolder, refused.Code)
		}
	}
	require.Positive(t, limited)
	require.LessOrEqual(t, limited, many-50)
}

// Who is moved into the channel is told of its floor, and who is moved away, or comes again as another session, has it no more.
func TestGatewayFloorIsLeftBehind(t *testing.T) {
	verifyNoLeaks(t)
	s := radioServer(t)
	mod := granted(t, s, "mod", roleOf(auth.RoleModerator))
	ada, ben := onAir(t, s, "ada", auth.Grants{}), granted(t, s, "ben", auth.Grants{})
	ben.joinChannel("lobby")
	listed(ben) // the request is over, and not just answered
	grant := ada.press(protocol.FloorRequest{}).GrantID
	mod.ack(protocol.OpMemberMove, protocol.MemberMove{UserID: "ben", ChannelID: "radio"}, nil)
	listed(mod)
	var moved protocol.ModerationEvent
	for moved.Joined == nil {
		ben.event(protocol.OpModerationEvent, &moved)
	}
	require.Equal(t, "ada", moved.Joined.Floor.Holder.UserID)
	ben.press(protocol.FloorRequest{})
	mod.ack(protocol.OpMemberMove, protocol.MemberMove{UserID: "ada", ChannelID: "lobby"}, nil)
	listed(mod)
	ben.event(protocol.OpFloorGranted, &protocol.FloorGranted{})
	ada.fails(protocol.OpFloorPing, protocol.FloorRef{GrantID: grant}, protocol.CodeFloorDenied)

	cy := onAir(t, s, "cy", auth.Grants{})
	require.Equal(t, 1, cy.press(protocol.FloorRequest{}).Position)
	again := onAir(t, s, "ben", auth.Grants{})
	cy.event(protocol.OpFloorGranted, &protocol.FloorGranted{})
	require.Equal(t, 1, again.press(protocol.FloorRequest{}).Position)
}

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

// TestGatewayHiddenChannelsGoUnseen: whoever may not know of a channel for the invited is not told by presence that it is deleted.
func TestGatewayHiddenChannelsGoUnseen(t *testing.T) {
	s := startServer(t, func(c *app.Config) { c.Secret, c.AllowGuests = testSecret, new(true) })
	gwen, _ := identify(t, s, "Gwen")
	gwen.ack(protocol.OpPresence, protocol.PresenceWatch{Watch: new(true)}, nil)
	olga := identifyAs(t, s, "olga", false)
	olga.ack(protocol.OpChannelCreate, protocol.ChannelCreate{
		ChannelID: "board", ChannelSettings: protocol.ChannelSettings{Access: new(protocol.AccessInvited)},
	}, nil)
	olga.joinChannel("board")
	olga.ack(protocol.OpChannelDelete, protocol.ChannelRef{ChannelID: "board"}, nil)
	// What is told of a channel that she may know of comes after whatever there was to tell of the other.
	for range 2 {
		olga.joinChannel("lobby")
		var d protocol.Presence
		for len(d.Channels) == 0 || d.Channels[0].ChannelID != "lobby" {
			d = protocol.Presence{}
			gwen.event(protocol.OpPresenceEvent, &d)
			for _, c := range d.Channels {
				require.NotEqual(t, "board", c.ChannelID)
			}
		}
		olga.ack(protocol.OpChannelLeave, protocol.ChannelRef{ChannelID: "lobby"}, nil)
		time.Sleep(300 * time.Millisecond) // another round of what watchers are told
	}
}

// TestGatewayFloorOfThoseWhoVanish: somebody who lost the connection while waiting does not get the floor, and is told why.
func TestGatewayFloorOfThoseWhoVanish(t *testing.T) {
	s := radioServer(t)
	alice, bob, eve := onAir(t, s, "alice", auth.Grants{}), onAir(t, s, "bob", auth.Grants{}), onAir(t, s, "eve", auth.Grants{})
	require.Equal(t, protocol.FloorRequestGranted, alice.press(protocol.FloorRequest{}).State)
	require.Equal(t, 1, bob.press(protocol.FloorRequest{}).Position)
	require.Equal(t, 2, eve.press(protocol.FloorRequest{}).Position)
	bob.cut()
	var place protocol.FloorQueuePosInfo
	for place.Position != 1 {
		eve.event(protocol.OpFloorQueue, &place)
	}
	alice.ack(protocol.OpFloorRelease, protocol.FloorRef{}, nil)
	var grant protocol.FloorGranted
	eve.event(protocol.OpFloorGranted, &grant)
	bob, resumed, _ := bob.resume(s)
	require.Zero(t, resumed.Floor.Position)
	var deny protocol.FloorDeny
	bob.event(protocol.OpFloorDeny, &deny)
	require.Equal(t, protocol.FloorEnded, deny.Cause)
}

// TestGatewayFloorWhenTheStageCloses: nobody gets the floor who is in the audience from that moment on.
func TestGatewayFloorWhenTheStageCloses(t *testing.T) {
	s := radioServer(t)
	root := identifyAs(t, s, "root", true)
	alice, bob := onAir(t, s, "alice", auth.Grants{}), onAir(t, s, "bob", auth.Grants{})
	alice.press(protocol.FloorRequest{})
	bob.press(protocol.FloorRequest{})
	root.ack(protocol.OpChannelUpdate, protocol.ChannelUpdate{
		ChannelID: "radio", ChannelSettings: protocol.ChannelSettings{Speaking: new(protocol.SpeakingModerators)},
	}, nil)
	var deny protocol.FloorDeny
	bob.event(protocol.OpFloorDeny, &deny)
	require.Equal(t, protocol.FloorEnded, deny.Cause)
	bob.reply(protocol.OpHeartbeat, protocol.Heartbeat{}, protocol.OpHeartbeatAck, nil)
	for _, event := range bob.events {
		require.NotEqual(t, protocol.OpFloorGranted, event.Op)
	}
}

// TestGatewayReasonsAreShort, whatever was sent.
func TestGatewayReasonsAreShort(t *testing.T) {
	s := startServer(t, func(c *app.Config) { c.Secret = testSecret })
	root := identifyAs(t, s, "root", true)
	reason := root.fails(protocol.OpFloorClear, protocol.FloorClear{ChannelID: strings.Repeat("‹", 20_000)}, protocol.CodeChannelNotFound)
	require.Less(t, len(reason), 2_000)
	root.fails(protocol.OpAudit, protocol.AuditRequest{Before: 1 << 63}, protocol.CodeInvalidPayload)
}

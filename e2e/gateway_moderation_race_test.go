package e2e

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/mini-livechat/mini-livechat/cmd/app"
	"github.com/mini-livechat/mini-livechat/signaling/protocol"
)

// TestGatewayMovedMayAskAtOnce: whoever is told of another channel is in it by then.
func TestGatewayMovedMayAskAtOnce(t *testing.T) {
	s := startServer(t, func(c *app.Config) {
		c.Channels = []string{"lobby", "garden"}
		c.Secret, c.RequestRate, c.RequestBurst = testSecret, 1000, 10_000
	})
	root := identifyAs(t, s, "root", true)
	ada := identifyAs(t, s, "ada", false)
	ada.joinChannel("lobby")
	at := []string{"garden", "lobby"}
	for i := range 60 {
		root.request(protocol.OpMemberMove, protocol.MemberMove{UserID: "ada", ChannelID: at[i%2]})
		for d := (protocol.ModerationEvent{}); d.Joined == nil; {
			ada.event(protocol.OpModerationEvent, &d)
		}
		ada.request(protocol.OpVoiceState, protocol.VoiceState{SelfMute: new(i%2 == 0)})
		var ack struct {
			Data protocol.VoiceStateEvent `json:"data"`
		}
		for frame := ada.read(); ; frame = ada.read() {
			if frame.Op == protocol.OpAck {
				require.NoError(t, frame.Bind(&ack))
				break
			}
		}
		require.Equal(t, at[i%2], ack.Data.ChannelID)
		for frame := root.read(); frame.Op != protocol.OpAck; {
			frame = root.read()
		}
	}
}

package e2e

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mini-livechat/mini-livechat/signaling/client"
	"github.com/mini-livechat/mini-livechat/signaling/protocol"
)

// Somebody who moves to another network talks on in the same call: no new join, no new sources, and nobody is told.
func TestTalkMovesToAnotherNetwork(t *testing.T) {
	verifyNoLeaks(t)
	for name, move := range map[string]func(*person){
		// A program that watches the machine's network says so. Its WebSocket is as dead as its media.
		"told": func(p *person) { require.NoError(p.t, p.call.RestartICE(soon(p.t))) },
		// The call finds out by itself that nothing comes any more.
		"found out": func(*person) {},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := startServer(t)
			var network cable
			bo := arrive(t, s, "bo").join("lobby").talk()
			ada := arrive(t, s, "ada", network.plug(t), comesBack).join("lobby").talk()
			ada.hears(bo)
			bo.hears(ada)
			source, slots := ada.call.SSRC(), ada.slotUsers()

			network.networks.Add(1)
			moved := time.Now()
			move(ada)
			ada.hears(bo)
			bo.hears(ada)
			t.Logf("silence: %v to the one who moved, %v to the other; heard again after %v",
				ada.longestSilence(bo), bo.longestSilence(ada), time.Since(moved))
			require.Equal(t, source, ada.call.SSRC())
			require.Equal(t, slots, ada.slotUsers())
			ada.lostOnly(bo)
			bo.lostOnly(ada)
			require.NoError(t, ada.call.Leave(soon(t)))
			require.Equal(t, protocol.LeaveLeft, bo.toldLeft(ada), "the first that bo is told of ada")
		})
	}
}

func TestTalkRestartsICEOnlyInACall(t *testing.T) {
	verifyNoLeaks(t)
	s := startServer(t)
	ada := arrive(t, s, "ada")
	err := ada.Request(soon(t), protocol.OpRenegotiate, protocol.Renegotiate{SDPOffer: offer(t, 1, 1)}, nil)
	var refused *protocol.Error
	require.ErrorAs(t, err, &refused)
	require.Equal(t, protocol.CodeNotInChannel, refused.Code)
	ada.join("lobby")
	err = ada.Request(soon(t), protocol.OpRenegotiate, protocol.Renegotiate{SDPOffer: offer(t, 1, 1)}, nil)
	require.ErrorAs(t, err, &refused)
	require.Equal(t, protocol.CodeUnsupportedMedia, refused.Code)
	require.NoError(t, ada.call.RestartICE(soon(t)))
	ada.leave()
	require.ErrorIs(t, ada.call.RestartICE(soon(t)), client.ErrLeft)
}

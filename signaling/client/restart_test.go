package client

import (
	"errors"
	"testing"
	"time"

	"github.com/pion/webrtc/v4"
	"github.com/stretchr/testify/require"

	"github.com/mini-livechat/mini-livechat/signaling/protocol"
)

// An ICE restart that came to nothing is no obstacle to the next one.
func TestICERestartAfterOneThatFailed(t *testing.T) {
	t.Parallel()
	room := newFakeRoom(t)
	refusals := 2
	room.onRenegotiate = func(c *fakeConn, f protocol.Frame, peer *fakePeer) {
		if refusals > 0 {
			refusals--
			c.refuse(f, protocol.CodeRateLimited)
			return
		}
		var d protocol.Renegotiate
		require.NoError(t, f.Bind(&d))
		offer := webrtc.SessionDescription{Type: webrtc.SDPTypeOffer, SDP: d.SDPOffer}
		require.NoError(t, peer.pc.SetRemoteDescription(offer))
		answer, err := peer.pc.CreateAnswer(nil)
		require.NoError(t, err)
		require.NoError(t, peer.pc.SetLocalDescription(answer))
		c.ack(f, protocol.Renegotiated{SDPAnswer: peer.pc.LocalDescription().SDP})
	}
	c := room.dial(Options{Token: "ada"})
	call, err := c.Join(testContext(t), "room", JoinOptions{Slots: 1})
	require.NoError(t, err)
	for range refusals {
		refused, ok := errors.AsType[*protocol.Error](call.RestartICE(testContext(t)))
		require.True(t, ok)
		require.Equal(t, protocol.CodeRateLimited, refused.Code)
	}
	require.NoError(t, call.RestartICE(testContext(t)))
	require.NoError(t, call.Leave(testContext(t)))
}

// A call whose path is dead, and whose session goes meanwhile, joins again as soon as there is another session: to look for
// another path is of no use any more.
func TestLostPlaceEndsTheSearchForAPath(t *testing.T) {
	t.Parallel()
	peers := make(chan *fakePeer, 10)
	searching := make(chan struct{})
	joins := 0
	join := func(c *fakeConn, f protocol.Frame) {
		var d protocol.ChannelJoin
		require.NoError(t, f.Bind(&d))
		peer, sdp := newFakePeer(t, d.SDPOffer, 1)
		c.ack(f, protocol.Joined{ChannelID: d.ChannelID, SDPAnswer: sdp})
		peers <- peer
		joins++
	}
	srv, _ := comings(t, func(c *fakeConn) {
		c.each(func(f protocol.Frame) {
			switch f.Op {
			case protocol.OpChannelJoin:
				join(c, f)
			case protocol.OpRenegotiate: // is never answered
				close(searching)
				c.cut()
			default:
				c.ack(f, struct{}{})
			}
		})
	}, func(c *fakeConn) {
		c.each(func(f protocol.Frame) {
			switch f.Op {
			case protocol.OpChannelJoin:
				join(c, f)
			case protocol.OpRenegotiate:
				c.refuse(f, protocol.CodeNotInChannel)
			default:
				c.ack(f, struct{}{})
			}
		})
	})
	c := srv.dial(Options{Token: "ada"})
	call, err := c.Join(testContext(t), "room", JoinOptions{Slots: 1})
	require.NoError(t, err)
	before := call.media.Load()
	before.complain()
	<-searching
	began := time.Now()
	waitFor(t, "it has joined again", func() bool { return call.media.Load() != before })
	require.Less(t, time.Since(began), restartPause)
	require.NoError(t, call.Leave(testContext(t)))
	require.NoError(t, c.Close())
	require.Equal(t, 2, joins)
	for range joins {
		require.NoError(t, (<-peers).pc.GracefulClose())
	}
}

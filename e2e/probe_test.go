package e2e

import (
	"sync"
	"testing"
	"time"

	"github.com/pion/webrtc/v4"
	"github.com/stretchr/testify/require"

	"github.com/mini-livechat/mini-livechat/cmd/app"
	"github.com/mini-livechat/mini-livechat/signaling/protocol"
)

// probing is a media connection that belongs to no channel.
type probing struct {
	*webrtc.PeerConnection

	connected chan struct{}
	// ended is closed when the server has closed the connection: by its DTLS alert, or as it
	// answers no checks any more.
	ended chan struct{}
}

// probe makes a media connection by MEDIA_PROBE.
func (c *raw) probe() *probing {
	c.t.Helper()
	p := newProbing(c.t, webrtc.RTPTransceiverDirectionRecvonly)
	var answered protocol.MediaProbed
	c.ack(protocol.OpMediaProbe, protocol.MediaProbe{SDPOffer: p.LocalDescription().SDP}, &answered)
	p.answer(c.t, answered.SDPAnswer)
	return p
}

// newProbing makes a media connection of one line, with its offer, but no answer.
func newProbing(t *testing.T, direction webrtc.RTPTransceiverDirection) *probing {
	t.Helper()
	var settings webrtc.SettingEngine
	settings.SetIncludeLoopbackCandidate(true)
	settings.SetIPFilter(onLoopback)
	settings.SetICETimeouts(2*time.Second, 4*time.Second, 200*time.Millisecond)
	pc, err := webrtc.NewAPI(webrtc.WithSettingEngine(settings)).NewPeerConnection(webrtc.Configuration{})
	require.NoError(t, err)
	t.Cleanup(func() { _ = pc.Close() })
	p := &probing{PeerConnection: pc, connected: make(chan struct{}), ended: make(chan struct{})}
	connected, ended := sync.OnceFunc(func() { close(p.connected) }), sync.OnceFunc(func() { close(p.ended) })
	pc.OnConnectionStateChange(func(state webrtc.PeerConnectionState) {
		switch state {
		case webrtc.PeerConnectionStateConnected:
			connected()
		case webrtc.PeerConnectionStateClosed, webrtc.PeerConnectionStateDisconnected, webrtc.PeerConnectionStateFailed:
			ended()
		default:
		}
	})
	_, err = pc.AddTransceiverFromKind(webrtc.RTPCodecTypeAudio, webrtc.RTPTransceiverInit{Direction: direction})
	require.NoError(t, err)
	offer, err := pc.CreateOffer(nil)
	require.NoError(t, err)
	require.NoError(t, pc.SetLocalDescription(offer))
	return p
}

func (p *probing) answer(t *testing.T, sdp string) {
	t.Helper()
	require.NoError(t, p.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeAnswer, SDP: sdp}))
}

// wait waits for one of a probe's states.
func (c *raw) wait(state <-chan struct{}, reason string) {
	c.t.Helper()
	select {
	case <-state:
	case <-time.After(patience):
		c.t.Fatal("not " + reason)
	}
}

// A probe connects in a channel and outside of one, and nobody else notices.
func TestProbe(t *testing.T) {
	verifyNoLeaks(t)
	s := startServer(t, func(c *app.Config) { c.TURN = false })
	bo, _ := identify(t, s, "Bo")
	bo.joinChannel("lobby")
	ada, _ := identify(t, s, "Ada")
	ada.wait(ada.probe().connected, "connected")
	var list protocol.ChannelList
	ada.ack(protocol.OpChannelList, struct{}{}, &list)
	require.Len(t, list.Channels, 1)
	require.Equal(t, 1, list.Channels[0].MemberCount)
	bo.wait(bo.probe().connected, "connected beside a channel")
	bo.quiet()
}

// A probe is small: one line, and that to listen on.
func TestProbeIsSmall(t *testing.T) {
	verifyNoLeaks(t)
	ada, _ := identify(t, startServer(t), "Ada")
	for _, lines := range [][2]int{{1, 0}, {1, 1}, {0, 2}} {
		reason := ada.fails(protocol.OpMediaProbe, protocol.MediaProbe{SDPOffer: offer(t, lines[0], lines[1])}, protocol.CodeUnsupportedMedia)
		require.Contains(t, reason, "one recvonly line")
	}
	ada.ack(protocol.OpMediaProbe, protocol.MediaProbe{SDPOffer: offer(t, 0, 1)}, nil)
}

// A probe ends when there are too many, and with the session.
func TestProbesEnd(t *testing.T) {
	verifyNoLeaks(t)
	s := startServer(t, func(c *app.Config) { c.TURN = false })
	ada, _ := identify(t, s, "Ada")
	all := make([]*probing, 0, 8)
	for range 8 {
		p := ada.probe()
		ada.wait(p.connected, "connected")
		all = append(all, p)
	}
	for _, p := range all {
		select {
		case <-p.ended:
			t.Fatal("ended too early")
		default:
		}
	}
	next := ada.probe()
	ada.wait(next.connected, "connected")
	ada.wait(all[0].ended, "closed by the ninth")
	ada.farewell()
	for _, p := range append(all[1:], next) {
		ada.wait(p.ended, "closed with the session")
	}
}

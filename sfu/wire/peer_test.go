package wire

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/pion/dtls/v3"
	"github.com/pion/ice/v4"
	"github.com/pion/logging"
	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4"
	"github.com/stretchr/testify/require"
)

// Peers for the tests: a server side as sfu will build it, on an Engine, and a plain pion client.

const (
	pollTimeout = 10 * time.Second
	tick        = 5 * time.Millisecond
)

func loopback() netip.AddrPort { return netip.MustParseAddrPort("127.0.0.1:0") }

func startEngine(tb testing.TB, cfg Config) *Engine {
	tb.Helper()
	if len(cfg.Addrs) == 0 {
		cfg.Addrs = []netip.AddrPort{loopback()}
	}
	e, err := Listen(cfg)
	require.NoError(tb, err)
	tb.Cleanup(func() { require.NoError(tb, e.Close()) })
	return e
}

// receiverFunc is a Receiver.
type receiverFunc func(b *Batch, ep *Endpoint, packet []byte, at time.Time)

func (f receiverFunc) OnRTP(b *Batch, ep *Endpoint, packet []byte, at time.Time) {
	f(b, ep, packet, at)
}

func quiet() *logging.DefaultLoggerFactory {
	f := logging.NewDefaultLoggerFactory()
	f.DefaultLogLevel = logging.LogLevelDisabled
	f.ScopeLevels = map[string]logging.LogLevel{}
	return f
}

// serverPeer is the server's side of one peer.
type serverPeer struct {
	tap    KeyTap
	pc     *webrtc.PeerConnection
	ep     *Endpoint
	ready  chan error // one value when the keys are set
	sender *Sender    // of the first slot
	pt     uint8
	onBind func(netip.AddrPort)
}

func newServerPeer(tb testing.TB, e *Engine, r Receiver) *serverPeer {
	tb.Helper()
	p := &serverPeer{ep: e.NewEndpoint(r), ready: make(chan error, 1)}
	se := webrtc.SettingEngine{LoggerFactory: quiet()}
	p.tap.Attach(&se)
	se.SetLite(true)
	se.SetICEUDPMux(e.UDPMux())
	se.SetICEMulticastDNSMode(ice.MulticastDNSModeDisabled)
	se.SetIncludeLoopbackCandidate(true)
	se.SetNetworkTypes([]webrtc.NetworkType{webrtc.NetworkTypeUDP4, webrtc.NetworkTypeUDP6})
	require.NoError(tb, se.SetAnsweringDTLSRole(webrtc.DTLSRoleServer))
	me := &webrtc.MediaEngine{}
	require.NoError(tb, me.RegisterDefaultCodecs())
	pc, err := webrtc.NewAPI(webrtc.WithSettingEngine(se), webrtc.WithMediaEngine(me)).
		NewPeerConnection(webrtc.Configuration{})
	require.NoError(tb, err)
	p.pc = pc
	return p
}

// answer takes the offer and gives the answer, with all candidates in it.
func (p *serverPeer) answer(tb testing.TB, offer webrtc.SessionDescription) webrtc.SessionDescription {
	tb.Helper()
	require.NoError(tb, p.pc.SetRemoteDescription(offer))
	if p.sender == nil {
		p.addSlot(tb)
	}
	answer, err := p.pc.CreateAnswer(nil)
	require.NoError(tb, err)
	done := webrtc.GatheringCompletePromise(p.pc)
	require.NoError(tb, p.pc.SetLocalDescription(answer))
	<-done
	return *p.pc.LocalDescription()
}

// addSlot makes the sending side of the answer and hooks up keys and address.
func (p *serverPeer) addSlot(tb testing.TB) {
	tb.Helper()
	track, err := webrtc.NewTrackLocalStaticRTP(webrtc.RTPCodecCapability{MimeType: webrtc.MimeTypeOpus}, "slot0", "slot0")
	require.NoError(tb, err)
	rtpSender, err := p.pc.AddTrack(track)
	require.NoError(tb, err)
	params := rtpSender.GetParameters()
	p.sender = p.ep.Sender(uint32(params.Encodings[0].SSRC))
	p.pt = 111

	transport := rtpSender.Transport()
	transport.ICETransport().OnSelectedCandidatePairChange(func(pair *webrtc.ICECandidatePair) {
		ip, err := netip.ParseAddr(pair.Remote.Address)
		if err != nil {
			return
		}
		addr := netip.AddrPortFrom(ip, pair.Remote.Port)
		if err := p.ep.Bind(addr); err != nil && !errors.Is(err, ErrClosed) {
			p.ready <- fmt.Errorf("bind: %w", err)
		}
		if p.onBind != nil {
			p.onBind(addr)
		}
	})
	transport.OnStateChange(func(s webrtc.DTLSTransportState) {
		if s != webrtc.DTLSTransportStateConnected {
			return
		}
		keys, err := p.tap.Keys()
		if err == nil {
			err = p.ep.SetKeys(keys)
		}
		p.ready <- err
	})
}

func (p *serverPeer) close(tb testing.TB) {
	tb.Helper()
	p.ep.Close()
	p.tap.Close()
	require.NoError(tb, p.pc.Close())
}

// clientPeer is a browser, as far as these tests go: a full ICE agent that offers.
type clientPeer struct {
	pc    *webrtc.PeerConnection
	track *webrtc.TrackLocalStaticRTP
	heard chan *rtp.Packet
}

func newClientPeer(tb testing.TB, networks []webrtc.NetworkType, ids ...dtls.SRTPProtectionProfile) *clientPeer {
	tb.Helper()
	se := webrtc.SettingEngine{LoggerFactory: quiet()}
	se.SetIncludeLoopbackCandidate(true)
	se.SetICEMulticastDNSMode(ice.MulticastDNSModeDisabled)
	se.SetNetworkTypes(networks)
	se.SetInterfaceFilter(func(name string) bool { return name == "lo" })
	if slices.Contains(networks, webrtc.NetworkTypeUDP6) { // pion gathers no IPv6 loopback by itself
		conn, err := net.ListenUDP("udp6", &net.UDPAddr{IP: net.IPv6loopback})
		require.NoError(tb, err)
		mux := ice.NewUDPMuxDefault(ice.UDPMuxParams{UDPConn: conn, Logger: quiet().NewLogger("ice")})
		tb.Cleanup(func() { _ = mux.Close() })
		se.SetICEUDPMux(mux)
	}
	if len(ids) > 0 {
		se.SetSRTPProtectionProfiles(ids...)
	}
	pc, err := webrtc.NewAPI(webrtc.WithSettingEngine(se)).NewPeerConnection(webrtc.Configuration{})
	require.NoError(tb, err)
	c := &clientPeer{pc: pc, heard: make(chan *rtp.Packet, 1000)}
	c.track, err = webrtc.NewTrackLocalStaticRTP(webrtc.RTPCodecCapability{MimeType: webrtc.MimeTypeOpus}, "mic", "mic")
	require.NoError(tb, err)
	_, err = pc.AddTransceiverFromTrack(c.track, webrtc.RTPTransceiverInit{Direction: webrtc.RTPTransceiverDirectionSendonly})
	require.NoError(tb, err)
	_, err = pc.AddTransceiverFromKind(webrtc.RTPCodecTypeAudio,
		webrtc.RTPTransceiverInit{Direction: webrtc.RTPTransceiverDirectionRecvonly})
	require.NoError(tb, err)
	pc.OnTrack(func(tr *webrtc.TrackRemote, _ *webrtc.RTPReceiver) {
		for {
			packet, _, err := tr.ReadRTP()
			if err != nil {
				return
			}
			select {
			case c.heard <- packet:
			default:
			}
		}
	})
	return c
}

// join connects a client to its server peer and waits until media can flow.
func join(tb testing.TB, c *clientPeer, s *serverPeer) {
	tb.Helper()
	offer, err := c.pc.CreateOffer(nil)
	require.NoError(tb, err)
	gathered := webrtc.GatheringCompletePromise(c.pc)
	require.NoError(tb, c.pc.SetLocalDescription(offer))
	<-gathered
	require.NoError(tb, c.pc.SetRemoteDescription(s.answer(tb, *c.pc.LocalDescription())))
	select {
	case err := <-s.ready:
		require.NoError(tb, err)
	case <-time.After(pollTimeout):
		require.Fail(tb, "DTLS did not finish", "ice %v", s.pc.ICEConnectionState())
	}
	require.Eventually(tb, func() bool { return c.pc.ConnectionState() == webrtc.PeerConnectionStateConnected },
		pollTimeout, tick, "client is not connected")
}

// talk writes packets 0..n-1 of one talker, numbered from first.
func (c *clientPeer) talk(tb testing.TB, first uint16, n int) {
	tb.Helper()
	for i := range n {
		seq := first + uint16(i)
		err := c.track.WriteRTP(&rtp.Packet{
			Header:  rtp.Header{Version: 2, SequenceNumber: seq, Timestamp: uint32(seq) * 960},
			Payload: fmt.Appendf(nil, "frame %d", seq),
		})
		if err != nil && !errors.Is(err, io.ErrClosedPipe) && !errors.Is(err, net.ErrClosed) {
			require.NoError(tb, err)
		}
	}
}

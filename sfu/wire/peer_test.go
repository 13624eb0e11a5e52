package wire

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"slices"
	"strings"
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
	pollTimeout = 45 * time.Second
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

// onLoopback are the addresses by which this machine reaches the engine.
func onLoopback(e *Engine) []netip.AddrPort {
	var reached []netip.AddrPort
	for _, a := range e.LocalAddrs() {
		if !a.Addr().IsUnspecified() {
			reached = append(reached, a)
			continue
		}
		reached = append(reached, netip.AddrPortFrom(loopback().Addr(), a.Port()))
		if a.Addr().Is6() {
			reached = append(reached, netip.AddrPortFrom(netip.IPv6Loopback(), a.Port()))
		}
	}
	return reached
}

// receiverFunc is a Receiver of RTP.
type receiverFunc func(b *Batch, ep *Endpoint, packet []byte, at time.Time)

func (f receiverFunc) OnRTP(b *Batch, ep *Endpoint, packet []byte, at time.Time) {
	f(b, ep, packet, at)
}
func (receiverFunc) OnRTCP(*Batch, *Endpoint, []byte, time.Time) {}
func (receiverFunc) OnConnected(*Endpoint)                       {}
func (receiverFunc) OnDisconnected(*Endpoint, error)             {}

func quiet() *logging.DefaultLoggerFactory {
	f := logging.NewDefaultLoggerFactory()
	f.DefaultLogLevel = logging.LogLevelDisabled
	f.ScopeLevels = map[string]logging.LogLevel{}
	return f
}

// serverPeer is the server's side of one peer.
type serverPeer struct {
	Receiver

	engine    *Engine
	ep        *Endpoint
	connected chan struct{}
	over      chan error
	rtcp      chan []byte
	sender    *Sender // of the only slot
	pt        uint8
}

func newServerPeer(_ testing.TB, e *Engine, r Receiver) *serverPeer {
	p := &serverPeer{
		Receiver: r, engine: e, connected: make(chan struct{}), over: make(chan error, 1), rtcp: make(chan []byte, 10),
	}
	p.ep = e.NewEndpoint(p)
	return p
}

func (p *serverPeer) OnConnected(*Endpoint)                 { close(p.connected) }
func (p *serverPeer) OnDisconnected(_ *Endpoint, err error) { p.over <- err }
func (p *serverPeer) OnRTCP(_ *Batch, _ *Endpoint, packet []byte, _ time.Time) {
	select {
	case p.rtcp <- bytes.Clone(packet):
	default:
	}
}

// answer takes the offer of a clientPeer and gives the answer, with all candidates in it.
func (p *serverPeer) answer(tb testing.TB, offer webrtc.SessionDescription) webrtc.SessionDescription {
	tb.Helper()
	value := func(key string) string {
		_, rest, _ := strings.Cut(offer.SDP, "a="+key+":")
		value, _, _ := strings.Cut(rest, "\r\n")
		return value
	}
	fingerprint, err := ParseFingerprint(value("fingerprint"))
	require.NoError(tb, err)
	theirs := Credentials{value("ice-ufrag"), value("ice-pwd")}
	var c Credentials
	if p.sender == nil {
		p.pt = 111
		p.sender = p.ep.Sender(4242)
		c, err = p.ep.Accept(theirs, fingerprint)
	} else {
		c, err = p.ep.Restart(theirs)
	}
	require.NoError(tb, err)
	return p.describe(c)
}

func (p *serverPeer) describe(c Credentials) webrtc.SessionDescription {
	var b strings.Builder
	fmt.Fprintf(&b, "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\na=group:BUNDLE 0 1\r\na=ice-lite\r\na=fingerprint:%s\r\n",
		p.engine.Fingerprint())
	for mid, direction := range []string{"recvonly", "sendonly"} {
		fmt.Fprintf(&b, "m=audio 9 UDP/TLS/RTP/SAVPF 111\r\nc=IN IP4 0.0.0.0\r\na=setup:passive\r\na=mid:%d\r\na=rtcp-mux\r\n"+
			"a=rtpmap:111 opus/48000/2\r\na=%s\r\na=ice-ufrag:%s\r\na=ice-pwd:%s\r\n", mid, direction, c.Ufrag, c.Pwd)
		for _, candidate := range Candidates(onLoopback(p.engine)) {
			fmt.Fprintf(&b, "a=candidate:%s\r\n", candidate)
		}
		if direction == "sendonly" {
			fmt.Fprintf(&b, "a=msid:slot0 slot0\r\na=ssrc:%d cname:server\r\n", p.sender.SSRC())
		}
	}
	return webrtc.SessionDescription{Type: webrtc.SDPTypeAnswer, SDP: b.String()}
}

func (p *serverPeer) close(testing.TB) { p.ep.Close() }

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
	case <-s.connected:
	case err := <-s.over:
		require.NoError(tb, err)
	case <-time.After(pollTimeout):
		require.Fail(tb, "not connected", "client %v, engine %+v", c.pc.ICEConnectionState(), s.engine.Stats())
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

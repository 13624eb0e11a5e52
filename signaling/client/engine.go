package client

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"fmt"
	"io"
	"net"
	"slices"
	"time"

	"github.com/pion/ice/v4"
	"github.com/pion/interceptor"
	"github.com/pion/logging"
	"github.com/pion/transport/v5"
	"github.com/pion/transport/v5/packetio"
	"github.com/pion/webrtc/v4"

	"github.com/mini-livechat/mini-livechat/signaling/protocol"
)

const (
	// opusClockRate is the RTP clock of Opus in hertz, whatever the sound's own sample
	// rate (RFC 7587, section 4.1).
	opusClockRate = 48000
	// opusPayloadType and redPayloadType are the dynamic RTP payload types offered, those
	// browsers use.
	opusPayloadType = 111
	redPayloadType  = 63
	// redMIME is redundant audio (RFC 2198); pion has no name for it.
	redMIME = "audio/red"
	// midURI names the header extension that carries a packet's m-line (RFC 9143,
	// section 15). Slots are told apart by it when the answer declares no SSRCs.
	midURI = "urn:ietf:params:rtp-hdrext:sdes:mid"
	// levelURI names the header extension that carries a packet's audio level (RFC 6464,
	// section 4).
	levelURI = "urn:ietf:params:rtp-hdrext:ssrc-audio-level"

	// ICE timing: consent is checked every 2 s; 5 s without an answer is a disturbance
	// that may pass, 15 s more an end.
	iceKeepalive    = 2 * time.Second
	iceDisconnected = 5 * time.Second
	iceFailed       = 15 * time.Second

	// relayWait is how long a relayed path that works is held back for a direct one.
	relayWait = 500 * time.Millisecond

	// dtlsRepeat is after how long a lost DTLS flight is repeated at first; pion doubles it
	// each time. Its own 1 s, 2 s, 4 s … leave few tries where three packets of ten are lost.
	dtlsRepeat = 200 * time.Millisecond

	// iceMaxChecks is how many checks, five a second, a candidate pair gets before it
	// is given up. pion's 7 are too few for a network that loses half of its packets.
	iceMaxChecks = 50
)

// EngineConfig configures NewEngine. The zero value is usable.
type EngineConfig struct {
	// LocalIP says which of the machine's addresses ICE may use; nil means all,
	// loopback included. Each one allowed costs every call a socket and a goroutine.
	LocalIP func(net.IP) bool
	// RelayOnly forbids every way but through the server's TURN relay.
	RelayOnly bool
	// UseTURN says which of the server's TURN URLs may be used, such as
	// "turn:example.org:3478?transport=udp"; nil means all.
	UseTURN func(url string) bool
	// LoggerFactory makes pion's loggers. nil means silence, unless pion's PION_LOG_*
	// environment variables ask for more.
	LoggerFactory logging.LoggerFactory
	// WithoutRED and WithoutNACK leave redundancy (RFC 2198) and negative acknowledgements
	// (RFC 4585) out of the offer, for peers that want packets as the server sends them and
	// not mended, such as a load generator.
	WithoutRED, WithoutNACK bool
	// Net, if set, stands between the calls and the system's network, which it is given.
	Net func(system transport.Net) transport.Net
	// Adjust, if set, changes pion's settings last. It must set neither a BufferFactory nor
	// a Net.
	Adjust func(*webrtc.SettingEngine)
}

// Engine holds what the calls of many clients can share: the codec table, the settings
// and the DTLS certificate, the one thing in a call that is expensive to make. It holds no
// sockets: a server with one UDP port tells clients apart by their address, so each call
// needs its own. An Engine is immutable and may be used from any goroutine; it needs no
// closing.
type Engine struct {
	settings     webrtc.SettingEngine
	media        *webrtc.MediaEngine
	interceptors *interceptor.Registry
	certificate  webrtc.Certificate
	policy       webrtc.ICETransportPolicy
	useTURN      func(url string) bool
	net          func(transport.Net) transport.Net
}

// NewEngine makes an Engine. It fails when the system has no randomness to give.
func NewEngine(cfg EngineConfig) (*Engine, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("engine: %w", err)
	}
	certificate, err := webrtc.GenerateCertificate(key)
	if err != nil {
		return nil, fmt.Errorf("engine: %w", err)
	}
	media := &webrtc.MediaEngine{}
	for _, codec := range codecs(cfg) {
		if err := media.RegisterCodec(codec, webrtc.RTPCodecTypeAudio); err != nil {
			return nil, fmt.Errorf("engine: %w", err)
		}
	}
	for _, uri := range []string{midURI, levelURI} {
		if err := media.RegisterHeaderExtension(
			webrtc.RTPHeaderExtensionCapability{URI: uri}, webrtc.RTPCodecTypeAudio,
		); err != nil {
			return nil, fmt.Errorf("engine: %w", err)
		}
	}
	policy := webrtc.ICETransportPolicyAll
	if cfg.RelayOnly {
		policy = webrtc.ICETransportPolicyRelay
	}
	return &Engine{
		policy:       policy,
		useTURN:      cfg.UseTURN,
		net:          cfg.Net,
		settings:     settings(cfg),
		media:        media,
		interceptors: &interceptor.Registry{},
		certificate:  *certificate,
	}, nil
}

// codecs are those to offer, in the order of preference: who offers RED first sends it.
func codecs(cfg EngineConfig) []webrtc.RTPCodecParameters {
	opus := webrtc.RTPCodecParameters{RTPCodecCapability: opusCodec(), PayloadType: opusPayloadType}
	red := webrtc.RTPCodecParameters{RTPCodecCapability: opusCodec(), PayloadType: redPayloadType}
	red.MimeType, red.SDPFmtpLine = redMIME, fmt.Sprintf("%d/%d", opusPayloadType, opusPayloadType)
	if !cfg.WithoutNACK {
		opus.RTCPFeedback = []webrtc.RTCPFeedback{{Type: webrtc.TypeRTCPFBNACK}}
	}
	if cfg.WithoutRED {
		return []webrtc.RTPCodecParameters{opus}
	}
	return []webrtc.RTPCodecParameters{red, opus}
}

func opusCodec() webrtc.RTPCodecCapability {
	return webrtc.RTPCodecCapability{
		MimeType:    webrtc.MimeTypeOpus,
		ClockRate:   opusClockRate,
		Channels:    2,
		SDPFmtpLine: "minptime=10;useinbandfec=1",
	}
}

func settings(cfg EngineConfig) webrtc.SettingEngine {
	var s webrtc.SettingEngine
	s.SetICEMulticastDNSMode(ice.MulticastDNSModeDisabled) // saves five goroutines and two sockets a call
	s.SetIncludeLoopbackCandidate(true)
	s.SetNetworkTypes([]webrtc.NetworkType{webrtc.NetworkTypeUDP4, webrtc.NetworkTypeUDP6})
	s.DisableActiveTCP(true) // see Call.hasten
	s.SetICEMaxBindingRequests(iceMaxChecks)
	s.SetICETimeouts(iceDisconnected, iceFailed, iceKeepalive)
	s.SetRelayAcceptanceMinWait(relayWait)
	s.SetDTLSRetransmissionInterval(dtlsRepeat)
	if cfg.RelayOnly {
		s.SetRelayAcceptanceMinWait(0)
	}
	// Packets are taken in BufferFactory; without this pion would wait for the first one
	// of each track on a goroutine of its own.
	s.SetFireOnTrackBeforeFirstRTP(true)
	if cfg.LocalIP != nil {
		s.SetIPFilter(cfg.LocalIP)
	}
	s.LoggerFactory = cfg.LoggerFactory
	if s.LoggerFactory == nil {
		quiet := logging.NewDefaultLoggerFactory()
		quiet.DefaultLogLevel = logging.LogLevelDisabled
		s.LoggerFactory = quiet
	}
	if cfg.Adjust != nil {
		cfg.Adjust(&s)
	}
	return s
}

// peerConnection makes a PeerConnection whose received packets go to the writers that
// receive returns, for a call that ends when over is closed.
func (e *Engine) peerConnection(
	servers []protocol.ICEServer, over <-chan struct{},
	receive func(kind packetio.BufferPacketType, ssrc uint32) io.ReadWriteCloser,
) (*webrtc.PeerConnection, error) {
	s := e.settings
	s.BufferFactory = receive
	system, err := newCallNet(over)
	if err != nil {
		return nil, err
	}
	s.SetNet(system)
	if e.net != nil {
		s.SetNet(e.net(system))
	}
	api := webrtc.NewAPI(
		webrtc.WithSettingEngine(s),
		webrtc.WithMediaEngine(e.media),
		webrtc.WithInterceptorRegistry(e.interceptors),
	)
	return api.NewPeerConnection(webrtc.Configuration{
		ICEServers:         e.iceServers(servers),
		ICETransportPolicy: e.policy,
		BundlePolicy:       webrtc.BundlePolicyMaxBundle,
		Certificates:       []webrtc.Certificate{e.certificate},
	})
}

func (e *Engine) iceServers(servers []protocol.ICEServer) []webrtc.ICEServer {
	out := make([]webrtc.ICEServer, 0, len(servers))
	for _, s := range servers {
		urls := slices.Clone(s.URLs)
		if e.useTURN != nil {
			urls = slices.DeleteFunc(urls, func(url string) bool { return !e.useTURN(url) })
		}
		if len(urls) > 0 {
			out = append(out, webrtc.ICEServer{URLs: urls, Username: s.Username, Credential: s.Credential})
		}
	}
	return out
}

// Package peer turns one SDP offer into one PeerConnection: it owns the media port, the
// ICE, DTLS and codec settings, and hands the rest of the SFU a Source (what the client
// says) and Slots (what the client hears) that know nothing of WebRTC.
//
// pion keeps SDP, ICE, DTLS and SRTCP; RTP goes past it, from wire to forward and back.
//
// A Factory is made once per process; its methods may be called from any goroutine. A
// Peer's methods may be called from any goroutine too. Each PeerConnection has its own
// pion API, because pion's default limits are raised or lowered per connection.
package peer

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"fmt"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pion/dtls/v3"
	"github.com/pion/ice/v4"
	"github.com/pion/logging"
	"github.com/pion/webrtc/v4"

	"github.com/mini-livechat/mini-livechat/sfu/wire"
)

const (
	// dtlsTimeout is how long a DTLS handshake may take. Lost flights are repeated after
	// 1 s and 2 s; a client that needs longer is gone.
	dtlsTimeout = 5 * time.Second
	// iceDisconnected is after how long without a consent check the connection counts as
	// disconnected (RFC 7675, section 5.1: checks come every 4 to 6 s).
	iceDisconnected = 12 * time.Second
)

// Config says where media is received and what is told of it.
type Config struct {
	// Listen is the UDP address for media. Port 0 takes any free one, no address all.
	Listen netip.AddrPort
	// Announce lists the addresses put into candidates instead of the socket's own.
	Announce []netip.Addr
	// MaxSlots is the most recvonly lines an offer may have, 1 to 32.
	MaxSlots int
	// MaxSDPBytes is the largest offer that is parsed.
	MaxSDPBytes int
	// ReportInterval is the time between two RTCP reports to a client; 0 means 5 s.
	ReportInterval time.Duration
	// OnPanic is told of a panic while a client's packet was handled; that client's media
	// is off from then on. Nil: the panic goes on.
	OnPanic func(value any, stack []byte)
}

// Factory answers offers on one UDP port. Safe for concurrent use.
type Factory struct {
	cfg    Config
	engine *wire.Engine
	cert   webrtc.Certificate
	lastID atomic.Uint64

	stop    context.CancelFunc
	running sync.WaitGroup

	mu    sync.Mutex // guards peers
	peers map[uint64]*Peer
}

// NewFactory opens the media port and makes the DTLS certificate. The caller must Close
// it after every Peer it made.
func NewFactory(cfg Config) (*Factory, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("make DTLS key: %w", err)
	}
	cert, err := webrtc.GenerateCertificate(key)
	if err != nil {
		return nil, fmt.Errorf("make DTLS certificate: %w", err)
	}
	if cfg.ReportInterval <= 0 {
		cfg.ReportInterval = defaultReportInterval
	}
	listen := cfg.Listen
	if !listen.Addr().IsValid() {
		listen = netip.AddrPortFrom(netip.IPv6Unspecified(), listen.Port())
	}
	engine, err := wire.Listen(wire.Config{
		Addrs: []netip.AddrPort{listen}, Advertise: cfg.Announce,
		OnPanic: func(_ *wire.Endpoint, value any, stack []byte) {
			if cfg.OnPanic == nil {
				panic(value)
			}
			cfg.OnPanic(value, stack)
		},
	})
	if err != nil {
		return nil, fmt.Errorf("open the media port: %w", err)
	}
	ctx, stop := context.WithCancel(context.Background())
	f := &Factory{cfg: cfg, engine: engine, cert: *cert, stop: stop, peers: make(map[uint64]*Peer)}
	f.running.Go(func() { f.runReports(ctx) })
	return f, nil
}

// Addr returns the media port's address.
func (f *Factory) Addr() netip.AddrPort { return f.engine.LocalAddrs()[0] }

// Close closes the media port.
func (f *Factory) Close() error {
	f.stop()
	f.running.Wait()
	return f.engine.Close()
}

func (f *Factory) add(p *Peer) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.peers[p.id] = p
}

func (f *Factory) remove(p *Peer) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.peers, p.id)
}

// settings returns the engine settings of one PeerConnection.
func (f *Factory) settings(p *Peer) (webrtc.SettingEngine, error) {
	engine := webrtc.SettingEngine{LoggerFactory: quietLogs()}
	engine.SetLite(true)
	engine.SetICEUDPMux(f.engine.UDPMux())
	p.keys.Attach(&engine)
	engine.SetNetworkTypes([]webrtc.NetworkType{webrtc.NetworkTypeUDP4, webrtc.NetworkTypeUDP6})
	engine.SetIncludeLoopbackCandidate(true)
	// Multicast DNS costs five goroutines and several sockets a peer, and a server has a
	// real address to tell.
	engine.SetICEMulticastDNSMode(ice.MulticastDNSModeDisabled)
	// Who is gone is judged in one place, by LastSeen: pion never fails a connection, and
	// sends no keepalives, because an ICE-lite agent answers checks (RFC 8445, section 2.5).
	engine.SetICETimeouts(iceDisconnected, 0, 0)
	engine.SetICEBindingRequestHandler(p.onBindingRequest)
	engine.SetDTLSConnectContextMaker(dtlsContext)
	// The client has shown its address by an authenticated STUN check, so the cookie
	// exchange (RFC 6347, section 4.2.1) would only add a round trip.
	engine.SetDTLSInsecureSkipHelloVerify(true)
	engine.SetSRTPProtectionProfiles(
		dtls.SRTP_AEAD_AES_128_GCM, dtls.SRTP_AEAD_AES_256_GCM, dtls.SRTP_AES128_CM_HMAC_SHA1_80)
	engine.BufferFactory = p.newBuffer
	// Packets do not come by pion, so it need not wait for the first.
	engine.SetFireOnTrackBeforeFirstRTP(true)
	if err := engine.SetAnsweringDTLSRole(webrtc.DTLSRoleServer); err != nil {
		return engine, fmt.Errorf("set DTLS role: %w", err)
	}
	return engine, nil
}

// quietLogs keeps pion's own log lines, several for every ordinary disconnect, out of
// the server's log; what matters of them is counted or reported by Peer.
func quietLogs() logging.LoggerFactory {
	factory := logging.NewDefaultLoggerFactory()
	factory.DefaultLogLevel = logging.LogLevelDisabled
	factory.ScopeLevels = map[string]logging.LogLevel{}
	return factory
}

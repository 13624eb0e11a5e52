// Package peer turns one SDP offer into one PeerConnection: it owns the media socket,
// the ICE, DTLS and codec settings, and hands the rest of the SFU a Source (what the
// client says) and Slots (what the client hears) that know nothing of WebRTC.
//
// A Factory is made once per process; its methods may be called from any goroutine. A
// Peer's methods may be called from any goroutine too. Each PeerConnection has its own
// pion API, because pion's default limits are raised or lowered per connection.
package peer

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pion/dtls/v3"
	"github.com/pion/ice/v4"
	"github.com/pion/logging"
	"github.com/pion/webrtc/v4"
)

// Limits that pion leaves open and a joined client could use against the server.
const (
	// MaxSSRCs is how many synchronization sources one PeerConnection may send before it
	// is closed. A microphone is one; each further one costs a buffer.
	MaxSSRCs = 128
	// dtlsTimeout is how long a DTLS handshake may take. Lost flights are repeated after
	// 1 s and 2 s; a client that needs longer is gone.
	dtlsTimeout = 5 * time.Second
	// socketBuffer is the media socket's receive buffer in bytes: 30 ms of a gigabit.
	socketBuffer = 4 << 20
	// ssrcBuffer is how many bytes of unread packets one SSRC may queue: 0.5 s of the
	// largest Opus frames.
	ssrcBuffer = 64 << 10
	// iceDisconnected is after how long without a consent check the connection counts as
	// disconnected (RFC 7675, section 5.1: checks come every 4 to 6 s).
	iceDisconnected = 12 * time.Second
)

// Config says where media is received and what is told of it.
type Config struct {
	// Listen is the UDP address for media. Port 0 takes any free one.
	Listen netip.AddrPort
	// Announce lists the addresses put into candidates instead of the socket's own.
	Announce []netip.Addr
	// MaxSlots is the most recvonly lines an offer may have, 1 to 32.
	MaxSlots int
	// MaxSDPBytes is the largest offer that is parsed.
	MaxSDPBytes int
}

// Factory answers offers on one UDP port. Safe for concurrent use.
type Factory struct {
	cfg  Config
	conn *net.UDPConn
	mux  *candidateMux
	cert webrtc.Certificate

	lastID  atomic.Uint64
	closing sync.WaitGroup // peers that close themselves
}

// NewFactory opens the media socket and makes the DTLS certificate. The caller must
// Close it after every Peer it made.
func NewFactory(cfg Config) (*Factory, error) {
	conn, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(cfg.Listen))
	if err != nil {
		return nil, fmt.Errorf("open media port: %w", err)
	}
	// The kernel caps this at net.core.rmem_max; a smaller buffer still works.
	_ = conn.SetReadBuffer(socketBuffer)
	_ = conn.SetWriteBuffer(socketBuffer)
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("make DTLS key: %w", err), conn.Close())
	}
	cert, err := webrtc.GenerateCertificate(key)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("make DTLS certificate: %w", err), conn.Close())
	}
	return &Factory{
		cfg:  cfg,
		conn: conn,
		mux:  newCandidateMux(conn, cfg.Announce),
		cert: *cert,
	}, nil
}

// Addr returns the media socket's address.
func (f *Factory) Addr() netip.AddrPort {
	addr, ok := f.conn.LocalAddr().(*net.UDPAddr)
	if !ok {
		return netip.AddrPort{}
	}
	return addr.AddrPort()
}

// Close closes the media socket and everything that reads from it.
func (f *Factory) Close() error {
	f.closing.Wait()
	err := f.mux.Close()
	if closeErr := f.conn.Close(); closeErr != nil && !errors.Is(closeErr, net.ErrClosed) {
		err = errors.Join(err, closeErr)
	}
	return err
}

// settings returns the engine settings of one PeerConnection.
func (f *Factory) settings(p *Peer) (webrtc.SettingEngine, error) {
	engine := webrtc.SettingEngine{LoggerFactory: quietLogs()}
	engine.SetLite(true)
	engine.SetICEUDPMux(f.mux)
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

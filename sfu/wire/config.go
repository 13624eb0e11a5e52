package wire

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net/netip"
	"runtime"
	"time"

	"github.com/mini-livechat/mini-livechat/sfu/bounded"
)

// Limits of the wire. Each is a ceiling on memory or on the time one packet may hold others up.
const (
	// packetBuffer is the room for one datagram, bytes: an Ethernet MTU and some more. Longer ones are dropped.
	packetBuffer = 2048
	// readBatch is how many datagrams one recvmmsg takes, at most.
	readBatch = 32
	// sendBatch is how many datagrams one sendmmsg takes, at most. Beyond 64 the cost per datagram no longer falls.
	sendBatch = 64
	// arenaSize is where a Batch encrypts to, bytes: sendBatch voice packets of any usual size, or 16 of full length.
	arenaSize = 16 * packetBuffer
	// turnBudget is how many packets the receivers may send directly while a loop works on one read batch: about half
	// a millisecond at 2 µs each. What exceeds it goes to a lane, so that a loop returns to its socket in time.
	turnBudget = 256
	// laneStep is how many packets of one job a lane sends before the next job has its turn.
	laneStep = sendBatch
	// JobShare is how many listeners one Job should serve: half a millisecond of a lane's time, and few enough that a
	// thousand listeners are spread over four lanes.
	JobShare = 256
	// laneQueue is how many jobs may wait for a lane: a second of 50 packets/s from 10 talkers.
	laneQueue = 512
	// socketBuffer is asked for in both directions of each socket, bytes: 200 ms of 100,000 voice packets/s.
	socketBuffer = 4 << 20
	// maxSSRCs is how many streams one endpoint may send us. More is an attack on our memory: each costs a window.
	maxSSRCs = 128
	// replayWindow is how far behind the newest packet of a stream a late one may be (RFC 3711 §3.3.2 asks for 64).
	replayWindow = 1024
	// rtcpWindow is the replay window of SRTCP, packets.
	rtcpWindow = 64
	// rtcpOverhead is what SRTCP adds at most: an authentication tag and the index (RFC 7714 §9.1), bytes.
	rtcpOverhead = 16 + 4
	// ufragLen is the length of our username fragments: 40 random bits (RFC 8445 §5.3 asks for 24).
	ufragLen = 8
	// maxPaths is how many addresses a peer may have checked from at once: more than a browser has interfaces.
	maxPaths = 8
	// pairSilence is after how long without a check the nominated pair gives way to another that is checked. Consent
	// checks come every 2 s (pion), 2.5 s (Chromium) or 5 s (RFC 7675 §5.1).
	pairSilence = 4 * time.Second
	// addressHold is for how long after a peer's check an address is its own: two in a row of those that come most seldom
	// (see pairSilence) may be lost. A NAT gives a mapping to another no sooner than after 30 s of silence.
	addressHold = 15 * time.Second
	// ConsentLifetime is for how long after a check on the nominated pair there may be sent to it (RFC 7675 §5.1).
	ConsentLifetime = 30 * time.Second
	// connectTimeout is how long a peer may take from its first check until DTLS is done and a pair nominated. Over a
	// network that loses 30 % and takes 600 ms there and back clients that repeat lost flights after 1 s take up to 20 s.
	connectTimeout = 30 * time.Second
	// maxHandshakes is how many DTLS handshakes there may be at once: more than there are at any moment when a thousand
	// people come back after a restart. With maxHandshakeBytes it bounds their memory to 128 MB.
	maxHandshakes = 512
	// maxHandshakeBytes is how much a peer may send during its handshake: a flight of two full datagrams every 200 ms for
	// 20 s. Honest ones send 2 to 20 KB.
	maxHandshakeBytes = 256 << 10
	// sweepInterval is how often all endpoints are looked at.
	sweepInterval = 2 * time.Second
	// flightInterval is after how long a lost DTLS flight is repeated at first. RFC 9147 §5.8.2 has 100 ms for real-time
	// media, and 1 s otherwise.
	flightInterval = 200 * time.Millisecond
	// slowHandshake is how long a DTLS handshake takes at least where packets are lost or come late.
	slowHandshake = 500 * time.Millisecond
	// lastFlightRepeats is how often our last flight is sent again unasked, flightInterval apart. Where 30 % are lost, all of
	// them are lost in 8 handshakes of 1,000.
	lastFlightRepeats = 3
	// drainTime is how long after a datagram pion has certainly worked it off.
	drainTime = 2 * time.Second
	// dtlsQueue is how many DTLS records of one peer may wait for pion.
	dtlsQueue = 32
	// readErrorPause keeps a socket that only fails from taking a whole core.
	readErrorPause = time.Millisecond
	// maxAddrs bounds Config.Addrs.
	maxAddrs = 64
)

// Errors of this package. Those returned per packet are counted as well, so callers need not log them.
var (
	ErrNoAddress    = errors.New("wire: no listen address")
	ErrTooMany      = errors.New("wire: too many listen addresses")
	ErrClosed       = errors.New("wire: closed")
	ErrBadAddress   = errors.New("wire: no listen address can reach this remote address")
	ErrKeysSet      = errors.New("wire: the endpoint has keys already")
	ErrNoKeys       = errors.New("wire: the DTLS handshake has not yielded keys")
	ErrAccepted     = errors.New("wire: the endpoint has credentials already")
	ErrNotAccepted  = errors.New("wire: the endpoint has no credentials yet")
	ErrPeerClosed   = errors.New("wire: the peer closed the connection")
	ErrProfile      = errors.New("wire: unsupported SRTP protection profile")
	ErrNotReady     = errors.New("wire: the endpoint has no keys or no address yet")
	ErrBadPacket    = errors.New("wire: malformed RTP packet")
	ErrTooLong      = errors.New("wire: packet too long")
	ErrAuth         = errors.New("wire: authentication failed")
	ErrReplay       = errors.New("wire: replayed or too old")
	ErrTooManySSRCs = errors.New("wire: too many streams from one endpoint")
	ErrIndexReused  = errors.New("wire: this SRTP index was used for another packet")

	// ErrHash: a fingerprint of a hash function other than SHA-256, SHA-384 and SHA-512.
	ErrHash = errors.New("wire: unknown or weak hash function")
	// ErrBadFingerprint: a fingerprint that is not as many octets in hex, with colons between, as its function makes.
	ErrBadFingerprint = errors.New("wire: malformed fingerprint")
)

// Config says where and how wide to listen. Only Addrs is required.
type Config struct {
	// Addrs are the local addresses of the media port. "[::]" takes IPv4 as well. Port 0 picks a free port, the same
	// for all. Replies leave from the address that was asked.
	Addrs []netip.AddrPort
	// Loops is how many sockets and loops each address gets. Zero: one per core. Systems other than Linux get one.
	Loops int
	// Lanes is how many goroutines share large fan-outs. Zero: one per core.
	Lanes int
	// Certificate is for DTLS. Zero: a new self-signed one.
	Certificate tls.Certificate
	// ConnectTimeout is how long a peer may take from its first check until it has done DTLS and nominated a pair. It is
	// looked at every 2 s. Zero: 30 s.
	ConnectTimeout time.Duration
	// Intake bounds what of a peer is looked at.
	Intake Intake
	// MaxHandshakes is how many DTLS handshakes there may be at once; one more ends the oldest. Zero: 512.
	MaxHandshakes int
	// OnPanic is told of a panic in a Receiver or the handling of an endpoint, which has then been closed, or, with a nil
	// endpoint, in a Job, which has then ended, or in a check, which goes unanswered. Zero: the panic goes on.
	OnPanic func(ep *Endpoint, value any, stack []byte)
}

// Intake is how fast a peer's packets are looked at: its SRTP, in packets and bytes, its SRTCP, in compound packets, its
// checks, and its datagrams of DTLS once the handshake is over. What comes faster is dropped and counted. Zero: without bound.
//
// Only what authenticates counts, so that a stranger who forges a peer's address cannot use up what is the peer's. The
// exception is DTLS, where all that can be kept from the server is a goodbye.
type Intake struct{ Packets, Bytes, Compounds, Checks, Datagrams bounded.Rate }

// Validate reports the first thing that is wrong with the configuration.
func (c *Config) Validate() error {
	switch {
	case len(c.Addrs) == 0:
		return ErrNoAddress
	case len(c.Addrs) > maxAddrs:
		return ErrTooMany
	}
	for _, a := range c.Addrs {
		if !a.IsValid() {
			return fmt.Errorf("%w: %v", ErrBadAddress, a)
		}
	}
	return nil
}

// withDefaults fills in the zero values.
func (c Config) withDefaults() Config {
	cores := runtime.GOMAXPROCS(0)
	if c.Loops <= 0 {
		c.Loops = cores
	}
	if !reusePort {
		c.Loops = 1
	}
	if c.Lanes <= 0 {
		c.Lanes = cores
	}
	if c.ConnectTimeout <= 0 {
		c.ConnectTimeout = connectTimeout
	}
	if c.MaxHandshakes <= 0 {
		c.MaxHandshakes = maxHandshakes
	}
	return c
}

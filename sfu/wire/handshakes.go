package wire

import (
	"errors"
	"fmt"
	"sync/atomic"
)

// A half-made connection may take long: on a network that loses a third of all packets and takes 600 ms there and back,
// joining takes ten seconds and more, and all of it is honest. So it is not time that is bounded here but cost: how many
// handshakes there may be (Config.MaxHandshakes), and how much a peer may send during its own (maxHandshakeBytes), which
// bounds what pion keeps of it. The time a connection may take is generous (Config.ConnectTimeout).

// A connection that comes to nothing ends with one of these, or with one that wraps it and says more.
var (
	// ErrHandshakeTimeout: a peer that was checked did not complete DTLS and nominate a pair in time.
	ErrHandshakeTimeout = errors.New("wire: connecting took too long")
	// ErrHandshakeEvicted: there were Config.MaxHandshakes younger ones.
	ErrHandshakeEvicted = errors.New("wire: too many DTLS handshakes at once, of which this was the oldest")
	// ErrHandshakeBytes: the peer sent more than any handshake needs.
	ErrHandshakeBytes = errors.New("wire: the peer sent too much during its DTLS handshake")
	// ErrFingerprint: the peer has another certificate than was offered, or none.
	ErrFingerprint = errors.New("wire: not the certificate whose fingerprint was offered")
	// ErrDTLSVersion: the peer does not speak DTLS 1.2.
	ErrDTLSVersion = errors.New("wire: the peer speaks DTLS 1.3 only, and this server DTLS 1.2 only")
	// ErrPeerRefused: the peer ended the handshake by an alert, which it wraps.
	ErrPeerRefused = errors.New("wire: the peer ended the DTLS handshake")
	// ErrHandshake: DTLS failed for another reason, which it wraps.
	ErrHandshake = errors.New("wire: the DTLS handshake failed")
)

// handshakeError says what an error of pion's means.
func handshakeError(err error) error {
	var alert interface{ IsFatalOrCloseNotify() bool } // only received ones are errors of this kind
	switch {
	case errors.Is(err, ErrFingerprint):
		return err
	case errors.As(err, &alert):
		return fmt.Errorf("%w: %w", ErrPeerRefused, err)
	default:
		return fmt.Errorf("%w: %w", ErrHandshake, err)
	}
}

// failureCounters count the connections that came to nothing, by cause.
type failureCounters struct {
	timedOut, evicted, bytes, certificate, version, peer, other atomic.Int64
}

func (c *failureCounters) add(err error) {
	for _, kind := range []struct {
		err   error
		count *atomic.Int64
	}{
		{ErrHandshakeTimeout, &c.timedOut},
		{ErrHandshakeEvicted, &c.evicted},
		{ErrHandshakeBytes, &c.bytes},
		{ErrFingerprint, &c.certificate},
		{ErrDTLSVersion, &c.version},
		{ErrPeerRefused, &c.peer},
		{ErrPeerClosed, &c.peer},
	} {
		if errors.Is(err, kind.err) {
			kind.count.Add(1)
			return
		}
	}
	c.other.Add(1)
}

// HandshakeFailures are connections that were begun with an authentic check and never made, by cause.
type HandshakeFailures struct {
	TimedOut    int64 // ErrHandshakeTimeout
	Evicted     int64 // ErrHandshakeEvicted
	Bytes       int64 // ErrHandshakeBytes
	Certificate int64 // ErrFingerprint
	Version     int64 // ErrDTLSVersion
	Peer        int64 // ErrPeerRefused, or goodbye before there was a pair to send to
	Other       int64 // ErrHandshake
}

func (c *failureCounters) stats() HandshakeFailures {
	return HandshakeFailures{
		TimedOut: c.timedOut.Load(), Evicted: c.evicted.Load(), Bytes: c.bytes.Load(), Certificate: c.certificate.Load(),
		Version: c.version.Load(), Peer: c.peer.Load(), Other: c.other.Load(),
	}
}

package wire

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pion/dtls/v3"
	"github.com/pion/logging"
	"github.com/pion/transport/v5/packetio"

	"github.com/mini-livechat/mini-livechat/sfu/bounded"
)

const (
	// changeCipherSpec is the content type of the record that begins our last flight (RFC 5246 §6.2.1).
	changeCipherSpec = 20
	// maxLastFlight is how many datagrams of that flight are kept back; it is one, or two.
	maxLastFlight = 4
)

// association is the DTLS side of one endpoint: a queue that its loop fills and pion reads. pion keeps three goroutines
// on it, which sleep once the handshake is over but for a repeated flight or an alert.
type association struct {
	ep    *Endpoint
	queue *packetio.Buffer
	via   atomic.Pointer[dest] // where the peer's last record came from, and ours go
	conn  *dtls.Conn

	began  time.Time
	taken  atomic.Int64 // bytes of the peer's during the handshake
	came   atomic.Int64 // datagrams of the peer's
	read   atomic.Int64 // of these, by pion
	wanted atomic.Int64 // datagrams since drain began; 0: it does not run
	shaken atomic.Bool  // the handshake is over and was successful
	closed atomic.Bool  // by pion, for either side

	mu      sync.Mutex // guards the fields below
	settled bool       // the endpoint has its keys, or will never have any
	last    [][]byte   // our last flight, until then
	readYet int64      // read, when pion wrote that
	// datagrams is of those that came since the handshake.
	datagrams bounded.Bucket
}

var _ net.PacketConn = (*association)(nil)

// onDTLS queues one datagram of DTLS records of the peer, which came to local, and begins the handshake with the first.
func (ep *Endpoint) onDTLS(g *socketGroup, packet []byte, from netip.AddrPort, local netip.Addr, now time.Time) {
	defer ep.engine.rescue(ep)
	a := ep.dtls.Load()
	if a == nil {
		if a = ep.shakeHands(); a == nil {
			return
		}
	}
	if a.shaken.Load() && !a.takes(now) {
		ep.engine.stat.dtlsFull.Add(1)
		return
	}
	if !a.via.Load().same(g, from, local) {
		d, err := newDest(ep, g, from, local)
		if err != nil {
			return
		}
		a.via.Store(d)
	}
	if !a.shaken.Load() {
		if onlyDTLS13(packet) {
			_ = a.send(protocolVersion[:])
			ep.failSoon(ErrDTLSVersion)
			return
		}
		if a.taken.Add(int64(len(packet))) > maxHandshakeBytes {
			ep.failSoon(ErrHandshakeBytes)
			return
		}
	}
	if _, err := a.queue.Write(packet, nil); err != nil {
		ep.engine.stat.dtlsFull.Add(1)
	}
	a.came.Add(1)
	if a.shaken.Load() {
		a.drainSoon()
	}
}

// takes reports whether another datagram may come now that the handshake is over.
func (a *association) takes(now time.Time) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.datagrams.Take(a.ep.engine.cfg.Intake.Datagrams, 1, now)
}

// shakeHands starts the handshake. It runs on a loop, so the engine's goroutines are not all gone yet.
func (ep *Endpoint) shakeHands() *association {
	a, begun := ep.associate()
	if begun {
		e := ep.engine
		e.shaking.Enter(a, func() { ep.failSoon(ErrHandshakeEvicted) })
		e.running.Go(a.run)
	}
	return a
}

// associate returns the endpoint's association, nil if it may have none, and reports whether it is new.
func (ep *Endpoint) associate() (a *association, begun bool) {
	ep.mu.Lock()
	defer ep.mu.Unlock()
	if ep.closed || ep.keyed || ep.ufrag == "" {
		return nil, false
	}
	if a = ep.dtls.Load(); a != nil {
		return a, false
	}
	e := ep.engine
	a = &association{ep: ep, queue: packetio.NewBuffer(), began: time.Now()}
	a.queue.SetLimitCount(dtlsQueue)
	conn, err := dtls.ServerWithOptions(a, dtlsAddr{},
		dtls.WithCertificates(e.cfg.Certificate),
		dtls.WithClientAuth(dtls.RequireAnyClientCert),
		dtls.WithInsecureSkipVerify(true), // there is no chain to verify, but a fingerprint
		dtls.WithVerifyPeerCertificate(verifyAny(ep.certificate)),
		dtls.WithSRTPProtectionProfiles(
			dtls.SRTP_AEAD_AES_128_GCM, dtls.SRTP_AEAD_AES_256_GCM, dtls.SRTP_AES128_CM_HMAC_SHA1_80),
		// The peer has shown its address by an authenticated check, so the cookie exchange (RFC 6347 §4.2.1) would only
		// add a round trip.
		dtls.WithInsecureSkipVerifyHello(true),
		dtls.WithFlightInterval(flightInterval),
		dtls.WithLoggerFactory(e.logs),
	)
	if err != nil {
		return nil, false
	}
	a.conn = conn
	ep.dtls.Store(a)
	return a, true
}

// failSoon is fail for a loop, which must not wait for pion.
func (ep *Endpoint) failSoon(err error) {
	ep.engine.running.Go(func() { ep.fail(err) })
}

// run shakes hands and takes the keys. It has no limit of its own: a handshake that takes too long is ended by closing the
// association.
func (a *association) run() {
	ep := a.ep
	defer ep.engine.rescue(ep)
	err := a.shake()
	ep.engine.shaking.Leave(a)
	if err != nil {
		ep.fail(err)
		return
	}
	ep.connect()
	if a.cameAfterFinished() {
		a.drainSoon()
	}
}

// cameAfterFinished reports whether pion may have to do with datagrams behind the peer's Finished already.
func (a *association) cameAfterFinished() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.came.Load() > a.readYet
}

// shake returns when the endpoint has its keys, or why it will have none.
func (a *association) shake() error {
	defer a.settle()
	if err := a.conn.HandshakeContext(context.Background()); err != nil {
		return handshakeError(err)
	}
	a.shaken.Store(true)
	keys, err := exportKeys(a.conn)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrHandshake, err)
	}
	if err := a.ep.setKeys(keys); err != nil {
		return err
	}
	if a.closed.Load() {
		return ErrPeerClosed
	}
	return nil
}

// drainSoon sees to it that drain runs, and goes on for now.
func (a *association) drainSoon() {
	if a.wanted.Add(1) == 1 {
		a.ep.engine.running.Go(func() {
			defer a.ep.engine.rescue(a.ep)
			a.drain()
		})
	}
}

// drain takes what the peer sends inside DTLS, which is for nobody, and warnings, until drainTime after the last datagram.
// pion reads on only when they are taken, and the peer's goodbye (close_notify) may come behind them. A drain for ever
// would cost a goroutine for each peer that is connected.
func (a *association) drain() {
	var scrap [1]byte // what is longer is dropped by pion, with an error
	for {
		wanted := a.wanted.Load()
		_ = a.conn.SetReadDeadline(time.Now().Add(drainTime)) // nil
		_, err := a.conn.Read(scrap[:])
		if errors.Is(err, io.EOF) {
			return
		}
		if errors.Is(err, context.DeadlineExceeded) && a.wanted.CompareAndSwap(wanted, 0) {
			return
		}
	}
}

// keepBack reports whether a datagram is not to be sent yet, and keeps it then: our last flight (ChangeCipherSpec and
// Finished, RFC 6347 §4.2.4), while there are no keys. A peer that has this flight may send media at once, and its first
// packets would be lost. pion shows us the keys only after it has written the flight.
func (a *association) keepBack(datagram []byte) bool {
	const epochAt = 3 // RFC 6347 §4.1
	if len(datagram) < epochAt+2 ||
		(datagram[0] != changeCipherSpec && binary.BigEndian.Uint16(datagram[epochAt:]) == 0) {
		return false
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.settled {
		return false
	}
	if len(a.last) < maxLastFlight { // else it is lost, and asked for again
		a.last = append(a.last, bytes.Clone(datagram))
		a.readYet = a.read.Load()
	}
	return true
}

// settle sends what was kept back, and over a bad network again unasked. Nobody answers this flight. If it were lost and
// not repeated, the peer's whole flight and ours would have to come through after the peer's next timeout, and these grow.
func (a *association) settle() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.settled = true
	last := a.last
	a.last = nil
	a.sendAll(last)
	if len(last) == 0 || time.Since(a.began) < slowHandshake {
		return
	}
	for i := range lastFlightRepeats {
		time.AfterFunc(time.Duration(i+1)*flightInterval, func() {
			if !a.closed.Load() {
				a.sendAll(last)
			}
		})
	}
}

func (a *association) sendAll(flight [][]byte) {
	for _, datagram := range flight {
		_ = a.send(datagram) // one that does not leave is asked for again
	}
}

// ReadFrom implements net.PacketConn for pion.
func (a *association) ReadFrom(b []byte) (int, net.Addr, error) {
	n, _, err := a.queue.Read(b, nil)
	a.read.Add(1)
	return n, dtlsAddr{}, err //nolint:wrapcheck // pion tells io.EOF and timeouts apart
}

// WriteTo implements net.PacketConn for pion. It sends to where the peer is now and returns no error. A datagram that
// cannot leave (a missing route, a firewall, a full buffer) is as good as lost on the way: its flight is repeated.
func (a *association) WriteTo(b []byte, _ net.Addr) (int, error) {
	if !a.keepBack(b) {
		_ = a.send(b)
	}
	return len(b), nil
}

// send never waits.
func (a *association) send(datagram []byte) error {
	d := a.via.Load()
	if d == nil {
		return ErrNotReady
	}
	return d.group.socks[0].writeTo(datagram, d, &a.ep.engine.stat)
}

// Close implements net.PacketConn. pion calls it when the peer said goodbye, and when we did. A goodbye during the handshake
// is told by the handshake's error instead: pion waits for this call, so it must not wait for the handshake.
func (a *association) Close() error {
	a.closed.Store(true)
	err := a.queue.Close()
	if a.shaken.Load() {
		a.ep.fail(ErrPeerClosed)
	}
	return err //nolint:wrapcheck // nil
}

// LocalAddr implements net.PacketConn.
func (a *association) LocalAddr() net.Addr { return dtlsAddr{} }

// SetDeadline implements net.PacketConn.
func (a *association) SetDeadline(t time.Time) error { return a.SetReadDeadline(t) }

// SetReadDeadline implements net.PacketConn: pion ends its reads by it.
func (a *association) SetReadDeadline(t time.Time) error {
	return a.queue.SetReadDeadline(t) //nolint:wrapcheck // nil
}

// SetWriteDeadline implements net.PacketConn. Writes never wait.
func (a *association) SetWriteDeadline(time.Time) error { return nil }

// dtlsAddr stands for the peer, wherever it is: ICE may move it under the association.
type dtlsAddr struct{}

func (dtlsAddr) Network() string { return "ice" }
func (dtlsAddr) String() string  { return "peer" }

// oneLog is a logging.LoggerFactory that makes no loggers.
type oneLog struct{ logging.LeveledLogger }

func (l oneLog) NewLogger(string) logging.LeveledLogger { return l.LeveledLogger }

// noLogs keeps pion's log lines, several for every ordinary disconnect, out of the server's log.
func noLogs() logging.LoggerFactory {
	return oneLog{logging.NewDefaultLeveledLoggerForScope("", logging.LogLevelDisabled, io.Discard)}
}

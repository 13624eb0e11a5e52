package wire

import (
	"errors"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/mini-livechat/mini-livechat/sfu/bounded"
)

// Receiver takes the RTP packets of one endpoint, decrypted. It runs on a loop: packet is valid until it returns, what
// it sends goes into b, and calls do not overlap. It may use every Endpoint and Sender, but not close the Engine.
type Receiver interface {
	OnRTP(b *Batch, ep *Endpoint, packet []byte, at time.Time)
	// OnRTCP takes a compound packet (RFC 3550 §6.1), under the same terms; the two do not overlap either.
	OnRTCP(b *Batch, ep *Endpoint, packet []byte, at time.Time)
	// OnConnected is called once, when there are keys and an address to send to. It may come from any goroutine.
	OnConnected(ep *Endpoint)
	// OnDisconnected is called at most once, after the endpoint was closed because its peer said goodbye or failed to
	// prove itself; not when Close was called. It may come from any goroutine.
	OnDisconnected(ep *Endpoint, err error)
}

// dest is a remote address with the sockets that reach it and the local address that it knows us by: both ends of a
// candidate pair. It never changes. An endpoint that moves gets a new one.
type dest struct {
	ep    *Endpoint
	group *socketGroup
	addr  netip.AddrPort
	local netip.Addr // not valid: the group's, or, of a group at all addresses, what the routes say
	sa    sockaddr
}

// newDest makes a dest, or returns ErrBadAddress when the group cannot reach the address. ep is nil for what is no peer's.
func newDest(ep *Endpoint, g *socketGroup, remote netip.AddrPort, local netip.Addr) (*dest, error) {
	d := &dest{ep: ep, group: g, addr: remote, local: local}
	if err := d.sa.set(g, remote, local); err != nil {
		return nil, err
	}
	return d, nil
}

// same reports whether d, which may be nil, has these ends.
func (d *dest) same(g *socketGroup, remote netip.AddrPort, local netip.Addr) bool {
	return d != nil && d.addr == remote && d.group == g && d.local == local
}

// leaveToRoutes has the kernel choose the local address where it would choose the right one anyway. Nobody may share d
// yet. To find out takes a socket for a moment, which sends nothing; to tell the kernel each time would cost a fan-out 4 %.
func (d *dest) leaveToRoutes() {
	if !d.local.IsValid() {
		return
	}
	conn, err := net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(d.addr))
	if err != nil { // no descriptors left, say: then it stays said
		return
	}
	defer conn.Close() //nolint:errcheck // nothing was written
	if usual, ok := conn.LocalAddr().(*net.UDPAddr); ok && canonical(usual.AddrPort()).Addr() == d.local {
		d.sa.source = nil
	}
}

// flow is what packets from there come on.
func (d *dest) flow() flow { return flow{d.addr, d.group.index} }

// dropped counts a packet that could not be sent.
func (d *dest) dropped() {
	if d.ep != nil {
		d.ep.stat.sendDropped.Add(1)
	}
}

// Endpoint is one peer. Where it is, is its path's; its DTLS is an association; what it sends and is sent is under a
// cryptoContext.
type Endpoint struct {
	engine   *Engine
	receiver Receiver
	intake   *Intake // bounds what of the peer is looked at
	given    bool    // a link: its address and keys were given

	dest     atomic.Pointer[dest] // where to send; nil before the first nomination and after Close
	lastSeen atomic.Int64         // nanoseconds since Engine.start; 0: never
	srtp     cryptoContext
	dtls     atomic.Pointer[association] // nil before the peer's first record
	stat     counters
	wanderer wanderer // guarded by Engine.strays

	mu          sync.Mutex // guards all below
	keyed       bool
	connected   bool
	closed      bool
	certificate []Fingerprint // the peer's: it has one of them
	ufrag       string        // ours; "" before Accept
	nextUfrag   string        // ours after Restart, until the peer uses it
	peer        Credentials   // the peer's own, that go with ufrag
	nextPeer    Credentials   // and with nextUfrag
	question    question
	firstCheck  time.Time // zero: there was none yet
	checks      bounded.Bucket
	path        path
	senders     map[uint32]*Sender
}

type counters struct {
	packetsIn, bytesIn                       atomic.Int64
	authFailed, replayed, refused, malformed atomic.Int64
	notReady, sendDropped, rtpRate, rtcpRate atomic.Int64
}

// NewEndpoint makes an endpoint whose packets go to r.
func (e *Engine) NewEndpoint(r Receiver) *Endpoint {
	return &Endpoint{engine: e, receiver: r, intake: &e.cfg.Intake}
}

// setKeys gives the endpoint its keys, once, and wipes them.
func (ep *Endpoint) setKeys(k Keys) error {
	if k.m == nil {
		return ErrNoKeys
	}
	defer k.Wipe()
	ep.mu.Lock()
	defer ep.mu.Unlock()
	if ep.closed {
		return ErrClosed
	}
	if ep.keyed {
		return ErrKeysSet
	}
	if err := ep.srtp.set(k.m); err != nil {
		return err
	}
	ep.keyed = true
	ep.engine.stat.handshakes.Add(1)
	return nil
}

// Close takes the endpoint off the wire and tells the peer so: nothing is received or sent for it any more. It may be
// called more than once. A call of the Receiver that is under way may still finish.
func (ep *Endpoint) Close() { ep.end(false) }

// end closes the endpoint, or only one that is not connected, and reports whether it was this call that did.
func (ep *Endpoint) end(onlyHalfMade bool) bool {
	if !ep.takeOff(onlyHalfMade) {
		return false
	}
	if a := ep.dtls.Load(); a != nil {
		_ = a.conn.Close() // says goodbye; a peer that does not hear it loses nothing
	}
	return true
}

// takeOff is the part of end that needs the lock.
func (ep *Endpoint) takeOff(onlyHalfMade bool) bool {
	ep.mu.Lock()
	defer ep.mu.Unlock()
	if ep.closed || (onlyHalfMade && ep.connected) {
		return false
	}
	ep.closed = true
	ep.engine.logins.remove(ep.ufrag)
	ep.engine.logins.remove(ep.nextUfrag)
	ep.dest.Store(nil)
	for _, known := range ep.path.flows {
		ep.engine.table.remove(known.flow, ep)
	}
	ep.path = path{}
	ep.srtp.forget()
	ep.engine.strays.remove(ep)
	return true
}

// connect notes that media can flow both ways, if so, and says it once.
func (ep *Endpoint) connect() {
	if ep.isConnected() {
		defer ep.engine.rescue(ep)
		ep.receiver.OnConnected(ep)
	}
}

// isConnected reports, once, that there are keys and an address.
func (ep *Endpoint) isConnected() bool {
	ep.mu.Lock()
	defer ep.mu.Unlock()
	if ep.connected || ep.closed || !ep.keyed || ep.dest.Load() == nil {
		return false
	}
	ep.connected = true
	return true
}

// fail ends an endpoint whose peer cannot or will not be reached any more, and says why. Of several causes the first is
// told and counted.
func (ep *Endpoint) fail(err error) {
	if !ep.end(errors.Is(err, ErrHandshakeTimeout)) {
		return
	}
	if !ep.wasConnected() {
		ep.engine.stat.failures.add(err)
	}
	defer ep.engine.rescue(ep)
	ep.receiver.OnDisconnected(ep, err)
}

func (ep *Endpoint) wasConnected() bool {
	ep.mu.Lock()
	defer ep.mu.Unlock()
	return ep.connected
}

// Sender gives the outgoing stream with this SSRC, always the same one for the same SSRC.
func (ep *Endpoint) Sender(ssrc uint32) *Sender {
	ep.mu.Lock()
	defer ep.mu.Unlock()
	s := ep.senders[ssrc]
	if s == nil {
		s = &Sender{ep: ep, ssrc: ssrc}
		if ep.senders == nil {
			ep.senders = make(map[uint32]*Sender)
		}
		ep.senders[ssrc] = s
	}
	return s
}

// Remote is the remote address of the nominated pair, or the zero value.
func (ep *Endpoint) Remote() netip.AddrPort {
	if d := ep.dest.Load(); d != nil {
		return d.addr
	}
	return netip.AddrPort{}
}

// LastSeen is when the last packet that authenticated came in, or the zero time.
func (ep *Endpoint) LastSeen() time.Time {
	if d := ep.lastSeen.Load(); d != 0 {
		return ep.engine.start.Add(time.Duration(d))
	}
	return time.Time{}
}

// Touch notes a sign of life.
func (ep *Endpoint) Touch(at time.Time) { ep.lastSeen.Store(int64(at.Sub(ep.engine.start))) }

// onRTP takes one SRTP packet that came from one of the endpoint's addresses, and reports whether it is authentic.
func (ep *Endpoint) onRTP(b *Batch, packet []byte, at time.Time) bool {
	s := ep.srtp.incoming.Load()
	if s == nil {
		ep.stat.notReady.Add(1)
		return false
	}
	ep.srtp.inMu.Lock()
	defer ep.srtp.inMu.Unlock()
	rate := ep.intake
	if ep.srtp.packets.Empty(rate.Packets, at) || ep.srtp.bytes.Empty(rate.Bytes, at) {
		ep.stat.rtpRate.Add(1)
		return false
	}
	streams := len(ep.srtp.in.streams)
	plain, err := ep.srtp.in.unprotect(s, packet, at)
	if err != nil {
		ep.count(err)
		return false
	}
	if len(ep.srtp.in.streams) > streams && !ep.given {
		ep.engine.strays.add(ep.srtp.in.lastID, ep)
	}
	ep.srtp.packets.Spend(rate.Packets, 1, at)
	ep.srtp.bytes.Spend(rate.Bytes, len(packet), at)
	ep.stat.packetsIn.Add(1)
	ep.stat.bytesIn.Add(int64(len(packet)))
	ep.Touch(at)
	ep.receiver.OnRTP(b, ep, plain, at)
	return true
}

// count counts a packet that was dropped for this reason.
func (ep *Endpoint) count(err error) {
	switch {
	case errors.Is(err, ErrNotReady):
		ep.stat.notReady.Add(1)
	case errors.Is(err, ErrReplay):
		ep.stat.replayed.Add(1)
	case errors.Is(err, ErrTooManySSRCs):
		ep.stat.refused.Add(1)
	case errors.Is(err, ErrAuth):
		ep.stat.authFailed.Add(1)
	default:
		ep.stat.malformed.Add(1)
	}
}

package wire

import (
	"errors"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"
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

// dest is a remote address with the sockets that reach it. It never changes; an endpoint that moves gets a new one.
type dest struct {
	ep       *Endpoint
	listener *listener
	addr     netip.AddrPort
	sa       sockaddr
}

// dropped counts a packet that could not be sent.
func (d *dest) dropped() {
	if d.ep != nil {
		d.ep.stat.sendDropped.Add(1)
	}
}

// Endpoint is one peer: an address, a pair of keys and the streams under them.
type Endpoint struct {
	engine   *Engine
	receiver Receiver

	dest     atomic.Pointer[dest]  // where to send; nil before the first nomination and after Close
	incoming atomic.Pointer[suite] // nil before DTLS has made the keys
	outgoing atomic.Pointer[suite]
	lastSeen atomic.Int64 // nanoseconds since Engine.start; 0: never

	inMu sync.Mutex // held while one packet is decrypted and handed over
	in   inbound    // guarded by inMu
	stat counters

	rtcp rtcpState
	dtls atomic.Pointer[association] // nil before the peer's first record

	mu          sync.Mutex // guards all below
	keyed       bool
	connected   bool
	closed      bool
	wasBound    bool
	certificate []Fingerprint // the peer's: it has one of them
	ufrag       string        // ours; "" before Accept
	nextUfrag   string        // ours after Restart, until the peer uses it
	deadline    *time.Timer   // runs from the first check until the connection is up
	boundCheck  time.Time     // of the last check that came from dest
	paths       []flow        // in the engine's table: what was checked, oldest first
	senders     map[uint32]*Sender
}

type counters struct {
	packetsIn, bytesIn                       atomic.Int64
	authFailed, replayed, refused, malformed atomic.Int64
	notReady, sendDropped                    atomic.Int64
}

// NewEndpoint makes an endpoint whose packets go to r.
func (e *Engine) NewEndpoint(r Receiver) *Endpoint {
	return &Endpoint{engine: e, receiver: r}
}

// setKeys gives the endpoint its keys, once, and wipes them. An endpoint never changes keys: a new DTLS association
// means a new Endpoint, so no SRTP state is ever started over under old keys.
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
	in, err := derive(k.m.profile, &k.m.inbound)
	if err != nil {
		return err
	}
	out, err := derive(k.m.profile, &k.m.outbound)
	if err != nil {
		return err
	}
	if err := ep.rtcp.set(k.m); err != nil {
		return err
	}
	ep.keyed = true
	ep.incoming.Store(in)
	ep.outgoing.Store(out)
	return nil
}

// Close takes the endpoint off the wire and tells the peer so: nothing is received or sent for it any more. A call of
// its Receiver that is under way may still finish. It may be called more than once.
func (ep *Endpoint) Close() {
	ep.mu.Lock()
	if ep.closed {
		ep.mu.Unlock()
		return
	}
	ep.closed = true
	ep.engine.logins.remove(ep.ufrag)
	ep.engine.logins.remove(ep.nextUfrag)
	ep.dest.Store(nil)
	for _, p := range ep.paths {
		ep.engine.table.remove(p.listener, p.remote, ep)
	}
	ep.paths = nil
	if ep.deadline != nil {
		ep.deadline.Stop()
	}
	ep.incoming.Store(nil)
	ep.outgoing.Store(nil)
	ep.mu.Unlock()
	if a := ep.dtls.Load(); a != nil {
		_ = a.conn.Close() // says goodbye; a peer that does not hear it loses nothing
	}
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

// onRTP takes one SRTP packet that came from one of the endpoint's addresses.
func (ep *Endpoint) onRTP(b *Batch, packet []byte, at time.Time) {
	s := ep.incoming.Load()
	if s == nil {
		ep.stat.notReady.Add(1)
		return
	}
	ep.inMu.Lock()
	defer ep.inMu.Unlock()
	plain, err := ep.in.unprotect(s, packet, at)
	if err != nil {
		ep.count(err)
		return
	}
	ep.stat.packetsIn.Add(1)
	ep.stat.bytesIn.Add(int64(len(packet)))
	ep.Touch(at)
	ep.receiver.OnRTP(b, ep, plain, at)
}

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

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

	dest     atomic.Pointer[dest]  // where to send; nil before Bind and after Close
	incoming atomic.Pointer[suite] // nil before SetKeys
	outgoing atomic.Pointer[suite]
	lastSeen atomic.Int64 // nanoseconds since Engine.start; 0: never

	inMu sync.Mutex // held while one packet is decrypted and handed over
	in   inbound    // guarded by inMu
	stat counters

	mu      sync.Mutex // guards all below
	keyed   bool
	closed  bool
	senders map[uint32]*Sender
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

// SetKeys gives the endpoint its keys, once, and wipes them. An endpoint never changes keys: a new DTLS association
// means a new Endpoint, so no SRTP state is ever started over under old keys.
func (ep *Endpoint) SetKeys(k Keys) error {
	if k.m == nil {
		return ErrNoKeys
	}
	ep.mu.Lock()
	defer ep.mu.Unlock()
	if ep.closed {
		return ErrClosed
	}
	if ep.keyed {
		return ErrKeysSet
	}
	defer k.Wipe()
	in, err := derive(k.m.profile, &k.m.inbound)
	if err != nil {
		return err
	}
	out, err := derive(k.m.profile, &k.m.outbound)
	if err != nil {
		return err
	}
	ep.keyed = true
	ep.incoming.Store(in)
	ep.outgoing.Store(out)
	return nil
}

// Bind sets the peer's address, the remote side of the pair its ICE agent nominated, and moves the endpoint there if it
// had another. Streams go on: rollover counters and replay windows belong to the keys, not to the address. Another
// endpoint at that address loses it, since an address has one user and the latest nomination is the true one.
func (ep *Endpoint) Bind(remote netip.AddrPort) error {
	remote = canonical(remote)
	l := ep.engine.mux.listenerFor(remote)
	if l == nil {
		return ErrBadAddress
	}
	d := &dest{ep: ep, listener: l, addr: remote}
	if err := d.sa.set(l, remote); err != nil {
		return err
	}
	ep.mu.Lock()
	defer ep.mu.Unlock()
	if ep.closed {
		return ErrClosed
	}
	old := ep.dest.Load()
	if old != nil && old.addr == remote && old.listener == l {
		if ep.engine.table.lookup(l.index, remote) == ep {
			return nil
		}
	}
	if loser := ep.engine.table.put(l.index, remote, ep); loser != nil && loser != ep {
		loser.lose(l, remote)
	}
	ep.dest.Store(d)
	if ep.engine.table.lookup(l.index, remote) != ep { // another was faster and looked for us too early
		ep.lose(l, remote)
	}
	if old != nil && (old.addr != remote || old.listener != l) {
		ep.engine.table.remove(old.listener.index, old.addr, ep)
	}
	return nil
}

// lose makes the endpoint stop sending to an address that has become another's. It takes no lock, because the winner
// holds its own.
func (ep *Endpoint) lose(l *listener, remote netip.AddrPort) {
	if d := ep.dest.Load(); d != nil && d.listener == l && d.addr == remote {
		ep.dest.CompareAndSwap(d, nil)
	}
}

// Close takes the endpoint off the wire: nothing is received or sent for it any more. A call of its Receiver that is
// under way may still finish.
func (ep *Endpoint) Close() {
	ep.mu.Lock()
	defer ep.mu.Unlock()
	if ep.closed {
		return
	}
	ep.closed = true
	if d := ep.dest.Swap(nil); d != nil {
		ep.engine.table.remove(d.listener.index, d.addr, ep)
	}
	ep.incoming.Store(nil)
	ep.outgoing.Store(nil)
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

// Remote is the address the endpoint is bound to, or the zero value.
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

// Touch notes a sign of life that the wire does not see, such as SRTCP or a STUN check that pion authenticated.
func (ep *Endpoint) Touch(at time.Time) { ep.lastSeen.Store(int64(at.Sub(ep.engine.start))) }

// receive takes one SRTP packet that came from the endpoint's address.
func (ep *Endpoint) receive(b *Batch, packet []byte, at time.Time) {
	s := ep.incoming.Load()
	if s == nil {
		ep.stat.notReady.Add(1)
		return
	}
	ep.inMu.Lock()
	defer ep.inMu.Unlock()
	plain, err := ep.in.unprotect(s, packet)
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

package peer

import (
	"fmt"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/mini-livechat/mini-livechat/sfu/forward"
	"github.com/mini-livechat/mini-livechat/sfu/speaker"
	"github.com/mini-livechat/mini-livechat/sfu/wire"
)

// ConsentLifetime is after how long without a check of the client nothing is sent to it any more.
const ConsentLifetime = wire.ConsentLifetime

// opusClockRate is Opus's RTP clock in Hz, whatever it encodes (RFC 7587, section 4.1).
const opusClockRate = 48000

// Peer is one client's connection, answered and waiting for or carrying media. It has two
// halves, which share the connection and what is known of the client's network: a talker,
// what comes in, and a listener, what goes out.
type Peer struct {
	id       uint64
	factory  *Factory
	endpoint *wire.Endpoint

	talker   talker
	listener listener
	network  network
	badRTCP  atomic.Uint64 // compounds that were dropped
	made     time.Time
	// up is how long after made the connection was there, in nanoseconds; 0: it is not.
	up atomic.Int64

	mu         sync.Mutex // guards the fields below
	closed     bool
	negotiated negotiation
	ending     ending
}

// Answer checks an offer, prepares a connection for it and returns it with its answer
// ready. The answer's candidates are at, the addresses at which this client reaches the
// media port, the preferred first; without any, the one it is bound to. Errors wrap
// ErrBadSDP or ErrUnsupportedMedia; then nothing is left behind.
func (f *Factory) Answer(offer string, at ...netip.AddrPort) (*Peer, error) {
	asked, err := inspect(offer, f.cfg.MaxSDPBytes, f.cfg.MaxSlots)
	if err != nil {
		return nil, err
	}
	p := &Peer{id: f.lastID.Add(1), factory: f}
	now := time.Now()
	p.made = now
	p.endpoint = f.engine.NewEndpoint(p)
	p.endpoint.Touch(now)
	p.negotiated = newNegotiation(asked, newSSRCs(asked.slots))
	if err = p.listener.open(&asked, p.negotiated.ssrcs, p.endpoint); err != nil {
		return nil, err
	}
	p.network.observer = f.cfg.Observer
	p.talker.open(asked.mic, p.endpoint, p.listener.reporter(), now, func(at time.Time) {
		f.cfg.Observer.Heard(max(at.Sub(p.made)-time.Duration(p.up.Load()), 0))
	})
	credentials, err := p.endpoint.Accept(asked.credentials, asked.fingerprints...)
	if err != nil {
		return nil, fmt.Errorf("open connection: %w", err)
	}
	if len(at) == 0 {
		at = f.engine.LocalAddrs()
	}
	p.negotiated.way = transport{credentials, f.engine.Fingerprint(), at}
	f.add(p)
	return p, nil
}

// ID numbers the connections of a Factory from 1.
func (p *Peer) ID() uint64 { return p.id }

// Answer is the SDP answer to the last offer, with all candidates. It is written anew each
// time, because keeping it would be a good part of what a quiet connection costs.
func (p *Peer) Answer() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.negotiated.answer()
}

// Talker reports whether the client offered a microphone.
func (p *Peer) Talker() bool { return p.talker.mic != nil }

// Source is what the client says; silent for one that is not a Talker.
func (p *Peer) Source() *forward.Source { return p.talker.Source() }

// Slots are what the client hears, in the order of the offer. The slice is not to be
// changed.
func (p *Peer) Slots() []Slot { return p.listener.slots }

// Meter measures what the client says.
func (p *Peer) Meter() *speaker.Meter { return p.talker.Meter() }

// OnSpeech sets what is called each time the client begins to speak, on the loop that
// received the packet. It must not block.
func (p *Peer) OnSpeech(began func()) { p.talker.OnSpeech(began) }

// SSRC returns the microphone's SSRC; ok is false until its first packet.
func (p *Peer) SSRC() (ssrc uint32, ok bool) { return p.talker.SSRC() }

// LastSeen returns when the client last gave a sign of life on the media path: an
// authenticated STUN check, RTP or RTCP packet; at first, when it was made.
func (p *Peer) LastSeen() time.Time { return p.endpoint.LastSeen() }

// Ask asks the client for a sign of life. It does not wait; LastSeen shows whether one came.
func (p *Peer) Ask() { p.endpoint.Ask() }

// RemoteAddr returns the address of the ICE-selected pair; it is not valid until there
// is one.
func (p *Peer) RemoteAddr() netip.AddrPort { return p.endpoint.Remote() }

// Close ends the connection. When it has returned, no packet of the client gets to its
// Source any more, but for one that is just being handled. It may be called more than
// once.
func (p *Peer) Close() error {
	p.mu.Lock()
	again := p.closed
	p.closed = true
	p.mu.Unlock()
	if again {
		return nil
	}
	p.factory.remove(p)
	for _, slot := range p.listener.slots {
		slot.Close()
	}
	p.endpoint.Close()
	return nil
}

// OnRTP implements wire.Receiver: it runs on the loop of the socket, for each packet that
// authenticated.
func (p *Peer) OnRTP(out *wire.Batch, _ *wire.Endpoint, packet []byte, at time.Time) {
	p.talker.receive(out, packet, at)
}

// OnConnected implements wire.Receiver: packets may leave.
func (p *Peer) OnConnected(ep *wire.Endpoint) {
	took, ice := time.Since(p.made), ep.Progress().FirstCheck.Sub(p.made)
	p.up.Store(int64(took))
	p.factory.cfg.Observer.Connected(max(ice, 0), max(took-ice, 0))
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return
	}
	for _, slot := range p.listener.slots {
		slot.Open()
	}
}

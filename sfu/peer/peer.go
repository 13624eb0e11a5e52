package peer

import (
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pion/ice/v4"
	"github.com/pion/sdp/v3"

	"github.com/mini-livechat/mini-livechat/sfu/forward"
	"github.com/mini-livechat/mini-livechat/sfu/speaker"
	"github.com/mini-livechat/mini-livechat/sfu/wire"
)

const (
	// opusClockRate is Opus's RTP clock in Hz, whatever it encodes (RFC 7587, section 4.1).
	opusClockRate = 48000
	// maxPacket is the largest payload copied for a large fan-out, in bytes: an Ethernet
	// frame's; a larger one grows its buffer once.
	maxPacket = 1500
	// maxCandidates is how many remote candidates one connection may name. The server
	// never needs one; browsers trickle about ten.
	maxCandidates = 64
)

// Peer is one client's connection, answered and waiting for or carrying media.
type Peer struct {
	id       uint64
	factory  *Factory
	endpoint *wire.Endpoint
	answer   string

	mic    *line // nil for one who only listens
	source *forward.Source
	slots  []Slot
	meter  *speaker.Meter
	// levelID is the id of the audio-level header extension, 0 for none.
	levelID uint8

	microphone microphone // the receiving loop's own
	// deferred counts the shares of this talker's packets that the lanes have still to send.
	deferred  atomic.Int32
	listening listening // likewise
	reported  []uint64  // the reporter's own: packets of each slot at its last report
	network   network

	onSpeech   atomic.Pointer[func()]
	dead       atomic.Bool   // nothing can bring the connection back
	ssrc       atomic.Uint32 // of the microphone, 0 until it was heard
	candidates atomic.Int32
	drops      drops

	mu        sync.Mutex // guards the fields below
	connected bool
	closed    bool
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
	p := &Peer{id: f.lastID.Add(1), factory: f, mic: asked.mic, source: forward.NewSource()}
	now := time.Now()
	p.meter = speaker.NewMeter(now)
	if p.mic != nil {
		p.levelID = p.mic.extensions[sdp.AudioLevelURI]
	}
	p.endpoint = f.engine.NewEndpoint(p)
	p.endpoint.Touch(now)
	ssrcs := newSSRCs(asked.slots)
	if err = p.makeSlots(&asked, ssrcs); err != nil {
		return nil, err
	}
	credentials, err := p.endpoint.Accept(asked.fingerprint)
	if err != nil {
		return nil, fmt.Errorf("open connection: %w", err)
	}
	if len(at) == 0 {
		at = f.engine.LocalAddrs()
	}
	if p.answer, err = f.answer(&asked, ssrcs, transport{credentials, at}); err != nil {
		p.endpoint.Close()
		return nil, err
	}
	f.add(p)
	return p, nil
}

// makeSlots makes what carries the packets of the recvonly lines.
func (p *Peer) makeSlots(asked *offered, ssrcs []uint32) error {
	p.slots = make([]Slot, 0, len(ssrcs))
	p.reported = make([]uint64, len(ssrcs))
	for i := range asked.lines {
		l := &asked.lines[i]
		if l.mic {
			continue
		}
		ssrc := ssrcs[len(p.slots)]
		config := forward.RandomSlotConfig(ssrc, l.opus, opusClockRate)
		config.REDPayloadType = l.red
		slot, err := forward.NewSlot(config, slotWriter{p.endpoint.Sender(ssrc)})
		if err != nil {
			return fmt.Errorf("make slot: %w", err)
		}
		slot.SetRedundancy(p.listening.depth.Blocks())
		p.slots = append(p.slots, Slot{Slot: slot, MID: l.mid, ssrc: ssrc, nack: l.nack})
	}
	return nil
}

// ID numbers the connections of a Factory from 1.
func (p *Peer) ID() uint64 { return p.id }

// Answer is the SDP answer with all candidates.
func (p *Peer) Answer() string { return p.answer }

// Talker reports whether the client offered a microphone.
func (p *Peer) Talker() bool { return p.mic != nil }

// Source is what the client says; silent for one that is not a Talker.
func (p *Peer) Source() *forward.Source { return p.source }

// Slots are what the client hears, in the order of the offer. The slice is not to be
// changed.
func (p *Peer) Slots() []Slot { return p.slots }

// Meter measures what the client says.
func (p *Peer) Meter() *speaker.Meter { return p.meter }

// OnSpeech sets what is called each time the client begins to speak, on the loop that
// received the packet. It must not block.
func (p *Peer) OnSpeech(began func()) { p.onSpeech.Store(&began) }

// SSRC returns the microphone's SSRC; ok is false until its first packet.
func (p *Peer) SSRC() (ssrc uint32, ok bool) {
	ssrc = p.ssrc.Load()
	return ssrc, ssrc != 0
}

// LastSeen returns when the client last gave a sign of life on the media path: an
// authenticated STUN check, RTP or RTCP packet. It is the zero time once the connection
// cannot come back: DTLS failed or was closed by the client.
func (p *Peer) LastSeen() time.Time {
	if p.dead.Load() {
		return time.Time{}
	}
	return p.endpoint.LastSeen()
}

// RemoteAddr returns the address of the ICE-selected pair; it is not valid until there
// is one.
func (p *Peer) RemoteAddr() netip.AddrPort { return p.endpoint.Remote() }

// AddCandidate takes a trickled remote candidate, an RTCIceCandidateInit's candidate. An
// ICE-lite server has no use for it, since it learns addresses from checks, so it only
// looks whether it is one. Errors wrap ErrCandidate.
func (p *Peer) AddCandidate(candidate string) error {
	if p.candidates.Add(1) > maxCandidates {
		return fmt.Errorf("%w: more than %d candidates", ErrCandidate, maxCandidates)
	}
	if candidate == "" { // the end of one generation of candidates
		return nil
	}
	if _, err := ice.UnmarshalCandidate(strings.TrimPrefix(candidate, "candidate:")); err != nil {
		return fmt.Errorf("%w: %s", ErrCandidate, oneLine(err))
	}
	return nil
}

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
	p.dead.Store(true)
	p.factory.remove(p)
	for _, slot := range p.slots {
		slot.Close()
	}
	p.endpoint.Close()
	return nil
}

// OnConnected implements wire.Receiver: packets may leave.
func (p *Peer) OnConnected(*wire.Endpoint) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return
	}
	p.connected = true
	for _, slot := range p.slots {
		slot.Open()
	}
}

// OnDisconnected implements wire.Receiver: the client said goodbye, or never proved that
// it is who made the offer.
func (p *Peer) OnDisconnected(*wire.Endpoint, error) { p.dead.Store(true) }

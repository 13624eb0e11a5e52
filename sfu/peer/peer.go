package peer

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pion/ice/v4"
	"github.com/pion/interceptor"
	"github.com/pion/sdp/v3"
	"github.com/pion/stun/v4"
	"github.com/pion/webrtc/v4"

	"github.com/mini-livechat/mini-livechat/sfu/forward"
	"github.com/mini-livechat/mini-livechat/sfu/wire"
)

const (
	// opusClockRate is Opus's RTP clock in Hz, whatever it encodes (RFC 7587, section 4.1).
	opusClockRate = 48000
	// opusPayloadType is ours when the offer leaves a choice; the client's number wins.
	opusPayloadType = 111
	// opusParameters asks the client for in-band FEC and DTX (RFC 7587, section 6.1).
	opusParameters = "minptime=10;useinbandfec=1;usedtx=1"
	// maxPacket is the largest payload copied for a large fan-out, in bytes: an Ethernet
	// frame's; a larger one grows its buffer once.
	maxPacket = 1500
	// maxCandidates is how many remote candidates one connection may add. The server
	// never needs one; browsers trickle about ten.
	maxCandidates = 64
	// gatherTimeout bounds waiting for the server's own candidates, which need no network.
	gatherTimeout = 2 * time.Second
)

// Peer is one client's PeerConnection, answered and waiting for or carrying media.
type Peer struct {
	id       uint64
	factory  *Factory
	pc       *webrtc.PeerConnection
	keys     wire.KeyTap
	endpoint *wire.Endpoint
	answer   string

	talker      bool
	payloadType uint8 // of the microphone's Opus
	source      *forward.Source
	slots       []Slot

	microphone microphone // the receiving loop's own
	reported   []uint64   // the reporter's own: packets of each slot at its last report
	heard      lastReport

	dead       atomic.Bool   // nothing can bring the connection back
	ssrc       atomic.Uint32 // of the microphone, 0 until it was heard
	candidates atomic.Int32
	dropped    atomic.Uint64 // packets that are not what was negotiated

	mu     sync.Mutex // guards the fields below
	keyed  bool
	closed bool
}

// Answer checks an offer, makes a PeerConnection for it and returns it with its answer
// ready. Errors wrap ErrBadSDP or ErrUnsupportedMedia; then nothing is left behind.
func (f *Factory) Answer(ctx context.Context, offer string) (*Peer, error) {
	asked, err := inspect(offer, f.cfg.MaxSDPBytes, f.cfg.MaxSlots)
	if err != nil {
		return nil, err
	}
	p := &Peer{id: f.lastID.Add(1), factory: f, talker: asked.hasMic, source: forward.NewSource()}
	p.endpoint = f.engine.NewEndpoint(p)
	p.endpoint.Touch(time.Now())
	api, err := f.api(p)
	if err != nil {
		return nil, err
	}
	p.pc, err = api.NewPeerConnection(webrtc.Configuration{
		Certificates: []webrtc.Certificate{f.cert},
		// wire reads header extensions in the clear.
		RTPHeaderEncryptionPolicy: webrtc.RTPHeaderEncryptionPolicyDisable,
	})
	if err != nil {
		return nil, fmt.Errorf("make PeerConnection: %w", err)
	}
	p.pc.OnConnectionStateChange(p.onState)
	transport := p.pc.SCTP().Transport()
	transport.OnStateChange(p.onDTLS)
	transport.ICETransport().OnSelectedCandidatePairChange(p.onPair)
	if err := p.negotiate(ctx, offer, asked); err != nil {
		return nil, errors.Join(err, p.Close())
	}
	f.add(p)
	return p, nil
}

// api builds the pion API of one peer: Opus only, and no interceptors, since pion sees
// no RTP.
func (f *Factory) api(p *Peer) (*webrtc.API, error) {
	media := &webrtc.MediaEngine{}
	err := media.RegisterCodec(webrtc.RTPCodecParameters{
		RTPCodecCapability: webrtc.RTPCodecCapability{
			MimeType: webrtc.MimeTypeOpus, ClockRate: opusClockRate, Channels: 2, SDPFmtpLine: opusParameters,
		},
		PayloadType: opusPayloadType,
	}, webrtc.RTPCodecTypeAudio)
	if err != nil {
		return nil, fmt.Errorf("register Opus: %w", err)
	}
	for _, uri := range []string{sdp.SDESMidURI, sdp.AudioLevelURI} {
		extension := webrtc.RTPHeaderExtensionCapability{URI: uri}
		if err = media.RegisterHeaderExtension(extension, webrtc.RTPCodecTypeAudio,
			webrtc.RTPTransceiverDirectionRecvonly); err != nil {
			return nil, fmt.Errorf("register %s: %w", uri, err)
		}
	}
	engine, err := f.settings(p)
	if err != nil {
		return nil, err
	}
	return webrtc.NewAPI(webrtc.WithSettingEngine(engine), webrtc.WithMediaEngine(media),
		webrtc.WithInterceptorRegistry(&interceptor.Registry{})), nil
}

// negotiate applies the offer, sets the answer and makes the slots.
func (p *Peer) negotiate(ctx context.Context, offer string, asked offered) error {
	transceivers := make([]*webrtc.RTPTransceiver, len(asked.slots))
	for i := range transceivers {
		// Every slot is a stream of its own, so that a browser does not hold one back for
		// another's sake. pion writes nothing to the track.
		id := "slot" + strconv.Itoa(i)
		track, err := webrtc.NewTrackLocalStaticRTP(webrtc.RTPCodecCapability{MimeType: webrtc.MimeTypeOpus}, id, id)
		if err != nil {
			return fmt.Errorf("make slot: %w", err)
		}
		transceivers[i], err = p.pc.AddTransceiverFromTrack(track,
			webrtc.RTPTransceiverInit{Direction: webrtc.RTPTransceiverDirectionSendonly})
		if err != nil {
			return fmt.Errorf("add slot: %w", err)
		}
	}
	remote := webrtc.SessionDescription{Type: webrtc.SDPTypeOffer, SDP: offer}
	if err := p.pc.SetRemoteDescription(remote); err != nil {
		return fmt.Errorf("%w: %s", ErrBadSDP, oneLine(err))
	}
	local, err := p.pc.CreateAnswer(nil)
	if err != nil {
		return fmt.Errorf("%w: %s", ErrBadSDP, oneLine(err))
	}
	if err := p.makeLines(asked, transceivers); err != nil {
		return err
	}
	gathered := webrtc.GatheringCompletePromise(p.pc)
	if err := p.pc.SetLocalDescription(local); err != nil {
		return fmt.Errorf("%w: %s", ErrBadSDP, oneLine(err))
	}
	ctx, cancel := context.WithTimeout(ctx, gatherTimeout)
	defer cancel()
	select {
	case <-gathered:
	case <-ctx.Done():
		return fmt.Errorf("gather candidates: %w", ctx.Err())
	}
	p.answer = p.pc.LocalDescription().SDP
	return nil
}

// makeLines makes what carries the packets of the negotiated lines. It comes before the
// local description, from which on the connection may come up.
func (p *Peer) makeLines(asked offered, transceivers []*webrtc.RTPTransceiver) error {
	p.slots = make([]Slot, 0, len(transceivers))
	p.reported = make([]uint64, len(transceivers))
	for _, transceiver := range transceivers {
		parameters := transceiver.Sender().GetParameters()
		if len(parameters.Codecs) == 0 || len(parameters.Encodings) == 0 {
			return fmt.Errorf("%w: no codec in common on mid %s", ErrUnsupportedMedia, transceiver.Mid())
		}
		ssrc := uint32(parameters.Encodings[0].SSRC)
		slot, err := forward.NewSlot(
			forward.RandomSlotConfig(ssrc, uint8(parameters.Codecs[0].PayloadType), opusClockRate),
			slotWriter{p.endpoint.Sender(ssrc)})
		if err != nil {
			return fmt.Errorf("make slot: %w", err)
		}
		p.slots = append(p.slots, Slot{Slot: slot, MID: transceiver.Mid(), ssrc: ssrc})
	}
	for _, transceiver := range p.pc.GetTransceivers() {
		if asked.hasMic && transceiver.Mid() == asked.mic {
			parameters := transceiver.Receiver().GetParameters()
			if len(parameters.Codecs) == 0 {
				return fmt.Errorf("%w: no codec in common on mid %s", ErrUnsupportedMedia, asked.mic)
			}
			p.payloadType = uint8(parameters.Codecs[0].PayloadType)
		}
	}
	return nil
}

// ID numbers the PeerConnections of a Factory from 1.
func (p *Peer) ID() uint64 { return p.id }

// Answer is the SDP answer with all candidates.
func (p *Peer) Answer() string { return p.answer }

// Talker reports whether the client offered a microphone.
func (p *Peer) Talker() bool { return p.talker }

// Source is what the client says; silent for one that is not a Talker.
func (p *Peer) Source() *forward.Source { return p.source }

// Slots are what the client hears, in the order of the offer. The slice is not to be
// changed.
func (p *Peer) Slots() []Slot { return p.slots }

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

// AddCandidate adds a trickled remote candidate. Errors wrap ErrCandidate.
func (p *Peer) AddCandidate(candidate webrtc.ICECandidateInit) error {
	if p.candidates.Add(1) > maxCandidates {
		return fmt.Errorf("%w: more than %d candidates", ErrCandidate, maxCandidates)
	}
	if err := p.pc.AddICECandidate(candidate); err != nil {
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
	p.keys.Close()
	if err := p.pc.Close(); err != nil {
		return fmt.Errorf("close PeerConnection: %w", err)
	}
	return nil
}

// onBindingRequest runs for each STUN check whose integrity was verified. It never
// overrides pion's choice of a pair.
func (p *Peer) onBindingRequest(*stun.Message, ice.Candidate, ice.Candidate, *ice.CandidatePair) bool {
	p.endpoint.Touch(time.Now())
	return false
}

// onPair moves the endpoint to the address that ICE has selected: the first one, and
// each later one after a change of network.
func (p *Peer) onPair(pair *webrtc.ICECandidatePair) {
	addr, err := netip.ParseAddr(pair.Remote.Address)
	if err != nil {
		return // a name; pion resolves none
	}
	if p.endpoint.Bind(netip.AddrPortFrom(addr, pair.Remote.Port)) == nil {
		p.openSlots()
	}
}

// onDTLS gives the endpoint its keys when the handshake is done.
func (p *Peer) onDTLS(state webrtc.DTLSTransportState) {
	if state != webrtc.DTLSTransportStateConnected {
		return
	}
	keys, err := p.keys.Keys()
	if err == nil {
		err = p.endpoint.SetKeys(keys)
	}
	if err != nil {
		// Closed meanwhile, or without a profile in common: nothing will ever be heard.
		p.dead.Store(true)
		return
	}
	p.mu.Lock()
	p.keyed = true
	p.mu.Unlock()
	p.openSlots()
}

// openSlots lets packets out once there are both keys and an address for them.
func (p *Peer) openSlots() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.keyed || p.closed || !p.endpoint.Remote().IsValid() {
		return
	}
	for _, slot := range p.slots {
		slot.Open()
	}
}

func (p *Peer) onState(state webrtc.PeerConnectionState) {
	if state == webrtc.PeerConnectionStateFailed || state == webrtc.PeerConnectionStateClosed {
		p.dead.Store(true)
	}
}

// dtlsContext bounds one DTLS handshake.
func dtlsContext() (context.Context, func()) {
	return context.WithTimeout(context.Background(), dtlsTimeout)
}

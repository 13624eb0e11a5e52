package peer

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pion/ice/v4"
	"github.com/pion/interceptor"
	"github.com/pion/sdp/v3"
	"github.com/pion/stun/v4"
	"github.com/pion/transport/v5/packetio"
	"github.com/pion/webrtc/v4"

	"github.com/mini-livechat/mini-livechat/sfu/forward"
)

const (
	// opusClockRate is Opus's RTP clock in Hz, whatever it encodes (RFC 7587, section 4.1).
	opusClockRate = 48000
	// opusPayloadType is ours when the offer leaves a choice; the client's number wins.
	opusPayloadType = 111
	// opusParameters asks the client for in-band FEC and DTX (RFC 7587, section 6.1).
	opusParameters = "minptime=10;useinbandfec=1;usedtx=1"
	// maxPacket is the largest RTP packet read, in bytes: an Ethernet frame's payload.
	maxPacket = 1500
	// maxCandidates is how many remote candidates one connection may add. The server
	// never needs one; browsers trickle about ten.
	maxCandidates = 64
	// gatherTimeout bounds waiting for the server's own candidates, which need no network.
	gatherTimeout = 2 * time.Second
)

// Peer is one client's PeerConnection, answered and waiting for or carrying media.
type Peer struct {
	id     uint64
	pc     *webrtc.PeerConnection
	answer string
	talker bool
	source *forward.Source
	slots  []Slot

	lastSeen   atomic.Int64  // Unix nanoseconds of the last sign of life
	dead       atomic.Bool   // nothing can bring the connection back
	ssrc       atomic.Uint32 // of the microphone, 0 until it was heard
	ssrcs      atomic.Int32  // how many the client has used
	candidates atomic.Int32
	dropped    atomic.Uint64 // packets that are not RTP of the negotiated codec

	forwarding sync.Mutex // one track at a time feeds source

	mu      sync.Mutex // guards closed, tracks.Add against tracks.Wait, and opening of slots
	closed  bool
	tracks  sync.WaitGroup
	factory *Factory
}

// Answer checks an offer, makes a PeerConnection for it and returns it with its answer
// ready. Errors wrap ErrBadSDP or ErrUnsupportedMedia; then nothing is left behind.
func (f *Factory) Answer(ctx context.Context, offer string) (*Peer, error) {
	asked, err := inspect(offer, f.cfg.MaxSDPBytes, f.cfg.MaxSlots)
	if err != nil {
		return nil, err
	}
	p := &Peer{id: f.lastID.Add(1), factory: f, talker: asked.hasMic, source: forward.NewSource()}
	p.touch()
	api, err := f.api(p)
	if err != nil {
		return nil, err
	}
	p.pc, err = api.NewPeerConnection(webrtc.Configuration{Certificates: []webrtc.Certificate{f.cert}})
	if err != nil {
		return nil, fmt.Errorf("make PeerConnection: %w", err)
	}
	p.pc.OnTrack(p.onTrack)
	p.pc.OnConnectionStateChange(p.onState)
	if err := p.negotiate(ctx, offer, asked); err != nil {
		return nil, errors.Join(err, p.Close())
	}
	return p, nil
}

// api builds the pion API of one peer: Opus only, with the reports of RFC 3550.
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
		if err := media.RegisterHeaderExtension(extension, webrtc.RTPCodecTypeAudio,
			webrtc.RTPTransceiverDirectionRecvonly); err != nil {
			return nil, fmt.Errorf("register %s: %w", uri, err)
		}
	}
	registry := &interceptor.Registry{}
	if err := webrtc.ConfigureRTCPReports(registry); err != nil {
		return nil, fmt.Errorf("configure RTCP reports: %w", err)
	}
	engine, err := f.settings(p)
	if err != nil {
		return nil, err
	}
	return webrtc.NewAPI(webrtc.WithSettingEngine(engine), webrtc.WithMediaEngine(media),
		webrtc.WithInterceptorRegistry(registry)), nil
}

// negotiate applies the offer, sets the answer and makes the slots.
func (p *Peer) negotiate(ctx context.Context, offer string, asked offered) error {
	tracks := make([]*slotTrack, len(asked.slots))
	transceivers := make([]*webrtc.RTPTransceiver, len(asked.slots))
	for i := range tracks {
		tracks[i] = &slotTrack{id: "slot" + strconv.Itoa(i)}
		transceiver, err := p.pc.AddTransceiverFromTrack(tracks[i],
			webrtc.RTPTransceiverInit{Direction: webrtc.RTPTransceiverDirectionSendonly})
		if err != nil {
			return fmt.Errorf("add slot: %w", err)
		}
		transceivers[i] = transceiver
	}
	remote := webrtc.SessionDescription{Type: webrtc.SDPTypeOffer, SDP: offer}
	if err := p.pc.SetRemoteDescription(remote); err != nil {
		return fmt.Errorf("%w: %s", ErrBadSDP, oneLine(err))
	}
	local, err := p.pc.CreateAnswer(nil)
	if err != nil {
		return fmt.Errorf("%w: %s", ErrBadSDP, oneLine(err))
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
	return p.makeSlots(tracks, transceivers)
}

func (p *Peer) makeSlots(tracks []*slotTrack, transceivers []*webrtc.RTPTransceiver) error {
	p.slots = make([]Slot, len(tracks))
	for i, track := range tracks {
		parameters := transceivers[i].Sender().GetParameters()
		if len(parameters.Codecs) == 0 || len(parameters.Encodings) == 0 {
			return fmt.Errorf("%w: no codec in common on mid %s", ErrUnsupportedMedia, transceivers[i].Mid())
		}
		slot, err := forward.NewSlot(forward.RandomSlotConfig(
			uint32(parameters.Encodings[0].SSRC), uint8(parameters.Codecs[0].PayloadType), opusClockRate), track)
		if err != nil {
			return fmt.Errorf("make slot: %w", err)
		}
		p.slots[i] = Slot{Slot: slot, MID: transceivers[i].Mid()}
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
// authenticated STUN check or an RTP packet. It is the zero time once the connection
// cannot come back: DTLS failed or was closed by the client.
func (p *Peer) LastSeen() time.Time {
	if p.dead.Load() {
		return time.Time{}
	}
	return time.Unix(0, p.lastSeen.Load())
}

// RemoteAddr returns the address of the ICE-selected pair; it is not valid until there
// is one.
func (p *Peer) RemoteAddr() netip.AddrPort {
	pair, err := p.pc.SCTP().Transport().ICETransport().GetSelectedCandidatePair()
	if err != nil || pair == nil || pair.Remote == nil {
		return netip.AddrPort{}
	}
	addr, err := netip.ParseAddr(pair.Remote.Address)
	if err != nil {
		return netip.AddrPort{}
	}
	return netip.AddrPortFrom(addr, pair.Remote.Port)
}

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

// Close ends the connection and returns when nothing of it runs any more. It may be
// called more than once.
func (p *Peer) Close() error {
	p.mu.Lock()
	again := p.closed
	p.closed = true
	p.mu.Unlock()
	if again {
		return nil
	}
	for _, slot := range p.slots {
		slot.Close()
	}
	err := p.pc.Close()
	p.tracks.Wait()
	p.dead.Store(true)
	if err != nil {
		return fmt.Errorf("close PeerConnection: %w", err)
	}
	return nil
}

func (p *Peer) touch() { p.lastSeen.Store(time.Now().UnixNano()) }

// onBindingRequest runs for each STUN check whose integrity was verified. It never
// overrides pion's choice of a pair.
func (p *Peer) onBindingRequest(*stun.Message, ice.Candidate, ice.Candidate, *ice.CandidatePair) bool {
	p.touch()
	return false
}

func (p *Peer) onState(state webrtc.PeerConnectionState) {
	switch state {
	case webrtc.PeerConnectionStateConnected:
		p.mu.Lock()
		defer p.mu.Unlock()
		for _, slot := range p.slots {
			if !p.closed {
				slot.Open()
			}
		}
	case webrtc.PeerConnectionStateFailed, webrtc.PeerConnectionStateClosed:
		p.dead.Store(true)
	default:
	}
}

// onTrack runs on a goroutine of its own for each SSRC that carries audio.
func (p *Peer) onTrack(track *webrtc.TrackRemote, _ *webrtc.RTPReceiver) {
	p.mu.Lock()
	if p.closed {
		p.mu.Unlock()
		return
	}
	p.tracks.Add(1)
	p.mu.Unlock()
	defer p.tracks.Done()
	p.ssrc.Store(uint32(track.SSRC()))
	payloadType := uint8(track.PayloadType())
	buf := make([]byte, maxPacket)
	var packet forward.Packet
	for {
		n, _, err := track.Read(buf)
		if err != nil {
			// With bytes read it is this packet, of no negotiated codec or larger than any
			// frame, and not the connection.
			if n == 0 && !errors.Is(err, io.ErrShortBuffer) {
				return
			}
			p.dropped.Add(1)
			continue
		}
		p.touch()
		if packet.Unmarshal(buf[:n]) != nil || packet.PayloadType != payloadType {
			p.dropped.Add(1)
			continue
		}
		p.forwarding.Lock()
		p.source.Forward(&packet, time.Now())
		p.forwarding.Unlock()
	}
}

// newBuffer is called by pion for each new SSRC the client sends, which is where a
// client that invents SSRCs is stopped.
func (p *Peer) newBuffer(_ packetio.BufferPacketType, _ uint32) io.ReadWriteCloser {
	buffer := ssrcQueue{packetio.NewBuffer()}
	buffer.SetLimitSize(ssrcBuffer)
	// An SSRC has two buffers: one for RTP, one for RTCP.
	if p.ssrcs.Add(1) == 2*MaxSSRCs+1 {
		// Close waits for the goroutine this runs on. What the SFU holds of the peer goes
		// with the next sweep, since a dead peer was never seen.
		p.factory.closing.Go(func() { _ = p.Close() })
	}
	return buffer
}

// ssrcQueue is a packetio.Buffer as pion's BufferFactory wants it.
type ssrcQueue struct{ *packetio.Buffer }

func (q ssrcQueue) Read(b []byte) (int, error) {
	n, _, err := q.Buffer.Read(b, nil)
	return n, err
}

func (q ssrcQueue) Write(b []byte) (int, error) { return q.Buffer.Write(b, nil) }

// dtlsContext bounds one DTLS handshake.
func dtlsContext() (context.Context, func()) {
	return context.WithTimeout(context.Background(), dtlsTimeout)
}

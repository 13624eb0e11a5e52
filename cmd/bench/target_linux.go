package bench

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/pion/dtls/v3"
	"github.com/pion/ice/v4"
	"github.com/pion/logging"
	"github.com/pion/webrtc/v4"
)

// target is what is measured: the server, the floor or the reference.
type target interface {
	// open starts it for the plan. close follows, whatever the error.
	open(ctx context.Context, g *generator, p *plan) error
	// join brings a member in and says when the connecting began.
	join(ctx context.Context, i int) (one participant, began time.Duration, err error)
	// processes are what the figures are about: none when it is not a child, several when it is a cluster.
	processes() []*process
	close()
}

// How the load generator's connections behave; all but the last are pion's defaults.
const (
	iceDisconnected = 5 * time.Second
	iceFailed       = 25 * time.Second
	consentInterval = 2500 * time.Millisecond
)

// participant is a member who has joined.
type participant struct {
	// leg is the media path; keys and destination are set on it.
	leg *leg
	// ssrc is what to talk with.
	ssrc  uint32
	leave func()
	// write writes a message and waits for the ACK; nil for who does not write.
	write func(ctx context.Context) error
	// history reads a page of what is remembered, and search looks for something in all of it; nil for who does neither.
	history, search func(ctx context.Context) error
}

// adjust makes a pion connection one of the load generator's.
func (g *generator) adjust(s *webrtc.SettingEngine) {
	s.SetICEUDPMux(mux{g})
	s.SetNetworkTypes([]webrtc.NetworkType{webrtc.NetworkTypeUDP4})
	// Consent checks at the pace of Chromium's; RFC 7675, section 5.1, asks for half of it.
	s.SetICETimeouts(iceDisconnected, iceFailed, consentInterval)
	s.SetDTLSKeyLogWriter(&g.keys)
	s.SetSRTPProtectionProfiles(dtls.SRTP_AEAD_AES_128_GCM)
	withoutMulticast(s)
}

// withoutMulticast turns multicast DNS off, which costs every connection some goroutines
// and sockets, and pion's logging.
func withoutMulticast(s *webrtc.SettingEngine) {
	s.SetICEMulticastDNSMode(ice.MulticastDNSModeDisabled)
	quiet := logging.NewDefaultLoggerFactory()
	quiet.DefaultLogLevel = logging.LogLevelDisabled
	s.LoggerFactory = quiet
}

// legFor finds the leg of a connection, once its local description is set.
func (g *generator) legFor(pc *webrtc.PeerConnection) (*leg, error) {
	local := pc.LocalDescription()
	if local == nil {
		return nil, errNoLeg
	}
	parsed, err := local.Unmarshal()
	if err != nil {
		return nil, err
	}
	ufrag, ok := parsed.Attribute("ice-ufrag")
	for _, m := range parsed.MediaDescriptions {
		if ok {
			break
		}
		ufrag, ok = m.Attribute("ice-ufrag")
	}
	if l := g.legOf(ufrag); ok && l != nil {
		return l, nil
	}
	return nil, errNoLeg
}

var errNoLeg = errors.New("the participant has no socket")

// errNoKeys: DTLS is done but the keys are not known, so that nothing could be sent.
var errNoKeys = errors.New("the SRTP keys did not become known; the server must agree to DTLS 1.2 and AES-128-GCM")

// ready checks that RTP can be exchanged.
func (l *leg) ready() error {
	if l.sealer.Load() == nil || l.remote.Load() == nil {
		return errNoKeys
	}
	return nil
}

// floorTarget is the floor seen from the load generator.
type floorTarget struct {
	self Self
	proc *process

	joined []participant
}

func (t *floorTarget) open(ctx context.Context, g *generator, p *plan) (err error) {
	if t.proc, err = start(t.self, RoleFloor); err != nil {
		return err
	}
	orders := floorPlan{Legs: make([]floorLeg, len(p.members))}
	for i := range p.members {
		leg, err := g.newLeg()
		if err != nil {
			return err
		}
		o := &orders.Legs[i]
		o.Addr = leg.addr
		var sealer, opener *crypter
		if sealer, o.InKey, o.InSalt, err = newKey(); err != nil {
			return err
		}
		if opener, o.OutKey, o.OutSalt, err = newKey(); err != nil {
			return err
		}
		leg.sealer.Store(sealer)
		leg.opener.Store(opener)
		t.joined = append(t.joined, participant{leg: leg, ssrc: uint32(i + 1), leave: func() { _ = leg.Close() }})
	}
	for i, m := range p.members {
		for slot, talker := range m.hears {
			// Every hearer has an SSRC of its own for every voice, like a slot.
			to := &orders.Legs[talker].To
			*to = append(*to, floorRoute{Leg: i, SSRC: uint32(i*maxSlots + slot + 1)})
		}
	}
	var addr netip.AddrPort
	if err := t.proc.ask(ctx, "open", orders, &addr); err != nil {
		return err
	}
	for _, one := range t.joined {
		one.leg.remote.Store(newSockaddr(addr))
	}
	return nil
}

// newKey makes a random session key and salt.
func newKey() (c *crypter, key, salt []byte, err error) {
	key, salt = make([]byte, keyBytes), make([]byte, saltBytes)
	if _, err = rand.Read(key); err == nil {
		if _, err = rand.Read(salt); err == nil {
			c, err = newCrypter(key, salt)
		}
	}
	return c, key, salt, err
}

func (t *floorTarget) join(_ context.Context, i int) (participant, time.Duration, error) {
	return t.joined[i], t.joined[i].leg.gen.now(), nil
}

func (t *floorTarget) processes() []*process { return []*process{t.proc} }

func (t *floorTarget) close() {
	if t.proc != nil {
		t.proc.stop()
	}
}

// referenceTarget is the reference seen from the load generator.
type referenceTarget struct {
	self Self
	proc *process

	gen  *generator
	api  *webrtc.API
	plan *plan
	mu   sync.Mutex // a question at a time
}

func (t *referenceTarget) open(ctx context.Context, g *generator, p *plan) (err error) {
	t.gen, t.plan = g, p
	media := &webrtc.MediaEngine{}
	err = media.RegisterCodec(webrtc.RTPCodecParameters{
		RTPCodecCapability: webrtc.RTPCodecCapability{MimeType: webrtc.MimeTypeOpus, ClockRate: 48000, Channels: 2},
		PayloadType:        opusPayloadType,
	}, webrtc.RTPCodecTypeAudio)
	if err != nil {
		return fmt.Errorf("reference: %w", err)
	}
	var settings webrtc.SettingEngine
	settings.SetIncludeLoopbackCandidate(true)
	settings.DisableActiveTCP(true)
	g.adjust(&settings)
	t.api = webrtc.NewAPI(webrtc.WithMediaEngine(media), webrtc.WithSettingEngine(settings))
	if t.proc, err = start(t.self, RoleReference); err != nil {
		return err
	}
	var talkers referencePlan
	for i, m := range p.members {
		if m.talks {
			talkers.Talkers = append(talkers.Talkers, i)
		}
	}
	return t.proc.ask(ctx, "plan", talkers, nil)
}

func (t *referenceTarget) join(ctx context.Context, i int) (one participant, began time.Duration, err error) {
	m := t.plan.members[i]
	began = t.gen.now()
	pc, err := t.api.NewPeerConnection(webrtc.Configuration{})
	if err != nil {
		return one, began, err
	}
	one = participant{leave: func() { _ = pc.GracefulClose() }}
	if one.leg, one.ssrc, err = t.connect(ctx, pc, i, m); err != nil {
		one.leave()
		return participant{}, began, fmt.Errorf("reference: %w", err)
	}
	return one, began, nil
}

func (t *referenceTarget) connect(ctx context.Context, pc *webrtc.PeerConnection, i int, m member) (*leg, uint32, error) {
	connected := make(chan struct{})
	var once sync.Once
	pc.OnConnectionStateChange(func(state webrtc.PeerConnectionState) {
		if state == webrtc.PeerConnectionStateConnected {
			once.Do(func() { close(connected) })
		}
	})
	ssrc, err := addLines(pc, m)
	if err != nil {
		return nil, 0, err
	}
	offer, err := pc.CreateOffer(nil)
	if err != nil {
		return nil, 0, err
	}
	if err = pc.SetLocalDescription(offer); err != nil {
		return nil, 0, err
	}
	var answer string
	t.mu.Lock()
	err = t.proc.ask(ctx, "join", referenceJoin{Member: i, Talks: m.talks, Hears: m.hears, Offer: offer.SDP}, &answer)
	t.mu.Unlock()
	if err != nil {
		return nil, 0, err
	}
	if err = pc.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeAnswer, SDP: answer}); err != nil {
		return nil, 0, err
	}
	select {
	case <-connected:
	case <-ctx.Done():
		return nil, 0, ctx.Err()
	}
	l, err := t.gen.legFor(pc)
	if err != nil {
		return nil, 0, err
	}
	return l, ssrc, l.ready()
}

// addLines adds what a member sends and hears to its offer, and returns the SSRC it sends.
func addLines(pc *webrtc.PeerConnection, m member) (ssrc uint32, err error) {
	if m.talks {
		track, err := webrtc.NewTrackLocalStaticRTP(webrtc.RTPCodecCapability{MimeType: webrtc.MimeTypeOpus}, "microphone", "bench")
		if err != nil {
			return 0, err
		}
		line, err := pc.AddTransceiverFromTrack(track, webrtc.RTPTransceiverInit{Direction: webrtc.RTPTransceiverDirectionSendonly})
		if err != nil {
			return 0, err
		}
		if encodings := line.Sender().GetParameters().Encodings; len(encodings) > 0 {
			ssrc = uint32(encodings[0].SSRC)
		}
	}
	for range m.hears {
		_, err := pc.AddTransceiverFromKind(webrtc.RTPCodecTypeAudio,
			webrtc.RTPTransceiverInit{Direction: webrtc.RTPTransceiverDirectionRecvonly})
		if err != nil {
			return 0, err
		}
	}
	return ssrc, nil
}

func (t *referenceTarget) processes() []*process { return []*process{t.proc} }

func (t *referenceTarget) close() {
	if t.proc != nil {
		t.proc.stop()
	}
}

// localAddress is the address from which this machine reaches a host.
func localAddress(ctx context.Context, host string) (netip.Addr, error) {
	conn, err := (&net.Dialer{}).DialContext(ctx, "udp4", net.JoinHostPort(host, "9")) // sends nothing
	if err != nil {
		return netip.Addr{}, fmt.Errorf("find the way to %s (over IPv4): %w", host, err)
	}
	defer conn.Close() //nolint:errcheck // nothing was sent
	local, err := netip.ParseAddrPort(conn.LocalAddr().String())
	return local.Addr().Unmap(), err
}

package peer

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"net"
	"net/netip"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/pion/ice/v4"
	"github.com/pion/logging"
	"github.com/pion/rtp"
	"github.com/pion/sdp/v3"
	"github.com/pion/webrtc/v4"
	"github.com/stretchr/testify/require"

	"github.com/mini-livechat/mini-livechat/sfu/forward"
	"github.com/mini-livechat/mini-livechat/sfu/leaktest"
	"github.com/mini-livechat/mini-livechat/sfu/wire"
)

const patience = time.Minute

func newFactory(t *testing.T, change ...func(*Config)) *Factory {
	t.Helper()
	cfg := Config{Listen: netip.MustParseAddrPort("127.0.0.1:0"), MaxSlots: 4, MaxSDPBytes: 56 << 10}
	for _, c := range change {
		c(&cfg)
	}
	f, err := NewFactory(cfg)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, f.Close()) })
	return f
}

func verifyNoLeaks(t *testing.T) {
	t.Helper()
	leaktest.Check(t)
}

// client is a pion client with a microphone track and slots.
type client struct {
	pc    *webrtc.PeerConnection
	mic   *micTrack
	heard chan *rtp.Packet
	up    chan struct{}
}

func newClient(t *testing.T, slots int) (*client, string) {
	t.Helper()
	return newClientOf(t, slots, opusEngine(t))
}

func newClientOf(t *testing.T, slots int, media *webrtc.MediaEngine) (*client, string) {
	t.Helper()
	var engine webrtc.SettingEngine
	engine.LoggerFactory = quietLogs()
	engine.SetIncludeLoopbackCandidate(true)
	engine.SetICEMulticastDNSMode(ice.MulticastDNSModeDisabled)
	pc, err := webrtc.NewAPI(webrtc.WithSettingEngine(engine), webrtc.WithMediaEngine(media)).
		NewPeerConnection(webrtc.Configuration{})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, pc.GracefulClose()) })
	c := &client{pc: pc, mic: &micTrack{}, heard: make(chan *rtp.Packet, 100), up: make(chan struct{})}
	var up sync.Once // a restart of ICE connects again
	pc.OnConnectionStateChange(func(state webrtc.PeerConnectionState) {
		if state == webrtc.PeerConnectionStateConnected {
			up.Do(func() { close(c.up) })
		}
	})
	pc.OnTrack(func(track *webrtc.TrackRemote, _ *webrtc.RTPReceiver) {
		for {
			packet, _, readErr := track.ReadRTP()
			if readErr != nil {
				return
			}
			c.heard <- packet
		}
	})
	_, err = pc.AddTransceiverFromTrack(c.mic, webrtc.RTPTransceiverInit{Direction: webrtc.RTPTransceiverDirectionSendonly})
	require.NoError(t, err)
	for range slots {
		_, err = pc.AddTransceiverFromKind(webrtc.RTPCodecTypeAudio,
			webrtc.RTPTransceiverInit{Direction: webrtc.RTPTransceiverDirectionRecvonly})
		require.NoError(t, err)
	}
	offer, err := pc.CreateOffer(nil)
	require.NoError(t, err)
	require.NoError(t, pc.SetLocalDescription(offer))
	return c, offer.SDP
}

// quietLogs keeps pion's log lines out of the tests' output.
func quietLogs() logging.LoggerFactory {
	factory := logging.NewDefaultLoggerFactory()
	factory.DefaultLogLevel = logging.LogLevelDisabled
	factory.ScopeLevels = map[string]logging.LogLevel{}
	return factory
}

func opusEngine(t *testing.T) *webrtc.MediaEngine {
	t.Helper()
	media := &webrtc.MediaEngine{}
	require.NoError(t, media.RegisterCodec(webrtc.RTPCodecParameters{
		RTPCodecCapability: webrtc.RTPCodecCapability{MimeType: webrtc.MimeTypeOpus, ClockRate: 48000, Channels: 2},
		// A number of the client's own: the server has to take it over.
		PayloadType: 109,
	}, webrtc.RTPCodecTypeAudio))
	return media
}

// connect negotiates and waits until both sides are up.
func connect(t *testing.T, f *Factory, slots int) (*client, *Peer) {
	t.Helper()
	return connectOf(t, f, slots, opusEngine(t))
}

func connectOf(t *testing.T, f *Factory, slots int, media *webrtc.MediaEngine) (*client, *Peer) {
	t.Helper()
	c, offer := newClientOf(t, slots, media)
	p, err := f.Answer(offer)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, p.Close()) })
	require.NoError(t, c.pc.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeAnswer, SDP: p.Answer()}))
	select {
	case <-c.up:
	case <-time.After(patience):
		t.Fatal("not connected")
	}
	// The client may be up before the server has heard of it.
	eventually(t, "the server's side to be up", func() bool {
		for _, slot := range p.Slots() {
			if !slot.Stats().Open {
				return false
			}
		}
		return p.RemoteAddr().IsValid()
	})
	return c, p
}

// hear returns the next packet on any of the client's slots.
func (c *client) hear(t *testing.T) *rtp.Packet {
	t.Helper()
	select {
	case packet := <-c.heard:
		return packet
	case <-time.After(patience):
		t.Fatal("nothing is heard")
		return nil
	}
}

func eventually(t *testing.T, reason string, condition func() bool) {
	t.Helper()
	require.Eventually(t, condition, patience, 5*time.Millisecond, reason)
}

// say sends one packet of the client's microphone.
func (c *client) say(t *testing.T, ssrc uint32, seq uint16, payloadType uint8, payload string) {
	t.Helper()
	w := c.mic.writer.Load()
	require.NotNil(t, w)
	_, err := (*w).WriteRTP(&rtp.Header{
		Version: 2, SSRC: ssrc, SequenceNumber: seq, Timestamp: uint32(seq) * 960, PayloadType: payloadType,
	}, []byte(payload))
	require.NoError(t, err)
}

// ssrc returns the SSRC of the client's microphone.
func (c *client) ssrc() uint32 {
	return uint32(c.pc.GetSenders()[0].GetParameters().Encodings[0].SSRC)
}

func TestPeerForwardsFromSourceToSlot(t *testing.T) {
	verifyNoLeaks(t)
	f := newFactory(t)
	ada, adaPeer := connect(t, f, 0)
	bob, bobPeer := connect(t, f, 2)
	require.True(t, adaPeer.Talker())
	require.Empty(t, adaPeer.Slots())
	require.Len(t, bobPeer.Slots(), 2)
	require.Equal(t, "1", bobPeer.Slots()[0].MID)
	slot := bobPeer.Slots()[1]
	slot.Assign(adaPeer.Source())
	adaPeer.Source().SetSlots([]*forward.Slot{slot.Slot})

	ada.say(t, ada.ssrc(), 1, 109, "hello")
	packet := bob.hear(t)
	require.Equal(t, "hello", string(packet.Payload))
	require.Equal(t, []uint32{ada.ssrc()}, packet.CSRC)
	require.EqualValues(t, 109, packet.PayloadType)
	require.Less(t, packet.SequenceNumber, uint16(1<<15))
	ssrc, ok := adaPeer.SSRC()
	require.True(t, ok)
	require.Equal(t, ada.ssrc(), ssrc)
	require.WithinDuration(t, time.Now(), adaPeer.LastSeen(), patience)
	require.True(t, adaPeer.RemoteAddr().IsValid())

	ada.say(t, ada.ssrc(), 1000, 13, "comfort noise is not Opus")
	eventually(t, "a packet of another codec to be dropped", func() bool { return adaPeer.dropped() == Drops{PayloadType: 1} })
}

func TestPeerWithTooManySSRCsIsClosed(t *testing.T) {
	verifyNoLeaks(t)
	f := newFactory(t)
	c, p := connect(t, f, 1)
	// A few are fine.
	for ssrc := range uint32(10) {
		c.say(t, 1000+ssrc, 1, 109, "x")
	}
	ended := endOf(p)
	deadline := time.Now().Add(patience)
	for ssrc := uint32(2000); len(ended) == 0; ssrc++ {
		require.True(t, time.Now().Before(deadline), "still open")
		if w := c.mic.writer.Load(); w != nil {
			// The connection may close under the write.
			_, _ = (*w).WriteRTP(&rtp.Header{Version: 2, SSRC: ssrc, PayloadType: 109}, []byte("x"))
		}
		time.Sleep(time.Millisecond)
	}
	require.ErrorIs(t, <-ended, ErrTooManyStreams)
}

// A client that proves its address and then never starts DTLS is cut off.
func TestPeerWithoutDTLSEnds(t *testing.T) {
	verifyNoLeaks(t)
	f := newFactory(t, func(c *Config) { c.ConnectTimeout = time.Second })
	c, offer := newClient(t, 1)
	p, err := f.Answer(offer)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, p.Close()) })
	var answer sdp.SessionDescription
	require.NoError(t, answer.UnmarshalString(p.Answer()))
	attribute := func(text, key string) string {
		_, rest, _ := strings.Cut(text, "a="+key+":")
		value, _, _ := strings.Cut(rest, "\r\n")
		return value
	}
	agent, err := ice.NewAgentWithOptions(
		ice.WithNetworkTypes([]ice.NetworkType{ice.NetworkTypeUDP4}), ice.WithIncludeLoopback(),
		ice.WithMulticastDNSMode(ice.MulticastDNSModeDisabled),
		ice.WithLocalCredentials(attribute(offer, "ice-ufrag"), attribute(offer, "ice-pwd")),
	)
	require.NoError(t, err)
	t.Cleanup(func() { _ = agent.GracefulClose() })
	candidate, err := ice.UnmarshalCandidate(attribute(p.Answer(), "candidate"))
	require.NoError(t, err)
	require.NoError(t, agent.AddRemoteCandidate(candidate))
	require.NoError(t, agent.OnCandidate(func(ice.Candidate) {}))
	require.NoError(t, agent.GatherCandidates())
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	_, err = agent.Dial(ctx, attribute(p.Answer(), "ice-ufrag"), attribute(p.Answer(), "ice-pwd"))
	require.NoError(t, err)
	_ = c
	require.ErrorIs(t, awaitEnd(t, endOf(p)), wire.ErrHandshakeTimeout)
}

func TestCandidates(t *testing.T) {
	f := newFactory(t)
	candidates := func(at ...string) (told []string) {
		addrs := make([]netip.AddrPort, len(at))
		for i, addr := range at {
			addrs[i] = netip.MustParseAddrPort(addr)
		}
		_, offer := newClient(t, 1)
		p, err := f.Answer(offer, addrs...)
		require.NoError(t, err)
		require.NoError(t, p.Close())
		priority := math.MaxInt
		for line := range strings.Lines(p.Answer()) {
			fields := strings.Fields(line)
			if !strings.HasPrefix(line, "a=candidate:") {
				continue
			}
			require.Equal(t, "host", fields[7])
			own, err := strconv.Atoi(fields[3])
			require.NoError(t, err)
			require.Less(t, own, priority, "the first is preferred")
			priority = own
			told = append(told, net.JoinHostPort(fields[4], fields[5]))
		}
		require.Contains(t, p.Answer(), "a=end-of-candidates")
		return told
	}
	require.Equal(t, []string{f.Addr().String()}, candidates(), "where it listens")
	require.Equal(t, []string{"192.0.2.7:1", "[2001:db8::7]:2"}, candidates("192.0.2.7:1", "[2001:db8::7]:2"), "what it is told, no more")
}

func TestPortInUse(t *testing.T) {
	f := newFactory(t)
	_, err := NewFactory(Config{Listen: f.Addr(), MaxSlots: 1})
	require.ErrorContains(t, err, "media port")
	require.ErrorIs(t, err, syscall.EADDRINUSE)
}

// realOffer is what a pion client with a microphone and a slot offers.
func realOffer(tb testing.TB) string {
	tb.Helper()
	pc, err := webrtc.NewPeerConnection(webrtc.Configuration{})
	require.NoError(tb, err)
	defer pc.Close()
	for _, direction := range []webrtc.RTPTransceiverDirection{
		webrtc.RTPTransceiverDirectionSendonly, webrtc.RTPTransceiverDirectionRecvonly,
	} {
		_, err = pc.AddTransceiverFromKind(webrtc.RTPCodecTypeAudio, webrtc.RTPTransceiverInit{Direction: direction})
		require.NoError(tb, err)
	}
	offer, err := pc.CreateOffer(nil)
	require.NoError(tb, err)
	return offer.SDP
}

// The engine behind the checks survives offers with a few bytes changed. Not a fuzz
// target: the engine's goroutines make its coverage a matter of chance.
func TestAnswerSurvivesDamagedOffers(t *testing.T) {
	verifyNoLeaks(t)
	f := newFactory(t)
	good := realOffer(t)
	// What an engine downstream of the checks would choke on, or answer without a voice.
	for name, bad := range map[string]string{
		"RTCP's payload type":  strings.NewReplacer("SAVPF 111", "SAVPF 72", ":111 ", ":72 ").Replace(good),
		"payload type too big": strings.NewReplacer("SAVPF 111", "SAVPF 200", ":111 ", ":200 ").Replace(good),
		"no group":             strings.Replace(good, "a=group:BUNDLE 0 1", "a=x", 1),
		"a line outside":       strings.Replace(good, "a=group:BUNDLE 0 1", "a=group:BUNDLE 0", 1),
		"one line twice":       strings.Replace(good, "a=group:BUNDLE 0 1", "a=group:BUNDLE 0 0", 1),
		"port 0":               strings.ReplaceAll(good, "m=audio 9", "m=audio 0"),
		"no encryption":        regexp.MustCompile(`a=fingerprint:.*\r\n`).ReplaceAllString(good, ""),
		"another transport":    strings.ReplaceAll(good, "UDP/TLS/RTP/SAVPF", "TCP/MSRP"),
		"RTCP on another port": strings.ReplaceAll(good, "a=rtcp-mux\r\n", ""),
		"passive":              strings.ReplaceAll(good, "a=setup:actpass", "a=setup:passive"),
		"ICE-lite":             strings.Replace(good, "a=group", "a=ice-lite\r\na=group", 1),
		"two directions":       strings.Replace(good, "a=sendonly", "a=sendonly\r\na=recvonly", 1),
		"long mid":             strings.ReplaceAll(good, "a=mid:1", "a=mid:"+strings.Repeat("1", 17)),
		"broken hash":          regexp.MustCompile(`a=fingerprint:.*`).ReplaceAllString(good, "a=fingerprint:md5 zz\r"),
		"short password":       regexp.MustCompile(`a=ice-pwd:.*`).ReplaceAllString(good, "a=ice-pwd:x\r"),
	} {
		require.NotEqual(t, good, bad, name)
		_, err := f.Answer(bad)
		require.True(t, errors.Is(err, ErrBadSDP) || errors.Is(err, ErrUnsupportedMedia), "%s: %v", name, err)
	}
	random := rand.New(rand.NewPCG(1, 2))
	answered := 0
	for range 200 {
		damaged := []byte(good)
		for range 1 + random.IntN(3) {
			damaged[random.IntN(len(damaged))] = byte(random.IntN(256))
		}
		p, err := f.Answer(string(damaged))
		if err != nil {
			require.True(t, errors.Is(err, ErrBadSDP) || errors.Is(err, ErrUnsupportedMedia), "%v: %q", err, damaged)
			continue
		}
		answered++
		require.NoError(t, p.Close())
	}
	require.Positive(t, answered)
}

// A client that offers to encrypt header extensions (RFC 9335) is told that the server
// does not, since it would otherwise not be heard.
func TestAnswerDeclinesCryptex(t *testing.T) {
	f := newFactory(t)
	p, err := f.Answer(strings.ReplaceAll(realOffer(t), "a=rtcp-mux", "a=cryptex\r\na=rtcp-mux"))
	require.NoError(t, err)
	defer p.Close()
	require.NotContains(t, p.Answer(), "cryptex")
}

// The answer describes every line in the opposite direction, under the client's payload
// types, and one transport for all of them.
func TestAnswer(t *testing.T) {
	f := newFactory(t)
	p, err := f.Answer(realOffer(t))
	require.NoError(t, err)
	defer p.Close()
	var answer sdp.SessionDescription
	require.NoError(t, answer.UnmarshalString(p.Answer()))
	require.Len(t, answer.MediaDescriptions, 2)
	group, _ := answer.Attribute("group")
	require.Equal(t, "BUNDLE 0 1", group)
	_, lite := answer.Attribute("ice-lite")
	require.True(t, lite)
	mic, slot := answer.MediaDescriptions[0], answer.MediaDescriptions[1]
	for media, want := range map[*sdp.MediaDescription]string{mic: "recvonly", slot: "sendonly"} {
		_, ok := media.Attribute(want)
		require.True(t, ok, want)
		_, ok = media.Attribute("rtcp-mux")
		require.True(t, ok)
		require.Equal(t, []string{"111"}, media.MediaName.Formats)
		rtpmap, _ := media.Attribute("rtpmap")
		require.Equal(t, "111 opus/48000/2", rtpmap)
	}
	setup, _ := mic.Attribute("setup")
	require.Equal(t, "passive", setup)
	ssrc, _ := slot.Attribute("ssrc")
	require.Contains(t, ssrc, strconv.Itoa(int(p.Slots()[0].ssrc)))
}

// Extensions keep the offer's ids; the server's answer names those it reads and no other.
func TestAnswerExtensions(t *testing.T) {
	f := newFactory(t)
	for offered, want := range map[string][]string{
		"a=extmap:3 " + sdp.AudioLevelURI:                            {"3 " + sdp.AudioLevelURI},
		"a=extmap:3/sendonly " + sdp.AudioLevelURI + " vad=on":       {"3/recvonly " + sdp.AudioLevelURI},
		"a=extmap:3/recvonly " + sdp.AudioLevelURI:                   nil,
		"a=extmap:4 urn:x\r\na=extmap:5 " + sdp.SDESMidURI:           {"5 " + sdp.SDESMidURI},
		"a=extmap:0 " + sdp.AudioLevelURI:                            nil,
		"a=extmap:15 " + sdp.AudioLevelURI:                           nil,
		"a=extmap:256 " + sdp.AudioLevelURI:                          nil,
		"a=extmap:\r\na=extmap:7\r\na=extmap:x " + sdp.AudioLevelURI: nil,
	} {
		offer := regexp.MustCompile(`a=extmap:.*\r\n`).ReplaceAllString(realOffer(t), "")
		p, err := f.Answer(strings.Replace(offer, "a=sendonly", offered+"\r\na=sendonly", 1))
		require.NoError(t, err, offered)
		var answer sdp.SessionDescription
		require.NoError(t, answer.UnmarshalString(p.Answer()))
		var got []string
		for _, media := range answer.MediaDescriptions {
			for _, a := range media.Attributes {
				if a.Key == "extmap" {
					got = append(got, a.Value)
				}
			}
		}
		require.Equal(t, want, got, offered)
		require.NoError(t, p.Close())
	}
}

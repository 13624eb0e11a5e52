package peer

import (
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"github.com/pion/sdp/v3"

	"github.com/mini-livechat/mini-livechat/sfu/wire"
)

const (
	// opusParameters asks the client for in-band FEC and DTX (RFC 7587, section 6.1).
	opusParameters = "minptime=10;useinbandfec=1;usedtx=1"
	// cname names the server as the source of all its streams (RFC 3550, section 6.5.1).
	cname = "livechat"
)

// readExtensions are the header extensions the server takes (RFC 8843, section 15; RFC 6464). It sends none.
//
//nolint:gochecknoglobals // constant
var readExtensions = [...]string{sdp.SDESMidURI, sdp.AudioLevelURI}

// transport is how the client gets to us: by which credentials, and where.
type transport struct {
	wire.Credentials

	at []netip.AddrPort
}

// answer writes the SDP answer (RFC 8829, section 5.3): every line of the offer is taken, in the opposite direction, and
// all share the transport that the first one describes (RFC 8843).
func (f *Factory) answer(n *negotiation) (string, error) {
	asked := &n.asked
	desc := &sdp.SessionDescription{
		Origin: sdp.Origin{
			Username: "-", SessionID: n.session, SessionVersion: n.version,
			NetworkType: "IN", AddressType: "IP4", UnicastAddress: "0.0.0.0",
		},
		SessionName:      "-",
		TimeDescriptions: []sdp.TimeDescription{{}},
	}
	mids := make([]string, len(asked.lines))
	for i := range asked.lines {
		mids[i] = asked.lines[i].mid
	}
	desc.WithValueAttribute("group", "BUNDLE "+strings.Join(mids, " "))
	desc.WithPropertyAttribute("ice-lite")
	desc.WithValueAttribute("fingerprint", f.engine.Fingerprint())
	slot := 0
	for i := range asked.lines {
		l := &asked.lines[i]
		media := mediaLine(l)
		if i == 0 {
			f.describeTransport(media, n.way)
		}
		if !l.mic {
			// Every slot is a stream of its own, so that a browser does not hold one back for another's sake.
			name := "slot" + strconv.Itoa(slot)
			media.WithValueAttribute("msid", name+" "+name)
			media.WithValueAttribute("ssrc", fmt.Sprintf("%d cname:%s", n.ssrcs[slot], cname))
			slot++
		}
		desc.WithMedia(media)
	}
	text, err := desc.Marshal()
	if err != nil {
		return "", fmt.Errorf("write SDP answer: %w", err)
	}
	return string(text), nil
}

// mediaLine answers one line but for its transport and stream.
func mediaLine(l *line) *sdp.MediaDescription {
	format := strconv.Itoa(int(l.opus))
	formats := []string{format}
	redFormat := strconv.Itoa(int(l.red))
	switch {
	case l.red == 0:
	case l.redFirst: // then the client sends it (RFC 8829, section 5.3.1: the order of the offer)
		formats = []string{redFormat, format}
	default:
		formats = []string{format, redFormat}
	}
	media := &sdp.MediaDescription{
		MediaName: sdp.MediaName{
			Media: "audio", Port: sdp.RangedPort{Value: 9},
			Protos: []string{"UDP", "TLS", "RTP", "SAVPF"}, Formats: formats,
		},
		ConnectionInformation: &sdp.ConnectionInformation{
			NetworkType: "IN", AddressType: "IP4", Address: &sdp.Address{Address: "0.0.0.0"},
		},
	}
	media.WithValueAttribute("mid", l.mid)
	media.WithPropertyAttribute("rtcp-mux")
	media.WithValueAttribute("rtpmap", format+" "+opus)
	media.WithValueAttribute("fmtp", format+" "+opusParameters)
	if l.nack {
		media.WithValueAttribute("rtcp-fb", format+" nack")
	}
	if l.red != 0 {
		media.WithValueAttribute("rtpmap", redFormat+" "+red)
		media.WithValueAttribute("fmtp", redFormat+" "+format+"/"+format)
	}
	if !l.mic {
		return media.WithPropertyAttribute("sendonly")
	}
	for _, uri := range readExtensions {
		if id, ok := l.extensions[uri]; ok {
			media.WithValueAttribute("extmap", strconv.Itoa(int(id))+" "+uri)
		}
	}
	return media.WithPropertyAttribute("recvonly")
}

// describeTransport adds ICE and DTLS to the line that stands for the group.
func (f *Factory) describeTransport(media *sdp.MediaDescription, way transport) {
	media.WithValueAttribute("setup", "passive")
	media.WithValueAttribute("ice-ufrag", way.Ufrag)
	media.WithValueAttribute("ice-pwd", way.Pwd)
	for _, candidate := range wire.Candidates(way.at) {
		media.WithValueAttribute("candidate", candidate)
	}
	media.WithPropertyAttribute("end-of-candidates")
}

// newSSRCs draws n different SSRCs (RFC 3550, section 8.1), none of them 0 or 1, which stand for nobody.
func newSSRCs(n int) []uint32 {
	ssrcs := make([]uint32, 0, n)
	drawn := make(map[uint32]bool, n)
	for random := make([]byte, 4); len(ssrcs) < n; {
		_, _ = rand.Read(random)
		ssrc := binary.BigEndian.Uint32(random)
		if ssrc > 1 && !drawn[ssrc] {
			drawn[ssrc] = true
			ssrcs = append(ssrcs, ssrc)
		}
	}
	return ssrcs
}

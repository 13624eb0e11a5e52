package peer

import (
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/mini-livechat/mini-livechat/sfu/wire"
)

// Sentinel errors of Factory.Answer; test with errors.Is. The wrapping text names the line
// and says what to change.
var (
	// ErrBadSDP: the offer is no SDP, contradicts itself, or is too large.
	ErrBadSDP = errors.New("bad SDP")
	// ErrUnsupportedMedia: the offer is SDP, but not the audio lines this server speaks.
	ErrUnsupportedMedia = errors.New("unsupported media")
)

const (
	// maxMIDBytes bounds a mid; an RTP header extension of one-byte headers carries no longer one (RFC 8285).
	maxMIDBytes = 16
	// maxRejected is how many lines that are answered with port 0 an offer may have besides.
	maxRejected = 32
	// anyPort stands where ICE finds the port (RFC 8840, section 4.1.1: discard).
	anyPort = 9
)

// protocols are taken all alike, and repeated by the answer (RFC 9429, section 5.1.2): that there is a fingerprint, not
// what stands here, says that media is encrypted by DTLS-SRTP.
//
//nolint:gochecknoglobals // constant
var protocols = []string{
	"UDP/TLS/RTP/SAVPF", "UDP/TLS/RTP/SAVP", "TCP/DTLS/RTP/SAVPF", "TCP/DTLS/RTP/SAVP",
	"RTP/SAVPF", "RTP/SAVP", "RTP/AVPF", "RTP/AVP",
}

// line is one m-line of an offer: Opus in one direction, or rejected. It keeps nothing of the offer's memory.
type line struct {
	// mid is its a=mid; empty only for a line that stands alone.
	mid string
	// media is the kind, protocol how it is carried.
	media, protocol string
	// rejected: it is answered with port 0, and rejectedFormat is the one format then named.
	rejected       bool
	rejectedFormat string

	// mic: the client sends, that is, it is the sendonly line. Else it is recvonly, a slot.
	mic bool
	format
}

// offered is what a valid offer asks for.
type offered struct {
	lines []line
	slots int
	mic   *line // nil for a client that only listens
	// bundle are the mids of the lines that are taken, in the order of the BUNDLE group; nil without a group. tagged is
	// the index of the line that describes the transport of all (RFC 9143, section 7.2.1).
	bundle []string
	tagged int
	// fingerprints are those of the client's certificates.
	fingerprints []wire.Fingerprint
	// credentials are the client's a=ice-ufrag and a=ice-pwd: another ufrag is an ICE restart.
	credentials wire.Credentials
	// association is the answer's a=tls-id, which an offer that has one needs (RFC 8842, section 5.3); else empty.
	association string
}

// inspect reads an offer: its size, its number of lines, that it has one transport, and that each audio line is Opus in a
// direction this server answers.
func inspect(offer string, maxBytes, maxSlots int) (offered, error) {
	var asked offered
	if len(offer) > maxBytes {
		return asked, fmt.Errorf("%w: sdp_offer has %d bytes, at most %d are read", ErrBadSDP, len(offer), maxBytes)
	}
	session, media, err := readSDP(offer)
	if err != nil {
		return asked, err
	}
	if most := maxSlots + 1 + maxRejected; len(media) > most {
		return asked, media[most][0].fault(ErrUnsupportedMedia, "is one too many, at most %d are read", most)
	}
	for _, m := range media {
		if err := asked.add(session, m, maxSlots); err != nil {
			return asked, err
		}
	}
	if asked.mic == nil && asked.slots == 0 {
		return asked, fmt.Errorf("%w: no m=audio line with a port other than 0", ErrUnsupportedMedia)
	}
	if err := asked.group(session, media); err != nil {
		return asked, err
	}
	return asked, asked.inspectTransport(session, media)
}

// add reads one m-line and notes what it is for.
func (o *offered) add(session, m section, maxSlots int) error {
	l, formats, err := readMediaLine(m)
	if err != nil {
		return err
	}
	if mid, ok := m.first("mid"); ok {
		if l.mid = strings.Clone(mid.value); l.mid == "" || len(l.mid) > maxMIDBytes || strings.ContainsAny(l.mid, " \t") {
			return mid.fault(ErrBadSDP, "must have 1 to %d bytes and no space", maxMIDBytes)
		}
		if slices.ContainsFunc(o.lines, func(other line) bool { return other.mid == l.mid }) {
			return mid.fault(ErrBadSDP, "another line has this mid; give each its own")
		}
	}
	if l.rejected {
		o.lines = append(o.lines, l)
		return nil
	}
	way, at := direction(session, m)
	switch way {
	case "sendonly":
		if l.mic = true; o.mic != nil {
			return at.fault(ErrUnsupportedMedia, "is the second sendonly line, one is answered")
		}
	case "recvonly":
		if o.slots++; o.slots > maxSlots {
			return at.fault(ErrUnsupportedMedia, "is one recvonly line too many, at most %d are answered", maxSlots)
		}
	default:
		return at.fault(ErrUnsupportedMedia, "its direction is %s; offer one a=sendonly line and a=recvonly lines", way)
	}
	if l.format, err = readFormat(session, m, formats, l.mic); err != nil {
		return err
	}
	if o.lines = append(o.lines, l); l.mic {
		o.mic = &l
	}
	return nil
}

// readMediaLine reads m=<media> <port> <proto> <fmt> … (RFC 8866, section 5.14).
func readMediaLine(m section) (line, []string, error) {
	fields := strings.Fields(m[0].value)
	if len(fields) < 4 {
		return line{}, nil, m[0].fault(ErrBadSDP, "must have a medium, port, protocol and formats")
	}
	port, err := strconv.ParseUint(fields[1], 10, 16)
	if err != nil {
		return line{}, nil, m[0].fault(ErrBadSDP, "its port must be one number of 0 to 65535")
	}
	l := line{media: strings.Clone(fields[0]), protocol: strings.Clone(fields[2])}
	if strings.EqualFold(l.media, "audio") {
		l.media = "audio"
	}
	// Port 0 takes a line back (RFC 3264, section 6), but for one that has no port but the group's (RFC 9143, section 6).
	// What is not audio is rejected by the answer.
	if l.media != "audio" || (port == 0 && !m.has("bundle-only")) {
		l.rejected, l.rejectedFormat = true, strings.Clone(fields[3])
		return l, nil, nil
	}
	if !slices.ContainsFunc(protocols, func(p string) bool { return strings.EqualFold(p, l.protocol) }) {
		return line{}, nil, m[0].fault(ErrUnsupportedMedia, "its protocol must be %s", protocols[0])
	}
	return l, fields[3:], nil
}

// direction returns a line's direction and where it stands: its own attribute, else the session's, else sendrecv (RFC
// 8866, section 6.7). Two different ones on one line are returned as "a and b", which is none.
func direction(session, m section) (way string, at sdpLine) {
	for _, s := range []section{m, session} {
		for _, l := range s {
			switch {
			case l.kind != 'a' || (l.key != "sendonly" && l.key != "recvonly" && l.key != "sendrecv" && l.key != "inactive"):
			case way == "":
				way, at = l.key, l
			case way != l.key:
				return way + " and " + l.key, l
			}
		}
		if way != "" {
			return way, at
		}
	}
	return "sendrecv", m[0]
}

// group finds the BUNDLE group of the lines (RFC 9143), of which one that stands alone needs none.
func (o *offered) group(session section, media []section) error {
	var taken []int
	for i := range o.lines {
		if !o.lines[i].rejected {
			taken = append(taken, i)
		}
	}
	var mend []string // a=group as it should be
	for _, i := range taken {
		if o.lines[i].mid == "" && (len(taken) > 1 || media[i].has("bundle-only")) {
			return media[i][0].fault(ErrBadSDP, "needs an a=mid, since it is not the only line")
		}
		mend = append(mend, o.lines[i].mid)
	}
	o.tagged = taken[0]
	wrong := media[taken[0]][0]
	for g := range session.all("group") {
		tags := strings.Fields(g.value)
		if len(tags) == 0 || !strings.EqualFold(tags[0], "BUNDLE") {
			continue // such as LS, lip synchronization (RFC 5888, section 8)
		}
		if inside := o.inside(tags[1:]); len(inside) == len(taken) {
			o.tagged = inside[0]
			for _, i := range inside {
				o.bundle = append(o.bundle, o.lines[i].mid)
			}
			return nil
		}
		wrong = g
	}
	if len(taken) > 1 || media[taken[0]].has("bundle-only") {
		return wrong.fault(ErrBadSDP, "all lines must be in one group, a=group:BUNDLE %s", strings.Join(mend, " "))
	}
	return nil
}

// inside returns the indices of the lines that are taken and have one of these mids, in the order of the mids.
func (o *offered) inside(tags []string) []int {
	var inside []int
	for _, tag := range tags {
		i := slices.IndexFunc(o.lines, func(l line) bool { return !l.rejected && l.mid == tag })
		if i >= 0 && !slices.Contains(inside, i) {
			inside = append(inside, i)
		}
	}
	return inside
}

// inspectTransport reads what all lines share: RTCP on the same port, ICE and DTLS, as the tagged line has it, else the
// session, else another line of the group.
func (o *offered) inspectTransport(session section, media []section) error {
	levels := []section{media[o.tagged], session}
	for i := range o.lines {
		if i != o.tagged && !o.lines[i].rejected {
			levels = append(levels, media[i])
		}
	}
	head := media[o.tagged][0]
	level := func(key string) section {
		for _, s := range levels {
			if s.has(key) {
				return s
			}
		}
		return nil
	}
	// RFC 8858: rtcp-mux-only says that it cannot be otherwise.
	if level("rtcp-mux") == nil && level("rtcp-mux-only") == nil {
		return head.fault(ErrUnsupportedMedia, "needs a=rtcp-mux, since the server has one port")
	}
	if lite, ok := session.first("ice-lite"); ok {
		return lite.fault(ErrUnsupportedMedia, "the server is ICE-lite, so the client cannot be")
	}
	for _, of := range []struct {
		key         string
		least, most int
	}{{"ice-ufrag", 4, 256}, {"ice-pwd", 22, 256}} { // RFC 8839, section 5.4
		l, ok := level(of.key).first(of.key)
		if !ok {
			return head.fault(ErrBadSDP, "needs a=%s", of.key)
		}
		if n := len(l.value); n < of.least || n > of.most {
			return l.fault(ErrBadSDP, "must have %d to %d characters, it has %d", of.least, of.most, n)
		}
	}
	// Without one it is active (RFC 4145, section 4).
	if l, ok := level("setup").first("setup"); ok && !strings.EqualFold(l.value, "actpass") && !strings.EqualFold(l.value, "active") {
		return l.fault(ErrUnsupportedMedia, "must be actpass or active, since the server is passive")
	}
	if level("tls-id") != nil {
		o.association = rand.Text()
	}
	ufrag, _ := level("ice-ufrag").first("ice-ufrag")
	pwd, _ := level("ice-pwd").first("ice-pwd")
	o.credentials = wire.Credentials{Ufrag: strings.Clone(ufrag.value), Pwd: strings.Clone(pwd.value)}
	if level("fingerprint") == nil {
		return head.fault(ErrBadSDP, "needs a=fingerprint, since media is encrypted by DTLS-SRTP and not otherwise")
	}
	return o.readFingerprints(level("fingerprint"))
}

// readFingerprints reads all of them; those of hash functions that are not taken are passed over while there is another
// (RFC 8122, section 5).
func (o *offered) readFingerprints(s section) error {
	var weak sdpLine
	for l := range s.all("fingerprint") {
		f, err := wire.ParseFingerprint(l.value)
		switch {
		case errors.Is(err, wire.ErrHash):
			weak = l
		case err != nil:
			return l.fault(ErrBadSDP, "must be sha-256, sha-384 or sha-512 and all of the hash, in hex with colons")
		case !slices.Contains(o.fingerprints, f):
			o.fingerprints = append(o.fingerprints, f)
		}
	}
	if len(o.fingerprints) == 0 {
		return weak.fault(ErrBadSDP, "one of sha-256, sha-384 or sha-512 is needed")
	}
	return nil
}

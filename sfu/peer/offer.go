package peer

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/pion/sdp/v3"

	"github.com/mini-livechat/mini-livechat/sfu/wire"
)

// Sentinel errors of Factory.Answer; test with errors.Is. The
// wrapping text says what to change.
var (
	// ErrBadSDP: the offer cannot be parsed, is too large, or the engine refuses it.
	ErrBadSDP = errors.New("bad SDP")
	// ErrUnsupportedMedia: the offer is SDP, but not the audio lines this server speaks.
	ErrUnsupportedMedia = errors.New("unsupported media")
)

const (
	// opus as it stands in a=rtpmap (RFC 7587, section 7).
	opus = "opus/48000/2"
	// red is redundant audio (RFC 2198) as browsers offer it for Opus.
	red = "red/48000/2"
	// mediaProtocol is RTP with feedback over DTLS-SRTP (RFC 5764, section 8).
	mediaProtocol = "UDP/TLS/RTP/SAVPF"
	// maxMIDBytes bounds a mid; an RTP header extension carries no longer one (RFC 8285).
	maxMIDBytes = 16
	// Payload types that look like RTCP on a shared port (RFC 5761, section 4).
	rtcpTypeMin, rtcpTypeMax = 64, 95
)

// line is one m-line of an offer, which is Opus in one direction.
type line struct {
	// mid is its a=mid.
	mid string
	// mic: the client sends, that is, it is the sendonly line. Else it is recvonly, a slot.
	mic bool
	// opus is the payload type of Opus that the client prefers.
	opus uint8
	// red is the payload type of redundant audio of that Opus (RFC 2198), 0 for none;
	// redFirst says that the client prefers it to Opus alone.
	red      uint8
	redFirst bool
	// nack: the client asks for packets again, and can be asked (RFC 4585, section 4.2).
	nack bool
	// extensions are the header extensions offered, by URI (RFC 8285); only those that the server reads.
	extensions map[string]uint8
}

// offered is what a valid offer asks for.
type offered struct {
	lines       []line
	slots       int
	mic         *line // nil for a client that only listens
	fingerprint wire.Fingerprint
	// ufrag is the client's a=ice-ufrag: another one is an ICE restart.
	ufrag string
}

// inspect checks an offer before any engine sees it: its size, its number of lines, that
// it has one transport, and that each line is Opus in a direction this server answers.
func inspect(offer string, maxBytes, maxSlots int) (offered, error) {
	var asked offered
	if len(offer) > maxBytes {
		return asked, fmt.Errorf("%w: sdp_offer has %d bytes, at most %d are read", ErrBadSDP, len(offer), maxBytes)
	}
	// Counted before parsing: every m-line costs the parser and the engine.
	if lines := strings.Count(offer, "\nm="); lines > maxSlots+1 {
		return asked, fmt.Errorf("%w: %d media lines, at most 1 sendonly and %d recvonly are answered",
			ErrUnsupportedMedia, lines, maxSlots)
	}
	if !strings.HasPrefix(offer, "v=") {
		return asked, fmt.Errorf("%w: sdp_offer does not begin with v=0", ErrBadSDP)
	}
	var desc sdp.SessionDescription
	if err := desc.UnmarshalString(offer); err != nil {
		return asked, fmt.Errorf("%w: %s", ErrBadSDP, oneLine(err))
	}
	if len(desc.MediaDescriptions) == 0 {
		return asked, fmt.Errorf("%w: no m=audio line", ErrUnsupportedMedia)
	}
	mids := make([]string, 0, len(desc.MediaDescriptions))
	for i, media := range desc.MediaDescriptions {
		l, err := inspectLine(media, i)
		if err != nil {
			return asked, err
		}
		if slices.Contains(mids, l.mid) {
			return asked, fmt.Errorf("%w: line %d needs an a=mid of its own", ErrBadSDP, i)
		}
		mids = append(mids, l.mid)
		if err := asked.add(direction(&desc, media), l, i); err != nil {
			return asked, err
		}
	}
	if asked.slots > maxSlots {
		return asked, fmt.Errorf("%w: %d recvonly lines, at most %d are answered",
			ErrUnsupportedMedia, asked.slots, maxSlots)
	}
	var err error
	asked.fingerprint, asked.ufrag, err = inspectTransport(&desc, mids)
	return asked, err
}

// add notes what a line is for.
func (o *offered) add(direction string, l line, number int) error {
	switch direction {
	case "sendonly":
		if o.mic != nil {
			return fmt.Errorf("%w: line %d is a second sendonly line", ErrUnsupportedMedia, number)
		}
		l.mic = true
		o.mic = &l
	case "recvonly":
		o.slots++
	default:
		return fmt.Errorf("%w: line %d is %s; offer one sendonly line and recvonly lines",
			ErrUnsupportedMedia, number, direction)
	}
	o.lines = append(o.lines, l)
	return nil
}

// inspectLine checks what belongs to one m-line.
func inspectLine(media *sdp.MediaDescription, number int) (line, error) {
	name := &media.MediaName
	if name.Media != "audio" {
		return line{}, fmt.Errorf("%w: line %d is m=%s, only audio is answered", ErrUnsupportedMedia, number, name.Media)
	}
	if protocol := strings.Join(name.Protos, "/"); protocol != mediaProtocol {
		return line{}, fmt.Errorf("%w: line %d is %s, only %s is answered", ErrUnsupportedMedia, number, protocol, mediaProtocol)
	}
	if _, bundleOnly := media.Attribute("bundle-only"); name.Port.Value == 0 && !bundleOnly {
		return line{}, fmt.Errorf("%w: line %d has port 0, which takes it back; leave it out", ErrUnsupportedMedia, number)
	}
	l := line{}
	l.mid, _ = media.Attribute("mid")
	if l.mid == "" || len(l.mid) > maxMIDBytes {
		return line{}, fmt.Errorf("%w: line %d needs an a=mid of 1 to %d bytes", ErrBadSDP, number, maxMIDBytes)
	}
	var ok bool
	if l.opus, ok = offeredOpus(media); !ok {
		return line{}, fmt.Errorf("%w: line %d (mid %s) does not offer %s under a payload type of 0 to 63 or 96 to 127",
			ErrUnsupportedMedia, number, l.mid, opus)
	}
	l.red, l.redFirst = offeredRED(media, l.opus)
	l.nack = offeredNACK(media, l.opus)
	l.extensions = offeredExtensions(media)
	return l, nil
}

// inspectTransport checks what all lines share: one BUNDLE group (RFC 8843), and on its
// first line, or for the whole session, RTCP on the same port, ICE and DTLS.
func inspectTransport(desc *sdp.SessionDescription, mids []string) (_ wire.Fingerprint, ufrag string, _ error) {
	var none wire.Fingerprint
	group, _ := desc.Attribute("group")
	bundle, ok := strings.CutPrefix(group, "BUNDLE ")
	bundled, wanted := strings.Fields(bundle), slices.Sorted(slices.Values(mids))
	slices.Sort(bundled)
	if !ok || !slices.Equal(bundled, wanted) {
		return none, "", fmt.Errorf("%w: all lines must be in one group, a=group:BUNDLE %s", ErrBadSDP, strings.Join(mids, " "))
	}
	first := desc.MediaDescriptions[0]
	attribute := func(key string) string {
		if value, ok := first.Attribute(key); ok {
			return value
		}
		value, _ := desc.Attribute(key)
		return value
	}
	if _, mux := first.Attribute("rtcp-mux"); !mux {
		return none, "", fmt.Errorf("%w: a=rtcp-mux is required", ErrUnsupportedMedia)
	}
	if _, lite := desc.Attribute("ice-lite"); lite {
		return none, "", fmt.Errorf("%w: the server is ICE-lite, so the client cannot be", ErrUnsupportedMedia)
	}
	// RFC 8839, section 5.4.
	ufrag = attribute("ice-ufrag")
	if n := len(ufrag); n < 4 || n > 256 {
		return none, "", fmt.Errorf("%w: a=ice-ufrag must have 4 to 256 characters", ErrBadSDP)
	}
	if n := len(attribute("ice-pwd")); n < 22 || n > 256 {
		return none, "", fmt.Errorf("%w: a=ice-pwd must have 22 to 256 characters", ErrBadSDP)
	}
	if setup := attribute("setup"); setup != "actpass" && setup != "active" {
		return none, "", fmt.Errorf("%w: a=setup must be actpass or active, since the server is passive", ErrUnsupportedMedia)
	}
	fingerprint, err := wire.ParseFingerprint(attribute("fingerprint"))
	if err != nil {
		return none, "", fmt.Errorf("%w: a=fingerprint must be sha-256, sha-384 or sha-512 and the hash in hex", ErrBadSDP)
	}
	return fingerprint, ufrag, nil
}

// direction returns a line's direction: its own attribute, else the session's, else
// sendrecv (RFC 8866, section 6.7). Two of them on one line are none.
func direction(desc *sdp.SessionDescription, media *sdp.MediaDescription) string {
	for _, attributes := range [][]sdp.Attribute{media.Attributes, desc.Attributes} {
		var found []string
		for _, a := range attributes {
			switch a.Key {
			case "sendonly", "recvonly", "sendrecv", "inactive":
				found = append(found, a.Key)
			}
		}
		if len(found) > 0 {
			return strings.Join(found, " and ")
		}
	}
	return "sendrecv"
}

// offeredOpus returns the payload type under which a line offers Opus, the first of its formats if there are several.
// ok is false when there is none, or one that can be taken for RTCP.
func offeredOpus(media *sdp.MediaDescription) (payloadType uint8, ok bool) {
	types, ok := offeredTypes(media, opus)
	if !ok || len(types) == 0 {
		return 0, false
	}
	return types[0], true
}

// offeredTypes returns the payload types under which a line offers a codec, in the order of its formats. ok is false
// when one of them can be taken for RTCP.
func offeredTypes(media *sdp.MediaDescription, codec string) (types []uint8, ok bool) {
	named := make(map[string]uint8)
	for _, a := range media.Attributes {
		number, name, found := strings.Cut(a.Value, " ")
		if a.Key != "rtpmap" || !found || !strings.EqualFold(strings.TrimSpace(name), codec) {
			continue
		}
		n, err := strconv.ParseUint(number, 10, 7)
		if err != nil || n >= rtcpTypeMin && n <= rtcpTypeMax {
			return nil, false
		}
		named[number] = uint8(n)
	}
	for _, format := range media.MediaName.Formats {
		if payloadType, found := named[format]; found {
			types = append(types, payloadType)
		}
	}
	return types, true
}

// offeredRED returns the payload type under which a line offers redundant audio all of whose blocks are of the given
// Opus, and whether it stands before that; 0 for none. Any other is not an error but left out of the answer.
func offeredRED(media *sdp.MediaDescription, opus uint8) (payloadType uint8, first bool) {
	types, _ := offeredTypes(media, red)
	of := strconv.Itoa(int(opus))
	for _, payloadType := range types {
		format := strconv.Itoa(int(payloadType))
		for _, a := range media.Attributes {
			number, blocks, _ := strings.Cut(a.Value, " ")
			if a.Key != "fmtp" || number != format || payloadType == 0 {
				continue
			}
			others := slices.DeleteFunc(strings.Split(strings.TrimSpace(blocks), "/"), func(b string) bool { return b == of })
			if len(others) == 0 {
				formats := media.MediaName.Formats
				return payloadType, slices.Index(formats, format) < slices.Index(formats, of)
			}
		}
	}
	return 0, false
}

// offeredNACK reports whether a line offers generic NACK for the given Opus, or for all its formats.
func offeredNACK(media *sdp.MediaDescription, opus uint8) bool {
	of := strconv.Itoa(int(opus))
	for _, a := range media.Attributes {
		format, feedback, _ := strings.Cut(a.Value, " ")
		if a.Key == "rtcp-fb" && (format == of || format == "*") && strings.TrimSpace(feedback) == "nack" {
			return true
		}
	}
	return false
}

// offeredExtensions returns the ids of the header extensions that the server reads.
func offeredExtensions(media *sdp.MediaDescription) map[string]uint8 {
	var ids map[string]uint8
	for _, a := range media.Attributes {
		fields := strings.Fields(a.Value)
		if a.Key != "extmap" || len(fields) < 2 || !slices.Contains(readExtensions[:], fields[1]) {
			continue
		}
		id, _, _ := strings.Cut(fields[0], "/") // a direction may follow (RFC 8285, section 5)
		// 15 is reserved in the one-byte form; larger ones need the two-byte form.
		if n, err := strconv.ParseUint(id, 10, 8); err == nil && n >= 1 && n != 15 {
			if ids == nil {
				ids = make(map[string]uint8)
			}
			ids[fields[1]] = uint8(n)
		}
	}
	return ids
}

// oneLine keeps an engine's error readable inside a JSON string.
func oneLine(err error) string {
	const most = 200
	text := strings.Join(strings.Fields(strings.ToValidUTF8(err.Error(), "?")), " ")
	if runes := []rune(text); len(runes) > most {
		text = string(runes[:most]) + "…"
	}
	return text
}

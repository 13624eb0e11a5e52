package peer

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/pion/sdp/v3"
)

// Sentinel errors of Factory.Answer and Peer.AddCandidate; test with errors.Is. The
// wrapping text says what to change.
var (
	// ErrBadSDP: the offer cannot be parsed, is too large, or the engine refuses it.
	ErrBadSDP = errors.New("bad SDP")
	// ErrUnsupportedMedia: the offer is SDP, but not the audio lines this server speaks.
	ErrUnsupportedMedia = errors.New("unsupported media")
	// ErrCandidate: an ICE candidate cannot be parsed or is one too many.
	ErrCandidate = errors.New("ICE candidate refused")
)

const (
	// opus as it stands in a=rtpmap (RFC 7587, section 7).
	opus = "opus/48000/2"
	// mediaProtocol is RTP with feedback over DTLS-SRTP (RFC 5764, section 8).
	mediaProtocol = "UDP/TLS/RTP/SAVPF"
	// maxMIDBytes bounds a mid; an RTP header extension carries no longer one (RFC 8285).
	maxMIDBytes = 16
	// Payload types that look like RTCP on a shared port (RFC 5761, section 4).
	rtcpTypeMin, rtcpTypeMax, typeMax = 64, 95, 127
)

// fingerprint is a=fingerprint with a hash function that is not broken (RFC 8122).
var fingerprint = regexp.MustCompile(`(?i)^sha-(256|384|512) [0-9a-f]{2}(:[0-9a-f]{2}){31,63}$`)

// offered is what a valid offer asks for.
type offered struct {
	// mic is the mid of the sendonly line, "" if there is none; hasMic tells.
	mic    string
	hasMic bool
	// slots are the mids of the recvonly lines, in their order.
	slots []string
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
		mid, err := inspectLine(media, i)
		if err != nil {
			return asked, err
		}
		if slices.Contains(mids, mid) {
			return asked, fmt.Errorf("%w: line %d needs an a=mid of its own", ErrBadSDP, i)
		}
		mids = append(mids, mid)
		if err := asked.add(direction(&desc, media), mid, i); err != nil {
			return asked, err
		}
	}
	if len(asked.slots) > maxSlots {
		return asked, fmt.Errorf("%w: %d recvonly lines, at most %d are answered",
			ErrUnsupportedMedia, len(asked.slots), maxSlots)
	}
	return asked, inspectTransport(&desc, mids)
}

// add notes what a line is for.
func (o *offered) add(direction, mid string, line int) error {
	switch direction {
	case "sendonly":
		if o.hasMic {
			return fmt.Errorf("%w: line %d is a second sendonly line", ErrUnsupportedMedia, line)
		}
		o.mic, o.hasMic = mid, true
	case "recvonly":
		o.slots = append(o.slots, mid)
	default:
		return fmt.Errorf("%w: line %d is %s; offer one sendonly line and recvonly lines",
			ErrUnsupportedMedia, line, direction)
	}
	return nil
}

// inspectLine checks what belongs to one m-line and returns its mid.
func inspectLine(media *sdp.MediaDescription, line int) (mid string, err error) {
	name := &media.MediaName
	if name.Media != "audio" {
		return "", fmt.Errorf("%w: line %d is m=%s, only audio is answered", ErrUnsupportedMedia, line, name.Media)
	}
	if protocol := strings.Join(name.Protos, "/"); protocol != mediaProtocol {
		return "", fmt.Errorf("%w: line %d is %s, only %s is answered", ErrUnsupportedMedia, line, protocol, mediaProtocol)
	}
	if _, bundleOnly := media.Attribute("bundle-only"); name.Port.Value == 0 && !bundleOnly {
		return "", fmt.Errorf("%w: line %d has port 0, which takes it back; leave it out", ErrUnsupportedMedia, line)
	}
	mid, _ = media.Attribute("mid")
	if mid == "" || len(mid) > maxMIDBytes {
		return "", fmt.Errorf("%w: line %d needs an a=mid of 1 to %d bytes", ErrBadSDP, line, maxMIDBytes)
	}
	if !offersOpus(media) {
		return "", fmt.Errorf("%w: line %d (mid %s) does not offer %s under a payload type of 0 to 63 or 96 to 127",
			ErrUnsupportedMedia, line, mid, opus)
	}
	return mid, nil
}

// inspectTransport checks what all lines share: one BUNDLE group (RFC 8843), and on its
// first line, or for the whole session, RTCP on the same port, ICE and DTLS.
func inspectTransport(desc *sdp.SessionDescription, mids []string) error {
	group, _ := desc.Attribute("group")
	bundle, ok := strings.CutPrefix(group, "BUNDLE ")
	bundled, wanted := strings.Fields(bundle), slices.Sorted(slices.Values(mids))
	slices.Sort(bundled)
	if !ok || !slices.Equal(bundled, wanted) {
		return fmt.Errorf("%w: all lines must be in one group, a=group:BUNDLE %s", ErrBadSDP, strings.Join(mids, " "))
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
		return fmt.Errorf("%w: a=rtcp-mux is required", ErrUnsupportedMedia)
	}
	if _, lite := desc.Attribute("ice-lite"); lite {
		return fmt.Errorf("%w: the server is ICE-lite, so the client cannot be", ErrUnsupportedMedia)
	}
	// RFC 8839, section 5.4.
	if n := len(attribute("ice-ufrag")); n < 4 || n > 256 {
		return fmt.Errorf("%w: a=ice-ufrag must have 4 to 256 characters", ErrBadSDP)
	}
	if n := len(attribute("ice-pwd")); n < 22 || n > 256 {
		return fmt.Errorf("%w: a=ice-pwd must have 22 to 256 characters", ErrBadSDP)
	}
	if setup := attribute("setup"); setup != "actpass" && setup != "active" {
		return fmt.Errorf("%w: a=setup must be actpass or active, since the server is passive", ErrUnsupportedMedia)
	}
	if !fingerprint.MatchString(attribute("fingerprint")) {
		return fmt.Errorf("%w: a=fingerprint must be sha-256, sha-384 or sha-512 and the hash in hex", ErrBadSDP)
	}
	return nil
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

// offersOpus reports whether a line offers Opus under a payload type that cannot be
// taken for RTCP, and under no other.
func offersOpus(media *sdp.MediaDescription) bool {
	offers := false
	for _, a := range media.Attributes {
		number, codec, found := strings.Cut(a.Value, " ")
		if a.Key != "rtpmap" || !found || !strings.EqualFold(strings.TrimSpace(codec), opus) {
			continue
		}
		payloadType, err := strconv.Atoi(number)
		if err != nil || payloadType < 0 || payloadType > typeMax || payloadType >= rtcpTypeMin && payloadType <= rtcpTypeMax {
			return false
		}
		offers = true
	}
	return offers
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

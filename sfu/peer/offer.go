package peer

import (
	"errors"
	"fmt"
	"slices"
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

// opus as it stands in a=rtpmap (RFC 7587, section 7).
const opus = "opus/48000/2"

// offered is what a valid offer asks for.
type offered struct {
	// mic is the mid of the sendonly line, "" if there is none; hasMic tells.
	mic    string
	hasMic bool
	// slots are the mids of the recvonly lines, in their order.
	slots []string
}

// inspect checks an offer before any engine sees it: its size, its number of lines and
// that each is an Opus line of a direction this server answers.
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
	mids := make(map[string]bool, len(desc.MediaDescriptions))
	for i, media := range desc.MediaDescriptions {
		if media.MediaName.Media != "audio" {
			return asked, fmt.Errorf("%w: line %d is m=%s, only audio is answered",
				ErrUnsupportedMedia, i, media.MediaName.Media)
		}
		mid, ok := media.Attribute("mid")
		if !ok || mid == "" || mids[mid] {
			return asked, fmt.Errorf("%w: line %d needs an a=mid of its own", ErrBadSDP, i)
		}
		mids[mid] = true
		if !offersOpus(media) {
			return asked, fmt.Errorf("%w: line %d (mid %s) does not offer %s", ErrUnsupportedMedia, i, mid, opus)
		}
		switch direction := directionOf(&desc, media); direction {
		case "sendonly":
			if asked.hasMic {
				return asked, fmt.Errorf("%w: line %d is a second sendonly line", ErrUnsupportedMedia, i)
			}
			asked.mic, asked.hasMic = mid, true
		case "recvonly":
			asked.slots = append(asked.slots, mid)
		default:
			return asked, fmt.Errorf("%w: line %d is %s; offer one sendonly line and recvonly lines",
				ErrUnsupportedMedia, i, direction)
		}
	}
	if len(asked.slots) > maxSlots {
		return asked, fmt.Errorf("%w: %d recvonly lines, at most %d are answered",
			ErrUnsupportedMedia, len(asked.slots), maxSlots)
	}
	return asked, nil
}

// directionOf returns a line's direction: its own attribute, else the session's, else
// sendrecv (RFC 8866, section 6.7).
func directionOf(desc *sdp.SessionDescription, media *sdp.MediaDescription) string {
	for _, attributes := range [][]sdp.Attribute{media.Attributes, desc.Attributes} {
		for _, a := range attributes {
			switch a.Key {
			case "sendonly", "recvonly", "sendrecv", "inactive":
				return a.Key
			}
		}
	}
	return "sendrecv"
}

func offersOpus(media *sdp.MediaDescription) bool {
	return slices.ContainsFunc(media.Attributes, func(a sdp.Attribute) bool {
		_, codec, found := strings.Cut(a.Value, " ")
		return a.Key == "rtpmap" && found && strings.EqualFold(strings.TrimSpace(codec), opus)
	})
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

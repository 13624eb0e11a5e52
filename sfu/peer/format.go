package peer

import (
	"slices"
	"strconv"
	"strings"
)

const (
	// opus as it stands in a=rtpmap (RFC 7587, section 7).
	opus = "opus/48000/2"
	// red is redundant audio (RFC 2198) as browsers offer it for Opus.
	red = "red/48000/2"
	// Payload types that look like RTCP on a shared port (RFC 5761, section 4).
	rtcpTypeMin, rtcpTypeMax = 64, 95

	// What the server likes to receive when a microphone's line does not say otherwise (RFC 7587, section 6.1): frames
	// of 10 ms and more, since each packet costs the same, in-band FEC, and nothing during silence.
	defaultMinPTime = 10
	// maxPTime is the longest packet of Opus in ms.
	maxPTime = 120
	// The bounds of maxaveragebitrate, bit/s, and maxplaybackrate, Hz.
	minBitrate, maxBitrate   = 6000, 510000
	minPlayback, maxPlayback = 8000, 48000
)

// Header extensions that the server reads (RFC 9143, section 15; RFC 6464). It sends none.
const (
	midURI        = "urn:ietf:params:rtp-hdrext:sdes:mid"
	audioLevelURI = "urn:ietf:params:rtp-hdrext:ssrc-audio-level"
)

// extension is a header extension of a line.
type extension struct {
	id     uint8 // 0: not offered
	oneWay bool  // the client only sends it (RFC 8285, section 5)
}

// extmap is the value of the answer's a=extmap; ok is false for an extension that was not offered.
func (x extension) extmap(uri string) (value string, ok bool) {
	way := ""
	if x.oneWay {
		way = "/recvonly"
	}
	return strconv.Itoa(int(x.id)) + way + " " + uri, x.id != 0
}

// format is what an audio line is offered as.
type format struct {
	// opus is the payload type of Opus that the client prefers.
	opus uint8
	// red is the payload type of redundant audio of that Opus (RFC 2198), 0 for none;
	// redFirst says that the client prefers it to Opus alone.
	red      uint8
	redFirst bool
	// nack: the client asks for packets again, and can be asked (RFC 4585, section 4.2).
	nack bool
	// parameters is the answer's a=fmtp of Opus; empty for none. ptime and maxptime are its
	// packet lengths in ms, 0 for none.
	parameters      string
	ptime, maxptime int
	// midExtension and levelExtension are the header extensions that the server reads (RFC 8285).
	midExtension, levelExtension extension
}

// readFormat reads which formats of an audio line the server answers.
func readFormat(session, m section, formats []string, mic bool) (format, error) {
	var f format
	types, forRTCP := payloadTypes(m, formats, opus)
	if len(types) == 0 {
		for l := range m.all("rtpmap") {
			_, name, _ := strings.Cut(l.value, " ")
			if name = strings.TrimSpace(name); len(name) > 4 && strings.EqualFold(name[:5], "opus/") && !strings.EqualFold(name, opus) {
				return f, l.fault(ErrUnsupportedMedia, "Opus is %s whatever it carries (RFC 7587, section 7)", opus)
			}
		}
		if forRTCP {
			return f, m[0].fault(ErrUnsupportedMedia, "its Opus has a payload type of 64 to 95, which look like RTCP; give it one of 96 to 127")
		}
		return f, m[0].fault(ErrUnsupportedMedia, "has no a=rtpmap of %s under one of its payload types", opus)
	}
	f.opus = types[0]
	f.red, f.redFirst = readRED(m, formats, f.opus)
	f.nack = readNACK(m, f.opus)
	f.readParameters(m, mic)
	f.readExtensions(session, m)
	return f, nil
}

// payloadTypes returns the payload types under which a line offers a codec, in the order of its formats, and whether
// another was left out because it can be taken for RTCP.
func payloadTypes(m section, formats []string, codec string) (types []uint8, forRTCP bool) {
	named := make(map[string]bool) // the first a=rtpmap of a format counts
	for l := range m.all("rtpmap") {
		number, name, _ := strings.Cut(l.value, " ")
		if _, again := named[number]; !again {
			named[number] = strings.EqualFold(strings.TrimSpace(name), codec)
		}
	}
	for _, number := range formats {
		n, err := strconv.ParseUint(number, 10, 7)
		switch {
		case err != nil || !named[number] || slices.Contains(types, uint8(n)):
		case n >= rtcpTypeMin && n <= rtcpTypeMax:
			forRTCP = true
		default:
			types = append(types, uint8(n))
		}
	}
	return types, forRTCP
}

// readRED returns the payload type under which a line offers redundant audio all of whose blocks are of the given Opus,
// and whether it stands before that; 0 for none. Any other is not an error but left out of the answer.
func readRED(m section, formats []string, opus uint8) (payloadType uint8, first bool) {
	types, _ := payloadTypes(m, formats, red)
	of := strconv.Itoa(int(opus))
	for _, payloadType := range types {
		number := strconv.Itoa(int(payloadType))
		for l := range m.all("fmtp") {
			format, blocks, _ := strings.Cut(l.value, " ")
			if format != number || payloadType == 0 {
				continue
			}
			others := slices.DeleteFunc(strings.Split(strings.TrimSpace(blocks), "/"), func(b string) bool { return b == of })
			if len(others) == 0 {
				return payloadType, slices.Index(formats, number) < slices.Index(formats, of)
			}
		}
	}
	return 0, false
}

// readNACK reports whether a line offers generic NACK for the given Opus, or for all its formats.
func readNACK(m section, opus uint8) bool {
	of := strconv.Itoa(int(opus))
	for l := range m.all("rtcp-fb") {
		format, feedback, _ := strings.Cut(l.value, " ")
		if (format == of || format == "*") && strings.EqualFold(strings.TrimSpace(feedback), "nack") {
			return true
		}
	}
	return false
}

// readParameters chooses the answer's parameters of Opus, which say what the answerer likes to receive (RFC 7587,
// section 7.1). On the microphone's line the client receives nothing, so what it says there is taken as a wish for its
// own sending, and the answer repeats it; but stereo is asked for only of who says by sprop-stereo that it has it, since
// Firefox says stereo=1 on every line. On a slot the server receives nothing; all it can say is that who likes stereo
// may get it.
func (f *format) readParameters(m section, mic bool) {
	offered := make(map[string]string)
	for l := range m.all("fmtp") {
		number, list, _ := strings.Cut(l.value, " ")
		if number != strconv.Itoa(int(f.opus)) {
			continue
		}
		for parameter := range strings.SplitSeq(list, ";") {
			key, value, _ := strings.Cut(parameter, "=")
			key = strings.ToLower(strings.TrimSpace(key))
			if _, again := offered[key]; !again {
				offered[key] = strings.TrimSpace(value)
			}
		}
	}
	if !mic {
		if offered["stereo"] == "1" {
			f.parameters = "sprop-stereo=1"
		}
		return
	}
	// number returns a parameter in its bounds, which RFC 7587 tells to ignore otherwise.
	number := func(key string, least, most int) (n int, ok bool) {
		n, err := strconv.Atoi(offered[key])
		return n, err == nil && n >= least && n <= most
	}
	parameters := make([]string, 0, 8)
	say := func(key string, n int) { parameters = append(parameters, key+"="+strconv.Itoa(n)) }
	minptime, ok := number("minptime", defaultMinPTime, maxPTime)
	if !ok {
		minptime = defaultMinPTime
	}
	say("minptime", minptime)
	for _, key := range []string{"useinbandfec", "usedtx"} {
		wish, ok := number(key, 0, 1)
		if !ok {
			wish = 1
		}
		say(key, wish)
	}
	if offered["sprop-stereo"] == "1" {
		say("stereo", 1)
	}
	if offered["cbr"] == "1" {
		say("cbr", 1)
	}
	if n, ok := number("maxaveragebitrate", minBitrate, maxBitrate); ok {
		say("maxaveragebitrate", n)
	}
	if n, ok := number("maxplaybackrate", minPlayback, maxPlayback); ok {
		say("maxplaybackrate", n)
	}
	f.parameters = strings.Join(parameters, ";")
	for key, into := range map[string]*int{"ptime": &f.ptime, "maxptime": &f.maxptime} {
		l, _ := m.first(key)
		if n, err := strconv.ParseFloat(l.value, 64); err == nil && n >= defaultMinPTime && n <= maxPTime {
			*into = int(n)
		}
	}
}

// readExtensions notes the ids of the header extensions that the server reads, from the line and from the session
// (RFC 8285, section 5).
func (f *format) readExtensions(levels ...section) {
	for _, level := range levels {
		for l := range level.all("extmap") {
			fields := strings.Fields(l.value)
			if len(fields) < 2 || (fields[1] != midURI && fields[1] != audioLevelURI) {
				continue
			}
			id, way, _ := strings.Cut(fields[0], "/")
			// 15 is reserved in the one-byte form; larger ones need the two-byte form.
			n, err := strconv.ParseUint(id, 10, 8)
			if err != nil || n == 0 || n == 15 || way == "recvonly" || way == "inactive" {
				continue
			}
			x := &f.levelExtension
			if fields[1] == midURI {
				x = &f.midExtension
			}
			*x = extension{uint8(n), way == "sendonly"}
		}
	}
}

package peer

import (
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"github.com/mini-livechat/mini-livechat/sfu/wire"
)

// cname names the server as the source of all its streams (RFC 3550, section 6.5.1).
const cname = "livechat"

// transport is how the client gets to us: by which credentials, with which certificate, and where.
type transport struct {
	wire.Credentials

	fingerprint string
	at          []netip.AddrPort
}

// answerWriter writes an SDP answer (RFC 9429, section 5.3).
type answerWriter struct{ strings.Builder }

// line writes one line.
func (w *answerWriter) line(format string, args ...any) {
	_, _ = fmt.Fprintf(w, format+"\r\n", args...) // a Builder takes all
}

// answer takes every audio line of the offer in the opposite direction and rejects what is rejected.
func (n *negotiation) answer() string {
	var w answerWriter
	o, way := &n.asked, &n.way
	w.line("v=0")
	w.line("o=- %d %d IN IP4 0.0.0.0", n.session, n.version)
	w.line("s=-")
	w.line("t=0 0")
	if o.bundle != nil {
		w.line("a=group:BUNDLE %s", strings.Join(o.bundle, " "))
	}
	w.line("a=ice-lite")
	w.line("a=ice-options:ice2 trickle") // RFC 8445, section 10; RFC 8840, section 4.1.3
	slot := 0
	for i := range o.lines {
		l := &o.lines[i]
		if l.rejected {
			w.rejected(l)
			continue
		}
		w.audio(l)
		// RFC 9143, section 9.2, has the transport on the tagged line only; aiortc and GStreamer miss it on the others,
		// and nobody minds it there. The candidates are many, and all find them on the tagged line.
		w.line("a=setup:passive")
		w.line("a=fingerprint:%s", way.fingerprint)
		w.line("a=ice-ufrag:%s", way.Ufrag)
		w.line("a=ice-pwd:%s", way.Pwd)
		if o.association != "" {
			w.line("a=tls-id:%s", o.association)
		}
		if i == o.tagged {
			for _, candidate := range wire.Candidates(way.at) {
				w.line("a=candidate:%s", candidate)
			}
			w.line("a=end-of-candidates")
		}
		if !l.mic {
			// Every slot is a stream of its own, so that a browser does not hold one back for another's sake.
			w.line("a=msid:slot%d slot%d", slot, slot)
			w.line("a=ssrc:%d cname:%s", n.ssrcs[slot], cname)
			slot++
		}
	}
	return w.String()
}

// head writes a line's beginning.
func (w *answerWriter) head(l *line, port int, formats string) {
	w.line("m=%s %d %s %s", l.media, port, l.protocol, formats)
	w.line("c=IN IP4 0.0.0.0")
	if l.mid != "" {
		w.line("a=mid:%s", l.mid)
	}
}

// rejected writes a line that stays unused (RFC 3264, section 6).
func (w *answerWriter) rejected(l *line) {
	w.head(l, 0, l.rejectedFormat)
	w.line("a=inactive")
}

// audio writes what is said of one line's audio.
func (w *answerWriter) audio(l *line) {
	types := []uint8{l.opus}
	switch {
	case l.red == 0:
	case l.redFirst: // then the client sends it (RFC 9429, section 5.3.1: the order of the offer)
		types = []uint8{l.red, l.opus}
	default:
		types = []uint8{l.opus, l.red}
	}
	formats := make([]string, len(types))
	for i, payloadType := range types {
		formats[i] = strconv.Itoa(int(payloadType))
	}
	w.head(l, anyPort, strings.Join(formats, " "))
	w.line("a=rtcp-mux")
	for _, payloadType := range types { // in the order of the m-line, by which some choose what to send
		if payloadType == l.red && l.red != 0 {
			w.line("a=rtpmap:%d %s", l.red, red)
			w.line("a=fmtp:%d %d/%d", l.red, l.opus, l.opus)
			continue
		}
		w.line("a=rtpmap:%d %s", l.opus, opus)
		if l.parameters != "" {
			w.line("a=fmtp:%d %s", l.opus, l.parameters)
		}
		if l.nack {
			w.line("a=rtcp-fb:%d nack", l.opus)
		}
	}
	if l.ptime > 0 {
		w.line("a=ptime:%d", l.ptime)
	}
	if l.maxptime > 0 {
		w.line("a=maxptime:%d", l.maxptime)
	}
	if !l.mic {
		w.line("a=sendonly")
		return
	}
	if value, ok := l.midExtension.extmap(midURI); ok {
		w.line("a=extmap:%s", value)
	}
	if value, ok := l.levelExtension.extmap(audioLevelURI); ok {
		w.line("a=extmap:%s", value)
	}
	w.line("a=recvonly")
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

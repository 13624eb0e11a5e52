// Package rtp reads RTP packets (RFC 3550 §5.1) and their header extensions (RFC 8285): the one parser of both ends of the
// media path. It trusts no length, looks at nothing behind the packet's end, allocates nothing and keeps no state.
package rtp

import (
	"encoding/binary"
	"errors"
)

// What is wrong with a packet; test with errors.Is.
var (
	// ErrShort: it ends inside its header, CSRC list and extension included.
	ErrShort = errors.New("rtp: packet ends inside its header")
	// ErrVersion: the version is not 2.
	ErrVersion = errors.New("rtp: version is not 2")
	// ErrPadding: the padding count is zero or larger than what follows the header.
	ErrPadding = errors.New("rtp: padding count out of range")
)

// Layout of the RTP header, RFC 3550 §5.1. Lengths are in bytes.
const (
	// Version is the one there is.
	Version = 2
	// FixedLen is the length of a header without CSRCs and extension, CSRCLen that of one CSRC.
	FixedLen = 12
	CSRCLen  = 4
	// MarkerBit is the marker in the second byte, MaxPayloadType what else is in it.
	MarkerBit      = 0x80
	MaxPayloadType = 0x7f

	extensionHeadLen = 4
	wordLen          = 4

	paddingBit   = 0x20
	extensionBit = 0x10
	csrcMask     = 0x0f
)

// Header extension forms, RFC 8285.
const (
	oneByteProfile   = 0xbede // §4.2
	oneByteStopID    = 15
	twoByteProfile   = 0x1000 // §4.3; the low four bits are the application's
	twoByteAppBits   = 0x000f
	extensionPadding = 0
)

// Packet is a parsed view of one RTP packet. Its slices alias the buffer given to
// Unmarshal and live as long as that. The zero value is an empty packet. A Packet may be
// reused for any number of buffers; it must not be shared between goroutines that write.
type Packet struct {
	// SSRC identifies the sender's stream.
	SSRC uint32
	// Timestamp is in units of the payload's clock rate (48 kHz for Opus, RFC 7587 §4.1).
	Timestamp uint32
	// SequenceNumber is the sender's.
	SequenceNumber uint16
	// PayloadType is 0 to 127.
	PayloadType uint8
	// Marker is set on the first packet of a talk spurt, RFC 3551 §4.1.
	Marker bool
	// Level is how loud its sound is (RFC 6464 §3), for whoever reads that; Unmarshal does not.
	Level uint8
	// Header is the whole header, CSRCs and extension included.
	Header []byte
	// Payload excludes header and padding. It may be empty.
	Payload []byte
}

// HeaderLen checks the header of a packet, which may still be encrypted (RFC 3711 §3.1), and returns its length with CSRCs
// and extension. The errors are ErrShort and ErrVersion. It is small enough to be inlined.
func HeaderLen(b []byte) (int, error) {
	if len(b) < FixedLen {
		return 0, ErrShort
	}
	if b[0]>>6 != Version {
		return 0, ErrVersion
	}
	n := FixedLen + CSRCLen*int(b[0]&csrcMask)
	if b[0]&extensionBit != 0 {
		if n += extensionHeadLen; n <= len(b) {
			n += wordLen * int(binary.BigEndian.Uint16(b[n-2:]))
		}
	}
	if n > len(b) {
		return 0, ErrShort
	}
	return n, nil
}

// SequenceNumber returns that of a packet of at least FixedLen bytes.
func SequenceNumber(b []byte) uint16 { return binary.BigEndian.Uint16(b[2:]) }

// SSRC returns that of a packet of at least FixedLen bytes.
func SSRC(b []byte) uint32 { return binary.BigEndian.Uint32(b[8:]) }

// Unmarshal parses one RTP packet that fills b exactly and makes p a view of it. It allocates nothing and keeps b. On
// error p is the zero Packet; the errors are HeaderLen's and ErrPadding.
func (p *Packet) Unmarshal(b []byte) error {
	*p = Packet{}
	start, err := HeaderLen(b)
	if err != nil {
		return err
	}
	end := len(b)
	if b[0]&paddingBit != 0 {
		// The last octet counts the padding, itself included.
		padding := int(b[end-1])
		if padding == 0 || padding > end-start {
			return ErrPadding
		}
		end -= padding
	}
	p.SSRC = SSRC(b)
	p.Timestamp = binary.BigEndian.Uint32(b[4:])
	p.SequenceNumber = SequenceNumber(b)
	p.PayloadType = b[1] & MaxPayloadType
	p.Marker = b[1]&MarkerBit != 0
	p.Header, p.Payload = b[:start:start], b[start:end:end]
	return nil
}

// CSRC returns the first contributing source, 0 for none.
func (p *Packet) CSRC() uint32 {
	if len(p.Header) < FixedLen+CSRCLen || p.Header[0]&csrcMask == 0 {
		return 0
	}
	return binary.BigEndian.Uint32(p.Header[FixedLen:])
}

// Extension returns the data of the header extension element id in the one-byte form
// (id 1 to 14, RFC 8285 §4.2) or the two-byte form (id 1 to 255, §4.3), whichever the
// packet uses. It returns nil when the packet has no such element or is malformed before
// it, and an empty, non-nil slice for an element without data. The result aliases the
// packet's buffer. Nothing is allocated.
func (p *Packet) Extension(id uint8) []byte {
	switch profile, body := p.extension(); {
	case profile == oneByteProfile:
		return oneByteElement(body, id)
	case profile&^twoByteAppBits == twoByteProfile:
		return twoByteElement(body, id)
	default:
		return nil
	}
}

// extension returns the header extension's "defined by profile" field and its body.
func (p *Packet) extension() (profile uint16, body []byte) {
	if len(p.Header) == 0 || p.Header[0]&extensionBit == 0 {
		return 0, nil
	}
	head := p.Header[FixedLen+CSRCLen*int(p.Header[0]&csrcMask):]
	return binary.BigEndian.Uint16(head), head[extensionHeadLen:]
}

// oneByteElement finds an element of 1 to 16 bytes, RFC 8285 §4.2.
func oneByteElement(b []byte, id uint8) []byte {
	for len(b) > 0 {
		head := b[0]
		if head == extensionPadding {
			b = b[1:]
			continue
		}
		element := head >> 4
		// Id 15 ends the list, and so does id 0 with a length: only the elements before
		// such a one count.
		if element == oneByteStopID || element == extensionPadding {
			return nil
		}
		end := 1 + int(head&0x0f) + 1
		if end > len(b) {
			return nil
		}
		if element == id {
			return b[1:end:end]
		}
		b = b[end:]
	}
	return nil
}

// twoByteElement finds an element of 0 to 255 bytes, RFC 8285 §4.3.
func twoByteElement(b []byte, id uint8) []byte {
	for len(b) > 0 {
		if b[0] == extensionPadding {
			b = b[1:]
			continue
		}
		if len(b) < 2 {
			return nil
		}
		end := 2 + int(b[1])
		if end > len(b) {
			return nil
		}
		if b[0] == id {
			return b[2:end:end]
		}
		b = b[end:]
	}
	return nil
}

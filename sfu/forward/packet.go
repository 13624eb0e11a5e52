package forward

import (
	"encoding/binary"
	"errors"
)

// Sentinel errors of [Packet.Unmarshal]; test with errors.Is.
var (
	// ErrPacketShort means the buffer ends inside the fixed header or the CSRC list.
	ErrPacketShort = errors.New("rtp: packet ends inside its header")
	// ErrPacketVersion means the version field is not 2.
	ErrPacketVersion = errors.New("rtp: version is not 2")
	// ErrPacketExtension means the header extension reaches past the end of the buffer.
	ErrPacketExtension = errors.New("rtp: header extension longer than the packet")
	// ErrPacketPadding means the padding count is zero or larger than what follows the header.
	ErrPacketPadding = errors.New("rtp: padding count out of range")
)

// Layout of the RTP header, RFC 3550 §5.1. Lengths are in bytes.
const (
	rtpVersion      = 2
	fixedHeaderLen  = 12
	csrcLen         = 4
	extensionHdrLen = 4
	wordLen         = 4

	paddingBit   = 0x20
	extensionBit = 0x10
	csrcMask     = 0x0f
	markerBit    = 0x80
	typeMask     = 0x7f
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
	// SSRC identifies the publisher's stream.
	SSRC uint32
	// Timestamp is in units of the payload's clock rate (48 kHz for Opus, RFC 7587 §4.1).
	Timestamp uint32
	// SequenceNumber is the publisher's.
	SequenceNumber uint16
	// PayloadType is 0 to 127.
	PayloadType uint8
	// Marker is set on the first packet of a talk spurt, RFC 3551 §4.1.
	Marker bool
	// Payload excludes header and padding. It may be empty.
	Payload []byte

	// extension is the body of the header extension, nil without one.
	extension []byte
	// profile is the extension's "defined by profile" field.
	profile uint16
}

// Unmarshal parses one RTP packet (RFC 3550 §5.1) that fills b exactly and makes p a view
// of it. It checks every length field against b, allocates nothing and keeps b. On error
// p is the zero Packet; the errors are ErrPacketShort, ErrPacketVersion,
// ErrPacketExtension and ErrPacketPadding.
func (p *Packet) Unmarshal(b []byte) error {
	*p = Packet{}
	if len(b) < fixedHeaderLen {
		return ErrPacketShort
	}
	if b[0]>>6 != rtpVersion {
		return ErrPacketVersion
	}
	offset := fixedHeaderLen + csrcLen*int(b[0]&csrcMask)
	if offset > len(b) {
		return ErrPacketShort
	}
	var (
		profile   uint16
		extension []byte
	)
	if b[0]&extensionBit != 0 {
		if offset+extensionHdrLen > len(b) {
			return ErrPacketExtension
		}
		profile = binary.BigEndian.Uint16(b[offset:])
		body := offset + extensionHdrLen
		offset = body + wordLen*int(binary.BigEndian.Uint16(b[offset+2:]))
		if offset > len(b) {
			return ErrPacketExtension
		}
		extension = b[body:offset:offset]
	}
	end := len(b)
	if b[0]&paddingBit != 0 {
		// The last octet counts the padding, itself included.
		padding := int(b[end-1])
		if padding == 0 || padding > end-offset {
			return ErrPacketPadding
		}
		end -= padding
	}
	p.SSRC = binary.BigEndian.Uint32(b[8:])
	p.Timestamp = binary.BigEndian.Uint32(b[4:])
	p.SequenceNumber = binary.BigEndian.Uint16(b[2:])
	p.PayloadType = b[1] & typeMask
	p.Marker = b[1]&markerBit != 0
	p.Payload = b[offset:end:end]
	p.profile = profile
	p.extension = extension
	return nil
}

// Extension returns the data of the header extension element id in the one-byte form
// (id 1 to 14, RFC 8285 §4.2) or the two-byte form (id 1 to 255, §4.3), whichever the
// packet uses. It returns nil when the packet has no such element or is malformed before
// it, and an empty, non-nil slice for an element without data. The result aliases the
// packet's buffer. Nothing is allocated.
func (p *Packet) Extension(id uint8) []byte {
	switch {
	case p.profile == oneByteProfile:
		return oneByteElement(p.extension, id)
	case p.profile&^twoByteAppBits == twoByteProfile:
		return twoByteElement(p.extension, id)
	default:
		return nil
	}
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

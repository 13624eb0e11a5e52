package wire

import "encoding/binary"

// kind is what a datagram is, by RFC 7983 §7 and, for RTP against RTCP, RFC 5761 §4.
type kind uint8

const (
	kindUnknown kind = iota
	kindSTUN
	kindDTLS
	kindRTP
	kindRTCP
)

func classify(packet []byte) kind {
	if len(packet) < 2 {
		return kindUnknown
	}
	switch b := packet[0]; {
	case b <= 3:
		return kindSTUN
	case b >= 20 && b <= 63:
		return kindDTLS
	case b >= 128 && b <= 191:
		if t := packet[1]; t >= 192 && t <= 223 {
			return kindRTCP
		}
		return kindRTP
	default: // ZRTP, TURN channels, QUIC, and what nobody has assigned
		return kindUnknown
	}
}

const (
	stunHeader      = 20 // RFC 8489 §5
	stunCookie      = 0x2112a442
	stunBindRequest = 0x0001
	stunUsername    = 0x0006
)

// stunUfrag returns our ICE username fragment in a STUN binding request: what stands before the colon in USERNAME
// (RFC 8445 §7.2.2). ok is false for other messages, which carry no name.
func stunUfrag(packet []byte) (ufrag []byte, ok bool) {
	if len(packet) < stunHeader || binary.BigEndian.Uint16(packet) != stunBindRequest ||
		binary.BigEndian.Uint32(packet[4:]) != stunCookie {
		return nil, false
	}
	rest := packet[stunHeader:]
	if n := int(binary.BigEndian.Uint16(packet[2:])); n < len(rest) {
		rest = rest[:n]
	}
	for len(rest) >= 4 {
		t, n := binary.BigEndian.Uint16(rest), int(binary.BigEndian.Uint16(rest[2:]))
		rest = rest[4:]
		if n > len(rest) {
			return nil, false
		}
		if t == stunUsername {
			for i, c := range rest[:n] {
				if c == ':' {
					return rest[:i], true
				}
			}
			return rest[:n], true
		}
		rest = rest[min((n+3)&^3, len(rest)):]
	}
	return nil, false
}

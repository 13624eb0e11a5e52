package wire

import "golang.org/x/crypto/cryptobyte"

const (
	recordHandshake = 22 // RFC 6347 §4.1
	recordAlert     = 21
	clientHello     = 1 // RFC 6347 §4.2.2
	suitesOfTLS13   = 0x13
	// renegotiationSCSV and fallbackSCSV stand among the cipher suites and are none (RFC 5746 §3.3, RFC 7507 §2).
	renegotiationSCSV = 0x00ff
	fallbackSCSV      = 0x5600
)

// protocolVersion is the alert for a peer whose version of DTLS is not spoken (RFC 5246 §7.2.2): fatal, in epoch 0.
//
//nolint:gochecknoglobals // constant
var protocolVersion = [...]byte{recordAlert, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 2, 70}

// onlyDTLS13 reports whether a datagram is the beginning of a ClientHello of a peer that does not speak DTLS 1.2. Such a
// peer claims version 1.2 and says 1.3 in an extension (RFC 9147 §5.3), which may stand in a later fragment. But all
// cipher suites that it offers are of TLS 1.3 (RFC 8446 §B.4), and these stand in the first.
func onlyDTLS13(datagram []byte) bool {
	s := cryptobyte.String(datagram)
	var kind, message uint8
	var length, offset, fragment uint32
	var record, session, cookie, suites cryptobyte.String
	var epoch uint16
	switch {
	case !s.ReadUint8(&kind) || kind != recordHandshake || !s.Skip(2) || !s.ReadUint16(&epoch) || epoch != 0,
		!s.Skip(6) || !s.ReadUint16LengthPrefixed(&record),
		!record.ReadUint8(&message) || message != clientHello || !record.ReadUint24(&length) || !record.Skip(2),
		!record.ReadUint24(&offset) || offset != 0 || !record.ReadUint24(&fragment),
		!record.Skip(2 + 32), // version and random
		!record.ReadUint8LengthPrefixed(&session) || !record.ReadUint8LengthPrefixed(&cookie),
		!record.ReadUint16LengthPrefixed(&suites):
		return false
	}
	some := false
	for !suites.Empty() {
		var suite uint16
		switch {
		case !suites.ReadUint16(&suite):
			return false
		case suite>>8 == suitesOfTLS13:
			some = true
		case suite == renegotiationSCSV, suite == fallbackSCSV, suite&0x0f0f == 0x0a0a: // the last are GREASE (RFC 8701)
		default:
			return false
		}
	}
	return some
}

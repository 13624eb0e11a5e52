package wire

import (
	"crypto"
	_ "crypto/sha256" // for Fingerprint
	_ "crypto/sha512" // likewise
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"fmt"
	"strings"

	"github.com/pion/dtls/v3/pkg/crypto/fingerprint"
)

// Fingerprint is what a peer's certificate must hash to (RFC 8122 §5). The zero value fits none.
type Fingerprint struct {
	hash crypto.Hash
	sum  string // the hash itself, not its hex
}

// ParseFingerprint reads the value of a=fingerprint, such as "sha-256 AB:CD:…". Its error is ErrHash for a hash function
// that is weaker than SHA-256 or unknown, ErrBadFingerprint for a hash that none of the others makes.
func ParseFingerprint(value string) (Fingerprint, error) {
	name, text, _ := strings.Cut(strings.TrimSpace(value), " ")
	var hash crypto.Hash
	switch strings.ToLower(name) { // tokens of SDP in this place ignore case (RFC 8122 §5)
	case "sha-256":
		hash = crypto.SHA256
	case "sha-384":
		hash = crypto.SHA384
	case "sha-512":
		hash = crypto.SHA512
	case "":
		return Fingerprint{}, ErrBadFingerprint
	default:
		return Fingerprint{}, ErrHash
	}
	octets := strings.Split(strings.TrimSpace(text), ":")
	if len(octets) != hash.Size() {
		return Fingerprint{}, ErrBadFingerprint
	}
	sum := make([]byte, hash.Size())
	for i, octet := range octets {
		if len(octet) != 2 {
			return Fingerprint{}, ErrBadFingerprint
		}
		if _, err := hex.Decode(sum[i:i+1], []byte(octet)); err != nil {
			return Fingerprint{}, ErrBadFingerprint
		}
	}
	return Fingerprint{hash, string(sum)}, nil
}

// verifyAny is the whole authentication of the peer: a self-signed certificate one of whose hashes came by the signalling
// (RFC 8827 §6.5). A peer may have told several, of several functions or several certificates (RFC 8122 §5.1). All that
// ParseFingerprint takes are strong enough to stand alone, so any of them counts.
func verifyAny(fingerprints []Fingerprint) func([][]byte, [][]*x509.Certificate) error {
	return func(raw [][]byte, _ [][]*x509.Certificate) error {
		if len(raw) == 0 {
			return ErrFingerprint
		}
		for _, f := range fingerprints {
			if f.sum == "" {
				continue
			}
			h := f.hash.New()
			h.Write(raw[0])
			if string(h.Sum(nil)) == f.sum {
				return nil
			}
		}
		return ErrFingerprint
	}
}

// fingerprintOf is a=fingerprint of our own certificate.
func fingerprintOf(cert *tls.Certificate) (string, error) {
	leaf, err := x509.ParseCertificate(cert.Certificate[0])
	if err != nil {
		return "", fmt.Errorf("wire: certificate: %w", err)
	}
	sum, err := fingerprint.Fingerprint(leaf, crypto.SHA256)
	if err != nil {
		return "", fmt.Errorf("wire: certificate: %w", err)
	}
	return "sha-256 " + strings.ToUpper(sum), nil
}

package bench

import (
	"bytes"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/binary"
	"encoding/hex"
	"hash"
	"sync"

	"github.com/pion/dtls/v3/pkg/crypto/prf"
)

// A leg learns its SRTP keys by looking at its own DTLS 1.2 handshake (RFC 6347), which is in
// the clear up to the point that matters, and at pion's key log.

const (
	recordHeader    = 13 // RFC 6347, section 4.1
	handshakeHeader = 12 // section 4.2.2
	helloBody       = recordHeader + handshakeHeader
	randomAt        = helloBody + 2 // behind the version
	sessionIDAt     = randomAt + randomBytes
	randomBytes     = 32
	contentType     = 22
	clientHello     = 1
	serverHello     = 2

	exporterLabel = "EXTRACTOR-dtls_srtp" // RFC 5764, section 4.2
	keyLogLabel   = "CLIENT_RANDOM"       // NSS key log format

	// suiteSHA384 is TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384, the one suite here whose
	// pseudo-random function is not made of SHA-256.
	suiteSHA384 = 0xc02c
)

// handshake is what a leg has seen of its handshake.
type handshake struct {
	mu           sync.Mutex
	registered   bool              // guarded by mu
	clientRandom [randomBytes]byte // guarded by mu
	serverRandom [randomBytes]byte // guarded by mu
	suite        uint16            // guarded by mu
}

// isHello looks at a datagram's first record, which must be of epoch 0: not encrypted.
func isHello(packet []byte, kind byte) bool {
	return len(packet) > sessionIDAt && packet[0] == contentType && packet[3] == 0 && packet[4] == 0 &&
		packet[recordHeader] == kind
}

// outgoing looks for the ClientHello.
func (h *handshake) outgoing(l *leg, packet []byte) {
	if !isHello(packet, clientHello) {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.registered {
		return // sent again, with the same random
	}
	h.registered = true
	copy(h.clientRandom[:], packet[randomAt:])
	l.gen.keys.expect(h.clientRandom, l)
}

// incoming looks for the ServerHello.
func (h *handshake) incoming(packet []byte) {
	if !isHello(packet, serverHello) {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	copy(h.serverRandom[:], packet[randomAt:])
	if at := sessionIDAt + 1 + int(packet[sessionIDAt]); len(packet) >= at+2 {
		h.suite = binary.BigEndian.Uint16(packet[at:])
	}
}

// crypters derives the keys (RFC 5705, section 4; RFC 5764, section 4.2).
func (h *handshake) crypters(master []byte) (sealer, opener *crypter, err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	seed := append([]byte(exporterLabel), h.clientRandom[:]...)
	seed = append(seed, h.serverRandom[:]...)
	digest := sha256.New
	if h.suite == suiteSHA384 {
		digest = sha512.New384
	}
	raw, err := prf.PHash(master, seed, 2*(keyBytes+saltBytes), func() hash.Hash { return digest() })
	if err != nil {
		return nil, nil, err
	}
	ours, theirs, salts := raw[:keyBytes], raw[keyBytes:2*keyBytes], raw[2*keyBytes:]
	if sealer, err = newMasterCrypter(ours, salts[:saltBytes]); err != nil {
		return nil, nil, err
	}
	opener, err = newMasterCrypter(theirs, salts[saltBytes:])
	return sealer, opener, err
}

// keyLog is the io.Writer to which pion logs master secrets; it finds the leg of each.
type keyLog struct {
	mu   sync.Mutex
	legs map[[randomBytes]byte]*leg // by client random; guarded by mu
}

func (k *keyLog) expect(random [randomBytes]byte, l *leg) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.legs == nil {
		k.legs = make(map[[randomBytes]byte]*leg)
	}
	k.legs[random] = l
}

// Write takes one line, "CLIENT_RANDOM <random> <master secret>". pion writes it before it
// sends the message that lets the server send RTP.
func (k *keyLog) Write(line []byte) (int, error) {
	fields := bytes.Fields(line)
	if len(fields) != 3 || string(fields[0]) != keyLogLabel {
		return len(line), nil
	}
	var random [randomBytes]byte
	if n, err := hex.Decode(random[:], fields[1][:min(len(fields[1]), 2*randomBytes)]); err != nil || n != randomBytes {
		return len(line), nil //nolint:nilerr // not for us; the leg will hear nothing and say so
	}
	master, err := hex.DecodeString(string(fields[2]))
	if err != nil {
		return len(line), nil //nolint:nilerr // same
	}
	k.mu.Lock()
	l := k.legs[random]
	delete(k.legs, random)
	k.mu.Unlock()
	if l == nil {
		return len(line), nil
	}
	if sealer, opener, err := l.hands.crypters(master); err == nil {
		l.sealer.Store(sealer)
		l.opener.Store(opener)
	}
	return len(line), nil
}

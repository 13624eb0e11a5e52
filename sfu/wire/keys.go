package wire

import (
	"crypto/aes"
	"crypto/cipher"
	"encoding/binary"
	"fmt"

	"github.com/pion/dtls/v3"
	"github.com/pion/srtp/v3"
)

// Secrets stay in this file: the SRTP master keys and the session keys. What leaves it are ciphers. Nothing here is ever
// formatted or logged, and buffers are wiped as soon as what they were for is made. (pion keeps the DTLS master secret for
// as long as its connection lives, and its SRTCP context a copy of the keys; that is out of our hands.)

const (
	exporterLabel = "EXTRACTOR-dtls_srtp" // RFC 5764 §4.2

	maxMasterKey  = 32
	maxMasterSalt = 14
	authKeyLen    = 20 // RFC 3711 §8.2, bytes

	labelEncryption = 0x00 // RFC 3711 §4.3.1
	labelAuth       = 0x01
	labelSalt       = 0x02
)

// profile describes one SRTP protection profile (RFC 5764 §4.1.2, RFC 7714 §12).
type profile struct {
	id      dtls.SRTPProtectionProfile
	keyLen  int
	saltLen int
	tagLen  int
}

func profileOf(id dtls.SRTPProtectionProfile) (profile, error) {
	switch id {
	case dtls.SRTP_AEAD_AES_128_GCM:
		return profile{id: id, keyLen: 16, saltLen: 12, tagLen: 16}, nil
	case dtls.SRTP_AEAD_AES_256_GCM:
		return profile{id: id, keyLen: 32, saltLen: 12, tagLen: 16}, nil
	case dtls.SRTP_AES128_CM_HMAC_SHA1_80:
		return profile{id: id, keyLen: 16, saltLen: 14, tagLen: 10}, nil
	default:
		return profile{}, fmt.Errorf("%w: %d", ErrProfile, id)
	}
}

// masterKey is one direction's SRTP master key and salt.
type masterKey struct {
	key  [maxMasterKey]byte
	salt [maxMasterSalt]byte
}

func (k *masterKey) wipe() { *k = masterKey{} }

// Keys are the SRTP master keys of one DTLS association, seen from the server. They print as nothing, and the endpoint
// they are given to wipes them.
type Keys struct{ m *material }

type material struct {
	profile  profile
	inbound  masterKey // the DTLS client writes with it
	outbound masterKey // the DTLS server writes with it
}

// String keeps the keys out of logs.
func (Keys) String() string { return "wire.Keys(hidden)" }

// GoString keeps the keys out of logs.
func (Keys) GoString() string { return "wire.Keys(hidden)" }

// Wipe forgets keys that were not given to an endpoint.
func (k Keys) Wipe() {
	if k.m != nil {
		k.m.inbound.wipe()
		k.m.outbound.wipe()
	}
}

// exportKeys takes the SRTP keys from a finished DTLS handshake in which we were the server.
func exportKeys(conn *dtls.Conn) (Keys, error) {
	id, ok := conn.SelectedSRTPProtectionProfile()
	if !ok {
		return Keys{}, ErrProfile
	}
	p, err := profileOf(id)
	if err != nil {
		return Keys{}, err
	}
	state, ok := conn.ConnectionState()
	if !ok {
		return Keys{}, ErrNoKeys
	}
	raw, err := state.ExportKeyingMaterial(exporterLabel, nil, 2*(p.keyLen+p.saltLen))
	if err != nil {
		return Keys{}, fmt.Errorf("wire: exporting keys: %w", err)
	}
	defer clear(raw)

	// RFC 5764 §4.2: client key, server key, client salt, server salt.
	m := &material{profile: p}
	copy(m.inbound.key[:], raw[:p.keyLen])
	copy(m.outbound.key[:], raw[p.keyLen:2*p.keyLen])
	copy(m.inbound.salt[:], raw[2*p.keyLen:2*p.keyLen+p.saltLen])
	copy(m.outbound.salt[:], raw[2*p.keyLen+p.saltLen:])
	return Keys{m}, nil
}

// derive makes the session keys of one direction (RFC 3711 §4.3, key derivation rate 0) and from them its ciphers.
func derive(p profile, mk *masterKey) (*suite, error) {
	master, err := aes.NewCipher(mk.key[:p.keyLen])
	if err != nil {
		return nil, fmt.Errorf("wire: master key: %w", err)
	}
	var key [maxMasterKey]byte
	defer clear(key[:])
	deriveKey(master, mk, labelEncryption, key[:p.keyLen])
	block, err := aes.NewCipher(key[:p.keyLen])
	if err != nil {
		return nil, fmt.Errorf("wire: session key: %w", err)
	}

	s := &suite{tagLen: p.tagLen}
	deriveKey(master, mk, labelSalt, s.salt[:p.saltLen])
	if p.id != dtls.SRTP_AES128_CM_HMAC_SHA1_80 {
		if s.aead, err = cipher.NewGCM(block); err != nil {
			return nil, fmt.Errorf("wire: session key: %w", err)
		}
		return s, nil
	}
	s.block = block
	var auth [authKeyLen]byte
	defer clear(auth[:])
	deriveKey(master, mk, labelAuth, auth[:])
	s.newMAC = macMaker(auth)
	return s, nil
}

// rtcpContext makes pion's SRTCP state of one direction.
func rtcpContext(p profile, mk *masterKey) (*srtp.Context, error) {
	context, err := srtp.CreateContext(
		mk.key[:p.keyLen], mk.salt[:p.saltLen],
		srtp.ProtectionProfile(p.id), srtp.SRTCPReplayProtection(rtcpWindow))
	if err != nil {
		return nil, fmt.Errorf("wire: SRTCP keys: %w", err)
	}
	return context, nil
}

// deriveKey runs the AES-CM key derivation function of RFC 3711 §4.3.3 for one label.
func deriveKey(master cipher.Block, mk *masterKey, label byte, out []byte) {
	var in, block [aes.BlockSize]byte
	copy(in[:maxMasterSalt], mk.salt[:])
	in[7] ^= label
	for i := uint16(0); len(out) > 0; i++ {
		binary.BigEndian.PutUint16(in[14:], i)
		master.Encrypt(block[:], in[:])
		out = out[copy(out, block[:]):]
	}
	clear(block[:])
}

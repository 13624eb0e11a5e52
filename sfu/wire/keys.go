package wire

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"hash"
	"sync"

	"github.com/pion/dtls/v3"
	"github.com/pion/dtls/v3/pkg/crypto/prf"
	"github.com/pion/dtls/v3/pkg/protocol/extension"
	"github.com/pion/dtls/v3/pkg/protocol/handshake"
	"github.com/pion/webrtc/v4"
)

// Secrets stay in this file: the DTLS master secret, the SRTP master keys and the session keys. What leaves it are
// ciphers. Nothing here is ever formatted or logged, and buffers are wiped as soon as what they were for is made. (pion
// keeps the master secret for as long as its DTLS connection lives; that is out of our hands.)

const (
	exporterLabel = "EXTRACTOR-dtls_srtp" // RFC 5764 §4.2
	keyLogLabel   = "CLIENT_RANDOM"       // NSS key log format, TLS 1.2
	masterSecret  = 48                    // RFC 5246 §8.1, bytes

	maxMasterKey  = 32
	maxMasterSalt = 14
	authKeyLen    = 20 // RFC 3711 §8.2, bytes

	labelEncryption = 0x00 // RFC 3711 §4.3.1
	labelAuth       = 0x01
	labelSalt       = 0x02
)

// cipherSuites with another PRF hash than SHA-256, which is what TLS 1.2 suites use unless they say otherwise.
const suiteECDHEECDSAWithAES256GCMSHA384 = 0xc02c

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

// Keys are the SRTP master keys of one DTLS association, seen from the server. They print as nothing and go to
// [Endpoint.SetKeys], which wipes them.
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

// KeyTap learns the SRTP keys of one PeerConnection that is the DTLS server, from pion's public hooks: its ServerHello
// has the server random, the cipher suite and the chosen SRTP profile, its key log the client random and the master
// secret. A KeyTap serves one PeerConnection and its methods may be called from all goroutines. The zero value is ready.
type KeyTap struct {
	mu           sync.Mutex // guards all below
	serverRandom [handshake.RandomLength]byte
	clientRandom [handshake.RandomLength]byte
	master       [masterSecret]byte
	suite        uint16
	profileID    dtls.SRTPProtectionProfile
	haveHello    bool
	haveMaster   bool
	taken        bool
}

// Attach sets the hooks. The SettingEngine must then make this one PeerConnection only.
func (t *KeyTap) Attach(se *webrtc.SettingEngine) {
	se.SetDTLSKeyLogWriter((*keyLog)(t))
	se.SetDTLSServerHelloMessageHook(t.serverHello)
}

// serverHello notes what the server tells the client, and passes it on unchanged.
func (t *KeyTap) serverHello(m handshake.MessageServerHello) handshake.Message {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.serverRandom = m.Random.MarshalFixed()
	t.suite, t.profileID = 0, 0
	if m.CipherSuiteID != nil {
		t.suite = *m.CipherSuiteID
	}
	for _, e := range m.Extensions {
		if u, ok := e.(*extension.UseSRTP); ok && len(u.ProtectionProfiles) == 1 {
			t.profileID = u.ProtectionProfiles[0]
		}
	}
	t.haveHello = true
	return &m
}

// keyLog is the KeyTap as the io.Writer that pion logs "CLIENT_RANDOM <random> <secret>" to, a line each.
type keyLog KeyTap

func (l *keyLog) Write(line []byte) (int, error) {
	t := (*KeyTap)(l)
	label, rest, _ := bytes.Cut(bytes.TrimRight(line, "\r\n"), []byte{' '})
	random, secret, _ := bytes.Cut(rest, []byte{' '})
	if string(label) != keyLogLabel ||
		hex.DecodedLen(len(random)) != len(t.clientRandom) || hex.DecodedLen(len(secret)) != len(t.master) {
		return len(line), nil // not ours to complain: without a secret Keys says so
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.taken {
		return len(line), nil
	}
	_, errRandom := hex.Decode(t.clientRandom[:], random)
	_, errSecret := hex.Decode(t.master[:], secret)
	t.haveMaster = errRandom == nil && errSecret == nil
	return len(line), nil
}

// Keys derives the SRTP keys and forgets the secrets. Call it when the DTLS transport is connected, not before: only
// then has the peer proved who it is. It yields the keys once.
func (t *KeyTap) Keys() (Keys, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.taken {
		return Keys{}, ErrKeysTaken
	}
	if !t.haveHello || !t.haveMaster {
		return Keys{}, ErrNoKeys
	}
	p, err := profileOf(t.profileID)
	if err != nil {
		return Keys{}, err
	}
	// RFC 5705 §4 without a context: PRF(master_secret, label, client_random + server_random).
	seed := make([]byte, 0, len(exporterLabel)+2*handshake.RandomLength)
	seed = append(seed, exporterLabel...)
	seed = append(seed, t.clientRandom[:]...)
	seed = append(seed, t.serverRandom[:]...)
	raw, err := prf.PHash(t.master[:], seed, 2*(p.keyLen+p.saltLen), prfHash(t.suite))
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
	t.forgetLocked()
	return Keys{m}, nil
}

// Close forgets the secrets of a handshake that came to nothing.
func (t *KeyTap) Close() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.forgetLocked()
}

func (t *KeyTap) forgetLocked() {
	clear(t.master[:])
	t.haveMaster = false
	t.taken = true
}

func prfHash(suite uint16) func() hash.Hash {
	if suite == suiteECDHEECDSAWithAES256GCMSHA384 {
		return sha512.New384
	}
	return sha256.New
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

package bench

import (
	"crypto/aes"
	"crypto/cipher"
	"encoding/binary"
	"errors"

	"github.com/mini-livechat/mini-livechat/sfu/rtp"
)

// The load generator and the floor do SRTP by themselves, with AES-128-GCM only and
// without replay protection: what is compared has no need of more.

const (
	// keyBytes and saltBytes are the master and session keys' sizes (RFC 7714, section 12).
	keyBytes  = 16
	saltBytes = 12
	// tagBytes is what encryption adds to a packet.
	tagBytes = 16
)

var errNotRTP = errors.New("not an RTP packet")

// crypter encrypts or decrypts RTP with one session key. It is for one goroutine.
type crypter struct {
	aead  cipher.AEAD
	salt  [saltBytes]byte
	nonce [saltBytes]byte
}

// newCrypter takes session keys.
func newCrypter(key, salt []byte) (*crypter, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		return nil, err
	}
	return &crypter{aead: aead, salt: [saltBytes]byte(salt)}, nil
}

// newMasterCrypter derives the session keys from master keys (RFC 3711, section 4.3).
func newMasterCrypter(key, salt []byte) (*crypter, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	const labelEncryption, labelSalt = 0, 2
	derive := func(label byte) []byte {
		var in, out [aes.BlockSize]byte
		copy(in[:], salt)
		in[7] ^= label
		block.Encrypt(out[:], in[:])
		return out[:]
	}
	return newCrypter(derive(labelEncryption), derive(labelSalt)[:saltBytes])
}

// initialise makes the nonce of a packet (RFC 7714, section 8.1).
func (c *crypter) initialise(ssrc uint32, index uint64) {
	c.nonce = c.salt
	var counter [saltBytes]byte
	binary.BigEndian.PutUint32(counter[2:], ssrc)
	binary.BigEndian.PutUint32(counter[6:], uint32(index>>16)) //nolint:gosec // 32 bits of rollover counter
	binary.BigEndian.PutUint16(counter[10:], uint16(index))    //nolint:gosec // the sequence number
	for i := range counter {
		c.nonce[i] ^= counter[i]
	}
}

// seal encrypts payload behind the header, which it lets stand, and returns the whole
// packet. The packet must have room for the payload and the tag behind header; payload
// may be there already.
func (c *crypter) seal(header, payload []byte, index uint64) []byte {
	c.initialise(rtp.SSRC(header), index)
	sealed := c.aead.Seal(header[len(header):], c.nonce[:], payload, header)
	return header[:len(header)+len(sealed)]
}

// open decrypts a packet in place and returns its payload.
func (c *crypter) open(packet []byte, index uint64) ([]byte, error) {
	size, err := rtp.HeaderLen(packet)
	if err != nil || len(packet) < size+tagBytes {
		return nil, errNotRTP
	}
	c.initialise(rtp.SSRC(packet), index)
	return c.aead.Open(packet[size:size], c.nonce[:], packet[size:], packet[:size])
}

// rollover finds a packet's index, which is its sequence number with the turns it has
// made above it (RFC 3711, section 3.3.1).
type rollover struct {
	ssrc    uint32
	started bool
	highest uint64
}

func (r *rollover) index(seq uint16) uint64 {
	if !r.started {
		return uint64(seq)
	}
	index := r.highest&^0xffff | uint64(seq)
	switch {
	case index+1<<15 < r.highest:
		return index + 1<<16
	case index > r.highest+1<<15 && index >= 1<<16:
		return index - 1<<16
	default:
		return index
	}
}

// saw notes an index that was authentic.
func (r *rollover) saw(index uint64) {
	if !r.started || index > r.highest {
		r.started, r.highest = true, index
	}
}

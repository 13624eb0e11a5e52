package wire

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/sha1" //nolint:gosec // RFC 3711 §4.2.1 prescribes HMAC-SHA1
	"crypto/subtle"
	"encoding/binary"
	"hash"
)

// suite is the cipher of one direction of an endpoint: AES-GCM (RFC 7714) or AES-CM with HMAC-SHA1 (RFC 3711). It has
// no state of its own and may be used from several goroutines, each with its own scratch.
type suite struct {
	aead   cipher.AEAD      // AES-GCM, or nil
	block  cipher.Block     // AES-CM otherwise
	newMAC func() hash.Hash // AES-CM
	salt   [maxMasterSalt]byte
	tagLen int
}

// scratch is what a goroutine needs beside a suite. It lives in a struct on the heap because the arguments of calls
// through cipher.AEAD and cipher.Block escape, and would be allocated anew for each packet.
type scratch struct {
	iv  [aes.BlockSize]byte
	pad [aes.BlockSize]byte
	sum [sha1.Size]byte
	roc [4]byte
	mac hash.Hash
}

func macMaker(key [authKeyLen]byte) func() hash.Hash {
	return func() hash.Hash { return hmac.New(sha1.New, key[:]) }
}

// gcmIV is RFC 7714 §8.1: 16 zero bits, SSRC, ROC and SEQ, all xor the salt.
func (s *suite) gcmIV(x *scratch, ssrc uint32, index uint64) []byte {
	binary.BigEndian.PutUint16(x.iv[0:], binary.BigEndian.Uint16(s.salt[0:]))
	binary.BigEndian.PutUint32(x.iv[2:], ssrc^binary.BigEndian.Uint32(s.salt[2:]))
	binary.BigEndian.PutUint32(x.iv[6:], rollovers(index)^binary.BigEndian.Uint32(s.salt[6:]))
	binary.BigEndian.PutUint16(x.iv[10:], sequence(index)^binary.BigEndian.Uint16(s.salt[10:]))
	return x.iv[:12]
}

// seal encrypts payload behind the header that is in dst[:headerLen] already and appends the tag. dst has room for all
// of it; payload may not overlap dst. It returns the length of the packet.
func (s *suite) seal(x *scratch, dst []byte, headerLen int, payload []byte, ssrc uint32, index uint64) int {
	if s.aead != nil {
		out := s.aead.Seal(dst[headerLen:headerLen], s.gcmIV(x, ssrc, index), payload, dst[:headerLen])
		return headerLen + len(out)
	}
	end := headerLen + len(payload)
	copy(dst[headerLen:end], payload)
	s.counterMode(x, dst[headerLen:end], ssrc, index)
	copy(dst[end:end+s.tagLen], s.authTag(x, dst[:end], index))
	return end + s.tagLen
}

// open authenticates and decrypts a packet in place and returns it without its tag.
func (s *suite) open(x *scratch, packet []byte, headerLen int, ssrc uint32, index uint64) ([]byte, error) {
	body := packet[headerLen:]
	if s.aead != nil {
		plain, err := s.aead.Open(body[:0], s.gcmIV(x, ssrc, index), body, packet[:headerLen])
		if err != nil {
			return nil, ErrAuth
		}
		return packet[:headerLen+len(plain)], nil
	}
	end := len(packet) - s.tagLen
	if subtle.ConstantTimeCompare(packet[end:], s.authTag(x, packet[:end], index)) != 1 {
		return nil, ErrAuth
	}
	s.counterMode(x, packet[headerLen:end], ssrc, index)
	return packet[:end], nil
}

// counterMode is RFC 3711 §4.1.1. crypto/cipher's own CTR would be allocated for every packet.
func (s *suite) counterMode(x *scratch, data []byte, ssrc uint32, index uint64) {
	clear(x.iv[:])
	copy(x.iv[:], s.salt[:])
	binary.BigEndian.PutUint32(x.iv[4:], binary.BigEndian.Uint32(x.iv[4:])^ssrc)
	binary.BigEndian.PutUint64(x.iv[8:], binary.BigEndian.Uint64(x.iv[8:])^index<<16)
	for i := uint16(0); len(data) > 0; i++ {
		binary.BigEndian.PutUint16(x.iv[14:], i)
		s.block.Encrypt(x.pad[:], x.iv[:])
		data = data[subtle.XORBytes(data, data, x.pad[:]):]
	}
}

// authTag is RFC 3711 §4.2: HMAC over the packet and the rollover counter.
func (s *suite) authTag(x *scratch, authenticated []byte, index uint64) []byte {
	if x.mac == nil {
		x.mac = s.newMAC()
	}
	x.mac.Reset()
	x.mac.Write(authenticated)
	binary.BigEndian.PutUint32(x.roc[:], rollovers(index))
	x.mac.Write(x.roc[:])
	return x.mac.Sum(x.sum[:0])[:s.tagLen]
}

// estimateIndex is RFC 3711 §3.3.1 and appendix A: the packet index of seq, given the highest index so far. Before the
// first rollover there is no earlier period a packet could belong to.
func estimateIndex(highest uint64, seq uint16) uint64 {
	const half = 1 << 15
	last, roc := sequence(highest), highest>>16
	switch {
	case last < half && seq > last && seq-last > half && roc > 0:
		roc--
	case last >= half && seq < last-half:
		roc++
	}
	return roc<<16 | uint64(seq)
}

// A packet index has 48 bits: the rollover counter and the sequence number.
func rollovers(index uint64) uint32 { return uint32(index >> 16 & 0xffffffff) }
func sequence(index uint64) uint16  { return uint16(index & 0xffff) }

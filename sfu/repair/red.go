package repair

import (
	"encoding/binary"
	"errors"
)

// Sentinel errors of [RED.Unmarshal]; test with errors.Is.
var (
	// ErrREDShort means the payload ends inside its block headers, or is empty.
	ErrREDShort = errors.New("red: payload ends inside its block headers")
	// ErrREDLength means the lengths of the redundant blocks exceed the payload.
	ErrREDLength = errors.New("red: blocks longer than the payload")
	// ErrREDBlocks means there are more than MaxBlocks redundant blocks.
	ErrREDBlocks = errors.New("red: too many blocks")
)

const (
	// MaxBlocks is how many redundant blocks are taken in one payload. Chromium sends up
	// to 9, though 1 by default.
	MaxBlocks = 9
	// MaxDepth is how many redundant blocks are ever produced here.
	MaxDepth = 3
	// MaxOffset is the largest distance of a block's timestamp from the packet's, in ticks
	// of the RTP clock: 14 bits, at 48 kHz a third of a second.
	MaxOffset = 1<<14 - 1
	// MaxBlockLen is the most bytes in a redundant block: 10 bits.
	MaxBlockLen = 1<<10 - 1
	// MaxPayload is the most bytes in a RED payload made here, so that redundancy never makes
	// a datagram of more than 1,200 bytes, which every path carries (RFC 9000 §14): beside
	// it are 12 of RTP header, 8 of a CSRC or an audio level, 16 of SRTP's tag.
	MaxPayload = 1200 - 12 - 8 - 16

	followBit     = 0x80 // another header follows, RFC 2198 §3
	typeMask      = 0x7f
	lengthBits    = 10
	redundantHead = 4 // bytes of a redundant block's header
	primaryHead   = 1
)

// Block is one encoding in a RED payload.
type Block struct {
	// Data is the payload it would be in a packet of its own.
	Data []byte
	// Offset is how many ticks its timestamp lies before the packet's, at most MaxOffset;
	// 0 for the primary.
	Offset uint16
	// PayloadType is that of Data.
	PayloadType uint8
}

// RED is a parsed RED payload (RFC 2198 §3). Its slices alias the buffer given to
// Unmarshal. The zero value is to be unmarshalled into, again and again.
type RED struct {
	blocks [MaxBlocks + 1]Block
	n      int // redundant blocks
}

// Unmarshal parses b, checking every length against it. On error r has no blocks and an
// empty primary. A primary without data is no error: it stands for silence.
func (r *RED) Unmarshal(b []byte) error {
	r.Reset()
	n, heads, sum := 0, 0, 0
	for {
		if heads >= len(b) {
			return ErrREDShort
		}
		if b[heads]&followBit == 0 {
			break
		}
		if heads+redundantHead > len(b) {
			return ErrREDShort
		}
		if n == MaxBlocks {
			return ErrREDBlocks
		}
		sum += int(binary.BigEndian.Uint16(b[heads+2:]) & MaxBlockLen)
		n++
		heads += redundantHead
	}
	data := heads + primaryHead
	if data+sum > len(b) {
		return ErrREDLength
	}
	for i := range n {
		head := binary.BigEndian.Uint32(b[i*redundantHead:])
		end := data + int(head&MaxBlockLen)
		r.blocks[i] = Block{
			Data:        b[data:end:end],
			Offset:      uint16(head >> lengthBits & MaxOffset),
			PayloadType: uint8(head >> 24 & typeMask),
		}
		data = end
	}
	r.n = n
	r.blocks[n] = Block{Data: b[data:len(b):len(b)], PayloadType: b[heads] & typeMask}
	return nil
}

// Reset forgets what was parsed: r has no blocks and an empty primary.
func (r *RED) Reset() { r.n, r.blocks[0] = 0, Block{} }

// Redundant returns the blocks before the primary, in the order of the payload: the oldest
// first, if the sender keeps to the custom. Valid until the next Unmarshal.
func (r *RED) Redundant() []Block { return r.blocks[:r.n] }

// Primary returns the last block, the packet's own.
func (r *RED) Primary() Block { return r.blocks[r.n] }

// Space is how many bytes a RED payload has left for redundant blocks.
type Space int

// SpaceBeside returns the space beside a primary of n bytes; less than 0 when it has none.
func SpaceBeside(n int) Space { return Space(MaxPayload - primaryHead - n) }

// Take takes the space of a redundant block of n bytes whose timestamp lies offset ticks
// before the packet's. It reports false, and takes nothing, when that cannot be a block of
// this payload.
func (s *Space) Take(n int, offset int64) bool {
	left := *s - redundantHead - Space(n)
	if left < 0 || n <= 0 || n > MaxBlockLen || offset <= 0 || offset > MaxOffset {
		return false
	}
	*s = left
	return true
}

// AppendRED appends a RED payload of these blocks, the last of which is the primary. The
// caller keeps to the limits: payload types of 7 bits, and in the others data of 1 to
// MaxBlockLen bytes and offsets of 1 to MaxOffset.
func AppendRED(dst []byte, blocks ...Block) []byte {
	last := len(blocks) - 1
	for _, b := range blocks[:last] {
		head := uint32(followBit|b.PayloadType)<<24 | uint32(b.Offset)<<lengthBits | uint32(len(b.Data)) //nolint:gosec // at most MaxBlockLen
		dst = binary.BigEndian.AppendUint32(dst, head)
	}
	dst = append(dst, blocks[last].PayloadType)
	for _, b := range blocks {
		dst = append(dst, b.Data...)
	}
	return dst
}

// SetPayloadType replaces the payload types in a payload that AppendRED made with n
// redundant blocks.
func SetPayloadType(red []byte, n int, payloadType uint8) {
	for i := range n {
		red[i*redundantHead] = followBit | payloadType
	}
	red[n*redundantHead] = payloadType
}

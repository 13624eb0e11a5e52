package wire

import (
	"encoding/binary"
	"sync"

	"github.com/mini-livechat/mini-livechat/sfu/rtp"
)

// resendWindow is how far back a Sender can tell a repetition from a reuse: 1.3 s of 20 ms packets.
const resendWindow = 64

// Sender is one outgoing RTP stream of an endpoint: one SSRC under the endpoint's outgoing key. It counts rollovers and
// guarantees that an SRTP index is used for one packet only, which AES-GCM and AES-CM both depend on. Packets may be
// out of order within resendWindow, and the same packet may be sent again, as an answer to a NACK. The caller starts a
// stream below sequence number 2^15 and never jumps by that much: a receiver that missed the beginning could not tell
// how often the number has wrapped.
type Sender struct {
	ep   *Endpoint
	ssrc uint32

	mu      sync.Mutex // guards all below
	started bool
	highest uint64
	// tags has the beginning of the authentication tag each recent index was sent with; 0: not sent. The tag binds the
	// whole packet, so an equal one means an equal packet. Nil before the first packet, since most streams of a quiet
	// channel never have one.
	tags    *[resendWindow]uint64
	scratch scratch
	packets int64
	bytes   int64
	reused  int64
}

// SSRC is the stream's synchronization source.
func (s *Sender) SSRC() uint32 { return s.ssrc }

// WriteRTP encrypts a packet into the batch. header is the whole RTP header with CSRCs and extension, as it is to be
// sent, and its SSRC the Sender's; neither slice is kept or changed. The packet leaves when the batch does.
func (s *Sender) WriteRTP(b *Batch, header, payload []byte) error {
	d, out := s.ep.dest.Load(), s.ep.srtp.outgoing.Load()
	if d == nil || out == nil {
		return ErrNotReady
	}
	if len(header) < rtp.FixedLen || rtp.SSRC(header) != s.ssrc {
		return ErrBadPacket
	}
	size := len(header) + len(payload) + out.tagLen
	if size > packetBuffer {
		return ErrTooLong
	}
	dst := b.reserve(d, size)
	copy(dst, header)
	seq := rtp.SequenceNumber(header)

	s.mu.Lock()
	defer s.mu.Unlock()
	index := uint64(seq)
	if s.started {
		index = estimateIndex(s.highest, seq)
	}
	if s.started && index+resendWindow <= s.highest {
		s.reused++
		return ErrIndexReused
	}
	n := out.seal(&s.scratch, dst, len(header), payload, s.ssrc, index)
	if !s.claim(index, dst[n-out.tagLen:n]) {
		s.reused++
		clear(dst[:n])
		return ErrIndexReused
	}
	s.packets++
	s.bytes += int64(n)
	b.commit(d, n)
	return nil
}

// claim notes that index is sent with this tag, unless it was sent with another. Caller holds mu.
func (s *Sender) claim(index uint64, tag []byte) bool {
	mark := binary.BigEndian.Uint64(tag) | 1
	switch {
	case !s.started:
		s.started, s.highest, s.tags = true, index, new([resendWindow]uint64)
	case index > s.highest:
		if index>>48 != 0 { // RFC 3711 §9.2: 2^48 packets end a key's life
			return false
		}
		for i := s.highest + 1; i < index && i <= s.highest+resendWindow; i++ {
			s.tags[i%resendWindow] = 0
		}
		s.highest = index
	default:
		if was := s.tags[index%resendWindow]; was != 0 {
			return was == mark
		}
	}
	s.tags[index%resendWindow] = mark
	return true
}

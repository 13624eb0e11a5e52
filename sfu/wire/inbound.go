package wire

import (
	"bytes"
	"time"

	"github.com/mini-livechat/mini-livechat/sfu/rtp"
)

// rolloverGuesses is how many packets of unknown SSRCs an endpoint may try a second time, under the next rollover count,
// within one guessInterval. A stream needs one of them. A stranger who forges a peer's address could otherwise have
// us decrypt everything twice.
const (
	rolloverGuesses = 32
	guessInterval   = time.Second
)

// inbound is the receiving side of an endpoint's SRTP: one state per SSRC, made only for packets that authenticated.
// Guarded by cryptoContext.inMu.
type inbound struct {
	streams map[uint32]*window
	last    *window // of lastID: nearly every packet is of the same stream as the one before
	lastID  uint32
	scratch scratch
	guesses guesses
	more    int // how many streams there may be beyond maxSSRCs
}

// guesses bounds what is tried in vain: so many in each guessInterval.
type guesses struct {
	left  int
	until time.Time // when there are new ones
}

// take reports whether there is a guess left, and uses it up.
func (g *guesses) take(limit int, now time.Time) bool {
	if !now.Before(g.until) {
		g.left, g.until = limit, now.Add(guessInterval)
	}
	if g.left == 0 {
		return false
	}
	g.left--
	return true
}

// unprotect authenticates and decrypts one SRTP packet that came at now. The result lies in packet, or in memory of its
// own. A packet that fails leaves no trace.
//
// Of a stream that begins we cannot know how often its numbers have wrapped: the first packets may be lost, from below
// 2^16 to past it. RFC 3711 §3.3.1 has the receiver begin at a rollover count of 0; what does not authenticate there is
// tried at 1.
func (in *inbound) unprotect(s *suite, packet []byte, now time.Time) ([]byte, error) {
	headerLen, err := rtp.HeaderLen(packet)
	if err != nil || len(packet) < headerLen+s.tagLen {
		return nil, ErrBadPacket
	}
	seq, ssrc := rtp.SequenceNumber(packet), rtp.SSRC(packet)
	w := in.last
	if w == nil || in.lastID != ssrc {
		w = in.streams[ssrc]
	}

	index := uint64(seq)
	var again []byte // the packet once more, since a cipher that fails leaves nothing of it
	switch {
	case w != nil:
		index = estimateIndex(w.highest, seq)
		if !w.fresh(index) { // before the expensive part; the window moves only after it
			return nil, ErrReplay
		}
	case len(in.streams) >= maxSSRCs+in.more:
		return nil, ErrTooManySSRCs
	case in.guesses.take(rolloverGuesses, now):
		again = bytes.Clone(packet)
	}
	plain, err := s.open(&in.scratch, packet, headerLen, ssrc, index)
	if err != nil && again != nil {
		index += 1 << 16
		plain, err = s.open(&in.scratch, again, headerLen, ssrc, index)
	}
	if err != nil {
		return nil, err
	}
	if w == nil {
		w = &window{highest: index}
		if in.streams == nil {
			in.streams = make(map[uint32]*window)
		}
		in.streams[ssrc] = w
	}
	w.mark(index)
	in.last, in.lastID = w, ssrc
	return plain, nil
}

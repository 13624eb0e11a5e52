package wire

import (
	"encoding/binary"
)

// inbound is the receiving side of an endpoint's SRTP: one state per SSRC, made only for packets that authenticated.
// Guarded by Endpoint.inMu.
type inbound struct {
	streams map[uint32]*window
	last    *window // of lastID: nearly every packet is of the same stream as the one before
	lastID  uint32
	scratch scratch
}

// unprotect authenticates and decrypts one SRTP packet in place. A packet that fails leaves no trace.
func (in *inbound) unprotect(s *suite, packet []byte) ([]byte, error) {
	headerLen, err := parseHeader(packet)
	if err != nil {
		return nil, err
	}
	if len(packet) < headerLen+s.tagLen {
		return nil, ErrBadPacket
	}
	seq, ssrc := binary.BigEndian.Uint16(packet[2:]), binary.BigEndian.Uint32(packet[8:])
	w := in.last
	if w == nil || in.lastID != ssrc {
		w = in.streams[ssrc]
	}

	index := uint64(seq)
	if w != nil {
		index = estimateIndex(w.highest, seq)
		if !w.fresh(index) { // before the expensive part; the window moves only after it
			return nil, ErrReplay
		}
	} else if len(in.streams) >= maxSSRCs {
		return nil, ErrTooManySSRCs
	}
	plain, err := s.open(&in.scratch, packet, headerLen, ssrc, index)
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

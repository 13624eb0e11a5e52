package wire

import (
	"encoding/binary"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pion/srtp/v3"
)

// rtcpHeader is the part of an RTCP packet that SRTCP leaves in the clear (RFC 3711 §3.4): header and sender's SSRC, bytes.
const rtcpHeader = 8

// rtcpState is the SRTCP of an endpoint. It is pion's, since a few packets a second need no haste.
type rtcpState struct {
	in    atomic.Pointer[srtp.Context] // nil before the keys; used under cryptoContext.inMu
	of    []uint32                     // guarded by cryptoContext.inMu: SSRCs seen, for each of which pion keeps a replay window
	plain []byte                       // guarded by cryptoContext.inMu: where packets are decrypted to

	outMu sync.Mutex // guards the use of out
	out   atomic.Pointer[srtp.Context]
}

func (s *rtcpState) set(m *material) error {
	in, err := rtcpContext(m.profile, &m.inbound)
	if err != nil {
		return err
	}
	out, err := rtcpContext(m.profile, &m.outbound)
	if err != nil {
		return err
	}
	s.in.Store(in)
	s.out.Store(out)
	return nil
}

// onRTCP takes one SRTCP packet that came from one of the endpoint's addresses, and reports whether it is authentic.
func (ep *Endpoint) onRTCP(b *Batch, packet []byte, at time.Time) bool {
	ep.srtp.inMu.Lock()
	defer ep.srtp.inMu.Unlock()
	rate := ep.intake.Compounds
	if ep.srtp.compounds.Empty(rate, at) {
		ep.stat.rtcpRate.Add(1)
		return false
	}
	plain, err := ep.srtp.rtcp.unprotect(packet)
	if err != nil {
		ep.count(err)
		return false
	}
	ep.srtp.compounds.Spend(rate, 1, at)
	ep.Touch(at)
	ep.receiver.OnRTCP(b, ep, plain, at)
	return true
}

// unprotect authenticates and decrypts one SRTCP packet. The result is good until the next call. Caller holds inMu.
func (s *rtcpState) unprotect(packet []byte) ([]byte, error) {
	if len(packet) < rtcpHeader {
		return nil, ErrBadPacket
	}
	in := s.in.Load()
	if in == nil {
		return nil, ErrNotReady
	}
	ssrc := binary.BigEndian.Uint32(packet[4:])
	known := slices.Contains(s.of, ssrc)
	if !known && len(s.of) >= maxSSRCs {
		return nil, ErrTooManySSRCs
	}
	plain, err := in.DecryptRTCP(s.plain[:0], packet, nil)
	if err != nil {
		return nil, ErrAuth
	}
	s.plain = plain
	if !known {
		s.of = append(s.of, ssrc)
	}
	return plain, nil
}

// WriteRTCP encrypts a compound packet into the batch. The packet leaves when the batch does. It returns ErrNotReady
// before the endpoint is connected and after it was closed.
func (ep *Endpoint) WriteRTCP(b *Batch, packet []byte) error {
	d := ep.dest.Load()
	if d == nil {
		return ErrNotReady
	}
	if len(packet) < rtcpHeader {
		return ErrBadPacket
	}
	size := len(packet) + rtcpOverhead
	if size > packetBuffer {
		return ErrTooLong
	}
	out := ep.srtp.rtcp.out.Load()
	if out == nil {
		return ErrNotReady
	}
	ep.srtp.rtcp.outMu.Lock()
	defer ep.srtp.rtcp.outMu.Unlock()
	room := b.reserve(d, size)
	sealed, err := out.EncryptRTCP(room[:0], packet, nil)
	if err != nil {
		return ErrBadPacket
	}
	b.commit(d, copy(room, sealed))
	return nil
}

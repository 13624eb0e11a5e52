package repair

import (
	"encoding/binary"
	"errors"
	"iter"
	"math/bits"
	"time"
)

// ErrRTCP means that a compound RTCP packet is not what its headers say; test with
// errors.Is.
var ErrRTCP = errors.New("rtcp: malformed compound packet")

// Layout of RTCP, RFC 3550 §6.4 and RFC 4585 §6.1. Lengths are in bytes.
const (
	rtcpVersion    = 2
	rtcpHeaderLen  = 4
	rtcpSSRCLen    = 4
	senderInfoLen  = 20
	reportBlockLen = 24
	nackPairLen    = 4
	wordLen        = 4

	rtcpPaddingBit = 0x20
	rtcpCountMask  = 0x1f

	typeSenderReport   = 200
	typeReceiverReport = 201
	typeTransportFB    = 205
	formatNACK         = 1
)

// Kinds of RTCP packets that a Compound yields.
const (
	// KindReport is a sender or receiver report.
	KindReport = iota
	// KindNACK asks for packets again.
	KindNACK
)

// Feedback is one packet of a compound.
type Feedback struct {
	// Kind is KindReport or KindNACK.
	Kind int
	// Sender is the SSRC of who sent it.
	Sender uint32
	// FromSender says that the report is a sender's; NTP is the middle of its timestamp, and
	// Sent its count of packets.
	FromSender bool
	NTP, Sent  uint32
	// Media is the stream that a NACK is about.
	Media uint32

	list []byte // report blocks, or pairs of a NACK
}

// ReportBlock is what a report says of one stream, RFC 3550 §6.4.1.
type ReportBlock struct {
	// SSRC of the stream.
	SSRC uint32
	// TotalLost since it began; less than 0 when duplicates outweigh losses.
	TotalLost int32
	// Highest sequence number received, with the count of wraps in the upper half.
	Highest uint32
	// Jitter of the arrival times, in ticks of the stream's clock.
	Jitter uint32
	// LastReport is the NTP of the last sender report received, 0 for none, and Delay how
	// long ago that was, in 1/65536 s.
	LastReport, Delay uint32
	// FractionLost since the last report, in 1/256.
	FractionLost uint8
}

// Compound is a compound RTCP packet, RFC 3550 §6.1: a list of packets. Its parts alias
// the buffer given to ParseRTCP.
type Compound struct{ raw []byte }

// ParseRTCP checks a compound packet, or one alone (RFC 5506). One that is cut short, or
// whose reports and NACKs are not as long as they say, is refused whole: the error is
// ErrRTCP. Nothing is allocated.
func ParseRTCP(b []byte) (Compound, error) {
	if len(b) == 0 {
		return Compound{}, ErrRTCP
	}
	for rest := b; len(rest) > 0; {
		size, body, ok := cutRTCP(rest)
		if !ok {
			return Compound{}, ErrRTCP
		}
		if _, _, ok := parseFeedback(rest[0], rest[1], body); !ok {
			return Compound{}, ErrRTCP
		}
		rest = rest[size:]
	}
	return Compound{raw: b}, nil
}

// Packets yields the reports and NACKs, in their order; the other packets are left out.
func (c Compound) Packets() iter.Seq[Feedback] {
	return func(yield func(Feedback) bool) {
		for rest := c.raw; len(rest) > 0; {
			size, body, ok := cutRTCP(rest)
			if !ok {
				return
			}
			if f, wanted, _ := parseFeedback(rest[0], rest[1], body); wanted && !yield(f) {
				return
			}
			rest = rest[size:]
		}
	}
}

// cutRTCP returns the length of the packet that b begins with, and what follows its
// header without padding.
func cutRTCP(b []byte) (size int, body []byte, ok bool) {
	if len(b) < rtcpHeaderLen || b[0]>>6 != rtcpVersion {
		return 0, nil, false
	}
	size = rtcpHeaderLen + wordLen*int(binary.BigEndian.Uint16(b[2:]))
	if size > len(b) {
		return 0, nil, false
	}
	end := size
	if b[0]&rtcpPaddingBit != 0 {
		// The last octet counts the padding, and only the last packet may have some.
		padding := int(b[size-1])
		if size != len(b) || padding == 0 || padding > size-rtcpHeaderLen {
			return 0, nil, false
		}
		end -= padding
	}
	return size, b[rtcpHeaderLen:end:end], true
}

// parseFeedback reads one packet's body. wanted is false for one of another kind.
func parseFeedback(first, kind byte, body []byte) (f Feedback, wanted, ok bool) {
	count := int(first & rtcpCountMask)
	isNACK := kind == typeTransportFB && count == formatNACK
	if kind != typeSenderReport && kind != typeReceiverReport && !isNACK {
		return Feedback{}, false, true
	}
	if len(body) < rtcpSSRCLen {
		return Feedback{}, false, false
	}
	f.Sender, body = binary.BigEndian.Uint32(body), body[rtcpSSRCLen:]
	if isNACK {
		if len(body) < rtcpSSRCLen+nackPairLen || len(body)%nackPairLen != 0 {
			return Feedback{}, false, false
		}
		f.Kind, f.Media, f.list = KindNACK, binary.BigEndian.Uint32(body), body[rtcpSSRCLen:]
		return f, true, true
	}
	if kind == typeSenderReport {
		if len(body) < senderInfoLen {
			return Feedback{}, false, false
		}
		// The middle of 64 bits.
		f.FromSender, f.NTP = true, binary.BigEndian.Uint32(body[2:])
		f.Sent = binary.BigEndian.Uint32(body[12:])
		body = body[senderInfoLen:]
	}
	if len(body) < count*reportBlockLen { // profile-specific extensions may follow
		return Feedback{}, false, false
	}
	f.Kind, f.list = KindReport, body[:count*reportBlockLen]
	return f, true, true
}

// Blocks yields the blocks of a report.
func (f *Feedback) Blocks() iter.Seq[ReportBlock] {
	return func(yield func(ReportBlock) bool) {
		if f.Kind != KindReport {
			return
		}
		for list := f.list; len(list) >= reportBlockLen; list = list[reportBlockLen:] {
			lost := binary.BigEndian.Uint32(list[4:])
			block := ReportBlock{
				SSRC:         binary.BigEndian.Uint32(list),
				FractionLost: list[4],
				TotalLost:    int32(lost<<8) >> 8, //nolint:gosec // 24 bits with sign
				Highest:      binary.BigEndian.Uint32(list[8:]),
				Jitter:       binary.BigEndian.Uint32(list[12:]),
				LastReport:   binary.BigEndian.Uint32(list[16:]),
				Delay:        binary.BigEndian.Uint32(list[20:]),
			}
			if !yield(block) {
				return
			}
		}
	}
}

// Numbers yields the sequence numbers that a NACK asks for, RFC 4585 §6.2.1.
func (f *Feedback) Numbers() iter.Seq[uint16] {
	return func(yield func(uint16) bool) {
		if f.Kind != KindNACK {
			return
		}
		for list := f.list; len(list) >= nackPairLen; list = list[nackPairLen:] {
			number, following := binary.BigEndian.Uint16(list), binary.BigEndian.Uint16(list[2:])
			if !yield(number) {
				return
			}
			for ; following != 0; following &= following - 1 {
				if !yield(number + 1 + uint16(bits.TrailingZeros16(following))) { //nolint:gosec // at most 15
					return
				}
			}
		}
	}
}

// AppendNACK appends a compound packet that asks for packets of the stream media: an empty
// receiver report, since a compound begins with a report, and the NACK. numbers must not be
// empty, and are packed best in ascending order.
func AppendNACK(dst []byte, sender, media uint32, numbers []uint16) []byte {
	dst = append(dst, rtcpVersion<<6, typeReceiverReport, 0, 1)
	dst = binary.BigEndian.AppendUint32(dst, sender)
	head := len(dst)
	dst = append(dst, rtcpVersion<<6|formatNACK, typeTransportFB, 0, 0)
	dst = binary.BigEndian.AppendUint32(dst, sender)
	dst = binary.BigEndian.AppendUint32(dst, media)
	for len(numbers) > 0 {
		number, following, n := numbers[0], uint16(0), 1
		for ; n < len(numbers); n++ {
			distance := numbers[n] - number - 1
			if distance >= 16 {
				break
			}
			following |= 1 << distance
		}
		dst = binary.BigEndian.AppendUint16(dst, number)
		dst = binary.BigEndian.AppendUint16(dst, following)
		numbers = numbers[n:]
	}
	words := (len(dst) - head) / wordLen
	binary.BigEndian.PutUint16(dst[head+2:], uint16(words-1)) //nolint:gosec // at most 2 + 64
	return dst
}

// MaxRTT is the longest round trip believed; what claims more is a clock or a lie.
const MaxRTT = 5 * time.Second

// RTT returns the round trip that a block tells of when it arrives at ntp, the middle of
// an NTP timestamp (RFC 3550 §6.4.1). ok is false when it tells of none, or of an
// impossible one.
func (b *ReportBlock) RTT(ntp uint32) (rtt time.Duration, ok bool) {
	if b.LastReport == 0 {
		return 0, false
	}
	ticks := int32(ntp - b.LastReport - b.Delay) //nolint:gosec // modular difference
	rtt = time.Duration(ticks) * time.Second >> 16
	return max(rtt, time.Millisecond), ticks >= -1 && rtt <= MaxRTT
}

// anchor is where NTP's clock starts.
//
//nolint:gochecknoglobals // one moment for all of the process; which one does not matter
var anchor = time.Now()

// NTP is a moment in the 64-bit format of RFC 3550 §4: seconds since 1900 and their
// fraction. The middle of it is uint32(NTP(t) >> 16). Its clock is the wall's as of the
// start of the process and goes on by the monotonic one: round trips are differences of
// it, and a wall clock that is set would make them wild.
func NTP(t time.Time) uint64 {
	const since1900 = 2_208_988_800
	t = anchor.Add(t.Sub(anchor))
	seconds := uint64(t.Unix() + since1900)                  //nolint:gosec // after 1900
	fraction := uint64(t.Nanosecond()) << 32 / 1_000_000_000 //nolint:gosec // not negative
	return seconds<<32 | fraction
}

// Ticks is a duration, forward or back, in ticks of a clock of rate Hz. It wraps, as the
// timestamps and delays of RTP and RTCP do; d is of less than four years.
func Ticks(d time.Duration, rate uint32) uint32 {
	return uint32(d.Microseconds() * int64(rate) / 1_000_000) //nolint:gosec // wraps
}

// DelayRate is the clock, in Hz, in which a report says how old the last sender report is
// (RFC 3550 §6.4.1).
const DelayRate = 65536

package bench

import (
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"github.com/mini-livechat/mini-livechat/sfu/rtp"
)

// inboxPackets is how many STUN and DTLS packets may wait for pion; a handshake has a dozen.
const inboxPackets = 64

// leg is the media path of one participant: a UDP socket whose RTP the load generator
// sends and receives itself. Everything else goes to pion, for which the leg is a
// net.PacketConn.
type leg struct {
	gen  *generator
	fd   int
	addr netip.AddrPort
	// counted: packets that come here belong to the measurement.
	counted atomic.Bool
	// node is whose participant this is, from 0; set before counted, and before they talk.
	node uint8

	inbox  chan datagram
	closed chan struct{}
	once   sync.Once

	hands handshake
	// opener is set once, by whoever derives the keys, and then used by the receiving
	// loop only; sealer likewise by the sending loop.
	opener, sealer atomic.Pointer[crypter]
	remote         atomic.Pointer[sockaddr] // where DTLS comes from, and so where RTP goes

	heard chan struct{} // closed at the first packet
	// The rest is the receiving loop's.
	firstAt time.Duration // when the first packet came; readable after heard
	streams []rollover
}

type datagram struct {
	data []byte
	from *net.UDPAddr
}

// ReadFrom gives pion the next packet that is not RTP.
func (l *leg) ReadFrom(p []byte) (int, net.Addr, error) {
	select {
	case d := <-l.inbox:
		return copy(p, d.data), d.from, nil
	case <-l.closed:
		return 0, nil, net.ErrClosed
	}
}

// WriteTo sends a packet of pion's.
func (l *leg) WriteTo(p []byte, addr net.Addr) (int, error) {
	udp, ok := addr.(*net.UDPAddr)
	if !ok || udp.IP.To4() == nil {
		return 0, net.InvalidAddrError("not an IPv4 address")
	}
	select {
	case <-l.closed:
		return 0, net.ErrClosed
	default:
	}
	l.hands.outgoing(l, p)
	l.gen.mu.RLock() // keeps the socket open
	defer l.gen.mu.RUnlock()
	if l.gen.legs[int32(l.fd)] != l { //nolint:gosec // descriptors are small
		return 0, net.ErrClosed
	}
	if err := sendTo(l.fd, p, newSockaddr(udp.AddrPort())); err != nil {
		return 0, err
	}
	return len(p), nil
}

// Close closes the socket. Closing twice is fine.
func (l *leg) Close() error {
	l.once.Do(func() {
		close(l.closed)
		l.gen.remove(l)
	})
	return nil
}

// LocalAddr returns the socket's address.
func (l *leg) LocalAddr() net.Addr { return net.UDPAddrFromAddrPort(l.addr) }

// SetDeadline does nothing; pion closes to interrupt.
func (l *leg) SetDeadline(time.Time) error { return nil }

// SetReadDeadline does nothing.
func (l *leg) SetReadDeadline(time.Time) error { return nil }

// SetWriteDeadline does nothing.
func (l *leg) SetWriteDeadline(time.Time) error { return nil }

// drain takes what the socket has. It runs on the receiving loop.
func (l *leg) drain(batch *inbound) {
	n, err := batch.read(l.fd, unix.MSG_DONTWAIT)
	if err != nil {
		return // an ICMP error of an earlier packet: reading it was all there is to do
	}
	now := l.gen.now()
	for i := range n {
		packet, from := batch.packet(i)
		// RFC 7983 tells RTP and RTCP from the rest, RFC 5761 the two from each other.
		if len(packet) > 1 && packet[0]&0xc0 == 0x80 && (packet[1]&0x7f < 64 || packet[1]&0x7f > 95) {
			l.takeMedia(packet, now)
		} else {
			l.takeOther(packet, from)
		}
	}
}

func (l *leg) takeOther(packet []byte, from *sockaddr) {
	if len(packet) > 0 && packet[0] >= 20 && packet[0] <= 63 {
		l.hands.incoming(packet)
		if r := l.remote.Load(); r == nil || *r != *from {
			addr := *from
			l.remote.Store(&addr)
		}
	}
	d := datagram{data: append([]byte(nil), packet...), from: net.UDPAddrFromAddrPort(from.AddrPort())}
	select {
	case l.inbox <- d:
	default: // as the network may
	}
}

// takeMedia decrypts one packet and counts it.
func (l *leg) takeMedia(packet []byte, now time.Duration) {
	opener := l.opener.Load()
	if opener == nil || len(packet) < rtp.FixedLen {
		return
	}
	stream := l.stream(rtp.SSRC(packet))
	index := stream.index(rtp.SequenceNumber(packet))
	payload, err := opener.open(packet, index)
	if err != nil {
		l.gen.forged.Add(1)
		return
	}
	stream.saw(index)
	sentAt, from, ok := parseFrame(payload)
	if !ok {
		return
	}
	if l.firstAt == 0 {
		l.firstAt = now
		close(l.heard)
	}
	if l.counted.Load() {
		l.gen.received(from, l.node, sentAt, now)
	}
}

func (l *leg) stream(ssrc uint32) *rollover {
	for i := range l.streams {
		if l.streams[i].ssrc == ssrc {
			return &l.streams[i]
		}
	}
	l.streams = append(l.streams, rollover{ssrc: ssrc})
	return &l.streams[len(l.streams)-1]
}

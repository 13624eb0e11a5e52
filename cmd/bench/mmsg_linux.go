package bench

import (
	"net/netip"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/mini-livechat/mini-livechat/sfu/udp"
)

// sockaddr is a remote address, IPv4 only.
type sockaddr = udp.Sockaddr

func newSockaddr(addr netip.AddrPort) *sockaddr {
	var s sockaddr
	s.SetV4(netip.AddrPortFrom(addr.Addr().Unmap(), addr.Port()))
	return &s
}

// inbound is memory for receiving up to so many packets at a time.
type inbound struct {
	msgs  []udp.Msg
	iovs  []unix.Iovec
	names []sockaddr
	bufs  [][bufferBytes]byte
}

func newInbound(size int) *inbound {
	b := &inbound{
		msgs: make([]udp.Msg, size), iovs: make([]unix.Iovec, size),
		names: make([]sockaddr, size), bufs: make([][bufferBytes]byte, size),
	}
	for i := range size {
		b.iovs[i].Base = &b.bufs[i][0]
		b.iovs[i].SetLen(bufferBytes)
		b.msgs[i].Hdr.Iov = &b.iovs[i]
		b.msgs[i].Hdr.SetIovlen(1)
		b.names[i].Receive(&b.msgs[i])
	}
	return b
}

// read receives what there is and returns how many packets that are. Without flags it
// waits for the first, and holds up the scheduler meanwhile: only the floor may do that,
// which has nothing else to schedule.
func (b *inbound) read(fd, flags int) (int, error) {
	for {
		switch n, errno := udp.RecvMMsg(fd, b.msgs, flags|unix.MSG_WAITFORONE); errno {
		case 0:
			return n, nil
		case unix.EINTR:
		case unix.EAGAIN:
			return 0, nil
		default:
			return 0, errno
		}
	}
}

// packet returns packet i of the last read, and readies its place for the next.
func (b *inbound) packet(i int) ([]byte, *sockaddr) {
	b.names[i].Receive(&b.msgs[i])
	return b.bufs[i][:b.msgs[i].Len], &b.names[i]
}

// outbound gathers packets to send together.
type outbound struct {
	n    int
	msgs []udp.Msg
	iovs []unix.Iovec
}

func newOutbound(size int) *outbound {
	return &outbound{msgs: make([]udp.Msg, size), iovs: make([]unix.Iovec, size)}
}

func (b *outbound) full() bool { return b.n == len(b.msgs) }

// add takes one packet, which must stay as it is until send.
func (b *outbound) add(packet []byte, to *sockaddr) {
	b.iovs[b.n].Base = &packet[0]
	b.iovs[b.n].SetLen(len(packet))
	m := &b.msgs[b.n]
	m.Address(to, nil)
	m.Hdr.Iov = &b.iovs[b.n]
	m.Hdr.SetIovlen(1)
	b.n++
}

// send sends what was gathered. What the kernel has no room for is lost.
func (b *outbound) send(fd int) {
	for at := 0; at < b.n; {
		switch n, errno := udp.SendMMsg(fd, b.msgs[at:b.n], unix.MSG_DONTWAIT); errno {
		case 0:
			at += n
		case unix.EINTR:
		default:
			at++
		}
	}
	b.n = 0
}

// sendTo sends one packet without waiting.
func sendTo(fd int, packet []byte, to *sockaddr) error {
	for {
		switch errno := udp.SendTo(fd, packet, to, nil, unix.MSG_DONTWAIT); errno {
		case 0:
			return nil
		case syscall.EINTR:
		default:
			return errno
		}
	}
}

const (
	// socketBufferBytes is what a socket of many may queue, in bytes.
	socketBufferBytes = 4 << 20
	// legBufferBytes is what the socket of one participant may queue: two seconds of 32
	// voices. Memory is taken only as it fills.
	legBufferBytes = 1 << 20
)

// openUDP opens a socket on any free port of ip.
func openUDP(ip netip.Addr, buffer int) (fd int, addr netip.AddrPort, err error) {
	fd, err = unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, unix.IPPROTO_UDP)
	if err != nil {
		return -1, addr, err
	}
	// The kernel caps these at net.core.rmem_max and wmem_max, which will do.
	_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF, buffer)
	_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_SNDBUF, buffer)
	if err = unix.Bind(fd, &unix.SockaddrInet4{Addr: ip.As4()}); err == nil {
		var name unix.Sockaddr
		if name, err = unix.Getsockname(fd); err == nil {
			if in4, ok := name.(*unix.SockaddrInet4); ok {
				return fd, netip.AddrPortFrom(ip, uint16(in4.Port)), nil //nolint:gosec // a port
			}
			err = unix.EAFNOSUPPORT
		}
	}
	_ = unix.Close(fd)
	return -1, addr, err
}

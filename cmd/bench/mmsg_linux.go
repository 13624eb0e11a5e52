package bench

import (
	"encoding/binary"
	"net/netip"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// What the kernel reads and writes in recvmmsg(2) and sendmmsg(2). golang.org/x/sys/unix has
// no wrapper for them. IPv4 only. The calls are hidden from Go's scheduler, whose monitor
// thread they would wake: it cost more than the packets did.

// mmsghdr is struct mmsghdr; the compiler pads it as C does.
type mmsghdr struct {
	hdr unix.Msghdr
	n   uint32
}

// sockaddr is a struct sockaddr_in.
type sockaddr [unix.SizeofSockaddrInet4]byte

func newSockaddr(addr netip.AddrPort) *sockaddr {
	var s sockaddr
	binary.NativeEndian.PutUint16(s[0:], unix.AF_INET)
	binary.BigEndian.PutUint16(s[2:], addr.Port())
	ip := addr.Addr().Unmap().As4()
	copy(s[4:], ip[:])
	return &s
}

func (s *sockaddr) addrPort() netip.AddrPort {
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte(s[4:8])), s.port())
}

func (s *sockaddr) port() uint16 { return binary.BigEndian.Uint16(s[2:]) }

// inbound is memory for receiving up to so many packets at a time.
type inbound struct {
	msgs  []mmsghdr
	iovs  []unix.Iovec
	names []sockaddr
	bufs  [][bufferBytes]byte
}

func newInbound(size int) *inbound {
	b := &inbound{
		msgs: make([]mmsghdr, size), iovs: make([]unix.Iovec, size),
		names: make([]sockaddr, size), bufs: make([][bufferBytes]byte, size),
	}
	for i := range size {
		b.iovs[i].Base = &b.bufs[i][0]
		b.iovs[i].SetLen(bufferBytes)
		b.msgs[i].hdr.Iov = &b.iovs[i]
		b.msgs[i].hdr.SetIovlen(1)
		b.msgs[i].hdr.Name = &b.names[i][0]
		b.msgs[i].hdr.Namelen = unix.SizeofSockaddrInet4
	}
	return b
}

// read receives what there is and returns how many packets that are. Without flags it
// waits for the first, and holds up the scheduler meanwhile: only the floor may do that,
// which has nothing else to schedule.
func (b *inbound) read(fd, flags int) (int, error) {
	for {
		n, _, errno := unix.RawSyscall6(unix.SYS_RECVMMSG, uintptr(fd),
			uintptr(unsafe.Pointer(&b.msgs[0])), //nolint:gosec // used within the call only
			uintptr(len(b.msgs)), uintptr(flags|unix.MSG_WAITFORONE), 0, 0)
		switch errno {
		case 0:
			return int(n), nil
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
	b.msgs[i].hdr.Namelen = unix.SizeofSockaddrInet4
	return b.bufs[i][:b.msgs[i].n], &b.names[i]
}

// outbound gathers packets to send together.
type outbound struct {
	n    int
	msgs []mmsghdr
	iovs []unix.Iovec
}

func newOutbound(size int) *outbound {
	return &outbound{msgs: make([]mmsghdr, size), iovs: make([]unix.Iovec, size)}
}

func (b *outbound) full() bool { return b.n == len(b.msgs) }

// add takes one packet, which must stay as it is until send.
func (b *outbound) add(packet []byte, to *sockaddr) {
	b.iovs[b.n].Base = &packet[0]
	b.iovs[b.n].SetLen(len(packet))
	h := &b.msgs[b.n].hdr
	h.Name, h.Namelen = &to[0], unix.SizeofSockaddrInet4
	h.Iov = &b.iovs[b.n]
	h.SetIovlen(1)
	b.n++
}

// send sends what was gathered. What the kernel has no room for is lost.
func (b *outbound) send(fd int) {
	for at := 0; at < b.n; {
		n, _, errno := unix.RawSyscall6(unix.SYS_SENDMMSG, uintptr(fd),
			uintptr(unsafe.Pointer(&b.msgs[at])), //nolint:gosec // used within the call only
			uintptr(b.n-at), unix.MSG_DONTWAIT, 0, 0)
		switch errno {
		case 0:
			at += int(n)
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
		_, _, errno := unix.RawSyscall6(unix.SYS_SENDTO, uintptr(fd),
			uintptr(unsafe.Pointer(&packet[0])), //nolint:gosec // used within the call only
			uintptr(len(packet)), unix.MSG_DONTWAIT,
			uintptr(unsafe.Pointer(to)), unix.SizeofSockaddrInet4) //nolint:gosec // same
		switch errno {
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

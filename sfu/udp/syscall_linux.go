package udp

import (
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// The system calls that golang.org/x/sys/unix has no allocation-free wrapper for. They are hidden from Go's scheduler,
// whose monitor thread would be woken otherwise, which costs more than a packet does; so none may wait for long. Pointers
// are converted in the call's own argument list, which keeps what they point to alive for the call; what the message
// headers point to in turn lies in the vectors and batches of the callers, on the heap, where nothing moves.

// Msg is one message of RecvMMsg and SendMMsg, struct mmsghdr of recvmmsg(2); the compiler pads it as C does.
type Msg struct {
	Hdr unix.Msghdr
	Len uint32 // bytes received or sent
}

// RecvMMsg is recvmmsg(2) without a timeout. It returns how many messages were filled.
func RecvMMsg(fd int, msgs []Msg, flags int) (int, syscall.Errno) {
	n, _, errno := unix.RawSyscall6(unix.SYS_RECVMMSG, uintptr(fd),
		uintptr(unsafe.Pointer(unsafe.SliceData(msgs))), //nolint:gosec // see above
		uintptr(len(msgs)), uintptr(flags), 0, 0)
	return int(n), errno
}

// SendMMsg is sendmmsg(2). It returns how many messages were sent; the error is that of the first.
func SendMMsg(fd int, msgs []Msg, flags int) (int, syscall.Errno) {
	n, _, errno := unix.RawSyscall6(unix.SYS_SENDMMSG, uintptr(fd),
		uintptr(unsafe.Pointer(unsafe.SliceData(msgs))), //nolint:gosec // see above
		uintptr(len(msgs)), uintptr(flags), 0, 0)
	return int(n), errno
}

// SendTo sends one packet, which is not empty, to an address and, unless source is nil, from one.
func SendTo(fd int, packet []byte, to *Sockaddr, source *PktInfo, flags int) syscall.Errno {
	if source == nil {
		_, _, errno := unix.RawSyscall6(unix.SYS_SENDTO, uintptr(fd),
			uintptr(unsafe.Pointer(unsafe.SliceData(packet))), //nolint:gosec // see above
			uintptr(len(packet)), uintptr(flags),
			uintptr(unsafe.Pointer(&to.raw[0])), //nolint:gosec // see above
			uintptr(to.size()))
		return errno
	}
	one := &struct {
		msg [1]Msg
		iov unix.Iovec
	}{iov: unix.Iovec{Base: &packet[0]}}
	one.iov.SetLen(len(packet))
	one.msg[0].Address(to, source)
	one.msg[0].Hdr.Iov = &one.iov
	one.msg[0].Hdr.SetIovlen(1)
	_, errno := SendMMsg(fd, one.msg[:], flags)
	return errno
}

// Forget lets go of what Address took.
func (m *Msg) Forget() { m.Hdr.Name, m.Hdr.Control = nil, nil }

// Address says where a message goes to and, unless source is nil, where it comes from. Both stay in use until it is sent.
func (m *Msg) Address(to *Sockaddr, source *PktInfo) {
	m.Hdr.Name, m.Hdr.Namelen = &to.raw[0], to.size()
	if source == nil {
		m.Hdr.Control, m.Hdr.Controllen = nil, 0
		return
	}
	m.Hdr.Control, m.Hdr.Controllen = source.bytes(), source.hdr.Len
}

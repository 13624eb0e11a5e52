package wire

import (
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// The system calls that golang.org/x/sys/unix has no allocation-free wrapper for. Pointers are converted in the call's
// own argument list, which keeps what they point to alive for the call; what the message headers point to in turn lies in
// the vectors and batches of the callers, on the heap, where nothing moves.

// mmsghdr is struct mmsghdr of recvmmsg(2); the compiler pads it as C does.
type mmsghdr struct {
	hdr unix.Msghdr
	n   uint32
}

func recvmmsg(fd int, msgs []mmsghdr, flags int) (int, syscall.Errno) {
	n, _, errno := unix.RawSyscall6(unix.SYS_RECVMMSG, uintptr(fd),
		uintptr(unsafe.Pointer(unsafe.SliceData(msgs))), //nolint:gosec // see above
		uintptr(len(msgs)), uintptr(flags), 0, 0)
	return int(n), errno
}

func sendmmsg(fd int, msgs []mmsghdr, flags int) (int, syscall.Errno) {
	n, _, errno := unix.RawSyscall6(unix.SYS_SENDMMSG, uintptr(fd),
		uintptr(unsafe.Pointer(unsafe.SliceData(msgs))), //nolint:gosec // see above
		uintptr(len(msgs)), uintptr(flags), 0, 0)
	return int(n), errno
}

func sendto(fd int, packet []byte, to *sockaddr, flags int) syscall.Errno {
	_, _, errno := unix.RawSyscall6(unix.SYS_SENDTO, uintptr(fd),
		uintptr(unsafe.Pointer(unsafe.SliceData(packet))), //nolint:gosec // see above
		uintptr(len(packet)), uintptr(flags),
		uintptr(unsafe.Pointer(&to.raw[0])), //nolint:gosec // see above
		uintptr(to.len))
	return errno
}

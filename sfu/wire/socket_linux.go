package wire

import (
	"errors"
	"net/netip"
	"os"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/mini-livechat/mini-livechat/sfu/udp"
)

// reusePort: the kernel spreads the flows of one port over several sockets.
const reusePort = true

// socket is one UDP socket. Its reader waits in Go's poller and its system calls are hidden from Go's scheduler, which
// they may be since none of them waits. Waiting in recvmmsg itself would save two system calls per wake-up, but a call
// the scheduler knows of wakes its monitor thread, which then polls every 20 µs for a millisecond or more: with packets
// coming one by one that thread took half of the server's CPU time.
type socket struct {
	mu sync.RWMutex // keeps fd open while a writer uses it; the reader is awaited before close
	fd int          // guarded by mu for writers; -1 once closed
	v6 bool

	file *os.File        // owns fd
	poll syscall.RawConn // of file
	// The waiter's own, for a callback that is made once.
	ready func(fd uintptr) bool
	try   func() (bool, error)
	err   error
}

func openSocket(addr netip.AddrPort) (*socket, netip.AddrPort, error) {
	s := &socket{fd: -1, v6: addr.Addr().Is6()}
	family := unix.AF_INET
	if s.v6 {
		family = unix.AF_INET6
	}
	fd, err := unix.Socket(family, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, unix.IPPROTO_UDP)
	if err != nil {
		return nil, addr, os.NewSyscallError("socket", err)
	}
	s.fd, s.file = fd, os.NewFile(uintptr(fd), "udp")
	if s.poll, err = s.file.SyscallConn(); err != nil {
		s.close()
		return nil, addr, err
	}
	s.ready = s.onReady
	if err = s.configure(addr); err != nil {
		s.close()
		return nil, addr, err
	}
	bound, err := unix.Getsockname(fd)
	if err != nil {
		s.close()
		return nil, addr, os.NewSyscallError("getsockname", err)
	}
	port := 0
	switch b := bound.(type) {
	case *unix.SockaddrInet4:
		port = b.Port
	case *unix.SockaddrInet6:
		port = b.Port
	}
	return s, netip.AddrPortFrom(addr.Addr(), uint16(port&0xffff)), nil
}

func (s *socket) configure(addr netip.AddrPort) error {
	if err := unix.SetsockoptInt(s.fd, unix.SOL_SOCKET, unix.SO_REUSEPORT, 1); err != nil {
		return os.NewSyscallError("SO_REUSEPORT", err)
	}
	if addr.Addr().IsUnspecified() { // else there is one address only
		if err := udp.AskForPktInfo(s.fd, s.v6); err != nil {
			return os.NewSyscallError("IP_PKTINFO", err)
		}
	}
	if s.v6 {
		only := 1
		if addr.Addr().IsUnspecified() {
			only = 0
		}
		if err := unix.SetsockoptInt(s.fd, unix.IPPROTO_IPV6, unix.IPV6_V6ONLY, only); err != nil {
			return os.NewSyscallError("IPV6_V6ONLY", err)
		}
	}
	// The FORCE variants pass net.core.rmem_max and need privilege; without it we get what the system allows.
	for force, plain := range map[int]int{unix.SO_RCVBUFFORCE: unix.SO_RCVBUF, unix.SO_SNDBUFFORCE: unix.SO_SNDBUF} {
		if unix.SetsockoptInt(s.fd, unix.SOL_SOCKET, force, socketBuffer) != nil {
			if err := unix.SetsockoptInt(s.fd, unix.SOL_SOCKET, plain, socketBuffer); err != nil {
				return os.NewSyscallError("SO_RCVBUF", err)
			}
		}
	}
	if !s.v6 {
		return os.NewSyscallError("bind",
			unix.Bind(s.fd, &unix.SockaddrInet4{Port: int(addr.Port()), Addr: addr.Addr().As4()}))
	}
	scope, err := udp.ScopeID(addr.Addr())
	if err != nil {
		return err
	}
	return os.NewSyscallError("bind",
		unix.Bind(s.fd, &unix.SockaddrInet6{Port: int(addr.Port()), Addr: addr.Addr().As16(), ZoneId: scope}))
}

// wake ends wait.
func (s *socket) wake() { _ = s.file.SetReadDeadline(time.Unix(1, 0)) }

func (s *socket) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.fd >= 0 {
		_ = s.file.Close()
		s.fd = -1
	}
}

// recvVec is the memory of recvmmsg. It is set up once; a read changes lengths and contents only.
type recvVec struct {
	n     int // of the last read
	msgs  [readBatch]udp.Msg
	iovs  [readBatch]unix.Iovec
	names [readBatch]udp.Sockaddr
	to    [readBatch]udp.PktInfo
	bufs  [readBatch][packetBuffer]byte
}

func newRecvVec() *recvVec {
	v := new(recvVec)
	for i := range v.msgs {
		v.iovs[i].Base = &v.bufs[i][0]
		v.iovs[i].SetLen(packetBuffer)
		h := &v.msgs[i].Hdr
		h.Iov = &v.iovs[i]
		h.SetIovlen(1)
		v.ready(i)
	}
	return v
}

// ready prepares a place for the next read.
func (v *recvVec) ready(i int) {
	v.names[i].Receive(&v.msgs[i])
	v.to[i].Receive(&v.msgs[i])
}

// wait calls try, at once and whenever packets have come since, until it returns true or an error, or until wake.
func (s *socket) wait(try func() (bool, error)) error {
	s.try, s.err = try, nil
	if err := s.poll.Read(s.ready); err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
		return err
	}
	return s.err
}

func (s *socket) onReady(uintptr) (done bool) {
	done, s.err = s.try()
	return done || s.err != nil
}

// read takes what packets there are, if any. It must not run at the same time as close.
func (s *socket) read(v *recvVec) (int, error) {
	for i := range v.n {
		v.ready(i)
	}
	v.n = 0
	for {
		switch n, errno := udp.RecvMMsg(s.fd, v.msgs[:], unix.MSG_DONTWAIT); errno {
		case 0:
			v.n = n
			return n, nil
		case unix.EAGAIN:
			return 0, nil
		case unix.EINTR:
		default:
			return 0, errno
		}
	}
}

// packet returns a packet of the last read and where it came from; not ok if it was cut off.
func (v *recvVec) packet(i int) ([]byte, netip.AddrPort, bool) {
	m := &v.msgs[i]
	return v.bufs[i][:m.Len:m.Len], v.names[i].AddrPort(), m.Hdr.Flags&unix.MSG_TRUNC == 0
}

// local is where a packet of the last read came to; not valid if the socket has one address only.
func (v *recvVec) local(i int) netip.Addr { return v.to[i].Addr(&v.msgs[i]) }

// sendVec is the memory of sendmmsg.
type sendVec struct {
	n     int
	msgs  [sendBatch]udp.Msg
	iovs  [sendBatch]unix.Iovec
	dests [sendBatch]*dest
}

func (v *sendVec) full() bool { return v.n == sendBatch }

// reset forgets the packets and whom they were for, who may be gone before the next ones are sent.
func (v *sendVec) reset() {
	clear(v.dests[:v.n])
	for i := range v.msgs[:v.n] {
		v.msgs[i].Forget()
	}
	v.n = 0
}

func (v *sendVec) add(d *dest, packet []byte) {
	i := v.n
	v.n++
	v.dests[i] = d
	v.iovs[i].Base = &packet[0]
	v.iovs[i].SetLen(len(packet))
	m := &v.msgs[i]
	m.Address(&d.sa.to, d.sa.source)
	m.Hdr.Iov = &v.iovs[i]
	m.Hdr.SetIovlen(1)
}

// send sends all packets of v or counts them as dropped.
func (s *socket) send(v *sendVec, c *engineCounters) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.fd < 0 {
		return
	}
	sent, calls := 0, 0
	for at := 0; at < v.n; {
		n, errno := udp.SendMMsg(s.fd, v.msgs[at:v.n], unix.MSG_DONTWAIT)
		calls++
		switch errno {
		case 0:
			sent += n
			at += n
		case unix.EINTR:
		case unix.EAGAIN, unix.ENOBUFS: // no room for this one is no room for the rest
			c.sendFull.Add(int64(v.n - at))
			for ; at < v.n; at++ {
				v.dests[at].dropped()
			}
		default: // this one cannot go: no route, a firewall, closed
			c.sendFailed.Add(1)
			v.dests[at].dropped()
			at++
		}
	}
	c.sent.Add(int64(sent))
	c.sendCalls.Add(int64(calls))
}

// writeTo sends one packet to d, without waiting. A packet that there is no room for is lost, as any datagram may be, and
// no error.
func (s *socket) writeTo(packet []byte, d *dest, c *engineCounters) error {
	if len(packet) == 0 {
		return nil
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	for {
		switch errno := udp.SendTo(s.fd, packet, &d.sa.to, d.sa.source, unix.MSG_DONTWAIT); errno {
		case 0:
			c.sent.Add(1)
			c.sendCalls.Add(1)
			return nil
		case unix.EINTR:
		case unix.EAGAIN, unix.ENOBUFS:
			c.sendFull.Add(1)
			return nil
		default:
			c.sendFailed.Add(1)
			return errno
		}
	}
}

// sockaddr is both ends of a dest as the kernel wants them.
type sockaddr struct {
	to     udp.Sockaddr
	source *udp.PktInfo // nil: the socket's own address, or what the routes say
}

// set encodes a remote address for a group's kind of socket, and the local one, if it is valid.
func (a *sockaddr) set(g *socketGroup, remote netip.AddrPort, local netip.Addr) error {
	v6 := g.addr.Addr().Is6()
	a.source = udp.NewPktInfo(local, v6)
	if !v6 {
		a.to.SetV4(remote)
		return nil
	}
	if err := a.to.SetV6(remote); err != nil {
		return errors.Join(ErrBadAddress, err)
	}
	return nil
}

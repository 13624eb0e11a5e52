package udp

import (
	"encoding/binary"
	"errors"
	"net"
	"net/netip"
	"strconv"
	"unsafe"

	"golang.org/x/sys/unix"
)

// ErrZone means that a link-local address names an interface that this machine does not have.
var ErrZone = errors.New("udp: no such interface")

// Sockaddr is a remote address as the kernel has it: struct sockaddr_in or sockaddr_in6.
type Sockaddr struct {
	raw [unix.SizeofSockaddrInet6]byte
}

// size is how much of it the kernel is to read, bytes.
func (a *Sockaddr) size() uint32 {
	if binary.NativeEndian.Uint16(a.raw[0:]) == unix.AF_INET {
		return unix.SizeofSockaddrInet4
	}
	return unix.SizeofSockaddrInet6
}

// SetV4 makes it an address for an IPv4 socket; remote is IPv4.
func (a *Sockaddr) SetV4(remote netip.AddrPort) {
	*a = Sockaddr{}
	binary.NativeEndian.PutUint16(a.raw[0:], unix.AF_INET)
	binary.BigEndian.PutUint16(a.raw[2:], remote.Port())
	ip := remote.Addr().As4()
	copy(a.raw[4:], ip[:])
}

// SetV6 makes it an address for an IPv6 socket. IPv4 becomes ::ffff:a.b.c.d, which a dual-stack socket sends as IPv4.
func (a *Sockaddr) SetV6(remote netip.AddrPort) error {
	scope, err := ScopeID(remote.Addr())
	if err != nil {
		return err
	}
	*a = Sockaddr{}
	binary.NativeEndian.PutUint16(a.raw[0:], unix.AF_INET6)
	binary.BigEndian.PutUint16(a.raw[2:], remote.Port())
	ip := remote.Addr().As16()
	copy(a.raw[8:], ip[:])
	binary.NativeEndian.PutUint32(a.raw[24:], scope)
	return nil
}

// Receive has m write there where its message comes from. It is to be called again before each read.
func (a *Sockaddr) Receive(m *Msg) {
	m.Hdr.Name, m.Hdr.Namelen = &a.raw[0], uint32(len(a.raw))
}

// Port is the port.
func (a *Sockaddr) Port() uint16 { return binary.BigEndian.Uint16(a.raw[2:]) }

// AddrPort is the address, IPv4 unmapped, a zone only where it means something. It is not valid when the family is
// neither of IP.
func (a *Sockaddr) AddrPort() netip.AddrPort {
	switch binary.NativeEndian.Uint16(a.raw[0:]) {
	case unix.AF_INET:
		return netip.AddrPortFrom(netip.AddrFrom4([4]byte(a.raw[4:8])), a.Port())
	case unix.AF_INET6:
		ip := netip.AddrFrom16([16]byte(a.raw[8:24])).Unmap()
		if scope := binary.NativeEndian.Uint32(a.raw[24:]); scope != 0 && ip.IsLinkLocalUnicast() {
			ip = ip.WithZone(strconv.FormatUint(uint64(scope), 10))
		}
		return netip.AddrPortFrom(ip, a.Port())
	default:
		return netip.AddrPort{}
	}
}

// ScopeID is the interface number of a link-local address's zone, 0 without one.
func ScopeID(ip netip.Addr) (uint32, error) {
	zone := ip.Zone()
	if zone == "" {
		return 0, nil
	}
	if n, err := strconv.ParseUint(zone, 10, 32); err == nil {
		return uint32(n), nil
	}
	i, err := net.InterfaceByName(zone)
	if err != nil {
		return 0, errors.Join(ErrZone, err)
	}
	return uint32(i.Index), nil //nolint:gosec // interface numbers are small
}

// PktInfo is a packet's own address at this end: a control message (cmsg(3)) with IP_PKTINFO of ip(7) or IPV6_PKTINFO of
// ipv6(7), which is RFC 3542 §6. A socket on all interfaces needs it to answer from the address that was asked; without
// it the routing table chooses.
type PktInfo struct {
	hdr  unix.Cmsghdr
	info [unix.SizeofInet6Pktinfo]byte // or of IPv4's, which is shorter
}

// AskForPktInfo makes a socket tell where each packet came to.
func AskForPktInfo(fd int, v6 bool) error {
	level, option := unix.IPPROTO_IP, unix.IP_PKTINFO
	if v6 {
		level, option = unix.IPPROTO_IPV6, unix.IPV6_RECVPKTINFO // of IPv4 packets as well, mapped
	}
	return unix.SetsockoptInt(fd, level, option, 1) //nolint:wrapcheck // the caller says of which socket
}

// NewPktInfo makes the address a packet is to leave from; v6 says which kind of socket sends it. It returns nil, which
// leaves the choice to the routes, for an address that says nothing of it: one that is not valid, and one that every
// interface may have. The interface is left to the routes, too.
func NewPktInfo(local netip.Addr, v6 bool) *PktInfo {
	if !local.IsValid() || local.IsUnspecified() || local.Is6() && local.IsLinkLocalUnicast() {
		return nil
	}
	p := &PktInfo{hdr: unix.Cmsghdr{Level: unix.IPPROTO_IP, Type: unix.IP_PKTINFO}}
	if v6 {
		p.hdr.Level, p.hdr.Type = unix.IPPROTO_IPV6, unix.IPV6_PKTINFO
		ip := local.As16()
		copy(p.info[:], ip[:])
		// CMSG_SPACE would be 4 bytes more, for which Linux has to allocate.
		p.hdr.SetLen(unix.CmsgLen(unix.SizeofInet6Pktinfo))
		return p
	}
	ip := local.As4()
	copy(p.info[localV4:], ip[:])
	p.hdr.SetLen(unix.CmsgLen(unix.SizeofInet4Pktinfo))
	return p
}

// localV4 is where struct in_pktinfo has ipi_spec_dst: the local address of a packet received, the source of one sent.
const localV4 = 4

// Receive has m write there where its message came to. It is to be called again before each read.
func (p *PktInfo) Receive(m *Msg) {
	m.Hdr.Control = p.bytes()
	m.Hdr.SetControllen(int(unsafe.Sizeof(*p)))
}

// Addr is where the message m, which was told to write to p, came to: IPv4 unmapped. It is not valid when the kernel did
// not say.
func (p *PktInfo) Addr(m *Msg) netip.Addr {
	switch used := int(m.Hdr.Controllen); { //nolint:gosec // at most the size of p
	case used >= unix.CmsgLen(unix.SizeofInet6Pktinfo) && p.hdr.Level == unix.IPPROTO_IPV6 && p.hdr.Type == unix.IPV6_PKTINFO:
		return netip.AddrFrom16([16]byte(p.info[:16])).Unmap()
	case used >= unix.CmsgLen(unix.SizeofInet4Pktinfo) && p.hdr.Level == unix.IPPROTO_IP && p.hdr.Type == unix.IP_PKTINFO:
		return netip.AddrFrom4([4]byte(p.info[localV4 : localV4+4]))
	default:
		return netip.Addr{}
	}
}

func (p *PktInfo) bytes() *byte { return (*byte)(unsafe.Pointer(p)) } //nolint:gosec // cmsg(3) is a header and data behind it

package turn

import (
	"fmt"
	"net"
	"net/netip"
	"sync"

	"golang.org/x/net/ipv4"
	"golang.org/x/net/ipv6"
	"golang.org/x/sys/unix"
)

// sourcesKept is how many clients a sourced knows at least: more than the relays that there may be.
const sourcesKept = 4096

// sourced is a UDP socket at all addresses that answers each client from the address at which the client asks; the routing
// table would choose the interface's first, of which a client that came to another knows nothing.
type sourced struct {
	*net.UDPConn

	// One of them reads: by the family of the socket.
	v4 *ipv4.PacketConn
	v6 *ipv6.PacketConn

	mu sync.Mutex
	// now and before have where each client asked last. When now has sourcesKept, it takes the place of before, so that who
	// has not asked for long is forgotten. Guarded by mu.
	now, before map[netip.AddrPort]netip.Addr
}

// AnswerFromWhereAsked has a socket at all addresses answer from the address that was asked. Other sockets have
// but one address, and are returned as they are.
func AnswerFromWhereAsked(conn net.PacketConn) (net.PacketConn, error) {
	socket, ok := conn.(*net.UDPConn)
	if !ok {
		return conn, nil
	}
	at, ok := conn.LocalAddr().(*net.UDPAddr)
	if !ok || !at.IP.IsUnspecified() {
		return conn, nil
	}
	s := &sourced{UDPConn: socket, now: make(map[netip.AddrPort]netip.Addr)}
	var err error
	if at.IP.To4() != nil {
		s.v4 = ipv4.NewPacketConn(socket)
		err = s.v4.SetControlMessage(ipv4.FlagDst, true)
	} else {
		s.v6 = ipv6.NewPacketConn(socket)
		err = s.v6.SetControlMessage(ipv6.FlagDst, true)
	}
	if err != nil {
		return nil, fmt.Errorf("turn: asking for the address that packets come to: %w", err)
	}
	return s, nil
}

// ReadFrom implements net.PacketConn.
func (s *sourced) ReadFrom(p []byte) (int, net.Addr, error) {
	n, at, from, err := s.read(p)
	if err != nil {
		return n, from, err
	}
	if remote, ok := from.(*net.UDPAddr); ok {
		if local, ok := netip.AddrFromSlice(at); ok {
			s.note(remote.AddrPort(), local)
		}
	}
	return n, from, nil
}

// read also returns the address that the packet came to; nil when that is not known.
func (s *sourced) read(p []byte) (int, net.IP, net.Addr, error) {
	if s.v4 != nil {
		n, about, from, err := s.v4.ReadFrom(p)
		if err != nil || about == nil {
			return n, nil, from, err //nolint:wrapcheck // as a socket's own
		}
		return n, about.Dst, from, nil
	}
	n, about, from, err := s.v6.ReadFrom(p)
	if err != nil || about == nil {
		return n, nil, from, err //nolint:wrapcheck // as a socket's own
	}
	return n, about.Dst, from, nil
}

// WriteTo implements net.PacketConn.
func (s *sourced) WriteTo(p []byte, to net.Addr) (int, error) {
	remote, ok := to.(*net.UDPAddr)
	if !ok {
		return s.UDPConn.WriteTo(p, to) //nolint:wrapcheck // as a socket's own
	}
	local := s.source(remote.AddrPort())
	if !local.IsValid() {
		return s.UDPConn.WriteTo(p, to) //nolint:wrapcheck // as a socket's own
	}
	// What x/net has for this refuses IPv4 on an IPv6 socket, which Linux takes in its mapped form.
	about := unix.PktInfo6(&unix.Inet6Pktinfo{Addr: local.As16()})
	if s.v4 != nil {
		about = unix.PktInfo4(&unix.Inet4Pktinfo{Spec_dst: local.Unmap().As4()})
	}
	n, _, err := s.WriteMsgUDP(p, about, remote)
	return n, err //nolint:wrapcheck // as a socket's own
}

func (s *sourced) note(remote netip.AddrPort, local netip.Addr) {
	remote = netip.AddrPortFrom(remote.Addr().Unmap(), remote.Port())
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.now) >= sourcesKept {
		s.before, s.now = s.now, make(map[netip.AddrPort]netip.Addr)
	}
	s.now[remote] = local
}

// source is where a client asked; not valid when that is not known.
func (s *sourced) source(remote netip.AddrPort) netip.Addr {
	remote = netip.AddrPortFrom(remote.Addr().Unmap(), remote.Port())
	s.mu.Lock()
	defer s.mu.Unlock()
	if local, ok := s.now[remote]; ok {
		return local
	}
	return s.before[remote]
}

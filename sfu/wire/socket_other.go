//go:build !linux

package wire

import (
	"errors"
	"net"
	"net/netip"
	"os"
	"syscall"
	"time"

	"golang.org/x/net/ipv4"
	"golang.org/x/net/ipv6"
)

// reusePort: elsewhere the kernel does not spread flows, so one socket per address has to do.
const reusePort = false

// socket is one UDP socket, read and written a packet at a time.
type socket struct{ conn *net.UDPConn }

func openSocket(addr netip.AddrPort) (*socket, netip.AddrPort, error) {
	network := "udp4"
	if addr.Addr().Is6() {
		if network = "udp6"; addr.Addr().IsUnspecified() {
			network = "udp"
		}
	}
	conn, err := net.ListenUDP(network, net.UDPAddrFromAddrPort(addr))
	if err != nil {
		return nil, addr, err
	}
	// Systems cap these, some with an error: then theirs stay.
	_ = conn.SetReadBuffer(socketBuffer)
	_ = conn.SetWriteBuffer(socketBuffer)
	if local, ok := conn.LocalAddr().(*net.UDPAddr); ok {
		addr = netip.AddrPortFrom(addr.Addr(), local.AddrPort().Port())
	}
	if addr.Addr().IsUnspecified() { // else there is one address only
		askForLocal(conn, addr.Addr().Is6())
	}
	return &socket{conn: conn}, addr, nil
}

// controlLen is room for the control messages of one packet, bytes.
const controlLen = 128

// askForLocal makes a socket tell where each packet came to, on systems that can. On others replies leave from the address
// that the routes say.
func askForLocal(conn *net.UDPConn, v6 bool) {
	if v6 {
		_ = ipv6.NewPacketConn(conn).SetControlMessage(ipv6.FlagDst, true)
		return
	}
	_ = ipv4.NewPacketConn(conn).SetControlMessage(ipv4.FlagDst, true)
}

// wake ends read.
func (s *socket) wake() { _ = s.conn.SetReadDeadline(time.Unix(1, 0)) }

func (s *socket) close() { _ = s.conn.Close() }

// recvVec is the place of one packet.
type recvVec struct {
	buf     [packetBuffer + 1]byte // a packet that fills it was too long
	control [controlLen]byte
	n       int
	told    int // bytes of control
	from    netip.AddrPort
}

func newRecvVec() *recvVec { return new(recvVec) }

// wait is for systems whose read does not wait.
func (s *socket) wait(try func() (bool, error)) error {
	_, err := try()
	return err
}

// read waits for a packet, or for wake.
func (s *socket) read(v *recvVec) (int, error) {
	n, told, _, from, err := s.conn.ReadMsgUDPAddrPort(v.buf[:], v.control[:])
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		return 0, nil
	case err != nil:
		return 0, err
	}
	v.n, v.told, v.from = n, told, canonical(from)
	return 1, nil
}

func (v *recvVec) packet(int) ([]byte, netip.AddrPort, bool) {
	return v.buf[:v.n:v.n], v.from, v.n <= packetBuffer
}

// local is where the packet came to; not valid if the socket has one address only, or the system does not tell.
func (v *recvVec) local(int) netip.Addr {
	var in6 ipv6.ControlMessage
	if v.told > 0 && in6.Parse(v.control[:v.told]) == nil && in6.Dst != nil {
		addr, _ := netip.AddrFromSlice(in6.Dst)
		return addr.Unmap()
	}
	var in4 ipv4.ControlMessage
	if v.told > 0 && in4.Parse(v.control[:v.told]) == nil && in4.Dst != nil {
		addr, _ := netip.AddrFromSlice(in4.Dst)
		return addr.Unmap()
	}
	return netip.Addr{}
}

// sendVec lists packets to send.
type sendVec struct {
	n       int
	packets [sendBatch][]byte
	dests   [sendBatch]*dest
}

func (v *sendVec) full() bool { return v.n == sendBatch }

// reset forgets the packets and whom they were for, who may be gone before the next ones are sent.
func (v *sendVec) reset() {
	clear(v.dests[:v.n])
	clear(v.packets[:v.n])
	v.n = 0
}

func (v *sendVec) add(d *dest, packet []byte) {
	v.packets[v.n], v.dests[v.n] = packet, d
	v.n++
}

func (s *socket) send(v *sendVec, c *engineCounters) {
	sent := 0
	for i, p := range v.packets[:v.n] {
		d := v.dests[i]
		switch _, _, err := s.conn.WriteMsgUDPAddrPort(p, d.sa.source, d.sa.to); {
		case err == nil:
			sent++
			continue
		case errors.Is(err, syscall.ENOBUFS):
			c.sendFull.Add(1)
		default:
			c.sendFailed.Add(1)
		}
		d.dropped()
	}
	c.sent.Add(int64(sent))
	c.sendCalls.Add(int64(v.n))
}

func (s *socket) writeTo(packet []byte, d *dest, c *engineCounters) error {
	_, _, err := s.conn.WriteMsgUDPAddrPort(packet, d.sa.source, d.sa.to)
	if err != nil {
		c.sendFailed.Add(1)
		return err
	}
	c.sent.Add(1)
	c.sendCalls.Add(1)
	return nil
}

// sockaddr is both ends of a dest as this system's sockets want them.
type sockaddr struct {
	to     netip.AddrPort
	source []byte // a control message; nil: the socket's own address, or what the routes say
}

// set takes a remote address for a group's kind of socket, and the local one, if it is valid.
func (a *sockaddr) set(g *socketGroup, remote netip.AddrPort, local netip.Addr) error {
	v6 := g.addr.Addr().Is6()
	if v6 && remote.Addr().Is4() {
		remote = netip.AddrPortFrom(netip.AddrFrom16(remote.Addr().As16()), remote.Port())
	}
	a.to, a.source = remote, nil
	switch {
	case !local.IsValid() || local.Is6() && local.IsLinkLocalUnicast():
	case local.Is4():
		a.source = (&ipv4.ControlMessage{Src: local.AsSlice()}).Marshal()
	default:
		a.source = (&ipv6.ControlMessage{Src: local.AsSlice()}).Marshal()
	}
	return nil
}

//go:build !linux

package wire

import (
	"errors"
	"net"
	"net/netip"
	"os"
	"syscall"
	"time"
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
	return &socket{conn: conn}, addr, nil
}

// wake ends read.
func (s *socket) wake() { _ = s.conn.SetReadDeadline(time.Unix(1, 0)) }

func (s *socket) close() { _ = s.conn.Close() }

// recvVec is the place of one packet.
type recvVec struct {
	buf  [packetBuffer + 1]byte // a packet that fills it was too long
	n    int
	from netip.AddrPort
}

func newRecvVec() *recvVec { return new(recvVec) }

// wait is for systems whose read does not wait.
func (s *socket) wait(try func() (bool, error)) error {
	_, err := try()
	return err
}

// read waits for a packet, or for wake.
func (s *socket) read(v *recvVec) (int, error) {
	n, from, err := s.conn.ReadFromUDPAddrPort(v.buf[:])
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		return 0, nil
	case err != nil:
		return 0, err
	}
	v.n, v.from = n, canonical(from)
	return 1, nil
}

func (v *recvVec) packet(int) ([]byte, netip.AddrPort, bool) {
	return v.buf[:v.n:v.n], v.from, v.n <= packetBuffer
}

// sendVec lists packets to send.
type sendVec struct {
	n       int
	packets [sendBatch][]byte
	dests   [sendBatch]*dest
}

func (v *sendVec) full() bool { return v.n == sendBatch }

func (v *sendVec) add(d *dest, packet []byte) {
	v.packets[v.n], v.dests[v.n] = packet, d
	v.n++
}

func (s *socket) send(v *sendVec, c *engineCounters) {
	sent := 0
	for i, p := range v.packets[:v.n] {
		switch _, err := s.conn.WriteToUDPAddrPort(p, v.dests[i].sa.addr); {
		case err == nil:
			sent++
			continue
		case errors.Is(err, syscall.ENOBUFS):
			c.sendFull.Add(1)
		default:
			c.sendFailed.Add(1)
		}
		v.dests[i].dropped()
	}
	c.sent.Add(int64(sent))
	c.sendCalls.Add(int64(v.n))
}

func (s *socket) writeTo(packet []byte, sa *sockaddr, c *engineCounters) error {
	_, err := s.conn.WriteToUDPAddrPort(packet, sa.addr)
	if err != nil {
		c.sendFailed.Add(1)
		return err
	}
	c.sent.Add(1)
	c.sendCalls.Add(1)
	return nil
}

// sockaddr is a remote address as this system's sockets want it.
type sockaddr struct{ addr netip.AddrPort }

func (a *sockaddr) set(l *listener, remote netip.AddrPort) error {
	if l.addr.Addr().Is6() && remote.Addr().Is4() {
		remote = netip.AddrPortFrom(netip.AddrFrom16(remote.Addr().As16()), remote.Port())
	}
	a.addr = remote
	return nil
}

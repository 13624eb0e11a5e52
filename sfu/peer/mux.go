package peer

import (
	"fmt"
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/pion/ice/v4"
)

// interfacesTTL is how long the list of this host's addresses is believed. Listing them
// costs system calls, and a laptop changes networks.
const interfacesTTL = 10 * time.Second

// candidateMux is pion's UDP mux with our own idea of which addresses become candidates.
type candidateMux struct {
	*ice.UDPMuxDefault

	local    netip.AddrPort
	announce []netip.Addr

	mu      sync.Mutex // guards the fields below
	listed  []net.Addr
	expires time.Time
}

func newCandidateMux(conn *net.UDPConn, announce []netip.Addr) *candidateMux {
	m := &candidateMux{
		UDPMuxDefault: ice.NewUDPMuxDefault(ice.UDPMuxParams{
			Logger:  quietLogs().NewLogger("ice"),
			UDPConn: conn,
		}),
		announce: announce,
	}
	if addr, ok := conn.LocalAddr().(*net.UDPAddr); ok {
		m.local = addr.AddrPort()
	}
	return m
}

// GetListenAddresses returns the addresses that become host candidates: the announced
// ones, else the one the socket is bound to, else every address of this host.
func (m *candidateMux) GetListenAddresses() []net.Addr {
	if len(m.announce) > 0 {
		return m.udpAddrs(m.announce)
	}
	if !m.local.Addr().IsUnspecified() {
		return m.udpAddrs([]netip.Addr{m.local.Addr()})
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if now := time.Now(); now.After(m.expires) {
		m.listed, m.expires = m.udpAddrs(hostAddrs(m.local.Addr().Is4())), now.Add(interfacesTTL)
	}
	return m.listed
}

// GetConn ignores which of the addresses above is meant: there is one socket.
func (m *candidateMux) GetConn(ufrag string, addr net.Addr) (net.PacketConn, error) {
	if !m.local.Addr().IsUnspecified() {
		addr = net.UDPAddrFromAddrPort(m.local)
	}
	conn, err := m.UDPMuxDefault.GetConn(ufrag, addr)
	if err != nil {
		return nil, fmt.Errorf("media port: %w", err)
	}
	return conn, nil
}

func (m *candidateMux) udpAddrs(ips []netip.Addr) []net.Addr {
	addrs := make([]net.Addr, len(ips))
	for i, ip := range ips {
		addrs[i] = net.UDPAddrFromAddrPort(netip.AddrPortFrom(ip, m.local.Port()))
	}
	return addrs
}

// hostAddrs lists this host's usable addresses: loopback too, since a browser on the
// same machine may have no other way; link-local ones not, since they need a zone.
func hostAddrs(onlyIPv4 bool) []netip.Addr {
	nets, err := net.InterfaceAddrs()
	if err != nil {
		return []netip.Addr{netip.AddrFrom4([4]byte{127, 0, 0, 1})}
	}
	addrs := make([]netip.Addr, 0, len(nets))
	for _, ipNet := range nets {
		prefix, err := netip.ParsePrefix(ipNet.String())
		if err != nil {
			continue
		}
		ip := prefix.Addr().Unmap()
		if ip.IsLinkLocalUnicast() || ip.IsMulticast() || (onlyIPv4 && !ip.Is4()) {
			continue
		}
		addrs = append(addrs, ip)
	}
	return addrs
}

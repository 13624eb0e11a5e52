package app

import (
	"net"
	"net/netip"
	"sync"

	"github.com/mini-livechat/mini-livechat/sfu/bounded"
	"github.com/mini-livechat/mini-livechat/signaling/admission"
)

// crowd bounds how many connections there are, in all and from one address. Beyond either the one that has been quiet for
// longest gives way: of all, or of those from that address, so that who comes with many pushes out none but its own. Safe
// for concurrent use.
type crowd struct {
	all *bounded.Line[net.Conn]
	// share is how many one address may have; proxies may have any number, being many.
	share   int
	proxies admission.Proxies

	mu       sync.Mutex // held by every method, so that a connection is in both lines or in none
	networks map[netip.Prefix]*bounded.Line[net.Conn]
}

func newCrowd(most, share int, proxies admission.Proxies) *crowd {
	return &crowd{
		all: bounded.NewLine[net.Conn](most), share: share, proxies: proxies,
		networks: make(map[netip.Prefix]*bounded.Line[net.Conn]),
	}
}

// Enter, Touch and Leave are as those of a bounded.Line. giveWay must not call back.
func (c *crowd) Enter(conn net.Conn, giveWay func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.all.Enter(conn, func() {
		c.leaveNetworkLocked(conn)
		giveWay()
	})
	network := c.networkOf(conn)
	if !network.IsValid() {
		return
	}
	line := c.networks[network]
	if line == nil {
		line = bounded.NewLine[net.Conn](c.share)
		c.networks[network] = line
	}
	line.Enter(conn, func() {
		c.all.Leave(conn)
		giveWay()
	})
}

// Touch is described at Enter.
func (c *crowd) Touch(conn net.Conn) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.all.Touch(conn)
	if line := c.networks[c.networkOf(conn)]; line != nil {
		line.Touch(conn)
	}
}

// Leave is described at Enter.
func (c *crowd) Leave(conn net.Conn) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.all.Leave(conn)
	c.leaveNetworkLocked(conn)
}

func (c *crowd) leaveNetworkLocked(conn net.Conn) {
	network := c.networkOf(conn)
	if line := c.networks[network]; line != nil && line.Leave(conn) && line.Len() == 0 {
		delete(c.networks, network)
	}
}

// networkOf is what a connection is counted by; it is not valid for a proxy's.
func (c *crowd) networkOf(conn net.Conn) netip.Prefix { return networkOf(conn, c.proxies) }

func networkOf(conn net.Conn, proxies admission.Proxies) netip.Prefix {
	remote, ok := conn.RemoteAddr().(*net.TCPAddr)
	if !ok || proxies.Trusts(remote.AddrPort().Addr()) {
		return netip.Prefix{}
	}
	return admission.Network(remote.AddrPort().Addr())
}

package client

import (
	"maps"
	"net"
	"net/netip"
	"sync"
	"time"
)

// roamInterval is how often it is looked which addresses the machine has. A look costs about 0.1 ms, and one is for all
// clients of a process.
const roamInterval = 500 * time.Millisecond

// roaming tells clients when the machine's addresses have changed, as they do when it goes from one network to another. The
// system would let their connections wait for an address that is gone.
type roaming struct {
	mu      sync.Mutex
	clients map[*Client]struct{} // guarded by mu
	stop    chan struct{}        // closed when the last has gone; guarded by mu
}

//nolint:gochecknoglobals // the machine has one set of addresses
var roamers roaming

func (r *roaming) add(c *Client) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.clients == nil {
		r.clients = make(map[*Client]struct{})
	}
	r.clients[c] = struct{}{}
	if len(r.clients) == 1 {
		r.stop = make(chan struct{})
		go r.run(r.stop)
	}
}

func (r *roaming) remove(c *Client) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.clients, c)
	if len(r.clients) == 0 {
		close(r.stop)
	}
}

func (r *roaming) run(stop chan struct{}) {
	before, _ := machineAddrs()
	tick := time.NewTicker(roamInterval)
	defer tick.Stop()
	for {
		select {
		case <-stop:
			return
		case <-tick.C:
		}
		here, err := machineAddrs()
		if err != nil || maps.Equal(before, here) {
			continue
		}
		before = here
		r.mu.Lock()
		for c := range r.clients {
			c.roam(here)
		}
		r.mu.Unlock()
	}
}

// addrs are the addresses that the machine has.
type addrs map[netip.Addr]struct{}

func machineAddrs() (addrs, error) {
	all, err := net.InterfaceAddrs()
	if err != nil {
		return nil, err
	}
	here := make(addrs, len(all))
	for _, a := range all {
		if prefix, err := netip.ParsePrefix(a.String()); err == nil {
			here[prefix.Addr().Unmap().WithZone("")] = struct{}{}
		}
	}
	return here, nil
}

// lack reports whether the machine has lost an address that it had.
func (here addrs) lack(a netip.Addr) bool {
	_, has := here[a.Unmap().WithZone("")]
	return !has && a.IsValid() && !a.IsUnspecified() && !a.IsLoopback()
}

// roam looks, on a goroutine of its own, what another set of addresses means.
func (c *Client) roam(here addrs) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err == nil {
		c.wg.Go(func() { c.roamed(here) })
	}
}

// roamed gives up what came from an address that the machine has no more.
func (c *Client) roamed(here addrs) {
	c.sending.Lock()
	l := c.link
	c.sending.Unlock()
	if l != nil && here.lack(addrOf(l.conn.LocalAddr())) {
		c.giveUp(l)
	}
	if call := c.Call(); call != nil {
		call.media.Load().roamed(here)
	}
}

func (m *media) roamed(here addrs) {
	select {
	case <-m.connected:
	default:
		return
	}
	pair, err := m.pc.SCTP().Transport().ICETransport().GetSelectedCandidatePair()
	if err != nil || pair == nil {
		return
	}
	local, err := netip.ParseAddr(pair.Local.Address)
	if pair.Local.RelatedAddress != "" { // what the address of the other kinds was made from
		local, err = netip.ParseAddr(pair.Local.RelatedAddress)
	}
	if err == nil && here.lack(local) {
		m.moved.Store(true)
		m.complain()
	}
}

// addrOf is the address of a TCP socket, or the zero value.
func addrOf(a net.Addr) netip.Addr {
	if tcp, ok := a.(*net.TCPAddr); ok {
		return tcp.AddrPort().Addr()
	}
	return netip.Addr{}
}

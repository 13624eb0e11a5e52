package turn

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"time"

	"github.com/pion/turn/v5"
	"golang.org/x/time/rate"
)

var (
	errFamily      = errors.New("the client knows no address of the media port of that family")
	errNotRelaying = errors.New("only UDP is relayed, and to any port of our choice")
)

// generator makes relays; it is what pion asks for sockets.
type generator struct {
	media    []netip.AddrPort
	sessions *sessions
	stat     *counters
}

// Validate is part of turn.RelayAddressGenerator.
func (g *generator) Validate() error { return nil }

// AllocatePacketConn makes a relay. Exactly as many exist at a time as the quotas allow,
// however many ask at once.
func (g *generator) AllocatePacketConn(cfg turn.AllocateListenerConfig) (net.PacketConn, net.Addr, error) {
	// EVEN-PORT and RESERVATION-TOKEN (RFC 8656, sections 18.7 and 18.10) are of use for
	// RTP without rtcp-mux, which the SFU does not speak.
	if cfg.UserID == "" || cfg.RequestedPort != 0 {
		return nil, nil, errNotRelaying
	}
	for _, local := range g.media {
		peer := g.sessions.peer(cfg.UserID, local.Addr().Is4())
		if local.Addr().Is4() == (cfg.Network == "udp4") && peer.IsValid() {
			return g.open(cfg.UserID, peer, local)
		}
	}
	return nil, nil, errFamily
}

// open makes a relay to the media port, which the client knows as peer and this machine
// reaches at local. Behind NAT they differ.
func (g *generator) open(session string, peer, local netip.AddrPort) (net.PacketConn, net.Addr, error) {
	conn, err := net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(local))
	if err != nil {
		return nil, nil, fmt.Errorf("open a relay: %w", err)
	}
	r := &relay{
		UDPConn: conn, sessions: g.sessions, stat: g.stat, peer: peer, peerAddr: net.UDPAddrFromAddrPort(peer),
	}
	// The relayed address is told as one of the host that clients know. Nothing can be
	// sent to it: the socket is connected.
	if own, ok := conn.LocalAddr().(*net.UDPAddr); ok {
		r.relayed = &net.UDPAddr{IP: peer.Addr().AsSlice(), Port: own.Port}
	}
	if err := g.sessions.acquire(session, r); err != nil {
		g.stat.quota.Add(1)
		return nil, nil, errors.Join(err, conn.Close())
	}
	return r, r.relayed, nil
}

// AllocateListener refuses: TCP is not relayed (RFC 6062).
func (g *generator) AllocateListener(turn.AllocateListenerConfig) (net.Listener, net.Addr, error) {
	return nil, nil, errNotRelaying
}

// AllocateConn refuses: TCP is not relayed (RFC 6062).
func (g *generator) AllocateConn(turn.AllocateConnConfig) (net.Conn, error) {
	return nil, errNotRelaying
}

// permits is the turn.PermissionHandler: it permits the media port's address and no other.
// IPv4 counts in its own form only; the mapped form of an address is another one. The port,
// and the address as this client knows it, are the relay's to check, because pion does not
// say here whose request it is.
func (g *generator) permits(_ net.Addr, peer net.IP) bool {
	if addr, ok := netip.AddrFromSlice(peer); ok && g.sessions.leadTo(addr) {
		return true
	}
	g.stat.refused.Add(1)
	return false
}

// relay is one allocation's socket, connected to the media port. It stands between pion
// and the socket and lets through what goes to, and shows as coming from, peer.
type relay struct {
	*net.UDPConn

	sessions *sessions
	session  *session      // set by sessions.acquire
	bytes    *rate.Limiter // the session's
	stat     *counters
	peer     netip.AddrPort
	peerAddr *net.UDPAddr
	relayed  *net.UDPAddr // the relayed transport address, as told to the client

	channels int // channel bindings made so far; guarded by sessions.mu
}

// WriteTo sends p to the media port if addr is its address and port as clients know them.
// What goes elsewhere or exceeds the session's rate is dropped and counted.
func (r *relay) WriteTo(p []byte, addr net.Addr) (int, error) {
	to, ok := addr.(*net.UDPAddr)
	if !ok || to.AddrPort() != r.peer {
		r.stat.refused.Add(1)
		return len(p), nil
	}
	if !r.bytes.AllowN(time.Now(), len(p)) {
		r.stat.throttled.Add(1)
		return len(p), nil
	}
	if _, err := r.Write(p); errors.Is(err, net.ErrClosed) {
		return 0, err //nolint:wrapcheck // pion's to judge
	}
	// Any other failure is a lost datagram. A media port that was closed for a moment
	// answers with ICMP, which shows here, and must not end the allocation.
	return len(p), nil
}

// ReadFrom waits for a datagram of the media port. The only error is that of a closed
// relay.
func (r *relay) ReadFrom(p []byte) (int, net.Addr, error) {
	for {
		n, err := r.Read(p)
		switch {
		case errors.Is(err, net.ErrClosed):
			return 0, nil, err //nolint:wrapcheck // pion's to judge
		case err != nil:
			continue // ICMP, as in WriteTo: it is reported once and then gone
		case !r.bytes.AllowN(time.Now(), n):
			r.stat.throttled.Add(1)
			continue
		}
		return n, r.peerAddr, nil
	}
}

// Close closes the socket, which makes pion forget the allocation.
func (r *relay) Close() error {
	r.sessions.release(r)
	return r.UDPConn.Close() //nolint:wrapcheck // pion's to judge
}

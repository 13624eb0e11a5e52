package signaling

import (
	"net"
	"net/http"
	"net/netip"
)

// Arrival is how a client reached the server, which is what it knows the server by.
type Arrival struct {
	// Host is the request's Host header (RFC 9110, section 7.2).
	Host string
	// Local is where its connection arrived. Not valid: unknown.
	Local netip.AddrPort
	// Proxied says that an HTTP proxy passed the request on: Host is the proxy's name, and
	// Local none that the client knows.
	Proxied bool
}

// mediaAddrs are the addresses at which the session's client reaches the media port, as
// things are now; the machine may have got others since. The session's relay leads there.
func (s *Session) mediaAddrs() []netip.AddrPort {
	s.gw.cfg.Relay.Admit(s.id, s.via)
	return s.gw.cfg.MediaAddrs(s.via)
}

func arrivalOf(r *http.Request) Arrival {
	a := Arrival{Host: r.Host}
	if local, ok := r.Context().Value(http.LocalAddrContextKey).(*net.TCPAddr); ok {
		addr := local.AddrPort()
		a.Local = netip.AddrPortFrom(addr.Addr().Unmap(), addr.Port())
	}
	// What proxies add (RFC 7239, section 4; RFC 9110, section 7.6.3; common practice).
	for _, name := range []string{"Forwarded", "X-Forwarded-For", "Via"} {
		a.Proxied = a.Proxied || r.Header.Get(name) != ""
	}
	return a
}

package signaling

import (
	"net"
	"net/http"
	"net/netip"

	"github.com/mini-livechat/mini-livechat/signaling/admission"
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
	// Network is what the client is counted by. It is for nobody else to know.
	Network netip.Prefix
	// Shared says that Network is that of a proxy of ours that was not declared, so that all who come through it have it.
	Shared bool
}

func arrivalOf(r *http.Request, proxies admission.Proxies) Arrival {
	a := Arrival{Host: r.Host, Network: admission.Network(proxies.Client(r))}
	_, a.Shared = proxies.Undeclared(r)
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

package admission

import (
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

const (
	// networkBits is how much of an IPv6 address tells customers apart: each has at least a /64 (RFC 6177, section 2), and in
	// it as many addresses as they like.
	networkBits = 64
	// maxHops bounds how many proxies are looked through.
	maxHops = 16
)

// Network returns what an address is counted by: itself or, in IPv6, its /64. It is not valid when the address is not.
func Network(addr netip.Addr) netip.Prefix {
	addr = addr.Unmap().WithZone("")
	bits := addr.BitLen()
	if addr.Is6() {
		bits = networkBits
	}
	network, err := addr.Prefix(bits)
	if err != nil {
		return netip.Prefix{}
	}
	return network
}

// Proxies are those who are believed where a request comes from. Anybody else could say so of anyone.
type Proxies []netip.Prefix

// Trusts reports whether an address is that of one of them.
func (p Proxies) Trusts(addr netip.Addr) bool {
	addr = addr.Unmap().WithZone("")
	return slices.ContainsFunc(p, func(proxy netip.Prefix) bool { return proxy.Contains(addr) })
}

// Peer returns the address at the other end of a request's connection; it is not valid when that is unknown.
func Peer(r *http.Request) netip.Addr { return hop(r.RemoteAddr) }

// Client returns where a request comes from: the last in the chain of senders who is none of the proxies. Each proxy notes
// at the end from whom it has the request, so that whatever the client has put before that counts for nothing. Of the two
// headers X-Forwarded-For counts, which most proxies write, who pass the other on as it came; Forwarded (RFC 7239) counts
// where it is alone.
func (p Proxies) Client(r *http.Request) netip.Addr {
	from, _ := p.trace(r)
	return from
}

// Undeclared returns where a request comes from, if that says for whom it passes it on: a proxy that was forgotten, where it is in a
// network of our own, or anybody who says so. It is not valid when nobody does.
func (p Proxies) Undeclared(r *http.Request) (from netip.Addr, ours bool) {
	from, passedOn := p.trace(r)
	if !passedOn {
		return netip.Addr{}, false
	}
	return from, from.IsPrivate() || from.IsLoopback()
}

// trace returns where a request comes from, and whether that says, without being believed, from whom it has it.
func (p Proxies) trace(r *http.Request) (from netip.Addr, passedOn bool) {
	from = Peer(r)
	senders := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	if r.Header.Get("X-Forwarded-For") == "" {
		senders = forwardedFor(r.Header.Values("Forwarded"))
	}
	for hops := 0; p.Trusts(from) && len(senders) > 0 && hops < maxHops; hops++ {
		last := hop(senders[len(senders)-1])
		if !last.IsValid() { // "unknown", or hidden: who wrote that is the last we know
			break
		}
		from, senders = last, senders[:len(senders)-1]
	}
	return from, len(senders) > 0 && !p.Trusts(from)
}

// forwardedFor returns the senders that Forwarded headers name, in order; "" stands for one that is not named (RFC 7239,
// section 4).
func forwardedFor(headers []string) (senders []string) {
	if len(headers) == 0 {
		return nil
	}
	elements, whole := splitQuoted(strings.Join(headers, ","), ',')
	if !whole {
		return []string{""}
	}
	for _, element := range elements {
		sender := ""
		pairs, _ := splitQuoted(element, ';')
		for _, pair := range pairs {
			name, value, _ := strings.Cut(strings.TrimSpace(pair), "=")
			if strings.EqualFold(name, "for") {
				sender = strings.Trim(value, `"`)
			}
		}
		senders = append(senders, sender)
	}
	return senders
}

// splitQuoted splits at a separator that is not in a quoted string (RFC 9110, section 5.6.4). It is not whole when the last
// of these does not end: somebody tries to swallow what a proxy has added.
func splitQuoted(s string, separator byte) (parts []string, whole bool) {
	quoted, begin := false, 0
	for i := 0; i < len(s); i++ {
		switch {
		case quoted && s[i] == '\\':
			i++
		case s[i] == '"':
			quoted = !quoted
		case !quoted && s[i] == separator:
			parts = append(parts, s[begin:i])
			begin = i + 1
		}
	}
	return append(parts, s[begin:]), !quoted
}

// hop reads an address as proxies write it: with a port or without, and of IPv6 with brackets or without.
func hop(s string) netip.Addr {
	s = strings.TrimSpace(s)
	if host, _, err := net.SplitHostPort(s); err == nil {
		s = host
	}
	addr, err := netip.ParseAddr(strings.TrimSuffix(strings.TrimPrefix(s, "["), "]"))
	if err != nil {
		return netip.Addr{}
	}
	return addr.Unmap().WithZone("")
}

package app

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"syscall"
	"time"

	"go.uber.org/zap"

	"github.com/mini-livechat/mini-livechat/sfu/turn"
	"github.com/mini-livechat/mini-livechat/signaling"
	"github.com/mini-livechat/mini-livechat/signaling/protocol"
)

// relay is the TURN server as the gateway knows it: with addresses. It is a
// signaling.Relay.
type relay struct {
	*turn.Server

	ttl       time.Duration
	announcer *announcer
	urls      []string // told to everybody; empty: those of the endpoints
	endpoints []endpoint
}

// endpoint is a socket on which TURN is spoken.
type endpoint struct {
	scheme    string // "turn" or "turns"
	transport string // "udp" or "tcp"
	bound     netip.AddrPort
	page      bool // the page is served there as well
}

// url is the endpoint's TURN URI (RFC 7065) for a client that reached this server in a
// certain way, or "" when such a client cannot reach it.
func (e endpoint) url(via signaling.Arrival) string {
	addr, port := e.bound.Addr().Unmap(), int(e.bound.Port())
	host := hostOf(via.Host)
	client, err := netip.ParseAddr(host)
	onLoopback := strings.EqualFold(host, "localhost") || err == nil && client.Unmap().IsLoopback()
	// The client is there already: what it calls the place is right, whatever the name means
	// and even if ports are forwarded on the way, as to containers. Proxies pass HTTP only; one
	// that does not show itself is in the same place and speaks to us without TLS.
	there := e.page && host != "" && !via.Proxied && via.Local.Port() == e.bound.Port()
	switch {
	case there && (e.scheme == "turns" || !addr.IsLoopback() || onLoopback):
		port = e.portOf(via.Host)
	case e.page && via.Proxied, addr.IsLoopback() && !onLoopback, addr.IsUnspecified() && host == "":
		return ""
	case !addr.IsUnspecified() && e.scheme == "turn":
		host = addr.String() // whatever the name means to the client, it is there
	}
	return e.scheme + ":" + net.JoinHostPort(host, strconv.Itoa(port)) + "?transport=" + e.transport
}

// portOf is the port in a Host header, or the page's usual one.
func (e endpoint) portOf(header string) int {
	if _, text, err := net.SplitHostPort(header); err == nil {
		if port, err := strconv.ParseUint(text, 10, 16); err == nil && port > 0 {
			return int(port)
		}
	}
	if e.scheme == "turns" {
		return httpsDefaultPort
	}
	return httpDefaultPort
}

// Admit is part of signaling.Relay.
func (r *relay) Admit(session string, via signaling.Arrival) {
	r.Server.Admit(session, r.announcer.relayAddrs(via))
}

// ICEServers is part of signaling.Relay.
func (r *relay) ICEServers(session string, via signaling.Arrival, now time.Time) []protocol.ICEServer {
	urls := r.urls
	if len(urls) == 0 {
		for _, e := range r.endpoints {
			if url := e.url(via); url != "" {
				urls = append(urls, url)
			}
		}
	}
	if len(urls) == 0 {
		return []protocol.ICEServer{}
	}
	creds := r.Mint(session, now)
	return []protocol.ICEServer{{URLs: urls, Username: creds.Username, Credential: creds.Password}}
}

// RefreshInterval is part of signaling.Relay: half of the credentials' life, so that those
// that a client has are always good for the other half.
func (r *relay) RefreshInterval() time.Duration { return r.ttl / 2 }

// newRelay opens the TURN sockets and starts the server on them and on the shared ports.
func newRelay(cfg Config, ports []*port, announcer *announcer, log *zap.Logger) (*relay, error) {
	r := &relay{ttl: cfg.TURNTTL, announcer: announcer, urls: cfg.TURNURL}
	config := turn.Config{Media: announcer.loopbacks(), TTL: cfg.TURNTTL, OnAcceptError: ports[0].trouble.note}
	fail := func(err error) (*relay, error) {
		for _, conn := range config.PacketConns {
			err = errors.Join(err, conn.Close())
		}
		for _, l := range config.Listeners {
			err = errors.Join(err, l.Close())
		}
		return nil, err
	}
	if cfg.TURNUDP != "" {
		conn, err := listenTURN(cfg.TURNUDP, log, func(addr string) (net.PacketConn, error) {
			conn, err := new(net.ListenConfig).ListenPacket(context.Background(), "udp", addr)
			if err != nil {
				return nil, err
			}
			return turn.AnswerFromWhereAsked(conn)
		})
		if err != nil {
			return fail(&ListenError{"turn-udp", cfg.TURNUDP, err})
		}
		if conn != nil {
			config.PacketConns = append(config.PacketConns, conn)
			r.add("turn", conn.LocalAddr(), false)
		}
	}
	if cfg.TURNTCP != "" {
		l, err := listenTURN(cfg.TURNTCP, log, func(addr string) (net.Listener, error) {
			return new(net.ListenConfig).Listen(context.Background(), "tcp", addr)
		})
		if err != nil {
			return fail(&ListenError{"turn-tcp", cfg.TURNTCP, err})
		}
		if l != nil {
			config.Listeners = append(config.Listeners, l)
			r.add("turn", l.Addr(), false)
		}
	}
	for _, p := range ports {
		config.Listeners = append(config.Listeners, p.turn)
		switch {
		case p.tls != nil:
			r.add("turns", p.listener.Addr(), true)
		case len(ports) == 1:
			r.add("turn", p.listener.Addr(), true)
		}
	}
	var err error
	if r.Server, err = turn.New(config); err != nil {
		return fail(err)
	}
	return r, nil
}

func (r *relay) add(scheme string, addr net.Addr, page bool) {
	switch a := addr.(type) {
	case *net.UDPAddr:
		r.endpoints = append(r.endpoints, endpoint{scheme, "udp", a.AddrPort(), page})
	case *net.TCPAddr:
		r.endpoints = append(r.endpoints, endpoint{scheme, "tcp", a.AddrPort(), page})
	}
}

// listenTURN opens a TURN socket at a bare port, on all interfaces, or an address and
// port. The default port is done without when it cannot be had: another TURN server may
// be using it, and there is the shared port beside it. The result is then nil.
func listenTURN[S any](where string, log *zap.Logger, listen func(addr string) (S, error)) (S, error) {
	addr := where
	if !strings.Contains(addr, ":") {
		addr = ":" + addr
	}
	socket, err := listen(addr)
	if err != nil && where == DefaultTURN && (errors.Is(err, syscall.EADDRINUSE) || errors.Is(err, syscall.EACCES)) {
		log.Warn("TURN does without its own port", zap.String("port", where), zap.Error(err))
		var none S
		return none, nil
	}
	return socket, err
}

// hostOf returns the host of a Host header (RFC 9110, section 7.2) without its port, or ""
// when that is no name and no address.
func hostOf(header string) string {
	host := header
	if h, _, err := net.SplitHostPort(header); err == nil {
		host = h
	}
	host = strings.TrimSuffix(strings.TrimPrefix(host, "["), "]")
	if addr, err := netip.ParseAddr(host); err == nil && addr.Zone() == "" {
		return addr.String()
	}
	host = strings.TrimSuffix(host, ".") // the root's (RFC 1034, section 3.1)
	if !isDomain(host) {
		return ""
	}
	return host
}

// isDomain reports whether name has the form of a host name (RFC 1123, section 2.1).
func isDomain(name string) bool {
	if name == "" || len(name) > 253 {
		return false
	}
	for label := range strings.SplitSeq(name, ".") {
		if label == "" || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' ||
			strings.ContainsFunc(label, func(r rune) bool {
				return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '-' && r != '_'
			}) {
			return false
		}
	}
	return true
}

// joinPort puts host and port together as a URL has them, without the scheme's own port.
func joinPort(host string, port, usual int) string {
	if port != usual {
		return net.JoinHostPort(host, strconv.Itoa(port))
	}
	if strings.Contains(host, ":") {
		return "[" + host + "]"
	}
	return host
}

package doctor

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"syscall"
	"time"

	"github.com/pion/stun/v4"
	"github.com/pion/turn/v5"

	"github.com/mini-livechat/mini-livechat/signaling/client"
	"github.com/mini-livechat/mini-livechat/signaling/protocol"
)

const (
	nameTURN = "TURN"

	wayTURNUDP = "TURN over UDP"
	wayTURNTCP = "TURN over TCP"
	wayTURNTLS = "TURN over TLS"
)

// maxRelays is how many relays are tried: as many as there may be probes beside the two of
// the direct way (PROTOCOL.md, "Probe").
const maxRelays = 6

// relay is one of the URLs at which the server offers TURN.
type relay struct {
	protocol.ICEServer

	url  string
	uri  *stun.URI
	way  string
	port string
	// shared: the page is on the same port.
	shared bool
}

// relays lists the URLs that can be used, in the order in which browsers prefer them.
func (x *examination) relays(servers []protocol.ICEServer) []relay {
	var list []relay
	for _, server := range servers {
		for _, url := range server.URLs {
			uri, err := stun.ParseURI(url)
			if err != nil || uri.Scheme != stun.SchemeTypeTURN && uri.Scheme != stun.SchemeTypeTURNS {
				continue
			}
			r := relay{ICEServer: server, url: url, uri: uri, port: strconv.Itoa(uri.Port)}
			switch {
			case uri.Scheme == stun.SchemeTypeTURNS:
				r.way = wayTURNTLS
			case uri.Proto == stun.ProtoTypeTCP:
				r.way = wayTURNTCP
			default:
				r.way = wayTURNUDP
			}
			r.shared = r.way != wayTURNUDP && r.port == portOf(x.base)
			list = append(list, r)
		}
	}
	order := []string{wayTURNUDP, wayTURNTCP, wayTURNTLS}
	slices.SortStableFunc(list, func(a, b relay) int { return slices.Index(order, a.way) - slices.Index(order, b.way) })
	return list
}

// missing says which relays are not tried, and which kinds there are none of.
func (x *examination) missing(relays []relay) []Check {
	if len(relays) == 0 {
		return []Check{{nameTURN, Warning, "not offered", []string{wordsNoTURN}}}
	}
	if n := len(relays) - maxRelays; n > 0 {
		return []Check{{Name: nameTURN, Status: Skipped, Text: fmt.Sprintf("%d more relays, which are not tried", n)}}
	}
	if slices.ContainsFunc(relays, func(r relay) bool { return r.way == wayTURNTLS }) {
		return nil
	}
	c := Check{Name: wayTURNTLS, Status: Skipped, Text: "not offered, for want of a certificate"}
	if x.base.Scheme == "https" {
		c = Check{wayTURNTLS, Warning, "not offered", []string{wordsNoTURNTLS}}
	}
	return []Check{c}
}

// Stages of a relay; an error names the one that failed.
var (
	errLookup   = errors.New("the relay's name cannot be looked up")
	errConnect  = errors.New("no connection to the relay")
	errTLS      = errors.New("no TLS with the relay")
	errAllocate = errors.New("the relay gives no allocation")
	errThrough  = errors.New("nothing comes back through the relay")
)

// relayed tries one relay: it allocates with the session's credentials and checks the
// media port through it.
func (x *examination) relayed(ctx context.Context, c *client.Client, offer string, r relay) way {
	w := way{name: r.way, check: Check{Name: r.way + " " + r.port, Status: Failed}}
	_, to, err := probe(ctx, c, offer)
	if err == nil {
		w.rtt, err = x.throughRelay(ctx, r, to)
	}
	if err == nil {
		w.works = true
		w.check.Status, w.check.Text = Good, "reaches the server, "+roundTrip(w.rtt)
		return w
	}
	w.check.Text, w.check.Advice = r.explain(err, to, x.opts.Roots)
	return w
}

// throughRelay returns the round trip to the media port through a relay.
func (x *examination) throughRelay(ctx context.Context, r relay, to remote) (time.Duration, error) {
	ctx, over := context.WithCancelCause(ctx)
	defer over(nil)
	conn, err := x.dialRelay(ctx, r, over)
	if err != nil {
		return 0, err
	}
	defer conn.Close() //nolint:errcheck // it ends everything that was made on it
	peers := peersFor(to.addrs, remoteAddrOf(conn))
	family := turn.RequestedAddressFamilyIPv4
	if peers[0].Addr().Is6() {
		family = turn.RequestedAddressFamilyIPv6
	}
	tc, err := turn.NewClient(&turn.ClientConfig{
		TURNServerAddr: remoteAddrOf(conn).String(), Conn: conn, Username: r.Username, Password: r.Credential,
		RequestedAddressFamily: family, LoggerFactory: silence(),
	})
	if err != nil {
		return 0, fmt.Errorf("%w: %w", errAllocate, err)
	}
	defer tc.Close()
	if err = tc.Listen(); err != nil {
		return 0, fmt.Errorf("%w: %w", errAllocate, err)
	}
	relayed, err := tc.AllocateWithContext(ctx)
	if err != nil {
		if cause := context.Cause(ctx); cause != nil {
			err = cause // such as a port that is closed
		}
		return 0, fmt.Errorf("%w: %w", errAllocate, err)
	}
	defer relayed.Close() //nolint:errcheck // gives the allocation back
	rtt, err := ping(ctx, relayed, peers, to)
	if err != nil {
		return 0, fmt.Errorf("%w: %w", errThrough, err)
	}
	return rtt, nil
}

// peersFor are the addresses of the media port, in the order of how likely the relay leads
// there: to one of each family (PROTOCOL.md, "TURN"). That of the connection to the relay
// is preferred, as browsers do.
func peersFor(addrs []netip.AddrPort, relay net.Addr) []netip.AddrPort {
	at, _ := netip.ParseAddrPort(relay.String())
	return slices.SortedStableFunc(slices.Values(addrs), func(a, b netip.AddrPort) int {
		return strangeness(a, at) - strangeness(b, at)
	})
}

// strangeness counts what speaks against an address of the media port.
func strangeness(a, relay netip.AddrPort) (n int) {
	if a.Addr().Is4() != relay.Addr().Unmap().Is4() {
		n += 2
	}
	if a.Addr().IsLoopback() {
		n++
	}
	return n
}

// remoteConn is a TCP or TLS connection to a relay in the form that pion's TURN client wants.
type remoteConn struct {
	net.PacketConn

	remote net.Addr
}

func remoteAddrOf(conn net.PacketConn) net.Addr {
	switch c := conn.(type) {
	case *connectedUDP:
		return c.RemoteAddr()
	case *remoteConn:
		return c.remote
	default:
		return conn.LocalAddr()
	}
}

// dialRelay connects to a relay. over is told what ends a UDP socket early.
func (x *examination) dialRelay(ctx context.Context, r relay, over context.CancelCauseFunc) (net.PacketConn, error) {
	ctx, cancel := context.WithTimeout(ctx, connectTimeout)
	defer cancel()
	hostPort := net.JoinHostPort(r.uri.Host, r.port)
	network := "tcp"
	if r.way == wayTURNUDP {
		network = "udp"
	}
	conn, err := new(net.Dialer).DialContext(ctx, network, hostPort)
	if err != nil {
		stage := errConnect
		if _, ok := errors.AsType[*net.DNSError](err); ok {
			stage = errLookup
		}
		return nil, fmt.Errorf("%w: %w", stage, err)
	}
	if udp, ok := conn.(*net.UDPConn); ok {
		return &connectedUDP{udp, over}, nil
	}
	remote := conn.RemoteAddr()
	if r.way == wayTURNTLS {
		config := x.tlsConfig()
		config.ServerName = r.uri.Host
		secure := tls.Client(conn, config)
		if err := secure.HandshakeContext(ctx); err != nil {
			return nil, fmt.Errorf("%w: %w", errTLS, errors.Join(err, conn.Close()))
		}
		conn = secure
	}
	return &remoteConn{turn.NewSTUNConn(conn), remote}, nil
}

// explain puts an error of relayed into words.
func (r relay) explain(err error, to remote, roots *x509.CertPool) (text string, advice []string) {
	refusal, refused := errors.AsType[*stun.TurnError](err)
	certificate, badCertificate := errors.AsType[*tls.CertificateVerificationError](err)
	open := fill(map[string]string{wayTURNUDP: wordsTURNUDP, wayTURNTCP: wordsTURNTCP, wayTURNTLS: wordsTURNTLS}[r.way], "port", r.port)
	switch {
	case badCertificate:
		c := judge(certificate.UnverifiedCertificates, r.uri.Host, roots, time.Now(), time.Time{})
		return "its certificate is " + c.Text, c.Advice
	case refused && (refusal.ErrorCodeAttr.Code == stun.CodeUnauthorized || refusal.ErrorCodeAttr.Code == stun.CodeStaleNonce):
		return fmt.Sprintf("refused with %d", refusal.ErrorCodeAttr.Code), []string{fill(wordsTURNRefused, "url", r.url)}
	case refused:
		return fmt.Sprintf("refused with %d", refusal.ErrorCodeAttr.Code),
			[]string{"The way to the relay is open, but it has no room, or no address of the wanted kind. Try again in a minute, and look at the server's log."}
	case errors.Is(err, errThrough):
		return errThrough.Error(), []string{fill(wordsTURNSilent, "url", r.url, "port", joinPorts(to.addrs))}
	case errors.Is(err, errLookup):
		return r.uri.Host + " cannot be looked up", []string{"It is the name under which the page was opened, or that of --turn-url. Its DNS record must lead to the relay."}
	case errors.Is(err, syscall.ECONNREFUSED):
		return "the port is closed", []string{open}
	case r.shared && (errors.Is(err, errTLS) || errors.Is(err, errAllocate)):
		transport := "TCP"
		if r.way == wayTURNTLS {
			transport = "TLS"
		}
		return "the port answers, but not as a relay", []string{fill(wordsTURNPage, "port", r.port, "transport", transport)}
	case errors.Is(err, errConnect) || errors.Is(err, errAllocate):
		return "nothing comes back", []string{open}
	default:
		return innermost(err), []string{open}
	}
}

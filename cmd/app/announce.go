package app

import (
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/pion/stun/v4"

	"github.com/mini-livechat/mini-livechat/signaling"
)

// announceAuto stands in --announce for the addresses by which the machine reaches others.
const announceAuto = "auto"

// announcement is one value of --announce: an address, or how it is found out.
type announcement struct {
	auto bool
	// stun is a STUN server's host and port, "" for none.
	stun string
	// at is where clients reach the media port; port 0 is that of the socket.
	at netip.AddrPort
}

func parseAnnouncement(s string) (announcement, error) {
	if s == announceAuto {
		return announcement{auto: true}, nil
	}
	if strings.HasPrefix(s, "stun:") {
		uri, err := stun.ParseURI(s)
		if err != nil || hostOf(uri.Host) == "" || uri.Port <= 0 || uri.Port > 1<<16-1 {
			return announcement{}, badValue("announce", s, "must name a STUN server as stun:host or stun:host:port")
		}
		return announcement{stun: net.JoinHostPort(uri.Host, strconv.Itoa(uri.Port))}, nil
	}
	at, err := netip.ParseAddrPort(s)
	if err != nil {
		addr, _ := netip.ParseAddr(s)
		at = netip.AddrPortFrom(addr, 0)
	} else if at.Port() == 0 {
		at = netip.AddrPort{}
	}
	if at = netip.AddrPortFrom(at.Addr().Unmap(), at.Port()); !reachable(at.Addr()) || at.Addr().Zone() != "" {
		return announcement{}, badValue("announce", s,
			"must be auto, or an IP address at which clients reach the media port, such as 203.0.113.7, or 203.0.113.7:20000 where it has another port there, or a STUN server, such as stun:stun.example.org")
	}
	return announcement{at: at}, nil
}

// reachable reports whether an address can be another machine's, or this machine's own.
func reachable(addr netip.Addr) bool { return addr.IsGlobalUnicast() || addr.IsLoopback() }

// announcer knows at which addresses clients reach the media port. Its methods may be
// called from any goroutine.
type announcer struct {
	// bound is the media port's socket; its address may be that of all interfaces.
	bound    netip.AddrPort
	announce []announcement
	// outbound is the package's function, but in tests.
	outbound func(far netip.AddrPort) netip.Addr

	learned learned
}

// newAnnouncer takes a configuration that is valid.
func newAnnouncer(cfg Config, bound netip.AddrPort) (*announcer, error) {
	a := &announcer{bound: netip.AddrPortFrom(bound.Addr().Unmap(), bound.Port()), outbound: outbound}
	for _, s := range cfg.Announce {
		one, err := parseAnnouncement(s)
		if err != nil {
			return nil, err
		}
		a.announce = append(a.announce, one)
	}
	if len(a.announce) == 0 {
		a.announce = []announcement{{auto: true}}
	}
	return a, nil
}

// addrs are the addresses at which a client reaches the media port: by which it already
// knows the server, and what is announced to everybody. An address of another interface is
// not among them, but on a machine that has no way to others and whose client does not say
// how it came: then all are.
func (a *announcer) addrs(via signaling.Arrival) (known, announced []netip.AddrPort) {
	known, announced = a.usable(a.known(via)), a.usable(a.announced(via))
	if len(known)+len(announced) == 0 {
		announced = a.usable(interfaceAddrs())
	}
	return known, announced
}

// mediaAddrs is addrs for a client's candidates.
func (a *announcer) mediaAddrs(via signaling.Arrival) []netip.AddrPort {
	known, announced := a.addrs(via)
	return distinct(append(known, announced...))
}

// relayAddrs is addrs for a client's relay: what the server says itself comes before what
// the client claims to know.
func (a *announcer) relayAddrs(via signaling.Arrival) []netip.AddrPort {
	known, announced := a.addrs(via)
	return distinct(append(announced, known...))
}

// known is the address in the URL that the client has used, so not one that it would not
// know. It is not asked whether it is one of this machine: where ports are forwarded, as
// to containers, it is not.
func (a *announcer) known(via signaling.Arrival) []netip.AddrPort {
	if !a.bound.Addr().IsUnspecified() {
		return nil
	}
	host := hostOf(via.Host)
	addr, err := netip.ParseAddr(host)
	switch addr = addr.Unmap(); {
	case strings.EqualFold(host, "localhost"), err == nil && addr.IsLoopback():
		// This machine, or the one that a container is on. Not all clients use IPv6 there.
		known := []netip.AddrPort{a.at(netip.AddrFrom4([4]byte{127, 0, 0, 1}))}
		if via.Local.Addr().IsLoopback() {
			known = append(known, a.at(via.Local.Addr()))
		}
		return known
	case err == nil && reachable(addr):
		return []netip.AddrPort{a.at(addr)}
	default:
		return nil
	}
}

// announced is what --announce says.
func (a *announcer) announced(via signaling.Arrival) []netip.AddrPort {
	var all []netip.AddrPort
	for _, one := range a.announce {
		switch {
		case one.stun != "":
			all = append(all, a.learned.of(one.stun, a.bound.Port())...)
		case !one.auto && one.at.Port() == 0:
			all = append(all, a.at(one.at.Addr()))
		case !one.auto:
			all = append(all, one.at)
		case !a.bound.Addr().IsUnspecified():
			all = append(all, a.bound)
		default:
			all = append(all, a.auto(via.Local.Addr())...)
		}
	}
	return all
}

// Far addresses: those of a.root-servers.net, which every route to the Internet leads to.
//
//nolint:gochecknoglobals // constants
var (
	farV4 = netip.MustParseAddrPort("198.41.0.4:53")
	farV6 = netip.MustParseAddrPort("[2001:503:ba3e::2:30]:53")
)

// auto finds the addresses by which this machine reaches the Internet now, one of each
// family. In a family without a way there it is the one at which the client's own connection
// arrived.
func (a *announcer) auto(arrived netip.Addr) []netip.AddrPort {
	var found []netip.AddrPort
	for _, far := range []netip.AddrPort{farV4, farV6} {
		addr := a.outbound(far)
		if !addr.IsValid() && arrived.Is4() == far.Addr().Is4() && arrived.IsGlobalUnicast() {
			addr = arrived.WithZone("")
		}
		if addr.IsValid() {
			found = append(found, a.at(addr))
		}
	}
	return found
}

// outbound returns the address that what goes to a far one leaves from, or one that is not
// valid when there is no way. It sends nothing: connecting a UDP socket only looks up the
// route, which takes some microseconds, so that a machine may change networks at any time.
func outbound(far netip.AddrPort) netip.Addr {
	conn, err := net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(far))
	if err != nil {
		return netip.Addr{}
	}
	defer conn.Close() //nolint:errcheck // nothing was written
	local, ok := conn.LocalAddr().(*net.UDPAddr)
	if !ok || !local.AddrPort().Addr().IsGlobalUnicast() {
		return netip.Addr{}
	}
	return local.AddrPort().Addr().Unmap().WithZone("")
}

// interfaceAddrs are the addresses of this machine, without link-local ones, which need a
// zone.
func interfaceAddrs() []netip.AddrPort {
	all, _ := net.InterfaceAddrs()
	var found []netip.AddrPort
	for _, a := range all {
		if prefix, err := netip.ParsePrefix(a.String()); err == nil && reachable(prefix.Addr()) {
			found = append(found, netip.AddrPortFrom(prefix.Addr().Unmap(), 0))
		}
	}
	return found
}

// at is an address with the media port.
func (a *announcer) at(addr netip.Addr) netip.AddrPort {
	return netip.AddrPortFrom(addr, a.bound.Port())
}

// usable are the addresses that packets of the socket's family reach.
func (a *announcer) usable(addrs []netip.AddrPort) []netip.AddrPort {
	var usable []netip.AddrPort
	for _, addr := range addrs {
		if addr.Port() == 0 {
			addr = a.at(addr.Addr())
		}
		if a.takes(addr.Addr()) {
			usable = append(usable, addr)
		}
	}
	return usable
}

// takes reports whether the socket is of an address's family; [::] is of both.
func (a *announcer) takes(addr netip.Addr) bool {
	return a.bound.Addr() == netip.IPv6Unspecified() || a.bound.Addr().Is4() == addr.Is4()
}

// loopbacks are where this machine reaches the media port, of each family that clients are
// told of.
func (a *announcer) loopbacks() []netip.AddrPort {
	if !a.bound.Addr().IsUnspecified() {
		return []netip.AddrPort{a.bound}
	}
	var found []netip.AddrPort
	for _, addr := range []netip.Addr{netip.AddrFrom4([4]byte{127, 0, 0, 1}), netip.IPv6Loopback()} {
		told := slices.ContainsFunc(a.announce, func(one announcement) bool {
			return one.auto || one.stun != "" || one.at.Addr().Is4() == addr.Is4()
		})
		if told && a.takes(addr) {
			found = append(found, a.at(addr))
		}
	}
	return found
}

// distinct leaves out what came before.
func distinct(addrs []netip.AddrPort) []netip.AddrPort {
	var found []netip.AddrPort
	for _, addr := range addrs {
		if !slices.Contains(found, addr) {
			found = append(found, addr)
		}
	}
	return found
}

// String lists what is announced to a client that comes from afar, for the log.
func (a *announcer) String() string {
	return fmt.Sprint(a.mediaAddrs(signaling.Arrival{}))
}

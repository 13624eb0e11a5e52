package app

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"go.uber.org/zap"
	"golang.org/x/time/rate"
)

// acceptLogInterval is how often at most it is logged that connections cannot be accepted:
// it fails many times a second as long as the cause lasts.
const acceptLogInterval = time.Minute

// acceptTrouble logs why connections cannot be accepted. Its method may be called from any
// goroutine.
type acceptTrouble struct {
	log       *zap.Logger
	sometimes rate.Sometimes
	// now is what it is, or nil; none is left over from a time before the last connection.
	now atomic.Pointer[error]
}

func newAcceptTrouble(log *zap.Logger) *acceptTrouble {
	return &acceptTrouble{log: log, sometimes: rate.Sometimes{Interval: acceptLogInterval}}
}

// note takes an error of Accept that is not the end.
func (t *acceptTrouble) note(err error) {
	if t == nil {
		return
	}
	text := "cannot accept connections; trying again"
	if outOfDescriptors(err) {
		text = "out of file descriptors, so that nobody can connect; allow more (LimitNOFILE= of systemd, ulimit -n)"
	}
	t.now.Store(new(fmt.Errorf("%s: %w", text, err)))
	t.sometimes.Do(func() { t.log.Warn(text, zap.Error(err)) })
}

// over notes that a connection was accepted.
func (t *acceptTrouble) over() {
	if t != nil && t.now.Load() != nil {
		t.now.Store(nil)
	}
}

// Trouble returns why nobody can connect at present, or nil.
func (t *acceptTrouble) Trouble() error {
	if err := t.now.Load(); err != nil {
		return *err
	}
	return nil
}

func outOfDescriptors(err error) bool {
	return errors.Is(err, syscall.EMFILE) || errors.Is(err, syscall.ENFILE)
}

// OtherURLs are where other machines open the page: where the node is said to be or, when it is served on all interfaces and not by a name,
// at their addresses.
func (a *App) OtherURLs() []string {
	if a.cfg.Cluster.URL != "" {
		return []string{canonicalOrigin(a.cfg.Cluster.URL)}
	}
	l := a.ports[0].listener
	addr, ok := l.Addr().(*net.TCPAddr)
	if !ok || len(a.cfg.Domain) > 0 || !addr.AddrPort().Addr().IsUnspecified() {
		return nil
	}
	scheme, usual := "http", httpDefaultPort
	if a.ports[0].tls != nil {
		scheme, usual = "https", httpsDefaultPort
	}
	var urls []string
	for _, own := range interfaceAddrs() {
		if !own.Addr().IsLoopback() && (own.Addr().Is4() || addr.AddrPort().Addr().Is6()) {
			urls = append(urls, scheme+"://"+joinPort(own.Addr().String(), addr.Port, usual))
		}
	}
	return urls
}

// warnings are what is allowed but probably not meant.
func (a *App) warnings() []string {
	var all []string
	if len(a.cfg.Channels) == 0 {
		all = append(all, "--channels is empty: there is no channel until somebody creates one")
	}
	behind := strings.HasPrefix(a.cfg.Cluster.URL, "https://") // a proxy with HTTPS
	if bound, ok := a.ports[0].listener.Addr().(*net.TCPAddr); ok && a.ports[0].tls == nil && !bound.IP.IsLoopback() && !behind {
		all = append(all, "without HTTPS browsers on other machines give no microphone: get a certificate with --domain, bring one with --tls-cert and --tls-key, or put a proxy with HTTPS in front")
	}
	for _, one := range a.announcer.announce {
		if at := one.at.Addr(); at.IsValid() && !public(at) {
			all = append(all, "--announce="+at.String()+" is a private address, which only clients in the same network reach: announce the public one as well, or a STUN server, such as stun:stun.example.org, to be told it")
		}
	}
	return all
}

// public reports whether the Internet has a way to an address.
func public(addr netip.Addr) bool {
	// RFC 6598, section 7: between a provider's NAT and its customers.
	shared := netip.MustParsePrefix("100.64.0.0/10")
	return addr.IsGlobalUnicast() && !addr.IsPrivate() && !shared.Contains(addr)
}

// PageURL is where a server that is set up like this has its page, without a slash at the
// end: at its domain, or else where this machine finds it.
func PageURL(domains []string, listen string) string {
	if len(domains) > 0 {
		return "https://" + domains[0]
	}
	host, port, err := net.SplitHostPort(listen)
	if err != nil {
		return "http://" + DefaultHTTP
	}
	if addr, err := netip.ParseAddr(host); host == "" || err == nil && addr.IsUnspecified() {
		host = netip.AddrFrom4([4]byte{127, 0, 0, 1}).String()
	}
	number, _ := strconv.Atoi(port)
	return "http://" + joinPort(host, number, httpDefaultPort)
}

package httpapi

import (
	"cmp"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/mini-livechat/mini-livechat/signaling/protocol"
	"github.com/mini-livechat/mini-livechat/signaling/tally"
)

const (
	// sitesInterval is how long a refused site that was logged is not logged again, and
	// maxSites how many are logged in that time; the tally counts them all.
	sitesInterval = time.Hour
	maxSites      = 20
	// maxQuoted is how much of a header is repeated to people, in bytes; a host name has 253.
	maxQuoted = 300
)

// Sites decides which web pages may use the server, by the Origin that browsers send (RFC
// 6454, section 7), and under which names. Programs that are no browsers send no Origin and
// may.
//
// A page may when its origin is listed, or is that of the request itself: the same scheme,
// host and port. Behind a proxy only the browser and the proxy know the scheme. Where neither
// TLS nor a header says https, pages of both schemes may. A header that says https forbids
// those of http, which somebody on the network could have made up. So a forged one lets
// nobody in; and browsers let no page forge one, or Host, towards another site.
type Sites struct {
	// AllowOrigin lists origins besides the server's own, as browsers write them.
	AllowOrigin []string
	// Nodes returns the URLs of the server's other nodes, whose pages may come here when theirs is gone. Nil: there are none.
	Nodes func() []string
	// Secure: the requests come over TLS.
	Secure bool
	// LoopbackOnly: the server is open only because nobody but this machine's own users
	// reaches it. Then it must be asked by a name of this machine, or one of Names or of
	// AllowOrigin. A page of a stranger whose name leads to 127.0.0.1 (DNS rebinding) has the
	// same origin as the server, but not its name.
	LoopbackOnly bool
	// Names are host names of the server.
	Names []string
	Tally *tally.Tally
	Log   *zap.Logger

	mu     sync.Mutex // guards the fields below
	logged map[string]struct{}
	since  time.Time
}

// site is an origin: where a page is from (RFC 6454, section 4). The port is never left out.
type site struct{ scheme, host, port string }

// Guard returns next behind the decision. What is refused is answered with 403 and a [Problem].
func (s *Sites) Guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		reason := s.judge(r)
		if reason == "" {
			next.ServeHTTP(w, r)
			return
		}
		s.report(r, reason)
		w.Header().Set("Cache-Control", "no-store")
		w.Header().Add("Vary", "Origin")
		refuse(w, s.Log, http.StatusForbidden, protocol.CodeSiteRefused, reason)
	})
}

// judge returns why a request is refused, "" when it is not.
func (s *Sites) judge(r *http.Request) string {
	origin := r.Header.Get("Origin")
	from, known := parseOrigin(origin)
	if s.LoopbackOnly && !s.isOurs(r.Host) {
		allow := "its origin with --allow-origin"
		if known {
			allow = "--allow-origin=" + origin
		}
		return fmt.Sprintf("the Host %s is no name of this machine, and the server is open to guests only because it listens on loopback"+
			"%s: start it with --allow-guests or --no-allow-guests when a proxy makes it public, or name the page with %s",
			quoted(r.Host), forOrigin(origin), allow)
	}
	if origin == "" || known && s.listed(from) {
		return ""
	}
	if known && s.isOwn(from, r) {
		if s.mayBeRebound(from.host, r) {
			return fmt.Sprintf("the page's Origin %s may be that of a stranger whose name leads to this network, where the request's Host %s "+
				"was asked: start the server with --allow-origin=%s if the name is yours", quoted(origin), quoted(r.Host), clipped(origin))
		}
		return ""
	}
	reason := fmt.Sprintf("the page's Origin %s is not the server's own, to which the request's Host %s belongs", quoted(origin), quoted(r.Host))
	if !known {
		return reason + ", and none that --allow-origin can name"
	}
	return fmt.Sprintf("%s: let the proxy pass the Host header on as it is, or start the server with --allow-origin=%s", reason, clipped(origin))
}

// mayBeRebound reports whether a request that no proxy passed on reached a private address under a name that somebody out there
// may own, and without TLS, which would tell. A page can lead its own name into the network of whoever looks at it (DNS
// rebinding), and is then of the server's origin. A proxy shows itself by headers that a page cannot set on a WebSocket.
func (s *Sites) mayBeRebound(host string, r *http.Request) bool {
	local, ok := r.Context().Value(http.LocalAddrContextKey).(*net.TCPAddr)
	if s.Secure || !ok || !strings.Contains(host, ".") || s.isOurs(r.Host) {
		return false
	}
	if _, err := netip.ParseAddr(host); err == nil {
		return false
	}
	for _, name := range []string{"Forwarded", "X-Forwarded-For", "Via"} {
		if r.Header.Get(name) != "" {
			return false
		}
	}
	addr := local.AddrPort().Addr().Unmap()
	if !addr.IsPrivate() && !addr.IsLoopback() && !addr.IsLinkLocalUnicast() {
		return false
	}
	return !slices.Contains(homeNames, host[strings.LastIndexByte(host, '.')+1:])
}

// homeNames are the top-level domains under which nobody can register a name (RFC 6761, 6762 and 8375, and ICANN's internal), and
// the one that routers like to make up.
//
//nolint:gochecknoglobals // a constant in all but the language
var homeNames = []string{"local", "localhost", "test", "arpa", "internal", "lan"}

// isOwn reports whether a page comes from where the request goes to.
func (s *Sites) isOwn(from site, r *http.Request) bool {
	if from.scheme != "https" && (s.Secure || ForwardedSecure(r.Header)) {
		return false
	}
	to, ok := parseHost(from.scheme, r.Host)
	return ok && from == to
}

func (s *Sites) listed(from site) bool {
	for _, allowed := range s.AllowOrigin {
		if one, ok := parseOrigin(allowed); ok && one == from {
			return true
		}
	}
	if s.Nodes == nil {
		return false
	}
	for _, node := range s.Nodes() {
		if u, err := url.Parse(node); err == nil {
			if one, ok := parseHost(u.Scheme, u.Host); ok && one == from {
				return true
			}
		}
	}
	return false
}

// isOurs reports whether a Host is a name of this machine that no stranger's DNS can have led
// here (localhost: RFC 6761, section 6.3), or one that the operator gave.
func (s *Sites) isOurs(host string) bool {
	to, ok := parseHost("http", host)
	if !ok {
		return false
	}
	if to.host == "localhost" || strings.HasSuffix(to.host, ".localhost") {
		return true
	}
	if addr, err := netip.ParseAddr(to.host); err == nil && addr.Unmap().IsLoopback() {
		return true
	}
	for _, name := range s.Names {
		if strings.EqualFold(name, to.host) {
			return true
		}
	}
	for _, allowed := range s.AllowOrigin {
		if one, ok := parseOrigin(allowed); ok && one.host == to.host {
			return true
		}
	}
	return false
}

// report counts a refusal, and logs the first of each Origin and Host.
func (s *Sites) report(r *http.Request, reason string) {
	s.Tally.Count("site_refused")
	origin, host := clipped(r.Header.Get("Origin")), clipped(r.Host)
	if s.isNew(origin+" "+host, time.Now()) {
		s.Log.Warn("a web page is refused; more of the same are only counted", zap.String("path", r.URL.Path),
			zap.String("origin", origin), zap.String("host", host), zap.String("reason", reason))
	}
}

func (s *Sites) isNew(key string, now time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.logged == nil || now.Sub(s.since) >= sitesInterval {
		s.logged, s.since = make(map[string]struct{}), now
	}
	if _, known := s.logged[key]; known || len(s.logged) >= maxSites {
		return false
	}
	s.logged[key] = struct{}{}
	return true
}

// parseOrigin reads an Origin header. It is not ok for those that are no web site's, such as
// "null".
func parseOrigin(origin string) (site, bool) {
	u, err := url.Parse(origin)
	if err != nil || u.User != nil || u.Path != "" || u.RawQuery != "" || u.Fragment != "" || u.Opaque != "" {
		return site{}, false
	}
	return parseHost(u.Scheme, u.Host)
}

// parseHost reads a Host header (RFC 9110, section 7.2), whose port may be left out when it is
// the scheme's own (sections 4.2.1 and 4.2.2).
func parseHost(scheme, hostPort string) (site, bool) {
	usual, ok := map[string]string{"http": "80", "https": "443"}[scheme]
	u := url.URL{Host: hostPort}
	host, port := strings.ToLower(strings.TrimSuffix(u.Hostname(), ".")), cmp.Or(u.Port(), usual)
	if _, err := strconv.ParseUint(port, 10, 16); err != nil || host == "" || strings.ContainsAny(host, "/@\\ ,") {
		return site{}, false
	}
	return site{scheme, host, port}, ok
}

// ForwardedSecure reports whether a proxy says that its client came over TLS (RFC 7239,
// section 5.4; common practice). Of several proxies the first is the one that the client met;
// Traefik says wss of a WebSocket.
func ForwardedSecure(h http.Header) bool {
	first, _, _ := strings.Cut(h.Get("Forwarded"), ",")
	for pair := range strings.SplitSeq(first, ";") {
		name, value, _ := strings.Cut(strings.TrimSpace(pair), "=")
		if strings.EqualFold(name, "proto") && strings.EqualFold(strings.Trim(value, `"`), "https") {
			return true
		}
	}
	first, _, _ = strings.Cut(h.Get("X-Forwarded-Proto"), ",")
	first = strings.TrimSpace(first)
	return strings.EqualFold(first, "https") || strings.EqualFold(first, "wss")
}

func forOrigin(origin string) string {
	if origin == "" {
		return ""
	}
	return " (the page's Origin is " + quoted(origin) + ")"
}

func quoted(header string) string { return strconv.QuoteToASCII(clipped(header)) }

func clipped(header string) string {
	if len(header) > maxQuoted {
		return header[:maxQuoted] + "…"
	}
	return header
}

package doctor

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

const (
	nameAddress = "Address"
	nameHTTPS   = "HTTPS"
	namePage    = "Page"
	// nameMicrophone is the check that is there only when something is wrong.
	nameMicrophone = "Microphone"
	nameClock      = "Clock"

	// pageBytes is how much of the page is read: its head.
	pageBytes = 64 << 10
	// pageTitle tells the page from others.
	pageTitle = "<title>Mini LiveChat</title>"
	// clockSkew is how far clocks may be apart: what nobody notices, and tokens forgive.
	clockSkew = time.Minute
)

// site is what was found out about one URL.
type site struct {
	checks []Check
	moved  *url.URL // not nil: the page is there, and nothing else counts
	ok     bool     // the page is here
}

func (s *site) add(c Check) { s.checks = append(s.checks, c) }

// site checks the name, the port, the certificate, the page and the clock.
func (x *examination) site(ctx context.Context) site {
	var s site
	host, port := x.base.Hostname(), portOf(x.base)
	addrs, check := lookUp(ctx, host)
	if addrs == nil {
		s.add(check)
		return s
	}
	x.addrs = addrs
	reached, check := reach(ctx, host, port, addrs)
	s.add(check)
	if !reached.IsValid() {
		return s
	}
	here := time.Now()
	answer, err := x.get(ctx, reached)
	if err != nil {
		s.add(x.noPage(err))
		return s
	}
	if to := answer.location(x.base); to != nil {
		s.moved = to
		return s
	}
	secure := x.security(answer, here)
	s.add(secure)
	page := answer.page()
	s.add(page)
	if page.Status == Good && answer.policy != "" {
		s.add(Check{nameMicrophone, Warning, "the page's headers forbid it", []string{fill(wordsPolicy, "header", answer.policy)}})
	}
	s.add(clock(answer.date, here, time.Now()))
	s.ok = page.Status != Failed && secure.Status != Failed
	return s
}

// lookUp finds the addresses of a host. Without any the check says why.
func lookUp(ctx context.Context, host string) ([]netip.Addr, Check) {
	ctx, cancel := context.WithTimeout(ctx, lookupTimeout)
	defer cancel()
	addrs, err := net.DefaultResolver.LookupNetIP(ctx, "ip", host)
	if err == nil && len(addrs) > 0 {
		for i := range addrs {
			addrs[i] = addrs[i].Unmap()
		}
		slices.SortFunc(addrs, netip.Addr.Compare)
		return slices.Compact(addrs), Check{}
	}
	failed := Check{Name: nameAddress, Status: Failed, Text: host + " cannot be looked up"}
	if dns, ok := errors.AsType[*net.DNSError](err); ok && dns.IsNotFound {
		failed.Text = host + " is the name of no machine"
		failed.Advice = []string{"Is it spelled right? Otherwise let its DNS record lead to the server: an A record to its public IPv4 address, an AAAA record to its IPv6 address."}
		return nil, failed
	}
	failed.Advice = []string{"No name server answers. Is this machine on the network?"}
	return nil, failed
}

// reach connects to a TCP port at all addresses of a host, and returns the first, in their
// order, that accepted; it is not valid when none did.
func reach(ctx context.Context, host, port string, addrs []netip.Addr) (netip.AddrPort, Check) {
	ctx, cancel := context.WithTimeout(ctx, connectTimeout)
	defer cancel()
	errs := make([]error, len(addrs))
	var dialing sync.WaitGroup
	for i, addr := range addrs {
		dialing.Go(func() {
			var conn net.Conn
			if conn, errs[i] = new(net.Dialer).DialContext(ctx, "tcp", net.JoinHostPort(addr.String(), port)); errs[i] == nil {
				_ = conn.Close()
			}
		})
	}
	dialing.Wait()
	var good netip.AddrPort
	var answering, silent []string
	for i, addr := range addrs {
		if errs[i] != nil {
			silent = append(silent, addr.String())
			continue
		}
		answering = append(answering, addr.String())
		if !good.IsValid() {
			good = netip.MustParseAddrPort(net.JoinHostPort(addr.String(), port))
		}
	}
	text := strings.Join(answering, ", ") + ", TCP port " + port
	switch {
	case len(answering) == 0:
		return good, unreachable(port, addrs, errs)
	case len(silent) > 0 && !isLoopback(host): // localhost has two addresses, of which servers use one
		return good, Check{nameAddress, Warning, text + "; nothing answers at " + strings.Join(silent, ", "), []string{
			fmt.Sprintf("%s leads to %s too, where TCP port %s does not answer: open it there, or take that address out of the DNS. Until then some people wait, or do not get in.",
				host, strings.Join(silent, ", "), port),
		}}
	default:
		return good, Check{Name: nameAddress, Status: Good, Text: text}
	}
}

// unreachable is the check when no address accepted.
func unreachable(port string, addrs []netip.Addr, errs []error) Check {
	where := make([]string, len(addrs))
	for i, addr := range addrs {
		where[i] = addr.String()
	}
	c := Check{Name: nameAddress, Status: Failed, Text: fmt.Sprintf("nothing answers at %s, TCP port %s", strings.Join(where, ", "), port)}
	if slices.ContainsFunc(errs, func(err error) bool { return errors.Is(err, syscall.ECONNREFUSED) }) {
		c.Text = fmt.Sprintf("%s refuses connections to TCP port %s", strings.Join(where, ", "), port)
		c.Advice = []string{fmt.Sprintf("The machine is there, but nothing listens. Is the server running, and is its port %s? "+
			"With --http=127.0.0.1:%s it listens to its own machine only; --http=:%s is every address.", port, port, port)}
		return c
	}
	c.Advice = []string{fmt.Sprintf("Is the server running at that address? Then allow TCP port %s in to it: in its firewall, at its provider, "+
		"and forwarded by its router if it is behind one.", port)}
	return c
}

// answer is what came for the page.
type answer struct {
	status    int
	server    string // what answered, in its own words
	body      string
	date      time.Time // by the server's clock; zero: unknown
	chain     []*x509.Certificate
	relocated string // Location of a redirect, as it stands in the header
	policy    string // the header that forbids browsers the microphone, "" for none
}

// errHandshake is why there was no answer over TLS in time.
var errHandshake = errors.New("the TLS handshake does not come to its end")

// get fetches the page from one address. It shows whatever certificate there is and sends
// nothing that is secret.
func (x *examination) get(ctx context.Context, at netip.AddrPort) (*answer, error) {
	ctx, cancel := context.WithTimeout(ctx, answerTimeout)
	defer cancel()
	transport := &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "tcp", at.String())
		},
		TLSClientConfig: &tls.Config{
			ServerName: x.base.Hostname(), MinVersion: tls.VersionTLS12, NextProtos: []string{"http/1.1"},
			InsecureSkipVerify: true, //nolint:gosec // judge verifies it, and says what is wrong with it
		},
	}
	hc := &http.Client{
		Transport:     transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	shaken := atomic.Bool{}
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		TLSHandshakeDone: func(tls.ConnectionState, error) { shaken.Store(true) },
	})
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, x.base.String()+"/", http.NoBody)
	if err != nil {
		return nil, fmt.Errorf("get the page: %w", err)
	}
	resp, err := hc.Do(req)
	if err != nil {
		if x.base.Scheme == "https" && !shaken.Load() && errors.Is(err, context.DeadlineExceeded) {
			err = fmt.Errorf("%w: %w", errHandshake, err)
		}
		return nil, fmt.Errorf("get the page: %w", err)
	}
	defer resp.Body.Close() //nolint:errcheck // read or given up
	a := &answer{status: resp.StatusCode, server: resp.Header.Get("Server"), relocated: resp.Header.Get("Location")}
	a.policy = forbiddingPolicy(resp.Header, x.base)
	a.date, _ = http.ParseTime(resp.Header.Get("Date")) // the zero time when there is none
	if resp.TLS != nil {
		a.chain = resp.TLS.PeerCertificates
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, pageBytes))
	a.body = string(body)
	if err != nil && a.body == "" {
		return nil, fmt.Errorf("get the page: %w", err)
	}
	return a, nil
}

// noPage is the check when there was no HTTP answer.
func (x *examination) noPage(err error) Check {
	port := portOf(x.base)
	alert, alerted := errors.AsType[tls.AlertError](err)
	_, noTLS := errors.AsType[tls.RecordHeaderError](err)
	switch {
	case alerted || strings.Contains(err.Error(), "remote error: tls:"):
		text := "the server has no certificate to show"
		if alerted {
			text += " (" + alert.Error() + ")"
		}
		return Check{nameCertificate, Failed, text, []string{adviceNoCertificate(x.base.Hostname())}}
	case noTLS || strings.Contains(err.Error(), "server gave HTTP response to HTTPS client"):
		return Check{nameHTTPS, Failed, "TCP port " + port + " speaks plain HTTP, not HTTPS", []string{
			fmt.Sprintf("Here it is http://%s. ", x.base.Host) + wordsInsecure,
		}}
	case errors.Is(err, errHandshake):
		return Check{nameCertificate, Failed, "TCP port " + port + " accepts connections but does not get through the TLS handshake", []string{
			fmt.Sprintf("With --domain=%s the server gets its certificate when it is first asked for: its log says what of that fails. "+
				"The certificate authority must reach its TCP port 443 under that name, and the server the authority. "+
				"Otherwise, is another program on that port?", x.base.Hostname()),
		}}
	case errors.Is(err, context.DeadlineExceeded):
		return Check{namePage, Failed, "TCP port " + port + " accepts connections but does not answer", []string{
			"Is another program on that port? Otherwise the server is overloaded or hangs: look at its log.",
		}}
	default:
		return Check{namePage, Failed, "no HTTP answer: " + innermost(err), []string{
			"Is another program on TCP port " + port + ", or is the port one of HTTPS?",
		}}
	}
}

// innermost is the text of the error at the bottom, which speaks for itself.
func innermost(err error) string {
	for {
		next := errors.Unwrap(err)
		if next == nil {
			return err.Error()
		}
		err = next
	}
}

// location is where a redirect leads, nil when the answer is none.
func (a *answer) location(from *url.URL) *url.URL {
	if a.status < 300 || a.status > 399 || a.relocated == "" {
		return nil
	}
	to, err := from.Parse(a.relocated)
	if err != nil {
		return nil
	}
	to, err = parse(to.String())
	if err != nil || to.String() == from.String() {
		return nil
	}
	return to
}

// security judges the certificate, or says what its lack means.
func (x *examination) security(a *answer, now time.Time) Check {
	switch {
	case x.base.Scheme == "https":
		return judge(a.chain, x.base.Hostname(), x.opts.Roots, now, a.date)
	case isLoopback(x.base.Hostname()):
		return Check{Name: nameHTTPS, Status: Good, Text: "not needed on this machine"}
	default:
		return Check{nameHTTPS, Warning, "plain HTTP: browsers can listen but not talk", []string{wordsInsecure}}
	}
}

// page says whether the answer is Mini LiveChat's.
func (a *answer) page() Check {
	switch {
	case a.status == http.StatusOK && strings.Contains(a.body, pageTitle):
		return Check{Name: namePage, Status: Good, Text: "Mini LiveChat"}
	case a.status == http.StatusBadGateway || a.status == http.StatusServiceUnavailable || a.status == http.StatusGatewayTimeout:
		return Check{namePage, Failed, fmt.Sprintf("the reverse proxy answers %d", a.status), []string{
			"The proxy does not reach Mini LiveChat behind it. Is the server running, and is the proxy told the address of its --http?",
		}}
	}
	text := fmt.Sprintf("another web server answers, with status %d", a.status)
	if a.server != "" {
		text += " (" + a.server + ")"
	}
	return Check{namePage, Failed, text, []string{
		"Mini LiveChat is not at this address. Is the port right? A reverse proxy must pass this host and path on to it.",
	}}
}

// clock compares the server's clock with this machine's, between before and after.
func clock(date, before, after time.Time) Check {
	if date.IsZero() {
		return Check{Name: nameClock, Status: Skipped, Text: "the server does not say what time it is"}
	}
	var skew time.Duration // of this machine
	switch {
	case before.Sub(date) > clockSkew:
		skew = before.Sub(date)
	case date.Sub(after) > clockSkew:
		skew = after.Sub(date)
	default:
		return Check{Name: nameClock, Status: Good, Text: "right, compared with the server's"}
	}
	direction := "ahead of"
	if skew < 0 {
		direction, skew = "behind", -skew
	}
	return Check{nameClock, Warning, fmt.Sprintf("%s %s the server's", approximately(skew), direction), []string{wordsClock}}
}

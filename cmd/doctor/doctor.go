package doctor

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"strings"
	"time"
	"unicode"
)

// Each step has a time of its own, and all together have one, so that the answer comes
// soon even where everything is dropped. They are long enough for a few retransmissions on
// a bad network.
const (
	wholeTimeout   = 10 * time.Second
	lookupTimeout  = 3 * time.Second
	connectTimeout = 3 * time.Second
	answerTimeout  = 3 * time.Second
	mediaTimeout   = 4 * time.Second

	// maxText is how long a text or a sentence is at most, in bytes: longer ones are made
	// by a server that plays tricks.
	maxText = 600
	// maxRedirects is how often one is sent elsewhere: to HTTPS, and to the right name.
	maxRedirects = 5
)

// ErrURL is what is wrong with Options.URL.
var ErrURL = errors.New("not the URL of a server")

// Options say what is looked at. URL is required.
type Options struct {
	// URL is the page's, such as "https://voice.example.org". Without a scheme it is https,
	// and http on this machine.
	URL string
	// Token is somebody's to sign in with. Empty: a guest's, which is asked for. Who it is
	// loses another session that they have.
	Token string
	// Roots are the authorities trusted beside nobody else. Nil: the system's.
	Roots *x509.CertPool
	// OnCheck, if set, is told of each check as soon as it was made, in the order of the
	// report.
	OnCheck func(Check)
}

// Run checks everything and says what it found. It takes about ten seconds at most, and
// no longer than ctx, whose error it returns then. The other errors wrap ErrURL.
func Run(ctx context.Context, opts Options) (Report, error) {
	base, err := parse(opts.URL)
	if err != nil {
		return Report{}, err
	}
	whole, cancel := context.WithTimeout(ctx, wholeTimeout)
	defer cancel()
	x := &examination{opts: opts, base: base, report: Report{URL: base.String(), Checks: []Check{}}}
	x.run(whole)
	if err := ctx.Err(); err != nil {
		return x.report, fmt.Errorf("check the connection: %w", err)
	}
	return x.report, nil
}

// examination is one Run. It belongs to one goroutine.
type examination struct {
	opts   Options
	base   *url.URL // where the page is, without a slash at the end
	addrs  []netip.Addr
	report Report
}

func (x *examination) add(checks ...Check) {
	for _, c := range checks {
		c.Text = printable(c.Text)
		for i := range c.Advice {
			c.Advice[i] = printable(c.Advice[i])
		}
		x.report.Checks = append(x.report.Checks, c)
		if x.opts.OnCheck != nil {
			x.opts.OnCheck(c)
		}
	}
}

func (x *examination) run(ctx context.Context) {
	if !x.findPage(ctx) {
		return
	}
	c := x.connect(ctx)
	if c == nil {
		return
	}
	defer c.Close() //nolint:errcheck // never fails
	x.media(ctx, c)
}

// findPage checks the way to the page, following it when it has moved. It reports whether
// there is a point in going on.
func (x *examination) findPage(ctx context.Context) bool {
	for range maxRedirects {
		found := x.site(ctx)
		if found.moved == nil {
			x.add(found.checks...)
			return found.ok
		}
		x.follow(found.moved)
		x.report.URL = x.base.String()
	}
	x.add(Check{
		Name: namePage, Status: Failed, Text: "moved again and again",
		Advice: []string{"Redirects lead in a circle: look at the reverse proxy's."},
	})
	return false
}

// follow goes where a redirect leads. A token goes to no other machine than its owner said.
func (x *examination) follow(to *url.URL) {
	moved := Check{Name: "Redirect", Status: Good, Text: fmt.Sprintf("%s leads to %s", x.base, to)}
	if x.opts.Token != "" && !strings.EqualFold(to.Hostname(), x.base.Hostname()) {
		x.opts.Token = ""
		moved.Status = Warning
		moved.Advice = []string{fmt.Sprintf("The token is not sent there. If that is the right place, check %s.", to)}
	}
	x.add(moved)
	x.base = to
}

// printable makes what a stranger's server had its say in fit for a terminal.
func printable(text string) string {
	text = strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return unicode.ReplacementChar
		}
		return r
	}, text)
	if len(text) > maxText {
		text = strings.ToValidUTF8(text[:maxText], "") + "…"
	}
	return text
}

// parse makes a URL out of what people write.
func parse(raw string) (*url.URL, error) {
	text := strings.TrimSpace(raw)
	if !strings.Contains(text, "://") {
		scheme := "https://"
		host, _, _ := strings.Cut(text, "/")
		if isLoopback((&url.URL{Host: host}).Hostname()) {
			scheme = "http://"
		}
		text = scheme + text
	}
	u, err := url.Parse(text)
	if err != nil {
		return nil, fmt.Errorf("%q is %w: %w", raw, ErrURL, err)
	}
	switch u.Scheme {
	case "ws":
		u.Scheme = "http"
	case "wss":
		u.Scheme = "https"
	}
	if u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" {
		return nil, fmt.Errorf("%q is %w: it must be like https://voice.example.org", raw, ErrURL)
	}
	// Who copies a link copies its fragment, and perhaps the gateway's path.
	u.Path = strings.TrimSuffix(strings.TrimRight(u.Path, "/"), "/ws")
	u.RawQuery, u.Fragment, u.User, u.RawPath = "", "", nil, ""
	return u, nil
}

// isLoopback reports whether a host is this machine, as browsers see it.
func isLoopback(host string) bool {
	if strings.EqualFold(host, "localhost") || strings.HasSuffix(strings.ToLower(host), ".localhost") {
		return true
	}
	addr, err := netip.ParseAddr(host)
	return err == nil && addr.Unmap().IsLoopback()
}

// portOf is the TCP port of a URL.
func portOf(u *url.URL) string {
	switch {
	case u.Port() != "":
		return u.Port()
	case u.Scheme == "https":
		return "443"
	default:
		return "80"
	}
}

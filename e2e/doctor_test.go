package e2e

import (
	"context"
	"crypto/x509"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/mini-livechat/mini-livechat/cmd/app"
	"github.com/mini-livechat/mini-livechat/cmd/doctor"
	"github.com/mini-livechat/mini-livechat/sfu/porttest"
	"github.com/mini-livechat/mini-livechat/signaling/auth"
)

// examine runs the doctor and checks that it told what it reports, and how long it took.
func examine(t *testing.T, url string, change ...func(*doctor.Options)) doctor.Report {
	t.Helper()
	var told []doctor.Check
	opts := doctor.Options{URL: url, OnCheck: func(c doctor.Check) { told = append(told, c) }}
	for _, f := range change {
		f(&opts)
	}
	begin := time.Now()
	report, err := doctor.Run(t.Context(), opts)
	require.NoError(t, err)
	require.Less(t, time.Since(begin), 11*time.Second+slowMachine)
	require.Equal(t, told, report.Checks)
	for _, c := range report.Checks {
		require.NotEmpty(t, c.Text, c.Name)
		if c.Status == doctor.Warning || c.Status == doctor.Failed {
			require.NotEmpty(t, c.Advice, c.Name)
		} else {
			require.Empty(t, c.Advice, c.Name)
		}
		for _, advice := range c.Advice {
			require.NotRegexp(t, `[{}]|%!`, advice, "all is filled in")
		}
	}
	return report
}

// find returns the report's check whose name begins with name.
func find(t *testing.T, r doctor.Report, name string) doctor.Check {
	t.Helper()
	for _, c := range r.Checks {
		if strings.HasPrefix(c.Name, name) {
			return c
		}
	}
	t.Fatalf("no check %q in %+v", name, r.Checks)
	return doctor.Check{}
}

// complains checks that one check has this status and says all of these words.
func complains(t *testing.T, r doctor.Report, name string, status doctor.Status, words ...string) {
	t.Helper()
	c := find(t, r, name)
	require.Equal(t, status, c.Status, "%+v", r.Checks)
	all := c.Text + "\n" + strings.Join(c.Advice, "\n")
	for _, w := range words {
		require.Contains(t, all, w, name)
	}
}

// trusting makes the doctor trust the authority of certify.
func trusting(t *testing.T, dir string) func(*doctor.Options) {
	t.Helper()
	pem, err := os.ReadFile(filepath.Join(dir, "ca.pem"))
	require.NoError(t, err)
	roots := x509.NewCertPool()
	require.True(t, roots.AppendCertsFromPEM(pem))
	return func(o *doctor.Options) { o.Roots = roots }
}

func TestDoctorAllWell(t *testing.T) {
	verifyNoLeaks(t)
	s := startServer(t)
	report := examine(t, s.URL)
	allWell := func(but string) {
		t.Helper()
		for _, c := range report.Checks {
			switch c.Name {
			case but:
			case "Voice over UDP": // on loopback, which is not for every browser
				require.Contains(t, c.Advice[0], "Firefox takes no loopback address")
			default:
				require.Equal(t, doctor.Good, c.Status, "%+v", c)
			}
		}
	}
	allWell("TURN over TLS") // there is no certificate
	for _, name := range []string{"Address", "HTTPS", "Page", "Clock", "WebSocket", "Sign-in", "Voice over UDP", "TURN over UDP", "TURN over TCP"} {
		find(t, report, name)
	}
	require.True(t, report.Works)
	require.Equal(t, "direct UDP", report.Way)
	require.Contains(t, report.Verdict(), "Voice works from here: direct UDP")

	dir := t.TempDir()
	cert, key := certify(t, dir, "127.0.0.1")
	s = startServer(t, func(c *app.Config) { c.HTTPS, c.TLSCert, c.TLSKey = "127.0.0.1:0", cert, key })
	report = examine(t, s.URL, trusting(t, dir))
	allWell("")
	complains(t, report, "Certificate", doctor.Good, "for localhost, 127.0.0.1", "59 minutes")
	find(t, report, "TURN over TLS")
}

func TestDoctorCertificates(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		end      time.Duration
		addr     string
		distrust bool
		words    []string
	}{
		"another's name":       {time.Hour, "192.0.2.7", false, []string{"for localhost, 192.0.2.7, not for 127.0.0.1", "--tls-cert"}},
		"expired":              {-time.Minute, "127.0.0.1", false, []string{"expired on ", "1 minute ago", "--domain", "--tls-cert"}},
		"an unknown authority": {time.Hour, "127.0.0.1", true, []string{`signed by "CN=test CA", whom this machine does not trust`, "--tls-cert"}},
		"all at once":          {-time.Minute, "192.0.2.7", true, []string{"not for 127.0.0.1", "expired on", "does not trust"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			cert, key := certifyUntil(t, dir, time.Now().Add(test.end), test.addr)
			s := startServer(t, func(c *app.Config) { c.HTTPS, c.TLSCert, c.TLSKey = "127.0.0.1:0", cert, key })
			trust := trusting(t, dir)
			if test.distrust {
				trust = func(*doctor.Options) {}
			}
			report := examine(t, s.URL, trust)
			complains(t, report, "Certificate", doctor.Failed, test.words...)
			require.False(t, report.Works, "no browser would go on, and nothing secret is sent")
			require.Equal(t, "Voice cannot work from here.", report.Verdict())
		})
	}
}

// proxied puts a reverse proxy in front of a server.
func proxied(t *testing.T, s *server, rewrite func(*httputil.ProxyRequest), modify func(*http.Response) error) string {
	t.Helper()
	to, err := url.Parse(s.URL)
	require.NoError(t, err)
	proxy := httptest.NewServer(&httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(to)
			r.Out.Host = r.In.Host
			if rewrite != nil {
				rewrite(r)
			}
		},
		ModifyResponse: modify,
	})
	t.Cleanup(proxy.Close)
	return proxy.URL
}

func TestDoctorProxies(t *testing.T) {
	t.Parallel()
	s := startServer(t)
	t.Run("as it should be", func(t *testing.T) {
		t.Parallel()
		report := examine(t, proxied(t, s, nil, nil))
		require.Equal(t, "direct UDP", report.Way, "%+v", report.Checks)
	})
	t.Run("without WebSockets", func(t *testing.T) {
		t.Parallel()
		report := examine(t, proxied(t, s, func(r *httputil.ProxyRequest) {
			r.Out.Header.Del("Upgrade")
			r.Out.Header.Del("Connection")
		}, nil))
		complains(t, report, "WebSocket", doctor.Failed, "426", "reverse proxy", "Upgrade and Connection")
		require.False(t, report.Works)
	})
	t.Run("with another Host", func(t *testing.T) {
		t.Parallel()
		report := examine(t, proxied(t, s, func(r *httputil.ProxyRequest) { r.Out.Host = "" }, nil))
		complains(t, report, "WebSocket", doctor.Failed, "403", "Host header", "--allow-origin=http://127.0.0.1:")
	})
	t.Run("with another clock", func(t *testing.T) {
		t.Parallel()
		report := examine(t, proxied(t, s, nil, func(r *http.Response) error {
			r.Header.Set("Date", time.Now().UTC().Add(-3*time.Hour-time.Minute).Format(http.TimeFormat))
			return nil
		}))
		complains(t, report, "Clock", doctor.Warning, "3 hours ahead of the server's", "certificates and tokens")
		require.True(t, report.Works)
	})
	t.Run("that forbids microphones", func(t *testing.T) {
		t.Parallel()
		report := examine(t, proxied(t, s, nil, forbidMicrophone))
		complains(t, report, "Microphone", doctor.Warning, "Permissions-Policy: microphone=()", "microphone=(self)", "reverse proxy")
	})
	t.Run("with nothing behind it", func(t *testing.T) {
		t.Parallel()
		gone := *s
		gone.URL = "http://" + closedPort(t)
		report := examine(t, proxied(t, &gone, nil, nil))
		complains(t, report, "Page", doctor.Failed, "502", "--http")
	})
	t.Run("that leads to HTTPS", func(t *testing.T) {
		t.Parallel()
		redirecting := httptest.NewServer(http.RedirectHandler(s.URL+"/", http.StatusPermanentRedirect))
		t.Cleanup(redirecting.Close)
		report := examine(t, redirecting.URL)
		complains(t, report, "Redirect", doctor.Good, s.URL)
		require.Equal(t, s.URL, report.URL)
		require.True(t, report.Works)
	})
	t.Run("in a circle", func(t *testing.T) {
		t.Parallel()
		var n int
		circle := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			n++
			http.Redirect(w, r, "/"+strings.Repeat("x", n), http.StatusFound)
		}))
		t.Cleanup(circle.Close)
		complains(t, examine(t, circle.URL), "Page", doctor.Failed, "again and again")
	})
}

// forbidMicrophone adds what hardening guides tell proxies to add.
func forbidMicrophone(r *http.Response) error {
	r.Header.Set("Permissions-Policy", "geolocation=(), microphone=(), camera=()")
	return nil
}

// closedPort is an address of this machine at which nothing listens.
func closedPort(t *testing.T) string {
	t.Helper()
	return porttest.Addr(t)
}

func TestDoctorNotThere(t *testing.T) {
	t.Parallel()
	address := closedPort(t)
	report := examine(t, "http://"+address)
	complains(t, report, "Address", doctor.Failed, "refuses connections", "--http")
	require.Len(t, report.Checks, 1, "nothing else can be said")

	other := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(other.Close)
	complains(t, examine(t, other.URL), "Page", doctor.Failed, "another web server", "404")
	complains(t, examine(t, strings.Replace(other.URL, "http:", "https:", 1)), "HTTPS", doctor.Failed, "plain HTTP", "--domain")

	// A port that accepts and says nothing.
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = l.Close() })
	complains(t, examine(t, "http://"+l.Addr().String()), "Page", doctor.Failed, "does not answer")
	complains(t, examine(t, "https://"+l.Addr().String()), "Certificate", doctor.Failed, "TLS handshake", "its log")

	complains(t, examine(t, "https://livechat.invalid"), "Address", doctor.Failed, "livechat.invalid")
	for _, bad := range []string{"", "ftp://example.org", "http://", "http://[::1"} {
		_, err := doctor.Run(t.Context(), doctor.Options{URL: bad})
		require.ErrorIs(t, err, doctor.ErrURL, bad)
	}
}

func TestDoctorTokens(t *testing.T) {
	t.Parallel()
	const secret = "a secret for this test, longer than it has to be"
	s := startServer(t, func(c *app.Config) { c.AllowGuests, c.Secret = new(false), secret })
	report := examine(t, s.URL)
	complains(t, report, "Sign-in", doctor.Failed, "guests are not allowed", "livechat token", "--token")
	require.Equal(t, "Voice was not tried, for want of a way to sign in.", report.Verdict())
	require.False(t, report.Works)

	with := func(token string) doctor.Report {
		return examine(t, s.URL, func(o *doctor.Options) { o.Token = token })
	}
	complains(t, with("not a token"), "Sign-in", doctor.Failed, "the token is refused")
	authority, err := auth.New([]byte(secret))
	require.NoError(t, err)
	token, err := authority.Mint(auth.Identity{UserID: "doctor"}, time.Now(), time.Hour)
	require.NoError(t, err)
	require.True(t, with(token).Works)
}

func TestDoctorWithoutTURN(t *testing.T) {
	t.Parallel()
	s := startServer(t, func(c *app.Config) { c.TURN = false })
	report := examine(t, s.URL)
	complains(t, report, "TURN", doctor.Warning, "not offered", "--no-turn")
	require.Equal(t, "direct UDP", report.Way)
}

// A load balancer's list of relays may be long; the direct way is tried all the same.
func TestDoctorManyRelays(t *testing.T) {
	t.Parallel()
	s := startServer(t, func(c *app.Config) {
		for i := range 12 {
			c.TURNURL = append(c.TURNURL, "turn:127.0.0.1:"+strconv.Itoa(i+1)+"?transport=tcp")
		}
	})
	report := examine(t, s.URL)
	require.Equal(t, "direct UDP", report.Way, "%+v", report.Checks)
	complains(t, report, "TURN over TCP 1", doctor.Warning, "the port is closed")
	require.Equal(t, "6 more relays, which are not tried", report.Checks[len(report.Checks)-1].Text)
}

// Nobody waits for it who has changed their mind.
func TestDoctorIsInterrupted(t *testing.T) {
	verifyNoLeaks(t)
	s := startServer(t)
	ctx, cancel := context.WithCancel(t.Context())
	begin := time.Now()
	_, err := doctor.Run(ctx, doctor.Options{URL: s.URL, OnCheck: func(c doctor.Check) {
		if c.Name == "Sign-in" {
			cancel()
		}
	}})
	require.ErrorIs(t, err, context.Canceled)
	require.Less(t, time.Since(begin), slowMachine)
}

// A server that plays tricks gets neither the token nor the terminal.
func TestDoctorMistrusts(t *testing.T) {
	t.Parallel()
	var asked []string
	trap := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked = append(asked, r.URL.Path+r.Header.Get("Authorization"))
		w.Header().Set("Server", "\x9b31mred "+strings.Repeat("very ", 1000))
		w.WriteHeader(http.StatusTeapot)
	}))
	t.Cleanup(trap.Close)
	moved := strings.Replace(trap.URL, "127.0.0.1", "localhost", 1)
	redirecting := httptest.NewServer(http.RedirectHandler(moved, http.StatusFound))
	t.Cleanup(redirecting.Close)
	report := examine(t, redirecting.URL, func(o *doctor.Options) { o.Token = "secret" })
	complains(t, report, "Redirect", doctor.Warning, "The token is not sent there", moved)
	require.Equal(t, []string{"/"}, asked)
	text := find(t, report, "Page").Text
	require.Contains(t, text, "418")
	require.True(t, utf8.ValidString(text))
	require.NotContains(t, text, "\u009b")
	require.Less(t, len(text), 1000)
}

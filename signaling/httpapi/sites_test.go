package httpapi

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"github.com/mini-livechat/mini-livechat/signaling/protocol"
	"github.com/mini-livechat/mini-livechat/signaling/tally"
)

func ask(t *testing.T, s *Sites, origin, host string, header ...string) *http.Request {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/api/guest", http.NoBody)
	r.Host = host
	if origin != "" {
		r.Header.Set("Origin", origin)
	}
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	if s.Secure {
		r.TLS = &tls.ConnectionState{}
	}
	return r
}

// A page of another node comes here when that is gone.
func TestSitesOfNodes(t *testing.T) {
	t.Parallel()
	s := &Sites{Nodes: func() []string { return []string{"https://two.example.org/", "http://10.0.0.2:8080"} }}
	for origin, fine := range map[string]bool{
		"https://two.example.org": true, "http://10.0.0.2:8080": true,
		"http://two.example.org": false, "https://10.0.0.2:8080": false, "https://three.example.org": false,
	} {
		require.Equal(t, fine, s.judge(ask(t, s, origin, "one.example.org")) == "", origin)
	}
}

func TestSitesOrigin(t *testing.T) {
	t.Parallel()
	const listed = "https://friend.example"
	for _, test := range []struct {
		origin, host string
		secure       bool
		header       []string
		fine         bool
	}{
		// No browser.
		{"", "voice.example.org", false, nil, true},
		// Default ports, written or not, in the terms of the page's scheme.
		{"https://voice.example.org", "voice.example.org", false, nil, true},
		{"https://voice.example.org", "voice.example.org:443", false, nil, true},
		{"https://voice.example.org", "voice.example.org:80", false, nil, false},
		{"http://voice.example.org", "voice.example.org", false, nil, true},
		{"http://voice.example.org", "voice.example.org:80", false, nil, true},
		{"http://voice.example.org", "voice.example.org:443", false, nil, false},
		{"https://voice.example.org:443", "voice.example.org", false, nil, true},
		{"https://voice.example.org", "VOICE.example.ORG.", true, nil, true},
		{"https://voice.example.org:8443", "voice.example.org:8443", false, nil, true},
		{"http://[2001:db8::1]:8080", "[2001:db8::1]:8080", false, nil, true},
		{"http://[2001:db8::1]", "[2001:db8::1]", false, nil, true},
		// Another port is another site; a proxy that drops the port cannot be told from it.
		{"http://127.0.0.1:3000", "127.0.0.1:8080", false, nil, false},
		{"http://127.0.0.1:3000", "127.0.0.1", false, nil, false},
		{"https://voice.example.org:8443", "voice.example.org", false, nil, false},
		// Another host.
		{"https://evil.example", "voice.example.org", false, nil, false},
		{"https://voice.example.org.evil.example", "voice.example.org", false, nil, false},
		{"https://voice.example.org", "127.0.0.1:8080", false, nil, false},
		// Another scheme, where https is known.
		{"https://voice.example.org", "voice.example.org", true, nil, true},
		{"http://voice.example.org", "voice.example.org", true, nil, false},
		{"http://voice.example.org:443", "voice.example.org:443", true, nil, false},
		{"http://voice.example.org", "voice.example.org", false, []string{"X-Forwarded-Proto", "https"}, false},
		{"http://voice.example.org", "voice.example.org", false, []string{"X-Forwarded-Proto", "wss, http"}, false},
		{"http://voice.example.org", "voice.example.org", false, []string{"Forwarded", `for=192.0.2.1;Proto="https", for=198.51.100.1;proto=http`}, false},
		{"http://voice.example.org", "voice.example.org", false, []string{"X-Forwarded-Proto", "http"}, true},
		{"https://voice.example.org", "voice.example.org", false, []string{"X-Forwarded-Proto", "http"}, true},
		{"https://voice.example.org", "voice.example.org", false, []string{"Forwarded", "for=192.0.2.1;proto=https"}, true},
		// Headers let nobody in.
		{"https://evil.example", "voice.example.org", false, []string{"X-Forwarded-Host", "evil.example"}, false},
		// Listed ones.
		{listed, "voice.example.org", false, nil, true},
		{listed + ":443", "voice.example.org", true, nil, true},
		{"http://friend.example", "voice.example.org", false, nil, false},
		{listed + ":444", "voice.example.org", false, nil, false},
		// No web site's.
		{"null", "voice.example.org", false, nil, false},
		{"null", "null", false, nil, false},
		{"file://", "voice.example.org", false, nil, false},
		{"chrome-extension://voice.example.org", "voice.example.org", false, nil, false},
		{"//voice.example.org", "voice.example.org", false, nil, false},
		{"https://voice.example.org/", "voice.example.org", false, nil, false},
		{"https://a@voice.example.org", "voice.example.org", false, nil, false},
		{"https://voice.example.org https://evil.example", "voice.example.org", false, nil, false},
		{"https://", "", false, nil, false},
		{"https://:443", ":443", false, nil, false},
		{"%", "voice.example.org", false, nil, false},
	} {
		s := &Sites{AllowOrigin: []string{listed}, Secure: test.secure}
		reason := s.judge(ask(t, s, test.origin, test.host, test.header...))
		require.Equal(t, test.fine, reason == "", "%+v: %s", test, reason)
	}
}

func TestSitesLoopbackOnly(t *testing.T) {
	t.Parallel()
	s := &Sites{LoopbackOnly: true, Names: []string{"voice.example.org"}, AllowOrigin: []string{"https://friend.example"}}
	for host, fine := range map[string]bool{
		"localhost:8080":           true,
		"LOCALHOST.":               true,
		"voice.localhost:8080":     true,
		"127.0.0.1:8080":           true,
		"127.1.2.3":                true,
		"[::1]:8080":               true,
		"[::ffff:127.0.0.1]:8080":  true,
		"voice.example.org":        true,
		"Voice.Example.ORG:8443":   true,
		"friend.example":           true,
		"evil.example":             false,
		"evil.example:8080":        false,
		"localhost.evil.example":   false,
		"127.0.0.1.evil.example":   false,
		"evillocalhost":            false,
		"192.0.2.1:8080":           false,
		"[2001:db8::1]":            false,
		"":                         false,
		":8080":                    false,
		"localhost@evil.example":   false,
		"evil.example,localhost":   false,
		"2130706433":               false, // 127.0.0.1 as some browsers read it, never as they send it
		"localhost:evil.example":   false,
		"voice.example.org.evil.x": false,
	} {
		for _, origin := range []string{"", "http://" + host} {
			if origin != "" && !fine {
				require.Contains(t, s.judge(ask(t, s, origin, host)), "--allow-guests", host)
			}
		}
		require.Equal(t, fine, s.judge(ask(t, s, "", host)) == "", "%q", host)
	}
	// The Origin is judged as well.
	require.NotEmpty(t, s.judge(ask(t, s, "http://evil.example", "localhost:8080")))
	require.Empty(t, s.judge(ask(t, s, "http://localhost:8080", "localhost:8080")))
}

// A page that led its own name into a private network is refused, and nobody else.
func TestSitesRebinding(t *testing.T) {
	t.Parallel()
	s := &Sites{Names: []string{"voice.example.org"}, AllowOrigin: []string{"http://friend.example:8080"}}
	for _, test := range []struct {
		host, local string
		header      []string
		fine        bool
	}{
		{"evil.example:8080", "192.168.1.5:8080", nil, false},
		{"evil.example:8080", "127.0.0.1:8080", nil, false},
		{"evil.example:8080", "[fe80::1]:8080", nil, false},
		{"evil.example:8080", "[fd00::1]:8080", nil, false},
		{"evil.example:8080", "[::ffff:10.0.0.1]:8080", nil, false},
		{"local.evil.example", "192.168.1.5:80", nil, false},
		{"evil.example.", "192.168.1.5:80", nil, false},
		// On a public address it could do so without.
		{"evil.example:8080", "203.0.113.7:8080", nil, true},
		// Nobody can own these.
		{"192.168.1.5:8080", "192.168.1.5:8080", nil, true},
		{"[fd00::1]:8080", "[fd00::1]:8080", nil, true},
		{"localhost:8080", "127.0.0.1:8080", nil, true},
		{"nas:8080", "192.168.1.5:8080", nil, true},
		{"nas.local:8080", "192.168.1.5:8080", nil, true},
		{"NAS.home.arpa:8080", "192.168.1.5:8080", nil, true},
		// These are ours.
		{"voice.example.org", "192.168.1.5:80", nil, true},
		{"friend.example:8080", "192.168.1.5:8080", nil, true},
		// A proxy is in front.
		{"talk.example.org", "172.18.0.5:8080", []string{"X-Forwarded-For", "192.0.2.1"}, true},
		{"talk.example.org", "127.0.0.1:8080", []string{"Forwarded", "for=192.0.2.1"}, true},
	} {
		r := ask(t, s, "http://"+test.host, test.host, test.header...)
		local := net.TCPAddrFromAddrPort(netip.MustParseAddrPort(test.local))
		r = r.WithContext(context.WithValue(r.Context(), http.LocalAddrContextKey, local))
		reason := s.judge(r)
		require.Equal(t, test.fine, reason == "", "%+v: %s", test, reason)
		if !test.fine {
			require.Contains(t, reason, "--allow-origin=http://"+test.host)
		}
		r.Header.Del("Origin")
		require.Empty(t, s.judge(r), "programs are no pages")
	}
}

// A refusal has its words in the answer and, the first of a kind, in the log.
func TestSitesSayWhy(t *testing.T) {
	t.Parallel()
	core, log := observer.New(zapcore.WarnLevel)
	var counts tally.Tally
	s := &Sites{Log: zap.New(core), Tally: &counts}
	guarded := s.Guard(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("not refused") }))
	refused := func(r *http.Request) Problem {
		w := httptest.NewRecorder()
		guarded.ServeHTTP(w, r)
		require.Equal(t, http.StatusForbidden, w.Code)
		require.Equal(t, "application/json", w.Header().Get("Content-Type"))
		require.Empty(t, w.Header().Get("Access-Control-Allow-Origin"))
		var p Problem
		require.NoError(t, json.Unmarshal(w.Body.Bytes(), &p))
		require.Equal(t, protocol.CodeSiteRefused, p.Code)
		return p
	}
	for range 3 {
		p := refused(ask(t, s, "https://voice.example.org", "127.0.0.1:8080"))
		for _, word := range []string{`"https://voice.example.org"`, `"127.0.0.1:8080"`, "--allow-origin=https://voice.example.org", "proxy"} {
			require.Contains(t, p.Reason, word)
		}
	}
	require.Len(t, log.All(), 1)
	fields := log.All()[0].ContextMap()
	require.Equal(t, "https://voice.example.org", fields["origin"])
	require.Equal(t, "127.0.0.1:8080", fields["host"])
	require.Contains(t, fields["reason"], "--allow-origin=https://voice.example.org")

	refused(ask(t, s, "null", "127.0.0.1:8080"))
	require.Len(t, log.All(), 2)
	for i := range 100 { // nobody fills the log, nor memory
		refused(ask(t, s, fmt.Sprintf("https://%d.example%s", i, strings.Repeat("x", 10_000)), "127.0.0.1:8080"))
	}
	require.Len(t, log.All(), maxSites)
	require.Len(t, s.logged, maxSites)
	for _, entry := range log.All() {
		require.Less(t, len(fmt.Sprint(entry.ContextMap())), 4*maxQuoted)
	}
	require.EqualValues(t, 104, counts.Counts()["site_refused"])
}

package doctor

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/pion/stun/v4"
	"github.com/stretchr/testify/require"
)

func join(lines []string) string { return strings.Join(lines, " ") }

func addrs(list ...string) (out []netip.AddrPort) {
	for _, a := range list {
		out = append(out, netip.MustParseAddrPort(a))
	}
	return out
}

func TestParse(t *testing.T) {
	t.Parallel()
	for raw, want := range map[string]string{
		"https://voice.example.org":             "https://voice.example.org",
		"https://voice.example.org/#token=abc":  "https://voice.example.org",
		"https://a:b@voice.example.org/?audio=": "https://voice.example.org",
		"https://example.org/voice/":            "https://example.org/voice",
		"voice.example.org":                     "https://voice.example.org",
		"localhost:8080":                        "http://localhost:8080",
		"127.0.0.1:8080/ws":                     "http://127.0.0.1:8080",
		"[::1]:8080":                            "http://[::1]:8080",
		"wss://voice.example.org/ws\n":          "https://voice.example.org",
		"ws://127.0.0.1:8080/ws":                "http://127.0.0.1:8080",
	} {
		u, err := parse(raw)
		require.NoError(t, err, raw)
		require.Equal(t, want, u.String(), raw)
	}
}

func TestConclude(t *testing.T) {
	t.Parallel()
	page := []netip.Addr{netip.MustParseAddr("203.0.113.7")}
	public, private := addrs("203.0.113.7:10000"), addrs("192.168.1.5:10000")
	took := func(at string) map[netip.AddrPort]time.Duration {
		return map[netip.AddrPort]time.Duration{netip.MustParseAddrPort(at): 7 * time.Millisecond}
	}
	loopback := addrs("127.0.0.1:10000")
	for name, test := range map[string]struct {
		found    directly
		relayUDP bool
		want     Status
		says     []string
		not      string
	}{
		"all well":        {directly{announced: public, dtls: true, answers: took("203.0.113.7:10000")}, true, Good, []string{"203.0.113.7, UDP port 10000, 7 ms"}, ""},
		"only loopback":   {directly{announced: loopback, dtls: true, answers: took("127.0.0.1:10000")}, true, Warning, []string{"127.0.0.1, UDP port 10000", "Firefox", "--udp=10000"}, "Allow UDP"},
		"wrong announced": {directly{announced: private, answers: took("203.0.113.7:10000")}, true, Failed, []string{"answers at 203.0.113.7", "clients to use 192.168.1.5", "--announce=203.0.113.7"}, "Allow UDP"},
		"from itself":     {directly{announced: public, answers: took("127.0.0.1:10000")}, true, Failed, []string{"answers at 127.0.0.1", "203.0.113.7", "from another machine"}, "--announce"},
		"DTLS stopped":    {directly{announced: public, ice: true, answers: took("203.0.113.7:10000")}, true, Failed, []string{"DTLS"}, "--announce"},
		"UDP blocked":     {directly{announced: public}, false, Failed, []string{"nothing comes back from 203.0.113.7, UDP port 10000", "Allow UDP port 10000 in", "--udp", "this one that blocks UDP"}, "--announce"},
		"port closed":     {directly{announced: public}, true, Failed, []string{"Allow UDP port 10000 in"}, "this one"},
		"either":          {directly{announced: private}, false, Failed, []string{"Allow UDP port 10000 in", "--announce=203.0.113.7"}, ""},
		"an old server":   {directly{err: errors.New("invalid opcode")}, false, Failed, []string{"invalid opcode", "MEDIA_PROBE"}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := test.found.conclude(page, test.relayUDP)
			require.Equal(t, test.want, w.check.Status)
			require.Equal(t, test.want != Failed, w.works)
			all := w.check.Text + " " + join(w.check.Advice)
			for _, says := range test.says {
				require.Contains(t, all, says)
			}
			if test.not != "" {
				require.NotContains(t, all, test.not)
			}
		})
	}
}

func TestBestPrefersWhatIsAnnounced(t *testing.T) {
	t.Parallel()
	fast, slow, slower := netip.MustParseAddrPort("10.0.0.1:1"), netip.MustParseAddrPort("10.0.0.2:1"), netip.MustParseAddrPort("10.0.0.3:1")
	d := directly{
		announced: []netip.AddrPort{slow, slower},
		answers:   map[netip.AddrPort]time.Duration{fast: 1, slow: 2, slower: 3},
	}
	for range 20 { // in any order
		at, rtt := d.best()
		require.Equal(t, slow, at)
		require.Equal(t, time.Duration(2), rtt)
	}
}

func TestExplainRelays(t *testing.T) {
	t.Parallel()
	to := remote{addrs: addrs("203.0.113.7:10000")}
	turnError := func(code stun.ErrorCode) error {
		return fmt.Errorf("%w: %w", errAllocate, &stun.TurnError{ErrorCodeAttr: stun.ErrorCodeAttribute{Code: code}})
	}
	silence := fmt.Errorf("%w: %w", errAllocate, context.DeadlineExceeded)
	closed := fmt.Errorf("%w: %w", errConnect, &net.OpError{Op: "dial", Err: os.NewSyscallError("connect", syscall.ECONNREFUSED)})
	for name, test := range map[string]struct {
		way    string
		shared bool
		err    error
		says   []string
	}{
		"UDP dropped":         {wayTURNUDP, false, silence, []string{"nothing comes back", "allow UDP port 3478 in", "--turn-udp"}},
		"TCP dropped":         {wayTURNTCP, false, fmt.Errorf("%w: %w", errConnect, context.DeadlineExceeded), []string{"allow TCP port 3478 in", "--turn-tcp"}},
		"TCP closed":          {wayTURNTCP, false, closed, []string{"the port is closed", "allow TCP port 3478 in"}},
		"HTTP only":           {wayTURNTCP, true, silence, []string{"not as a relay", "The relay over TCP shares port 3478 with the page"}},
		"HTTPS only":          {wayTURNTLS, true, silence, []string{"The relay over TLS shares port 3478 with the page", "reverse proxy"}},
		"a stranger's server": {wayTURNUDP, false, turnError(stun.CodeUnauthorized), []string{"refused with 401", "another server's", "turn:example.org"}},
		"no room":             {wayTURNUDP, false, turnError(stun.CodeAllocQuotaReached), []string{"refused with 486", "no room"}},
		"walled in":           {wayTURNUDP, false, fmt.Errorf("%w: %w", errThrough, context.DeadlineExceeded), []string{"does not reach the media port", "UDP port 10000"}},
		"no such name":        {wayTURNTCP, false, fmt.Errorf("%w: no such host", errLookup), []string{"example.org cannot be looked up"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := relay{way: test.way, shared: test.shared, url: "turn:example.org", port: "3478", uri: &stun.URI{Host: "example.org", Port: 3478}}
			text, advice := r.explain(test.err, to, nil)
			for _, says := range test.says {
				require.Contains(t, text+" "+join(advice), says)
			}
			require.NotContains(t, join(advice), "{")
		})
	}
}

func TestReport(t *testing.T) {
	t.Parallel()
	report := Report{
		URL: "https://voice.example.org", Works: true, Way: wayTURNTLS, RTT: 12400 * time.Microsecond,
		Checks: []Check{
			{Name: "Address", Status: Good, Text: "203.0.113.7, TCP port 443"},
			{nameMedia, Warning, strings.Repeat("nothing ", 20), []string{"Allow it.", strings.Repeat("Really. ", 20)}},
		},
	}
	printed := func(colours bool) string {
		var page strings.Builder
		for _, c := range report.Checks {
			require.NoError(t, WriteCheck(&page, c, colours))
		}
		require.NoError(t, report.WriteSummary(&page, colours))
		return page.String()
	}
	page := printed(false)
	require.NotContains(t, page, "\x1b", "no colours where nobody sees them")
	for line := range strings.Lines(page) {
		require.LessOrEqual(t, utf8.RuneCountInString(line), lineWidth+1, line)
		require.Equal(t, strings.TrimRight(line, " \n"), strings.TrimSuffix(line, "\n"), "no blanks at the end")
	}
	require.True(t, strings.HasPrefix(page, "✓ Address"), page)
	require.Contains(t, page, "\n! Voice over UDP\n  Allow it. Really.")
	require.True(t, strings.HasSuffix(page, "\nVoice works from here, but only relayed: TURN over TLS, 12 ms.\n"), page)
	require.Contains(t, printed(true), green+"✓"+plain)

	text, err := json.Marshal(report)
	require.NoError(t, err)
	var read map[string]any
	require.NoError(t, json.Unmarshal(text, &read))
	require.Equal(t, 12.4, read["rtt_ms"])
	require.Equal(t, true, read["works"])
	require.Equal(t, report.Verdict(), read["verdict"])
	text, err = json.Marshal(Report{Checks: []Check{}})
	require.NoError(t, err)
	require.Contains(t, string(text), `"rtt_ms":null`)
	require.Contains(t, string(text), `"verdict":"Voice cannot work from here."`)
}

func TestApproximately(t *testing.T) {
	t.Parallel()
	for d, want := range map[time.Duration]string{
		50 * day: "50 days", 25 * time.Hour: "1 day", 3 * time.Hour: "3 hours", 119 * time.Minute: "1 hour",
		90 * time.Second: "1 minute", 3 * time.Second: "3 seconds", time.Millisecond: "less than a second",
	} {
		require.Equal(t, want, approximately(d))
	}
	require.Equal(t, "under 1 ms", roundTrip(time.Microsecond))
	require.Equal(t, "3 ms", roundTrip(2600*time.Microsecond))
}

func TestClock(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 6, 15, 12, 0, 0, 0, time.UTC)
	for date, says := range map[time.Time]string{
		now: "right", now.Add(-30 * time.Second): "right", {}: "does not say",
		now.Add(-2 * time.Hour): "2 hours ahead of the server's", now.Add(3*day + time.Second): "3 days behind the server's",
	} {
		require.Contains(t, clock(date, now, now.Add(time.Second)).Text, says)
	}
}

// The page says the same sentences.
func TestThePageSaysTheSame(t *testing.T) {
	t.Parallel()
	source, err := os.ReadFile("../../static/page/js/languages/en.js")
	require.NoError(t, err)
	_, advice, found := strings.Cut(string(source), "\n  advice: {\n")
	require.True(t, found)
	page := regexp.MustCompile(`['"] \+\s+['"]`).ReplaceAllString(advice, "")
	said := []string{
		wordsInsecure, wordsWebSocket, wordsClock, wordsUDP, wordsUDPHere, wordsAnnounce, wordsLoopback, wordsFromItself, wordsTURNUDP,
		wordsTURNTCP, wordsTURNPage, wordsTURNTLS, wordsTURNRefused, wordsTURNSilent, wordsNoTURN, wordsNoTURNTLS, wordsNoGuests, wordsPolicy,
	}
	for _, sentence := range said {
		require.Regexp(t, `['"]`+regexp.QuoteMeta(sentence)+`['"],\n`, page)
	}
	require.Len(t, regexp.MustCompile(`(?m)^    [A-Z_]+:`).FindAllString(page, -1), len(said), "and no others")
}

// Every setting that is named exists: it has its line in the README.
func TestSettingsExist(t *testing.T) {
	t.Parallel()
	readme, err := os.ReadFile("../../README.md")
	require.NoError(t, err)
	for _, file := range []string{"words.go", "site.go", "certificate.go", "gateway.go", "turn.go", "media.go"} {
		source, err := os.ReadFile(file)
		require.NoError(t, err)
		for _, flag := range regexp.MustCompile(`--[a-z]+(-[a-z]+)*`).FindAllString(string(source), -1) {
			if flag == "--token" || flag == "--user" || flag == "--max-sessions" {
				continue // of the commands doctor and token; and one that only --help has
			}
			require.Contains(t, string(readme), flag, "%s in %s", flag, file)
		}
	}
}

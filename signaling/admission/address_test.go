package admission

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestNetworks(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"192.0.2.7":          "192.0.2.7/32",
		"::ffff:192.0.2.7":   "192.0.2.7/32",
		"2001:db8:1:2:3::4":  "2001:db8:1:2::/64",
		"2001:db8:1:2:ff::9": "2001:db8:1:2::/64",
		"fe80::1%eth0":       "fe80::/64",
	} {
		require.Equal(t, netip.MustParsePrefix(want), Network(netip.MustParseAddr(text)), text)
	}
	require.False(t, Network(netip.Addr{}).IsValid())
}

func asked(from string, headers ...string) *http.Request {
	r := httptest.NewRequestWithContext(context.Background(), http.MethodGet, "/", http.NoBody)
	r.RemoteAddr = from
	for i := 0; i < len(headers); i += 2 {
		r.Header.Add(headers[i], headers[i+1])
	}
	return r
}

func TestClientsBehindProxies(t *testing.T) {
	t.Parallel()
	const (
		xff, forwarded   = "X-Forwarded-For", "Forwarded"
		proxy            = "10.0.0.1:4711"
		client, stranger = "192.0.2.7", "198.51.100.66:80"
	)
	proxies := Proxies{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("2001:db8:f::/48")}
	for name, test := range map[string]struct {
		request *http.Request
		want    string
	}{
		"nobody between":                 {asked(stranger), "198.51.100.66"},
		"a stranger names another":       {asked(stranger, xff, client, forwarded, "for="+client), "198.51.100.66"},
		"a proxy":                        {asked(proxy, xff, client), client},
		"a proxy by IPv6":                {asked("[2001:db8:f::1]:80", xff, client), client},
		"a proxy by IPv4 in IPv6":        {asked("[::ffff:10.0.0.1]:80", xff, client), client},
		"a proxy that says nothing":      {asked(proxy), "10.0.0.1"},
		"two proxies":                    {asked(proxy, xff, client+", 10.0.0.2"), client},
		"two headers":                    {asked(proxy, xff, client, xff, "10.0.0.2"), client},
		"the client made up another":     {asked(proxy, xff, "203.0.113.1, "+client), client},
		"and one of the proxies":         {asked(proxy, xff, "203.0.113.1, 10.9.9.9, "+client+", 10.0.0.2"), client},
		"all are proxies":                {asked(proxy, xff, "10.3.0.1, 10.0.0.2"), "10.3.0.1"},
		"with a port":                    {asked(proxy, xff, client+":5000"), client},
		"IPv6":                           {asked(proxy, xff, "2001:db8::7"), "2001:db8::7"},
		"IPv6 with a port":               {asked(proxy, xff, "[2001:db8::7]:5000"), "2001:db8::7"},
		"IPv6 with a zone":               {asked(proxy, xff, "fe80::7%eth0"), "fe80::7"},
		"unknown":                        {asked(proxy, xff, "203.0.113.1, unknown"), "10.0.0.1"},
		"garbage":                        {asked(proxy, xff, "203.0.113.1, a b, 10.0.0.2"), "10.0.0.2"},
		"empty":                          {asked(proxy, xff, ""), "10.0.0.1"},
		"only commas":                    {asked(proxy, xff, ",,"), "10.0.0.1"},
		"Forwarded":                      {asked(proxy, forwarded, `proto=https;For="[2001:db8::7]:5000";by=10.0.0.1`), "2001:db8::7"},
		"Forwarded twice":                {asked(proxy, forwarded, "for=203.0.113.1, for="+client, forwarded, "for=10.0.0.2"), client},
		"Forwarded without a sender":     {asked(proxy, forwarded, "for=203.0.113.1, proto=https"), "10.0.0.1"},
		"Forwarded and hidden":           {asked(proxy, forwarded, "for=203.0.113.1, for=_secret"), "10.0.0.1"},
		"Forwarded beside the other":     {asked(proxy, forwarded, "for=203.0.113.1", xff, client), client},
		"Forwarded with a comma":         {asked(proxy, forwarded, `for=`+client+`;by="a,b;for=203.0.113.1"`), client},
		"a quotation that swallows more": {asked(proxy, forwarded, `for=203.0.113.1;by="`, forwarded, "for="+client), "10.0.0.1"},
		"and with a backslash":           {asked(proxy, forwarded, `for=203.0.113.1;by="\`, forwarded, `for="`+client+`"`), "10.0.0.1"},
	} {
		require.Equal(t, test.want, proxies.Client(test.request).String(), name)
	}
	require.Equal(t, "10.0.0.1", Proxies(nil).Client(asked(proxy, xff, client)).String(), "nobody is trusted")
	require.False(t, proxies.Client(asked("@")).IsValid(), "a socket without an address")

	for name, test := range map[string]struct {
		request *http.Request
		want    string // "": nobody
		ours    bool
	}{
		"nobody between":             {asked(stranger), "", false},
		"a proxy":                    {asked(proxy, xff, client), "", false},
		"proxies, and one unknown":   {asked(proxy, xff, client+", unknown, 10.0.0.2"), "", false},
		"a stranger names another":   {asked(stranger, xff, client), "198.51.100.66", false},
		"one of our network":         {asked("192.168.1.2:80", xff, client), "192.168.1.2", true},
		"the same with Forwarded":    {asked("192.168.1.2:80", forwarded, "for="+client), "192.168.1.2", true},
		"one behind one of them":     {asked(proxy, xff, client+", 192.168.1.2"), "192.168.1.2", true},
		"a neighbour":                {asked(proxy, xff, "192.168.1.2"), "", false},
		"a stranger behind a proxy":  {asked(proxy, xff, "203.0.113.1, "+client), client, false},
		"somebody on our machine":    {asked("127.0.0.1:80", xff, client), "127.0.0.1", true},
		"a socket without addresses": {asked("@", xff, client), "invalid IP", false},
	} {
		from, ours := proxies.Undeclared(test.request)
		require.Equal(t, test.ours, ours, name)
		if test.want == "" {
			require.False(t, from.IsValid(), name)
			continue
		}
		require.Equal(t, test.want, from.String(), name)
	}
}

// Whatever a client writes into the headers, what the proxy adds is what counts.
func FuzzClient(f *testing.F) {
	f.Add("for=203.0.113.1;by=\"", "203.0.113.1, ")
	f.Add(`for="\`, `"`)
	f.Add("for=203.0.113.1,", ",,,")
	proxies := Proxies{netip.MustParsePrefix("10.0.0.0/8")}
	f.Fuzz(func(t *testing.T, forwarded, sender string) {
		const client = "192.0.2.7"
		for _, r := range []*http.Request{
			asked("10.0.0.1:80", "X-Forwarded-For", sender+", "+client),
			asked("10.0.0.1:80", "X-Forwarded-For", sender, "X-Forwarded-For", client),
			asked("10.0.0.1:80", "Forwarded", forwarded+", for="+client),
			asked("10.0.0.1:80", "Forwarded", forwarded, "Forwarded", `for="`+client+`"`),
		} {
			if got := proxies.Client(r).String(); got != client && got != "10.0.0.1" {
				t.Fatalf("%v is %s", r.Header, got)
			}
		}
	})
}

package app

import (
	"fmt"
	"net"
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/mini-livechat/mini-livechat/signaling"
)

// A machine with the ways out that outbound tells of.
func testAnnouncer(t *testing.T, bound string, outbound []string, announce ...string) *announcer {
	t.Helper()
	a, err := newAnnouncer(Config{Announce: announce}, netip.MustParseAddrPort(bound))
	require.NoError(t, err)
	a.outbound = func(far netip.AddrPort) netip.Addr {
		for _, text := range outbound {
			if addr := netip.MustParseAddr(text); addr.Is4() == far.Addr().Is4() {
				return addr
			}
		}
		return netip.Addr{}
	}
	return a
}

func TestAnnounced(t *testing.T) {
	const everywhere, v4Everywhere = "[::]:9", "0.0.0.0:9"
	nowhere, v4, both := []string{}, []string{"192.0.2.1"}, []string{"192.0.2.1", "2001:db8::1"}
	for name, test := range map[string]struct {
		bound    string
		outbound []string
		announce []string
		host     string // of the URL
		local    string // where the connection arrived
		want     []string
	}{
		"a name: the ways out":              {everywhere, both, nil, "voice.example.org", "10.0.0.1:80", []string{"192.0.2.1:9", "[2001:db8::1]:9"}},
		"said aloud":                        {everywhere, both, []string{"auto"}, "voice.example.org", "10.0.0.1:80", []string{"192.0.2.1:9", "[2001:db8::1]:9"}},
		"no IPv6":                           {v4Everywhere, both, nil, "voice.example.org", "10.0.0.1:80", []string{"192.0.2.1:9"}},
		"on this machine":                   {everywhere, v4, nil, "localhost:8080", "127.0.0.1:8080", []string{"127.0.0.1:9", "192.0.2.1:9"}},
		"on this machine, IPv6":             {everywhere, v4, nil, "LOCALHOST:8080", "[::1]:8080", []string{"127.0.0.1:9", "[::1]:9", "192.0.2.1:9"}},
		"on this machine, by its number":    {everywhere, v4, nil, "127.0.0.1:8080", "127.0.0.1:8080", []string{"127.0.0.1:9", "192.0.2.1:9"}},
		"a proxy on this machine":           {everywhere, v4, nil, "voice.example.org", "127.0.0.1:8080", []string{"192.0.2.1:9"}},
		"into a container on the desktop":   {everywhere, []string{"172.17.0.2"}, nil, "localhost:8080", "172.17.0.2:8080", []string{"127.0.0.1:9", "172.17.0.2:9"}},
		"into a container on a server":      {everywhere, []string{"172.17.0.2"}, nil, "192.168.1.5:8080", "172.17.0.2:8080", []string{"192.168.1.5:9", "172.17.0.2:9"}},
		"a network beside the way out":      {everywhere, v4, nil, "10.5.0.1", "10.5.0.1:80", []string{"10.5.0.1:9", "192.0.2.1:9"}},
		"by the way out":                    {everywhere, v4, nil, "192.0.2.1", "192.0.2.1:80", []string{"192.0.2.1:9"}},
		"no way out":                        {everywhere, nowhere, nil, "radio.local", "10.5.0.1:80", []string{"10.5.0.1:9"}},
		"no way out in IPv6":                {everywhere, v4, nil, "radio.local", "[fd00::5]:80", []string{"192.0.2.1:9", "[fd00::5]:9"}},
		"no way out, link-local":            {everywhere, v4, nil, "radio.local", "[fe80::5%eth0]:80", []string{"192.0.2.1:9"}},
		"one address":                       {"192.0.2.8:9", both, nil, "localhost", "127.0.0.1:80", []string{"192.0.2.8:9"}},
		"one address behind NAT":            {"10.0.0.8:9", both, []string{"203.0.113.7"}, "203.0.113.7", "10.0.0.8:80", []string{"203.0.113.7:9"}},
		"announced":                         {everywhere, both, []string{"203.0.113.7", "2001:db8::7"}, "voice.example.org", "10.0.0.1:80", []string{"203.0.113.7:9", "[2001:db8::7]:9"}},
		"announced, and known by another":   {everywhere, both, []string{"203.0.113.7"}, "192.168.1.5", "192.168.1.5:80", []string{"192.168.1.5:9", "203.0.113.7:9"}},
		"announced with a port":             {everywhere, both, []string{"203.0.113.7:20000", "203.0.113.7"}, "a.example", "10.0.0.1:80", []string{"203.0.113.7:20000", "203.0.113.7:9"}},
		"announced beside auto":             {everywhere, v4, []string{"203.0.113.7", "auto"}, "a.example", "10.0.0.1:80", []string{"203.0.113.7:9", "192.0.2.1:9"}},
		"announced, of the other family":    {v4Everywhere, v4, []string{"203.0.113.7", "2001:db8::7"}, "a.example", "10.0.0.1:80", []string{"203.0.113.7:9"}},
		"a name that is none":               {everywhere, v4, nil, "a b", "10.0.0.1:80", []string{"192.0.2.1:9"}},
		"an address that nobody can be at":  {everywhere, v4, nil, "169.254.169.254", "10.0.0.1:80", []string{"192.0.2.1:9"}},
		"an address that everybody is at":   {everywhere, v4, nil, "224.0.0.1", "10.0.0.1:80", []string{"192.0.2.1:9"}},
		"an address that means many things": {everywhere, v4, nil, "0.0.0.0", "10.0.0.1:80", []string{"192.0.2.1:9"}},
		"an address in a longer form":       {everywhere, v4, nil, "[::ffff:10.5.0.1]:80", "10.5.0.1:80", []string{"10.5.0.1:9", "192.0.2.1:9"}},
	} {
		t.Run(name, func(t *testing.T) {
			a := testAnnouncer(t, test.bound, test.outbound, test.announce...)
			via := signaling.Arrival{Host: test.host, Local: netip.MustParseAddrPort(test.local)}
			var got []string
			for _, addr := range a.mediaAddrs(via) {
				got = append(got, addr.String())
			}
			require.Equal(t, test.want, got)
			require.ElementsMatch(t, a.mediaAddrs(via), a.relayAddrs(via), "a relay leads to what the client is told")
			_, announced := a.addrs(via)
			if len(announced) > 0 {
				require.Equal(t, announced[0], a.relayAddrs(via)[0], "by what the server says rather than the client")
			}
		})
	}
}

// Who comes to a machine without any way out, and does not say by which address, is told
// all.
func TestAnnouncedWithoutAnyWay(t *testing.T) {
	a := testAnnouncer(t, "[::]:9", nil)
	got := a.mediaAddrs(signaling.Arrival{Host: "radio.local", Local: netip.MustParseAddrPort("127.0.0.1:80")})
	require.Contains(t, got, netip.MustParseAddrPort("127.0.0.1:9"))
	for _, addr := range got {
		require.False(t, addr.Addr().IsLinkLocalUnicast())
	}
}

// What the system says is one of its own addresses, and not loopback.
func TestOutbound(t *testing.T) {
	addrs, err := net.InterfaceAddrs()
	require.NoError(t, err)
	for _, far := range []netip.AddrPort{farV4, farV6} {
		addr := outbound(far)
		if !addr.IsValid() {
			t.Logf("no way to %v", far)
			continue
		}
		require.Equal(t, far.Addr().Is4(), addr.Is4())
		own := false
		for _, a := range addrs {
			own = own || netip.MustParsePrefix(a.String()).Addr().Unmap() == addr
		}
		require.True(t, own, addr)
	}
	require.False(t, outbound(netip.MustParseAddrPort("127.0.0.1:9")).IsValid(), "loopback leads nowhere")
}

func TestLoopbacks(t *testing.T) {
	for _, test := range []struct {
		bound    string
		announce []string
		want     string
	}{
		{"[::]:9", nil, "[127.0.0.1:9 [::1]:9]"},
		{"0.0.0.0:9", nil, "[127.0.0.1:9]"},
		{"[::ffff:192.0.2.1]:9", nil, "[192.0.2.1:9]"},
		{"[2001:db8::1]:9", nil, "[[2001:db8::1]:9]"},
		{"[::]:9", []string{"203.0.113.7"}, "[127.0.0.1:9]"},
		{"[::]:9", []string{"2001:db8::7"}, "[[::1]:9]"},
		{"[::]:9", []string{"203.0.113.7", "2001:db8::7"}, "[127.0.0.1:9 [::1]:9]"},
	} {
		require.Equal(t, test.want, fmt.Sprint(testAnnouncer(t, test.bound, nil, test.announce...).loopbacks()), test.bound)
	}
}

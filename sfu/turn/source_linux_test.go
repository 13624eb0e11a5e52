package turn

import (
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Loopback has many addresses of its own on Linux: an answer from another one does not reach a connected socket.
func TestAnswersComeFromWhereAsked(t *testing.T) {
	for network, hosts := range map[string][]string{
		"udp":  {"127.0.0.1", "127.0.0.7", "127.8.9.10", "::1"},
		"udp4": {"127.0.0.1", "127.0.0.7"},
	} {
		t.Run(network, func(t *testing.T) { checkSources(t, network, hosts) })
	}
}

func checkSources(t *testing.T, network string, hosts []string) {
	t.Helper()
	conn, err := net.ListenPacket(network, ":0") //nolint:noctx // it opens at once
	require.NoError(t, err)
	conn, err = AnswerFromWhereAsked(conn)
	require.NoError(t, err)
	defer conn.Close()
	require.IsType(t, &sourced{}, conn)
	go func() {
		buf := make([]byte, 100)
		for {
			n, from, err := conn.ReadFrom(buf)
			if err != nil {
				return
			}
			_, _ = conn.WriteTo(buf[:n], from)
		}
	}()
	port := conn.LocalAddr().(*net.UDPAddr).Port //nolint:forcetypeassert // a UDP socket
	for _, host := range hosts {
		client, err := net.DialUDP("udp", nil, &net.UDPAddr{IP: net.ParseIP(host), Port: port})
		require.NoError(t, err)
		require.NoError(t, client.SetDeadline(time.Now().Add(5*time.Second)))
		_, err = client.Write([]byte(host))
		require.NoError(t, err)
		buf := make([]byte, 100)
		n, err := client.Read(buf)
		require.NoError(t, err, host)
		require.Equal(t, host, string(buf[:n]))
		require.NoError(t, client.Close())
	}
}

func TestSourcesAreBounded(t *testing.T) {
	s := &sourced{now: make(map[netip.AddrPort]netip.Addr)}
	here := netip.MustParseAddr("192.0.2.1")
	at := func(i int) netip.AddrPort {
		return netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)}), 9)
	}
	for i := range 3 * sourcesKept {
		s.note(at(i), here)
		require.LessOrEqual(t, len(s.now)+len(s.before), 2*sourcesKept)
	}
	require.Equal(t, here, s.source(at(3*sourcesKept-1)))
	require.Equal(t, here, s.source(at(2*sourcesKept)))
	require.False(t, s.source(at(0)).IsValid())
}

func TestOneAddressIsLeftAlone(t *testing.T) {
	conn, err := net.ListenPacket("udp4", "127.0.0.1:0") //nolint:noctx // it opens at once
	require.NoError(t, err)
	defer conn.Close()
	same, err := AnswerFromWhereAsked(conn)
	require.NoError(t, err)
	require.Same(t, conn, same)
}

package bench

import (
	"bytes"
	"io"
	"net"
	"testing"
	"time"

	"github.com/pion/transport/v5/stdnet"
	"github.com/stretchr/testify/require"
)

// Datagrams are late and nothing else about them shows, but that a share is lost, the same ones each time.
func TestBadNetworkCarriesDatagrams(t *testing.T) {
	t.Parallel()
	const delay, count = 20 * time.Millisecond, 1000
	lost := func(seed uint64) (which []int) {
		n := newBadNetwork(0.2, 0, seed)
		for i := range count {
			if n.loses() {
				which = append(which, i)
			}
		}
		return which
	}
	require.InDelta(t, 0.2*count, len(lost(1)), 0.05*count)
	require.Equal(t, lost(1), lost(1))
	require.NotEqual(t, lost(1), lost(2))

	server, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	require.NoError(t, err)
	defer server.Close()
	n := newBadNetwork(0, delay, 1)
	defer n.close()
	system, err := stdnet.NewNet()
	require.NoError(t, err)
	conn, err := n.detour(system).ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	require.NoError(t, err)
	defer conn.Close()
	buf := make([]byte, 10)
	for i := range 3 {
		began := time.Now()
		_, err = conn.WriteTo([]byte{byte(i)}, server.LocalAddr())
		require.NoError(t, err)
		size, from, err := server.ReadFromUDP(buf)
		require.NoError(t, err)
		_, err = server.WriteToUDP(buf[:size], from)
		require.NoError(t, err)
		size, back, err := conn.ReadFrom(buf)
		require.NoError(t, err)
		require.Equal(t, []byte{byte(i)}, buf[:size])
		require.Equal(t, server.LocalAddr().String(), back.String())
		require.GreaterOrEqual(t, time.Since(began), 2*delay)
	}
}

func TestBadNetworkCarriesStreams(t *testing.T) {
	t.Parallel()
	const delay = 20 * time.Millisecond
	listener, err := net.Listen("tcp4", "127.0.0.1:0") //nolint:noctx // closed below
	require.NoError(t, err)
	defer listener.Close()
	go func() {
		if conn, failed := listener.Accept(); failed == nil {
			_, _ = io.Copy(conn, conn)
			_ = conn.Close()
		}
	}()
	n := newBadNetwork(1, delay, 1)
	defer n.close()
	addr, err := n.streams(listener.Addr().String())
	require.NoError(t, err)
	conn, err := net.Dial("tcp4", addr) //nolint:noctx // on this machine
	require.NoError(t, err)
	said := bytes.Repeat([]byte("all of it arrives, "), 10_000)
	began := time.Now()
	go func() { _, _ = conn.Write(said) }()
	heard := make([]byte, len(said))
	_, err = io.ReadFull(conn, heard)
	require.NoError(t, err)
	require.True(t, bytes.Equal(said, heard))
	require.GreaterOrEqual(t, time.Since(began), 2*delay)
	require.NoError(t, conn.Close())
}

package wire

import (
	"net/netip"
	"os/exec"
	"runtime"
	"testing"

	"github.com/pion/dtls/v3"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// TestFullSendBufferDropsAndCounts fills a send buffer: in a network of its own, packets to a neighbour that does not
// exist wait for ARP and keep their room. The writer must get through all the same, at once.
func TestFullSendBufferDropsAndCounts(t *testing.T) {
	runtime.LockOSThread() // and never unlocked: the thread is in another network, and ends with this goroutine
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		runtime.UnlockOSThread()
		t.Skip("needs the right to make a network namespace:", err)
	}
	for _, args := range [][]string{
		{"link", "set", "lo", "up"},
		{"link", "add", "v0", "type", "veth", "peer", "name", "v1"},
		{"addr", "add", "10.9.9.1/24", "dev", "v0"},
		{"link", "set", "v0", "up"},
		{"link", "set", "v1", "up"},
	} {
		if out, err := exec.CommandContext(t.Context(), "ip", args...).CombinedOutput(); err != nil {
			t.Skipf("cannot set up a network: %v: %s", err, out)
		}
	}
	e := startEngine(t, Config{Addrs: addrs("10.9.9.1:0"), Loops: 1})
	require.NoError(t, unix.SetsockoptInt(e.groups[0].socks[0].fd, unix.SOL_SOCKET, unix.SO_SNDBUF, 1))
	ep, _ := boundEndpoint(t, e, nil, netip.MustParseAddrPort("10.9.9.2:9"), dtls.SRTP_AEAD_AES_128_GCM)
	b, s := e.NewBatch(), ep.Sender(7)
	const n = 3 * sendBatch
	for i := range uint64(n) {
		require.NoError(t, s.WriteRTP(b, headerBytes(t, i), make([]byte, benchPayload)))
	}
	b.Flush()
	st := e.Stats()
	require.NotZero(t, st.SendFull)
	require.EqualValues(t, n, st.Sent+st.SendFull)
	require.Equal(t, st.SendFull, ep.Stats().SendDropped)
}

// TestOneBadAddressDoesNotStopTheBatch sends to an address the kernel refuses, amid good ones.
func TestOneBadAddressDoesNotStopTheBatch(t *testing.T) {
	e := startEngine(t, Config{Loops: 1})
	bad, _ := boundEndpoint(t, e, nil, netip.MustParseAddrPort("255.255.255.255:9"), dtls.SRTP_AEAD_AES_128_GCM)
	good, _ := boundEndpoint(t, e, nil, netip.MustParseAddrPort("127.0.0.1:9"), dtls.SRTP_AEAD_AES_128_GCM)
	b := e.NewBatch()
	for i := range uint64(9) {
		ep := good
		if i%3 == 1 {
			ep = bad
		}
		require.NoError(t, ep.Sender(7).WriteRTP(b, headerBytes(t, i), []byte("x")))
	}
	b.Flush()
	require.EqualValues(t, 6, e.Stats().Sent)
	require.EqualValues(t, 3, e.Stats().SendFailed)
	require.EqualValues(t, 3, bad.Stats().SendDropped)
	require.Zero(t, good.Stats().SendDropped)
}

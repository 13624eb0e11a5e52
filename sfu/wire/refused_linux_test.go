package wire

import (
	"net"
	"net/netip"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"

	"github.com/pion/stun/v4"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// ownNetwork runs the rest of the test on a thread with a network of its own, which ends with the test, and gives the
// program that changes it.
func ownNetwork(t *testing.T) (ip func(args string)) {
	t.Helper()
	program, err := exec.LookPath("ip")
	if os.Geteuid() != 0 || err != nil {
		t.Skip("needs root and the program ip")
	}
	runtime.LockOSThread() // and never unlocked: the thread ends with the test's goroutine
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		t.Skipf("no network namespaces here: %v", err)
	}
	ip = func(args string) {
		t.Helper()
		out, err := exec.CommandContext(t.Context(), program, strings.Fields(args)...).CombinedOutput()
		require.NoError(t, err, "ip %s: %s", args, out)
	}
	ip("link set lo up")
	return ip
}

// A datagram that the kernel refuses to send is as good as one that the network loses: the handshake goes on when its
// flight is repeated.
func TestRefusedDatagramsAreLostOnes(t *testing.T) {
	for _, refusal := range []string{"prohibit", "unreachable", "blackhole"} {
		t.Run(refusal, func(t *testing.T) {
			ip := ownNetwork(t)
			e := startEngine(t, Config{Loops: 1})
			p := newRawPeer(t, e)
			p.check(t, attribute(stun.AttrUseCandidate))
			// From now on nothing gets out, and the rules are asked before the table of local addresses.
			ip("rule add pref 5 ipproto udp sport " + e.LocalAddrs()[0].String()[len("127.0.0.1:"):] + " " + refusal)
			ip("rule add pref 10 lookup local")
			ip("rule del pref 0")
			direct, err := net.DialUDP("udp4", nil, net.UDPAddrFromAddrPort(netip.MustParseAddrPort("127.0.0.1:9")))
			require.NoError(t, err, "others get out")
			require.NoError(t, direct.Close())
			conn := p.dtls(t)
			done := make(chan error, 1)
			go func() { done <- conn.HandshakeContext(t.Context()) }()
			require.Eventually(t, func() bool { return e.Stats().SendFailed >= 2 }, pollTimeout, tick, "%+v", e.Stats())
			select {
			case err := <-p.over:
				require.NoError(t, err, "it was given up")
			default:
			}
			ip("rule del pref 5")
			require.NoError(t, <-done)
			p.connects(t)
		})
	}
}

package e2e

import (
	"encoding/binary"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"runtime"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// netNAT is what TestRoleNAT has to do: translate all UDP of its namespace, the client's,
// as a symmetric NAT that stands in the namespace Router.
type netNAT struct{ Router string }

// nat is a symmetric NAT for UDP over IPv4 (RFC 4787: address and port-dependent mapping
// and filtering): every pair of addresses has a socket of its own. Packets come from and
// go to a tun device.
type nat struct {
	tun    *os.File
	router string

	mu      sync.Mutex // guards flows
	flows   map[flow]*net.UDPConn
	reading sync.WaitGroup
}

// flow is the addresses of a packet from the client.
type flow struct{ src, dst netip.AddrPort }

// TestRoleNAT is no test of its own: it plays the NAT of the test below. At a cue it
// forgets all mappings, so that the next packets come from other ports.
func TestRoleNAT(t *testing.T) {
	var todo netNAT
	task(t, &todo)
	fd, err := unix.Open("/dev/net/tun", unix.O_RDWR, 0)
	if err != nil {
		say("no tun device: %v", err)
		return
	}
	request, err := unix.NewIfreq("nat0")
	require.NoError(t, err)
	request.SetUint16(unix.IFF_TUN | unix.IFF_NO_PI)
	require.NoError(t, unix.IoctlIfreq(fd, unix.TUNSETIFF, request))
	require.NoError(t, unix.SetNonblock(fd, true))
	n := &nat{tun: os.NewFile(uintptr(fd), "tun"), router: todo.Router, flows: make(map[flow]*net.UDPConn)}
	for _, args := range [][]string{
		{"link", "set", "nat0", "up"},
		{"route", "add", "default", "dev", "nat0", "table", "100"},
		{"rule", "add", "pref", "10", "ipproto", "udp", "lookup", "100"},
	} {
		out, err := exec.CommandContext(t.Context(), "ip", args...).CombinedOutput()
		require.NoError(t, err, "%s", out)
	}
	var running sync.WaitGroup
	running.Go(n.run)
	say("translating")
	cues(func(string) {
		n.forget()
		say("forgot")
	})
	require.NoError(t, n.tun.Close())
	running.Wait()
	n.forget()
	n.reading.Wait()
}

// run carries what comes from the client.
func (n *nat) run() {
	runtime.LockOSThread() // never unlocked: the thread ends with the goroutine
	ns, err := os.Open("/var/run/netns/" + n.router)
	if err != nil {
		panic(err)
	}
	defer ns.Close()
	// From here on the sockets of this goroutine are the router's.
	if err := unix.Setns(int(ns.Fd()), unix.CLONE_NEWNET); err != nil {
		panic(err)
	}
	buf := make([]byte, 2048)
	for {
		size, err := n.tun.Read(buf)
		if err != nil {
			return
		}
		from, payload, ok := parseUDP(buf[:size])
		if !ok {
			continue
		}
		if conn := n.socket(from); conn != nil {
			_, _ = conn.Write(payload)
		}
	}
}

// socket returns the one of a flow. Only run calls it.
func (n *nat) socket(f flow) *net.UDPConn {
	n.mu.Lock()
	defer n.mu.Unlock()
	if conn := n.flows[f]; conn != nil {
		return conn
	}
	conn, err := net.DialUDP("udp4", nil, net.UDPAddrFromAddrPort(f.dst))
	if err != nil {
		return nil
	}
	n.flows[f] = conn
	n.reading.Go(func() {
		buf := make([]byte, 2048)
		for {
			size, err := conn.Read(buf)
			if err != nil {
				return
			}
			_, _ = n.tun.Write(buildUDP(flow{src: f.dst, dst: f.src}, buf[:size]))
		}
	})
	return conn
}

func (n *nat) forget() {
	n.mu.Lock()
	defer n.mu.Unlock()
	for f, conn := range n.flows {
		_ = conn.Close()
		delete(n.flows, f)
	}
}

// Lengths of the headers without options (RFC 791, section 3.1; RFC 768).
const (
	ipv4Header = 20
	udpHeader  = 8
)

func parseUDP(p []byte) (flow, []byte, bool) {
	if len(p) < ipv4Header+udpHeader || p[0] != 0x45 || p[9] != unix.IPPROTO_UDP {
		return flow{}, nil, false
	}
	addr := func(ip, port []byte) netip.AddrPort {
		return netip.AddrPortFrom(netip.AddrFrom4([4]byte(ip)), binary.BigEndian.Uint16(port))
	}
	return flow{addr(p[12:16], p[20:22]), addr(p[16:20], p[22:24])}, p[ipv4Header+udpHeader:], true
}

func buildUDP(f flow, payload []byte) []byte {
	p := make([]byte, ipv4Header+udpHeader, ipv4Header+udpHeader+len(payload))
	p[0], p[8], p[9] = 0x45, 64, unix.IPPROTO_UDP
	size := len(p) + len(payload)
	binary.BigEndian.PutUint16(p[2:], uint16(size))
	copy(p[12:], f.src.Addr().AsSlice())
	copy(p[16:], f.dst.Addr().AsSlice())
	sum := uint32(0)
	for i := 0; i < ipv4Header; i += 2 {
		sum += uint32(binary.BigEndian.Uint16(p[i:]))
	}
	for sum > 0xFFFF {
		sum = sum>>16 + sum&0xFFFF
	}
	binary.BigEndian.PutUint16(p[10:], ^uint16(sum))
	binary.BigEndian.PutUint16(p[20:], f.src.Port())
	binary.BigEndian.PutUint16(p[22:], f.dst.Port())
	binary.BigEndian.PutUint16(p[24:], uint16(size-ipv4Header))
	return append(p, payload...) // a UDP checksum of zero is none
}

// symmetricNAT puts one between the client and the router.
func (n *network) symmetricNAT() *actor {
	n.t.Helper()
	// Nothing of the client's gets past the NAT by its own address.
	n.ip(n.router, "rule add pref 10 iif to-client ipproto udp blackhole")
	nat := n.play(n.client, "TestRoleNAT", netNAT{Router: n.router})
	if said := nat.says(); said != "translating" {
		n.t.Skip("SKIPPED: " + said)
	}
	return nat
}

// A symmetric NAT that forgets its mappings moves a call to other ports, and the call goes
// on.
func TestNetSymmetricNAT(t *testing.T) {
	t.Parallel()
	n := newNetwork(t, true, false)
	nat := n.symmetricNAT()
	// Without TURN, which would be another way.
	require.Equal(t, "serving", n.play(n.server, "TestRoleServer",
		netServer{HTTP: ":80", URL: "http://127.0.0.1", NoTURN: true}).says())
	c := n.play(n.client, "TestRoleClient", netClient{URL: "http://" + netServerV4})
	way := c.listens()
	require.True(t, direct(way), way)
	nat.tell("forget")
	require.Equal(t, "forgot", nat.says())
	way = c.listens()
	require.True(t, direct(way), way)
}

package e2e

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// The networks of these tests are made of three namespaces, a client's, a router's and the
// server's, joined by two virtual cables:
//
//	client 10.9.0.2 ── 10.9.0.1 router 10.9.1.1 ── 10.9.1.2 server
//	       fd09::2  ──  fd09::1        fd09:1::1 ── fd09:1::2
//
// The router drops by routing policy: a rule that leads into a black hole. What runs in a
// namespace is a process of its own, this test binary with the name of one role.

const (
	netServerV4 = "10.9.1.2"
	netServerV6 = "fd09:1::2"
	// netServerAlias is another address of the server's, after alias.
	netServerAlias = "10.9.7.7"
	// netSpeech marks the lines that a role speaks to its test.
	netSpeech = "@@ "
	// netRole is the environment variable that makes a process play a role.
	netRole = "LIVECHAT_E2E_ROLE"
	// netPatience is how long a role may take for one step: ICE gives up later, and a browser
	// starts slowly.
	netPatience = time.Minute
)

// network is what a test has made of namespaces.
type network struct {
	t                      *testing.T
	client, router, server string // names of namespaces
	dir                    string // for certificates
}

// netOnce numbers the networks of this process; see needNamespaces.
type netCounter struct {
	mu   sync.Mutex
	last int
}

//nolint:gochecknoglobals // numbers what is global to the machine: namespaces
var networks netCounter

// newNetwork makes a network with addresses of the given families, or skips the test where
// that is not allowed.
func newNetwork(t *testing.T, v4, v6 bool) *network {
	t.Helper()
	if testing.Short() {
		t.Skip("namespaces are not for -short")
	}
	if _, err := exec.LookPath("ip"); err != nil {
		t.Skip("SKIPPED: network namespaces need the program ip (Debian: iproute2)")
	}
	networks.mu.Lock()
	networks.last++
	prefix := fmt.Sprintf("lc%d-%d", os.Getpid(), networks.last)
	networks.mu.Unlock()
	n := &network{t: t, client: prefix + "c", router: prefix + "r", server: prefix + "s", dir: t.TempDir()}
	for _, ns := range []string{n.client, n.router, n.server} {
		if out, err := exec.CommandContext(t.Context(), "ip", "netns", "add", ns).CombinedOutput(); err != nil {
			t.Skipf("SKIPPED: network namespaces cannot be made here: %s", bytes.TrimSpace(out))
		}
		t.Cleanup(func() { _ = exec.Command("ip", "netns", "del", ns).Run() }) //nolint:noctx // when the test is over
	}
	n.ip("", "link add to-router netns "+n.client+" type veth peer name to-client netns "+n.router,
		"link add to-router netns "+n.server+" type veth peer name to-server netns "+n.router)
	for _, ns := range []string{n.client, n.router, n.server} {
		n.ip(ns, "link set lo up")
		n.sh(ns, "for f in /proc/sys/net/ipv6/conf/*/accept_dad; do echo 0 > $f; done 2>/dev/null; true")
	}
	for _, end := range []struct{ ns, dev, v4, v6, gw4, gw6 string }{
		{n.client, "to-router", "10.9.0.2/24", "fd09::2/64", "10.9.0.1", "fd09::1"},
		{n.router, "to-client", "10.9.0.1/24", "fd09::1/64", "", ""},
		{n.router, "to-server", "10.9.1.1/24", "fd09:1::1/64", "", ""},
		{n.server, "to-router", netServerV4 + "/24", netServerV6 + "/64", "10.9.1.1", "fd09:1::1"},
	} {
		n.ip(end.ns, "link set "+end.dev+" up")
		if v4 {
			n.ip(end.ns, "addr add "+end.v4+" dev "+end.dev)
		}
		if v6 {
			n.ip(end.ns, "addr add "+end.v6+" dev "+end.dev+" nodad")
		}
		if v4 && end.gw4 != "" {
			n.ip(end.ns, "route add default via "+end.gw4)
		}
		if v6 && end.gw6 != "" {
			n.ip(end.ns, "-6 route add default via "+end.gw6)
		}
	}
	n.sh(n.router, "echo 1 > /proc/sys/net/ipv4/ip_forward")
	if v6 {
		n.sh(n.router, "echo 1 > /proc/sys/net/ipv6/conf/all/forwarding")
	}
	return n
}

// ip runs commands of the program ip in a namespace, "" for our own.
func (n *network) ip(ns string, commands ...string) {
	n.t.Helper()
	for _, command := range commands {
		args := strings.Fields(command)
		if ns != "" {
			args = append([]string{"-n", ns}, args...)
		}
		out, err := exec.CommandContext(n.t.Context(), "ip", args...).CombinedOutput()
		require.NoError(n.t, err, "ip %s: %s", strings.Join(args, " "), out)
	}
}

func (n *network) sh(ns, script string) {
	n.t.Helper()
	out, err := exec.CommandContext(n.t.Context(), "ip", "netns", "exec", ns, "sh", "-c", script).CombinedOutput()
	require.NoError(n.t, err, "%s: %s", script, out)
}

// names gives an address a name in the client's place.
func (n *network) names(name, addr string) {
	n.t.Helper()
	dir := filepath.Join("/etc/netns", n.client) // ip netns exec puts what is in there over /etc
	require.NoError(n.t, os.MkdirAll(dir, 0o755))
	n.t.Cleanup(func() { _ = os.RemoveAll(dir) })
	require.NoError(n.t, os.WriteFile(filepath.Join(dir, "hosts"), []byte(addr+" "+name+"\n"), 0o600))
}

// alias gives the server another address, which is not the one that it reaches others by.
func (n *network) alias() {
	n.t.Helper()
	n.ip(n.server, "addr add "+netServerAlias+"/32 dev lo")
	n.ip(n.router, "route add "+netServerAlias+" via "+netServerV4)
}

// dropUDP makes the router lose all UDP.
func (n *network) dropUDP() {
	n.t.Helper()
	n.ip(n.router, "rule add pref 10 ipproto udp blackhole")
}

// allowOnlyTCP makes the router lose everything but connections to one port.
func (n *network) allowOnlyTCP(port string) {
	n.t.Helper()
	n.ip(n.router, "rule add pref 5 ipproto tcp dport "+port+" lookup main",
		"rule add pref 6 ipproto tcp sport "+port+" lookup main",
		"rule add pref 10 iif to-client blackhole", "rule add pref 11 iif to-server blackhole")
}

// serveOnlyHTTPS starts the server with a certificate, and has the router lose everything
// but connections to its HTTPS port.
func (n *network) serveOnlyHTTPS() {
	n.t.Helper()
	cert, key := n.certify()
	n.allowOnlyTCP("443")
	require.Equal(n.t, "serving", n.play(n.server, "TestRoleServer",
		netServer{HTTP: ":80", HTTPS: ":443", Cert: cert, Key: key, URL: "https://127.0.0.1"}).says())
}

// play starts a role in a namespace: the test of that name, with a task as its input.
func (n *network) play(ns, role string, task any) *actor {
	n.t.Helper()
	cmd := exec.Command("ip", "netns", "exec", ns, os.Args[0], "-test.timeout=10m") //nolint:noctx // it is stopped at the end
	cmd.Env = append(os.Environ(), "SSL_CERT_FILE="+filepath.Join(n.dir, "ca.pem"))
	return perform(n.t, cmd, role, task)
}

// perform starts a role by a command that runs this test binary.
func perform(t *testing.T, cmd *exec.Cmd, role string, task any) *actor {
	t.Helper()
	text, err := json.Marshal(task)
	require.NoError(t, err)
	cmd.Args = append(cmd.Args, "-test.run=^"+role+"$", "-test.v")
	cmd.Env = append(cmd.Environ(), netRole+"="+string(text))
	in, err := cmd.StdinPipe()
	require.NoError(t, err)
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	a := &actor{t: t, role: role, in: in, lines: make(chan string, 64)}
	cmd.Stderr = &a.log
	require.NoError(t, cmd.Start())
	var reading sync.WaitGroup
	reading.Go(func() {
		defer close(a.lines)
		for lines := bufio.NewScanner(out); lines.Scan(); {
			if speech, ok := strings.CutPrefix(lines.Text(), netSpeech); ok {
				a.lines <- speech
				continue
			}
			a.log.WriteString(lines.Text() + "\n")
		}
	})
	t.Cleanup(func() {
		_ = in.Close() // the role's end
		timer := time.AfterFunc(netPatience, func() { _ = cmd.Process.Kill() })
		defer timer.Stop()
		go func() {
			for line := range a.lines { // nobody listens any more
				a.log.WriteString(line + "\n")
			}
		}()
		reading.Wait()
		if err := cmd.Wait(); err != nil || t.Failed() {
			t.Errorf("%s: %v\n%s", role, err, a.log.String())
		}
	})
	return a
}

// actor is a process that plays a role.
type actor struct {
	t     *testing.T
	role  string
	in    io.WriteCloser
	lines chan string
	log   syncBuffer
}

// syncBuffer is a bytes.Buffer for several goroutines.
type syncBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *syncBuffer) WriteString(s string) { _, _ = b.Write([]byte(s)) }

func (b *syncBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

// says waits for the next line that a role speaks.
func (a *actor) says() string {
	a.t.Helper()
	select {
	case line, ok := <-a.lines:
		if !ok {
			a.t.Fatalf("%s ended", a.role)
		}
		return line
	case <-time.After(netPatience):
		a.t.Fatalf("%s says nothing", a.role)
	}
	return ""
}

// tell gives a role its next cue.
func (a *actor) tell(line string) {
	a.t.Helper()
	_, err := io.WriteString(a.in, line+"\n")
	require.NoError(a.t, err)
}

// task reads what a role has to do; without one the test is none of its own.
func task(t *testing.T, into any) {
	t.Helper()
	text := os.Getenv(netRole)
	if text == "" {
		t.Skip("a role in the tests of networks")
	}
	require.NoError(t, json.Unmarshal([]byte(text), into))
}

// say speaks a line to the test.
func say(format string, args ...any) {
	_, _ = fmt.Fprintf(os.Stdout, netSpeech+format+"\n", args...)
}

// cues calls on for every line from the test, until the test is over.
func cues(on func(cue string)) {
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		on(lines.Text())
	}
}

// certify makes a certificate authority and by it a certificate for the server, at
// cert.pem and key.pem.
func (n *network) certify() (cert, key string) {
	n.t.Helper()
	return certify(n.t, n.dir, netServerV4, netServerAlias, "127.0.0.1")
}

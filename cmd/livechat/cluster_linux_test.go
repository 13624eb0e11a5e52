package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
	"github.com/stretchr/testify/require"

	"github.com/mini-livechat/mini-livechat/sfu/porttest"
	"github.com/mini-livechat/mini-livechat/signaling/protocol"
)

// Bad settings of a cluster, each of which ends with words before anything is opened.
func TestBadClusterExitsWith2(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := func(name, content string, mode os.FileMode) string {
		path := filepath.Join(dir, name)
		require.NoError(t, os.WriteFile(path, []byte(content), 0o600))
		require.NoError(t, os.Chmod(path, mode))
		return path
	}
	secret := file("good", testSecret+"\n", 0o600)
	peers := func(list string) string { return "--cluster-peers=" + list }
	three := peers("a=127.0.0.1:1,b=127.0.0.1:2,c=127.0.0.1:3")
	for name, test := range map[string]struct {
		args []string
		says []string
	}{
		"twice in the list":       {[]string{peers("n1:6222,n2:6222,n1:6222"), "--node-name=n2"}, []string{"--cluster-peers=", "n1 is there twice"}},
		"twice by address":        {[]string{peers("a=n1:1,b=n1:1"), "--node-name=a"}, []string{"--cluster-peers=", "the same address"}},
		"not in the list":         {[]string{three, "--node-name=d"}, []string{"--cluster-peers=", "called d", "a, b, c", "--node-name"}},
		"only one":                {[]string{peers("a=127.0.0.1:1"), "--node-name=a"}, []string{"--cluster-peers=", "at least two nodes"}},
		"no address":              {[]string{peers("a=,b=n2"), "--node-name=a"}, []string{"--cluster-peers=", "host and a port"}},
		"a strange name":          {[]string{three, "--node-name=a b"}, []string{"--node-name"}},
		"no cluster secret":       {[]string{three, "--node-name=a", "--cluster-secret-file="}, []string{"--cluster-secret-file=", "openssl rand"}},
		"missing secret file":     {[]string{three, "--node-name=a", "--cluster-secret-file=nowhere"}, []string{"--cluster-secret-file=nowhere", "no such file"}},
		"empty secret file":       {[]string{three, "--node-name=a", "--cluster-secret-file=" + file("empty", "", 0o600)}, []string{"--cluster-secret-file=", "there is none"}},
		"short secret":            {[]string{three, "--node-name=a", "--cluster-secret-file=" + file("short", "hunter2\n", 0o600)}, []string{"32 to"}},
		"two secrets":             {[]string{three, "--node-name=a", "--cluster-secret-file=" + file("two", testSecret+"\n"+testSecret+"x\n", 0o600)}, []string{"2 lines"}},
		"secret for all":          {[]string{three, "--node-name=a", "--cluster-secret-file=" + file("open", testSecret+"\n", 0o644)}, []string{"others may use it", "chmod 600"}},
		"each its own secret":     {[]string{three, "--node-name=a", "--secret="}, []string{"--secret=", "all nodes of a server need the same"}},
		"no data":                 {[]string{three, "--node-name=a", "--data="}, []string{"--data="}},
		"a name and no cluster":   {[]string{"--node-name=a", "--cluster-secret-file="}, []string{"--node-name=a", "needs --cluster-peers"}},
		"NATS in the clear":       {[]string{"--nats=nats://192.0.2.1:4222"}, []string{"--nats=nats://192.0.2.1:4222", "tls://"}},
		"NATS and no names":       {[]string{"--nats=tls://192.0.2.1", "--node-name=a"}, []string{"--cluster-peers=", "name all nodes beside --nats"}},
		"NATS that is no URL":     {[]string{"--nats=n1"}, []string{"--nats=n1", "must be a URL"}},
		"a password in the clear": {[]string{"--nats=nats://u:hunter2@192.0.2.1"}, []string{"--nats=nats://192.0.2.1", "tls://"}},
		"missing credentials":     {[]string{"--nats=tls://192.0.2.1", "--node-name=a", "--nats-credentials=nowhere"}, []string{"--nats-credentials=nowhere", "no such file"}},
		"missing authority":       {[]string{"--nats=tls://192.0.2.1", "--node-name=a", "--nats-ca=nowhere"}, []string{"--nats-ca=nowhere", "no such file"}},
		"an authority for none":   {[]string{three, "--node-name=a", "--nats-ca=x"}, []string{"--nats-ca=x", "needs --nats"}},
		"credentials for none":    {[]string{three, "--node-name=a", "--nats-credentials=x"}, []string{"--nats-credentials=x", "needs --nats"}},
		"a strange URL":           {[]string{three, "--node-name=a", "--node-url=n1/x"}, []string{"--node-url=n1/x", "https://"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			args := append([]string{"--secret=" + testSecret, "--cluster-secret-file=" + secret, "--http=127.0.0.1:0", "--udp=0", "--metrics="}, test.args...)
			_, stderr, code := output(t, livechat(t, nil, args...))
			require.Equal(t, exitUsage, code, "%s", stderr)
			for _, says := range test.says {
				require.Contains(t, stderr, says)
			}
			require.NotContains(t, stderr, "hunter2")
			require.NotContains(t, stderr, testSecret)
		})
	}
}

// A node that waits for others says for which, and why they do not answer, and ends in order.
func TestNodeThatWaitsForOthers(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	secret := filepath.Join(dir, "cluster.secret")
	require.NoError(t, os.WriteFile(secret, []byte(testSecret+", of the cluster\n"), 0o600))
	here, there := porttest.Addr(t), porttest.Addr(t)
	cmd := livechat(t, nil, "--http=127.0.0.1:0", "--udp=0", "--metrics=", "--no-turn", "--data="+filepath.Join(dir, "data"),
		"--secret="+testSecret, "--node-name=n1", "--cluster-peers=n1="+here+",n2="+there, "--cluster-secret-file="+secret)
	log := new(syncBuffer)
	cmd.Stderr = log
	require.NoError(t, cmd.Start())
	require.Eventually(t, func() bool {
		return strings.Contains(log.String(), "for n2 (nobody is at "+there+": connect: connection refused)")
	}, time.Minute, 20*time.Millisecond, "%s", log)
	require.NoError(t, cmd.Process.Signal(syscall.SIGTERM))
	require.NoError(t, cmd.Wait(), "%s", log)
	require.Contains(t, log.String(), `"stopped"`)
}

// Three nodes as processes: three see each other, those that are killed are missed and come back, and one alone says what it waits for.
func TestThreeNodesAsProcesses(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	secret := filepath.Join(dir, "cluster.secret")
	require.NoError(t, os.WriteFile(secret, []byte(testSecret+", of the cluster\n"), 0o600))
	other := filepath.Join(dir, "other.secret")
	require.NoError(t, os.WriteFile(other, []byte(testSecret+", of another\n"), 0o600))
	pid := os.Getpid()
	// An address of loopback that no other program takes, so that the ports need not be looked for.
	host := net.IPv4(127, byte(128+pid>>16&63), byte(pid>>8), byte(1+pid%254)).String()
	names := []string{"n1", "n2", "n3"}
	peers := make([]string, 0, len(names))
	for i, name := range names {
		peers = append(peers, name+"="+net.JoinHostPort(host, strconv.Itoa(6222+i)))
	}
	type node struct {
		url  string
		log  *syncBuffer
		kill func()
		end  func() error
	}
	start := func(name string) *node {
		cmd := livechat(t, nil, "--http=127.0.0.1:0", "--udp=0", "--metrics=127.0.0.1:0", "--no-turn", "--allow-guests", "--data="+filepath.Join(dir, name),
			"--secret="+testSecret, "--node-name="+name, "--cluster-peers="+strings.Join(peers, ","), "--cluster-secret-file="+secret)
		url, log := started(t, cmd)
		return &node{
			url: url, log: log, kill: func() { _ = cmd.Process.Kill(); _ = cmd.Wait() },
			end: func() error { _ = cmd.Process.Signal(syscall.SIGTERM); return cmd.Wait() },
		}
	}
	ready := func(n *node) (status int, text string) {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, n.url+"/readyz", nil)
		require.NoError(t, err)
		resp, err := http.DefaultClient.Do(req)
		require.NoError(t, err)
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		require.NoError(t, err)
		return resp.StatusCode, string(body)
	}
	nodes := func(name string) (all protocol.AdminNodes) {
		stdout, stderr, code := output(t, livechat(t, nil, "admin", "nodes", "--json", "--data="+filepath.Join(dir, name)))
		require.Zero(t, code, stderr)
		require.NoError(t, json.Unmarshal([]byte(stdout), &all))
		return all
	}
	states := func(name string) string {
		all := nodes(name)
		said := fmt.Sprint(all.Quorum)
		for i := range all.Nodes {
			said += " " + all.Nodes[i].Name + " " + all.Nodes[i].State
		}
		return said
	}
	become := func(name, want string) {
		t.Helper()
		require.Eventually(t, func() bool { return states(name) == want }, patience, 50*time.Millisecond, "%s should see %s", name, want)
	}

	// A cluster begins when all are there.
	var n1, n2, n3 *node
	var starting sync.WaitGroup
	for name, n := range map[string]**node{"n1": &n1, "n2": &n2, "n3": &n3} {
		starting.Go(func() { *n = start(name) })
	}
	starting.Wait()
	become("n1", "true n1 here n2 here n3 here")
	become("n3", "true n3 here n1 here n2 here")
	require.Eventually(t, func() bool {
		status, _ := ready(n1)
		return status == http.StatusOK
	}, patience, 50*time.Millisecond, "n1 should be ready")
	// Voice goes from each to each other, as each says itself, and none is behind.
	require.Eventually(t, func() bool {
		all := nodes("n2")
		sound := 0
		for i := range all.Nodes {
			for j := range all.Nodes[i].Links {
				if l := &all.Nodes[i].Links[j]; l.Up && l.RTTMS > 0 && all.Nodes[i].Behind == 0 {
					sound++
				}
			}
		}
		return sound == 6
	}, patience, 50*time.Millisecond, "links")
	var how protocol.AdminStatus
	stdout, _, _ := output(t, livechat(t, nil, "admin", "status", "--json", "--data="+filepath.Join(dir, "n3")))
	require.NoError(t, json.Unmarshal([]byte(stdout), &how))
	require.Equal(t, "n3", how.Node)
	figures := fetch(t, how.Metrics)
	problems, err := promlint.New(strings.NewReader(figures)).Lint()
	require.NoError(t, err)
	require.Empty(t, problems)
	for _, name := range ofSeveralNodes() {
		require.Regexp(t, "(?m)^"+name+"({.*})? [01]$", figures)
	}
	require.Equal(t, 2, strings.Count(figures, "\nlivechat_link_up{"))
	n2.kill()
	become("n1", "true n1 here n2 awaited n3 here")
	require.Eventually(t, func() bool { return strings.Contains(n1.log.String(), "a node is gone") }, patience, 10*time.Millisecond)
	n3.kill()
	become("n1", "false n1 here n2 awaited n3 awaited")
	status, text := ready(n1)
	require.Equal(t, http.StatusServiceUnavailable, status)
	require.Contains(t, text, "waits for n2, n3")
	require.Eventually(t, func() bool { return strings.Contains(n1.log.String(), "waits for n2 (nobody is at ") }, patience, 10*time.Millisecond)
	// Who does not fit is told why, as is who runs the others; these go on.
	for says, change := range map[string][]string{
		"another cluster secret":           {"--node-name=n3", "--cluster-secret-file=" + other},
		"its tokens would not be accepted": {"--node-name=n3", "--secret=" + testSecret + ", another one"},
		"give each its own --node-name":    {"--node-name=n1", "--cluster-listen=" + net.JoinHostPort(host, "6224")},
	} {
		said := new(syncBuffer)
		stranger := livechat(t, nil, append([]string{
			"--http=127.0.0.1:0", "--udp=0", "--metrics=", "--no-turn", "--allow-guests", "--data=" + filepath.Join(dir, "stranger"),
			"--secret=" + testSecret, "--cluster-peers=" + strings.Join(peers, ","), "--cluster-secret-file=" + secret,
		}, change...)...)
		stranger.Stderr = said
		require.NoError(t, stranger.Start())
		t.Cleanup(func() { _ = stranger.Process.Kill() })
		require.Eventually(t, func() bool { return strings.Contains(said.String(), says) && strings.Contains(n1.log.String(), says) },
			patience, 50*time.Millisecond, "both should say %q; the stranger says %s", says, said)
		require.NoError(t, stranger.Process.Kill())
		_ = stranger.Wait()
		require.NotContains(t, said.String(), testSecret)
	}
	starting.Go(func() { n3 = start("n3") })
	n2 = start("n2")
	starting.Wait()
	become("n1", "true n1 here n1 refused n2 here n3 here")
	require.Eventually(t, func() bool { // a node says where people reach it when it takes them
		table, _, code := output(t, livechat(t, nil, "admin", "nodes", "--data="+filepath.Join(dir, "n1")))
		return code == 0 && strings.Contains(table, n2.url) && strings.Contains(table, "VOICE AT")
	}, patience, 50*time.Millisecond, "where people reach n2")
	for _, n := range []*node{n3, n2, n1} {
		require.NoError(t, n.end(), n.log.String())
	}
}

package main

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mini-livechat/mini-livechat/cmd/bench"
	"github.com/mini-livechat/mini-livechat/signaling/client"
)

// TestBench measures for a second and checks that what is reported is complete and
// plausible. How fast anything is says nothing here.
func TestBench(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("benchmarks run on Linux only")
	}
	t.Parallel()
	tmp := t.TempDir()
	cmd := livechat(t, []string{"TMPDIR=" + tmp, "LIVECHAT_SLOTS=1", "LIVECHAT_SECRET=not for the benchmark"},
		"bench", "--json", "--seconds=1", "--warmup=0", "conference", "3", "join 3")
	stdout, stderr, code := output(t, cmd)
	require.Zero(t, code, stderr)
	require.Contains(t, stderr, "conference 3: the load generator took ", "what makes figures doubtful")
	left, err := os.ReadDir(tmp)
	require.NoError(t, err)
	require.Empty(t, left, "nothing is left behind")

	lines := strings.Split(strings.TrimSpace(stdout), "\n")
	require.Len(t, lines, 2, stdout)
	conference, join := figures(t, lines[0]), figures(t, lines[1])
	require.Len(t, conference, 35)
	require.Len(t, join, 35)

	require.Equal(t, "conference 3", conference["scenario"])
	for name, value := range conference {
		require.True(t, value != nil || strings.HasPrefix(name, "join_ms") || strings.HasPrefix(name, "chat."), "%s is missing: %s", name, lines[0])
	}
	// 3 talkers, 2 hearers each, 50 packets a second. On a machine that is busy with other
	// tests the load generator may come too late to send them all, and some may be lost.
	require.Greater(t, number(t, conference, "expected_pps"), 30.0)
	require.Less(t, number(t, conference, "expected_pps"), 330.0)
	require.InEpsilon(t, number(t, conference, "expected_pps"), number(t, conference, "forwarded_pps"), 0.25)
	require.Less(t, number(t, conference, "loss"), 0.25)
	for _, positive := range []string{
		"latency_ms.p50", "latency_ms.max", "server.cpu_cores", "server.cpu_us_per_packet", "server.rss_bytes",
		"server.goroutines", "floor_us_per_packet", "reference_us_per_packet", "ratio_floor", "ratio_reference",
	} {
		require.Positive(t, number(t, conference, positive), positive)
	}
	require.LessOrEqual(t, number(t, conference, "latency_ms.p50"), number(t, conference, "latency_ms.max"))

	require.Equal(t, "join 3", join["scenario"])
	require.Positive(t, number(t, join, "join_ms.p50"))
	require.LessOrEqual(t, number(t, join, "join_ms.p50"), number(t, join, "join_ms.p99"))
	require.Less(t, number(t, join, "loss"), 0.25)
	require.Nil(t, join["ratio_floor"])
}

// TestBenchCluster has three nodes measured beside one, which takes a second and says nothing of how fast anything is.
func TestBenchCluster(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("benchmarks run on Linux only")
	}
	t.Parallel()
	tmp := t.TempDir()
	stdout, stderr, code := output(t, livechat(t, []string{"TMPDIR=" + tmp},
		"bench", "--json", "--seconds=1", "--warmup=0", "--no-floor", "--no-reference", "--cluster=3", "--slots=2", "conference", "9"))
	require.Zero(t, code, stderr)
	var measured bench.Result
	require.NoError(t, json.Unmarshal([]byte(stdout), &measured))
	require.NotNil(t, measured.Cluster)
	require.Positive(t, measured.Server.CPUPerPacket)
	require.Positive(t, measured.Cluster.ForwardedPPS)
	between := measured.Cluster.Between
	require.Len(t, between.Nodes, 3)
	require.Positive(t, between.RatioOne)
	require.Positive(t, between.RatioAlike)
	require.Equal(t, "conference 3", measured.Alike.Scenario)
	require.Positive(t, between.Same.P50)
	require.Positive(t, between.Across.P50)
	require.EqualValues(t, 4, between.RelayedBound, "two slots, to each of two other nodes")
	for i, node := range between.Nodes {
		require.Equal(t, 3, node.People, i)
		require.Positive(t, node.ForwardedPPS, i)
		require.Positive(t, node.RatioOne, i)
		require.Positive(t, node.RatioAlike, i)
		require.Positive(t, node.Relayed, i)
		require.LessOrEqual(t, node.RelayedMost, between.RelayedBound, i)
	}
	left, err := os.ReadDir(tmp)
	require.NoError(t, err)
	require.Empty(t, left, "nothing is left behind")
}

// TestBenchChat measures messages that are written beside a call to a server that knows others already.
func TestBenchChat(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("benchmarks run on Linux only")
	}
	t.Parallel()
	tmp := t.TempDir()
	stdout, stderr, code := output(t, livechat(t, []string{"TMPDIR=" + tmp},
		"bench", "--json", "--seconds=1", "--warmup=0", "--no-floor", "--no-reference", "--remembered=500", "chat", "100"))
	require.Zero(t, code, stderr)
	require.Contains(t, stderr, "chat 100: without messages ")
	chat := figures(t, strings.TrimSpace(stdout))
	for _, positive := range []string{"latency_ms.p50", "chat.ack_ms_p50", "chat.quiet_us_per_packet", "chat.quiet_latency_ms_p99", "chat.cores"} {
		require.Positive(t, number(t, chat, positive), positive)
	}
	require.LessOrEqual(t, number(t, chat, "chat.ack_ms_p50"), number(t, chat, "chat.ack_ms_p99"))
	left, err := os.ReadDir(tmp)
	require.NoError(t, err)
	require.Empty(t, left, "nothing is left behind")
}

// TestBenchFloor has everything about the floor measured once or a few times.
func TestBenchFloor(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("benchmarks run on Linux only")
	}
	t.Parallel()
	tmp := t.TempDir()
	stdout, stderr, code := output(t, livechat(t, []string{"TMPDIR=" + tmp}, "bench", "--json", "floor", "2"))
	require.Zero(t, code, stderr)
	var measured bench.TurnsResult
	require.NoError(t, json.Unmarshal([]byte(stdout), &measured))
	require.Equal(t, "floor 2", measured.Scenario)
	for _, figure := range measured.Figures {
		if figure.Unit == "" {
			require.Zero(t, figure.Value, figure.Name)
			continue
		}
		require.False(t, figure.Value.Missing(), figure.Name)
		require.Positive(t, figure.Samples, figure.Name)
		if strings.HasPrefix(figure.Name, "bad_") {
			require.Greater(t, figure.Value, bench.Value(100), "%s, which takes a round trip", figure.Name)
		}
	}
	left, err := os.ReadDir(tmp)
	require.NoError(t, err)
	require.Empty(t, left, "nothing is left behind")
}

// figures flattens a line of JSON: nested names are joined by dots.
func figures(t *testing.T, line string) map[string]any {
	t.Helper()
	var object map[string]any
	require.NoError(t, json.Unmarshal([]byte(line), &object))
	flat := map[string]any{}
	for name, value := range object {
		inner, ok := value.(map[string]any)
		if !ok {
			flat[name] = value
			continue
		}
		for field, v := range inner {
			flat[name+"."+field] = v
		}
	}
	return flat
}

func number(t *testing.T, object map[string]any, name string) float64 {
	t.Helper()
	value, ok := object[name].(float64)
	require.True(t, ok, "%s: %v", name, object[name])
	return value
}

func TestBenchEndsWhenInterrupted(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("benchmarks run on Linux only")
	}
	t.Parallel()
	tmp := t.TempDir()
	cmd := livechat(t, []string{"TMPDIR=" + tmp}, "bench", "--no-floor", "--no-reference", "--seconds=60", "idle", "2")
	require.NoError(t, cmd.Start())
	require.Eventually(t, func() bool {
		dirs, _ := filepath.Glob(filepath.Join(tmp, "livechat-bench-*"))
		return len(dirs) == 1
	}, patience, 10*time.Millisecond, "the server is started")
	require.NoError(t, cmd.Process.Signal(syscall.SIGINT))
	require.Error(t, cmd.Wait())
	require.Equal(t, exitInterrupted, cmd.ProcessState.ExitCode())
	left, err := os.ReadDir(tmp)
	require.NoError(t, err)
	require.Empty(t, left)
}

// TestBenchOfARunningServer leaves it as it was.
func TestBenchOfARunningServer(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("benchmarks run on Linux only")
	}
	t.Parallel()
	url, log := started(t, livechat(t, nil, "--http=127.0.0.1:0", "--udp=127.0.0.1:0", "--no-turn", "--slots=2"))
	stdout, stderr, code := output(t, livechat(t, nil,
		"bench", "--json", "--seconds=1", "--warmup=0", "--url="+url, "conference", "4"))
	require.Zero(t, code, "%s%s", stderr, log)
	measured := figures(t, strings.TrimSpace(stdout))
	require.Greater(t, number(t, measured, "forwarded_pps"), 30.0)
	for name, value := range measured {
		if strings.HasPrefix(name, "server.") || strings.Contains(name, "floor") || strings.Contains(name, "reference") {
			require.Nil(t, value, name)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	guest, err := client.Guest(ctx, url, "Ada")
	require.NoError(t, err)
	c, err := client.Dial(ctx, url, client.Options{Token: guest.Token})
	require.NoError(t, err)
	channels, err := c.Channels(ctx)
	require.NoError(t, err)
	require.NoError(t, c.Close())
	require.Len(t, channels, 2, "the lobby and the radio")

	_, stderr, code = output(t, livechat(t, nil, "bench", "--url="+url, "--slots=3", "fanout", "2"))
	require.Equal(t, exitUsage, code)
	require.Contains(t, stderr, "lets 2 be heard at once, not 3")
}

func TestBenchRefuses(t *testing.T) {
	t.Parallel()
	for args, says := range map[string]string{
		"":                        "none is given",
		"karaoke 5":               "none of fanout",
		"--runs=0 fanout 1":       "1 to 100 runs",
		"--seconds=0 fanout 1":    "a measurement must take",
		"--url=nowhere fanout 1":  "not the URL of a server",
		"--url=ftp://x fanout 1":  "begins with http:// or https://",
		"--runs=many fanout 1":    "must be a whole number",
		"--child=nobody fanout 1": "unknown role",
		"--url=http://x floor":    "floor needs a server of its own",
		"--cluster=1 fanout 1":    "2 to 9 nodes",
		"--cluster=3 floor":       "floor is measured on one node",

		"--cluster=3 --url=http://x fanout 1": "a cluster is one of its own",
		"--cluster=3 --remembered=9 chat 1":   "nothing to remember",
	} {
		_, stderr, code := output(t, livechat(t, nil, append([]string{"bench"}, strings.Fields(args)...)...))
		want := exitUsage
		if strings.Contains(args, "--child") {
			want = exitFailure
		}
		require.Equal(t, want, code, args)
		require.Contains(t, stderr, says, args)
	}
}

// Package interop tries the server with WebRTC stacks of other people's making, each as a small client that knows PROTOCOL.md
// and nothing else. `make interop` runs it.
package interop

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/zap"

	"github.com/mini-livechat/mini-livechat/cmd/app"
	"github.com/mini-livechat/mini-livechat/signaling/client"
	"github.com/mini-livechat/mini-livechat/signaling/protocol"
)

const (
	// patience bounds what a stack may take, its start included.
	patience = 40 * time.Second
	// quietTime is several of the longest pauses between two signs of life.
	quietTime = 20 * time.Second
	// enough packets are a second of voice.
	enough = 50
)

// silence is an Opus packet of 20 ms that any decoder takes (RFC 6716): CELT, full band, silent.
func silence() []byte { return []byte{0xf8, 0xff, 0xfe} }

// stack is somebody's client.
type stack struct {
	name    string
	needs   string   // a program that must be there
	version []string // what prints the version; fails when it is not installed
	run     []string // gets the server's URL and a name behind it
}

func stacks() []stack {
	return []stack{
		{"pion", "go", []string{"go", "list", "-m", "-f", "{{.Version}}", "github.com/pion/webrtc/v4"}, []string{"go", "run", "./pion"}},
		{
			"chromium", "chromium",
			[]string{"chromium", "--version"},
			[]string{"node", "browser_client.mjs", "chrome", "/usr/bin/chromium"},
		},
		{
			"firefox", "firefox-esr",
			[]string{"firefox-esr", "--version"},
			[]string{"node", "browser_client.mjs", "firefox", "/usr/bin/firefox-esr"},
		},
		{
			"aiortc", "/usr/bin/python3",
			[]string{"/usr/bin/python3", "-c", "import aiortc, websockets; print(aiortc.__version__)"},
			[]string{"/usr/bin/python3", "aiortc_client.py"},
		},
		{
			"gstreamer", "/usr/bin/python3",
			[]string{"/usr/bin/python3", "-c", "import gi; gi.require_version('GstWebRTC', '1.0'); " +
				"from gi.repository import Gst, GstWebRTC; import websockets; Gst.init(None); " +
				"assert Gst.ElementFactory.find('webrtcbin') and Gst.ElementFactory.find('nicesrc'); print(Gst.version_string())"},
			[]string{"/usr/bin/python3", "gstreamer_client.py"},
		},
		{
			"werift", "node",
			[]string{"node", "-p", "JSON.parse(require('fs').readFileSync('node_modules/werift/package.json')).version"},
			[]string{"node", "werift_client.mjs"},
		},
		{
			"wrtc", "node",
			[]string{"node", "-p", "require('@roamhq/wrtc/package.json').version"},
			[]string{"node", "wrtc_client.mjs"},
		},
	}
}

// TestInterop has each stack join, be heard by two of ours, and hear both.
func TestInterop(t *testing.T) {
	if os.Getenv("LIVECHAT_INTEROP") == "" {
		t.Skip("LIVECHAT_INTEROP is not set: make interop sets it")
	}
	for _, s := range stacks() {
		t.Run(s.name, func(t *testing.T) {
			version := s.installed(t)
			base := startServer(t)
			var heard [2]counter
			for i := range heard {
				heard[i].listen(t, base, fmt.Sprint("ours ", i))
			}
			theirs := start(t, base, s.run, "theirs")
			theirs.until(t, "joined")
			for i := range heard {
				require.Eventually(t, func() bool { return heard[i].packets(theirs.userID) >= enough }, patience, 50*time.Millisecond,
					"%s is not heard", s.name)
			}
			theirs.hears(t, enough)
			t.Logf("%-8s %-8s joined, is heard, hears", s.name, version)
		})
	}
}

// TestInteropListeners has each stack be in a channel in which nobody says a word: it is not called lost for that.
func TestInteropListeners(t *testing.T) {
	if os.Getenv("LIVECHAT_INTEROP") == "" {
		t.Skip("LIVECHAT_INTEROP is not set: make interop sets it")
	}
	for _, s := range stacks() {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			version := s.installed(t)
			base := startServer(t)
			ctx, cancel := context.WithTimeout(context.Background(), patience)
			defer cancel()
			guest, err := client.Guest(ctx, base, "ours")
			require.NoError(t, err)
			ours, err := client.Dial(ctx, base, client.Options{Token: guest.Token})
			require.NoError(t, err)
			defer ours.Close()
			call, err := ours.Join(ctx, "lobby", client.JoinOptions{ListenOnly: true})
			require.NoError(t, err)
			theirs := start(t, base, s.run, "theirs", "listen")
			theirs.until(t, "joined")
			for over := time.After(quietTime); ; {
				select {
				case event := <-ours.Events():
					if state, ok := event.Payload.(*protocol.MediaState); ok {
						t.Fatalf("%s is told to be %s", state.UserID, state.State)
					}
					continue
				case <-over:
				}
				break
			}
			i := slices.IndexFunc(call.Members(), func(m protocol.Member) bool { return m.UserID == theirs.userID })
			require.GreaterOrEqual(t, i, 0, "it is still there")
			t.Logf("%-8s %-8s listens, and is there", s.name, version)
		})
	}
}

// installed returns the version, and skips the test when the stack is not there.
func (s stack) installed(t *testing.T) (version string) {
	t.Helper()
	if _, err := exec.LookPath(s.needs); err != nil {
		t.Skipf("%s: skipped, there is no %s", s.name, s.needs)
	}
	out, err := exec.Command(s.version[0], s.version[1:]...).Output() //nolint:noctx // ends by itself
	if err != nil {
		t.Skipf("%s: skipped, not installed", s.name)
	}
	return strings.TrimSpace(string(out))
}

func startServer(t *testing.T) (url string) {
	t.Helper()
	cfg := app.Default()
	// On all interfaces, since Firefox does not talk from others to loopback.
	cfg.HTTP, cfg.UDP, cfg.TURN, cfg.Data = "127.0.0.1:0", "0", false, t.TempDir()
	a, err := app.New(cfg, zap.NewNop())
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- a.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		require.NoError(t, <-done)
	})
	return a.URL()
}

// counter is one of ours: talks, and counts what is heard of one other.
type counter struct {
	from  atomic.Pointer[string]
	count atomic.Int64
}

func (c *counter) listen(t *testing.T, base, name string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	guest, err := client.Guest(ctx, base, name)
	require.NoError(t, err)
	engine, err := client.NewEngine(client.EngineConfig{LocalIP: func(ip net.IP) bool { return ip.IsLoopback() }})
	require.NoError(t, err)
	ours, err := client.Dial(ctx, base, client.Options{Token: guest.Token, Engine: engine, EventBuffer: -1})
	require.NoError(t, err)
	call, err := ours.Join(ctx, "lobby", client.JoinOptions{OnPacket: func(_ *client.Slot, p client.Packet) {
		if from := c.from.Load(); from != nil && p.UserID == *from && len(p.Payload) > 0 {
			c.count.Add(1)
		}
	}})
	require.NoError(t, err)
	talking, hush := context.WithCancel(context.Background())
	quiet := make(chan struct{})
	go func() {
		defer close(quiet)
		tick := time.NewTicker(20 * time.Millisecond)
		defer tick.Stop()
		for talking.Err() == nil {
			<-tick.C
			_ = call.WriteOpusLevel(silence(), 0, 30)
		}
	}()
	t.Cleanup(func() {
		hush()
		<-quiet
		_ = ours.Close()
	})
}

func (c *counter) packets(from string) int64 {
	c.from.Store(&from)
	return c.count.Load()
}

// process is a stack at work: it prints "ready USER-ID", "joined", and then "heard N M" again and again, what came on each of
// its two slots.
type process struct {
	userID string
	lines  chan string
}

func start(t *testing.T, base string, command []string, args ...string) *process {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience+quietTime)
	cmd := exec.CommandContext(ctx, command[0], slices.Concat(command[1:], []string{base}, args)...)
	cmd.Stderr = os.Stderr
	// A browser is closed by who opened it.
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = 10 * time.Second
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	p := &process{lines: make(chan string, 1000)}
	go func() {
		defer close(p.lines)
		for scanner := bufio.NewScanner(out); scanner.Scan(); {
			p.lines <- scanner.Text()
		}
	}()
	t.Cleanup(func() {
		cancel()
		_ = cmd.Wait()
	})
	p.userID = strings.TrimPrefix(p.until(t, "ready "), "ready ")
	return p
}

func (p *process) until(t *testing.T, prefix string) string {
	t.Helper()
	for line := range p.lines {
		if strings.HasPrefix(line, prefix) {
			return line
		}
	}
	t.Fatalf("ended before it said %q", prefix)
	return ""
}

// hears waits until so many packets have come on both slots.
func (p *process) hears(t *testing.T, enough int) {
	t.Helper()
	for {
		var a, b int
		_, err := fmt.Sscanf(p.until(t, "heard "), "heard %d %d", &a, &b)
		require.NoError(t, err)
		if a >= enough && b >= enough {
			return
		}
	}
}

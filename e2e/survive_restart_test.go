package e2e

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mini-livechat/mini-livechat/sfu/porttest"
	"github.com/mini-livechat/mini-livechat/signaling/client"
)

// process is the program itself, which a test ends and starts again at the same addresses, with the same data.
type process struct {
	server

	t    *testing.T
	path string
	args []string
	cmd  *exec.Cmd
}

// startProcess builds the program and starts it on free ports of the loopback interface.
func startProcess(t *testing.T, args ...string) *process {
	t.Helper()
	dir := t.TempDir()
	p := &process{t: t, path: filepath.Join(dir, "livechat")}
	build := exec.CommandContext(t.Context(), "go", "build", "-o", p.path, "../cmd/livechat")
	out, err := build.CombinedOutput()
	require.NoError(t, err, "%s", out)
	p.args = append([]string{
		"--http=" + porttest.Addr(t), "--udp=" + porttest.Addr(t), "--turn-udp=", "--turn-tcp=",
		"--data=" + filepath.Join(dir, "data"), "--log-level=warn",
	}, args...)
	p.start()
	t.Cleanup(func() {
		if p.cmd.ProcessState == nil {
			p.end(syscall.SIGTERM)
		}
	})
	return p
}

// start runs the program and returns when it serves.
func (p *process) start() {
	p.t.Helper()
	p.cmd = exec.CommandContext(context.Background(), p.path, p.args...)
	p.cmd.Env = slices.DeleteFunc(os.Environ(), func(v string) bool { return strings.HasPrefix(v, "LIVECHAT_") })
	p.cmd.Stderr = os.Stderr
	stdout, err := p.cmd.StdoutPipe()
	require.NoError(p.t, err)
	require.NoError(p.t, p.cmd.Start())
	line, err := bufio.NewReader(stdout).ReadString('\n')
	require.NoError(p.t, err)
	p.URL = strings.TrimSpace(strings.TrimPrefix(line, "Mini LiveChat is at "))
}

// end ends the program by a signal. Told to stop it does so in order.
func (p *process) end(by syscall.Signal) {
	p.t.Helper()
	require.NoError(p.t, p.cmd.Process.Signal(by))
	err := p.cmd.Wait()
	if by != syscall.SIGKILL {
		require.NoError(p.t, err, "exit code 0")
	}
}

// again ends the program by a signal and starts it anew, and says how long either took.
func (p *process) again(by syscall.Signal) {
	p.t.Helper()
	began := time.Now()
	p.end(by)
	gone := time.Now()
	p.start()
	p.t.Logf("the server was gone %v after the signal, and there again %v later",
		gone.Sub(began).Round(time.Millisecond), time.Since(gone).Round(time.Millisecond))
}

// ears keep, for everybody who is heard, how long they were not.
type ears struct {
	mu   sync.Mutex
	from map[string]*hearing // by user id
}

type hearing struct {
	last    time.Time
	silence time.Duration // the longest since forget
}

func (e *ears) hear(_ *client.Slot, packet client.Packet) {
	frame := packet.Payload // of voiceFrame
	now := time.Now()
	e.mu.Lock()
	defer e.mu.Unlock()
	h := e.from[string(frame[2:2+int(frame[1])])]
	if h == nil {
		h = &hearing{last: now}
		e.from[string(frame[2:2+int(frame[1])])] = h
	}
	h.silence = max(h.silence, now.Sub(h.last))
	h.last = now
}

// forget begins the measurement anew.
func (e *ears) forget() {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, h := range e.from {
		h.silence = 0
	}
}

// hears reports whether so many have been heard, all since a moment.
func (e *ears) hears(n int, since time.Time) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, h := range e.from {
		if h.last.Before(since) {
			return false
		}
	}
	return len(e.from) == n
}

func (e *ears) silences() []time.Duration {
	e.mu.Lock()
	defer e.mu.Unlock()
	all := make([]time.Duration, 0, len(e.from))
	for _, h := range e.from {
		all = append(all, h.silence)
	}
	return all
}

// TestSurviveRestart: the server is restarted under 200 who talk, in rooms of 5 who all hear each other. Measured is how long
// each was not heard by each of the others, from the last packet before to the first one after. Nobody is lost. Two cores carry
// the server and the 200 if nothing else runs.
func TestSurviveRestart(t *testing.T) {
	survives(t)
	verifyNoLeaks(t)
	const (
		talkers, perRoom = 200, 5
		limit            = 3 * time.Second
	)
	rooms := make([]string, talkers/perRoom)
	for i := range rooms {
		rooms[i] = fmt.Sprint("room-", i)
	}
	p := startProcess(t, "--channels="+strings.Join(rooms, ","))
	engine := loopbackEngine(t)
	people, all := make([]*person, talkers), make([]*ears, talkers)
	for i := range people {
		all[i] = &ears{from: make(map[string]*hearing)}
		people[i] = arrive(t, &p.server, fmt.Sprint("talker ", i), comesBack, func(o *client.Options) {
			o.Engine, o.EventBuffer = engine, -1
		})
		people[i].join(rooms[i/perRoom], func(o *client.JoinOptions) { o.OnPacket = all[i].hear })
		people[i].talk()
	}
	everybodyHears := func(within time.Duration) {
		t.Helper()
		now := time.Now()
		require.Eventually(t, func() bool {
			return !slices.ContainsFunc(all, func(e *ears) bool { return !e.hears(perRoom-1, now) })
		}, within, 10*time.Millisecond)
	}
	everybodyHears(patience)
	time.Sleep(2 * time.Second) // until nothing of joining is left
	for _, e := range all {
		e.forget()
	}
	p.again(syscall.SIGTERM)
	everybodyHears(30 * time.Second)
	var silences []time.Duration
	for i, e := range all {
		require.NoError(t, people[i].Err())
		require.NoError(t, people[i].call.Err())
		silences = append(silences, e.silences()...)
	}
	below(t, "silence around a restart", silences, limit)
}

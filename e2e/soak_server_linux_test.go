package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"runtime/pprof"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mini-livechat/mini-livechat/cmd/app"
)

// soakServer is what TestRoleSoakServer has to do.
type soakServer struct {
	Secret   string
	Channels []string
}

// Cues for TestRoleSoakServer.
const (
	// cueVitals has it say its vitals, in JSON.
	cueVitals = "vitals"
	// cueStacks has it log what its goroutines are at.
	cueStacks = "stacks"
	// cueHeap, with a path behind it, has it write a profile of its heap there.
	cueHeap = "heap "
)

// vitals are what a process has, once its garbage is collected.
type vitals struct {
	Goroutines, FDs int
	// Heap is what is alive on it, RSS what the kernel has given the process, in bytes.
	Heap, RSS int64
}

// The timeouts of the server under soak. What is cut off is gone after soakWindow; what is silent after soakZombie, which
// is longer than the 30 s that a connection may take to be made, so that this limit is reached too.
const (
	soakWindow = 5 * time.Second
	soakZombie = 35 * time.Second
	soakReaper = time.Second
)

// TestRoleSoakServer is no test of its own: it plays the server of TestSoak.
func TestRoleSoakServer(t *testing.T) {
	var todo soakServer
	task(t, &todo)
	s := startServer(t, func(cfg *app.Config) {
		cfg.Secret, cfg.Channels = todo.Secret, todo.Channels
		cfg.HeartbeatInterval, cfg.ZombieTimeout, cfg.ReaperInterval = 5*time.Second, soakZombie, soakReaper
		cfg.ResumeWindow = soakWindow
		cfg.ChannelCapacity = 1000 // the dead take their places until they are found
		cfg.PerAddress = 10_000    // and all are from one address
	})
	say("%s %d", s.URL, s.media.Port())
	sayVitals(t)
}

// sayVitals answers cues until the test is over.
func sayVitals(t *testing.T) {
	t.Helper()
	cues(func(cue string) {
		path, heap := strings.CutPrefix(cue, cueHeap)
		switch {
		case cue == cueVitals:
			v, err := readVitals()
			require.NoError(t, err)
			text, err := json.Marshal(v)
			require.NoError(t, err)
			say("%s", text)
		case cue == cueStacks:
			require.NoError(t, pprof.Lookup("goroutine").WriteTo(os.Stderr, 1))
			say("done")
		case heap:
			var profile bytes.Buffer
			require.NoError(t, pprof.Lookup("heap").WriteTo(&profile, 0))
			require.NoError(t, os.WriteFile(filepath.Clean(path), profile.Bytes(), 0o600))
			say("done")
		}
	})
}

// readVitals collects the garbage and reads this process's vitals.
func readVitals() (v vitals, err error) {
	runtime.GC()
	runtime.GC() // what finalizers and pools held
	debug.FreeOSMemory()
	v.Goroutines = runtime.NumGoroutine()
	fds, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return v, err
	}
	v.FDs = len(fds)
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	v.Heap = int64(m.HeapAlloc)
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return v, err
	}
	for line := range strings.Lines(string(status)) {
		if value, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			kib, err := strconv.ParseInt(strings.Fields(value)[0], 10, 64)
			v.RSS = kib << 10
			return v, err
		}
	}
	return v, fmt.Errorf("no VmRSS in %q", status)
}

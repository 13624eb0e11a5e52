package e2e

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const (
	// wrongClock is by how many seconds the clock of a program of buildWithWrongClock is ahead, and wrongClockUntil after how many seconds of its
	// life it is set right; without it never.
	wrongClock      = "WRONG_CLOCK"
	wrongClockUntil = "WRONG_CLOCK_UNTIL"
)

// wrongTime is what package time has beside what it has otherwise.
const wrongTime = `package time

import "syscall"

var wrongBy, wrongUntil = wrongSetting("WRONG_CLOCK"), wrongSetting("WRONG_CLOCK_UNTIL")

func wrongSetting(name string) (seconds int64) {
	text, _ := syscall.Getenv(name)
	sign := int64(1)
	for _, c := range text {
		if c == '-' {
			sign = -1
			continue
		}
		seconds = 10*seconds + int64(c-'0')
	}
	return sign * seconds
}

// wrong is by how many seconds the clock is ahead.
func wrong(mono int64) int64 {
	if wrongUntil != 0 && mono-startNano > wrongUntil*int64(Second) {
		return 0
	}
	return wrongBy
}
`

// buildWithWrongClock builds the program itself, but for what its clock shows: the monotonic one is right. No name space of Linux has another time of
// day, and what is put before the C library does not reach Go. It compiles nearly everything anew, which takes minutes when it is done first.
func buildWithWrongClock(t *testing.T) (path string) {
	t.Helper()
	dir := t.TempDir()
	root := goEnv(t, "GOROOT")
	now := filepath.Join(root, "src", "time", "time.go")
	source, err := os.ReadFile(now)
	require.NoError(t, err)
	const reads = "\nfunc Now() Time {\n\tsec, nsec, mono := runtimeNow()\n"
	require.Equal(t, 1, strings.Count(string(source), reads), "time.Now of %s reads the clock in another way", runtime.Version())
	changed := map[string]string{
		now: strings.Replace(string(source), reads, reads+"\tsec += wrong(mono)\n", 1),
		filepath.Join(filepath.Dir(now), "wrong.go"): wrongTime,
	}
	overlay := map[string]map[string]string{"Replace": {}}
	for original, text := range changed {
		written := filepath.Join(dir, filepath.Base(original))
		require.NoError(t, os.WriteFile(written, []byte(text), 0o600))
		overlay["Replace"][original] = written
	}
	text, err := json.Marshal(overlay)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "overlay.json"), text, 0o600))
	path = filepath.Join(dir, "livechat")
	build := exec.CommandContext(t.Context(), "go", "build", "-trimpath", "-overlay="+filepath.Join(dir, "overlay.json"), "-o", path, "../cmd/livechat")
	out, err := build.CombinedOutput()
	require.NoError(t, err, "%s", out)
	return path
}

// goEnv is a setting of the Go toolchain.
func goEnv(t *testing.T, name string) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "go", "env", name).Output()
	require.NoError(t, err)
	return strings.TrimSpace(string(out))
}

package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// read returns a file of the repository.
func read(t *testing.T, path ...string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(path...))
	require.NoError(t, err)
	return string(text)
}

// What README.md says about deployment is understood, and all that the image sets.
func TestDeploymentInREADME(t *testing.T) {
	t.Parallel()
	readme := strings.ReplaceAll(read(t, "..", "..", "README.md"), "\\\n", "")
	image := map[string]string{}
	for _, setting := range regexp.MustCompile(`LIVECHAT_\w+=\S+`).FindAllString(read(t, "..", "..", "Containerfile"), -1) {
		name, value, _ := strings.Cut(setting, "=")
		image[name] = value
	}
	require.NotEmpty(t, image)

	file := regexp.MustCompile(`printf '(.*)' \| sudo tee /etc/livechat.yaml`).FindStringSubmatch(readme)
	require.NotNil(t, file)
	cfg := parsed(t, strings.ReplaceAll(file[1], `\n`, "\n"), map[string]string{"STATE_DIRECTORY": "/var/lib/livechat"})
	require.NoError(t, cfg.Validate())
	require.Equal(t, []string{"voice.example.org"}, cfg.Domain)

	for want, env := range map[string]map[string]string{`(?m)^sudo livechat (.*)$`: nil, `docker run .* livechat (--.*)`: image} {
		command := regexp.MustCompile(want).FindStringSubmatch(readme)
		require.NotNil(t, command, want)
		cfg := parsed(t, "", env, strings.Fields(command[1])...)
		require.NoError(t, cfg.Validate())
		require.Equal(t, []string{"voice.example.org"}, cfg.Domain)
		require.False(t, strings.HasPrefix(cfg.HTTP, "127."), "it is reached from elsewhere")
	}
}

// systemd understands every line of the unit.
func TestUnit(t *testing.T) {
	t.Parallel()
	analyze, err := exec.LookPath("systemd-analyze")
	if err != nil {
		t.Skip("SKIPPED: no systemd-analyze here")
	}
	self, err := os.Executable()
	require.NoError(t, err)
	// It wants the program to be there.
	unit := strings.Replace(read(t, "livechat.service"), "/usr/local/bin/livechat ", self+" ", 1)
	require.Contains(t, unit, self)
	complaints := func(unit string) string {
		path := filepath.Join(t.TempDir(), "livechat.service")
		require.NoError(t, os.WriteFile(path, []byte(unit), 0o600))
		out, _ := exec.CommandContext(t.Context(), analyze, "verify", path).CombinedOutput()
		return string(out)
	}
	require.NotContains(t, complaints(unit), "livechat.service:")
	out := complaints(strings.Replace(unit, "DynamicUser=", "DynamicUse=", 1))
	require.Contains(t, out, "livechat.service:", "it does complain about what it does not know")
}

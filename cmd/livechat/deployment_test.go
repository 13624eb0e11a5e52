package main

import (
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"
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

// secretFile is one that may be used, and of whoever runs the test.
func secretFile(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "secret")
	require.NoError(t, os.WriteFile(path, []byte(testSecret+"\n"), 0o600))
	return path
}

// What README.md says about several nodes is understood: on each of the machines, which differ in their names.
func TestClusterInREADME(t *testing.T) {
	t.Parallel()
	readme := strings.ReplaceAll(read(t, "..", "..", "README.md"), "\\\n", "")
	secret := secretFile(t)
	found := 0
	for _, command := range regexp.MustCompile(`(?m)^ *livechat (.*--cluster-peers=.*?)&?$`).FindAllStringSubmatch(readme, -1) {
		for i, name := range []string{"n1", "n2", "n3"} {
			line := strings.ReplaceAll(command[1], "$i", strconv.Itoa(i+1))
			args := append(strings.Fields(line), "--node-name="+name, "--secret-file="+secret, "--cluster-secret-file="+secret)
			cfg := parsed(t, "", nil, args...)
			require.NoError(t, cfg.Validate(), "%s", line)
			require.Len(t, cfg.Cluster.Peers, 3)
			found++
		}
	}
	require.Equal(t, 9, found, "three ways, each on three nodes")
}

// composed is what the compose file says of a service.
type composed struct {
	Hostname    string
	User        string
	Secrets     []string
	Environment map[string]string
	Ports       []string
	Volumes     []string
	Stop        string `yaml:"stop_grace_period"`
}

// Compose understands its file, if it is here, and the server all that each node is told there, with the image's own settings.
func TestCompose(t *testing.T) {
	t.Parallel()
	text := read(t, "..", "..", "compose.yaml")
	variables := map[string]string{}
	filled := regexp.MustCompile(`\$\{(\w+):-([^}]*)\}`).ReplaceAllStringFunc(text, func(s string) string {
		name, value, _ := strings.Cut(strings.Trim(s, "${}"), ":-")
		variables[name] = value
		return value
	})
	require.NotContains(t, filled, "$", "each variable has a default")
	readme := read(t, "..", "..", "README.md")
	require.Contains(t, readme, "LIVECHAT_USER=$(id -u):$(id -g) docker compose up")
	require.Contains(t, variables, "LIVECHAT_USER")
	var file struct {
		Services map[string]composed
		Secrets  map[string]struct{ File string }
	}
	require.NoError(t, yaml.Unmarshal([]byte(filled), &file))
	require.Len(t, file.Services, 3)
	for name, secret := range file.Secrets {
		require.Contains(t, readme, "openssl rand -base64 32 > "+strings.TrimPrefix(secret.File, "./")+"\n", name)
	}
	taken := map[string]bool{}
	for name, node := range file.Services {
		require.Equal(t, name, node.Hostname)
		env := map[string]string{"LIVECHAT_HTTP": ":8080", "LIVECHAT_DATA": "/data"} // as the image has it
		maps.Copy(env, node.Environment)
		for _, key := range []string{"LIVECHAT_CLUSTER_SECRET_FILE", "LIVECHAT_SECRET_FILE"} {
			require.Contains(t, node.Secrets, strings.TrimPrefix(env[key], "/run/secrets/"))
			require.Contains(t, file.Secrets, strings.TrimPrefix(env[key], "/run/secrets/"))
			env[key] = secretFile(t)
		}
		cfg := parsed(t, "", env, "--node-name="+node.Hostname)
		require.NoError(t, cfg.Validate(), name)
		require.ElementsMatch(t, slices.Collect(maps.Keys(file.Services)), cfg.Cluster.Peers)
		require.False(t, cfg.TURN)
		grace, err := time.ParseDuration(node.Stop)
		require.NoError(t, err)
		require.Greater(t, grace, cfg.Drain)
		require.Equal(t, []string{"./nodes/" + name + ":/data"}, node.Volumes)
		require.Contains(t, readme, "nodes/"+name)
		// Voice is reached by the port that the server says, and the page where the node says that it is.
		require.Contains(t, node.Ports, strings.TrimPrefix(cfg.UDP, ":")+":"+strings.TrimPrefix(cfg.UDP, ":")+"/udp")
		_, port, ok := strings.Cut(strings.TrimPrefix(cfg.Cluster.URL, "http://"), ":")
		require.True(t, ok)
		require.Contains(t, node.Ports, port+cfg.HTTP)
		for _, p := range node.Ports {
			require.False(t, taken[p], p)
			taken[p] = true
		}
		environ := make([]string, 0, len(node.Environment))
		for key, value := range node.Environment {
			environ = append(environ, key+"="+value)
		}
		parser, err := newParser(defaults(), nothingSet)
		require.NoError(t, err)
		require.Empty(t, unknownVariables(parser.Model, environ))
	}
	docker, err := exec.LookPath("docker")
	if err != nil || exec.CommandContext(t.Context(), docker, "compose", "version").Run() != nil {
		t.Log("there is no docker compose here to read it")
		return
	}
	said, err := exec.CommandContext(t.Context(), docker, "compose", "-f", filepath.Join("..", "..", "compose.yaml"), "config", "-q").CombinedOutput()
	require.NoError(t, err, "%s", said)
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

package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mini-livechat/mini-livechat/signaling/auth"
)

const (
	testSecret = "a secret that nobody shall ever see printed"
	// patience is how long a process may take on a busy machine.
	patience = 2 * time.Minute
)

// beMain makes the test binary behave as livechat itself, so that the tests run the real
// main in a process of its own, under the race detector when they do.
const beMain = "TEST_LIVECHAT_BE_MAIN"

func TestMain(m *testing.M) {
	if os.Getenv(beMain) != "" {
		main()
	}
	os.Exit(m.Run())
}

// livechat prepares the program with a home of its own and the given environment.
func livechat(t *testing.T, env []string, args ...string) *exec.Cmd {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	cmd := exec.CommandContext(ctx, os.Args[0], args...)
	cmd.Dir = t.TempDir()
	// The race detector would take a second at each exit.
	cmd.Env = append([]string{beMain + "=1", "HOME=" + cmd.Dir, "PATH=" + os.Getenv("PATH"), "GORACE=atexit_sleep_ms=0"}, env...)
	return cmd
}

// output runs the program to its end.
func output(t *testing.T, cmd *exec.Cmd) (stdout, stderr string, code int) {
	t.Helper()
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		return out.String(), errs.String(), exit.ExitCode()
	}
	require.NoError(t, err)
	return out.String(), errs.String(), 0
}

// started runs the server, waits until it says where it is, and returns that and all it
// goes on to print.
func started(t *testing.T, cmd *exec.Cmd) (url string, log *syncBuffer) {
	t.Helper()
	log = new(syncBuffer)
	cmd.Stderr = log
	stdout, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	t.Cleanup(func() { _ = cmd.Process.Kill() })
	line, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		_ = cmd.Wait()
		require.NoError(t, err, "the server ended: %s", log)
	}
	url, ok := strings.CutPrefix(line, "Mini LiveChat is at ")
	require.True(t, ok, "%q", line)
	return strings.TrimSpace(url), log
}

func TestHelp(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{{"--help"}, {"-h"}, {"serve", "--help"}, {"token", "--help"}, {"version", "--help"}} {
		stdout, stderr, code := output(t, livechat(t, nil, args...))
		require.Zero(t, code)
		require.Empty(t, stderr)
		for line := range strings.Lines(stdout) {
			require.LessOrEqual(t, len(line), helpWidth+1, "%v: %q", args, line)
			require.NotContains(t, line, "\x00")
		}
		if args[0] != "version" && args[0] != "token" {
			for _, want := range []string{
				"Usage: livechat", "token --user", "--http=HOST:PORT", "[default: 127.0.0.1:8080]", "--[no-]allow-guests",
				"LIVECHAT_LOG_LEVEL", "--zombie-timeout=TIME", "[default: 45s]", "[default: 10m]", "Examples:", "--config=FILE",
			} {
				require.Contains(t, stdout, want)
			}
		}
	}
}

func TestEveryFlagIsExplained(t *testing.T) {
	t.Parallel()
	parser, err := newParser(defaults(), nothingSet)
	require.NoError(t, err)
	for _, command := range parser.Model.Children {
		flags := slices.Concat(command.Flags, parser.Model.Flags)
		for _, below := range command.Children {
			flags = append(flags, below.Flags...)
		}
		for _, flag := range flags {
			require.True(t, strings.HasSuffix(flag.Help, "."), "--%s: %q", flag.Name, flag.Help)
			require.NotNil(t, command, flag.Name)
			if !flag.IsBool() {
				require.NotEmpty(t, flag.PlaceHolder, flag.Name)
			}
			if flag.Name != "help" {
				require.NotNil(t, flag.Group, flag.Name)
				require.NotEqual(t, flag.Group.Key, flag.Group.Title, "the group of --%s has a title", flag.Name)
			}
		}
	}
}

func TestVersion(t *testing.T) {
	t.Parallel()
	stdout, _, code := output(t, livechat(t, nil, "version"))
	require.Zero(t, code)
	require.Regexp(t, regexp.MustCompile(`^livechat \d+\.\d+\.\d+\S*( \S+)? go1\.\S+ \w+/\w+\n$`), stdout)
}

func TestBadConfigurationExitsWith2(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		env, args []string
		file      string
		says      []string
	}{
		"out of range":            {args: []string{"--slots=33"}, says: []string{"--slots=33: must be 1 to 32"}},
		"not a number":            {args: []string{"--slots=many"}, says: []string{`--slots: "many" must be a whole number`}},
		"a number beyond":         {args: []string{"--slots=99999999999999999999"}, says: []string{"--slots: 99999999999999999999 is too large"}},
		"not a duration":          {args: []string{"--zombie-timeout=45"}, says: []string{`--zombie-timeout: "45" must be a number with a unit, such as`}},
		"not an address":          {args: []string{"--announce=example.org"}, says: []string{`--announce=example.org: must be auto, or an IP address`}},
		"not a boolean":           {args: []string{"--allow-guests=perhaps"}, says: []string{`--allow-guests: "perhaps" must be true or false`}},
		"several at once":         {args: []string{"--slots=0", "--log-level=loud"}, says: []string{"--slots=0: must be", "--log-level=loud: must be one of debug,"}},
		"zombies before beats":    {args: []string{"--heartbeat-interval=30s"}, says: []string{"--zombie-timeout=45s: must be at least 1m, twice --heartbeat-interval"}},
		"open to all unasked":     {args: []string{"--http=0.0.0.0:0"}, says: []string{"--http=0.0.0.0:0", "--secret or --allow-guests"}},
		"unknown flag":            {args: []string{"--slot=3"}, says: []string{`unknown flag --slot, did you mean "--slots"?`}},
		"unknown command":         {args: []string{"sreve"}, says: []string{`there is no command "sreve", did you mean "serve"?`}},
		"unknown, nothing near":   {args: []string{"karaoke"}, says: []string{`there is no command "karaoke"`}},
		"help of an unknown one":  {args: []string{"help", "backupp"}, says: []string{`there is no command "backupp", did you mean "backup"?`}},
		"an argument too many":    {args: []string{"version", "now"}, says: []string{`"now" is too much here`}},
		"an argument too few":     {args: []string{"backup"}, says: []string{"FILE is missing"}},
		"environment":             {env: []string{"LIVECHAT_SLOTS=many"}, says: []string{`--slots: "many" must be a whole number (from LIVECHAT_SLOTS)`}},
		"environment, checked":    {env: []string{"LIVECHAT_SLOTS=0"}, says: []string{"--slots=0: must be 1 to 32"}},
		"environment, boolean":    {env: []string{"LIVECHAT_ALLOW_GUESTS=x"}, says: []string{`--allow-guests: "x" must be true or false (from LIVECHAT_ALLOW_GUESTS)`}},
		"file":                    {file: "# ours\n\nslots: many\n", says: []string{`--slots: "many" must be a whole number (from livechat.yaml:3)`}},
		"file, unknown key":       {file: "slots: 4\nslotz: 4\n", says: []string{`livechat.yaml:2: unknown key "slotz", did you mean "slots"?`, "the keys are: acme-directory, "}},
		"file, underscores":       {file: "max_channels: 4\n", says: []string{`did you mean "max-channels"?`}},
		"file, twice":             {file: "slots: 4\nudp: 0\nslots: 5\n", says: []string{"livechat.yaml:3: slots was set already, at livechat.yaml:1"}},
		"file, not flat":          {file: "slots: {a: b}\n", says: []string{"livechat.yaml:1: slots: it must be a value or a list"}},
		"file, not a mapping":     {file: "- slots\n", says: []string{"livechat.yaml", `lines like "key: value"`}},
		"file, not YAML":          {file: "slots: {", says: []string{"livechat.yaml", "not YAML"}},
		"file, two documents":     {file: "slots: 4\n---\nslots: 5\n", says: []string{"single YAML document"}},
		"file, missing":           {args: []string{"--config=nowhere.yaml"}, says: []string{"--config=nowhere.yaml", "no such file"}},
		"file, by environment":    {env: []string{"LIVECHAT_CONFIG=nowhere.yaml"}, says: []string{"nowhere.yaml", "no such file"}},
		"short secret":            {env: []string{"LIVECHAT_SECRET=hunter2"}, says: []string{"--secret=(7 bytes): must have 32 to 4096 bytes"}},
		"token for nobody":        {args: []string{"token"}, says: []string{"--user=ID"}},
		"token for a strange id":  {args: []string{"token", "--user= x"}, says: []string{`--user=" x": invalid user id`, "white space"}},
		"token with a bad name":   {args: []string{"token", "--user=x", "--name=\x1b[31m"}, says: []string{`--name="\x1b[31m": invalid name`}},
		"token that never begins": {args: []string{"token", "--user=x", "--ttl=0s"}, says: []string{"--ttl=0s: must be 1s to 3650d"}},
		"token, a strange role":   {args: []string{"token", "--user=x", "--role=root"}, says: []string{"--role=root", "admin, moderator, member and guest"}},
		"token, strange channels": {args: []string{"token", "--user=x", "--channel=a/b"}, says: []string{`--channel="a/b"`, "a–z A–Z 0–9 _ - and *"}},
		"token, a high priority":  {args: []string{"token", "--user=x", "--priority-max=256"}, says: []string{"--priority-max=256: must be 0 to 255"}},
		"revoke nothing":          {args: []string{"revoke"}, says: []string{"a token or its id, or --user=ID"}},
		"revoke too much":         {args: []string{"revoke", "x", "--user=y"}, says: []string{"a token or its id, or --user=ID"}},
		"revoke what is no token": {args: []string{"revoke", "a.b.c"}, says: []string{"malformed"}},
		"revoke where none is":    {args: []string{"revoke", "x", "--data=nowhere"}, says: []string{"--data=nowhere"}},
		"token, short secret":     {args: []string{"token", "--user=x", "--secret=hunter2"}, says: []string{"--secret=(7 bytes)"}},
		"token, unknown key":      {args: []string{"token", "--user=x"}, file: "user: y\n", says: []string{`unknown key "user"`}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cmd := livechat(t, test.env, test.args...)
			if test.file != "" {
				require.NoError(t, os.WriteFile(filepath.Join(cmd.Dir, "livechat.yaml"), []byte(test.file), 0o600))
				cmd.Args = append(cmd.Args, "--config=livechat.yaml")
			}
			stdout, stderr, code := output(t, cmd)
			require.Equal(t, exitUsage, code, "%s", stderr)
			require.Empty(t, stdout)
			for _, says := range test.says {
				require.Contains(t, stderr, says)
			}
			about := "livechat --help"
			if len(test.args) > 0 && slices.Contains([]string{"token", "revoke", "version", "backup"}, test.args[0]) {
				about = "livechat " + test.args[0] + " --help"
			}
			require.Contains(t, stderr, about)
			require.NotContains(t, stderr, "hunter2")
			require.NotContains(t, stderr, "\x1b")
		})
	}
}

func TestToken(t *testing.T) {
	t.Parallel()
	data := filepath.Join(t.TempDir(), "data")
	stdout, stderr, code := output(t, livechat(t, nil, "token", "--user", "alice", "--data", data))
	require.Equal(t, exitFailure, code)
	require.Empty(t, stdout)
	require.Contains(t, stderr, "there is no directory "+data)
	require.NoDirExists(t, data, "a server of which nobody knows is made")
	require.NoError(t, os.Mkdir(data, 0o700))
	stdout, stderr, code = output(t, livechat(t, nil, "token", "--user", "alice", "--name", "Alice", "--admin", "--data", data))
	require.Zero(t, code, stderr)
	require.Contains(t, stderr, "generated a new secret in "+auth.SecretFile(data))
	secret, err := auth.LoadOrCreateSecret(data)
	require.NoError(t, err)
	again, stderr, code := output(t, livechat(t, nil, "token", "--user", "alice", "--data", data))
	require.Zero(t, code, stderr)
	tokenID, _, err := auth.Read(strings.TrimSpace(again))
	require.NoError(t, err)
	require.Equal(t, "the link with it: http://127.0.0.1:8080/#token="+again+"It leads to this machine only; --url says where others find the page.\nto take it back: livechat revoke "+tokenID+"\n", stderr,
		"the second time there is no more to say")
	id := verify(t, secret, stdout, time.Now())
	require.Equal(t, auth.Identity{UserID: "alice", Name: "Alice", Role: auth.RoleAdmin}, who(id))

	// The same secret from the environment, and a token for five minutes.
	stdout, _, code = output(t, livechat(t, []string{"LIVECHAT_SECRET=" + testSecret}, "token", "--user=bob", "--ttl=5m"))
	require.Zero(t, code)
	id = verify(t, []byte(testSecret), stdout, time.Now())
	require.Equal(t, auth.Identity{UserID: "bob", Name: "bob", Role: auth.RoleMember}, who(id))
	authority, err := auth.New([]byte(testSecret))
	require.NoError(t, err)
	_, err = authority.Verify(strings.TrimSpace(stdout), time.Now().Add(6*time.Minute))
	require.ErrorIs(t, err, auth.ErrTokenExpired)

	// The first of a file of secrets.
	secrets := filepath.Join(t.TempDir(), "secrets")
	require.NoError(t, os.WriteFile(secrets, []byte(testSecret+", the new one\n"+testSecret+"\n"), 0o600))
	stdout, stderr, code = output(t, livechat(t, []string{"LIVECHAT_SECRET_FILE=" + secrets}, "token", "--user=bob"))
	require.Zero(t, code, stderr)
	verify(t, []byte(testSecret+", the new one"), stdout, time.Now())

	// And from the file that the server reads, whose other settings do not matter here.
	cmd := livechat(t, nil, "token", "--user=bob", "--config=livechat.yaml")
	require.NoError(t, os.WriteFile(filepath.Join(cmd.Dir, "livechat.yaml"), []byte("slots: 4\nsecret: "+testSecret+"\n"), 0o600))
	stdout, stderr, code = output(t, cmd)
	require.Zero(t, code, stderr)
	verify(t, []byte(testSecret), stdout, time.Now())
}

func TestTokenWithABrokenSecretFile(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(data, "secret"), []byte("broken"), 0o600))
	stdout, stderr, code := output(t, livechat(t, nil, "token", "--user=x", "--data", data))
	require.Equal(t, exitFailure, code)
	require.Empty(t, stdout)
	require.Contains(t, stderr, filepath.Join(data, "secret"))
	require.Contains(t, stderr, "--secret")
}

// who is an identity without what it says about its token.
func who(id auth.Identity) auth.Identity {
	return auth.Identity{UserID: id.UserID, Name: id.Name, Role: id.Role}
}

func verify(t *testing.T, secret []byte, printed string, now time.Time) auth.Identity {
	t.Helper()
	token, ok := strings.CutSuffix(printed, "\n")
	require.True(t, ok)
	authority, err := auth.New(secret)
	require.NoError(t, err)
	id, err := authority.Verify(token, now)
	require.NoError(t, err, "just the token is printed: %q", printed)
	return id
}

func TestServeAndStop(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		signal os.Signal
		args   []string
	}{
		"default command, interrupted": {os.Interrupt, nil},
		"serve, terminated":            {syscall.SIGTERM, []string{"serve"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cmd := livechat(t, []string{"LIVECHAT_SECRET=" + testSecret, "LIVECHAT_LOG_LEVEL=debug"},
				append(test.args, "--http=127.0.0.1:0", "--udp=127.0.0.1:0")...)
			url, log := started(t, cmd)
			require.Regexp(t, `^http://127\.0\.0\.1:[1-9]\d*$`, url)
			require.Equal(t, http.StatusOK, get(t, url+"/"), "the page")

			require.NoError(t, cmd.Process.Signal(test.signal))
			require.NoError(t, cmd.Wait(), "exit code 0: %s", log)
			require.NotContains(t, log.String(), testSecret)
			require.NotContains(t, log.String(), "DATA RACE")
		})
	}
}

func TestServeOnEveryAddressSaysOneToOpen(t *testing.T) {
	t.Parallel()
	cmd := livechat(t, nil, "--http=:0", "--udp=127.0.0.1:0", "--allow-guests")
	url, log := started(t, cmd)
	require.Equal(t, http.StatusOK, get(t, url+"/"), "%s", log)
}

func TestPortInUseExitsWith1(t *testing.T) {
	t.Parallel()
	tcp, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = tcp.Close() })
	udp, err := new(net.ListenConfig).ListenPacket(t.Context(), "udp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = udp.Close() })
	for name, test := range map[string]struct{ http, udp, address, flag string }{
		"http":          {tcp.Addr().String(), "127.0.0.1:0", tcp.Addr().String(), "--http"},
		"udp":           {"127.0.0.1:0", udp.LocalAddr().String(), udp.LocalAddr().String(), "--udp"},
		"turn over udp": {"127.0.0.1:0", "127.0.0.1:0 --turn-udp=" + udp.LocalAddr().String(), udp.LocalAddr().String(), "--turn-udp"},
		"turn over tcp": {"127.0.0.1:0", "127.0.0.1:0 --turn-tcp=" + tcp.Addr().String(), tcp.Addr().String(), "--turn-tcp"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			stdout, stderr, code := output(t, livechat(t, nil, strings.Fields("--http="+test.http+" --udp="+test.udp)...))
			require.Equal(t, exitFailure, code)
			require.Empty(t, stdout)
			require.Contains(t, stderr, test.address)
			require.Contains(t, stderr, "address already in use")
			require.Contains(t, stderr, "choose another port with "+test.flag)
		})
	}
}

func get(t *testing.T, url string) int {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, http.NoBody)
	require.NoError(t, err)
	response, err := http.DefaultClient.Do(request)
	require.NoError(t, err)
	defer response.Body.Close()
	_, err = io.Copy(io.Discard, response.Body)
	require.NoError(t, err)
	return response.StatusCode
}

package main

import (
	"bytes"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/alecthomas/kong"
	"github.com/stretchr/testify/require"
)

// What the program says to who runs it.

func TestHelpAsACommand(t *testing.T) {
	t.Parallel()
	for _, command := range []string{"", "token", "bench", "talk", "doctor", "backup", "restore", "export", "import", "version"} {
		args := strings.Fields(command)
		byFlag, _, code := output(t, livechat(t, nil, append(args, "--help")...))
		require.Zero(t, code)
		byCommand, stderr, code := output(t, livechat(t, nil, append([]string{"help"}, args...)...))
		require.Zero(t, code, stderr)
		require.Equal(t, byFlag, byCommand, command)
	}
	_, stderr, code := output(t, livechat(t, nil, "help", "nonsense"))
	require.Equal(t, exitUsage, code)
	require.Contains(t, stderr, `there is no command "nonsense"`)
}

// TestHelpIsAligned: what is laid out by hand keeps its columns, in every page of help.
func TestHelpIsAligned(t *testing.T) {
	t.Parallel()
	all := make([]string, 0, 3+2*len(pages()))
	all = append(all, overview, mintOverview, benchScenarios)
	for _, page := range pages() {
		all = append(all, page.does, page.examples)
	}
	for _, page := range all {
		wrapped := strings.Split(wrapAll(page), "\n")
		for line := range strings.SplitSeq(page, "\n") {
			if strings.HasPrefix(line, " ") {
				require.LessOrEqual(t, len(line), helpWidth, "%q", line)
				require.Contains(t, wrapped, line)
			}
		}
	}
	for _, command := range []string{"", "token", "bench", "talk", "doctor", "backup", "restore", "export", "import"} {
		stdout, _, _ := output(t, livechat(t, nil, append(strings.Fields(command), "--help")...))
		usage := 0
		for line := range strings.Lines(stdout) {
			require.LessOrEqual(t, len(line), helpWidth+1, "%q", line)
			if at := strings.Index(line, "livechat "); at >= 0 && strings.TrimSpace(line[:at]) == "" || strings.HasPrefix(line, "Usage: ") {
				if command == "" && usage < 9 && !strings.HasPrefix(line, "  livechat") {
					require.Equal(t, len("Usage: "), at, "%q", line)
					usage++
				}
			}
		}
		if command == "" {
			require.Equal(t, 9, usage, "the server and eight commands")
		}
	}
}

// TestHelpBelow: each command below another has a page of its own: what it takes and nothing else, with examples that are right.
func TestHelpBelow(t *testing.T) {
	t.Parallel()
	parser, err := newParser(defaults(), nothingSet)
	require.NoError(t, err)
	about := pagesBelow()
	for _, above := range parser.Model.Children {
		for _, command := range above.Children {
			name := pathOf(command)
			require.Contains(t, about, name)
			delete(about, name)
			var out bytes.Buffer
			parser.Stdout = &out
			ctx, err := kong.Trace(parser, append(strings.Fields(name), "--help"))
			require.NoError(t, err)
			require.NoError(t, printHelp(kong.HelpOptions{}, ctx))
			page := out.String()
			require.Contains(t, page, "\nUsage: livechat "+name+" ")
			for line := range strings.Lines(page) {
				require.LessOrEqual(t, len(line), helpWidth+1, "%q", line)
			}
			for _, argument := range command.Positional {
				require.Contains(t, page, "\n  "+strings.ToUpper(argument.Name)+" ", name)
			}
			for _, flag := range flagsBelow(above) {
				if !flag.Hidden && flagNamed(command.Flags, flag.Name) {
					require.Contains(t, page, "\n  "+flagLabel(flag), name)
				} else {
					require.NotContains(t, page, "\n  "+flagLabel(flag), name)
				}
			}
			_, examples, _ := strings.Cut(page, "\nExamples:\n")
			require.NotEmpty(t, examples, name)
			for line := range strings.Lines(examples) {
				if !strings.HasPrefix(line, "  livechat ") {
					continue
				}
				require.True(t, strings.HasPrefix(line, "  livechat "+name), "%q", line)
				fresh, err := newParser(defaults(), nothingSet)
				require.NoError(t, err)
				_, err = fresh.Parse(words(line)[1:])
				require.NoError(t, err, "%q", line)
			}
		}
	}
	require.Empty(t, about, "pages of no command")
	_, stderr, _ := output(t, livechat(t, nil, "admin", "kick"))
	require.Contains(t, stderr, `Run "livechat admin kick --help"`)
}

func flagNamed(flags []*kong.Flag, name string) bool {
	return slices.ContainsFunc(flags, func(f *kong.Flag) bool { return f.Name == name })
}

// words are a command's as a shell takes it apart, up to the next command.
func words(line string) []string {
	var all []string
	for _, word := range regexp.MustCompile(`([^\s"']|"[^"]*"|'[^']*')+`).FindAllString(line, -1) {
		if word == "|" || word == "&&" {
			break
		}
		all = append(all, strings.NewReplacer(`"`, "", "'", "").Replace(word))
	}
	return all
}

func TestErrorsPointToTheHelpOfTheirCommand(t *testing.T) {
	t.Parallel()
	for args, about := range map[string]string{
		"--slots=0":                 "livechat --help",
		"serve --slots=0":           "livechat --help",
		"token":                     "livechat token --help",
		"token --user=x --url=here": "livechat token --help",
		"bench --runs=0 fanout 1":   "livechat bench --help",
		"bench karaoke 5":           "livechat bench --help",
		"doctor ftp://x":            "livechat doctor --help",
		"backup --data= x":          "livechat backup --help",
		"restore":                   "livechat restore --help",
		"import":                    "livechat import --help",
	} {
		if strings.HasPrefix(args, "bench") && runtime.GOOS != "linux" {
			continue
		}
		_, stderr, code := output(t, livechat(t, nil, strings.Fields(args)...))
		require.Equal(t, exitUsage, code, args)
		require.Contains(t, stderr, `Run "`+about+`"`, args)
	}
}

func TestUnknownVariablesAreNamed(t *testing.T) {
	t.Parallel()
	env := []string{"LIVECHAT_SLOT=3", "LIVECHAT_SECRET=" + testSecret, "LIVECHAT_PORT_80_TCP=x", "LIVECHAT_CONFIG=", "LIVECHAT_log_level=info"}
	_, stderr, code := output(t, livechat(t, env, "token", "--user=x"))
	require.Zero(t, code)
	require.Contains(t, stderr, "LIVECHAT_SLOT in the environment is no setting, did you mean LIVECHAT_SLOTS?\n")
	require.Contains(t, stderr, "LIVECHAT_PORT_80_TCP in the environment is no setting\n")
	require.Contains(t, stderr, "LIVECHAT_log_level in the environment is no setting, did you mean LIVECHAT_LOG_LEVEL?\n")
	require.Equal(t, 3, strings.Count(stderr, "is no setting"), stderr)
	require.NotContains(t, stderr, testSecret)
}

func TestNoHome(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{nil, {"token", "--user=x"}} {
		cmd := livechat(t, []string{"HOME="}, args...)
		_, stderr, code := output(t, cmd)
		require.Equal(t, exitUsage, code, stderr)
		require.Contains(t, stderr, "--data=: must be a directory")
		require.Contains(t, stderr, "HOME is not set")
	}
}

func TestTokenLink(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		env, args []string
		page      string
	}{
		{page: "http://127.0.0.1:8080/"},
		{args: []string{"--url=https://voice.example.org"}, page: "https://voice.example.org/"},
		{args: []string{"--url=https://example.org/voice/"}, page: "https://example.org/voice/"},
		{env: []string{"LIVECHAT_DOMAIN=voice.example.org,other.example.org"}, page: "https://voice.example.org/"},
		{env: []string{"LIVECHAT_HTTP=:80"}, page: "http://127.0.0.1/"},
		{env: []string{"LIVECHAT_HTTP=192.0.2.1:8080"}, page: "http://192.0.2.1:8080/"},
		{env: []string{"LIVECHAT_HTTP=[::1]:8080"}, page: "http://[::1]:8080/"},
	} {
		env := append([]string{"LIVECHAT_SECRET=" + testSecret}, test.env...)
		stdout, stderr, code := output(t, livechat(t, env, append([]string{"token", "--user=x"}, test.args...)...))
		require.Zero(t, code, stderr)
		verify(t, []byte(testSecret), stdout, time.Now())
		require.True(t, strings.HasPrefix(stderr, "the link with it: "+test.page+"#token="+stdout), stderr)
	}
}

// TestOpenServerSaysWhereAndWhatIsMissing starts one that others can reach.
func TestOpenServerSaysWhereAndWhatIsMissing(t *testing.T) {
	t.Parallel()
	cmd := livechat(t, []string{"LIVECHAT_ALLOW_GUESTS=true"},
		"--http=:0", "--udp=0", "--no-turn", "--announce=10.1.2.3,203.0.113.7", "--channels=")
	var out, log syncBuffer
	cmd.Stdout, cmd.Stderr = &out, &log
	require.NoError(t, cmd.Start())
	defer func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	}()
	require.Eventually(t, func() bool {
		return strings.Contains(log.String(), "without HTTPS browsers on other machines give no microphone") &&
			strings.Contains(log.String(), "--announce=10.1.2.3 is a private address") &&
			strings.Contains(log.String(), "--channels is empty")
	}, patience, 10*time.Millisecond, "%s", &log)
	require.NotContains(t, log.String(), "203.0.113.7 is")
	_, rest, ok := strings.Cut(out.String(), "Mini LiveChat is at ")
	require.True(t, ok)
	own, others, _ := strings.Cut(rest, "\n")
	port := own[strings.LastIndex(own, ":"):]
	addrs, err := net.InterfaceAddrs()
	require.NoError(t, err)
	for _, a := range addrs {
		if ip, _, err := net.ParseCIDR(a.String()); err == nil && ip.To4() != nil && !ip.IsLoopback() && !ip.IsLinkLocalUnicast() {
			require.Contains(t, others, "http://"+ip.String()+port)
		}
	}
}

// TestNothingToSayOnLoopback: who tries it at home is not lectured.
func TestNothingToSayOnLoopback(t *testing.T) {
	t.Parallel()
	cmd := livechat(t, nil, "--http=127.0.0.1:0", "--udp=127.0.0.1:0", "--no-turn")
	url, log := started(t, cmd)
	require.Equal(t, http.StatusOK, get(t, url+"/"))
	require.NoError(t, cmd.Process.Signal(os.Interrupt))
	require.NoError(t, cmd.Wait())
	require.NotContains(t, log.String(), `"warn"`)
}

// TestOutOfFileDescriptors has a server with few of them, and clients who take them all. It says so once, and serves
// again when they are gone.
func TestOutOfFileDescriptors(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("limits are set by the shell of Linux here")
	}
	t.Parallel()
	const limit = 48
	server := livechat(t, nil, "--http=127.0.0.1:0", "--udp=127.0.0.1:0", "--no-turn")
	cmd := exec.CommandContext(t.Context(), "sh", "-c", `ulimit -n 48 && exec "$0" "$@"`)
	cmd.Args = append(cmd.Args, append([]string{server.Path}, server.Args[1:]...)...)
	cmd.Dir, cmd.Env = server.Dir, server.Env
	url, log := started(t, cmd)
	addr := strings.TrimPrefix(url, "http://")
	conns := make([]net.Conn, 0, 2*limit)
	for range 2 * limit {
		conn, err := (&net.Dialer{Timeout: patience}).DialContext(t.Context(), "tcp", addr)
		require.NoError(t, err)
		conns = append(conns, conn)
	}
	const says = "out of file descriptors"
	require.Eventually(t, func() bool { return strings.Contains(log.String(), says) }, patience, 10*time.Millisecond, "%s", log)
	status, stderr, code := output(t, livechat(t, nil, "admin", "status", "--data="+filepath.Join(server.Dir, ".local", "share", "livechat")))
	require.Zero(t, code, stderr)
	require.Regexp(t, "(?m)^TROUBLE +.*file descriptors.*LimitNOFILE=", status)
	for _, c := range conns {
		_ = c.Close()
	}
	// It notices that they are closed one after the other.
	require.Eventually(t, func() bool { return get(t, url+"/") == http.StatusOK }, patience, 50*time.Millisecond)
	require.Equal(t, 1, strings.Count(log.String(), says), log)
}

// syncBuffer is a bytes.Buffer that may be read while a process writes.
type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *syncBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

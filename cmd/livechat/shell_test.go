package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/alecthomas/kong"
	"github.com/stretchr/testify/require"
)

// answers are what the program says may stand in the place of the last word, without explanations.
func answers(t *testing.T, words ...string) []string {
	t.Helper()
	parser, err := newParser(defaults(), nothingSet)
	require.NoError(t, err)
	var out bytes.Buffer
	complete(&out, parser.Model, words)
	var all []string
	for line := range strings.Lines(out.String()) {
		word, help, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "\t")
		require.NotContains(t, help, "\t")
		all = append(all, word)
	}
	return all
}

func TestComplete(t *testing.T) {
	t.Parallel()
	for line, want := range map[string][]string{
		"tok":                        {"token"},
		"ba":                         {"ban", "backup"},
		"help":                       {"help"},
		"help tok":                   {"token"},
		"user l":                     {"list", "login", "logout"},
		"user list l":                nil,
		"token --ro":                 {"--role="},
		"token --role=m":             {"--role=member", "--role=moderator"},
		"token --role a":             {"admin"},
		"token --no-c":               {"--no-create", "--no-chat"},
		"--log-level=":               {"--log-level=debug", "--log-level=info", "--log-level=warn", "--log-level=error"},
		"--no-allow-g":               {"--no-allow-guests"},
		"serve --secret-f":           {"--secret-file="},
		"talk --record=":             {completeDirs},
		"talk --play _":              {completeFiles},
		"talk --pcm --pcm-r":         {"--pcm-rate="},
		"backup --data=x _":          {completeFiles},
		"backup one _":               nil,
		"completion _":               {"bash", "zsh", "fish"},
		"--config=":                  {completeFiles},
		"bench --chi":                nil, // hidden
		"nonsense --such= _":         nil,
		"token --name=x --user ab -": nil,
	} {
		words := strings.Split(strings.TrimSuffix(line, "_"), " ") // which is nothing yet
		got := answers(t, words...)
		if line == "token --name=x --user ab -" {
			require.Contains(t, got, "--ttl=")
			continue
		}
		require.Equal(t, want, got, line)
	}
	require.Contains(t, answers(t, ""), "serve")
	require.Contains(t, answers(t), "talk")
}

// inPath makes a directory in which livechat is this program.
func inPath(t *testing.T) string {
	t.Helper()
	self, err := filepath.Abs(os.Args[0])
	require.NoError(t, err)
	dir := t.TempDir()
	require.NoError(t, os.Symlink(self, filepath.Join(dir, "livechat")))
	return dir
}

// TestCompletionInShells has the shells that are there complete some lines.
func TestCompletionInShells(t *testing.T) {
	t.Parallel()
	dir := inPath(t)
	for shell, test := range map[string]struct {
		script string // prints what completes the line in $line, of which $words are the words
		checks map[string]string
	}{
		"bash": {
			`eval "$(livechat completion bash)"; COMP_LINE=$line; COMP_POINT=${#line}
			read -ra COMP_WORDS <<<"${line//=/ = }"; [[ $line == *" " ]] && COMP_WORDS+=(""); COMP_CWORD=$((${#COMP_WORDS[@]}-1))
			_livechat; printf '%s\n' "${COMPREPLY[@]}"`,
			map[string]string{
				"livechat tok": "token\n", "livechat token --role=m": "member\nmoderator\n", "livechat token --rol": "--role=\n",
				"livechat talk --play=some-": "some-file\n", "livechat user li": "list\n", "livechat talk --record=some-": "some-dir\n",
			},
		},
		"zsh": {
			`compdef() {}; compset() { [[ $words[-1] == --*=* ]] }; _files() { print -l -- "files $*" }
			_describe() { print -l -- "${(@P)4}" }
			source <(livechat completion zsh); words=("${(@s: :)line}"); CURRENT=${#words}; _livechat`,
			map[string]string{
				"livechat tok": "token:Print a token that lets a person in\n", "livechat talk --record=some-": "files -/\n",
				"livechat talk --play=some-": "files \n", "livechat token --role=mo": "--role=moderator:\n",
			},
		},
		"fish": {
			`livechat completion fish | source; complete -C "$line"`,
			map[string]string{
				"livechat tok": "token\tPrint a token that lets a person in\n", "livechat talk --play=some-": "--play=some-file\n",
				"livechat talk --record=some-d": "--record=some-dir/\tDirectory\n", "livechat token --role=mo": "--role=moderator\n",
			},
		},
	} {
		path, err := exec.LookPath(shell)
		if err != nil {
			t.Logf("SKIPPED: no %s here", shell)
			continue
		}
		for line, want := range test.checks {
			cmd := exec.CommandContext(t.Context(), path, "-c", test.script)
			if shell == "zsh" {
				cmd = exec.CommandContext(t.Context(), path, "-f", "-c", test.script)
			}
			cmd.Dir = t.TempDir()
			require.NoError(t, os.WriteFile(filepath.Join(cmd.Dir, "some-file"), nil, 0o600))
			require.NoError(t, os.Mkdir(filepath.Join(cmd.Dir, "some-dir"), 0o700))
			cmd.Env = []string{beMain + "=1", "PATH=" + dir + ":" + os.Getenv("PATH"), "HOME=" + cmd.Dir, "line=" + line, "GORACE=atexit_sleep_ms=0"}
			out, err := cmd.CombinedOutput()
			require.NoError(t, err, "%s: %s: %s", shell, line, out)
			switch {
			case shell == "bash" && strings.Contains(line, "--play"):
				require.Equal(t, "some-dir\nsome-file\n", sorted(string(out)), "%s: %s", shell, line)
			case shell == "fish" && strings.Contains(line, "--play"):
				require.Contains(t, string(out), want, "%s: %s", shell, line)
			default:
				got := strings.ReplaceAll(string(out), "\t\n", "\n")
				require.Equal(t, want, got, "%s: %s", shell, line)
			}
		}
	}
	_, stderr, code := output(t, livechat(t, nil, "completion", "csh"))
	require.Equal(t, exitUsage, code)
	require.Contains(t, stderr, "must be one of")
}

func sorted(lines string) string {
	all := strings.Split(strings.TrimSpace(lines), "\n")
	if len(all) > 1 && all[0] > all[1] {
		all[0], all[1] = all[1], all[0]
	}
	return strings.Join(all, "\n") + "\n"
}

// TestManual has a page for each command, with all that its help has.
func TestManual(t *testing.T) {
	t.Parallel()
	parser, err := newParser(defaults(), nothingSet)
	require.NoError(t, err)
	dir := t.TempDir()
	_, stderr, code := output(t, livechat(t, nil, "man", "--dir="+dir))
	require.Zero(t, code, stderr)
	groff, err := exec.LookPath("groff")
	if err != nil {
		t.Log("SKIPPED in part: no groff here")
	}
	for _, command := range parser.Model.Children {
		if command.Hidden {
			continue
		}
		path := filepath.Join(dir, manualName(command)+".1")
		page := read(t, path)
		for _, section := range []string{"NAME", "SYNOPSIS", "DESCRIPTION", "OPTIONS", "EXAMPLES", "EXIT STATUS", "SEE ALSO"} {
			require.Contains(t, page, `.SH "`+section+`"`, command.Name)
		}
		for _, flag := range flagsBelow(command) {
			if !flag.Hidden {
				require.Contains(t, page, strings.ReplaceAll(flagLabel(flag), "-", `\-`), command.Name)
			}
		}
		if groff == "" {
			continue
		}
		out, err := exec.CommandContext(t.Context(), groff, "-man", "-Tutf8", "-ww", "-z", path).CombinedOutput()
		require.NoError(t, err)
		require.Empty(t, string(out), "%s: roff's complaints", command.Name)
	}
	stdout, _, code := output(t, livechat(t, nil, "man", "talk"))
	require.Zero(t, code)
	require.Equal(t, read(t, dir, "livechat-talk.1"), stdout)
	_, stderr, code = output(t, livechat(t, nil, "man", "nonsense"))
	require.Equal(t, exitUsage, code)
	require.Contains(t, stderr, `there is no command "nonsense"`)
}

// TestEveryCommandHasExamples, the exit codes are told, and no line is wider than a terminal.
func TestEveryCommandHasExamples(t *testing.T) {
	t.Parallel()
	parser, err := newParser(defaults(), nothingSet)
	require.NoError(t, err)
	for _, command := range parser.Model.Children {
		if command.Hidden {
			continue
		}
		var page bytes.Buffer
		parser.Stdout = &page
		ctx, err := kong.Trace(parser, []string{command.Name})
		require.NoError(t, err)
		require.NoError(t, printHelp(kong.HelpOptions{}, ctx))
		require.Contains(t, page.String(), "Usage: livechat", command.Name)
		require.Contains(t, page.String(), "\nExamples:\n  ", command.Name)
		if command.Name == "serve" {
			require.Contains(t, strings.Join(strings.Fields(page.String()), " "), "The exit code is 0")
		}
	}
}

// TestWhereAWrongValueStands: in the environment or the file, whatever is wrong with it.
func TestWhereAWrongValueStands(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "livechat.yaml")
	require.NoError(t, os.WriteFile(file, []byte("# ours\nslots: 9999\nlog-level: loud\n"), 0o600))
	_, stderr, code := output(t, livechat(t, []string{"LIVECHAT_CONFIG=" + file, "LIVECHAT_CHANNEL_CAPACITY=-3", "LIVECHAT_LOG_LEVEL="}, "--max-channels=0"))
	require.Equal(t, exitUsage, code)
	for _, want := range []string{
		"--slots=9999: must be", "(from " + file + ":2)", "--log-level=loud: must be", "(from " + file + ":3)",
		"--channel-capacity=-3: must be", "(from LIVECHAT_CHANNEL_CAPACITY)",
	} {
		require.Contains(t, stderr, want)
	}
	require.Regexp(t, `--max-channels=0: [^(]*\n`, stderr, "a flag speaks for itself")
}

// TestVariablesOfCommands are known, and others are told with what may be meant.
func TestVariablesOfCommands(t *testing.T) {
	t.Parallel()
	_, stderr, code := output(t, livechat(t, []string{"LIVECHAT_TOKEN=x", "LIVECHAT_ANOUNC=auto", "LIVECHAT_PORT_8080_TCP=tcp://10.0.0.1"}, "--version"))
	require.Zero(t, code)
	require.NotContains(t, stderr, "LIVECHAT_TOKEN")
	require.Contains(t, stderr, "LIVECHAT_ANOUNC in the environment is no setting, did you mean LIVECHAT_ANNOUNCE?")
	require.Contains(t, stderr, "LIVECHAT_PORT_8080_TCP in the environment is no setting\n")
}

// TestProgress says what takes long, and leaves nothing of it.
func TestProgress(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		written := int64(0)
		done := progress(&out, "copying", func() int64 { return written })
		time.Sleep(patient / 2)
		done()
		require.Empty(t, out.String(), "what is soon over is not told")
		done = progress(&out, "copying", func() int64 { written += 1_500_000; return written })
		time.Sleep(patient*2 + patient/2)
		done()
		require.Equal(t, "\rcopying: 1.5 MB, 1 s\rcopying: 3.0 MB, 2 s\r"+strings.Repeat(" ", 20)+"\r", out.String())
		progress(nil, "copying", nil)()
	})
	path := filepath.Join(t.TempDir(), "copy.db")
	require.NoError(t, os.WriteFile(path+".part-1", make([]byte, 300), 0o600))
	require.Equal(t, int64(300), growing(path)())
	read := &counting{Reader: strings.NewReader("0123456789")}
	_, err := read.Read(make([]byte, 4))
	require.NoError(t, err)
	require.Equal(t, int64(4), read.soFar())
}

// TestInstall puts everything where a distribution would look for it, and takes it away again.
func TestInstall(t *testing.T) {
	t.Parallel()
	makefile, err := filepath.Abs(filepath.Join("..", "..", "Makefile"))
	require.NoError(t, err)
	tool, err := exec.LookPath("make")
	if err != nil {
		t.Skip("SKIPPED: no make here")
	}
	dest, source := t.TempDir(), t.TempDir()
	require.NoError(t, os.MkdirAll(filepath.Join(source, "bin"), 0o755))
	require.NoError(t, os.Symlink(filepath.Join(filepath.Dir(makefile), "cmd"), filepath.Join(source, "cmd")))
	run := func(target string) (string, error) {
		cmd := exec.CommandContext(t.Context(), tool, "-f", makefile, target, "PREFIX=/usr", "DESTDIR="+dest)
		cmd.Dir, cmd.Env = source, append(os.Environ(), beMain+"=1", "MAKEFLAGS=")
		said, failed := cmd.CombinedOutput()
		return string(said), failed
	}
	out, err := run("install")
	require.Error(t, err)
	require.Contains(t, out, "there is no bin/livechat: make build")
	self, err := filepath.Abs(os.Args[0])
	require.NoError(t, err)
	require.NoError(t, os.Symlink(self, filepath.Join(source, "bin", "livechat")))
	out, err = run("install")
	require.NoError(t, err, out)
	for _, path := range []string{
		"usr/bin/livechat", "usr/share/man/man1/livechat.1", "usr/share/man/man1/livechat-talk.1", "usr/share/bash-completion/completions/livechat",
		"usr/share/zsh/site-functions/_livechat", "usr/share/fish/vendor_completions.d/livechat.fish",
	} {
		require.FileExists(t, filepath.Join(dest, path))
	}
	require.Contains(t, read(t, dest, "usr/lib/systemd/system/livechat.service"), "ExecStart=/usr/bin/livechat --config=/etc/livechat.yaml")
	out, err = run("uninstall")
	require.NoError(t, err, out)
	require.NoError(t, filepath.WalkDir(dest, func(path string, entry os.DirEntry, err error) error {
		require.True(t, err == nil && entry.IsDir(), "%s is left", path)
		return nil
	}))
}

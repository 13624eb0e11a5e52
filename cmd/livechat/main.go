// Command livechat is the Mini LiveChat server and its tools.
package main

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/alecthomas/kong"

	"github.com/mini-livechat/mini-livechat/cmd/app"
	"github.com/mini-livechat/mini-livechat/cmd/bench"
	"github.com/mini-livechat/mini-livechat/cmd/doctor"
)

// Exit codes. That of bad flags is the shell's own; service managers may be told not to
// try again on it (systemd: RestartPreventExitStatus=2).
const (
	exitOK      = 0
	exitFailure = 1
	exitUsage   = 2
)

func main() { os.Exit(run(os.Args[1:])) }

// run does what args say and returns the exit code.
func run(args []string) int {
	parser, err := newParser(defaults(), os.LookupEnv)
	if err != nil {
		return complain(err, exitFailure, "")
	}
	if len(args) > 0 && args[0] == "help" { // as of go, git and others
		args = append(slices.Clone(args[1:]), "--help")
	}
	about := ""
	if len(args) > 0 && args[0] != "serve" && slices.ContainsFunc(parser.Model.Children, func(n *kong.Node) bool { return n.Name == args[0] }) {
		about = args[0] + " "
	}
	for _, name := range unknownVariables(parser.Model, os.Environ()) {
		fmt.Fprintln(os.Stderr, "livechat: note: "+name)
	}
	command, err := parser.Parse(args)
	code := exitUsage
	if err == nil {
		err, code = command.Run(), exitFailure
	}
	switch {
	case err == nil:
		return exitOK
	case errors.Is(err, errNoVoice):
		return exitFailure // the report says it all
	case errors.Is(err, doctor.ErrURL), errors.Is(err, bench.ErrScenario), errors.Is(err, bench.ErrOption):
		code = exitUsage
	}
	if memory, ok := errors.AsType[*app.MemoryError](err); ok {
		return complain(memory, exitUsage, about)
	}
	if wrong, ok := errors.AsType[*app.ConfigError](err); ok {
		// Kong put the command in front, which the flags speak for.
		return complain(wrong, exitUsage, about)
	}
	return complain(explain(err), code, about)
}

// complain says what went wrong and, of bad flags, whose help to read: that of about, which is
// a command with a space behind it, or of the server.
func complain(err error, code int, about string) int {
	text := strings.ReplaceAll(err.Error(), "\n", "\n  ")
	fmt.Fprintln(os.Stderr, "livechat: "+text)
	if code == exitUsage {
		fmt.Fprintf(os.Stderr, "Run \"livechat %s--help\" to see what can be set.\n", about)
	}
	return code
}

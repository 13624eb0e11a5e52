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
	"github.com/mini-livechat/mini-livechat/cmd/talk"
	"github.com/mini-livechat/mini-livechat/signaling/protocol"
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
	grammar := defaults()
	parser, err := newParser(grammar, os.LookupEnv)
	if err != nil {
		return complain(err, exitFailure, "")
	}
	if len(args) > 0 && args[0] == completing {
		complete(os.Stdout, parser.Model, args[1:])
		return exitOK
	}
	if len(args) == 1 && args[0] == "--version" {
		args = []string{"version"}
	}
	if len(args) > 0 && args[0] == "help" { // as of go, git and others
		args = append(slices.Clone(args[1:]), "--help")
	}
	about := ""
	if len(args) > 0 && !strings.HasPrefix(args[0], "-") {
		if err = knownCommand(parser.Model.Node, args); err != nil {
			return complain(err, exitUsage, "")
		}
		about = commandPath(parser.Model.Node, args)
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
	case errors.Is(err, doctor.ErrURL), errors.Is(err, bench.ErrScenario), errors.Is(err, bench.ErrOption), errors.Is(err, talk.ErrOption):
		code = exitUsage
	}
	if refusal, ok := errors.AsType[*protocol.Error](err); ok {
		err, code = errors.New(refusal.Reason), exitFailure
		if refusal.Code == protocol.CodeInvalidPayload {
			code = exitUsage
		}
	}
	if memory, ok := errors.AsType[*app.MemoryError](err); ok {
		return complain(memory, exitUsage, about)
	}
	if wrong, ok := errors.AsType[*app.ConfigError](err); ok {
		wrong = &app.ConfigError{Mistakes: grammar.sources.locate(wrong.Mistakes)}
		// Kong put the command in front, which the flags speak for.
		if about != "" { // it is the server that has a configuration
			return complain(errors.Join(wrong.Mistakes...), exitUsage, about)
		}
		return complain(wrong, exitUsage, about)
	}
	return complain(explain(plain(err)), code, about)
}

// errCommand: there is no such command.
var errCommand = errors.New("there is no command")

// knownCommand reports that there is no command by the first of args, or none below it by the second.
func knownCommand(node *kong.Node, args []string) error {
	if len(node.Children) == 0 || len(args) == 0 || strings.HasPrefix(args[0], "-") {
		return nil
	}
	commands := map[string]bool{}
	for _, command := range node.Children {
		if command.Name == args[0] {
			return knownCommand(command, args[1:])
		}
		commands[command.Name] = true
	}
	if near := similarKey(args[0], commands); near != "" {
		return fmt.Errorf("%w %q, did you mean %q?", errCommand, args[0], near)
	}
	return fmt.Errorf("%w %q", errCommand, args[0])
}

// commandPath is the command that args begin with, and that below it, with a space behind each; nothing for the server.
func commandPath(node *kong.Node, args []string) string {
	for _, command := range node.Children {
		if len(args) > 0 && command.Name == args[0] && command.Name != "serve" {
			return command.Name + " " + commandPath(command, args[1:])
		}
	}
	return ""
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

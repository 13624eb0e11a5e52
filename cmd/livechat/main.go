// Command livechat is the Mini LiveChat server and its tools.
package main

import (
	"errors"
	"fmt"
	"os"
	"strings"

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
		return complain(err, exitFailure)
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
	if wrong, ok := errors.AsType[*app.ConfigError](err); ok {
		// Kong put the command in front, which the flags speak for.
		return complain(wrong, exitUsage)
	}
	return complain(explain(err), code)
}

func complain(err error, code int) int {
	text := strings.ReplaceAll(err.Error(), "\n", "\n  ")
	fmt.Fprintln(os.Stderr, "livechat: "+text)
	if code == exitUsage {
		fmt.Fprintln(os.Stderr, `Run "livechat --help" to see what can be set.`)
	}
	return code
}

package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/mini-livechat/mini-livechat/cmd/app"
	"github.com/mini-livechat/mini-livechat/cmd/doctor"
)

const doctorOverview = `Check from this machine whether voice works with a server, and say what is wrong and which setting or firewall rule mends it: address, certificate, page, clock, WebSocket, voice over UDP, and the relay over UDP, TCP and TLS. Run it where the people are, not on the server. Nobody there notices.

Usage: livechat doctor [flags] [URL]`

const doctorExamples = `Without a URL it looks at the server on this machine. The exit code is 0 when voice works from here, 1 when it does not. It takes ten seconds at most.

Examples:
  livechat doctor
      the server on this machine
  livechat doctor https://voice.example.org
      the server there, as somebody here reaches it
  LIVECHAT_TOKEN=... livechat doctor --json https://voice.example.org
      one without guests, for a program to read`

// doctorCommand checks whether voice works from here.
type doctorCommand struct {
	URL   string `arg:"" optional:"" name:"url" help:"The server's page."`
	Token string `group:"doctor" placeholder:"TEXT" env:"LIVECHAT_TOKEN" help:"Sign in with this, where guests are not allowed; ends another session of the same person. Better given in LIVECHAT_TOKEN."`
	JSON  bool   `name:"json" group:"doctor" help:"Print JSON, not lines for people."`
}

// errNoVoice is told by the exit code; the report has said why.
var errNoVoice = errors.New("voice does not work from here")

// Run checks and prints what it finds, until it is done or interrupted.
func (c *doctorCommand) Run() error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // the second signal ends the program at once
	colours := !c.JSON && isTerminal(os.Stdout) && os.Getenv("NO_COLOR") == ""
	var printing error
	opts := doctor.Options{URL: cmp.Or(c.URL, "http://"+app.DefaultHTTP), Token: c.Token}
	if !c.JSON {
		opts.OnCheck = func(check doctor.Check) {
			printing = errors.Join(printing, doctor.WriteCheck(os.Stdout, check, colours))
		}
	}
	report, err := doctor.Run(ctx, opts)
	stop()
	switch {
	case errors.Is(err, context.Canceled):
		os.Exit(exitInterrupted)
	case err != nil:
		return err
	case c.JSON:
		printing = json.NewEncoder(os.Stdout).Encode(report)
	default:
		printing = errors.Join(printing, report.WriteSummary(os.Stdout, colours))
	}
	if printing != nil {
		return fmt.Errorf("print the report: %w", printing)
	}
	if !report.Works {
		return errNoVoice
	}
	return nil
}

func isTerminal(f *os.File) bool {
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

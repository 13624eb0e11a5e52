package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/mini-livechat/mini-livechat/cmd/bench"
)

const benchOverview = `Measure what the server costs on this machine: CPU time for each forwarded packet, latency, loss, memory, and how long joining takes. Unless --url names a server, one is started for it, on loopback, and beside it two yardsticks in the same run: the floor, which is the system calls and ciphers alone, and a textbook SFU made of pion's parts.

Usage: livechat bench [flags] SCENARIO...`

const benchScenarios = `Scenarios, one or more, each with its size:
` + bench.Usage

const benchExamples = `A talker sends 50 packets a second of 60 to 160 bytes, as Opus voice does. A result is the median of --runs. Join times are from the opening of the WebSocket to the first packet heard. With --json there is one object a scenario, on a line; what was not measured is null. With --cluster the table has two rows more, and its foot what each node took and how much later one is heard on another node; in JSON that is "cluster", and "alike" a server that is alone with as much to do as one of the nodes.

Examples:
  livechat bench conference 20 fanout 200
      two scenarios, one after the other
  livechat bench --runs=5 --json rooms 30x4 > rooms.json
      for a program to read
  livechat bench --cluster=3 crowd 600
      what three nodes that are one server take, beside one that is alone
  livechat bench floor
      push-to-talk, each figure beside the bar that it is to stay below
  livechat bench --url=https://voice.example.org join 20
      somebody else's server; its CPU time and memory are not known here`

// benchCommand measures. Kong decodes the scenarios as words.
type benchCommand struct {
	Scenarios []string `arg:"" optional:"" name:"scenario" help:"What is measured, and the size."`

	Seconds     int    `group:"bench" placeholder:"N" help:"How long each measurement takes."`
	Warmup      int    `group:"bench" placeholder:"N" help:"Seconds before it in which everybody is there already."`
	Runs        int    `group:"bench" placeholder:"N" help:"How often everything is measured."`
	Slots       int    `group:"bench" placeholder:"N" help:"How many others one hears at once, 1 to 32; 0 is what suits the scenario."`
	Remembered  int    `group:"bench" placeholder:"N" help:"How many messages the server remembers beforehand, for chat."`
	Cluster     int    `name:"cluster" group:"bench" placeholder:"N" help:"Measure everything also on N nodes that are one server, 2 to 9, each a process of its own, with the people spread over them; beside one that is alone."`
	URL         string `name:"url" group:"bench" placeholder:"URL" help:"A server that is running already, in place of one of its own; for more than some hundred, with a larger --per-address."`
	NoFloor     bool   `group:"bench" help:"Do not measure the floor."`
	NoReference bool   `group:"bench" help:"Do not measure the textbook SFU."`
	JSON        bool   `name:"json" group:"bench" help:"Print JSON, not a table."`

	// Child is how the command starts itself again, see bench.Child.
	Child string `hidden:"" group:"bench" placeholder:"ROLE" help:"Be one of the benchmark's processes."`
}

// defaultBench is the command before anything was read.
func defaultBench() benchCommand {
	opts := bench.DefaultOptions()
	return benchCommand{
		Seconds: int(opts.Duration / time.Second), Warmup: int(opts.Warmup / time.Second), Runs: opts.Runs,
	}
}

// exitInterrupted is the shell's code for an end by SIGINT.
const exitInterrupted = 130

// Run measures and prints the results, until it is done or interrupted.
func (c *benchCommand) Run() error {
	if c.Child != "" {
		code, err := bench.Child(c.Child, func() int { return run(c.Scenarios) })
		if err == nil && code != exitOK {
			os.Exit(code)
		}
		return err
	}
	opts, err := c.options()
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // the second signal ends the program at once
	err = bench.Run(ctx, opts)
	stop()
	if errors.Is(err, context.Canceled) {
		os.Exit(exitInterrupted)
	}
	return err
}

func (c *benchCommand) options() (bench.Options, error) {
	opts := bench.DefaultOptions()
	var err error
	if opts.Scenarios, err = bench.ParseScenarios(c.Scenarios); err != nil {
		return opts, err
	}
	opts.Duration, opts.Warmup = time.Duration(c.Seconds)*time.Second, time.Duration(c.Warmup)*time.Second
	opts.Runs, opts.Slots, opts.URL, opts.JSON, opts.Remembered = c.Runs, c.Slots, c.URL, c.JSON, c.Remembered
	opts.Nodes = c.Cluster
	opts.Floor, opts.Reference = !c.NoFloor, !c.NoReference
	opts.Out, opts.Notes = os.Stdout, os.Stderr
	if info, statErr := os.Stderr.Stat(); statErr == nil && info.Mode()&os.ModeCharDevice != 0 {
		opts.Progress = os.Stderr
	}
	path, err := os.Executable()
	if err != nil {
		return opts, fmt.Errorf("find this program: %w", err)
	}
	env, err := plainEnvironment(os.Environ())
	if err != nil {
		return opts, err
	}
	opts.Self = bench.Self{
		Path: path,
		Args: func(role string) []string { return []string{"bench", "--child=" + role} },
		Env:  env,
	}
	return opts, nil
}

// plainEnvironment leaves the server's settings out: a benchmark has its own.
func plainEnvironment(environ []string) ([]string, error) {
	parser, err := newParser(defaults(), func(string) (string, bool) { return "", false })
	if err != nil {
		return nil, err
	}
	settings := []string{envName("config")}
	for key := range configKeys(parser.Model) {
		settings = append(settings, envName(key))
	}
	return slices.DeleteFunc(slices.Clone(environ), func(entry string) bool {
		name, _, _ := strings.Cut(entry, "=")
		return slices.Contains(settings, name)
	}), nil
}

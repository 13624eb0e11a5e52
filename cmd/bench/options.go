package bench

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"time"
)

// Self is how to start this executable again, as one of the benchmark's processes.
type Self struct {
	// Path is the executable.
	Path string
	// Args are the arguments that lead to Child with this role.
	Args func(role string) []string
	// Env is the processes' environment. It should hold none of the server's settings.
	Env []string
}

// Options say what to measure and how. Start from DefaultOptions.
type Options struct {
	Scenarios []Scenario
	// Duration is how long each measurement takes. Join takes as long as its joins do.
	Duration time.Duration
	// Warmup is how long everybody is there before a measurement begins.
	Warmup time.Duration
	// Runs is how often everything is measured; the results are medians.
	Runs int
	// Slots is how many others each participant can hear; 0 means what suits the
	// scenario.
	Slots int
	// URL is that of a server that is running already; "" starts one.
	URL string
	// Nodes is on how many nodes that are one server everything is measured, too, beside one server that is alone; 0 is on none.
	Nodes int
	// Remembered is how many messages the server remembers when it starts, for Chat.
	Remembered int
	// Floor and Reference say whether to measure those, too, beside a server of our own.
	Floor, Reference bool
	// JSON asks for one JSON object a scenario in place of the table.
	JSON bool

	Self Self
	// Out gets the results, Notes what a reader of JSON should know of them (a table has it
	// at its foot), Progress what is going on now. The last two may be nil.
	Out      io.Writer
	Notes    io.Writer
	Progress io.Writer
}

// DefaultOptions measure one run of ten seconds, with both yardsticks.
func DefaultOptions() Options {
	return Options{Duration: 10 * time.Second, Warmup: 2 * time.Second, Runs: 1, Floor: true, Reference: true}
}

// The bounds of what may be asked for.
const (
	minDuration = 100 * time.Millisecond
	// maxDuration keeps the floor's sequence numbers from wrapping, which it knows
	// nothing of: 65,536 packets take twenty minutes.
	maxDuration = 10 * time.Minute
	maxWarmup   = 5 * time.Minute
	maxRuns     = 100
	// minNodes are a cluster; more than maxNodes tell nothing more on one machine.
	minNodes, maxNodes = 2, 9
	// maxRemembered takes some minutes to make.
	maxRemembered = 10_000_000
)

// ErrOption is in every error about another of the options.
var ErrOption = errors.New("bad option")

// validate reports the first mistake.
func (o *Options) validate() error {
	switch {
	case len(o.Scenarios) == 0:
		return fmt.Errorf("%w: none is given", ErrScenario)
	case o.Duration < minDuration || o.Duration > maxDuration:
		return fmt.Errorf("%w: a measurement must take %s to %s", ErrOption, minDuration, maxDuration)
	case o.Warmup < 0 || o.Warmup > maxWarmup:
		return fmt.Errorf("%w: the warm-up must take 0s to %s", ErrOption, maxWarmup)
	case o.Runs < 1 || o.Runs > maxRuns:
		return fmt.Errorf("%w: there must be 1 to %d runs", ErrOption, maxRuns)
	case o.Remembered < 0 || o.Remembered > maxRemembered:
		return fmt.Errorf("%w: there must be 0 to %d messages", ErrOption, maxRemembered)
	case o.Remembered > 0 && o.URL != "":
		return fmt.Errorf("%w: only a server of its own can be told messages", ErrOption)
	case o.URL != "" && slices.ContainsFunc(o.Scenarios, func(s Scenario) bool { return s.Kind == Turns }):
		return fmt.Errorf("%w: %s needs a server of its own", ErrOption, Turns)
	case o.Nodes != 0 && (o.Nodes < minNodes || o.Nodes > maxNodes):
		return fmt.Errorf("%w: a cluster has %d to %d nodes here", ErrOption, minNodes, maxNodes)
	case o.Nodes != 0 && (o.URL != "" || o.Remembered > 0):
		return fmt.Errorf("%w: a cluster is one of its own, which has nothing to remember", ErrOption)
	case o.Nodes != 0 && slices.ContainsFunc(o.Scenarios, func(s Scenario) bool { return s.Kind == Turns }):
		return fmt.Errorf("%w: %s is measured on one node", ErrOption, Turns)
	case o.Slots < 0 || o.Slots > maxSlots:
		return fmt.Errorf("%w: there must be 1 to %d slots, or 0 for what suits the scenario", ErrOption, maxSlots)
	}
	return nil
}

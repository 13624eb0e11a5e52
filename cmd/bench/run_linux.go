package bench

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"os"
	"runtime"
	"strings"
	"time"
)

// Run measures what the options say and writes the results to Out as they come.
func Run(ctx context.Context, opts Options) error {
	if err := opts.validate(); err != nil {
		return err
	}
	b := &bench{opts: opts, progress: newProgress(opts.Progress), local: loopback(), limit: maxSlots}
	if opts.URL != "" {
		if err := b.meet(ctx); err != nil {
			return err
		}
	}
	defer b.progress.clear()
	if opts.Remembered > 0 {
		b.progress.prefix = "memory"
		b.progress.say("making it")
		defer func() { _ = os.RemoveAll(b.memory) }()
		if err := b.remember(ctx); err != nil {
			return err
		}
	}
	var done []Summary
	var unreached error // the first scenario in which not everybody was there; others are measured nevertheless
	for _, s := range opts.Scenarios {
		if s.Kind == Turns {
			if err := b.takeTurns(ctx, s); err != nil {
				return errors.Join(err, b.writeFoot(done))
			}
			continue
		}
		summary, err := b.scenario(ctx, s)
		b.progress.clear()
		if err == nil {
			done = append(done, summary)
			err = b.write(summary, len(done) == 1)
			if len(summary.Unreached) > 0 && unreached == nil {
				unreached = fmt.Errorf("%s: %w: %s", s, errUnreached, strings.Join(summary.Unreached, "; "))
			}
		}
		if err != nil {
			if ctx.Err() != nil {
				err = ctx.Err()
			}
			return errors.Join(fmt.Errorf("%s: %w", s, err), b.writeFoot(done))
		}
	}
	return errors.Join(b.writeFoot(done), unreached)
}

var errUnreached = errors.New("the figures are not of what was asked for")

// takeTurns measures a Turns scenario and writes what came of it.
func (b *bench) takeTurns(ctx context.Context, s Scenario) error {
	r, err := b.turns(ctx, s)
	b.progress.clear()
	switch {
	case ctx.Err() != nil:
		return fmt.Errorf("%s: %w", s, ctx.Err())
	case err != nil:
		return fmt.Errorf("%s: %w", s, err)
	case b.opts.JSON:
		if err = json.NewEncoder(b.opts.Out).Encode(r); err == nil && b.opts.Notes != nil {
			_, err = fmt.Fprintf(b.opts.Notes, "%s: %s.\n", r.Scenario, strings.Join(r.Notes, "; "))
		}
		return err
	default:
		return writeTurns(b.opts.Out, r, b.opts.Runs, machineHeading(b.opts)+"\n")
	}
}

// meet gets to know the server that is running already.
func (b *bench) meet(ctx context.Context) error {
	u, err := url.Parse(b.opts.URL)
	if err != nil || u.Hostname() == "" || (u.Scheme != "http" && u.Scheme != "https") {
		return fmt.Errorf("%w: %q is not the URL of a server, which begins with http:// or https://", ErrOption, b.opts.URL)
	}
	if b.local, err = localAddress(ctx, u.Hostname()); err != nil {
		return err
	}
	// Its CPU time is not known, so there is nothing to compare with the yardsticks.
	b.opts.Floor, b.opts.Reference = false, false
	if b.limit, err = slotLimit(ctx, b.opts.URL); err == nil && b.opts.Slots > b.limit {
		err = fewSlots(b.limit, b.opts.Slots)
	}
	return err
}

func fewSlots(limit, wanted int) error {
	return fmt.Errorf("%w: that server lets %d be heard at once, not %d; see --slots", ErrOption, limit, wanted)
}

// write writes a result.
func (b *bench) write(s Summary, first bool) error {
	if b.opts.JSON {
		return json.NewEncoder(b.opts.Out).Encode(s.Median)
	}
	return writeRow(b.opts.Out, s, first, heading(b.opts))
}

func (b *bench) writeFoot(done []Summary) error {
	switch {
	case len(done) == 0:
		return nil
	case !b.opts.JSON:
		return writeFoot(b.opts.Out, foot, done)
	case b.opts.Notes != nil:
		return writeFoot(b.opts.Notes, "", done)
	default:
		return nil
	}
}

// bench is one call of Run.
type bench struct {
	opts     Options
	progress *progress
	local    netip.Addr
	limit    int    // of slots, on the server
	memory   string // the server's data directory, when it is to know something
}

// scenario measures all runs of one scenario. In each run the yardsticks come first and
// the server last, one at a time.
func (b *bench) scenario(ctx context.Context, s Scenario) (Summary, error) {
	var runs []Result
	notes := &notes{}
	for n := range b.opts.Runs {
		b.progress.prefix = fmt.Sprintf("%s · run %d of %d", s, n+1, b.opts.Runs)
		r, err := b.once(ctx, s, notes)
		if err != nil {
			return Summary{}, err
		}
		runs = append(runs, r)
	}
	summary := summarise(runs)
	summary.Notes, summary.Unreached = notes.lines(), notes.unreached
	if s.Kind == Chat {
		summary.Notes = append([]string{chatNote(summary.Median.Beside)}, summary.Notes...)
	}
	return summary, nil
}

func (b *bench) once(ctx context.Context, s Scenario, notes *notes) (Result, error) {
	p := s.plan(b.opts.Slots)
	if b.opts.Slots == 0 && p.slots > b.limit {
		notes.slots, notes.wanted = b.limit, p.slots
		p = s.plan(b.limit)
	}
	floor, reference := missing(), missing()
	if p.steady() && b.opts.Floor {
		r, err := b.measure(ctx, RoleFloor, &p, &floorTarget{self: b.opts.Self}, loopback(), notes)
		if err != nil {
			return r, fmt.Errorf("floor: %w", err)
		}
		floor = yardstick(r)
	}
	if p.steady() && b.opts.Reference {
		r, err := b.measure(ctx, RoleReference, &p, &referenceTarget{self: b.opts.Self}, loopback(), notes)
		if err != nil {
			return r, fmt.Errorf("reference: %w", err)
		}
		reference = yardstick(r)
	}
	server := func(p *plan) (r Result, err error) {
		if s.Kind == Chat {
			r, err = b.beside(ctx, p, notes)
		} else {
			r, err = b.measure(ctx, RoleServer, p, &serverTarget{self: b.opts.Self, url: b.opts.URL}, b.local, notes)
		}
		r.FloorUS, r.ReferenceUS = floor, reference
		r.RatioFloor, r.RatioReference = per(r.Server.CPUPerPacket, floor), per(r.Server.CPUPerPacket, reference)
		return r, err
	}
	r, err := server(&p)
	if err != nil || b.opts.Nodes == 0 {
		return r, err
	}
	if part, ok := p.part(b.opts.Nodes); ok {
		var alike Result
		if alike, err = b.measure(ctx, RoleServer, &part, &serverTarget{self: b.opts.Self}, b.local, notes); err != nil {
			return r, fmt.Errorf("%s: %w", part.Scenario, err)
		}
		r.Alike = &alike
	}
	spread := p.spread(b.opts.Nodes)
	all, err := server(&spread)
	if err != nil {
		return r, fmt.Errorf("%d nodes: %w", b.opts.Nodes, err)
	}
	all.compare(&r)
	r.Cluster = &all
	return r, nil
}

// keptUp is the least part of the packets that a yardstick must have forwarded to be one.
// Below that it mostly does other things than forwarding, such as dropping.
const keptUp = 0.5

// yardstick is the CPU time per packet of the floor or the reference.
func yardstick(r Result) Value {
	if r.ForwardedPPS < keptUp*r.ExpectedPPS {
		return missing()
	}
	return r.Server.CPUPerPacket
}

func loopback() netip.Addr { return netip.AddrFrom4([4]byte{127, 0, 0, 1}) }

// measure measures one target.
func (b *bench) measure(ctx context.Context, role string, p *plan, t target, local netip.Addr, notes *notes) (Result, error) {
	gen, err := newGenerator(local)
	if err != nil {
		return Result{}, err
	}
	m := newMeasurement(b.opts, p, t, gen, func(format string, args ...any) { b.progress.say(role + ": " + fmt.Sprintf(format, args...)) })
	r, err := m.run(ctx)
	if err != nil {
		return r, err
	}
	notes.take(role, m, r)
	return r, nil
}

// heading says where the figures come from.
func heading(opts Options) string {
	return fmt.Sprintf("%s · %s a run, medians of %d\n", machineHeading(opts), opts.Duration.Round(time.Millisecond), opts.Runs)
}

func machineHeading(opts Options) string {
	where := "a server of its own, over loopback"
	if opts.URL != "" {
		where = opts.URL
	}
	return fmt.Sprintf("%s · %d cores · Linux %s · %s\n%s",
		cpuModel(), runtime.NumCPU(), kernel(), runtime.Version(), where)
}

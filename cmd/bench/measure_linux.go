package bench

import (
	"context"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// drainTime is how long packets that were sent may still be on their way. Longer than
// that counts as lost.
const drainTime = 500 * time.Millisecond

// measurement is one run of a scenario with one target.
type measurement struct {
	opts   Options
	plan   *plan
	target target
	gen    *generator
	say    func(format string, args ...any)

	mu      sync.Mutex
	present []participant // guarded by mu
	joins   []float64     // how long they took, in ms; guarded by mu
	failed  []error       // of those who did not join, or heard nothing; guarded by mu

	talking []atomic.Bool // by room: somebody does
	// hushed is closed when talkers fall silent so that the others can join, and loud how many had joined by then.
	hushed  chan struct{}
	loud    int
	stayed  atomic.Int64 // who have not left in time
	chat    chat
	baseRSS float64
	used    reading // during the measurement
	relayed []relayed
}

func newMeasurement(opts Options, p *plan, t target, gen *generator, say func(format string, args ...any)) *measurement {
	return &measurement{
		opts: opts, plan: p, target: t, gen: gen, say: say,
		talking: make([]atomic.Bool, p.rooms()), hushed: make(chan struct{}),
	}
}

// run measures and takes everything down again.
func (m *measurement) run(ctx context.Context) (r Result, err error) {
	defer func() {
		m.say("leaving")
		m.gen.hush.Store(true)
		for _, p := range m.target.processes() {
			p.kill() // to leave a server that is thrown away, nobody has to tell all the others
		}
		m.leave()
		m.target.close()
		m.gen.close()
	}()
	m.say("starting")
	if err = m.target.open(ctx, m.gen, m.plan); err != nil {
		return r, err
	}
	if m.baseRSS, err = m.rss(); err != nil {
		return r, err
	}
	if err = m.ramp(ctx); err != nil {
		return r, err
	}
	if m.plan.rate > 0 {
		defer m.write(ctx, m.plan.rate)()
	}
	defer m.browse(ctx, m.plan.readers)()
	m.say("warming up")
	if err = wait(ctx, m.opts.Warmup); err != nil {
		return r, err
	}
	return m.window(ctx)
}

// reading is what was used up to some moment: by the target's processes, by this process, by all.
type reading struct {
	each    []usage
	own     usage
	machine machine
}

func (m *measurement) read() (reading, error) { return readUsage(m.target.processes()...) }

// readUsage reads what was used by some children, by this process, and by all.
func readUsage(children ...*process) (now reading, err error) {
	now.each = make([]usage, len(children))
	for i, p := range children {
		if now.each[i], err = p.usage(); err != nil {
			return now, err
		}
	}
	now.own, err = usageOf(os.Getpid())
	now.machine = machineCPU()
	return now, err
}

func (r reading) since(before reading) reading {
	used := reading{each: make([]usage, len(r.each)), own: r.own.since(before.own), machine: r.machine.since(before.machine)}
	for i := range r.each {
		used.each[i] = r.each[i].since(before.each[i])
	}
	return used
}

// target is what the target's processes used together.
func (r reading) target() (all usage) {
	for _, one := range r.each {
		all.total, all.user, all.sys = all.total+one.total, all.user+one.user, all.sys+one.sys
	}
	return all
}

// rss is how much memory of the target's processes is resident, in bytes.
func (m *measurement) rss() (all float64, err error) {
	for _, p := range m.target.processes() {
		one, err := p.rss()
		if err != nil {
			return 0, err
		}
		all += one
	}
	return all, nil
}

// window measures from one moment to another.
func (m *measurement) window(ctx context.Context) (r Result, err error) {
	r = newResult(m.plan.Scenario, m.plan.participants())
	for _, p := range m.target.processes() { // from here on pauses count
		if err = p.ask(ctx, "vitals", nil, nil); err != nil {
			return r, err
		}
	}
	relayed, err := m.readRelayed(ctx)
	if err != nil {
		return r, err
	}
	m.say("measuring")
	m.gen.measure()
	began := m.gen.now()
	before, err := m.read()
	if err != nil {
		return r, err
	}
	if err = m.events(ctx); err != nil {
		return r, err
	}
	m.gen.stopMeasuring()
	after, err := m.read()
	if err != nil {
		return r, err
	}
	seconds := Value((m.gen.now() - began).Seconds())
	m.used = after.since(before)
	if err = m.vitals(ctx, &r); err != nil {
		return r, err
	}
	if m.relayed, err = m.readRelayed(ctx); err != nil {
		return r, err
	}
	for i := range relayed {
		m.relayed[i].packets -= relayed[i].packets
	}
	if err = wait(ctx, drainTime); err != nil {
		return r, err
	}
	m.account(&r, seconds)
	return r, nil
}

// events is what happens during the measurement.
func (m *measurement) events(ctx context.Context) error {
	switch m.plan.Kind {
	case Join:
		return m.oneByOne(ctx)
	case Storm:
		return m.storm(ctx)
	default:
		return wait(ctx, m.opts.Duration)
	}
}

// vitals asks the children what only they know, while everybody is still there.
func (m *measurement) vitals(ctx context.Context, r *Result) error {
	if len(m.target.processes()) == 0 {
		return nil
	}
	r.Server.Goroutines, r.Server.GCPauseMax = 0, 0
	for _, p := range m.target.processes() {
		var signs vitalSigns
		if err := p.ask(ctx, "vitals", nil, &signs); err != nil {
			return err
		}
		r.Server.Goroutines += Value(signs.Goroutines)
		r.Server.GCPauseMax = max(r.Server.GCPauseMax, Value(signs.GCPauseMSMax))
	}
	rss, err := m.rss()
	if err != nil {
		return err
	}
	r.Server.RSS = Value(rss)
	r.Server.RSSPerParticipant = per(Value(rss-m.baseRSS), Value(m.plan.participants()))
	return nil
}

// account works out the figures.
func (m *measurement) account(r *Result, seconds Value) {
	forwarded, expected := Value(m.gen.arrived.Load()), Value(m.gen.expectedPackets())
	r.Seconds = seconds
	r.ForwardedPPS, r.ExpectedPPS = forwarded/seconds, expected/seconds
	if expected > 0 {
		r.Loss = max(0, 1-Value(m.gen.latency.count())/expected)
	}
	r.Latency.quantiles(&m.gen.latency)
	if m.plan.nodes > 1 {
		r.Between = m.between(seconds)
	}
	if acks := &m.chat.acks; acks.count() > 0 {
		r.Beside.AckP50, r.Beside.AckP99 = Value(milliseconds(acks.quantile(0.5))), Value(milliseconds(acks.quantile(0.99)))
	}
	if m.plan.readers > 0 {
		r.Beside.HistoryP99 = Value(milliseconds(m.chat.history.quantile(0.99)))
		r.Beside.SearchP99 = Value(milliseconds(m.chat.search.quantile(0.99)))
		r.Beside.IdleRSS = Value(m.baseRSS)
	}
	slices.Sort(m.joins)
	r.Join.P50, r.Join.P99 = quantile(m.joins, 0.5), quantile(m.joins, 0.99)
	if len(m.target.processes()) == 0 {
		return
	}
	used := m.used.target()
	r.Server.CPUCores = Value(used.total.Seconds()) / seconds
	if !m.plan.steady() {
		return // what joining costs is not the packets'
	}
	micros := func(d time.Duration) Value { return per(Value(d)/Value(time.Microsecond), forwarded) }
	r.Server.CPUPerPacket, r.Server.UserUS, r.Server.SysUS = micros(used.total), micros(used.user), micros(used.sys)
}

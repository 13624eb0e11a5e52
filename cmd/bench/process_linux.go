package bench

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// startTimeout is how long a child may take to start on a busy machine.
	startTimeout = 2 * time.Minute
	// answerTimeout is how long it may take to answer.
	answerTimeout = 2 * time.Minute
	// stopTimeout is how long it may take to end before it is killed.
	stopTimeout = 5 * time.Second
	// maxComplaint is how much of what a child says on standard error is kept, in bytes.
	maxComplaint = 4 << 10
)

// process is a child of the benchmark.
type process struct {
	role     string
	cmd      *exec.Cmd
	stdin    *os.File
	answers  *bufio.Reader
	pipe     *os.File // of answers
	stdout   *bufio.Reader
	complain tail
	exited   chan struct{}
}

// start starts a child. What it prints goes to stdout, for who wants it.
func start(self Self, role string, args ...string) (*process, error) {
	p := &process{role: role, exited: make(chan struct{})}
	questions, stdin, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	pipe, answers, err := os.Pipe()
	if err != nil {
		return nil, errors.Join(err, questions.Close(), stdin.Close())
	}
	p.cmd = exec.Command(self.Path, append(append([]string{}, self.Args(role)...), args...)...) //nolint:gosec,noctx // ourselves; ended by stop
	p.cmd.Env = self.Env
	p.cmd.Stdin, p.cmd.Stderr = questions, &p.complain
	p.cmd.ExtraFiles = []*os.File{answers}
	// A group of its own: the terminal's Ctrl-C is for this process, which then ends the
	// children in order.
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	stdout, err := p.cmd.StdoutPipe()
	if err == nil {
		err = p.cmd.Start()
	}
	_, _ = questions.Close(), answers.Close()
	if err != nil {
		return nil, errors.Join(fmt.Errorf("start the %s: %w", role, err), stdin.Close(), pipe.Close())
	}
	p.stdin, p.pipe = stdin, pipe
	p.answers, p.stdout = bufio.NewReader(pipe), bufio.NewReader(stdout)
	return p, nil
}

// ask puts a question and reads the answer into reply, unless that is nil.
func (p *process) ask(ctx context.Context, verb string, argument, reply any) error {
	question, err := json.Marshal(argument)
	if err != nil {
		return fmt.Errorf("ask the %s: %w", p.role, err)
	}
	ctx, cancel := context.WithTimeout(ctx, answerTimeout)
	defer cancel()
	// Deadlines do not reach a write that does not wait for anything; the pipe is read
	// all the time, or the child is dead.
	stop := context.AfterFunc(ctx, func() { _ = p.pipe.SetReadDeadline(time.Unix(1, 0)) })
	defer stop()
	if _, err = fmt.Fprintf(p.stdin, "%s %s\n", verb, question); err != nil {
		return p.failure(err)
	}
	line, err := p.answers.ReadBytes('\n')
	if err != nil {
		return p.failure(errors.Join(ctx.Err(), err))
	}
	answer := struct {
		Answer json.RawMessage `json:"answer"`
		Error  string          `json:"error"`
	}{}
	if err := json.Unmarshal(line, &answer); err != nil {
		return p.failure(err)
	}
	if answer.Error != "" {
		return fmt.Errorf("the %s says: %s", p.role, answer.Error) //nolint:err113 // another process's words
	}
	if reply == nil {
		return nil
	}
	return json.Unmarshal(answer.Answer, reply)
}

// failure adds what the child complained of.
func (p *process) failure(err error) error {
	if text := strings.TrimSpace(p.complain.String()); text != "" {
		return fmt.Errorf("the %s: %w: %s", p.role, err, text)
	}
	return fmt.Errorf("the %s: %w", p.role, err)
}

// firstLine returns the first line that the child prints, and lets it print on.
func (p *process) firstLine(ctx context.Context) (string, error) {
	type result struct {
		line string
		err  error
	}
	got := make(chan result, 1)
	go func() {
		line, err := p.stdout.ReadString('\n')
		got <- result{line, err}
		_, _ = p.stdout.WriteTo(discard{}) // until the child ends
	}()
	select {
	case r := <-got:
		if r.err != nil {
			return "", p.failure(r.err)
		}
		return r.line, nil
	case <-ctx.Done():
		return "", p.failure(ctx.Err())
	}
}

type discard struct{}

func (discard) Write(b []byte) (int, error) { return len(b), nil }

// kill ends the child at once; stop has to follow. There may be none.
func (p *process) kill() {
	if p != nil {
		_ = p.cmd.Process.Kill()
	}
}

// stop ends the child and waits for its end.
func (p *process) stop() {
	_ = p.stdin.Close() // the sign to go
	late := time.AfterFunc(stopTimeout, func() { _ = p.cmd.Process.Kill() })
	_ = p.cmd.Wait()
	late.Stop()
	_ = p.pipe.Close()
}

// usage is what a process has used up to now.
type usage struct {
	total     time.Duration // exact
	user, sys time.Duration // in the kernel's ticks of 10 ms
}

// usage reads the child's CPU time.
func (p *process) usage() (usage, error) { return usageOf(p.cmd.Process.Pid) }

func usageOf(pid int) (usage, error) {
	// A process's CPU clock, from clock_getcpuclockid(3): CPUCLOCK_SCHED of all threads.
	const schedClock = 2
	var spec unix.Timespec
	if err := unix.ClockGettime(int32(^pid)<<3|schedClock, &spec); err != nil { //nolint:gosec // pids are small
		return usage{}, fmt.Errorf("read the CPU clock: %w", err)
	}
	u := usage{total: time.Duration(spec.Nano())}
	stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return u, err
	}
	// The name in parentheses may hold anything; utime and stime are the 14th and 15th.
	fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
	const utime, stime, tick = 14 - 3, 15 - 3, 10 * time.Millisecond
	if len(fields) <= stime {
		return u, errors.New("/proc/PID/stat is too short")
	}
	user, errUser := strconv.ParseInt(fields[utime], 10, 64)
	sys, errSys := strconv.ParseInt(fields[stime], 10, 64)
	u.user, u.sys = time.Duration(user)*tick, time.Duration(sys)*tick
	return u, errors.Join(errUser, errSys)
}

// since is what was used between two readings. The ticks divide the exact total.
func (u usage) since(before usage) usage {
	d := usage{total: u.total - before.total, user: u.user - before.user, sys: u.sys - before.sys}
	if ticks := d.user + d.sys; ticks > 0 {
		d.user = time.Duration(float64(d.total) * float64(d.user) / float64(ticks))
		d.sys = d.total - d.user
	}
	return d
}

// rss is how much memory of the child's is resident, in bytes.
func (p *process) rss() (float64, error) {
	status, err := os.ReadFile("/proc/" + strconv.Itoa(p.cmd.Process.Pid) + "/status")
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(status)) {
		if value, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			kib, err := strconv.ParseFloat(strings.Fields(value)[0], 64)
			return kib * 1024, err
		}
	}
	return 0, errors.New("no VmRSS in /proc/PID/status")
}

// tail keeps the end of what is written to it.
type tail struct {
	mu   sync.Mutex
	text []byte // guarded by mu
}

func (t *tail) Write(b []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.text = append(t.text, b...)
	if over := len(t.text) - maxComplaint; over > 0 {
		t.text = append(t.text[:0], t.text[over:]...)
	}
	return len(b), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return string(t.text)
}

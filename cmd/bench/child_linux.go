package bench

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"strings"
	"syscall"
	"time"
)

// Roles of the processes that a benchmark starts from its own executable.
const (
	RoleServer    = "server"
	RoleFloor     = "floor"
	RoleReference = "reference"
)

const (
	// answersFD is where a child writes its answers: behind standard error.
	answersFD = 3
	// maxQuestionBytes bounds a line to a child: the floor's plan has about 200 bytes a
	// participant and 40 for everybody they hear.
	maxQuestionBytes = 64 << 20
	// lastBreath is how long a child may take to end when its parent is gone.
	lastBreath = 10 * time.Second
)

// Child is the process of the given role, until its parent closes its standard input or
// is gone. serve runs the server, with what the command line has for it, and returns the
// exit code.
//
// A child is asked on standard input, a question a line: a verb and its argument. It
// answers with a line of JSON each.
func Child(role string, serve func() int) (code int, err error) {
	verbs := map[string]func(json.RawMessage) (any, error){}
	switch role {
	case RoleServer:
		if serve == nil {
			return 0, fmt.Errorf("%w: the server's command line is missing", errChild)
		}
	case RoleFloor:
		f, err := newFloor()
		if err != nil {
			return 0, err
		}
		verbs["open"] = f.open
	case RoleReference:
		r, err := newReference()
		if err != nil {
			return 0, err
		}
		verbs["plan"], verbs["join"] = r.plan, r.join
	default:
		return 0, fmt.Errorf("%w: unknown role %q", errChild, role)
	}
	watch := &vitals{}
	verbs["vitals"] = watch.answer
	if role != RoleServer {
		return 0, answer(verbs)
	}
	go func() {
		// The server ends as it does for its operator, or else the hard way.
		_ = answer(verbs)
		_ = syscall.Kill(os.Getpid(), syscall.SIGTERM)
		time.Sleep(lastBreath)
		os.Exit(1)
	}()
	return serve(), nil
}

var errChild = fmt.Errorf("this command is for %s itself", "livechat bench")

// answer answers questions until there are no more.
func answer(verbs map[string]func(json.RawMessage) (any, error)) error {
	out := os.NewFile(answersFD, "answers")
	if out == nil {
		return errChild
	}
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, maxQuestionBytes)
	for lines.Scan() {
		verb, argument, _ := strings.Cut(lines.Text(), " ")
		do, ok := verbs[verb]
		if !ok {
			return fmt.Errorf("%w: unknown question %q", errChild, verb)
		}
		var reply struct {
			Answer any    `json:"answer,omitempty"`
			Error  string `json:"error,omitempty"`
		}
		value, err := do(json.RawMessage(argument))
		if reply.Answer = value; err != nil {
			reply.Error = err.Error()
		}
		if err := json.NewEncoder(out).Encode(reply); err != nil {
			return fmt.Errorf("answer %s: %w", verb, err)
		}
	}
	return lines.Err()
}

// vitals is what a process knows of itself and nobody outside.
type vitals struct{ since time.Time }

// vitalSigns is the answer. The pauses are those since the question before.
type vitalSigns struct {
	Goroutines   int     `json:"goroutines"`
	GCPauseMSMax float64 `json:"gc_pause_ms_max"`
}

func (v *vitals) answer(json.RawMessage) (any, error) {
	var stats debug.GCStats
	debug.ReadGCStats(&stats)
	signs := vitalSigns{Goroutines: runtime.NumGoroutine()}
	for i, pause := range stats.Pause { // the last 256
		if i < len(stats.PauseEnd) && stats.PauseEnd[i].After(v.since) {
			signs.GCPauseMSMax = max(signs.GCPauseMSMax, milliseconds(pause))
		}
	}
	v.since = time.Now()
	return signs, nil
}

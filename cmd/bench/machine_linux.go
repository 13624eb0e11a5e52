package bench

import (
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// cpuModel is the processor's name.
func cpuModel() string {
	info, _ := os.ReadFile("/proc/cpuinfo") // without it the architecture has to do
	for line := range strings.Lines(string(info)) {
		if key, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(key) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return runtime.GOARCH
}

func kernel() string {
	var name unix.Utsname
	if err := unix.Uname(&name); err != nil {
		return "?"
	}
	release, _, _ := strings.Cut(unix.ByteSliceToString(name.Release[:]), "-")
	return release
}

// machine is what all processors together did up to now, in the kernel's ticks.
type machine struct{ idle, total float64 }

func machineCPU() machine {
	stat, _ := os.ReadFile("/proc/stat") // without it nothing is known, and nothing noted
	line, _, _ := strings.Cut(string(stat), "\n")
	var m machine
	// user nice system idle iowait irq softirq steal; guests are in user already.
	const idle, iowait, counted = 3, 4, 8
	for i, field := range strings.Fields(strings.TrimPrefix(line, "cpu")) {
		ticks, err := strconv.ParseFloat(field, 64)
		if err != nil || i >= counted {
			break
		}
		m.total += ticks
		if i == idle || i == iowait {
			m.idle += ticks
		}
	}
	return m
}

func (m machine) since(before machine) machine {
	return machine{m.idle - before.idle, m.total - before.total}
}

// busy is how many of the processors were in use on average.
func (m machine) busy() float64 {
	if m.total == 0 {
		return 0
	}
	return (1 - m.idle/m.total) * float64(runtime.NumCPU())
}

const (
	// crowded is from which use on the processors are what limits everything.
	crowded = 0.95
	// disturbing is how many cores other programs may take without a note.
	disturbing = 0.2
	// noticeableLoss is from which loss on a target is said not to keep up, and a yardstick is doubtful.
	noticeableLoss = 0.001
	// lateAfter is how late the load generator may send.
	lateAfter = 5 * time.Millisecond
)

// clusterRole is what several nodes are called here.
const clusterRole = "cluster"

// notes gather what makes figures doubtful, the worst of each over all runs.
type notes struct {
	own, others, busy float64            // in cores
	loss              map[string]float64 // by whom
	late, skipped     time.Duration
	unreached, stayed []string // who did not join, and who did not leave in time
	loud              int      // how many joined before all fell silent so that the others could; 0 if they did not
	slots, wanted     int      // how many the server lets one hear, where that is fewer than the scenario would have
	forged            uint64
}

// take looks at one measurement.
func (n *notes) take(role string, m *measurement, r Result) {
	own := n.load(m.used, float64(r.Seconds), len(m.target.processes()) > 0)
	if role == RoleServer {
		n.own = max(n.own, own)
	}
	if n.loss == nil {
		n.loss = map[string]float64{}
	}
	whose := role
	if role == RoleServer && m.plan.nodes > 1 {
		whose = clusterRole
	}
	n.loss[whose] = max(n.loss[whose], float64(r.Loss))
	n.late = max(n.late, m.gen.talkers.late.quantile(0.99))
	n.skipped = max(n.skipped, time.Duration(m.gen.talkers.skipped.Load()))
	n.forged += m.gen.forged.Load()
	if m.loud > 0 && (n.loud == 0 || m.loud < n.loud) {
		n.loud = m.loud
	}
	if len(m.failed) > 0 {
		n.unreached = append(n.unreached, fmt.Sprintf("%d of %d did not join the %s, or heard nothing, such as: %v; what they did not hear counts as lost",
			len(m.failed), len(m.plan.members), whose, m.failed[0]))
	}
	if stayed := m.stayed.Load(); stayed > 0 {
		n.stayed = append(n.stayed, fmt.Sprintf("%d had not left the %s after %s", stayed, whose, leaveTimeout))
	}
}

// load looks at what was used in so many seconds, and returns what was by this process. ours says that the target is known, too.
func (n *notes) load(used reading, seconds float64, ours bool) (own float64) {
	busy := used.machine.busy()
	own = used.own.total.Seconds() / seconds
	n.busy = max(n.busy, busy)
	if ours {
		n.others = max(n.others, busy-own-used.target().total.Seconds()/seconds)
	}
	return own
}

func (n *notes) lines() []string {
	lines := []string{fmt.Sprintf("the load generator took %.2f cores", n.own)}
	if n.wanted > 0 {
		lines = append(lines, fmt.Sprintf("everybody heard %d others, not %d, since that server allows no more", n.slots, n.wanted))
	}
	if n.others > disturbing {
		lines = append(lines, fmt.Sprintf("other programs took %.1f of the %d cores", n.others, runtime.NumCPU()))
	}
	if n.busy > crowded*float64(runtime.NumCPU()) {
		lines = append(lines, "all cores were busy, so that latency and loss are the machine's")
	}
	if n.late > lateAfter {
		lines = append(lines, fmt.Sprintf("1 %% of the packets were sent over %.1f ms late", milliseconds(n.late)))
	}
	if n.skipped > 0 {
		lines = append(lines, fmt.Sprintf("the load generator could not send for %.0f ms", milliseconds(n.skipped)))
	}
	for _, role := range []string{RoleFloor, RoleReference, RoleServer, clusterRole} {
		if n.loss[role] > noticeableLoss {
			lines = append(lines, fmt.Sprintf("the %s could not keep up and lost or delayed %.1f %%", role, n.loss[role]*100))
		}
	}
	if n.loud > 0 {
		lines = append(lines, fmt.Sprintf("after %s only %d had joined, and the others did in silence", loudRamp, n.loud))
	}
	lines = append(append(lines, n.unreached...), n.stayed...)
	if n.forged > 0 {
		lines = append(lines, fmt.Sprintf("%d packets could not be decrypted", n.forged))
	}
	return lines
}

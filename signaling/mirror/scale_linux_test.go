package mirror

import (
	"context"
	"fmt"
	"os"
	"runtime/debug"
	"slices"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// scaleMemory is from how many bytes on garbage is looked for.
const scaleMemory = 10 << 30

// TestScale has people come, go, talk and fall silent on the nodes of a large cluster, in a time of its own, and a node die and come back. It counts what
// the nodes tell each other. Small always, so that it stays true; as large as it is meant with LIVECHAT_SCALE, as make scale sets it, and then it says what it counted.
func TestScale(t *testing.T) {
	s := scale{nodes: 5, ears: 4, people: 300, channels: 20, crowd: 60, joins: 300, steady: 2 * time.Second}
	full := os.Getenv("LIVECHAT_SCALE")
	if full != "" {
		s = scale{nodes: 50, ears: 10, people: 100_000, channels: 5000, crowd: 20_000, joins: 5000, steady: 6 * time.Second}
		defer debug.SetMemoryLimit(debug.SetMemoryLimit(scaleMemory))
		defer debug.SetGCPercent(debug.SetGCPercent(-1)) // before that it would be half of the work
		if full != "1" {
			n, err := fmt.Sscanf(full, "%dx%dx%dx%dx%d", &s.nodes, &s.people, &s.channels, &s.crowd, &s.ears)
			require.GreaterOrEqual(t, n, 4, "LIVECHAT_SCALE is NODESxPEOPLExCHANNELSxCROWD, and xEARS if it is to be other than %d: %v", s.ears, err)
			s.ears = min(s.ears, s.nodes)
			s.joins = s.people / 20
		}
	}
	synctest.Test(t, func(t *testing.T) { simulate(t, s, full != "") })
}

// cpu is how much time of processors this process took.
func cpu() time.Duration {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func simulate(t *testing.T, s scale, tell bool) {
	t.Helper()
	say := func(format string, args ...any) {
		if tell {
			_, _ = fmt.Fprintf(os.Stdout, format+"\n", args...)
		}
	}
	say("%d nodes, %d people, %d channels, %d of the people in one", s.nodes, s.people, s.channels, s.crowd)
	l := newLand(s)
	ctx, stop := context.WithCancel(context.Background())
	l.running.Go(func() { l.net.Run(ctx) })
	defer l.running.Wait()
	defer stop()
	defer l.close()

	talks := l.talks
	l.talks = nil                        // nobody talks before all are there
	l.live(2*time.Second, 0, false, nil) // the nodes see each other
	began := cpu()
	for came := 1; came <= 10; came++ {
		l.live(time.Duration(float64(s.people)/float64(s.joins)*0.11*float64(time.Second)), s.joins, false, nil)
		say("  %d have come", len(l.souls)-len(l.out))
	}
	say("everybody came, %d a second: %.1f ms of processor for each, all nodes together", s.joins, float64((cpu()-began).Microseconds())/1000/float64(s.people))
	l.talks = talks
	l.live(3*time.Second, 0, true, nil)

	before, began := l.sent(), cpu()
	var media load
	ticks := 0
	l.live(s.steady, 0, true, func() {
		if ticks++; ticks%50 == 0 {
			media.add(l)
		}
	})
	l.report(say, l.sent().minus(before), cpu()-began, &media)
	l.agrees(t, "after a while", say)

	l.live(time.Second, 0, false, nil)
	lost := l.kill(0)
	died := time.Now()
	for _, p := range lost { // over a second, after two in which they hear nothing of the server
		wait := 2*time.Second + time.Duration(l.random.Int64N(int64(time.Second)))
		p.rank = uint64(wait) // until they are back
	}
	slices.SortFunc(lost, func(a, b *soul) int { return int(a.rank) - int(b.rank) })
	l.live(3*time.Second+frame, 0, false, func() {
		for len(lost) > 0 && time.Since(died) >= time.Duration(lost[0].rank) {
			l.enter(lost[0], l.aNode())
			lost = lost[1:]
		}
	})
	say("a node died; the last of its people came back %.2f s later, and all agreed after %.2f s", 3.0, l.agrees(t, "after a death", say).Sub(died).Seconds())

	before = l.sent()
	back := time.Now()
	l.sites[0] = l.open("n0", true)
	took := l.agrees(t, "after a return", say).Sub(back)
	sent := l.sent().minus(before)
	say("it came back with nobody, and knew all after %.2f s; it was told %.1f MB of snapshots", took.Seconds(), float64(sent.snapshots.Bytes)/1e6)
}

// agrees waits until all nodes see the same, and says when that was.
func (l *land) agrees(t *testing.T, when string, say func(string, ...any)) time.Time {
	t.Helper()
	const patience = 20 * time.Second
	began := time.Now()
	for {
		wrong := l.disagreements()
		if wrong == 0 {
			return time.Now()
		}
		require.Less(t, time.Since(began), patience, "%s the nodes see %d channels otherwise than they are", when, wrong)
		say("  %s, %.1f s: %d", when, time.Since(began).Seconds(), wrong)
		l.live(100*time.Millisecond, 0, false, nil)
	}
}

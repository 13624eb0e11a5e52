package mirror

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"runtime/debug"
	"slices"
	"strconv"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// scaleMemory is from how many bytes on garbage is looked for.
const scaleMemory = 9 << 30

// TestScale has people come, go, talk and fall silent on the nodes of a large cluster, in a time of its own, and a node die and come back. It counts what
// the nodes tell each other. Small always, so that it stays true; as large as it is meant with LIVECHAT_SCALE, as make scale sets it, and then it says what it counted.
func TestScale(t *testing.T) {
	s := scale{nodes: 5, people: 300, channels: 20, crowd: 60, joins: 60, steady: 2 * time.Second}
	full := os.Getenv("LIVECHAT_SCALE")
	if full != "" {
		s = scale{nodes: 50, people: 100_000, channels: 5000, crowd: 20_000, joins: 5000, steady: 6 * time.Second}
		defer debug.SetMemoryLimit(debug.SetMemoryLimit(scaleMemory))
		defer debug.SetGCPercent(debug.SetGCPercent(-1)) // before that it would be half of the work
		if full != "1" {
			_, err := fmt.Sscanf(full, "%dx%dx%dx%d", &s.nodes, &s.people, &s.channels, &s.crowd)
			require.NoError(t, err, "LIVECHAT_SCALE is NODESxPEOPLExCHANNELSxCROWD")
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
	l.talks = nil // nobody talks before all are there
	l.meet(t, say)
	began, here := cpu(), len(l.souls)-len(l.out)
	l.live(time.Second, l.joins, false, nil)
	came := len(l.souls) - len(l.out) - here
	say("%d more came, %d a second: %.1f ms of processor for each, all nodes together", came, l.joins, float64((cpu()-began).Microseconds())/1000/float64(came))
	l.talks = talks
	l.live(3*time.Second, 0, true, nil)

	before, began := l.sent(), cpu()
	var media load
	ticks := 0
	l.live(s.steady, 0, true, func() {
		if ticks++; ticks%50 == 0 {
			l.add(&media)
		}
	})
	l.report(t, say, l.sent().minus(before), cpu()-began, &media)
	l.agrees(t, "after a while", say)

	l.live(time.Second, 0, false, nil)
	node := l.decider(turnwiseFirst)
	l.dies(t, node, say)

	before = l.sent()
	back := time.Now()
	l.sites[node] = l.open("n" + strconv.Itoa(node))
	l.sites[node].begin()
	members, floors := l.agrees(t, "after a return", say)
	sent := l.sent().minus(before)
	say("it came back with nobody, and knew all members after %.2f s, and who has which floor after %.2f s; it was told %.1f MB of snapshots",
		members.Sub(back).Seconds(), floors.Sub(back).Seconds(), float64(sent.snapshots.Bytes)/1e6)
}

// meet has nodes begin that have people already, each a moment after the one before: so they tell each other of most people in snapshots, which takes less
// than to tell of each as they come.
func (l *land) meet(t *testing.T, say func(string, ...any)) {
	t.Helper()
	for len(l.out) > len(l.souls)-l.people+l.joins {
		l.come()
	}
	say("%d people are on nodes that do not know each other yet", len(l.souls)-len(l.out))
	began := cpu()
	for _, s := range l.sites {
		s.begin()
		l.live(lookEvery, 0, false, nil)
	}
	met := time.Now()
	members, _ := l.agrees(t, "after they met", say)
	sent := l.sent()
	say("each knew all people %.2f s after the last of them began; they were told %.1f MB of snapshots, with %.0f s of processor, all nodes together",
		members.Sub(met).Seconds(), float64(sent.snapshots.Bytes)/1e6, (cpu() - began).Seconds())
}

// dies has a node die. Its people come to others from two to three seconds later, since so long they hear nothing of it, but for one in ten who stay away.
func (l *land) dies(t *testing.T, node int, say func(string, ...any)) {
	t.Helper()
	decided := l.decidedBy(node)
	require.NotEmpty(t, decided)
	l.listenForLeaves()
	lost := l.kill(node)
	died, count := time.Now(), len(lost)
	floors := l.inquire(decided)
	away := make(map[string]bool)
	for i, p := range lost {
		if i%10 == 0 {
			away[userName(p.number)] = true
			l.out = append(l.out, p)
		}
		p.rank = uint64(2*time.Second) + uint64(l.random.Int64N(int64(time.Second))) // until they are back
	}
	lost = slices.DeleteFunc(lost, func(p *soul) bool { return away[userName(p.number)] })
	slices.SortFunc(lost, func(a, b *soul) int { return cmp.Compare(a.rank, b.rank) })
	l.live(3*time.Second, 0, false, func() {
		for len(lost) > 0 && time.Since(died) >= time.Duration(lost[0].rank) {
			l.enter(lost[0], l.aNode())
			lost = lost[1:]
		}
	})
	require.Empty(t, lost)
	members, turns := l.agrees(t, "after a death", say)
	left := l.leaves()
	for userID := range left {
		require.Contains(t, away, userID, "it came back in time, and yet somebody was told that it left")
	}
	require.NotEmpty(t, left)
	require.Zero(t, floors.open.Load(), "of %d floors", floors.of.Load())
	say("a node with %d people died, of whom %d came back within 3 s and %d not: all nodes agreed on members after %.2f s, on floors after %.2f s; of %d somebody was told that they left, all of them among the latter",
		count, count-len(away), len(away), members.Sub(died).Seconds(), turns.Sub(died).Seconds(), len(left))
	say("it had decided about %d floors: for each of them somebody asked from then on, and had an answer after %.2f s at most", floors.of.Load(), time.Duration(floors.took.Load()).Seconds())
}

package store

import (
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"runtime/debug"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// residentEnv has TestRoleReader read a memory, and says where and how large it is.
const residentEnv = "LIVECHAT_RESIDENT"

// resident measures by how much a process of its own grows that opens the memory, while eight people read and search in it as fast as they
// can, and when its garbage is gone.
func (m *memory) resident(b *testing.B) {
	if residentMB() == 0 {
		b.Skip("wants Linux")
	}
	cmd := exec.CommandContext(b.Context(), os.Args[0], "-test.run=^TestRoleReader$")
	cmd.Env = append(os.Environ(), fmt.Sprintf("%s=%d %s", residentEnv, m.size, m.path), "GOGC=50") // as the server has it
	said, err := cmd.Output()
	require.NoError(b, err, "%s", said)
	var opened, reading, after float64
	_, err = fmt.Sscan(string(said), &opened, &reading, &after)
	require.NoError(b, err, "%s", said)
	b.ReportMetric(opened, "opened-MB")
	b.ReportMetric(reading, "reading-MB")
	b.ReportMetric(after, "after-MB")
}

// TestRoleReader is no test of its own: it says how much memory reading takes.
func TestRoleReader(t *testing.T) {
	plan, path, _ := strings.Cut(os.Getenv(residentEnv), " ")
	if plan == "" {
		t.Skip("plays a part of BenchmarkChat")
	}
	size, err := strconv.Atoi(plan)
	require.NoError(t, err)
	before := residentMB()
	s, err := Open(path)
	require.NoError(t, err)
	opened := residentMB()
	m := &memory{Store: s, size: size}
	for i := range benchChannels {
		m.all = append(m.all, fmt.Sprint("channel-", i))
	}
	most, end := opened, time.Now().Add(10*time.Second)
	var people sync.WaitGroup
	for person := range uint64(8) {
		people.Go(func() {
			dice := rand.New(rand.NewPCG(person, 1))
			for time.Now().Before(end) {
				i := dice.IntN(size)
				channel := m.all[i%benchChannels]
				_, _, err := s.History(t.Context(), Page{ChannelID: channel, Before: fmt.Sprint(channel, "-", i), Limit: MaxHistory})
				require.NoError(t, err)
				text := []string{fmt.Sprint("rare", i), "common words", fmt.Sprintf("some%d common", i%1000), "회의", "r", "even odd "}[dice.IntN(6)]
				_, err = s.Search(t.Context(), Query{Text: text, ChannelIDs: m.all, Limit: MaxFound})
				require.NoError(t, err)
			}
		})
	}
	people.Go(func() {
		for ; time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
			most = max(most, residentMB())
		}
	})
	people.Wait()
	debug.FreeOSMemory()
	_, _ = fmt.Fprintf(os.Stdout, "%.1f %.1f %.1f\n", opened-before, most-before, residentMB()-before)
	require.NoError(t, s.Close())
}

// residentMB is how much memory the process has, in MB; 0 where that is not known.
func residentMB() float64 {
	text, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0
	}
	var size, resident int
	if _, err = fmt.Sscan(string(text), &size, &resident); err != nil {
		return 0
	}
	return float64(resident*os.Getpagesize()) / 1e6
}

//go:build unix

package signaling

import (
	"fmt"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"github.com/stretchr/testify/require"

	"github.com/mini-livechat/mini-livechat/signaling/protocol"
)

// busy is how much goes on in a server of which the cost of presence is measured.
type busy struct {
	people, channels, watchers int
	moves                      int // a second
	speaking                   int // in so many channels somebody speaks
	window                     time.Duration
}

const (
	packetLen = 20 * time.Millisecond
	// turnLen is how long one speaks, before it is another's turn.
	turnLen = 2 * time.Second
)

// cost is what one window with or without watchers took.
type cost struct {
	cpu    time.Duration
	events int // told to all watchers together
	bytes  int
}

// spent returns the CPU time of the process, in user space and in the kernel.
func spent(tb testing.TB) time.Duration {
	tb.Helper()
	var r syscall.Rusage
	require.NoError(tb, syscall.Getrusage(syscall.RUSAGE_SELF, &r))
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}

// goOn has people move for a window, and returns what that took.
func (b busy) goOn(tb testing.TB, people *crowd) time.Duration {
	tb.Helper()
	runtime.GC() // of what was made outside of the window
	ticker := time.NewTicker(packetLen)
	defer ticker.Stop()
	before := spent(tb)
	begin := time.Now()
	for moved := 0; ; <-ticker.C {
		passed := time.Since(begin)
		if passed > b.window {
			return spent(tb) - before
		}
		for ; moved < int(passed.Seconds()*float64(b.moves)); moved++ {
			people.stir()
		}
		for i := range b.speaking {
			// One after the other, all at their own times: whoever is the i-th in the crowd, or comes i and some hundreds later.
			turn := int((passed + time.Duration(i)*97*time.Millisecond) / turnLen)
			people.say((i + turn*b.speaking) % b.people)
		}
	}
}

// pair measures a window without watchers and one with. The watchers' clients are in this process, so they read only
// after the window what waits for them in their sockets, until they know where everybody is.
func (b busy) pair(tb testing.TB, people *crowd, sockets []*websocket.Conn) (without, with cost) {
	tb.Helper()
	without.cpu = b.goOn(tb, people)
	begin := time.Now()
	known := make([]protocol.Presence, len(sockets))
	for i, ws := range sockets {
		ask(tb, ws, protocol.OpPresence, protocol.PresenceWatch{Watch: new(true)})
		_, text, err := ws.ReadMessage()
		require.NoError(tb, err)
		known[i] = snapshotIn(tb, text)
	}
	with.cpu = b.goOn(tb, people)
	where := placed(people.where())
	for i, ws := range sockets {
		read := func() (more bool) {
			_, text, err := ws.ReadMessage()
			require.NoError(tb, err)
			frame, err := protocol.Decode(text)
			require.NoError(tb, err)
			if frame.Op == protocol.OpAck {
				return false
			}
			var event protocol.Presence
			require.NoError(tb, frame.Bind(&event))
			known[i].Apply(event)
			with.events++
			with.bytes += len(text)
			return true
		}
		require.NoError(tb, ws.SetReadDeadline(time.Now().Add(time.Minute)))
		for told := false; !told || placed(known[i]) != where; told = true { // the last who moved may be half told until the next tick
			require.True(tb, read())
		}
		ask(tb, ws, protocol.OpPresence, protocol.PresenceWatch{Watch: new(false)})
		for read() {
			continue
		}
		require.Equal(tb, where, placed(known[i]))
	}
	require.LessOrEqual(tb, with.events, (int(time.Since(begin)/presencePause)+2)*b.watchers)
	return without, with
}

// placed returns in words who is where.
func placed(p protocol.Presence) string {
	var words strings.Builder
	for _, c := range sorted(p) {
		words.WriteString("\n" + c.ChannelID)
		ids := make([]string, len(c.Members))
		for i := range c.Members {
			ids[i] = c.Members[i].UserID
		}
		slices.Sort(ids)
		words.WriteString(strings.Join(ids, " "))
	}
	return words.String()
}

func (b busy) start(tb testing.TB) (*crowd, []*websocket.Conn) {
	tb.Helper()
	g, url := startGateway(tb, answerVoiceless(), bigger, func(c *Config) {
		c.ResumeWindow, c.EgressQueue = time.Minute, 2048 // as the defaults are
	})
	people := newCrowd(tb, g, b.people, b.channels)
	people.decide()
	sockets := make([]*websocket.Conn, b.watchers)
	for i := range sockets {
		sockets[i] = identified(tb, g, url, fmt.Sprint("watcher-", i))
		require.NoError(tb, sockets[i].SetReadDeadline(time.Now().Add(time.Hour)))
	}
	return people, sockets
}

// What a hundred watchers cost a server with a thousand people. The figures are for reading: what is checked is that
// all of them are told what they asked for, and no more often than they should be.
func TestPresenceCost(t *testing.T) {
	b := busy{people: 1000, channels: 50, watchers: 100, moves: 20, speaking: 50, window: time.Second}
	people, sockets := b.start(t)
	without, with := b.pair(t, people, sockets)
	t.Logf("CPU in %v: %v without watchers, %v with %d, to whom %d events of %d bytes were told",
		b.window, without.cpu, with.cpu, b.watchers, with.events, with.bytes/with.events)
}

func BenchmarkPresence(b *testing.B) {
	for _, of := range []struct{ watchers, speaking int }{{100, 0}, {1000, 0}, {100, 50}, {1000, 50}} {
		watchers := of.watchers
		b.Run(fmt.Sprintf("watchers=%d/speaking=%d", watchers, of.speaking), func(b *testing.B) {
			load := busy{people: 1000, channels: 50, watchers: watchers, moves: 20, speaking: of.speaking, window: 10 * time.Second}
			people, sockets := load.start(b)
			b.ResetTimer()
			var without, with cost
			for range b.N {
				one, two := load.pair(b, people, sockets)
				without.cpu += one.cpu
				with.cpu += two.cpu
				with.events += two.events
				with.bytes += two.bytes
			}
			share := func(d time.Duration) float64 { return 100 * d.Seconds() / (load.window.Seconds() * float64(b.N)) }
			b.ReportMetric(0, "ns/op")
			b.ReportMetric(share(without.cpu), "%core-without")
			b.ReportMetric(share(with.cpu), "%core-with")
			b.ReportMetric(share(with.cpu-without.cpu), "%core-more")
			b.ReportMetric(float64(with.events)/float64(watchers*b.N)/load.window.Seconds(), "events/s")
			b.ReportMetric(float64(with.bytes)/float64(max(with.events, 1)), "bytes/event")
		})
	}
}

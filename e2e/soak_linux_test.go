package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"text/tabwriter"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mini-livechat/mini-livechat/signaling/auth"
	"github.com/mini-livechat/mini-livechat/signaling/client"
)

const (
	// soakWorkers is how many live at the same time.
	soakWorkers = 32
	// soakDead is how many may be dead whom the server takes to be alive. Go keeps what it has for goroutines (some 400 bytes
	// each) and maps at their largest, so the server is measured for the first time when it has had as many.
	soakDead = 600
	// soakResumes is how often one session is resumed.
	soakResumes = 10
	// soakSettle is how long the server may take, once all are gone, to be as it was. Its own timeouts are shorter.
	soakSettle = 90 * time.Second
	// soakHeap and soakRSS are what may stay, in bytes.
	soakHeap = 1 << 20
	soakRSS  = 8 << 20
)

// soak is a server in a process of its own, and those who come and go.
type soak struct {
	t         *testing.T
	server    *actor
	url       string
	media     int
	authority *auth.Authority
	lives     int // so far
	// graves has a token for each who is dead and, as far as is known here, alive for the server.
	graves    chan struct{}
	lingering sync.WaitGroup
	// start is what the server was when it was warm, last what it was after the last phase.
	start, last vitals
	text        bytes.Buffer
	table       *tabwriter.Writer

	mu     sync.Mutex
	faults int   // guarded by mu
	first  error // of the faults; guarded by mu
}

// TestSoak lets ten thousand people come and go, and ten thousand die, and sees whether the server is afterwards what it
// was before. LIVECHAT_SOAK says how many of each, see `make soak`.
func TestSoak(t *testing.T) {
	spec := os.Getenv("LIVECHAT_SOAK")
	if spec == "" {
		t.Skip("takes ten minutes: make soak")
	}
	n, err := strconv.Atoi(spec)
	require.NoError(t, err, "LIVECHAT_SOAK is a number of people")
	s := startSoak(t)
	residents := s.settleIn(2)

	s.all(soakDead, s.visits(), s.dies(whileTalking), s.dies(afterHello), s.dies(afterChecks), s.comesBack())
	s.start = s.steady()
	s.last = s.start
	s.profile("start")
	defer func() {
		require.NoError(t, s.table.Flush())
		t.Log("\n" + s.text.String())
	}()

	s.phase(n, s.visits())
	for how := range deaths {
		s.phase((n+int(how))/int(deaths), s.dies(how))
	}
	s.phase(n/10, s.comesBack())
	for _, r := range residents {
		require.NoError(t, r.Err(), "one of those who stayed")
	}
}

// startSoak starts the server.
func startSoak(t *testing.T) *soak {
	t.Helper()
	const secret = "the secret of a server that is soaked"
	channels := make([]string, soakWorkers)
	for i := range channels {
		channels[i] = soakChannel(i)
	}
	authority, err := auth.New([]byte(secret))
	require.NoError(t, err)
	s := &soak{t: t, authority: authority, graves: make(chan struct{}, soakDead)}
	s.table = tabwriter.NewWriter(&s.text, 0, 0, 2, ' ', tabwriter.AlignRight)
	_, _ = fmt.Fprintln(s.table, "\tpeople\ttook\ta second\tsettled\tgoroutines\tdescriptors\theap, MB\tRSS, MB\t")
	cmd := exec.Command(os.Args[0]) //nolint:noctx // it is stopped at the end
	s.server = perform(t, cmd, "TestRoleSoakServer", soakServer{Secret: secret, Channels: channels})
	_, err = fmt.Sscan(s.server.says(), &s.url, &s.media)
	require.NoError(t, err)
	return s
}

func soakChannel(i int) string { return fmt.Sprint("soak-", i) }

// settleIn has people come who talk and listen until the end, each among those who come and go in one channel.
func (s *soak) settleIn(n int) (residents []*client.Call) {
	for i := range n {
		w, err := newWorker(s, soakChannel(i), false)
		require.NoError(s.t, err)
		c, err := w.arrive(soon(s.t), s.lives, newCard(s.lives, s.media, anyDTLS), false)
		require.NoError(s.t, err)
		s.t.Cleanup(func() { _ = c.Close() })
		call, err := c.Join(soon(s.t), w.channel, client.JoinOptions{OnPacket: func(*client.Slot, client.Packet) {}})
		require.NoError(s.t, err)
		go func() {
			for n := uint32(0); call.WriteOpus(voiceFrame(c.UserID(), n), frameLength) == nil; n++ {
				time.Sleep(frameLength)
			}
		}()
		residents = append(residents, call)
		s.lives++
	}
	return residents
}

// kind is a way to come and go.
type kind struct {
	name   string
	mortal bool
	// each is how many of what is counted one life has.
	each int
	// live lives the nth life of all.
	live func(ctx context.Context, w *worker, n int) error
}

func (s *soak) visits() kind {
	return kind{name: "join and leave", each: 1, live: func(ctx context.Context, w *worker, n int) error { return w.visit(ctx, n) }}
}

func (s *soak) dies(how death) kind {
	return kind{name: how.String(), mortal: true, each: 1, live: func(ctx context.Context, w *worker, n int) error {
		return w.die(ctx, how, n)
	}}
}

func (s *soak) comesBack() kind {
	return kind{name: "resume", each: soakResumes, live: func(ctx context.Context, w *worker, n int) error {
		return w.comeBack(ctx, n, soakResumes)
	}}
}

// all has so many of each kind live, and waits until the server has noticed that they are gone.
func (s *soak) all(n int, kinds ...kind) {
	s.t.Helper()
	for _, k := range kinds {
		s.crowd((n+k.each-1)/k.each, k)
	}
	s.lingering.Wait()
	s.mu.Lock()
	defer s.mu.Unlock()
	require.Zero(s.t, s.faults, "the first: %v", s.first)
}

// crowd has n lives lived by the workers.
func (s *soak) crowd(n int, k kind) {
	s.t.Helper()
	var next atomic.Int64
	var workers sync.WaitGroup
	for i := range soakWorkers {
		w, err := newWorker(s, soakChannel(i), k.mortal)
		require.NoError(s.t, err)
		workers.Go(func() {
			for {
				at := int(next.Add(1)) - 1
				if at >= n {
					return
				}
				ctx, cancel := context.WithTimeout(context.Background(), time.Duration(k.each)*stepTimeout)
				if err := k.live(ctx, w, s.lives+at); err != nil {
					s.failed(fmt.Errorf("%s, life %d: %w", k.name, s.lives+at, err))
				}
				cancel()
			}
		})
	}
	workers.Wait()
	s.lives += n
}

// failed notes that something went wrong that should not. It may be called from any goroutine.
func (s *soak) failed(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.faults++; s.faults == 1 {
		s.first = err
	}
}

// phase has n of a kind live, and sees whether anything of them stays.
func (s *soak) phase(n int, k kind) {
	s.t.Helper()
	began := time.Now()
	s.all(n, k)
	took := time.Since(began)
	began = time.Now()
	end, left := s.asItWas()
	s.profile(strings.ReplaceAll(k.name, " ", "-"))
	const mb = 1 << 20
	_, _ = fmt.Fprintf(s.table, "%s\t%d\t%.0f s\t%.0f\t%.0f s\t%d, %d\t%d, %d\t%.2f, %.2f\t%.1f, %.1f\t\n",
		k.name, n, took.Seconds(), float64(n)/took.Seconds(), time.Since(began).Seconds(),
		s.last.Goroutines, end.Goroutines, s.last.FDs, end.FDs, float64(s.last.Heap)/mb, float64(end.Heap)/mb,
		float64(s.last.RSS)/mb, float64(end.RSS)/mb)
	s.last = end
	if left != "" {
		s.server.tell(cueStacks)
		s.server.says()
		s.t.Errorf("%s: %s after %v", k.name, left, soakSettle)
	}
}

// asItWas waits until the server is as it was at the start and has got rid of what it will get rid of, and says what it
// is not.
func (s *soak) asItWas() (v vitals, left string) {
	s.t.Helper()
	for began := time.Now(); ; {
		v = s.steady()
		switch {
		case v.Goroutines > s.start.Goroutines:
			left = fmt.Sprintf("%d goroutines, %d at the start", v.Goroutines, s.start.Goroutines)
		case v.FDs > s.start.FDs:
			left = fmt.Sprintf("%d file descriptors, %d at the start", v.FDs, s.start.FDs)
		case v.Heap-s.start.Heap > soakHeap:
			left = fmt.Sprintf("%d bytes of heap, %d at the start", v.Heap, s.start.Heap)
		case v.RSS-s.start.RSS > soakRSS:
			left = fmt.Sprintf("%d bytes resident, %d at the start", v.RSS, s.start.RSS)
		default:
			return v, ""
		}
		if time.Since(began) > soakSettle {
			return v, left
		}
	}
}

// steady waits until the server, left alone, has had less of nothing for soakWindow, and returns what it has then.
func (s *soak) steady() vitals {
	s.t.Helper()
	least := s.vitals()
	for began, since := time.Now(), time.Now(); time.Since(since) < soakWindow && time.Since(began) < soakSettle; {
		time.Sleep(time.Second)
		v := s.vitals()
		if v.Goroutines < least.Goroutines || v.FDs < least.FDs || v.Heap < least.Heap-soakHeap/16 {
			least, since = v, time.Now()
		}
	}
	return s.vitals()
}

func (s *soak) vitals() (v vitals) {
	s.t.Helper()
	s.server.tell(cueVitals)
	require.NoError(s.t, json.Unmarshal([]byte(s.server.says()), &v))
	return v
}

// profile writes a profile of the server's heap where LIVECHAT_SOAK_PROFILES says, for who looks for what stays on it.
func (s *soak) profile(name string) {
	s.t.Helper()
	if dir := os.Getenv("LIVECHAT_SOAK_PROFILES"); dir != "" {
		s.server.tell(cueHeap + filepath.Join(dir, name+".heap"))
		s.server.says()
	}
}

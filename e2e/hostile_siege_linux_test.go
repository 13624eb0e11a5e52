package e2e

import (
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mini-livechat/mini-livechat/signaling/client"
)

// siege is a server in a process of its own, a call on it, and how hard it is attacked.
type siege struct {
	t      *testing.T
	server *server
	pid    int
	call   []*person
	full   bool
	long   time.Duration
}

// talkersUnderSiege is how many of a call talk; the others only listen, so that whoever comes has a slot of each.
const talkersUnderSiege = 4

// besiege starts a server and a call of twenty, or, not in full, of five, one of whom is yet to come.
func besiege(t *testing.T) *siege {
	t.Helper()
	people := 20
	s := &siege{t: t, full: os.Getenv("LIVECHAT_HOSTILE") != "", long: time.Second}
	if s.full {
		s.long = 10 * time.Second
	} else {
		t.Parallel()
		people = talkersUnderSiege + 1
	}
	cmd := exec.Command(os.Args[0]) //nolint:noctx // it is stopped at the end
	role := perform(t, cmd, "TestRoleSoakServer", soakServer{Secret: "the secret of a server under siege", Channels: []string{"lobby"}})
	var port uint16
	s.server = &server{}
	_, err := fmt.Sscan(role.says(), &s.server.URL, &port)
	require.NoError(t, err)
	s.server.media = netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), port)
	s.pid = cmd.Process.Pid
	// What is lost stays lost, to be counted.
	engine := loopbackEngine(t, func(cfg *client.EngineConfig) { cfg.WithoutNACK, cfg.WithoutRED = true, true })
	for i := range people - 1 {
		p := arrive(t, s.server, fmt.Sprint("p", i), func(o *client.Options) { o.Engine, o.EventBuffer = engine, 1000 })
		p.join("lobby", func(o *client.JoinOptions) { o.ListenOnly = i >= talkersUnderSiege })
		s.call = append(s.call, p)
	}
	for _, p := range s.talkers() {
		p.talk()
	}
	s.goesOn()
	return s
}

func (s *siege) talkers() []*person { return s.call[:talkersUnderSiege] }

// scaled is how many of what an attack has in full.
func (s *siege) scaled(n int) int {
	if s.full {
		return n
	}
	return n / 10
}

// goesOn sees that everybody hears all talkers.
func (s *siege) goesOn() {
	s.t.Helper()
	type ear struct{ listener, talker *person }
	before := make(map[ear]int)
	for _, p := range s.call {
		for _, talker := range s.talkers() {
			if p != talker {
				before[ear{p, talker}] = p.heardFrom(talker)
			}
		}
	}
	eventually(s.t, "all hear all talkers", func() bool {
		for e, n := range before {
			if e.listener.heardFrom(e.talker) < n+plenty {
				return false
			}
		}
		return true
	})
}

// cpu is how much time of the processor the server has had.
func (s *siege) cpu() time.Duration {
	s.t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", s.pid))
	require.NoError(s.t, err)
	fields := strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+1:]))
	var ticks int // proc(5): utime and stime
	for _, field := range fields[11:13] {
		n, err := strconv.Atoi(field)
		require.NoError(s.t, err)
		ticks += n
	}
	return time.Duration(ticks) * 10 * time.Millisecond
}

// toll is what something took from the call, and from the server.
type toll struct {
	sent      int
	delays    []time.Duration // of what was heard
	worst     float64         // the greatest share that somebody lost of somebody
	took, cpu time.Duration
}

func (t *toll) add(other toll) {
	t.sent, t.delays = t.sent+other.sent, append(t.delays, other.delays...)
	t.worst = max(t.worst, other.worst)
	t.took, t.cpu = t.took+other.took, t.cpu+other.cpu
}

func (t *toll) loss() float64 { return float64(t.sent-len(t.delays)) / float64(max(t.sent, 1)) }

// under attacks. In full it wants what the call loses to be below most. What is lost while the machine has no time for anybody is not
// the attack's: so then it is tried again.
func (s *siege) under(attack string, most float64, assault func()) {
	s.t.Helper()
	all := s.during(assault)
	for tries := 1; s.full && all.loss() >= most && tries < 3; tries++ {
		s.t.Logf("%s: %.3f %% lost; once more", attack, 100*all.loss())
		all = s.during(assault)
	}
	s.judge(attack, most, all)
}

// judge prints what an attack took.
func (s *siege) judge(attack string, most float64, t toll) {
	s.t.Helper()
	s.t.Logf("%s: a call of %d lost %.3f %% (%d of %d frames; who lost most %.2f %%), p99 %.2f ms, in %.1f s; server %.0f %% of a core",
		attack, len(s.call)+1, 100*t.loss(), t.sent-len(t.delays), t.sent, 100*t.worst, p99(t.delays).Seconds()*1000, t.took.Seconds(), 100*t.cpu.Seconds()/t.took.Seconds())
	if s.full {
		require.Less(s.t, t.loss(), most)
	}
}

// during says what something took that happens.
func (s *siege) during(it func()) (t toll) {
	s.t.Helper()
	from := make([]uint32, talkersUnderSiege)
	for i, talker := range s.talkers() {
		from[i] = talker.said.Load()
	}
	cpu, began := s.cpu(), time.Now()
	it()
	t.took, t.cpu = time.Since(began), s.cpu()-cpu
	var to [talkersUnderSiege]uint32
	for i, talker := range s.talkers() {
		to[i] = talker.said.Load()
	}
	s.goesOn() // what was under way has come by then
	for i, talker := range s.talkers() {
		talker.mu.Lock()
		spoke := slices.Clone(talker.spoke)
		talker.mu.Unlock()
		for _, p := range s.call {
			if p == talker {
				continue
			}
			delays, said := p.delaysOf(talker, spoke, from[i], to[i]), int(to[i]-from[i])
			t.sent, t.delays = t.sent+said, append(t.delays, delays...)
			t.worst = max(t.worst, float64(said-len(delays))/float64(max(said, 1)))
		}
	}
	return t
}

// delaysOf are how long somebody's frames took, from one number to before another, each once. spoke says when they were sent.
func (p *person) delaysOf(other *person, spoke []time.Time, from, to uint32) []time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	heard := make(map[uint32]bool)
	var delays []time.Duration
	for _, h := range p.ears {
		if h.from == other.UserID() && h.n >= from && h.n < to && !heard[h.n] {
			heard[h.n] = true
			delays = append(delays, h.at.Sub(spoke[h.n]))
		}
	}
	return delays
}

// heardOfID counts the packets of a user by id.
func (p *person) heardOfID(userID string) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := 0
	for _, h := range p.ears {
		if h.from == userID {
			n++
		}
	}
	return n
}

func (s *siege) allSound() {
	s.t.Helper()
	for _, p := range s.call {
		p.mu.Lock()
		require.NoError(s.t, p.badness, "what %s hears", p.UserID())
		p.mu.Unlock()
	}
}

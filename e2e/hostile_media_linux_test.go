package e2e

import (
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/pion/rtcp"
	"github.com/pion/stun/v4"
	"github.com/stretchr/testify/require"

	"github.com/mini-livechat/mini-livechat/signaling/client"
	"github.com/mini-livechat/mini-livechat/signaling/protocol"
)

// What the media port makes of those who mean it ill, while others have a call. With LIVECHAT_HOSTILE the attacks are as
// hard as `make hostile` says, and the call loses next to nothing. Otherwise they are a tenth, and what is looked at is what
// does not depend on the machine: what is passed on of them, and that the call goes on.

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

// nowhere is a socket to another that nobody reads: to send there takes what it takes to send, and nothing of a server.
func nowhere(t *testing.T) io.Writer {
	t.Helper()
	sink, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	require.NoError(t, err)
	t.Cleanup(func() { _ = sink.Close() })
	conn, err := net.DialUDP("udp4", nil, sink.LocalAddr().(*net.UDPAddr))
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

// A member sends as fast as it can. What goes on of it is no more than Opus could be, of what is larger than Opus nothing.
func TestHostileTalker(t *testing.T) {
	const perSecond = 20_000
	for name, test := range map[string]struct {
		size int
		goes bool
	}{"1,900 bytes": {1900, false}, "voice": {0, true}} {
		t.Run(name, func(t *testing.T) {
			s := besiege(t)
			mallory := intrude(t, s.server)
			var sealed []byte
			payload := make([]byte, test.size)
			rate, sent := s.scaled(perSecond), 0
			began := time.Now()
			flood := func(long time.Duration, to io.Writer) {
				paced(int(float64(rate)*long.Seconds()), rate, func(int) {
					if test.goes {
						payload = voiceFrame(mallory.userID, uint32(sent))
					}
					sealed = mallory.packet(sealed[:0], 7, uint16(sent), payload)
					_, _ = to.Write(sealed)
					sent++
				})
			}
			var all toll
			if !test.goes && s.full { // of the other some is to be heard, which takes its time of those who hear it
				sink := nowhere(t)
				rises(t, 9, "a voice", 5*time.Millisecond, func() (calm, attacked []time.Duration) {
					calm = s.during(func() { flood(time.Second, sink) }).delays
					attack := s.during(func() { flood(time.Second, mallory.conn) })
					all.add(attack)
					return calm, attack.delays
				})
			} else {
				all = s.during(func() { flood(s.long, mallory.conn) })
			}
			took := time.Since(began)
			s.judge(fmt.Sprintf("%d packets/s of %s", rate, name), 0.01, all)
			s.allSound()
			for _, p := range s.call {
				n := p.heardOfID(mallory.userID)
				if !test.goes {
					require.Zero(t, n)
					continue
				}
				require.LessOrEqual(t, n, int(500*(took.Seconds()+1))+1, "what %s gets of the flood", p.UserID())
				require.NotZero(t, n)
			}
			before := s.call[0].heardOfID(mallory.userID)
			eventually(t, "who attacked is still there, and heard", func() bool {
				_, _ = mallory.conn.Write(mallory.packet(nil, 7, uint16(sent), voiceFrame(mallory.userID, uint32(sent))))
				sent++
				return s.call[0].heardOfID(mallory.userID) > before
			})
		})
	}
}

// A member sends each packet under another SSRC. It is out soon, and nothing of it stays.
func TestHostileSSRCs(t *testing.T) {
	s := besiege(t)
	mallory := intrude(t, s.server)
	n := s.scaled(100_000)
	var sealed []byte
	s.judge(fmt.Sprintf("%d SSRCs of one member", n), 0.01, s.during(func() {
		paced(n, s.scaled(20_000), func(k int) {
			sealed = mallory.packet(sealed[:0], uint32(k+1), 1, voiceFrame(mallory.userID, 0))
			_, _ = mallory.conn.Write(sealed)
		})
	}))
	out := told(s.call[0], "the one with the SSRCs is out", func(ev *protocol.ChannelEvent) bool {
		return ev.Event == protocol.ChannelEventLeave && ev.Member.UserID == mallory.userID
	})
	require.Equal(t, protocol.LeaveMediaFailed, out.Cause)
	s.allSound()
	most := 0
	for _, p := range s.call {
		most = max(most, p.heardOfID(mallory.userID))
	}
	t.Logf("out after %d packets", most)
	require.LessOrEqual(t, most, 128, "one packet a stream")
}

// A member sends what is no voice as fast as it can: checks, which are answered, reports and requests, which are read, and
// what is inside DTLS, which is for nobody.
func TestHostileControl(t *testing.T) {
	const perSecond = 20_000
	for name, send := range map[string]func(*intruder) func(int){
		"ICE checks": func(i *intruder) func(int) {
			check := checkFor(i.ufrag, i.pwd, true)
			return func(int) { _, _ = i.conn.Write(check) }
		},
		"RTCP": func(i *intruder) func(int) {
			plain, err := rtcp.Marshal([]rtcp.Packet{
				&rtcp.SenderReport{SSRC: 7}, &rtcp.TransportLayerNack{MediaSSRC: 8, Nacks: []rtcp.NackPair{{PacketID: 1, LostPackets: 0xffff}}},
			})
			require.NoError(t, err)
			var sealed []byte
			return func(int) {
				if sealed, err = i.keys.EncryptRTCP(sealed[:0], plain, nil); err == nil {
					_, _ = i.conn.Write(sealed)
				}
			}
		},
		"DTLS": func(i *intruder) func(int) {
			return func(int) { _, _ = i.association.Write([]byte("for nobody")) }
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := besiege(t)
			mallory := intrude(t, s.server)
			rate := s.scaled(perSecond)
			s.under(fmt.Sprintf("%d %s/s of one member", rate, name), 0.01, func() {
				paced(int(float64(rate)*s.long.Seconds()), rate, send(mallory))
			})
			_, err := mallory.conn.Write(mallory.packet(nil, 7, 1, voiceFrame(mallory.userID, 0)))
			require.NoError(t, err)
			eventually(t, "the member is there", func() bool { return s.call[0].heardOfID(mallory.userID) == 1 })
		})
	}
}

// RTP from a stranger's address is nobody's: neither what pretends to be a talker's, nor what was a member's once before.
func TestHostileStranger(t *testing.T) {
	s := besiege(t)
	mallory := intrude(t, s.server)
	stranger, err := net.DialUDP("udp4", nil, net.UDPAddrFromAddrPort(s.server.media))
	require.NoError(t, err)
	defer stranger.Close()
	sent := make([][]byte, 0, plenty)
	for k := range plenty {
		sent = append(sent, mallory.packet(nil, 7, uint16(k), voiceFrame(mallory.userID, uint32(k))))
		_, err = mallory.conn.Write(sent[k])
		require.NoError(t, err)
	}
	listener := s.call[0]
	eventually(t, "the member is heard", func() bool { return listener.heardOfID(mallory.userID) == plenty })
	talker := s.call[1]
	s.under("RTP from a stranger", 0.01, func() {
		paced(s.scaled(2000)*int(s.long.Seconds()), s.scaled(2000), func(k int) {
			_, _ = stranger.Write(sent[k%len(sent)])
			_, _ = stranger.Write(junk("", talker.call.SSRC())[7])
		})
	})
	s.allSound()
	passedOn := 0
	for _, p := range s.call {
		passedOn += p.heardOfID(mallory.userID) - plenty
	}
	t.Logf("%d packets of the stranger's passed on", passedOn)
	require.Zero(t, passedOn, "nobody hears anything twice")
}

// A check that nominates a stranger's address moves nobody there whose password it has not.
func TestHostileNomination(t *testing.T) {
	s := besiege(t)
	victim := s.call[talkersUnderSiege-1]
	ufrag := attribute(victim.call.PeerConnection().RemoteDescription().SDP, "ice-ufrag")
	require.NotEmpty(t, ufrag)
	stranger, err := net.DialUDP("udp4", nil, net.UDPAddrFromAddrPort(s.server.media))
	require.NoError(t, err)
	defer stranger.Close()
	unsigned := stun.MustBuild(stun.TransactionID, stun.BindingRequest, stun.NewUsername(ufrag+":"+intruderUfrag),
		stun.RawAttribute{Type: stun.AttrUseCandidate}, stun.Fingerprint).Raw
	s.under("spoofed nominations", 0.01, func() {
		paced(s.scaled(200)*int(s.long.Seconds()), s.scaled(200), func(int) {
			for _, check := range [][]byte{checkFor(ufrag, intruderPwd, true), checkFor(ufrag, "", true), unsigned} {
				_, _ = stranger.Write(check)
			}
		})
	})
	require.NoError(t, stranger.SetReadDeadline(time.Now().Add(500*time.Millisecond)))
	n, err := stranger.Read(make([]byte, 2048))
	t.Logf("%d bytes came to the stranger", n)
	require.ErrorIs(t, err, os.ErrDeadlineExceeded, "%d bytes to a stranger", n)
}

// Strangers send junk of all kinds.
func TestHostileJunk(t *testing.T) {
	s := besiege(t)
	ufrag := attribute(s.call[0].call.PeerConnection().RemoteDescription().SDP, "ice-ufrag")
	kinds := junk(ufrag, s.call[0].call.SSRC())
	const sockets = 16 // so that all loops of the server get some
	strangers := make([]*net.UDPConn, 0, sockets)
	for range sockets {
		conn, err := net.DialUDP("udp4", nil, net.UDPAddrFromAddrPort(s.server.media))
		require.NoError(t, err)
		defer conn.Close()
		strangers = append(strangers, conn)
	}
	rate := s.scaled(50_000)
	s.under(fmt.Sprintf("%d packets/s of junk", rate), 0.02, func() {
		paced(int(float64(rate)*s.long.Seconds()), rate, func(k int) {
			_, _ = strangers[k%len(strangers)].Write(kinds[k/len(strangers)%len(kinds)])
		})
	})
	s.allSound()
}

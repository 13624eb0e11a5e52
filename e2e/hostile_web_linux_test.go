package e2e

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"github.com/stretchr/testify/require"

	"github.com/mini-livechat/mini-livechat/signaling/auth"
	"github.com/mini-livechat/mini-livechat/signaling/protocol"
)

// hostPort is where a fortress has its page.
func (f *fortress) hostPort() string {
	_, hostPort, _ := strings.Cut(f.URL, "://")
	return hostPort
}

// TestHostileSilence: thousands open WebSockets and say nothing, send requests that do not end, and begin TLS handshakes. People
// come in meanwhile, and what is silent is let go when its time is over.
func TestHostileSilence(t *testing.T) {
	cert, key := certify(t, t.TempDir(), "127.0.0.1")
	for name, test := range map[string]struct {
		plan  fortressPlan
		begin []string
	}{
		"before HTTP": {fortressPlan{Cert: cert, Key: key}, []string{"\x16\x03\x01\x02\x00\x01\x00", ""}},
		"in HTTP": {fortressPlan{}, []string{
			"GET /ws HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
				"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
			"POST /api/guest HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{",
		}},
	} {
		t.Run(name, func(t *testing.T) {
			if os.Getenv("LIVECHAT_HOSTILE") == "" {
				t.Parallel()
			}
			f := fortify(t, test.plan)
			normal := f.comeIn(f.scaled(50, 5))
			n := f.scaled(5000, 100)
			began := time.Now()
			s := f.besilent(n, test.begin)
			attacked := f.comeIn(f.scaled(100, 10))
			s.begun.Wait()
			attacked = append(attacked, f.comeIn(f.scaled(100, 5))...)
			s.all.Wait()
			t.Logf("%d silent connections; %d refused at once, the others gone after %v",
				n*len(test.begin), s.refused.Load(), time.Since(began).Round(time.Second))
			require.Zero(t, s.kept.Load(), "silent connections that the server keeps")
			t.Logf("p99 of a join: %v, in silence %v", p99(normal), p99(attacked))
			f.within("p99 of a join", float64(p99(attacked))/1e6, 500, "ms")
			f.comeIn(1)
		})
	}
}

// comeIn has so many guests come into the lobby, one after the other, and go again. It returns how long each took.
func (f *fortress) comeIn(n int) (took []time.Duration) {
	f.t.Helper()
	sdp := offer(f.t, 0, 1)
	for i := range n {
		began := time.Now()
		c, err := f.guest(address(20_000+i/4), fmt.Sprint("Guest ", i))
		if err == nil {
			err = c.join(sdp)
		}
		require.NoError(f.t, err, "join %d", i)
		took = append(took, time.Since(began))
		_ = c.conn.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(websocket.CloseNormalClosure, ""), time.Time{})
		_ = c.conn.Close()
	}
	return took
}

// silence are connections on which something was begun and nothing follows.
type silence struct {
	begun, all sync.WaitGroup
	// refused are those that were closed at once, kept those that the server has not ended by far later than it should.
	refused, kept atomic.Int64
}

// besilent opens so many connections of each kind, from an address for each hundred, within five seconds.
func (f *fortress) besilent(n int, begin []string) *silence {
	s := new(silence)
	for kind, text := range begin {
		s.begun.Go(func() {
			pace := time.NewTicker(5 * time.Second / time.Duration(n))
			defer pace.Stop()
			for i := range n {
				<-pace.C
				conn, err := from(address(1000*(kind+1)+i/100)).Dial("tcp", f.hostPort())
				if err == nil {
					_, err = io.WriteString(conn, text)
				}
				if err != nil {
					s.refused.Add(1)
					continue
				}
				s.all.Go(func() {
					if !endsSoon(conn, 30*time.Second) {
						s.kept.Add(1)
					}
					_ = conn.Close()
				})
			}
		})
	}
	return s
}

// TestHostileIdentify: one user identifies a hundred times at once. One session is left, and works.
func TestHostileIdentify(t *testing.T) {
	f := fortify(t, fortressPlan{})
	token, err := f.authority.Mint(auth.Identity{UserID: "ada"}, time.Now(), time.Hour)
	require.NoError(t, err)
	all := make([]*stranger, 100)
	for i := range all {
		all[i] = must[*stranger](t)(f.stranger(address(i)))
	}
	var race sync.WaitGroup
	ready := make([]bool, len(all))
	for i, c := range all {
		race.Go(func() { ready[i] = c.identify(token) == nil })
	}
	race.Wait()
	survivors, in := 0, 0
	for i, c := range all {
		if !ready[i] {
			continue
		}
		in++
		if _, err := c.ask(protocol.OpChannelList, struct{}{}); err == nil {
			survivors++
			continue
		}
	}
	t.Logf("%d were let in one after the other", in)
	require.Equal(t, 1, survivors)
}

// TestHostileGuests: one address makes guests as fast as it can and holds as many connections as it can. Guests of other addresses
// come in.
func TestHostileGuests(t *testing.T) {
	f := fortify(t, fortressPlan{})
	rude := address(0)
	held := 0
	for i := range f.scaled(1000, 350) {
		if _, err := f.stranger(rude); err == nil {
			held++
		} else {
			require.ErrorContains(t, err, "429", "connection %d", i)
		}
	}
	require.LessOrEqual(t, held, 300)
	long := time.Duration(f.scaled(20, 2)) * time.Second
	until := time.Now().Add(long)
	var attack sync.WaitGroup
	var made, tried atomic.Int64
	for range 20 {
		attack.Go(func() {
			for time.Now().Before(until) {
				if _, status, _ := f.guestToken(rude, "Mallory"); status == http.StatusOK {
					made.Add(1)
				}
				tried.Add(1)
				time.Sleep(20 * time.Millisecond)
			}
		})
	}
	others, in := f.scaled(400, 40), 0
	for i := range others {
		_, err := f.guest(address(1+i), fmt.Sprint("Guest ", i))
		if err == nil {
			in++
			continue
		}
		require.NotContains(t, err.Error(), "503")
		t.Logf("guest %d: %v", i, err)
		time.Sleep(long / time.Duration(others) / 4)
	}
	attack.Wait()
	t.Logf("of %d tries in %v, %d made a guest, and %d connections were held; of others %d of %d came in", tried.Load(), long, made.Load(), held, in, others)
	require.LessOrEqual(t, made.Load(), 200+int64(long.Seconds()*4))
	require.GreaterOrEqual(t, in*100, others*99)
}

// TestHostileRequests: one address asks over HTTP as fast as it can, many requests at a time on as many connections as it gets.
func TestHostileRequests(t *testing.T) {
	f := fortify(t, fortressPlan{})
	burst := strings.Repeat("GET /healthz HTTP/1.1\r\nHost: "+f.hostPort()+"\r\n\r\n", 100)
	long := time.Duration(f.scaled(30, 2)) * time.Second
	before, began := f.processorTime(), time.Now()
	var attack sync.WaitGroup
	var answered, refused, connections atomic.Int64
	for range 4 {
		attack.Go(func() {
			for time.Since(began) < long {
				conn, err := from(address(0)).Dial("tcp", f.hostPort())
				if err != nil {
					continue
				}
				connections.Add(1)
				go func() {
					for err == nil && time.Since(began) < long {
						_, err = io.WriteString(conn, burst)
					}
				}()
				answers := bufio.NewScanner(conn)
				_ = conn.SetReadDeadline(began.Add(long))
				for answers.Scan() {
					switch answers.Text() {
					case "HTTP/1.1 200 OK":
						answered.Add(1)
					case "HTTP/1.1 429 Too Many Requests":
						refused.Add(1)
					}
				}
				_ = conn.Close()
			}
		})
	}
	for range 5 {
		time.Sleep(long / 6)
		_, err := f.guest(address(1), "Ada")
		require.NoError(t, err)
	}
	attack.Wait()
	t.Logf("in %v: %d connections, %d answers, %d refusals", long, connections.Load(), answered.Load(), refused.Load())
	require.Positive(t, refused.Load())
	require.Less(t, float64(answered.Load()), 10_000+500*long.Seconds()+100)
	// Most of it is accepting connections to close them.
	f.within("of a core", 100*float64(f.processorTime()-before)/float64(long), 33, "%")
}

// TestHostileDescriptors: strangers take all file descriptors. A call goes on, and the server says what is wrong, in the log once.
func TestHostileDescriptors(t *testing.T) {
	f := fortify(t, fortressPlan{FDs: 120})
	ada, bob := arrive(t, f.server, "Ada"), arrive(t, f.server, "Bob")
	ada.join("lobby")
	bob.join("lobby")
	ada.talk()
	eventually(t, "Bob to hear Ada", func() bool { return bob.heardFrom(ada) > 50 })
	standing, err := from(address(9000)).Dial("tcp", f.hostPort())
	require.NoError(t, err)
	defer standing.Close()
	state := func(conn net.Conn) string {
		_, err := io.WriteString(conn, "GET /readyz HTTP/1.1\r\nHost: "+f.hostPort()+"\r\n\r\n")
		if err != nil {
			return err.Error()
		}
		buf := make([]byte, 4096)
		_ = conn.SetReadDeadline(time.Now().Add(3 * time.Second))
		n, err := conn.Read(buf)
		return fmt.Sprint(string(buf[:n]), err)
	}
	require.Contains(t, state(standing), "200 OK")

	var crowd []net.Conn
	defer func() {
		for _, conn := range crowd {
			_ = conn.Close()
		}
	}()
	take := func(n int) {
		for i := range n {
			if conn, err := from(address(i)).Dial("tcp", f.hostPort()); err == nil {
				crowd = append(crowd, conn)
			}
		}
	}
	take(200)
	eventually(t, "the server to say that there are none", func() bool { return strings.Contains(state(standing), "503") })
	require.Contains(t, state(standing), "out of file descriptors")
	heard, said := bob.heardFrom(ada), ada.said.Load()
	began := time.Now()
	long := time.Duration(f.scaled(20, 3)) * time.Second
	told := false
	for time.Since(began) < long {
		if f.full {
			take(20) // those before are let go when their time is over
		}
		if conn, err := from(address(9000)).Dial("tcp", f.hostPort()); err == nil {
			told = strings.Contains(state(conn), "503 Service Unavailable") || told
			_ = conn.Close()
		}
		time.Sleep(100 * time.Millisecond)
	}
	heard, said = bob.heardFrom(ada)-heard, ada.said.Load()-said
	t.Logf("heard %d of %d frames while there were no descriptors", heard, said)
	require.Greater(t, float64(heard), 0.95*float64(said))
	require.Positive(t, said)
	if !f.full { // the crowd of whoever asks now is as old as the test
		require.True(t, told || strings.Contains(state(standing), "503"), "who comes is told")
	}
	require.Equal(t, 1, strings.Count(f.role.log.String(), "out of file descriptors"), "lines in the log")
	for _, conn := range crowd {
		_ = conn.Close()
	}
	eventually(t, "the server to be ready again", func() bool {
		resp, err := http.Get(f.URL + "/readyz") //nolint:noctx // bounded by eventually
		if err != nil {
			return false
		}
		_ = resp.Body.Close()
		return resp.StatusCode == http.StatusOK
	})
}

// TestHostileSites: pages of others, by whatever they say they are, are refused, and the answer and the log name what they said.
func TestHostileSites(t *testing.T) {
	f := fortify(t, fortressPlan{})
	connect := func(origin, host string) (status int, answer string) {
		header := http.Header{"Host": {host}, "Origin": {origin}}
		conn, resp, err := websocket.DefaultDialer.Dial("ws://"+f.hostPort()+"/ws", header)
		if err == nil {
			_ = conn.Close()
			return http.StatusSwitchingProtocols, ""
		}
		require.True(t, errors.Is(err, websocket.ErrBadHandshake), err)
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		require.NoError(t, err)
		return resp.StatusCode, string(body)
	}
	own := f.hostPort()
	_, port, err := net.SplitHostPort(own)
	require.NoError(t, err)
	for _, origin := range []string{"http://" + own, "https://" + own, "http://localhost:" + port} {
		status, answer := connect(origin, strings.TrimPrefix(strings.TrimPrefix(origin, "http://"), "https://"))
		require.Equal(t, http.StatusSwitchingProtocols, status, "%s: %s", origin, answer)
	}
	for _, test := range []struct{ origin, host string }{
		{"http://evil.example:" + port, "evil.example:" + port}, // led here by its own name
		{"http://127.0.0.1.evil.example:" + port, "127.0.0.1.evil.example:" + port},
		{"http://evil.example", own},
		{"null", own},
		{"file://", own},
		{"chrome-extension://abcdefghijklmnop", own},
		{"ws://" + own, own},
		{"HTTP//" + own, own},
		{"http://" + own + "/", own},
		{"http://ada@" + own, own},
		{"http://127.0.0.1", own},
		{"http://127.0.0.1:1", own},
	} {
		status, answer := connect(test.origin, test.host)
		require.Equal(t, http.StatusForbidden, status, test)
		require.Contains(t, answer, test.origin)
		require.Contains(t, answer, test.host)
		eventually(t, "the log to name it", func() bool {
			log := f.role.log.String()
			return strings.Contains(log, fmt.Sprintf(`"origin": %q`, test.origin)) && strings.Contains(log, fmt.Sprintf(`"host": %q`, test.host))
		})
	}
}

// TestHostileNothing: nobody is hostile, they are only many, behind one address. With --per-address=1000 a thousand come in within a
// minute, a hundred to a channel; on the defaults a party of a hundred does.
func TestHostileNothing(t *testing.T) {
	for people, perAddress := range map[int]int{1000: 1000, 100: 0} {
		t.Run(fmt.Sprint(people), func(t *testing.T) {
			if people > 100 && os.Getenv("LIVECHAT_HOSTILE") == "" {
				t.Skip("make hostile")
			}
			channels := make([]string, 0, people/100)
			for i := range people / 100 {
				channels = append(channels, fmt.Sprint("hall", i))
			}
			f := fortify(t, fortressPlan{PerAddress: perAddress, Channels: channels})
			offer := offer(t, 0, 1)
			began := time.Now()
			var all sync.WaitGroup
			for worker := range 50 {
				all.Go(func() {
					for i := worker; i < people; i += 50 {
						c, err := f.guest(address(7), fmt.Sprint("Guest ", i))
						hall := channels[i%len(channels)]
						for _, step := range []struct {
							op protocol.Op
							d  any
						}{
							{protocol.OpChannelList, struct{}{}},
							{protocol.OpPresence, protocol.PresenceWatch{Watch: new(true)}},
							{protocol.OpRead, struct{}{}},
							{protocol.OpChannelJoin, protocol.ChannelJoin{ChannelID: hall, SDPOffer: offer}},
							{protocol.OpHistory, protocol.History{ChannelID: hall}},
							{protocol.OpMessageCreate, protocol.MessageCreate{ChannelID: hall, Content: "hello"}},
						} {
							if err == nil {
								_, err = c.ask(step.op, step.d)
							}
						}
						if err != nil {
							t.Errorf("person %d: %v", i, err)
							return
						}
						c.drain()
					}
				})
			}
			all.Wait()
			f.within(fmt.Sprint(people, " are in after"), time.Since(began).Seconds(), 60, "s")
		})
	}
}

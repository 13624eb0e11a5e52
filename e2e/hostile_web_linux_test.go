package e2e

import (
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
	exhausted := time.Now()
	take(200)
	eventually(t, "the server to say that there are none", func() bool { return strings.Contains(state(standing), "503") })
	require.Contains(t, state(standing), "out of file descriptors")
	heard, said := bob.heardFrom(ada), ada.said.Load()
	began := time.Now()
	long := time.Duration(f.scaled(65, 3)) * time.Second
	told := false
	for time.Since(began) < long {
		if f.full {
			take(5) // those before are let go when their time is over
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
	lines := strings.Count(f.role.log.String(), "out of file descriptors")
	t.Logf("%d lines in the log in %v", lines, time.Since(began).Round(time.Second))
	require.Positive(t, lines)
	require.LessOrEqual(t, lines, 1+int(time.Since(exhausted)/time.Minute), "one a minute")
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

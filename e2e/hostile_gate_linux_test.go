package e2e

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"github.com/stretchr/testify/require"

	"github.com/mini-livechat/mini-livechat/cmd/app"
	"github.com/mini-livechat/mini-livechat/signaling/auth"
	"github.com/mini-livechat/mini-livechat/signaling/protocol"
)

// What signalling and HTTP make of those who mean it ill, while others are there. With LIVECHAT_HOSTILE the attacks are as hard
// as `make hostile` says and what they cost is looked at. Otherwise they are small, and what is looked at is what does not
// depend on the machine.

// fortress is a server in a process of its own. It trusts no proxy, so that each address of 127.0.0.0/8 is somebody else's.
type fortress struct {
	*server

	t         *testing.T
	role      *actor
	pid       int
	authority *auth.Authority
	full      bool
}

// fortressPlan is what TestRoleFortress has to do.
type fortressPlan struct {
	Secret     string
	Cert, Key  string // none: without TLS
	PerAddress int    // 0: the default
	Channels   []string
	FDs        uint64 // the most file descriptors it may have; 0: as many as there are
}

// TestRoleFortress is no test of its own: it plays the server under attack.
func TestRoleFortress(t *testing.T) {
	var plan fortressPlan
	task(t, &plan)
	s := startServer(t, func(cfg *app.Config) {
		cfg.Secret, cfg.AllowGuests, cfg.TrustedProxy = plan.Secret, new(true), nil
		cfg.KeepMessages = 0                // the disk is not what is looked at
		cfg.ZombieTimeout = 5 * time.Minute // nor is media, which few of those here have
		if plan.Cert != "" {
			cfg.HTTPS, cfg.TLSCert, cfg.TLSKey = "127.0.0.1:0", plan.Cert, plan.Key
		}
		if plan.PerAddress > 0 {
			cfg.PerAddress = plan.PerAddress
		}
		if plan.Channels != nil {
			cfg.Channels = plan.Channels
		}
	})
	if plan.FDs > 0 {
		require.NoError(t, syscall.Setrlimit(syscall.RLIMIT_NOFILE, &syscall.Rlimit{Cur: plan.FDs, Max: plan.FDs}))
	}
	say("%s %s", s.URL, s.media)
	sayVitals(t)
}

// fortify starts a server.
func fortify(t *testing.T, plan fortressPlan) *fortress {
	t.Helper()
	f := &fortress{t: t, server: new(server), full: os.Getenv("LIVECHAT_HOSTILE") != ""}
	if !f.full && !strings.Contains(t.Name(), "/") {
		t.Parallel()
	}
	plan.Secret = "the secret of a server under attack"
	var err error
	f.authority, err = auth.New([]byte(plan.Secret))
	require.NoError(t, err)
	cmd := exec.Command(os.Args[0]) //nolint:noctx // it is stopped at the end
	f.role = perform(t, cmd, "TestRoleFortress", plan)
	var media string
	_, err = fmt.Sscan(f.role.says(), &f.URL, &media)
	require.NoError(t, err)
	f.pid = cmd.Process.Pid
	return f
}

// scaled is so many, or some when the attack is a small one.
func (f *fortress) scaled(full, small int) int {
	if f.full {
		return full
	}
	return small
}

// within checks a figure that depends on the machine, and says it.
func (f *fortress) within(what string, got, most float64, unit string) {
	f.t.Helper()
	f.t.Logf("%s: %.4g %s", what, got, unit)
	if f.full {
		require.Less(f.t, got, most, what)
	}
}

// vitals asks the server for its own, once its garbage is collected.
func (f *fortress) vitals() (v vitals) {
	f.t.Helper()
	f.role.tell(cueVitals)
	require.NoError(f.t, json.Unmarshal([]byte(f.role.says()), &v))
	return v
}

// processorTime is what the server has used so far.
func (f *fortress) processorTime() time.Duration {
	f.t.Helper()
	return processorTime(f.t, f.pid)
}

// processorTime is what a process has used so far.
func processorTime(t *testing.T, pid int) time.Duration {
	t.Helper()
	stat, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "stat"))
	require.NoError(t, err)
	// proc(5): utime and stime are the 14th and 15th, behind a name that may have anything in it.
	fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+2:]))
	user, err := strconv.Atoi(fields[11])
	require.NoError(t, err)
	system, err := strconv.Atoi(fields[12])
	require.NoError(t, err)
	const ticks = 100 // USER_HZ, of every Linux that there is
	return time.Duration(user+system) * time.Second / ticks
}

// address is the n-th of those from which strangers come.
func address(n int) net.IP { return net.IPv4(127, 1, byte(n>>8), byte(n)) }

// from is a dialer of connections that come from an address.
func from(ip net.IP) *net.Dialer {
	return &net.Dialer{LocalAddr: &net.TCPAddr{IP: ip}, Timeout: patience}
}

// stranger is a client by hand, whose methods return their errors.
type stranger struct {
	f      *fortress
	ip     net.IP
	conn   *websocket.Conn
	userID string
	mu     sync.Mutex // held while something is sent
	number int
	// onEvent, if set, gets every event that comes while a reply is waited for.
	onEvent func(frame protocol.Frame)
}

// stranger connects from an address.
func (f *fortress) stranger(ip net.IP) (*stranger, error) {
	dialer := websocket.Dialer{
		NetDialContext: from(ip).DialContext, TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, HandshakeTimeout: patience,
	}
	conn, resp, err := dialer.Dial("ws"+strings.TrimPrefix(f.URL, "http")+"/ws", nil)
	if resp != nil {
		_ = resp.Body.Close()
		if err != nil {
			err = fmt.Errorf("%s: %w", resp.Status, err)
		}
	}
	if err != nil {
		return nil, err
	}
	c := &stranger{f: f, ip: ip, conn: conn}
	f.t.Cleanup(func() { _ = conn.Close() })
	_, err = c.read() // HELLO
	return c, err
}

// guestToken gets one for an address; status is that of the answer.
func (f *fortress) guestToken(ip net.IP, name string) (token string, status int, err error) {
	transport := &http.Transport{
		DialContext: from(ip).DialContext, TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, DisableKeepAlives: true,
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, f.URL+"/api/guest", strings.NewReader(`{"name":"`+name+`"}`))
	if err != nil {
		return "", 0, err
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := (&http.Client{Transport: transport}).Do(req)
	if err != nil {
		return "", 0, err
	}
	defer resp.Body.Close()
	var answer struct {
		Token string `json:"token"`
	}
	if err = json.NewDecoder(resp.Body).Decode(&answer); err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s", resp.Status)
	}
	return answer.Token, resp.StatusCode, err
}

// guest comes in as a guest from an address.
func (f *fortress) guest(ip net.IP, name string) (*stranger, error) {
	token, _, err := f.guestToken(ip, name)
	if err != nil {
		return nil, err
	}
	c, err := f.stranger(ip)
	if err == nil {
		err = c.identify(token)
	}
	return c, err
}

// must is for what has to succeed.
func must[T any](t *testing.T) func(T, error) T {
	t.Helper()
	return func(value T, err error) T {
		t.Helper()
		require.NoError(t, err)
		return value
	}
}

// member comes in with a token from 127.0.0.1.
func (f *fortress) member(id string, role auth.Role) *stranger {
	f.t.Helper()
	token, err := f.authority.Mint(auth.Identity{UserID: id, Role: role}, time.Now(), time.Hour)
	require.NoError(f.t, err)
	c, err := f.stranger(net.IPv4(127, 0, 0, 1))
	require.NoError(f.t, err)
	require.NoError(f.t, c.identify(token))
	return c
}

func (c *stranger) read() (protocol.Frame, error) {
	_ = c.conn.SetReadDeadline(time.Now().Add(patience))
	_, data, err := c.conn.ReadMessage()
	if err != nil {
		return protocol.Frame{}, err
	}
	return protocol.Decode(data)
}

// send sends a request and returns its id.
func (c *stranger) send(op protocol.Op, d any) (id string, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.number++
	id = strconv.Itoa(c.number)
	frame, err := protocol.EncodeRequest(op, id, d)
	if err != nil {
		return "", err
	}
	_ = c.conn.SetWriteDeadline(time.Now().Add(patience))
	return id, c.conn.WriteMessage(websocket.TextMessage, frame)
}

// ask sends a request and returns its reply; a refusal is a *protocol.Error.
func (c *stranger) ask(op protocol.Op, d any) (protocol.Frame, error) {
	id, err := c.send(op, d)
	for err == nil {
		var frame protocol.Frame
		if frame, err = c.read(); err != nil {
			break
		}
		switch {
		case frame.ID != id:
			if c.onEvent != nil {
				c.onEvent(frame)
			}
		case frame.Op == protocol.OpError:
			refused := new(protocol.Error)
			if err = frame.Bind(refused); err == nil {
				err = refused
			}
			return frame, err
		default:
			return frame, nil
		}
	}
	return protocol.Frame{}, err
}

// insist asks until it is not too soon.
func (c *stranger) insist(op protocol.Op, d any) protocol.Frame {
	c.f.t.Helper()
	for {
		frame, err := c.ask(op, d)
		refused, ok := errors.AsType[*protocol.Error](err)
		if !ok || refused.Code != protocol.CodeRateLimited {
			require.NoError(c.f.t, err)
			return frame
		}
		time.Sleep(time.Duration(refused.RetryAfterMS) * time.Millisecond)
	}
}

func (c *stranger) identify(token string) error {
	frame, err := c.ask(protocol.OpIdentify, protocol.Identify{Token: token, V: protocol.Version})
	if err != nil {
		return err
	}
	var ready protocol.Ready
	err = frame.Bind(&ready)
	c.userID = ready.UserID
	return err
}

// join joins the lobby.
func (c *stranger) join(offer string) error {
	_, err := c.ask(protocol.OpChannelJoin, protocol.ChannelJoin{ChannelID: "lobby", SDPOffer: offer})
	return err
}

// ends reads until the server has ended the connection, and returns why. What still comes is given to each.
func (c *stranger) ends(within time.Duration, each ...func(protocol.Frame)) error {
	_ = c.conn.SetReadDeadline(time.Now().Add(within))
	for {
		_, data, err := c.conn.ReadMessage()
		if err != nil {
			return err
		}
		for _, look := range each {
			if frame, err := protocol.Decode(data); err == nil {
				look(frame)
			}
		}
	}
}

// drain reads and forgets until the connection ends.
func (c *stranger) drain() {
	go func() {
		for {
			if _, err := c.read(); err != nil {
				return
			}
		}
	}()
}

// p99 is what all but one of a hundred are below.
func p99(of []time.Duration) time.Duration {
	if len(of) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(of))
	return sorted[min(len(sorted)-1, len(sorted)*99/100)]
}

// rises looks by how much an attack makes the p99 of something greater, by pairs of how long it took without the attack and with it,
// of which the middle one counts. What the machine does meanwhile may be more than what is looked for: so there are several pairs, and
// up to three times as many as long as they say too much. One of which the half without the attack took far longer than what is looked
// for says nothing.
func rises(t *testing.T, pairs int, what string, most time.Duration, pair func() (without, with []time.Duration)) {
	t.Helper()
	const far = 40
	var all []time.Duration
	for tries := 1; ; tries++ {
		without, with := pair()
		t.Logf("p99 of %s: %v, under attack %v", what, p99(without), p99(with))
		if p99(without) > far*most {
			require.Less(t, tries, 6*pairs, "the machine is too busy with other things to tell")
			continue
		}
		all = append(all, p99(with)-p99(without))
		if n := len(all); n >= pairs && n%2 == 1 && (middle(all) < most || n >= 3*pairs) {
			t.Logf("p99 of %s rises by %v, in the middle of %d", what, middle(all), n)
			require.Less(t, middle(all), most)
			return
		}
	}
}

// middle is the one that as many are below as above.
func middle(of []time.Duration) time.Duration { return slices.Sorted(slices.Values(of))[len(of)/2] }

// endsSoon reports whether the server ends a connection within a time.
func endsSoon(conn net.Conn, within time.Duration) bool {
	_ = conn.SetReadDeadline(time.Now().Add(within))
	_, err := io.Copy(io.Discard, conn)
	return err == nil || !os.IsTimeout(err)
}

package turn

import (
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/pion/stun/v4"
	"github.com/pion/turn/v5"
	"github.com/stretchr/testify/require"

	"github.com/mini-livechat/mini-livechat/sfu/leaktest"
)

// patience is how long a test waits for what must happen.
const patience = time.Minute

// Attributes that pion/stun names but does not write (RFC 8656, section 18).
func requestedTransport() stun.Setter { return raw(stun.AttrRequestedTransport, 17, 0, 0, 0) }

func lifetime(seconds uint32) stun.Setter {
	return raw(stun.AttrLifetime, binary.BigEndian.AppendUint32(nil, seconds)...)
}

func channelNumber(n uint16) stun.Setter {
	return raw(stun.AttrChannelNumber, byte(n>>8), byte(n), 0, 0)
}

func raw(attr stun.AttrType, value ...byte) stun.Setter {
	return stun.RawAttribute{Type: attr, Length: uint16(len(value)), Value: value}
}

// peer is XOR-PEER-ADDRESS, in exactly the family and form of addr.
type peer netip.AddrPort

func (p peer) AddTo(m *stun.Message) error {
	addr := netip.AddrPort(p)
	value := append(make([]byte, 0, 20), 0, 1, 0, 0)
	if addr.Addr().Is6() {
		value[1] = 2
	}
	binary.BigEndian.PutUint16(value[2:], addr.Port()^0x2112)
	mask := append([]byte{0x21, 0x12, 0xA4, 0x42}, m.TransactionID[:]...)
	for i, b := range addr.Addr().AsSlice() {
		value = append(value, b^mask[i])
	}
	m.Add(stun.AttrXORPeerAddress, value)
	return nil
}

// media stands for the media port: it echoes, and remembers who sent.
type media struct {
	net.PacketConn

	mu   sync.Mutex
	got  int            // bytes
	said map[string]int // datagrams by content
	from netip.AddrPort
}

func startMedia(t *testing.T, addr string) *media {
	t.Helper()
	conn := listenUDP(t, addr)
	m := &media{PacketConn: conn, said: make(map[string]int)}
	var echoing sync.WaitGroup
	echoing.Go(func() {
		buf := make([]byte, 2048)
		for {
			n, from, err := conn.ReadFrom(buf)
			if err != nil {
				return
			}
			m.mu.Lock()
			m.got += n
			m.said[string(buf[:n])]++
			m.from = from.(*net.UDPAddr).AddrPort()
			m.mu.Unlock()
			_, _ = conn.WriteTo(buf[:n], from)
		}
	})
	t.Cleanup(func() { _ = conn.Close(); echoing.Wait() })
	return m
}

func (m *media) addr() netip.AddrPort { return m.LocalAddr().(*net.UDPAddr).AddrPort() }

// heard counts the datagrams with this content.
func (m *media) heard(content string) int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.said[content]
}

func (m *media) received() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.got
}

// publicV4 and publicV6 are how clients know the media port in these tests: behind NAT.
func publicV4() netip.AddrPort { return netip.MustParseAddrPort("198.51.100.7:10000") }
func publicV6() netip.AddrPort { return netip.MustParseAddrPort("[2001:db8::7]:10000") }

func listenUDP(t *testing.T, addr string) *net.UDPConn {
	t.Helper()
	conn, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(netip.MustParseAddrPort(addr)))
	require.NoError(t, err)
	return conn
}

func listenTCP(t *testing.T, addr string) *net.TCPListener {
	t.Helper()
	l, err := net.ListenTCP("tcp", net.TCPAddrFromAddrPort(netip.MustParseAddrPort(addr)))
	require.NoError(t, err)
	return l
}

func dialTCP(t *testing.T, addr string) *net.TCPConn {
	t.Helper()
	conn, err := net.DialTCP("tcp", nil, net.TCPAddrFromAddrPort(netip.MustParseAddrPort(addr)))
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

func dialUDP(t *testing.T, addr string) *net.UDPConn {
	t.Helper()
	conn, err := net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(netip.MustParseAddrPort(addr)))
	require.NoError(t, err)
	return conn
}

// rig is a server with a UDP and a TCP port on loopback and the media behind it.
type rig struct {
	*Server

	t        *testing.T
	media    *media
	udp, tcp string
}

func start(t *testing.T, change ...func(*Config)) *rig {
	t.Helper()
	leaktest.Check(t)
	m := startMedia(t, "127.0.0.1:0")
	pc := listenUDP(t, "127.0.0.1:0")
	l := listenTCP(t, "127.0.0.1:0")
	cfg := Config{
		Media:       []netip.AddrPort{m.addr()},
		PacketConns: []net.PacketConn{pc}, Listeners: []net.Listener{l},
	}
	for _, f := range change {
		f(&cfg)
	}
	s, err := New(cfg)
	require.NoError(t, err)
	t.Cleanup(func() { _ = s.Close() })
	return &rig{Server: s, t: t, media: m, udp: pc.LocalAddr().String(), tcp: l.Addr().String()}
}

// raws is a TURN client that does as it is told.
type raws struct {
	t        *testing.T
	conn     net.PacketConn
	to       net.Addr
	username string
	key      stun.MessageIntegrity
	nonce    stun.Nonce
}

// overUDP and overTCP connect a client with a session's credentials.
func (r *rig) overUDP(c Credentials) *raws {
	r.t.Helper()
	conn := listenUDP(r.t, "127.0.0.1:0")
	to, err := net.ResolveUDPAddr("udp", r.udp)
	require.NoError(r.t, err)
	return r.client(conn, to, c)
}

func (r *rig) overTCP(c Credentials) *raws {
	r.t.Helper()
	conn := dialTCP(r.t, r.tcp)
	return r.client(turn.NewSTUNConn(conn), conn.RemoteAddr(), c)
}

func (r *rig) client(conn net.PacketConn, to net.Addr, c Credentials) *raws {
	r.t.Cleanup(func() { _ = conn.Close() })
	client := &raws{t: r.t, conn: conn, to: to}
	client.use(c)
	return client
}

// grant admits a session and gives it credentials.
func (r *rig) grant(session string) Credentials { return r.grantAt(session, time.Now()) }

func (r *rig) grantAt(session string, now time.Time) Credentials {
	r.Admit(session, []netip.AddrPort{publicV4(), publicV6()})
	return r.Mint(session, now)
}

// use makes later requests carry these credentials.
func (c *raws) use(creds Credentials) {
	c.username = creds.Username
	c.key = stun.NewLongTermIntegrity(creds.Username, realm, creds.Password)
}

func (c *raws) send(p []byte) {
	c.t.Helper()
	_, err := c.conn.WriteTo(p, c.to)
	require.NoError(c.t, err)
}

// try sends a message, again every so often as a client does, and returns the reply, or
// nil when none comes within wait.
func (c *raws) try(wait time.Duration, setters ...stun.Setter) *stun.Message {
	c.t.Helper()
	m := stun.MustBuild(append([]stun.Setter{stun.TransactionID}, setters...)...)
	deadline := time.Now().Add(wait)
	buf := make([]byte, 2048)
	_, udp := c.to.(*net.UDPAddr)
	c.send(m.Raw)
	for time.Now().Before(deadline) {
		next := time.Now().Add(100 * time.Millisecond)
		_ = c.conn.SetReadDeadline(next)
		n, _, err := c.conn.ReadFrom(buf)
		switch {
		case errors.Is(err, os.ErrDeadlineExceeded):
			if udp {
				c.send(m.Raw)
			}
			continue
		case errors.Is(err, io.EOF), errors.Is(err, net.ErrClosed):
			return nil
		}
		require.NoError(c.t, err)
		reply := &stun.Message{Raw: append([]byte(nil), buf[:n]...)}
		if reply.Decode() == nil && reply.TransactionID == m.TransactionID {
			return reply
		}
	}
	return nil
}

// challenge fetches a nonce.
func (c *raws) challenge() {
	c.t.Helper()
	reply := c.try(patience, stun.NewType(stun.MethodAllocate, stun.ClassRequest), requestedTransport())
	require.NotNil(c.t, reply, "no challenge")
	require.Equal(c.t, 401, code(c.t, reply))
	require.NoError(c.t, c.nonce.GetFrom(reply))
}

// request sends an authenticated request; the reply is nil when none comes soon.
func (c *raws) request(method stun.Method, attrs ...stun.Setter) *stun.Message {
	c.t.Helper()
	if c.nonce == nil {
		c.challenge()
	}
	return c.try(patience, c.authenticated(method, attrs...)...)
}

func (c *raws) authenticated(method stun.Method, attrs ...stun.Setter) []stun.Setter {
	setters := append([]stun.Setter{stun.NewType(method, stun.ClassRequest)}, attrs...)
	return append(setters, stun.NewUsername(c.username), stun.NewRealm(realm), c.nonce, c.key)
}

func (c *raws) allocate() *stun.Message {
	c.t.Helper()
	reply := c.request(stun.MethodAllocate, requestedTransport())
	require.NotNil(c.t, reply, "no reply to Allocate")
	return reply
}

func (c *raws) mustAllocate() *raws {
	c.t.Helper()
	require.Zero(c.t, code(c.t, c.allocate()))
	return c
}

// indicate sends data to a peer in a Send indication.
func (c *raws) indicate(to netip.AddrPort, data string) {
	c.t.Helper()
	m := stun.MustBuild(stun.TransactionID, stun.NewType(stun.MethodSend, stun.ClassIndication),
		peer(to), raw(stun.AttrData, []byte(data)...))
	c.send(m.Raw)
}

// channelData sends data on a channel.
func (c *raws) channelData(channel uint16, data string) {
	c.t.Helper()
	p := binary.BigEndian.AppendUint16(nil, channel)
	p = append(binary.BigEndian.AppendUint16(p, uint16(len(data))), data...)
	for len(p)%4 != 0 {
		p = append(p, 0)
	}
	c.send(p)
}

// code returns the error code of a reply, 0 for success.
func code(t *testing.T, m *stun.Message) int {
	t.Helper()
	if m.Type.Class == stun.ClassSuccessResponse {
		return 0
	}
	var e stun.ErrorCodeAttribute
	require.NoError(t, e.GetFrom(m))
	return int(e.Code)
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	deadline := time.Now().Add(patience)
	for !ok() {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain: %s", what)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

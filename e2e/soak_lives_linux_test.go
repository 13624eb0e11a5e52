package e2e

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gorilla/websocket"
	"github.com/pion/transport/v5"
	"github.com/pion/webrtc/v4"

	"github.com/mini-livechat/mini-livechat/signaling/auth"
	"github.com/mini-livechat/mini-livechat/signaling/client"
	"github.com/mini-livechat/mini-livechat/signaling/protocol"
)

const (
	// stepTimeout is how long a life may take for one step on a machine that is busy.
	stepTimeout = 30 * time.Second
	// lingerTimeout is how long the server may take to find out that somebody is dead.
	lingerTimeout = 2 * time.Minute
	// syllable is how many frames are sent before a life goes on.
	syllable = 3
)

// death is how far somebody comes before everything falls silent.
type death int

const (
	// afterChecks: the server has answered ICE checks; no DTLS is sent.
	afterChecks death = iota
	// afterHello: the server has answered our ClientHello.
	afterHello
	// whileTalking: there is a call.
	whileTalking
	deaths // how many
)

func (d death) String() string {
	return [...]string{"dead after ICE", "dead in DTLS", "dead in a call"}[d]
}

// parting is what becomes of a WebSocket whose client's media died.
type parting int

const (
	// cutOff: it is closed without a word, as when a process is killed.
	cutOff parting = iota
	// unplugged: nothing is heard any more, as when the machine is.
	unplugged
	// surviving: it goes on until its client is told that its media is dead.
	surviving
)

// partingOf is that of the nth death: most are cut off.
func partingOf(n int) parting {
	switch n % 10 {
	case 3:
		return unplugged
	case 7:
		return surviving
	default:
		return cutOff
	}
}

// worker lives one life after the other. Each has a card of its own.
type worker struct {
	url       string
	authority *auth.Authority
	channel   string
	media     int // the server's media port
	engine    *client.Engine
	card      atomic.Pointer[card] // of the present life
	graves    chan struct{}
	lingering *sync.WaitGroup // for each of the graves
	failed    func(error)
}

// newWorker makes a worker. mortal are those who die, whose engine must not give up before the server does.
func newWorker(s *soak, channel string, mortal bool) (*worker, error) {
	w := &worker{
		url: s.url, authority: s.authority, media: s.media, channel: channel,
		graves: s.graves, lingering: &s.lingering, failed: s.failed,
	}
	config := client.EngineConfig{
		LocalIP: onLoopback,
		Net:     func(system transport.Net) transport.Net { return &cardNet{Net: system, card: w.card.Load()} },
	}
	if mortal {
		// A TURN connection by TCP would not die with the card.
		config.UseTURN = func(url string) bool { return strings.HasSuffix(url, "=udp") }
		config.Adjust = func(s *webrtc.SettingEngine) {
			s.SetICETimeouts(lingerTimeout, lingerTimeout, 2*time.Second)
			s.SetDTLSConnectContextMaker(func() (context.Context, func()) {
				return context.WithTimeout(context.Background(), lingerTimeout)
			})
		}
	}
	var err error
	w.engine, err = client.NewEngine(config)
	return w, err
}

// arrive begins the nth life: a new user, identified.
func (w *worker) arrive(ctx context.Context, n int, c *card, reconnect bool) (*client.Client, error) {
	name := fmt.Sprint("soaked-", n)
	token, err := w.authority.Mint(auth.Identity{UserID: name, Name: name}, time.Now(), time.Hour)
	if err != nil {
		return nil, err
	}
	w.card.Store(c)
	return client.Dial(ctx, w.url, client.Options{
		Token: token, Engine: w.engine, EventBuffer: -1, NoReconnect: !reconnect,
		Dialer: &websocket.Dialer{NetDialContext: c.dial},
	})
}

// visit joins, talks, leaves and goes.
func (w *worker) visit(ctx context.Context, n int) error {
	c, err := w.arrive(ctx, n, newCard(n, w.media, anyDTLS), false)
	if err != nil {
		return err
	}
	defer func() { _ = c.Close() }()
	call, err := c.Join(ctx, w.channel, client.JoinOptions{Slots: 2})
	if err != nil {
		return err
	}
	if err = speak(call, c.UserID(), syllable); err != nil {
		return err
	}
	return call.Leave(ctx)
}

// speak sends frames without waiting between them.
func speak(call *client.Call, userID string, frames uint32) error {
	for n := range frames {
		if err := call.WriteOpus(voiceFrame(userID, n), frameLength); err != nil {
			return err
		}
	}
	return nil
}

// die comes so far and falls silent.
func (w *worker) die(ctx context.Context, how death, n int) error {
	k := newCard(n, w.media, anyDTLS)
	switch how {
	case afterChecks:
		k = newCard(n, w.media, 0)
	case afterHello:
		k = newCard(n, w.media, 1+n%2)
	case whileTalking, deaths:
	}
	c, err := w.arrive(ctx, n, k, false)
	if err != nil {
		return err
	}
	call, err := c.Join(ctx, w.channel, client.JoinOptions{Slots: 2, NoWait: true})
	if err == nil {
		err = k.comesTo(ctx, how, call)
	}
	if err != nil {
		return errors.Join(err, c.Close())
	}
	k.pull()
	return w.bury(c, call, k, n)
}

// bury has somebody part from the server whose media is dead, and keeps a grave until the server has noticed.
func (w *worker) bury(c *client.Client, call *client.Call, k *card, n int) error {
	var noticed func() error // nil: it takes its time, and nobody tells
	switch partingOf(n) {
	case cutOff:
		k.cut(n%4 < 2)
	case unplugged:
		held, err := k.unplug()
		if err != nil {
			return errors.Join(err, c.Close())
		}
		noticed = func() error { return drain(held) }
	case surviving:
		noticed = func() error {
			select {
			case <-call.Done():
			case <-time.After(lingerTimeout):
			}
			if err := call.Err(); !errors.Is(err, client.ErrRemoved) {
				return fmt.Errorf("it is not told that its media is dead: %w", err)
			}
			return c.Close()
		}
	}
	w.graves <- struct{}{}
	w.lingering.Go(func() {
		defer func() { <-w.graves }()
		if noticed == nil {
			time.Sleep(soakWindow + 2*soakReaper)
			return
		}
		if err := noticed(); err != nil {
			w.failed(fmt.Errorf("death %d: %w", n, err))
		}
	})
	if partingOf(n) == surviving {
		return nil
	}
	return c.Close()
}

// comesTo waits until a life has come as far as it shall.
func (k *card) comesTo(ctx context.Context, how death, call *client.Call) error {
	var points []<-chan struct{}
	switch how {
	case afterChecks:
		points = append(points, k.checked)
	case afterHello:
		points = append(points, k.spent, k.greeted)
	case whileTalking, deaths:
		if err := call.WaitConnected(ctx); err != nil {
			return err
		}
		return speak(call, "dying", syllable)
	}
	for _, point := range points {
		select {
		case <-point:
		case <-call.Done():
			return call.Err()
		case <-ctx.Done():
			return fmt.Errorf("%s: the server does not answer: %w", how, ctx.Err())
		}
	}
	return nil
}

// comeBack joins, loses its WebSocket in the middle of the call and resumes its session, so many times, now and then with
// an ICE restart; then it leaves.
func (w *worker) comeBack(ctx context.Context, n, times int) error {
	k := newCard(n, w.media, anyDTLS)
	c, err := w.arrive(ctx, n, k, true)
	if err != nil {
		return err
	}
	defer func() { _ = c.Close() }()
	call, err := c.Join(ctx, w.channel, client.JoinOptions{Slots: 2})
	if err != nil {
		return err
	}
	session, pc := c.Ready().SessionID, call.PeerConnection()
	for i := range times {
		k.cut(i%2 == 0)
		if err = speak(call, c.UserID(), syllable); err != nil {
			return err
		}
		stepping, cancel := context.WithTimeout(ctx, stepTimeout)
		// It is answered on the next connection.
		muted := i%2 == 0
		if _, err = c.SetVoiceState(stepping, protocol.VoiceState{SelfMute: &muted}); err == nil && i%4 == 0 {
			err = call.RestartICE(stepping)
		}
		cancel()
		if err != nil {
			return err
		}
	}
	if c.Ready().SessionID != session || call.PeerConnection() != pc {
		return fmt.Errorf("%s has lost its session or its media", c.UserID())
	}
	return call.Leave(ctx)
}

// anyDTLS lets all of it leave.
const anyDTLS = -1

// card is the network card of one life: what it is connected by to the server. It has an address of its own, as people
// have, so that nothing is taken for another's who has just died. Pulled, it neither sends nor receives.
type card struct {
	ip    net.IP
	media int
	gone  atomic.Bool

	// checked is closed when the media port has answered a check, greeted when it sends DTLS, spent when no more of ours
	// may leave.
	checked, greeted, spent chan struct{}
	check, greet            sync.Once

	mu   sync.Mutex
	conn *net.TCPConn // the newest; guarded by mu
	// dtls is how many datagrams of DTLS may leave, of a second flight the first record only; or anyDTLS. Guarded by mu.
	dtls int
}

// newCard makes the card of the nth life.
func newCard(n, media, dtls int) *card {
	return &card{
		ip: net.IPv4(127, byte(1+n>>16), byte(n>>8), byte(n)), media: media, dtls: dtls,
		checked: make(chan struct{}), greeted: make(chan struct{}), spent: make(chan struct{}),
	}
}

// dial is a websocket.Dialer's.
func (k *card) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	conn, err := (&net.Dialer{LocalAddr: &net.TCPAddr{IP: k.ip}}).DialContext(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.conn = conn.(*net.TCPConn) //nolint:forcetypeassert // by its network
	return conn, nil
}

func (k *card) newest() *net.TCPConn {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.conn
}

// pull ends all UDP.
func (k *card) pull() { k.gone.Store(true) }

// cut closes the WebSocket's connection without a word, with a reset or in order.
func (k *card) cut(reset bool) {
	conn := k.newest()
	if reset {
		_ = conn.SetLinger(0)
	}
	_ = conn.Close()
}

// unplug returns the WebSocket's connection, on which the server hears nothing any more, nor that it ends.
func (k *card) unplug() (net.Conn, error) {
	conn := k.newest()
	file, err := conn.File() // another descriptor of it: closing the first is not seen outside
	if err != nil {
		return nil, err
	}
	held, err := net.FileConn(file)
	return held, errors.Join(err, file.Close(), conn.Close())
}

// drain waits until the server closes a connection.
func drain(conn net.Conn) error {
	defer conn.Close()
	_ = conn.SetReadDeadline(time.Now().Add(lingerTimeout))
	if _, err := io.Copy(io.Discard, conn); err != nil {
		return fmt.Errorf("the server keeps a dead connection: %w", err)
	}
	return nil
}

// cardNet is a system's network behind a card.
type cardNet struct {
	transport.Net

	card *card
}

func (n *cardNet) ListenUDP(network string, addr *net.UDPAddr) (transport.UDPConn, error) {
	conn, err := n.Net.ListenUDP(network, &net.UDPAddr{IP: n.card.ip, Port: addr.Port})
	if err != nil {
		return nil, err
	}
	return &cardConn{UDPConn: conn, card: n.card}, nil
}

type cardConn struct {
	transport.UDPConn

	card *card
}

func (c *cardConn) WriteTo(b []byte, addr net.Addr) (int, error) {
	k := c.card
	if k.gone.Load() {
		return len(b), nil
	}
	leaves := b
	if isDTLS(b) {
		if leaves = k.ration(b); leaves == nil {
			return len(b), nil
		}
	}
	if _, err := c.UDPConn.WriteTo(leaves, addr); err != nil {
		return 0, err
	}
	return len(b), nil
}

// ration returns what may leave of a datagram of DTLS.
func (k *card) ration(b []byte) []byte {
	k.mu.Lock()
	defer k.mu.Unlock()
	switch k.dtls {
	case anyDTLS:
		return b
	case 0:
		return nil
	}
	if k.dtls--; k.dtls == 0 {
		close(k.spent)
	}
	select {
	case <-k.greeted:
		return firstRecord(b)
	default:
		return b
	}
}

func (c *cardConn) ReadFrom(b []byte) (int, net.Addr, error) {
	for {
		n, from, err := c.UDPConn.ReadFrom(b)
		if err != nil || !c.card.gone.Load() {
			c.card.notice(b[:max(n, 0)], from)
			return n, from, err
		}
	}
}

// notice looks at what has come.
func (k *card) notice(b []byte, from net.Addr) {
	const bindingSuccess = 0x0101 // RFC 8489, section 5
	udp, ok := from.(*net.UDPAddr)
	switch {
	case !ok || udp.Port != k.media:
	case isDTLS(b):
		k.greet.Do(func() { close(k.greeted) })
	case len(b) > 1 && int(b[0])<<8|int(b[1]) == bindingSuccess:
		k.check.Do(func() { close(k.checked) })
	}
}

// isDTLS reports whether a datagram is of DTLS (RFC 7983).
func isDTLS(b []byte) bool { return len(b) > 0 && b[0] >= 20 && b[0] <= 63 }

// firstRecord is the first record of a datagram (RFC 6347, section 4.1).
func firstRecord(b []byte) []byte {
	const header = 13
	if len(b) < header {
		return b
	}
	return slices.Clip(b[:min(len(b), header+int(b[11])<<8+int(b[12]))])
}

package client

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/gorilla/websocket"

	"github.com/mini-livechat/mini-livechat/signaling/protocol"
)

const (
	// handshakeTimeout bounds Dial when the context has no deadline of its own. The
	// server itself waits no longer for IDENTIFY.
	handshakeTimeout = 10 * time.Second
	// writeTimeout is how long one frame may take to leave. Frames are small and fit
	// the kernel's buffer; it is reached only when the network has been stuck for long.
	writeTimeout = 10 * time.Second
	// maxReadBytes bounds a frame from the server, which is trusted more than its
	// clients are: the member list of a very large channel may outgrow MaxFrameBytes.
	maxReadBytes = 4 << 20
	// readBufferBytes is the WebSocket's read buffer. Events are a few hundred bytes.
	readBufferBytes = 2 << 10
)

// Options configure Dial. The zero value of each field but Token is usable.
type Options struct {
	// Token says who the client is; see Guest. Required.
	Token string
	// UserID, when given, must be the token's subject: a check against mix-ups.
	UserID string
	// ClientName names the software for the server's logs, such as "recorder/1".
	ClientName string
	// Device is a random word that the caller keeps for this device, or empty.
	Device string
	// Playback, if set, is asked how somebody is played when the server wants to know, to add what only the caller knows: volumes, say. It
	// must not block.
	Playback func(userID string, told *protocol.Playback)
	// Dialer opens the WebSocket, for TLS settings, a proxy or headers of one's own;
	// nil means the defaults. Its buffer sizes are kept where set.
	Dialer *websocket.Dialer
	// Engine holds the WebRTC settings. Give the same one to many clients of a
	// process, so that its certificate is made once; nil means one's own.
	Engine *Engine
	// Logger receives what has no caller to be returned to; nil means nowhere.
	Logger *slog.Logger
	// NewToken, if set, is asked for another token when the server refuses the one there is
	// as the client comes back, such as when it has expired. Without it that is the end.
	NewToken func(context.Context) (string, error)
	// NoReconnect ends the client with its connection, and a call with its media.
	NoReconnect bool
	// EventBuffer is how many events wait for a reader of Client.Events before new ones
	// are discarded, see Missed; 0 means 64, negative that Events is never read.
	EventBuffer int
}

// Dial connects to the server at rawURL and identifies. The URL is the server's base,
// "http://host:port", "https://host" or "https://host/voice", or that of its gateway, "ws://host:port/ws". The
// context bounds the connecting only, not the client's life; without a deadline of its own
// it is given one of 10 s.
//
// A refused token is a *protocol.Error, a server that hangs up a *CloseError.
func Dial(ctx context.Context, rawURL string, opts Options) (*Client, error) {
	gateway, err := gatewayURL(rawURL)
	if err != nil {
		return nil, fmt.Errorf("dial: %w", err)
	}
	if _, bounded := ctx.Deadline(); !bounded {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, handshakeTimeout)
		defer cancel()
	}

	c := newClient(gateway, opts)
	l, err := openLink(ctx, gateway, opts.Dialer)
	if err == nil {
		if err = l.during(ctx, func() error { return c.identify(l, opts.Token) }); err != nil {
			l.close()
		}
	}
	if err != nil {
		return nil, fmt.Errorf("dial: %w", withCause(ctx, err))
	}
	if opts.NoReconnect { // it goes to no other node, so there is no hurry
		l.alive = 2 * l.heartbeatInterval()
	}
	c.link = l
	c.online.Store(true)
	c.wg.Add(1)
	go c.run(l) //nolint:contextcheck // the context bounds the connecting only
	return c, nil
}

// gatewayURL turns a base URL into that of the gateway.
func gatewayURL(raw string) (string, error) {
	u, err := url.Parse(raw)
	if err != nil {
		return "", err
	}
	page := true
	switch u.Scheme {
	case "http":
		u.Scheme = "ws"
	case "https":
		u.Scheme = "wss"
	case "ws", "wss":
		page = u.Path == "" || u.Path == "/"
	default:
		return "", fmt.Errorf("%q: the scheme must be http, https, ws or wss", raw)
	}
	if page && !strings.HasSuffix(u.Path, "/ws") {
		u.Path = strings.TrimRight(u.Path, "/") + "/ws"
	}
	return u.String(), nil
}

// writeBuffers are shared by all connections of the process: a connection holds one only
// while it writes, and one is large enough that a request is never split into fragments.
//
//nolint:gochecknoglobals // a cache without state of its own, like the pools inside net/http
var writeBuffers sync.Pool

const writeBufferBytes = protocol.MaxFrameBytes + 1<<10

func connect(ctx context.Context, gateway string, base *websocket.Dialer) (*websocket.Conn, error) {
	dialer := *websocket.DefaultDialer
	if base != nil {
		dialer = *base
	}
	if dialer.ReadBufferSize == 0 {
		dialer.ReadBufferSize = readBufferBytes
	}
	if dialer.WriteBufferSize == 0 && dialer.WriteBufferPool == nil {
		dialer.WriteBufferSize, dialer.WriteBufferPool = writeBufferBytes, &writeBuffers
	}
	// The dialer heeds the context's deadline but not its cancelling once the TCP
	// connection is there, so watch for that here.
	netDial := dialer.NetDialContext
	if netDial == nil {
		netDial = (&net.Dialer{}).DialContext
	}
	var unwatch func() bool
	dialer.NetDialContext = func(dialCtx context.Context, network, addr string) (net.Conn, error) {
		conn, err := netDial(dialCtx, network, addr)
		if err == nil {
			// Not dialCtx: the dialer cancels that when it is done.
			unwatch = context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
		}
		return conn, err
	}
	conn, resp, err := dialer.DialContext(ctx, gateway, nil)
	if unwatch != nil {
		unwatch()
	}
	if err != nil {
		if resp != nil {
			_ = resp.Body.Close()
			return nil, fmt.Errorf("%s answered %s: %w", gateway, resp.Status, err)
		}
		return nil, err
	}
	return conn, nil
}

// identify makes the link one of a new session, which goes on with the lost one by the ticket, where there is one.
func (c *Client) identify(l *link, token string) error {
	ready, err := c.introduce(l, token, c.ticket)
	if refused, ok := errors.AsType[*protocol.Error](err); ok && refused.Code == protocol.CodeRejoin {
		c.log.Debug("the rejoin ticket is not taken", "error", err)
		c.ticket = ""
		ready, err = c.introduce(l, token, "")
	}
	if err != nil {
		return err
	}
	c.token = token
	c.enter(l, ready)
	return nil
}

// introduce asks for a new session.
func (c *Client) introduce(l *link, token, ticket string) (*protocol.Ready, error) {
	if !l.several() {
		ticket = "" // of a server that is alone by now
	}
	err := l.ask(protocol.OpIdentify, protocol.Identify{
		Token: token, UserID: c.opts.UserID, V: protocol.Version, Client: c.opts.ClientName, Device: c.opts.Device,
		Features: []string{protocol.FeaturePlayback}, Rejoin: ticket,
	})
	if err != nil {
		return nil, err
	}
	f, err := l.read()
	if err != nil {
		return nil, err
	}
	switch f.Op {
	case protocol.OpReady:
		ready := new(protocol.Ready)
		if err = f.Bind(ready); err != nil {
			return nil, fmt.Errorf("%w: READY: %w", ErrProtocol, err)
		}
		return ready, nil
	case protocol.OpError:
		return nil, refusal(f)
	default:
		return nil, fmt.Errorf("%w: %s instead of READY", ErrProtocol, f.Op)
	}
}

// enter makes the session of a link the client's.
func (c *Client) enter(l *link, ready *protocol.Ready) {
	c.gateway, c.openedIn = l.gateway, l.openedIn
	c.ready.Store(ready)
	c.iceServers.Store(&ready.ICEServers)
	c.seen.Store(0)
	c.resumeToken = ""
	if l.resumes() {
		c.resumeToken = ready.ResumeToken
	}
	c.nodes, c.ticket = nil, ""
	c.learn(ready.Nodes, ready.Rejoin)
}

// refusal is the Go error in an ERROR frame.
func refusal(f protocol.Frame) error {
	e := new(protocol.Error)
	if err := f.Bind(e); err != nil {
		return fmt.Errorf("%w: ERROR: %w", ErrProtocol, err)
	}
	return e
}

package cluster

import (
	"cmp"
	"crypto/rand"
	"fmt"
	"net"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
)

const (
	// clusterName is what NATS calls the nodes together.
	clusterName = "livechat"
	// readyWithin is how long NATS may take to open its sockets.
	readyWithin = 10 * time.Second
	// routePing is how often NATS asks over a route that is silent, and routePings how many may stay unanswered: one that is dead is closed
	// soon after its node counts as dead.
	routePing  = time.Second
	routePings = 2
	// routeDeadline is how long a write to a route may take.
	routeDeadline = 5 * time.Second
	// handshakeWithin is for TLS between nodes, in seconds: a loaded machine far away.
	handshakeWithin = 5
	// maxLogMemory bounds what streams kept in memory may take; there are none.
	maxLogMemory = 1 << 20
)

// connectInside runs NATS in this process, with routes to the other nodes.
func (c *Cluster) connectInside(self Peer, options []nats.Option) (*nats.Conn, error) {
	host, port, err := listenOn(self, c.cfg.Listen)
	if err != nil {
		return nil, err
	}
	// NATS says only in its log that it cannot listen.
	if err = tryListening(host, port); err != nil {
		return nil, err
	}
	entrance := &door{key: c.secret.identity(), self: c.Self(), identity: c.identity, refuse: c.refusal, refused: c.refusedAtDoor}
	c.entry = &entry{token: rand.Text(), operator: rand.Text(), system: func() *server.Account { return c.server.SystemAccount() }}
	opts := &server.Options{
		ServerName: c.cfg.Name,
		// A clustered server needs a listener for clients to become ready. Nobody but this process knows its tokens; who came by a name and a
		// password would be put out whenever options change.
		Host: "127.0.0.1", Port: server.RANDOM_PORT, CustomClientAuthentication: c.entry,
		Cluster: server.ClusterOpts{
			Name: clusterName, Host: host, Port: port, TLSConfig: entrance.config(), TLSTimeout: handshakeWithin, NoAdvertise: true,
			// One way for what nodes say, so that it comes in order, and NATS's own for what it says itself.
			PoolSize: 1, PingInterval: routePing, MaxPingsOut: routePings, WriteDeadline: routeDeadline,
		},
		JetStream: true, StoreDir: c.cfg.Dir, SyncAlways: true, JetStreamMaxMemory: maxLogMemory, DisableJetStreamBanner: true,
		NoSigs: true, Routes: routesTo(c.cfg.Peers, func(string) int { return 0 }),
	}
	if c.server, err = server.NewServer(opts); err != nil {
		return nil, fmt.Errorf("start NATS: %w", err)
	}
	c.routes = &routes{server: c.server, known: make(map[string]uint64), said: make(chan struct{}, 1)}
	c.server.SetLoggerV2(&natsLog{log: c.log.Named("nats"), closes: c.routes.closes}, false, false, false)
	c.run.Go(c.server.Start)
	if !c.server.ReadyForConnections(readyWithin) {
		return nil, fmt.Errorf("start NATS: it is not ready after %v", readyWithin)
	}
	c.reach = newReach(c.cfg.Name, c.cfg.Peers, opts)
	conn, err := nats.Connect("", append(options, nats.InProcessServer(c.server), nats.Token(c.entry.token))...)
	if err != nil {
		return nil, fmt.Errorf("connect to NATS inside: %w", err)
	}
	return conn, nil
}

// listenOn is where the others reach this node.
func listenOn(self Peer, listen string) (host string, port int, err error) {
	host, text, err := net.SplitHostPort(cmp.Or(listen, self.Address))
	if err != nil {
		return "", 0, fmt.Errorf("the address of this node: %w", err)
	}
	if ip := net.ParseIP(host); listen == "" && host != "localhost" && (ip == nil || !ip.IsLoopback()) {
		host = ""
	}
	port, err = strconv.Atoi(text)
	if err != nil {
		return "", 0, fmt.Errorf("the address of this node: %w", err)
	}
	if host == "" {
		host = "::"
		if !hasIPv6() {
			host = "0.0.0.0"
		}
	}
	return host, port, nil
}

func hasIPv6() bool {
	l, err := net.Listen("tcp6", "[::]:0") //nolint:noctx // closed at once
	if err != nil {
		return false
	}
	return l.Close() == nil
}

func tryListening(host string, port int) error {
	l, err := net.Listen("tcp", net.JoinHostPort(host, strconv.Itoa(port))) //nolint:noctx // does not wait
	if err != nil {
		return &ListenError{net.JoinHostPort(host, strconv.Itoa(port)), err}
	}
	return l.Close()
}

// ListenError means that the other nodes cannot be listened for.
type ListenError struct {
	Address string
	Err     error
}

func (e *ListenError) Error() string {
	return fmt.Sprintf("cannot listen for the other nodes on %s: %v", e.Address, e.Err)
}

// Unwrap gives the cause to errors.Is and errors.As.
func (e *ListenError) Unwrap() error { return e.Err }

// refusal says why a node with the right secrets is not let in, "" if it is.
func (c *Cluster) refusal(says introduction) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.roll.refusal(NodeID{says.Name, says.Boot})
}

func (c *Cluster) refusedAtDoor(name, why string) {
	c.refuse(time.Now(), name, why)
}

// routes are the ways to other nodes that carry what nodes say.
type routes struct {
	server *server.Server
	known  map[string]uint64 // by name of the node: NATS's number of its route
	number int               // how many NATS had of all sorts
	said   chan struct{}     // of capacity 1: NATS has closed one
	look   atomic.Bool       // the same, and it was not looked at since
}

// closedSettles is how long NATS may take between saying that a route is closed and having it no more.
const closedSettles = 5 * time.Millisecond

// closes notes that NATS is about to close a route.
func (r *routes) closes() {
	time.AfterFunc(closedSettles, func() {
		r.look.Store(true)
		select {
		case r.said <- struct{}{}:
		default:
		}
	})
}

// mayHaveClosed says that it is time for closed; nil: it never is.
func (r *routes) mayHaveClosed() <-chan struct{} {
	if r == nil {
		return nil
	}
	return r.said
}

// closed returns the nodes whose route closed since it was last called, also when there is another by now.
func (r *routes) closed() (names []string) {
	number := r.server.NumRoutes() // a report takes much longer
	if !r.look.Swap(false) && number == r.number {
		return nil
	}
	r.number = number
	report, err := r.server.Routez(nil)
	if err != nil {
		return nil
	}
	now := make(map[string]uint64, len(r.known))
	for _, one := range report.Routes {
		if one.Account == "" { // NATS's own account has a route of its own
			now[one.RemoteName] = one.Rid
		}
	}
	for name, id := range r.known {
		if now[name] != id {
			names = append(names, name)
		}
	}
	r.known = now
	return names
}

// has reports whether there was a route to a node when that was last looked at.
func (r *routes) has(name string) bool { return r.known[name] != 0 }

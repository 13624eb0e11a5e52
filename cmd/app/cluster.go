package app

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"github.com/mini-livechat/mini-livechat/signaling/auth"
	"github.com/mini-livechat/mini-livechat/signaling/cluster"
	"github.com/mini-livechat/mini-livechat/signaling/store"
)

// Cluster is how several servers are one. The zero value is one that is alone.
type Cluster struct {
	// Peers are all nodes, this one too, as cluster.ParsePeers reads them. Empty: this one is alone.
	Peers []string `name:"cluster-peers" group:"cluster" placeholder:"NODE" help:"All nodes that are one server, this one too, each as HOST, HOST:PORT or NAME=HOST:PORT; the same list on each node. Without a name it is the host, and without a port 6222."`
	// SecretFile holds what all nodes have.
	SecretFile string `name:"cluster-secret-file" group:"cluster" placeholder:"FILE" help:"The secret by which nodes know each other and encrypt what they say: one line of at least 32 bytes in a file that nobody else may read; the same on each node."`
	// Listen is where the others reach this node. Empty: where Peers say.
	Listen string `name:"cluster-listen" group:"cluster" placeholder:"[HOST]:PORT" help:"Where the other nodes reach this one, when that is not the port that --cluster-peers says, on all interfaces."`
	// Name is this node's. Empty: the host's.
	Name string `name:"node-name" group:"cluster" placeholder:"NAME" help:"Which of --cluster-peers this is, when that is not the host's name."`
	// URL is where people reach this node's page. Empty: as it sees itself.
	URL string `name:"node-url" group:"cluster" placeholder:"URL" help:"Where people reach this node's own page, when another one dies. Without it: --domain, or the address of --http."`
	// NATS are the URLs of a NATS that exists. Empty: one runs in each node.
	NATS []string `name:"nats" group:"cluster" placeholder:"URL" help:"A NATS server, with JetStream, that carries what the nodes say, such as tls://nats.example.org, with USER:PASSWORD@ or TOKEN@ before the host if it wants to know them; --cluster-peers are the names of all nodes then. Without it, one runs in each node."`
	// NATSCA is a file of who signs the certificate of NATS. Empty: whom the system knows.
	NATSCA string `name:"nats-ca" group:"cluster" placeholder:"FILE" help:"Who signs the certificate of that NATS (PEM), when that is nobody whom the system knows."`
	// NATSCredentials is a file by which NATS knows this server. Empty: none.
	NATSCredentials string `name:"nats-credentials" group:"cluster" placeholder:"FILE" help:"The .creds file by which that NATS knows this server."`
}

// on reports whether there are other nodes.
func (c Cluster) on() bool { return len(c.Peers) > 0 || len(c.NATS) > 0 }

const (
	// logDir is the directory of what NATS keeps, in Data.
	logDir = "log"
	// maxNodeURL is the longest URL of a node, in bytes.
	maxNodeURL = 2048
)

// check notes what is wrong.
func (c Cluster) check(v *mistakes) {
	if !c.on() {
		for _, one := range []struct{ key, value string }{
			{"cluster-secret-file", c.SecretFile},
			{"cluster-listen", c.Listen},
			{"node-name", c.Name},
			{"node-url", c.URL},
			{"nats-ca", c.NATSCA},
			{"nats-credentials", c.NATSCredentials},
		} {
			if one.value != "" {
				v.bad(one.key, one.value, "needs --cluster-peers, the nodes that are one server")
			}
		}
		return
	}
	if c.SecretFile == "" {
		v.bad("cluster-secret-file", "", "must be a file with the secret that all nodes have; \"openssl rand -base64 32\" makes one")
	}
	switch _, err := c.self(); {
	case len(c.Peers) == 0:
		v.bad("cluster-peers", "", "must name all nodes beside --nats, such as n1,n2,n3: one that does not know which there are "+
			"does not know whether it sees most of them")
	case err != nil:
		v.bad("cluster-peers", strings.Join(c.Peers, ","), "%s", err)
	case len(c.Peers) == 1:
		v.bad("cluster-peers", c.Peers[0], "must name at least two nodes, better three: of two, none has most when the other is gone")
	}
	if _, port, err := splitPort(c.Listen); c.Listen != "" && (err != nil || port == 0) {
		v.bad("cluster-listen", c.Listen, "must be a port with a colon in front, such as :%d, or address:port", cluster.DefaultPort)
	}
	if c.URL != "" && (canonicalOrigin(c.URL) == "" || len(c.URL) > maxNodeURL) {
		v.bad("node-url", c.URL, "must be where the page is, such as https://n1.example.org")
	}
	c.checkNATS(v)
}

// checkNATS notes what is wrong with the NATS that exists.
func (c Cluster) checkNATS(v *mistakes) {
	for _, s := range c.NATS {
		if err := cluster.CheckNATS(s); err != nil {
			v.bad("nats", cluster.ShowNATS(s), "%s", err)
		}
	}
	for _, file := range []struct{ key, value string }{{"nats-ca", c.NATSCA}, {"nats-credentials", c.NATSCredentials}} {
		if file.value == "" || len(c.NATS) == 0 {
			continue
		}
		if _, err := os.ReadFile(file.value); err != nil {
			v.bad(file.key, file.value, "%s", err)
		}
	}
	switch {
	case len(c.NATS) == 0 && c.NATSCA != "":
		v.bad("nats-ca", c.NATSCA, "needs --nats, the server that it is for")
	case len(c.NATS) == 0 && c.NATSCredentials != "":
		v.bad("nats-credentials", c.NATSCredentials, "needs --nats, the server that it is for")
	case len(c.NATS) > 0 && c.Listen != "":
		v.bad("cluster-listen", c.Listen, "must not be given beside --nats: the nodes meet there")
	}
}

// self is this node.
func (c Cluster) self() (cluster.Peer, error) {
	peers, err := cluster.ParsePeers(c.Peers)
	if err != nil {
		return cluster.Peer{}, err //nolint:wrapcheck // says it all
	}
	return cluster.Self(peers, c.Name) //nolint:wrapcheck // says it all
}

// first reports whether this node is the first by name of those that there are to be, if that is known.
func (c Cluster) first() (first, known bool) {
	peers, err := cluster.ParsePeers(c.Peers)
	self, none := c.self()
	if err != nil || none != nil || len(peers) == 0 {
		return false, false
	}
	return !slices.ContainsFunc(peers, func(p cluster.Peer) bool { return p.Name < self.Name }), true
}

// checkCluster is what a cluster wants of the other settings.
func (c Config) checkCluster(v *mistakes) {
	c.Cluster.check(v)
	if !c.Cluster.on() {
		return
	}
	if !c.givesSecret() {
		v.bad("secret", "", "must be given, or --secret-file: all nodes of a server need the same")
	}
	if c.Data == "" {
		v.bad("data", "", "must be a directory: a node keeps its part of what the server remembers there")
	}
}

// openNodes makes this one of several nodes, if there are others. They see it from beginNodes on.
func (a *App) openNodes(authority *auth.Authority) error {
	c := a.cfg.Cluster
	if !c.on() {
		return nil
	}
	secrets, err := auth.ReadSecrets(c.SecretFile)
	if err == nil && len(secrets) > 1 {
		err = fmt.Errorf("%w: %s has %d lines, and there is one secret", auth.ErrSecretFile, c.SecretFile, len(secrets))
	}
	if err != nil {
		return &ConfigError{Mistakes: []error{badValue("cluster-secret-file", c.SecretFile, "%s", err)}}
	}
	peers, err := cluster.ParsePeers(c.Peers)
	if err != nil {
		return err //nolint:wrapcheck // was checked
	}
	self, err := c.self()
	if err != nil {
		return err
	}
	nodes, err := cluster.Open(cluster.Config{
		Name: self.Name, Secret: secrets[0], Keys: authority.Marks, Peers: peers, Listen: c.Listen, Dir: filepath.Join(a.cfg.Data, logDir),
		NATS: c.NATS, Credentials: c.NATSCredentials, CA: c.NATSCA, Status: a.nodeStatus, Log: a.log,
	})
	if taken, ok := errors.AsType[*cluster.ListenError](err); ok {
		return &ListenError{"cluster-listen", taken.Address, taken.Err}
	}
	if err != nil {
		return err //nolint:wrapcheck // says it all
	}
	a.nodes, a.cfg.Nodes = nodes, nodes
	authority.Tolerate(nodes.Apart)
	nodes.Changed(a.sayChange)
	return nil
}

// openLog has this node hold what the others hold, and be able to follow them. It waits for them where it knows nothing yet.
func (a *App) openLog() error {
	if a.nodes == nil {
		return nil
	}
	if err := os.MkdirAll(a.cfg.Data, 0o700); err != nil {
		return &MemoryError{fmt.Errorf("create the data directory: %w; choose another with --data", err)}
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	if a.cfg.Stop != nil {
		go func() {
			select {
			case <-a.cfg.Stop:
				cancel()
			case <-ctx.Done():
			}
		}()
	}
	a.nodeLog = a.nodes.Log()
	share, err := a.nodeLog.Join(ctx, filepath.Join(a.cfg.Data, store.FileName), a.tooOld)
	if err != nil {
		return &MemoryError{err}
	}
	share.Now = a.nodes.Now
	a.cfg.Share = share
	return nil
}

const (
	// trimEvery is how often the log forgets what nobody needs any more.
	trimEvery = time.Minute
	// keepLog is how many entries it keeps that all nodes have which are there: for those that are away.
	keepLog = 10_000
)

// runTrim has the log forget what all nodes have, if that is up to this one, until ctx is done.
func (a *App) runTrim(ctx context.Context) {
	ticker := time.NewTicker(trimEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		if !a.tends() {
			continue
		}
		if err := a.nodeLog.Trim(ctx, keepLog); err != nil {
			a.log.Warn("the log of the nodes cannot be made shorter; it is tried again", zap.Error(err))
		}
	}
}

// beginNodes has the others see this node, when all of it is there.
func (a *App) beginNodes() {
	if a.nodes != nil {
		a.opened.Store(true)
		a.nodes.Begin()
	}
}

// nodeStatus is what this node says of itself.
func (a *App) nodeStatus() cluster.Status {
	if !a.opened.Load() {
		return cluster.Status{}
	}
	at := a.whereabouts.now(time.Now(), func() whereabouts { return whereabouts{a.nodeURL(), a.MediaForNodes()} })
	url := ""
	if a.gateway.Behind() == nil { // else nobody is let in yet
		url = at.url
	}
	return cluster.Status{
		URL: url, Media: at.media, People: a.gateway.People(), Load: a.load.now(), Position: a.memory.Position(), Draining: a.gateway.Draining(),
	}
}

// whereabouts are where people reach this node's page, and other nodes its media port.
type whereabouts struct {
	url   string
	media []netip.AddrPort
}

// lookAgain is how often it is looked where this node is: the system is asked for that, and no other node looks more often.
const lookAgain = relink

// lately is what was last found to be so. The zero value is nothing.
type lately[T any] struct {
	mu    sync.Mutex // guards the fields below
	at    time.Time
	found T
}

// now returns what is so, as find has found lately.
func (l *lately[T]) now(now time.Time, find func() T) T {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.at.IsZero() || now.Sub(l.at) >= lookAgain {
		l.at, l.found = now, find()
	}
	return l.found
}

// nodeURL is where people reach this node's own page.
func (a *App) nodeURL() string {
	if others := a.OtherURLs(); len(others) > 0 { // it listens on all addresses, and this machine's own is no use to others
		return others[0]
	}
	return a.URL()
}

func (a *App) sayChange(c cluster.Change) {
	fields := []zap.Field{zap.String("node", c.Node.ID.Name), zap.Bool("quorum", a.nodes.Quorum())}
	switch {
	case c.Alive && c.Node.URL == "": // it says so when it lets people in
		a.log.Info("a node is there", fields...)
	case c.Alive:
		a.log.Info("a node is there", append(fields, zap.String("url", c.Node.URL))...)
	case c.Why == cluster.WhyLeft && a.nodes.Quorum():
		a.log.Info("a node has left", fields...)
	default:
		a.log.Warn("a node is gone", append(fields, zap.String("why", c.Why))...)
	}
}

const (
	// aloneAfter is how long a node that starts is given to find others before it says that it waits for them.
	aloneAfter = 3 * time.Second
	// aloneReminder is how often it says so.
	aloneReminder = time.Minute
)

// runNodes says when too few nodes are there, and what is waited for, until ctx is done.
func (a *App) runNodes(ctx context.Context) {
	ticker := time.NewTicker(aloneAfter)
	defer ticker.Stop()
	var said time.Time
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		alone := a.alone()
		switch {
		case alone == nil && !said.IsZero():
			said = time.Time{}
			a.log.Info("most of the nodes are there again")
		case alone != nil && time.Since(said) >= aloneReminder:
			said = time.Now()
			a.log.Warn(a.awaits(func(name string) string { return a.nodes.Absent(ctx, name) }).Error())
		}
	}
}

// alone says that too few of the nodes are there, and which are not; nil: most are.
func (a *App) alone() error {
	if a.nodes == nil || a.nodes.Quorum() {
		return nil
	}
	return a.awaits(func(string) string { return "" })
}

// awaits says for which nodes this one waits, and why, as far as that is known of those that were not refused.
func (a *App) awaits(why func(name string) string) error {
	var awaited []string
	all := a.nodes.Reports()
	for i := range all {
		switch r := &all[i]; r.State {
		case cluster.StateAwaited:
			awaited = append(awaited, r.ID.Name+why(r.ID.Name))
		case cluster.StateRefused:
			awaited = append(awaited, r.ID.Name+" (refused: "+r.Why+")")
		}
	}
	return fmt.Errorf("this node does not see most of the nodes, and waits for %s", strings.Join(awaited, ", "))
}

// aboutNodes adds figures of the other nodes; of a server that is alone there are none.
func (f *figures) aboutNodes() {
	if f.app.nodes == nil {
		return
	}
	f.gauge("nodes", "Nodes of this server that are there, this one too.", func(l *look) int { return len(l.app.nodes.Nodes()) })
	f.gauge("quorum", "1 while most of the nodes are there.", func(l *look) int { return oneIf(l.app.nodes.Quorum()) })
	f.gauge("log_trouble", "1 while this node does not keep its part of what all nodes remember, such as when its disk is full.", func(l *look) int {
		return oneIf(l.app.keepsNoLog() != nil)
	})
	f.counter("node_beats_lost_total", "Signs of life of other nodes that did not come.", func(l *look) int64 { return l.app.nodes.BeatsLost() })
	f.node("node_round_trip_seconds", "How long a message to another node takes, there and back.", func(r *cluster.Report) float64 { return r.RoundTrip.Seconds() })
	const ahead = "How far this node's clock is ahead of that of most nodes, by which it goes."
	f.add(prometheus.GaugeValue, "clock_ahead_seconds", ahead, "", func(l *look, tell func(float64, ...string)) {
		tell(l.app.nodes.Reports()[0].Clock.Seconds())
	})
	f.node("node_clock_seconds", "How far another node's clock is ahead of that of most nodes.", func(r *cluster.Report) float64 { return r.Clock.Seconds() })
}

// node adds a figure of each other node that is there.
func (f *figures) node(name, help string, value func(*cluster.Report) float64) {
	f.add(prometheus.GaugeValue, name, help, "node", func(l *look, tell func(float64, ...string)) {
		all := l.app.nodes.Reports()
		for i := range all[1:] {
			if r := &all[1+i]; r.State == cluster.StateHere {
				tell(value(r), r.ID.Name)
			}
		}
	})
}

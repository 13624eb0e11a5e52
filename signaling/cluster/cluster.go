package cluster

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"go.uber.org/zap"

	"github.com/mini-livechat/mini-livechat/sfu/pulse"
)

const (
	bootBytes = 8
	// maxArrived is how many messages may lie between the connection and the queue of what is to be told.
	maxArrived = 1 << 13
	// maxAnswering is how many requests are worked on at a time.
	maxAnswering = 256
	// routesEvery is how often it is looked for routes that have closed, beside the moments at which NATS says so.
	routesEvery = 250 * time.Millisecond
	// roundTripEvery is how often it is measured how long messages take.
	roundTripEvery = 2 * time.Second
	// farewell is how long leaving may take.
	farewell = 2 * time.Second

	subjectRoundTrip = "ping"
)

// Cluster is a node of several, over NATS: a [Bus] and [Members]. It listens from Open on, and others see it from Begin on, so that who
// subscribes in between misses nothing.
type Cluster struct {
	*station
	cfg    Config
	secret secret
	// proof and marks are made of the secret: what shows it, and by what keys of tokens are compared.
	proof  string
	marks  []byte
	names  []string // of all nodes, in order
	log    *zap.Logger
	sender *sender
	stop   context.CancelFunc
	over   context.Context //nolint:containedctx // of all the node's goroutines; stop ends it
	run    sync.WaitGroup

	server  *server.Server // nil: NATS runs elsewhere
	keeping keeping
	holders holders
	entry   *entry  // nil with a NATS elsewhere
	routes  *routes // nil: the same
	reach   *reach  // the same
	conn    *nats.Conn
	stream  jetstream.JetStream // where the durable log is kept
	// arrived is what came, of all subjects in order.
	arrived   chan *nats.Msg
	answering chan struct{} // a token for each request that is worked on
	toTell    chan struct{} // of capacity 1: there is something in the queue
	beats     atomic.Uint64
	begun     atomic.Bool

	subscribing sync.Mutex // guards subscribed
	subscribed  map[string]*subscribed
}

// subscribed is a subject of NATS, and how many here listen to it.
type subscribed struct {
	at        *nats.Subscription
	listeners int
}

// Open makes this node one of several. It returns when the node can be reached and does not wait for others.
func Open(cfg Config) (*Cluster, error) {
	boot := make([]byte, bootBytes)
	_, _ = rand.Read(boot) // never fails: it ends the program instead
	c := &Cluster{
		cfg: cfg, secret: secret(cfg.Secret), log: cfg.Log.Named("cluster"),
		arrived: make(chan *nats.Msg, maxArrived), answering: make(chan struct{}, maxAnswering), toTell: make(chan struct{}, 1),
		subscribed: make(map[string]*subscribed),
	}
	c.names = slices.Sorted(slices.Values(namesOf(cfg.Peers)))
	c.proof, c.marks = c.secret.proof(), c.secret.key("token keys", proofBytes)
	c.over, c.stop = context.WithCancel(context.Background())
	c.station = newStation(NodeID{cfg.Name, hex.EncodeToString(boot)}, c.identity, namesOf(cfg.Peers))
	c.wake = func() {
		select {
		case c.toTell <- struct{}{}:
		default:
		}
	}
	c.say = c.sayWord
	if err := c.connect(); err != nil {
		return nil, errors.Join(err, c.Close())
	}
	c.sender = newSender(c.conn.Publish)
	for _, work := range []func(){c.pump, c.tellAll, c.watch, func() { c.sender.run(c.over) }} {
		c.run.Go(work)
	}
	return c, nil
}

// connect reaches NATS, inside or elsewhere.
func (c *Cluster) connect() error {
	self, err := Self(c.cfg.Peers, c.cfg.Name)
	if err != nil {
		return err
	}
	options := []nats.Option{
		nats.Name("livechat " + c.cfg.Name), nats.NoEcho(), nats.MaxReconnects(-1), nats.ReconnectWait(BeatEvery),
		nats.ReconnectBufSize(-1), // what is published while it is down is lost at once, as others will be told
		nats.DisconnectErrHandler(c.disconnected), nats.ReconnectHandler(c.reconnected), nats.ErrorHandler(c.faulty),
	}
	if len(c.cfg.NATS) == 0 {
		c.conn, err = c.connectInside(self, options)
	} else {
		c.conn, err = c.connectElsewhere(options)
	}
	if err != nil {
		return err
	}
	if c.stream, err = jetstream.New(c.conn); err != nil {
		return fmt.Errorf("open JetStream: %w", err)
	}
	for _, subject := range []string{subjectBeats, c.askSubject(c.Self())} {
		if _, err := c.conn.ChanSubscribe(subject, c.arrived); err != nil {
			return fmt.Errorf("listen to the other nodes: %w", err)
		}
	}
	return nil
}

// identity is what this node shows of what all must have in common.
func (c *Cluster) identity() Identity {
	return Identity{cmp.Or(c.cfg.protocol, Protocol), c.proof, c.cfg.Keys(c.marks), c.names}
}

// Key returns key material that only nodes of this cluster can make, for a purpose that names everything it depends on.
func (c *Cluster) Key(purpose string, length int) []byte { return c.secret.key("for "+purpose, length) }

// Begin has the node say that it is there.
func (c *Cluster) Begin() {
	if c.begun.CompareAndSwap(false, true) {
		c.run.Go(c.beat)
	}
}

// Nodes is part of Members.
func (c *Cluster) Nodes() []Node {
	return append([]Node{{ID: c.Self(), Status: c.cfg.Status()}}, c.others()...)
}

// Publish is part of Bus.
func (c *Cluster) Publish(subject string, data []byte) error {
	switch {
	case len(data) > MaxMessageBytes:
		return ErrTooLong
	case c.left():
		return ErrClosed
	}
	return c.sender.put(wireSubject(subject), envelope(data, c.Self().Name, c.Self().Boot))
}

// Subscribe is part of Bus.
func (c *Cluster) Subscribe(subject string, receive func(from NodeID, data []byte)) (cancel func(), err error) {
	deaf, err := c.station.Subscribe(subject, receive)
	if err != nil {
		return nil, err
	}
	c.subscribing.Lock()
	defer c.subscribing.Unlock()
	s := c.subscribed[subject]
	if s == nil {
		s = &subscribed{}
		if s.at, err = c.conn.ChanSubscribe(wireSubject(subject), c.arrived); err != nil {
			deaf()
			return nil, fmt.Errorf("subscribe to %s: %w", subject, err)
		}
		c.subscribed[subject] = s
	}
	s.listeners++
	return sync.OnceFunc(func() {
		deaf()
		c.subscribing.Lock()
		defer c.subscribing.Unlock()
		if s.listeners--; s.listeners == 0 {
			delete(c.subscribed, subject)
			_ = s.at.Unsubscribe() // fails only when the connection is closed
		}
	}), nil
}

// Request is part of Bus.
func (c *Cluster) Request(ctx context.Context, to NodeID, subject string, data []byte) ([]byte, error) {
	if len(data) > MaxMessageBytes {
		return nil, ErrTooLong
	}
	asking, done, err := c.ask(ctx, to)
	if err != nil {
		return nil, err
	}
	defer done()
	answer, err := c.conn.RequestWithContext(asking, c.askSubject(to), envelope(data, c.Self().Name, c.Self().Boot, subject))
	switch {
	case asking.Err() != nil:
		return nil, context.Cause(asking)
	case errors.Is(err, nats.ErrNoResponders), errors.Is(err, nats.ErrDisconnected), errors.Is(err, nats.ErrConnectionReconnecting):
		return nil, fmt.Errorf("%w: %s", ErrGone, to.Name)
	case err != nil:
		return nil, fmt.Errorf("ask %s: %w", to.Name, err)
	}
	return openAnswer(answer.Data)
}

// askSubject is where a node is asked.
func (c *Cluster) askSubject(to NodeID) string { return wireSubject("ask." + to.Boot) }

// pump takes what arrives, in order and without waiting.
func (c *Cluster) pump() {
	for {
		select {
		case <-c.over.Done():
			return
		case m := <-c.arrived:
			c.take(m)
		}
	}
}

func (c *Cluster) take(m *nats.Msg) {
	switch m.Subject {
	case subjectBeats:
		var b beat
		if json.Unmarshal(m.Data, &b) == nil {
			b.At -= c.cfg.ahead.Milliseconds()
			c.hear(time.Now(), &b)
		}
	case c.askSubject(c.Self()):
		c.takeRequest(m)
	default:
		if from, data, err := opened(m.Data); err == nil {
			c.arrive(from, m.Subject[len(wireSubject("")):], data)
		}
	}
}

func (c *Cluster) takeRequest(m *nats.Msg) {
	from, data, err := opened(m.Data)
	if err != nil {
		return
	}
	subject, data, err := text(data)
	if err != nil {
		return
	}
	if subject == subjectRoundTrip {
		_ = m.Respond([]byte{answerData}) // who does not get it asks again
		return
	}
	select {
	case c.answering <- struct{}{}:
	default:
		_ = m.Respond(sealAnswer(nil, ErrBusy))
		return
	}
	c.run.Go(func() {
		defer func() { <-c.answering }()
		answer, err := c.answered(c.over, from, subject, data)
		if err == nil && len(answer) > MaxMessageBytes {
			err = ErrTooLong
		}
		_ = m.Respond(sealAnswer(answer, err)) // fails only when there is no connection, which who asked learns
	})
}

// tellAll empties the queue of what is to be told whenever there is something in it.
func (c *Cluster) tellAll() {
	for {
		select {
		case <-c.over.Done():
			return
		case <-c.toTell:
			c.tell()
		}
	}
}

// beat says that the node is there, and who is silent.
func (c *Cluster) beat() {
	ticker := pulse.NewTicker(BeatEvery)
	defer ticker.Stop()
	for c.over.Err() == nil {
		c.sendBeat(false)
		select {
		case <-c.over.Done():
		case <-ticker.C:
		}
	}
}

func (c *Cluster) sendBeat(leaving bool) {
	own := c.identity()
	b := beat{
		Protocol: own.Protocol, Name: c.Self().Name, Boot: c.Self().Boot, Proof: own.Proof, Keys: own.Keys, Nodes: own.Nodes,
		Number: c.beats.Add(1), At: time.Now().Add(c.cfg.ahead).UnixMilli(), Leaving: leaving, Status: c.cfg.Status(),
	}
	_ = c.conn.Publish(subjectBeats, b.encode()) // one that is lost is counted by those who miss it
}

// watch looks who is silent, which routes are closed, and how long messages take.
func (c *Cluster) watch() {
	ticker := pulse.NewTicker(routesEvery)
	defer ticker.Stop()
	measured := time.Time{}
	c.keeping.looked = time.Now()
	for {
		select {
		case <-c.over.Done():
			return
		case <-c.routes.mayHaveClosed():
			c.lookAtRoutes()
			continue
		case p := <-c.reach.probed():
			c.reached(p)
			continue
		case <-ticker.C:
		}
		now := time.Now()
		c.look(now)
		if c.routes != nil {
			c.lookAtRoutes()
			c.reachOut(now)
		}
		c.lookAfterLog(now)
		c.lookAfterHolders(now)
		if now.Sub(measured) >= roundTripEvery {
			measured = now
			c.run.Go(c.measure)
		}
	}
}

// lookAtRoutes cuts off the nodes whose route has closed.
func (c *Cluster) lookAtRoutes() {
	for _, name := range c.routes.closed() {
		c.cut(name, "the way to it is closed")
	}
}

// measure asks all others for a sign, and notes how long it takes.
func (c *Cluster) measure() {
	var all sync.WaitGroup
	for _, n := range c.others() {
		all.Go(func() {
			ctx, cancel := context.WithTimeout(c.over, roundTripEvery)
			defer cancel()
			began := time.Now()
			if _, err := c.Request(ctx, n.ID, subjectRoundTrip, nil); err == nil {
				c.took(n.ID, time.Since(began))
			}
		})
	}
	all.Wait()
}

func (c *Cluster) sayWord(w word) {
	fields := []zap.Field{zap.String("node", w.node)}
	if w.clock != 0 {
		fields = append(fields, zap.Duration("ahead", w.clock.Round(time.Second)))
	}
	c.log.Warn(w.text, fields...)
}

func (c *Cluster) disconnected(*nats.Conn, error) {
	if c.left() {
		return
	}
	c.log.Error("the connection to NATS is down, so this node is alone; it is tried again")
	c.cut("", "this node has no connection to NATS")
}

func (c *Cluster) reconnected(*nats.Conn) {
	c.log.Info("there is a connection to NATS again")
}

// faulty is told of what NATS could not do.
func (c *Cluster) faulty(_ *nats.Conn, _ *nats.Subscription, err error) {
	if errors.Is(err, nats.ErrSlowConsumer) {
		c.overrun("this node could not keep up with what the others said")
	}
	c.log.Warn("NATS", zap.Error(err))
}

// Close has the node leave: the others are told, what was published is sent, and nothing is told any more.
func (c *Cluster) Close() error {
	c.close()
	c.stop()
	c.run.Wait()
	if c.conn != nil {
		if c.begun.Load() {
			c.sendBeat(true)
		}
		if c.conn.IsConnected() {
			_ = c.conn.FlushTimeout(farewell) // who was not told sees that the way is closed
		}
		c.conn.Close()
	}
	if c.server != nil {
		c.server.Shutdown()
		c.server.WaitForShutdown()
	}
	return nil
}

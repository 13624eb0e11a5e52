// Package relay carries voice between the nodes that are one server: over a link of the media port to each other node goes a stream for each
// talker who can be heard there, and comes one for each of theirs who can be heard here.
//
// It knows neither channels nor who may hear whom. What a node wants to hear it says by messages, which somebody else carries ([Config.Send],
// [Relay.Receive]); by the same messages it learns whose voice is on which SSRC. What is said goes over the link only, encrypted under keys that
// both nodes derive from the cluster's secret. A packet of an SSRC that nobody has told of is dropped and counted.
//
// # Goroutines
//
// [Relay.Run] is the one that reports, tells messages, and asks again for what was lost. Packets are handled on the media port's loops, without a lock that
// any two links share and without allocating. All methods may be called from any goroutine. Those that [Config] says are called under a lock of the
// caller's (Line, Free, Voice, Hush, Want) never wait.
package relay

import (
	"context"
	"crypto/rand"
	"errors"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/mini-livechat/mini-livechat/sfu/pulse"
	"github.com/mini-livechat/mini-livechat/sfu/wire"
)

const (
	// tickInterval is how often each end of a link reports, which costs it 80 bytes.
	tickInterval = 250 * time.Millisecond
	// lookTicks is every how many of them the streams are looked at.
	lookTicks = 4
	// lostAfter is after how long without a word from the other end, or without a sign that it hears us, a link is lost: twelve reports, so that
	// where a third of all packets is lost each way it happens once in an hour by chance.
	lostAfter = 3 * time.Second
	// helloInterval is how often a node is told again of a link that has no keys yet.
	helloInterval = time.Second
)

// ErrClosed means that the Relay was closed.
var ErrClosed = errors.New("relay: closed")

// Node is one start of one node: its name, and what another start of it has otherwise.
type Node struct{ Name, Boot string }

// String is the node's name and boot.
func (n Node) String() string { return n.Name + "/" + n.Boot }

// Config is what a Relay needs to know. All fields but Changed must be set.
type Config struct {
	Self Node
	// Secret is the cluster's, at least wire.MinLinkSecret bytes.
	Secret []byte
	// Engine is the media port. The Relay must be closed before it is.
	Engine *wire.Engine
	// Send carries a message to another node's Receive: in the order of the calls, each at most once. It must not wait. What could not be
	// sent is lost.
	Send func(to Node, message []byte) error
	// Feed has what is said in a channel here be carried over a link, of as many talkers as slots and those in pins; of nobody with 0 slots. It
	// reports false when there is no such channel, and is then called again.
	Feed func(channelID string, over *Link, slots int, pins []string) bool
	// Changed is told that a link has come up, or is lost. It must not block, nor call back.
	Changed func(node Node, up bool)
}

// Relay is this node's end of all links.
type Relay struct {
	cfg  Config
	out  *wire.Batch   // Run's own
	wake chan struct{} // has a token when there is something to tell

	// feeding is held while Feed is called, so that calls of one link have an order. It is taken before the caller's locks; mu after them.
	feeding sync.Mutex

	mu     sync.Mutex // guards the fields below
	closed bool
	links  map[Node]*Link
	wants  map[string]Want // what this node wants to hear, by channel
	ins    map[talker]*In
}

// talker is somebody's voice in a channel.
type talker struct{ node, channel, user string }

// Want is what a node wants to hear of a channel.
type Want struct {
	Channel string   `json:"channel"`
	Slots   int      `json:"slots,omitempty"` // 0: nothing any more
	Pins    []string `json:"pins,omitempty"`
}

// New returns a Relay without links.
func New(cfg Config) *Relay {
	return &Relay{
		cfg: cfg, out: cfg.Engine.NewBatch(), wake: make(chan struct{}, 1),
		links: make(map[Node]*Link), wants: make(map[string]Want), ins: make(map[talker]*In),
	}
}

// Run keeps the links until ctx is done. It may run once.
func (r *Relay) Run(ctx context.Context) {
	ticker := pulse.NewTicker(tickInterval)
	defer ticker.Stop()
	for ticks := 0; ; {
		select {
		case <-ctx.Done():
			return
		case <-r.wake:
			r.tell()
		case now := <-ticker.C:
			ticks++
			for _, l := range r.all() {
				l.tick(r.out, ticks%lookTicks == 0, now)
				r.mend(l)
			}
			r.out.Flush()
			r.feed()
			r.tell()
		}
	}
}

// Close ends all links. Nothing is fed any more when it returns.
func (r *Relay) Close() {
	r.mu.Lock()
	r.closed = true
	r.mu.Unlock()
	for _, l := range r.all() {
		r.Remove(l.node)
	}
}

// Put makes a link to a node that is there, whose media port is reached at one of these addresses, or has it be at others.
func (r *Relay) Put(node Node, at []netip.AddrPort) {
	r.mu.Lock()
	was := r.links[node]
	if r.closed || node == r.cfg.Self || was != nil && slices.Equal(was.at, at) {
		r.mu.Unlock()
		return
	}
	l := r.newLinkLocked(node, at, rand.Text())
	r.mu.Unlock()
	r.end(was)
	l.hello()
}

// Remove ends the link to a node that is gone.
func (r *Relay) Remove(node Node) {
	r.mu.Lock()
	l := r.links[node]
	delete(r.links, node)
	r.mu.Unlock()
	r.end(l)
}

// newLinkLocked makes a link that has no keys, in the place of the one there was, which the caller ends.
func (r *Relay) newLinkLocked(node Node, at []netip.AddrPort, nonce string) *Link {
	l := &Link{relay: r, node: node, at: at, nonce: nonce, since: time.Now(), outs: make(map[talker]*line), wanted: make(map[string]*wanted)}
	r.links[node] = l
	return l
}

// renew replaces a link by one that begins anew with the same nonce, since the other end did, or with another.
func (r *Relay) renew(was *Link, nonce string) *Link {
	r.mu.Lock()
	if r.links[was.node] != was {
		r.mu.Unlock()
		return nil
	}
	l := r.newLinkLocked(was.node, was.at, nonce)
	r.mu.Unlock()
	r.end(was)
	return l
}

// end takes a link out that nobody finds any more; nil does nothing.
func (r *Relay) end(l *Link) {
	if l == nil {
		return
	}
	r.feeding.Lock()
	defer r.feeding.Unlock()
	for _, w := range l.shut() {
		r.cfg.Feed(w.Channel, l, 0, nil)
	}
	r.forget(l)
}

// mend makes a link anew whose endpoint has ended by itself.
func (r *Relay) mend(l *Link) {
	if l.broken() {
		if next := r.renew(l, rand.Text()); next != nil {
			next.hello()
		}
	}
}

// Want says what this node's members can hear of others in a channel: as many at once as slots, and by name those in pins. With 0 slots it is
// nothing.
func (r *Relay) Want(channelID string, slots int, pins []string) {
	w := Want{channelID, slots, pins}
	r.mu.Lock()
	defer r.mu.Unlock()
	if slots <= 0 {
		w = Want{Channel: channelID}
		delete(r.wants, channelID)
	} else {
		r.wants[channelID] = w
	}
	for _, l := range r.links {
		l.post(func(m *Message) { m.Wants = append(m.Wants, w) })
	}
}

// feed hands on what other nodes want, as far as it was not yet.
func (r *Relay) feed() {
	r.feeding.Lock()
	defer r.feeding.Unlock()
	for _, l := range r.all() {
		for _, w := range l.unfed() {
			if r.cfg.Feed(w.Channel, l, w.Slots, w.Pins) || w.Slots == 0 {
				l.fed(w)
			}
		}
	}
}

// tell sends what waits to be told.
func (r *Relay) tell() {
	for _, l := range r.all() {
		l.flush()
	}
}

// rouse has Run tell what waits.
func (r *Relay) rouse() {
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

func (r *Relay) all() []*Link {
	r.mu.Lock()
	defer r.mu.Unlock()
	all := make([]*Link, 0, len(r.links))
	for _, l := range r.links {
		all = append(all, l)
	}
	return all
}

func (r *Relay) link(node Node) *Link {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.links[node]
}

// allWants is all that this node wants to hear.
func (r *Relay) allWants() []Want {
	r.mu.Lock()
	defer r.mu.Unlock()
	all := make([]Want, 0, len(r.wants))
	for _, w := range r.wants {
		all = append(all, w)
	}
	return all
}

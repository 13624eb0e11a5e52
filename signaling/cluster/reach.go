package cluster

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"slices"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"go.uber.org/zap"
)

// NATS tries a node that it has lost every second, and waits another one for what the network may have lost, so that two are over before it
// knows that there is a way again. A node looks for itself, more often, whether those that are missing can be reached, and has NATS connect
// at once when one can that could not.

const (
	// probeEvery is how often it is tried to reach a node that is missing, probeWithin for how long: further away it is left to NATS.
	probeEvery, probeWithin = 250 * time.Millisecond, 250 * time.Millisecond
)

// reach finds out which nodes can be reached again. Watch's goroutine uses it, and has the probes tell it what they found.
type reach struct {
	opts  *server.Options // those in force
	peers map[string]*lostPeer
	found chan probed
}

// lostPeer is a node to which there may be no route.
type lostPeer struct {
	Peer
	probing bool
	dark    bool // it did not answer
	tried   time.Time
	renewed int // how often NATS was told to connect
}

// probed is what a probe found.
type probed struct {
	name    string
	answers bool
}

// newReach is for a node of these peers. Of two nodes the one whose name comes first looks for the other: where both connect at the same
// moment, NATS closes both connections and waits.
func newReach(self string, peers []Peer, opts *server.Options) *reach {
	r := &reach{opts: opts, peers: make(map[string]*lostPeer), found: make(chan probed, len(peers))}
	for _, p := range peers {
		if self < p.Name {
			r.peers[p.Name] = &lostPeer{Peer: p}
		}
	}
	return r
}

// routesTo are those of NATS to all nodes, this one too: from their number NATS knows how many there should be. A route that has been renewed
// is another one to NATS, and leads to the same place. They are in NATS's order: it would sort them where others read them.
func routesTo(peers []Peer, renewed func(name string) int) (routes []*url.URL) {
	for _, p := range peers {
		u := &url.URL{Scheme: "nats-route", Host: p.Address}
		if n := renewed(p.Name); n > 0 {
			u.Fragment = fmt.Sprint(n)
		}
		routes = append(routes, u)
	}
	slices.SortFunc(routes, func(a, b *url.URL) int { return cmp.Compare(a.String(), b.String()) })
	return routes
}

// probed has what probes found; nil for none.
func (r *reach) probed() <-chan probed {
	if r == nil {
		return nil
	}
	return r.found
}

// reached takes what a probe found.
func (c *Cluster) reached(p probed) {
	peer := c.reach.peers[p.name]
	if peer.probing = false; p.answers && peer.dark && !c.routes.has(p.name) {
		c.connectAnew(peer)
	}
	peer.dark = !p.answers
}

// reachOut begins probes, one at a time for each node that is missing.
func (c *Cluster) reachOut(now time.Time) {
	r := c.reach
	for _, peer := range r.peers {
		if c.routes.has(peer.Name) {
			peer.dark = false
			continue
		}
		if peer.probing || now.Sub(peer.tried) < probeEvery {
			continue
		}
		peer.probing, peer.tried = true, now
		c.run.Go(func() { r.found <- probed{peer.Name, c.answers(peer.Address)} })
	}
}

// answers reports whether a node's port for other nodes can be reached.
func (c *Cluster) answers(address string) bool { return try(c.over, address) == nil }

func try(ctx context.Context, address string) error {
	dialer := net.Dialer{Timeout: probeWithin, KeepAlive: -1}
	conn, err := dialer.DialContext(ctx, "tcp", address)
	if err == nil {
		err = conn.Close()
	}
	return err //nolint:wrapcheck // of the network
}

// Absent says in words, in brackets, why a node does not answer, as far as it can be told from here; "" of one that is none of the peers. It
// tries to reach the node.
func (c *Cluster) Absent(ctx context.Context, name string) string {
	for _, p := range c.cfg.Peers {
		if p.Name == name {
			return c.absent(ctx, p)
		}
	}
	return ""
}

// absent says in words, in brackets, why a node does not answer; "" where NATS runs elsewhere and nobody can tell.
func (c *Cluster) absent(ctx context.Context, p Peer) string {
	if c.server == nil {
		return ""
	}
	err := try(ctx, p.Address)
	if err == nil {
		return " (which is at " + p.Address + ", and says in its log why, if it does not let this node in)"
	}
	if dns, ok := errors.AsType[*net.DNSError](err); ok {
		return " (the name " + dns.Name + " is not known: " + dns.Err + ")"
	}
	return " (nobody is at " + p.Address + ": " + cmp.Or(errors.Unwrap(err), err).Error() + ")"
}

// connectAnew has NATS give up its route to a node, which is none, and begin another one at once.
func (c *Cluster) connectAnew(peer *lostPeer) {
	if !c.server.JetStreamEnabled() { // new options would have it tried too, whether there is room or not
		return
	}
	peer.renewed++
	opts := *c.reach.opts
	opts.Routes = routesTo(c.cfg.Peers, func(name string) int {
		if p := c.reach.peers[name]; p != nil {
			return p.renewed
		}
		return 0
	})
	if err := c.server.ReloadOptions(&opts); err != nil {
		c.log.Warn("a node that can be reached again is left to NATS", zap.String("node", peer.Name), zap.Error(err))
		return
	}
	c.reach.opts = &opts
	c.log.Info("a node can be reached again", zap.String("node", peer.Name))
}

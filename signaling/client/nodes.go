package client

import (
	"errors"
	"slices"
	"time"

	"github.com/mini-livechat/mini-livechat/signaling/protocol"
)

const (
	// aliveLimit is how long nothing may come of a server that has other nodes. It gives a sign of life every second.
	aliveLimit = 2 * time.Second
	// nodePatience is how long another node may take until HELLO, and ownPatience the one that was lost, unless the link took longer to
	// open there before: the way to it may be what is broken.
	nodePatience = 2 * time.Second
	ownPatience  = 500 * time.Millisecond
)

// several reports whether the server has other nodes, or may have.
func (l *link) several() bool { return slices.Contains(l.hello.Features, protocol.FeatureNodes) }

// learn takes what the server says for the case that this node dies; what is nil stays as it is. Only the running goroutine calls it.
func (c *Client) learn(nodes []string, rejoin *protocol.Rejoin) {
	if nodes != nil {
		c.nodes = nodes
	}
	if rejoin != nil {
		c.ticket = rejoin.Ticket
	}
}

// route is where to look for a server, in this order: the gateway of the session's node, or another node's, that of the user first. own says
// whether the session's may live; else it is the last.
func route(userID, gateway string, nodes []string, own bool) []string {
	var others []string
	for _, node := range protocol.NodesFor(userID, nodes) {
		if other, err := gatewayURL(node); err == nil && other != gateway {
			others = append(others, other)
		}
	}
	if own {
		return append([]string{gateway}, others...)
	}
	return append(others, gateway)
}

// mayLive reports whether a node may still have the session after a link ended so, or at least take the client: it did not say that it goes.
func mayLive(cause error) bool {
	closed, ok := errors.AsType[*CloseError](cause)
	return !ok || closed.Code != protocol.CloseRestarting && closed.Code != protocol.CloseDraining
}

// openTimeout is how long a try may take until HELLO.
func (c *Client) openTimeout(gateway string) time.Duration {
	switch {
	case len(c.nodes) == 0:
		return tryTimeout
	case gateway == c.gateway:
		return min(max(ownPatience, c.openedIn), nodePatience)
	default:
		return nodePatience
	}
}

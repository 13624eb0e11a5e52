package e2e

import (
	"context"
	"net"
	"sync/atomic"
	"testing"

	"github.com/gorilla/websocket"
	"github.com/pion/transport/v5"

	"github.com/mini-livechat/mini-livechat/signaling/client"
)

// cable is a person's network, which can be pulled: then nothing gets through any more,
// in either direction, and nobody is told.
type cable struct {
	webSocket, media atomic.Bool // pulled
	// checksOnly loses all of media but STUN, as a firewall does that does not know the rest.
	checksOnly atomic.Bool
	// networks counts how often the person has moved to another network: sockets of the one
	// before are dead, and new ones live.
	networks atomic.Int32
	// mutes counts how often what the person's media sockets send began to get lost, while what is sent to
	// them arrives. Sockets opened later are sound.
	mutes atomic.Int32
}

// plug makes a client use the cable.
func (c *cable) plug(t *testing.T) func(*client.Options) {
	t.Helper()
	return func(o *client.Options) {
		o.Dialer = &websocket.Dialer{NetDialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
			conn, err := (&net.Dialer{}).DialContext(ctx, network, addr)
			return &cutConn{Conn: conn, cable: c, network: c.networks.Load()}, err
		}}
		o.Engine = loopbackEngine(t, func(cfg *client.EngineConfig) {
			cfg.Net = func(system transport.Net) transport.Net { return &cutNet{Net: system, cable: c} }
		})
	}
}

type cutConn struct {
	net.Conn

	cable   *cable
	network int32
}

func (c *cutConn) dead() bool {
	return c.cable.webSocket.Load() || c.cable.networks.Load() != c.network
}

func (c *cutConn) Read(b []byte) (int, error) {
	for {
		n, err := c.Conn.Read(b)
		if err != nil || !c.dead() {
			return n, err
		}
	}
}

func (c *cutConn) Write(b []byte) (int, error) {
	if c.dead() {
		return len(b), nil
	}
	return c.Conn.Write(b)
}

type cutNet struct {
	transport.Net

	cable *cable
}

func (n *cutNet) ListenUDP(network string, addr *net.UDPAddr) (transport.UDPConn, error) {
	conn, err := n.Net.ListenUDP(network, addr)
	if err != nil {
		return nil, err
	}
	return &cutUDP{UDPConn: conn, cable: n.cable, network: n.cable.networks.Load(), mutes: n.cable.mutes.Load()}, nil
}

type cutUDP struct {
	transport.UDPConn

	cable          *cable
	network, mutes int32
}

func (c *cutUDP) dead() bool { return c.cable.media.Load() || c.cable.networks.Load() != c.network }

func (c *cutUDP) ReadFrom(b []byte) (int, net.Addr, error) {
	for {
		n, addr, err := c.UDPConn.ReadFrom(b)
		if err != nil || !c.dead() {
			return n, addr, err
		}
	}
}

func (c *cutUDP) WriteTo(b []byte, addr net.Addr) (int, error) {
	const maxSTUN = 3 // RFC 7983 §7
	if c.dead() || c.cable.mutes.Load() != c.mutes || c.cable.checksOnly.Load() && b[0] > maxSTUN {
		return len(b), nil
	}
	return c.UDPConn.WriteTo(b, addr)
}

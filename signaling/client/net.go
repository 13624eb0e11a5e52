package client

import (
	"context"
	"fmt"
	"net"
	"time"

	"github.com/pion/transport/v5"
	"github.com/pion/transport/v5/stdnet"
)

// dialTimeout is how long connecting to a TURN server by TCP may take: that of finding any
// other path. The system would go on for minutes where a firewall swallows everything.
const dialTimeout = 10 * time.Second

// callNet is the network as pion's ICE agent sees it: connecting ends with the call, which
// would wait for it otherwise.
type callNet struct {
	transport.Net

	over <-chan struct{}
}

func newCallNet(over <-chan struct{}) (*callNet, error) {
	system, err := stdnet.NewNet()
	if err != nil {
		return nil, fmt.Errorf("list the network's interfaces: %w", err)
	}
	return &callNet{Net: system, over: over}, nil
}

// Interfaces lists those of now, since an ICE restart follows the machine to another network; pion's own list is of when it
// was made.
func (n *callNet) Interfaces() ([]*transport.Interface, error) {
	now, err := stdnet.NewNet()
	if err != nil {
		return nil, fmt.Errorf("list the network's interfaces: %w", err)
	}
	return now.Interfaces() //nolint:wrapcheck // pion's to judge
}

// DialTCP connects to raddr, for at most dialTimeout and not beyond the call's end.
func (n *callNet) DialTCP(network string, laddr, raddr *net.TCPAddr) (transport.TCPConn, error) {
	ctx, cancel := context.WithTimeout(context.Background(), dialTimeout)
	defer cancel()
	done := make(chan struct{})
	defer close(done)
	go func() {
		select {
		case <-n.over:
			cancel()
		case <-done:
		}
	}()
	dialer := net.Dialer{}
	if laddr != nil {
		dialer.LocalAddr = laddr
	}
	conn, err := dialer.DialContext(ctx, network, raddr.String())
	if err != nil {
		return nil, err //nolint:wrapcheck // pion's to judge
	}
	return conn.(*net.TCPConn), nil //nolint:errcheck // network is one of TCP
}

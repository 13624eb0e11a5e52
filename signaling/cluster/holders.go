package cluster

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"go.uber.org/zap"
)

// Who holds the log: nodes of the list with which this one was started, whatever it was when the log was begun. JetStream counts all servers
// that it ever saw until it is told that one will not come back. Without that, a machine replaced by one of another name would leave a log
// that waits for one that is gone for good, and so stands still with the loss of the next.

const (
	// holdersEvery is how often that is looked at, holdersPatience how long a change may take.
	holdersEvery, holdersPatience = 2 * time.Second, 5 * time.Second
)

// holders is how far it has been seen to who holds the log.
type holders struct {
	looked  time.Time // by watch
	working atomic.Bool
	enough  atomic.Bool // it is on as many nodes as it should be
}

// entry lets this process alone into the NATS inside: by one token to speak to other nodes, by the other to decide which there are.
type entry struct {
	token, operator string
	system          func() *server.Account
}

// Check is part of server.Authentication.
func (e *entry) Check(client server.ClientAuthentication) bool {
	switch client.GetOpts().Token {
	case e.token:
		return true
	case e.operator:
		client.RegisterUser(&server.User{Account: e.system()})
		return true
	}
	return false
}

// lookAfterHolders has the log be held by the nodes that there are to be, if this node leads JetStream.
func (c *Cluster) lookAfterHolders(now time.Time) {
	h := &c.holders
	if c.server == nil || now.Sub(h.looked) < holdersEvery {
		return
	}
	h.looked = now
	if !c.server.JetStreamIsLeader() || !h.working.CompareAndSwap(false, true) {
		return
	}
	c.run.Go(func() {
		defer h.working.Store(false)
		if err := c.settleHolders(); err != nil {
			c.log.Warn("the log is not yet on the nodes that it should be on; it is tried again", zap.Error(err))
		}
	})
}

// settleHolders lets go of servers that are not in the list, and then has the log be on as many nodes as it should be. Nothing is done before
// all nodes of the list are there, so that one which knows less than the others does no harm.
func (c *Cluster) settleHolders() error {
	report, err := c.server.Jsz(nil)
	if err != nil || report.Meta == nil {
		return err
	}
	listed := namesOf(c.cfg.Peers)
	there := []string{c.cfg.Name}
	var strangers []*server.PeerInfo
	for _, r := range report.Meta.Replicas {
		switch known := slices.Contains(listed, r.Name); {
		case known && !r.Offline:
			there = append(there, r.Name)
		case !known && r.Offline:
			strangers = append(strangers, r)
		}
	}
	switch {
	case len(there) < len(listed):
		return nil
	case len(strangers) > 0:
		return c.letGo(strangers[0])
	case c.holders.enough.Load():
		return nil
	}
	return c.spread()
}

// letGo tells JetStream that a server will not come back. What that held, another one does.
func (c *Cluster) letGo(stranger *server.PeerInfo) error {
	conn, err := nats.Connect("", nats.InProcessServer(c.server), nats.Token(c.entry.operator), nats.NoReconnect())
	if err != nil {
		return fmt.Errorf("connect to NATS inside: %w", err)
	}
	defer conn.Close()
	request, err := json.Marshal(server.JSApiMetaServerRemoveRequest{Peer: stranger.Peer})
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(c.over, holdersPatience)
	defer cancel()
	answer, err := conn.RequestWithContext(ctx, server.JSApiRemoveServer, request)
	if err != nil {
		return fmt.Errorf("let go of %s: %w", stranger.Name, err)
	}
	var said server.JSApiMetaServerRemoveResponse
	if err = json.Unmarshal(answer.Data, &said); err != nil {
		return fmt.Errorf("let go of %s: %w", stranger.Name, err)
	}
	if said.Error != nil {
		return fmt.Errorf("let go of %s: %w", stranger.Name, said.Error)
	}
	c.log.Info("the log waits no more for a node that is not in --cluster-peers", zap.String("node", stranger.Name))
	return nil
}

// spread has the log be on more nodes where the list has become longer.
func (c *Cluster) spread() error {
	ctx, cancel := context.WithTimeout(c.over, holdersPatience)
	defer cancel()
	stream, err := c.stream.Stream(ctx, logStream)
	if err != nil {
		return nil // it has not begun, or nobody leads it, which is said elsewhere
	}
	config, replicas := stream.CachedInfo().Config, c.Log().replicas()
	if config.Replicas < replicas {
		config.Replicas = replicas
		if _, err = c.stream.UpdateStream(ctx, config); err != nil {
			return fmt.Errorf("have the log on %d nodes: %w", replicas, err)
		}
		c.log.Info("the log is on more nodes", zap.Int("nodes", replicas))
	}
	c.holders.enough.Store(true)
	return nil
}

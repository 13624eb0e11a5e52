package signaling

import (
	"context"
	"errors"
	"time"

	"go.uber.org/zap"

	"github.com/mini-livechat/mini-livechat/signaling/protocol"
	"github.com/mini-livechat/mini-livechat/signaling/store"
)

// RunReaper sweeps every ReaperInterval until ctx is done.
func (g *Gateway) RunReaper(ctx context.Context) {
	ticker := time.NewTicker(g.cfg.ReaperInterval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-ticker.C:
			g.Sweep(now) //nolint:contextcheck // what it deletes is deleted, though the server stops
		}
	}
}

// RunDecisions decides until ctx is done who is speaking and who gets a slot. It may run
// once.
func (g *Gateway) RunDecisions(ctx context.Context) { g.channels.RunDecisions(ctx) }

// RunWatch tells the members of a channel whose media falls silent and comes again, and takes
// out those who are gone, until ctx is done. It may run once.
func (g *Gateway) RunWatch(ctx context.Context) { g.peers.RunWatch(ctx, g.cfg.ZombieTimeout) }

// Sweep closes the connections and removes the media peers that have shown no sign of life
// for the zombie timeout as of now, ends old probes, forgets old replies and deletes idle
// channels. The members are told. Connections that missed a heartbeat are sent a WebSocket
// ping, which a browser answers even when it has put the page to sleep; those that keep
// theirs need none.
func (g *Gateway) Sweep(now time.Time) {
	zombies, peers, channels := 0, 0, 0
	g.guard("reaper: connections", func() { zombies = g.sweepConns(now) })
	g.guard("reaper: media", func() { peers = g.peers.Reap(now, g.cfg.ZombieTimeout) })
	g.sweepSessions(now)
	g.guard("reaper: channels", func() { channels = g.reapChannels(now) })
	if zombies+peers+channels > 0 {
		g.log.Info("reaped", zap.Int("sessions", zombies), zap.Int("media_peers", peers), zap.Int("channels", channels))
	}
}

// reapChannels deletes channels of guests that were empty for long; of several nodes one does.
func (g *Gateway) reapChannels(now time.Time) (reaped int) {
	if !g.cfg.Store.Shared() {
		return g.channels.ReapIdle(now, g.cfg.ChannelIdle)
	}
	if !g.others.first() {
		return 0
	}
	g.administering.Lock()
	defer g.administering.Unlock()
	for _, c := range g.channels.Idle(now, g.cfg.ChannelIdle) {
		_, err := g.cfg.Store.Append(context.Background(), now, store.ChannelDeleted{ChannelID: c.ID()})
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return reaped // the next sweep tries again
		}
		if g.channels.Delete(c, "") {
			reaped++
		}
	}
	return reaped
}

// guard runs a part of the gateway's own work. A panic in it ends that part and no more.
func (g *Gateway) guard(part string, run func()) { g.contain(g.log, part, run) }

// contain is guard for what is done for one session, whose log it is.
func (g *Gateway) contain(log *zap.Logger, part string, run func()) {
	defer func() {
		if cause := recover(); cause != nil {
			g.panicked(log, part, cause)
		}
	}()
	run()
}

func (g *Gateway) sweepConns(now time.Time) (zombies int) {
	for _, c := range g.users.FindSilent(now, min(g.cfg.HeartbeatInterval, g.cfg.ZombieTimeout)) {
		if now.Sub(c.LastSeen()) <= g.cfg.ZombieTimeout {
			c.ping()
			continue
		}
		zombies++
		c.close(protocol.CloseTimedOut)
	}
	return zombies
}

func (g *Gateway) sweepSessions(now time.Time) {
	for _, s := range g.users.All() {
		g.contain(s.log, "reaper: session", func() {
			s.probes.reap(now)
			// Who has gone on talking to us for so long has what was said before.
			if s.attached() != nil {
				s.out.forgetReplies(now, g.cfg.ZombieTimeout)
			}
		})
	}
}

package signaling

import (
	"context"
	"time"

	"go.uber.org/zap"

	"github.com/mini-livechat/mini-livechat/signaling/protocol"
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
			g.Sweep(now)
		}
	}
}

// RunDecisions decides until ctx is done who is speaking and who gets a slot. It may run
// once.
func (g *Gateway) RunDecisions(ctx context.Context) { g.channels.RunDecisions(ctx) }

// Sweep ends the sessions and removes the media peers that have shown no sign of life
// for the zombie timeout as of now, ends old probes and deletes idle channels. The members
// are told.
// Sessions that missed a heartbeat are sent a WebSocket ping, which a browser answers
// even when it has put the page to sleep; those that keep theirs need none.
func (g *Gateway) Sweep(now time.Time) {
	zombies := 0
	for _, user := range g.users.FindSilent(now, min(g.cfg.HeartbeatInterval, g.cfg.ZombieTimeout)) {
		if now.Sub(user.LastSeen()) <= g.cfg.ZombieTimeout {
			user.tx.push(&outbound{})
			continue
		}
		zombies++
		user.evict(protocol.CloseTimedOut)
	}
	peers := g.peers.Reap(now, g.cfg.ZombieTimeout)
	g.reapProbes(now)
	channels := g.channels.ReapIdle(now, g.cfg.ChannelIdle)
	if zombies+peers+channels > 0 {
		g.log.Info("reaped", zap.Int("sessions", zombies), zap.Int("media_peers", peers), zap.Int("channels", channels))
	}
}

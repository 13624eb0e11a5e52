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

// Sweep ends the sessions and removes the media peers that have shown no sign of life
// for the zombie timeout as of now, and deletes idle channels. The members are told.
func (g *Gateway) Sweep(now time.Time) {
	zombies := g.users.FindZombies(now, g.cfg.ZombieTimeout)
	for _, user := range zombies {
		user.evict(protocol.CloseTimedOut)
	}
	peers := g.peers.Reap(now, g.cfg.ZombieTimeout)
	channels := g.channels.ReapIdle(now, g.cfg.ChannelIdle)
	if len(zombies)+peers+channels > 0 {
		g.log.Info("reaped", zap.Int("sessions", len(zombies)), zap.Int("media_peers", peers), zap.Int("channels", channels))
	}
}

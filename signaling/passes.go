package signaling

import (
	"context"
	"time"

	"go.uber.org/zap"

	"github.com/mini-livechat/mini-livechat/sfu/pulse"
	"github.com/mini-livechat/mini-livechat/signaling/protocol"
)

// passInterval is how often it is looked whose token has expired, or is signed with a secret that is the server's no more: often
// enough that, with the time in which a change of the secrets is noticed, such a session ends within a second.
const passInterval = 250 * time.Millisecond

// RunPasses ends the sessions whose tokens have ceased to be good, until ctx is done.
func (g *Gateway) RunPasses(ctx context.Context) {
	ticker := pulse.NewTicker(passInterval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			g.guard("passes", func() { g.checkPasses(g.now()) })
		}
	}
}

// checkPasses ends the sessions whose tokens have expired or lost their secret. Who revokes one ends its session at once.
func (g *Gateway) checkPasses(now time.Time) {
	over := g.users.those(func(s *Session) bool { return g.auth.Accepts(&s.identity, now) != nil })
	for _, s := range over {
		if err := g.auth.Accepts(&s.identity, now); err != nil { // else its secret is back already
			s.refuse(err)
		}
	}
	if len(over) > 0 {
		g.log.Info("sessions ended with their tokens", zap.Int("sessions", len(over)))
	}
}

// refuse ends a session because of its token.
func (s *Session) refuse(why error) {
	s.endBecause(protocol.CloseAuthFailed, why.Error())
}

package signaling

import (
	"context"
	"time"

	"go.uber.org/zap"

	"github.com/mini-livechat/mini-livechat/signaling/protocol"
)

// Relay gives sessions a way to the media port through TURN. Its methods may be called
// from any goroutine.
type Relay interface {
	// Admit lets the session use the relay from now on, until Revoke, as a way to where its
	// client reaches the media port. Admitting it again brings that up to date.
	Admit(session string, via Arrival)
	// ICEServers lists how the client reaches the relay, with fresh credentials of the
	// session.
	ICEServers(session string, via Arrival, now time.Time) []protocol.ICEServer
	// Revoke ends the session's use of the relay, at once.
	Revoke(session string)
	// RefreshInterval is how often clients need new credentials.
	RefreshInterval() time.Duration
}

// noRelay is the Relay of a server without TURN.
type noRelay struct{}

func (noRelay) Admit(string, Arrival) {}
func (noRelay) Revoke(string)         {}
func (noRelay) ICEServers(string, Arrival, time.Time) []protocol.ICEServer {
	return []protocol.ICEServer{}
}

// RefreshInterval is a day: there is nothing to refresh.
func (noRelay) RefreshInterval() time.Duration { return 24 * time.Hour }

// RunRefresh sends everybody new TURN credentials every RefreshInterval until ctx is done.
func (g *Gateway) RunRefresh(ctx context.Context) {
	ticker := time.NewTicker(g.cfg.Relay.RefreshInterval())
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-ticker.C:
			g.refreshICEServers(now)
		}
	}
}

func (g *Gateway) refreshICEServers(now time.Time) {
	for _, s := range g.users.All() {
		g.contain(s.log, "refresh of ICE servers", func() { s.refreshICEServers(now) })
	}
}

func (s *Session) refreshICEServers(now time.Time) {
	if s.attached() == nil {
		return // it gets new ones when it comes back
	}
	servers := s.iceServers(now)
	if len(servers) == 0 {
		return
	}
	event, err := protocol.EncodeBody(protocol.OpICEServers, protocol.ICEServers{ICEServers: servers})
	if err != nil {
		s.log.Error("event lost", zap.Error(err))
		return
	}
	s.out.event(event)
}

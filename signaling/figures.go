package signaling

import "github.com/mini-livechat/mini-livechat/sfu"

// Figures are how many there are of what, at one moment.
type Figures struct {
	sfu.Figures

	// Connections are open WebSockets, Strangers those of them that have not identified.
	Connections, Strangers int
	// Sessions are people who have identified, Away those of them who have no connection now.
	Sessions, Away int
	// Media are connections of media.
	Media int
	// Queued is how many frames wait for all clients together, LongestQueue for the one for whom most do.
	Queued, LongestQueue int
}

// Figures counts what there is. It takes the lock of each session and channel for a moment.
func (g *Gateway) Figures() Figures {
	f := Figures{Figures: g.channels.Figures(), Strangers: g.strangers.Len(), Connections: g.open(), Media: g.peers.Len()}
	for _, s := range g.users.All() {
		f.Sessions++
		if s.attached() == nil {
			f.Away++
			continue // what is kept for it is no queue
		}
		waiting := s.out.waiting()
		f.Queued += waiting
		f.LongestQueue = max(f.LongestQueue, waiting)
	}
	return f
}

// open is how many WebSockets are open.
func (g *Gateway) open() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return len(g.conns)
}

package client

import (
	"slices"
	"sync"
	"time"

	"github.com/mini-livechat/mini-livechat/signaling/protocol"
)

// quietLimit is how long nothing may come while somebody who has a slot speaks. It is longer than the end of speech takes
// to be told (280 ms, and up to 100 ms between two SPEAKERS), and than most bursts of loss last. A false alarm costs a
// question over the WebSocket, and a path only if its answer comes first.
const quietLimit = 600 * time.Millisecond

// vigil notices that packets have stopped coming before ICE does: SPEAKERS says who speaks, and whoever has a slot is
// heard while they do.
type vigil struct {
	mu    sync.Mutex
	timer *time.Timer // nil while nobody speaks who should be heard; guarded by mu
	over  bool        // guarded by mu
}

// watchOver takes who speaks now.
func (m *media) watchOver(speakers []protocol.Speaker) {
	expected := slices.ContainsFunc(speakers, func(s protocol.Speaker) bool {
		return s.UserID != m.call.client.UserID() &&
			slices.ContainsFunc(m.call.slots, func(slot *Slot) bool { return slot.UserID() == s.UserID })
	})
	v := &m.vigil
	v.mu.Lock()
	defer v.mu.Unlock()
	switch {
	case v.over || expected == (v.timer != nil):
	case expected:
		v.timer = time.AfterFunc(quietLimit, m.look)
	default:
		v.timer.Stop()
		v.timer = nil
	}
}

// look complains when nothing has come for the limit, and comes again when that could be so the next time.
func (m *media) look() {
	next := quietLimit
	select {
	case <-m.connected:
		if quiet := m.receiver.quiet(); quiet >= quietLimit {
			m.complain()
		} else {
			next -= quiet
		}
	default:
	}
	v := &m.vigil
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.timer != nil && !v.over {
		v.timer.Reset(next)
	}
}

func (v *vigil) stop() {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.over = true
	if v.timer != nil {
		v.timer.Stop()
	}
}

// quiet is how long no packet has come; 0 before the first.
func (r *receiver) quiet() time.Duration {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.heardAt.IsZero() {
		return 0
	}
	return r.now().Sub(r.heardAt)
}

package client

import (
	"context"
	"errors"
	"time"

	"github.com/mini-livechat/mini-livechat/signaling/protocol"
)

// Grant is the floor while it is the client's. The server is told that it is wanted until it ends: by Release, or when
// the server takes it back. Its methods may be called from any goroutine.
type Grant struct {
	floor *Floor
	id    uint64
	over  bool
	until time.Time
	done  chan struct{}

	priority int   // guarded by floor.mu
	err      error // why it ended; guarded by floor.mu
}

// newGrant begins a grant. Caller holds f.mu.
func newGrant(f *Floor, ev *protocol.FloorGranted) *Grant {
	g := &Grant{floor: f, id: ev.GrantID, over: ev.Over, done: make(chan struct{})}
	if ev.LeftMS != nil {
		g.until = time.Now().Add(time.Duration(*ev.LeftMS) * time.Millisecond)
	}
	if ev.PingTimeoutMS > 0 {
		every := min(maxPing, time.Duration(ev.PingTimeoutMS)*time.Millisecond/3)
		f.pinging.Go(func() { g.ping(every) })
	}
	return g
}

// ID returns the number by which the server knows the grant.
func (g *Grant) ID() uint64 { return g.id }

// Over reports whether it is leave to speak beside who has the floor.
func (g *Grant) Over() bool { return g.over }

// Until returns when the server will take the floor back, zero for never. Some seconds before, an event with a *protocol.FloorRevoke and its
// GraceMS says so.
func (g *Grant) Until() time.Time { return g.until }

// Priority returns the one that counts.
func (g *Grant) Priority() int {
	g.floor.mu.Lock()
	defer g.floor.mu.Unlock()
	return g.priority
}

// Done is closed when the client has the floor no more; Err then says why.
func (g *Grant) Done() <-chan struct{} { return g.done }

// Err returns why the grant ended: ErrFloorReleased, a *FloorError when the server has taken the floor back, ErrRemoved when a moderator
// has moved the client, or why the membership, the call or the client is lost. It is nil while the grant lasts, also when the client has no
// connection for a while.
func (g *Grant) Err() error {
	g.floor.mu.Lock()
	defer g.floor.mu.Unlock()
	return g.err
}

// Release gives the floor back. What is sent in the next quarter of a second, or what the server has for it, is still heard, so that the last
// syllable is whole. The grant ends in any case; the error says that the server could not be told, and so finds out later. Releasing what has ended already
// returns nil.
func (g *Grant) Release(ctx context.Context) error {
	if g.ended() {
		return nil
	}
	c := g.floor.call.client
	err := c.request(ctx, protocol.OpFloorRelease, protocol.FloorRef{GrantID: g.id}, func(protocol.Frame) error {
		g.end(ErrFloorReleased)
		return nil
	})
	if g.ended() {
		return nil // by the ACK, or another way meanwhile
	}
	if _, refused := errors.AsType[*protocol.Error](err); !refused {
		c.tellRelease(g.id) // the context was over before anything was sent
	}
	g.end(ErrFloorReleased)
	return err
}

func (g *Grant) ended() bool { return g.Err() != nil }

func (g *Grant) end(err error) {
	g.floor.mu.Lock()
	defer g.floor.mu.Unlock()
	g.endLocked(err)
}

// endLocked ends the grant unless it has ended already. Caller holds floor.mu.
func (g *Grant) endLocked(err error) {
	if g.err != nil {
		return
	}
	g.err = err
	if g.floor.grant == g {
		g.floor.grant = nil
	}
	close(g.done)
}

// ping says every so often that one still talks, until the grant has ended. While there is no connection one ping waits for the next.
func (g *Grant) ping(every time.Duration) {
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	for {
		select {
		case <-g.done:
			return
		case <-ticker.C:
		}
		if !g.pingOnce() {
			return
		}
	}
}

// pingOnce reports false when the grant, or the client, has ended.
func (g *Grant) pingOnce() bool {
	c := g.floor.call.client
	id, p, err := c.post(protocol.OpFloorPing, protocol.FloorRef{GrantID: g.id}, nil)
	if err != nil {
		return false
	}
	select {
	case <-g.done:
		c.forget(id)
		return false
	case err = <-p.done:
	}
	if refused, ok := errors.AsType[*protocol.Error](err); ok && refused.Code == protocol.CodeNotHolder { // mostly it is told before
		g.end(&FloorError{Cause: protocol.FloorLost})
	}
	return true
}

package signaling

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/mini-livechat/mini-livechat/sfu"
	"github.com/mini-livechat/mini-livechat/signaling/protocol"
)

const (
	// maxProbes is how many probes a session has at a time, of 10 KB each: two for the direct
	// way and one for each of the usual TURN URLs, of which there are four.
	maxProbes = 8
	// probeLife is how long a probe is kept at least: finding a path and the DTLS handshake
	// on a very bad network.
	probeLife = 15 * time.Second
)

// probes are the media connections of a session that belong to no channel: nobody sees
// or hears them, and they only show whether media gets through. They end when they are old,
// when newer ones take their place, and with the session. The zero value has none. The
// methods may be called from any goroutine, add not after close.
type probes struct {
	mu   sync.Mutex // guards open
	open []probe    // oldest first
}

type probe struct {
	conn  sfu.Conn
	since time.Time
}

// add takes conn over, and ends the oldest of too many.
func (p *probes) add(conn sfu.Conn, now time.Time) {
	p.mu.Lock()
	p.open = append(p.open, probe{conn, now})
	surplus := max(len(p.open)-maxProbes, 0)
	over := p.open[:surplus:surplus]
	p.open = p.open[surplus:]
	p.mu.Unlock()
	end(over)
	conn.OnEnd(func(error) { p.drop(conn) })
}

// drop ends a probe that is over before its time: it failed, or the client has seen enough.
func (p *probes) drop(conn sfu.Conn) {
	p.mu.Lock()
	is := func(one probe) bool { return one.conn == conn }
	i := slices.IndexFunc(p.open, is)
	if i >= 0 {
		p.open = slices.Delete(slices.Clone(p.open), i, i+1)
	}
	p.mu.Unlock()
	if i >= 0 {
		end([]probe{{conn: conn}})
	}
}

// reap ends the probes that were made probeLife ago.
func (p *probes) reap(now time.Time) {
	p.mu.Lock()
	old := 0
	for old < len(p.open) && now.Sub(p.open[old].since) >= probeLife {
		old++
	}
	over := p.open[:old:old]
	p.open = p.open[old:]
	p.mu.Unlock()
	end(over)
}

// close ends all.
func (p *probes) close() {
	p.mu.Lock()
	over := p.open
	p.open = nil
	p.mu.Unlock()
	end(over)
}

// end closes connections, the others too when one panics. It is called without the lock,
// because closing writes.
func end(over []probe) {
	if len(over) == 0 {
		return
	}
	defer end(over[1:])
	_ = over[0].conn.Close() // never fails, and there is nobody to tell
}

// mediaProbe answers an offer as CHANNEL_JOIN does, for a connection that belongs to no
// channel.
func mediaProbe(ctx context.Context, s *Session, r *request) error {
	var d protocol.MediaProbe
	if err := r.frame.Bind(&d); err != nil {
		return err
	}
	conn, err := s.gw.answer(ctx, d.SDPOffer, s.mediaAddrs())
	if err != nil {
		return err
	}
	kept := false
	defer func() {
		if !kept { // because of an error, or of a panic, which goes on
			_ = conn.Close()
		}
	}()
	// A line costs memory, of which a session shall not get more by probing than by joining.
	if conn.Talker() || len(conn.Slots()) != 1 {
		return fmt.Errorf("%w: a probe has one recvonly line", sfu.ErrUnsupportedMedia)
	}
	s.probes.add(conn, time.Now())
	kept = true
	r.ack(protocol.MediaProbed{SDPAnswer: conn.Answer()})
	return nil
}

package sfu

import (
	"context"
	"time"

	"github.com/mini-livechat/mini-livechat/sfu/peer"
	"github.com/mini-livechat/mini-livechat/sfu/pulse"
)

const (
	// watchInterval is how often all media peers are looked at, which costs a load each.
	watchInterval = 250 * time.Millisecond
	// askAfter is how long a peer may be silent before it is asked for a sign of life, at each look: longer than the pause
	// between two checks of those who check often (pion 2 s, Chromium 2.5 s), so that only those are asked who check as
	// seldom as RFC 7675 allows, or of whom something was lost.
	askAfter = 3 * time.Second
	// lostAfter is how long a peer is silent before the members are told: within 6 s, and after it was asked ten times, so
	// that who is there is not called lost by chance. Where a third of all packets is lost each way, three in a thousand
	// of those who were silent for askAfter do not get an answer through.
	lostAfter = 5500 * time.Millisecond
	// lateLook is how late a look tells that the server itself was held up: what its clients sent waits to be read.
	lateLook = 4 * watchInterval
)

// watch looks after the signs of life of all media peers, for one goroutine. Times are of the monotonic clock.
type watch struct {
	hub     *MediaPeerHub
	timeout time.Duration
	last    time.Time // the look before
	// since is from when on silence counts: none that the server may have made itself.
	since time.Time
}

// RunWatch tells the members of channels whose media falls silent, and whose comes again, until ctx is done. It takes
// those out who gave no sign of life for the timeout, and earlier those who are gone altogether.
func (h *MediaPeerHub) RunWatch(ctx context.Context, timeout time.Duration) {
	ticker := pulse.NewTicker(watchInterval)
	defer ticker.Stop()
	w := watch{hub: h, timeout: timeout, last: time.Now()}
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			w.look(time.Now())
		}
	}
}

// look looks at all peers once.
func (w *watch) look(now time.Time) {
	defer contain(w.hub.journal, "watching media")
	if now.Sub(w.last) > lateLook {
		w.since = now
	}
	w.last = now
	for _, p := range w.hub.quiet(now) {
		w.lookAt(p, now)
	}
}

// quiet returns the peers that are to be looked at more closely: those that were silent for askAfter, and those that were
// called lost.
func (h *MediaPeerHub) quiet(now time.Time) []*MediaPeer {
	h.mu.RLock()
	defer h.mu.RUnlock()
	var quiet []*MediaPeer
	for _, p := range h.byConn {
		if p.lost.Load() || h.silence(p, now) >= askAfter {
			quiet = append(quiet, p)
		}
	}
	return quiet
}

// lookAt does what is due for one peer.
func (w *watch) lookAt(p *MediaPeer, now time.Time) {
	defer contain(w.hub.journal, "watching a member's media")
	silence := w.hub.silence(p, now)
	if p.lost.Load() && silence < lostAfter {
		p.show(false)
		return
	}
	if !w.since.IsZero() {
		silence = min(silence, now.Sub(w.since))
	}
	switch {
	case silence > w.timeout, silence > peer.ConsentLifetime && p.deserted():
		p.leave(LeaveMediaTimeout, nil)
	case silence >= lostAfter:
		p.show(true)
	case silence >= askAfter && !p.lost.Load():
		p.Ask()
	}
}

// show has the members told whether the peer is lost, if that is news.
func (p *MediaPeer) show(lost bool) {
	if p.lost.Swap(lost) == lost {
		return
	}
	p.member.showMedia(lost)
}

// deserted reports whether the member's other connection is lost too, so that nobody can tell it anything.
func (p *MediaPeer) deserted() bool { return p.member.unstable() }

package wire

import (
	"fmt"
	"time"
)

// sweepLoop looks at all endpoints from time to time, so that none needs a timer of its own. It works until stop is
// closed.
func (e *Engine) sweepLoop() {
	ticker := time.NewTicker(sweepInterval)
	defer ticker.Stop()
	var eps []*Endpoint
	for {
		select {
		case <-e.stop:
			return
		case <-ticker.C:
			eps = e.logins.endpoints(eps[:0])
			now := time.Now()
			for _, ep := range eps {
				ep.sweep(now)
			}
			clear(eps)
		}
	}
}

// sweep ends a connection that took too long to be made, and stops sending to a peer that consents no more.
func (ep *Endpoint) sweep(now time.Time) {
	defer ep.engine.rescue(ep)
	ep.stopUnwanted(now)
	if missing := ep.overdue(now); missing != "" {
		ep.fail(fmt.Errorf("%w: %s", ErrHandshakeTimeout, missing))
	}
}

// overdue says what is missing of a connection that should have been made by now, or nothing.
func (ep *Endpoint) overdue(now time.Time) string {
	ep.mu.Lock()
	defer ep.mu.Unlock()
	limit := ep.engine.cfg.ConnectTimeout
	switch {
	case ep.closed, ep.connected, ep.firstCheck.IsZero(), now.Sub(ep.firstCheck) <= limit:
		return ""
	case ep.dtls.Load() == nil:
		return fmt.Sprintf("no DTLS came within %v of the first check", limit)
	case !ep.keyed:
		return fmt.Sprintf("DTLS was not done within %v of the first check", limit)
	default:
		return fmt.Sprintf("no pair was nominated within %v of the first check", limit)
	}
}

// stopUnwanted looks after the consent to what is sent. It takes away the destination, so that senders need no clock.
func (ep *Endpoint) stopUnwanted(now time.Time) {
	ep.mu.Lock()
	defer ep.mu.Unlock()
	if ep.path.expire(now) {
		ep.dest.Store(nil)
		ep.engine.stat.consentExpired.Add(1)
	}
}

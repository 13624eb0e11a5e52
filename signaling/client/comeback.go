package client

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/mini-livechat/mini-livechat/signaling/protocol"
)

const (
	// firstPause is the most that the first try to come back waits, so that those whom one
	// event has cut off do not come at the same moment.
	firstPause = 250 * time.Millisecond
	// resumePause is the most between two tries while the session can still be resumed: a
	// network that returns is to be noticed soon.
	resumePause = time.Second
	// maxPause is the most between two tries after that.
	maxPause = 30 * time.Second
	// tryTimeout is how long a try may take until the server has said HELLO, and as long again until
	// it has let the client in. A network that comes back in the middle of one lets it succeed late,
	// since TCP repeats ever less often.
	tryTimeout = 5 * time.Second
)

// pause is how long to wait before a try, counted from 0, after being away for so long: at random up to a limit that
// doubles.
func pause(try int, away, window time.Duration) time.Duration {
	most := maxPause
	if away < window {
		most = resumePause
	}
	limit := min(firstPause<<min(try, 10), most)
	return rand.N(limit) + 1 //nolint:gosec // spreads load, hides nothing
}

// firstPause is how long to wait before the first try: as long as the server has asked for, which
// knows how many come, or else as chance will have it.
func (c *Client) firstPause() time.Duration {
	asked := c.reconnect
	c.reconnect = nil
	if asked == nil {
		return pause(0, 0, 0)
	}
	return time.Duration(min(max(asked.AfterMS, 0), maxPause.Milliseconds())) * time.Millisecond
}

// run serves one link after the other until the client has ended.
func (c *Client) run(l *link) {
	defer c.wg.Done()
	defer c.events.close()
	if !c.opts.NoReconnect {
		roamers.add(c)
		defer roamers.remove(c)
	}
	for {
		err := c.serve(l)
		c.online.Store(false)
		c.sending.Lock()
		if c.link == l {
			c.link = nil
		}
		c.sending.Unlock()
		there := c.arrived()
		if c.Err() != nil {
			there.discard()
			return
		}
		if there != nil {
			if err = c.settle(there); err == nil {
				l = there.link
				c.online.Store(true)
				continue
			}
			there.link.close()
		}
		if c.opts.NoReconnect || final(err) {
			c.end(err)
			return
		}
		c.log.Info("connection lost, coming back", "error", err)
		c.events.put(Event{Payload: &Disconnected{Err: err}})
		if l, err = c.comeBack(err); err != nil {
			c.end(err)
			return
		}
		c.online.Store(true)
	}
}

// final reports whether coming back after this makes no sense.
func final(err error) bool {
	if closed, ok := errors.AsType[*CloseError](err); ok {
		return closed.Code.Next() == protocol.Stop
	}
	return errors.Is(err, ErrProtocol) || errors.Is(err, ErrVersion)
}

// comeBack tries until there is a link again, as part of the same session or of a new one.
// The error is why there will be none. cause is why the last one ended.
func (c *Client) comeBack(cause error) (*link, error) {
	ctx, cancel := c.untilDone()
	defer cancel()
	lost := time.Now()
	token := c.opts.Token
	first := c.firstPause()
	for try := 0; ; try++ {
		wait := first
		switch {
		case try > 0:
			window := time.Duration(c.Ready().ResumeWindowMS) * time.Millisecond
			wait = pause(try, time.Since(lost), window)
		case errors.Is(cause, errUnanswered):
			wait = 0 // found out at a moment of this client's own
		}
		timer := time.NewTimer(wait)
		select {
		case <-c.done:
			timer.Stop()
			return nil, c.Err()
		case <-timer.C:
		}
		l, err := c.tryAll(ctx, token, try > 0 || mayLive(cause))
		switch refused, _ := errors.AsType[*protocol.Error](err); {
		case err == nil:
			return l, nil
		case c.Err() != nil:
			return nil, c.Err()
		case final(err):
			return nil, err
		case refused == nil:
		case refused.Code == protocol.CodeInvalidToken && c.opts.NewToken != nil:
			if token, err = c.opts.NewToken(ctx); err != nil {
				c.log.Warn("no new token", "error", err)
				token = c.opts.Token
			}
		case refused.Code == protocol.CodeRateLimited, refused.Code == protocol.CodeDraining:
		default:
			return nil, err
		}
		c.log.Debug("not back yet", "error", err, "first", cause, "tries", try+1)
	}
}

// untilDone returns a context that ends with the client.
func (c *Client) untilDone() (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		select {
		case <-c.done:
			cancel()
		case <-ctx.Done():
		}
	}()
	return ctx, cancel
}

// tryAll tries one node after the other, the session's first where it may have it still. The error is the last one, or the first that
// no other node would answer otherwise.
func (c *Client) tryAll(ctx context.Context, token string, own bool) (l *link, err error) {
	for _, gateway := range route(c.UserID(), c.gateway, c.nodes, own) {
		if l, err = c.tryOnce(ctx, gateway, token); err == nil {
			return l, nil
		}
		refused, _ := errors.AsType[*protocol.Error](err)
		switch {
		case c.Err() != nil, final(err):
			return nil, err
		case refused == nil, refused.Code == protocol.CodeRateLimited, refused.Code == protocol.CodeDraining:
			c.log.Debug("not here", "gateway", gateway, "error", err)
		default:
			return nil, err
		}
	}
	return nil, err
}

// tryOnce opens a link, makes it that of the session or, where that is gone, of a new one, and
// sends what waits.
func (c *Client) tryOnce(ctx context.Context, gateway, token string) (*link, error) {
	opening, cancel := context.WithTimeout(ctx, c.openTimeout(gateway))
	defer cancel()
	l, err := openLink(opening, gateway, c.opts.Dialer)
	if err != nil {
		return nil, err
	}
	// A server that has said HELLO is there, and may have a crowd to let in: to begin again would make it larger.
	entering, cancel := context.WithTimeout(ctx, tryTimeout)
	defer cancel()
	var resumed bool
	err = l.during(entering, func() (err error) { //nolint:contextcheck // a move that is told of outlives this try
		if c.resumeToken != "" && gateway == c.gateway {
			resumed, err = c.resume(l)
		}
		if err != nil || resumed {
			return err
		}
		return c.identify(l, token)
	})
	switch {
	case err != nil:
	case resumed:
		c.openedIn = l.openedIn
		err = c.goOn(l)
	default:
		err = c.begin(l, false)
	}
	if err != nil {
		l.close()
		return nil, err
	}
	return l, nil
}

// resume takes the session over to this link, with what was missed meanwhile. It reports
// false when the server knows the session no more.
func (c *Client) resume(l *link) (bool, error) {
	err := l.ask(protocol.OpResume, protocol.Resume{
		V: protocol.Version, SessionID: c.Ready().SessionID, ResumeToken: c.resumeToken, S: c.seen.Load(),
	})
	if err != nil {
		return false, err
	}
	for {
		f, err := l.read()
		if err != nil {
			return false, err
		}
		switch {
		case f.Op == protocol.OpResumed:
			var resumed protocol.Resumed
			if err := f.Bind(&resumed); err != nil {
				return false, fmt.Errorf("%w: RESUMED: %w", ErrProtocol, err)
			}
			c.resumeToken = resumed.ResumeToken
			c.iceServers.Store(&resumed.ICEServers)
			if call := c.Call(); call != nil && call.present.Load() {
				call.floor.begin(resumed.Floor)
			}
			return true, nil
		case f.Op == protocol.OpInvalidSession:
			c.resumeToken = ""
			return false, nil
		case f.Op == protocol.OpError && f.ID == "":
			return false, refusal(f)
		default:
			if err := c.handle(f); err != nil {
				return false, err
			}
		}
	}
}

// goOn repeats what the resumed session has not answered. The server carries out each request
// once, however often it comes.
func (c *Client) goOn(l *link) error {
	c.sending.Lock()
	defer c.sending.Unlock()
	if err := c.Err(); err != nil {
		return err
	}
	c.resendLocked(l)
	// Says that RESUMED has arrived: from then on the token before it is worth nothing.
	err := l.ask(protocol.OpHeartbeat, protocol.Heartbeat{S: c.seen.Load()})
	if err == nil {
		c.events.put(Event{Payload: &Resumed{}})
	}
	return err
}

// giveUp closes a link that answers no more, so that the client comes back on another one.
// Without a session to resume it does nothing, since that would cost the session.
func (c *Client) giveUp(l *link) {
	if l.resumes() {
		l.failWrite(errUnanswered)
		l.close()
	}
}

// begin goes on with a new session where the lost one was: what was sent and not answered
// may have been carried out, so that only what changes nothing by being repeated is sent
// again. Before that goes what was said of one's own voice and of watching, after it the call. moved says that both are there already.
func (c *Client) begin(l *link, moved bool) error {
	c.sending.Lock()
	defer c.sending.Unlock()
	c.mu.Lock()
	err, call, voice, subscribed := c.err, c.call, c.voice, c.subscribed
	for id, p := range c.pending {
		if p.sent && !repeatable(p.op) {
			delete(c.pending, id)
			p.done <- ErrSessionLost
		}
	}
	if err == nil {
		err = c.watchAgainLocked()
	}
	c.mu.Unlock()
	if err != nil {
		return err
	}
	if !moved {
		if err := restoreState(l, voice, subscribed); err != nil {
			return err
		}
	}
	c.resendLocked(l)
	c.events.put(Event{Payload: &Reidentified{}})
	if !moved && call != nil && call.present.Load() { // else it is being joined already, by what was sent again
		call.lose(ErrSessionLost)
	}
	return nil
}

// restoreState tells a new session what the lost one knew of its user. The answers are nobody's.
func restoreState(l *link, voice protocol.VoiceState, subscribed protocol.Subscribe) error {
	if voice != (protocol.VoiceState{}) {
		if err := l.ask(protocol.OpVoiceState, voice); err != nil {
			return err
		}
	}
	if subscribed.Pin != nil || subscribed.Exclude != nil {
		return l.ask(protocol.OpSubscribe, subscribed)
	}
	return nil
}

// resendLocked makes l the link that requests are written to, after those without a reply,
// in their order. Caller holds sending.
func (c *Client) resendLocked(l *link) {
	c.mu.Lock()
	waiting := slices.Collect(maps.Values(c.pending))
	c.mu.Unlock()
	slices.SortFunc(waiting, func(a, b *pending) int { return cmp.Compare(a.number, b.number) })
	for _, p := range waiting {
		p.sent = true
		if l.write(p.frame) != nil {
			break // the next link takes them
		}
	}
	c.link = l
}

// repeatable reports whether a request may be carried out twice without anybody noticing.
func repeatable(op protocol.Op) bool {
	switch op {
	case protocol.OpChannelList, protocol.OpChannelInfo, protocol.OpVoiceState, protocol.OpSubscribe, protocol.OpPresence:
		return true
	default:
		return false
	}
}

// Disconnected is the payload of an event of the client's own: the connection is lost, and the client tries to come back. A Resumed
// or a Reidentified follows when it has, or the end of the events. Voice may go on meanwhile, since it has a way of its own.
type Disconnected struct {
	Err error // why
}

// Resumed is the payload of an event of the client's own: the connection is there again, and what was missed has been told.
type Resumed struct{}

// Rejoined is the payload of an event of the client's own: the call, whose media or session was lost, is in its channel again.
// Members and slots may be others.
type Rejoined struct{}

// Reidentified is the payload of an event of the client's own: the session was lost, and
// another has begun. What happened in between was told to nobody; channels and their members
// may be others. The call, if there is one, is being joined again, or, as Rejoined says then, was joined at another node before.
type Reidentified struct{}

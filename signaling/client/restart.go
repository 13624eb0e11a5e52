package client

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/pion/webrtc/v4"

	"github.com/mini-livechat/mini-livechat/signaling/protocol"
)

// linkPatience is how long a question may go unanswered, while media is in trouble, before the WebSocket is taken to be as
// dead as the path is: the system would find out after minutes. A network on which a link took longer to open gets as much.
const (
	linkPatience    = 400 * time.Millisecond
	maxLinkPatience = 2 * time.Second
)

// errUnanswered ends a link on which nothing is answered any more.
var errUnanswered = errors.New("connection lost: the server does not answer")

// restartPause is between two ICE restarts while nothing comes: as long as a path takes to be found on a slow network.
const restartPause = 2 * time.Second

// RestartICE moves the call's media to another path (RFC 8445, section 9): the client gathers its addresses anew, and the
// server follows to the one from which it is reached. Slots, sources and keys stay. A call does so by itself when nothing
// has come from the server for some seconds; call it when the network is known to have changed. It returns when the
// server has agreed; media follows when a path is found.
//
// The error is a *protocol.Error when the server refuses, the context's, or the call's when it has ended; ErrNotConnected or
// ErrMediaLost say that there is no connection to move at present.
func (c *Call) RestartICE(ctx context.Context) error {
	if err := c.Err(); err != nil {
		return err
	}
	if err := c.client.reach(ctx); err != nil {
		return err
	}
	return c.media.Load().restartICE(ctx)
}

// reach returns when the server has answered what it was asked just now, on the link of now or on the next: a path of media
// is given up only for one that can be agreed on. In a blackout, after which all is as it was, there is none.
func (c *Client) reach(ctx context.Context) error {
	answered := c.suspect()
	defer answered()
	return c.Request(ctx, protocol.OpHeartbeat, protocol.Heartbeat{}, nil)
}

func (m *media) restartICE(ctx context.Context) error {
	m.negotiating.Lock()
	defer m.negotiating.Unlock()
	select {
	case <-m.gone:
		return ErrMediaLost
	case <-m.connected:
	default:
		return ErrNotConnected
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		select {
		case <-m.gone:
			cancel()
		case <-ctx.Done():
		}
	}()
	offer, err := m.restartOffer()
	if err != nil {
		return fmt.Errorf("restart ICE: %w", err)
	}
	unanswered := m.call.client.suspect()
	defer unanswered()
	var renegotiated protocol.Renegotiated
	for {
		err = m.call.client.Request(ctx, protocol.OpRenegotiate, protocol.Renegotiate{SDPOffer: offer.SDP}, &renegotiated)
		refused, _ := errors.AsType[*protocol.Error](err)
		if refused == nil || refused.Code != protocol.CodeNegotiating || !sleep(ctx, time.Duration(refused.RetryAfterMS)*time.Millisecond) {
			break
		}
	}
	if err != nil {
		return fmt.Errorf("restart ICE: %w", err)
	}
	m.restarted = time.Now()
	m.moved.Store(false)
	answer := webrtc.SessionDescription{Type: webrtc.SDPTypeAnswer, SDP: renegotiated.SDPAnswer}
	if err = m.pc.SetRemoteDescription(answer); err != nil {
		return fmt.Errorf("restart ICE: %w", err)
	}
	moved := make(chan struct{})
	var once sync.Once
	m.pc.OnICEConnectionStateChange(func(state webrtc.ICEConnectionState) {
		if state == webrtc.ICEConnectionStateConnected {
			once.Do(func() { close(moved) })
		}
	})
	m.running.Go(func() { m.hasten(moved) })
	return nil
}

// findWay restarts ICE until something comes again, the connection has failed for good, or the call is over or has lost its
// place in the channel, in which case it returns why. It runs on the call's goroutine.
func (m *media) findWay() (lost error) {
	ctx, cancel := context.WithCancel(context.Background())
	var watching sync.WaitGroup
	watching.Go(func() {
		defer cancel()
		select {
		case lost = <-m.call.lost:
		case <-m.call.over:
		case <-m.ended:
		case <-ctx.Done():
		}
	})
	for m.inTrouble() && ctx.Err() == nil {
		if wait := m.sinceRestart(); wait < restartPause && !m.moved.Load() { // one that was asked for is at work
			m.rest(ctx, restartPause-wait)
			continue
		}
		err := m.call.client.reach(ctx)
		if err == nil && !m.inTrouble() {
			break // it was the network, and it is back
		}
		if err == nil {
			err = m.restartICE(ctx)
		}
		m.call.client.log.Debug("another path is looked for", "channel", m.call.ChannelID(), "error", err)
		if refused, ok := errors.AsType[*protocol.Error](err); ok && refused.Code == protocol.CodeNotInChannel {
			m.call.lose(ErrMediaLost) // ends ctx
		}
		m.rest(ctx, restartPause)
	}
	cancel()
	watching.Wait()
	return lost
}

// rest waits, but not once the path is known to begin nowhere.
func (m *media) rest(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	for {
		select {
		case <-timer.C:
			return
		case <-ctx.Done():
			return
		case <-m.troubled:
			if m.moved.Load() {
				return
			}
		}
	}
}

// restartOffer makes an offer with new ICE credentials. One that was not answered stands: pion cannot take it back.
func (m *media) restartOffer() (webrtc.SessionDescription, error) {
	if unanswered := m.pc.PendingLocalDescription(); unanswered != nil {
		return *unanswered, nil
	}
	offer, err := m.pc.CreateOffer(&webrtc.OfferOptions{ICERestart: true})
	if err != nil {
		return offer, err
	}
	return offer, m.pc.SetLocalDescription(offer)
}

// inTrouble reports whether another path is needed.
func (m *media) inTrouble() bool {
	return m.moved.Load() || m.unheard.Load() || m.receiver.trouble.Load()
}

// heard takes whether the server hears anything of this client. Packets may come here all the while, over a path that is
// broken in the other direction only.
func (m *media) heard(so bool) {
	m.unheard.Store(!so)
	if !so {
		m.complain()
	}
}

// sinceRestart is how long ago the last ICE restart was agreed on. It waits for one that is under way.
func (m *media) sinceRestart() time.Duration {
	m.negotiating.Lock()
	defer m.negotiating.Unlock()
	return time.Since(m.restarted)
}

// sleep waits for d, and reports false when ctx ended before.
func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// suspect gives the link of now up unless done is called within its patience.
func (c *Client) suspect() (done func()) {
	c.sending.Lock()
	l := c.link
	c.sending.Unlock()
	if l == nil || c.opts.NoReconnect {
		return func() {}
	}
	timer := time.AfterFunc(l.patience, func() { c.giveUp(l) })
	return func() { timer.Stop() }
}

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
	return c.media.Load().restartICE(ctx)
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
	offer, err := m.pc.CreateOffer(&webrtc.OfferOptions{ICERestart: true})
	if err != nil {
		return fmt.Errorf("restart ICE: %w", err)
	}
	if err = m.pc.SetLocalDescription(offer); err != nil {
		return fmt.Errorf("restart ICE: %w", err)
	}
	var renegotiated protocol.Renegotiated
	err = m.call.client.Request(ctx, protocol.OpRenegotiate, protocol.Renegotiate{SDPOffer: offer.SDP}, &renegotiated)
	if err != nil {
		_ = m.pc.SetLocalDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeRollback})
		return fmt.Errorf("restart ICE: %w", err)
	}
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

// findWay restarts ICE until something comes again, the connection has failed for good or the call is over. It runs on
// the call's goroutine.
func (m *media) findWay() {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go func() {
		select {
		case <-m.call.over:
		case <-m.ended:
		case <-ctx.Done():
		}
		cancel()
	}()
	for m.receiver.trouble.Load() && ctx.Err() == nil {
		err := m.restartICE(ctx)
		m.call.client.log.Debug("another path is looked for", "channel", m.call.channelID, "error", err)
		if refused, ok := errors.AsType[*protocol.Error](err); ok && refused.Code == protocol.CodeNotInChannel {
			m.call.lose(ErrMediaLost)
			return
		}
		pause := time.NewTimer(restartPause)
		select {
		case <-pause.C:
		case <-ctx.Done():
			pause.Stop()
		}
	}
}

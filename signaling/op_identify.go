package signaling

import (
	"context"
	"fmt"
	"time"

	"go.uber.org/zap"

	"github.com/mini-livechat/mini-livechat/signaling/protocol"
)

// maxClientName is how much of IDENTIFY's "client" is logged, in bytes.
const maxClientName = 64

func heartbeat(_ context.Context, s *Session, r *request) error {
	var d protocol.Heartbeat
	if err := r.frame.Bind(&d); err != nil {
		return err
	}
	if sent := s.events.Load(); d.S > sent {
		return &closeError{payloadError("d.s is %d, but only %d events were sent", d.S, sent), protocol.CloseBadSequence}
	}
	r.reply(protocol.OpHeartbeatAck, struct{}{})
	return nil
}

// identify makes the session its user's. An older session of the same user is ended
// first and has left every hub before the new one enters.
func identify(ctx context.Context, s *Session, r *request) error {
	if s.user != nil {
		return errAlreadyIdentified
	}
	var d protocol.Identify
	if err := r.frame.Bind(&d); err != nil {
		return err
	}
	if d.V != protocol.Version {
		return &closeError{
			fmt.Errorf("%w: v is %d, this server speaks %d", errUnsupportedVersion, d.V, protocol.Version),
			protocol.CloseVersion,
		}
	}
	now := time.Now()
	identity, err := s.gw.auth.Verify(d.Token, now)
	if err != nil {
		return &closeError{err, protocol.CloseAuthFailed}
	}
	if d.UserID != "" && d.UserID != identity.UserID {
		return &closeError{errUserMismatch, protocol.CloseAuthFailed}
	}
	user := &User{
		ID: identity.UserID, Name: identity.Name, Admin: identity.Admin,
		SessionID: s.id, via: s.via, tx: s.out, evict: s.close, gone: s.gone,
	}
	user.touch(now)
	for {
		if !s.evictHolder(ctx, user.ID) {
			return nil // this session has ended meanwhile; there is nobody to answer
		}
		// READY goes first: as soon as the user is registered, events come.
		if !r.replied {
			s.gw.cfg.Relay.Admit(s.id, s.via)
			r.reply(protocol.OpReady, s.ready(user, now))
		}
		if _, ok := s.gw.users.Register(user); ok {
			break
		}
	}
	s.user = user
	s.log.Debug("identified", zap.String("user", user.ID),
		zap.String("client", d.Client[:min(len(d.Client), maxClientName)]))
	return nil
}

// evictHolder ends whoever is registered under this id and waits until it is gone. It
// reports false when this session ends first.
func (s *Session) evictHolder(ctx context.Context, userID string) bool {
	for {
		holder := s.gw.users.Get(userID)
		if holder == nil {
			return true
		}
		holder.evict(protocol.CloseReplaced)
		select {
		case <-holder.gone:
		case <-s.done:
			return false
		case <-ctx.Done():
			return false
		}
	}
}

func (s *Session) ready(user *User, now time.Time) protocol.Ready {
	cfg := &s.gw.cfg
	return protocol.Ready{
		V: protocol.Version, SessionID: s.id, UserID: user.ID, Name: user.Name,
		ICEServers: s.iceServers(now),
		Limits: protocol.Limits{
			FrameBytes: protocol.MaxFrameBytes, SDPBytes: protocol.MaxSDPBytes,
			MessageChars: cfg.MessageLength, ChannelNameChars: protocol.MaxChannelNameChars,
			ChannelCapacity: cfg.ChannelCapacity, Slots: cfg.Slots,
		},
	}
}

package signaling

import (
	"context"
	"fmt"
	"slices"
	"time"

	"go.uber.org/zap"

	"github.com/mini-livechat/mini-livechat/signaling/admission"
	"github.com/mini-livechat/mini-livechat/signaling/auth"
	"github.com/mini-livechat/mini-livechat/signaling/names"
	"github.com/mini-livechat/mini-livechat/signaling/protocol"
)

// maxClientName is how much of IDENTIFY's "client" is kept, in bytes.
const maxClientName = 64

func heartbeat(_ context.Context, c *Conn, r *request) error {
	var d protocol.Heartbeat
	if err := r.frame.Bind(&d); err != nil {
		return err
	}
	err := error(nil)
	switch {
	case c.session != nil:
		err = c.session.out.acknowledge(d.S)
	case d.S > 0:
		err = errFuture
	}
	if err != nil {
		return &closeError{payloadError("d.s is %d: %w", d.S, err), protocol.CloseBadSequence}
	}
	r.reply(protocol.OpHeartbeatAck, struct{}{})
	return nil
}

// identify makes a session of its user's, with the connection attached. An older session
// of the same user is ended first and has left every hub before the new one enters.
func identify(ctx context.Context, c *Conn, r *request) error {
	if c.session != nil {
		return errAlreadyIdentified
	}
	if err := c.gw.shut(); err != nil {
		return &closeError{err, protocol.CloseDraining}
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
	now, is := time.Now(), c.gw.now()
	if wait := c.gw.cfg.Admission.FailedWait(now, c.via.Network); wait > 0 {
		return &rateLimitError{retryAfter: wait}
	}
	identity, err := c.gw.auth.Verify(d.Token, is)
	if err == nil && d.UserID != "" && d.UserID != identity.UserID {
		err = errUserMismatch
	}
	if err != nil {
		c.gw.cfg.Admission.Failed(now, c.via.Network)
		return &closeError{err, protocol.CloseAuthFailed}
	}
	if c.gw.cfg.NoGuests && auth.IsGuest(identity.UserID) {
		return &closeError{fmt.Errorf("%w: guests are not let in here", errAccessDenied), protocol.CloseAuthFailed}
	}
	user := admission.Caller{User: identity.UserID, Standing: standing(identity.Role)}
	if wait := c.gw.cfg.Admission.Allow(now, user, admission.Charge{Kind: admission.Identify, Cost: 1}); wait > 0 {
		return &rateLimitError{retryAfter: wait}
	}
	if len(d.Features) > protocol.MaxFeatures {
		return payloadError("d.features has %d entries; at most %d are read", len(d.Features), protocol.MaxFeatures)
	}
	if len(d.Device) > protocol.MaxDeviceBytes {
		return payloadError("d.device has %d bytes; at most %d are allowed", len(d.Device), protocol.MaxDeviceBytes)
	}
	if err = c.gw.cfg.People.Admit(ctx, identity, originOf(c.via, d.Device), is); err != nil {
		return &closeError{err, protocol.CloseBanned}
	}
	identity, renewed, err := c.gw.cfg.People.Enter(ctx, identity, is)
	if err != nil {
		c.gw.cfg.Admission.Failed(now, c.via.Network)
		return &closeError{err, protocol.CloseAuthFailed}
	}
	var came *ticket
	if d.Rejoin != "" {
		if came, err = c.gw.redeem(ctx, d.Rejoin, identity.UserID, is); err != nil {
			return err
		}
	}
	s := newSession(c, identity)
	s.goOn(came)
	s.device = d.Device
	s.client, _ = names.Visible(d.Client[:min(len(d.Client), maxClientName)], maxClientName) // nothing that is told needs it
	s.plays = slices.Contains(d.Features, protocol.FeaturePlayback)
	s.letInto(c.gw.cfg.People.AdmittedTo(ctx, s.userID)...)
	entered := false
	defer func() {
		if !entered { // because the connection has ended, or of a panic, which goes on
			c.gw.cfg.Relay.Revoke(s.id)
		}
	}()
	if entered = c.enter(ctx, s, r, now, renewed, came); !entered {
		return errDetached
	}
	c.serve(s)
	// Who took the token back meanwhile, or the user's place on another node, did not find the session yet.
	if !c.gw.others.counts(s) {
		s.end(protocol.CloseReplaced)
	}
	if _, _, err = c.gw.cfg.People.Enter(ctx, identity, is); err != nil {
		s.refuse(err)
	} else if err = c.gw.cfg.People.Admit(ctx, identity, s.origin(), is); err != nil {
		s.endBecause(protocol.CloseBanned, err.Error())
	}
	c.gw.seen(s.userID)
	c.log.Debug("identified", zap.String("user", s.userID), zap.String("client", s.client))
	return nil
}

// enter registers a new session and queues its READY, with the token that takes the place of its own and what was said by the ticket
// that it came with, if any. It reports false when the connection ends first.
func (c *Conn) enter(ctx context.Context, s *Session, r *request, now time.Time, renewed string, came *ticket) bool {
	if !c.evictHolder(ctx, s.userID) {
		return false
	}
	c.gw.cfg.Relay.Admit(s.id, s.via)
	ready := s.ready(ctx, now, renewed)
	ready.Rejoined = came.rejoined()
	s.readyNodes(&ready, now)
	body, err := protocol.EncodeBody(protocol.OpReady, ready)
	if err != nil {
		c.log.Error("reply lost", zap.Error(err))
		return false
	}
	// READY goes first: as soon as the session is registered, events come.
	s.out.reply(c, body, r.frame.ID, r.frame.Op, keepNot)
	r.replied = true
	for {
		c.gw.others.begin(s)
		c.gw.running.Add(1) // one for each session; this connection's keeps it above zero
		if _, ok := c.gw.users.Register(s); ok {
			return true
		}
		c.gw.running.Done()
		if !c.evictHolder(ctx, s.userID) {
			c.gw.others.end(s)
			return false
		}
	}
}

// evictHolder ends whoever is registered under this id and waits until it is gone. It
// reports false when this connection ends first.
func (c *Conn) evictHolder(ctx context.Context, userID string) bool {
	for {
		holder := c.gw.users.Get(userID)
		if holder == nil {
			return true
		}
		holder.end(protocol.CloseReplaced)
		select {
		case <-holder.gone:
		case <-c.done:
			return false
		case <-ctx.Done():
			return false
		}
	}
}

// ready is what a session that is in no hub yet begins with.
func (s *Session) ready(ctx context.Context, now time.Time, renewed string) protocol.Ready {
	cfg := &s.gw.cfg
	token := ""
	if cfg.ResumeWindow > 0 {
		token, s.tokens.current = newResumeToken()
	}
	return protocol.Ready{
		V: protocol.Version, SessionID: s.id, UserID: s.userID, Name: s.name, Role: s.Role().String(), May: s.rights().wire(), LoginToken: renewed,
		ResumeToken: token, ResumeWindowMS: cfg.ResumeWindow.Milliseconds(),
		ICEServers: s.iceServers(now), Unread: s.unreadAtFirst(ctx),
		Limits: protocol.Limits{
			FrameBytes: protocol.MaxFrameBytes, SDPBytes: protocol.MaxSDPBytes,
			MessageChars: cfg.MessageLength, ChannelNameChars: protocol.MaxChannelNameChars,
			ChannelCapacity: cfg.ChannelCapacity, Slots: cfg.Slots,
		},
	}
}

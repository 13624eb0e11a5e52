package signaling

import (
	"context"
	"fmt"

	"github.com/mini-livechat/mini-livechat/sfu"
	"github.com/mini-livechat/mini-livechat/signaling/auth"
	"github.com/mini-livechat/mini-livechat/signaling/people"
	"github.com/mini-livechat/mini-livechat/signaling/protocol"
	"github.com/mini-livechat/mini-livechat/signaling/store"
)

// hand raises or lowers one's own hand, or has a moderator let somebody speak, or no more.
func hand(ctx context.Context, s *Session, r *request) error {
	var d protocol.Hand
	if err := r.frame.Bind(&d); err != nil {
		return err
	}
	switch {
	case (d.Raised == nil) == (d.Allow == nil):
		return payloadError("name one of d.raised, of your own hand, and d.allow, of somebody else")
	case d.Allow != nil:
		return s.letSpeak(ctx, r, d.UserID, *d.Allow)
	case d.UserID != "":
		return payloadError("d.raised is of your own hand, so name no d.user_id")
	}
	m := s.member.Load()
	if m == nil || !m.SetHand(*d.Raised, s.gw.now(), func(now sfu.MemberInfo) { r.ack(wireVoiceState(m.Channel().ID(), now)) }) {
		return sfu.ErrNotInChannel
	}
	return nil
}

// letSpeak lets somebody speak where that has to be allowed, or no more.
func (s *Session) letSpeak(ctx context.Context, r *request, userID string, allow bool) error {
	done := func(now protocol.VoiceStateEvent) { r.ack(now) }
	node, elsewhere := s.gw.others.find(userID)
	if !elsewhere {
		return s.gw.letSpeakHere(ctx, s.who(), userID, allow, done)
	}
	found, err := s.gw.others.ask(ctx, node, deed{Op: protocol.OpHand, By: s.who(), UserID: userID, On: allow})
	if err == nil && found.State != nil {
		done(*found.State)
	}
	return err
}

// letSpeakHere is letSpeak of somebody on this node; done is called before anybody is told.
func (g *Gateway) letSpeakHere(ctx context.Context, by auth.Identity, userID string, allow bool, done func(protocol.VoiceStateEvent)) error {
	t, _, err := g.acts(by, userID)
	switch {
	case err != nil:
		return err
	case t.member == nil:
		return fmt.Errorf("%w: %s", sfu.ErrNotInChannel, userID)
	}
	channel := t.member.Channel()
	if allow {
		if err = mayBeAllowed(channel); err != nil {
			return err
		}
	}
	changed, in := t.member.SetAllowed(allow, by.UserID, func(now sfu.MemberInfo) { done(wireVoiceState(channel.ID(), now)) })
	if !in {
		return fmt.Errorf("%w: %s", sfu.ErrNotInChannel, userID)
	}
	if changed {
		action := people.ActionDeny
		if allow {
			action = people.ActionAllow
		}
		g.note(ctx, by, t, store.Deed{Action: action, ChannelID: channel.ID()})
	}
	return nil
}

// mayBeAllowed reports why nobody can be let speak in a channel.
func mayBeAllowed(c *sfu.Channel) error {
	switch c.Info().Speaking {
	case sfu.SpeakingAllowed:
		return nil
	case sfu.SpeakingModerators:
		return fmt.Errorf("%w: in %s only those who moderate are heard; CHANNEL_UPDATE it to speaking %q", errAccessDenied, c.ID(), protocol.SpeakingAllowed)
	default:
		return fmt.Errorf("%w: in %s everybody may speak", errAccessDenied, c.ID())
	}
}

// standingIn is what the user is to those who moderate a channel.
func (s *Session) standingIn(c *sfu.Channel, muted bool) sfu.Standing {
	role, moderates := s.placeIn(c)
	return sfu.Standing{Muted: muted, Role: role, Moderates: moderates}
}

// placeIn is which role the others are told of the user in a channel, empty for a member's, and whether the user moderates there. It
// takes no lock.
func (s *Session) placeIn(c *sfu.Channel) (role string, moderates bool) {
	who := s.who()
	shown := who.Role
	if who.Grants.Moderate && who.Grants.Reaches(c.ID()) {
		shown = max(shown, auth.RoleModerator)
	}
	if shown != auth.RoleMember {
		role = shown.String()
	}
	return role, rank(who, c) >= auth.RoleModerator
}

// place has the channel in which the user is know what they may do by now.
func (s *Session) place() {
	if m := s.member.Load(); m != nil {
		m.SetRole(func() (string, bool) { return s.placeIn(m.Channel()) })
	}
}

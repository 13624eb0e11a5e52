package signaling

import (
	"context"
	"maps"
	"time"

	"go.uber.org/zap"

	"github.com/mini-livechat/mini-livechat/sfu"
	"github.com/mini-livechat/mini-livechat/signaling/auth"
	"github.com/mini-livechat/mini-livechat/signaling/people"
	"github.com/mini-livechat/mini-livechat/signaling/protocol"
)

// follow carries out on who is here what was decided about a person, or a token.
func (g *Gateway) follow(c people.Change) {
	if c.UserID == "" {
		for _, s := range g.users.All() {
			if s.identity.TokenID == c.TokenID {
				s.refuse(auth.ErrTokenRevoked)
			}
		}
		return
	}
	if c.Alias != "" {
		g.disown(c.UserID, c.Alias)
	}
	s := g.users.Get(c.UserID)
	switch {
	case s == nil:
	case c.Uninvited != "":
		g.uninvite(s, c.Uninvited, c.By)
	case !c.SignedOut:
		unknown, known := s.channelsKnown(false), s.channelsKnown(true)
		if c.ChannelID != "" {
			s.letInto(c.ChannelID)
		}
		role := c.Role
		if said := s.identity.Grants.Role; said != nil {
			role = max(role, *said) // they add up
		}
		if auth.Role(s.role.Swap(uint32(role))) != role { //nolint:gosec // nothing else was stored
			event := protocol.ModerationEvent{Action: protocol.ModerationRole, Role: role.String(), May: s.rights().wire()}
			g.announce(target{who: s.who(), session: s}, event, auth.Identity{})
			s.place()
			s.relisten()
		}
		g.show(s, unknown)
		g.hide(s, known)
	case c.TokenID == "" || c.TokenID == s.identity.TokenID:
		s.refuse(people.ErrSignedOut)
	}
}

// seenTimeout bounds how long the end of a session waits for the memory.
const seenTimeout = 2 * time.Second

// remembering returns what remembers that somebody was here until now.
func remembering(p *people.People) func(userID string) {
	return func(userID string) {
		if auth.IsGuest(userID) {
			return
		}
		ctx, cancel := context.WithTimeout(context.Background(), seenTimeout)
		defer cancel()
		p.Seen(ctx, userID, p.Now())
	}
}

// channelsKnown are the channels of which the user may know, or may not.
func (s *Session) channelsKnown(known bool) []sfu.ChannelInfo {
	var channels []sfu.ChannelInfo
	for _, info := range s.gw.channels.List() {
		if s.sees(&info) == known {
			channels = append(channels, info)
		}
	}
	return channels
}

// show tells a session of those of the channels that it may know of by now.
func (g *Gateway) show(s *Session, channels []sfu.ChannelInfo) {
	for _, info := range channels {
		if !s.sees(&info) {
			continue
		}
		body, err := protocol.EncodeBody(protocol.OpChannelEvent, protocol.ChannelEvent{
			Event: protocol.ChannelEventCreate, ChannelID: info.ID, Channel: new(s.wireChannel(info)),
		})
		if err != nil {
			s.log.Error("event lost", zap.Error(err))
			continue
		}
		s.out.event(body)
		g.lookout.reveal(info.ID)
	}
}

// rehide tells those who may know of a channel no more that it is gone, and has those who may now see who is in it.
func (g *Gateway) rehide(c *sfu.Channel, before, after sfu.ChannelInfo) {
	wasHidden, isHidden := before.Access == string(protocol.AccessInvited), after.Access == string(protocol.AccessInvited)
	switch {
	case isHidden && !wasHidden:
		for _, s := range g.users.All() {
			if s.sees(&before) {
				g.hide(s, []sfu.ChannelInfo{after})
			}
		}
	case wasHidden && !isHidden:
		g.lookout.reveal(c.ID())
	}
}

// letInto lets the user into channels for the invited.
func (s *Session) letInto(channelIDs ...string) {
	for {
		before := s.admitted.Load()
		after := make(map[string]struct{}, len(channelIDs))
		if before != nil {
			maps.Copy(after, *before)
		}
		for _, id := range channelIDs {
			after[id] = struct{}{}
		}
		if s.admitted.CompareAndSwap(before, &after) {
			return
		}
	}
}

// wasLetInto reports whether the user was let into a channel for the invited.
func (s *Session) wasLetInto(channelID string) bool {
	admitted := s.admitted.Load()
	if admitted == nil {
		return false
	}
	_, in := (*admitted)[channelID]
	return in
}

// forgetAdmissions has nobody be let into a channel that is there no more, should another one be called so.
func (g *Gateway) forgetAdmissions(channelID string) {
	for _, s := range g.users.All() {
		s.letIntoNoMore(channelID)
	}
}

// letIntoNoMore takes back that the user was let into a channel.
func (s *Session) letIntoNoMore(channelID string) {
	for {
		before := s.admitted.Load()
		if before == nil || !s.wasLetInto(channelID) {
			return
		}
		after := maps.Clone(*before)
		delete(after, channelID)
		if s.admitted.CompareAndSwap(before, &after) {
			return
		}
	}
}

// uninvite has the user be let into a channel no more: they leave it, and hear that it is gone.
func (g *Gateway) uninvite(s *Session, channelID string, by auth.Identity) {
	known := s.channelsKnown(true)
	s.letIntoNoMore(channelID)
	s.brought.Store(nil)
	s.relisten()
	if m := s.member.Load(); m != nil && m.Channel().ID() == channelID {
		s.putOutUninvited(m, by)
	}
	g.hide(s, known)
}

// putOutUninvited has the user leave the channel that they are in, if it is one that they may not enter.
func (s *Session) putOutUninvited(m *sfu.Member, by auth.Identity) {
	info := m.Channel().Info()
	if s.rightsIn(&info)&mayEnter != 0 {
		return
	}
	if m.Active() {
		event := protocol.ModerationEvent{Action: protocol.ModerationUninvite, ChannelID: info.ID}
		s.gw.announce(target{who: s.who(), session: s, member: m}, event, by)
	}
	m.Leave(sfu.LeaveKicked)
	s.member.CompareAndSwap(m, nil)
}

// hide tells a session of those of the channels that it may know of no more.
func (g *Gateway) hide(s *Session, channels []sfu.ChannelInfo) {
	for _, info := range channels {
		if s.sees(&info) {
			continue
		}
		body, err := protocol.EncodeBody(protocol.OpChannelEvent, protocol.ChannelEvent{Event: protocol.ChannelEventDelete, ChannelID: info.ID})
		if err != nil {
			s.log.Error("event lost", zap.Error(err))
			continue
		}
		s.out.event(body)
	}
}

package signaling

import (
	"context"
	"fmt"

	"github.com/mini-livechat/mini-livechat/signaling/auth"
	"github.com/mini-livechat/mini-livechat/signaling/people"
	"github.com/mini-livechat/mini-livechat/signaling/protocol"
)

// inviteCreate makes a link by which others come.
func inviteCreate(ctx context.Context, s *Session, r *request) error {
	var d protocol.InviteCreate
	if err := r.frame.Bind(&d); err != nil {
		return err
	}
	spec, err := people.SpecOf(d)
	if err != nil {
		return err
	}
	if spec.KnownOnly = s.Role() < auth.RoleModerator; spec.KnownOnly && d.Role != "" {
		return fmt.Errorf("%w: only moderators and admins give roles; leave d.role out to invite people who are known already", errAccessDenied)
	}
	if err = s.mayInvite(spec); err != nil {
		return err
	}
	invite, secret, err := s.gw.cfg.People.Invite(ctx, s.who(), spec, s.gw.now())
	if err != nil {
		return err
	}
	r.ack(protocol.InviteCreated{Invite: people.Wire(invite), Secret: secret})
	return nil
}

// mayInvite reports whether this user may invite to where the invite leads: moderators to the server, and who may moderate a channel
// there. Who is no moderator of the server invites people who are known already.
func (s *Session) mayInvite(spec people.InviteSpec) error {
	if s.identity.Grants.Restricts() {
		return fmt.Errorf("%w: your token is for less than your role, and invites nobody", errAccessDenied)
	}
	if spec.ChannelID == "" {
		if s.Role() >= auth.RoleModerator {
			return nil
		}
		return fmt.Errorf("%w: only moderators and admins invite people to the server", errAccessDenied)
	}
	channel, err := s.visibleChannel(spec.ChannelID)
	switch {
	case err != nil:
		return err
	case !s.mayModerate(channel):
		return fmt.Errorf("%w: only the owner of %s, a moderator or an admin invites people there", errAccessDenied, channel.ID())
	case !kept(channel.OwnerID()):
		return fmt.Errorf("%w: %s is a guest's and goes away with them; nobody can be invited there", errAccessDenied, channel.ID())
	}
	return nil
}

func inviteList(ctx context.Context, s *Session, r *request) error {
	var d protocol.InviteQuery
	if err := r.frame.Bind(&d); err != nil {
		return err
	}
	invites, err := s.gw.cfg.People.Invites(ctx, s.who())
	if err != nil {
		return err
	}
	list := protocol.InviteList{Invites: make([]protocol.Invite, len(invites))}
	for i, invite := range invites {
		list.Invites[i] = people.Wire(invite)
	}
	if d.ChannelID != "" {
		if list.Passes, err = s.passes(ctx, d.ChannelID); err != nil {
			return err
		}
	}
	r.ack(list)
	return nil
}

// passes are who was let into a channel, which its owner and admins may know.
func (s *Session) passes(ctx context.Context, channelID string) ([]protocol.Pass, error) {
	if _, err := s.ownChannel(channelID); err != nil {
		return nil, err
	}
	letIn, err := s.gw.cfg.People.LetIn(ctx, channelID)
	passes := make([]protocol.Pass, len(letIn))
	for i, user := range letIn {
		passes[i] = protocol.Pass{UserID: user.ID, Name: user.Name}
	}
	return passes, err
}

func inviteRevoke(ctx context.Context, s *Session, r *request) error {
	var d protocol.InviteRef
	if err := r.frame.Bind(&d); err != nil {
		return err
	}
	var err error
	switch {
	case (d.InviteID == "") == (d.ChannelID == "" && d.UserID == ""), (d.ChannelID == "") != (d.UserID == ""):
		return payloadError("name d.invite_id, or d.channel_id and d.user_id")
	case d.InviteID != "":
		if err = s.gw.cfg.People.Revoke(ctx, s.who(), d.InviteID, s.gw.now()); err == nil {
			r.ack(d)
		}
	default:
		if _, err = s.ownChannel(d.ChannelID); err == nil {
			err = s.gw.cfg.People.Uninvite(ctx, s.who(), d.ChannelID, d.UserID, s.gw.now(), func() { r.ack(d) })
		}
	}
	return err
}

// who is the session's user as they are now.
func (s *Session) who() auth.Identity {
	id := s.identity
	id.Role = s.Role()
	return id
}

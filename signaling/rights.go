package signaling

import (
	"fmt"

	"github.com/mini-livechat/mini-livechat/sfu"
	"github.com/mini-livechat/mini-livechat/signaling/auth"
	"github.com/mini-livechat/mini-livechat/signaling/protocol"
)

// rights are what somebody may do, in a channel or without one.
type rights uint8

const (
	mayEnter rights = 1 << iota
	mayCreate
	mayPublish
	mayChat
	mayModerate
	mayChange
	mayRecord
)

// rightNames are the rights as clients are told of them, in this order.
//
//nolint:gochecknoglobals // a constant in all but the language
var rightNames = [...]protocol.Right{
	protocol.RightEnter, protocol.RightCreate, protocol.RightPublish, protocol.RightChat, protocol.RightModerate,
	protocol.RightChange, protocol.RightRecord,
}

// wire are the rights as clients are told of them.
func (r rights) wire() []protocol.Right {
	named := make([]protocol.Right, 0, len(rightNames))
	for i, name := range rightNames {
		if r&(1<<i) != 0 {
			named = append(named, name)
		}
	}
	return named
}

// when is the rights if something holds, and else none.
func (r rights) when(holds bool) rights {
	if holds {
		return r
	}
	return 0
}

// rights are what the user may do on the server: what the role has, less what the token withholds, and what it grants beside. An
// admin may do everything.
func (s *Session) rights() rights {
	role, g := s.Role(), s.identity.Grants
	admin := role >= auth.RoleAdmin
	return mayCreate.when(admin || g.Create.Given(true)) | mayPublish.when(admin || g.Publish.Given(true)) |
		mayChat.when(admin || g.Chat.Given(true)) | mayModerate.when(role >= auth.RoleModerator || g.Moderate) | mayRecord.when(admin || g.Record)
}

// rightsIn are what the user may do in a channel: of who may not enter, nothing.
func (s *Session) rightsIn(c *sfu.ChannelInfo) rights {
	role, g := s.Role(), s.identity.Grants
	own := c.OwnerID == s.userID
	enters := role >= auth.RoleAdmin || own || g.Opens(c.ID)
	if !enters && g.Reaches(c.ID) {
		switch protocol.Access(c.Access) {
		case protocol.AccessInvited:
			enters = s.wasLetInto(c.ID)
		case protocol.AccessMembers:
			enters = role > auth.RoleGuest
		case protocol.AccessOpen:
			enters = true
		}
	}
	if !enters {
		return 0
	}
	in := mayEnter | s.rights()&^mayCreate
	if own || role >= auth.RoleAdmin {
		in |= mayModerate | mayChange
	}
	return in
}

// sees reports whether this user may know that there is a channel: one for the invited is nobody else's business, but for those who
// are in it, and none that a token does not open is its bearer's. It takes no lock.
func (s *Session) sees(c *sfu.ChannelInfo) bool {
	if c.Access != string(protocol.AccessInvited) && s.reaches(c.ID) || s.rightsIn(c) != 0 {
		return true
	}
	m := s.member.Load()
	return m != nil && m.Channel().ID() == c.ID || s.wasBrought(c.ID)
}

// channel returns a channel, if there is one that this user may know of.
func (s *Session) channel(id string) (*sfu.Channel, error) {
	channel, err := s.gw.channels.Get(id)
	if err != nil {
		return nil, s.unknown(id)
	}
	if info := channel.Info(); !s.sees(&info) {
		return nil, s.unknown(id)
	}
	return channel, nil
}

// reaches reports whether the token says nothing against a channel of this id.
func (s *Session) reaches(id string) bool {
	return s.Role() >= auth.RoleAdmin || s.identity.Grants.Reaches(id)
}

// unknown is the answer to who asks for a channel of which they may not know: as if there were none.
func (s *Session) unknown(id string) error {
	if !s.reaches(id) {
		return fmt.Errorf("%w: %s is none of the channels that your token opens", errAccessDenied, id)
	}
	return fmt.Errorf("%w: %s", sfu.ErrChannelNotFound, id)
}

// mayEnter reports why this user may not come into a channel.
func (s *Session) mayEnter(c *sfu.Channel) error {
	info := c.Info()
	switch {
	case s.rightsIn(&info)&mayEnter != 0:
		return nil
	case !s.sees(&info):
		return s.unknown(c.ID())
	case info.Access == string(protocol.AccessInvited):
		return fmt.Errorf("%w: %s is for those who are invited", errAccessDenied, c.ID())
	case !s.reaches(c.ID()): // one that they are in, having been moved there
		return s.unknown(c.ID())
	default:
		return fmt.Errorf("%w: %s is for members, and you are a guest", errAccessDenied, c.ID())
	}
}

// may reports why this user has not a right in a channel.
func (s *Session) may(right rights, c *sfu.Channel) error {
	info := c.Info()
	if s.rightsIn(&info)&right != 0 {
		return nil
	}
	return fmt.Errorf("%w: you may not %s in %s", errAccessDenied, right.wire()[0], c.ID())
}

// mayMake reports why this user may not make a channel with this id.
func (s *Session) mayMake(id string) error {
	switch {
	case s.rights()&mayCreate == 0:
		return fmt.Errorf("%w: you may not create channels", errAccessDenied)
	case !s.reaches(id):
		return s.unknown(id)
	}
	return nil
}

// mayModerate reports whether this user may take back what others said in a channel.
func (s *Session) mayModerate(c *sfu.Channel) bool { return s.may(mayModerate, c) == nil }

package signaling

import (
	"context"
	"time"

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
	s := g.users.Get(c.UserID)
	switch {
	case s == nil:
	case !c.SignedOut:
		if auth.Role(s.role.Swap(uint32(c.Role))) != c.Role { //nolint:gosec // nothing else was stored
			g.announce(target{who: s.who(), session: s}, protocol.ModerationEvent{Action: protocol.ModerationRole, Role: c.Role.String()}, auth.Identity{})
		}
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
		p.Seen(ctx, userID, time.Now())
	}
}

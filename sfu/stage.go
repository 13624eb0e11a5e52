package sfu

import "time"

// Speaking says who is heard in a channel. The zero value is SpeakingAll.
type Speaking string

// Who is heard.
const (
	SpeakingAll Speaking = "all"
	// SpeakingModerators: those who moderate there.
	SpeakingModerators Speaking = "moderators"
	// SpeakingAllowed: these, and whom they let speak (Member.SetAllowed).
	SpeakingAllowed Speaking = "allowed"
)

// Standing is what a member is to those who moderate the channel.
type Standing struct {
	// Muted: a moderator lets nobody hear the member.
	Muted bool
	// Moderates: the member is one of those who moderate, whom Speaking does not silence.
	Moderates bool
	// Role is in the words of whoever asks this package: it is told to the others, and nothing follows from it here.
	Role string
}

// HandInfo is a hand that is raised.
type HandInfo struct {
	UserID string
	At     time.Time
}

// SetHand raises or lowers the member's hand, and tells the others; one that is raised already stays where it is in the line. It
// reports false, and calls nothing, when the member is out of the channel. acknowledge is called as for SetVoiceState.
func (m *Member) SetHand(raised bool, now time.Time, acknowledge func(MemberInfo)) bool {
	return m.command(func(r *roster) ([]news, error) {
		told, err := r.setHand(m.self, raised, now)
		if err == nil {
			acknowledge(m.self.info())
		}
		return told, err
	})
}

// SetAllowed says whether a moderator, by, lets the member speak where that has to be allowed, until the member leaves or the
// channel's Speaking is another. A hand is lowered by either. Everybody but the moderator is told. acknowledge is called as for
// SetVoiceState; by then no packet that came before is written to anybody's slot, if there shall be none. in is false when the member
// is out of the channel, changed when nothing is otherwise than before.
func (m *Member) SetAllowed(allowed bool, by string, acknowledge func(MemberInfo)) (changed, in bool) {
	in = m.voice(func(r *roster) ([]news, error) {
		told, err := r.setAllowed(m.self, allowed, by)
		changed = len(told) > 0
		return told, err
	}, acknowledge)
	return changed, in
}

// Allowed reports whether a moderator lets the member speak where that has to be allowed.
func (m *Member) Allowed() bool {
	m.channel.mu.Lock()
	defer m.channel.mu.Unlock()
	return m.self.allowed
}

// SetRole changes what the member is to those who moderate, but for Muted, to what place returns, and tells everybody, the member
// too. Of two who do so, the later one's place is asked later. When it returns, one who may be heard no more is heard no more. It
// reports false when the member is out of the channel. Like Notifier, place must neither block nor call back.
func (m *Member) SetRole(place func() (role string, moderates bool)) bool {
	return m.voice(func(r *roster) ([]news, error) {
		role, moderates := place()
		return r.setRole(m.self, role, moderates)
	}, nil)
}

// TellStage tells a member who may not be heard, and whose hands are raised: one who has changed that is not told otherwise.
func (c *Channel) TellStage(userID string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.roster.members[userID] != nil {
		c.notifier.Notify([]string{userID}, "", c.roster.stage())
	}
}

// permitAllLocked has everybody's media follow what the roster says of them.
func (c *Channel) permitAllLocked(now time.Time) {
	for _, l := range c.board.legs {
		if p := c.roster.members[l.userID]; p != nil {
			c.board.permit(l, p.talks(), p.hears())
		}
	}
	c.board.connect(now)
	c.rouse()
}

// judge says whether p may be heard, as things are.
func (r *roster) judge(p *occupant) {
	switch r.channel.Speaking {
	case SpeakingModerators:
		p.suppressed = !p.Moderates
	case SpeakingAllowed:
		p.suppressed = !p.Moderates && !p.allowed
	default:
		p.suppressed = false
	}
}

// restage begins anew after Speaking was changed: all hands are down, and nobody is allowed any more.
func (r *roster) restage() Event {
	for _, p := range r.order {
		if p.here() { // of the others their nodes say it
			p.allowed, p.handAt = false, time.Time{}
			r.judge(p)
		}
	}
	return r.stage()
}

func (r *roster) stage() Event {
	stage := StageChanged{ChannelID: r.channel.ID}
	for _, p := range r.order {
		if p.suppressed {
			stage.Suppressed = append(stage.Suppressed, p.userID)
		}
		if !p.handAt.IsZero() {
			stage.Hands = append(stage.Hands, HandInfo{p.userID, p.handAt})
		}
	}
	return stage
}

// setHand raises or lowers p's hand. What is no news is not told. It fails with ErrNotInChannel.
func (r *roster) setHand(p *occupant, raised bool, now time.Time) ([]news, error) {
	if !r.has(p) {
		return nil, r.notIn()
	}
	if raised == !p.handAt.IsZero() {
		return nil, nil
	}
	p.handAt = time.Time{}
	if raised {
		p.handAt = now
	}
	return r.tell(p.userID, VoiceStateChanged{ChannelID: r.channel.ID, Member: p.info()}), nil
}

// setAllowed says whether a moderator, by, lets p speak, and lowers p's hand. Everybody but them is told, p too, of what is news. It
// fails with ErrNotInChannel.
func (r *roster) setAllowed(p *occupant, allowed bool, by string) ([]news, error) {
	if !r.has(p) {
		return nil, r.notIn()
	}
	before := p.info()
	p.allowed = allowed && r.channel.Speaking == SpeakingAllowed
	p.handAt = time.Time{}
	r.judge(p)
	return r.tellIfOther(p, before, by), nil
}

// setRole changes what p is to those who moderate. Everybody is told, p too, of what is news. It fails with ErrNotInChannel.
func (r *roster) setRole(p *occupant, role string, moderates bool) ([]news, error) {
	if !r.has(p) {
		return nil, r.notIn()
	}
	before := p.info()
	p.Role, p.Moderates = role, moderates
	r.judge(p)
	return r.tellIfOther(p, before, ""), nil
}

// tellIfOther tells everybody but one of p, if it is otherwise than before.
func (r *roster) tellIfOther(p *occupant, before MemberInfo, except string) []news {
	if p.info() == before {
		return nil
	}
	return r.tell(except, VoiceStateChanged{ChannelID: r.channel.ID, Member: p.info()})
}

package signaling

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.uber.org/zap"

	"github.com/mini-livechat/mini-livechat/sfu"
	"github.com/mini-livechat/mini-livechat/signaling/auth"
	"github.com/mini-livechat/mini-livechat/signaling/people"
	"github.com/mini-livechat/mini-livechat/signaling/protocol"
	"github.com/mini-livechat/mini-livechat/signaling/store"
)

// Who moderates acts on another session while its own request is carried out. So it takes nobody's turn, which two who act on each
// other would wait for without end; what a member is asked to do is safe without.

// target is on whom a moderator acts.
type target struct {
	who auth.Identity
	// session is nil for one who is not here, member for one who is in no channel.
	session *Session
	member  *sfu.Member
}

// rank is what somebody may do in a channel, nil for none: its owner moderates there, and whose token says so.
func rank(id auth.Identity, channel *sfu.Channel) auth.Role {
	if id.Role < auth.RoleAdmin && (channel == nil && id.Grants.Restricts() || channel != nil && !id.Grants.Reaches(channel.ID())) {
		id.Role = min(id.Role, auth.RoleMember) // what the token is good for ends here
	}
	granted := channel != nil && id.Grants.Moderate && id.Grants.Reaches(channel.ID())
	if granted || channel != nil && channel.OwnerID() == id.UserID && id.UserID != "" {
		return max(id.Role, auth.RoleModerator)
	}
	return id.Role
}

// acts returns on whom somebody acts, if they may: as a moderator, and on nobody who is one too. everywhere says that they may on the
// whole server, and not only in the channel where the other is.
func (g *Gateway) acts(by auth.Identity, userID string) (t target, everywhere bool, err error) {
	if userID == "" {
		return t, false, payloadError("d.user_id is missing")
	}
	t.session = g.users.Get(userID)
	if t.session == nil {
		return t, false, fmt.Errorf("%w: %q is not here", people.ErrUnknown, userID)
	}
	t.who = t.session.who()
	var channel *sfu.Channel
	if m := t.session.member.Load(); m != nil && m.Active() {
		t.member, channel = m, m.Channel()
	}
	return t, rank(by, nil) >= auth.RoleModerator, mayAct(by, t.who, channel)
}

// mayAct reports whether by may act on who in a channel, nil for none. The operator, who has no id, may on everybody.
func mayAct(by, who auth.Identity, channel *sfu.Channel) error {
	if by.UserID == "" && by.Role >= auth.RoleAdmin {
		return nil
	}
	mine, theirs := rank(by, channel), rank(who, channel)
	if server := rank(by, nil); server >= auth.RoleModerator { // who moderates the server does so in anybody's channel
		mine, theirs = server, who.Role
	}
	switch {
	case by.UserID == who.UserID:
		return fmt.Errorf("%w: that is you", errAccessDenied)
	case mine < auth.RoleModerator:
		return fmt.Errorf("%w: only moderators and admins, and a channel's owner there, do this to others", errAccessDenied)
	case mine <= theirs:
		return fmt.Errorf("%w: %s is %s here, and you are %s", errAccessDenied, who.UserID, theirs.Noun(), mine.Noun())
	}
	return nil
}

// Mute has nobody hear somebody, by id, or again. by must be more than they are, or the operator. An error that wraps people.ErrUnkept is
// no failure: it holds until the server ends.
func (g *Gateway) Mute(ctx context.Context, by auth.Identity, userID string, mute bool) error {
	return g.mute(ctx, by, userID, mute, func(error) {})
}

// mute is Mute, which calls done before anybody is told, with what people.ErrUnkept says.
func (g *Gateway) mute(ctx context.Context, by auth.Identity, userID string, mute bool, done func(unkept error)) error {
	node, elsewhere := g.others.find(userID)
	if !elsewhere {
		return g.muteHere(ctx, by, userID, mute, done)
	}
	_, err := g.others.ask(ctx, node, deed{Op: protocol.OpMemberMute, By: by, UserID: userID, On: mute})
	if err == nil || errors.Is(err, people.ErrUnkept) {
		done(err)
	}
	return err
}

// muteHere is mute of somebody on this node, or on none.
func (g *Gateway) muteHere(ctx context.Context, by auth.Identity, userID string, mute bool, done func(unkept error)) error {
	t, everywhere, err := g.acts(by, userID)
	switch {
	case errors.Is(err, people.ErrUnknown) && !mute && rank(by, nil) >= auth.RoleModerator:
		return g.unmuteAbsent(ctx, by, userID, done)
	case err != nil:
		return err
	case t.member == nil && !everywhere:
		return fmt.Errorf("%w: %s", sfu.ErrNotInChannel, userID)
	}
	channelID := ""
	if t.member != nil {
		channelID = t.member.Channel().ID()
	}
	if _, all := g.cfg.People.MutedIn(ctx, userID, t.session.origin(), channelID); all && !mute && !everywhere {
		return fmt.Errorf("%w: a moderator of the server muted %s", errAccessDenied, userID)
	}
	err = g.cfg.People.Mute(ctx, by, t.who, t.session.origin(), channelID, everywhere, mute, g.now())
	if err != nil && !errors.Is(err, people.ErrUnkept) {
		return err
	}
	action := protocol.ModerationUnmute
	if mute {
		action = protocol.ModerationMute
	}
	t.session.muted.Store(mute)
	if m := t.session.member.Load(); m != nil { // perhaps another one by now
		m.SetMuted(mute, by.UserID)
	}
	done(err)
	g.announce(t, protocol.ModerationEvent{Action: action, ChannelID: channelID}, by)
	return err
}

// unmuteAbsent has somebody who is not here be heard again when they come.
func (g *Gateway) unmuteAbsent(ctx context.Context, by auth.Identity, userID string, done func(unkept error)) error {
	who, err := g.cfg.People.Whom(ctx, userID)
	if err == nil {
		err = mayAct(by, who, nil)
	}
	if err == nil {
		err = g.cfg.People.Mute(ctx, by, who, g.kicked.cameFrom(who.UserID, time.Now()), "", true, false, g.now())
	}
	if err == nil {
		done(nil)
	}
	return err
}

// Move takes somebody, by id, to another channel, with their media. by must be more than they are, or the operator.
func (g *Gateway) Move(ctx context.Context, by auth.Identity, userID, channelID string) error {
	to := func() (*sfu.Channel, error) { return g.channels.Get(channelID) }
	return g.move(ctx, by, userID, to, func() {})
}

// move is Move, which calls done before anybody is told.
func (g *Gateway) move(ctx context.Context, by auth.Identity, userID string, where func() (*sfu.Channel, error), done func()) error {
	node, elsewhere := g.others.find(userID)
	if !elsewhere {
		return g.moveHere(ctx, by, userID, where, done)
	}
	to, err := where()
	if err != nil {
		return err
	}
	if _, err = g.others.ask(ctx, node, deed{Op: protocol.OpMemberMove, By: by, UserID: userID, ChannelID: to.ID()}); err == nil {
		done()
	}
	return err
}

// moveHere is move of somebody on this node.
func (g *Gateway) moveHere(ctx context.Context, by auth.Identity, userID string, where func() (*sfu.Channel, error), done func()) error {
	t, _, err := g.acts(by, userID)
	if err != nil {
		return err
	}
	if t.member == nil {
		return fmt.Errorf("%w: %s", sfu.ErrNotInChannel, userID)
	}
	to, err := where()
	if err != nil {
		return err
	}
	from := t.member.Channel()
	event := protocol.ModerationEvent{Action: protocol.ModerationMove, ChannelID: from.ID(), ToChannelID: to.ID()}
	muted, _ := g.cfg.People.MutedIn(ctx, userID, t.session.origin(), to.ID())
	begun := func() {
		done()
		g.announceMove(from, to.Info(), event, t.who, by)
	}
	if err = t.move(to, t.session.standingIn(to, muted), begun, func(found sfu.Snapshot) { g.tellMoved(t, event, by, found) }); err != nil {
		return err
	}
	g.hide(t.session, []sfu.ChannelInfo{from.Info()})
	t.session.settle(ctx)
	g.note(ctx, by, t, store.Deed{Action: people.ActionMove, ChannelID: to.ID()})
	return nil
}

// settle makes sure that a member who came into a channel is what they became meanwhile: muted by a moderator, or of another role.
func (s *Session) settle(ctx context.Context) {
	m := s.member.Load()
	if m == nil {
		return
	}
	muted, _ := s.gw.cfg.People.MutedIn(ctx, s.userID, s.origin(), m.Channel().ID())
	s.muted.Store(muted)
	m.SetMuted(muted, "")
	s.place()
}

// move takes the target's member along, and makes sure that a session that ended meanwhile is in no channel.
func (t target) move(to *sfu.Channel, standing sfu.Standing, begin func(), onJoined func(sfu.Snapshot)) error {
	next, err := t.member.Move(to, standing, begin, onJoined)
	if next == t.member || next == nil {
		return err
	}
	if t.arrive(next); !next.Active() {
		return err // left again by now
	}
	if t.session.member.Load() != next || t.session.over() {
		next.Leave(sfu.LeaveGone)
		return fmt.Errorf("%w: %s", sfu.ErrNotInChannel, t.who.UserID)
	}
	return err
}

// arrive has the session be the member that its user is from now on, before they are told, and so before they ask for something there.
func (t target) arrive(next *sfu.Member) { t.session.member.CompareAndSwap(t.member, next) }

// tellMoved tells somebody where they are now.
func (g *Gateway) tellMoved(t target, event protocol.ModerationEvent, by auth.Identity, found sfu.Snapshot) {
	t.arrive(found.Member)
	event.Joined = &protocol.Joined{
		ChannelID: found.Channel.ID, ChannelName: found.Channel.Name, Mode: protocol.Mode(found.Channel.Mode),
		ActiveMembers: wireMembers(found.Members), Slots: wireSlots(found.Slots),
		Floor: t.session.wireFloor(&found.Channel, found.Floor, sfu.FloorAnswer{}),
	}
	body, err := protocol.EncodeBody(protocol.OpModerationEvent, complete(event, t.who, by))
	if err != nil {
		g.log.Error("event lost", zap.Error(err))
		return
	}
	t.session.out.event(body)
}

// Kick ends the session of somebody, by id, and keeps them out of the channel for a while. by must be more than they are, or the operator.
func (g *Gateway) Kick(ctx context.Context, by auth.Identity, userID, reason string) error {
	return g.kick(ctx, by, userID, reason, func(string) {})
}

// kick is Kick, which calls done before anybody is told, with the reason as they are.
func (g *Gateway) kick(ctx context.Context, by auth.Identity, userID, reason string, done func(reason string)) error {
	reason, err := cleanReason(reason)
	if err != nil {
		return err
	}
	node, elsewhere := g.others.find(userID)
	if !elsewhere {
		return g.kickHere(ctx, by, userID, reason, done)
	}
	if _, err = g.others.ask(ctx, node, deed{Op: protocol.OpMemberKick, By: by, UserID: userID, Reason: reason}); err == nil {
		done(reason)
	}
	return err
}

// kickHere is kick of somebody on this node, for a reason that is clean.
func (g *Gateway) kickHere(ctx context.Context, by auth.Identity, userID, reason string, done func(reason string)) error {
	t, _, err := g.acts(by, userID)
	if err != nil {
		return err
	}
	deed := store.Deed{Action: people.ActionKick, Reason: reason}
	if t.member != nil {
		deed.ChannelID = t.member.Channel().ID()
		from := t.session.blame()
		g.kicked.add(t.who.UserID, from, deed.ChannelID, time.Now())
		g.others.tell("", "", protocol.OpMemberKick, kickedElsewhere{t.who.UserID, from, deed.ChannelID})
	}
	done(reason)
	g.announce(t, protocol.ModerationEvent{Action: protocol.ModerationKick, ChannelID: deed.ChannelID, Reason: reason}, by)
	t.putOut(protocol.CloseKicked, reason)
	g.note(ctx, by, t, deed)
	return nil
}

// Ban keeps somebody out, who may be here or not, by their id or, if they are known, their name, and ends their session. by must be
// more than they are, or the operator. It returns their id; the error wraps people.ErrUnknown when there is none, and people.ErrUnkept when
// the ban holds all the same.
func (g *Gateway) Ban(ctx context.Context, by auth.Identity, idOrName string, lasts time.Duration, reason string) (userID string, err error) {
	return g.ban(ctx, by, idOrName, lasts, reason, func(error) {})
}

// ban is Ban, which calls banned before anybody is told, with what people.ErrUnkept says.
func (g *Gateway) ban(
	ctx context.Context, by auth.Identity, idOrName string, lasts time.Duration, reason string, banned func(unkept error),
) (userID string, err error) {
	userID = idOrName
	node, elsewhere := g.others.find(userID)
	if !elsewhere && g.others != nil {
		if who, unknown := g.cfg.People.Whom(ctx, idOrName); unknown == nil {
			userID = who.UserID
		} else if _, at, absent := g.somebody(idOrName); absent == nil && at.UserID != "" { // a guest has a name too
			userID = at.UserID
		}
		node, elsewhere = g.others.find(userID)
	}
	if !elsewhere {
		return g.banHere(ctx, by, idOrName, lasts, reason, banned)
	}
	_, err = g.others.ask(ctx, node, deed{Op: protocol.OpMemberBan, By: by, UserID: userID, Lasts: lasts, Reason: reason})
	if err == nil || errors.Is(err, people.ErrUnkept) {
		banned(err)
	}
	return userID, err
}

// banHere is ban of somebody on this node, or on none.
func (g *Gateway) banHere(
	ctx context.Context, by auth.Identity, idOrName string, lasts time.Duration, reason string, banned func(unkept error),
) (userID string, err error) {
	t := target{session: g.users.Get(idOrName)}
	if t.session == nil {
		t.who, err = g.cfg.People.Whom(ctx, idOrName)
		if t.session = g.users.Get(t.who.UserID); errors.Is(err, people.ErrUnknown) { // a guest who is here has a name too
			if t.session, _, err = g.somebody(idOrName); err == nil && t.session == nil { // they came to another node meanwhile
				err = fmt.Errorf("%w: %q is not here", people.ErrUnknown, idOrName)
			}
		}
		if err != nil {
			return "", err
		}
	}
	from := g.kicked.cameFrom(t.who.UserID, time.Now())
	if t.session != nil {
		t.who, from = t.session.who(), t.session.blame()
		if m := t.session.member.Load(); m != nil && m.Active() {
			t.member = m
		}
	}
	if err = mayAct(by, t.who, nil); err != nil {
		return "", err
	}
	ban, err := g.cfg.People.Ban(ctx, by, t.who, from, lasts, reason, g.now())
	if err != nil && !errors.Is(err, people.ErrUnkept) {
		return t.who.UserID, err
	}
	banned(err)
	words := (&people.BannedError{Ban: ban, Left: lasts}).Error()
	defer func() {
		for _, s := range g.users.All() { // the same browser, as another guest
			if auth.IsGuest(s.userID) && from.Device != "" && s.device == from.Device {
				target{session: s}.putOut(protocol.CloseBanned, words)
			}
		}
	}()
	if t.session == nil {
		return t.who.UserID, err
	}
	event := protocol.ModerationEvent{Action: protocol.ModerationBan, Reason: reason, DurationS: int64(lasts / time.Second)}
	if t.member != nil {
		event.ChannelID = t.member.Channel().ID()
	}
	g.announce(t, event, by)
	t.putOut(protocol.CloseBanned, words)
	return t.who.UserID, err
}

// putOut ends the target's session: out of the channel first, so that the others are told why.
func (t target) putOut(code protocol.CloseCode, reason string) {
	if m := t.session.member.Load(); m != nil {
		m.Leave(sfu.LeaveKicked)
	}
	if reason == "" {
		reason = code.String()
	}
	t.session.endBecause(code, reason)
}

// note remembers what was done. What cannot be remembered has been done all the same, and the log says so.
func (g *Gateway) note(ctx context.Context, by auth.Identity, t target, deed store.Deed) {
	if err := g.cfg.People.Note(ctx, by, t.who, deed, g.now()); err != nil {
		g.log.Error("what a moderator did is not in the audit", zap.String("action", deed.Action), zap.String("user", t.who.UserID), zap.Error(err))
	}
}

// announce tells the members of the channel in which the target is, and the target.
func (g *Gateway) announce(t target, event protocol.ModerationEvent, by auth.Identity) {
	if t.member != nil {
		g.announceIn(t.member.Channel(), event, t.who, by)
		return
	}
	if body := g.moderation(event, t.who, by); body != nil {
		t.session.out.event(body)
	}
}

func (g *Gateway) announceIn(c *sfu.Channel, event protocol.ModerationEvent, who, by auth.Identity) {
	if body := g.moderation(event, who, by); body != nil {
		c.NotifyMembers(func(userIDs []string) {
			g.users.BroadcastTo(userIDs, body, by.UserID)
			g.others.tell(c.ID(), by.UserID, protocol.OpModerationEvent, complete(event, who, by))
		})
	}
}

// announceMove is announceIn for who goes elsewhere. Where to is only for those who may know of that channel.
func (g *Gateway) announceMove(from *sfu.Channel, to sfu.ChannelInfo, event protocol.ModerationEvent, who, by auth.Identity) {
	event = complete(event, who, by)
	g.others.tell(from.ID(), by.UserID, protocol.OpModerationEvent, event)
	g.announceMoveHere(from, to, event)
}

// announceMoveHere is announceMove to those who are on this node.
func (g *Gateway) announceMoveHere(from *sfu.Channel, to sfu.ChannelInfo, event protocol.ModerationEvent) {
	whole := g.encoded(event)
	event.ToChannelID = ""
	part := g.encoded(event)
	if whole == nil || part == nil {
		return
	}
	from.NotifyMembers(func(userIDs []string) {
		for _, id := range userIDs {
			body := part
			if s := g.users.Get(id); s != nil && s.sees(&to) {
				body = whole
			}
			g.users.BroadcastTo([]string{id}, body, event.ByID)
		}
	})
}

func (g *Gateway) moderation(event protocol.ModerationEvent, who, by auth.Identity) *protocol.Body {
	return g.encoded(complete(event, who, by))
}

func (g *Gateway) encoded(event protocol.ModerationEvent) *protocol.Body {
	body, err := protocol.EncodeBody(protocol.OpModerationEvent, event)
	if err != nil {
		g.log.Error("event lost", zap.Error(err))
		return nil
	}
	return body
}

func complete(event protocol.ModerationEvent, who, by auth.Identity) protocol.ModerationEvent {
	event.UserID, event.Name, event.ByID, event.ByName = who.UserID, who.Name, by.UserID, by.Name
	return event
}

package signaling

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"time"
	"unicode/utf8"

	"go.uber.org/zap"

	"github.com/mini-livechat/mini-livechat/sfu"
	"github.com/mini-livechat/mini-livechat/signaling/auth"
	"github.com/mini-livechat/mini-livechat/signaling/names"
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

// acts returns on whom this user acts, if they may: as a moderator, and on nobody who is one too. everywhere says that they may on the
// whole server, and not only in the channel where the other is.
func (s *Session) acts(userID string) (t target, everywhere bool, err error) {
	if userID == "" {
		return t, false, payloadError("d.user_id is missing")
	}
	t.session = s.gw.users.Get(userID)
	if t.session == nil {
		return t, false, fmt.Errorf("%w: %q is not here", people.ErrUnknown, userID)
	}
	t.who = t.session.who()
	var channel *sfu.Channel
	if m := t.session.member.Load(); m != nil && m.Active() {
		t.member, channel = m, m.Channel()
	}
	return t, rank(s.who(), nil) >= auth.RoleModerator, mayAct(s.who(), t.who, channel)
}

// mayAct reports whether by may act on who in a channel, nil for none.
func mayAct(by, who auth.Identity, channel *sfu.Channel) error {
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

// memberMute has nobody hear somebody, or again.
func memberMute(ctx context.Context, s *Session, r *request) error {
	var d protocol.MemberMute
	if err := r.frame.Bind(&d); err != nil {
		return err
	}
	if d.Mute == nil {
		return payloadError("d.mute is missing; it is true or false")
	}
	t, everywhere, err := s.acts(d.UserID)
	switch {
	case errors.Is(err, people.ErrUnknown) && !*d.Mute && rank(s.who(), nil) >= auth.RoleModerator:
		return s.unmuteAbsent(ctx, r, d)
	case err != nil:
		return err
	case t.member == nil && !everywhere:
		return fmt.Errorf("%w: %s", sfu.ErrNotInChannel, d.UserID)
	}
	channelID := ""
	if t.member != nil {
		channelID = t.member.Channel().ID()
	}
	if _, all := s.gw.cfg.People.MutedIn(ctx, d.UserID, t.session.origin(), channelID); all && !*d.Mute && !everywhere {
		return fmt.Errorf("%w: a moderator of the server muted %s", errAccessDenied, d.UserID)
	}
	now := time.Now()
	err = s.gw.cfg.People.Mute(ctx, s.who(), t.who, t.session.origin(), channelID, everywhere, *d.Mute, now)
	if err != nil && !errors.Is(err, people.ErrUnkept) {
		return err
	}
	action := protocol.ModerationUnmute
	if *d.Mute {
		action = protocol.ModerationMute
	}
	t.session.muted.Store(*d.Mute)
	if m := t.session.member.Load(); m != nil { // perhaps another one by now
		m.SetMuted(*d.Mute, s.userID)
	}
	r.done(d, err)
	s.gw.announce(t, protocol.ModerationEvent{Action: action, ChannelID: channelID}, s.who())
	return nil
}

// unmuteAbsent has somebody who is not here be heard again when they come.
func (s *Session) unmuteAbsent(ctx context.Context, r *request, d protocol.MemberMute) error {
	who, err := s.gw.cfg.People.Whom(ctx, d.UserID)
	if err == nil {
		err = mayAct(s.who(), who, nil)
	}
	if err == nil {
		now := time.Now()
		err = s.gw.cfg.People.Mute(ctx, s.who(), who, s.gw.kicked.cameFrom(who.UserID, now), "", true, false, now)
	}
	if err == nil {
		r.ack(d)
	}
	return err
}

// memberMove takes somebody to another channel, with their media.
func memberMove(ctx context.Context, s *Session, r *request) error {
	var d protocol.MemberMove
	if err := r.frame.Bind(&d); err != nil {
		return err
	}
	t, _, err := s.acts(d.UserID)
	if err != nil {
		return err
	}
	if t.member == nil {
		return fmt.Errorf("%w: %s", sfu.ErrNotInChannel, d.UserID)
	}
	to, err := s.visibleChannel(d.ChannelID)
	if err != nil {
		return err
	}
	from := t.member.Channel()
	event := protocol.ModerationEvent{Action: protocol.ModerationMove, ChannelID: from.ID(), ToChannelID: to.ID()}
	muted, _ := s.gw.cfg.People.MutedIn(ctx, d.UserID, t.session.origin(), to.ID())
	replied := func() {
		r.ack(d)
		s.gw.announceMove(from, to.Info(), event, t.who, s.who())
	}
	if err = t.move(to, t.session.standingIn(to, muted), replied, func(found sfu.Snapshot) { s.gw.tellMoved(t, event, s.who(), found) }); err != nil {
		if r.replied { // the channel filled up just then; events have told what became of it
			return nil
		}
		return err
	}
	s.gw.hide(t.session, []sfu.ChannelInfo{from.Info()})
	s.settle(ctx, t.session)
	s.note(ctx, t, store.Deed{Action: people.ActionMove, ChannelID: to.ID()})
	return nil
}

// settle makes sure that a member who came into a channel is what they became meanwhile: muted by a moderator, or of another role.
func (s *Session) settle(ctx context.Context, who *Session) {
	m := who.member.Load()
	if m == nil {
		return
	}
	muted, _ := s.gw.cfg.People.MutedIn(ctx, who.userID, who.origin(), m.Channel().ID())
	who.muted.Store(muted)
	m.SetMuted(muted, "")
	who.place()
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

// memberKick ends somebody's session, and keeps them out of the channel for a while.
func memberKick(ctx context.Context, s *Session, r *request) error {
	var d protocol.MemberKick
	if err := r.frame.Bind(&d); err != nil {
		return err
	}
	reason, err := cleanReason(d.Reason)
	if err != nil {
		return err
	}
	t, _, err := s.acts(d.UserID)
	if err != nil {
		return err
	}
	deed := store.Deed{Action: people.ActionKick, Reason: reason}
	if t.member != nil {
		deed.ChannelID = t.member.Channel().ID()
		s.gw.kicked.add(t.who.UserID, t.session.blame(), deed.ChannelID, time.Now())
	}
	r.ack(protocol.MemberKick{UserID: d.UserID, Reason: reason})
	s.gw.announce(t, protocol.ModerationEvent{Action: protocol.ModerationKick, ChannelID: deed.ChannelID, Reason: reason}, s.who())
	t.putOut(protocol.CloseKicked, reason)
	s.note(ctx, t, deed)
	return nil
}

// memberBan keeps somebody out, who may be here or not.
func memberBan(ctx context.Context, s *Session, r *request) error {
	var d protocol.MemberBan
	if err := r.frame.Bind(&d); err != nil {
		return err
	}
	switch {
	case d.UserID == "":
		return payloadError("d.user_id is missing")
	case d.DurationS == nil:
		return payloadError("d.duration_s is missing; it is in seconds, 0 for good")
	case *d.DurationS < 0 || *d.DurationS > int64(people.MaxBan/time.Second):
		return payloadError("d.duration_s is %d; allowed are 1 to %d, or 0 for good", *d.DurationS, int64(people.MaxBan/time.Second))
	case rank(s.who(), nil) < auth.RoleModerator:
		return fmt.Errorf("%w: only moderators and admins ban", errAccessDenied)
	}
	reason, err := cleanReason(d.Reason)
	if err != nil {
		return err
	}
	lasts := time.Duration(*d.DurationS) * time.Second
	banned := func(unkept error) {
		r.done(protocol.MemberBan{UserID: d.UserID, DurationS: d.DurationS, Reason: reason}, unkept)
	}
	if _, err = s.gw.ban(ctx, s.who(), d.UserID, lasts, reason, banned); errors.Is(err, people.ErrUnkept) {
		return nil // it was said
	}
	return err
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
	t := target{session: g.users.Get(idOrName)}
	if t.session == nil {
		if t.who, err = g.cfg.People.Whom(ctx, idOrName); err != nil {
			return "", err
		}
		t.session = g.users.Get(t.who.UserID)
	}
	from := g.kicked.cameFrom(t.who.UserID, time.Now())
	if t.session != nil {
		t.who, from = t.session.who(), t.session.blame()
		if m := t.session.member.Load(); m != nil && m.Active() {
			t.member = m
		}
	}
	if by.UserID != "" {
		if err = mayAct(by, t.who, nil); err != nil {
			return "", err
		}
	}
	ban, err := g.cfg.People.Ban(ctx, by, t.who, from, lasts, reason, time.Now())
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

// banLift ends a ban, or all of somebody.
func banLift(ctx context.Context, s *Session, r *request) error {
	var d protocol.BanLift
	if err := r.frame.Bind(&d); err != nil {
		return err
	}
	switch {
	case rank(s.who(), nil) < auth.RoleModerator:
		return fmt.Errorf("%w: only moderators and admins lift bans", errAccessDenied)
	case (d.BanID == "") == (d.UserID == ""):
		return payloadError("name one of d.ban_id and d.user_id")
	}
	if err := s.gw.cfg.People.LiftBan(ctx, s.who(), d.BanID+d.UserID, time.Now()); err != nil {
		return err
	}
	r.ack(d)
	return nil
}

// audit says what moderators did, or whom they keep out.
func audit(ctx context.Context, s *Session, r *request) error {
	var d protocol.AuditRequest
	if err := r.frame.Bind(&d); err != nil {
		return err
	}
	if d.Limit == 0 {
		d.Limit = people.MaxAudit / 2
	}
	switch {
	case rank(s.who(), nil) < auth.RoleModerator:
		return fmt.Errorf("%w: only moderators and admins see this", errAccessDenied)
	case d.Limit < 0 || d.Limit > people.MaxAudit:
		return payloadError("d.limit is %d; allowed are 1 to %d", d.Limit, people.MaxAudit)
	case d.Before > math.MaxInt64:
		return payloadError("d.before is %d, which is the seq of no deed", d.Before)
	}
	list, err := s.gw.cfg.People.AuditPage(ctx, d, time.Now())
	if err != nil {
		return err
	}
	for i := range list.Deeds {
		if deed := &list.Deeds[i]; s.Role() < auth.RoleAdmin {
			if _, hidden := s.channel(deed.ChannelID); hidden != nil { // or there is none any more, which may have been
				deed.ChannelID = ""
			}
		}
	}
	r.ack(list)
	return nil
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
func (s *Session) note(ctx context.Context, t target, deed store.Deed) {
	if err := s.gw.cfg.People.Note(ctx, s.who(), t.who, deed, time.Now()); err != nil {
		s.log.Error("what a moderator did is not in the audit", zap.String("action", deed.Action), zap.String("user", t.who.UserID), zap.Error(err))
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
		c.NotifyMembers(func(userIDs []string) { g.users.BroadcastTo(userIDs, body, by.UserID) })
	}
}

// announceMove is announceIn for who goes elsewhere. Where to is only for those who may know of that channel.
func (g *Gateway) announceMove(from *sfu.Channel, to sfu.ChannelInfo, event protocol.ModerationEvent, who, by auth.Identity) {
	whole := g.moderation(event, who, by)
	event.ToChannelID = ""
	part := g.moderation(event, who, by)
	if whole == nil || part == nil {
		return
	}
	from.NotifyMembers(func(userIDs []string) {
		for _, id := range userIDs {
			body := part
			if s := g.users.Get(id); s != nil && s.sees(&to) {
				body = whole
			}
			g.users.BroadcastTo([]string{id}, body, by.UserID)
		}
	})
}

func (g *Gateway) moderation(event protocol.ModerationEvent, who, by auth.Identity) *protocol.Body {
	body, err := protocol.EncodeBody(protocol.OpModerationEvent, complete(event, who, by))
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

// cleanReason returns a reason as people are shown it.
func cleanReason(reason string) (string, error) {
	if strings.TrimSpace(reason) == "" {
		return "", nil
	}
	if n := utf8.RuneCountInString(reason); n > protocol.MaxReasonChars {
		return "", payloadError("d.reason has %d characters; allowed are %d", n, protocol.MaxReasonChars)
	}
	clean, err := names.Visible(reason, protocol.MaxReasonChars)
	if err != nil {
		return "", payloadError("d.reason: %w", err)
	}
	return clean, nil
}

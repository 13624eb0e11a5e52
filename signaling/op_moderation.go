package signaling

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/mini-livechat/mini-livechat/sfu"
	"github.com/mini-livechat/mini-livechat/signaling/auth"
	"github.com/mini-livechat/mini-livechat/signaling/names"
	"github.com/mini-livechat/mini-livechat/signaling/people"
	"github.com/mini-livechat/mini-livechat/signaling/protocol"
)

// memberMute has nobody hear somebody, or again.
func memberMute(ctx context.Context, s *Session, r *request) error {
	var d protocol.MemberMute
	if err := r.frame.Bind(&d); err != nil {
		return err
	}
	if d.Mute == nil {
		return payloadError("d.mute is missing; it is true or false")
	}
	if err := s.gw.mute(ctx, s.who(), d.UserID, *d.Mute, func(unkept error) { r.done(d, unkept) }); !errors.Is(err, people.ErrUnkept) {
		return err
	}
	return nil // it was said
}

// memberMove takes somebody to another channel, with their media.
func memberMove(ctx context.Context, s *Session, r *request) error {
	var d protocol.MemberMove
	if err := r.frame.Bind(&d); err != nil {
		return err
	}
	to := func() (*sfu.Channel, error) { return s.visibleChannel(d.ChannelID) }
	err := s.gw.move(ctx, s.who(), d.UserID, to, func() { r.ack(d) })
	if r.replied { // else the channel filled up just then; events have told what became of it
		return nil
	}
	return err
}

// memberKick ends somebody's session, and keeps them out of the channel for a while.
func memberKick(ctx context.Context, s *Session, r *request) error {
	var d protocol.MemberKick
	if err := r.frame.Bind(&d); err != nil {
		return err
	}
	return s.gw.kick(ctx, s.who(), d.UserID, d.Reason, func(reason string) { r.ack(protocol.MemberKick{UserID: d.UserID, Reason: reason}) })
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
	if err := s.gw.cfg.People.LiftBan(ctx, s.who(), d.BanID+d.UserID, s.gw.now()); err != nil {
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
	list, err := s.gw.cfg.People.AuditPage(ctx, d, s.gw.now())
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

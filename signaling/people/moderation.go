package people

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/oklog/ulid/v2"

	"github.com/mini-livechat/mini-livechat/signaling/auth"
	"github.com/mini-livechat/mini-livechat/signaling/protocol"
	"github.com/mini-livechat/mini-livechat/signaling/store"
)

// What moderators do.
const (
	ActionMute   = "mute"
	ActionUnmute = "unmute"
	ActionMove   = "move"
	ActionFloor  = "floor"
	ActionKick   = "kick"
	ActionBan    = "ban"
	ActionUnban  = "unban"
	ActionAllow  = "allow"
	ActionDeny   = "deny"
	// ActionRole gives a role; ActionLogin makes a link that signs somebody in, and ActionLogout signs them out everywhere; ActionRevoke takes
	// an invite or a token back, of which Reason says which; ActionDelete forgets somebody.
	ActionRole   = "role"
	ActionLogin  = "login"
	ActionLogout = "logout"
	ActionRevoke = "revoke"
	ActionDelete = "delete"
	// ActionDrain lets nobody in any more, ActionUndrain lets people in again, and ActionLogLevel has the server log otherwise, of which
	// Reason says how.
	ActionDrain    = "drain"
	ActionUndrain  = "undrain"
	ActionLogLevel = "log_level"
	// ActionUninvite takes back that somebody was let into a channel.
	ActionUninvite = "uninvite"
)

const (
	// MaxBan bounds a ban that ends.
	MaxBan = 100 * 365 * 24 * time.Hour
	// MaxAudit is how much is listed at once.
	MaxAudit = 100
	// maxBans is how many bans are listed.
	maxBans = 1000
)

// BannedError is that somebody is not let in.
type BannedError struct {
	Ban store.Ban
	// Left is how long it lasts; 0: for good.
	Left time.Duration
}

// Error says until when and why. It names nobody.
func (e *BannedError) Error() string {
	text := "you are banned from this server"
	if e.Left > 0 {
		text += " until " + e.Ban.Until.UTC().Format("2006-01-02 15:04 UTC")
	}
	if e.Ban.Reason != "" {
		text += ": " + e.Ban.Reason
	}
	return text
}

// Origin is where somebody comes from.
type Origin struct {
	// Network is the address, or the /64 of IPv6; Device is what the client says of itself. Both may be empty.
	Network, Device string
}

// OriginOf returns an origin; a network of the server's own machine says nothing.
func OriginOf(network netip.Prefix, device string) Origin {
	from := Origin{Device: device}
	if network.IsValid() && !network.Addr().IsLoopback() {
		from.Network = network.String()
	}
	return from
}

// device is what is remembered of a device: its own word for itself is a secret of it.
func (o Origin) device() string {
	if o.Device == "" {
		return ""
	}
	hash := sha256.Sum256([]byte("device:" + o.Device))
	return base64.RawURLEncoding.EncodeToString(hash[:])
}

// Admit reports as a *BannedError that somebody is not let in. Guests, who are others for the asking, are known by where they come
// from too. When nothing can be read everybody is let in.
func (p *People) Admit(ctx context.Context, id auth.Identity, from Origin, now time.Time) error {
	network, device := "", ""
	if auth.IsGuest(id.UserID) {
		network, device = from.Network, from.device()
	}
	ban, holds := p.unkept.banOf(now, id.UserID, network, device)
	if !holds {
		var err error
		if ban, err = p.store.BanOf(ctx, now, id.UserID, network, device); err != nil {
			return ctx.Err() // there is none, or it cannot be known
		}
	}
	banned := &BannedError{Ban: ban}
	if !ban.Until.IsZero() {
		banned.Left = ban.Until.Sub(now)
	}
	return banned
}

// Ban keeps somebody out for a time, 0 for good, with their invites, and guests and new people from where they come from. That by may do so is for the caller to know.
// The error wraps ErrBadRequest or ErrUnkept; with the latter the ban holds.
func (p *People) Ban(ctx context.Context, by, who auth.Identity, from Origin, lasts time.Duration, reason string, now time.Time) (store.Ban, error) {
	if lasts < 0 || lasts > MaxBan {
		return store.Ban{}, fmt.Errorf("%w: a ban lasts up to a hundred years, or 0 for good", ErrBadRequest)
	}
	ban := store.Ban{
		ID: "ban-" + strings.ToLower(ulid.Make().String()), UserID: who.UserID, UserName: who.Name, Reason: reason,
		ByID: by.UserID, ByName: by.Name, CreatedAt: now,
	}
	ban.Network, ban.Device = from.Network, from.device()
	if lasts > 0 {
		ban.Until = now.Add(lasts)
	}
	deed := store.Deed{Action: ActionBan, Reason: reason, Until: ban.Until}
	err := p.write(ctx, now, store.BanMade{Ban: ban}, store.InvitesRevoked{ByID: who.UserID}, did(by, who, deed, now))
	if err != nil {
		return ban, p.unkept.ban(ban, err)
	}
	p.unkept.lift(who.UserID)
	return ban, nil
}

// Whom returns somebody who may not be here, by their id or, if they are known, their name. The error wraps ErrUnknown.
func (p *People) Whom(ctx context.Context, idOrName string) (auth.Identity, error) {
	person, err := p.User(ctx, idOrName)
	if errors.Is(err, ErrUnknown) && auth.IsGuest(idOrName) {
		return auth.Identity{UserID: idOrName}, nil
	}
	return auth.Identity{UserID: person.ID, Name: person.Name, Role: roleOf(person.User)}, err
}

// BanWhom is Ban of somebody who is not here, by their id or name.
func (p *People) BanWhom(
	ctx context.Context, by auth.Identity, idOrName string, lasts time.Duration, reason string,
) (userID string, err error) {
	who, err := p.Whom(ctx, idOrName)
	if err == nil {
		_, err = p.Ban(ctx, by, who, Origin{}, lasts, reason, p.Now())
	}
	return who.UserID, err
}

// LiftBan ends the bans of a user, or a ban by its id. The error wraps ErrUnknown when there is none; when the memory is in trouble only what
// it could not keep is over.
func (p *People) LiftBan(ctx context.Context, by auth.Identity, banOrUserID string, now time.Time) error {
	bans, err := p.Bans(ctx, now)
	lifted := p.unkept.lift(banOrUserID)
	if err != nil {
		return err
	}
	who, lift := auth.Identity{UserID: banOrUserID}, store.BansLifted{UserID: banOrUserID}
	for _, ban := range bans {
		if ban.ID == banOrUserID {
			lift = store.BansLifted{BanID: ban.ID}
			who.UserID, who.Name = ban.UserID, ban.UserName
		} else if ban.UserID == banOrUserID || strings.EqualFold(ban.UserName, banOrUserID) { // which guests have too
			who.UserID, who.Name = ban.UserID, ban.UserName
			lift.UserID = ban.UserID
		}
	}
	if lift.BanID == "" {
		if person, failed := p.Whom(ctx, banOrUserID); failed == nil && who.Name == "" {
			who, lift.UserID = person, person.UserID
		}
	}
	lifted = p.unkept.lift(lift.BanID+lift.UserID) || lifted
	err = p.write(ctx, now, lift, did(by, who, store.Deed{Action: ActionUnban}, now))
	switch {
	case errors.Is(err, store.ErrNotFound) && lifted:
		err = p.Note(ctx, by, who, store.Deed{Action: ActionUnban}, now)
	case errors.Is(err, store.ErrNotFound):
		err = fmt.Errorf("%w: there is no ban of %q, nor one with that id", ErrUnknown, banOrUserID)
	}
	return err
}

// Bans returns the bans that hold, the newest first.
func (p *People) Bans(ctx context.Context, now time.Time) ([]store.Ban, error) {
	kept, err := p.store.Bans(ctx, now, maxBans)
	return append(p.unkept.all(now), kept...), err
}

// Mute remembers that nobody shall hear somebody, or that they may again: in a channel or, with everywhere, in all. Unmuting
// everywhere also does so in the channel. MutedIn says what then holds. The error wraps ErrUnkept when it does so all the same.
func (p *People) Mute(ctx context.Context, by, who auth.Identity, from Origin, channelID string, everywhere, muted bool, now time.Time) error {
	action := ActionUnmute
	if muted {
		action = ActionMute
	}
	var mutes []mute
	for _, id := range mutable(who.UserID, from) {
		if everywhere {
			mutes = append(mutes, mute{id, ""})
		}
		if !everywhere || !muted {
			mutes = append(mutes, mute{id, channelID})
		}
	}
	facts := make([]store.Fact, 0, len(mutes)+1)
	for _, m := range mutes {
		facts = append(facts, store.Muted{UserID: m.id, ChannelID: m.channelID, Muted: muted})
	}
	err := p.write(ctx, now, append(facts, did(by, who, store.Deed{Action: action, ChannelID: channelID}, now))...)
	return p.unkept.decide(mutes, muted, err)
}

// MutedIn reports whether nobody shall hear somebody in a channel; everywhere says that it is so in all. When nothing can be read
// everybody may be heard but those of whom it could not be kept.
func (p *People) MutedIn(ctx context.Context, userID string, from Origin, channelID string) (muted, everywhere bool) {
	for _, id := range mutable(userID, from) {
		in, _ := p.store.MutedIn(ctx, id)
		everywhere = everywhere || p.unkept.muted(mute{id, ""}, slices.Contains(in, ""))
		muted = muted || everywhere || p.unkept.muted(mute{id, channelID}, slices.Contains(in, channelID))
	}
	return muted, everywhere
}

// DevicePrefix begins what stands for a device where somebody is muted.
const DevicePrefix = "device-"

// mutable are the ids under which somebody is muted: a guest, who is another one for the asking, by the device too.
func mutable(userID string, from Origin) []string {
	if auth.IsGuest(userID) && from.Device != "" {
		return []string{userID, DevicePrefix + from.device()}
	}
	return []string{userID}
}

// Note remembers what was done to somebody that is of no further effect.
func (p *People) Note(ctx context.Context, by, who auth.Identity, deed store.Deed, now time.Time) error {
	return p.write(ctx, now, did(by, who, deed, now))
}

func did(by, who auth.Identity, deed store.Deed, now time.Time) store.Done {
	deed.At, deed.UserID, deed.UserName, deed.ByID, deed.ByName = now, who.UserID, who.Name, by.UserID, by.Name
	return store.Done{Deed: deed}
}

// Audit returns what moderators did before a place, 0 for the end, the newest first; at most MaxAudit.
func (p *People) Audit(ctx context.Context, before uint64, limit int) ([]store.Deed, error) {
	return p.store.Audit(ctx, before, min(limit, MaxAudit))
}

// AuditPage answers a request for the audit.
func (p *People) AuditPage(ctx context.Context, d protocol.AuditRequest, now time.Time) (protocol.Audit, error) {
	if d.Bans {
		bans, err := p.Bans(ctx, now)
		list := protocol.Audit{Bans: make([]protocol.BanInfo, len(bans))}
		for i, b := range bans {
			list.Bans[i] = protocol.BanInfo{
				BanID: b.ID, UserID: b.UserID, Name: b.UserName, Until: orNever(b.Until), Reason: b.Reason, ByID: b.ByID, ByName: b.ByName,
				CreatedAt: b.CreatedAt.UnixMilli(),
			}
		}
		return list, err
	}
	deeds, err := p.Audit(ctx, d.Before, d.Limit)
	list := protocol.Audit{Deeds: make([]protocol.Deed, len(deeds)), More: len(deeds) == d.Limit}
	for i, e := range deeds {
		list.Deeds[i] = protocol.Deed{
			Seq: e.Seq, At: e.At.UnixMilli(), Action: protocol.ModerationAction(e.Action), UserID: e.UserID, Name: e.UserName,
			ChannelID: e.ChannelID, ByID: e.ByID, ByName: e.ByName, Reason: e.Reason, Role: e.Role, Until: orNever(e.Until),
		}
	}
	return list, err
}

// orNever is a time on the wire; 0: never.
func orNever(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

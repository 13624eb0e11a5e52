package people

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/mini-livechat/mini-livechat/signaling/store"
)

// ErrUnkept is that the memory is in trouble, so that what was decided holds only until the server ends. It comes with a store.ErrTrouble.
var ErrUnkept = errors.New("this holds until the server ends, but is not kept")

// maxUnkept bounds how many bans, and how many mutes, hold without being kept.
const maxUnkept = 10_000

// unkept is what moderators decided while the memory was in trouble: it counts before what is kept. The zero value is ready.
type unkept struct {
	mu    sync.Mutex // guards the fields below
	bans  []store.Ban
	mutes map[mute]bool
}

// mute is whom nobody shall hear, and where; "": everywhere.
type mute struct{ id, channelID string }

// ban holds a ban that could not be kept, for the reason given, and returns what to say of that.
func (u *unkept) ban(b store.Ban, why error) error {
	u.mu.Lock()
	defer u.mu.Unlock()
	if !errors.Is(why, store.ErrTrouble) || len(u.bans) == maxUnkept {
		return why
	}
	u.bans = append(u.bans, b)
	return fmt.Errorf("%w: %w", ErrUnkept, why)
}

// banOf returns a ban that holds for somebody, as store.BanOf does.
func (u *unkept) banOf(now time.Time, userID, network, device string) (store.Ban, bool) {
	for _, b := range u.all(now) {
		if b.UserID == userID || network != "" && b.Network == network || device != "" && b.Device == device {
			return b, true
		}
	}
	return store.Ban{}, false
}

// all returns the bans that hold, the newest first.
func (u *unkept) all(now time.Time) []store.Ban {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.bans = slices.DeleteFunc(u.bans, func(b store.Ban) bool { return !b.Until.IsZero() && !b.Until.After(now) })
	bans := slices.Clone(u.bans)
	slices.Reverse(bans)
	return bans
}

// lift ends a ban, or all of a user, and reports whether there was one.
func (u *unkept) lift(banOrUserID string) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	before := len(u.bans)
	u.bans = slices.DeleteFunc(u.bans, func(b store.Ban) bool { return b.ID == banOrUserID || b.UserID == banOrUserID })
	return len(u.bans) < before
}

// decide takes note of who is to be heard where, or not: kept, or else not for the reason given. It returns what to say of that.
func (u *unkept) decide(mutes []mute, muted bool, why error) error {
	u.mu.Lock()
	defer u.mu.Unlock()
	switch {
	case why == nil:
		for _, m := range mutes {
			delete(u.mutes, m)
		}
		return nil
	case !errors.Is(why, store.ErrTrouble) || len(u.mutes)+len(mutes) > maxUnkept:
		return why
	case u.mutes == nil:
		u.mutes = make(map[mute]bool)
	}
	for _, m := range mutes {
		u.mutes[m] = muted
	}
	return fmt.Errorf("%w: %w", ErrUnkept, why)
}

// muted says whether somebody is not to be heard in a place, of whom so much is kept.
func (u *unkept) muted(m mute, kept bool) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	if muted, ok := u.mutes[m]; ok {
		return muted
	}
	return kept
}

package auth

import (
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/mini-livechat/mini-livechat/signaling/names"
)

// Sentinel errors of the identity rules; test with errors.Is.
var (
	// ErrUserID: the user id is empty, too long, or has characters nobody can see.
	ErrUserID = errors.New("invalid user id")
	// ErrTokenID: the token's own name is empty, too long, or has other characters than visible ASCII.
	ErrTokenID = errors.New("invalid token id")
	// ErrName: the display name is empty, too long, reserved, or has characters nobody can see.
	ErrName = names.ErrName
)

// GuestPrefix begins the user ids that the server gives to guests.
const GuestPrefix = "guest-"

// IsGuest reports whether a user id is one of a guest, who may get another for the asking.
func IsGuest(userID string) bool { return strings.HasPrefix(userID, GuestPrefix) }

// Identity is who a token says its bearer is.
type Identity struct {
	// UserID names the user on the wire and in the hubs.
	UserID string
	// Name is shown to people. Empty in [Authority.Mint] means the user id.
	Name string
	// Role is what the bearer may do. In [Authority.Mint] only RoleAdmin is said; who is not one has the role in Grants, or is a
	// member, or a guest by the user id.
	Role Role
	// Grants are what the token says beside that.
	Grants Grants
	// TokenID names the token ("jti"), so that it can be taken back; it may be empty. [Authority.Mint] makes one where there is
	// none.
	TokenID string

	// The rest [Authority.Mint] sets by itself.

	// KeyID names the secret that the token is signed with.
	KeyID string
	// IssuedAt is when the token was made, in whole seconds. The zero time: it does not say.
	IssuedAt time.Time
	// ExpiresAt is when the token ends, also on the monotonic clock of when it was verified: a step of the time of day ends no
	// session.
	ExpiresAt time.Time
}

// CheckUserID reports why id cannot be a user id; the error wraps ErrUserID. Ids are
// compared byte by byte and read by people in logs and lists, so invisible characters
// are refused, and so are other spellings of the same characters: two ids that look alike
// must not differ.
func CheckUserID(id string) error {
	switch {
	case id == "":
		return fmt.Errorf("%w: it is empty", ErrUserID)
	case len(id) > MaxUserIDBytes:
		return fmt.Errorf("%w: it has %d bytes, at most %d are allowed", ErrUserID, len(id), MaxUserIDBytes)
	case !utf8.ValidString(id):
		return fmt.Errorf("%w: it is not valid UTF-8", ErrUserID)
	case strings.TrimSpace(id) != id:
		return fmt.Errorf("%w: it begins or ends with white space", ErrUserID)
	}
	for _, r := range id {
		if unseen(r) {
			return fmt.Errorf("%w: it contains the invisible or control character %U", ErrUserID, r)
		}
	}
	if !strings.ContainsFunc(id, drawn) {
		return fmt.Errorf("%w: it has no visible character", ErrUserID)
	}
	switch clean, err := names.Visible(id, MaxUserIDBytes); {
	case err != nil:
		return fmt.Errorf("%w: %w", ErrUserID, err)
	case clean != id:
		return fmt.Errorf("%w: another spelling of it looks the same; write %q", ErrUserID, clean)
	}
	return nil
}

// CheckTokenID reports why id cannot be a token's name of its own; the error wraps ErrTokenID. It is written into commands and
// logs, so it has visible ASCII only.
func CheckTokenID(id string) error {
	switch {
	case id == "":
		return fmt.Errorf("%w: it is empty", ErrTokenID)
	case len(id) > MaxTokenIDBytes:
		return fmt.Errorf("%w: it has %d bytes, at most %d are allowed", ErrTokenID, len(id), MaxTokenIDBytes)
	case strings.ContainsFunc(id, func(r rune) bool { return r <= ' ' || r > '~' }):
		return fmt.Errorf("%w: it may have visible ASCII only", ErrTokenID)
	}
	return nil
}

// CleanName returns a display name as it is kept and shown, or an error that wraps ErrName and says what to change: the
// rule of package names, for a name that its bearer chose.
func CleanName(name string) (string, error) { return names.Clean(name, MaxNameChars) }

// nameOf is the display name of a user without one: the id, which may be longer than a
// name is allowed to be.
func nameOf(userID string) string {
	runes := []rune(userID)
	return strings.TrimSpace(string(runes[:min(len(runes), MaxNameChars)]))
}

// unseen reports whether r leaves no mark by itself: controls, formatting, private use, separators, what Unicode wants
// ignored where it cannot be drawn, what only chooses another look for the character before it, and the character that
// decoders put where there was no text.
func unseen(r rune) bool {
	return r == utf8.RuneError || r == '\u2800' || unicode.In(r, unicode.C, unicode.Zl, unicode.Zp,
		unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector)
}

// drawn reports whether r leaves ink of its own: not a space and not a mark on another character.
func drawn(r rune) bool { return !unseen(r) && !unicode.In(r, unicode.Z, unicode.M) }

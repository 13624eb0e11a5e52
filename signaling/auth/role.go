package auth

import (
	"errors"
	"fmt"
)

// Role is what somebody may do on the server, by and large; the greater, the more. The zero value is a guest.
type Role uint8

// The roles.
const (
	// RoleGuest is for who is let in without being known.
	RoleGuest Role = iota
	// RoleMember is for people who are known: their channels stay.
	RoleMember
	// RoleModerator is for members who may act on others.
	RoleModerator
	// RoleAdmin may do everything.
	RoleAdmin
)

// ErrRole means that there is no such role.
var ErrRole = errors.New("unknown role")

//nolint:gochecknoglobals // a constant in all but the language
var roles = [...]string{RoleGuest: "guest", RoleMember: "member", RoleModerator: "moderator", RoleAdmin: "admin"}

// String returns the role as it stands on the wire.
func (r Role) String() string {
	if int(r) < len(roles) {
		return roles[r]
	}
	return fmt.Sprintf("Role(%d)", uint8(r))
}

// Noun returns the role with its article, for sentences.
func (r Role) Noun() string {
	if r == RoleAdmin {
		return "an " + r.String()
	}
	return "a " + r.String()
}

// ParseRole is the inverse of String. The error wraps ErrRole and lists the roles.
func ParseRole(text string) (Role, error) {
	for r, name := range roles {
		if name == text {
			return Role(r), nil
		}
	}
	return RoleGuest, fmt.Errorf("%w %q: there are admin, moderator, member and guest", ErrRole, text)
}

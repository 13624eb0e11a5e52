package auth

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Limits of grants. They are part of PROTOCOL.md.
const (
	// MaxPatterns is how many patterns of channels a token may have, MaxPatternBytes how long each may be: as a channel's id.
	MaxPatterns     = 64
	MaxPatternBytes = 64
	// MaxPriority is the greatest floor priority (3GPP TS 24.380, section 8.2.3.2: eight bits).
	MaxPriority = 255
)

// ErrGrants means that what a token grants is not written as it must be.
var ErrGrants = errors.New("invalid grants")

// Grant is what a token says of one right.
type Grant uint8

// What a token may say.
const (
	// Unsaid: it is as the role has it.
	Unsaid Grant = iota
	// Granted: the bearer may, whatever the role.
	Granted
	// Withheld: by this token the bearer may not. Who may by what the server remembers of them still may.
	Withheld
)

// Given returns the right, where the role has it or not.
func (g Grant) Given(byRole bool) bool {
	return g == Granted || g == Unsaid && byRole
}

func (g Grant) claim() *bool {
	if g == Unsaid {
		return nil
	}
	return new(g == Granted)
}

func grantOf(claim *bool) Grant {
	switch {
	case claim == nil:
		return Unsaid
	case *claim:
		return Granted
	default:
		return Withheld
	}
}

// Grants are what a token says that its bearer may, beside the role. The zero value says nothing.
type Grants struct {
	// Role is the role, where the token says one.
	Role *Role
	// Channels are patterns of the channels that the token opens, whatever their access, and no others; * stands for any
	// characters, none too. Nil: it says nothing of channels.
	Channels []string
	// Others: the channels that are not named are as the role has them. No token says so.
	Others bool
	// Create, Publish and Chat are the rights to make channels, to be heard, and to write messages.
	Create, Publish, Chat Grant
	// Moderate is the right to do what a moderator does, in the channels that the token opens; Record that to record there.
	Moderate, Record bool
	// PriorityMax is the highest floor priority that may be asked for, 0 the lowest.
	PriorityMax int
}

// Widened returns what is granted, without what is withheld: for who has the rights of a role beside those of the token.
func (g Grants) Widened() Grants {
	for _, right := range []*Grant{&g.Create, &g.Publish, &g.Chat} {
		if *right == Withheld {
			*right = Unsaid
		}
	}
	g.Others = true
	return g
}

// Opens reports whether the token names a channel among those that it opens.
func (g Grants) Opens(channelID string) bool {
	return slices.ContainsFunc(g.Channels, func(pattern string) bool { return matches(pattern, channelID) })
}

// Reaches reports whether what the token grants holds in a channel: one that it opens, or any where it says nothing of channels.
func (g Grants) Reaches(channelID string) bool {
	return g.Channels == nil || g.Others || g.Opens(channelID)
}

// Restricts reports whether the token is good for less than its bearer's role.
func (g Grants) Restricts() bool {
	return g.Channels != nil && !g.Others || g.Create == Withheld || g.Publish == Withheld || g.Chat == Withheld
}

// check reports what cannot stand in a token; the error wraps ErrGrants.
func (g Grants) check() error {
	switch {
	case len(g.Channels) > MaxPatterns:
		return fmt.Errorf("%w: channels has %d patterns, at most %d are allowed", ErrGrants, len(g.Channels), MaxPatterns)
	case g.PriorityMax < 0 || g.PriorityMax > MaxPriority:
		return fmt.Errorf("%w: priority_max is %d, 0 to %d are allowed", ErrGrants, g.PriorityMax, MaxPriority)
	}
	for _, pattern := range g.Channels {
		if err := CheckPattern(pattern); err != nil {
			return err
		}
	}
	return nil
}

// CheckPattern reports why a pattern names no channels; the error wraps ErrGrants.
func CheckPattern(pattern string) error {
	if n := len(pattern); n == 0 || n > MaxPatternBytes || strings.ContainsFunc(pattern, func(r rune) bool {
		return r != '*' && r != '_' && r != '-' && (r < '0' || r > '9') && (r < 'A' || r > 'Z') && (r < 'a' || r > 'z')
	}) {
		return fmt.Errorf("%w: channels: %q must be 1 to %d of a–z A–Z 0–9 _ - and * for any characters", ErrGrants, pattern, MaxPatternBytes)
	}
	return nil
}

// matches reports whether a text is as a pattern says. It takes no longer than their lengths multiplied.
func matches(pattern, text string) bool {
	star, from := -1, 0 // the last star, and where what it stands for ends
	p, t := 0, 0
	for t < len(text) {
		switch {
		case p < len(pattern) && pattern[p] == '*':
			star, from = p, t
			p++
		case p < len(pattern) && pattern[p] == text[t]:
			p++
			t++
		case star >= 0: // it stands for one character more
			from++
			p, t = star+1, from
		default:
			return false
		}
	}
	return strings.Trim(pattern[p:], "*") == ""
}

package auth

import (
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Sentinel errors of the identity rules; test with errors.Is.
var (
	// ErrUserID: the user id is empty, too long, or has characters nobody can see.
	ErrUserID = errors.New("invalid user id")
	// ErrName: the display name is empty, too long, or has characters nobody can see.
	ErrName = errors.New("invalid name")
)

// Identity is who a token says its bearer is.
type Identity struct {
	// UserID names the user on the wire and in the hubs.
	UserID string
	// Name is shown to people. Empty in [Authority.Mint] means the user id.
	Name string
	// Admin may change and delete any channel.
	Admin bool
}

// CheckUserID reports why id cannot be a user id; the error wraps ErrUserID. Ids are
// compared byte by byte and read by people in logs and lists, so invisible characters
// are refused: two ids that look alike must not differ.
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
	visible := false
	for _, r := range id {
		if hidden(r) || modifies(r) {
			return fmt.Errorf("%w: it contains the invisible or control character %U", ErrUserID, r)
		}
		visible = visible || drawn(r)
	}
	if !visible {
		return fmt.Errorf("%w: it has no visible character", ErrUserID)
	}
	return nil
}

// CleanName trims white space from both ends of a display name and returns what is left,
// or an error that wraps ErrName and says what to change. Characters that let one name
// pass for another or turn the text around it are refused: controls, line breaks,
// bidirectional overrides, zero-width and other invisible characters. The two joiners are
// allowed where they do their work, inside emoji and the scripts that need them.
func CleanName(name string) (string, error) {
	if !utf8.ValidString(name) {
		return "", fmt.Errorf("%w: it is not valid UTF-8", ErrName)
	}
	name = strings.TrimSpace(name)
	if name == "" {
		return "", fmt.Errorf("%w: it is empty", ErrName)
	}
	if n := utf8.RuneCountInString(name); n > MaxNameChars {
		return "", fmt.Errorf("%w: it has %d characters, at most %d are allowed", ErrName, n, MaxNameChars)
	}
	visible := false
	runes := []rune(name)
	for i, r := range runes {
		if (hidden(r) || modifies(r)) && !useful(runes, i) {
			return "", fmt.Errorf("%w: it contains the invisible or control character %U", ErrName, r)
		}
		visible = visible || drawn(r)
	}
	if !visible {
		return "", fmt.Errorf("%w: it has no visible character", ErrName)
	}
	return name, nil
}

// nameOf is the display name of a user without one: the id, which may be longer than a
// name is allowed to be.
func nameOf(userID string) string {
	runes := []rune(userID)
	return strings.TrimSpace(string(runes[:min(len(runes), MaxNameChars)]))
}

const (
	// brailleBlank occupies a blank place although Unicode counts it among the symbols.
	brailleBlank = '\u2800'

	zeroWidthNonJoiner = '\u200c'
	zeroWidthJoiner    = '\u200d'
	// enclosingKeycap makes a key of the digit two characters before it.
	enclosingKeycap = '\u20e3'
)

// hidden reports whether r is never seen by itself: controls (Cc), formatting such as
// bidirectional overrides and zero-width characters (Cf), private use (Co, which shows as
// anything or nothing), line and paragraph separators (Zl, Zp), and the fillers that
// Unicode wants ignored where they cannot be drawn.
func hidden(r rune) bool {
	return r == brailleBlank ||
		unicode.In(r, unicode.C, unicode.Zl, unicode.Zp, unicode.Other_Default_Ignorable_Code_Point)
}

// modifies reports whether r only chooses another look for the character before it.
func modifies(r rune) bool { return unicode.Is(unicode.Variation_Selector, r) }

// drawn reports whether r leaves ink of its own: not a space and not a mark on another
// character.
func drawn(r rune) bool {
	return !hidden(r) && !unicode.In(r, unicode.Z, unicode.M)
}

// useful reports whether the invisible runes[i] does its proper work in a name: a joiner
// inside an emoji sequence or a Persian or Indic word, or a variation selector. Beside
// ASCII letters they do nothing but let one name pass for another.
func useful(runes []rune, i int) bool {
	beyondASCII := func(j int) bool {
		return j >= 0 && j < len(runes) && runes[j] > unicode.MaxASCII && !hidden(runes[j])
	}
	switch r := runes[i]; {
	case r == zeroWidthJoiner || r == zeroWidthNonJoiner:
		return beyondASCII(i-1) && beyondASCII(i+1)
	case modifies(r):
		keycap := i+1 < len(runes) && runes[i+1] == enclosingKeycap
		return i > 0 && (beyondASCII(i-1) && !modifies(runes[i-1]) || keycap)
	default:
		return false
	}
}

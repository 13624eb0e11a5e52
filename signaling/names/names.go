// Package names has the one rule for what people and channels may be called: a name is seen, says what it seems to say,
// and takes nobody in. Everything a person reads in their language passes, with emoji and flags.
//
// Which characters those are is the FreeformClass of the PRECIS framework (RFC 8264, section 4.3), by golang.org/x/text,
// with the mapping of nicknames (RFC 8266, section 2.1). PRECIS knows no emoji sequences, so their joiners, selectors and
// tags are judged here first (emoji.go), by Unicode Technical Standard 51. Which names look the same is Unicode Technical
// Standard 39's to say (skeleton.go). All functions are pure.
package names

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/secure/precis"
	"golang.org/x/text/unicode/norm"
)

// ErrName is what every refusal wraps: a name is empty, too long, reserved, or has something in it that people cannot see. The text that wraps it says
// what to change.
var ErrName = errors.New("invalid name")

const (
	// maxMarks is how many marks may stand on one letter. Vietnamese, Hebrew and Tibetan need up to five; piles of them
	// paint over the lines above and below (Unicode Technical Standard 39, section 5.4).
	maxMarks = 5
	// brailleBlank occupies a blank place although Unicode counts it among the symbols.
	brailleBlank = '\u2800'
)

//nolint:gochecknoglobals // constant: the profile has no state
var freeform = precis.NewFreeform(precis.Norm(norm.NFC))

// reserved returns the keys of the names by which the page and the server speak of themselves.
//
//nolint:gochecknoglobals // constant, once it was asked for
var reserved = sync.OnceValue(func() map[string]bool {
	keys := make(map[string]bool)
	for _, name := range []string{
		"you", "me", "everyone", "everybody", "nobody",
		"admin", "administrator", "moderator", "operator", "owner", "root",
		"system", "server", "livechat", "mini livechat",
	} {
		for _, key := range Keys(name) {
			keys[key] = true
		}
	}
	return keys
})

// Clean returns the name as it is to be kept and shown: composed (NFC), each run of spaces a single one, none at the ends.
// maxChars bounds it in code points. The error wraps ErrName.
func Clean(name string, maxChars int) (string, error) {
	name, err := Visible(name, maxChars)
	if err == nil && Reserved(name) {
		return "", fmt.Errorf("%w: %q is reserved", ErrName, name)
	}
	return name, err
}

// Visible is Clean for names that somebody trusted gives, such as who signs tokens: reserved ones pass.
func Visible(name string, maxChars int) (string, error) {
	if !utf8.ValidString(name) {
		return "", fmt.Errorf("%w: it is not valid UTF-8", ErrName)
	}
	name = norm.NFC.String(singleSpaces(name))
	if name == "" {
		return "", fmt.Errorf("%w: it is empty", ErrName)
	}
	if n := utf8.RuneCountInString(name); n > maxChars {
		return "", fmt.Errorf("%w: it has %d characters, at most %d are allowed", ErrName, n, maxChars)
	}
	if err := readable(name); err != nil {
		return "", err
	}
	return name, nil
}

// Reserved reports whether the page or the server speak of themselves by this name, or by one that looks the same.
func Reserved(name string) bool {
	return slices.ContainsFunc(Keys(name), func(key string) bool { return reserved()[key] })
}

// singleSpaces removes white space at both ends and makes each run of spaces within a single one (RFC 8266, section 2.1).
// A line break within is no space and stays, to be refused.
func singleSpaces(name string) string {
	var b strings.Builder
	pending := false
	for _, r := range strings.TrimSpace(name) {
		if unicode.Is(unicode.Zs, r) {
			pending = true
			continue
		}
		if pending {
			b.WriteByte(' ')
			pending = false
		}
		b.WriteRune(r)
	}
	return b.String()
}

// readable looks at the characters, one after the other and then, for what depends on those around it, together.
func readable(name string) error {
	runes := []rune(name)
	plain := make([]rune, 0, len(runes)) // without what belongs to emoji
	seen, marks := false, 0
	for i := 0; i < len(runes); {
		if n := emoji(runes[i:]); n > 0 && runes[i] != utf8.RuneError {
			plain, seen, marks = append(plain, anEmoji), true, 0
			i += n
			continue
		}
		r := runes[i]
		i++
		switch {
		case unicode.Is(unicode.M, r) && !unicode.Is(unicode.Other_Default_Ignorable_Code_Point, r):
			if marks++; marks > maxMarks {
				return fmt.Errorf("%w: more than %d marks on one letter", ErrName, maxMarks)
			}
			if len(plain) == 0 || plain[len(plain)-1] == ' ' {
				return fmt.Errorf("%w: the mark %U has no letter to stand on", ErrName, r)
			}
		case r == brailleBlank, r == utf8.RuneError:
			return invisible(r)
		default:
			marks = 0
			seen = seen || r != ' ' && !joiner(r)
		}
		if visibleInContext(r) {
			r = '.'
		} else if !joiner(r) && !allowed(r) {
			return invisible(r)
		}
		plain = append(plain, r)
	}
	if !seen {
		return fmt.Errorf("%w: it has no visible character", ErrName)
	}
	if _, err := freeform.String(string(plain)); err != nil {
		// Each character passed by itself, so it is a joiner that joins nothing (RFC 5892, appendix A.1 and A.2).
		return fmt.Errorf("%w: it contains an invisible joiner where it joins nothing", ErrName)
	}
	return nil
}

// allowed asks the profile about one character.
func allowed(r rune) bool {
	_, err := freeform.String("a" + string(r))
	return err == nil
}

func joiner(r rune) bool { return r == zeroWidthJoiner || r == zeroWidthNonJoiner }

// visibleInContext reports whether r is punctuation that PRECIS allows only beside certain letters (RFC 5892, appendix A.3
// to A.9). It matters to identifiers; in names it is written as people write it, such as in 卡尔·马克思.
func visibleInContext(r rune) bool {
	switch r {
	case '\u00b7', '\u0375', '\u05f3', '\u05f4', '\u30fb':
		return true
	}
	return r >= '\u0660' && r <= '\u0669' || r >= '\u06f0' && r <= '\u06f9' // Arabic digits of both kinds
}

func invisible(r rune) error {
	return fmt.Errorf("%w: it contains %U, which is invisible or means nothing here", ErrName, r)
}

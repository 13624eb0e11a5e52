package names

import "unicode"

// Parts of emoji sequences (Unicode Technical Standard 51, section 1.4).
const (
	zeroWidthNonJoiner = '\u200c'
	zeroWidthJoiner    = '\u200d'
	textSelector       = '\ufe0e'
	emojiSelector      = '\ufe0f'
	enclosingKeycap    = '\u20e3'
	blackFlag          = '\U0001f3f4'
	tagFirst, tagLast  = '\U000e0020', '\U000e007e'
	tagEnd             = '\U000e007f'
	lightSkin          = '\U0001f3fb'
	darkSkin           = '\U0001f3ff'
	// Ideographic variation sequences (Unicode, section 23.4) choose the form of a character in a family's name.
	ideographicFirst, ideographicLast = '\U000e0100', '\U000e01ef'
	// maxTags is the longest region of a flag, such as gbeng: a country and a subdivision of up to three letters, and the
	// end.
	maxTags = 6

	anEmoji = '\U0001f600'
)

// emoji returns how many of the runes are one emoji, or another character with a selector that it may have; 0 when it is
// neither.
func emoji(runes []rune) int {
	at := func(i int) rune {
		if i < len(runes) {
			return runes[i]
		}
		return 0
	}
	switch r := runes[0]; {
	case r >= '0' && r <= '9' || r == '#' || r == '*': // a keycap
		if at(1) == emojiSelector && at(2) == enclosingKeycap {
			return 3
		}
		return 0
	case r == blackFlag && at(1) >= tagFirst && at(1) <= tagLast:
		return flag(runes)
	case unicode.Is(unicode.Han, r) && at(1) >= ideographicFirst && at(1) <= ideographicLast:
		return 2
	case !pictograph(r):
		return 0
	}
	n := element(runes)
	for at(n) == zeroWidthJoiner && pictograph(at(n+1)) {
		n += 1 + element(runes[n+1:])
	}
	return n
}

// flag returns the length of a flag that is spelled in tags, 0 if it has no end.
func flag(runes []rune) int {
	for i, r := range runes[1:min(len(runes), maxTags+2)] {
		if r == tagEnd && i > 0 {
			return i + 2
		}
		if r < tagFirst || r > tagLast {
			break
		}
	}
	return 0
}

// element returns the length of a pictograph with what chooses its look.
func element(runes []rune) int {
	n := 1
	if n < len(runes) && (runes[n] == emojiSelector || runes[n] == textSelector || runes[n] >= lightSkin && runes[n] <= darkSkin) {
		n++
	}
	return n
}

// pictograph reports whether r is drawn as a picture. Of the blocks that Unicode keeps for pictographs every place counts,
// since people have new emoji before the library does.
func pictograph(r rune) bool {
	return r >= '\U0001f000' && r <= '\U0001faff' || r != brailleBlank && r > unicode.MaxASCII && unicode.In(r, unicode.So, unicode.Sm) ||
		r == '\u203c' || r == '\u2049' || r == '\u3030' || r == '\u303d' // punctuation that has an emoji form
}

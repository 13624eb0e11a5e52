package peer

import (
	"fmt"
	"iter"
	"strings"
	"unicode"
)

// sdpLine is one line of a description, "<type>=<value>" (RFC 8866, section 5).
type sdpLine struct {
	number int    // counted from 1
	kind   byte   // the type: v, o, s, …
	key    string // of an attribute: what stands before the colon
	value  string // of an attribute: what stands behind it
}

// section is a description's session part, which begins with v=, or one of its media, which begin with m=.
type section []sdpLine

const (
	// The types of lines that RFC 8866, section 5, knows. Their order is not looked at, which some stacks get wrong.
	sessionTypes = "vosiuepcbtrzka"
	mediaTypes   = "icbka"
	// maxQuoted is how much of a line an error quotes, in characters.
	maxQuoted = 40
)

// readSDP takes a description apart. Lines end with CRLF or, as RFC 8866 asks readers to bear, LF; the last line may
// end with the text, and empty lines are passed over. The lines share the text's memory.
func readSDP(text string) (session section, media []section, err error) {
	into, allowed := &session, sessionTypes
	number := 0
	for raw := range strings.Lines(text) {
		number++
		raw = strings.TrimSuffix(strings.TrimSuffix(raw, "\n"), "\r")
		if strings.TrimSpace(raw) == "" && len(session) > 0 {
			continue
		}
		l := sdpLine{number: number, value: raw}
		if strings.ContainsAny(raw, "\x00\r") {
			return nil, nil, l.fault(ErrBadSDP, "has a control character inside")
		}
		if len(session) == 0 && strings.TrimSpace(raw) != "v=0" {
			return nil, nil, l.fault(ErrBadSDP, "a description begins with v=0")
		}
		if len(raw) < 2 || raw[1] != '=' {
			return nil, nil, l.fault(ErrBadSDP, "a line is a letter, = and a value")
		}
		l.kind, l.value = raw[0], raw[2:]
		switch {
		case l.kind == 'm':
			media = append(media, nil)
			into, allowed = &media[len(media)-1], mediaTypes
		case strings.IndexByte(allowed, l.kind) < 0:
			return nil, nil, l.fault(ErrBadSDP, "no line of this type may stand here (RFC 8866, section 5)")
		case l.kind == 'a':
			l.key, l.value, _ = strings.Cut(l.value, ":")
		}
		*into = append(*into, l)
	}
	if len(session) == 0 {
		return nil, nil, fmt.Errorf("%w: sdp_offer is empty", ErrBadSDP)
	}
	return session, media, nil
}

// all yields the attributes of this name.
func (s section) all(key string) iter.Seq[sdpLine] {
	return func(yield func(sdpLine) bool) {
		for _, l := range s {
			if l.kind == 'a' && l.key == key && !yield(l) {
				return
			}
		}
	}
}

// first returns the first attribute of this name.
func (s section) first(key string) (sdpLine, bool) {
	for l := range s.all(key) {
		return l, true
	}
	return sdpLine{}, false
}

// has reports whether there is an attribute of this name.
func (s section) has(key string) bool {
	_, ok := s.first(key)
	return ok
}

// fault is what is wrong with a line: its number, its beginning, and what would be right.
func (l sdpLine) fault(sentinel error, format string, args ...any) error {
	return fmt.Errorf("%w: line %d, %s: %s", sentinel, l.number, l, fmt.Sprintf(format, args...))
}

// String is the beginning of the line, fit to be shown. A password is not.
func (l sdpLine) String() string {
	text := l.value
	switch {
	case l.kind == 'a' && l.key == "ice-pwd":
		text = "a=ice-pwd:…"
	case l.kind == 'a' && l.value == "":
		text = "a=" + l.key
	case l.kind == 'a':
		text = "a=" + l.key + ":" + l.value
	case l.kind != 0:
		text = string(rune(l.kind)) + "=" + l.value
	}
	text = strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return '?'
		}
		return r
	}, strings.ToValidUTF8(text, "?"))
	if runes := []rune(text); len(runes) > maxQuoted {
		text = string(runes[:maxQuoted]) + "…"
	}
	return text
}

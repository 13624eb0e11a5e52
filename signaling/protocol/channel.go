package protocol

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// CheckChannelID reports why id cannot be a channel's; the error wraps ErrPayload.
func CheckChannelID(id string) error {
	if id == "" || len(id) > MaxChannelIDBytes {
		return fmt.Errorf("%w: d.channel_id has %d bytes; allowed are 1 to %d", ErrPayload, len(id), MaxChannelIDBytes)
	}
	for _, c := range []byte(id) {
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '-', c == '_':
		default:
			return fmt.Errorf("%w: d.channel_id may have letters a to z, digits, - and _ only", ErrPayload)
		}
	}
	return nil
}

// CleanChannelName trims a name and checks that a person can read it; the error wraps
// ErrPayload.
func CleanChannelName(name string) (string, error) {
	name = strings.TrimSpace(name)
	if n := utf8.RuneCountInString(name); n == 0 || n > MaxChannelNameChars || !utf8.ValidString(name) {
		return "", fmt.Errorf("%w: d.channel_name has %d characters; allowed are 1 to %d", ErrPayload, n, MaxChannelNameChars)
	}
	const joiner = '\u200d' // holds emoji together
	for _, c := range name {
		if !unicode.IsPrint(c) && c != joiner {
			return "", fmt.Errorf("%w: d.channel_name contains the invisible character %U", ErrPayload, c)
		}
	}
	return name, nil
}

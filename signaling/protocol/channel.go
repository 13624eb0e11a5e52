package protocol

import "fmt"

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

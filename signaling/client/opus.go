package client

import "time"

// OpusDuration returns how much sound an Opus packet holds, read from its first byte and
// frame count (RFC 6716, section 3.1), or 0 when it is not an Opus packet. The longest
// there is holds 120 ms.
func OpusDuration(packet []byte) time.Duration {
	if len(packet) == 0 {
		return 0
	}
	toc := packet[0]
	frames := 1
	switch toc & 3 {
	case 0:
	case 1, 2:
		frames = 2
	default:
		if len(packet) < 2 {
			return 0
		}
		frames = int(packet[1] & 0x3f)
	}
	total := time.Duration(frames) * opusFrameDuration(toc>>3)
	if total > maxOpusDuration {
		return 0
	}
	return total
}

// maxOpusDuration is the most sound one packet may hold (RFC 6716, section 3.2.5).
const maxOpusDuration = 120 * time.Millisecond

// opusFrameDuration is table 2 of RFC 6716: the frame size of each configuration.
func opusFrameDuration(config byte) time.Duration {
	const ms = time.Millisecond
	switch {
	case config < 12: // SILK-only
		return [...]time.Duration{10 * ms, 20 * ms, 40 * ms, 60 * ms}[config&3]
	case config < 16: // hybrid
		return [...]time.Duration{10 * ms, 20 * ms}[config&1]
	default: // CELT-only
		return [...]time.Duration{2500 * time.Microsecond, 5 * ms, 10 * ms, 20 * ms}[config&3]
	}
}

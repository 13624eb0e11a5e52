package talk

// Durations in samples at 48 kHz, the clock of Opus whatever it was encoded from.
const (
	second = 48000
	// step is the shortest frame there is, and so what gaps are measured in.
	step = second / 400
	// longest is how much sound one packet may hold.
	longest = second * 120 / 1000
	// absence is from how much on a gap is somebody who is muted, or away: packets of a voice that is only silent come every 400 ms
	// (DTX). fading is what is left then to the decoder's concealment, which would go on for long with a sound that ended at once.
	absence = second * 440 / 1000
	fading  = second * 60 / 1000
)

// silence is a packet of 20 ms without any sound, of one channel; stereo is the bit of its first byte for two.
var silence = []byte{31 << 3, 0xff, 0xfe} //nolint:gochecknoglobals // a constant, if slices could be

const stereo = 1 << 2

// fill puts packets in the place of what is missing after a packet that began with toc, as RFC 7845 says in section 4.1: frames
// of no bytes, of the same mode, bandwidth, channels and length for as long as these fit, and shorter ones at the end. In a long gap
// there is true silence. samples are whole steps. It returns what the last packet begins with.
func fill(toc byte, samples int64, put func([]byte) error) (byte, error) {
	if samples > absence {
		var err error
		if toc, err = fill(toc, fading, put); err != nil {
			return toc, err
		}
		toc, samples = silence[0]|toc&stereo, samples-fading-second/50
		if err = put([]byte{toc, silence[1], silence[2]}); err != nil {
			return toc, err
		}
	}
	last := toc
	for _, config := range lengths(toc >> 3) {
		frame := frameSamples(config)
		for frames := samples / frame; frames > 0; {
			n := min(frames, longest/frame)
			packet := []byte{config<<3 | toc&stereo}
			if n > 1 {
				packet = []byte{config<<3 | toc&stereo | 3, byte(n)} //nolint:gosec // code 3: so many frames of one size, at most 48
			}
			if err := put(packet); err != nil {
				return last, err
			}
			last = packet[0]
			frames -= n
			samples -= n * frame
		}
	}
	return last, nil
}

// lengths are the configurations of RFC 6716's table 2 with which a gap after one of them is filled, in this order: itself, the
// shorter ones of its mode and bandwidth, and, where its mode has none below 10 ms, CELT's.
func lengths(config byte) []byte {
	var all []byte
	switch {
	case config < 12: // SILK
		for c := config; ; c-- {
			all = append(all, c)
			if c&3 == 0 {
				break
			}
		}
		if config < 4 {
			return append(all, 17, 16)
		}
		return append(all, 21, 20) // CELT has no medium band
	case config < 16: // hybrid
		for c := config; ; c-- {
			all = append(all, c)
			if c&1 == 0 {
				break
			}
		}
		if config < 14 {
			return append(all, 25, 24)
		}
		return append(all, 29, 28)
	default:
		for c := config; ; c-- {
			all = append(all, c)
			if c&3 == 0 {
				return all
			}
		}
	}
}

// frameSamples is how much a frame of a configuration holds.
func frameSamples(config byte) int64 {
	switch {
	case config < 12:
		return [...]int64{4, 8, 16, 24}[config&3] * step
	case config < 16:
		return [...]int64{4, 8}[config&1] * step
	default:
		return step << (config & 3)
	}
}

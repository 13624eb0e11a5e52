package talk

import (
	"github.com/mini-livechat/mini-livechat/signaling/client"
)

// slack is by how much a packet may stand beside its place when it follows the one before, in samples: less than half of what two
// tracks may differ by, and more than a network's jitter moves its clock.
const slack = second * 5 / 1000

// track is one talker's file, written up to some moment of the recording. It is not safe for concurrent use.
type track struct {
	out *client.OggOpusWriter
	at  int64 // how much is written, in samples
	toc byte  // of the last packet
	// voice is whose packet came last, and after what timestamp the next one of it follows.
	voice *voice
	next  int64
}

// newTrack begins a file, which is as old as the recording however late it begins.
func newTrack(out *client.OggOpusWriter, channels int) *track {
	t := &track{out: out, toc: silence[0]}
	if channels > 1 {
		t.toc |= stereo
	}
	return t
}

// add writes a packet at its place. What overlaps with what is written already, such as what is heard again on another slot,
// or what a clock that is too fast leaves no room for, is left out.
func (t *track) add(v *voice, p held) error {
	gap := v.clock.stands(p.timestamp) - t.at
	missing := p.timestamp - t.next
	follows := t.voice == v && missing >= 0 && missing < samples(pause)
	switch {
	case follows && gap-missing <= slack && missing-gap <= slack:
		gap = missing // its own clock is exacter about losses
	case gap < -slack:
		return nil
	}
	if err := t.fill(gap); err != nil {
		return err
	}
	if err := t.write(p.opus); err != nil {
		return err
	}
	t.voice, t.next = v, p.timestamp+samples(client.OpusDuration(p.opus))
	return nil
}

// fill writes what stands for so many samples, to the nearest step. At the beginning that is silence.
func (t *track) fill(samples int64) error {
	samples = (samples + step/2) / step * step
	if samples <= 0 {
		return nil
	}
	if t.at == 0 && samples > second/50 {
		if err := t.write([]byte{t.toc, silence[1], silence[2]}); err != nil {
			return err
		}
		samples -= second / 50
	}
	toc, err := fill(t.toc, samples, t.write)
	t.toc = toc
	return err
}

func (t *track) write(opus []byte) error {
	if err := t.out.WriteOpus(opus); err != nil {
		return err
	}
	t.at += samples(client.OpusDuration(opus))
	t.toc = opus[0]
	return nil
}

// finish writes up to the end, which all tracks have in common, and closes the file's stream.
func (t *track) finish(end int64) error {
	if err := t.fill(end - t.at); err != nil {
		return err
	}
	return t.out.Close()
}

// channelsOf says how many channels packets have.
func channelsOf(packets []due) int {
	for _, d := range packets {
		if d.p.opus[0]&stereo != 0 {
			return 2
		}
	}
	return 1
}

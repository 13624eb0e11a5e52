package sfu

import (
	"slices"
	"time"

	"github.com/mini-livechat/mini-livechat/sfu/speaker"
)

const (
	// speakersInterval is the least time between two SpeakersChanged of a channel.
	speakersInterval = 100 * time.Millisecond
	// maxSpeakers bounds how many are named, the loudest: as many as anybody can hear.
	maxSpeakers = 32
	// levelStep is how far the level of somebody who speaks on must move to be news, in
	// decibel: twice as loud, or half.
	levelStep = 6
)

// SpeakerInfo is one who speaks. Level is smoothed, in -dBov as RFC 6464 counts it: 0 is
// the loudest.
type SpeakerInfo struct {
	UserID string
	Level  uint8
}

// toldSpeakers is what a channel's members were told of who speaks.
type toldSpeakers struct {
	speakers []SpeakerInfo // the loudest first; replaced, never changed
	at       time.Time
}

// speakers returns who is to be told as speaking now, given the last measure; fresh is
// false when that is no news, or too soon, of which pending says that it is to be told yet.
func (s *switchboard) speakers(speaking []*speaker.Talker, now time.Time) (speakers []SpeakerInfo, fresh, pending bool) {
	speaking = speaking[:min(len(speaking), maxSpeakers)]
	if !s.told.outdated(speaking) {
		return nil, false, false
	}
	if now.Sub(s.told.at) < speakersInterval {
		return nil, false, true
	}
	speakers = make([]SpeakerInfo, len(speaking))
	for i, talker := range speaking {
		speakers[i] = SpeakerInfo{UserID: talker.ID, Level: uint8(talker.Loudness().Level())}
	}
	s.told = toldSpeakers{speakers: speakers, at: now}
	return speakers, true, false
}

// outdated reports whether others speak than was told, or some much louder or softer.
func (t *toldSpeakers) outdated(speaking []*speaker.Talker) bool {
	if len(speaking) != len(t.speakers) {
		return true
	}
	for i, talker := range speaking {
		// Mostly in the same place.
		told := i
		if t.speakers[i].UserID != talker.ID {
			told = slices.IndexFunc(t.speakers, func(s SpeakerInfo) bool { return s.UserID == talker.ID })
		}
		if told < 0 {
			return true
		}
		step := int(t.speakers[told].Level) - int(talker.Loudness().Level())
		if max(step, -step) >= levelStep {
			return true
		}
	}
	return false
}

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
// shown reports whether somebody is a member of a node.
func (s *switchboard) speakers(
	speaking []*speaker.Talker, now time.Time, shown func(node, userID string) bool,
) (speakers []SpeakerInfo, fresh, pending bool) {
	s.speaking = s.elsewhere.merge(s.own(s.speaking[:0], speaking), shown)
	return s.told.news(s.speaking[:min(len(s.speaking), maxSpeakers)], now)
}

// ownSpeakers is the same of those on this node alone, as other nodes are told of them.
func (s *switchboard) ownSpeakers(speaking []*speaker.Talker, now time.Time) (speakers []SpeakerInfo, fresh, pending bool) {
	s.speaking = s.own(s.speaking[:0], speaking)
	return s.spread.news(s.speaking[:min(len(s.speaking), maxSpeakers)], now)
}

// own appends who of those that speak are on this node.
func (s *switchboard) own(into []SpeakerInfo, speaking []*speaker.Talker) []SpeakerInfo {
	for _, talker := range speaking {
		if !s.heard[talker].elsewhere {
			into = append(into, SpeakerInfo{UserID: talker.ID, Level: uint8(talker.Loudness().Level())})
		}
	}
	return into
}

// news returns a copy of who speaks, if that is to be told now.
func (t *toldSpeakers) news(speaking []SpeakerInfo, now time.Time) (speakers []SpeakerInfo, fresh, pending bool) {
	if !t.outdated(speaking) {
		return nil, false, false
	}
	if now.Sub(t.at) < speakersInterval {
		return nil, false, true
	}
	*t = toldSpeakers{speakers: slices.Clone(speaking), at: now}
	return t.speakers, true, false
}

// outdated reports whether others speak than was told, or some much louder or softer.
func (t *toldSpeakers) outdated(speaking []SpeakerInfo) bool {
	if len(speaking) != len(t.speakers) {
		return true
	}
	for i, one := range speaking {
		// Mostly in the same place.
		told := i
		if t.speakers[i].UserID != one.UserID {
			told = slices.IndexFunc(t.speakers, func(s SpeakerInfo) bool { return s.UserID == one.UserID })
		}
		if told < 0 {
			return true
		}
		step := int(t.speakers[told].Level) - int(one.Level)
		if max(step, -step) >= levelStep {
			return true
		}
	}
	return false
}

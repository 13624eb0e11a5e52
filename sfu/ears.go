package sfu

import (
	"slices"
	"time"

	"github.com/mini-livechat/mini-livechat/sfu/peer"
)

// tap plugs in the ear of somebody who listens without being in the channel: a leg that hears as a member with so many slots would, but whose
// slots its scanner gives away. Talkers offer their packets to them all the while.
func (s *switchboard) tap(t *station, slots []peer.Slot, exclude []string) *leg {
	l := &leg{station: t, slots: slots, hears: true}
	l.wire(len(slots))
	l.listener = s.room.NewListener(len(slots), nil)
	l.listener.Subscribe(nil, exclude)
	s.ears = append(s.ears, l)
	s.stale = true
	return l
}

// untap takes an ear out, to which its scanner is not tuned any more.
func (s *switchboard) untap(l *leg) {
	s.ears = slices.DeleteFunc(s.ears, func(o *leg) bool { return o == l })
	s.stale = true
	for _, source := range l.connected {
		s.touch(source)
	}
	s.fanOut()
}

// settleEars gives the ears whom they are to hear, and reports whether any is connected otherwise.
func (s *switchboard) settleEars(now time.Time) (misconnected bool) {
	for _, l := range s.ears {
		s.sel(l, now)
		for i := range l.slots {
			misconnected = misconnected || l.connected[i] != s.source(l, i)
		}
	}
	return misconnected
}

// inform has those who listen know who is heard here now. What they are to hear must be connected.
func (s *switchboard) inform(now time.Time) {
	for _, l := range s.ears {
		busy := false
		s.voices = s.voices[:0]
		for i := range l.slots {
			var v voice
			if from := s.on(l, i); from != nil {
				v.UserID, v.Name, v.source = from.userID, from.name, from.source
				v.ChannelID, v.ChannelName = l.station.channel.id, l.station.title
				v.SSRC, _ = from.voice.SSRC()
				if s.lines == nil {
					v.since, _ = from.beginning(now)
				}
				busy = busy || s.audible(from)
			}
			s.voices = append(s.voices, v)
		}
		l.station.hear(now, busy, s.voices)
	}
	clear(s.voices)
}

// audible reports whether somebody is heard now: by having the floor where one talks at a time, else by speaking.
func (s *switchboard) audible(l *leg) bool {
	if s.lines != nil {
		return l.talks && s.lines.permits(l)
	}
	return l.talks && l.talker.Speaking()
}

// resize gives a leg the slots that are its own from now on: more than before, or fewer of the same. The next settle gives the new ones away.
func (s *switchboard) resize(l *leg, slots []peer.Slot) {
	for i := len(slots); i < len(l.slots); i++ {
		s.touch(l.connected[i])
		l.slots[i].Assign(nil)
	}
	l.slots = slots
	l.wire(len(slots))
	l.listener.Resize(len(slots))
	l.untold, s.stale = true, true
}

// followScanners notes who is to be told what they hear of other channels, and gives back the slots of those who listen to none any more.
func (s *switchboard) followScanners() {
	s.unsaid.Store(false) // before looking: what comes later is looked at again
	for _, l := range s.near {
		if l.scanner == nil || !l.scanner.untold.Swap(false) {
			continue
		}
		l.untold = true
		if l.scanner.reclaim() {
			s.resize(l, l.conn.Slots())
		}
	}
}

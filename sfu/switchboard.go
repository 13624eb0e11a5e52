package sfu

import (
	"slices"
	"sync/atomic"
	"time"

	"github.com/mini-livechat/mini-livechat/sfu/forward"
	"github.com/mini-livechat/mini-livechat/sfu/peer"
	"github.com/mini-livechat/mini-livechat/sfu/speaker"
)

const (
	// catchUp is how recently somebody must have begun to speak to be heard from the
	// beginning on getting a slot: one who waited longer goes on in mid-sentence. It is
	// how long a slot may take to come free after its talker fell silent.
	catchUp = 400 * time.Millisecond
	// leadIn is how much before the first sound of speech belongs to it: a consonant that
	// was too soft.
	leadIn = 40 * time.Millisecond
)

// switchboard is who hears whom in a channel: it gives the slots of each listener to
// talkers, makes the media follow, and knows who speaks. It has no lock and no clock, and
// knows of people only their ids and whether they may talk and hear. Not safe for
// concurrent use.
type switchboard struct {
	room    speaker.Room
	legs    []*leg                   // as they were plugged in
	near    []*leg                   // those of this node's members, likewise: of a large channel on many nodes few, and only they hear
	ears    []*leg                   // of those who listen without being in the channel; likewise
	outlets                          // to other nodes
	heard   map[*speaker.Talker]*leg // who has a microphone
	told    toldSpeakers
	// spread is what other nodes were told of those who speak here, elsewhere what they say of theirs; speaking is where either is collected.
	spread    toldSpeakers
	elsewhere speakersElsewhere
	speaking  []SpeakerInfo
	// lines are not nil where one talks at a time.
	lines *lines
	moved map[*forward.Source]struct{} // sources whose fan-out may have changed since connect
	// unsettled: since the last settle others may be heard, or somebody is to be told of their slots.
	unsettled bool
	heirs     []*leg  // who spoke at the last measure and has an elder
	voices    []voice // where inform collects them
	// unsaid: something of a member's scanner is untold. Set from any goroutine.
	unsaid atomic.Bool
}

// leg is one member's media in a switchboard, from plug until unplug.
type leg struct {
	userID, name string
	conn         Conn // nil: the member is on another node
	voice        Voice
	elsewhere    bool // the member is on another node
	// What the connection has, asked for once: nothing of it changes.
	source *forward.Source
	slots  []peer.Slot

	talker    *speaker.Talker   // nil without a microphone
	listener  *speaker.Listener // who is on which slot; nil where the member is on another node
	talks     bool              // is let talk
	hears     bool
	ssrc      uint32            // the microphone's, as the others were told
	connected []*forward.Source // by slot: what the slot takes packets from; nil for none
	untold    bool              // its slots are other than was told

	elder, heir *leg // see inherit; nil: none

	scanner *scanner // has what the member hears of other channels
	station *station // whose ear this is; nil for a member
}

// plug takes a member's media in, with these of its slots. Nothing of it is connected before the next settle.
func (s *switchboard) plug(userID string, conn Conn, slots []peer.Slot, talks, hears bool) *leg {
	l := &leg{userID: userID, conn: conn, voice: conn, source: conn.Source(), slots: slots}
	l.wire(len(slots))
	if conn.Talker() {
		s.enroll(l, s.room.Add(userID, conn.Meter()))
	}
	l.listener = s.room.NewListener(len(l.slots), l.talker)
	l.untold = s.lines != nil && len(l.slots) > 0
	s.legs, s.near = append(s.legs, l), append(s.near, l)
	s.permit(l, talks, hears)
	return l
}

// mirror takes in the voice of a member of another node, who hears nothing here.
func (s *switchboard) mirror(userID string, voice Voice, talks bool) *leg {
	l := &leg{userID: userID, voice: voice, elsewhere: true, source: voice.Source()}
	s.enroll(l, s.room.AddAway(userID, voice.Meter()))
	s.legs = append(s.legs, l)
	s.permit(l, talks, false)
	return l
}

// enroll makes a leg's voice one of those that may be heard.
func (s *switchboard) enroll(l *leg, talker *speaker.Talker) {
	l.talker, s.unsettled = talker, true
	if s.heard == nil {
		s.heard = make(map[*speaker.Talker]*leg)
	}
	s.heard[l.talker] = l
}

// wire makes room for what so many slots are connected to.
func (l *leg) wire(slots int) {
	connected := make([]*forward.Source, slots)
	copy(connected, l.connected)
	l.connected = connected
}

// unplug takes a leg out; the next settle gives its place to others. A leg that is out
// already it leaves alone.
func (s *switchboard) unplug(l *leg) {
	is := func(o *leg) bool { return o == l }
	s.legs, s.near, s.unsettled = slices.DeleteFunc(s.legs, is), slices.DeleteFunc(s.near, is), true
	if l.talker != nil {
		s.room.Remove(l.talker)
		delete(s.heard, l.talker)
	}
	for _, source := range l.connected {
		s.touch(source)
	}
	s.drop(l)
	heir := l.heir
	s.disinherit(l)
	if s.lines != nil && s.lines.pass(l, heir) {
		s.retell()
	}
	// The bookkeeping is done before the media is touched, where it may matter most.
	for _, slot := range l.slots {
		slot.Assign(nil)
	}
	l.source.SetSlots(nil)
}

// permit says whether a leg's microphone is heard and whether its slots are. The first is
// so at once, the second with the next connect or settle.
func (s *switchboard) permit(l *leg, talks, hears bool) {
	s.stale = s.stale || l.hears != hears
	s.unsettled = s.unsettled || l.talks != talks || l.hears != hears
	l.talks, l.hears = talks, hears
	l.source.SetMuted(!talks)
	s.turn(l)
	s.carry(l)
	if l.elder != nil {
		s.permit(l.elder, talks, false)
	}
}

// turn has a leg's microphone be heard only where it is its turn.
func (s *switchboard) turn(l *leg) {
	has := s.lines == nil || s.lines.permits(l)
	l.source.SetFloor(has)
	if l.talker != nil {
		l.talker.SetMuted(!l.talks || !has)
	}
}

// subscribe replaces whom a leg's member pins and excludes (speaker.Listener), which takes
// effect at once. It reports whether that leg's slots changed; nobody else's do.
func (s *switchboard) subscribe(l *leg, pin, exclude []string, now time.Time) (changed bool) {
	before := s.heardOn(l)
	l.listener.Subscribe(pin, exclude)
	changed = s.sel(l, now) || !slices.Equal(before, s.heardOn(l))
	if changed {
		s.connect(now)
	}
	s.stale = true
	s.want()
	return changed
}

// sel gives a leg's slots to whom they belong, where that is not by turns, and reports whether any changed hands.
func (s *switchboard) sel(l *leg, now time.Time) (changed bool) {
	return s.lines == nil && l.listener.Select(now)
}

// heardOn returns who has which slot of a leg.
func (s *switchboard) heardOn(l *leg) []*leg {
	heard := make([]*leg, len(l.slots))
	for i := range heard {
		heard[i] = s.on(l, i)
	}
	return heard
}

// settle gives the slots to whom they belong and connects the result. It returns the legs
// whose slots are other than was told.
func (s *switchboard) settle(now time.Time) []*leg {
	turned := s.unsettled
	s.unsettled = false
	var outdated []*leg
	if s.unsaid.Load() {
		s.followScanners()
	}
	for _, l := range s.near {
		if s.sel(l, now) || l.untold {
			l.untold = false
			outdated = append(outdated, l)
		}
	}
	ears, outlets := s.settleEars(now), s.settleOutlets(now, turned)
	if ears || outlets || len(outdated) > 0 || len(s.moved) > 0 {
		s.connect(now)
	}
	s.inform(now)
	s.want()
	return outdated
}

// measure looks who speaks now, the loudest first, and notes whose microphone has just
// got its SSRC, or another one than before. The slice is good until the next call.
func (s *switchboard) measure(now time.Time) []*speaker.Talker {
	speaking := s.room.Measure(now)
	s.heirs = s.heirs[:0]
	for _, talker := range speaking {
		l := s.heard[talker]
		if l.elder != nil {
			s.heirs = append(s.heirs, l)
		}
		if ssrc, ok := l.voice.SSRC(); ok && ssrc != l.ssrc {
			l.ssrc = ssrc
			s.outdate(talker)
		}
	}
	return speaking
}

// outdate notes that those who have the talker on a slot know it by another SSRC.
func (s *switchboard) outdate(talker *speaker.Talker) {
	for _, l := range s.near {
		for i := range l.slots {
			l.untold = l.untold || s.on(l, i) == s.heard[talker]
		}
	}
}

// describe returns a leg's slots as its member is told of them.
func (s *switchboard) describe(l *leg) []SlotInfo {
	infos := make([]SlotInfo, len(l.slots))
	for i := range l.slots {
		infos[i].MID = l.slots[i].MID
		if from := s.on(l, i); from != nil {
			infos[i].UserID = from.userID
			infos[i].SSRC, _ = from.voice.SSRC()
		}
	}
	if l.scanner != nil {
		infos = append(infos, l.scanner.describe()...)
	}
	return infos
}

// on returns who has slot i of a leg, or nil.
func (s *switchboard) on(l *leg, i int) *leg {
	if s.lines != nil {
		return s.lines.on(l, i)
	}
	if talker := l.listener.Slot(i); talker != nil {
		return s.heard[talker]
	}
	return nil
}

// source returns what slot i of a leg is to take packets from, or nil.
func (s *switchboard) source(l *leg, i int) *forward.Source {
	if from := s.on(l, i); from != nil && l.hears {
		return from.source
	}
	return nil
}

// turn is a slot that a talker is given.
type turn struct {
	slot *forward.Slot
	from *leg
}

// connect makes the media follow what was decided: each slot takes packets from the
// talker heard on it, and each talker's Source offers them to those slots. The slots of a
// listener who hears nothing are free for that time, so that they go on without a gap. To an ear talkers only offer; whose
// packets it takes its scanner says.
func (s *switchboard) connect(now time.Time) {
	var turns []turn
	for _, l := range s.near {
		for i := range l.slots {
			source := s.source(l, i)
			if l.connected[i] == source {
				continue
			}
			s.touch(l.connected[i])
			s.touch(source)
			l.connected[i] = source
			if source == nil {
				l.slots[i].Assign(nil)
				continue
			}
			turns = append(turns, turn{l.slots[i].Slot, s.on(l, i)})
		}
	}
	for _, l := range s.ears {
		for i := range l.slots {
			if source := s.source(l, i); l.connected[i] != source {
				s.touch(l.connected[i])
				s.touch(source)
				l.connected[i] = source
			}
		}
	}
	turns = s.connectOutlets(turns)
	// A source must offer its packets before a slot takes them, or one of them is lost.
	s.fanOut()
	for _, t := range turns {
		// What was said before it was one's turn is nobody's: the gate was shut, and nothing of it was kept.
		if since, ok := t.from.beginning(now); ok {
			t.slot.Promote(t.from.source, since)
		} else {
			t.slot.Assign(t.from.source)
		}
	}
}

// beginning returns from when on a talker who is given a slot is to be heard; ok is false
// for from now on.
func (l *leg) beginning(now time.Time) (since time.Time, ok bool) {
	if !l.talker.Speaking() || now.Sub(l.talker.Onset()) > catchUp {
		return time.Time{}, false
	}
	return l.talker.Onset().Add(-leadIn), true
}

// touch notes that a source's fan-out may have changed; nil does nothing.
func (s *switchboard) touch(source *forward.Source) {
	if source == nil {
		return
	}
	if s.moved == nil {
		s.moved = make(map[*forward.Source]struct{})
	}
	s.moved[source] = struct{}{}
}

// fanOut sets the slots of the sources that were touched.
func (s *switchboard) fanOut() {
	if len(s.moved) == 0 {
		return
	}
	fanOuts := make(map[*forward.Source][]*forward.Slot, len(s.moved))
	for _, legs := range [...][]*leg{s.near, s.ears} {
		for _, l := range legs {
			for i, source := range l.connected {
				if _, moved := s.moved[source]; moved {
					fanOuts[source] = append(fanOuts[source], l.slots[i].Slot)
				}
			}
		}
	}
	for _, o := range s.list {
		for _, l := range o.on {
			if _, moved := s.moved[l.source]; moved {
				fanOuts[l.source] = append(fanOuts[l.source], o.lines[l])
			}
		}
	}
	for source := range s.moved {
		source.SetSlots(fanOuts[source])
	}
	clear(s.moved)
}

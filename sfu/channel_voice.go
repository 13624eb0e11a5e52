package sfu

import (
	"time"

	"github.com/mini-livechat/mini-livechat/sfu/forward"
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

// rouse has the decider look after the channel for as long as somebody speaks. It is
// called on the packet path, but only when somebody begins to speak.
func (c *Channel) rouse() {
	if c.awake.CompareAndSwap(false, true) {
		c.decider.add(c)
	}
}

// decide measures who speaks, gives the slots to the loudest and tells who changed. It
// reports whether there will be anything to decide without another rouse.
func (c *Channel) decide(now time.Time) (more bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.deleted {
		speaking := c.room.Measure(now)
		c.notifySSRCsLocked(speaking)
		c.notifySlotsLocked(c.assignLocked(now), nil)
		if told := c.tellSpeakersLocked(speaking, now); !told || len(speaking) > 0 {
			return true
		}
	}
	c.awake.Store(false)
	// Who began to speak after the Measure found the channel awake.
	return !c.deleted && len(c.room.Measure(now)) > 0 && c.awake.CompareAndSwap(false, true)
}

// assignLocked gives the slots to whom they belong and connects the result. It returns the
// listeners whose slots changed.
func (c *Channel) assignLocked(now time.Time) []*Member {
	var changed []*Member
	for _, m := range c.order {
		if m.listener.Select(now) {
			changed = append(changed, m)
		}
	}
	if len(changed) > 0 || len(c.touched) > 0 {
		c.connectLocked(now)
	}
	return changed
}

// connectLocked makes the media follow what was decided: each slot takes packets from the
// talker heard on it, and each talker's Source offers them to those slots. A deaf
// listener's slots are free for that time, so that they go on without a gap.
func (c *Channel) connectLocked(now time.Time) {
	type turn struct {
		slot   *forward.Slot
		talker *Member
	}
	var turns []turn
	for _, m := range c.order {
		slots := m.peer.Slots()
		for i := range m.connected {
			var source *forward.Source
			talker := m.hearsLocked(i)
			if talker != nil && !m.selfDeaf {
				source = talker.peer.Source()
			}
			if m.connected[i] == source {
				continue
			}
			c.touchLocked(m.connected[i])
			c.touchLocked(source)
			m.connected[i] = source
			if source == nil {
				slots[i].Assign(nil)
				continue
			}
			turns = append(turns, turn{slots[i].Slot, talker})
		}
	}
	// A source must offer its packets before a slot takes them, or one of them is lost.
	c.fanOutLocked()
	for _, t := range turns {
		if since, ok := t.talker.beginningLocked(now); ok {
			t.slot.Promote(t.talker.peer.Source(), since)
		} else {
			t.slot.Assign(t.talker.peer.Source())
		}
	}
}

// beginningLocked returns from when on a talker who is given a slot is to be heard; ok is
// false for from now on.
func (m *Member) beginningLocked(now time.Time) (since time.Time, ok bool) {
	if !m.talker.Speaking() || now.Sub(m.talker.Onset()) > catchUp {
		return time.Time{}, false
	}
	return m.talker.Onset().Add(-leadIn), true
}

// touchLocked notes that a source's fan-out may have changed; nil does nothing.
func (c *Channel) touchLocked(source *forward.Source) {
	if source == nil {
		return
	}
	if c.touched == nil {
		c.touched = make(map[*forward.Source]struct{})
	}
	c.touched[source] = struct{}{}
}

// fanOutLocked sets the slots of the touched sources.
func (c *Channel) fanOutLocked() {
	if len(c.touched) == 0 {
		return
	}
	fanOuts := make(map[*forward.Source][]*forward.Slot, len(c.touched))
	for _, m := range c.order {
		for i, source := range m.connected {
			if _, touched := c.touched[source]; touched {
				fanOuts[source] = append(fanOuts[source], m.peer.Slots()[i].Slot)
			}
		}
	}
	for source := range c.touched {
		source.SetSlots(fanOuts[source])
	}
	clear(c.touched)
}

// disconnectLocked takes a member's media out of the channel; the next assignLocked gives
// its place to others.
func (c *Channel) disconnectLocked(m *Member) {
	for i, slot := range m.peer.Slots() {
		slot.Assign(nil)
		c.touchLocked(m.connected[i])
	}
	if m.talker != nil {
		c.room.Remove(m.talker)
	}
	m.peer.Source().SetSlots(nil)
}

// notifySSRCsLocked tells those who hear somebody the SSRC of a microphone that has just
// become known, or is another one than before.
func (c *Channel) notifySSRCsLocked(speaking []*speaker.Talker) {
	var news map[*Member]bool
	for _, talker := range speaking {
		m := c.members[talker.ID]
		if ssrc, ok := m.peer.SSRC(); ok && ssrc != m.ssrc {
			m.ssrc = ssrc
			if news == nil {
				news = make(map[*Member]bool)
			}
			news[m] = true
		}
	}
	if news == nil {
		return
	}
	for _, listener := range c.order {
		for i := range listener.connected {
			if news[listener.hearsLocked(i)] {
				c.notifySlotsLocked([]*Member{listener}, nil)
				break
			}
		}
	}
}

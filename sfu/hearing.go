package sfu

import (
	"slices"
	"time"

	"github.com/mini-livechat/mini-livechat/sfu/peer"
	"github.com/mini-livechat/mini-livechat/sfu/speaker"
)

// Hearing is how things stand between one member, who talks, and another, who is to hear it, at one moment. What is of different
// parts may be a packet apart.
type Hearing struct {
	Talker, Listener MemberInfo
	// Together: both are in the same channel; else Tuned says that the listener listens to the talker's.
	Together, Tuned bool
	// Turns: one talks at a time in the talker's channel. Open says that the talker's packets pass there, and Holder is who has the
	// floor, if anybody does.
	Turns, Open bool
	Holder      string
	// Excluded: the listener wants never to hear the talker.
	Excluded bool
	// Slots are on whom the listener's slots are, "" for nobody; the last ScannerSlots of them are for other channels.
	Slots        []string
	ScannerSlots int
	// Slot is where the talker is among them; -1: nowhere.
	Slot int
	// Voice is what is heard of the talker.
	Voice speaker.Reading
	// TalkerMedia and ListenerMedia are their connections.
	TalkerMedia, ListenerMedia Media
}

// Media is a member's connection.
type Media struct {
	peer.Stats

	// LastSeen is when it last gave a sign of life.
	LastSeen time.Time
}

// Said returns how things stand with what a member says: Talker, Turns, Open, Holder, Voice and TalkerMedia.
func (m *Member) Said(now time.Time) Hearing {
	var h Hearing
	m.heardBy(&h)
	h.Voice = m.peer.Meter().Read(now)
	h.TalkerMedia = m.peer.media()
	return h
}

// Hears returns how things stand with what a member hears of somebody in a channel, who need not be on this node: the rest.
func (m *Member) Hears(c *Channel, userID string) Hearing {
	h := Hearing{Slot: -1, Together: m.channel == c}
	m.hearsFrom(&h, c, userID)
	h.ListenerMedia = m.peer.media()
	return h
}

// heardBy fills in what is the talker's.
func (m *Member) heardBy(h *Hearing) {
	c := m.channel
	c.mu.Lock()
	defer c.mu.Unlock()
	h.Talker = m.self.info()
	h.Turns = c.board.lines != nil
	h.Open = !h.Turns || c.board.lines.permits(m.leg)
	if state := c.floorStateLocked(); state != nil && state.Holder != nil {
		h.Holder = state.Holder.UserID
	}
}

// hearsFrom fills in what is the listener's.
func (m *Member) hearsFrom(h *Hearing, of *Channel, userID string) {
	c := m.channel
	c.mu.Lock()
	defer c.mu.Unlock()
	h.Listener = m.self.info()
	_, exclude := m.leg.listener.Subscriptions()
	h.Excluded = slices.Contains(exclude, userID)
	h.Tuned = m.scanner.tunedTo(of)
	infos := c.board.describe(m.leg)
	h.ScannerSlots = len(infos) - len(m.leg.slots)
	for _, info := range infos {
		h.Slots = append(h.Slots, info.UserID)
	}
	h.Slot = slices.Index(h.Slots, userID)
}

// tunedTo reports whether c is among those that are listened to.
func (s *scanner) tunedTo(c *Channel) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.ContainsFunc(s.stations, func(t *station) bool { return t.channel == c })
}

func (p *MediaPeer) media() Media { return Media{Stats: p.Stats(), LastSeen: p.LastSeen()} }

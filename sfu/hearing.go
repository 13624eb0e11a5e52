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

// Hear returns how things stand between two members, who need not be in the same channel.
func Hear(listener, talker *Member, now time.Time) Hearing {
	h := Hearing{Slot: -1, Together: listener.channel == talker.channel}
	talker.heardBy(&h)
	listener.hearsFrom(&h, talker)
	h.Voice = talker.peer.Meter().Read(now)
	h.TalkerMedia, h.ListenerMedia = talker.peer.media(), listener.peer.media()
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
func (m *Member) hearsFrom(h *Hearing, talker *Member) {
	c := m.channel
	c.mu.Lock()
	defer c.mu.Unlock()
	h.Listener = m.self.info()
	if t := talker.leg.talker; t != nil && m != talker {
		h.Excluded = m.leg.listener.Excludes(t)
	}
	h.Tuned = m.scanner.tunedTo(talker.channel)
	infos := c.board.describe(m.leg)
	h.ScannerSlots = len(infos) - len(m.leg.slots)
	for _, info := range infos {
		h.Slots = append(h.Slots, info.UserID)
	}
	h.Slot = slices.Index(h.Slots, talker.self.userID)
}

// tunedTo reports whether c is among those that are listened to.
func (s *scanner) tunedTo(c *Channel) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.ContainsFunc(s.stations, func(t *station) bool { return t.channel == c })
}

func (p *MediaPeer) media() Media { return Media{Stats: p.Stats(), LastSeen: p.LastSeen()} }

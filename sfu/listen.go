package sfu

import (
	"fmt"
	"slices"
	"time"

	"github.com/mini-livechat/mini-livechat/sfu/peer"
)

// Listening is which other channels a member listens to, by their ids.
type Listening struct {
	// Channels are by rank: of those in which somebody is heard, the first counts.
	Channels []string
	// Priority is the one of them that interrupts the others; may be empty.
	Priority string
	// Slots is how many of the member's slots, the last ones, are for that.
	Slots int
}

// ListenRequest says to which other channels a member wants to listen.
type ListenRequest struct {
	// Channels are by rank, each once; none to listen no more.
	Channels []*Channel
	// Priority is one of them, or nil.
	Priority *Channel
	// Slots is how many of the member's slots, the last ones, are for that; at least one other must be left.
	Slots int
}

// ListenerInfo is somebody who listens to a channel without being in it.
type ListenerInfo struct{ UserID, Name string }

// Listen has the member hear other channels too, on the last of its slots: one at a time, of which it hears as many as there are
// slots. That is the priority channel while somebody is heard there, else the one it hears until that has been silent for 2 s, else the first in which
// somebody is heard. It lasts until the member is out of its channel, also when it is moved; of channels that are deleted, or become its own, it hears
// no more, and is told of that. Nobody in those channels is told.
//
// acknowledge is called with what is listened to from then on, before anything that follows is told. Like Notifier, it must neither block
// nor call back. Listen fails, and calls nothing, with ErrNotInChannel or ErrBadListen.
func (m *Member) Listen(req ListenRequest, acknowledge func(Listening)) error {
	s := m.scanner
	s.turn.Lock()
	defer s.turn.Unlock()
	if len(req.Channels) == 0 {
		req.Slots = 0
	}
	exclude, err := m.mayListen(req)
	if err != nil {
		return err
	}
	all := m.peer.Slots()
	stations := s.tap(req.Channels, all[len(all)-req.Slots:], exclude)
	unused, err := m.retune(stations, req, acknowledge)
	for _, t := range unused {
		t.channel.untap(t)
	}
	return err
}

// mayListen reports why a member cannot listen so, or else whom it never wants to hear.
func (m *Member) mayListen(req ListenRequest) (exclude []string, err error) {
	c := m.channel
	c.mu.Lock()
	defer c.mu.Unlock()
	lines := len(m.peer.Slots())
	switch {
	case !c.roster.has(m.self):
		return nil, c.roster.notIn()
	case slices.Contains(req.Channels, c):
		return nil, fmt.Errorf("%w: you are in %s and hear it anyway", ErrBadListen, c.id)
	case len(req.Channels) > 0 && (req.Slots < 1 || req.Slots >= lines):
		return nil, fmt.Errorf("%w: with %d recvonly lines there are 0 to %d slots for it, at least one being left; you ask for %d",
			ErrBadListen, lines, max(lines-1, 0), req.Slots)
	}
	_, exclude = m.leg.listener.Subscriptions()
	return exclude, nil
}

// tap returns stations for channels on these slots: those that there are, and new ones that are heard only once they are set. The
// caller holds turn.
func (s *scanner) tap(channels []*Channel, slots []peer.Slot, exclude []string) []*station {
	known := make(map[*Channel]*station, len(channels))
	s.mu.Lock()
	if len(slots) == len(s.slots) {
		for _, t := range s.stations {
			known[t.channel] = t
		}
	}
	s.mu.Unlock()
	stations := make([]*station, 0, len(channels))
	for _, c := range channels {
		t := known[c]
		if t == nil {
			if t = (&station{scanner: s, channel: c}); !c.tap(t, slots, exclude) {
				continue
			}
		}
		stations = append(stations, t)
	}
	return stations
}

// retune has the member listen to these stations. It returns those of before and now to which it does not.
func (m *Member) retune(stations []*station, req ListenRequest, acknowledge func(Listening)) (unused []*station, err error) {
	c, s, now := m.channel, m.scanner, time.Now()
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.roster.has(m.self) {
		return slices.DeleteFunc(stations, s.has), c.roster.notIn()
	}
	all := m.peer.Slots()
	before, listening := s.set(stations, req.Priority, all[len(all)-req.Slots:], func() {
		c.board.resize(m.leg, all[:len(all)-req.Slots])
	}, now)
	acknowledge(listening)
	c.tellSlotsLocked(c.board.settle(now), nil)
	return slices.DeleteFunc(before, func(t *station) bool { return slices.Contains(stations, t) }), nil
}

// has reports whether a station is among those that are listened to.
func (s *scanner) has(t *station) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Contains(s.stations, t)
}

// set replaces the stations and, if they are others, the slots, which release makes free. It returns the stations before, and what is
// listened to now. Called with the lock of the member's channel held.
func (s *scanner) set(
	stations []*station, priority *Channel, slots []peer.Slot, release func(), now time.Time,
) (before []*station, listening Listening) {
	s.mu.Lock()
	defer s.mu.Unlock()
	before = s.stations
	alive := make([]*station, 0, len(stations))
	var first *station
	for _, t := range stations {
		if t.gone {
			continue
		}
		alive = append(alive, t)
		if t.channel == priority {
			first = t
		}
	}
	if len(slots) != len(s.slots) {
		s.takeLocked(nil)
		release()
		s.takeLocked(slots)
	}
	s.lost = false
	s.setLocked(alive, first, now)
	return before, s.listeningLocked()
}

// Unlisten has the member listen no more to the channels that lost names, and tells it. lost is called without a lock.
func (m *Member) Unlisten(lost func(*Channel) bool) {
	s := m.scanner
	s.turn.Lock()
	defer s.turn.Unlock()
	s.mu.Lock()
	stations := slices.Clone(s.stations)
	s.mu.Unlock()
	dropped := slices.DeleteFunc(stations, func(t *station) bool { return !lost(t.channel) })
	if len(dropped) == 0 {
		return
	}
	s.mu.Lock()
	s.dropLocked(func(t *station) bool { return slices.Contains(dropped, t) })
	s.mu.Unlock()
	for _, t := range dropped {
		t.channel.untap(t)
	}
}

// exclude has the member never hear some people, in other channels either.
func (s *scanner) exclude(userIDs []string) {
	s.turn.Lock()
	defer s.turn.Unlock()
	s.mu.Lock()
	stations := slices.Clone(s.stations)
	s.mu.Unlock()
	for _, t := range stations {
		t.channel.withEar(t, func(l *leg) { l.listener.Subscribe(nil, userIDs) })
	}
}

func (s *scanner) info() ListenerInfo { return ListenerInfo{s.userID, s.name} }

// tap has a scanner listen to the channel. It reports false when the channel is deleted.
func (c *Channel) tap(t *station, slots []peer.Slot, exclude []string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.roster.closed {
		return false
	}
	t.title = c.roster.channel.Name
	news := !c.listensLocked(t.scanner.userID)
	t.leg = c.board.tap(t, slots, exclude)
	if news {
		c.hub.spread.Listening(c.id, t.scanner.info(), true)
	}
	c.attendLocked()
	c.tellSlotsLocked(c.board.settle(time.Now()), nil)
	return true
}

// untap ends what tap began.
func (c *Channel) untap(t *station) {
	c.withEar(t, func(l *leg) {
		c.board.untap(l)
		if !c.listensLocked(t.scanner.userID) {
			c.hub.spread.Listening(c.id, t.scanner.info(), false)
		}
	})
}

// listensLocked reports whether somebody of this node listens to the channel.
func (c *Channel) listensLocked(userID string) bool {
	return slices.ContainsFunc(c.board.ears, func(l *leg) bool { return l.station.scanner.userID == userID })
}

// withEar does something with the ear of a station, if it is there yet, and has the media follow.
func (c *Channel) withEar(t *station, do func(*leg)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if slices.Contains(c.board.ears, t.leg) {
		do(t.leg)
		c.attendLocked()
		c.tellSlotsLocked(c.board.settle(time.Now()), nil)
	}
}

// Listeners returns who of this node listens to the channel without being in it, as they came.
func (c *Channel) Listeners() []ListenerInfo {
	c.mu.Lock()
	defer c.mu.Unlock()
	listeners := make([]ListenerInfo, len(c.board.ears))
	for i, l := range c.board.ears {
		listeners[i] = l.station.scanner.info()
	}
	return listeners
}

// tellLossLocked tells the member of a leg what it still listens to, when that has become less.
func (c *Channel) tellLossLocked(l *leg) {
	if l.scanner == nil {
		return
	}
	if left, news := l.scanner.loss(); news {
		c.notifier.Notify([]string{l.userID}, "", ListeningChanged{ChannelID: c.id, Listening: left})
	}
}

// retitleLocked has those who listen know the channel's name.
func (c *Channel) retitleLocked() {
	for _, l := range c.board.ears {
		l.station.title = c.roster.channel.Name
	}
	c.board.inform(time.Now())
}

package sfu

import (
	"fmt"
	"time"
)

// Move takes a member to another channel with its media: no offer, the same slots and SSRCs, which go on as one stream. The others
// are told that it left by LeaveMoved, and there that it joined. begin is called before anything of that is told, when nothing is in the
// way that can be known; onJoined is called as JoinRequest.OnJoined is; either may be nil. standing is what the member is to those who
// moderate there; its hand is lowered.
//
// It returns the member that it is from then on, nil for none, also with an error: ErrNotInChannel when it was out before, and
// ErrChannelNotFound, ErrChannelFull or ErrAlreadyInChannel when it cannot enter and stays where it was. Should the channel fill up or
// go away at that very moment, and its place be taken too, it is in none.
func (m *Member) Move(to *Channel, standing Standing, begin func(), onJoined func(Snapshot)) (*Member, error) {
	if to == m.channel {
		return m, fmt.Errorf("%w: %s", ErrAlreadyInChannel, to.id)
	}
	if err := to.admit(m.self.userID); err != nil {
		return m, err
	}
	if !m.Active() {
		return nil, fmt.Errorf("%w: %s", ErrNotInChannel, m.channel.id)
	}
	if begin != nil {
		begin()
	}
	pin, exclude := m.subscriptions()
	if !m.depart(LeaveMoved) {
		return nil, fmt.Errorf("%w: %s", ErrNotInChannel, m.channel.id)
	}
	m.channel.hub.peers.Remove(m.peer)
	moved, err := m.enterAgain(to, standing, JoinRequest{Pin: pin, Exclude: exclude, OnJoined: onJoined})
	if err == nil {
		return moved, nil
	}
	back, failed := m.enterAgain(m.channel, m.self.Standing, JoinRequest{Pin: pin, Exclude: exclude})
	if failed != nil {
		m.hangUp()
		return nil, err
	}
	return back, err
}

// enterAgain has somebody who is out come into a channel with the media that it has.
func (m *Member) enterAgain(to *Channel, standing Standing, req JoinRequest) (*Member, error) {
	self := *m.self
	self.Standing, self.allowed, self.handAt = standing, false, time.Time{}
	next := &Member{channel: to, self: &self, scanner: m.scanner}
	next.peer = &MediaPeer{Conn: m.peer.Conn, UserID: self.userID, ChannelID: to.id, member: next}
	next.peer.lost.Store(m.peer.lost.Load())
	if err := to.enter(next, &req); err != nil {
		return nil, err
	}
	next.Unlisten(func(c *Channel) bool { return c == to })
	next.leaveWithMedia()
	return next, nil
}

// subscriptions are whom the member wants to hear in any case, and whom never.
func (m *Member) subscriptions() (pin, exclude []string) {
	m.channel.mu.Lock()
	defer m.channel.mu.Unlock()
	return m.leg.listener.Subscriptions()
}

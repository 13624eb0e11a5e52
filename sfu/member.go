package sfu

import (
	"context"
	"errors"
	"net/netip"
	"sync/atomic"
	"time"

	"github.com/mini-livechat/mini-livechat/sfu/peer"
)

// MemberInfo is a copy of what others may know of a member.
type MemberInfo struct {
	UserID, Name       string
	SelfMute, SelfDeaf bool
	// Muted: a moderator lets nobody hear the member. Suppressed: the channel's Speaking does not.
	Muted, Suppressed bool
	// HandAt is since when the member's hand is raised; zero: it is not.
	HandAt time.Time
	// Role is that of the member's Standing.
	Role string
	// Talker is false for a member without a microphone.
	Talker bool
	// Devices is what the member's client said of them.
	Devices Devices
	// Unstable: the member's connection for everything but media is lost. MediaLost: nothing
	// comes of its media any more. Apart: of the voice of its node nothing comes to this one.
	Unstable, MediaLost, Apart bool
	// KeepsFloor: the member came from another node and goes on with the floor, or the place, that it has there. Only nodes are told.
	KeepsFloor bool
}

// Devices says how a member's microphone and loudspeaker are doing, in the words of whoever asks
// this package: they are carried to the others and nothing follows from them. Empty for well.
type Devices struct{ Mic, Sound string }

// Member is somebody in a channel, from Join until Leave. It is a handle: once the
// member is out, by whatever way, its methods do nothing and say so.
type Member struct {
	channel *Channel
	self    *occupant
	leg     *leg
	peer    *MediaPeer
	scanner *scanner    // hears other channels
	hungUp  atomic.Bool // out by LeaveHungUp
}

// JoinRequest says who joins and how.
type JoinRequest struct {
	UserID, Name string
	Offer        string // SDP
	// MediaAddrs are the addresses at which the client reaches the media port.
	MediaAddrs         []netip.AddrPort
	SelfMute, SelfDeaf bool
	Standing
	// Allowed: a moderator let the member speak there already, where that has to be allowed.
	Allowed bool
	Devices Devices
	// Pin and Exclude are user ids, as for Member.Subscribe.
	Pin, Exclude []string
	// ListenOnly: the offer may have no microphone.
	ListenOnly bool
	// KeepsFloor: the member goes on here with the floor, or the place, that it has at another node; else it has neither any more.
	KeepsFloor bool
	// OnJoined is called with the channel as the member finds it, before anything that
	// happens later is told to anybody. Like Notifier, it must neither block nor call back.
	OnJoined func(Snapshot)
}

// Join negotiates a member's media, adds the member and connects it with the others. It
// fails with ErrChannelNotFound when the channel was just deleted, ErrChannelFull,
// ErrAlreadyInChannel, or an error of the negotiation; then nothing is left behind.
//
// A member whose media connection ends by itself is out at once: by LeaveHungUp when its
// client ended it, else by LeaveMediaFailed.
func (c *Channel) Join(ctx context.Context, req JoinRequest) (*Member, error) {
	// Asked again by enter; asked here so that a refusal costs no negotiation.
	if err := c.admit(req.UserID); err != nil {
		return nil, err
	}
	conn, err := c.hub.answer(ctx, req.Offer, req.MediaAddrs)
	if err != nil {
		return nil, err
	}
	m := &Member{channel: c, self: &occupant{
		userID: req.UserID, name: req.Name, talker: conn.Talker(), selfMute: req.SelfMute, selfDeaf: req.SelfDeaf,
		Standing: req.Standing, allowed: req.Allowed, devices: req.Devices, keepsFloor: req.KeepsFloor,
	}, scanner: &scanner{userID: req.UserID, name: req.Name, journal: c.hub.journal}}
	m.peer = &MediaPeer{Conn: conn, UserID: req.UserID, ChannelID: c.id, member: m}
	entered := false
	defer func() {
		if !entered { // by an error, or by a panic, which goes on
			if !m.Leave(LeaveGone) {
				m.hangUp()
			}
		}
	}()
	if req.ListenOnly && m.self.talker {
		return nil, ErrListenOnly
	}
	if err := c.enter(m, &req); err != nil {
		return nil, err
	}
	entered = true
	m.leaveWithMedia()
	return m, nil
}

// leaveWithMedia has the member leave when its media connection ends by itself.
func (m *Member) leaveWithMedia() {
	m.peer.OnEnd(func(err error) {
		cause := LeaveMediaFailed
		if errors.Is(err, peer.ErrGoodbye) {
			cause = LeaveHungUp
		}
		m.endMedia(cause, err)
	})
}

// admit reports why a user cannot enter now, as the roster does.
func (c *Channel) admit(userID string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.roster.admit(userID)
}

// enter takes the member in, connects it and tells of it, or fails as the roster does.
func (c *Channel) enter(m *Member, req *JoinRequest) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if was := c.roster.members[m.self.userID]; was != nil && !was.here() && !req.KeepsFloor {
		c.silenceLocked(was) // it is another session of theirs that had the floor
	}
	told, err := c.roster.enter(m.self)
	if err != nil {
		return err
	}
	c.hub.changed()
	c.hub.peers.Register(m.peer)
	slots := m.peer.Slots()
	slots = slots[:len(slots)-m.scanner.settleIn(c, m.self.hears())]
	m.leg = c.board.plug(m.self.userID, m.peer.Conn, slots, m.self.talks(), m.self.hears())
	m.leg.name, m.leg.scanner = m.self.name, m.scanner
	m.leg.listener.Subscribe(req.Pin, req.Exclude)
	c.succeedLocked(m.self, m.leg)
	if req.KeepsFloor {
		c.openAgainLocked(m.self.userID)
		if c.air != nil && !c.decidesLocked() && !c.air.office.known { // this node has just begun
			c.askAllLocked(time.Now())
		}
	}
	c.attendLocked()
	if m.self.talker {
		m.peer.OnSpeech(c.rouse)
	}
	outdated := c.board.settle(time.Now())
	if req.OnJoined != nil {
		var mine FloorAnswer
		if req.KeepsFloor {
			mine, _ = m.floorLocked()
		}
		req.OnJoined(Snapshot{
			Member:  m,
			Channel: c.roster.info(), Members: c.roster.infos(), Slots: c.board.describe(m.leg), Answer: m.peer.Answer(),
			Floor: c.floorStateLocked(), Mine: mine, Note: &c.note,
		})
	}
	c.notifier.tell(told)
	c.hub.spread.MemberEntered(c.id, m.self.info())
	c.tellSlotsLocked(outdated, m.leg)
	if speakers := c.board.told.speakers; len(speakers) > 0 {
		c.notifier.Notify([]string{m.self.userID}, "", SpeakersChanged{ChannelID: c.id, Speakers: speakers})
	}
	return nil
}

// Leave takes the member out, tells the others and closes its connection. It reports
// false when the member was out already.
func (m *Member) Leave(cause LeaveCause) bool {
	if !m.depart(cause) {
		return false
	}
	m.hangUp()
	return true
}

// depart is the part of Leave that needs the lock.
func (m *Member) depart(cause LeaveCause) bool {
	c := m.channel
	c.mu.Lock()
	defer c.mu.Unlock()
	told, err := c.roster.leave(m.self, cause)
	if err != nil {
		return false
	}
	m.hungUp.Store(cause == LeaveHungUp)
	c.hub.changed()
	if c.roster.empty() {
		c.emptySince, c.note = time.Now(), nil
	}
	c.notifier.tell(told)
	c.hub.spread.MemberLeft(c.id, m.self.userID, cause, c.roster.members[m.self.userID] != nil || m.self.sentAway)
	if m.leg != nil {
		c.unplugLocked(m.leg)
	}
	c.attendLocked()
	c.goOnLocked(m.self.userID)
	switch {
	case c.goesOnLocked(m.self.userID):
	case m.self.sentAway && c.air != nil && c.roster.members[m.self.userID] == nil:
		c.silenceUnlessBack(m.self)
	default:
		c.silenceLocked(m.self) // when nothing is told of its slots any more
	}
	defer contain(c.hub.journal, "assigning slots")
	c.tellSlotsLocked(c.board.settle(time.Now()), nil)
	return true
}

// endMedia takes the member out because its media connection has ended, and has it noted.
func (m *Member) endMedia(cause LeaveCause, err error) bool {
	hub := m.channel.hub
	defer contain(hub.journal, "ending a member's media")
	if !m.Leave(cause) {
		return false
	}
	hub.journal.MediaEnded(m.self.userID, m.channel.id, cause, err)
	return true
}

// hangUp closes what the member held, and ends what it listens to. Called without the lock: closing a connection waits
// for its DTLS handshake to end.
func (m *Member) hangUp() { m.channel.hub.hangUp(m.peer) }

// SetVoiceState changes what the member lets out and in, and tells the others. Nil
// leaves a flag as it is. It reports false, and calls nothing, when the member is out of the channel. acknowledge, if not nil, is
// called with what the others then know of the member when it has taken effect, before anything that follows is told. Like Notifier,
// it must neither block nor call back.
func (m *Member) SetVoiceState(selfMute, selfDeaf *bool, acknowledge func(MemberInfo)) bool {
	return m.voice(func(r *roster) ([]news, error) { return r.setVoice(m.self, selfMute, selfDeaf) }, acknowledge)
}

// voice has the roster change what of the member is let out and in, has the media follow, and tells of it. acknowledge is called as for
// SetVoiceState.
func (m *Member) voice(change func(*roster) ([]news, error), acknowledge func(MemberInfo)) bool {
	c := m.channel
	c.mu.Lock()
	defer c.mu.Unlock()
	told, err := change(&c.roster)
	if err != nil {
		return false
	}
	if len(told) > 0 {
		now := time.Now()
		c.board.permit(m.leg, m.self.talks(), m.self.hears())
		m.scanner.permit(m.self.hears(), now)
		c.board.connect(now)
		c.rouse() // one who talked while muted may be heard now, and one who talked not any more
	}
	if acknowledge != nil {
		acknowledge(m.self.info())
	}
	m.tellLocked(told)
	if !m.self.talks() {
		c.silenceLocked(m.self)
	}
	return true
}

// tellLocked tells the others, here and on other nodes, what is news of the member.
func (m *Member) tellLocked(told []news) {
	m.channel.notifier.tell(told)
	if len(told) > 0 {
		m.channel.hub.spread.MemberChanged(m.channel.id, m.self.info(), told[0].except)
	}
}

// SetMuted says whether a moderator, by, lets the member be heard, and tells everybody but them: when it returns, no packet that came before is written to
// anybody's slot. It reports false when the member is out of the channel.
func (m *Member) SetMuted(muted bool, by string) bool {
	return m.voice(func(r *roster) ([]news, error) { return r.setMuted(m.self, muted, by) }, nil)
}

// SetDevices changes what the others know of the member's devices. It reports false when the
// member is out of the channel.
func (m *Member) SetDevices(devices Devices) bool {
	return m.command(func(r *roster) ([]news, error) { return r.setDevices(m.self, devices) })
}

// SetUnstable says whether the member's connection for everything but media is lost, and tells
// the others when that is news. It reports false when the member is out of the channel.
func (m *Member) SetUnstable(unstable bool) bool {
	in := m.command(func(r *roster) ([]news, error) { return r.setUnstable(m.self, unstable) })
	if in && unstable {
		m.channel.stopWaiting(m.self)
	}
	return in
}

// showMedia has the others, and the member, know whether anything comes of its media.
func (m *Member) showMedia(lost bool) {
	if m.command(func(r *roster) ([]news, error) { return r.setMediaLost(m.self, lost) }) {
		m.channel.hub.journal.MediaSilent(m.self.userID, m.channel.id, lost)
	}
}

// unstable reports whether the member's connection for everything but media is lost.
func (m *Member) unstable() bool {
	m.channel.mu.Lock()
	defer m.channel.mu.Unlock()
	return m.self.unstable
}

// command has the roster change what of the member media does not depend on, and tells of it.
func (m *Member) command(do func(*roster) ([]news, error)) bool {
	c := m.channel
	c.mu.Lock()
	defer c.mu.Unlock()
	told, err := do(&c.roster)
	if err != nil {
		return false
	}
	m.tellLocked(told)
	return true
}

// Subscribe replaces whom the member wants to hear in any case, as many as there are slots
// in that order, and whom never. It reports false, and calls nothing, when the member is out
// of the channel. Both lists are of user ids, of members or not; who is in both is excluded.
// acknowledge, if not nil, is called when the lists have taken effect, before anything that
// follows from them is told. Like Notifier, it must neither block nor call back.
func (m *Member) Subscribe(pin, exclude []string, acknowledge func()) bool {
	if !m.subscribe(pin, exclude, acknowledge) {
		return false
	}
	m.scanner.exclude(exclude)
	return true
}

func (m *Member) subscribe(pin, exclude []string, acknowledge func()) bool {
	c := m.channel
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.roster.has(m.self) {
		return false
	}
	changed := c.board.subscribe(m.leg, pin, exclude, time.Now())
	if acknowledge != nil {
		acknowledge()
	}
	if changed {
		c.tellSlotsLocked([]*leg{m.leg}, nil)
	}
	return true
}

// Active reports whether the member is still in its channel.
func (m *Member) Active() bool {
	m.channel.mu.Lock()
	defer m.channel.mu.Unlock()
	return m.channel.roster.has(m.self)
}

// HungUp reports whether the member is out by LeaveHungUp.
func (m *Member) HungUp() bool { return m.hungUp.Load() }

// Channel returns the channel the member is or was in.
func (m *Member) Channel() *Channel { return m.channel }

// Peer returns the member's media.
func (m *Member) Peer() *MediaPeer { return m.peer }

package sfu

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/mini-livechat/mini-livechat/sfu/forward"
)

// Mode is how people share a channel's air.
type Mode string

// ModeConference is the open-mic mode: everyone may talk at once.
const ModeConference Mode = "conference"

// ChannelInfo is a copy of what is known of a channel.
type ChannelInfo struct {
	ID, Name string
	Mode     Mode
	// OwnerID is who created the channel; empty for a preset one.
	OwnerID     string
	Capacity    int // in members
	MemberCount int
	CreatedAt   time.Time
}

// MemberInfo is a copy of what others may know of a member.
type MemberInfo struct {
	UserID, Name       string
	SelfMute, SelfDeaf bool
	// Talker is false for a member without a microphone.
	Talker bool
}

// SlotInfo is one slot of a listener. UserID is empty while nobody is heard on it.
type SlotInfo struct {
	MID    string
	UserID string
}

// Snapshot is a channel as one member finds it on joining.
type Snapshot struct {
	Channel ChannelInfo
	Members []MemberInfo // in the order they joined
	Slots   []SlotInfo   // of the member who joins
	Answer  string       // SDP, to the member's offer
}

// Channel is a room: its members and who hears whom. Safe for concurrent use.
type Channel struct {
	id        string
	mode      Mode
	ownerID   string
	createdAt time.Time
	answer    Answer
	notifier  Notifier
	peers     *MediaPeerHub

	mu         sync.Mutex // guards the fields below and the marked ones of each Member
	name       string
	capacity   int
	members    map[string]*Member // by user id
	order      []*Member          // as they joined
	emptySince time.Time
	deleted    bool
}

// Member is somebody in a channel, from Join until Leave. It is a handle: once the
// member is out, by whatever way, its methods do nothing and say so.
type Member struct {
	channel *Channel
	userID  string
	name    string
	peer    *MediaPeer

	// Guarded by channel.mu.
	selfMute, selfDeaf bool
	hears              []*Member // by slot; nil where the slot is free
}

// JoinRequest says who joins and how.
type JoinRequest struct {
	UserID, Name       string
	Offer              string // SDP
	SelfMute, SelfDeaf bool
	// OnJoined is called with the channel as the member finds it, before anything that
	// happens later is told to anybody. Like Notifier, it must neither block nor call back.
	OnJoined func(Snapshot)
}

// Join negotiates a member's media, adds the member and connects it with the others. It
// fails with ErrChannelNotFound when the channel was just deleted, ErrChannelFull,
// ErrAlreadyInChannel, or an error of the negotiation; then nothing is left behind.
func (c *Channel) Join(ctx context.Context, req JoinRequest) (*Member, error) {
	// Asked again below; asked here so that a refusal costs no negotiation.
	c.mu.Lock()
	err := c.admitLocked(req.UserID)
	c.mu.Unlock()
	if err != nil {
		return nil, err
	}
	conn, err := c.answer(ctx, req.Offer)
	if err != nil {
		return nil, err
	}
	m := &Member{
		channel: c, userID: req.UserID, name: req.Name,
		selfMute: req.SelfMute, selfDeaf: req.SelfDeaf,
		hears: make([]*Member, len(conn.Slots())),
	}
	m.peer = &MediaPeer{Conn: conn, UserID: req.UserID, ChannelID: c.id, leave: m.Leave}
	if err := c.enter(m, req.OnJoined); err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	return m, nil
}

func (c *Channel) enter(m *Member, onJoined func(Snapshot)) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.admitLocked(m.userID); err != nil {
		return err
	}
	c.members[m.userID] = m
	c.order = append(c.order, m)
	c.peers.Register(m.peer)
	m.applyVoiceLocked()
	changed := c.assignLocked()
	if onJoined != nil {
		onJoined(Snapshot{
			Channel: c.infoLocked(), Members: c.memberInfosLocked(), Slots: m.slotsLocked(), Answer: m.peer.Answer(),
		})
	}
	c.notifier.Notify(c.userIDsLocked(), m.userID, MemberJoined{ChannelID: c.id, Member: m.infoLocked()})
	c.notifySlotsLocked(changed, m)
	return nil
}

// admitLocked reports why a user cannot enter.
func (c *Channel) admitLocked(userID string) error {
	switch {
	case c.deleted:
		return fmt.Errorf("%w: %s", ErrChannelNotFound, c.id)
	case c.members[userID] != nil:
		return fmt.Errorf("%w: %s", ErrAlreadyInChannel, c.id)
	case len(c.members) >= c.capacity:
		return fmt.Errorf("%w: %s has room for %d", ErrChannelFull, c.id, c.capacity)
	default:
		return nil
	}
}

// Leave takes the member out, tells the others and closes its connection. It reports
// false when the member was out already.
func (m *Member) Leave(cause LeaveCause) bool {
	c := m.channel
	c.mu.Lock()
	if c.members[m.userID] != m {
		c.mu.Unlock()
		return false
	}
	except := m.userID
	if cause == LeaveMediaTimeout {
		except = ""
	}
	told := c.userIDsLocked()
	c.removeLocked(m)
	c.notifier.Notify(told, except, MemberLeft{ChannelID: c.id, Member: m.infoLocked(), Cause: cause})
	c.notifySlotsLocked(c.assignLocked(), m)
	c.mu.Unlock()
	m.hangUp()
	return true
}

// SetVoiceState changes what the member lets out and in, and tells the others. Nil
// leaves a flag as it is. It reports false when the member is out of the channel.
func (m *Member) SetVoiceState(selfMute, selfDeaf *bool) bool {
	c := m.channel
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.members[m.userID] != m {
		return false
	}
	before := m.infoLocked()
	if selfMute != nil {
		m.selfMute = *selfMute
	}
	if selfDeaf != nil {
		m.selfDeaf = *selfDeaf
	}
	m.applyVoiceLocked()
	c.connectLocked()
	if after := m.infoLocked(); after != before {
		c.notifier.Notify(c.userIDsLocked(), m.userID, VoiceStateChanged{ChannelID: c.id, Member: after})
	}
	return true
}

// Active reports whether the member is still in its channel.
func (m *Member) Active() bool {
	m.channel.mu.Lock()
	defer m.channel.mu.Unlock()
	return m.channel.members[m.userID] == m
}

// Channel returns the channel the member is or was in.
func (m *Member) Channel() *Channel { return m.channel }

// Peer returns the member's media.
func (m *Member) Peer() *MediaPeer { return m.peer }

// ID returns the channel's id.
func (c *Channel) ID() string { return c.id }

// OwnerID returns who created the channel; empty for a preset one.
func (c *Channel) OwnerID() string { return c.ownerID }

// Info returns a copy of what is known of the channel.
func (c *Channel) Info() ChannelInfo {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.infoLocked()
}

// Members returns the channel's members in the order they joined.
func (c *Channel) Members() []MemberInfo {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.memberInfosLocked()
}

// NotifyMembers tells the members, without except, of something that happened in the
// channel but is not the channel's own business, such as a text message: tell is called
// with their user ids, in order with the channel's events. It reports false, and tells
// nobody, when m is out of the channel.
func (m *Member) NotifyMembers(tell func(userIDs []string)) bool {
	c := m.channel
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.members[m.userID] != m {
		return false
	}
	tell(c.userIDsLocked())
	return true
}

func (c *Channel) removeLocked(m *Member) {
	delete(c.members, m.userID)
	c.order = slices.DeleteFunc(c.order, func(o *Member) bool { return o == m })
	if len(c.members) == 0 {
		c.emptySince = time.Now()
	}
	m.peer.Source().SetSlots(nil)
}

// hangUp closes what the member held. Called without the lock: closing a connection waits
// for its DTLS handshake to end.
func (m *Member) hangUp() {
	m.channel.peers.Remove(m.peer)
	// A connection that closes badly is closed all the same.
	_ = m.peer.Close()
}

func (m *Member) infoLocked() MemberInfo {
	return MemberInfo{
		UserID: m.userID, Name: m.name, Talker: m.peer.Talker(),
		// Who hears nothing cannot know what it talks into.
		SelfMute: m.selfMute || m.selfDeaf, SelfDeaf: m.selfDeaf,
	}
}

func (m *Member) applyVoiceLocked() { m.peer.Source().SetMuted(m.selfMute || m.selfDeaf) }

func (m *Member) slotsLocked() []SlotInfo {
	slots := make([]SlotInfo, len(m.hears))
	for i, slot := range m.peer.Slots() {
		slots[i].MID = slot.MID
		if m.hears[i] != nil {
			slots[i].UserID = m.hears[i].userID
		}
	}
	return slots
}

func (c *Channel) infoLocked() ChannelInfo {
	return ChannelInfo{
		ID: c.id, Name: c.name, Mode: c.mode, OwnerID: c.ownerID,
		Capacity: c.capacity, MemberCount: len(c.members), CreatedAt: c.createdAt,
	}
}

func (c *Channel) memberInfosLocked() []MemberInfo {
	infos := make([]MemberInfo, len(c.order))
	for i, m := range c.order {
		infos[i] = m.infoLocked()
	}
	return infos
}

func (c *Channel) userIDsLocked() []string {
	ids := make([]string, len(c.order))
	for i, m := range c.order {
		ids[i] = m.userID
	}
	return ids
}

func (c *Channel) notifySlotsLocked(changed []*Member, except *Member) {
	for _, m := range changed {
		if m != except {
			c.notifier.Notify([]string{m.userID}, "", SlotsChanged{ChannelID: c.id, Slots: m.slotsLocked()})
		}
	}
}

// assignLocked gives free slots to talkers, first come first served, takes them from
// talkers who are gone, and connects the result. It returns the listeners whose slots
// changed.
func (c *Channel) assignLocked() []*Member {
	var changed []*Member
	for _, listener := range c.order {
		if c.assignSlotsLocked(listener) {
			changed = append(changed, listener)
		}
	}
	c.connectLocked()
	return changed
}

func (c *Channel) assignSlotsLocked(listener *Member) (changed bool) {
	for i, talker := range listener.hears {
		if talker != nil && c.members[talker.userID] != talker {
			listener.hears[i] = nil
			changed = true
		}
	}
	free := slices.Index(listener.hears, nil)
	for _, talker := range c.order {
		if free < 0 {
			break
		}
		if talker == listener || !talker.peer.Talker() || slices.Contains(listener.hears, talker) {
			continue
		}
		listener.hears[free] = talker
		changed = true
		free = slices.Index(listener.hears, nil)
	}
	return changed
}

// connectLocked makes the media follow what was decided: each slot takes packets from the
// talker heard on it, and each talker's Source offers them to those slots. A deaf
// listener's slots are free for that time, so that they go on without a gap.
func (c *Channel) connectLocked() {
	fanOut := make(map[*Member][]*forward.Slot, len(c.order))
	for _, listener := range c.order {
		slots := listener.peer.Slots()
		for i, talker := range listener.hears {
			if talker == nil || listener.selfDeaf {
				slots[i].Assign(nil)
				continue
			}
			slots[i].Assign(talker.peer.Source())
			fanOut[talker] = append(fanOut[talker], slots[i].Slot)
		}
	}
	for _, talker := range c.order {
		talker.peer.Source().SetSlots(fanOut[talker])
	}
}

package sfu

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/mini-livechat/mini-livechat/sfu/forward"
	"github.com/mini-livechat/mini-livechat/sfu/speaker"
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
	// Devices is what the member's client said of them.
	Devices Devices
	// Unstable: the member's connection for everything but media is lost.
	Unstable bool
}

// Devices says how a member's microphone and loudspeaker are doing, in the words of whoever asks
// this package: they are carried to the others and nothing follows from them. Empty for well.
type Devices struct{ Mic, Sound string }

// SlotInfo is one slot of a listener. UserID is empty while nobody is heard on it. SSRC is
// the talker's own, which is in the CSRC list of the slot's packets; 0 until it is known.
type SlotInfo struct {
	MID    string
	UserID string
	SSRC   uint32
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
	decider   *decider
	// awake says that the decider looks after the channel.
	awake atomic.Bool

	mu         sync.Mutex // guards the fields below and the marked ones of each Member
	name       string
	capacity   int
	members    map[string]*Member // by user id
	order      []*Member          // as they joined
	emptySince time.Time
	deleted    bool
	room       speaker.Room
	told       toldSpeakers
	// touched has the sources whose fan-out may have changed since connectLocked.
	touched map[*forward.Source]struct{}
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
	devices            Devices
	unstable           bool
	talker             *speaker.Talker   // nil without a microphone
	listener           *speaker.Listener // who is on which slot
	ssrc               uint32            // the microphone's, as the others were told
	connected          []*forward.Source // by slot: what the slot takes packets from; nil for none
}

// JoinRequest says who joins and how.
type JoinRequest struct {
	UserID, Name string
	Offer        string // SDP
	// MediaAddrs are the addresses at which the client reaches the media port.
	MediaAddrs         []netip.AddrPort
	SelfMute, SelfDeaf bool
	Devices            Devices
	// Pin and Exclude are user ids, as for Member.Subscribe.
	Pin, Exclude []string
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
	conn, err := c.answer(ctx, req.Offer, req.MediaAddrs)
	if err != nil {
		return nil, err
	}
	m := &Member{
		channel: c, userID: req.UserID, name: req.Name,
		selfMute: req.SelfMute, selfDeaf: req.SelfDeaf, devices: req.Devices,
		connected: make([]*forward.Source, len(conn.Slots())),
	}
	m.peer = &MediaPeer{Conn: conn, UserID: req.UserID, ChannelID: c.id, leave: m.Leave}
	if err := c.enter(m, &req); err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	return m, nil
}

func (c *Channel) enter(m *Member, req *JoinRequest) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.admitLocked(m.userID); err != nil {
		return err
	}
	c.members[m.userID] = m
	c.order = append(c.order, m)
	c.peers.Register(m.peer)
	if m.peer.Talker() {
		m.talker = c.room.Add(m.userID, m.peer.Meter())
		m.peer.OnSpeech(c.rouse)
	}
	m.listener = c.room.NewListener(len(m.connected), m.talker)
	m.listener.Subscribe(req.Pin, req.Exclude)
	m.applyVoiceLocked()
	changed := c.assignLocked(time.Now())
	if req.OnJoined != nil {
		req.OnJoined(Snapshot{
			Channel: c.infoLocked(), Members: c.memberInfosLocked(), Slots: m.slotsLocked(), Answer: m.peer.Answer(),
		})
	}
	c.notifier.Notify(c.userIDsLocked(), m.userID, MemberJoined{ChannelID: c.id, Member: m.infoLocked()})
	c.notifySlotsLocked(changed, m)
	if len(c.told.speakers) > 0 {
		c.notifier.Notify([]string{m.userID}, "", SpeakersChanged{ChannelID: c.id, Speakers: c.told.speakers})
	}
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
	c.notifySlotsLocked(c.assignLocked(time.Now()), m)
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
	c.connectLocked(time.Now())
	c.rouse() // one who talked while muted may be heard now, and one who talked not any more
	if after := m.infoLocked(); after != before {
		c.notifier.Notify(c.userIDsLocked(), m.userID, VoiceStateChanged{ChannelID: c.id, Member: after})
	}
	return true
}

// SetDevices changes what the others know of the member's devices. It reports false when the
// member is out of the channel.
func (m *Member) SetDevices(devices Devices) bool {
	c := m.channel
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.members[m.userID] != m {
		return false
	}
	if devices != m.devices {
		m.devices = devices
		c.notifier.Notify(c.userIDsLocked(), m.userID, VoiceStateChanged{ChannelID: c.id, Member: m.infoLocked()})
	}
	return true
}

// SetUnstable says whether the member's connection for everything but media is lost, and tells
// the others when that is news. It reports false when the member is out of the channel.
func (m *Member) SetUnstable(unstable bool) bool {
	c := m.channel
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.members[m.userID] != m {
		return false
	}
	if unstable != m.unstable {
		m.unstable = unstable
		c.notifier.Notify(c.userIDsLocked(), m.userID, ConnectionChanged{ChannelID: c.id, Member: m.infoLocked()})
	}
	return true
}

// Subscribe replaces whom the member wants to hear in any case, as many as there are slots
// in that order, and whom never. Both are user ids, of members or not; who is in both is
// excluded. acknowledge, if not nil, is called when it has taken effect, before anything
// that follows from it is told; like Notifier, it must neither block nor call back. It
// reports false, without having called, when the member is out of the channel.
func (m *Member) Subscribe(pin, exclude []string, acknowledge func()) bool {
	c := m.channel
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.members[m.userID] != m {
		return false
	}
	m.listener.Subscribe(pin, exclude)
	now := time.Now()
	changed := m.listener.Select(now)
	if changed {
		c.connectLocked(now)
	}
	if acknowledge != nil {
		acknowledge()
	}
	if changed {
		c.notifySlotsLocked([]*Member{m}, nil)
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
	c.disconnectLocked(m)
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
		SelfMute: m.selfMute || m.selfDeaf, SelfDeaf: m.selfDeaf, Devices: m.devices,
		Unstable: m.unstable,
	}
}

func (m *Member) applyVoiceLocked() {
	muted := m.selfMute || m.selfDeaf
	m.peer.Source().SetMuted(muted)
	if m.talker != nil {
		m.talker.SetMuted(muted)
	}
}

// hearsLocked returns who has the member's slot i, or nil.
func (m *Member) hearsLocked(i int) *Member {
	if talker := m.listener.Slot(i); talker != nil {
		return m.channel.members[talker.ID]
	}
	return nil
}

func (m *Member) slotsLocked() []SlotInfo {
	slots := make([]SlotInfo, len(m.connected))
	for i, slot := range m.peer.Slots() {
		slots[i].MID = slot.MID
		if talker := m.hearsLocked(i); talker != nil {
			slots[i].UserID = talker.userID
			slots[i].SSRC, _ = talker.peer.SSRC()
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

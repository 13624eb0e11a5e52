package signaling

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/mini-livechat/mini-livechat/sfu"
	"github.com/mini-livechat/mini-livechat/signaling/admission"
	"github.com/mini-livechat/mini-livechat/signaling/auth"
	"github.com/mini-livechat/mini-livechat/signaling/names"
	"github.com/mini-livechat/mini-livechat/signaling/protocol"
)

func channelCreate(ctx context.Context, s *Session, r *request) error {
	var d protocol.ChannelCreate
	if err := r.frame.Bind(&d); err != nil {
		return err
	}
	if err := protocol.CheckChannelID(d.ChannelID); err != nil {
		return err
	}
	if d.ChannelName == "" {
		d.ChannelName = d.ChannelID
	}
	if err := s.mayMake(d.ChannelID); err != nil {
		return err
	}
	spec := sfu.ChannelSpec{ID: d.ChannelID, OwnerID: s.userID, OwnerMost: s.channelsMost()}
	change := protocol.ChannelUpdate{ChannelName: &d.ChannelName, Capacity: &d.Capacity, ChannelSettings: d.ChannelSettings}
	if d.Mode != "" {
		change.Mode = &d.Mode
	}
	edit, err := s.checkChange(change)
	if err != nil {
		return err
	}
	spec.Settings = sfu.Settings{
		Access: string(protocol.AccessOpen), Speaking: sfu.SpeakingAll, Keep: sfu.Keep{Count: -1, For: -1}, Floor: sfu.FloorByDefault(),
	}
	edit(&spec.Settings)
	info, err := s.gw.createChannel(ctx, r.conn, spec)
	if err != nil {
		return err
	}
	r.ack(s.wireChannel(info))
	return nil
}

// channelsMost is how many channels the user may have made; 0 is any number.
func (s *Session) channelsMost() int {
	switch standing(s.Role()) {
	case admission.Admin:
		return 0
	case admission.Member:
		return s.gw.cfg.ChannelsPerUser
	default:
		return s.gw.cfg.ChannelsPerGuest
	}
}

func channelUpdate(ctx context.Context, s *Session, r *request) error {
	var d protocol.ChannelUpdate
	if err := r.frame.Bind(&d); err != nil {
		return err
	}
	edit, err := s.checkChange(d)
	if err != nil {
		return err
	}
	channel, err := s.ownChannel(d.ChannelID)
	if err != nil {
		return err
	}
	info, err := s.gw.updateChannel(ctx, r.conn, channel, edit)
	if err != nil {
		return err
	}
	r.ack(s.wireChannel(info))
	if d.Speaking != nil {
		channel.TellStage(s.userID)
	}
	return nil
}

func channelDelete(ctx context.Context, s *Session, r *request) error {
	var d protocol.ChannelRef
	if err := r.frame.Bind(&d); err != nil {
		return err
	}
	channel, err := s.ownChannel(d.ChannelID)
	if err != nil {
		return err
	}
	if err = s.gw.deleteChannel(ctx, r.conn, channel); err != nil {
		return err
	}
	r.ack(d)
	return nil
}

func channelList(_ context.Context, s *Session, r *request) error {
	body, err := s.gw.list.encode(s, s.gw.channels.List())
	if err != nil {
		return err
	}
	r.replyBody(body)
	return nil
}

// maxLists is how many answers to CHANNEL_LIST are kept: as many as there are ways in which what people may do differs, but for
// those who own channels.
const maxLists = 32

// channelLists are the answers to CHANNEL_LIST, each encoded once for each change and shared by
// all the outboxes that it waits in whose sessions may do the same. The zero value is ready. Safe for concurrent use.
type channelLists struct {
	mu     sync.Mutex // guards the fields below
	infos  []sfu.ChannelInfo
	bodies map[string]*protocol.Body // by what one may do in each
}

func (l *channelLists) encode(s *Session, infos []sfu.ChannelInfo) (*protocol.Body, error) {
	const unseen = 0xff // more rights than there are
	may := make([]byte, len(infos))
	for i := range infos {
		may[i] = byte(s.rightsIn(&infos[i]))
		if !s.sees(&infos[i]) {
			may[i] = unseen
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.bodies == nil || !slices.Equal(infos, l.infos) {
		l.infos, l.bodies = infos, make(map[string]*protocol.Body)
	}
	if body := l.bodies[string(may)]; body != nil {
		return body, nil
	}
	list := protocol.ChannelList{Channels: make([]protocol.ChannelInfo, 0, len(infos))}
	for i, info := range infos {
		if may[i] != unseen {
			list.Channels = append(list.Channels, wireChannel(info, rights(may[i])))
		}
	}
	body, err := protocol.EncodeBody(protocol.OpAck, protocol.Ack{Op: protocol.OpChannelList, Data: list})
	if err != nil {
		return nil, err
	}
	if len(l.bodies) < maxLists {
		l.bodies[string(may)] = body
	}
	return body, nil
}

func channelInfo(_ context.Context, s *Session, r *request) error {
	var d protocol.ChannelRef
	if err := r.frame.Bind(&d); err != nil {
		return err
	}
	channel, err := s.channel(d.ChannelID)
	if err != nil {
		return err
	}
	r.ack(protocol.ChannelDetail{
		ChannelInfo: s.wireChannel(channel.Info()), ActiveMembers: wireMembers(channel.Members()),
		Listeners: s.gw.listeners(channel),
	})
	return nil
}

// channelJoin enters a channel; the media is negotiated on the way.
func channelJoin(ctx context.Context, s *Session, r *request) error {
	var d protocol.ChannelJoin
	if err := r.frame.Bind(&d); err != nil {
		return err
	}
	if s.gw.Draining() {
		return errDraining
	}
	if m := s.member.Load(); m != nil && m.Active() {
		return fmt.Errorf("%w: you are in %s", sfu.ErrAlreadyInChannel, m.Channel().ID())
	}
	channel, err := s.channel(d.ChannelID)
	if err != nil {
		return err
	}
	brought := s.wasBrought(d.ChannelID)
	if err = s.mayEnter(channel); err != nil && !brought {
		return err
	}
	if wait := s.gw.kicked.wait(s.userID, s.origin(), d.ChannelID, s.since, time.Now()); wait > 0 {
		return fmt.Errorf("%w: a moderator put you out of %s; you may come back in %d s", errAccessDenied, d.ChannelID, int(wait.Seconds())+1)
	}
	began := time.Now()
	muted, _ := s.gw.cfg.People.MutedIn(ctx, s.userID, s.origin(), d.ChannelID)
	s.muted.Store(muted)
	member, err := channel.Join(ctx, sfu.JoinRequest{
		Standing:   s.standingIn(channel, muted),
		MediaAddrs: s.mediaAddrs(),
		UserID:     s.userID, Name: s.name, Offer: d.SDPOffer, SelfMute: s.selfMute, SelfDeaf: s.selfDeaf, Devices: s.devices,
		Allowed: s.came.Allowed && s.came.ChannelID == d.ChannelID, Pin: s.pin, Exclude: s.exclude, ListenOnly: s.may(mayPublish, channel) != nil,
		KeepsFloor: d.KeepFloor,
		OnJoined: func(found sfu.Snapshot) {
			s.member.Store(found.Member) // a moderator may act on them as soon as others know of them
			r.joined(found)
		},
	})
	if err != nil {
		return err
	}
	s.gw.cfg.Observer.Joined(time.Since(began))
	s.came = whereabouts{} // is not so a second time
	s.settle(ctx)
	if s.brought.Swap(nil) == nil && brought {
		s.putOutUninvited(member, auth.Identity{}) // taken back meanwhile, as below
	}
	if !brought && s.mayEnter(channel) != nil { // the invite was taken back meanwhile
		s.putOutUninvited(member, auth.Identity{})
		s.gw.hide(s, []sfu.ChannelInfo{channel.Info()})
	}
	return nil
}

func channelLeave(_ context.Context, s *Session, r *request) error {
	var d protocol.ChannelRef
	if err := r.frame.Bind(&d); err != nil {
		return err
	}
	if _, err := s.channel(d.ChannelID); err != nil {
		return err
	}
	m := s.member.Load()
	if m == nil || m.Channel().ID() != d.ChannelID {
		return fmt.Errorf("%w: %s", sfu.ErrNotInChannel, d.ChannelID)
	}
	// A client may close its connection first, of which we may hear sooner than of this.
	if !m.Leave(sfu.LeaveLeft) && !m.HungUp() {
		return fmt.Errorf("%w: %s", sfu.ErrNotInChannel, d.ChannelID)
	}
	s.member.CompareAndSwap(m, nil)
	r.ack(d)
	s.gw.hide(s, []sfu.ChannelInfo{m.Channel().Info()})
	return nil
}

// ownChannel returns a channel that this user may change.
func (s *Session) ownChannel(id string) (*sfu.Channel, error) {
	channel, err := s.channel(id)
	if err != nil {
		return nil, err
	}
	if s.Role() < auth.RoleAdmin && channel.OwnerID() != s.userID {
		return nil, fmt.Errorf("%w: only the owner of %s or an admin may do this", errAccessDenied, id)
	}
	return channel, nil
}

// checkChange returns what makes a change, or what is wrong with it.
func (s *Session) checkChange(d protocol.ChannelUpdate) (func(*sfu.Settings), error) {
	if d.ChannelName != nil {
		name, err := cleanChannelName(*d.ChannelName)
		if err != nil {
			return nil, err
		}
		d.ChannelName = &name
	}
	if d.Topic != nil && *d.Topic != "" {
		topic, err := names.Visible(*d.Topic, protocol.MaxTopicChars)
		if err != nil {
			return nil, payloadError("d.topic: %w", err)
		}
		d.Topic = &topic
	}
	most := s.gw.cfg.ChannelCapacity
	switch {
	case d.Mode != nil && *d.Mode != protocol.ModeConference && *d.Mode != protocol.ModePTT:
		return nil, payloadError("d.mode %q is not known; this server has %q and %q", *d.Mode, protocol.ModeConference, protocol.ModePTT)
	case d.Access != nil && *d.Access != protocol.AccessOpen && *d.Access != protocol.AccessMembers && *d.Access != protocol.AccessInvited:
		return nil, payloadError("d.access %q is not known; this server has %q, %q and %q",
			*d.Access, protocol.AccessOpen, protocol.AccessMembers, protocol.AccessInvited)
	case d.Speaking != nil && !d.Speaking.Known():
		return nil, payloadError("d.speaking %q is not known; this server has %q, %q and %q",
			*d.Speaking, protocol.SpeakingAll, protocol.SpeakingModerators, protocol.SpeakingAllowed)
	case d.Capacity != nil && (*d.Capacity < 0 || *d.Capacity > most):
		return nil, payloadError("d.capacity is %d; allowed are 1 to %d, or 0 for the most", *d.Capacity, most)
	case d.Position != nil && (*d.Position < -protocol.MaxPosition || *d.Position > protocol.MaxPosition):
		return nil, payloadError("d.position is %d; allowed are -%d to %d", *d.Position, protocol.MaxPosition, protocol.MaxPosition)
	case d.KeepMessages != nil && (*d.KeepMessages < -1 || *d.KeepMessages > protocol.MaxKeepMessages):
		return nil, payloadError("d.keep_messages is %d; allowed are 0 to %d, or -1 for the server's", *d.KeepMessages, protocol.MaxKeepMessages)
	case d.KeepForMS != nil && (*d.KeepForMS < -1 || *d.KeepForMS > protocol.MaxKeepForMS):
		return nil, payloadError("d.keep_for_ms is %d; allowed are 0 to %d, or -1 for the server's", *d.KeepForMS, int64(protocol.MaxKeepForMS))
	}
	if d.Floor != nil {
		if err := d.Floor.Check(); err != nil {
			return nil, payloadError("d.floor.%w", err)
		}
	}
	return func(to *sfu.Settings) { apply(d, to) }, nil
}

// apply carries a change that was checked out.
func apply(d protocol.ChannelUpdate, to *sfu.Settings) {
	set(&to.Name, d.ChannelName)
	set(&to.Capacity, d.Capacity)
	set(&to.Topic, d.Topic)
	set(&to.Position, d.Position)
	set(&to.Keep.Count, d.KeepMessages)
	if d.Mode != nil {
		to.Mode = sfu.Mode(*d.Mode)
	}
	if d.Floor != nil {
		applyFloor(*d.Floor, &to.Floor)
	}
	if d.Access != nil {
		to.Access = string(*d.Access)
	}
	if d.Speaking != nil {
		to.Speaking = sfu.Speaking(*d.Speaking)
	}
	if d.KeepForMS != nil {
		to.Keep.For = max(-1, time.Duration(*d.KeepForMS)*time.Millisecond)
	}
}

func set[T any](to, from *T) {
	if from != nil {
		*to = *from
	}
}

// cleanChannelName returns the name as it is kept and shown. Channels are called by the same rule as people.
func cleanChannelName(name string) (string, error) {
	name, err := names.Clean(name, protocol.MaxChannelNameChars)
	if err != nil {
		return "", payloadError("d.channel_name: %w", err)
	}
	return name, nil
}

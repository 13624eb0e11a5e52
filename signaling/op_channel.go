package signaling

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/mini-livechat/mini-livechat/sfu"
	"github.com/mini-livechat/mini-livechat/signaling/auth"
	"github.com/mini-livechat/mini-livechat/signaling/names"
	"github.com/mini-livechat/mini-livechat/signaling/protocol"
)

func channelCreate(_ context.Context, s *Session, r *request) error {
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
	name, err := cleanChannelName(d.ChannelName)
	if err != nil {
		return err
	}
	if d.Mode != "" && d.Mode != protocol.ModeConference {
		return payloadError("d.mode %q is not known; this server has %q", d.Mode, protocol.ModeConference)
	}
	if err = s.checkCapacity(d.Capacity); err != nil {
		return err
	}
	info, err := s.gw.createChannel(s, sfu.ChannelSpec{
		ID: d.ChannelID, Name: name, OwnerID: s.userID, Unbounded: s.admin, Capacity: d.Capacity,
	}, time.Now())
	if err != nil {
		return err
	}
	r.ack(wireChannel(info))
	return nil
}

// createChannel creates a session's channel, unless guests made too many lately. One that is
// refused for another reason is not counted.
func (g *Gateway) createChannel(s *Session, spec sfu.ChannelSpec, now time.Time) (sfu.ChannelInfo, error) {
	if s.admin || !auth.IsGuest(s.userID) {
		return g.channels.Create(spec, now)
	}
	turn := g.guestChannels.ReserveN(now, 1)
	if delay := turn.DelayFrom(now); delay > 0 {
		turn.CancelAt(now)
		g.cfg.Tally.Count("guest_channel_too_soon")
		return sfu.ChannelInfo{}, &sfu.TooSoonError{RetryAfter: delay}
	}
	info, err := g.channels.Create(spec, now)
	if err != nil {
		turn.CancelAt(now)
	}
	return info, err
}

func newGuestChannels(perMinute int) *rate.Limiter {
	return rate.NewLimiter(rate.Limit(perMinute)/rate.Limit(time.Minute/time.Second), perMinute)
}

func channelUpdate(_ context.Context, s *Session, r *request) error {
	var d protocol.ChannelUpdate
	if err := r.frame.Bind(&d); err != nil {
		return err
	}
	if d.ChannelName != nil {
		name, err := cleanChannelName(*d.ChannelName)
		if err != nil {
			return err
		}
		d.ChannelName = &name
	}
	if d.Capacity != nil {
		if err := s.checkCapacity(*d.Capacity); err != nil {
			return err
		}
	}
	channel, err := s.ownChannel(d.ChannelID)
	if err != nil {
		return err
	}
	info, err := s.gw.channels.Update(channel, d.ChannelName, d.Capacity, s.userID, time.Now())
	if err != nil {
		return err
	}
	r.ack(wireChannel(info))
	return nil
}

func channelDelete(_ context.Context, s *Session, r *request) error {
	var d protocol.ChannelRef
	if err := r.frame.Bind(&d); err != nil {
		return err
	}
	channel, err := s.ownChannel(d.ChannelID)
	if err != nil {
		return err
	}
	if !s.gw.channels.Delete(channel, s.userID) {
		return fmt.Errorf("%w: %s", sfu.ErrChannelNotFound, d.ChannelID)
	}
	r.ack(d)
	return nil
}

func channelList(_ context.Context, s *Session, r *request) error {
	body, err := s.gw.list.encode(s.gw.channels.List())
	if err != nil {
		return err
	}
	r.replyBody(body)
	return nil
}

// channelLists is the answer to CHANNEL_LIST, encoded once for each change and shared by
// all the outboxes that it waits in. The zero value is ready. Safe for concurrent use.
type channelLists struct {
	mu    sync.Mutex // guards the fields below
	infos []sfu.ChannelInfo
	body  *protocol.Body
}

func (l *channelLists) encode(infos []sfu.ChannelInfo) (*protocol.Body, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.body != nil && slices.Equal(infos, l.infos) {
		return l.body, nil
	}
	list := protocol.ChannelList{Channels: make([]protocol.ChannelInfo, len(infos))}
	for i, info := range infos {
		list.Channels[i] = wireChannel(info)
	}
	body, err := protocol.EncodeBody(protocol.OpAck, protocol.Ack{Op: protocol.OpChannelList, Data: list})
	if err != nil {
		return nil, err
	}
	l.infos, l.body = infos, body
	return body, nil
}

func channelInfo(_ context.Context, s *Session, r *request) error {
	var d protocol.ChannelRef
	if err := r.frame.Bind(&d); err != nil {
		return err
	}
	channel, err := s.gw.channels.Get(d.ChannelID)
	if err != nil {
		return err
	}
	r.ack(protocol.ChannelDetail{
		ChannelInfo: wireChannel(channel.Info()), ActiveMembers: wireMembers(channel.Members()),
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
	if s.member != nil && s.member.Active() {
		return fmt.Errorf("%w: you are in %s", sfu.ErrAlreadyInChannel, s.member.Channel().ID())
	}
	channel, err := s.gw.channels.Get(d.ChannelID)
	if err != nil {
		return err
	}
	member, err := channel.Join(ctx, sfu.JoinRequest{
		MediaAddrs: s.mediaAddrs(),
		UserID:     s.userID, Name: s.name, Offer: d.SDPOffer, SelfMute: s.selfMute, SelfDeaf: s.selfDeaf, Devices: s.devices,
		Pin: s.pin, Exclude: s.exclude,
		OnJoined: func(found sfu.Snapshot) {
			r.ack(protocol.Joined{
				ChannelID: found.Channel.ID, ChannelName: found.Channel.Name,
				Mode: protocol.Mode(found.Channel.Mode), SDPAnswer: found.Answer,
				ActiveMembers: wireMembers(found.Members), Slots: wireSlots(found.Slots),
			})
		},
	})
	if err != nil {
		return err
	}
	s.member = member
	return nil
}

func channelLeave(_ context.Context, s *Session, r *request) error {
	var d protocol.ChannelRef
	if err := r.frame.Bind(&d); err != nil {
		return err
	}
	if _, err := s.gw.channels.Get(d.ChannelID); err != nil {
		return err
	}
	if s.member == nil || s.member.Channel().ID() != d.ChannelID {
		return fmt.Errorf("%w: %s", sfu.ErrNotInChannel, d.ChannelID)
	}
	// A client may close its connection first, of which we may hear sooner than of this.
	if !s.member.Leave(sfu.LeaveLeft) && !s.member.HungUp() {
		return fmt.Errorf("%w: %s", sfu.ErrNotInChannel, d.ChannelID)
	}
	s.member = nil
	r.ack(d)
	return nil
}

// ownChannel returns a channel that this user may change.
func (s *Session) ownChannel(id string) (*sfu.Channel, error) {
	channel, err := s.gw.channels.Get(id)
	if err != nil {
		return nil, err
	}
	if !s.admin && channel.OwnerID() != s.userID {
		return nil, fmt.Errorf("%w: only the owner of %s or an admin may do this", errAccessDenied, id)
	}
	return channel, nil
}

func (s *Session) checkCapacity(capacity int) error {
	if capacity < 0 || capacity > s.gw.cfg.ChannelCapacity {
		return payloadError("d.capacity is %d; allowed are 1 to %d, or 0 for the most",
			capacity, s.gw.cfg.ChannelCapacity)
	}
	return nil
}

// cleanChannelName returns the name as it is kept and shown. Channels are called by the same rule as people.
func cleanChannelName(name string) (string, error) {
	name, err := names.Clean(name, protocol.MaxChannelNameChars)
	if err != nil {
		return "", payloadError("d.channel_name: %w", err)
	}
	return name, nil
}

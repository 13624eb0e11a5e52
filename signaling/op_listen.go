package signaling

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/mini-livechat/mini-livechat/sfu"
	"github.com/mini-livechat/mini-livechat/signaling/protocol"
)

// listen has the user hear other channels too, which they might enter.
func listen(_ context.Context, s *Session, r *request) error {
	var d protocol.Listen
	if err := r.frame.Bind(&d); err != nil {
		return err
	}
	m := s.member.Load()
	if m == nil || !m.Active() {
		return sfu.ErrNotInChannel
	}
	req, err := s.listenRequest(d)
	if err != nil {
		return err
	}
	if err = m.Listen(req, func(now sfu.Listening) { r.ack(wireListening(now)) }); err != nil {
		return err
	}
	s.relisten() // what they may enter may be less by now
	return nil
}

// listenRequest checks what somebody wants to listen to.
func (s *Session) listenRequest(d protocol.Listen) (req sfu.ListenRequest, err error) {
	switch {
	case d.Channels == nil:
		return req, payloadError("d.channels is missing; it is a list, empty to listen no more")
	case len(d.Channels) > protocol.MaxListened:
		return req, payloadError("d.channels has %d entries; at most %d are listened to", len(d.Channels), protocol.MaxListened)
	case d.Priority != "" && !slices.Contains(d.Channels, d.Priority):
		return req, payloadError("d.priority %q is not in d.channels", d.Priority)
	}
	req.Slots = d.Slots
	if d.Slots == 0 {
		req.Slots = 1
	}
	for i, id := range d.Channels {
		if slices.Contains(d.Channels[:i], id) {
			return req, payloadError("d.channels has %q twice", id)
		}
		channel, err := s.channel(id)
		if err == nil {
			err = s.mayEnter(channel)
		}
		if err != nil {
			return req, err
		}
		if wait := s.gw.kicked.wait(s.userID, s.origin(), id, s.since, time.Now()); wait > 0 {
			return req, fmt.Errorf("%w: a moderator put you out of %s; you may listen again in %d s", errAccessDenied, id, int(wait.Seconds())+1)
		}
		req.Channels = append(req.Channels, channel)
		if id == d.Priority {
			req.Priority = channel
		}
	}
	return req, nil
}

// relisten has the user listen no more to channels that they may not enter any more.
func (s *Session) relisten() {
	if m := s.member.Load(); m != nil {
		m.Unlisten(func(c *sfu.Channel) bool { return s.mayEnter(c) != nil })
	}
}

// relisten has those listen to a channel no more who may not enter it any more.
func (g *Gateway) relisten(c *sfu.Channel) {
	for _, l := range c.Listeners() {
		if s := g.users.Get(l.UserID); s != nil {
			s.relisten()
		}
	}
}

func wireListening(l sfu.Listening) protocol.Listen {
	return protocol.Listen{Channels: l.Channels, Priority: l.Priority, Slots: l.Slots}
}

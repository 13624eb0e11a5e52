package signaling

import (
	"context"

	"github.com/mini-livechat/mini-livechat/signaling/protocol"
)

// presence says who is in which channel, and has the session told from now on, or no more.
func presence(_ context.Context, s *Session, r *request) error {
	var d protocol.PresenceWatch
	if err := r.frame.Bind(&d); err != nil {
		return err
	}
	switch {
	case d.Watch == nil:
		return payloadError("d.watch is missing; it is true or false")
	case *d.Watch:
		return s.gw.lookout.watch(s, r.replyBody)
	}
	s.gw.lookout.unwatch(s)
	r.ack(protocol.Presence{Channels: []protocol.ChannelPresence{}})
	return nil
}

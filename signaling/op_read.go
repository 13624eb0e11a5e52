package signaling

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/mini-livechat/mini-livechat/signaling/protocol"
	"github.com/mini-livechat/mini-livechat/signaling/store"
)

// read keeps up to where the user has read a channel, and says what is left to be read of it, or of all.
func read(ctx context.Context, s *Session, r *request) error {
	var d protocol.Read
	if err := r.frame.Bind(&d); err != nil {
		return err
	}
	if err := checkMessageID("message_id", d.MessageID); err != nil {
		return err
	}
	if d.MessageID != "" && d.ChannelID == "" {
		return payloadError("d.channel_id is missing")
	}
	channels, err := s.searchable(d.ChannelID)
	if err != nil {
		return err
	}
	if d.MessageID != "" {
		_, err = s.gw.cfg.Store.Append(context.WithoutCancel(ctx), time.Now(),
			store.ReadUpTo{UserID: s.userID, ChannelID: d.ChannelID, MessageID: d.MessageID})
		if errors.Is(err, store.ErrNotFound) {
			return fmt.Errorf("%w: d.message_id %s", errMessageNotFound, d.MessageID)
		}
		if err != nil {
			return err
		}
	}
	marks := protocol.ReadMarks{Channels: make([]protocol.ReadMark, len(channels))}
	for i, channelID := range channels {
		unread, err := s.gw.cfg.Store.Unread(ctx, s.userID, channelID)
		if err != nil {
			return err
		}
		marks.Channels[i] = protocol.ReadMark{ChannelID: channelID, Unread: unread.Count, LastRead: unread.LastRead}
	}
	r.ack(marks)
	return nil
}

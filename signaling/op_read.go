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
		_, err = s.gw.cfg.Store.Append(context.WithoutCancel(ctx), s.gw.now(),
			store.ReadUpTo{UserID: s.userID, ChannelID: d.ChannelID, MessageID: d.MessageID})
		if errors.Is(err, store.ErrNotFound) {
			return fmt.Errorf("%w: d.message_id %s", errMessageNotFound, d.MessageID)
		}
		if err != nil {
			return err
		}
	}
	marks, err := s.unread(ctx, false, channels)
	if err != nil {
		return err
	}
	r.ack(protocol.ReadMarks{Channels: marks})
	return nil
}

// unread says what is left to be read of channels, with left only of those of which something is.
func (s *Session) unread(ctx context.Context, left bool, channelIDs []string) ([]protocol.ReadMark, error) {
	unread, err := s.gw.cfg.Store.Unread(ctx, s.userID, left, channelIDs)
	if err != nil {
		return nil, err
	}
	marks := make([]protocol.ReadMark, len(unread))
	for i, u := range unread {
		marks[i] = protocol.ReadMark{ChannelID: u.ChannelID, Unread: u.Count, LastRead: u.LastRead}
	}
	return marks, nil
}

const (
	// unreadTime is for how long READY waits to hear what is unread. To count takes some 2 ms in 500 channels that are read, and 12 in as
	// many of which nothing is; longer where the disk is slow or many come at once, who shall not wait for this.
	unreadTime = 20 * time.Millisecond
	// maxReadyMarks is of how many channels READY says it, in 45 KB at most.
	maxReadyMarks = 500
)

// unreadAtFirst are the channels of which something is unread; nil where that cannot be said now, or would be too long.
func (s *Session) unreadAtFirst(ctx context.Context) []protocol.ReadMark {
	channels, err := s.searchable("")
	if err != nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, unreadTime)
	defer cancel()
	marks, err := s.unread(ctx, true, channels)
	if err != nil || len(marks) > maxReadyMarks {
		return nil
	}
	return marks
}

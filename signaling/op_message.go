package signaling

import (
	"context"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/oklog/ulid/v2"

	"github.com/mini-livechat/mini-livechat/signaling/protocol"
)

func messageCreate(_ context.Context, s *Session, r *request) error {
	var d protocol.MessageCreate
	if err := r.frame.Bind(&d); err != nil {
		return err
	}
	if _, err := s.gw.channels.Get(d.ChannelID); err != nil {
		return err
	}
	if s.member == nil || s.member.Channel().ID() != d.ChannelID {
		return fmt.Errorf("%w: %s", errMessageElsewhere, d.ChannelID)
	}
	if strings.TrimSpace(d.Content) == "" {
		return errEmptyMessage
	}
	if n := utf8.RuneCountInString(d.Content); n > s.gw.cfg.MessageLength {
		return fmt.Errorf("%w: %d characters, at most %d are allowed", errMessageTooLong, n, s.gw.cfg.MessageLength)
	}
	now := time.Now()
	message := protocol.MessageEvent{
		MessageID: ulid.Make().String(), ChannelID: d.ChannelID,
		AuthorID: s.userID, AuthorName: s.name, Content: d.Content, Timestamp: now.UnixMilli(),
	}
	event, err := protocol.EncodeBody(protocol.OpMessageEvent, message)
	if err != nil {
		return err
	}
	told := s.member.NotifyMembers(func(userIDs []string) {
		s.gw.users.BroadcastTo(userIDs, event, s.userID)
		r.ack(protocol.MessageCreated{MessageID: message.MessageID, Timestamp: message.Timestamp})
	})
	if !told {
		return fmt.Errorf("%w: %s", errMessageElsewhere, d.ChannelID)
	}
	return nil
}

package signaling

import (
	"context"
	"errors"
	"fmt"
	"unicode/utf8"

	"github.com/mini-livechat/mini-livechat/signaling/protocol"
	"github.com/mini-livechat/mini-livechat/signaling/store"
)

// search looks for messages in the channels that the user may see.
func search(ctx context.Context, s *Session, r *request) error {
	var d protocol.Search
	if err := r.frame.Bind(&d); err != nil {
		return err
	}
	if d.Limit == 0 {
		d.Limit = protocol.DefaultSearch
	}
	if d.Limit < 0 || d.Limit > protocol.MaxSearch {
		return payloadError("d.limit is %d; allowed are 1 to %d", d.Limit, protocol.MaxSearch)
	}
	if n := utf8.RuneCountInString(d.Query); n > protocol.MaxQueryChars {
		return payloadError("d.query has %d characters; allowed are up to %d", n, protocol.MaxQueryChars)
	}
	if n := len(d.AuthorID); n > protocol.MaxUserIDBytes {
		return payloadError("d.author_id has %d bytes; allowed are up to %d", n, protocol.MaxUserIDBytes)
	}
	if err := checkMessageID("before", d.Before); err != nil {
		return err
	}
	channels, err := s.searchable(d.ChannelID)
	if err != nil {
		return err
	}
	answer, err := s.gw.cfg.Store.Search(ctx, store.Query{
		Text: d.Query, ChannelIDs: channels, AuthorID: d.AuthorID, Before: d.Before, Limit: d.Limit,
	})
	if errors.Is(err, store.ErrNotFound) {
		return fmt.Errorf("%w: d.before %s", errMessageNotFound, d.Before)
	}
	if err != nil {
		return err
	}
	page := protocol.FoundMessages{Messages: make([]protocol.FoundMessage, len(answer.Found)), More: answer.More, Next: answer.Next}
	for i, one := range answer.Found {
		page.Messages[i] = protocol.FoundMessage{MessageEvent: wireMessage(one.Message), Marks: one.Marks}
	}
	r.ack(page)
	return nil
}

// searchable returns the channels in which this user may look: one, or with an empty id all.
func (s *Session) searchable(channelID string) ([]string, error) {
	if channelID != "" {
		channel, err := s.visibleChannel(channelID)
		if err != nil || s.gw.limits(channel).None() {
			return nil, err
		}
		return []string{channelID}, nil
	}
	var all []string
	for _, info := range s.gw.channels.List() {
		if channel, err := s.visibleChannel(info.ID); err == nil && !s.gw.limits(channel).None() {
			all = append(all, info.ID)
		}
	}
	return all, nil
}

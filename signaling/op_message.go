package signaling

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/oklog/ulid/v2"

	"github.com/mini-livechat/mini-livechat/sfu"
	"github.com/mini-livechat/mini-livechat/signaling/protocol"
	"github.com/mini-livechat/mini-livechat/signaling/store"
)

// messageCreate posts a message. It is on the disk, where the channel's are kept, before anybody is told: what somebody has
// seen is not gone after a restart. It is told by what writes, so in the order in which it is kept.
func messageCreate(ctx context.Context, s *Session, r *request) error {
	var d protocol.MessageCreate
	if err := r.frame.Bind(&d); err != nil {
		return err
	}
	channel, err := s.checkMessage(d)
	if err != nil {
		return err
	}
	now := s.gw.now()
	message := store.Message{
		ID: ulid.Make().String(), ChannelID: d.ChannelID, AuthorID: s.userID, AuthorName: s.name,
		Content: d.Content, At: now, ReplyTo: d.ReplyTo,
	}
	event, err := protocol.EncodeBody(protocol.OpMessageEvent, wireMessage(message))
	if err != nil {
		return err
	}
	if err = r.conn.admitMessage(event.Len()); err != nil {
		return err
	}
	tellOthers := s.gw.tellsChat(channel, s.userID, protocol.OpMessageEvent, wireMessage(message))
	tell := func() {
		channel.NotifyMembers(func(userIDs []string) {
			s.gw.users.BroadcastTo(userIDs, event, s.userID)
			tellOthers()
			r.ack(protocol.MessageCreated{MessageID: message.ID, Timestamp: now.UnixMilli(), Nonce: d.Nonce})
		})
	}
	if s.gw.limits(channel).None() {
		return s.relay(r, d, message, tell)
	}
	if err = s.checkReply(ctx, d); err != nil {
		return err
	}
	err = s.gw.post(ctx, now, tell, store.MessagePosted{Message: message, Nonce: d.Nonce})
	if repeated, ok := errors.AsType[*store.RepeatedError](err); ok {
		r.ack(protocol.MessageCreated{MessageID: repeated.MessageID, Timestamp: repeated.At.UnixMilli(), Nonce: d.Nonce})
		return nil
	}
	return err
}

// checkMessage returns the channel of a message that may be said there.
func (s *Session) checkMessage(d protocol.MessageCreate) (*sfu.Channel, error) {
	if _, err := s.channel(d.ChannelID); err != nil {
		return nil, err
	}
	m := s.member.Load()
	if m == nil || m.Channel().ID() != d.ChannelID || !m.Active() {
		return nil, fmt.Errorf("%w: %s", errMessageElsewhere, d.ChannelID)
	}
	if n := len(d.Nonce); n > protocol.MaxNonceBytes {
		return nil, payloadError("d.nonce has %d bytes; allowed are up to %d", n, protocol.MaxNonceBytes)
	}
	if err := s.may(mayChat, m.Channel()); err != nil {
		return nil, err
	}
	return m.Channel(), s.checkContent(d.Content)
}

// checkReply reports what is wrong with the message that is answered, if one is.
func (s *Session) checkReply(ctx context.Context, d protocol.MessageCreate) error {
	if d.ReplyTo == "" {
		return nil
	}
	answered, err := s.message(ctx, "reply_to", d.ReplyTo)
	if err == nil && answered.ChannelID != d.ChannelID {
		err = fmt.Errorf("%w: d.reply_to is one of another channel", errMessageNotFound)
	}
	return err
}

func (s *Session) checkContent(content string) error {
	if strings.TrimSpace(content) == "" {
		return errEmptyMessage
	}
	if n := utf8.RuneCountInString(content); n > s.gw.cfg.MessageLength {
		return fmt.Errorf("%w: %d characters, at most %d are allowed", errMessageTooLong, n, s.gw.cfg.MessageLength)
	}
	return nil
}

// relay passes a message on that nobody keeps.
func (s *Session) relay(r *request, d protocol.MessageCreate, message store.Message, tell func()) error {
	if d.ReplyTo != "" {
		return fmt.Errorf("%w: d.reply_to; messages of %s are not kept", errMessageNotFound, d.ChannelID)
	}
	if first, ok := s.gw.relayed.first(d, message); !ok {
		r.ack(first)
		return nil
	}
	tell()
	return nil
}

func messageUpdate(ctx context.Context, s *Session, r *request) error {
	var d protocol.MessageUpdate
	if err := r.frame.Bind(&d); err != nil {
		return err
	}
	if err := s.checkContent(d.Content); err != nil {
		return err
	}
	message, channel, err := s.visibleMessage(ctx, d.MessageID)
	if err != nil {
		return err
	}
	if err = r.conn.admitMessage(len(d.Content)); err != nil {
		return err
	}
	if message.AuthorID != s.userID {
		return fmt.Errorf("%w: only who wrote it may change what it says", errNotYourMessage)
	}
	if err = s.may(mayChat, channel); err != nil {
		return err
	}
	if message.Content == d.Content { // asked again, perhaps, by one whom the first answer did not reach
		r.ack(protocol.MessageChange{
			ChannelID: message.ChannelID, MessageID: message.ID, Content: d.Content, EditedAt: wireMessage(message).EditedAt,
		})
		return nil
	}
	now := s.gw.now()
	return s.change(ctx, r, channel, now, store.MessageEdited{MessageID: message.ID, ChannelID: message.ChannelID, Content: d.Content, At: now}, protocol.MessageChange{
		ChannelID: message.ChannelID, MessageID: message.ID, Content: d.Content, EditedAt: now.UnixMilli(),
	})
}

func messageDelete(ctx context.Context, s *Session, r *request) error {
	var d protocol.MessageRef
	if err := r.frame.Bind(&d); err != nil {
		return err
	}
	message, channel, err := s.visibleMessage(ctx, d.MessageID)
	if err != nil {
		return err
	}
	if message.AuthorID != s.userID && !s.mayModerate(channel) {
		return fmt.Errorf("%w: only who wrote it, the owner of %s or an admin may delete it", errNotYourMessage, message.ChannelID)
	}
	return s.change(ctx, r, channel, s.gw.now(), store.MessageDeleted{MessageID: message.ID, ChannelID: message.ChannelID}, protocol.MessageChange{
		ChannelID: message.ChannelID, MessageID: message.ID, Deleted: true,
	})
}

// change writes what becomes of a message and tells it.
func (s *Session) change(
	ctx context.Context, r *request, channel *sfu.Channel, now time.Time, fact store.Fact, change protocol.MessageChange,
) error {
	event, err := protocol.EncodeBody(protocol.OpMessageChange, change)
	if err != nil {
		return err
	}
	tellOthers := s.gw.tellsChat(channel, s.userID, protocol.OpMessageChange, change)
	err = s.gw.post(ctx, now, func() {
		channel.NotifyMembers(func(userIDs []string) {
			s.gw.users.BroadcastTo(userIDs, event, s.userID)
			tellOthers()
			r.ack(change)
		})
	}, fact)
	if errors.Is(err, store.ErrNotFound) { // another was quicker
		return fmt.Errorf("%w: %s", errMessageNotFound, change.MessageID)
	}
	return err
}

func history(ctx context.Context, s *Session, r *request) error {
	var d protocol.History
	if err := r.frame.Bind(&d); err != nil {
		return err
	}
	if d.Limit == 0 {
		d.Limit = protocol.DefaultHistory
	}
	if d.Limit < 0 || d.Limit > protocol.MaxHistory {
		return payloadError("d.limit is %d; allowed are 1 to %d", d.Limit, protocol.MaxHistory)
	}
	if d.Before != "" && d.After != "" {
		return payloadError("d.before and d.after: only one of them at a time")
	}
	if err := checkMessageID("before", d.Before); err != nil {
		return err
	}
	if err := checkMessageID("after", d.After); err != nil {
		return err
	}
	channel, err := s.visibleChannel(d.ChannelID)
	if err != nil {
		return err
	}
	page := protocol.Messages{Messages: []protocol.MessageEvent{}}
	if !s.gw.limits(channel).None() {
		found, more, err := s.gw.cfg.Store.History(ctx, store.Page{
			ChannelID: d.ChannelID, Before: d.Before, After: d.After, Limit: d.Limit,
		})
		if errors.Is(err, store.ErrNotFound) {
			return fmt.Errorf("%w: %s is not in %s, or not kept any more", errMessageNotFound, d.Before+d.After, d.ChannelID)
		}
		if err != nil {
			return err
		}
		page.More = more
		for _, message := range found {
			page.Messages = append(page.Messages, wireMessage(message))
		}
	}
	r.ack(page)
	return nil
}

// post writes a fact and has tell tell it when it is on the disk. Who asked may be gone by then: it is told all the same.
func (g *Gateway) post(ctx context.Context, now time.Time, tell func(), fact store.Fact) error {
	_, err := g.cfg.Store.AppendThen(context.WithoutCancel(ctx), now, func() { g.guard("message", tell) }, fact)
	return err
}

// visibleChannel returns a channel that this user may see, which is one that they may enter.
func (s *Session) visibleChannel(id string) (*sfu.Channel, error) {
	channel, err := s.gw.channels.Get(id)
	if err != nil {
		return nil, s.unknown(id)
	}
	return channel, s.mayEnter(channel)
}

// visibleMessage returns a message that this user may see, and its channel.
func (s *Session) visibleMessage(ctx context.Context, id string) (store.Message, *sfu.Channel, error) {
	message, err := s.message(ctx, "message_id", id)
	if err != nil {
		return store.Message{}, nil, err
	}
	channel, err := s.visibleChannel(message.ChannelID)
	if err != nil {
		return store.Message{}, nil, fmt.Errorf("%w: %s", errMessageNotFound, id)
	}
	return message, channel, nil
}

// message returns one that is remembered; field says where its id stood.
func (s *Session) message(ctx context.Context, field, id string) (store.Message, error) {
	if err := checkMessageID(field, id); err != nil {
		return store.Message{}, err
	}
	message, err := s.gw.cfg.Store.Message(ctx, id)
	if errors.Is(err, store.ErrNotFound) {
		err = fmt.Errorf("%w: d.%s %s", errMessageNotFound, field, id)
	}
	return message, err
}

func checkMessageID(field, id string) error {
	if len(id) > protocol.MaxMessageIDBytes {
		return payloadError("d.%s has %d bytes; a message's id has at most %d", field, len(id), protocol.MaxMessageIDBytes)
	}
	return nil
}

func wireMessage(m store.Message) protocol.MessageEvent {
	wire := protocol.MessageEvent{
		MessageID: m.ID, ChannelID: m.ChannelID, AuthorID: m.AuthorID, AuthorName: m.AuthorName,
		Content: m.Content, Timestamp: m.At.UnixMilli(), ReplyTo: m.ReplyTo,
	}
	if !m.EditedAt.IsZero() {
		wire.EditedAt = m.EditedAt.UnixMilli()
	}
	return wire
}

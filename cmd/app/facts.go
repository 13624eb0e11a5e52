package app

import (
	"fmt"
	"slices"
	"unicode/utf8"

	"github.com/mini-livechat/mini-livechat/signaling/auth"
	"github.com/mini-livechat/mini-livechat/signaling/names"
	"github.com/mini-livechat/mini-livechat/signaling/protocol"
	"github.com/mini-livechat/mini-livechat/signaling/store"
)

// CheckFact reports why a fact from elsewhere cannot be one of this server: what the gateway would not have accepted, however it is
// configured, clients are not told either.
func CheckFact(fact store.Fact) error {
	switch f := fact.(type) {
	case store.ChannelSaved:
		return checkChannel(f.Channel)
	case store.MessagePosted:
		return checkMessage(f.Message)
	case store.UserMade:
		return checkUser(f)
	case store.InviteMade:
		if f.Role == "" && f.ChannelID != "" {
			return nil // it lets people in who are known
		}
		_, err := auth.ParseRole(f.Role)
		return err
	case store.ReadUpTo:
		if err := auth.CheckUserID(f.UserID); err != nil {
			return fmt.Errorf("user_id: %w", err)
		}
	}
	return nil
}

func checkChannel(c store.Channel) error {
	if err := protocol.CheckChannelID(c.ID); err != nil {
		return fmt.Errorf("channel_id %q: %w", c.ID, err)
	}
	if err := checkText("name", c.Name, protocol.MaxChannelNameChars); err != nil {
		return err
	}
	if c.Topic != "" {
		if err := checkText("topic", c.Topic, protocol.MaxTopicChars); err != nil {
			return err
		}
	}
	if c.OwnerID != "" {
		if err := auth.CheckUserID(c.OwnerID); err != nil {
			return fmt.Errorf("owner_id: %w", err)
		}
	}
	if c.Mode != string(protocol.ModeConference) && c.Mode != string(protocol.ModePTT) {
		return fmt.Errorf("mode is %q; there are %s and %s", c.Mode, protocol.ModeConference, protocol.ModePTT)
	}
	if c.Floor != nil {
		if err := protocol.FloorSettings(*c.Floor).Check(); err != nil {
			return fmt.Errorf("floor.%w", err)
		}
	}
	if s := protocol.Speaking(c.Speaking); s != "" && !s.Known() {
		return fmt.Errorf("speaking is %q; there are %s, %s and %s", s, protocol.SpeakingAll, protocol.SpeakingModerators, protocol.SpeakingAllowed)
	}
	switch access := protocol.Access(c.Access); access {
	case protocol.AccessOpen, protocol.AccessMembers, protocol.AccessInvited:
		return nil
	default:
		return fmt.Errorf("access is %q; there are %s, %s and %s", access, protocol.AccessOpen, protocol.AccessMembers, protocol.AccessInvited)
	}
}

func checkUser(f store.UserMade) error {
	if err := auth.CheckUserID(f.ID); err != nil {
		return fmt.Errorf("user_id: %w", err)
	}
	if _, err := auth.ParseRole(f.Role); err != nil {
		return err
	}
	if err := checkText("name", f.Name, auth.MaxNameChars); err != nil {
		return err
	}
	keys := names.Keys(f.Name)
	slices.Sort(keys)
	if !slices.Equal(keys, slices.Sorted(slices.Values(f.NameKeys))) {
		return fmt.Errorf("name_keys are %q; those of the name are %q", f.NameKeys, keys)
	}
	return nil
}

func checkMessage(m store.Message) error {
	switch {
	case len(m.ID) > protocol.MaxMessageIDBytes, len(m.ReplyTo) > protocol.MaxMessageIDBytes:
		return fmt.Errorf("message_id or reply_to has more than %d bytes", protocol.MaxMessageIDBytes)
	case utf8.RuneCountInString(m.Content) > maxMessageLength:
		return fmt.Errorf("content has more than %d characters", maxMessageLength)
	}
	if err := auth.CheckUserID(m.AuthorID); err != nil {
		return fmt.Errorf("author_id: %w", err)
	}
	if m.Content == "" || m.AuthorName == "" { // it was deleted, or its author was
		return nil
	}
	return checkText("author_name", m.AuthorName, auth.MaxUserIDBytes)
}

// checkText reports why nobody and nothing is called so.
func checkText(what, text string, maxChars int) error {
	switch clean, err := names.Visible(text, maxChars); {
	case err != nil:
		return fmt.Errorf("%s: %w", what, err)
	case clean != text:
		return fmt.Errorf("%s is %q, which is written %q", what, text, clean)
	}
	return nil
}

package protocol

import "slices"

// FeaturePresence is what HELLO names when there is PRESENCE.
const FeaturePresence = "presence"

// FeatureSpeaks is what HELLO names when [Present] has Speaks.
const FeatureSpeaks = "speaks"

// PresenceWatch is the d of PRESENCE.
type PresenceWatch struct {
	// Watch says whether the session is told by PRESENCE_EVENT from now on. It must be there.
	Watch *bool `json:"watch"`
}

// Presence is the data of the ACK to PRESENCE, which has everybody: channels that are not in it are empty; and the d of
// PRESENCE_EVENT, which has what changed.
type Presence struct {
	Channels []ChannelPresence `json:"channels"`
}

// ChannelPresence is who is in a channel, or how that changed: Members alone, or Gone and then Set.
type ChannelPresence struct {
	ChannelID string `json:"channel_id"`
	// Members are all in the order they joined, in place of those before. Nil: Gone and Set count.
	Members []Present `json:"members,omitzero"`
	// Gone are the user ids of those who are not in the place where they were.
	Gone []string `json:"gone,omitempty"`
	// Set are those who came, in their order and after all others, and those who are otherwise than before, where they are.
	Set []Present `json:"set,omitempty"`
}

// Present is somebody in a channel, as a list of channels shows them.
type Present struct {
	UserID   string `json:"user_id"`
	Name     string `json:"name"`
	SelfMute bool   `json:"self_mute,omitempty"`
	SelfDeaf bool   `json:"self_deaf,omitempty"`
	Muted    bool   `json:"muted,omitempty"`
	// Suppressed: the channel's Speaking lets nobody hear them.
	Suppressed bool `json:"suppressed,omitempty"`
	// Speaks: they are to be heard just now, by those in the channel.
	Speaks bool `json:"speaks,omitempty"`
}

// Apply brings what PRESENCE answered up to date with an event, the events being applied in their order.
func (p *Presence) Apply(event Presence) {
	for _, change := range event.Channels {
		i := slices.IndexFunc(p.Channels, func(c ChannelPresence) bool { return c.ChannelID == change.ChannelID })
		if i < 0 {
			i = len(p.Channels)
			p.Channels = append(p.Channels, ChannelPresence{ChannelID: change.ChannelID})
		}
		p.Channels[i].apply(change)
		if len(p.Channels[i].Members) == 0 {
			p.Channels = slices.Delete(p.Channels, i, i+1)
		}
	}
}

func (c *ChannelPresence) apply(change ChannelPresence) {
	if change.Members != nil {
		c.Members = slices.Clone(change.Members)
		return
	}
	c.Members = slices.DeleteFunc(c.Members, func(p Present) bool { return slices.Contains(change.Gone, p.UserID) })
	for _, p := range change.Set {
		if i := slices.IndexFunc(c.Members, func(m Present) bool { return m.UserID == p.UserID }); i >= 0 {
			c.Members[i] = p
		} else {
			c.Members = append(c.Members, p)
		}
	}
}

// PresenceChange returns how a channel's members became others than before, in the shorter of the two forms. It reports
// false when they did not. Of those who are in both, all are in the same order, but for those who left and came again.
func PresenceChange(channelID string, before, after []Present) (ChannelPresence, bool) {
	change := ChannelPresence{ChannelID: channelID}
	left := before
	for i, now := range after {
		at := slices.IndexFunc(left, func(p Present) bool { return p.UserID == now.UserID })
		if at < 0 {
			change.Set = append(change.Set, after[i:]...) // whoever joined has joined after all others
			break
		}
		change.Gone = appendIDs(change.Gone, left[:at])
		if left[at] != now {
			change.Set = append(change.Set, now)
		}
		left = left[at+1:]
	}
	change.Gone = appendIDs(change.Gone, left)
	switch size := len(change.Gone) + len(change.Set); {
	case size == 0:
		return change, false
	case size >= len(after):
		return ChannelPresence{ChannelID: channelID, Members: append([]Present{}, after...)}, true
	default:
		return change, true
	}
}

func appendIDs(ids []string, of []Present) []string {
	for _, p := range of {
		ids = append(ids, p.UserID)
	}
	return ids
}

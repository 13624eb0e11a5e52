package app

import (
	"slices"
	"strings"

	"github.com/mini-livechat/mini-livechat/sfu"
	"github.com/mini-livechat/mini-livechat/signaling/names"
	"github.com/mini-livechat/mini-livechat/signaling/protocol"
)

// PresetChannel is a channel that exists from the start and is never deleted.
type PresetChannel struct {
	ID, Name string
	// Mode is empty where it is as it was before, or else a conference.
	Mode sfu.Mode
}

// PresetChannels returns Channels parsed, in their order.
func (c Config) PresetChannels() ([]PresetChannel, error) {
	presets := make([]PresetChannel, 0, len(c.Channels))
	for _, s := range c.Channels {
		preset, err := parsePreset(s)
		if err != nil {
			return nil, err
		}
		if slices.ContainsFunc(presets, func(p PresetChannel) bool { return p.ID == preset.ID }) {
			return nil, badValue("channels", s, "must have each id only once")
		}
		presets = append(presets, preset)
	}
	return presets, nil
}

func parsePreset(s string) (PresetChannel, error) {
	id, name, named := strings.Cut(s, "=")
	id, mode, moded := strings.Cut(id, ":")
	switch {
	case protocol.CheckChannelID(id) != nil:
		return PresetChannel{}, badValue("channels", s, "must be id, id=Name or id:mode=Name, the id 1 to %d of a–z A–Z 0–9 _ -", protocol.MaxChannelIDBytes)
	case moded && mode != string(sfu.ModeConference) && mode != string(sfu.ModePTT):
		return PresetChannel{}, badValue("channels", s, "must have %s or %s as its mode, or none", sfu.ModeConference, sfu.ModePTT)
	}
	preset := PresetChannel{ID: id, Name: id, Mode: sfu.Mode(mode)}
	if !named {
		return preset, nil
	}
	var err error
	if preset.Name, err = names.Visible(name, protocol.MaxChannelNameChars); err != nil {
		return PresetChannel{}, badValue("channels", s, "must have a name that people can read: %v", err)
	}
	return preset, nil
}

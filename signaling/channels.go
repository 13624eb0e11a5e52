package signaling

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"go.uber.org/zap"

	"github.com/mini-livechat/mini-livechat/sfu"
	"github.com/mini-livechat/mini-livechat/signaling/admission"
	"github.com/mini-livechat/mini-livechat/signaling/auth"
	"github.com/mini-livechat/mini-livechat/signaling/names"
	"github.com/mini-livechat/mini-livechat/signaling/protocol"
	"github.com/mini-livechat/mini-livechat/signaling/store"
)

// Channels live in the ChannelHub; here is what the store has of them. What somebody decides about a channel is done under
// Gateway.administering, so that the store hears of it in the same order, and is acknowledged when it is on the disk. What
// cannot be kept is taken back.

// kept reports whether a channel is remembered: guests' go away with them.
func kept(ownerID string) bool { return !auth.IsGuest(ownerID) }

// remembers reports whether what becomes of a channel goes into the store: on several nodes that of guests does too, as the others hear of it by that.
func (g *Gateway) remembers(ownerID string) bool { return kept(ownerID) || g.cfg.Store.Shared() }

// restoreChannels makes the channels that are remembered, and the presets that are not yet.
func (g *Gateway) restoreChannels(ctx context.Context, now time.Time) error {
	remembered, err := g.cfg.Store.Channels(ctx)
	if err != nil {
		// Voice goes on without.
		g.log.Error("what channels there were cannot be read", zap.Error(err))
		g.amnesia.Store(true)
	}
	for _, spec := range g.specs(ctx, remembered) {
		if err := g.channels.Restore(spec, now, false); err != nil {
			return fmt.Errorf("channel %s: %w", spec.ID, err)
		}
	}
	return nil
}

// Recall makes the channels that could not be read when the server started, once they can. Until then none is made, and none that
// there is changes, so that nothing contradicts them.
func (g *Gateway) Recall(ctx context.Context, now time.Time) {
	if !g.amnesia.Load() {
		return
	}
	g.administering.Lock()
	defer g.administering.Unlock()
	remembered, err := g.cfg.Store.Channels(ctx)
	if err != nil {
		return
	}
	g.amnesia.Store(false)
	for _, spec := range g.specs(ctx, remembered) {
		err := g.channels.Restore(spec, now, true)
		g.others.channelMade(spec.ID)
		if c, missing := g.channels.Get(spec.ID); err != nil && missing == nil { // a preset
			if spec.Capacity == 0 {
				spec.Capacity = g.cfg.ChannelCapacity
			}
			_, err = g.channels.Revert(c, spec.Settings)
		}
		if err != nil {
			g.log.Error("a channel cannot be made again", zap.String("channel", spec.ID), zap.Error(err))
		}
	}
}

// specs are the channels that are remembered, and the presets, which it has remembered.
func (g *Gateway) specs(ctx context.Context, remembered []store.Channel) map[string]sfu.ChannelSpec {
	known := make(map[string]sfu.ChannelSpec, len(remembered))
	for _, c := range remembered {
		known[c.ID] = specOf(c)
	}
	for i, preset := range g.cfg.Presets {
		spec, found := known[preset.ID]
		switch {
		case !found:
			spec = preset
			spec.Kept, spec.Access, spec.Keep = true, string(protocol.AccessOpen), sfu.Keep{Count: -1, For: -1}
			spec.Speaking = sfu.SpeakingAll
			spec.Mode, spec.Floor = cmp.Or(spec.Mode, sfu.ModeConference), sfu.FloorByDefault()
			// Channels are listed by age: presets in the order of the configuration.
			spec.CreatedAt = g.now().Add(time.Duration(i-len(g.cfg.Presets)) * time.Millisecond)
		case spec.OwnerID == "" && (preset.Name == preset.ID || preset.Name == spec.Name) && // no name is given, or this one
			(preset.Mode == "" || preset.Mode == spec.Mode): // nor a mode, or this one
			continue
		default:
			if preset.Name != preset.ID {
				spec.Name = preset.Name
			}
			spec.Mode = cmp.Or(preset.Mode, spec.Mode)
			spec.OwnerID = "" // the configuration's, whoever made it before
		}
		known[preset.ID] = spec
		if g.amnesia.Load() {
			continue // it may be remembered otherwise
		}
		known[preset.ID] = g.keepPreset(ctx, spec, found)
	}
	for _, spec := range known {
		if spec.OwnerID == "" && !slices.ContainsFunc(g.cfg.Presets, func(p sfu.ChannelSpec) bool { return p.ID == spec.ID }) {
			g.log.Info("a channel of an earlier configuration is still there; an admin can delete it", zap.String("channel", spec.ID))
		}
	}
	return known
}

// keepPreset remembers a channel of the configuration, and returns it. One that another node has just made is that node's.
func (g *Gateway) keepPreset(ctx context.Context, spec sfu.ChannelSpec, found bool) sfu.ChannelSpec {
	channel := g.channelOf(sfu.ChannelInfo{ID: spec.ID, OwnerID: spec.OwnerID, CreatedAt: spec.CreatedAt, Settings: spec.Settings})
	fact := store.Fact(store.ChannelSaved{Channel: channel})
	if !found {
		fact = store.ChannelMade{Channel: channel}
	}
	_, err := g.cfg.Store.Append(ctx, g.now(), fact)
	if errors.Is(err, store.ErrExists) {
		var made store.Channel
		if made, err = g.cfg.Store.Channel(ctx, spec.ID); err == nil {
			return specOf(made)
		}
	}
	if err != nil {
		g.log.Error("a channel of the configuration cannot be kept", zap.String("channel", spec.ID), zap.Error(err))
	}
	return spec
}

// errAmnesia: there may be a channel that is remembered otherwise.
var errAmnesia = fmt.Errorf("%w: what channels there were cannot be read yet", store.ErrTrouble)

// ChannelName returns what a channel is called, or "" when there is none.
func (g *Gateway) ChannelName(id string) string {
	c, err := g.channels.Get(id)
	if err != nil {
		return ""
	}
	return c.Info().Name
}

// OpenName returns what a channel is called of which everybody may know, or "" when there is none.
func (g *Gateway) OpenName(id string) string {
	c, err := g.channels.Get(id)
	if err != nil {
		return ""
	}
	info := c.Info()
	if info.Access == string(protocol.AccessInvited) {
		return ""
	}
	return info.Name
}

// What a change that everybody on the server is told of costs, and a channel.
//
//nolint:gochecknoglobals // constants in all but the language
var (
	tellAll  = []admission.Charge{{Kind: admission.Tell, Cost: 1}}
	makeRoom = []admission.Charge{{Kind: admission.Tell, Cost: 1}, {Kind: admission.MakeChannel, Cost: 1}}
)

// createChannel creates a channel for the user of a connection, unless too many were made lately. One that is refused for
// another reason is not counted.
func (g *Gateway) createChannel(ctx context.Context, by *Conn, spec sfu.ChannelSpec) (sfu.ChannelInfo, error) {
	g.administering.Lock()
	defer g.administering.Unlock()
	if g.amnesia.Load() {
		return sfu.ChannelInfo{}, errAmnesia
	}
	if _, gone := g.channels.Get(spec.ID); gone != nil {
		// What was said in an earlier channel of this id is none of this one's business.
		if err := asChannels(g.cfg.Store.ClearChat(context.WithoutCancel(ctx), g.now(), spec.ID)); err != nil {
			return sfu.ChannelInfo{}, err
		}
	}
	spec.Kept, spec.CreatedAt = kept(spec.OwnerID), g.now()
	info, err := g.channels.Create(spec, time.Now(), func() error { return by.admit(makeRoom...) })
	g.others.channelMade(spec.ID)
	if err != nil || !g.remembers(spec.OwnerID) {
		return info, err
	}
	if err = g.keep(ctx, g.now(), store.ChannelMade{Channel: g.channelOf(info), NameKeys: names.Keys(info.Name)}); err != nil {
		if c, gone := g.channels.Get(spec.ID); gone == nil {
			g.channels.Delete(c, spec.OwnerID)
		}
	}
	return info, err
}

// updateChannel changes what edit does.
func (g *Gateway) updateChannel(ctx context.Context, by *Conn, c *sfu.Channel, edit func(*sfu.Settings)) (sfu.ChannelInfo, error) {
	g.administering.Lock()
	defer g.administering.Unlock()
	if g.amnesia.Load() {
		return sfu.ChannelInfo{}, errAmnesia
	}
	was := c.Info()
	before := was.Settings
	info, err := g.channels.Update(c, edit, by.session.userID, func() error { return by.admit(tellAll...) })
	if err != nil || info.Settings == before {
		return info, err
	}
	if g.remembers(c.OwnerID()) {
		if err = g.keep(ctx, g.now(), store.ChannelChanged{Channel: g.channelOf(info), NameKeys: names.Keys(info.Name)}); err != nil {
			_, _ = g.channels.Revert(c, before) // it may have been deleted meanwhile
			return info, err
		}
	}
	if info.Access != was.Access {
		g.relisten(c)
	}
	g.rehide(c, was, info)
	return info, nil
}

// deleteChannel deletes a channel with all that is remembered of it.
func (g *Gateway) deleteChannel(ctx context.Context, by *Conn, c *sfu.Channel) error {
	g.administering.Lock()
	defer g.administering.Unlock()
	if err := by.admit(tellAll...); err != nil {
		return err
	}
	if g.remembers(c.OwnerID()) {
		_, err := g.cfg.Store.Append(context.WithoutCancel(ctx), g.now(), store.ChannelDeleted{ChannelID: c.ID()})
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return err
		}
	}
	defer g.forgetAdmissions(c.ID())
	if !g.channels.Delete(c, by.session.userID) {
		return fmt.Errorf("%w: %s", sfu.ErrChannelNotFound, c.ID())
	}
	return nil
}

// disown has the channels of somebody who is forgotten be an alias's.
func (g *Gateway) disown(userID, alias string) {
	g.administering.Lock()
	defer g.administering.Unlock()
	for _, info := range g.channels.Reown(userID, alias) {
		// The memory knows, unless the channel was changed and kept just before this.
		if err := g.keep(context.Background(), g.now(), store.ChannelChanged{Channel: g.channelOf(info), NameKeys: names.Keys(info.Name)}); err != nil {
			g.log.Error("whose a channel is cannot be kept", zap.String("channel", info.ID), zap.Error(err))
		}
	}
}

// Keeps says how much of a channel's chat is kept: of one that is there no more, nothing.
func (g *Gateway) Keeps(channelID string) store.Limits {
	c, err := g.channels.Get(channelID)
	switch {
	case g.amnesia.Load(): // it may be there, or keep more, when the server starts the next time
		return store.Limits{Count: math.MaxInt, For: math.MaxInt64}
	case err == nil:
		return g.limits(c)
	default:
		return store.Limits{}
	}
}

func (g *Gateway) limits(c *sfu.Channel) store.Limits {
	limits, own := g.cfg.Keep, c.Info().Keep
	if own.Count >= 0 {
		limits.Count = own.Count
	}
	if own.For >= 0 {
		limits.For = own.For
	}
	return limits
}

// keep writes what becomes of a channel. A request that is given up meanwhile is not half done.
func (g *Gateway) keep(ctx context.Context, now time.Time, fact store.Fact) error {
	_, err := g.cfg.Store.Append(context.WithoutCancel(ctx), now, fact)
	return asChannels(err)
}

// asChannels is what the store says of a channel of which another decided something just before.
func asChannels(err error) error {
	switch {
	case errors.Is(err, store.ErrChannelNameTaken):
		err = fmt.Errorf("%w: another channel's looks the same", sfu.ErrNameTaken)
	case errors.Is(err, store.ErrExists):
		err = fmt.Errorf("%w: %w", sfu.ErrChannelExists, err)
	case errors.Is(err, store.ErrNotFound):
		err = fmt.Errorf("%w: %w", sfu.ErrChannelNotFound, err)
	}
	return err
}

func (g *Gateway) channelOf(info sfu.ChannelInfo) store.Channel {
	c := store.Channel{
		ID: info.ID, Name: info.Name, Topic: info.Topic, Mode: string(info.Mode), Access: info.Access, Position: info.Position,
		Speaking: string(info.Speaking),
		Capacity: info.Capacity, OwnerID: info.OwnerID, CreatedAt: info.CreatedAt,
	}
	if c.Capacity == g.cfg.ChannelCapacity {
		c.Capacity = 0 // also when the server has another limit
	}
	if info.Keep.Count >= 0 {
		c.Keep.Count = &info.Keep.Count
	}
	if info.Keep.For >= 0 {
		c.Keep.For = &info.Keep.For
	}
	if info.Floor != sfu.FloorByDefault() {
		c.Floor = new(store.Floor(wireFloorSettings(info.Floor)))
	}
	return c
}

func specOf(c store.Channel) sfu.ChannelSpec {
	spec := sfu.ChannelSpec{
		ID: c.ID, OwnerID: c.OwnerID, Kept: kept(c.OwnerID), CreatedAt: c.CreatedAt,
		Settings: sfu.Settings{
			Name: c.Name, Mode: sfu.Mode(c.Mode), Floor: sfu.FloorByDefault(), Topic: c.Topic, Access: c.Access, Position: c.Position, Capacity: c.Capacity,
			Speaking: sfu.Speaking(c.Speaking),
			Keep:     sfu.Keep{Count: -1, For: -1},
		},
	}
	if c.Speaking == "" {
		spec.Speaking = sfu.SpeakingAll
	}
	if c.Keep.Count != nil {
		spec.Keep.Count = *c.Keep.Count
	}
	if c.Keep.For != nil {
		spec.Keep.For = *c.Keep.For
	}
	if c.Floor != nil {
		applyFloor(protocol.FloorSettings(*c.Floor), &spec.Floor)
	}
	return spec
}

package sfu

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/mini-livechat/mini-livechat/sfu/floor"
)

// abandoned is how long a channel that somebody created must have been empty to give
// way to a new one on a server that is full: long enough to be entered by who made it,
// or anew after a lost connection.
const abandoned = time.Minute

// HubConfig is what a ChannelHub needs to know. Every field but Floor and the last five must be set.
type HubConfig struct {
	Limits ChannelLimits
	// NameKeys returns under which keys a channel's name is taken: names that have one in common look the same.
	NameKeys func(name string) []string
	// Floor is how the floor is given in channels that say nothing else.
	Floor floor.Config
	// Answer makes the media of the members, Peers is where it is registered.
	Answer   Answer
	Peers    *MediaPeerHub
	Notifier Notifier
	Journal  Journal
	// Spread is told of the members, Voices returns what is heard of a member of another node, nil for nothing, and Hush is called when that is to
	// be heard no more. The last two are called as Notifier is. Nil: this node is alone.
	Spread Spread
	Voices func(node, channelID, userID string) Voice
	Hush   func(node, channelID, userID string)
	// Wants is told what this node's members can hear of others in a channel, whenever that changes: how many at once, and whom by name. It is
	// called as Notifier is. Nil: this node is alone.
	Wants func(channelID string, slots int, pins []string)
	// Floors says which node decides about the floors of channels. Nil: this one.
	Floors Floors
}

// ChannelLimits bounds what a hub holds.
type ChannelLimits struct {
	// Capacity is the most members a channel may have, and what it has when none is asked.
	Capacity int
	// Channels is the most channels there may be.
	Channels int
}

// ChannelHub knows every channel. Safe for concurrent use.
type ChannelHub struct {
	answer   Answer
	notifier careful
	journal  Journal
	peers    *MediaPeerHub
	limits   ChannelLimits
	floor    floor.Config
	decider  *decider
	spread   Spread
	spreads  bool // there are other nodes
	voices   func(node, channelID, userID string) Voice
	hush     func(node, channelID, userID string)
	wants    func(channelID string, slots int, pins []string)
	apart    apart
	floors   Floors

	mu       sync.RWMutex // guards the maps and names; taken before a Channel's
	channels map[string]*Channel
	names    channelNames
	owners   map[string]int // by user id: how many channels are whose

	version atomic.Uint64           // counts what changes a list
	listing atomic.Pointer[listing] // the last one made; nil at first
}

// listing is a list of all channels as of a version. It never changes.
type listing struct {
	version  uint64
	channels []ChannelInfo
}

// ChannelSpec describes a channel to create.
type ChannelSpec struct {
	ID string
	// OwnerID is empty for a preset channel.
	OwnerID string
	// OwnerMost is the most channels that the owner may have with this one. 0: any number.
	OwnerMost int
	// Kept channels are not deleted for being idle, nor to make room for others; those without an owner always are.
	Kept bool
	// CreatedAt is when that was; the zero time means now.
	CreatedAt time.Time
	Settings
}

// NewChannelHub returns an empty hub.
func NewChannelHub(cfg HubConfig) *ChannelHub {
	spread := cfg.Spread
	if spread == nil {
		spread = nowhere{}
	}
	return &ChannelHub{
		spread: spread, spreads: cfg.Spread != nil, voices: cfg.Voices, hush: cfg.Hush, wants: cfg.Wants, floors: cfg.Floors,
		answer: cfg.Answer, notifier: careful{cfg.Notifier, cfg.Journal}, journal: cfg.Journal, peers: cfg.Peers,
		limits: cfg.Limits, floor: cfg.Floor, decider: newDecider(cfg.Journal),
		channels: make(map[string]*Channel), names: newChannelNames(cfg.NameKeys), owners: make(map[string]int),
	}
}

// RunDecisions decides until ctx is done who is speaking, and who is heard where there are
// more talkers than slots. Without it everybody is silent to that end. It may run once.
func (h *ChannelHub) RunDecisions(ctx context.Context) { h.decider.run(ctx) }

// Create adds a channel and tells everybody but its owner. It fails with ErrChannelExists,
// ErrNameTaken, ErrOwnsTooMany, ErrTooManyChannels or what allow returns. allow is asked
// when nothing else stands in the way, and must not call back. On a server that is full, the
// channel that is empty for the longest, a minute at least, is deleted for the new one.
func (h *ChannelHub) Create(spec ChannelSpec, now time.Time, allow func() error) (ChannelInfo, error) {
	c := h.newChannel(spec, now)
	h.mu.Lock()
	defer h.mu.Unlock()
	if err := h.freeLocked(spec.ID); err != nil {
		return ChannelInfo{}, err
	}
	if err := h.names.free(c, spec.Name); err != nil {
		return ChannelInfo{}, err
	}
	if err := h.roomLocked(spec, now, allow); err != nil {
		return ChannelInfo{}, err
	}
	h.addLocked(c)
	info := c.Info()
	h.notifier.NotifyAll(spec.OwnerID, ChannelCreated{Channel: info})
	return info, nil
}

// Restore adds a channel that there was before the server started: limits do not hold it up, nor that another's name looks the
// same. Everybody is told if tell says so. It fails with ErrChannelExists.
func (h *ChannelHub) Restore(spec ChannelSpec, now time.Time, tell bool) error {
	c := h.newChannel(spec, now)
	h.mu.Lock()
	defer h.mu.Unlock()
	if err := h.freeLocked(spec.ID); err != nil {
		return err
	}
	h.addLocked(c)
	if tell {
		h.notifier.NotifyAll("", ChannelCreated{Channel: c.Info()})
	}
	return nil
}

// newChannel makes a channel of a spec, with what the spec leaves open filled in. It is in no hub yet.
func (h *ChannelHub) newChannel(spec ChannelSpec, now time.Time) *Channel {
	if spec.Capacity == 0 || spec.Capacity > h.limits.Capacity {
		spec.Capacity = h.limits.Capacity
	}
	if spec.CreatedAt.IsZero() {
		spec.CreatedAt = now
	}
	if spec.Mode == "" {
		spec.Mode = ModeConference
	}
	c := &Channel{
		id: spec.ID, kept: spec.Kept || spec.OwnerID == "", hub: h, notifier: h.notifier, emptySince: now,
		roster: newRoster(ChannelInfo{
			ID: spec.ID, OwnerID: spec.OwnerID, CreatedAt: spec.CreatedAt, Settings: spec.Settings,
		}),
	}
	if h.wants != nil {
		c.board.wanted = func(slots int, pins []string) { h.wants(c.id, slots, pins) }
	}
	c.owner.Store(&spec.OwnerID)
	c.followModeLocked(now)
	return c
}

// freeLocked returns ErrChannelExists unless an id is free.
func (h *ChannelHub) freeLocked(id string) error {
	if h.channels[id] != nil {
		return fmt.Errorf("%w: %s", ErrChannelExists, id)
	}
	return nil
}

// addLocked adds a channel whose id is free.
func (h *ChannelHub) addLocked(c *Channel) {
	if owner := c.OwnerID(); owner != "" {
		h.owners[owner]++
	}
	h.channels[c.id] = c
	h.names.take(c, c.roster.channel.Name)
	h.changed()
}

// roomLocked makes room for a channel that is allowed, or reports why there shall be no such.
func (h *ChannelHub) roomLocked(spec ChannelSpec, now time.Time, allow func() error) error {
	if spec.OwnerMost > 0 && h.owners[spec.OwnerID] >= spec.OwnerMost {
		return fmt.Errorf("%w, which is %d; delete one first", ErrOwnsTooMany, spec.OwnerMost)
	}
	var oldest *Channel
	room := len(h.channels) < h.limits.Channels
	if !room {
		oldest = h.abandonedLocked(now)
	}
	if !room && oldest == nil {
		return fmt.Errorf("%w than %d", ErrTooManyChannels, h.limits.Channels)
	}
	if err := allow(); err != nil {
		return err
	}
	if room {
		return nil
	}
	if _, gone := h.deleteLocked(oldest, "", oldest.roster.empty); !gone {
		return fmt.Errorf("%w than %d", ErrTooManyChannels, h.limits.Channels)
	}
	return nil
}

// abandonedLocked returns the channel that was abandoned the longest ago, or nil.
func (h *ChannelHub) abandonedLocked(now time.Time) *Channel {
	var oldest *Channel
	longest := abandoned
	for _, c := range h.channels {
		if empty := c.emptyFor(now); !c.kept && empty >= longest {
			oldest, longest = c, empty
		}
	}
	return oldest
}

// Get returns a channel, or ErrChannelNotFound.
func (h *ChannelHub) Get(id string) (*Channel, error) {
	h.mu.RLock()
	defer h.mu.RUnlock()
	if c := h.channels[id]; c != nil {
		return c, nil
	}
	return nil, fmt.Errorf("%w: %s", ErrChannelNotFound, id)
}

// changed notes that a list made from now on is another one. Called under the lock under
// which the change was made.
func (h *ChannelHub) changed() { h.version.Add(1) }

// List returns all channels, by their positions and then the oldest first. Until one of them changes, all callers get the
// same slice, which they must not change.
func (h *ChannelHub) List() []ChannelInfo {
	version := h.version.Load()
	if last := h.listing.Load(); last != nil && last.version == version {
		return last.channels
	}
	infos := h.infos()
	slices.SortFunc(infos, func(a, b ChannelInfo) int {
		if byPlace := cmp.Compare(a.Position, b.Position); byPlace != 0 {
			return byPlace
		}
		if byAge := a.CreatedAt.Compare(b.CreatedAt); byAge != 0 {
			return byAge
		}
		return strings.Compare(a.ID, b.ID)
	})
	h.listing.Store(&listing{version, infos})
	return infos
}

func (h *ChannelHub) infos() []ChannelInfo {
	h.mu.RLock()
	defer h.mu.RUnlock()
	infos := make([]ChannelInfo, 0, len(h.channels))
	for _, c := range h.channels {
		infos = append(infos, c.Info())
	}
	return infos
}

// Update has edit change a channel's settings, and tells everybody but the one named by by, if that makes a difference. Whom another
// Speaking silences is not heard any more when it returns; by may have TellStage say who that is. A capacity of 0 means the limit; one below the number of members makes nobody leave. It fails with ErrChannelNotFound, with
// ErrNameTaken, or with what allow returns, which is asked when it does make a difference. Neither must call back.
func (h *ChannelHub) Update(c *Channel, edit func(*Settings), by string, allow func() error) (ChannelInfo, error) {
	return h.update(c, by, func(settings *Settings) error {
		edit(settings)
		if settings.Capacity == 0 {
			settings.Capacity = h.limits.Capacity
		}
		if c.roster.closed || *settings == c.roster.channel.Settings {
			return nil
		}
		if settings.Name != c.roster.channel.Name {
			if err := h.names.free(c, settings.Name); err != nil {
				return err
			}
		}
		return allow()
	})
}

// Revert gives a channel the settings that it had before an Update that must not be. Everybody is told. It fails with
// ErrChannelNotFound.
func (h *ChannelHub) Revert(c *Channel, before Settings) (ChannelInfo, error) {
	return h.update(c, "", func(settings *Settings) error {
		*settings = before
		return nil
	})
}

// update has edit change a channel's settings, under the locks of hub and channel, and tells of it unless edit fails.
func (h *ChannelHub) update(c *Channel, by string, edit func(*Settings) error) (ChannelInfo, error) {
	// The hub's lock keeps what is told of this channel to everybody in order.
	h.mu.Lock()
	defer h.mu.Unlock()
	c.mu.Lock()
	defer c.mu.Unlock()
	before := c.roster.channel.Settings
	settings := before
	if err := edit(&settings); err != nil {
		return ChannelInfo{}, err
	}
	told, err := c.roster.update(settings, by)
	if err != nil {
		return ChannelInfo{}, err
	}
	if settings.Name != before.Name {
		h.names.release(c, before.Name)
		h.names.take(c, settings.Name)
	}
	if len(told) > 0 {
		h.changed()
	}
	if settings.Name != before.Name {
		c.retitleLocked()
	}
	if settings.Speaking != before.Speaking {
		c.permitAllLocked(time.Now())
	}
	h.notifier.tell(told)
	if settings.Mode != before.Mode || settings.Floor != before.Floor {
		c.followModeLocked(time.Now())
	}
	if settings.Speaking != before.Speaking {
		c.silenceAudienceLocked()
		c.spreadAllLocked()
	}
	return c.roster.info(), nil
}

// Reown has all channels of one owner be another's, and tells everybody. It returns them as they are then.
func (h *ChannelHub) Reown(from, to string) []ChannelInfo {
	h.mu.Lock()
	defer h.mu.Unlock()
	var reowned []ChannelInfo
	for _, c := range h.channels {
		if c.OwnerID() == from {
			reowned = append(reowned, h.reownLocked(c, to))
		}
	}
	if len(reowned) > 0 {
		h.owners[to] += len(reowned)
		delete(h.owners, from)
	}
	return reowned
}

// Assign has a channel be somebody else's, and tells everybody.
func (h *ChannelHub) Assign(c *Channel, owner string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.channels[c.id] != c {
		return
	}
	before := c.OwnerID()
	if h.owners[before]--; h.owners[before] <= 0 {
		delete(h.owners, before)
	}
	if owner != "" {
		h.owners[owner]++
	}
	h.reownLocked(c, owner)
}

func (h *ChannelHub) reownLocked(c *Channel, to string) ChannelInfo {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.owner.Store(&to)
	c.roster.channel.OwnerID = to
	info := c.roster.info()
	h.changed()
	h.notifier.NotifyAll("", ChannelUpdated{Channel: info})
	return info
}

// Delete removes a channel with all its members and tells everybody but the one named
// by by. It reports false when the channel was gone already.
func (h *ChannelHub) Delete(c *Channel, by string) bool {
	return h.deleteIf(c, by, func() bool { return true })
}

// ReapIdle deletes the channels that are not kept and have been empty for longer than idle; it
// returns how many.
func (h *ChannelHub) ReapIdle(now time.Time, idle time.Duration) int {
	reaped := 0
	for _, c := range h.created() {
		unused := func() bool { return c.roster.empty() && now.Sub(c.emptySince) > idle }
		if h.deleteIf(c, "", unused) {
			reaped++
		}
	}
	return reaped
}

// Idle returns the channels that ReapIdle would delete.
func (h *ChannelHub) Idle(now time.Time, idle time.Duration) []*Channel {
	return slices.DeleteFunc(h.created(), func(c *Channel) bool { return c.emptyFor(now) <= idle })
}

// created returns the channels that are not kept.
func (h *ChannelHub) created() []*Channel {
	h.mu.RLock()
	defer h.mu.RUnlock()
	created := make([]*Channel, 0, len(h.channels))
	for _, c := range h.channels {
		if !c.kept {
			created = append(created, c)
		}
	}
	return created
}

// deleteIf deletes c when condition, called with c's lock held, still holds.
func (h *ChannelHub) deleteIf(c *Channel, by string, condition func() bool) bool {
	defer contain(h.journal, "deleting a channel")
	h.mu.Lock()
	peers, deleted := func() ([]*MediaPeer, bool) {
		defer h.mu.Unlock()
		return h.deleteLocked(c, by, condition)
	}()
	for _, p := range peers {
		h.hangUp(p)
	}
	return deleted
}

// deleteLocked deletes c, as deleteIf does, and returns the members' media, which is to be
// closed without a lock.
func (h *ChannelHub) deleteLocked(c *Channel, by string, condition func() bool) ([]*MediaPeer, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if h.channels[c.id] != c || !condition() {
		return nil, false
	}
	own, mirrored := c.roster.userIDs(), slices.Clone(c.roster.order)
	for _, hidden := range c.roster.hidden {
		mirrored = append(mirrored, hidden...)
	}
	told, err := c.roster.close(by)
	if err != nil {
		return nil, false
	}
	for _, userID := range own {
		h.spread.MemberLeft(c.id, userID, LeaveGone, false)
	}
	for _, p := range mirrored {
		c.hushLocked(p)
	}
	delete(h.channels, c.id)
	h.names.release(c, c.roster.channel.Name)
	owner := c.OwnerID()
	if h.owners[owner]--; h.owners[owner] <= 0 {
		delete(h.owners, owner)
	}
	h.changed()
	h.notifier.tell(told)
	c.air.end(ErrChannelNotFound)
	peers := h.peers.ChannelPeers(c.id)
	for _, l := range slices.Clone(c.board.legs) {
		c.unplugLocked(l)
	}
	for _, l := range slices.Clone(c.board.ears) {
		l.station.close()
		c.board.untap(l)
		h.spread.Listening(c.id, l.station.scanner.info(), false)
	}
	c.board.closeOutlets()
	return peers, true
}

// hangUp closes a member's media. A connection that closes badly is closed all the same.
func (h *ChannelHub) hangUp(p *MediaPeer) {
	defer contain(h.journal, "closing a connection")
	h.peers.Remove(p)
	p.member.scanner.end()
	_ = p.Close()
}

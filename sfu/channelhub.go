package sfu

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"
)

// ChannelHub knows every channel. Safe for concurrent use.
type ChannelHub struct {
	answer   Answer
	notifier Notifier
	peers    *MediaPeerHub
	limits   ChannelLimits
	decider  *decider

	mu       sync.RWMutex // guards channels; taken before a Channel's
	channels map[string]*Channel
}

// ChannelLimits bounds what a hub holds.
type ChannelLimits struct {
	// Capacity is the most members a channel may have, and what it has when none is asked.
	Capacity int
	// Channels is the most channels there may be.
	Channels int
}

// ChannelSpec describes a channel to create.
type ChannelSpec struct {
	ID, Name string
	// OwnerID is empty for a preset channel, which no idleness deletes.
	OwnerID string
	// Capacity in members; 0 means the limit.
	Capacity int
}

// NewChannelHub returns an empty hub whose channels get their media from answer and
// register it in peers.
func NewChannelHub(limits ChannelLimits, answer Answer, peers *MediaPeerHub, notifier Notifier) *ChannelHub {
	return &ChannelHub{
		answer: answer, notifier: notifier, peers: peers, limits: limits, decider: newDecider(),
		channels: make(map[string]*Channel),
	}
}

// RunDecisions decides until ctx is done who is speaking, and who is heard where there are
// more talkers than slots. Without it everybody is silent to that end. It may run once.
func (h *ChannelHub) RunDecisions(ctx context.Context) { h.decider.run(ctx) }

// Create adds a channel and tells everybody but its owner. It fails with
// ErrChannelExists or ErrTooManyChannels.
func (h *ChannelHub) Create(spec ChannelSpec, now time.Time) (ChannelInfo, error) {
	if spec.Capacity == 0 {
		spec.Capacity = h.limits.Capacity
	}
	c := &Channel{
		id: spec.ID, mode: ModeConference, ownerID: spec.OwnerID, createdAt: now,
		answer: h.answer, notifier: h.notifier, peers: h.peers, decider: h.decider,
		name: spec.Name, capacity: spec.Capacity, members: make(map[string]*Member), emptySince: now,
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.channels[spec.ID] != nil {
		return ChannelInfo{}, fmt.Errorf("%w: %s", ErrChannelExists, spec.ID)
	}
	if len(h.channels) >= h.limits.Channels {
		return ChannelInfo{}, fmt.Errorf("%w than %d", ErrTooManyChannels, h.limits.Channels)
	}
	h.channels[spec.ID] = c
	info := c.Info()
	h.notifier.NotifyAll(spec.OwnerID, ChannelCreated{Channel: info})
	return info, nil
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

// List returns all channels, oldest first.
func (h *ChannelHub) List() []ChannelInfo {
	h.mu.RLock()
	infos := make([]ChannelInfo, 0, len(h.channels))
	for _, c := range h.channels {
		infos = append(infos, c.Info())
	}
	h.mu.RUnlock()
	slices.SortFunc(infos, func(a, b ChannelInfo) int {
		if byAge := a.CreatedAt.Compare(b.CreatedAt); byAge != 0 {
			return byAge
		}
		return strings.Compare(a.ID, b.ID)
	})
	return infos
}

// Update changes a channel's name and capacity, where not nil, and tells everybody but
// the one named by except. A capacity below the number of members makes nobody leave.
func (h *ChannelHub) Update(c *Channel, name *string, capacity *int, except string) (ChannelInfo, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.channels[c.id] != c {
		return ChannelInfo{}, fmt.Errorf("%w: %s", ErrChannelNotFound, c.id)
	}
	c.mu.Lock()
	if name != nil {
		c.name = *name
	}
	if capacity != nil {
		c.capacity = *capacity
		if c.capacity == 0 {
			c.capacity = h.limits.Capacity
		}
	}
	info := c.infoLocked()
	c.mu.Unlock()
	h.notifier.NotifyAll(except, ChannelUpdated{Channel: info})
	return info, nil
}

// Delete removes a channel with all its members and tells everybody but the one named
// by except. It reports false when the channel was gone already.
func (h *ChannelHub) Delete(c *Channel, except string) bool {
	return h.deleteIf(c, except, func() bool { return true })
}

// ReapIdle deletes the channels that somebody created and that have been empty for
// longer than idle; it returns how many.
func (h *ChannelHub) ReapIdle(now time.Time, idle time.Duration) int {
	h.mu.RLock()
	candidates := make([]*Channel, 0, len(h.channels))
	for _, c := range h.channels {
		if c.ownerID != "" {
			candidates = append(candidates, c)
		}
	}
	h.mu.RUnlock()
	reaped := 0
	for _, c := range candidates {
		unused := func() bool { return len(c.members) == 0 && now.Sub(c.emptySince) > idle }
		if h.deleteIf(c, "", unused) {
			reaped++
		}
	}
	return reaped
}

// deleteIf deletes c when condition, called with c's lock held, still holds.
func (h *ChannelHub) deleteIf(c *Channel, except string, condition func() bool) bool {
	h.mu.Lock()
	c.mu.Lock()
	if h.channels[c.id] != c || !condition() {
		c.mu.Unlock()
		h.mu.Unlock()
		return false
	}
	delete(h.channels, c.id)
	c.deleted = true
	members := c.order
	c.order = nil
	clear(c.members)
	for _, m := range members {
		c.disconnectLocked(m)
	}
	c.mu.Unlock()
	h.notifier.NotifyAll(except, ChannelDeleted{ChannelID: c.id})
	h.mu.Unlock()
	for _, m := range members {
		m.hangUp()
	}
	return true
}

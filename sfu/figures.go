package sfu

import (
	"maps"
	"slices"
)

// Figures are how many there are of what, at one moment.
type Figures struct {
	// Channels is how many channels there are of each mode, Occupied in how many somebody is.
	Channels map[Mode]int
	Occupied int
	// Members are in them and on this node, Talkers of them with a microphone; Speaking speak, Lost are those of whose media nothing comes.
	Members, Talkers, Speaking, Lost int
	// Floors are held, and FloorWaiting wait for one. Listening listen to a channel without being in it.
	Floors, FloorWaiting, Listening int
	// Relayed are streams that are carried to other nodes, and RelayedMost those of the channel that has most of them.
	Relayed, RelayedMost int
}

// Figures counts what there is. It takes the lock of each channel for a moment.
func (h *ChannelHub) Figures() Figures {
	f := Figures{Channels: map[Mode]int{ModeConference: 0, ModePTT: 0}}
	for _, c := range h.all() {
		c.count(&f)
	}
	return f
}

func (h *ChannelHub) all() []*Channel {
	h.mu.RLock()
	defer h.mu.RUnlock()
	return slices.Collect(maps.Values(h.channels))
}

func (c *Channel) count(f *Figures) {
	c.mu.Lock()
	defer c.mu.Unlock()
	f.Channels[c.roster.channel.Mode]++
	if !c.roster.empty() {
		f.Occupied++
	}
	for _, p := range c.roster.own {
		f.Members++
		if p.talker {
			f.Talkers++
		}
		if p.mediaLost {
			f.Lost++
		}
	}
	for _, s := range c.board.told.speakers {
		if c.roster.shows("", s.UserID) {
			f.Speaking++
		}
	}
	f.Listening += len(c.board.ears)
	relayed := c.board.relayed()
	f.Relayed += relayed
	f.RelayedMost = max(f.RelayedMost, relayed)
	if state := c.floorStateLocked(); state != nil {
		f.FloorWaiting += state.Waiting
		for _, grant := range []*FloorGrant{state.Holder, state.Over} {
			if grant != nil {
				f.Floors++
			}
		}
	}
}

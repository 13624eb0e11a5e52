package sfu

import (
	"fmt"
	"slices"
)

// channelNames is under which keys the names of a hub's channels are taken. Channels that were there before the rule may
// share one. Not safe for concurrent use.
type channelNames struct {
	keysOf func(name string) []string
	taken  map[string][]*Channel // by key
}

func newChannelNames(keysOf func(string) []string) channelNames {
	return channelNames{keysOf: keysOf, taken: make(map[string][]*Channel)}
}

// free reports whether c may be called by a name: ErrNameTaken when another channel's looks the same.
func (n *channelNames) free(c *Channel, name string) error {
	for _, key := range n.keysOf(name) {
		for _, other := range n.taken[key] {
			if other != c {
				return fmt.Errorf("%w: %q looks the same as that of another channel", ErrNameTaken, name)
			}
		}
	}
	return nil
}

func (n *channelNames) take(c *Channel, name string) {
	for _, key := range n.keysOf(name) {
		n.taken[key] = append(n.taken[key], c)
	}
}

func (n *channelNames) release(c *Channel, name string) {
	for _, key := range n.keysOf(name) {
		n.taken[key] = slices.DeleteFunc(n.taken[key], func(other *Channel) bool { return other == c })
		if len(n.taken[key]) == 0 {
			delete(n.taken, key)
		}
	}
}

package client

import (
	"context"
	"time"

	"github.com/mini-livechat/mini-livechat/signaling/protocol"
)

// playbackLook is how long the client looks at what arrives of somebody before it says how it plays them.
const playbackLook = time.Second

// Why asks why somebody is not heard: for the first link that is broken between their microphone and this client.
func (c *Client) Why(ctx context.Context, userID string) (protocol.WhyFound, error) {
	look := time.NewTimer(playbackLook)
	defer look.Stop()
	before := c.arrivedOf(userID)
	select {
	case <-look.C:
	case <-ctx.Done():
		return protocol.WhyFound{}, ctx.Err()
	case <-c.done:
		return protocol.WhyFound{}, c.Err()
	}
	playback := c.playback(userID, before)
	var found protocol.WhyFound
	err := c.Request(ctx, protocol.OpWhy, protocol.Why{UserID: userID, Playback: &playback}, &found)
	return found, err
}

// arrived counts what came of somebody.
type arrived struct{ packets, lost, unread uint64 }

// arrivedOf returns what came so far on the slot on which somebody is; nothing when they are on none.
func (c *Client) arrivedOf(userID string) (a arrived) {
	call := c.Call()
	if call == nil {
		return a
	}
	for _, slot := range call.Slots() {
		if slot.UserID() == userID {
			stats := slot.Stats()
			return arrived{stats.Received, stats.Lost, stats.Dropped}
		}
	}
	return a
}

// playback is how the client plays somebody, of whom so much had come a playbackLook ago.
func (c *Client) playback(userID string, before arrived) protocol.Playback {
	now := c.arrivedOf(userID)
	told := protocol.Playback{OverMS: playbackLook.Milliseconds()}
	if now.packets >= before.packets { // else they have another slot by now
		told.Packets, told.Lost = new(int64(now.packets-before.packets)), new(int64(max(now.lost, before.lost)-before.lost)) //nolint:gosec // counts of a second
	}
	if came := now.packets - before.packets; now.packets > before.packets && now.unread-before.unread > came/2 {
		told.Playing = new(false) // nobody reads them
	}
	c.mu.Lock()
	if c.voice.Sound != nil {
		told.Sound = *c.voice.Sound
	}
	c.mu.Unlock()
	if c.opts.Playback != nil {
		c.opts.Playback(userID, &told)
	}
	return told
}

// tellPlayback answers a question for how somebody is played, in a while.
func (c *Client) tellPlayback(d *protocol.PlaybackWanted) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err != nil {
		return
	}
	c.wg.Go(func() {
		before := c.arrivedOf(d.UserID)
		look := time.NewTimer(playbackLook)
		defer look.Stop()
		select {
		case <-look.C:
			_, _, _ = c.post(protocol.OpPlayback, protocol.PlaybackTold{AskID: d.AskID, Playback: c.playback(d.UserID, before)}, nil)
		case <-c.done:
		}
	})
}

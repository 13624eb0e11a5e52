package client

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/mini-livechat/mini-livechat/signaling/protocol"
)

// roomWith is a presence of one person in one channel.
func roomWith(user string) protocol.Presence {
	return protocol.Presence{Channels: []protocol.ChannelPresence{
		{ChannelID: "room", Members: []protocol.Present{{UserID: user, Name: user}}},
	}}
}

// watched reads a PRESENCE request and answers it.
func (c *fakeConn) watched(want bool, now protocol.Presence) {
	f := c.until(protocol.OpPresence)
	var d protocol.PresenceWatch
	require.NoError(c.t, f.Bind(&d))
	require.Equal(c.t, want, *d.Watch)
	c.ack(f, now)
}

// What is watched is watched again in a new session, and not when it was not any more.
func TestPresenceIsWatchedAgain(t *testing.T) {
	t.Parallel()
	srv, _ := comings(t, func(c *fakeConn) {
		c.identify()
		c.watched(true, roomWith("bob"))
		c.event(protocol.OpPresenceEvent, protocol.Presence{Channels: []protocol.ChannelPresence{
			{ChannelID: "room", Set: []protocol.Present{{UserID: "cy", SelfMute: true}}},
		}})
		c.until(protocol.OpChannelInfo)
		c.cut()
	}, func(c *fakeConn) { // another session
		c.identify()
		c.watched(true, roomWith("dee")) // before what was asked before
		c.ack(c.until(protocol.OpChannelInfo), protocol.ChannelDetail{})
		c.event(protocol.OpPresenceEvent, roomWith("eve"))
		c.watched(false, protocol.Presence{Channels: []protocol.ChannelPresence{}})
		c.until(protocol.OpChannelInfo)
		c.cut()
	}, func(c *fakeConn) {
		c.identify()
		f, _ := c.next()
		require.Equal(c.t, protocol.OpChannelInfo, f.Op, "nothing is watched any more")
		c.ack(f, protocol.ChannelDetail{})
		c.until(protocol.OpHello)
	})
	c := srv.dial(Options{Token: "ada"})
	ctx := testContext(t)
	now, err := c.WatchPresence(ctx, true)
	require.NoError(t, err)
	require.Equal(t, roomWith("bob"), now)
	_, err = c.Channel(ctx, "room")
	require.NoError(t, err)

	var known protocol.Presence
	next := func(want any) {
		t.Helper()
		ev := <-c.Events()
		require.IsType(t, want, ev.Payload)
		switch d := ev.Payload.(type) {
		case *PresenceSnapshot:
			require.Zero(t, ev.S)
			known = d.Presence
		case *protocol.Presence:
			require.Equal(t, protocol.OpPresenceEvent, ev.Op)
			known.Apply(*d)
		}
	}
	next(&PresenceSnapshot{})
	require.Equal(t, now, known)
	next(&protocol.Presence{})
	require.Equal(t, []protocol.Present{{UserID: "bob", Name: "bob"}, {UserID: "cy", SelfMute: true}}, known.Channels[0].Members)
	require.Equal(t, roomWith("bob"), now, "what was returned stays what it was")
	next(&Disconnected{})
	next(&Reidentified{})
	next(&PresenceSnapshot{})
	require.Equal(t, roomWith("dee"), known)
	next(&protocol.Presence{})
	require.Equal(t, roomWith("eve"), known)
	now, err = c.WatchPresence(ctx, false)
	require.NoError(t, err)
	require.Empty(t, now.Channels)
	_, err = c.Channel(ctx, "room")
	require.NoError(t, err)
	next(&Disconnected{})
	next(&Reidentified{})
	require.NoError(t, c.Err())
}

// A watch that was asked for and not answered is asked for once by the next session, and answered to who asked.
func TestPresenceAskedForWhenTheSessionIsLost(t *testing.T) {
	t.Parallel()
	srv, _ := comings(t, func(c *fakeConn) {
		c.identify()
		c.until(protocol.OpPresence)
		c.cut()
	}, func(c *fakeConn) {
		c.identify()
		c.watched(true, roomWith("bob"))
		f, _ := c.next()
		require.Equal(c.t, protocol.OpChannelInfo, f.Op)
		c.ack(f, protocol.ChannelDetail{})
		c.until(protocol.OpHello)
	})
	c := srv.dial(Options{Token: "ada"})
	now, err := c.WatchPresence(testContext(t), true)
	require.NoError(t, err)
	require.Equal(t, roomWith("bob"), now)
	_, err = c.Channel(testContext(t), "room")
	require.NoError(t, err)
}

package client

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mini-livechat/mini-livechat/signaling/protocol"
)

// Who was told when to come back comes then, and not before; once, since the next end was not announced.
func TestReconnectSaysWhenToComeBack(t *testing.T) {
	t.Parallel()
	const after = 4 * time.Second // far beyond the first pause of the back-off
	closed, came := make(chan time.Time, 2), make(chan time.Time, 2)
	srv, _ := comings(t, func(c *fakeConn) {
		c.identify()
		c.event(protocol.OpReconnect, protocol.Reconnect{Reason: protocol.ReconnectRestart, AfterMS: after.Milliseconds()})
		c.ack(c.until(protocol.OpMessageCreate), protocol.MessageCreated{MessageID: "said while the server goes"})
		closed <- time.Now()
		c.bye(protocol.CloseRestarting)
	}, func(c *fakeConn) {
		came <- time.Now()
		c.identify()
		closed <- time.Now()
		c.bye(protocol.CloseRestarting)
	}, func(c *fakeConn) {
		came <- time.Now()
		c.identify()
		c.until(protocol.OpHello)
	})
	c := srv.dial(Options{Token: "ada"})
	ev := <-c.Events()
	require.Equal(t, protocol.OpReconnect, ev.Op)
	require.EqualValues(t, 1, ev.S)
	require.Equal(t, &protocol.Reconnect{Reason: "restart", AfterMS: after.Milliseconds()}, ev.Payload)
	_, err := c.SendMessage(testContext(t), "room", "hi")
	require.NoError(t, err, "it stays until the server closes")
	require.GreaterOrEqual(t, (<-came).Sub(<-closed), after)
	require.Less(t, (<-came).Sub(<-closed), after, "chance decides again")
	for range 2 {
		require.IsType(t, &Disconnected{}, (<-c.Events()).Payload)
		require.IsType(t, &Reidentified{}, (<-c.Events()).Payload)
	}
}

// What a server asks for is a wish, and it may be mad.
func TestReconnectHasItsLimits(t *testing.T) {
	t.Parallel()
	c := newClient("", Options{})
	for asked, pause := range map[int64]time.Duration{-1: 0, 0: 0, 20: 20 * time.Millisecond, 1 << 62: maxPause} {
		c.reconnect = &protocol.Reconnect{AfterMS: asked}
		require.Equal(t, pause, c.firstPause())
		require.LessOrEqual(t, c.firstPause(), firstPause, "used once")
	}
}

// A server that is about to go refuses everybody, which is no reason to stay away.
func TestDrainingServerIsTriedAgain(t *testing.T) {
	t.Parallel()
	srv, _ := comings(t, func(c *fakeConn) {
		c.resumable("first")
		c.cut()
	}, func(c *fakeConn) {
		c.reply(protocol.OpHello, "", protocol.Hello{HeartbeatInterval: c.heartbeat, V: []int{1}, Features: []string{protocol.FeatureResume}})
		c.refuse(c.until(protocol.OpResume), protocol.CodeDraining)
		c.bye(protocol.CloseDraining)
	}, func(c *fakeConn) { // only the close code
		c.reply(protocol.OpHello, "", protocol.Hello{HeartbeatInterval: c.heartbeat, V: []int{1}, Features: []string{protocol.FeatureResume}})
		c.until(protocol.OpResume)
		c.bye(protocol.CloseDraining)
	}, func(c *fakeConn) { // the one that began anew
		c.hello()
		f := c.until(protocol.OpResume)
		c.reply(protocol.OpInvalidSession, f.ID, protocol.InvalidSession{Reason: "unknown"})
		f = c.until(protocol.OpIdentify)
		c.reply(protocol.OpReady, f.ID, protocol.Ready{V: 1, SessionID: "s2", UserID: "ada"})
		c.until(protocol.OpHello)
	})
	c := srv.dial(Options{Token: "ada"})
	require.IsType(t, &Disconnected{}, (<-c.Events()).Payload)
	require.IsType(t, &Reidentified{}, (<-c.Events()).Payload)
	require.Equal(t, "s2", c.Ready().SessionID)
	require.NoError(t, c.Err())
}

// Whoever reads the events hears that the connection is lost, that another session has begun, and that the call is in its channel again.
func TestRejoiningIsTold(t *testing.T) {
	t.Parallel()
	peers := make(chan *fakePeer, 2)
	srv, _ := comings(t, joinable(t, peers, nil), joinable(t, peers, nil))
	c := srv.dial(Options{Token: "ada"})
	call, err := c.Join(testContext(t), "room", JoinOptions{Slots: 1})
	require.NoError(t, err)
	require.True(t, call.Present())
	c.sending.Lock()
	c.link.close()
	c.sending.Unlock()
	for _, payload := range []any{&Disconnected{}, &Reidentified{}, &Rejoined{}} {
		require.IsType(t, payload, (<-c.Events()).Payload)
	}
	waitFor(t, "the call is there again", call.Present)
	require.NoError(t, c.Close())
	require.False(t, call.Present())
	for range 2 {
		require.NoError(t, (<-peers).pc.GracefulClose())
	}
}

// A join that a server refuses because it is about to go succeeds with the server that comes after it.
func TestJoinOutlastsTheServer(t *testing.T) {
	t.Parallel()
	peers := make(chan *fakePeer, 1)
	srv, _ := comings(t, func(c *fakeConn) {
		c.identify()
		f := c.until(protocol.OpChannelJoin)
		c.reply(protocol.OpError, f.ID, protocol.Error{
			Op: f.Op, Code: protocol.CodeDraining, Reason: "because", RetryAfterMS: 50,
		})
		c.until(protocol.OpChannelJoin)
		c.bye(protocol.CloseRestarting)
	}, joinable(t, peers, nil))
	c := srv.dial(Options{Token: "ada"})
	call, err := c.Join(testContext(t), "room", JoinOptions{Slots: 1})
	require.NoError(t, err)
	require.NoError(t, call.Err())
	require.NoError(t, c.Close())
	require.NoError(t, (<-peers).pc.GracefulClose())
}

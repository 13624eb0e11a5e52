package e2e

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"github.com/stretchr/testify/require"

	"github.com/mini-livechat/mini-livechat/cmd/app"
	"github.com/mini-livechat/mini-livechat/signaling/protocol"
)

// A connection that the client has given up, and the server not yet, is replaced; of many
// at once one is left.
func TestResumeTakesTheConnectionOver(t *testing.T) {
	verifyNoLeaks(t)
	s := startServer(t)
	ada, _ := identify(t, s, "Ada")
	bob, _ := identify(t, s, "Bob")
	ada.joinChannel("lobby")
	bob.joinChannel("lobby")
	next, _, _ := ada.resume(s)
	require.Equal(t, protocol.CloseReplaced, ada.closed())
	next.quietBut(protocol.OpChannelEvent, protocol.OpSlotMap)
	bob.quiet()

	var all sync.WaitGroup
	frame, err := protocol.EncodeRequest(protocol.OpResume, "", next.resumption())
	require.NoError(t, err)
	conns := make([]*raw, 8)
	for i := range conns {
		conns[i] = dial(t, s)
	}
	for _, c := range conns {
		all.Go(func() { _ = c.conn.WriteMessage(websocket.TextMessage, frame) })
	}
	all.Wait()
	require.Equal(t, protocol.CloseReplaced, next.closed())
	var alive, ended, endedResumed, everResumed atomic.Int32
	for _, c := range conns {
		all.Go(func() {
			resumed := int32(0)
			for {
				_, data, err := c.conn.ReadMessage()
				if err != nil {
					endedResumed.Add(resumed)
					ended.Add(1)
					if resumed > 0 && !websocket.IsCloseError(err, int(protocol.CloseReplaced)) {
						alive.Add(1)
					}
					return
				}
				if frame, err := protocol.Decode(data); err == nil && frame.Op == protocol.OpResumed && resumed == 0 {
					resumed = 1
					everResumed.Add(1)
				}
			}
		})
	}
	eventually(t, "all but one have ended, and that one is told that it has resumed", func() bool {
		return int(ended.Load()) >= len(conns)-1 && everResumed.Load() > endedResumed.Load()
	})
	for _, c := range conns {
		_ = c.conn.SetReadDeadline(time.Now().Add(500 * time.Millisecond)) // in which the last one may end, too
	}
	all.Wait()
	require.EqualValues(t, 1, alive.Load())
	bob.quiet()
}

// A request that is still being carried out when the connection breaks is answered on the
// next one, and requests behind it are not carried out for a connection that is gone.
func TestResumeWhileRequestsAreCarriedOut(t *testing.T) {
	verifyNoLeaks(t)
	s := startServer(t, func(c *app.Config) { c.RequestRate, c.RequestBurst = 10_000, 10_000 })
	ada, _ := identify(t, s, "Ada")
	join := protocol.ChannelJoin{ChannelID: "lobby", SDPOffer: offer(t, 1, 2)}
	leave := protocol.ChannelRef{ChannelID: "lobby"}
	for range 20 {
		ids := []string{ada.request(protocol.OpChannelJoin, join), ada.request(protocol.OpChannelLeave, leave)}
		ops := map[string]protocol.Op{ids[0]: protocol.OpChannelJoin, ids[1]: protocol.OpChannelLeave}
		next, _, replies := ada.resume(s)
		for _, id := range ids {
			if _, ok := replies[id]; ok {
				continue
			}
			var d any = join
			if ops[id] == protocol.OpChannelLeave {
				d = leave
			}
			frame, err := protocol.EncodeRequest(ops[id], id, d)
			require.NoError(t, err)
			next.send(string(frame))
			replies[id] = next.read()
			require.Equal(t, id, replies[id].ID)
		}
		for _, id := range ids {
			require.Equal(t, protocol.OpAck, replies[id].Op, "%s", replies[id].D)
		}
		ada = next
	}
}

// The others see that somebody's connection is lost only when it stays so.
func TestUnstableIsTold(t *testing.T) {
	verifyNoLeaks(t)
	s := startServer(t, func(c *app.Config) { c.ResumeWindow = 12 * time.Second })
	ada, adaID := identify(t, s, "Ada")
	bob, _ := identify(t, s, "Bob")
	ada.joinChannel("lobby")
	bob.joinChannel("lobby")
	lost := time.Now()
	ada.cut()
	var event protocol.ChannelEvent
	bob.event(protocol.OpChannelEvent, &event)
	require.Equal(t, protocol.ChannelEventConnection, event.Event)
	require.Equal(t, "lobby", event.ChannelID)
	require.Equal(t, &protocol.Member{UserID: adaID, Name: "Ada", Role: "guest", Talker: true, Connection: protocol.ConnectionUnstable, Media: protocol.MediaOK}, event.Member)
	require.Greater(t, time.Since(lost), 2*time.Second)
	cyd, _ := identify(t, s, "Cyd")
	require.Equal(t, protocol.ConnectionUnstable, cyd.joinChannel("lobby").ActiveMembers[0].Connection)
	ada, _, _ = ada.resume(s)
	for event.Member.UserID != adaID || event.Member.Connection != protocol.ConnectionOK {
		bob.event(protocol.OpChannelEvent, &event)
	}
	require.Equal(t, protocol.ChannelEventConnection, event.Event)
	ada.quietBut(protocol.OpChannelEvent, protocol.OpSlotMap)
	ada.cut()
	bob.toldGone(adaID)
}

// A client that comes back by another way is told how TURN is reached from there.
func TestResumeFromAnotherPlace(t *testing.T) {
	verifyNoLeaks(t)
	s := startServer(t)
	ada, _ := identify(t, s, "Ada")
	ada.cut()
	header := http.Header{"Host": {strings.Replace(strings.TrimPrefix(s.URL, "http://"), "127.0.0.1", "localhost", 1)}}
	conn, resp, err := websocket.DefaultDialer.Dial("ws"+strings.TrimPrefix(s.URL, "http")+"/ws", header)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	defer conn.Close()
	c := &raw{t: t, conn: conn}
	require.Equal(t, protocol.OpHello, c.read().Op)
	var resumed protocol.Resumed
	c.reply(protocol.OpResume, ada.resumption(), protocol.OpResumed, &resumed)
	require.Contains(t, fmt.Sprint(ada.ready.ICEServers), "127.0.0.1")
	require.NotContains(t, fmt.Sprint(ada.ready.ICEServers), "localhost")
	require.Contains(t, fmt.Sprint(resumed.ICEServers[0].URLs), "localhost")
	var joined protocol.Joined
	c.ack(protocol.OpChannelJoin, protocol.ChannelJoin{ChannelID: "lobby", SDPOffer: offer(t, 1, 2)}, &joined)
	require.Contains(t, joined.SDPAnswer, "127.0.0.1")
}

// A connection on which nothing is heard is closed, and its session waits.
func TestResumeAfterSilence(t *testing.T) {
	verifyNoLeaks(t)
	s := startServer(t, quickReaper)
	c, _ := identify(t, s, "Ada")
	c.conn.SetPingHandler(func(string) error { return nil })
	require.Equal(t, protocol.CloseTimedOut, c.closed())
	c, _, _ = c.resume(s)
	c.quiet()
}

func TestNoResumeWithoutAWindow(t *testing.T) {
	verifyNoLeaks(t)
	s := startServer(t, func(c *app.Config) { c.ResumeWindow = 0 })
	c, _ := identify(t, s, "Ada")
	require.Zero(t, c.ready.ResumeWindowMS)
	require.Empty(t, c.ready.ResumeToken)
	c.cut()
	dial(t, s).invalid(protocol.Resume{V: 1, SessionID: c.ready.SessionID, ResumeToken: "x"}, "unknown")
}

// A server that goes does not wait for those who are away.
func TestShutdownEndsSessionsThatAreAway(t *testing.T) {
	verifyNoLeaks(t)
	s := startServer(t, func(c *app.Config) { c.ResumeWindow = time.Hour })
	ada, _ := identify(t, s, "Ada")
	ada.joinChannel("lobby")
	ada.cut()
	begin := time.Now()
	s.stop()
	require.Less(t, time.Since(begin), patience)
}

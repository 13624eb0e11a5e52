package signaling

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"github.com/stretchr/testify/require"

	"github.com/mini-livechat/mini-livechat/signaling/auth"
	"github.com/mini-livechat/mini-livechat/signaling/protocol"
)

func TestComeBackSpreadGrowsWithTheCrowd(t *testing.T) {
	for sessions, spread := range map[int]time.Duration{
		0: 0, 1: 5 * time.Millisecond, 200: time.Second, 1000: 5 * time.Second, 2000: 10 * time.Second, 1_000_000: 10 * time.Second,
	} {
		require.Equal(t, spread, comeBackSpread(sessions, 10*time.Second), "%d", sessions)
	}
}

// Who goes to another node has as long again to do so as it takes to tell all.
func TestMoveSpreadLeavesTime(t *testing.T) {
	require.Equal(t, 1500*time.Millisecond, moveSpread(t.Context(), 100, 10*time.Second))
	require.Equal(t, 10*time.Second, moveSpread(t.Context(), 1_000_000, 10*time.Second))
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	require.LessOrEqual(t, moveSpread(ctx, 1_000_000, time.Hour), 30*time.Second)
	cancel()
	late, cancelled := context.WithDeadline(t.Context(), time.Now().Add(-time.Second))
	defer cancelled()
	require.Zero(t, moveSpread(late, 100, 10*time.Second))
}

// Behind a balancer all nodes have one name, and whoever asks there at once would come back to the node that is left.
func TestMoveAfterTheBalancerKnows(t *testing.T) {
	require.Zero(t, moveAfter("https://n2.example.org", "https://n1.example.org"))
	require.Zero(t, moveAfter("https://n2.example.org", ""))
	require.Equal(t, balancerPatience, moveAfter("https://voice.example.org", "https://voice.example.org"))
}

// stuff fills the way to a client that does not read, until the system takes no more, and the
// session's outbox holds something.
func stuff(t *testing.T, s *Session) {
	t.Helper()
	body, err := protocol.EncodeBody(protocol.OpMessageEvent, protocol.MessageEvent{Content: strings.Repeat("x", 64<<10)})
	require.NoError(t, err)
	require.Eventually(t, func() bool {
		s.out.event(body)
		// A writer that has no turn on a busy machine has one within a second; one that is stuck has none.
		for began := time.Now(); time.Since(began) < time.Second; time.Sleep(time.Millisecond) {
			if s.out.settled() {
				return false
			}
		}
		return true
	}, time.Minute, time.Millisecond)
}

func TestDrainTellsEverybodyAndWaits(t *testing.T) {
	g, url := startGateway(t, nil)
	g.cfg.WriteTimeout, g.cfg.ResumeWindow = time.Hour, time.Minute
	reads, away := identified(t, g, url, "reads"), identified(t, g, url, "away")
	identified(t, g, url, "mute")
	require.NoError(t, away.NetConn().Close())
	require.Eventually(t, func() bool { return g.users.Get("away").attached() == nil }, time.Minute, time.Millisecond)
	stuff(t, g.users.Get("mute"))
	require.False(t, g.Draining())

	const most = 10 * time.Millisecond
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	told, unread := g.Drain(ctx, most)
	require.Error(t, ctx.Err(), "it waited for who does not read")
	require.Equal(t, 2, told, "who has no connection cannot be told")
	require.Equal(t, 1, unread)

	frame := next(t, reads)
	require.Equal(t, protocol.OpReconnect, frame.Op)
	require.EqualValues(t, 1, frame.S, "it is numbered like every event")
	var d protocol.Reconnect
	require.NoError(t, frame.Bind(&d))
	require.Equal(t, protocol.ReconnectRestart, d.Reason)
	require.GreaterOrEqual(t, d.AfterMS, int64(0))
	require.LessOrEqual(t, d.AfterMS, most.Milliseconds())

	refusedWith := func(ws *websocket.Conn, op protocol.Op, d any) protocol.Error {
		ask(t, ws, op, d)
		frame := next(t, ws)
		require.Equal(t, protocol.OpError, frame.Op)
		var refusal protocol.Error
		require.NoError(t, frame.Bind(&refusal))
		require.Equal(t, op, refusal.Op)
		require.Equal(t, protocol.CodeDraining, refusal.Code)
		return refusal
	}
	// Who is in stays, and goes into no channel any more.
	refusal := refusedWith(reads, protocol.OpChannelJoin, protocol.ChannelJoin{ChannelID: "lobby", SDPOffer: "v=0"})
	require.Positive(t, refusal.RetryAfterMS)
	ask(t, reads, protocol.OpVoiceState, protocol.VoiceState{SelfMute: new(true)})
	require.Equal(t, protocol.OpAck, next(t, reads).Op)
	// Who comes is refused, and so is who comes back.
	token, err := g.auth.Mint(auth.Identity{UserID: "late", Name: "late"}, time.Now(), time.Hour)
	require.NoError(t, err)
	for op, d := range map[protocol.Op]any{
		protocol.OpIdentify: protocol.Identify{Token: token, V: protocol.Version},
		protocol.OpResume:   protocol.Resume{V: protocol.Version, SessionID: g.users.Get("away").id, ResumeToken: "any"},
	} {
		late, resp, dialErr := websocket.DefaultDialer.Dial(url, nil)
		require.NoError(t, dialErr)
		require.NoError(t, resp.Body.Close())
		require.Equal(t, protocol.OpHello, next(t, late).Op)
		refusedWith(late, op, d)
		_, _, err = late.ReadMessage()
		require.True(t, websocket.IsCloseError(err, int(protocol.CloseDraining)), "%v", err)
		require.NoError(t, late.Close())
	}
	require.Nil(t, g.users.Get("late"))

	ended, enough := context.WithCancel(t.Context())
	defer enough()
	shut := make(chan error, 1)
	go func() { shut <- g.Shutdown(ended) }()
	_, _, err = reads.ReadMessage()
	require.True(t, websocket.IsCloseError(err, int(protocol.CloseRestarting)), "%v", err)
	enough() // for the other, who does not read
	require.NoError(t, <-shut)
	_, resp, err := websocket.DefaultDialer.Dial(url, nil)
	require.Error(t, err)
	require.Equal(t, http.StatusServiceUnavailable, resp.StatusCode)
	require.NoError(t, resp.Body.Close())
}

// Nobody there, nothing to wait for; and who takes what it is told is not waited for either.
func TestDrainDoesNotTarry(t *testing.T) {
	g, url := startGateway(t, nil)
	began := time.Now()
	told, unread := g.Drain(t.Context(), time.Hour)
	require.Zero(t, told+unread)
	require.Less(t, time.Since(began), time.Minute)
	g.draining.Store(false)
	for _, name := range []string{"ada", "bo", "cy"} {
		identified(t, g, url, name)
	}
	told, unread = g.Drain(t.Context(), time.Hour)
	require.Equal(t, 3, told)
	require.Zero(t, unread)
	require.NoError(t, t.Context().Err())
}

// A frame counts as written when the writer has come back from it, not when it was taken.
func TestSettledMeansWritten(t *testing.T) {
	o, c := newOutbox(10, 1000, true), new(Conn)
	require.True(t, o.settled(), "there is nobody to write")
	c.queued = make(chan struct{}, 1)
	o.attach(c)
	require.True(t, o.settled())
	body, err := protocol.EncodeBody(protocol.OpMessageEvent, protocol.MessageEvent{})
	require.NoError(t, err)
	o.event(body)
	require.False(t, o.settled())
	_, ok := o.pop(c)
	require.True(t, ok)
	require.False(t, o.settled(), "it is being written")
	_, ok = o.pop(c)
	require.False(t, ok)
	require.True(t, o.settled())
	o.event(body)
	o.detach(c)
	require.True(t, o.settled(), "there is nobody to write")
}

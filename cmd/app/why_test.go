package app

import (
	"context"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"github.com/stretchr/testify/require"

	"github.com/mini-livechat/mini-livechat/signaling"
	"github.com/mini-livechat/mini-livechat/signaling/client"
	"github.com/mini-livechat/mini-livechat/signaling/people"
	"github.com/mini-livechat/mini-livechat/signaling/protocol"
	"github.com/mini-livechat/mini-livechat/signaling/why"
)

// guestOf is a guest of a server, until the end of the test.
func guestOf(t *testing.T, a *App, name string, change ...func(*client.Options)) *client.Client {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	guest, err := client.Guest(ctx, a.URL(), name)
	require.NoError(t, err)
	engine, err := client.NewEngine(client.EngineConfig{LocalIP: func(ip net.IP) bool { return ip.IsLoopback() && ip.To4() != nil }})
	require.NoError(t, err)
	opts := client.Options{Token: guest.Token, Engine: engine, NoReconnect: true}
	for _, f := range change {
		f(&opts)
	}
	c, err := client.Dial(ctx, a.URL(), opts)
	require.NoError(t, err)
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func joined(t *testing.T, c *client.Client, channel string) *client.Call {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	call, err := c.Join(ctx, channel, client.JoinOptions{})
	require.NoError(t, err)
	return call
}

// The operator asks for two people, by id or name, and the listener's client is asked how it plays the other.
func TestOperatorAsksWhy(t *testing.T) {
	a := startApp(t)
	lis := guestOf(t, a, "Lis", func(o *client.Options) {
		o.Playback = func(_ string, told *protocol.Playback) { told.Volume = new(0.0) }
	})
	tom := guestOf(t, a, "Tom")
	joined(t, lis, "lobby")
	call := joined(t, tom, "lobby")
	hush := make(chan struct{})
	defer func() { <-hush }()
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	go func() {
		defer close(hush)
		for ctx.Err() == nil && call.WriteOpusLevel(append([]byte{0x48}, make([]byte, 60)...), 20*time.Millisecond, 20) == nil {
			time.Sleep(20 * time.Millisecond) // a voice, not a wait
		}
	}()
	var report signaling.WhyReport
	require.Eventually(t, func() bool {
		var err error
		report, err = a.gateway.Why(t.Context(), "Lis", tom.UserID())
		require.NoError(t, err)
		return report.Cause == string(why.OutputMuted)
	}, patience, 10*time.Millisecond, "the last was %v", &report)
	require.True(t, report.Asked)
	require.Zero(t, *report.Playback.Volume)
	require.Positive(t, *report.Playback.Packets, "the client says what arrived")
	require.Equal(t, protocol.Listener{UserID: lis.UserID(), Name: "Lis"}, report.Listener)
	require.Equal(t, protocol.Listener{UserID: tom.UserID(), Name: "Tom"}, report.Talker)
	require.Equal(t, why.LinkPage, report.Steps[len(report.Steps)-1].Link)
	for _, step := range report.Steps[:len(report.Steps)-1] {
		require.Equal(t, why.OK, step.Cause, step.Link)
	}

	require.Eventually(t, func() bool { // who has just joined is given some seconds
		report, err := a.gateway.Why(t.Context(), "Tom", "Lis")
		return err == nil && report.Cause == string(why.NoPackets)
	}, patience, 10*time.Millisecond, "a client that sends nothing")
	_, err := a.gateway.Why(t.Context(), "Nobody", "Tom")
	require.ErrorIs(t, err, people.ErrUnknown)
	_, err = a.gateway.Why(t.Context(), "Tom", "Nobody")
	require.ErrorIs(t, err, people.ErrUnknown)
}

// A client that does not say that it answers is sent no question.
func TestOperatorAsksOnlyWhoAnswers(t *testing.T) {
	a := startApp(t)
	tom := guestOf(t, a, "Tom")
	guest, err := client.Guest(t.Context(), a.URL(), "Raw")
	require.NoError(t, err)
	conn, resp, err := websocket.DefaultDialer.DialContext(t.Context(), "ws"+strings.TrimPrefix(a.URL(), "http")+"/ws", nil)
	require.NoError(t, err)
	require.Equal(t, http.StatusSwitchingProtocols, resp.StatusCode)
	require.NoError(t, resp.Body.Close())
	defer conn.Close()
	frame, err := protocol.EncodeRequest(protocol.OpIdentify, "1", protocol.Identify{Token: guest.Token, V: protocol.Version})
	require.NoError(t, err)
	require.NoError(t, conn.WriteMessage(websocket.TextMessage, frame))
	for op := protocol.OpHello; op != protocol.OpReady; {
		op = received(t, conn).Op
	}
	require.Eventually(t, func() bool {
		report, unknown := a.gateway.Why(t.Context(), "Raw", tom.UserID())
		require.False(t, report.Asked)
		return unknown == nil && report.Cause == string(why.NotInChannel)
	}, patience, 10*time.Millisecond, "READY comes before others know of the session")
	frame, err = protocol.EncodeRequest(protocol.OpHeartbeat, "2", protocol.Heartbeat{})
	require.NoError(t, err)
	require.NoError(t, conn.WriteMessage(websocket.TextMessage, frame))
	require.Equal(t, protocol.OpHeartbeatAck, received(t, conn).Op, "nothing was asked before it")
}

// received is the next frame of a connection.
func received(t *testing.T, conn *websocket.Conn) protocol.Frame {
	t.Helper()
	_, data, err := conn.ReadMessage()
	require.NoError(t, err)
	frame, err := protocol.Decode(data)
	require.NoError(t, err)
	return frame
}

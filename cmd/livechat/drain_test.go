package main

import (
	"errors"
	"fmt"
	"net/http"
	"os/exec"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"github.com/stretchr/testify/require"

	"github.com/mini-livechat/mini-livechat/cmd/app"
	"github.com/mini-livechat/mini-livechat/signaling/client"
	"github.com/mini-livechat/mini-livechat/signaling/protocol"
)

// hoarding starts a server that lets much wait for a client that does not read, with such a client and one that does.
func hoarding(t *testing.T, args ...string) (cmd *exec.Cmd, url string, log *syncBuffer, reader *client.Client) {
	t.Helper()
	channels := make([]string, 400)
	for i := range channels {
		channels[i] = fmt.Sprint("of-many-", i)
	}
	cmd = livechat(t, nil, append(args, "--http=127.0.0.1:0", "--udp=127.0.0.1:0", "--turn-udp=", "--turn-tcp=",
		"--channels="+strings.Join(channels, ","), "--write-timeout=1h", "--request-rate=100000", "--request-burst=100000",
		"--egress-bytes=268435456", "--egress-queue=65536")...)
	url, log = started(t, cmd)
	guest, err := client.Guest(t.Context(), url, "reads")
	require.NoError(t, err)
	reader, err = client.Dial(t.Context(), url, client.Options{Token: guest.Token, NoReconnect: true})
	require.NoError(t, err)
	t.Cleanup(func() { _ = reader.Close() })

	guest, err = client.Guest(t.Context(), url, "reads nothing")
	require.NoError(t, err)
	deaf, response, err := websocket.DefaultDialer.DialContext(t.Context(), "ws"+strings.TrimPrefix(url, "http")+"/ws", nil)
	require.NoError(t, err)
	require.NoError(t, response.Body.Close())
	t.Cleanup(func() { _ = deaf.Close() })
	ask := func(op protocol.Op, d any) {
		frame, err := protocol.EncodeRequest(op, "", d)
		require.NoError(t, err)
		require.NoError(t, deaf.WriteMessage(websocket.TextMessage, frame))
	}
	ask(protocol.OpIdentify, protocol.Identify{Token: guest.Token, V: protocol.Version})
	for range 300 { // of 50 KB each: more than the system keeps for a socket
		ask(protocol.OpChannelList, struct{}{})
	}
	ask(protocol.OpChannelCreate, protocol.ChannelCreate{ChannelID: "all-asked"})
	require.IsType(t, &protocol.ChannelEvent{}, told(t, reader).Payload)
	return cmd, url, log, reader
}

func told(t *testing.T, c *client.Client) client.Event {
	t.Helper()
	select {
	case ev := <-c.Events():
		return ev
	case <-time.After(patience):
		t.Fatal("nothing was told")
		return client.Event{}
	}
}

// Whatever stalls, the server is gone in time, and it is no failure.
func TestStopIsOverInTime(t *testing.T) {
	t.Parallel()
	const drain = 5 * time.Second
	cmd, url, log, reader := hoarding(t, "--drain="+drain.String())
	stall(t, url, halfPOST)
	began := time.Now()
	require.NoError(t, cmd.Process.Signal(syscall.SIGTERM))
	reconnect, ok := told(t, reader).Payload.(*protocol.Reconnect)
	require.True(t, ok)
	require.Equal(t, protocol.ReconnectRestart, reconnect.Reason)
	require.Equal(t, http.StatusServiceUnavailable, get(t, url+"/readyz"))
	require.Equal(t, http.StatusOK, get(t, url+"/healthz"))
	require.NoError(t, reader.Err(), "it may stay until the end")
	require.NoError(t, cmd.Wait(), "exit code 0: %s", log)
	require.Less(t, time.Since(began), drain+patience/4, "where it would stay for an hour")
	<-reader.Done()
	closed, ok := errors.AsType[*client.CloseError](reader.Err())
	require.True(t, ok, "%v", reader.Err())
	require.Equal(t, protocol.CloseRestarting, closed.Code)
	require.Contains(t, log.String(), "some clients do not read")
}

// With nobody there, or nobody to be told, there is nothing to wait for.
func TestStopIsImmediate(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{{"--drain=10m"}, {"--drain=0"}} {
		cmd := livechat(t, nil, append(args, "--http=127.0.0.1:0", "--udp=127.0.0.1:0", "--turn-udp=", "--turn-tcp=")...)
		url, log := started(t, cmd)
		if args[0] == "--drain=0" {
			sessions(t, url, 3)
		}
		began := time.Now()
		require.NoError(t, cmd.Process.Signal(syscall.SIGTERM))
		require.NoError(t, cmd.Wait(), "exit code 0: %s", log)
		require.Less(t, time.Since(began), patience/2)
		require.NotContains(t, log.String(), "was told", "%v", args)
	}
}

// While the server waits for somebody, a second signal ends it.
func TestSecondSignalEndsTheWaiting(t *testing.T) {
	t.Parallel()
	cmd, url, _, reader := hoarding(t, "--drain=10m")
	require.NoError(t, cmd.Process.Signal(syscall.SIGTERM))
	require.IsType(t, &protocol.Reconnect{}, told(t, reader).Payload)
	require.Equal(t, http.StatusServiceUnavailable, get(t, url+"/readyz"))
	began := time.Now()
	require.NoError(t, cmd.Process.Signal(syscall.SIGTERM))
	exit, ok := errors.AsType[*exec.ExitError](cmd.Wait())
	require.True(t, ok)
	status, _ := exit.Sys().(syscall.WaitStatus)
	require.True(t, status.Signaled(), "%v", exit)
	require.Equal(t, syscall.SIGTERM, status.Signal())
	require.Less(t, time.Since(began), patience/2)
}

// Nobody kills the server before it has ended by itself.
func TestServiceManagersWaitForTheDrain(t *testing.T) {
	t.Parallel()
	for where, text := range map[string]string{
		`(?m)^TimeoutStopSec=(\d+)$`: read(t, "livechat.service"),
		`--stop-timeout=(\d+)`:       read(t, "..", "..", "README.md"),
	} {
		found := regexp.MustCompile(where).FindStringSubmatch(text)
		require.NotNil(t, found, where)
		wait, err := time.ParseDuration(found[1] + "s")
		require.NoError(t, err)
		require.Greater(t, wait, app.DefaultDrain)
	}
}

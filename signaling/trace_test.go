package signaling

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mini-livechat/mini-livechat/signaling/protocol"
	"github.com/mini-livechat/mini-livechat/signaling/store"
)

// Who looks on and does not read loses frames, is told how many, and holds nobody up.
func TestTraceThatIsNotRead(t *testing.T) {
	g := &Gateway{cfg: Config{Store: new(store.Store)}}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	begun, read := make(chan struct{}), make(chan struct{})
	lines := make(chan protocol.AdminTraceLine, 2*traceLines)
	ended := make(chan error, 1)
	go func() {
		first := true
		ended <- g.Trace(ctx, TraceFilter{}, func(line protocol.AdminTraceLine) error {
			if first {
				first = false
				close(begun)
				<-read
				return nil
			}
			lines <- line
			return nil
		})
	}()
	<-begun
	c := &Conn{gw: g}
	const frames = 5 * traceLines
	for range frames {
		g.traces.request(c, &protocol.Frame{Op: protocol.OpHeartbeat}, []byte(`{"op":1,"d":{"s":1}}`))
	}
	close(read)
	seen, lost := 0, uint64(0)
	for seen+int(lost) < frames {
		select {
		case line := <-lines:
			lost += line.Lost
			if line.Op != "" {
				seen++
			}
		case <-time.After(time.Minute):
			require.Fail(t, "not all is accounted for", "%d seen, %d lost", seen, lost)
		}
	}
	require.Equal(t, traceLines, seen)
	cancel()
	require.NoError(t, <-ended)
	require.Nil(t, g.traces.open.Load(), "nobody looks on any more")
}

// Another node is told what came since it asked last, and how much was lost; when it asks no more nothing is kept for it.
func TestTraceForAnotherNode(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := &Gateway{cfg: Config{Store: new(store.Store)}}
		c := &Conn{gw: g}
		asks := func(wait time.Duration) (seen int, lost uint64, took time.Duration) {
			began := time.Now()
			got, err := g.lookHere(t.Context(), &look{ID: "x", Filter: TraceFilter{Op: "heartbeat"}, Wait: wait})
			require.NoError(t, err)
			return len(got.Lines), got.Lost, time.Since(began)
		}
		says := func(op protocol.Op, size int) {
			g.traces.request(c, &protocol.Frame{Op: op}, []byte(`{"op":1,"d":"`+strings.Repeat("x", size)+`"}`))
		}
		seen, _, took := asks(0)
		require.Zero(t, seen)
		require.Zero(t, took)
		says(protocol.OpHeartbeat, 1)
		says(protocol.OpPresence, 1)
		says(protocol.OpHeartbeat, 1)
		seen, _, _ = asks(time.Hour)
		require.Equal(t, 2, seen)
		_, _, took = asks(time.Hour)
		require.Equal(t, traceTick, took, "no longer than one who looks on may wait for a line")

		for range traceLines + 7 {
			says(protocol.OpHeartbeat, 1000)
		}
		seen, lost, _ := asks(0)
		require.InDelta(t, traceBatch/1000, seen, 60, "as much as a message holds")
		require.EqualValues(t, 7, lost)
		for range traceLines / seen {
			more, again, _ := asks(0)
			seen += more
			require.Zero(t, again)
		}
		require.Equal(t, traceLines, seen)

		time.Sleep(traceLease - time.Second)
		synctest.Wait()
		require.NotNil(t, g.traces.open.Load())
		asks(0)
		time.Sleep(traceLease + time.Second)
		synctest.Wait()
		require.Nil(t, g.traces.open.Load())
		require.Empty(t, g.looks.open)
		for range maxTraces {
			require.True(t, g.traces.add(new(trace)))
		}
		_, err := g.lookHere(t.Context(), &look{ID: "y"})
		require.ErrorIs(t, err, ErrTooManyTraces)
	})
}

func TestTracesAreFew(t *testing.T) {
	g := new(Gateway)
	for range maxTraces {
		require.True(t, g.traces.add(new(trace)))
	}
	require.ErrorIs(t, g.Trace(t.Context(), TraceFilter{}, nil), ErrTooManyTraces)
}

func TestTraceLeavesSecretsOut(t *testing.T) {
	frame := traced{op: protocol.OpReady, frame: []byte(`{"op":4,"id":"c1","d":{"login_token":"a","resume_token":"b","ice_servers":[{"credential":"c","username":"d"}],
		"sdp_offer":"v=0\r\na=ice-ufrag:u\r\na=ice-pwd:secret1\r\na=fingerprint:sha-256 AA\r\na=ice-pwd:secret2\r\n","content":"hällo","inner":{"secret":"e","Device":"f"}}}`)}
	line := frame.line("")
	require.Equal(t, map[string]any{
		"login_token": "[secret]", "resume_token": "[secret]", "ice_servers": []any{map[string]any{"credential": "[secret]", "username": "d"}},
		"sdp_offer": "v=0\r\na=ice-ufrag:u\r\na=ice-pwd:[secret]\r\na=fingerprint:sha-256 AA\r\na=ice-pwd:[secret]\r\n",
		"content":   "[5 characters]", "inner": map[string]any{"secret": "[secret]", "Device": "[secret]"},
	}, line.D)
	for _, odd := range []string{"", "{", `{"op":4}`, `{"op":4,"d":7}`, `{"op":4,"d":"x"}`, strings.Repeat("[", 100)} {
		frame.frame = []byte(odd)
		frame.line("")
	}
}

// While nobody looks on a frame costs a load.
func BenchmarkTraceOfNobody(b *testing.B) {
	g := new(Gateway)
	c, frame, data := &Conn{gw: g}, &protocol.Frame{Op: protocol.OpHeartbeat}, []byte(`{"op":1}`)
	for b.Loop() {
		g.traces.request(c, frame, data)
	}
}

package e2e

import (
	"encoding/binary"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"github.com/stretchr/testify/require"

	"github.com/mini-livechat/mini-livechat/cmd/app"
	"github.com/mini-livechat/mini-livechat/signaling/protocol"
)

// A client may ping, but not without bound.
func TestPingsAreBounded(t *testing.T) {
	verifyNoLeaks(t)
	s := startServer(t, func(c *app.Config) { c.RequestRate, c.RequestBurst = 1, 2 })
	for name, ping := range map[string]func(*raw) error{
		"ping": func(c *raw) error { return c.conn.WriteControl(websocket.PingMessage, []byte("x"), time.Time{}) },
		"pong": func(c *raw) error { return c.conn.WriteControl(websocket.PongMessage, []byte("x"), time.Time{}) },
	} {
		t.Run(name, func(t *testing.T) {
			c, _ := identify(t, s, "Ada")
			for range 40 {
				require.NoError(t, ping(c))
			}
			c.quiet() // as many as any client needs
			for range 300 {
				if ping(c) != nil {
					break // closed already
				}
			}
			require.Equal(t, protocol.CloseRateLimited, c.closed())
		})
		t.Run(name+" of a stranger", func(t *testing.T) {
			c := dial(t, s)
			for range 300 {
				if ping(c) != nil {
					break
				}
			}
			require.Equal(t, protocol.CloseRateLimited, c.closed())
		})
	}
}

// Requests that are too many are refused, and told for how long, before the connection is closed: short ones, long ones, and what is
// no request.
func TestRefusalsComeBeforeTheClose(t *testing.T) {
	verifyNoLeaks(t)
	s := startServer(t, func(c *app.Config) { c.RequestRate, c.RequestBurst = 1, 20 })
	for name, frame := range map[string]string{
		"short":      `{"op":20,"id":"x","d":{"channel_id":"lobby","content":"hello"}}`,
		"long":       `{"op":11,"id":"x","d":{"sdp_offer":"` + strings.Repeat("x", 60<<10) + `"}}`,
		"unknown":    `{"op":99}`,
		"broken":     `{"op":1,"id":7}`,
		"heartbeats": `{"op":1,"d":{"s":0}}`,
	} {
		t.Run(name, func(t *testing.T) {
			c, _ := identify(t, s, "Ada")
			for sent := 0; sent < 600<<10 && sent < 60*len(frame); sent += len(frame) {
				if c.conn.WriteMessage(websocket.TextMessage, []byte(frame)) != nil {
					break // closed already
				}
			}
			refused := 0
			code := c.closed(func(frame protocol.Frame) {
				var refusal protocol.Error
				if frame.Op == protocol.OpError && frame.Bind(&refusal) == nil && refusal.Code == protocol.CodeRateLimited {
					require.Positive(t, refusal.RetryAfterMS)
					refused++
				}
			})
			require.Equal(t, protocol.CloseRateLimited, code)
			require.GreaterOrEqual(t, refused, 3)
		})
	}
}

// wsFrame is a masked WebSocket frame (RFC 6455, section 5.2).
func wsFrame(first byte, payload string) []byte {
	frame := binary.BigEndian.AppendUint16([]byte{first, 0x80 | 126}, uint16(len(payload)))
	return append(frame, "\x00\x00\x00\x00"+payload...)
}

// A message may come in fragments, but not in so many that they keep the server busy for
// ever: those without payload count as bytes.
func TestFragmentsAreBounded(t *testing.T) {
	verifyNoLeaks(t)
	s := startServer(t, func(c *app.Config) { c.RequestRate, c.RequestBurst = 1, 2 })
	const (
		text, continuation, last = 0x01, 0x00, 0x80
	)
	c, _ := identify(t, s, "Ada")
	socket := c.conn.NetConn()
	whole := `{"op":1,"id":"f","d":{"s":0}}`
	_, err := socket.Write(wsFrame(text, whole[:5]))
	require.NoError(t, err)
	for i := 5; i < len(whole); i++ {
		_, err = socket.Write(wsFrame(continuation, whole[i:i+1]))
		require.NoError(t, err)
	}
	_, err = socket.Write(wsFrame(last, ""))
	require.NoError(t, err)
	require.Equal(t, protocol.OpHeartbeatAck, c.read().Op)

	_, err = socket.Write(wsFrame(text, ""))
	require.NoError(t, err)
	flood := []byte(strings.Repeat(string(wsFrame(continuation, "")), 1000))
	go func() {
		for range 1000 {
			if _, err := socket.Write(flood); err != nil {
				return
			}
		}
	}()
	require.Equal(t, protocol.CloseRateLimited, c.closed())
}

// heapInUse is what the process holds after a collection, in bytes.
func heapInUse() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// Clients that ask for long lists, as often as they may, and do not read them cost the
// server a bounded amount of memory.
func TestUnreadListsAreBoundedInBytes(t *testing.T) {
	verifyNoLeaks(t)
	s := startServer(t, func(c *app.Config) {
		c.RequestRate, c.RequestBurst = 20_000, 20_000
		c.MaxChannels, c.ChannelsPerGuest, c.PerAddress = 600, 600, 10_000
	})
	owner, _ := identify(t, s, "Ada")
	name := func(n int) string { return strings.Repeat("\u1f600", 48) + fmt.Sprintf("%04d", n) } // as long as names may be on the wire
	for i := range 499 {
		owner.ack(protocol.OpChannelCreate, protocol.ChannelCreate{ChannelID: fmt.Sprint("c", i), ChannelName: name(i)}, nil)
	}
	const clients = 3
	var mute [clients]*raw
	for i := range mute {
		mute[i], _ = identify(t, s, "Mute")
	}
	before := heapInUse()
	most := int64(0)
	for round := range 20 {
		for _, c := range mute {
			for range 50 {
				frame := `{"op":15,"id":"x"}`
				_ = c.conn.WriteMessage(websocket.TextMessage, []byte(frame)) // until it is closed
			}
		}
		// Each list is another one.
		owner.ack(protocol.OpChannelCreate, protocol.ChannelCreate{ChannelID: fmt.Sprint("d", round), ChannelName: name(1000 + round)}, nil)
		most = max(most, heapInUse()-before)
	}
	t.Logf("the heap grew by %d KiB at most", most>>10)
	require.Less(t, most, int64(16<<20))
	for _, c := range mute {
		require.Equal(t, protocol.CloseSlowConsumer, c.closed())
	}
	owner.quietBut(protocol.OpChannelEvent)
}

// Whoever only opens connections keeps nobody out: of those that have not identified the oldest gives way.
func TestStrangersGiveWay(t *testing.T) {
	verifyNoLeaks(t)
	s := startServer(t, func(c *app.Config) { c.MaxSessions = 64 })
	ada, _ := identify(t, s, "Ada")
	strangers := make([]*raw, 0, 31)
	for range 16 {
		strangers = append(strangers, dial(t, s))
	}
	ben, _ := identify(t, s, "Ben")
	require.Equal(t, protocol.CloseNotAuthenticated, strangers[0].closed())
	strangers[1].reply(protocol.OpHeartbeat, protocol.Heartbeat{}, protocol.OpHeartbeatAck, nil)
	for range 15 {
		strangers = append(strangers, dial(t, s))
	}
	require.Equal(t, protocol.CloseNotAuthenticated, strangers[1].closed())
	ada.quiet() // who is in stays
	ben.quiet()
}

// quietBut is quiet, except for events of these kinds, and for what in time is told of any who joined by an offer alone: that
// nothing comes of their media.
func (c *raw) quietBut(ops ...protocol.Op) {
	c.t.Helper()
	c.reply(protocol.OpHeartbeat, protocol.Heartbeat{}, protocol.OpHeartbeatAck, nil)
	for _, frame := range c.events {
		require.Contains(c.t, append(ops, protocol.OpMediaState), frame.Op)
	}
}

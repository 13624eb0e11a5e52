package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"github.com/stretchr/testify/require"

	"github.com/mini-livechat/mini-livechat/signaling/protocol"
)

func loopbackOnly(ip net.IP) bool { return ip.IsLoopback() && ip.To4() != nil }

func TestGatewayURL(t *testing.T) {
	t.Parallel()
	for raw, want := range map[string]string{
		"http://h:1":       "ws://h:1/ws",
		"https://h/":       "wss://h/ws",
		"ws://h/other?x=1": "ws://h/other?x=1",
		"wss://h":          "wss://h/ws",
	} {
		got, err := gatewayURL(raw)
		require.NoError(t, err)
		require.Equal(t, want, got)
	}
	for _, raw := range []string{"", "h:1", "ftp://h", "http://%"} {
		_, err := gatewayURL(raw)
		require.Error(t, err, raw)
	}
}

func TestGuest(t *testing.T) {
	t.Parallel()
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		switch {
		case r.URL.Path != "/api/guest" || r.Header.Get("Content-Type") != "application/json":
			w.WriteHeader(http.StatusTeapot)
		case string(body) == `{"name":"many"}`:
			w.Header().Set("Retry-After", "7")
			w.WriteHeader(http.StatusTooManyRequests)
			_, _ = io.WriteString(w, `{"code":1008,"reason":"slow down"}`)
		default:
			_, _ = io.WriteString(w, `{"token":"t","user_id":"guest-1","name":"Ada"}`)
		}
	}))
	t.Cleanup(srv.Close)

	guest, err := Guest(testContext(t), srv.URL+"/", "Ada")
	require.NoError(t, err)
	require.Equal(t, GuestToken{Token: "t", UserID: "guest-1", Name: "Ada"}, guest)

	_, err = Guest(testContext(t), srv.URL, "many")
	var refused *protocol.Error
	require.ErrorAs(t, err, &refused)
	require.Equal(t, protocol.Error{
		Op: protocol.OpIdentify, Code: protocol.CodeRateLimited, Reason: "slow down", RetryAfterMS: 7000,
	}, *refused)

	_, err = Guest(testContext(t), srv.URL+"/elsewhere", "Ada")
	require.ErrorContains(t, err, "418")
}

func TestDialRefusals(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		serve func(*fakeConn)
		check func(*testing.T, error)
	}{
		"bad token": {
			func(c *fakeConn) {
				c.hello()
				f, _ := c.next()
				c.refuse(f, protocol.CodeInvalidToken)
				c.bye(protocol.CloseAuthFailed)
			},
			func(t *testing.T, err error) {
				t.Helper()
				var refused *protocol.Error
				require.ErrorAs(t, err, &refused)
				require.Equal(t, protocol.CodeInvalidToken, refused.Code)
			},
		},
		"closed at once": {
			func(c *fakeConn) { c.bye(protocol.CloseRestarting) },
			func(t *testing.T, err error) {
				t.Helper()
				var closed *CloseError
				require.ErrorAs(t, err, &closed)
				require.Equal(t, protocol.CloseRestarting, closed.Code)
				require.Equal(t, protocol.Reidentify, closed.Code.Next())
			},
		},
		"another version": {
			func(c *fakeConn) { c.send(`{"op":0,"d":{"heartbeat_interval":1000,"v":[2]}}`); c.next() },
			func(t *testing.T, err error) { t.Helper(); require.ErrorIs(t, err, ErrVersion) },
		},
		"no hello": {
			func(c *fakeConn) { c.send(`{"op":4,"d":{}}`); c.next() },
			func(t *testing.T, err error) { t.Helper(); require.ErrorIs(t, err, ErrProtocol) },
		},
		"no heartbeat interval": {
			func(c *fakeConn) { c.send(`{"op":0,"d":{"v":[1]}}`); c.next() },
			func(t *testing.T, err error) { t.Helper(); require.ErrorIs(t, err, ErrProtocol) },
		},
		"not JSON": {
			func(c *fakeConn) { c.send(`hello`); c.next() },
			func(t *testing.T, err error) { t.Helper(); require.ErrorIs(t, err, ErrProtocol) },
		},
		"hangs up": {
			func(c *fakeConn) { c.hello() },
			func(t *testing.T, err error) { t.Helper(); require.ErrorContains(t, err, "connection lost") },
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			srv := newFake(t, test.serve)
			_, err := Dial(testContext(t), srv.url(), Options{Token: "ada"})
			test.check(t, err)
		})
	}
}

func TestDialContext(t *testing.T) {
	t.Parallel()
	// The server accepts and says nothing, first on the socket, then on the WebSocket.
	silent, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { silent.Close() })
	mute := newFake(t, func(c *fakeConn) { c.next() })
	for _, url := range []string{"http://" + silent.Addr().String(), mute.url()} {
		ctx, cancel := context.WithCancel(t.Context())
		stop := time.AfterFunc(50*time.Millisecond, cancel)
		_, err := Dial(ctx, url, Options{Token: "ada"})
		stop.Stop()
		require.ErrorIs(t, err, context.Canceled, url)
	}
}

func TestRequests(t *testing.T) {
	t.Parallel()
	srv := newFake(t, func(c *fakeConn) {
		c.each(func(f protocol.Frame) {
			switch f.Op {
			case protocol.OpChannelList:
				c.ack(f, protocol.ChannelList{Channels: []protocol.ChannelInfo{{ChannelID: "lobby"}}})
			case protocol.OpChannelInfo:
				c.ack(f, protocol.ChannelDetail{
					ChannelInfo: protocol.ChannelInfo{ChannelID: "lobby"}, ActiveMembers: []protocol.Member{{UserID: "bo"}},
				})
			case protocol.OpChannelCreate, protocol.OpChannelUpdate:
				c.ack(f, protocol.ChannelInfo{ChannelID: "lobby", Capacity: 3})
			case protocol.OpMessageCreate:
				c.ack(f, protocol.MessageCreated{MessageID: "m1", Timestamp: 12})
			case protocol.OpHistory:
				c.ack(f, protocol.Messages{Messages: []protocol.MessageEvent{{MessageID: "m1", Content: "hi"}}, More: true})
			case protocol.OpSearch:
				c.ack(f, protocol.FoundMessages{Messages: []protocol.FoundMessage{{Marks: [][2]int{{0, 2}}}}})
			case protocol.OpRead:
				c.ack(f, protocol.ReadMarks{Channels: []protocol.ReadMark{{ChannelID: "lobby", Unread: 2}}})
			case protocol.OpMessageUpdate:
				c.ack(f, protocol.MessageChange{MessageID: "m1", Content: "ho", EditedAt: 13})
			case protocol.OpMessageDelete:
				c.ack(f, protocol.MessageChange{MessageID: "m1", Deleted: true})
			case protocol.OpVoiceState:
				c.ack(f, protocol.VoiceStateEvent{UserID: "ada", SelfMute: true})
			default:
				c.refuse(f, protocol.CodeChannelNotFound)
			}
		})
	})
	c := srv.dial(Options{Token: "ada"})
	ctx := testContext(t)
	require.Equal(t, "ada", c.UserID())
	require.Equal(t, 8, c.Ready().Limits.Slots)

	channels, err := c.Channels(ctx)
	require.NoError(t, err)
	require.Equal(t, "lobby", channels[0].ChannelID)
	detail, err := c.Channel(ctx, "lobby")
	require.NoError(t, err)
	require.Equal(t, "bo", detail.ActiveMembers[0].UserID)
	created, err := c.CreateChannel(ctx, protocol.ChannelCreate{ChannelID: "lobby"})
	require.NoError(t, err)
	require.Equal(t, 3, created.Capacity)
	_, err = c.UpdateChannel(ctx, protocol.ChannelUpdate{ChannelID: "lobby"})
	require.NoError(t, err)
	message, err := c.SendMessage(ctx, "lobby", "hi")
	require.NoError(t, err)
	require.Equal(t, "m1", message.MessageID)
	page, err := c.History(ctx, protocol.History{ChannelID: "lobby"})
	require.NoError(t, err)
	require.True(t, page.More)
	require.Equal(t, "hi", page.Messages[0].Content)
	found, err := c.Search(ctx, protocol.Search{Query: "hi"})
	require.NoError(t, err)
	require.Equal(t, [][2]int{{0, 2}}, found.Messages[0].Marks)
	marks, err := c.MarkRead(ctx, "lobby", "m1")
	require.NoError(t, err)
	require.Equal(t, 2, marks.Channels[0].Unread)
	change, err := c.EditMessage(ctx, "m1", "ho")
	require.NoError(t, err)
	require.Equal(t, int64(13), change.EditedAt)
	require.NoError(t, c.DeleteMessage(ctx, "m1"))
	mute := true
	state, err := c.SetVoiceState(ctx, protocol.VoiceState{SelfMute: &mute})
	require.NoError(t, err)
	require.True(t, state.SelfMute)

	err = c.DeleteChannel(ctx, "lobby")
	var refused *protocol.Error
	require.ErrorAs(t, err, &refused)
	require.Equal(t, protocol.OpChannelDelete, refused.Op)
	require.Equal(t, protocol.CodeChannelNotFound, refused.Code)

	require.ErrorIs(t, c.Request(ctx, protocol.OpChannelList, func() {}, nil), errEncode)
	_, err = c.Channels(ctx)
	require.NoError(t, err, "a request that cannot be encoded must not hurt the connection")
}

func TestRequestEnds(t *testing.T) {
	t.Parallel()
	srv := newFake(t, func(c *fakeConn) {
		c.each(func(f protocol.Frame) {
			if f.Op == protocol.OpChannelInfo {
				c.bye(protocol.CloseReplaced)
			}
		})
	})
	c := srv.dial(Options{Token: "ada"})
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	_, err := c.Channels(ctx)
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.NoError(t, c.Err(), "an impatient caller does not end the session")

	_, err = c.Channel(testContext(t), "x")
	var closed *CloseError
	require.ErrorAs(t, err, &closed)
	require.Equal(t, protocol.CloseReplaced, closed.Code)
	require.Equal(t, protocol.Stop, closed.Code.Next())
	<-c.Done()
	require.Equal(t, err, c.Err())
	_, err = c.Channels(testContext(t))
	require.ErrorAs(t, err, &closed, "requests after the end say why it ended")

	_, open := <-c.Events()
	require.False(t, open)
	require.NoError(t, c.Close())
	require.ErrorAs(t, c.Err(), &closed, "Close does not rewrite history")
}

func TestCloseIsIdempotentAndEndsRequests(t *testing.T) {
	t.Parallel()
	asked := make(chan struct{})
	srv := newFake(t, func(c *fakeConn) { c.each(func(protocol.Frame) { close(asked) }) })
	c := srv.dial(Options{Token: "ada"})
	result := make(chan error)
	go func() {
		_, err := c.Channels(context.Background())
		result <- err
	}()
	<-asked
	for range 2 {
		go c.Close()
	}
	require.NoError(t, c.Close())
	require.ErrorIs(t, <-result, ErrClosed)
	_, err := c.Join(testContext(t), "room", JoinOptions{})
	require.ErrorIs(t, err, ErrClosed)
}

// Whatever the server is just saying, it hears the farewell: nothing that it writes before fails.
func TestCloseIsHeard(t *testing.T) {
	t.Parallel()
	type end struct{ read, written error }
	ended := make(chan end, 1)
	srv := newFake(t, func(c *fakeConn) {
		if !c.identify() {
			return
		}
		stop, stopped := make(chan struct{}), make(chan error)
		go func() {
			event := []byte(`{"op":103,"d":{"channel_id":"` + strings.Repeat("x", 1000) + `","speakers":[]}}`)
			for {
				select {
				case <-stop:
					stopped <- nil
					return
				case <-time.After(50 * time.Microsecond):
				}
				if err := c.WriteMessage(websocket.TextMessage, event); err != nil && !errors.Is(err, websocket.ErrCloseSent) {
					<-stop
					stopped <- err
					return
				}
			}
		}()
		var e end
		for e.read == nil {
			_, _, e.read = c.ReadMessage()
		}
		close(stop)
		e.written = <-stopped
		ended <- e
	})
	for range 100 {
		c := srv.dial(Options{Token: "ada", NoReconnect: true})
		require.NoError(t, c.Close())
		e := <-ended
		require.True(t, websocket.IsCloseError(e.read, websocket.CloseNormalClosure), "%v", e.read)
		require.NoError(t, e.written)
	}
}

func TestEvents(t *testing.T) {
	t.Parallel()
	srv := newFake(t, func(c *fakeConn) {
		c.each(func(f protocol.Frame) {
			c.event(protocol.OpChannelEvent, protocol.ChannelEvent{Event: "create", ChannelID: "a"})
			c.event(protocol.OpMessageEvent, protocol.MessageEvent{Content: "hi"})
			c.send(`{"op":199,"d":{"state":"lost"}}`) // unknown and without a number
			c.event(protocol.OpVoiceStateEvent, protocol.VoiceStateEvent{UserID: "bo"})
			c.event(protocol.OpSlotMap, protocol.SlotMap{ChannelID: "a"})
			c.event(protocol.OpMediaState, protocol.MediaState{ChannelID: "a", UserID: "bo", State: protocol.MediaLost})
			c.send(`{"op":103,"d":{"channel_id":"a","speakers":[{"user_id":"bo","level":30}]}}`)
			c.ack(f, nil)
		})
	})
	c := srv.dial(Options{Token: "ada"})
	require.NoError(t, c.Request(testContext(t), protocol.OpChannelList, nil, nil))
	got := make([]string, 0, 7)
	for range cap(got) {
		ev := <-c.Events()
		got = append(got, fmt.Sprintf("%d %T", ev.S, ev.Payload))
	}
	require.Equal(t, []string{
		"1 *protocol.ChannelEvent", "2 *protocol.MessageEvent", "0 json.RawMessage",
		"3 *protocol.VoiceStateEvent", "4 *protocol.SlotMap",
		"5 *protocol.MediaState", "0 *protocol.Speakers",
	}, got)
}

func TestEventGapEndsTheSession(t *testing.T) {
	t.Parallel()
	for name, frame := range map[string]string{
		"gap":     `{"op":101,"s":2,"d":{}}`,
		"payload": `{"op":101,"s":1,"d":{"content":5}}`,
		"frame":   `[]`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			srv := newFake(t, func(c *fakeConn) { c.each(func(protocol.Frame) { c.send(frame) }) })
			c := srv.dial(Options{Token: "ada"})
			require.ErrorIs(t, c.Request(testContext(t), protocol.OpChannelList, nil, nil), ErrProtocol)
			require.ErrorIs(t, c.Err(), ErrProtocol)
		})
	}
}

func TestEventsThatNobodyReads(t *testing.T) {
	t.Parallel()
	q := newEventQueue(3)
	put := func(s uint64) { q.put(Event{S: s}) }
	for s := range uint64(6) {
		put(s + 1) // 1 2 3 stay, 4 5 6 are discarded
	}
	require.Equal(t, uint64(1), (<-q.ch).S)
	put(7) // room for one only: a Missed and an event do not fit
	require.Equal(t, uint64(2), (<-q.ch).S)
	put(8) // room for both
	require.Equal(t, uint64(3), (<-q.ch).S)
	require.Equal(t, &Missed{Count: 4}, (<-q.ch).Payload)
	require.Equal(t, uint64(8), (<-q.ch).S)
	for s := range uint64(4) {
		put(s + 9)
	}
	<-q.ch
	q.close()
	var rest []Event
	for ev := range q.ch {
		rest = append(rest, ev)
	}
	require.Len(t, rest, 3)
	require.Equal(t, &Missed{Count: 1}, rest[2].Payload)

	never := newEventQueue(-1)
	never.put(Event{})
	never.close()
	require.Nil(t, never.ch)
}

func TestHeartbeats(t *testing.T) {
	t.Parallel()
	conns := make(chan *fakeConn, 1)
	srv := newFake(t, func(c *fakeConn) {
		c.heartbeat = 1000 // long enough for a machine with too much to do
		conns <- c
		c.each(func(f protocol.Frame) {
			c.event(protocol.OpMessageEvent, protocol.MessageEvent{})
			c.ack(f, nil)
		})
	})
	c := srv.dial(Options{Token: "ada"})
	require.NoError(t, c.Request(testContext(t), protocol.OpChannelList, nil, nil))
	conn := <-conns
	var beats []uint64
	// Four beats are three intervals; a session without acks would be over after two.
	waitFor(t, "four heartbeats were sent", func() bool {
		conn.mu.Lock()
		defer conn.mu.Unlock()
		beats = append(beats[:0], conn.beats...)
		return len(beats) >= 4
	})
	require.NoError(t, c.Err())
	require.IsNonDecreasing(t, beats)
	require.Equal(t, uint64(1), beats[len(beats)-1], "a heartbeat names the last event seen")
}

func TestSilentServerIsGivenUp(t *testing.T) {
	t.Parallel()
	srv := newFake(t, func(c *fakeConn) {
		c.heartbeat = 50
		c.identify()
		for ok := true; ok; { // reads, never answers
			_, ok = c.next()
		}
	})
	c := srv.dial(Options{Token: "ada", NoReconnect: true})
	select {
	case <-c.Done():
	case <-time.After(testTimeout):
		t.Fatal("the client does not notice that the server is gone")
	}
	var timeout net.Error
	require.ErrorAs(t, c.Err(), &timeout)
	require.True(t, timeout.Timeout())
	var closed *CloseError
	require.False(t, errors.As(c.Err(), &closed))
}

func TestReplyData(t *testing.T) {
	t.Parallel()
	frame := func(text string) protocol.Frame {
		f, err := protocol.Decode([]byte(text))
		require.NoError(t, err)
		return f
	}
	var ref protocol.ChannelRef
	require.NoError(t, bindReply(frame(`{"op":200,"d":{"op":14,"data":{"channel_id":"x"}}}`), &ref))
	require.Equal(t, "x", ref.ChannelID)
	require.NoError(t, bindReply(frame(`{"op":200,"d":{"op":14}}`), &ref))
	require.NoError(t, bindReply(frame(`{"op":2,"d":{}}`), nil))
	require.ErrorIs(t, bindReply(frame(`{"op":200,"d":[]}`), &ref), ErrProtocol)
	require.ErrorIs(t, bindReply(frame(`{"op":200,"d":{"data":3}}`), &ref), ErrProtocol)
	var raw json.RawMessage
	require.NoError(t, bindReply(frame(`{"op":4,"d":{"a":1}}`), &raw))
	require.JSONEq(t, `{"a":1}`, string(raw))
}

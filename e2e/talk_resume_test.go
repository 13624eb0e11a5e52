package e2e

import (
	"context"
	"fmt"
	"net"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"github.com/stretchr/testify/require"

	"github.com/mini-livechat/mini-livechat/signaling/client"
	"github.com/mini-livechat/mini-livechat/signaling/protocol"
)

// scissors cut the WebSockets of a person, which the server hears of no more than of a pulled cable.
type scissors struct {
	mu    sync.Mutex
	conns []net.Conn
}

func (s *scissors) plug(o *client.Options) {
	o.NoReconnect = false
	o.Dialer = &websocket.Dialer{NetDialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
		conn, err := (&net.Dialer{}).DialContext(ctx, network, addr)
		if err != nil {
			return nil, err
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		s.conns = append(s.conns, conn)
		return conn, nil
	}}
}

func (s *scissors) cut() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, conn := range s.conns {
		_ = conn.Close()
	}
	s.conns = nil
}

// A WebSocket that breaks ends nothing: the voice goes on, events and requests are as if it had not, and the others are told
// nothing.
func TestTalkOutlivesItsWebSocket(t *testing.T) {
	verifyNoLeaks(t)
	s := startServer(t)
	bo := arrive(t, s, "bo", roomy).join("lobby").talk()
	var shears scissors
	ada := arrive(t, s, "ada", shears.plug, roomy).join("lobby").talk()
	ada.hears(bo)
	bo.hears(ada)
	session := ada.Ready().SessionID

	// Bo says numbers, ada says letters; the connection of ada breaks again and again meanwhile.
	const messages, each = 60, 12
	var talking sync.WaitGroup
	talking.Go(func() {
		for i := range messages {
			_, err := bo.SendMessage(soon(t), "lobby", fmt.Sprint(i))
			if err != nil {
				t.Error(err)
			}
			if i%each == each-1 {
				shears.cut()
			}
			time.Sleep(10 * time.Millisecond)
		}
	})
	talking.Go(func() {
		for i := range messages {
			_, err := ada.SendMessage(soon(t), "lobby", fmt.Sprint(i))
			if err != nil {
				t.Error(err)
			}
		}
	})
	talking.Wait()

	inOrder := func(p *person) {
		t.Helper()
		var contents []string
		for len(contents) < messages {
			contents = append(contents, told(p, fmt.Sprint("message ", len(contents)), func(ev *protocol.MessageEvent) bool {
				return ev.AuthorID != p.UserID()
			}).Content)
		}
		for i, content := range contents {
			require.Equal(t, fmt.Sprint(i), content, "each once, in order")
		}
	}
	inOrder(ada)
	inOrder(bo)
	require.Equal(t, session, ada.Ready().SessionID, "resumed, not begun anew")
	ada.hears(bo)
	bo.hears(ada)
	t.Logf("%d cuts; longest silence: %v at the one whose connection broke, %v at the other",
		messages/each, ada.longestSilence(bo), bo.longestSilence(ada))
	ada.check(bo)
	bo.check(ada)
	require.True(t, slices.Equal(ids(bo, ada), bo.memberIDs()), "nobody has left")
}

// roomy keeps the events of a person until the test looks at them.
func roomy(o *client.Options) { o.EventBuffer = 10_000 }

package signaling

import (
	"errors"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"github.com/stretchr/testify/require"

	"github.com/mini-livechat/mini-livechat/signaling/protocol"
)

// A connection to which nothing can be written any more is read to its end: a farewell that came before ends the session,
// and without one the session waits.
func TestFarewellOnABrokenConnection(t *testing.T) {
	for name, test := range map[string]struct {
		leave func(*websocket.Conn) error
		waits bool
	}{
		"farewell": {leave: func(ws *websocket.Conn) error {
			farewell := websocket.FormatCloseMessage(websocket.CloseGoingAway, "")
			return errors.Join(ws.WriteControl(websocket.CloseMessage, farewell, time.Now().Add(time.Minute)), ws.Close())
		}},
		"given up": {leave: func(ws *websocket.Conn) error {
			return errors.Join(ws.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(4900, ""), time.Now().Add(time.Minute)), ws.Close())
		}, waits: true},
		"torn":   {leave: (*websocket.Conn).Close, waits: true},
		"silent": {leave: func(*websocket.Conn) error { return nil }, waits: true},
	} {
		t.Run(name, func(t *testing.T) {
			g, url := startGateway(t, nil, func(c *Config) { c.ResumeWindow = time.Minute })
			ws := identified(t, g, url, "ada")
			s := g.users.Get("ada")
			conn := s.attached()
			half, ok := conn.ws.NetConn().(interface{ CloseWrite() error })
			require.True(t, ok)
			require.NoError(t, half.CloseWrite())
			s.out.event(text(t, protocol.OpMessageEvent, "nobody hears this"))
			conn.writing.Wait()               // the writer has failed
			time.Sleep(20 * time.Millisecond) // the reader has had time to give up

			require.NoError(t, test.leave(ws))
			if test.waits {
				require.Eventually(t, func() bool { return s.attached() == nil }, time.Minute, time.Millisecond)
				require.Same(t, s, g.users.Get("ada"), "it can be resumed")
				return
			}
			select {
			case <-s.gone:
			case <-time.After(time.Minute):
				t.Fatal("the session waits for a client that has left")
			}
		})
	}
}

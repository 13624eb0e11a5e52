package e2e

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"github.com/pion/webrtc/v4"
	"github.com/stretchr/testify/require"

	"github.com/mini-livechat/mini-livechat/signaling/protocol"
)

// patience is how long a test waits for what must happen. A machine with other work to do takes several seconds for a handshake.
const patience = 45 * time.Second

// raw is a bare WebSocket to the gateway: it can be as rude as a stranger, which the
// client library cannot.
type raw struct {
	t      *testing.T
	conn   *websocket.Conn
	lastID int
	events []protocol.Frame // read while waiting for a reply
	seen   uint64           // number of the last event
	ready  protocol.Ready   // of identify
}

// dial opens a WebSocket and reads HELLO.
func dial(t *testing.T, s *server) *raw {
	t.Helper()
	return dialFrom(t, s, "")
}

// dialFrom is dial through a proxy on this machine, which says from where; "" for without one.
func dialFrom(t *testing.T, s *server, address string) *raw {
	t.Helper()
	conn, resp, err := websocket.DefaultDialer.Dial("ws"+strings.TrimPrefix(s.URL, "http")+"/ws", forwardedFrom(address))
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	t.Cleanup(func() { _ = conn.Close() })
	c := &raw{t: t, conn: conn}
	hello := c.read()
	require.Equal(t, protocol.OpHello, hello.Op)
	return c
}

// forwardedFrom are the headers of a proxy that had the request from an address.
func forwardedFrom(address string) http.Header {
	if address == "" {
		return nil
	}
	return http.Header{"X-Forwarded-For": {address}}
}

// guest gets a token for a name.
func guest(t *testing.T, s *server, name string) (token, userID string) {
	t.Helper()
	return guestFrom(t, s, name, "")
}

func guestFrom(t *testing.T, s *server, name, address string) (token, userID string) {
	t.Helper()
	body, err := json.Marshal(map[string]string{"name": name})
	require.NoError(t, err)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.URL+"/api/guest", bytes.NewReader(body))
	require.NoError(t, err)
	maps.Copy(req.Header, forwardedFrom(address))
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	defer resp.Body.Close()
	require.Equal(t, http.StatusOK, resp.StatusCode)
	var answer struct {
		Token  string `json:"token"`
		UserID string `json:"user_id"`
	}
	require.NoError(t, json.NewDecoder(resp.Body).Decode(&answer))
	return answer.Token, answer.UserID
}

// identify opens a WebSocket and identifies as a new guest.
func identify(t *testing.T, s *server, name string) (c *raw, userID string) {
	t.Helper()
	return identifyFrom(t, s, name, "")
}

func identifyFrom(t *testing.T, s *server, name, address string) (c *raw, userID string) {
	t.Helper()
	token, userID := guestFrom(t, s, name, address)
	c = dialFrom(t, s, address)
	var ready protocol.Ready
	c.reply(protocol.OpIdentify, protocol.Identify{Token: token, V: protocol.Version}, protocol.OpReady, &ready)
	require.Equal(t, userID, ready.UserID)
	c.ready = ready
	return c, userID
}

// joinChannel joins with a microphone and two slots.
func (c *raw) joinChannel(channel string) protocol.Joined {
	c.t.Helper()
	var joined protocol.Joined
	c.ack(protocol.OpChannelJoin, protocol.ChannelJoin{ChannelID: channel, SDPOffer: offer(c.t, 1, 2)}, &joined)
	return joined
}

// offer makes a real SDP offer with so many sendonly and recvonly audio lines.
func offer(t *testing.T, sendonly, recvonly int) string {
	t.Helper()
	pc, err := webrtc.NewPeerConnection(webrtc.Configuration{})
	require.NoError(t, err)
	defer pc.Close()
	for i := range sendonly + recvonly {
		direction := webrtc.RTPTransceiverDirectionSendonly
		if i >= sendonly {
			direction = webrtc.RTPTransceiverDirectionRecvonly
		}
		_, err = pc.AddTransceiverFromKind(webrtc.RTPCodecTypeAudio, webrtc.RTPTransceiverInit{Direction: direction})
		require.NoError(t, err)
	}
	desc, err := pc.CreateOffer(nil)
	require.NoError(t, err)
	return desc.SDP
}

// send writes a text frame as it is.
func (c *raw) send(frame string) {
	c.t.Helper()
	require.NoError(c.t, c.conn.WriteMessage(websocket.TextMessage, []byte(frame)))
}

// request sends a request and returns its id.
func (c *raw) request(op protocol.Op, d any) string {
	c.t.Helper()
	c.lastID++
	id := "r" + strconv.Itoa(c.lastID)
	frame, err := protocol.EncodeRequest(op, id, d)
	require.NoError(c.t, err)
	c.send(string(frame))
	return id
}

// read returns the next frame.
func (c *raw) read() protocol.Frame {
	c.t.Helper()
	require.NoError(c.t, c.conn.SetReadDeadline(time.Now().Add(patience)))
	_, data, err := c.conn.ReadMessage()
	require.NoError(c.t, err)
	frame, err := protocol.Decode(data)
	require.NoError(c.t, err)
	if frame.S != 0 {
		require.Equal(c.t, c.seen+1, frame.S, "events are numbered without a gap, and none comes twice")
		c.seen = frame.S
	}
	return frame
}

// reply sends a request, waits for its reply, which must have op want, and parses it
// into d unless d is nil. Events on the way are kept for event.
func (c *raw) reply(op protocol.Op, request any, want protocol.Op, d any) {
	c.t.Helper()
	id := c.request(op, request)
	for {
		frame := c.read()
		if frame.S != 0 || frame.Op == protocol.OpAlive {
			c.events = append(c.events, frame)
			continue
		}
		if frame.Op == protocol.OpSpeakers {
			continue // an event without a number, too
		}
		require.Equal(c.t, want, frame.Op, "reply to %s: %s", op, frame.D)
		require.Equal(c.t, id, frame.ID)
		if d != nil {
			require.NoError(c.t, frame.Bind(d))
		}
		return
	}
}

// ack is reply for requests answered by ACK; data is its data.
func (c *raw) ack(op protocol.Op, request, data any) {
	c.t.Helper()
	var ack struct {
		Op   protocol.Op     `json:"op"`
		Data json.RawMessage `json:"data"`
	}
	c.reply(op, request, protocol.OpAck, &ack)
	require.Equal(c.t, op, ack.Op)
	if data != nil {
		require.NoError(c.t, json.Unmarshal(ack.Data, data))
	}
}

// fails sends a request that must be refused with this code and returns the reason.
func (c *raw) fails(op protocol.Op, request any, code protocol.ErrorCode) string {
	c.t.Helper()
	var refused protocol.Error
	c.reply(op, request, protocol.OpError, &refused)
	require.Equal(c.t, op, refused.Op)
	require.Equal(c.t, code, refused.Code, refused.Reason)
	require.NotEmpty(c.t, refused.Reason)
	return refused.Reason
}

// event returns the next event with this op, parsed into d; others are skipped.
func (c *raw) event(op protocol.Op, d any) {
	c.t.Helper()
	for {
		var frame protocol.Frame
		if len(c.events) > 0 {
			frame, c.events = c.events[0], c.events[1:]
		} else {
			frame = c.read()
		}
		if frame.Op == op {
			require.NoError(c.t, frame.Bind(d))
			return
		}
	}
}

// quiet checks that nothing was told to the client before the answer to this request.
func (c *raw) quiet() {
	c.t.Helper()
	c.quietBut()
}

// farewell closes the connection as one does who does not come back.
func (c *raw) farewell() {
	c.t.Helper()
	bye := websocket.FormatCloseMessage(websocket.CloseNormalClosure, "")
	require.NoError(c.t, c.conn.WriteControl(websocket.CloseMessage, bye, time.Now().Add(patience)))
	require.NoError(c.t, c.conn.Close())
}

// closed waits for the connection's end and returns its code. What still comes is given to each.
func (c *raw) closed(each ...func(protocol.Frame)) protocol.CloseCode {
	c.t.Helper()
	require.NoError(c.t, c.conn.SetReadDeadline(time.Now().Add(patience)))
	for {
		_, data, err := c.conn.ReadMessage()
		if err == nil {
			for _, look := range each {
				frame, decodeErr := protocol.Decode(data)
				require.NoError(c.t, decodeErr)
				look(frame)
			}
			continue
		}
		var ending *websocket.CloseError
		if !errors.As(err, &ending) {
			require.ErrorIs(c.t, err, io.EOF, "no close frame")
		}
		return protocol.CloseCode(ending.Code)
	}
}

// eventually polls until the condition holds.
func eventually(t *testing.T, reason string, condition func() bool) {
	t.Helper()
	require.Eventually(t, condition, patience, 10*time.Millisecond, reason)
}
